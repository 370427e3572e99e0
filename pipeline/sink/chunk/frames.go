package chunk

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/klauspost/compress/huff0"
	"github.com/klauspost/compress/zstd"
)

// squeezer compresses pages into zstd frames, in three ways. The library's encoder
// searches for repetitions; the two other ways save the search, which is most of the
// work, where it would find nothing or only what is known beforehand.
//
//   - literals: every byte is a literal, written with as many bits as it is rare (RFC 8878,
//     4.2). For digits of ids and small codes this is smaller, too, than short accidental repetitions.
//   - money: values are 12 bytes, big-endian, of which only the last few differ. The frame says so
//     with one sequence a value, all alike, which the format writes in zero bits each (RLE mode, 3.1.1.3.2.1):
//     "the k last bytes of this value, then the 12-k bytes that lie 12 back". Where signs differ, the first byte
//     of every value is a literal and repeated (offset 1) up to the k last ones.
//
// Any zstd decoder reads these frames.
type squeezer struct {
	zstd *zstd.Encoder
	huff huff0.Scratch
	lits []byte
	try  []byte
}

const (
	frameMagic  = 0xFD2FB528
	blockBytes  = 120 << 10 // of content; 128 KiB are allowed
	moneyBytes  = 12        // schemas.MoneyBytes
	blockMoneys = blockBytes / moneyBytes

	blockRaw, blockRLE, blockCompressed = 0, 1, 2
	litsRaw, litsRLE, litsCompressed    = 0, 1, 2

	blockHead = 16 // more than stands in a block besides compressed literals and their sequences

	sampleBytes = 8 << 10 // that tell how a page shrinks best
	leastBytes  = 96      // a shorter page is stored as it is

	worthIt = 0.9 // of its size, to which a page shrinks at least: instants shrink by a twentieth, for a third of the work of all pages
)

func newSqueezer() (*squeezer, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
	return &squeezer{zstd: z, huff: huff0.Scratch{Reuse: huff0.ReusePolicyNone}}, err
}

// page appends b compressed, in the better of the general ways; false when b should be
// stored as it is, because it would hardly shrink.
func (s *squeezer) page(dst, b []byte) ([]byte, bool) {
	literals, ratio := s.best(b)
	if ratio > worthIt {
		return dst, false
	}
	return s.squeeze(dst, b, literals)
}

// squeeze appends b compressed in one of the general ways; false as page.
func (s *squeezer) squeeze(dst, b []byte, literals bool) ([]byte, bool) {
	at := len(dst)
	if literals {
		dst = s.literals(dst, b)
	} else {
		dst = s.zstd.EncodeAll(b, dst)
	}
	if float64(len(dst)-at) > worthIt*float64(len(b)) {
		return dst[:at], false
	}
	return dst, true
}

// best guesses from a part of b whether literals alone are as small as a search for
// repetitions makes it, and to which share of its size it shrinks.
func (s *squeezer) best(b []byte) (literals bool, ratio float64) {
	if len(b) < leastBytes {
		return true, 1
	}
	sample := b
	if len(b) > 2*sampleBytes {
		sample = b[(len(b)-sampleBytes)/2:][:sampleBytes]
	}
	s.try = s.zstd.EncodeAll(sample, s.try[:0])
	z, h := len(s.try), len(sample)
	table, data, _, err := huff0.EstimateSizes(sample, &s.huff)
	switch {
	case err == nil:
		h = table*len(sample)/len(b) + data // the table of a page is one in 120 KiB
	case errors.Is(err, huff0.ErrUseRLE):
		h = 1
	}
	if h <= z+z/16 {
		return true, float64(h) / float64(len(sample))
	}
	return false, float64(z) / float64(len(sample))
}

// literals appends a frame in which b is written byte by byte.
func (s *squeezer) literals(dst, b []byte) []byte {
	dst = frameHeader(dst, len(b))
	for {
		n := min(len(b), blockBytes)
		dst = s.block(dst, b[:n], nil, n == len(b))
		if b = b[n:]; len(b) == 0 {
			return dst
		}
	}
}

