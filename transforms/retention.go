package transforms

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/cohortline/cohortline/schemas"
)

// Names of index_kind.
const (
	calendarIndex = "calendar"
	ageIndex      = "age"
)

// z95 is the 97.5 % quantile of the standard normal distribution.
const z95 = 1.959963984540054

// RetentionRow is a row of cohort_retention.
type RetentionRow struct {
	Grain         string               `col:"grain"`
	Cohort        schemas.Day          `col:"cohort"`
	Dimension     string               `col:"dimension"`
	Segment       string               `col:"segment"`
	IndexKind     string               `col:"index_kind"`
	Age           int64                `col:"age"`
	Customers     int64                `col:"cohort_customers"`
	Eligible      int64                `col:"eligible_customers"`
	Active        int64                `col:"active_customers"`
	Returned      int64                `col:"returned_customers"`
	Orders        int64                `col:"orders"`
	NetRevenue    schemas.Sum          `col:"net_revenue"`
	RetentionRate schemas.Opt[float64] `col:"retention_rate"`
	RetentionLow  schemas.Opt[float64] `col:"retention_low"`
	RetentionHigh schemas.Opt[float64] `col:"retention_high"`
	UnboundedRate schemas.Opt[float64] `col:"unbounded_rate"`
	ChurnRate     schemas.Opt[float64] `col:"churn_rate"`
	IsComplete    bool                 `col:"is_complete"`
}

// Retention lists the rows of cohort_retention: calendar ages up to the period that
// holds the last instant, windows up to the last that a customer has completed.
func (c *CohortCells) Retention(segments [][]string) iter.Seq[RetentionRow] {
	return func(yield func(RetentionRow) bool) {
		for r := range c.RetentionCounts(segments) {
			r.RetentionRate = share(r.Active, r.Eligible)
			r.RetentionLow, r.RetentionHigh = wilson(r.Active, r.Eligible)
			r.UnboundedRate = share(r.Returned, r.Eligible)
			if r.ChurnRate = (schemas.Opt[float64]{}); r.UnboundedRate.Valid {
				r.ChurnRate = schemas.Some(1 - r.UnboundedRate.Value)
			}
			if !yield(*r) {
				return
			}
		}
	}
}

// RetentionCounts lists the rows of cohort_retention without their rates, which take most
// of the time. A row is valid until the next, and leaves its rates to the caller.
func (c *CohortCells) RetentionCounts(segments [][]string) iter.Seq[*RetentionRow] {
	return func(yield func(*RetentionRow) bool) {
		windows := c.blocks(windowTables, segments)
		r := &RetentionRow{}
		for _, b := range c.blocks(calendarTables, segments) {
			if len(windows) > 0 && windowDays[b.grain] > 0 { // the same customers are in a block of the windows, which sorts at the same place
				if !c.retentionOf(r, windows[0], true, yield) {
					return
				}
				windows = windows[1:]
			}
			if !c.retentionOf(r, b, false, yield) {
				return
			}
		}
	}
}

// retentionOf lists the rows of a block, all of them in the same place.
func (c *CohortCells) retentionOf(r *RetentionRow, b block, windows bool, yield func(*RetentionRow) bool) bool {
	*r = RetentionRow{Grain: Grains[b.grain], Cohort: c.s.start(b.grain, b.cohort), Dimension: b.dimension, Segment: b.segment,
		IndexKind: calendarIndex, Customers: b.customers}
	ages := int(c.s.lastPeriod(b.grain) - b.cohort + 1)
	if windows {
		r.IndexKind, ages = ageIndex, len(b.counts)
	}
	returned, eligible := b.allEnds()
	if !windows {
		eligible = b.customers
	}
	running := c.s.running(b.grain)
	for age := range ages {
		if windows && eligible == 0 {
			break // nobody has completed this window, nor a later one
		}
		n := &b.counts[age]
		net, orders, active := n.orders.unpack()
		_, extra, last := n.ends.unpack()
		r.Active, r.Orders, r.NetRevenue = active, orders, sumOf(net)
		if age < len(b.wide) { // rarely
			x := &b.wide[age]
			r.Active, r.Orders, r.NetRevenue = active+x.active, orders+x.orders, r.NetRevenue.Add(x.net)
			last, extra = last+x.last, extra+x.extra
		}
		r.Age = int64(age)
		r.Returned, r.Eligible = returned, eligible
		if windows {
			r.IsComplete = eligible == b.customers
		} else {
			r.IsComplete = b.cohort+int32(age) < running
		}
		if !yield(r) { // which may write the rates
			return false
		}
		returned -= last
		if windows {
			eligible -= extra
		}
	}
	return true
}

