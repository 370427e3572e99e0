package transforms

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

// Scratch is room outside memory: a file that nobody else sees and that is gone when the
// process is.
type Scratch interface {
	io.WriterAt
	io.ReaderAt
	io.Closer
}

// expectant is a Scratch that can be told what will be read soon.
type expectant interface{ WillNeed(at, n int64) }

// Sizes of chunks and of the memory asked for at once.
const (
	minChunk = 4 << 10
	maxChunk = 64 << 10 // references to rows have 16 bits for the place in a chunk
	slabSize = 32 << 20
)

// budget is what all pools of a ledger may hold together. Beyond it full chunks go to
// scratch files.
type budget struct {
	limit   int64                   // bytes of chunks; 0: as many as it takes
	scratch func() (Scratch, error) // opens a scratch file
	used    atomic.Int64            // bytes of chunks that are taken
	failed  atomic.Pointer[error]

	mu    sync.Mutex
	files []*spillFile
	idle  []*spillFile // of files, those that nobody is writing to
}

// spillFile is a scratch file and where it ends. One worker writes to it at a time: the
// kernel would let others wait, so there are as many files as there are workers that write
// at once.
type spillFile struct {
	Scratch
	end int64
}

// extent is a chunk in a scratch file.
type extent struct {
	file *spillFile
	at   int64
	size int
}

// chunkPool cuts chunks of one size from slabs and keeps those that a store has dropped
// for the next one to fill: memory that has been touched is cheaper than new memory.
type chunkPool struct {
	*budget
	chunk int // size of a chunk; slabSize is a multiple

	mu    sync.Mutex
	slabs [][]byte
	fresh []byte // of the last slab, what is not cut yet
	free  [][]byte
}

func (p *chunkPool) take() []byte {
	p.used.Add(int64(p.chunk))
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
			return make([]byte, 0, p.chunk)
		}
		p.slabs, p.fresh = append(p.slabs, slab), slab
	}
	b := p.fresh[:0:p.chunk]
	p.fresh = p.fresh[p.chunk:]
	return b
}

func (p *chunkPool) give(chunks ...[]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range chunks {
		if cap(c) == p.chunk {
			p.free = append(p.free, c[:0])
			p.used.Add(-int64(p.chunk))
		}
	}
}

// read brings a chunk back, into b where it fits.
func (p *chunkPool) read(x extent, b []byte) ([]byte, error) {
	switch {
	case x.size > p.chunk:
		b = make([]byte, x.size)
	case b == nil:
		b = p.take()
	}
	b = b[:x.size]
	if _, err := x.file.ReadAt(b, x.at); err != nil {
		return nil, err
	}
	return b, nil
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

// spill writes a chunk to a scratch file if memory is short, and says whether it did. A
// failure ends the work: see err.
func (m *budget) spill(b []byte) (extent, bool) {
	if m.limit == 0 || m.used.Load() <= m.limit {
		return extent{}, false
	}
	f, err := m.takeFile()
	if err != nil {
		m.fail(err)
		return extent{}, false
	}
	x := extent{f, f.end, len(b)}
	if _, err := f.WriteAt(b, x.at); err != nil {
		m.fail(err)
	}
	f.end += int64(len(b))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.idle = append(m.idle, f)
	return x, true
}

// takeFile is a scratch file that nobody else is writing to.
func (m *budget) takeFile() (*spillFile, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.idle); n > 0 {
		f := m.idle[n-1]
		m.idle = m.idle[:n-1]
		return f, nil
	}
	s, err := m.scratch()
	if err != nil {
		return nil, err
	}
	f := &spillFile{Scratch: s}
	m.files = append(m.files, f)
	return f, nil
}

func (m *budget) fail(err error) { m.failed.CompareAndSwap(nil, &err) }

// err is the first failure of a scratch file; what has been written since may be lost.
func (m *budget) err() error {
	if err := m.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// close gives the scratch files back.
func (m *budget) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var failed error
	for _, f := range m.files {
		failed = errors.Join(failed, f.Close())
	}
	m.files, m.idle = nil, nil
	return failed
}