// money appends a frame whose content are the values as big-endian bytes. low and high
// are the least and the greatest of them; there must be two at least.
func (s *squeezer) money(dst []byte, values []int64, low, high int64) []byte {
	signed := low < 0
	k := max(1, (max(bits.Len64(uint64(high^high>>63)), bits.Len64(uint64(low^low>>63)))+7)/8)
	step := k + int(boolBit(signed))
	if cap(s.lits) < step*len(values)+8 {
		s.lits = make([]byte, step*len(values)+step*len(values)/8+8)
	}
	lits := s.lits[:step*len(values)+8]
	at, shift := 0, 64-8*k
	for _, v := range values {
		if signed {
			lits[at] = byte(v >> 63)
			at++
		}
		binary.BigEndian.PutUint64(lits[at:], uint64(v)<<shift)
		at += k
	}
	lits = lits[:at]

	// What a sequence copies: its length less 3, and from where. The first one names the
	// offset, the others say "the same again", which needs no bits.
	dst = frameHeader(dst, moneyBytes*len(values))
	var match byte
	if signed { // a new frame starts with offset 1 as the last one
		match = byte(moneyBytes - 1 - k - 3)
		dst = s.block(dst, lits[:1], []byte{1, 0x54, 1, 0, match, 1}, false)
		lits = lits[1:]
	} else {
		match = byte(moneyBytes - k - 3)
		var first [moneyBytes]byte
		copy(first[moneyBytes-k:], lits)
		dst = s.block(dst, first[:], []byte{1, 0x54, moneyBytes, 3, match, 0x0F}, false)
		lits = lits[k:]
	}
	for {
		n := min((len(lits)-k)/step, blockMoneys)
		last := len(lits) == n*step+k
		content := lits[:n*step]
		if last {
			content = lits
		}
		sequences := []byte{0}
		if n > 0 {
			sequences = []byte{byte(n>>8) + 128, byte(n), 0x54, byte(step), 0, match, 1}
		}
		dst = s.block(dst, content, sequences, last)
		if last {
			return dst
		}
		lits = lits[n*step:]
	}
}

func frameHeader(dst []byte, size int) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, frameMagic)
	return binary.LittleEndian.AppendUint32(append(dst, 2<<6|1<<5), uint32(size)) // content size in four bytes, no window beyond it
}

// block appends a block of literals and the sequences section that says what to do with
// them; nil is none: the literals are the content.
func (s *squeezer) block(dst, lits, sequences []byte, last bool) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0)
	kind, size := uint32(blockCompressed), 0
	out, _, err := []byte(nil), false, huff0.ErrIncompressible
	if len(lits) >= leastBytes {
		out, _, err = huff0.Compress4X(lits, &s.huff)
		if err == nil && len(out)+blockHead >= len(lits) { // a block must not be longer than its content
			err = huff0.ErrIncompressible
		}
	}
	n := uint64(len(lits))
	switch {
	case err == nil:
		head := litsCompressed | 3<<2 | n<<4 | uint64(len(out))<<22 // four streams, sizes in 18 bits each
		dst = append(dst, byte(head), byte(head>>8), byte(head>>16), byte(head>>24), byte(head>>32))
		dst = append(dst, out...)
	case errors.Is(err, huff0.ErrUseRLE) && sequences == nil:
		kind, size = blockRLE, len(lits)
		dst = append(dst, lits[0])
	case errors.Is(err, huff0.ErrUseRLE):
		head := litsRLE | 3<<2 | n<<4
		dst = append(dst, byte(head), byte(head>>8), byte(head>>16), lits[0])
	case sequences == nil:
		kind, size = blockRaw, len(lits)
		dst = append(dst, lits...)
	default:
		head := litsRaw | 3<<2 | n<<4
		dst = append(dst, byte(head), byte(head>>8), byte(head>>16))
		dst = append(dst, lits...)
	}
	if kind == blockCompressed {
		if sequences == nil {
			sequences = []byte{0}
		}
		dst = append(dst, sequences...)
		size = len(dst) - at - 3
	}
	head := uint32(boolBit(last)) | kind<<1 | uint32(size)<<3
	dst[at], dst[at+1], dst[at+2] = byte(head), byte(head>>8), byte(head>>16)
	return dst
}
