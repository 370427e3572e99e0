package chunk

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// code is an index into a dictionary; a byte where 256 values are enough.
type code interface{ uint8 | uint32 }

// dictionary lists the different values of a column and the index of every value in the list.
type dictionary struct {
	values []int64
	codes  []uint32
	table  []uint32 // open addressing: index into values + 1
	seen   []uint64 // bits; see different
}

// different says about how many different values there are: up to a tenth too low where
// nearly all are different, because it compares no values, only as many bits of their hashes
// as make a place of its own likely.
func (d *dictionary) different(v []int64) (n int) {
	const most = 6 // bits that choose one in a word
	size := max(most, bits.Len(uint(8*len(v))))
	if words := 1 << (size - most); cap(d.seen) < words {
		d.seen = make([]uint64, words)
	}
	d.seen = d.seen[:1<<(size-most)]
	clear(d.seen)
	for _, x := range v {
		h := (uint64(x) ^ uint64(x)>>32) * hashFactor // quotients of small counts have patterns in their bits
		h = (h ^ h>>32) * hashFactor2 >> (64 - size)
		word := &d.seen[h>>most]
		n += int(^*word >> (h & (1<<most - 1)) & 1)
		*word |= 1 << (h & (1<<most - 1))
	}
	return n
}

// room makes an empty table for so many values and returns by how much to shift a hash.
func (d *dictionary) room(values int) (shift int) {
	shift = 64 - max(4, bits.Len(uint(2*values)))
	n := 1 << (64 - shift)
	if cap(d.table) < n {
		d.table = make([]uint32, n)
	}
	d.table = d.table[:n]
	clear(d.table)
	return shift
}

// earlyValues are looked at first: where they are mostly new, the others are, too.
const earlyValues = 4096

// mostlyNew says that of the first few thousand values more than seven in eight are different.
func (d *dictionary) mostlyNew(v []int64) bool {
	return len(v) > earlyValues && d.different(v[:earlyValues]) > earlyValues*7/8
}

// build makes the dictionary of v, in the order in which values first come; false when there
// are more than limit different values.
func (d *dictionary) build(v []int64, limit int) bool {
	shift := d.room(limit)
	d.values, d.codes = d.values[:0], slices.Grow(d.codes[:0], len(v))
	last, code := int64(0), uint32(0) // code + 1; 0: there is no last one
	for _, x := range v {
		if x == last && code > 0 {
			d.codes = append(d.codes, code-1)
			continue
		}
		i := uint64(x) * hashFactor >> shift
		for d.table[i] != 0 && d.values[d.table[i]-1] != x {
			i = (i + 1) & uint64(len(d.table)-1)
		}
		if d.table[i] == 0 {
			if len(d.values) == limit {
				return false
			}
			d.values = append(d.values, x)
			d.table[i] = uint32(len(d.values))
		}
		last, code = x, d.table[i]
		d.codes = append(d.codes, code-1)
	}
	return true
}

// indexed writes a dictionary page with so many values, and codes as indexes into it: as
// runs where most are like the one before, else packed in as many bits as the greatest
// takes, or, where common ones are much more common than others, an index a byte, which
// then is compressed: the rarer the longer.
func indexed[C code](e *Encoder, dictionary []byte, size int, codes []C) error {
	width := max(1, bits.Len(uint(size-1)))
	packed := len(codes) * width / 8
	if run := 2 + (width+7)/8; runsOf(codes, packed/2/run)*run < packed/2 {
		e.payload = appendRuns(e.payload[:0], codes, width)
		packed, ok := e.squeezer.page(e.packed[:0], e.payload)
		return e.dictionaryAndData(dictionary, size, packed, ok)
	}
	if bytes, ok := any(codes).([]uint8); ok {
		e.payload = append(appendHeader(e.payload[:0], len(codes), 8), bytes...)
		e.payload = append(e.payload, make([]byte, -len(codes)&7)...)
		if literals, ratio := e.squeezer.best(e.payload); ratio*float64(len(e.payload)) < worthIt*float64(packed) {
			if packed, ok := e.squeezer.squeeze(e.packed[:0], e.payload, literals); ok {
				return e.dictionaryAndData(dictionary, size, packed, true)
			}
		}
	}
	e.payload = packBits(appendHeader(e.payload[:0], len(codes), width), codes, width)
	return e.dictionaryAndData(dictionary, size, nil, false)
}

// runsOf counts the runs of the same value, or says that there are more than most.
func runsOf[T code | int64](v []T, most int) int {
	n := 1
	for at := 1; at < len(v) && n <= most; at += 256 {
		last := v[at-1]
		for _, x := range v[at:min(at+256, len(v))] {
			if x != last {
				n++
			}
			last = x
		}
	}
	return n
}

// appendHeader begins a page of indexes of a width: one bit-packed run.
func appendHeader(b []byte, n, width int) []byte {
	return binary.AppendUvarint(append(b, byte(width)), uint64(n+7)/8<<1|1)
}

// appendRuns writes indexes as lengths of runs of the same.
func appendRuns[C code](b []byte, codes []C, width int) []byte {
	b = append(b, byte(width))
	for i := 0; i < len(codes); {
		n := 1
		for i+n < len(codes) && codes[i+n] == codes[i] {
			n++
		}
		b = binary.AppendUvarint(b, uint64(n)<<1)
		for k := 0; k < width; k += 8 {
			b = append(b, byte(uint32(codes[i])>>k))
		}
		i += n
	}
	return b
}

// packBits appends values of width bits, the first in the lowest, padded to a multiple of
// eight values.
func packBits[C code | int64](b []byte, v []C, width int) []byte {
	size := (len(v) + 7) / 8 * width
	at := len(b)
	b = slices.Grow(b, size+8)[:at+size+8] // words are written whole
	clear(b[at+size:])
	to := b[at:]
	var word uint64
	n := 0
	for _, x := range v {
		word |= uint64(x) << n
		if n += width; n >= 32 {
			binary.LittleEndian.PutUint32(to, uint32(word))
			to = to[4:]
			word >>= 32
			n -= 32
		}
	}
	binary.LittleEndian.PutUint64(to, word)
	clear(to[8:])
	return b[:at+size]
}

// bytesOf writes codes that fit in a byte as bytes.
func bytesOf(to []uint8, codes []uint32) []uint8 {
	to = slices.Grow(to[:0], len(codes))[:len(codes)]
	for i, c := range codes {
		to[i] = uint8(c)
	}
	return to
}
