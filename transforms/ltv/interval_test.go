package ltv

import (
	"fmt"
	"math"
	"testing"
)

// The scenarios have the mean and the covariance that they stand for.
func TestScenarios(t *testing.T) {
	_, f := FitBGNBD(cdnowSummary(t))
	list := f.Scenarios()
	if len(list) != 8 {
		t.Fatalf("%d scenarios of four parameters, want 8", len(list))
	}
	for i := range f.Values {
		for j := range f.Values {
			var mean, product float64
			for _, s := range list {
				a, b := math.Log(s[i]/f.Values[i]), math.Log(s[j]/f.Values[j])
				mean += a / 8
				product += a * b / 8
			}
			near(t, fmt.Sprint("mean ", i), mean, 0, 1e-12)
			near(t, fmt.Sprint("covariance ", i, j), product, f.Covariance[i][j], 1e-12)
		}
	}
	ridge := Fit{Values: []float64{1, 2}}
	if list := ridge.Scenarios(); len(list) != 1 || list[0][1] != 2 {
		t.Errorf("scenarios without standard errors are %v, want the estimates", list)
	}
}

func TestOrders(t *testing.T) {
	c := RFM{7, 29.4, 38.9}
	d := Orders([]Model{bgnbdCDNOW}, c, 39, 1e-12)
	var sum float64
	for n, p := range d {
		sum += p
		if n < 30 {
			nearly(t, fmt.Sprint("P ", n), p, Count(bgnbdCDNOW, c, n, 39), 1e-9)
		}
	}
	near(t, "sum", sum, 1, 1e-12)
	nearly(t, "mean", d.Mean(), Expected(bgnbdCDNOW, c, 39), 1e-8)
	short := Orders([]Model{bgnbdCDNOW}, c, 39, .2)
	left := 1.0
	for _, p := range short {
		left -= p
	}
	near(t, "what is left goes to the last count", left, 0, 1e-12)
	if len(short) >= len(d) || short.Quantile(.5) != d.Quantile(.5) {
		t.Errorf("short distribution %v", short)
	}
	if low, high := d.Quantile(.1), d.Quantile(.9); low != 0 || high < 7 || high > 9 {
		t.Errorf("80 %% of the customers like %v buy %d to %d times", c, low, high)
	}
	if q := (Distribution{.5, .25, .25}); q.Quantile(.5) != 0 || q.Quantile(.51) != 1 || q.Quantile(1) != 2 {
		t.Errorf("quantiles of %v: %d %d %d", q, q.Quantile(.5), q.Quantile(.51), q.Quantile(1))
	}
	// Two scenarios: the mean of both.
	other := mbgnbdCDNOW
	both := Orders([]Model{bgnbdCDNOW, other}, RFM{0, 0, 39}, 20, 1e-9)
	nearly(t, "two scenarios", both[0], (Count(bgnbdCDNOW, RFM{0, 0, 39}, 0, 20)+Count(other, RFM{0, 0, 39}, 0, 20))/2, 1e-12)
}

// The distribution of the value is that of simulated purchases.
func TestValue(t *testing.T) {
	orders := Distribution{.4, .3, .2, .1}
	g := GammaGamma{6.25, 3.74, 15.44}
	spend := Spend{2, 22}
	v := NewValue(orders, []GammaGamma{g}, spend)
	const n = 200000
	random := newSource(3)
	var below float64
	median := v.Quantile(.8)
	near(t, "P at the quantile", v.AtMost(median), .8, 1e-5)
	for range n {
		u, count := random.Float64(), 0
		for u > orders[count] {
			u -= orders[count]
			count++
		}
		scale := random.gamma(g.P*2+g.Q) / (g.V + 2*22)
		var sum float64
		for range count {
			sum += random.gamma(g.P) / scale
		}
		if sum <= median {
			below++
		}
	}
	near(t, "share of simulated customers below", below/n, .8, 4*math.Sqrt(.16/n))
	near(t, "nothing", v.AtMost(0), .4, 0)
	near(t, "negative", v.AtMost(-1), 0, 0)
	near(t, "quantile of nothing", v.Quantile(.3), 0, 0)
	near(t, "everything", v.AtMost(1e12), 1, 1e-9)
}

// Intervals of all rows are the quantiles of each.
func TestIntervals(t *testing.T) {
	list := append(shop(3000), RFM{40, 90, 95}, RFM{40, 30, 95}, RFM{300, 100, 101})
	s := compress(t, list)
	g := GammaGamma{6.25, 3.74, 15.44}
	for name, models := range map[string][]Model{
		"one":        {bgnbdCDNOW},
		"several":    {bgnbdCDNOW, BGNBD{.3, 4, .9, 2.4}, paretoCDNOW},
		"never lost": {NBD{.4, 12}},
	} {
		intervals := Intervals(models, g, s, 39, .8)
		for i, r := range s.Rows() {
			if i%23 != 0 && r.Frequency < 40 {
				continue
			}
			d := Orders(models, r.RFM, 39, 1e-9)
			about := func(a, b int) bool { return a == b || b > 60 && math.Abs(float64(a-b)) <= .021*float64(b) }
			if got := intervals[i]; !about(got.OrdersLow, d.Quantile(.1)) || !about(got.OrdersHigh, d.Quantile(.9)) {
				t.Errorf("%s: %v buys %d to %d times, want %d to %d", name, r.RFM, got.OrdersLow, got.OrdersHigh, d.Quantile(.1), d.Quantile(.9))
			}
			spend := Spend{r.Frequency, 30}
			v := NewValue(d, []GammaGamma{g}, spend)
			low, high := intervals[i].Value(g, spend)
			near(t, fmt.Sprint(name, r.RFM, ": P(low)"), v.AtMost(low), max(.1, v.AtMost(0)), .0015)
			near(t, fmt.Sprint(name, r.RFM, ": P(high)"), v.AtMost(high), max(.9, v.AtMost(0)), .0015)
		}
	}
}
