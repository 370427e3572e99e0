package source

import (
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"github.com/cohortline/cohortline/schemas"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"
	"github.com/parquet-go/parquet-go/format"
)

// pageValues are the values of a page that are not null.
type pageValues struct {
	encoding.Values
	n int
}

func (v pageValues) enough(n int) error {
	if n < v.n {
		return fmt.Errorf("%d values where %d are declared", n, v.n)
	}
	return nil
}

// decoderOf settles kind and decoder of a physical and logical type; why says that it
// cannot be read.
func decoderOf(t parquet.Type, f *Field) (decode func(pageValues, *Column) error, why string) {
	var logical format.LogicalTypeValue
	if l := t.LogicalType(); l != nil {
		logical = l.Value
	}
	switch l := logical.(type) {
	case *format.DecimalType:
		f.Kind, f.Scale = Decimal, int(l.Scale)
		if l.Scale < 0 || l.Scale > 1000 {
			return nil, fmt.Sprintf("its decimal scale is %d", l.Scale)
		}
		switch t.Kind() {
		case parquet.Int32:
			return decodeInt32(1, 1), ""
		case parquet.Int64:
			return decodeInt64(1, 1), ""
		case parquet.ByteArray, parquet.FixedLenByteArray:
			return decodeBigDecimal, ""
		}
		return nil, "a decimal of this physical type is unknown"
	case *format.TimestampType:
		f.Kind, f.UTC = Timestamp, l.IsAdjustedToUTC
		switch unitOf(l) {
		case time.Millisecond:
			return decodeInt64(1000, 1), ""
		case time.Nanosecond:
			return decodeInt64(1, 1000), ""
		}
		return decodeInt64(1, 1), ""
	case *format.DateType:
		f.Kind = Date
		return decodeInt32(1, 1), ""
	case *format.TimeType:
		return nil, "it is a time of day"
	case *format.UUIDType:
		return nil, "it is a UUID in binary form"
	case *format.Float16Type:
		return nil, "it is a 16-bit float"
	case *format.BsonType, *format.VariantType, *format.GeometryType, *format.GeographyType, *format.NullType:
		return nil, "its type is " + logical.String()
	case *format.IntType:
		f.Kind = Int
		if t.Kind() == parquet.Int32 {
			if !l.IsSigned {
				return decodeUint32, ""
			}
			return decodeInt32(1, 1), ""
		}
		if !l.IsSigned {
			return decodeUint64, ""
		}
		return decodeInt64(1, 1), ""
	}
	switch t.Kind() {
	case parquet.Boolean:
		f.Kind = Bool
		return decodeBool, ""
	case parquet.Int32:
		f.Kind = Int
		return decodeInt32(1, 1), ""
	case parquet.Int64:
		f.Kind = Int
		return decodeInt64(1, 1), ""
	case parquet.Int96:
		f.Kind, f.UTC = Timestamp, true // what Spark and Impala write: an instant
		return decodeInt96, ""
	case parquet.Float:
		f.Kind = Float
		return decodeFloat, ""
	case parquet.Double:
		f.Kind = Float
		return decodeDouble, ""
	case parquet.ByteArray:
		f.Kind = Text
		return decodeText, ""
	}
	return nil, "its type is " + t.String()
}

// scaleInt appends v × multiply ÷ divide, rounding towards the past.
func scaleInt(to *Column, v, multiply, divide int64) {
	if multiply > 1 && (v > math.MaxInt64/multiply || v < math.MinInt64/multiply) {
		to.TooBig = append(to.TooBig, int32(len(to.Ints)))
		to.Ints = append(to.Ints, 0)
		return
	}
	v *= multiply
	if divide > 1 {
		q := v / divide
		if v%divide < 0 {
			q--
		}
		v = q
	}
	to.Ints = append(to.Ints, v)
}

func decodeInt32(multiply, divide int64) func(pageValues, *Column) error {
	return func(v pageValues, to *Column) error {
		values := v.Int32()
		if err := v.enough(len(values)); err != nil {
			return err
		}
		for _, x := range values[:v.n] {
			scaleInt(to, int64(x), multiply, divide)
		}
		return nil
	}
}

func decodeInt64(multiply, divide int64) func(pageValues, *Column) error {
	return func(v pageValues, to *Column) error {
		values := v.Int64()
		if err := v.enough(len(values)); err != nil {
			return err
		}
		if multiply == 1 && divide == 1 {
			to.Ints = values[:v.n]
			return nil
		}
		to.Ints = make([]int64, 0, v.n)
		for _, x := range values[:v.n] {
			scaleInt(to, x, multiply, divide)
		}
		return nil
	}
}

func decodeUint32(v pageValues, to *Column) error {
	values := v.Uint32()
	if err := v.enough(len(values)); err != nil {
		return err
	}
	for _, x := range values[:v.n] {
		to.Ints = append(to.Ints, int64(x))
	}
	return nil
}

func decodeUint64(v pageValues, to *Column) error {
	values := v.Uint64()
	if err := v.enough(len(values)); err != nil {
		return err
	}
	for _, x := range values[:v.n] {
		if x > math.MaxInt64 {
			to.TooBig = append(to.TooBig, int32(len(to.Ints)))
			x = 0
		}
		to.Ints = append(to.Ints, int64(x))
	}
	return nil
}