// allEnds adds up the last two counts of all ages.
func (b *cohortCells) allEnds() (last, extra int64) {
	for i := range b.counts {
		_, n, m := b.counts[i].ends.unpack()
		last, extra = last+m, extra+n
	}
	for i := range b.wide {
		last, extra = last+b.wide[i].last, extra+b.wide[i].extra
	}
	return last, extra
}

// share is n / of, null where of is 0.
func share(n, of int64) schemas.Opt[float64] {
	if of == 0 {
		return schemas.Opt[float64]{}
	}
	return schemas.Some(float64(n) / float64(of))
}

// wilson is the 95 % score interval of a share (Wilson 1927), null where n is 0.
func wilson(successes, n int64) (low, high schemas.Opt[float64]) {
	if n == 0 {
		return low, high
	}
	p, m := float64(successes)/float64(n), float64(n)
	z2 := z95 * z95
	middle, scale := p+z2/(2*m), 1+z2/m
	half := z95 * math.Sqrt(p*(1-p)/m+z2/(4*m*m))
	lo, hi := (middle-half)/scale, (middle+half)/scale
	if successes == 0 {
		lo = 0
	}
	return schemas.Some(max(0, lo)), schemas.Some(min(1, hi))
}

// CurveRow is a row of retention_curves.
type CurveRow struct {
	Grain         string               `col:"grain"`
	Dimension     string               `col:"dimension"`
	Segment       string               `col:"segment"`
	IndexKind     string               `col:"index_kind"`
	Age           int64                `col:"age"`
	Cohorts       int64                `col:"cohorts"`
	Eligible      int64                `col:"eligible_customers"`
	Active        int64                `col:"active_customers"`
	RetentionRate schemas.Opt[float64] `col:"retention_rate"`
	RetentionLow  schemas.Opt[float64] `col:"retention_low"`
	RetentionHigh schemas.Opt[float64] `col:"retention_high"`
}

// curveKey names a curve.
type curveKey struct{ grain, dimension, segment, kind string }

// curves adds up the rows of cohort_retention.
type curves struct {
	lists map[curveKey]*[]CurveRow
	list  *[]CurveRow // of the rows that follow one with age 0
}

func (c *curves) add(r *RetentionRow) {
	if r.IndexKind == ageIndex && r.Eligible == 0 || r.IndexKind != ageIndex && !r.IsComplete {
		return
	}
	if r.Age == 0 {
		k := curveKey{r.Grain, r.Dimension, r.Segment, r.IndexKind}
		if c.list = c.lists[k]; c.list == nil {
			c.list = new([]CurveRow)
			c.lists[k] = c.list
		}
	}
	for int64(len(*c.list)) <= r.Age {
		*c.list = append(*c.list, CurveRow{Grain: r.Grain, Dimension: r.Dimension, Segment: r.Segment, IndexKind: r.IndexKind, Age: int64(len(*c.list))})
	}
	x := &(*c.list)[r.Age]
	x.Cohorts++
	x.Eligible += r.Eligible
	x.Active += r.Active
}

// CountsAndCurves is RetentionCounts, and gathers on the way what Curves lists. Rows must be
// taken to the last, before Curves.
func (c *CohortCells) CountsAndCurves(segments [][]string) iter.Seq[*RetentionRow] {
	return func(yield func(*RetentionRow) bool) {
		sums := &curves{lists: map[curveKey]*[]CurveRow{}}
		for r := range c.RetentionCounts(segments) {
			sums.add(r)
			if !yield(r) {
				return
			}
		}
		c.curves = sums
	}
}

// Curves lists the rows of retention_curves: Σ active / Σ eligible by age.
func (c *CohortCells) Curves(segments [][]string) iter.Seq[CurveRow] {
	return func(yield func(CurveRow) bool) {
		sums := c.curves
		if sums == nil {
			sums = &curves{lists: map[curveKey]*[]CurveRow{}}
			for r := range c.RetentionCounts(segments) {
				sums.add(r)
			}
		}
		keys := make([]curveKey, 0, len(sums.lists))
		for k := range sums.lists {
			keys = append(keys, k)
		}
		slices.SortFunc(keys, func(a, b curveKey) int {
			return cmp.Or(strings.Compare(a.grain, b.grain), strings.Compare(a.dimension, b.dimension), strings.Compare(a.segment, b.segment), strings.Compare(a.kind, b.kind))
		})
		for _, k := range keys {
			for _, r := range *sums.lists[k] {
				r.RetentionRate = share(r.Active, r.Eligible)
				r.RetentionLow, r.RetentionHigh = wilson(r.Active, r.Eligible)
				if !yield(r) {
					return
				}
			}
		}
	}
}
