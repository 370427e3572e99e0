package chunk

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/cohortline/cohortline/schemas"
	"github.com/parquet-go/parquet-go/format"
)

// fixed writes values of fixed size.
func (e *Encoder) fixed(t schemas.Type) error {
	v := e.values.ints
	if len(v) == 0 {
		return e.data(format.Plain, nil, e.values.rows)
	}
	low, high := e.values.low, e.values.high
	width := uint64(high) - uint64(low)
	if width == 0 && len(v) > 1 || t != schemas.Double && width < uint64(min(len(v)/8, 1<<15)) {
		return e.near(t, low, int(width)+1)
	}
	switch t {
	case schemas.Money:
		return e.money()
	case schemas.Double:
		return e.doubles()
	}
	return e.integers(t)
}

// near writes values that lie close together: the dictionary lists every value from low
// on, present or not, so that an index is a difference.
func (e *Encoder) near(t schemas.Type, low int64, size int) error {
	e.dict.values = e.dict.values[:0]
	for i := range size {
		e.dict.values = append(e.dict.values, low+int64(i))
	}
	e.codes = slices.Grow(e.codes[:0], len(e.values.ints))
	for _, x := range e.values.ints {
		e.codes = append(e.codes, uint32(x-low))
	}
	return e.indexed(plain(nil, t, e.dict.values), size)
}

// integers writes counts, instants and dates: as differences, unless few of them are different.
func (e *Encoder) integers(t schemas.Type) (err error) {
	v := e.values.ints
	size := physicalSize(t)
	e.payload = e.payload[:0]
	if size == 4 {
		e.payload, err = e.deltas.EncodeInt32(e.payload, narrow(v))
	} else {
		e.payload, err = e.deltas.EncodeInt64(e.payload, v)
	}
	if err != nil {
		return err
	}
	if e.dict.build(v, len(v)/4) {
		n := len(e.dict.values)
		if n*size+len(v)*bits.Len(uint(n-1))/8 < len(e.payload) {
			e.codes = e.dict.codes
			return e.indexed(plain(nil, t, e.dict.values), n)
		}
	}
	return e.data(format.DeltaBinaryPacked, e.payload, e.values.rows)
}

// doubles writes rates and means. Most come more than once: the quotients of small counts.
func (e *Encoder) doubles() error {
	v := e.values.ints
	if e.dict.build(v, len(v)*5/8) {
		e.codes = e.dict.codes
		return e.indexed(plain(nil, schemas.Double, e.dict.values), len(e.dict.values))
	}
	e.payload = plain(e.payload[:0], schemas.Double, v)
	return e.data(format.Plain, e.payload, e.values.rows)
}

// money writes sums.
func (e *Encoder) money() error {
	v := e.values.ints
	if len(v) < leastBytes/moneyBytes {
		e.payload = plain(e.payload[:0], schemas.Money, v)
		return e.data(format.Plain, e.payload, e.values.rows)
	}
	e.payload = e.squeezer.money(e.payload[:0], v, e.values.low, e.values.high)
	return e.put(format.Plain, e.payload, moneyBytes*len(v), true, e.values.rows)
}

// plain appends values in the encoding PLAIN.
func plain(b []byte, t schemas.Type, v []int64) []byte {
	size := physicalSize(t)
	b = slices.Grow(b, size*len(v))
	switch size {
	case 4:
		for _, x := range v {
			b = binary.LittleEndian.AppendUint32(b, uint32(x))
		}
	case 8:
		for _, x := range v {
			b = binary.LittleEndian.AppendUint64(b, uint64(x))
		}
	default:
		for _, x := range v {
			b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, uint32(x>>63)), uint64(x))
		}
	}
	return b
}

// physicalSize is the number of bytes of a value of fixed size.
func physicalSize(t schemas.Type) int {
	switch t {
	case schemas.Date:
		return 4
	case schemas.Money:
		return schemas.MoneyBytes
	default:
		return 8
	}
}

func narrow(v []int64) []int32 {
	b := make([]int32, len(v))
	for i, x := range v {
		b[i] = int32(x)
	}
	return b
}
