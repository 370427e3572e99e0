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
		return e.near(t, low, int(width))
	}
	switch t {
	case schemas.Money:
		if e.multiples(low, width) {
			return e.listed(t)
		}
		return e.money()
	case schemas.Double:
		return e.doubles()
	}
	return e.integers(t)
}

// near writes values between low and low+width: what stands for a value in a table of
// that size is its index in the dictionary, which is sorted.
func (e *Encoder) near(t schemas.Type, low int64, width int) error {
	v, list := e.values.ints, e.dict.values[:0]
	if width < 256 { // every value is listed, present or not: the index is a difference
		for i := range width + 1 {
			list = append(list, low+int64(i))
		}
		e.dict.values = list
		e.bytes = slices.Grow(e.bytes[:0], len(v))[:len(v)]
		for i, x := range v {
			e.bytes[i] = uint8(x - low)
		}
		e.plainList = plain(e.plainList[:0], t, list)
		return indexed(e, e.plainList, len(list), e.bytes)
	}
	e.dict.room(width) // twice as long at least
	index := e.dict.table[:width+1]
	for _, x := range v {
		index[x-low] = 1
	}
	for i, present := range index {
		if present != 0 {
			index[i] = uint32(len(list))
			list = append(list, low+int64(i))
		}
	}
	e.dict.values, e.dict.codes = list, slices.Grow(e.dict.codes[:0], len(v))[:len(v)]
	codes := e.dict.codes
	for i, x := range v {
		codes[i] = index[x-low]
	}
	return e.listed(t)
}

// integers writes counts, instants and dates: as differences, unless few of them are different.
func (e *Encoder) integers(t schemas.Type) (err error) {
	v := e.values.ints
	if n := runsOf(v, len(v)/8); n < len(v)/8 && e.dict.build(v, n) { // as many different values at most
		return e.listed(t)
	}
	size := physicalSize(t)
	e.payload = e.payload[:0]
	if size == 4 {
		e.dates = narrow(e.dates[:0], v)
		e.payload, err = e.deltas.EncodeInt32(e.payload, e.dates)
	} else {
		e.payload, err = e.deltas.EncodeInt64(e.payload, v)
	}
	if err != nil {
		return err
	}
	if e.dict.mostlyNew(v) {
		return e.data(format.DeltaBinaryPacked, e.payload, e.values.rows)
	}
	n := e.dict.different(v)
	if n <= len(v)/4 && n*size+len(v)*bits.Len(uint(n-1))/8 < len(e.payload) && e.dict.build(v, len(v)/4) {
		return e.listed(t)
	}
	return e.data(format.DeltaBinaryPacked, e.payload, e.values.rows)
}

// doubles writes rates and means, the quotients of small counts: in a dictionary where that
// saves a quarter, else as they are. Nothing makes them much smaller otherwise: their last bits
// are as good as random, and to search them for repetitions takes ten times as long.
func (e *Encoder) doubles() error {
	v := e.values.ints
	n := e.dict.different(v)
	if 64*n+len(v)*bits.Len(uint(n)) <= 48*len(v) && e.dict.build(v, n+n/8+1) {
		return e.listed(schemas.Double)
	}
	e.payload = plain(e.payload[:0], schemas.Double, v)
	return e.put(format.Plain, e.payload, len(e.payload), false, e.values.rows)
}

// listed writes the dictionary that has been built, and the indexes into it.
func (e *Encoder) listed(t schemas.Type) error {
	e.plainList = plain(e.plainList[:0], t, e.dict.values)
	n := len(e.dict.values)
	if n <= 256 {
		e.bytes = bytesOf(e.bytes, e.dict.codes)
		return indexed(e, e.plainList, n, e.bytes)
	}
	return indexed(e, e.plainList, n, e.dict.codes)
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

func narrow(to []int32, v []int64) []int32 {
	for _, x := range v {
		to = append(to, int32(x))
	}
	return to
}

// bounds are the least and the greatest of some values.
func bounds(v []int64) (low, high int64) {
	low, high = v[0], v[0]
	low2, high2 := low, high // two of each, so that no comparison waits for the one before
	for ; len(v) >= 2; v = v[2:] {
		low, high = min(low, v[0]), max(high, v[0])
		low2, high2 = min(low2, v[1]), max(high2, v[1])
	}
	for _, x := range v {
		low, high = min(low, x), max(high, x)
	}
	return min(low, low2), max(high, high2)
}
