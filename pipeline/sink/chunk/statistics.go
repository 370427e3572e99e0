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
	case t == schemas.Money || len(v.ints)+len(v.lengths) == 0:
	case t == schemas.String:
		low, high := v.textBounds()
		if len(low) <= longBound && len(high) <= longBound {
			s.MinValue, s.MaxValue = slices.Clone(low), slices.Clone(high)
		}
	case t == schemas.Double:
		if low, high, ok := doubleBounds(v.ints); ok {
			s.MinValue = binary.LittleEndian.AppendUint64(nil, math.Float64bits(low))
			s.MaxValue = binary.LittleEndian.AppendUint64(nil, math.Float64bits(high))
		}
	case t == schemas.Bool:
		s.MinValue, s.MaxValue = []byte{byte(slices.Min(v.ints))}, []byte{byte(slices.Max(v.ints))}
	default:
		s.MinValue, s.MaxValue = plain(nil, t, []int64{slices.Min(v.ints)}), plain(nil, t, []int64{slices.Max(v.ints)})
	}
	return s
}

func (v *values) textBounds() (low, high []byte) {
	at := 0
	for i, n := range v.lengths {
		text := v.text[at : at+int(n)]
		at += int(n)
		switch {
		case i == 0:
			low, high = text, text
		case string(text) < string(low):
			low = text
		case string(text) > string(high):
			high = text
		}
	}
	return low, high
}

// doubleBounds returns bounds by the rules of the format: a zero counts as both zeros, and
// where there is something that is no number there are none.
func doubleBounds(v []int64) (low, high float64, ok bool) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, x := range v {
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
