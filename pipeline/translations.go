package pipeline

import (
	encoding "encoding/binary"

	"github.com/cohortline/cohortline/schemas"
)

// translations remember the numbers of the texts of a column that has few different ones,
// such as a status. Short texts are found by their bytes as two integers, at one place of
// a small table each; where two fall on the same place, the later one takes it. A text
// without a number is not remembered.
type translations struct {
	short [256]shortText
	long  map[string]uint32
}

// shortText is a text of up to sixteen bytes, as two words with zeros behind it, and its
// number.
type shortText struct {
	first, last uint64
	length      uint32 // plus one, so that a place that is not taken has none
	code        uint32
}

// maxShort is the length of the longest short text.
const maxShort = 16

// maxRemembered is how many different long texts are remembered.
const maxRemembered = 4096

// wordMasks keep the bytes of a text of each length in its two words.
var wordMasks = func() (masks [maxShort + 1][2]uint64) {
	for n := range masks {
		masks[n] = [2]uint64{uint64(1)<<(8*min(n, 8)) - 1, uint64(1)<<(8*max(n-8, 0)) - 1}
	}
	return masks
}()

// place is the place in the table of a short text.
func place(first, last uint64, n uint32) uint8 {
	return uint8((first ^ last*0x9e3779b97f4a7c15 ^ uint64(n)) * 0xff51afd7ed558ccd >> 56)
}

// translateShort translates the texts from row i on, as far as they are short and known,
// and returns the row at which it has stopped.
func translateShort[T schemas.Status | uint32](t *translations, text *schemas.Strings, to []T, i int) int {
	starts, ends := text.Start[:len(to)], text.End[:len(to)]
	for ; i < len(to); i++ {
		from := int(starts[i])
		n := ends[i] - starts[i]
		if n > maxShort || from+maxShort > len(text.Data) {
			return i
		}
		masks := &wordMasks[n]
		words := text.Data[from : from+maxShort]
		first, last := encoding.LittleEndian.Uint64(words)&masks[0], encoding.LittleEndian.Uint64(words[8:])&masks[1]
		s := &t.short[place(first, last, n)]
		if s.first != first || s.last != last || s.length != n+1 {
			return i
		}
		to[i] = T(s.code)
	}
	return i
}

// of is the number of a text, or why it has none; f is asked if it is not remembered.
func (t *translations) of(v []byte, f func(v []byte) (uint32, string)) (code uint32, why string) {
	if len(v) > maxShort {
		if code, ok := t.long[string(v)]; ok {
			return code, ""
		}
	}
	if code, why = f(v); why != "" {
		return code, why
	}
	if len(v) <= maxShort {
		var words [maxShort]byte
		copy(words[:], v)
		first, last, n := encoding.LittleEndian.Uint64(words[:]), encoding.LittleEndian.Uint64(words[8:]), uint32(len(v))
		t.short[place(first, last, n)] = shortText{first, last, n + 1, code}
		return code, ""
	}
	if t.long == nil {
		t.long = make(map[string]uint32)
	}
	if len(t.long) < maxRemembered {
		t.long[string(v)] = code
	}
	return code, ""
}
