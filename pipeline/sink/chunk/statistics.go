package chunk

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/cohortline/cohortline/schemas"
	"github.com/parquet-go/parquet-go/format"
)

// longBound is the length from which a text is no bound that a file repeats in its footer.
const longBound = 256

// statistics are the number of nulls and, where readers agree on the order of values, the
// least and the greatest. Of money they do not: some compare its bytes as unsigned, and a
// wrong bound hides rows.
func (v *values) statistics(t schemas.Type) format.Statistics {
	s := format.Statistics{NullCount: int64(v.nulls)}
	switch {
	case len(v.ints)+len(v.lengths) == 0:
	case t == schemas.String:
		low, high := v.textBounds()
		if len(low) <= longBound && len(high) <= longBound {
			s.MinValue, s.MaxValue = slices.Clone(low), slices.Clone(high)
		}
	case t == schemas.Double:
		if low, high, ok := v.doubleBounds(); ok {
			s.MinValue = binary.LittleEndian.AppendUint64(nil, math.Float64bits(low))
			s.MaxValue = binary.LittleEndian.AppendUint64(nil, math.Float64bits(high))
		}
	case t == schemas.Bool:
		s.MinValue, s.MaxValue = []byte{byte(v.low)}, []byte{byte(v.high)}
	case t != schemas.Money:
		s.MinValue, s.MaxValue = plain(nil, t, []int64{v.low}), plain(nil, t, []int64{v.high})
	}
	return s
}

// textBounds compares the first eight bytes of texts as numbers, and all of them only
// where these are the same.
func (v *values) textBounds() (low, high []byte) {
	lowest, highest := uint64(math.MaxUint64), uint64(0)
	at := 0
	for i, n := range v.lengths {
		end := at + int(n)
		head := headOf(v.text, at, int(n))
		if head <= lowest && (i == 0 || head < lowest || string(v.text[at:end]) < string(low)) {
			low, lowest = v.text[at:end], head
		}
		if head >= highest && (i == 0 || head > highest || string(v.text[at:end]) > string(high)) {
			high, highest = v.text[at:end], head
		}
		at = end
	}
	return low, high
}

// headOf is the first eight bytes of a text of n bytes as a number, zeros behind a shorter one.
func headOf(text []byte, at, n int) uint64 {
	if at+8 > len(text) {
		var b [8]byte
		copy(b[:], text[at:at+n])
		return binary.BigEndian.Uint64(b[:])
	}
	head := binary.BigEndian.Uint64(text[at:])
	if n < 8 {
		head &^= math.MaxUint64 >> (8 * n)
	}
	return head
}

// doubleBounds returns bounds by the rules of the format: a zero counts as both zeros, and
// where there is something that is no number there are none.
func (v *values) doubleBounds() (low, high float64, ok bool) {
	low, high = math.Float64frombits(uint64(v.low)), math.Float64frombits(uint64(v.high))
	if v.low >= 0 && high == high { // bits of doubles without a sign lie in their order, and behind them those that are no number
		if low == 0 {
			low = math.Copysign(0, -1)
		}
		return low, high, true
	}
	low, high = math.Inf(1), math.Inf(-1)
	for _, x := range v.ints {
		f := math.Float64frombits(uint64(x))
		if f != f {
			return 0, 0, false
		}
		low, high = min(low, f), max(high, f)
	}
	if low == 0 {
		low = math.Copysign(0, -1)
	}
	if high == 0 {
		high = 0
	}
	return low, high, true
}
