package ltv

import (
	"fmt"
	"slices"
	"testing"
)

// Expected repeat purchases of the CDNOW cohort by week, 20 to 25, which
// BTYD-walkthrough.pdf prints for its estimates.
func TestTracking(t *testing.T) {
	s := cdnowSummary(t)
	const oldest = 272. / 7
	for _, c := range []struct {
		name       string
		m          Model
		increments []float64
		cumulative []float64
	}{
		{"Pareto/NBD", paretoCDNOW,
			[]float64{78.308, 76.419, 74.648, 72.983, 71.414, 69.933}, []float64{1308.856, 1385.275, 1459.923, 1532.906, 1604.32, 1674.253}},
		{"BG/NBD", bgnbdCDNOW,
			[]float64{76.86531, 74.88843, 73.04554, 71.32166, 69.70412, 68.18213}, []float64{1312.458, 1387.346, 1460.392, 1531.713, 1601.418, 1669.6}},
	} {
		young := c.m.Living(0, 0)
		total := func(week float64) float64 {
			var sum float64
			for _, r := range s.Rows() {
				if came := oldest - r.Age; came < week {
					sum += r.Customers * c.m.Alive(RFM{}) * expected(young, week-came)
				}
			}
			return sum
		}
		for i, want := range c.cumulative {
			week := float64(20 + i)
			nearly(t, fmt.Sprint(c.name, ": until week ", week), total(week), want, 1e-3)
			nearly(t, fmt.Sprint(c.name, ": in week ", week), total(week)-total(week-1), c.increments[i], 1e-3)
		}
	}
}

// What came and what was expected in the weeks 20 to 25 of CDNOW: BTYD-walkthrough.pdf, which
// has the sums of the first 39 weeks of each model too.
func TestTrackOfCDNOW(t *testing.T) {
	h := cdnowHistories(t)
	for name, c := range map[string]struct {
		m    Model
		want []float64
	}{
		"Pareto/NBD": {paretoCDNOW, []float64{78.308, 76.419, 74.648, 72.983, 71.414, 69.933}},
		"BG/NBD":     {bgnbdCDNOW, []float64{76.86531, 74.88843, 73.04554, 71.32166, 69.70412, 68.18213}},
	} {
		tr := Track(c.m, h, cdnowPlan.Origin, cdnowPlan.Last, 7, Week)
		if len(tr.Actual) != 78 || len(tr.Expected) != 78 {
			t.Fatalf("%d weeks came, %d were expected", len(tr.Actual), len(tr.Expected))
		}
		if got, want := tr.Actual[19:25], []float64{73, 55, 70, 33, 56, 99}; !slices.Equal(got, want) {
			t.Errorf("weeks 20 to 25: %v came, want %v", got, want)
		}
		if got, want := Cumulative(tr.Actual)[19:25], []float64{1359, 1414, 1484, 1517, 1573, 1672}; !slices.Equal(got, want) {
			t.Errorf("until weeks 20 to 25: %v came, want %v", got, want)
		}
		for i, want := range c.want {
			nearly(t, fmt.Sprint(name, ": expected in week ", 20+i), tr.Expected[19+i], want, 1e-3)
		}
		near(t, "repeat purchases of 78 weeks", Cumulative(tr.Actual)[77], 4339, 0)
	}
}

// Customers who came after the origin are not tracked, a step that is not over neither.
func TestTrackOfFewCustomers(t *testing.T) {
	var h Histories
	for _, days := range [][]int32{{100, 103, 106, 107, 121}, {104}, {113, 114}} {
		if err := h.Add(days[0], 0, days[1:], make([]float64, len(days)-1)); err != nil {
			t.Fatal(err)
		}
	}
	m := NBD{2, 8}
	tr := Track(m, &h, 110, 120, 7, Week)
	if want := []float64{2, 1, 0}; !slices.Equal(tr.Actual, want) {
		t.Errorf("%v came, want %v", tr.Actual, want)
	}
	near(t, "expected in the first week", tr.Expected[0], .25*(7+3)/7, 1e-12)
	near(t, "expected in the second week", tr.Expected[1], .25*2, 1e-12)
	if tr := Track(m, &h, 110, 119, 7, Week); len(tr.Actual) != 2 {
		t.Errorf("%d weeks in 20 days, want 2", len(tr.Actual))
	}
	if tr := Track(m, new(Histories), 110, 119, 7, Week); tr.Actual != nil {
		t.Errorf("nobody: %v", tr)
	}
}
