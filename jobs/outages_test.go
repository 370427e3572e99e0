package jobs

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gocloud.dev/blob/memblob"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/store"
	"github.com/cohortline/cohortline/pipeline/store/storetest"
)

// outage is a small job whose store fails on demand.
type outage struct {
	t      *testing.T
	config string
	orders string
	want   map[string]string // see undisturbed
}

const outageConfig = "version: 1\nreporting: {timezone: UTC, currency: EUR, grains: [week, month]}\nsources: [{table: orders, path: orders.csv}]\ndimensions: [channel]\noutput: {path: unused}\n"

const outageHeader = "order_id,customer_id,ordered_at,gross_amount,channel\n"

func newOutage(t *testing.T) *outage {
	dir := t.TempDir()
	o := &outage{t: t, config: filepath.Join(dir, "c.yaml"), orders: filepath.Join(dir, "orders.csv")}
	o.configure("")
	return o
}

// deliver writes the orders of the first, or the corrected, delivery.
func (o *outage) deliver(corrected bool) {
	o.t.Helper()
	b := outageHeader
	for i := range 60 {
		b += fmt.Sprintf("%d,c%d,2024-0%d-%02dT10:00:00Z,%d,%s\n", i, i%13, 1+i%5, 1+i%28, 5+i, []string{"web", "shop"}[i%2])
	}
	if corrected {
		b += "61,new,2024-03-03T00:00:00Z,7,web\n3,c3,2024-04-04T10:00:00Z,1,shop\n"
	}
	if err := os.WriteFile(o.orders, []byte(b), 0o644); err != nil {
		o.t.Fatal(err)
	}
}

// run runs the job at a time of the clock.
func (o *outage) run(s store.Store, hour int) (*Summary, error) {
	o.t.Helper()
	return o.runOn(s, hour, func(*Options) {})
}

// runOn is run with other options.
func (o *outage) runOn(s store.Store, hour int, change func(*Options)) (*Summary, error) {
	o.t.Helper()
	c, err := LoadConfig(o.config, os.LookupEnv)
	if err != nil {
		o.t.Fatal(err)
	}
	now := time.Date(2025, 1, 1, hour, 0, 0, 0, time.UTC)
	x := Options{AsOf: time.Date(2024, 7, 1, 0, 0, 0, 0, time.UTC), Threads: 1, Memory: 256 << 20, CodeVersion: "test", Store: s, Now: func() time.Time { return now }}
	change(&x)
	return Cohorts(o.t.Context(), c, x)
}

// published reads the result as a reader of manifests does: the tables by name, all whole,
// but for the table runs, which holds a clock. Nil: nothing is published.
func published(t *testing.T, s store.Store) map[string]string {
	t.Helper()
	tables, err := readPublished(t, s)
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

func readPublished(t *testing.T, s store.Store) (map[string]string, error) {
	m, err := pipeline.Current(t.Context(), s, "as_of=2024-07-01")
	if err != nil || m == nil {
		return nil, err
	}
	tables := map[string]string{}
	for _, o := range m.Outputs {
		data, err := store.Read(t.Context(), s, o.Result)
		if err != nil {
			return nil, fmt.Errorf("a published table cannot be read: %w", err)
		}
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != o.SHA256 {
			return nil, fmt.Errorf("%s is torn", o.Result)
		}
		if o.Table != "runs" {
			tables[o.Table] = string(data)
		}
	}
	return tables, nil
}

// plain reads the tables as a reader does who knows no manifests.
func plain(t *testing.T, s store.Store) map[string]string {
	t.Helper()
	objects, err := s.List(t.Context(), "tables/")
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string]string{}
	for _, o := range objects {
		name := strings.Split(o.Name, "/")[1]
		data, err := store.Read(t.Context(), s, o.Name)
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := tables[name]; twice {
			t.Fatalf("%s has two files", name)
		}
		if name != "runs" {
			tables[name] = string(data)
		}
	}
	return tables
}

// orphans lists what no manifest names, but for the records of abandoned numbers.
func orphans(t *testing.T, s store.Store) (names []string) {
	t.Helper()
	objects, err := s.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	list, err := pipeline.Manifests(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		known["runs/"+m.RunID+".json"] = true
		for _, o := range m.Outputs {
			known[o.Path], known[o.Result] = true, true
		}
	}
	for _, o := range objects {
		record := strings.HasPrefix(o.Name, "landing/") || strings.HasPrefix(o.Name, "runs/as_of=") && slices.Contains([]string{".json", ".done", ".lease"}, filepath.Ext(o.Name))
		if !known[o.Name] && !record {
			names = append(names, o.Name)
		}
	}
	return names
}

