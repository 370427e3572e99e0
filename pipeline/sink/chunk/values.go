package chunk

import (
	"encoding/binary"
	"fmt"
	"slices"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/bitutil"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/cohortline/cohortline/schemas"
	"github.com/parquet-go/parquet-go/encoding/rle"
)

// values are the rows of one column. Everything of fixed size is an int64: dates and
// counts as they are, doubles as their bits, money as ten-thousandths. Nulls are left out.
type values struct {
	rows, nulls int
	defined     []uint8 // 1 for a row that is not null; empty while there is no null
	ints        []int64
	low, high   int64   // least and greatest of ints
	wide        []byte  // instead of ints: money of which a value does not fit, as Parquet stores it
	lengths     []int32 // of texts
	text        []byte
	codes       []uint32 // indexes of the rows into the texts; empty where every row has its own
}

// gather takes over the rows of spans.
func (v *values) gather(c schemas.Column, spans []Span) error {
	*v = values{defined: v.defined[:0], ints: v.ints[:0], lengths: v.lengths[:0], text: v.text[:0], codes: v.codes[:0]}
	overflow := int64(0)
	for _, s := range spans {
		from := len(v.ints)
		switch a := s.Array.(type) {
		case *array.String:
			v.texts(a, s)
		case *array.Dictionary:
			v.labels(a, s)
		case *array.Int64:
			v.ints = append(v.ints, a.Int64Values()[s.From:s.To]...)
		case *array.Float64:
			v.ints = append(v.ints, bitsOf(a.Float64Values()[s.From:s.To])...)
		case *array.Timestamp:
			v.ints = append(v.ints, bitsOf(a.TimestampValues()[s.From:s.To])...)
		case *array.Date32:
			to := v.more(s.To - s.From)
			for i, x := range a.Date32Values()[s.From:s.To] {
				to[i] = int64(x)
			}
		case *array.Boolean:
			bits, at := a.Data().Buffers()[1].Bytes(), a.Data().Offset()
			for i := at + s.From; i < at+s.To; i++ {
				v.ints = append(v.ints, int64(bits[i>>3]>>(i&7)&1))
			}
		case *array.Decimal128:
			to := v.more(s.To - s.From)
			for i, x := range a.Values()[s.From:s.To] {
				low := int64(x.LowBits())
				overflow |= x.HighBits() ^ low>>63
				to[i] = low
			}
		default:
			return fmt.Errorf("no way to write %T", a)
		}
		if n := s.nulls(); n > 0 {
			if !c.Nullable {
				return fmt.Errorf("null in one of %d rows, which the table does not allow", s.To-s.From)
			}
			v.leaveOut(s, from, n)
		} else if v.nulls > 0 {
			v.defined = appendOnes(v.defined, s.To-s.From)
		}
		v.rows += s.To - s.From
	}
	if overflow != 0 && c.Type == schemas.Amount {
		return fmt.Errorf("an amount has more than %d digits", schemas.AmountPrecision)
	}
	if overflow != 0 {
		v.gatherWide(spans)
	}
	if len(v.ints) > 0 {
		v.low, v.high = bounds(v.ints)
	}
	return nil
}

// more makes room for n more values and returns it; what is there is anything.
func (v *values) more(n int) []int64 {
	at := len(v.ints)
	v.ints = slices.Grow(v.ints, n)[:at+n]
	return v.ints[at:]
}

// nulls counts the rows of a span that are null.
func (s Span) nulls() int {
	if s.Array.NullN() == 0 {
		return 0
	}
	return s.To - s.From - bitutil.CountSetBits(s.Array.NullBitmapBytes(), s.Array.Data().Offset()+s.From, s.To-s.From)
}

// leaveOut takes the nulls of a span, whose fixed values start at from, out of the values.
func (v *values) leaveOut(s Span, from, nulls int) {
	if v.nulls == 0 {
		v.defined = appendOnes(v.defined[:0], v.rows)
	}
	v.nulls += nulls
	valid, at := s.Array.NullBitmapBytes(), s.Array.Data().Offset()
	for i := at + s.From; i < at+s.To; i++ {
		v.defined = append(v.defined, valid[i>>3]>>(i&7)&1)
	}
	if len(v.ints) == from {
		return // texts have been left out
	}
	kept := from
	for i, d := range v.defined[v.rows:] { // without a branch, which would be guessed wrong every other time
		v.ints[kept] = v.ints[from+i]
		kept += int(d)
	}
	v.ints = v.ints[:kept]
}

