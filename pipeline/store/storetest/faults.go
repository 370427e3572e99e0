package storetest

import (
	"context"
	"errors"
	"io"
	"sync"
	"syscall"

	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/pipeline/store"
)

// Mode says how an operation of a faulty store fails.
type Mode int

const (
	Once       Mode = iota // operation N fails without an effect, those after it succeed
	FromThenOn             // operation N and all after it fail without an effect
	Kill                   // as after a kill: N and all after it do nothing, also what would clean up
	LostAnswer             // N happens, and its answer is lost
	LostLink               // N happens, its answer is lost, and nothing succeeds any more
	Short                  // N writes half of its bytes, then fails
	NoSpace                // N and every write after it fail for want of space; removing works
)

// Modes lists all modes with their names.
var Modes = map[string]Mode{"once": Once, "from then on": FromThenOn, "kill": Kill, "lost answer": LostAnswer, "lost link": LostLink, "short write": Short, "no space": NoSpace}

// ErrInjected is the failure of a faulty store.
var ErrInjected = errors.New("injected failure")

// Faults is a store whose operations are counted, and of which one or more fail. Writing to
// an object and closing it are operations of their own.
type Faults struct {
	store.Store
	At     int  // the operation that fails, from 1; 0: none does
	Mode   Mode // how
	Before func()

	mu   sync.Mutex
	n    int
	held map[string]bool
}

// Operations is how many operations there have been.
func (f *Faults) Operations() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n
}

// Failed says whether an operation has been made to fail.
func (f *Faults) Failed() bool { return f.At > 0 && f.Operations() >= f.At }

// Hold marks names in the faulty store itself, so that the death of its process can be
// played: once an operation has failed by Kill, nobody holds anything.
func (f *Faults) Hold(_ context.Context, name string) (func(), error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held == nil {
		f.held = map[string]bool{}
	}
	f.held[name] = true
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.held, name)
	}, nil
}

// Holder says of a folder whether a name is held.
func (f *Faults) Holder(ctx context.Context, name string) (store.Holder, error) {
	if !f.Local() {
		return f.Store.Holder(ctx, name)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	dead := f.Mode == Kill && f.At > 0 && f.n >= f.At
	if f.held[name] && !dead {
		return store.Somebody, nil
	}
	return store.Nobody, nil
}

// kind of an operation.
type kind int

const (
	reads kind = iota
	writes
	removes
)

// verdict is what is to become of an operation.
type verdict struct{ effect, answer bool }

func (f *Faults) next(k kind) verdict {
	if f.Before != nil {
		f.Before()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	good := verdict{true, true}
	if f.At == 0 || f.n < f.At {
		return good
	}
	first := f.n == f.At
	switch f.Mode {
	case Once, Short:
		return verdict{!first, !first}
	case FromThenOn, Kill:
		return verdict{false, false}
	case LostAnswer:
		return verdict{true, !first}
	case LostLink:
		return verdict{first, false}
	default: // NoSpace
		bad := k == writes
		return verdict{!bad, !bad}
	}
}

func (f *Faults) failure() error {
	if f.Mode == NoSpace {
		return syscall.ENOSPC
	}
	return ErrInjected
}

// do does an operation as far as it is to happen.
func (f *Faults) do(k kind, op func() error) error {
	v := f.next(k)
	var err error
	if v.effect {
		err = op()
	}
	if !v.answer {
		return f.failure()
	}
	return err
}

func (f *Faults) Put(ctx context.Context, name string, data []byte) error {
	return f.do(writes, func() error { return f.Store.Put(ctx, name, data) })
}

func (f *Faults) PutNew(ctx context.Context, name string, data []byte) error {
	return f.do(writes, func() error { return f.Store.PutNew(ctx, name, data) })
}

func (f *Faults) Copy(ctx context.Context, from, to string) error {
	return f.do(writes, func() error { return f.Store.Copy(ctx, from, to) })
}

func (f *Faults) Remove(ctx context.Context, name string) error {
	return f.do(removes, func() error { return f.Store.Remove(ctx, name) })
}

func (f *Faults) Open(ctx context.Context, name string) (r io.ReadCloser, err error) {
	err = f.do(reads, func() (err error) {
		r, err = f.Store.Open(ctx, name)
		return err
	})
	if err != nil && r != nil {
		r.Close()
		r = nil
	}
	return r, err
}

func (f *Faults) Input(ctx context.Context, name string) (o source.Object, err error) {
	err = f.do(reads, func() (err error) {
		o, err = f.Store.Input(ctx, name)
		return err
	})
	return o, err
}

func (f *Faults) List(ctx context.Context, prefix string) (list []store.Object, err error) {
	err = f.do(reads, func() (err error) {
		list, err = f.Store.List(ctx, prefix)
		return err
	})
	return list, err
}

func (f *Faults) Create(ctx context.Context, name string) (w io.WriteCloser, err error) {
	writing, cancel := context.WithCancel(ctx)
	err = f.do(writes, func() (err error) {
		w, err = f.Store.Create(writing, name)
		return err
	})
	if err != nil {
		cancel()
		if w != nil {
			_ = w.Close()
		}
		return nil, err
	}
	return &faultyWriter{f, w, cancel}, nil
}

// faultyWriter gives an object up when its writing fails.
type faultyWriter struct {
	f      *Faults
	w      io.WriteCloser
	cancel context.CancelFunc
}

func (w *faultyWriter) Write(b []byte) (n int, err error) {
	v := w.f.next(writes)
	if v.effect {
		n, err = w.w.Write(b)
	} else if w.f.Mode == Short {
		n, _ = w.w.Write(b[:len(b)/2])
	}
	if !v.answer {
		return n, w.f.failure()
	}
	return n, err
}

func (w *faultyWriter) Close() error {
	defer w.cancel()
	v := w.f.next(writes)
	if !v.effect {
		w.cancel()
	}
	err := w.w.Close()
	if !v.answer {
		return w.f.failure()
	}
	return err
}
