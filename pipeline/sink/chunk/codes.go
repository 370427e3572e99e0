package chunk

import (
	"encoding/binary"
	"math/bits"
)

// dictionary lists the different values of a column and the index of every value in the list.
type dictionary struct {
	values []int64
	codes  []uint32
	table  []uint32 // open addressing: index into values + 1
}

// build makes the dictionary of v, in the order in which values first come. It gives up,
// false, when there are more than limit different values, or more than seven in eight of the
// first few thousand.
func (d *dictionary) build(v []int64, limit int) bool {
	shift := 64 - max(4, bits.Len(uint(2*limit)))
	if n := 1 << (64 - shift); cap(d.table) < n {
		d.table = make([]uint32, n)
	} else {
		d.table = d.table[:n]
		clear(d.table)
	}
	d.values, d.codes = d.values[:0], d.codes[:0]
	const early = 4096
	for len(v) > len(d.codes) {
		n := len(d.codes)
		for _, x := range v[n:min(len(v), n+early)] {
			i := uint64(x) * 0x9E3779B97F4A7C15 >> shift
			for d.table[i] != 0 && d.values[d.table[i]-1] != x {
				if i++; i == uint64(len(d.table)) {
					i = 0
				}
			}
			if d.table[i] == 0 {
				if len(d.values) == limit {
					return false
				}
				d.values = append(d.values, x)
				d.table[i] = uint32(len(d.values))
			}
			d.codes = append(d.codes, d.table[i]-1)
		}
		if n == 0 && len(v) > early && len(d.values) > early*7/8 {
			return false
		}
	}
	return true
}

// indexed writes a dictionary page with so many values, and e.codes as indexes into it.
func (e *Encoder) indexed(dictionary []byte, size int) error {
	width := max(1, bits.Len(uint(size-1)))
	runs := 1
	for i := 1; i < len(e.codes); i++ {
		if e.codes[i] != e.codes[i-1] {
			runs++
		}
	}
	packed := len(e.codes) * width / 8
	if runs*(2+(width+7)/8) < packed/2 {
		e.payload = appendRuns(e.payload[:0], e.codes, width)
		return e.dictionaryAndData(dictionary, size, e.payload, true)
	}
	if width <= 8 {
		// An index a byte: what is rare then costs more bits than what is common.
		e.payload = appendHeader(e.payload[:0], len(e.codes), 8)
		for _, c := range e.codes {
			e.payload = append(e.payload, byte(c))
		}
		e.payload = append(e.payload, make([]byte, -len(e.codes)&7)...)
		if _, ratio := e.squeezer.best(e.payload); ratio*float64(len(e.payload)) < 0.95*float64(packed) {
			return e.dictionaryAndData(dictionary, size, e.payload, true)
		}
	}
	e.payload = packBits(appendHeader(e.payload[:0], len(e.codes), width), e.codes, width)
	return e.dictionaryAndData(dictionary, size, e.payload, false)
}

// appendHeader begins a page of indexes of a width: one bit-packed run.
func appendHeader(b []byte, n, width int) []byte {
	return binary.AppendUvarint(append(b, byte(width)), uint64(n+7)/8<<1|1)
}

// appendRuns writes indexes as lengths of runs of the same.
func appendRuns(b []byte, codes []uint32, width int) []byte {
	b = append(b, byte(width))
	for i := 0; i < len(codes); {
		n := 1
		for i+n < len(codes) && codes[i+n] == codes[i] {
			n++
		}
		b = binary.AppendUvarint(b, uint64(n)<<1)
		for k := 0; k < width; k += 8 {
			b = append(b, byte(codes[i]>>k))
		}
		i += n
	}
	return b
}

// packBits appends values of width bits, least significant bit first, padded to a multiple of eight values.
func packBits[T uint32 | int64](b []byte, v []T, width int) []byte {
	var acc uint64
	n := 0
	for _, x := range v {
		acc |= uint64(x) << n
		if n += width; n >= 32 {
			b = binary.LittleEndian.AppendUint32(b, uint32(acc))
			acc >>= 32
			n -= 32
		}
	}
	n += -len(v) & 7 * width
	for ; n > 0; n -= 8 {
		b = append(b, byte(acc))
		acc >>= 8
	}
	return b
}