func decodeInt96(v pageValues, to *Column) error {
	values := v.Int96()
	if err := v.enough(len(values)); err != nil {
		return err
	}
	const epoch = 2_440_588 // Julian day of 1970-01-01
	for _, x := range values[:v.n] {
		days := int64(x[2]) - epoch
		if days > 100_000_000 {
			to.TooBig = append(to.TooBig, int32(len(to.Ints)))
			to.Ints = append(to.Ints, 0)
			continue
		}
		nanos := int64(uint64(x[1])<<32 | uint64(x[0]))
		to.Ints = append(to.Ints, days*86_400_000_000+nanos/1000)
	}
	return nil
}

func decodeFloat(v pageValues, to *Column) error {
	values := v.Float()
	if err := v.enough(len(values)); err != nil {
		return err
	}
	for _, x := range values[:v.n] {
		to.Floats = append(to.Floats, float64(x))
	}
	return nil
}

func decodeDouble(v pageValues, to *Column) error {
	values := v.Double()
	if err := v.enough(len(values)); err != nil {
		return err
	}
	to.Floats = values[:v.n]
	return nil
}

func decodeBool(v pageValues, to *Column) error {
	bits := v.Boolean()
	if err := v.enough(8 * len(bits)); err != nil {
		return err
	}
	for i := range v.n {
		to.Ints = append(to.Ints, int64(bits[i/8]>>(i%8)&1))
	}
	return nil
}

func decodeText(v pageValues, to *Column) error {
	data, offsets := v.ByteArray()
	if err := v.enough(len(offsets) - 1); err != nil {
		return err
	}
	to.Data = data
	for i, end := range offsets[1 : v.n+1] {
		if offsets[i] > end || int(end) > len(data) {
			return fmt.Errorf("a text of %d to %d in %d bytes", offsets[i], end, len(data))
		}
	}
	to.Start, to.End = offsets[:v.n], offsets[1:v.n+1]
	return nil
}

// decodeBigDecimal reads two's complement big-endian numbers of any length.
func decodeBigDecimal(v pageValues, to *Column) error {
	each := func(b []byte) {
		x, fits := int64(0), len(b) > 0
		if fits && b[0]&0x80 != 0 {
			x = -1
		}
		for i, c := range b {
			if len(b)-i > 8 { // beyond 64 bits only the sign may stand
				fits = fits && (x == 0 && c == 0 || x == -1 && c == 0xff)
				continue
			}
			x = x<<8 | int64(c)
		}
		if fits && len(b) > 8 {
			fits = (b[0]&0x80 != 0) == (x < 0)
		}
		if !fits {
			to.TooBig = append(to.TooBig, int32(len(to.Ints)))
			x = 0
		}
		to.Ints = append(to.Ints, x)
	}
	if v.Kind() == encoding.FixedLenByteArray {
		data, size := v.FixedLenByteArray()
		if size <= 0 {
			return fmt.Errorf("a decimal of %d bytes", size)
		}
		if err := v.enough(len(data) / size); err != nil {
			return err
		}
		for i := range v.n {
			each(data[i*size : (i+1)*size])
		}
		return nil
	}
	data, offsets := v.ByteArray()
	if err := v.enough(len(offsets) - 1); err != nil {
		return err
	}
	for i := range v.n {
		each(data[offsets[i]:offsets[i+1]])
	}
	return nil
}

// invalidText turns the rows whose value in column k is no UTF-8 into bad rows.
func (b *Batch) invalidText(k int) {
	c := &b.Cols[k]
	if c.Kind != Text || c.ascii {
		return
	}
	if c.Codes != nil {
		if c.Dict.invalid == nil {
			c.Dict.invalid = []bool{}
			for i := range c.Dict.Start {
				if v := c.Dict.Data[c.Dict.Start[i]:c.Dict.End[i]]; !plainASCII(v) && !utf8.Valid(v) {
					for len(c.Dict.invalid) < len(c.Dict.Start) {
						c.Dict.invalid = append(c.Dict.invalid, false)
					}
					c.Dict.invalid[i] = true
				}
			}
		}
		if len(c.Dict.invalid) == 0 {
			return
		}
		for i, code := range c.Codes {
			if (c.Null == nil || !c.Null[i]) && c.Dict.invalid[code] {
				b.addBad(i, c.Name)
			}
		}
		return
	}
	for i := range c.Start {
		if v := c.Data[c.Start[i]:c.End[i]]; !plainASCII(v) && !utf8.Valid(v) {
			b.addBad(i, c.Name)
		}
	}
}

func (b *Batch) addBad(i int, column string) {
	at := 0
	for at < len(b.Bad) && b.Bad[at].Index < i {
		at++
	}
	if at < len(b.Bad) && b.Bad[at].Index == i {
		return
	}
	b.Bad = append(b.Bad, BadRow{})
	copy(b.Bad[at+1:], b.Bad[at:])
	b.Bad[at] = BadRow{Index: i, Reason: schemas.ReasonInvalidUTF8, Column: column, Detail: "bytes that are no UTF-8"}
}
