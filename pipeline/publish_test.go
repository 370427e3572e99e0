package pipeline

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"gocloud.dev/blob/memblob"

	"github.com/cohortline/cohortline/pipeline/store"
	"github.com/cohortline/cohortline/pipeline/store/storetest"
	"github.com/cohortline/cohortline/schemas"
)

func inMemory(t *testing.T) store.Store {
	b := memblob.OpenBucket(nil)
	t.Cleanup(func() { b.Close() })
	return store.NewBucket(b, "", "mem://test")
}

// careless is a store whose conditional write is none.
type careless struct{ store.Store }

func (c careless) PutNew(ctx context.Context, name string, data []byte) error {
	return c.Put(ctx, name, data)
}

const date = "as_of=2024-07-01"

// open opens a publication at a second of the clock.
func open(t *testing.T, s store.Store, id string, second int) (*Publication, error) {
	t.Helper()
	now := time.Date(2025, 1, 1, 0, 0, second, 0, time.UTC)
	return OpenPublication(t.Context(), s, RunKey{ID: id, Partition: date, Lease: 10 * time.Second, Clock: func() time.Time { return now }})
}

// checkRow is a row of the only table of these publications.
type checkRow struct {
	Check    string `col:"check"`
	Table    string `col:"table"`
	Severity string `col:"severity"`
	Passed   bool   `col:"passed"`
	Observed string `col:"observed"`
	Expected string `col:"expected"`
}

// publish writes one table, which says who wrote it, and commits.
func publish(t *testing.T, p *Publication) error {
	t.Helper()
	if _, err := p.Write(t.Context(), schemas.Encode(schemas.Checks, slices.Values([]checkRow{{Check: "one", Table: "orders", Severity: "error", Passed: true, Observed: p.run.ID}}))); err != nil {
		return err
	}
	return p.Commit(t.Context(), &Manifest{Version: 1, RunID: p.run.ID, Outputs: p.Outputs(), Status: Succeeded})
}

// overtaken opens a publication, lets another run take over after its lease, and says how
// the first ends that wakes up and commits.
func overtaken(t *testing.T, s store.Store) (first error) {
	t.Helper()
	p, err := open(t, s, "first", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, s, "second", 9); !errors.Is(err, ErrLocked) {
		t.Fatalf("within the lease: %v", err)
	}
	q, err := open(t, s, "second", 11)
	if err != nil {
		t.Fatal(err)
	}
	first = publish(t, p)
	if err := publish(t, q); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.Close(), q.Close()); err != nil {
		t.Fatal(err)
	}
	return first
}

// TestFenced wakes a run up whose lease has ended. On a store without conditional writes
// the same scene shows it publishing.
func TestFenced(t *testing.T) {
	s := inMemory(t)
	if err := overtaken(t, s); !errors.Is(err, ErrFenced) {
		t.Errorf("the run that was overtaken: %v", err)
	}
	if m, err := Current(t.Context(), s, date); err != nil || m.RunID != "second" || m.Number != 2 {
		t.Errorf("%+v %v", m, err)
	}
	if err := overtaken(t, careless{inMemory(t)}); errors.Is(err, ErrFenced) {
		t.Error("the twin: a store that overwrites fences all the same, so this test shows nothing")
	}
}

// TestCommitUnknown loses the answer to the commit, once and for good.
func TestCommitUnknown(t *testing.T) {
	p, err := open(t, inMemory(t), "first", 0)
	if err != nil {
		t.Fatal(err)
	}
	f := &storetest.Faults{Store: p.s, Mode: storetest.LostAnswer}
	f.At = 4 // create, write, close, commit
	p.s = f
	if err := publish(t, p); err != nil {
		t.Errorf("the answer was lost, and the manifest is there: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}

	s := inMemory(t)
	if p, err = open(t, s, "first", 0); err != nil {
		t.Fatal(err)
	}
	p.s = &storetest.Faults{Store: s, Mode: storetest.LostLink, At: 4}
	if err := publish(t, p); !errors.Is(err, ErrCommitUnknown) {
		t.Errorf("nobody can know: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	m, err := Published(t.Context(), s, RunKey{ID: "first", Partition: date}, []string{"checks"})
	if err != nil || m == nil {
		t.Errorf("the next run does not find out: %v %v", m, err)
	}
}

// TestLateCopies lets a run stop before its copies until a newer result is published.
func TestLateCopies(t *testing.T) {
	s := inMemory(t)
	p, err := open(t, s, "first", 0)
	if err != nil {
		t.Fatal(err)
	}
	stopped := &storetest.Faults{Store: s}
	stopped.Before = func() {
		if stopped.Operations() != 5 { // create, write, close, commit, list; then the manifest is read
			return
		}
		stopped.Before = nil
		q, err := open(t, s, "second", 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(publish(t, q), q.Close()); err != nil {
			t.Fatal(err)
		}
	}
	p.s = stopped
	if err := errors.Join(publish(t, p), p.Close()); err != nil {
		t.Fatal(err)
	}
	if stopped.Before != nil {
		t.Fatal("the second run did not come in between")
	}
	m, err := Current(t.Context(), s, date)
	if err != nil || m.RunID != "second" {
		t.Fatalf("%+v %v", m, err)
	}
	if same, err := Published(t.Context(), s, RunKey{ID: "second", Partition: date}, []string{"checks"}); err != nil || same == nil {
		t.Errorf("the copies are not those of the newest result: %v", err)
	}
}

// TestInherited publishes a table that a later run does not write.
func TestInherited(t *testing.T) {
	s := inMemory(t)
	p, err := open(t, s, "first", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(publish(t, p), p.Close()); err != nil {
		t.Fatal(err)
	}
	q, err := open(t, s, "second", 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(q.Commit(t.Context(), &Manifest{Version: 1, RunID: "second", Status: Succeeded}), q.Close()); err != nil {
		t.Fatal(err)
	}
	m, err := Current(t.Context(), s, date)
	if err != nil || len(m.Inherited) != 1 || m.Inherited[0].RunID != "first" {
		t.Errorf("%+v %v", m, err)
	}
	if m, err := Published(t.Context(), s, RunKey{ID: "first", Partition: date}, []string{"checks"}); err != nil || m == nil {
		t.Errorf("the first run does not find its table: %v %v", m, err)
	}
}

// TestNewerFormat meets a manifest of a version to come.
func TestNewerFormat(t *testing.T) {
	s := inMemory(t)
	if err := s.Put(t.Context(), commitName(date, 1), []byte(`{"version": 2, "status": "succeeded"}`)); err != nil {
		t.Fatal(err)
	}
	_, err := Published(t.Context(), s, RunKey{ID: "first", Partition: date}, []string{"checks"})
	var f *store.FormatError
	if !errors.As(err, &f) || f.Version != 2 {
		t.Errorf("%v", err)
	}
}
