package source

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/bits"
	"runtime/debug"

	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// The Parquet library makes room for as many bytes and values as a page claims before it
// looks at the page. guardChunk therefore goes over the page headers of a column chunk
// first and refuses claims that the chunk cannot hold: a few damaged bytes could
// otherwise ask for sixteen gigabytes.

const (
	maxPageHeader = 1 << 20 // bytes; statistics may hold long values
	maxPageBytes  = 1 << 30 // of an unpacked page, where memory allows
	maxPageValues = 1 << 26
	valueBytes    = 8       // that a value takes at least while its page is read, in levels and codes
	maxMetadata   = 1 << 29 // bytes of memory for the description of a file
	maxUnpacking  = 1 << 16 // unpacked bytes per stored byte; zstd's and gzip's best are below it
)

// guardChunk checks the pages of one column chunk of a flat column with rows rows.
// Values that are there have the definition level maxLevel.
func guardChunk(r io.ReaderAt, size int64, meta *format.ColumnMetaData, rows int64, maxLevel byte) error {
	at, length := chunkStart(meta), meta.TotalCompressedSize
	if at < 4 || length < 0 || at > size || length > size-at {
		return fmt.Errorf("its pages lie outside the file: %d bytes at %d of %d", length, at, size)
	}
	g := guard{meta: meta, left: rows, maxLevel: maxLevel, room: pageRoom()}
	defer g.close()
	for end := at + length; at < end; {
		if g.left == 0 { // what follows is never read
			return nil
		}
		n, err := g.page(io.NewSectionReader(r, at, end-at))
		if err != nil {
			return fmt.Errorf("page at byte %d: %w", at, err)
		}
		at += n
	}
	return nil
}

// pageRoom is how much memory one page may take while it is read: what the memory limit
// of the process, which follows --memory, leaves for it.
func pageRoom() int64 {
	return min(maxPageBytes+maxPageValues*valueBytes, debug.SetMemoryLimit(-1)/4)
}

// guard is the state of guardChunk.
type guard struct {
	meta     *format.ColumnMetaData
	left     int64 // rows that no page has claimed yet
	maxLevel byte
	room     int64 // bytes of memory that a page may take
	unpacker
}

// page checks the page at the start of r and returns how many bytes it takes.
func (g *guard) page(r *io.SectionReader) (int64, error) {
	var h format.PageHeader
	var length int64
	for room := int64(256); ; room *= 16 {
		head := make([]byte, min(room, r.Size()))
		if n, err := r.ReadAt(head, 0); n < len(head) {
			return 0, err
		}
		h = format.PageHeader{}
		err := guardThrift(head)
		if err == nil {
			reader := new(thrift.CompactProtocol).NewReaderFromBytes(head)
			err = thrift.NewDecoder(reader).Decode(&h)
			length = int64(reader.BytesRead())
		}
		if err == nil {
			break
		}
		if room >= maxPageHeader || room >= r.Size() {
			return 0, fmt.Errorf("its header cannot be read: %w", err)
		}
	}
	stored, unpacked := int64(h.CompressedPageSize), int64(h.UncompressedPageSize)
	if stored < 0 || stored > r.Size()-length {
		return 0, fmt.Errorf("it claims %d bytes, the column has %d", stored, r.Size()-length)
	}
	if unpacked < 0 || unpacked > maxPageBytes || unpacked > (stored+1)*maxUnpacking {
		return 0, fmt.Errorf("it claims to unpack from %d to %d bytes", stored, unpacked)
	}
	packed := g.meta.Codec != format.Uncompressed
	levels := int64(0) // bytes of the page before what is packed
	var encoding format.Encoding
	var count int32
	switch {
	case h.Type == format.DictionaryPage && h.DictionaryPageHeader.Valid:
		if n := int64(h.DictionaryPageHeader.V.NumValues); n < 0 || n*max(1, plainWidth(g.meta.Type)) > unpacked {
			return 0, fmt.Errorf("its dictionary claims %d values in %d bytes", n, unpacked)
		}
	case h.Type == format.DataPage && h.DataPageHeader.Valid:
		encoding, count = h.DataPageHeader.V.Encoding, h.DataPageHeader.V.NumValues
	case h.Type == format.DataPageV2 && h.DataPageHeaderV2.Valid:
		v := &h.DataPageHeaderV2.V
		encoding, count = v.Encoding, v.NumValues
		packed = packed && (!v.IsCompressed.Valid || v.IsCompressed.V)
		levels = int64(v.RepetitionLevelsByteLength) + int64(v.DefinitionLevelsByteLength)
		if v.RepetitionLevelsByteLength < 0 || v.DefinitionLevelsByteLength < 0 || levels > min(stored, unpacked) {
			return 0, fmt.Errorf("it claims %d bytes of levels in %d", levels, stored)
		}
		if v.NumNulls < 0 || v.NumNulls > v.NumValues {
			return 0, fmt.Errorf("it claims %d nulls in %d values", v.NumNulls, v.NumValues)
		}
	}
	if err := g.values(count); err != nil {
		return 0, err
	}
	if unpacked+int64(count)*valueBytes > g.room {
		return 0, g.tooLarge(count, unpacked)
	}
	p := pageContent{guard: g, packed: packed, size: unpacked - levels, stored: stored - levels, at: io.NewSectionReader(r, length+levels, stored-levels)}
	if err := p.check(); err != nil {
		return 0, err
	}
	if count > 0 {
		before := make([]byte, levels)
		if n, err := r.ReadAt(before, length); n < len(before) {
			return 0, err
		}
		if err := g.inside(&h, before, &p, encoding, count); err != nil {
			return 0, err
		}
	}
	return length + stored, nil
}

