package transforms

import (
	"iter"
	"slices"
	"strings"

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
	tables []map[segmentKey]*periods // by position in s.Grains
	parts  []lifecyclePart
}

// periods are the counts of consecutive periods from first.
type periods struct {
	first  int32
	counts []lifecycleCounts
}

type lifecycleCounts struct{ new, returning, resurrected int64 }

type lifecyclePart struct {
	period int32
	state  uint8
}

// NewLifecycle returns an empty accumulator.
func NewLifecycle(s Settings) *Lifecycle {
	l := &Lifecycle{s: s}
	for range s.Grains {
		l.tables = append(l.tables, make(map[segmentKey]*periods))
	}
	return l
}

// Add implements Accumulator.
func (l *Lifecycle) Add(x *Customer) {
	for k, g := range l.s.Grains {
		l.parts = l.parts[:0]
		for i := range x.Days {
			p := l.s.Calendar.Period(g, x.Days[i].Day)
			n := len(l.parts)
			switch {
			case n == 0:
				l.parts = append(l.parts, lifecyclePart{p, 0})
			case l.parts[n-1].period == p:
			case l.parts[n-1].period == p-1:
				l.parts = append(l.parts, lifecyclePart{p, 1})
			default:
				l.parts = append(l.parts, lifecyclePart{p, 2})
			}
		}
		for d := range 1 + len(l.s.Dimensions) {
			key := segmentKey{dimension: d}
			if d > 0 {
				key.segment = x.Segments[d-1]
			}
			t := l.tables[k][key]
			if t == nil {
				t = &periods{first: l.parts[0].period}
				l.tables[k][key] = t
			}
			for _, p := range l.parts {
				c := t.at(p.period)
				switch p.state {
				case 0:
					c.new++
				case 1:
					c.returning++
				default:
					c.resurrected++
				}
			}
		}
	}
}

// at is the counts of a period, for which room is made at either end.
func (p *periods) at(period int32) *lifecycleCounts {
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
	for k, m := range other.(*Lifecycle).tables {
		for key, from := range m {
			t := l.tables[k][key]
			if t == nil {
				l.tables[k][key] = from
				continue
			}
			for i, c := range from.counts {
				x := t.at(from.first + int32(i))
				x.new += c.new
				x.returning += c.returning
				x.resurrected += c.resurrected
			}
		}
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
		order := make([]int, len(l.s.Grains))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int {
			return strings.Compare(Grains[l.s.Grains[a]], Grains[l.s.Grains[b]])
		})
		for _, k := range order {
			g := l.s.Grains[k]
			names := sortedSegments(l.tables[k], &l.s, segments)
			first := l.s.lastPeriod(g)
			for _, p := range l.tables[k] {
				first = min(first, p.first)
			}
			for period := first; period <= l.s.lastPeriod(g); period++ {
				for _, seg := range names {
					p := l.tables[k][seg.key]
					if period < p.first {
						continue
					}
					if !yield(l.row(g, period, seg, p)) {
						return
					}
				}
			}
		}
	}
}

func (l *Lifecycle) row(g Grain, period int32, seg namedSegment, p *periods) LifecycleRow {
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
