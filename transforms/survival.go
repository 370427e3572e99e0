package transforms

import (
	"iter"
	"math"

	"github.com/cohortline/cohortline/schemas"
)

// Survival counts durations until the second order-day by segment.
type Survival struct {
	s      Settings
	curves segmented[durations]
}

// durations are counts by day.
type durations struct{ events, censored []int64 }

// NewSurvival returns an empty accumulator.
func NewSurvival(s Settings) *Survival {
	return &Survival{s: s, curves: newSegmented[durations](s)}
}

// Add implements Accumulator.
func (v *Survival) Add(x *Customer, _ *Activity) {
	first := x.Days[0].Day
	for d := range v.curves {
		c := v.curves.at(d, x.segment(d))
		if len(x.Days) > 1 {
			count(&c.events, int(x.Days[1].Day-first), 1)
		} else {
			count(&c.censored, int(v.s.LastDay-first), 1)
		}
	}
}

// Merge implements Accumulator.
func (v *Survival) Merge(other Accumulator) {
	v.curves.merge(other.(*Survival).curves, (*durations).merge)
}

func (c *durations) merge(from *durations) {
	addCounts(&c.events, from.events)
	addCounts(&c.censored, from.censored)
}

// count adds n at index i of a list that grows as needed.
func count(list *[]int64, i int, n int64) {
	if i >= len(*list) {
		*list = append(*list, make([]int64, i+1-len(*list))...)
	}
	(*list)[i] += n
}

// addCounts adds a list to another, index by index.
func addCounts(to *[]int64, from []int64) {
	if len(from) > len(*to) {
		*to = append(*to, make([]int64, len(from)-len(*to))...)
	}
	sums := (*to)[:len(from)]
	for i, n := range from {
		sums[i] += n
	}
}

// SurvivalRow is a row of survival_curves.
type SurvivalRow struct {
	Dimension    string               `col:"dimension"`
	Segment      string               `col:"segment"`
	Event        string               `col:"event"`
	Day          int64                `col:"day"`
	AtRisk       int64                `col:"at_risk"`
	Events       int64                `col:"events"`
	Censored     int64                `col:"censored"`
	Survival     float64              `col:"survival"`
	SurvivalLow  schemas.Opt[float64] `col:"survival_low"`
	SurvivalHigh schemas.Opt[float64] `col:"survival_high"`
}

// Curves lists the rows of survival_curves: the Kaplan-Meier estimate (Kaplan and Meier
// 1958) with Greenwood's variance and the log-log interval.
func (v *Survival) Curves(segments [][]string) iter.Seq[SurvivalRow] {
	return func(yield func(SurvivalRow) bool) {
		for _, seg := range sortedSegments(v.curves, &v.s, segments, (*durations).merge) {
			c := seg.counts
			days := max(len(c.events), len(c.censored))
			atRisk := int64(0)
			for _, list := range [][]int64{c.events, c.censored} {
				for _, n := range list {
					atRisk += n
				}
			}
			survival, variance := 1.0, 0.0
			low, high := logLogInterval(survival, variance)
			for day := range days {
				r := SurvivalRow{Dimension: seg.dimension, Segment: seg.segment, Event: "second_purchase", Day: int64(day), AtRisk: atRisk}
				if day < len(c.events) {
					r.Events = c.events[day]
				}
				if day < len(c.censored) {
					r.Censored = c.censored[day]
				}
				if r.Events > 0 {
					n, e := float64(atRisk), float64(r.Events)
					survival *= 1 - e/n
					if r.Events < atRisk {
						variance += e / (n * (n - e))
					}
					low, high = logLogInterval(survival, variance)
				}
				r.Survival, r.SurvivalLow, r.SurvivalHigh = survival, low, high
				if !yield(r) {
					return
				}
				atRisk -= r.Events + r.Censored
			}
		}
	}
}

// logLogInterval is exp(-exp(ln(-ln S) ± z √V / |ln S|)); both bounds are 1 while S is
// 1 and null when it is 0.
func logLogInterval(s, variance float64) (low, high schemas.Opt[float64]) {
	switch {
	case s >= 1:
		return schemas.Some(1.0), schemas.Some(1.0)
	case s <= 0:
		return low, high
	}
	l := math.Log(s)
	half := z95 * math.Sqrt(variance) / -l
	middle := math.Log(-l)
	return schemas.Some(math.Exp(-math.Exp(middle + half))), schemas.Some(math.Exp(-math.Exp(middle - half)))
}
