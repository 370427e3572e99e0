package jobs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/landing"
	"github.com/cohortline/cohortline/pipeline/store"
	"github.com/cohortline/cohortline/pipeline/store/storetest"
)

// landedWhole checks that what lies below landing/ is what its names say, and that the
// result published last can refer to it.
func landedWhole(t *testing.T, s store.Store) {
	t.Helper()
	objects, err := s.List(t.Context(), "landing/objects/")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		data, err := store.Read(t.Context(), s, o.Name)
		if sum := sha256.Sum256(data); err != nil || hex.EncodeToString(sum[:]) != path.Base(o.Name) {
			t.Errorf("%s is torn: %v", o.Name, err)
		}
	}
	m := current(t, s)
	index, err := landing.ReadIndex(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	copies, err := landing.ListCopies(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range m.Inputs {
		if r := index.Latest("cohorts", in.Table, in.Source, in.Path); r == nil || r.SHA256 != in.SHA256 || !r.ReceivedAt.Equal(in.ReceivedAt) {
			t.Errorf("the index says %+v of %+v", r, in)
		}
		if in.Copied && !copies.Has(in.SHA256) {
			t.Errorf("there is no copy of %+v", in)
		}
	}
	if _, err := landing.ReadConfig(t.Context(), s, m.ConfigSHA256); err != nil {
		t.Error(err)
	}
}

// disorderly is a store that writes tables only after the manifest that names them.
type disorderly struct {
	store.Store
	mu   sync.Mutex
	held map[string][]byte
	due  bool
}

type heldWriter struct {
	bytes.Buffer
	to   *disorderly
	name string
}

func (w *heldWriter) Close() error {
	w.to.mu.Lock()
	defer w.to.mu.Unlock()
	w.to.held[w.name] = w.Bytes()
	return nil
}

func (d *disorderly) Create(ctx context.Context, name string) (io.WriteCloser, error) {
	if strings.HasPrefix(name, "results/") {
		return &heldWriter{to: d, name: name}, nil
	}
	return d.Store.Create(ctx, name)
}

func (d *disorderly) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if data, ok := d.held[name]; ok {
		return io.NopCloser(bytes.NewReader(data)), nil
	}
	return d.Store.Open(ctx, name)
}

func (d *disorderly) PutNew(ctx context.Context, name string, data []byte) error {
	err := d.Store.PutNew(ctx, name, data)
	if strings.HasPrefix(name, "runs/") && strings.HasSuffix(name, ".json") {
		d.due = true
	}
	return err
}

func (d *disorderly) List(ctx context.Context, prefix string) ([]store.Object, error) {
	if d.due {
		for name, data := range d.held {
			if err := d.Put(ctx, name, data); err != nil {
				return nil, err
			}
			delete(d.held, name)
		}
	}
	return d.Store.List(ctx, prefix)
}

// TestTablesBeforeManifest kills a run at each operation, on a store that writes in the
// order in which it is asked to, and on one that writes the manifest first: there a reader
// meets a manifest without its tables.
func TestTablesBeforeManifest(t *testing.T) {
	o := newOutage(t)
	o.deliver(false)
	torn := func(wrap func(store.Store) store.Store) (n, points int) {
		for at := 1; ; at++ {
			s := stores["memory"](t)
			f := &storetest.Faults{Store: wrap(s), At: at, Mode: storetest.Kill}
			_, err := o.run(f, 1)
			if !f.Failed() {
				if err != nil {
					t.Fatal(err)
				}
				return n, points
			}
			points++
			if _, err := readPublished(t, s); err != nil {
				n++
			}
		}
	}
	if n, points := torn(func(s store.Store) store.Store { return s }); n > 0 || points < 40 {
		t.Errorf("%d of %d kills tear the result", n, points)
	}
	if n, _ := torn(func(s store.Store) store.Store { return &disorderly{Store: s, held: map[string][]byte{}} }); n == 0 {
		t.Error("the twin: the order of writes makes no difference, so this test shows nothing")
	}
}

