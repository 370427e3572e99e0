package transforms

import (
	"iter"
	"math"
	"slices"

	"github.com/cohortline/cohortline/schemas"
)

// denseGap is the gap in days up to which gaps are counted in a list.
const denseGap = 4096

// Repeat counts how many customers reach their n-th order-day and the days to the next.
type Repeat struct {
	s     Settings
	steps segmented[[]step]
}

// step is one order number.
type step struct {
	customers, next int64
	gaps            []int64         // by days
	long            map[int32]int64 // gaps beyond denseGap
}

// NewRepeat returns an empty accumulator.
func NewRepeat(s Settings) *Repeat { return &Repeat{s: s, steps: newSegmented[[]step](s)} }

// Add implements Accumulator.
func (r *Repeat) Add(x *Customer, _ *Activity) {
	for d := range r.steps {
		list := r.steps.at(d, x.segment(d))
		for len(*list) < len(x.Days) {
			*list = append(*list, step{})
		}
		steps := (*list)[:len(x.Days)]
		for i := range steps[1:] {
			s := &steps[i]
			s.customers++
			s.next++
			if days := int(x.Days[i+1].Day - x.Days[i].Day); days < len(s.gaps) {
				s.gaps[days]++
			} else {
				s.gap(int32(days), 1)
			}
		}
		steps[len(steps)-1].customers++
	}
}

func (s *step) gap(days int32, n int64) {
	if days <= denseGap {
		count(&s.gaps, int(days), n)
		return
	}
	if s.long == nil {
		s.long = make(map[int32]int64)
	}
	s.long[days] += n
}

// Merge implements Accumulator.
func (r *Repeat) Merge(other Accumulator) { r.steps.merge(other.(*Repeat).steps, mergeSteps) }

func mergeSteps(to, from *[]step) {
	for i := range *from {
		if i == len(*to) {
			*to = append(*to, step{})
		}
		a, b := &(*to)[i], &(*from)[i]
		a.customers += b.customers
		a.next += b.next
		addCounts(&a.gaps, b.gaps)
		for days, n := range b.long {
			a.gap(days, n)
		}
	}
}

// RepeatRow is a row of repeat_purchases.
type RepeatRow struct {
	Dimension   string               `col:"dimension"`
	Segment     string               `col:"segment"`
	OrderNumber int64                `col:"order_number"`
	Customers   int64                `col:"customers"`
	Next        int64                `col:"next_customers"`
	RepeatRate  schemas.Opt[float64] `col:"repeat_rate"`
	MedianDays  schemas.Opt[float64] `col:"median_days"`
	P90Days     schemas.Opt[float64] `col:"p90_days"`
}

// Rows lists the rows of repeat_purchases.
func (r *Repeat) Rows(segments [][]string) iter.Seq[RepeatRow] {
	return func(yield func(RepeatRow) bool) {
		for _, seg := range sortedSegments(r.steps, &r.s, segments, mergeSteps) {
			for i, s := range *seg.counts {
				row := RepeatRow{Dimension: seg.dimension, Segment: seg.segment, OrderNumber: int64(i + 1), Customers: s.customers, Next: s.next, RepeatRate: share(s.next, s.customers)}
				if s.next > 0 {
					w := gapWalk{step: &s}
					row.MedianDays, row.P90Days = schemas.Some(w.quantile(0.5)), schemas.Some(w.quantile(0.9))
				}
				if !yield(row) {
					return
				}
			}
		}
	}
}

// gapWalk walks the gaps of a step from the shortest on, so that all quantiles take one walk.
type gapWalk struct {
	*step
	days  int   // of the dense gaps, where the walk is
	below int64 // how many gaps are shorter
}

// quantile is the type-7 quantile of the gaps (Hyndman and Fan 1996): linear
// interpolation between the order statistics around (n − 1) q. Each call needs a higher q than
// the one before.
func (w *gapWalk) quantile(q float64) float64 {
	at := float64(w.next-1) * q
	low := int64(math.Floor(at))
	a := w.rank(low)
	b := a
	if low+1 < w.next {
		ahead := *w // the next quantile may begin at the same gap as this one
		b = ahead.rank(low + 1)
	}
	return a + (at-float64(low))*(b-a)
}

// rank is the k-th smallest gap, from 0; it does not go back.
func (w *gapWalk) rank(k int64) float64 {
	for ; w.days < len(w.gaps); w.days++ {
		if k < w.below+w.gaps[w.days] {
			return float64(w.days)
		}
		w.below += w.gaps[w.days]
	}
	k -= w.below
	var long []int32
	for days := range w.long {
		long = append(long, days)
	}
	slices.Sort(long)
	for _, days := range long {
		if n := w.long[days]; k < n {
			return float64(days)
		}
		k -= w.long[days]
	}
	return math.NaN() // not reached: k is below the number of gaps; Encode would refuse it
}
