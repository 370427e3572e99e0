package jobs

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/store"
	"github.com/cohortline/cohortline/pipeline/store/storetest"
)

// superseded publishes the first delivery, the second, and the first again.
func superseded(o *outage, s store.Store) {
	for hour, corrected := range []bool{false, true, false} {
		o.deliver(corrected)
		o.good(s, 1+hour)
	}
}

func numbersOf(t *testing.T, s store.Store, prefix string) (list []string) {
	t.Helper()
	objects, err := s.List(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		list = append(list, strings.Split(o.Name, "/")[2])
	}
	return slices.Compact(list)
}

var later = time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)

// TestGC removes superseded results and what dead runs have left, and nothing else.
func TestGC(t *testing.T) {
	for kind, open := range stores {
		t.Run(kind, func(t *testing.T) {
			o, s := newOutage(t), open(t)
			superseded(o, s)
			want := published(t, s)
			for _, x := range []struct {
				r    pipeline.Retention
				left []string
			}{
				{pipeline.Retention{Keep: 365 * 24 * time.Hour, KeepRuns: 1}, []string{"000001", "000002", "000003"}},
				{pipeline.Retention{KeepRuns: 1, DryRun: true}, []string{"000001", "000002", "000003"}},
				{pipeline.Retention{KeepRuns: 2}, []string{"000002", "000003"}},
				{pipeline.Retention{KeepRuns: 1}, []string{"000003"}},
			} {
				x.r.Now = later
				found, err := pipeline.CollectGarbage(t.Context(), s, x.r)
				if err != nil {
					t.Fatal(err)
				}
				if x.r.DryRun && len(found.Objects) == 0 {
					t.Error("a dry run finds nothing")
				}
				if left := numbersOf(t, s, "results/"); !slices.Equal(left, x.left) {
					t.Errorf("%+v leaves %v, want %v", x.r, left, x.left)
				}
			}
			if !maps.Equal(published(t, s), want) || !maps.Equal(plain(t, s), want) {
				t.Error("the result has changed")
			}
			if x, err := o.run(s, 9); err != nil || x.Status != "unchanged" {
				t.Errorf("the run afterwards: %v %v", x, err)
			}
		})
	}
}

// TestGCBesideRuns leaves alone what a run at work writes, and removes it once that is dead.
func TestGCBesideRuns(t *testing.T) {
	o, s := newOutage(t), stores["memory"](t)
	o.deliver(false)
	o.good(s, 1)
	now := time.Date(2025, 1, 1, 2, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	p, err := pipeline.OpenPublication(t.Context(), s, pipeline.RunKey{ID: "at work", Partition: "as_of=2024-07-01", Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "results/as_of=2024-07-01/000002/customers.parquet", []byte("half")); err != nil {
		t.Fatal(err)
	}
	collect := func() *pipeline.Collection {
		t.Helper()
		c, err := pipeline.CollectGarbage(t.Context(), s, pipeline.Retention{KeepRuns: 1, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if c := collect(); len(c.Objects) != 0 || !slices.Equal(c.Locked, []string{"2024-07-01"}) {
		t.Errorf("%+v", c)
	}
	now = now.Add(time.Hour) // past the lease
	if c := collect(); !slices.Equal(c.Objects, []string{"results/as_of=2024-07-01/000002/customers.parquet"}) {
		t.Errorf("%+v", c)
	}
	if err := p.Commit(t.Context(), &pipeline.Manifest{Version: 1, RunID: "at work", Status: pipeline.Succeeded}); err == nil {
		t.Error("a run whose tables were removed has published")
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// TestOutagesOfGC lets every operation of gc fail: the result stays readable, and can be
// computed again; gc run again ends where it would have.
func TestOutagesOfGC(t *testing.T) {
	every, least := 9, int64(30)
	if os.Getenv("COHORTLINE_OUTAGES") == "all" {
		every, least = 1, 250
	}
	var points atomic.Int64
	for _, marked := range []bool{false, true} { // what of landing nothing refers to is to be marked, or to be removed
		for mode := range storetest.Modes {
			t.Run(fmt.Sprintf("%s/marked=%t", mode, marked), func(t *testing.T) {
				o := newOutage(t)
				o.landed()
				for at := 1 + len(mode)%every; ; at += every {
					s := stores["memory"](t)
					superseded(o, s)
					if marked {
						collect(t, s, 2, false)
					}
					if !failingGC(t, s, &storetest.Faults{Store: s, At: at, Mode: storetest.Modes[mode]}, marked) {
						break
					}
					points.Add(1)
				}
			})
		}
	}
	enough(t, &points, least)
}

// failingGC plays one failure; it says whether gc had so many operations.
func failingGC(t *testing.T, s store.Store, f *storetest.Faults, marked bool) bool {
	t.Helper()
	want := published(t, s)
	r := pipeline.Retention{KeepRuns: 1, Now: time.Now().Add(97 * time.Hour)}
	_, failed := pipeline.CollectGarbage(t.Context(), f, r)
	if !f.Failed() {
		return false
	}
	if !maps.Equal(published(t, s), want) {
		t.Fatalf("operation %d: the result has changed", f.At)
	}
	if list, err := pipeline.Manifests(t.Context(), s); err != nil || len(list) == 0 {
		t.Fatalf("operation %d: %v", f.At, err)
	}
	if _, err := pipeline.CollectGarbage(t.Context(), s, r); err != nil {
		t.Fatalf("operation %d: %v, after %v", f.At, err, failed)
	}
	if left := numbersOf(t, s, "results/"); !slices.Equal(left, []string{"000003"}) {
		t.Errorf("operation %d: left %v", f.At, left)
	}
	landed := 2 // a copy and a configuration
	if !marked {
		landed = 4 // another copy and its mark
	}
	if left := landedNames(t, s); len(left) != landed {
		t.Errorf("operation %d: landed are %v", f.At, left)
	}
	if got, err := again(t, s, current(t, s), nil); err != nil || !maps.Equal(got, want) {
		t.Errorf("operation %d: %v", f.At, err)
	}
	return true
}
