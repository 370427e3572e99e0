package source

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// parquetPage is a decoded page of a flat column.
type parquetPage struct {
	rows   int
	there  int             // rows that have a value
	levels []byte          // by row, where some have none: the definition level
	coded  bool            // the values are entries of the chunk's dictionary
	codes  []int32         // of the rows that have a value
	values encoding.Values // of the rows that have a value, unless coded or texts
	texts  pageTexts       // of the rows that have a value, where they are read as they lie
}

// pageTexts are the texts of a page, where they lie in it; data is nil where they are
// among the values.
type pageTexts struct {
	data       []byte
	start, end []uint32
}

// chunkPages reads the pages of a column chunk, one after the other. It unpacks them and
// checks what they claim before it has the library decode their values, in memory that is
// used again: a page is valid until the next one is read.
type chunkPages struct {
	guard
	unpacker
	column     *parquet.Column
	text       bool // the column is one of texts
	dictionary *pageValues
	r          *bufio.Reader
	rest       int64 // bytes of the chunk that are left
	failed     error

	page            parquetPage
	in, out, values []byte // of a page: as stored, unpacked, decoded
	offsets         []uint32
	levels          []byte
}

// openChunk opens the pages of a column chunk of a flat column with rows rows in a file
// of size bytes. Values that are there have the definition level maxLevel.
func openChunk(r io.ReaderAt, size int64, meta *format.ColumnMetaData, column *parquet.Column, rows int64, maxLevel byte) (*chunkPages, error) {
	at, length := chunkStart(meta), meta.TotalCompressedSize
	if at < 4 || length < 0 || at > size || length > size-at {
		return nil, fmt.Errorf("its pages lie outside the file: %d bytes at %d of %d", length, at, size)
	}
	room := pageRoom()
	return &chunkPages{
		guard:    guard{meta: meta, left: rows, maxLevel: maxLevel, room: room},
		unpacker: unpacker{codec: meta.Codec, room: room},
		column:   column,
		r:        bufio.NewReaderSize(io.NewSectionReader(r, at, length), int(min(length, 1<<17))),
		rest:     length,
	}, nil
}

// ReadPage returns the next page of values, io.EOF behind the last one.
func (c *chunkPages) ReadPage() (*parquetPage, error) {
	for c.failed == nil && c.rest > 0 && c.left > 0 {
		place := c.meta.TotalCompressedSize - c.rest
		p, err := c.next()
		if err != nil {
			c.failed = fmt.Errorf("page at byte %d: %w", chunkStart(c.meta)+place, err)
		} else if p != nil {
			return p, nil
		}
	}
	if c.failed != nil {
		return nil, c.failed
	}
	return nil, io.EOF
}

// Close gives back what the pages needed.
func (c *chunkPages) Close() { c.close() }

// next reads one page; it is nil where it holds no values.
func (c *chunkPages) next() (*parquetPage, error) {
	h, err := c.header()
	if err != nil {
		return nil, err
	}
	if err := c.size(h, c.rest); err != nil {
		return nil, err
	}
	c.in = sized(c.in, int64(h.CompressedPageSize))
	if _, err := io.ReadFull(c.r, c.in); err != nil {
		return nil, err
	}
	c.rest -= int64(len(c.in))
	if h.CRC != 0 && crc32.ChecksumIEEE(c.in) != uint32(h.CRC) {
		return nil, errors.New("its bytes do not have its checksum")
	}
	switch {
	case h.Type == format.DictionaryPage && h.DictionaryPageHeader.Valid:
		return nil, c.readDictionary(h)
	case h.Type == format.DataPage && h.DataPageHeader.Valid:
		return c.dataPage(h)
	case h.Type == format.DataPageV2 && h.DataPageHeaderV2.Valid:
		return c.dataPageV2(h)
	}
	return nil, nil // the format asks to skip pages of other kinds
}

// header reads the header of the next page.
func (c *chunkPages) header() (*format.PageHeader, error) {
	for room := int64(256); ; room *= 16 {
		head, err := c.r.Peek(int(min(room, c.rest)))
		if errors.Is(err, bufio.ErrBufferFull) {
			c.r = bufio.NewReaderSize(c.r, 2*maxPageHeader)
			head, err = c.r.Peek(int(min(room, c.rest)))
		}
		if err != nil {
			return nil, err
		}
		h := new(format.PageHeader)
		if err = guardThrift(head); err == nil {
			reader := new(thrift.CompactProtocol).NewReaderFromBytes(head)
			if err = thrift.NewDecoder(reader).Decode(h); err == nil {
				n, err := c.r.Discard(int(reader.BytesRead()))
				c.rest -= int64(n)
				return h, err
			}
		}
		if room >= maxPageHeader || room >= c.rest {
			return nil, fmt.Errorf("its header cannot be read: %w", err)
		}
	}
}

// unpacked is a page with its first levels bytes as they are and the others unpacked.
func (c *chunkPages) unpacked(h *format.PageHeader, levels int64, packed bool) ([]byte, error) {
	if !packed || c.meta.Codec == format.Uncompressed {
		return c.in, nil
	}
	c.out = sized(c.out, int64(h.UncompressedPageSize)+1)[:h.UncompressedPageSize]
	copy(c.out, c.in[:levels])
	return c.out, c.unpack(c.out[levels:], c.in[levels:])
}