// collect runs gc some days after the objects were written, which the store has dated.
func collect(t *testing.T, s store.Store, days int, dry bool) *pipeline.Collection {
	t.Helper()
	c, err := pipeline.CollectGarbage(t.Context(), s, pipeline.Retention{KeepRuns: 1, Now: time.Now().Add(time.Duration(days)*24*time.Hour + time.Hour), DryRun: dry})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func landedNames(t *testing.T, s store.Store) (names []string) {
	t.Helper()
	for _, dir := range []string{"landing/objects/", "landing/configs/"} {
		objects, err := s.List(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			names = append(names, o.Name)
		}
	}
	return names
}

// TestGCOfLanding marks what nothing refers to and removes it a day later; what a result is
// made of stays, and what a run needs again it writes anew.
func TestGCOfLanding(t *testing.T) {
	for kind, open := range stores {
		t.Run(kind, func(t *testing.T) {
			o, s := newOutage(t), open(t)
			o.landed()
			superseded(o, s) // first delivery, corrected one, first again
			want, m := published(t, s), current(t, s)
			kept := "landing/objects/" + m.Inputs[0].SHA256
			all := landedNames(t, s)
			other := all[slices.IndexFunc(all, func(n string) bool { return n != kept })]
			if len(all) != 3 {
				t.Fatalf("landed: %v", all)
			}
			if c := collect(t, s, 0, false); len(c.Unused) > 0 {
				t.Errorf("marked on the day on which it was written: %v", c.Unused)
			}
			if c := collect(t, s, 2, true); !slices.Equal(c.Unused, []string{other}) || !slices.Equal(landedNames(t, s), all) {
				t.Errorf("dry run: %+v, leaves %v", c, landedNames(t, s))
			}
			for range 2 { // the second changes nothing
				if c := collect(t, s, 2, false); !slices.Equal(c.Unused, []string{other}) || len(landedNames(t, s)) != 4 {
					t.Errorf("%+v leaves %v", c, landedNames(t, s))
				}
			}
			o.deliver(true) // the marked copy is needed again, by a run that cannot know when gc goes on
			o.good(s, 5)
			if !slices.Contains(landedNames(t, s), other+".2") {
				t.Errorf("the run relies on a marked copy: %v", landedNames(t, s))
			}
			corrected, second := published(t, s), current(t, s)
			if got, err := again(t, s, second, nil); err != nil || !maps.Equal(got, corrected) {
				t.Errorf("%v", err)
			}
			c := collect(t, s, 4, false)
			if !slices.Contains(c.Objects, other) || slices.Contains(landedNames(t, s), other) || !slices.Contains(landedNames(t, s), other+".2") {
				t.Errorf("%+v leaves %v", c, landedNames(t, s))
			}
			collect(t, s, 6, false)
			if left := landedNames(t, s); !slices.Equal(left, []string{other + ".2", "landing/configs/" + m.ConfigSHA256 + ".json"}) {
				t.Errorf("at last there is %v", left)
			}
			if got, err := again(t, s, second, nil); err != nil || !maps.Equal(got, corrected) || maps.Equal(got, want) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestGCKeepsWhatIsReferred looks for unused copies: one that was marked and that a run has
// referred to since stays. The twin knows no references and finds it unused.
func TestGCKeepsWhatIsReferred(t *testing.T) {
	o, s := newOutage(t), stores["memory"](t)
	o.landed()
	o.deliver(false)
	o.good(s, 1)
	m := current(t, s)
	name := "landing/objects/" + m.Inputs[0].SHA256
	now := time.Now().Add(72 * time.Hour)
	u, err := landing.FindUnused(t.Context(), s, landing.References{}, now.Add(-36*time.Hour), 24*time.Hour)
	if err != nil || !slices.Contains(u.Named, name) {
		t.Fatalf("%+v %v", u, err)
	}
	for _, mark := range u.Mark {
		if err := s.Put(t.Context(), mark, nil); err != nil {
			t.Fatal(err)
		}
	}
	if c := collect(t, s, 3, false); len(c.Objects) > 0 {
		t.Errorf("removed: %v", c.Objects)
	}
	if _, err := again(t, s, m, nil); err != nil {
		t.Error(err)
	}
	u, err = landing.FindUnused(t.Context(), s, landing.References{}, now, 24*time.Hour)
	if err != nil || !slices.ContainsFunc(u.Remove, func(o store.Object) bool { return o.Name == name }) {
		t.Errorf("the twin: without references %+v is found, so this test shows nothing", u)
	}
}

// TestGCWaitsForRuns marks and removes nothing while a run is at work.
func TestGCWaitsForRuns(t *testing.T) {
	o, s := newOutage(t), stores["memory"](t)
	o.landed()
	superseded(o, s)
	collect(t, s, 2, false)
	before := landedNames(t, s)
	p, err := pipeline.OpenPublication(t.Context(), s, pipeline.RunKey{ID: "at work", Partition: "as_of=2024-08-01", Clock: func() time.Time { return time.Now().Add(200 * time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	if c := collect(t, s, 4, false); len(c.Locked) != 1 || !slices.Equal(landedNames(t, s), before) {
		t.Errorf("%+v leaves %v", c, landedNames(t, s))
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if collect(t, s, 4, false); slices.Equal(landedNames(t, s), before) {
		t.Error("nothing is removed when the run has ended")
	}
}

// TestTwoRunsRecord lets runs of many dates record different deliveries side by side: no
// record is lost, none is written twice.
func TestTwoRunsRecord(t *testing.T) {
	for kind, open := range stores {
		t.Run(kind, func(t *testing.T) {
			s := open(t)
			var g sync.WaitGroup
			const runs, each = 12, 5
			for i := range runs {
				g.Go(func() {
					for k := range each {
						l := landing.Listing{Job: "cohorts", Sources: [][2]string{{"orders", string(rune('a' + i))}}}
						for n := range k + 1 {
							l.Objects = append(l.Objects, landing.Record{Table: "orders", Source: string(rune('a' + i)), Path: string(rune('p' + n)), SHA256: "1", Size: 1, ReceivedAt: hour(n)})
						}
						if err := landing.Add(t.Context(), s, l, hour(20)); err != nil {
							t.Error(err)
						}
					}
				})
			}
			g.Wait()
			index, err := landing.ReadIndex(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			found := index.At("cohorts", hour(21))
			if len(found) != runs*each {
				t.Errorf("%d records, want %d", len(found), runs*each)
			}
			if early := index.At("cohorts", hour(2)); len(early) != runs*3 {
				t.Errorf("%d records had been received by then, want %d", len(early), runs*3)
			}
		})
	}
}

// TestGCOfIndex removes objects of the index that a later one repeats.
func TestGCOfIndex(t *testing.T) {
	s := stores["memory"](t)
	for n := range 40 {
		l := landing.Listing{Job: "cohorts", Objects: []landing.Record{{Table: "orders", Source: "a", Path: "p", SHA256: hex.EncodeToString([]byte{byte(n)}), Size: 1, ReceivedAt: hour(n)}}}
		if err := landing.Add(t.Context(), s, l, hour(n).Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if c := collect(t, s, 0, false); len(c.Objects) > 0 {
		t.Errorf("removed on the day: %v", c.Objects)
	}
	if c := collect(t, s, 2, false); len(c.Objects) != 31 {
		t.Errorf("%d objects are removed, want the 31 before the 32nd", len(c.Objects))
	}
	index, err := landing.ReadIndex(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 40 {
		if at := index.At("cohorts", hour(n).Add(time.Minute)); len(at) != 1 || at[0].SHA256 != hex.EncodeToString([]byte{byte(n)}) {
			t.Errorf("at %d: %+v", n, at)
		}
	}
}

// TestDuplicateCopies keeps one copy of two files of the same content.
func TestDuplicateCopies(t *testing.T) {
	o, s := newOutage(t), stores["memory"](t)
	o.configure("", "path: orders.csv", "path: 'orders*.csv', landing: copy")
	o.deliver(false)
	data, err := os.ReadFile(o.orders)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(strings.Replace(o.orders, "orders.csv", "orders-again.csv", 1), data, 0o644); err != nil {
		t.Fatal(err)
	}
	x := o.good(s, 1)
	if m := current(t, s); len(m.Inputs) != 2 || m.Inputs[0].SHA256 != m.Inputs[1].SHA256 || x.RowsSuperseded != 60 || len(landedNames(t, s)) != 2 {
		t.Errorf("%+v, %d superseded, %v", m.Inputs, x.RowsSuperseded, landedNames(t, s))
	}
}

// TestNewerLanding meets records of a version to come.
func TestNewerLanding(t *testing.T) {
	for _, name := range []string{"landing/index/000001.json", "landing/configs/*.json"} {
		o, s := newOutage(t), stores["memory"](t)
		o.deliver(false)
		o.good(s, 1)
		m := current(t, s)
		if err := s.Put(t.Context(), strings.Replace(name, "*", m.ConfigSHA256, 1), []byte(`{"version": 2}`)); err != nil {
			t.Fatal(err)
		}
		o.deliver(true)
		_, failed := o.run(s, 2)
		if strings.Contains(name, "configs") {
			_, _, failed = Past(t.Context(), s, m, os.LookupEnv)
		}
		var f *store.FormatError
		if !errors.As(failed, &f) || f.Version != 2 {
			t.Errorf("%s: %v", name, failed)
		}
	}
}