// inside checks the counts inside a data page: of runs of equal levels and codes, and of
// delta encodings. before are the levels in front of the content, as pages of format 2
// have them.
func (g *guard) inside(h *format.PageHeader, before []byte, p *pageContent, encoding format.Encoding, count int32) error {
	skip := int64(0) // bytes of the content before its values
	if h.Type == format.DataPageV2 {
		levels := before[h.DataPageHeaderV2.V.RepetitionLevelsByteLength:]
		if err := guardRuns(levels, bits.Len8(g.maxLevel), count); err != nil {
			return fmt.Errorf("its definition levels: %w", err)
		}
	} else if g.maxLevel > 0 && h.DataPageHeader.V.DefinitionLevelEncoding == format.RLE {
		levels, err := p.counted(0)
		if err == nil {
			err = guardRuns(levels, bits.Len8(g.maxLevel), count)
		}
		if err != nil {
			return fmt.Errorf("its definition levels: %w", err)
		}
		skip = 4 + int64(len(levels))
	}
	switch {
	case encoding == format.RLEDictionary || encoding == format.PlainDictionary:
		b, err := p.first(p.size)
		if err != nil || len(b) <= int(skip) {
			return err
		}
		b = b[skip:]
		if b[0] > 32 {
			return fmt.Errorf("its codes have %d bits", b[0])
		}
		return guardRuns(b[1:], int(b[0]), count)
	case encoding == format.RLE:
		b, err := p.counted(skip)
		if err != nil {
			return err
		}
		return guardRuns(b, 1, count)
	case isDelta(encoding):
		b, err := p.first(p.size)
		if err != nil {
			return err
		}
		return g.delta(encoding, b[skip:], count)
	}
	return nil
}

// guardRuns checks the lengths of the runs of up to most numbers of a width: runs of one
// number, and runs of eight packed ones that may end with padding.
func guardRuns(b []byte, width int, most int32) error {
	total, limit := uint64(0), 2*uint64(most)+1024
	for len(b) > 0 {
		head, n := binary.Uvarint(b)
		if n <= 0 {
			return io.ErrUnexpectedEOF
		}
		b = b[n:]
		count, size := head>>1, uint64(width+7)/8
		if head&1 == 1 {
			count, size = count*8, count*uint64(width)
		}
		if total += count; count > limit || total > limit {
			return fmt.Errorf("runs of %d values and more, %d are declared", total, most)
		}
		b = b[min(size, uint64(len(b))):] // the library notices what is missing
	}
	return nil
}

// values accounts for the values that a page claims; a flat column has one for each row.
func (g *guard) values(n int32) error {
	if n < 0 || n > maxPageValues || int64(n) > g.left {
		return fmt.Errorf("it claims %d values, %d rows are left", n, g.left)
	}
	g.left -= int64(n)
	return nil
}

// plainWidth is the least number of bytes of a value in a dictionary.
func plainWidth(t format.Type) int64 {
	switch t {
	case format.Int64, format.Double:
		return 8
	case format.Int96:
		return 12
	case format.Int32, format.Float, format.ByteArray:
		return 4
	}
	return 0
}

func isDelta(e format.Encoding) bool {
	return e == format.DeltaBinaryPacked || e == format.DeltaLengthByteArray || e == format.DeltaByteArray
}

// tooLarge says that a page takes more memory than it may.
func (g *guard) tooLarge(values int32, size int64) error {
	return fmt.Errorf("it holds %d values in %d bytes, which takes more than %d MiB of memory; write smaller pages, or allow more memory", values, size, g.room>>20)
}

// delta checks the counts inside a page of a delta encoding, which has up to most values.
func (g *guard) delta(e format.Encoding, b []byte, most int32) error {
	rest, err := skipDelta(b, most)
	if err != nil || e != format.DeltaByteArray {
		return err
	}
	if _, err := skipDelta(rest, most); err != nil {
		return err
	}
	// Values share prefixes, so a small page can hold any number of bytes.
	total := int64(0)
	for _, lengths := range [][]byte{b, rest} {
		list, err := new(delta.BinaryPackedEncoding).DecodeInt32(nil, lengths)
		if err != nil {
			return err
		}
		for _, n := range list {
			total += max(0, int64(n))
		}
	}
	if total > g.room {
		return g.tooLarge(most, total)
	}
	return nil
}

// skipDelta walks a DELTA_BINARY_PACKED sequence of up to most values and returns what
// follows it.
func skipDelta(b []byte, most int32) ([]byte, error) {
	var head [3]uint64 // values in a block, miniblocks in a block, values
	for i := range head {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, io.ErrUnexpectedEOF
		}
		head[i], b = v, b[n:]
	}
	block, minis, count := head[0], head[1], head[2]
	if count > uint64(most) {
		return nil, fmt.Errorf("its values claim to be %d where %d are declared", count, most)
	}
	if block == 0 || minis == 0 || block > math.MaxInt32 || minis > block || block%minis != 0 {
		return nil, fmt.Errorf("a block of %d values in %d parts", block, minis)
	}
	_, n := binary.Varint(b) // the first value
	if n <= 0 {
		return nil, io.ErrUnexpectedEOF
	}
	b = b[n:]
	for left := int64(count) - 1; left > 0; {
		_, n := binary.Varint(b) // the least difference
		if n <= 0 || uint64(len(b)-n) < minis {
			return nil, io.ErrUnexpectedEOF
		}
		widths := b[n : n+int(minis)]
		b = b[n+int(minis):]
		for _, w := range widths {
			if left <= 0 {
				break
			}
			need := min(uint64(len(b)), block/minis*uint64(w)/8) // the last part may be cut short
			b = b[need:]
			left -= int64(block / minis)
		}
	}
	return b, nil
}