// stores are the kinds of stores that the outages are played on.
var stores = map[string]func(t *testing.T) store.Store{
	"folder": func(t *testing.T) store.Store {
		s, err := store.Open(t.Context(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return s
	},
	"memory": func(t *testing.T) store.Store {
		b := memblob.OpenBucket(nil)
		t.Cleanup(func() { b.Close() })
		return store.NewBucket(b, "", "mem://test")
	},
}

// outageScenarios bring a store to where the failing run begins.
var outageScenarios = map[string]func(o *outage, s store.Store){
	"first run": func(o *outage, _ store.Store) { o.deliver(false) },
	"run again": func(o *outage, s store.Store) {
		o.deliver(true)
		o.good(s, 1)
	},
	"restatement": func(o *outage, s store.Store) {
		o.deliver(false)
		o.good(s, 1)
		o.deliver(true)
	},
	"copy": func(o *outage, s store.Store) {
		o.landed()
		o.deliver(false)
		o.good(s, 1)
		o.deliver(true)
	},
}

func (o *outage) good(s store.Store, hour int) *Summary {
	o.t.Helper()
	x, err := o.run(s, hour)
	if err != nil {
		o.t.Fatal(err)
	}
	return x
}

// TestOutages lets every operation of a run fail, in every way, and looks each time: a
// reader sees the old result or the new one, whole, also while the run works; what the run
// says of itself is true; the next run ends as if nothing had happened.
func TestOutages(t *testing.T) {
	if testing.Short() {
		t.Skip("the points are one after the other: nothing for the race detector")
	}
	every, least := 61, int64(30)
	if os.Getenv("COHORTLINE_OUTAGES") == "all" {
		every, least = 1, 2000
	}
	var points atomic.Int64
	t.Run("points", func(t *testing.T) {
		for kind, open := range stores {
			for scenario, begin := range outageScenarios {
				for mode := range storetest.Modes {
					t.Run(kind+"/"+scenario+"/"+mode, func(t *testing.T) {
						t.Parallel()
						o := newOutage(t)
						for at := 1 + len(mode)%every; o.point(open(t), begin, storetest.Modes[mode], at); at += every {
							points.Add(1)
						}
					})
				}
			}
		}
	})
	enough(t, &points, least)
}

// enough says how many points of failure there were, and fails when they were too few: a
// suite that plays none proves nothing.
func enough(t *testing.T, points *atomic.Int64, least int64) {
	t.Helper()
	t.Logf("%d points of failure", points.Load())
	if points.Load() < least {
		t.Errorf("only %d points of failure", points.Load())
	}
}

// point plays one failure; it says whether the run had so many operations.
func (o *outage) point(s store.Store, begin func(*outage, store.Store), mode storetest.Mode, at int) bool {
	t := o.t
	begin(o, s)
	old := published(t, s)
	f := &storetest.Faults{Store: s, At: at, Mode: mode}
	_, failed := o.run(f, 2)
	if !f.Failed() {
		if failed != nil {
			t.Fatalf("a run without failure fails: %v", failed)
		}
		return false
	}
	seen := published(t, s)
	read := plain(t, s)
	again := &storetest.Faults{Store: s, Mode: storetest.Kill, At: 0}
	if _, err := o.run(again, 3); err != nil {
		t.Fatalf("operation %d: the next run fails: %v", at, err)
	}
	result := published(t, s)
	if !maps.Equal(result, o.undisturbed()) {
		t.Fatalf("operation %d: the next run has another result", at)
	}
	isOld, isNew := maps.Equal(seen, old), maps.Equal(seen, result)
	switch {
	case !isOld && !isNew:
		t.Errorf("operation %d: a reader saw neither the old nor the new result", at)
	case failed == nil && !isNew:
		t.Errorf("operation %d: the run reported success, and the result is not there", at)
	case failed != nil && !isOld && !errors.Is(failed, pipeline.ErrCommitUnknown) && !errors.Is(failed, pipeline.ErrCopies):
		t.Errorf("operation %d: published, and the run says %v", at, failed)
	}
	for name, data := range read {
		if data != old[name] && data != result[name] {
			t.Errorf("operation %d: a plain reader saw table %s torn", at, name)
		}
	}
	if left := plain(t, s); !maps.Equal(left, result) {
		t.Errorf("operation %d: the copies are not the result", at)
	}
	landedWhole(t, s)
	if left := orphans(t, s); len(left) > 0 {
		t.Errorf("operation %d: left behind: %v", at, left)
	}
	return !t.Failed()
}

// undisturbed is the result of the delivery at hand on a store that never fails.
func (o *outage) undisturbed() map[string]string {
	o.t.Helper()
	if o.want == nil {
		s := stores["memory"](o.t)
		o.good(s, 1)
		o.want = published(o.t, s)
	}
	return o.want
}
