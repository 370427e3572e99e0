package transforms

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

// passAll sends partitions through a turnstile from several goroutines and returns their
// errors; f is what each has to do.
func passAll(turn *turnstile, parts, workers int, f func(p int) error) []error {
	var at atomic.Int64
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for k := range workers {
		wg.Go(func() {
			for p := int(at.Add(1)) - 1; p < parts && errs[k] == nil; p = int(at.Add(1)) - 1 {
				errs[k] = turn.pass(p, func() error { return f(p) })
			}
		})
	}
	wg.Wait()
	return errs
}

func TestTurnstileKeepsTheOrder(t *testing.T) {
	for _, ahead := range []int{0, 1, 8} {
		var passed []int // no lock: one at a time is part of the promise
		for _, err := range passAll(newTurnstile(ahead), 1000, 4, func(p int) error {
			passed = append(passed, p)
			return nil
		}) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if len(passed) != 1000 {
			t.Fatalf("%d of 1000 partitions have passed", len(passed))
		}
		for i, p := range passed {
			if p != i {
				t.Fatalf("partition %d has passed in place of %d", p, i)
			}
		}
	}
}

func TestTurnstileStopsAtTheFirstError(t *testing.T) {
	full := errors.New("disk full")
	last, failures := -1, 0
	for _, err := range passAll(newTurnstile(2), 1000, 4, func(p int) error {
		last = p
		if p == 100 {
			return full
		}
		return nil
	}) {
		switch {
		case errors.Is(err, full):
			failures++
		case !errors.Is(err, errStopped):
			t.Fatalf("a worker has gone on: %v", err)
		}
	}
	if last != 100 || failures != 1 {
		t.Fatalf("partition %d was the last to pass, and %d workers were told", last, failures)
	}
}

func TestTurnstileBoundsWhatWaits(t *testing.T) {
	turn := newTurnstile(2)
	for p := 1; p <= 2; p++ {
		if err := turn.pass(p, func() error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error)
	go func() { done <- turn.pass(3, func() error { return nil }) }()
	turn.mu.Lock()
	waiting := len(turn.early)
	turn.mu.Unlock()
	if waiting != 2 {
		t.Fatalf("%d partitions wait where 2 may", waiting)
	}
	turn.stop()
	if err := <-done; !errors.Is(err, errStopped) {
		t.Fatalf("a partition too far ahead was let in: %v", err)
	}
}
