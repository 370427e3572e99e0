// Package storetest is what every store must pass, and a store that fails on demand.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/cohortline/cohortline/pipeline/store"
)

// Run holds a store against the promises of store.Store. open gives an empty one.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for name, test := range map[string]func(t *testing.T, s store.Store){
		"create": create, "giving up leaves nothing": giveUp, "put replaces": put, "put new once": putNew, "put new: one of many": race,
		"list": list, "copy": copies, "remove": remove, "input": input, "missing": missing, "names stay below": names,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, s store.Store, name string) string {
	t.Helper()
	data, err := store.Read(t.Context(), s, name)
	must(t, err)
	return string(data)
}

// input reads an object as the readers of inputs do.
func input(t *testing.T, s store.Store) {
	must(t, s.Put(t.Context(), "a/b", []byte("content")))
	o, err := s.Input(t.Context(), "a/b")
	must(t, err)
	r, err := o.Stored(t.Context())
	must(t, err)
	defer r.Close()
	if data, err := io.ReadAll(r); err != nil || string(data) != "content" || o.Size != 7 {
		t.Errorf("%q of %d bytes, %v", data, o.Size, err)
	}
	if _, err := s.Input(t.Context(), "a/c"); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
}

func listed(t *testing.T, s store.Store, prefix string) (names []string) {
	t.Helper()
	objects, err := s.List(t.Context(), prefix)
	must(t, err)
	for _, o := range objects {
		names = append(names, fmt.Sprintf("%s:%d", o.Name, o.Size))
	}
	return names
}

func create(t *testing.T, s store.Store) {
	w, err := s.Create(t.Context(), "a/b/c")
	must(t, err)
	large := bytes.Repeat([]byte("0123456789"), 1<<20)
	_, err = w.Write(large)
	must(t, err)
	if got := listed(t, s, ""); len(got) != 0 {
		t.Errorf("there before Close: %v", got)
	}
	must(t, w.Close())
	if got := read(t, s, "a/b/c"); got != string(large) {
		t.Errorf("%d bytes come back as %d", len(large), len(got))
	}
}

func giveUp(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	w, err := s.Create(ctx, "a/b")
	must(t, err)
	_, err = io.WriteString(w, "half")
	must(t, err)
	cancel()
	if err := w.Close(); err == nil {
		t.Error("Close of a writer that was given up succeeds")
	}
	if got := listed(t, s, ""); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
}

func put(t *testing.T, s store.Store) {
	must(t, s.Put(t.Context(), "a/b", []byte("one")))
	must(t, s.Put(t.Context(), "a/b", []byte("three")))
	must(t, s.Put(t.Context(), "a/empty", nil))
	if got := read(t, s, "a/b") + read(t, s, "a/empty"); got != "three" {
		t.Errorf("%q", got)
	}
}

func putNew(t *testing.T, s store.Store) {
	must(t, s.PutNew(t.Context(), "a/b", []byte("one")))
	if err := s.PutNew(t.Context(), "a/b", []byte("two")); !errors.Is(err, store.ErrExists) {
		t.Errorf("the second time: %v", err)
	}
	if got := read(t, s, "a/b"); got != "one" {
		t.Errorf("%q", got)
	}
	if got := listed(t, s, ""); !slices.Equal(got, []string{"a/b:3"}) {
		t.Errorf("%v", got)
	}
}

func race(t *testing.T, s store.Store) {
	var wins sync.Map
	var writers sync.WaitGroup
	for i := range 16 {
		writers.Go(func() {
			err := s.PutNew(t.Context(), "a/one", fmt.Append(nil, i))
			if err == nil {
				wins.Store(i, true)
			} else if !errors.Is(err, store.ErrExists) {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	n := 0
	wins.Range(func(k, _ any) bool {
		n++
		if got := read(t, s, "a/one"); got != fmt.Sprint(k) {
			t.Errorf("%v has won and %s is there", k, got)
		}
		return true
	})
	if n != 1 {
		t.Errorf("%d writers have won", n)
	}
}

func list(t *testing.T, s store.Store) {
	if got := listed(t, s, "nothing/"); len(got) != 0 {
		t.Errorf("%v", got)
	}
	for _, name := range []string{"b/2", "b/10", "a", "b/c/d", "bb/1"} {
		must(t, s.Put(t.Context(), name, []byte(name)))
	}
	if got := listed(t, s, "b/"); !slices.Equal(got, []string{"b/10:4", "b/2:3", "b/c/d:5"}) {
		t.Errorf("%v", got)
	}
	if got := listed(t, s, ""); len(got) != 5 || !slices.IsSorted(got) {
		t.Errorf("%v", got)
	}
}

func copies(t *testing.T, s store.Store) {
	must(t, s.Put(t.Context(), "a/b", []byte("one")))
	for range 2 { // the second time onto a copy of the same
		must(t, s.Copy(t.Context(), "a/b", "c/d/e"))
	}
	must(t, s.Put(t.Context(), "a/b", []byte("two")))
	if got := read(t, s, "c/d/e"); got != "one" {
		t.Errorf("the copy changes with its original: %q", got)
	}
	must(t, s.Copy(t.Context(), "a/b", "c/d/e"))
	if got := listed(t, s, ""); read(t, s, "c/d/e") != "two" || !slices.Equal(got, []string{"a/b:3", "c/d/e:3"}) {
		t.Errorf("%v", got)
	}
	if err := s.Copy(t.Context(), "a/nothing", "c/d/e"); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("copy of nothing: %v", err)
	}
	if got := read(t, s, "c/d/e"); got != "two" {
		t.Errorf("%q after a copy that failed", got)
	}
}

func remove(t *testing.T, s store.Store) {
	must(t, s.Put(t.Context(), "a/b", []byte("one")))
	must(t, s.Put(t.Context(), "a/c", []byte("two")))
	for range 2 {
		must(t, s.Remove(t.Context(), "a/b"))
	}
	if got := listed(t, s, ""); !slices.Equal(got, []string{"a/c:3"}) {
		t.Errorf("%v", got)
	}
	must(t, s.PutNew(t.Context(), "a/b", []byte("again")))
}

func missing(t *testing.T, s store.Store) {
	if _, err := s.Open(t.Context(), "a/b"); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func names(t *testing.T, s store.Store) {
	if !s.Local() {
		return // keys of a bucket lead nowhere else
	}
	for _, name := range []string{"../a", "/a", "a/../../b", ""} {
		if err := s.Put(t.Context(), name, []byte("x")); err == nil {
			t.Errorf("%q is written", name)
		}
	}
}
