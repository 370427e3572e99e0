package schemas

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// column gathers the values of one column of a record batch in plain slices; arrays are
// made of them without a copy.
type column interface {
	// take returns the values so far and starts anew.
	take(t arrow.DataType) arrow.Array
}

// fields is one field of n structs that lie one behind the other.
type fields struct {
	first unsafe.Pointer
	size  uintptr // of a struct
	n     int
}

func fieldOf[T any](f fields, i int) *T { return (*T)(unsafe.Add(f.first, uintptr(i)*f.size)) }

// validity tells which values of a nullable column are there: a bit each.
type validity struct {
	bits  []byte
	n     int
	nulls int
}

// append adds up to 64 bits, the first one in the lowest. All but the last bits before Take
// come in blocks of 64, so that every block begins with a byte.
func (v *validity) append(word uint64, n int) {
	v.bits = binary.LittleEndian.AppendUint64(v.bits, word)[:len(v.bits)+(n+7)/8]
	v.n += n
	v.nulls += n - bits.OnesCount64(word)
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// buffer returns the bits for an array, nil where nothing is null, and starts anew.
func (v *validity) buffer() (b *memory.Buffer, nulls int) {
	kept := v.bits
	if nulls = v.nulls; nulls > 0 {
		b = handOver(kept)
		kept = fresh[byte](len(kept))
	}
	*v = validity{bits: kept[:0]}
	return b, nulls
}

// fixedColumn holds values that lie in the array as they lie in memory.
type fixedColumn[T int64 | float64 | Day | Instant | Sum] struct {
	values []T
	valid  validity // of nullable columns only
}

// gather adds fields of type T, or Opt[T] where the column is nullable; in the place of a
// null stands a zero.
func (c *fixedColumn[T]) gather(f fields, nullable bool) error {
	n := len(c.values)
	c.values = grow(c.values, f.n)[:n+f.n]
	to := c.values[n:]
	if !nullable {
		for i := range to {
			to[i] = *fieldOf[T](f, i)
		}
	} else {
		word := uint64(0)
		for i := range to {
			v := fieldOf[Opt[T]](f, i)
			to[i] = v.Value
			word |= bit(v.Valid) << i
		}
		clearNulls(to, word)
		c.valid.append(word, f.n)
	}
	if doubles, ok := any(to).([]float64); ok {
		return publishable(doubles)
	}
	return nil
}

// publishable says whether all values are numbers.
func publishable(values []float64) error {
	const exponent = 0x7FF << 52 // of all that is no number, and of nothing else
	odd := uint64(0)
	for _, v := range values {
		odd |= (math.Float64bits(v)&exponent + 1<<52) & (1 << 63)
	}
	if odd == 0 {
		return nil
	}
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%v is not a number to publish", v)
		}
	}
	return nil
}

func (c *fixedColumn[T]) take(t arrow.DataType) arrow.Array {
	n := len(c.values)
	valid, nulls := c.valid.buffer()
	a := newArray(t, n, nulls, valid, handOver(c.values))
	c.values = fresh[T](n + n/8)
	return a
}

// boolColumn holds a bit a value.
type boolColumn struct {
	values validity
	valid  validity // of nullable columns only
}

// gather adds fields of type bool, or Opt[bool] where the column is nullable.
func (c *boolColumn) gather(f fields, nullable bool) error {
	values, valid := uint64(0), uint64(0)
	for i := range f.n {
		if !nullable {
			values |= bit(*fieldOf[bool](f, i)) << i
			continue
		}
		v := fieldOf[Opt[bool]](f, i)
		values |= bit(v.Valid && v.Value) << i
		valid |= bit(v.Valid) << i
	}
	c.values.append(values, f.n)
	if nullable {
		c.valid.append(valid, f.n)
	}
	return nil
}

func (c *boolColumn) take(t arrow.DataType) arrow.Array {
	n, data := c.values.n, handOver(c.values.bits)
	c.values = validity{bits: fresh[byte](len(c.values.bits))}
	valid, nulls := c.valid.buffer()
	return newArray(t, n, nulls, valid, data)
}

// textColumn holds texts one behind the other.
type textColumn struct {
	ends  []int32 // with a 0 before the first
	data  []byte
	valid validity // of nullable columns only
}

func addText[T string | []byte](c *textColumn, v T) {
	if len(c.ends) == 0 {
		c.ends = append(c.ends, 0)
	}
	c.data = append(c.data, v...)
	c.ends = append(c.ends, int32(len(c.data)))
}

// gather adds fields of type string, or Opt[string] where the column is nullable.
func (c *textColumn) gather(f fields, nullable bool) error {
	word := uint64(0)
	for i := range f.n {
		if !nullable {
			addText(c, *fieldOf[string](f, i))
			continue
		}
		v := fieldOf[Opt[string]](f, i)
		if v.Valid {
			addText(c, v.Value)
		} else {
			addText(c, "")
		}
		word |= bit(v.Valid) << i
	}
	if nullable {
		c.valid.append(word, f.n)
	}
	return nil
}

func (c *textColumn) take(t arrow.DataType) arrow.Array {
	if len(c.ends) == 0 {
		c.ends = append(c.ends, 0)
	}
	n := len(c.ends) - 1
	valid, nulls := c.valid.buffer()
	a := newArray(t, n, nulls, valid, handOver(c.ends), handOver(c.data))
	c.ends, c.data = fresh[int32](n+n/8+1), fresh[byte](len(c.data)+len(c.data)/8)
	return a
}

// newArray makes an array of buffers, which it then owns.
func newArray(t arrow.DataType, n, nulls int, buffers ...*memory.Buffer) arrow.Array {
	d := array.NewData(t, n, buffers, nil, nulls, 0)
	defer d.Release()
	for _, b := range buffers {
		if b != nil {
			b.Release()
		}
	}
	return array.MakeFromData(d)
}
