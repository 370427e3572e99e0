package landing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cohortline/cohortline/pipeline/store"
)

const indexDir = "landing/index/"

// every so many objects of the index one holds all records before it too, so that reading
// the index takes at most as many requests.
const every = 16

func indexName(n int) string { return fmt.Sprintf("%s%06d.json", indexDir, n) }

// indexNumber is the number of an object of the index, 0 for a name that is none.
func indexNumber(name string) int {
	n, err := strconv.Atoi(strings.TrimSuffix(path.Base(name), ".json"))
	if err != nil {
		return 0
	}
	return n
}

// indexObject is one object of the index. They are numbered; each is created unless its
// number is taken, so of two runs at once one comes second and adds to what the first wrote.
type indexObject struct {
	Version int      `json:"version"` // of this format: 1
	Number  int      `json:"number"`
	Whole   bool     `json:"whole"` // it holds all records, those of the objects before it too
	Records []Record `json:"records"`
}

// errRemoved says that gc has removed an object of the index since it was listed.
var errRemoved = errors.New("the index has changed while it was read")

// attempts is how often the index is read or written before giving up because others are
// quicker each time.
const attempts = 100

// ReadIndex reads the index.
func ReadIndex(ctx context.Context, s store.Store) (*Index, error) {
	for range attempts {
		x, err := readIndex(ctx, s)
		if !errors.Is(err, errRemoved) {
			return x, err
		}
	}
	return nil, fmt.Errorf("%s: objects are missing or others keep changing them: %w\nrun again; if it stays so, restore the folder from a backup", s.Path(indexDir), errRemoved)
}

func readIndex(ctx context.Context, s store.Store) (*Index, error) {
	objects, err := s.List(ctx, indexDir)
	if err != nil {
		return nil, err
	}
	x := &Index{}
	for _, o := range objects {
		x.last = max(x.last, indexNumber(o.Name))
	}
	first := max(1, x.last-x.last%every)
	read := make([]indexObject, max(0, x.last-first+1))
	g, ctx := errgroup.WithContext(ctx)
	for i := range read {
		g.Go(func() error { return readObject(ctx, s, indexName(first+i), &read[i]) })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i := range read {
		x.add(read[i].Records)
	}
	x.written = len(x.records)
	return x, nil
}

func readObject(ctx context.Context, s store.Store, name string, o *indexObject) error {
	data, err := store.Read(ctx, s, name)
	if errors.Is(err, store.ErrNotExist) {
		return errRemoved
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, o); err != nil {
		return &DamageError{Object: s.Path(name), What: "is damaged: " + err.Error()}
	}
	return store.CheckVersion(s, name, o.Version, 1)
}

// Add observes a listing and writes what is new to the index, once: what another run has
// written meanwhile is not written again.
func Add(ctx context.Context, s store.Store, l Listing, now time.Time) error {
	found := slices.Clone(l.Objects) // with the times of their last changes
	for k := range attempts {
		x, err := ReadIndex(ctx, s)
		if err != nil {
			return err
		}
		copy(l.Objects, found)
		x.Observe(l, now)
		if written, err := x.write(ctx, s); err != nil || written {
			return err
		}
		select { // let the others come to an end
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rand.N(time.Duration(min(k+1, 20)) * 5 * time.Millisecond)):
		}
	}
	return fmt.Errorf("%s: other runs were quicker %d times\nrun again", s.Path(indexDir), attempts)
}

// write writes the records that are not written yet as the next object of the index. It is
// not written when another run has taken its number.
func (x *Index) write(ctx context.Context, s store.Store) (written bool, err error) {
	if x.written == len(x.records) {
		return true, nil
	}
	o := indexObject{Version: 1, Number: x.last + 1, Records: x.records[x.written:]}
	if o.Whole = o.Number%every == 0; o.Whole {
		o.Records = x.records
	}
	data, err := json.Marshal(o)
	if err != nil {
		return false, err
	}
	failed := s.PutNew(ctx, indexName(o.Number), data)
	if failed == nil {
		return true, nil
	}
	there, err := store.Read(ctx, s, indexName(o.Number)) // the answer may have been lost
	switch {
	case err == nil:
		return bytes.Equal(there, data), nil
	case errors.Is(err, store.ErrNotExist):
		return false, fmt.Errorf("the inputs cannot be recorded: %w", failed)
	}
	return false, fmt.Errorf("the inputs cannot be recorded: %w", errors.Join(failed, err))
}

// DamageError says that an object below landing/ is not what was written there.
type DamageError struct{ Object, What, Hint string }

func (e *DamageError) Error() string {
	if e.Hint == "" {
		return e.Object + " " + e.What + "\nrestore it from a backup"
	}
	return e.Object + " " + e.What + "\n" + e.Hint
}
