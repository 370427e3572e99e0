package schemas

import (
	"math/bits"
	"sync"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow/memory"
)

// recycled is the memory of released arrays, which becomes that of later ones: a run makes
// gigabytes of them, of which a few megabytes live at a time, and new memory is cleared
// before it is used.
var recycled recycler

// recycler holds pieces of memory by the power of two that they are at least as long as.
type recycler struct{ classes [bits.UintSize]sync.Pool }

// Allocate implements memory.Allocator; the content is anything.
func (r *recycler) Allocate(size int) []byte {
	class := bits.Len(uint(max(size, 64) - 1))
	if b, ok := r.classes[class].Get().(*[]byte); ok {
		return (*b)[:size]
	}
	return make([]byte, size, 1<<class)
}

// Reallocate implements memory.Allocator.
func (r *recycler) Reallocate(size int, b []byte) []byte {
	if size <= cap(b) {
		return b[:size]
	}
	grown := r.Allocate(size)
	copy(grown, b)
	r.Free(b)
	return grown
}

// Free implements memory.Allocator.
func (r *recycler) Free(b []byte) {
	if cap(b) >= 64 {
		b = b[:0]
		r.classes[bits.Len(uint(cap(b)))-1].Put(&b)
	}
}

// fresh is memory for n values at least; like all of Arrow's it holds no pointers.
func fresh[T any](n int) []T {
	var v T
	size := int(unsafe.Sizeof(v))
	b := recycled.Allocate(n * size)
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), cap(b)/size)[:0]
}

// grow makes room for n more values.
func grow[T any](s []T, n int) []T {
	if cap(s)-len(s) >= n {
		return s
	}
	return append(fresh[T](max(2*len(s), len(s)+n)), s...)
}

// handOver makes a buffer of values, whose memory is recycled when the last array that
// uses it has been released.
func handOver[T any](s []T) *memory.Buffer {
	var v T
	size := int(unsafe.Sizeof(v))
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), cap(s)*size)
	return memory.NewBufferWithAllocator(b[:len(s)*size], &recycled)
}
