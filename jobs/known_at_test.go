package jobs

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/pipeline/store"
)

// received writes the orders of a delivery with the time at which they were received.
func (o *outage) received(corrected bool, at time.Time) {
	o.t.Helper()
	o.deliver(corrected)
	if err := os.Chtimes(o.orders, at, at); err != nil {
		o.t.Fatal(err)
	}
}

// hour is an instant of the day on which the clock of these tests stands.
func hour(h int) time.Time { return time.Date(2025, 1, 1, h, 0, 0, 0, time.UTC) }

// TestKnownAt asks what would have been published with what had been received by each
// instant: before, between and after deliveries that replace each other.
func TestKnownAt(t *testing.T) {
	for kind, open := range stores {
		t.Run(kind, func(t *testing.T) {
			s, o := open(t), newOutage(t)
			o.landed()
			want := map[int]map[string]string{} // by the hour of the run
			o.received(false, hour(1))
			o.good(s, 2)
			want[2] = published(t, s)
			o.received(true, hour(4))
			o.good(s, 5)
			want[5] = published(t, s)
			if maps.Equal(want[2], want[5]) {
				t.Fatal("the deliveries make no difference")
			}
			o.received(true, hour(6)) // touched, not changed
			if x := o.good(s, 7); x.Status != "unchanged" {
				t.Errorf("a touched file: %s", x.Status)
			}
			o.received(false, hour(1)) // the old export is put back, with its old time
			o.good(s, 8)
			if err := os.Remove(o.orders); err != nil {
				t.Fatal(err)
			}
			ids := map[string]bool{}
			for _, x := range []struct{ known, as int }{{1, 2}, {3, 2}, {4, 5}, {6, 5}, {8, 2}} {
				at := hour(x.known)
				run, err := o.runOn(s, 9, func(o *Options) { o.KnownAt = &at })
				if err != nil {
					t.Fatalf("known at %d: %v", x.known, err)
				}
				if !maps.Equal(published(t, s), want[x.as]) {
					t.Errorf("known at %d is not what the run of hour %d has published", x.known, x.as)
				}
				if m := current(t, s); m.KnownAt == nil || !m.KnownAt.Equal(at) || ids[run.RunID] {
					t.Errorf("known at %d: %+v", x.known, m)
				}
				ids[run.RunID] = true
			}
			before := hour(0)
			if _, err := o.runOn(s, 9, func(o *Options) { o.KnownAt = &before }); !errors.Is(err, source.ErrMissing) || !strings.Contains(err.Error(), "source orders") {
				t.Errorf("known before anything was received: %v", err)
			}
		})
	}
}

// TestKnownAtByReference needs a version that has been overwritten.
func TestKnownAtByReference(t *testing.T) {
	s, o := stores["memory"](t), newOutage(t)
	o.received(false, hour(1))
	o.good(s, 2)
	want := published(t, s)
	known := hour(3)
	if _, err := o.runOn(s, 4, func(o *Options) { o.KnownAt = &known }); err != nil || !maps.Equal(published(t, s), want) {
		t.Errorf("unchanged: %v", err)
	}
	o.received(true, hour(5))
	var gone *pipeline.GoneError
	if _, err := o.runOn(s, 6, func(o *Options) { o.KnownAt = &known }); !errors.As(err, &gone) || gone.Path != "orders.csv" || !gone.ReceivedAt.Equal(hour(1)) {
		t.Errorf("overwritten: %v", err)
	}
}

// TestKnownAtListing knows of files that were there and have gone, and of some that came later.
func TestKnownAtListing(t *testing.T) {
	s, o := stores["memory"](t), newOutage(t)
	dir := filepath.Dir(o.orders)
	o.configure("", "path: orders.csv", "path: 'orders*.csv', landing: copy")
	o.received(false, hour(1))
	o.good(s, 2)
	one := published(t, s)
	second := filepath.Join(dir, "orders-2.csv")
	if err := os.WriteFile(second, []byte(outageHeader+"900,z,2024-02-02T00:00:00Z,9,web\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(second, hour(3), hour(3)); err != nil {
		t.Fatal(err)
	}
	o.good(s, 4)
	both := published(t, s)
	if err := os.Remove(o.orders); err != nil {
		t.Fatal(err)
	}
	x, err := o.runOn(s, 6, func(o *Options) { o.AllowShrink = true })
	if err != nil || len(x.Warnings) == 0 || !strings.Contains(x.Warnings[0], "orders.csv is gone") {
		t.Fatal(x, err)
	}
	other := published(t, s)
	for known, want := range map[int]map[string]string{2: one, 3: both, 5: both, 6: other} {
		at := hour(known)
		if _, err := o.runOn(s, 7, func(o *Options) { o.KnownAt, o.AllowShrink = &at, true }); err != nil || !maps.Equal(published(t, s), want) {
			t.Errorf("known at %d: %v", known, err)
		}
	}
}

// TestKnownAtBesideGC reads a copy that gc has marked: the result refers to one that stays.
func TestKnownAtBesideGC(t *testing.T) {
	o, s := newOutage(t), stores["memory"](t)
	o.landed()
	o.received(false, hour(1))
	o.good(s, 2)
	want := published(t, s)
	o.received(true, hour(3))
	o.good(s, 4)
	if c := collect(t, s, 2, false); len(c.Unused) != 1 {
		t.Fatalf("%+v", c)
	}
	known := hour(2)
	if _, err := o.runOn(s, 5, func(o *Options) { o.KnownAt = &known }); err != nil {
		t.Fatal(err)
	}
	m := current(t, s)
	for _, day := range []int{4, 6} {
		collect(t, s, day, false)
	}
	if got, err := again(t, s, m, nil); err != nil || !maps.Equal(got, want) {
		t.Errorf("%v", err)
	}
}

// indexReads counts how often the index of what was received is read.
type indexReads struct {
	store.Store
	n int
}

func (r *indexReads) List(ctx context.Context, prefix string) ([]store.Object, error) {
	if prefix == "landing/index/" {
		r.n++
	}
	return r.Store.List(ctx, prefix)
}

// TestKnownAtReadsOnce reads the index to list the inputs, and again only where it is written;
// what has changed since the run before is said all the same.
func TestKnownAtReadsOnce(t *testing.T) {
	s, o := stores["memory"](t), newOutage(t)
	o.landed()
	o.received(false, hour(1))
	o.good(s, 2)
	o.received(true, hour(4))
	counted, known := &indexReads{Store: s}, hour(3)
	x, err := o.runOn(counted, 5, func(o *Options) { o.KnownAt = &known })
	if err != nil {
		t.Fatal(err)
	}
	if counted.n != 2 {
		t.Errorf("the index was read %d times", counted.n)
	}
	if len(x.Warnings) != 1 || !strings.Contains(x.Warnings[0], "orders.csv has changed") {
		t.Errorf("warnings: %q", x.Warnings)
	}
}
