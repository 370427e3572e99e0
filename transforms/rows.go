package transforms

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"sync"
)

// rowStore keeps encoded rows by partition: byte rows in chunks, so that millions of
// rows are a few thousand objects. A row starts with its length in one byte, or,
// where that is too short, 0 and the length in two; what follows is the business of
// whoever wrote it. Chunks that memory has no room for lie in
// scratch files until their partition is loaded.
type rowStore struct {
	parts []rowPart
	pool  *chunkPool
}

type rowPart struct {
	mu      sync.Mutex
	chunks  [][]byte
	spilled []extent
	loaded  int // of the spilled chunks, how many are at the end of chunks as well
}

func newRowStore(parts int, pool *chunkPool) *rowStore {
	return &rowStore{parts: make([]rowPart, parts), pool: pool}
}

// rowWriter is one worker's open chunks, one per partition.
type rowWriter struct {
	store *rowStore
	open  [][]byte
	stay  bool // what is written stays in memory, whatever there is of it
}

func (s *rowStore) writer() *rowWriter {
	return &rowWriter{store: s, open: make([][]byte, len(s.parts))}
}

// put appends a row to partition p. The row is its own encoding without the length.
func (w *rowWriter) put(p uint32, row []byte) {
	b := w.room(p, len(row)+3)
	w.take(p, frame(b, copy(b[1:], row)))
}

// putOrder appends the row of an order to partition p.
func (w *rowWriter) putOrder(p uint32, o *order) {
	b := w.room(p, o.room()+3)
	w.take(p, frame(b, o.encode(b[1:])))
}

// frame writes the length of a row of n bytes, which stands behind the first byte of b,
// and returns what row and length take.
func frame(b []byte, n int) int {
	if n < 0xff {
		b[0] = byte(n + 1)
		return n + 1
	}
	copy(b[3:], b[1:1+n])
	b[0] = 0
	binary.LittleEndian.PutUint16(b[1:], uint16(n+3))
	return n + 3
}

// unframe is where the row at a place of a chunk begins and ends.
func unframe(c []byte, at int) (from, to int) {
	if n := int(c[at]); n > 0 {
		return at + 1, at + n
	}
	return at + 3, at + int(binary.LittleEndian.Uint16(c[at+1:]))
}

// room is what is free in the open chunk of partition p, at least n bytes; take counts
// what has been written of it.
func (w *rowWriter) room(p uint32, n int) []byte {
	b := w.open[p]
	if cap(b)-len(b) < n {
		b = w.next(p, n)
	}
	return b[len(b):cap(b)]
}

func (w *rowWriter) take(p uint32, n int) {
	b := w.open[p]
	w.open[p] = b[:len(b)+n]
}

// fixed appends n bytes without a length to partition p, for the caller to fill. A store
// holds either such entries or rows.
func (w *rowWriter) fixed(p uint32, n int) []byte {
	b := w.open[p]
	if len(b)+n > cap(b) {
		b = w.next(p, n)
	}
	b = b[:len(b)+n]
	w.open[p] = b
	return b[len(b)-n:]
}

// next opens a chunk with room for n bytes.
func (w *rowWriter) next(p uint32, n int) []byte {
	w.flush(p)
	if n > w.store.pool.chunk { // a row of very long texts has a chunk of its own
		w.open[p] = make([]byte, 0, n)
	} else if w.open[p] == nil {
		w.open[p] = w.store.pool.take()
	}
	return w.open[p]
}

