package jobs

import (
	"errors"
	"slices"
	"testing"

	"github.com/cohortline/cohortline/pipeline"
)

// TestRestated looks at what a run says to have changed: nothing for the first result, the
// right cells and cohorts for a correction, nothing when only the files are cut otherwise; and
// a last result that is damaged is no reason to publish nothing.
func TestRestated(t *testing.T) {
	e := newExplainTest(t)
	first := firstDelivery()
	restated := func(name string) *pipeline.Restated {
		t.Helper()
		m, err := pipeline.FindRun(t.Context(), e.s, name)
		if err != nil {
			t.Fatal(err)
		}
		return m.Restated
	}
	if r := restated(e.publish(first)); r != nil {
		t.Errorf("the first result has changed %+v", r)
	}
	name := e.publish(first.with("orders2.csv", explainHeader+"4,c3,,2024-02-06T10:00:00Z,2024-05-01T00:00:00Z,paid,EUR,41,36,0,7,shop,FR\n"))
	r := restated(name)
	if r == nil || r.Number != 1 || !slices.Equal(r.Cohorts, []string{"month 2024-02-01"}) || r.InAll != 1 || r.Unknown != "" {
		t.Fatalf("%+v", r)
	}
	d, err := DiffRuns(t.Context(), DiffOptions{Before: "2024-06-01#1", After: name, Store: e.s, Memory: 256 * MiB})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range d.Tables {
		i := slices.IndexFunc(r.Tables, func(y pipeline.RestatedTable) bool { return y.Table == x.Table })
		switch {
		case i < 0:
			if x.Cells > 0 {
				t.Errorf("%s has changed and is not named", x.Table)
			}
		case !r.Tables[i].Compared:
			if x.Table != "customers" && x.Table != "customer_periods" {
				t.Errorf("%s was not compared", x.Table)
			}
		case r.Tables[i].Cells != x.Cells || r.Tables[i].Changed != x.Changed || x.Cells == 0:
			t.Errorf("%s: %+v, diff finds %d cells", x.Table, r.Tables[i], x.Cells)
		}
	}
	same := first.clone()
	same.files["orders2.csv"] = explainHeader + "4,c3,,2024-02-06T10:00:00Z,2024-05-02T00:00:00Z,paid,EUR,41,36,0,7,shop,FR\n"
	if r := restated(e.publish(same)); r == nil || len(r.Tables) > 0 || r.InAll > 0 {
		t.Errorf("the same tables: %+v", r)
	}

	m, err := pipeline.FindRun(t.Context(), e.s, "2024-06-01")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range m.Outputs {
		if o.Table == "cohorts" {
			if err := e.s.Put(t.Context(), o.Result, []byte("no table")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if r := restated(e.publish(first)); r == nil || r.Unknown == "" {
		t.Errorf("the last result is damaged: %+v", r)
	}
	if _, err := DiffRuns(t.Context(), DiffOptions{Before: m.Label(), After: "2024-06-01", Store: e.s, Memory: 1}); !errors.As(err, new(*MemoryError)) {
		t.Errorf("a comparison in one byte: %v", err)
	}
}