// texts takes over the texts of a span that are not null.
func (v *values) texts(a *array.String, s Span) {
	if a.NullN() == 0 {
		for i := s.From; i < s.To; i++ {
			v.lengths = append(v.lengths, int32(a.ValueOffset(i+1)-a.ValueOffset(i)))
		}
		v.text = append(v.text, a.ValueBytes()[a.ValueOffset(s.From)-a.ValueOffset(0):a.ValueOffset(s.To)-a.ValueOffset(0)]...)
		return
	}
	for i := s.From; i < s.To; i++ {
		if a.IsValid(i) {
			v.lengths, v.text = append(v.lengths, int32(a.ValueLen(i))), append(v.text, a.Value(i)...)
		}
	}
}

// Labels are the indexes and the texts of a column that lists texts.
func Labels(a *array.Dictionary) (codes []uint32, list *array.String) {
	return a.Indices().(*array.Uint32).Uint32Values(), a.Dictionary().(*array.String)
}

// labels takes over the texts of a span that lists them.
func (v *values) labels(a *array.Dictionary, s Span) {
	codes, list := Labels(a)
	base := uint32(len(v.lengths))
	v.texts(list, Span{Array: list, To: list.Len()})
	for _, c := range codes[s.From:s.To] {
		v.codes = append(v.codes, base+c)
	}
}

// spread gives every row a text of its own.
func (v *values) spread() {
	if len(v.codes) == 0 {
		return
	}
	starts := starts(nil, v.lengths)
	lengths, text := make([]int32, len(v.codes)), []byte(nil)
	for i, c := range v.codes {
		lengths[i] = v.lengths[c]
		text = append(text, v.text[starts[c]:starts[c]+int(v.lengths[c])]...)
	}
	v.lengths, v.text, v.codes = lengths, text, v.codes[:0]
}

// starts is where texts of these lengths begin that lie one behind the other.
func starts(to []int, lengths []int32) []int {
	at := 0
	for _, n := range lengths {
		to = append(to, at)
		at += int(n)
	}
	return to
}

// gatherWide writes money as Parquet stores it: big-endian bytes.
func (v *values) gatherWide(spans []Span) {
	v.wide = make([]byte, 0, schemas.MoneyBytes*(v.rows-v.nulls))
	for _, s := range spans {
		for i := s.From; i < s.To; i++ {
			if s.Array.IsNull(i) {
				continue
			}
			switch a := s.Array.(type) {
			case *array.Decimal128:
				v.wide = appendMoney(v.wide, a.Value(i))
			case *array.Int64:
				v.wide = appendMoney(v.wide, decimal128.FromI64(a.Value(i)))
			}
		}
	}
}

func appendMoney(b []byte, v decimal128.Num) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, uint32(v.HighBits())), v.LowBits())
}

// definitionLevels appends which rows are not null; a column that cannot be null has none.
func (v *values) definitionLevels(b []byte, nullable bool, runs *rle.Encoding) ([]byte, error) {
	switch {
	case !nullable || v.rows == 0:
		return b, nil
	case v.nulls == 0 || v.nulls == v.rows:
		return append(binary.AppendUvarint(b, uint64(v.rows)<<1), boolBit(v.nulls == 0)), nil
	}
	return runs.EncodeLevels(b, v.defined)
}

func appendOnes(b []uint8, n int) []uint8 {
	at := len(b)
	b = append(b, make([]uint8, n)...)
	for i := range b[at:] {
		b[at+i] = 1
	}
	return b
}

func boolBit(v bool) uint8 {
	if v {
		return 1
	}
	return 0
}

// bitsOf are values of 64 bits as they lie in memory.
func bitsOf[T float64 | arrow.Timestamp](v []T) []int64 {
	return unsafe.Slice((*int64)(unsafe.Pointer(unsafe.SliceData(v))), len(v))
}
