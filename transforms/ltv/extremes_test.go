package ltv

import (
	"fmt"
	"math"
	"testing"
)

// Whatever plausible customers there are, a fit ends with a verdict, and what it calls
// usable predicts numbers: units from microseconds to ages of the earth, a few or many
// customers, alike or not, a million purchases in a moment.
func TestOddSummaries(t *testing.T) {
	random := newSource(11)
	pick := func(list ...float64) float64 { return list[random.IntN(len(list))] }
	kinds := map[VerdictKind]int{}
	for trial := range 24 {
		scale := pick(1e-9, 1, 1, 365, 1e12)
		var list []RFM
		if trial%4 == 0 { // some ordinary ones among them
			for _, c := range shop(1000) {
				list = append(list, RFM{c.Frequency, c.Recency * scale, c.Age * scale})
			}
		}
		for range int(pick(10, 15, 60)) {
			c := RFM{Age: scale * pick(1e-6, .1, 1, 1, 1, 1e3) * pick(1, random.Float64())}
			if random.Float64() < .7 {
				c.Frequency = int(math.Ceil(math.Exp(random.Float64() * pick(.1, 2, 5, 14))))
				c.Recency = c.Age * pick(1e-12, random.Float64(), random.Float64(), 1)
				if c.Recency == 0 {
					c.Frequency = 0
				}
			}
			list = append(list, c)
		}
		s := compress(t, list)
		eachFamily(t, func(t *testing.T, f family) {
			m, fit := f.fit(s)
			kinds[fit.Verdict.Kind]++
			if fit.Verdict.Reason == "" {
				t.Fatalf("trial %d: no reason for %v", trial, fit.Verdict)
			}
			if !fit.Verdict.Usable() {
				return
			}
			for i, p := range Predict(m, s, 3*scale) {
				what := fmt.Sprint("trial ", trial, " ", fit.Values, s.Rows()[i])
				for _, v := range []float64{p.Alive, p.AliveLater, p.Expected, p.NoPurchase} {
					if math.IsNaN(v) || math.IsInf(v, 0) || v < -1e-9 {
						t.Fatalf("%s: %+v", what, p)
					}
				}
				if p.Alive > 1 || p.AliveLater > p.Alive+1e-9 || p.NoPurchase > 1+1e-9 {
					t.Fatalf("%s: %+v are no probabilities", what, p)
				}
			}
			if trial%12 == 0 {
				for _, i := range Intervals([]Model{m}, spenders, s, .1*scale, .8) {
					if low, high := i.Value(spenders, Spend{}); !(i.OrdersLow <= i.OrdersHigh && low <= high && low >= 0) {
						t.Fatalf("trial %d: interval %+v", trial, i)
					}
				}
			}
		})
	}
	t.Log(kinds)
	if kinds[Converged] == 0 || kinds[Ridge] == 0 || kinds[TooFew] == 0 {
		t.Errorf("verdicts %v: the summaries are not odd enough, or too odd", kinds)
	}
}
