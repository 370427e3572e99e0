package transforms

import (
	"encoding/binary"
	"errors"
	"sync"
)

// rowStore keeps encoded rows by partition: byte rows in chunks, so that millions of
// rows are a few thousand objects to the garbage collector. A row starts with its
// length in two bytes; what follows is the business of whoever wrote it.
type rowStore struct {
	parts []rowPart
	pool  *chunkPool
}

// chunkPool cuts full-sized chunks from slabs and keeps those that a store has dropped
// for the next one to fill: memory that has been touched is cheaper than new memory.
type chunkPool struct {
	mu    sync.Mutex
	slabs [][]byte
	fresh []byte   // of the last slab, what is not cut yet
	free  [][]byte // dropped
}

// slabSize is the memory asked for at once, a multiple of lastChunk.
const slabSize = 32 << 20

func (p *chunkPool) take() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		b := p.free[n-1]
		p.free = p.free[:n-1]
		return b
	}
	if len(p.fresh) == 0 {
		slab, err := newSlab(slabSize)
		if err != nil { // as with any memory that cannot be had, the program ends if the heap has none either
			return make([]byte, 0, lastChunk)
		}
		p.slabs, p.fresh = append(p.slabs, slab), slab
	}
	b := p.fresh[:0:lastChunk]
	p.fresh = p.fresh[lastChunk:]
	return b
}

func (p *chunkPool) give(chunks [][]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range chunks {
		if cap(c) == lastChunk {
			p.free = append(p.free, c[:0])
		}
	}
}

// close gives the memory back. No row may be used afterwards.
func (p *chunkPool) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var failed error
	for _, s := range p.slabs {
		failed = errors.Join(failed, freeSlab(s))
	}
	p.slabs, p.fresh, p.free = nil, nil, nil
	return failed
}

type rowPart struct {
	mu     sync.Mutex
	chunks [][]byte
}

const (
	firstChunk = 1 << 10
	lastChunk  = 1 << 16
)

func newRowStore(parts int, pool *chunkPool) *rowStore {
	return &rowStore{parts: make([]rowPart, parts), pool: pool}
}

// rowWriter is one worker's open chunks, one per partition.
type rowWriter struct {
	store *rowStore
	open  [][]byte
}

func (s *rowStore) writer() *rowWriter {
	return &rowWriter{store: s, open: make([][]byte, len(s.parts))}
}

// put appends a row to partition p. The row is its own encoding without the length.
func (w *rowWriter) put(p uint32, row []byte) {
	w.end(p, append(w.begin(p, len(row)), row...))
}

// begin returns the open chunk of partition p with room for a row of up to size bytes, to
// be written by appending to it; end takes it back with the row.
func (w *rowWriter) begin(p uint32, size int) []byte {
	b := w.open[p]
	if len(b)+size+2 > cap(b) {
		w.grow(p, size+2)
		b = w.open[p]
	}
	return append(b, 0, 0)
}

func (w *rowWriter) end(p uint32, b []byte) {
	from := len(w.open[p])
	binary.LittleEndian.PutUint16(b[from:], uint16(len(b)-from))
	w.open[p] = b
}

// fixed appends n bytes without a length to partition p, for the caller to fill. A store
// holds either such entries or rows.
func (w *rowWriter) fixed(p uint32, n int) []byte {
	b := w.open[p]
	if len(b)+n > cap(b) {
		w.grow(p, n)
		b = w.open[p]
	}
	b = b[:len(b)+n]
	w.open[p] = b
	return b[len(b)-n:]
}

// grow opens a chunk with room for n bytes.
func (w *rowWriter) grow(p uint32, n int) {
	before := cap(w.open[p])
	w.flush(p)
	room := max(n, min(lastChunk, max(firstChunk, 4*before)))
	if room == lastChunk {
		w.open[p] = w.store.pool.take()
	} else {
		w.open[p] = make([]byte, 0, room)
	}
}

func (w *rowWriter) flush(p uint32) {
	if len(w.open[p]) == 0 {
		return
	}
	q := &w.store.parts[p]
	q.mu.Lock()
	q.chunks = append(q.chunks, w.open[p])
	q.mu.Unlock()
	w.open[p] = nil
}

// close hands the open chunks to the store.
func (w *rowWriter) close() {
	for p := range w.open {
		w.flush(uint32(p))
	}
}

// each calls f with every row of partition p, without its length, and the reference by
// which row finds it again. Rows stay valid until the partition is dropped. The order of
// rows depends on scheduling: whoever reads must not depend on it.
func (s *rowStore) each(p int, f func(ref uint64, row []byte)) {
	for k, c := range s.parts[p].chunks {
		for at := 0; at < len(c); {
			end := at + int(binary.LittleEndian.Uint16(c[at:]))
			f(uint64(k)<<16|uint64(at), c[at+2:end:end])
			at = end
		}
	}
}

// row is the row of partition p with a reference that each has given.
func (s *rowStore) row(p int, ref uint64) []byte {
	c := s.parts[p].chunks[ref>>16]
	at := int(ref & 0xffff)
	end := at + int(binary.LittleEndian.Uint16(c[at:]))
	return c[at+2 : end]
}

// drop forgets partition p and gives its memory back.
func (s *rowStore) drop(p int) {
	s.pool.give(s.parts[p].chunks)
	s.parts[p].chunks = nil
}
