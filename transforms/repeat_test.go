package transforms

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestQuantilesOfGaps compares the two quantiles of a walk with those of a sorted list, for a
// few gaps and many, short ones and some that are counted by themselves.
func TestQuantilesOfGaps(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 5))
	quantile := func(sorted []int32, q float64) float64 {
		at := float64(len(sorted)-1) * q
		low := int(at)
		a := float64(sorted[low])
		b := float64(sorted[min(low+1, len(sorted)-1)])
		return a + (at-float64(low))*(b-a)
	}
	for n := range 400 {
		s, gaps := step{}, []int32{}
		for range 1 + r.IntN(1+n) {
			days := 1 + int32(r.IntN(1+n))
			if r.IntN(6) == 0 {
				days += denseGap
			}
			s.gap(days, 1)
			s.next++
			gaps = append(gaps, days)
		}
		slices.Sort(gaps)
		w := gapWalk{step: &s}
		for _, q := range []float64{0.5, 0.9} {
			if got, want := w.quantile(q), quantile(gaps, q); got != want {
				t.Fatalf("%d gaps, quantile %g: %g, want %g", len(gaps), q, got, want)
			}
		}
	}
}
