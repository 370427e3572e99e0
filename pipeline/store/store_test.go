package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"gocloud.dev/blob/memblob"

	"github.com/cohortline/cohortline/internal/objectstore"

	"github.com/cohortline/cohortline/pipeline/store"
	"github.com/cohortline/cohortline/pipeline/store/storetest"
)

func folder(t *testing.T) store.Store {
	s, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func memory(t *testing.T) store.Store {
	b := memblob.OpenBucket(nil)
	t.Cleanup(func() { b.Close() })
	return store.NewBucket(b, "some/prefix", "mem://test/some/prefix")
}

func TestFolder(t *testing.T) { storetest.Run(t, folder) }

func TestMemory(t *testing.T) { storetest.Run(t, memory) }

// TestNotMadeByReading looks at an output that is not there.
func TestNotMadeByReading(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there")
	s, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := s.List(t.Context(), ""); err != nil || len(list) != 0 {
		t.Errorf("%v %v", list, err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("looking has made the folder")
	}
}

// TestHold holds a name, as another process sees it.
func TestHold(t *testing.T) {
	s := folder(t)
	is := func(want store.Holder) {
		t.Helper()
		if got, err := s.Holder(t.Context(), "runs/1.held"); err != nil || got != want {
			t.Errorf("holder %v, want %v; %v", got, want, err)
		}
	}
	is(store.Nobody)
	release, err := s.Hold(t.Context(), "runs/1.held")
	if err != nil {
		t.Fatal(err)
	}
	is(store.Somebody)
	if _, err := s.Hold(t.Context(), "runs/1.held"); err == nil {
		t.Error("held twice")
	}
	release()
	is(store.Nobody)
}

// TestFaults makes sure that a faulty store fails when and how it is told.
func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		mode  storetest.Mode
		fails [4]bool // of four puts, the second failing
		there [4]bool
	}{
		"once":         {storetest.Once, [4]bool{false, true, false, false}, [4]bool{true, false, true, true}},
		"from then on": {storetest.FromThenOn, [4]bool{false, true, true, true}, [4]bool{true, false, false, false}},
		"lost answer":  {storetest.LostAnswer, [4]bool{false, true, false, false}, [4]bool{true, true, true, true}},
		"lost link":    {storetest.LostLink, [4]bool{false, true, true, true}, [4]bool{true, true, false, false}},
		"no space":     {storetest.NoSpace, [4]bool{false, true, true, true}, [4]bool{true, false, false, false}},
	} {
		t.Run(name, func(t *testing.T) {
			s := memory(t)
			f := &storetest.Faults{Store: s, At: 2, Mode: c.mode}
			for i, fails := range c.fails {
				if err := f.Put(t.Context(), string(rune('a'+i)), nil); (err != nil) != fails {
					t.Errorf("put %d: %v", i, err)
				}
			}
			for i, there := range c.there {
				if _, err := store.Read(t.Context(), s, string(rune('a'+i))); (err == nil) != there {
					t.Errorf("object %d: %v", i, err)
				}
			}
		})
	}
}

// bucketAt opens a store of its own below the bucket of a server.
func bucketAt(server objectstore.Store) func(t *testing.T) store.Store {
	n := 0
	return func(t *testing.T) store.Store {
		n++
		s, err := store.Open(t.Context(), fmt.Sprintf("%s/of test %d%s", server.Address, n, server.Options))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	}
}

func TestS3(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "exports"), 0o755); err != nil {
		t.Fatal(err)
	}
	storetest.Run(t, bucketAt(objectstore.S3(t, root)))
}

func TestGCS(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "exports"), 0o755); err != nil {
		t.Fatal(err)
	}
	storetest.Run(t, bucketAt(objectstore.GCS(t, root)))
}
