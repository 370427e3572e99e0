package source

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"runtime/debug"

	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/format"
)

// The Parquet library makes room for as many bytes and values as a page claims before it
// looks at them: a few damaged bytes could ask for sixteen gigabytes. So the claims of
// every page are checked here, against what the page and its row group can hold and
// against the memory limit, before the library decodes it.

const (
	maxPageHeader = 1 << 20 // bytes; statistics may hold long values
	maxPageBytes  = 1 << 30 // of an unpacked page, where memory allows
	maxPageValues = 1 << 26
	valueBytes    = 8       // that a value takes at least while its page is read, in levels and codes
	maxMetadata   = 1 << 29 // bytes of memory for the description of a file
	maxUnpacking  = 1 << 16 // unpacked bytes per stored byte; zstd's and gzip's best are below it
)

// pageRoom is how much memory one page may take while it is read: what the memory limit
// of the process, which follows --memory, leaves for it.
func pageRoom() int64 {
	return min(maxPageBytes+maxPageValues*valueBytes, debug.SetMemoryLimit(-1)/4)
}

// guard knows what the pages of a column chunk may claim.
type guard struct {
	meta     *format.ColumnMetaData
	left     int64 // rows that no page has claimed yet
	maxLevel byte  // definition level of a value that is there
	room     int64 // bytes of memory that a page may take
}

// size checks the sizes that a page claims, of which rest bytes of the chunk are left.
func (g *guard) size(h *format.PageHeader, rest int64) error {
	stored, unpacked := int64(h.CompressedPageSize), int64(h.UncompressedPageSize)
	if stored < 0 || stored > rest {
		return fmt.Errorf("it claims %d bytes, the column has %d", stored, rest)
	}
	if unpacked < 0 || unpacked > maxPageBytes || unpacked > (stored+1)*maxUnpacking {
		return fmt.Errorf("it claims to unpack from %d to %d bytes", stored, unpacked)
	}
	if unpacked > g.room {
		return g.tooLarge(0, unpacked)
	}
	return nil
}

// dictionary checks how many values a dictionary of some bytes claims, which have width
// bytes at least.
func (g *guard) dictionary(n int32, width int, size int64) error {
	if n < 0 || int64(n)*int64(max(1, width)) > size {
		return fmt.Errorf("its dictionary claims %d values in %d bytes", n, size)
	}
	if size+int64(n)*valueBytes > g.room {
		return g.tooLarge(n, size)
	}
	return nil
}

// content checks the counts inside a data page: of runs of codes, and of delta encodings.
func (g *guard) content(encoding format.Encoding, b []byte, count int32) error {
	switch {
	case isCoded(encoding):
		if len(b) == 0 {
			return nil
		}
		if b[0] > 32 {
			return fmt.Errorf("its codes have %d bits", b[0])
		}
		return guardRuns(b[1:], int(b[0]), count)
	case encoding == format.RLE:
		if len(b) < 4 || int64(binary.LittleEndian.Uint32(b)) > int64(len(b)-4) {
			return io.ErrUnexpectedEOF
		}
		return guardRuns(b[4:4+binary.LittleEndian.Uint32(b)], 1, count)
	case isDelta(encoding):
		return g.delta(encoding, b, count)
	}
	return nil
}

// run is a run of equal numbers, or of packed ones.
type run struct {
	count  uint64 // numbers; packed ones come in eights, so that the last may be padding
	bytes  []byte // the number, or the packed ones
	packed bool
}

// nextRun reads the run at the beginning of b, of numbers of a width, and returns what
// follows it.
func nextRun(b []byte, width int) (r run, rest []byte, err error) {
	head, n := binary.Uvarint(b)
	if n <= 0 {
		return r, nil, io.ErrUnexpectedEOF
	}
	b = b[n:]
	r.count, r.packed = head>>1, head&1 == 1
	size := uint64(width+7) / 8
	if r.packed {
		r.count, size = r.count*8, r.count*uint64(width)
	}
	size = min(size, uint64(len(b))) // the library notices what is missing
	r.bytes = b[:size]
	return r, b[size:], nil
}