// flush hands the open chunk to the store; what is left open is empty.
func (w *rowWriter) flush(p uint32) {
	b := w.open[p]
	if len(b) == 0 {
		return
	}
	w.open[p] = nil
	q := &w.store.parts[p]
	var x extent
	spilled := false
	if !w.stay {
		x, spilled = w.store.pool.spill(b)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !spilled {
		q.chunks = append(q.chunks, b)
		return
	}
	q.spilled = append(q.spilled, x)
	if cap(b) == w.store.pool.chunk {
		w.open[p] = b[:0]
	}
}

// close hands the open chunks to the store.
func (w *rowWriter) close() {
	for p := range w.open {
		w.flush(uint32(p))
		if b := w.open[p]; b != nil {
			w.store.pool.give(b)
		}
	}
	w.open = nil
}

// size is the number of bytes of partition p.
func (s *rowStore) size(p int) int64 {
	n := int64(0)
	for _, c := range s.parts[p].chunks {
		n += int64(len(c))
	}
	for _, x := range s.parts[p].spilled[s.parts[p].loaded:] {
		n += int64(x.size)
	}
	return n
}

// load brings partition p into memory, whole.
func (s *rowStore) load(p int) error {
	q := &s.parts[p]
	for _, x := range q.spilled[q.loaded:] {
		b, err := s.pool.read(x, nil)
		if err != nil {
			return err
		}
		q.chunks = append(q.chunks, b)
		q.loaded++
	}
	return nil
}

// expect tells scratch files that partition p, if there is one, will be loaded soon: what has
// gone to the disk is then read while others are folded. Another worker may have that
// partition already.
func (s *rowStore) expect(p int) {
	if p >= len(s.parts) {
		return
	}
	q := &s.parts[p]
	q.mu.Lock()
	spilled := q.spilled
	q.mu.Unlock()
	for _, x := range spilled {
		if f, ok := x.file.Scratch.(expectant); ok {
			f.WillNeed(x.at, int64(x.size))
		}
	}
}

// arrange sorts the chunks of partition p, which is in memory, by their first rows; those
// that load has brought stay behind the others, where unload looks for them, if it is to be
// kept.
func (s *rowStore) arrange(p int, keep bool, compare func(a, b []byte) int) {
	q := &s.parts[p]
	first := func(c []byte) []byte {
		from, to := unframe(c, 0)
		return c[from:to]
	}
	sort := func(chunks [][]byte) {
		slices.SortFunc(chunks, func(a, b []byte) int { return compare(first(a), first(b)) })
	}
	if !keep {
		sort(q.chunks)
		return
	}
	at := len(q.chunks) - q.loaded
	sort(q.chunks[:at])
	sort(q.chunks[at:])
}

// drain loads the partitions that next hands out, one after the other, and drops each when f
// has seen it.
func (s *rowStore) drain(next func() (int, bool), f func(p int)) error {
	for {
		p, ok := next()
		if !ok {
			return nil
		}
		if err := s.load(p); err != nil {
			return err
		}
		f(p)
		s.drop(p)
	}
}

// unload takes what load has brought out of memory again.
func (s *rowStore) unload(p int) {
	q := &s.parts[p]
	at := len(q.chunks) - q.loaded
	s.pool.give(q.chunks[at:]...)
	q.chunks, q.loaded = q.chunks[:at], 0
}

// each calls f with every row of partition p, which is in memory, without its length, and
// the reference by which row finds it again. Rows stay valid until the partition is
// dropped. The order of rows depends on scheduling: whoever reads must not depend on it.
func (s *rowStore) each(p int, f func(ref uint64, row []byte)) {
	for k, c := range s.parts[p].chunks {
		eachRow(c, uint64(k)<<16, f)
	}
}

// scan calls f with every row of partition p, wherever it is, and leaves it there. A row
// is valid during the call.
func (s *rowStore) scan(p int, f func(row []byte)) error {
	return s.scanChunks(p, func(c []byte) {
		eachRow(c, 0, func(_ uint64, row []byte) { f(row) })
	})
}

// scanChunks is scan for whole chunks.
func (s *rowStore) scanChunks(p int, f func(c []byte)) error {
	for _, c := range s.parts[p].chunks {
		f(c)
	}
	spilled := s.parts[p].spilled[s.parts[p].loaded:]
	if len(spilled) == 0 {
		return nil
	}
	b := s.pool.take()
	defer s.pool.give(b)
	for _, x := range spilled {
		c, err := s.pool.read(x, b)
		if err != nil {
			return err
		}
		f(c)
	}
	return nil
}

func eachRow(c []byte, ref uint64, f func(ref uint64, row []byte)) {
	for at := 0; at < len(c); {
		from, to := unframe(c, at)
		f(ref|uint64(at), c[from:to:to])
		at = to
	}
}

// row is the row of partition p with a reference that each has given.
func (s *rowStore) row(p int, ref uint64) []byte {
	c := s.parts[p].chunks[ref>>16]
	from, to := unframe(c, int(ref&0xffff))
	return c[from:to]
}

// drop forgets partition p and gives its memory back.
func (s *rowStore) drop(p int) {
	s.pool.give(s.parts[p].chunks...)
	s.parts[p].empty()
}

// empty forgets the chunks of a partition.
func (q *rowPart) empty() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.chunks, q.spilled, q.loaded = nil, nil, 0
}

// divide moves the rows of partition p, which is in memory, to another store, to the partition
// that the upper bits of their owner tails name. They stay in memory: the chunks that they
// leave are those that they come to.
func (s *rowStore) divide(p int, to *rowStore) {
	w := to.writer()
	w.stay = true
	shift := 32 - uint(bits.Len(uint(len(to.parts)-1)))
	q := &s.parts[p]
	for _, c := range q.chunks {
		eachRow(c, 0, func(_ uint64, row []byte) { w.put(ownerTail(row)>>shift, row) })
		s.pool.give(c)
	}
	q.empty()
	w.close()
}
