package schemas

import (
	"fmt"
	"math"
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

func (v *validity) append(valid bool) {
	if v.n&7 == 0 {
		v.bits = append(v.bits, 0)
	}
	if valid {
		v.bits[v.n>>3] |= 1 << (v.n & 7)
	} else {
		v.nulls++
	}
	v.n++
}

// buffer returns the bits for an array, nil where nothing is null, and starts anew.
func (v *validity) buffer() (b *memory.Buffer, nulls int) {
	bits := v.bits
	if nulls = v.nulls; nulls > 0 {
		b = handOver(bits)
		bits = fresh[byte](len(bits))
	}
	*v = validity{bits: bits[:0]}
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
		for i := range to {
			v := fieldOf[Opt[T]](f, i)
			to[i] = v.Value
			if c.valid.append(v.Valid); !v.Valid {
				clear(to[i : i+1])
			}
		}
	}
	if doubles, ok := any(to).([]float64); ok {
		return publishable(doubles)
	}
	return nil
}

// publishable says whether all values are numbers.
func publishable(values []float64) error {
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
	for i := range f.n {
		if !nullable {
			c.values.append(*fieldOf[bool](f, i))
			continue
		}
		v := fieldOf[Opt[bool]](f, i)
		c.values.append(v.Valid && v.Value)
		c.valid.append(v.Valid)
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
	for i := range f.n {
		if !nullable {
			addText(c, *fieldOf[string](f, i))
			continue
		}
		v := fieldOf[Opt[string]](f, i)
		if c.valid.append(v.Valid); !v.Valid {
			addText(c, "")
			continue
		}
		addText(c, v.Value)
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
