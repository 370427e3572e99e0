package transforms

import (
	"errors"
	"sync"
)

// turnstile lets partitions pass in order. Whoever comes early leaves what is to be done
// and goes on, unless too many wait already; whoever's turn it is takes along those next in
// order.
type turnstile struct {
	mu      sync.Mutex
	cond    sync.Cond
	ahead   int // how far ahead of its turn a partition may be
	at      int
	early   map[int]func() error
	passing bool // somebody is running what has been left
	stopped bool
}

func newTurnstile(ahead int) *turnstile {
	t := &turnstile{ahead: ahead, early: make(map[int]func() error)}
	t.cond.L = &t.mu
	return t
}

var errStopped = errors.New("stopped")

// pass has f run once all partitions before p have passed, by the caller or another one,
// who then returns its error. One runs at a time.
func (t *turnstile) pass(p int, f func() error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for p > t.at+t.ahead && !t.stopped {
		t.cond.Wait()
	}
	if t.stopped {
		return errStopped
	}
	t.early[p] = f
	if t.passing {
		return nil
	}
	t.passing = true
	defer func() { t.passing = false }()
	for !t.stopped {
		f, ok := t.early[t.at]
		if !ok {
			return nil
		}
		delete(t.early, t.at)
		t.mu.Unlock()
		err := f()
		t.mu.Lock()
		t.at++
		if err != nil {
			t.stopped = true
		}
		t.cond.Broadcast()
		if err != nil {
			return err
		}
	}
	return errStopped
}

// stop sends everybody away who waits or comes.
func (t *turnstile) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	t.cond.Broadcast()
}
