package ltv

import (
	"fmt"
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