// readDictionary decodes the dictionary of the chunk.
func (c *chunkPages) readDictionary(h *format.PageHeader) error {
	n, t := h.DictionaryPageHeader.V.NumValues, c.column.Type()
	width := 4 // the length of a text
	if t.Kind() != parquet.ByteArray {
		width = t.Length() / 8
	}
	if t.Kind() == parquet.FixedLenByteArray {
		width = t.Length()
	}
	b, err := c.unpacked(h, 0, true)
	if err != nil {
		return err
	}
	if err := c.guard.dictionary(n, width, int64(len(b))); err != nil {
		return err
	}
	values, err := t.Decode(t.NewValues(make([]byte, 0, len(b)), make([]uint32, 0, n+1)), b, &parquet.Plain)
	if err != nil {
		return err
	}
	c.dictionary = &pageValues{values, int(n)}
	return nil
}

// dataPage decodes a page of format 1, whose levels are packed with the values behind
// their length.
func (c *chunkPages) dataPage(h *format.PageHeader) (*parquetPage, error) {
	v := &h.DataPageHeader.V
	if err := c.claim(v.NumValues, int64(h.UncompressedPageSize)); err != nil {
		return nil, err
	}
	b, err := c.unpacked(h, 0, true)
	if err != nil {
		return nil, err
	}
	levels := int32(0)
	if c.maxLevel > 0 {
		if v.DefinitionLevelEncoding != format.RLE {
			return nil, fmt.Errorf("its definition levels are encoded as %s, which is not read", v.DefinitionLevelEncoding)
		}
		if len(b) < 4 || int64(binary.LittleEndian.Uint32(b)) > int64(len(b)-4) {
			return nil, errors.New("its definition levels are longer than the page")
		}
		levels = int32(binary.LittleEndian.Uint32(b))
		b = b[4:]
	}
	return c.decode(v.Encoding, v.NumValues, b[:levels], b[levels:])
}

// dataPageV2 decodes a page of format 2, whose levels stand before the packed values.
func (c *chunkPages) dataPageV2(h *format.PageHeader) (*parquetPage, error) {
	v := h.DataPageHeaderV2.V
	levels := int64(v.RepetitionLevelsByteLength) + int64(v.DefinitionLevelsByteLength)
	if v.RepetitionLevelsByteLength < 0 || v.DefinitionLevelsByteLength < 0 || levels > int64(min(h.CompressedPageSize, h.UncompressedPageSize)) {
		return nil, fmt.Errorf("it claims %d bytes of levels in %d", levels, h.CompressedPageSize)
	}
	if err := c.claim(v.NumValues, int64(h.UncompressedPageSize)); err != nil {
		return nil, err
	}
	b, err := c.unpacked(h, levels, !v.IsCompressed.Valid || v.IsCompressed.V)
	if err != nil {
		return nil, err
	}
	return c.decode(v.Encoding, v.NumValues, b[v.RepetitionLevelsByteLength:levels], b[levels:]) // a flat column has no repetition that matters
}

// decode decodes the levels and the values of a page.
func (c *chunkPages) decode(e format.Encoding, count int32, levels, b []byte) (_ *parquetPage, err error) {
	if count == 0 {
		return nil, nil
	}
	p := &c.page
	*p = parquetPage{rows: int(count), there: int(count), codes: p.codes[:0], texts: pageTexts{start: p.texts.start, end: p.texts.end}}
	if c.maxLevel > 0 {
		c.levels = sized(c.levels, int64(count))
		if p.levels, p.there, err = c.guard.levels(c.levels, levels, count); err != nil {
			return nil, err
		}
	}
	if err := c.content(e, b, int32(p.there)); err != nil {
		return nil, err
	}
	if p.coded = isCoded(e); p.coded {
		if c.dictionary == nil {
			return nil, errors.New("it has codes of a dictionary, and the column has none")
		}
		if len(b) > 0 {
			p.codes, err = parquet.RLEDictionary.DecodeInt32(p.codes, b)
		}
		return p, err
	}
	if c.text && e == format.Plain && p.there > 0 {
		return p, p.texts.find(b, p.there)
	}
	t, encoding := c.column.Type(), parquet.LookupEncoding(e)
	values := b
	if !encoding.CanDecodeInPlace() {
		c.values = sized(c.values, int64(t.EstimateDecodeSize(p.there, b, encoding)))
		values = c.values
	}
	if t.Kind() == parquet.ByteArray {
		if cap(c.offsets) <= p.there {
			c.offsets = make([]uint32, p.there+1)
		}
		c.offsets = c.offsets[:p.there+1]
	}
	p.values, err = t.Decode(t.NewValues(values, c.offsets), b, encoding)
	if err == nil && t.Kind() == parquet.ByteArray {
		_, c.offsets = p.values.Data()
	}
	return p, err
}

// find finds n texts in the content of a page: each stands behind its length.
func (t *pageTexts) find(b []byte, n int) error {
	if cap(t.start) < n {
		t.start, t.end = make([]uint32, n), make([]uint32, n)
	}
	t.data, t.start, t.end = b, t.start[:n], t.end[:n]
	at := 0
	for i := range t.start {
		if len(b)-at < 4 {
			return fmt.Errorf("%d values where %d are declared", i, n)
		}
		length := int64(binary.LittleEndian.Uint32(b[at:]))
		if at += 4; length > int64(len(b)-at) {
			return fmt.Errorf("a text of %d bytes where %d are left", length, len(b)-at)
		}
		t.start[i] = uint32(at)
		at += int(length)
		t.end[i] = uint32(at)
	}
	return nil
}

// sized is memory of n bytes, used again where there is enough.
func sized(b []byte, n int64) []byte {
	if int64(cap(b)) < n {
		return make([]byte, n, n+n/4)
	}
	return b[:n]
}
