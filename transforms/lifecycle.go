package transforms

import (
	"iter"

	"github.com/cohortline/cohortline/schemas"
)

// Names of the lifecycle of a customer in a period.
const (
	lifecycleNew         = "new"
	lifecycleReturning   = "returning"
	lifecycleResurrected = "resurrected"
)

// Lifecycle counts new, returning and resurrected customers by period and segment.
type Lifecycle struct {
	s      Settings
	tables []segmented[periods] // by position in s.Grains
}

// periods are the counts of consecutive periods from first.
type periods struct {
	first  int32
	counts []lifecycleCounts // none: nothing has been counted
}

type lifecycleCounts struct{ new, returning, resurrected int64 }

// NewLifecycle returns an empty accumulator.
func NewLifecycle(s Settings) *Lifecycle {
	l := &Lifecycle{s: s}
	for range s.Grains {
		l.tables = append(l.tables, newSegmented[periods](s))
	}
	return l
}

// Add implements Accumulator.
func (l *Lifecycle) Add(x *Customer, a *Activity) {
	for k := range l.tables {
		list := a.periods[k]
		first, last := list[0].period, list[len(list)-1].period
		for d := range l.tables[k] {
			t := l.tables[k].at(d, x.segment(d))
			t.at(last)
			t.at(first).new++
			counts, before := t.counts[first-t.first:], int32(0)
			for i := range list[1:] {
				age := list[i+1].age
				if age == before+1 {
					counts[age].returning++
				} else {
					counts[age].resurrected++
				}
				before = age
			}
		}
	}
}

// at is the counts of a period, for which room is made at either end.
func (p *periods) at(period int32) *lifecycleCounts {
	if len(p.counts) == 0 {
		p.first = period
	}
	if period < p.first {
		p.counts = append(make([]lifecycleCounts, p.first-period, int(p.first-period)+len(p.counts)), p.counts...)
		p.first = period
	}
	i := int(period - p.first)
	if i >= len(p.counts) {
		p.counts = append(p.counts, make([]lifecycleCounts, i+1-len(p.counts))...)
	}
	return &p.counts[i]
}

// Merge implements Accumulator.
func (l *Lifecycle) Merge(other Accumulator) {
	for k, t := range other.(*Lifecycle).tables {
		l.tables[k].merge(t, (*periods).merge)
	}
}

func (p *periods) merge(from *periods) {
	for i, c := range from.counts {
		x := p.at(from.first + int32(i))
		x.new += c.new
		x.returning += c.returning
		x.resurrected += c.resurrected
	}
}

// LifecycleRow is a row of lifecycle.
type LifecycleRow struct {
	Grain       string               `col:"grain"`
	Period      schemas.Day          `col:"period"`
	Dimension   string               `col:"dimension"`
	Segment     string               `col:"segment"`
	Active      int64                `col:"active_customers"`
	New         int64                `col:"new_customers"`
	Returning   int64                `col:"returning_customers"`
	Resurrected int64                `col:"resurrected_customers"`
	Dormant     int64                `col:"dormant_customers"`
	QuickRatio  schemas.Opt[float64] `col:"quick_ratio"`
	IsComplete  bool                 `col:"is_complete"`
}

// Rows lists the rows of lifecycle: per segment every period from its first cohort to
// the one that holds the last instant before the as-of instant.
func (l *Lifecycle) Rows(segments [][]string) iter.Seq[LifecycleRow] {
	return func(yield func(LifecycleRow) bool) {
		for _, k := range grainsByName(l.s) {
			g := l.s.Grains[k]
			names := sortedSegments(l.tables[k], &l.s, segments, (*periods).merge)
			first := l.s.lastPeriod(g)
			for _, seg := range names {
				first = min(first, seg.counts.first)
			}
			for period := first; period <= l.s.lastPeriod(g); period++ {
				for _, seg := range names {
					if period < seg.counts.first {
						continue
					}
					if !yield(l.row(g, period, &seg)) {
						return
					}
				}
			}
		}
	}
}

func (l *Lifecycle) row(g Grain, period int32, seg *namedSegment[periods]) LifecycleRow {
	p := seg.counts
	at := func(period int32) lifecycleCounts {
		if i := int(period - p.first); i >= 0 && i < len(p.counts) {
			return p.counts[i]
		}
		return lifecycleCounts{}
	}
	now, before := at(period), at(period-1)
	r := LifecycleRow{Grain: Grains[g], Period: l.s.start(g, period), Dimension: seg.dimension, Segment: seg.segment,
		New: now.new, Returning: now.returning, Resurrected: now.resurrected, Active: now.new + now.returning + now.resurrected,
		Dormant: before.new + before.returning + before.resurrected - now.returning, IsComplete: l.s.ended(g, period)}
	r.QuickRatio = share(r.New+r.Resurrected, r.Dormant)
	return r
}
