package jobs

import (
	"context"
	"errors"
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

// backfill publishes three dates at a time of the clock, of which a run may have published
// one before.
func (o *outage) backfill(s store.Store, hour int, change func(*BackfillOptions)) (*BackfillSummary, error) {
	o.t.Helper()
	now := time.Date(2025, 1, 1, hour, 0, 0, 0, time.UTC)
	x := BackfillOptions{Options: Options{Threads: 1, Memory: 256 << 20, CodeVersion: "test", Store: s, Now: func() time.Time { return now }}, From: "2024-05-01", To: "2024-07-01", Every: "month", Jobs: 1}
	if change != nil {
		change(&x)
	}
	c, err := LoadConfig(o.config, os.LookupEnv)
	if err != nil {
		o.t.Fatal(err)
	}
	return Backfill(o.t.Context(), c, x)
}

// results are the published tables by date and name, each read as by a reader of manifests.
func results(t *testing.T, s store.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	partitions, err := pipeline.PublishedPartitions(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range partitions {
		m, err := pipeline.Current(t.Context(), s, p)
		if err != nil {
			t.Fatal(err)
		}
		if m == nil {
			continue
		}
		for _, x := range m.Outputs {
			data, err := store.Read(t.Context(), s, x.Result)
			if err != nil {
				t.Fatalf("a published table cannot be read: %v", err)
			}
			if x.Table != "runs" {
				all[p+"/"+x.Table] = string(data)
			}
		}
	}
	return all
}

// TestOutagesOfBackfill lets every operation of a backfill fail, in every way: each date is
// published whole or not at all, and the same command ends as if nothing had happened.
func TestOutagesOfBackfill(t *testing.T) {
	if testing.Short() {
		t.Skip("the points are one after the other: nothing for the race detector")
	}
	every, least := 41, int64(40)
	if os.Getenv("COHORTLINE_OUTAGES") == "all" {
		every, least = 1, 2000
	}
	var points atomic.Int64
	t.Run("points", func(t *testing.T) {
		for kind, open := range stores {
			for mode := range storetest.Modes {
				t.Run(kind+"/"+mode, func(t *testing.T) {
					t.Parallel()
					o := newOutage(t)
					o.deliver(false)
					whole := stores["memory"](t)
					if _, err := o.backfill(whole, 1, nil); err != nil {
						t.Fatal(err)
					}
					want := results(t, whole)
					for at := 1 + len(mode)%every; o.backfillPoint(open(t), storetest.Modes[mode], at, want); at += every {
						points.Add(1)
					}
				})
			}
		}
	})
	enough(t, &points, least)
}

// backfillPoint plays one failure; it says whether the backfill had so many operations.
func (o *outage) backfillPoint(s store.Store, mode storetest.Mode, at int, want map[string]string) bool {
	t := o.t
	o.good(s, 1) // one of the dates is there
	f := &storetest.Faults{Store: s, At: at, Mode: mode}
	summary, failed := o.backfill(f, 2, nil)
	if !f.Failed() {
		if failed != nil {
			t.Fatalf("a backfill without failure fails: %v", failed)
		}
		return false
	}
	for date, names := range byDate(results(t, s)) {
		for name, data := range names {
			if want[date+"/"+name] != data {
				t.Errorf("operation %d: %s of %s is another one", at, name, date)
			}
		}
		if len(names) != len(byDate(want)[date]) {
			t.Errorf("operation %d: %s has %d tables", at, date, len(names))
		}
	}
	if failed == nil && (summary.Failed > 0 || len(byDate(results(t, s))) != 3) {
		t.Errorf("operation %d: success was reported, and %d dates are there", at, len(byDate(results(t, s))))
	}
	if _, err := o.backfill(&storetest.Faults{Store: s}, 3, nil); err != nil {
		t.Fatalf("operation %d: the next backfill fails: %v", at, err)
	}
	if got := results(t, s); !maps.Equal(got, want) {
		t.Fatalf("operation %d: the next backfill has another result", at)
	}
	open, err := openPlans(t.Context(), s, "cohorts")
	if err != nil || len(open) > 0 {
		t.Errorf("operation %d: %d plans are left open, %v", at, len(open), err)
	}
	left := slices.DeleteFunc(orphans(t, s), func(name string) bool { return strings.HasPrefix(name, planFolder) })
	if len(left) > 0 {
		t.Errorf("operation %d: left behind: %v", at, left)
	}
	return !t.Failed()
}

// byDate groups results by date.
func byDate(all map[string]string) map[string]map[string]string {
	dates := map[string]map[string]string{}
	for name, data := range all {
		date, table, _ := strings.Cut(name, "/")
		if dates[date] == nil {
			dates[date] = map[string]string{}
		}
		dates[date][table] = data
	}
	return dates
}

// TestBackfillLocked backfills while a run works on one of the dates, be it the first one:
// it is counted as failed, the others are published, and the same command completes it.
func TestBackfillLocked(t *testing.T) {
	for _, locked := range []string{"2024-05-01", "2024-07-01"} {
		o := newOutage(t)
		o.deliver(false)
		s := stores["memory"](t)
		p, err := pipeline.OpenPublication(t.Context(), s, pipeline.RunKey{ID: "other", Partition: "as_of=" + locked, Clock: func() time.Time { return time.Date(2025, 1, 1, 2, 0, 0, 0, time.UTC) }})
		if err != nil {
			t.Fatal(err)
		}
		code := func(err error) int {
			if errors.Is(err, pipeline.ErrLocked) {
				return 6
			}
			return 1
		}
		b, err := o.backfill(s, 2, func(x *BackfillOptions) { x.CodeOf = code })
		var part *PartError
		if !errors.As(err, &part) || b.Failed != 1 || b.Published != 2 || b.Missing != 0 {
			t.Fatalf("%s: %v, %+v", locked, err, b)
		}
		for _, d := range b.Dates {
			if (d.Date == locked) != (d.Status == DateFailed) || d.Date == locked && d.ExitCode != 6 {
				t.Errorf("%+v", d)
			}
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if b, err = o.backfill(s, 3, func(x *BackfillOptions) { x.Resume = true }); err != nil || !b.Resumed || b.Published != 1 || b.Unchanged != 2 {
			t.Errorf("%s: resumed: %v, %+v", locked, err, b)
		}
	}
}

// broken is a store on which the tables of some dates cannot be written.
type broken struct {
	store.Store
	dates []string
}

var errBroken = errors.New("broken")

func (b *broken) PutNew(ctx context.Context, name string, data []byte) error {
	for _, d := range b.dates {
		if strings.HasPrefix(name, "runs/as_of="+d) && strings.HasSuffix(name, ".json") {
			return errBroken
		}
	}
	return b.Store.PutNew(ctx, name, data)
}

// TestBackfillFailures looks at what a backfill does about dates that fail: the first one
// published stands for all, --max-failures ends it, and otherwise the others go on.
func TestBackfillFailures(t *testing.T) {
	all := []string{"2024-05-01", "2024-06-01", "2024-07-01"}
	for name, x := range map[string]struct {
		dates                      []string
		newest                     bool
		max                        int
		published, failed, missing int
		part                       bool
	}{
		"the first":             {all[:1], false, 0, 0, 1, 2, false},
		"the first, from then":  {all[2:], true, 0, 0, 1, 2, false},
		"another one":           {all[1:2], false, 0, 2, 1, 0, true},
		"as many as may":        {all[1:], false, 1, 1, 1, 1, true},
		"fewer than may":        {all[1:2], false, 2, 2, 1, 0, true},
		"none":                  {nil, false, 1, 3, 0, 0, false},
		"newest first, a later": {all[:1], true, 0, 2, 1, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOutage(t)
			o.deliver(false)
			s := stores["memory"](t)
			b, err := o.backfill(&broken{s, x.dates}, 1, func(o *BackfillOptions) { o.Newest, o.MaxFailures = x.newest, x.max })
			var part *PartError
			if b == nil || b.Published != x.published || b.Failed != x.failed || b.Missing != x.missing || errors.As(err, &part) != x.part || (err == nil) != (x.failed == 0) {
				t.Fatalf("%v, %+v", err, b)
			}
			if n := len(byDate(results(t, s))); n != x.published {
				t.Errorf("%d dates are there, %d were said to be", n, x.published)
			}
		})
	}
}

// TestBackfillPlan looks at what a stored plan allows: it is gone on with as it was made,
// and refused when an input, the configuration or the program has changed.
func TestBackfillPlan(t *testing.T) {
	begin := func(t *testing.T) (*outage, store.Store) {
		o := newOutage(t)
		o.deliver(false)
		s := stores["memory"](t)
		if _, err := o.backfill(&broken{s, []string{"2024-06-01"}}, 1, func(x *BackfillOptions) { x.To = "" }); err == nil {
			t.Fatal("no date has failed")
		}
		return o, s
	}
	t.Run("today stays what it was", func(t *testing.T) {
		o, s := begin(t) // on 2025-01-01
		b, err := o.backfill(s, 24*40, func(x *BackfillOptions) { x.To = "" })
		if err != nil || !b.Resumed || b.To != "2025-01-01" || b.Published != 1 || b.Unchanged != 8 {
			t.Errorf("%v, %+v", err, b)
		}
	})
	t.Run("of a newer version", func(t *testing.T) {
		o, s := begin(t)
		if err := s.Put(t.Context(), planFolder+"newer.json", []byte(`{"version": 2, "job": "cohorts"}`)); err != nil {
			t.Fatal(err)
		}
		var newer *store.FormatError
		if _, err := o.backfill(s, 2, nil); !errors.As(err, &newer) {
			t.Errorf("%v", err)
		}
	})
	t.Run("resume without dates", func(t *testing.T) {
		o, s := begin(t)
		b, err := o.backfill(s, 2, func(x *BackfillOptions) { x.From, x.To, x.Every, x.Resume = "", "", "", true })
		if err != nil || !b.Resumed || b.Published != 1 {
			t.Errorf("%v, %+v", err, b)
		}
		if _, err = o.backfill(s, 3, func(x *BackfillOptions) { x.Resume = true }); err == nil || !strings.Contains(err.Error(), "no unfinished backfill") {
			t.Errorf("resumed again: %v", err)
		}
	})
	for what, x := range map[string]struct {
		change func(*outage, *BackfillOptions)
		says   string
		input  bool
	}{
		"input":         {func(o *outage, _ *BackfillOptions) { o.deliver(true) }, "orders.csv has changed since it was begun", true},
		"program":       {func(_ *outage, b *BackfillOptions) { b.CodeVersion = "newer" }, "was begun by version test", false},
		"configuration": {func(o *outage, _ *BackfillOptions) { o.replace("UTC", "Asia/Tokyo") }, "another configuration", false},
	} {
		t.Run("another "+what, func(t *testing.T) {
			o, s := begin(t)
			change := func(b *BackfillOptions) { b.To = ""; x.change(o, b) }
			before := results(t, s)
			_, err := o.backfill(s, 2, change)
			var input *InputsChangedError
			if err == nil || !strings.Contains(err.Error(), x.says) || !strings.Contains(err.Error(), "--restart") || errors.As(err, &input) != x.input {
				t.Fatalf("%v", err)
			}
			if !maps.Equal(before, results(t, s)) {
				t.Error("something was published all the same")
			}
			b, err := o.backfill(s, 3, func(b *BackfillOptions) { change(b); b.Restart = true })
			if err != nil || b.Resumed || b.Published != 9 {
				t.Errorf("restarted: %v, %+v", err, b)
			}
		})
	}
}

// replace changes the text of the configuration.
func (o *outage) replace(text, by string) {
	o.t.Helper()
	data, err := os.ReadFile(o.config)
	if err != nil {
		o.t.Fatal(err)
	}
	if err := os.WriteFile(o.config, []byte(strings.Replace(string(data), text, by, 1)), 0o644); err != nil {
		o.t.Fatal(err)
	}
}

// TestBackfillDates looks at the dates that a cadence means.
func TestBackfillDates(t *testing.T) {
	zone := func(name string) *time.Location {
		z, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	for _, x := range []struct{ from, to, every, zone, want string }{
		{"2024-01-31", "2024-05-01", "month", "UTC", "2024-01-31T00:00:00Z 2024-02-29T00:00:00Z 2024-03-31T00:00:00Z 2024-04-30T00:00:00Z"},
		{"2024-03-30", "2024-04-01", "day", "Europe/Berlin", "2024-03-29T23:00:00Z 2024-03-30T23:00:00Z 2024-03-31T22:00:00Z"},
		{"2024-01-01", "2024-01-15", "week", "UTC", "2024-01-01T00:00:00Z 2024-01-08T00:00:00Z 2024-01-15T00:00:00Z"},
		{"2018-11-04", "2018-11-04", "day", "America/Sao_Paulo", "2018-11-04T03:00:00Z"}, // midnight is skipped
		{"2022-03-27", "2022-03-27", "day", "Asia/Beirut", "2022-03-26T22:00:00Z"},
		{"2011-12-29", "2012-01-01", "day", "Pacific/Apia", "2011-12-29T10:00:00Z 2011-12-30T10:00:00Z 2011-12-31T10:00:00Z"}, // a date is skipped
	} {
		list, err := backfillDates(x.from, x.to, x.every, zone(x.zone))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range list {
			got = append(got, d.UTC().Format(time.RFC3339))
		}
		if s := strings.Join(got, " "); s != x.want {
			t.Errorf("%s to %s by %s in %s: %s, want %s", x.from, x.to, x.every, x.zone, s, x.want)
		}
	}
	for _, x := range [][3]string{{"2024-01-02", "2024-01-01", "day"}, {"2024-02-30", "2024-03-01", "day"}, {"2024-01-01", "soon", "day"}, {"2024-01-01", "2024-02-01", "year"}, {"1990-01-01", "2024-02-01", "day"}} {
		_, err := backfillDates(x[0], x[1], x[2], time.UTC)
		var wrong *BackfillError
		if !errors.As(err, &wrong) {
			t.Errorf("%v: %v", x, fmt.Sprint(err))
		}
	}
}
