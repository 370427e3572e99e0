package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// The Parquet library makes room for as many bytes and values as a page claims before it
// looks at the page. guardChunk therefore goes over the page headers of a column chunk
// first and refuses claims that the chunk cannot hold: a few damaged bytes could
// otherwise ask for sixteen gigabytes.

const (
	maxPageHeader = 1 << 20 // bytes; statistics may hold long values
	maxPageBytes  = 1 << 30 // of an unpacked page
	maxPageValues = 1 << 26
	maxUnpacking  = 1 << 16 // unpacked bytes per stored byte; zstd's and gzip's best are below it
)

// guardChunk checks the pages of one column chunk of a flat column with rows rows.
// nullable says that its pages hold definition levels.
func guardChunk(r io.ReaderAt, size int64, meta *format.ColumnMetaData, rows int64, nullable bool) error {
	at, length := chunkStart(meta), meta.TotalCompressedSize
	if at < 4 || length < 0 || at > size || length > size-at {
		return fmt.Errorf("its pages lie outside the file: %d bytes at %d of %d", length, at, size)
	}
	g := guard{meta: meta, left: rows, nullable: nullable}
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

// guard is the state of guardChunk.
type guard struct {
	meta     *format.ColumnMetaData
	left     int64 // rows that no page has claimed yet
	nullable bool
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
	part := func(n int64) ([]byte, error) { // the first bytes after the levels
		b := make([]byte, min(n, stored-levels))
		if n, err := r.ReadAt(b, length+levels); n < len(b) {
			return nil, err
		}
		return b, nil
	}
	plain, err := g.unpack(packed, isDelta(encoding), unpacked-levels, part)
	if err != nil || !isDelta(encoding) {
		return length + stored, err
	}
	if h.Type == format.DataPage && g.nullable {
		if len(plain) < 4 || int64(binary.LittleEndian.Uint32(plain)) > int64(len(plain)-4) {
			return 0, errors.New("its definition levels are longer than the page")
		}
		plain = plain[4+binary.LittleEndian.Uint32(plain):]
	}
	return length + stored, guardDelta(encoding, plain, count)
}

// values accounts for the values that a page claims; a flat column has one for each row.
func (g *guard) values(n int32) error {
	if n < 0 || n > maxPageValues || int64(n) > g.left {
		return fmt.Errorf("it claims %d values, %d rows are left", n, g.left)
	}
	g.left -= int64(n)
	return nil
}

// unpack checks that a page unpacks to size bytes and returns them if they are needed.
// Where the codec says the size first, that is enough; the others are unpacked.
func (g *guard) unpack(packed, needed bool, size int64, part func(int64) ([]byte, error)) ([]byte, error) {
	claimed := int64(-1)
	switch {
	case !packed && !needed:
		return nil, nil
	case !packed:
		return part(math.MaxInt64)
	case g.meta.Codec == format.Snappy:
		b, err := part(binary.MaxVarintLen64)
		if err != nil {
			return nil, err
		}
		n, k := binary.Uvarint(b)
		if k <= 0 || n > maxPageBytes {
			return nil, fmt.Errorf("its content is no Snappy block of %d bytes", size)
		}
		claimed = int64(n)
	case g.meta.Codec == format.Zstd:
		b, err := part(zstd.HeaderMaxSize)
		if err != nil {
			return nil, err
		}
		var h zstd.Header
		if err := h.Decode(b); err != nil {
			return nil, err
		}
		if h.HasFCS {
			claimed = int64(min(h.FrameContentSize, math.MaxInt64))
		}
	case g.meta.Codec == format.Gzip: // a thousandfold is its best
		claimed = size
	}
	if claimed >= 0 && claimed != size {
		return nil, fmt.Errorf("its content unpacks to %d bytes where %d are declared", claimed, size)
	}
	if claimed >= 0 && !needed {
		return nil, nil
	}
	b, err := part(math.MaxInt64)
	if err != nil {
		return nil, err
	}
	out := make([]byte, size+1)
	n := 0
	switch g.meta.Codec {
	case format.Lz4Raw:
		n, err = lz4.UncompressBlock(b, out)
	case format.Brotli:
		n, err = io.ReadFull(brotli.NewReader(bytes.NewReader(b)), out)
	case format.Zstd:
		var d *zstd.Decoder
		if d, err = zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPageBytes)); err == nil {
			n, err = io.ReadFull(d, out)
			d.Close()
		}
	case format.Snappy, format.Gzip:
		b, err = parquet.LookupCompressionCodec(g.meta.Codec).Decode(out[:0], b)
		n = copy(out, b)
	default:
		return nil, fmt.Errorf("its compression %s cannot be read", g.meta.Codec)
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && (n > 0 || !errors.Is(err, io.EOF)) {
		return nil, err
	}
	if int64(n) != size {
		return nil, fmt.Errorf("its content unpacks to %d bytes where %d are declared", n, size)
	}
	return out[:n], nil
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

// guardDelta checks the counts inside a page of a delta encoding, which has up to most values.
func guardDelta(e format.Encoding, b []byte, most int32) error {
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
	if total > maxPageBytes {
		return fmt.Errorf("its values unpack to %d bytes", total)
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

// guardThrift walks a value of the compact protocol and refuses a list that claims more
// items than there are bytes: the library would make room for them first.
func guardThrift(b []byte) error {
	_, err := skipStruct(b, 0)
	return err
}

var errThrift = errors.New("it is cut off or damaged")

func skipStruct(b []byte, depth int) ([]byte, error) {
	if depth > 32 {
		return nil, errThrift
	}
	for {
		if len(b) == 0 {
			return nil, errThrift
		}
		field := b[0]
		b = b[1:]
		if field == 0 {
			return b, nil
		}
		if field>>4 == 0 { // the field's number follows
			_, n := binary.Uvarint(b)
			if n <= 0 {
				return nil, errThrift
			}
			b = b[n:]
		}
		if kind := field & 15; kind > 2 { // the values of booleans are in their kind
			var err error
			if b, err = skipThrift(b, kind, depth); err != nil {
				return nil, err
			}
		}
	}
}

// skipThrift skips one value that is not a boolean field.
func skipThrift(b []byte, kind byte, depth int) ([]byte, error) {
	uvarint := func() (uint64, bool) {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return 0, false
		}
		b = b[n:]
		return v, true
	}
	items := func(n uint64, kinds ...byte) (_ []byte, err error) {
		if n > uint64(len(b)) {
			return nil, fmt.Errorf("a list claims %d items, %d bytes are left", n, len(b))
		}
		for range n {
			for _, k := range kinds {
				if b, err = skipThrift(b, k, depth+1); err != nil {
					return nil, err
				}
			}
		}
		return b, nil
	}
	size := uint64(0)
	switch kind {
	case 1, 2, 3: // a boolean in a list, a byte
		size = 1
	case 4, 5, 6: // integers
		if _, ok := uvarint(); !ok {
			return nil, errThrift
		}
	case 7: // double
		size = 8
	case 8: // bytes
		n, ok := uvarint()
		if !ok {
			return nil, errThrift
		}
		size = n
	case 9, 10: // list, set
		if len(b) == 0 || depth > 32 {
			return nil, errThrift
		}
		n, item := uint64(b[0]>>4), b[0]&15
		b = b[1:]
		if n == 15 {
			var ok bool
			if n, ok = uvarint(); !ok {
				return nil, errThrift
			}
		}
		return items(n, item)
	case 11: // map
		n, ok := uvarint()
		if !ok || depth > 32 {
			return nil, errThrift
		}
		if n == 0 {
			return b, nil
		}
		if len(b) == 0 {
			return nil, errThrift
		}
		kinds := b[0]
		b = b[1:]
		return items(n, kinds>>4, kinds&15)
	case 12:
		return skipStruct(b, depth+1)
	default:
		return nil, errThrift
	}
	if size > uint64(len(b)) {
		return nil, errThrift
	}
	return b[size:], nil
}
