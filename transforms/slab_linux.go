package transforms

import "syscall"

// newSlab is memory outside the garbage collector's heap: rows are most of what a run
// holds, and inside they would let the heap grow to twice their size before each
// collection.
func newSlab(size int) ([]byte, error) {
	return syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
}

func freeSlab(b []byte) error { return syscall.Munmap(b) }
