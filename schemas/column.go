package schemas

import (
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
	if nulls = v.nulls; nulls > 0 {
		b = memory.NewBufferBytes(v.bits)
	}
	*v = validity{bits: make([]byte, 0, len(v.bits))}
	return b, nulls
}

// fixedColumn holds values that lie in the array as they lie in memory.
type fixedColumn[T int64 | float64 | Day | Instant | Sum] struct {
	values []T
	valid  validity // of nullable columns only
}

func (c *fixedColumn[T]) take(t arrow.DataType) arrow.Array {
	var v T
	n := len(c.values)
	data := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(c.values))), n*int(unsafe.Sizeof(v)))
	valid, nulls := c.valid.buffer()
	c.values = make([]T, 0, n+n/8)
	return newArray(t, n, nulls, valid, memory.NewBufferBytes(data))
}

// boolColumn holds a bit a value.
type boolColumn struct {
	values validity
	valid  validity // of nullable columns only
}

func (c *boolColumn) take(t arrow.DataType) arrow.Array {
	n, data := c.values.n, memory.NewBufferBytes(c.values.bits)
	c.values = validity{bits: make([]byte, 0, len(c.values.bits))}
	valid, nulls := c.valid.buffer()
	return newArray(t, n, nulls, valid, data)
}

// textColumn holds texts one behind the other.
type textColumn struct {
	ends  []int32 // with a 0 before the first
	data  []byte
	valid validity // of nullable columns only
}

func (c *textColumn) end() {
	if len(c.ends) == 0 {
		c.ends = append(c.ends, 0)
	}
	c.ends = append(c.ends, int32(len(c.data)))
}

func (c *textColumn) take(t arrow.DataType) arrow.Array {
	if len(c.ends) == 0 {
		c.ends = append(c.ends, 0)
	}
	n := len(c.ends) - 1
	ends := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(c.ends))), 4*len(c.ends))
	valid, nulls := c.valid.buffer()
	a := newArray(t, n, nulls, valid, memory.NewBufferBytes(ends), memory.NewBufferBytes(c.data))
	c.ends, c.data = make([]int32, 0, len(c.ends)+n/8), make([]byte, 0, len(c.data)+len(c.data)/8)
	return a
}

func newArray(t arrow.DataType, n, nulls int, buffers ...*memory.Buffer) arrow.Array {
	d := array.NewData(t, n, buffers, nil, nulls, 0)
	defer d.Release()
	return array.MakeFromData(d)
}
