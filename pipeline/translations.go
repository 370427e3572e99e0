package pipeline

import encoding "encoding/binary"

// translations remember the numbers of the texts of a column that has few different ones,
// such as a status. Short texts are found by their bytes as two integers, at one place of
// a small table each; where two fall on the same place, the later one takes it.
type translations struct {
	short [256]shortText
	long  map[string]translated
}

// translated is the number of a text, or why it has none.
type translated struct {
	code uint32
	why  string
}

// shortText is a text of up to sixteen bytes: its first eight and its last eight, which
// may overlap. Texts differ in them or in their length.
type shortText struct {
	first, last uint64
	length      uint32 // plus one, so that a place that is not taken has none
	translated
}

// maxRemembered is how many different long texts are remembered.
const maxRemembered = 4096

// of is the number of the text data[from:to]; f is asked if it is not remembered.
func (t *translations) of(data []byte, from, to uint32, f func(v []byte) (uint32, string)) translated {
	n := to - from
	if n > 16 {
		return t.ofLong(data[from:to], f)
	}
	first, last := ends(data, from, n)
	h := (first ^ last*0x9e3779b97f4a7c15 ^ uint64(n)) * 0xff51afd7ed558ccd
	s := &t.short[h>>56]
	if s.first != first || s.last != last || s.length != n+1 {
		code, why := f(data[from:to])
		*s = shortText{first, last, n + 1, translated{code, why}}
	}
	return s.translated
}

// ends are the first and the last eight bytes of a text of up to sixteen; of a shorter
// one than eight both are the text.
func ends(data []byte, from, n uint32) (first, last uint64) {
	if n >= 8 {
		return encoding.LittleEndian.Uint64(data[from:]), encoding.LittleEndian.Uint64(data[from+n-8:])
	}
	if int(from)+8 <= len(data) {
		first = encoding.LittleEndian.Uint64(data[from:]) & (1<<(8*n) - 1)
		return first, first
	}
	for i := range n {
		first |= uint64(data[from+i]) << (8 * i)
	}
	return first, first
}

func (t *translations) ofLong(v []byte, f func(v []byte) (uint32, string)) translated {
	if x, ok := t.long[string(v)]; ok {
		return x
	}
	code, why := f(v)
	x := translated{code, why}
	if t.long == nil {
		t.long = make(map[string]translated)
	}
	if len(t.long) < maxRemembered {
		t.long[string(v)] = x
	}
	return x
}
