package jobs

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/store"
)

func verify(t *testing.T, s store.Store, change func(*VerifyOptions)) (*Verification, error) {
	t.Helper()
	o := VerifyOptions{Store: s, Env: os.LookupEnv, Threads: 1, Memory: 256 << 20, TempDir: t.TempDir(), CodeVersion: "test"}
	if change != nil {
		change(&o)
	}
	v, err := Verify(t.Context(), o)
	if left, seen := os.ReadDir(o.TempDir); seen != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v %v", left, seen)
	}
	return v, err
}

// swap makes the manifest of a result name, truthfully, the table of another one.
func swap(t *testing.T, s store.Store, into, from *pipeline.Manifest, table string) {
	t.Helper()
	of := func(m *pipeline.Manifest) *pipeline.OutputRecord {
		return &m.Outputs[slices.IndexFunc(m.Outputs, func(o pipeline.OutputRecord) bool { return o.Table == table })]
	}
	data, err := store.Read(t.Context(), s, of(from).Result)
	if err != nil {
		t.Fatal(err)
	}
	of(into).SHA256, of(into).Bytes, of(into).Rows = of(from).SHA256, of(from).Bytes, of(from).Rows
	manifest, err := json.Marshal(into)
	if err == nil {
		err = errors.Join(s.Put(t.Context(), of(into).Result, data), s.Put(t.Context(), "runs/as_of=2024-07-01/000002.json", manifest))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestVerify computes again what was published. A table that is not what its run would
// write is found with the first cell, even if the manifest vouches for it.
func TestVerify(t *testing.T) {
	for kind, open := range stores {
		t.Run(kind, func(t *testing.T) {
			s, o := open(t), newOutage(t)
			o.landed()
			o.deliver(false)
			o.good(s, 1)
			first := current(t, s)
			o.deliver(true)
			o.good(s, 2)
			second := current(t, s)
			if _, err := o.runOn(s, 3, func(o *Options) { o.AsOf = o.AsOf.AddDate(0, 1, 0) }); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(o.orders); err != nil { // copies are all that is needed
				t.Fatal(err)
			}
			v, err := verify(t, s, func(o *VerifyOptions) { o.CodeVersion = "a later one" })
			if err != nil || v.Status != Same || len(v.Runs) != 2 || len(v.Runs[0].Tables) != len(second.Outputs)-1 || len(v.Runs[0].Warnings) != 1 {
				t.Fatalf("%+v %v", v, err)
			}
			if v, err = verify(t, s, func(o *VerifyOptions) { o.Run = first.RunID }); err != nil || v.Status != Same || v.Runs[0].Publication != "2024-07-01#1" {
				t.Errorf("a superseded run: %+v %v", v, err)
			}
			swap(t, s, second, first, "cohorts")
			v, err = verify(t, s, nil)
			if err != nil || v.Status != Different || v.Runs[0].Status != Different || v.Runs[1].Status != Same {
				t.Fatalf("%+v %v", v, err)
			}
			for _, x := range v.Runs[0].Tables {
				if is := x.Status == Different; is != (x.Table == "cohorts") {
					t.Errorf("%+v", x)
				} else if is && (x.Cell == nil || x.Cell.Column == "" || *x.Cell.Before == *x.Cell.After) {
					t.Errorf("no cell is named: %+v", x)
				}
			}
			if err := s.Put(t.Context(), "results/as_of=2024-07-01/000002/customers.parquet", []byte("torn")); err != nil {
				t.Fatal(err)
			}
			v, err = verify(t, s, func(o *VerifyOptions) { o.Run = "2024-07-01" })
			if err != nil || !slices.ContainsFunc(v.Runs[0].Tables, func(x VerifiedTable) bool {
				return x.Table == "customers" && strings.Contains(x.What, "not the one that the run has written")
			}) {
				t.Errorf("a damaged table: %+v %v", v, err)
			}
		})
	}
}

// TestVerifyGone cannot compute again what was read by reference and has been overwritten.
func TestVerifyGone(t *testing.T) {
	s, o := stores["memory"](t), newOutage(t)
	o.deliver(false)
	o.good(s, 1)
	if v, err := verify(t, s, nil); err != nil || v.Status != Same {
		t.Fatalf("unchanged: %+v %v", v, err)
	}
	o.deliver(true)
	var gone *pipeline.GoneError
	if v, err := verify(t, s, nil); !errors.As(err, &gone) || v.Status != Failed || !strings.Contains(v.Runs[0].Error, "orders.csv") {
		t.Errorf("overwritten: %+v %v", v, err)
	}
}

// TestVerifyInherited also computes the run again that has written a table which a later
// run of the date has not replaced.
func TestVerifyInherited(t *testing.T) {
	s, o := stores["memory"](t), newOutage(t)
	o.landed()
	o.deliver(false)
	o.good(s, 1)
	first := current(t, s)
	o.configure("", "path: orders.csv", "path: orders.csv, landing: copy", "output: {", "output: {tables: [cohorts, checks], ")
	o.deliver(true)
	o.good(s, 2)
	v, err := verify(t, s, nil)
	if err != nil || v.Status != Same || len(v.Runs) != 2 {
		t.Fatalf("%+v %v", v, err)
	}
	if a, b := len(v.Runs[0].Tables), len(v.Runs[1].Tables); a != len(first.Outputs)-3 || b != 2 {
		t.Errorf("%d and %d tables were compared", a, b)
	}
}

// TestLatestByDate finds the greatest number of a date, in whichever order its runs have ended.
func TestLatestByDate(t *testing.T) {
	list := []pipeline.Manifest{{Partition: "as_of=2024-01-01", Number: 9}, {Partition: "as_of=2024-01-01", Number: 10}, {Partition: "as_of=2024-01-02", Number: 2}, {Partition: "as_of=2024-01-01", Number: 8}, {Partition: "as_of=2024-01-02", Number: 1}}
	latest := latestByDate(list)
	if len(latest) != 2 || latest["as_of=2024-01-01"] != &list[1] || latest["as_of=2024-01-02"] != &list[2] {
		t.Errorf("%+v", latest)
	}
}
