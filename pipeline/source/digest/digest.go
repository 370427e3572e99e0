// Package digest computes the SHA-256 of many texts: two at the same time on each thread,
// where the processor can, which takes little longer than one. All but the blocks of such
// pairs is the standard library's.
package digest

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"
)

const (
	blockSize = 64
	bufBytes  = 256 << 10 // of a text that are read at once: they stay in the processor's cache
)

// state is that of SHA-256 between two blocks.
type state [8]uint32

// initial is the state before the first block (FIPS 180-4, 5.3.3).
var initial = state{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}

// Sum is the SHA-256 of a text.
type Sum = [sha256.Size]byte

// Sums computes the SHA-256 of n texts on at most the given number of threads. open opens
// text i; it is called from several goroutines, in ascending order of i. The first error,
// of open or of a text, ends it.
func Sums(n, threads int, open func(i int) (io.ReadCloser, error)) ([]Sum, error) {
	q := &queue{n: n, open: open, sums: make([]Sum, n)}
	var wg sync.WaitGroup
	for range min(max(1, threads), n) {
		wg.Go(func() {
			if err := q.work(); err != nil {
				q.fail(err)
			}
		})
	}
	wg.Wait()
	return q.sums, q.err
}

// queue is the texts that the threads share.
type queue struct {
	n    int
	open func(i int) (io.ReadCloser, error)
	sums []Sum

	mu   sync.Mutex
	next int
	err  error
}

// take opens the next text into a lane; ok is false where there is none.
func (q *queue) take(l *lane) (ok bool, err error) {
	q.mu.Lock()
	i := q.next
	ok = i < q.n && q.err == nil
	if ok {
		q.next++
	}
	q.mu.Unlock()
	if !ok {
		return false, nil
	}
	r, err := q.open(i)
	if err != nil {
		return false, err
	}
	l.begin(i, r)
	return true, nil
}

func (q *queue) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.err = err
	}
}

// work computes sums until there are no more texts.
func (q *queue) work() (err error) {
	var a, b lane
	defer func() { err = errors.Join(err, a.close(), b.close()) }()
	for {
		for _, l := range []*lane{&a, &b} {
			if l.r != nil || l == &b && !hasPairs {
				continue
			}
			if _, err := q.take(l); err != nil {
				return err
			}
		}
		switch {
		case a.r != nil && b.r != nil:
			err = q.pair(&a, &b)
		case a.r != nil:
			err = q.finish(&a)
		case b.r != nil:
			err = q.finish(&b)
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// pair goes on with two texts until one of them ends.
func (q *queue) pair(a, b *lane) error {
	for {
		for _, l := range []*lane{a, b} {
			if whole, err := l.fill(); err != nil {
				return err
			} else if !whole {
				return q.finish(l)
			}
		}
		n := min(len(a.text), len(b.text)) / blockSize * blockSize
		sumPair(&a.state, &b.state, a.text[:n], b.text[:n])
		a.done(n)
		b.done(n)
	}
}

// finish goes on with one text to its end.
func (q *queue) finish(l *lane) error {
	h, err := l.hash()
	if err != nil {
		return err
	}
	if _, err := h.Write(l.text); err != nil {
		return err
	}
	// Without the methods that io would prefer to the buffer.
	if _, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{l.r}, l.buf); err != nil {
		return err
	}
	h.Sum(q.sums[l.i][:0])
	return l.close()
}

// lane is a text on its way.
type lane struct {
	i     int
	r     io.ReadCloser // nil: none
	buf   []byte
	text  []byte // of buf, that have not been taken into the state
	state state
	size  uint64 // bytes that have been
	eof   bool
}

func (l *lane) begin(i int, r io.ReadCloser) {
	if l.buf == nil {
		l.buf = make([]byte, bufBytes)
	}
	*l = lane{i: i, r: r, buf: l.buf, state: initial}
}

// fill makes sure that there is a block to take; whole is false when the text ends before.
func (l *lane) fill() (whole bool, err error) {
	if len(l.text) >= blockSize {
		return true, nil
	}
	n := copy(l.buf, l.text)
	for n < blockSize && !l.eof {
		k, err := l.r.Read(l.buf[n:])
		n += k
		if err == io.EOF {
			l.eof = true
		} else if err != nil {
			return false, err
		}
	}
	l.text = l.buf[:n]
	return n >= blockSize, nil
}

// done says that the first n bytes of the text are in the state.
func (l *lane) done(n int) {
	l.text = l.text[n:]
	l.size += uint64(n)
}

// hash is the standard library's, with the state of the lane.
func (l *lane) hash() (hash.Hash, error) {
	h := sha256.New()
	if l.size == 0 {
		return h, nil
	}
	// Its form: a name, the state, a block that is not whole, the size.
	form := append(make([]byte, 0, 4+32+blockSize+8), "sha\x03"...)
	for _, w := range l.state {
		form = binary.BigEndian.AppendUint32(form, w)
	}
	form = binary.BigEndian.AppendUint64(form[:4+32+blockSize], l.size)
	u, ok := h.(encoding.BinaryUnmarshaler)
	if !ok {
		return nil, fmt.Errorf("%T takes no state", h)
	}
	if err := u.UnmarshalBinary(form); err != nil {
		return nil, fmt.Errorf("%T: %w", h, err)
	}
	return h, nil
}

func (l *lane) close() error {
	if l.r == nil {
		return nil
	}
	err := l.r.Close()
	l.r = nil
	return err
}