// guardRuns checks the lengths of the runs of up to most numbers of a width.
func guardRuns(b []byte, width int, most int32) error {
	total, limit := uint64(0), 2*uint64(most)+1024 // some writers pad
	for len(b) > 0 {
		r, rest, err := nextRun(b, width)
		if err != nil {
			return err
		}
		if total += r.count; r.count > limit || total > limit {
			return fmt.Errorf("runs of %d values and more, %d are declared", total, most)
		}
		b = rest
	}
	return nil
}

// levels reads the definition levels of count values into to, and says how many values
// are there. Where all are, it gives no levels.
func (g *guard) levels(to, b []byte, count int32) (levels []byte, there int, err error) {
	width := bits.Len8(g.maxLevel)
	if err := guardRuns(b, width, count); err != nil {
		return nil, 0, fmt.Errorf("its definition levels: %w", err)
	}
	levels = to[:0]
	for left := int(count); left > 0; left = int(count) - len(levels) {
		r, rest, err := nextRun(b, width)
		if err != nil || len(r.bytes) == 0 && r.count > 0 {
			return nil, 0, fmt.Errorf("it has %d definition levels for %d values", len(levels), count)
		}
		b = rest
		n := int(min(r.count, uint64(left)))
		if !r.packed {
			if r.bytes[0] == g.maxLevel {
				if there += n; n == int(count) {
					return nil, there, nil
				}
			}
			for range n {
				levels = append(levels, r.bytes[0])
			}
			continue
		}
		n = min(n, 8*len(r.bytes)/width)
		whole := 0 // of them, levels of one bit in whole bytes
		if width == 1 {
			whole = n &^ 7
			for _, b := range r.bytes[:whole/8] {
				levels = binary.LittleEndian.AppendUint64(levels, bytesOfBits[b])
				there += bits.OnesCount8(b)
			}
		}
		for i := whole; i < n; i++ {
			at := i * width
			level := uint(r.bytes[at/8]) >> (at % 8)
			if at%8+width > 8 {
				level |= uint(r.bytes[at/8+1]) << (8 - at%8)
			}
			levels = append(levels, byte(level&(1<<width-1)))
			if levels[len(levels)-1] == g.maxLevel {
				there++
			}
		}
	}
	if there == int(count) {
		return nil, there, nil
	}
	return levels, there, nil
}

// bytesOfBits are the bits of a byte as eight bytes.
var bytesOfBits = func() (words [256]uint64) {
	for b := range words {
		for i := range 8 {
			words[b] |= uint64(b>>i&1) << (8 * i)
		}
	}
	return words
}()

// claim accounts for the values that a page of some bytes claims; a flat column has one
// for each row.
func (g *guard) claim(n int32, size int64) error {
	if n < 0 || n > maxPageValues || int64(n) > g.left {
		return fmt.Errorf("it claims %d values, %d rows are left", n, g.left)
	}
	if size+int64(n)*valueBytes > g.room {
		return g.tooLarge(n, size)
	}
	g.left -= int64(n)
	return nil
}

// isCoded says whether values are entries of a dictionary. Old writers name the encoding
// of its entries instead.
func isCoded(e format.Encoding) bool {
	return e == format.RLEDictionary || e == format.PlainDictionary //nolint:staticcheck // deprecated for writers
}

func isDelta(e format.Encoding) bool {
	return e == format.DeltaBinaryPacked || e == format.DeltaLengthByteArray || e == format.DeltaByteArray
}

// tooLarge says that a page takes more memory than it may.
func (g *guard) tooLarge(values int32, size int64) error {
	return &memoryError{fmt.Sprintf("its %d bytes and %d values take more than %d MiB of memory", size, values, g.room>>20)}
}

// memoryError is a file that may be whole, but needs more memory than there is.
type memoryError struct{ what string }

func (e *memoryError) Error() string { return e.what }

// hintFor is what to do about a file that cannot be decoded.
func hintFor(err error) string {
	if m := (*memoryError)(nil); errors.As(err, &m) {
		return "write it with smaller pages and fewer, larger row groups, or allow more memory"
	}
	return damagedHint
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
