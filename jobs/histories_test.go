package jobs

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/pipeline/store"
	"github.com/cohortline/cohortline/transforms/ltv"
)

// publishDemo runs the built-in example with some grains and returns its output folder.
func publishDemo(t *testing.T, grains, asOf string) string {
	t.Helper()
	dir := t.TempDir()
	if err := WriteDemo(dir); err != nil {
		t.Fatal(err)
	}
	config := strings.Replace(read(t, filepath.Join(dir, "cohortline.yaml")), "grains: [month]", "grains: "+grains, 1)
	return runIn(t, dir, config, asOf, 2).Output
}

func openStore(t *testing.T, dir string) store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// The order-days of a warehouse and those of its orders are the same, and the reading of
// orders leaves nothing behind.
func TestHistories(t *testing.T) {
	daily, err := ReadHistories(t.Context(), openStore(t, publishDemo(t, "[day, month]", "1998-07-01")), "", "")
	if err != nil {
		t.Fatal(err)
	}
	if first, last := daily.Days(); daily.Customers() != 2357 || first != 9862 || last != 10407 || daily.Last != 10407 {
		t.Errorf("%d customers, days %d to %d of %d", daily.Customers(), first, last, daily.Last)
	}
	dir, temp := t.TempDir(), t.TempDir()
	if err := WriteDemo(dir); err != nil {
		t.Fatal(err)
	}
	c, err := LoadConfig(filepath.Join(dir, "cohortline.yaml"), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{AsOf: time.Date(1998, 7, 1, 0, 0, 0, 0, time.UTC), TempDir: temp}
	read, err := OrderHistories(t.Context(), c, o, "")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(read.Histories, daily.Histories) {
		t.Error("the order-days of the orders are not those of the warehouse")
	}
	for _, where := range []string{temp, filepath.Join(dir, "warehouse")} {
		if left, err := os.ReadDir(where); err == nil && len(left) > 0 {
			t.Errorf("%s holds %v", where, left)
		}
	}
}

// Tables that are not of the same run are refused, as are periods that are no days.
func TestHistoriesThatDoNotFit(t *testing.T) {
	now, before := publishDemo(t, "[day]", "1998-07-01"), publishDemo(t, "[day]", "1997-02-01")
	for name, c := range map[string]struct {
		customers, periods string
		want               string
	}{
		"more customers": {now + "/tables/customers/as_of=1998-07-01", before + "/tables/customer_periods/as_of=1997-02-01", "order of the table customers"},
		"fewer":          {before + "/tables/customers/as_of=1997-02-01", now + "/tables/customer_periods/as_of=1998-07-01", "order of the table customers"},
		"swapped":        {before + "/tables/customer_periods/as_of=1997-02-01", now + "/tables/customer_periods/as_of=1998-07-01", "has no column age_days"},
		"months":         {publishDemo(t, "[month]", "1998-07-01") + "/tables/customers/as_of=1998-07-01", publishDemo(t, "[month]", "1998-07-01") + "/tables/customer_periods/as_of=1998-07-01", "its periods are no days"},
	} {
		dir := t.TempDir()
		for table, from := range map[string]string{"customers": c.customers, "customer_periods": c.periods} {
			to := filepath.Join(dir, "tables", table, "as_of=2000-01-01")
			if err := os.MkdirAll(to, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(filepath.Join(from, "part-00000.parquet"), filepath.Join(to, "part-00000.parquet")); err != nil {
				t.Fatal(err)
			}
		}
		_, err := ReadHistories(t.Context(), openStore(t, dir), "", "")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
		if name == "months" && !errors.Is(err, ErrNoDays) {
			t.Errorf("%s: error %v is not ErrNoDays", name, err)
		}
	}
}

// Units are those of the names of the columns, then the one that is given; a unit for each.
func TestSummaryUnits(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		header string
		unit   ltv.Unit
		want   ltv.RFM
		of     ltv.Unit
		fails  string
	}{
		{"customer_id,frequency,recency,age", ltv.Week, ltv.RFM{Frequency: 2, Recency: 14, Age: 21}, ltv.Week, ""},
		{"customer_id,frequency,recency_days,age_days", 0, ltv.RFM{Frequency: 2, Recency: 14, Age: 21}, ltv.Day, ""},
		{"customer_id,frequency,recency_days,age_weeks", 0, ltv.RFM{Frequency: 2, Recency: 14, Age: 147}, ltv.Day, ""},
		{"ID, X ,t_x,T", ltv.Day, ltv.RFM{Frequency: 2, Recency: 14, Age: 21}, ltv.Day, ""},
		{"customer_id,frequency,recency_days,age", 0, ltv.RFM{}, 0, "is age in days or in weeks?"},
		{"customer_id,frequency,recency,recency_days", ltv.Day, ltv.RFM{}, 0, "recency is there twice"},
		{"customer_id,frequency,recency,tenure", ltv.Day, ltv.RFM{}, 0, "has no column age"},
	} {
		path := filepath.Join(dir, "s.csv")
		if err := os.WriteFile(path, []byte(c.header+"\na,2,14,21\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := ReadSummaries(t.Context(), path, c.unit)
		var mistake *SummaryError
		switch {
		case c.fails != "":
			if !errors.As(err, &mistake) || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s: error %v, want %q", c.header, err, c.fails)
			}
		case err != nil:
			t.Errorf("%s: %v", c.header, err)
		case s.RFM[0] != c.want || s.Unit != c.of || s.IDs[0] != "a" || s.Spend != nil:
			t.Errorf("%s: %+v", c.header, s)
		}
	}
	if _, err := ReadSummaries(t.Context(), filepath.Join(dir, "none.csv"), ltv.Day); !errors.Is(err, source.ErrMissing) {
		t.Errorf("error %v, want one of a missing file", err)
	}
}
