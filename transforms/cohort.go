package transforms

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/cohortline/cohortline/schemas"
)

// all is the dimension, and its only segment, that holds every customer.
const all = "all"

// windowDays are the lengths of the windows of index_kind age, by grain; 0: none.
var windowDays = [...]int32{Day: 1, Week: 7, Month: 30, Quarter: 0, Year: 0}

// CohortCells counts customers, orders and money by cohort, segment and age. One
// gathering serves the tables cohorts, cohort_retention, retention_curves and cohort_ltv.
type CohortCells struct {
	s      Settings
	grains []grainCells // by position in s.Grains
	costs  bool         // the costs of the orders are added up
	queued int          // customers in the queues of the grains
	wide   []widePart   // of the customer at hand

	once  sync.Once
	lists [2][]block // calendar and windows; see blocks

	curves *curves // what Curves lists, once it is known
}

// grainCells holds the cohorts of one grain.
type grainCells struct {
	grain   Grain
	periods []int32         // of the cohorts, by index
	ages    [2][]int32      // that the cohorts can have, by index, of the calendar and the windows
	index   map[int32]int32 // of a period
	firsts  []int32         // by first order-day from firstListed on: index of the cohort, and one; 0 is unknown
	tables  [2]*cellTable   // of the calendar and the windows; nil where the grain has none, or nobody asks for them
	queues  [2]queue
}

// NewCohortCells returns an empty accumulator for the tables wanted.
func NewCohortCells(s Settings, wants func(tables ...string) bool) *CohortCells {
	c := &CohortCells{s: s, costs: wants("cohort_ltv")}
	windows := wants("cohort_retention", "retention_curves")
	for _, g := range s.Grains {
		cells := grainCells{grain: g, index: make(map[int32]int32)}
		cells.tables[calendarTables] = newCellTable(s)
		if windows && windowDays[g] > 0 {
			cells.tables[windowTables] = newCellTable(s)
		}
		c.grains = append(c.grains, cells)
	}
	return c
}

// Add implements Accumulator.
func (c *CohortCells) Add(x *Customer, a *Activity) {
	for k := range c.grains {
		g := &c.grains[k]
		list := a.periods[k]
		i := c.cohortOf(g, x.Days[0].Day, list[0].period)
		c.addCalendar(x, g, i, list)
		if g.tables[windowTables] != nil {
			c.addWindows(x, g, i, window{days: windowDays[g.grain], first: x.Days[0].Day})
		}
	}
	if c.queued++; c.queued == maxCounted {
		c.count()
	}
}

func (c *CohortCells) addCalendar(x *Customer, g *grainCells, cohort int, list []activePeriod) {
	q := &g.queues[calendarTables]
	who, from, fits := int32(len(q.customers)), len(q.parts), true
	for i := range list {
		p := &list[i]
		net, ok := smallAmount(p.net)
		cost, ok2 := smallAmount(p.cost)
		fits = fits && ok && ok2 && p.orders < maxPackedN // of which uncosted are a part
		q.parts = append(q.parts, queuedPart{who, p.age, ageCount{pack(net, int64(p.orders), 1), pack(cost, int64(p.uncosted), 0)}})
	}
	n := queuedCustomer{cohort: int32(cohort), ages: g.ages[calendarTables][cohort]}
	if fits {
		q.parts[len(q.parts)-1].ends += pack(0, 0, 1) // the last age by which the customer had returned
		q.end(x, n)
		return
	}
	q.parts = q.parts[:from]
	c.wide = c.wide[:0]
	for i := range list {
		p := &list[i]
		c.wide = append(c.wide, widePart{p.age, cell{active: 1, orders: int64(p.orders), extra: int64(p.uncosted), net: p.net, cost: p.cost}})
	}
	c.wide[len(c.wide)-1].last = 1
	g.tables[calendarTables].addWide(x, n, c.wide)
}

// addWindows counts the windows that have elapsed. The last of them is the last by which the
// customer had returned if an order-day comes after it.
func (c *CohortCells) addWindows(x *Customer, g *grainCells, cohort int, w window) {
	q := &g.queues[windowTables]
	n := queuedCustomer{cohort: int32(cohort), ages: g.ages[windowTables][cohort]}
	elapsed := w.of(c.s.AsOfDay) - 1
	who, from, fits, later := int32(len(q.customers)), len(q.parts), true, int64(0)
	last, orders, net := int32(-1), int64(0), int64(0) // of the part at the end
	for i := range x.Days {
		d := &x.Days[i]
		age := w.of(d.Day)
		if age > elapsed {
			later = 1
			break
		}
		amount, ok := smallAmount(d.Net)
		if age != last {
			q.parts = append(q.parts, queuedPart{customer: who, age: age})
			last, orders, net = age, 0, 0
		}
		orders, net = orders+int64(d.Orders), net+amount
		fits = fits && ok && orders < maxPackedN && uint64(net+maxPacked-1) < 2*maxPacked-1
		q.parts[len(q.parts)-1].orders = pack(net, orders, 1)
	}
	if last >= 0 && later == 0 {
		q.parts[len(q.parts)-1].ends = pack(0, 0, 1)
	}
	if elapsed >= 0 {
		if last != elapsed {
			q.parts = append(q.parts, queuedPart{customer: who, age: elapsed})
		}
		q.parts[len(q.parts)-1].ends += pack(0, 1, later)
	}
	if fits {
		q.end(x, n)
		return
	}
	q.parts = q.parts[:from]
	g.tables[windowTables].addWide(x, n, c.wideWindows(x, w, elapsed))
}

// wideWindows are the parts of addWindows of any size.
func (c *CohortCells) wideWindows(x *Customer, w window, elapsed int32) []widePart {
	c.wide = c.wide[:0]
	last := min(elapsed, w.of(x.Days[len(x.Days)-1].Day))
	for i := range x.Days {
		d := &x.Days[i]
		age := w.of(d.Day)
		if age > elapsed {
			break
		}
		if len(c.wide) == 0 || c.wide[len(c.wide)-1].age != age {
			c.wide = append(c.wide, widePart{age, cell{active: 1}})
		}
		c.wide[len(c.wide)-1].add(&cell{orders: int64(d.Orders), net: d.Net})
	}
	if elapsed >= 0 {
		c.wide = append(c.wide, widePart{last, cell{last: 1}}, widePart{elapsed, cell{extra: 1}})
	}
	return c.wide
}

// window counts the windows of so many days since a first date.
type window struct{ days, first int32 }

// of is the window that holds a date. The lengths are constants: dividing by a variable
// takes the processor ten times as long.
func (w window) of(day int32) int32 {
	n := day - w.first
	switch w.days {
	case 30:
		return n / 30
	case 7:
		return n / 7
	}
	return n / w.days
}

// count empties the queues.
func (c *CohortCells) count() {
	for k := range c.grains {
		g := &c.grains[k]
		for i, t := range g.tables {
			if t != nil {
				t.count(&g.queues[i])
			}
		}
	}
	c.queued = 0
}

// cohortOf is the index of the cohort of customers with a first order-day, in this period.
func (c *CohortCells) cohortOf(g *grainCells, day, period int32) int {
	d := day - firstListed
	if uint32(d) >= listedDays {
		return c.cohort(g, period)
	}
	if g.firsts == nil {
		g.firsts = make([]int32, listedDays)
	}
	i := &g.firsts[d]
	if *i == 0 {
		*i = int32(c.cohort(g, period)) + 1
	}
	return int(*i) - 1
}

// cohort is the index of a cohort.
func (c *CohortCells) cohort(g *grainCells, period int32) int {
	i, ok := g.index[period]
	if !ok {
		i = int32(len(g.periods))
		g.periods = append(g.periods, period)
		g.index[period] = i
		// Where a zone repeats a date the last one of all may have come before the as-of instant, too.
		g.ages[calendarTables] = append(g.ages[calendarTables], max(1, c.s.lastPeriod(g.grain)-period+2))
		windows := int32(0)
		if n := windowDays[g.grain]; n > 0 {
			windows = max(0, (c.s.AsOfDay-c.s.Calendar.Start(g.grain, period))/n)
		}
		g.ages[windowTables] = append(g.ages[windowTables], windows)
	}
	return int(i)
}

// Merge implements Accumulator.
func (c *CohortCells) Merge(other Accumulator) {
	o := other.(*CohortCells)
	c.count()
	o.count()
	for k := range c.grains {
		g, from := &c.grains[k], &o.grains[k]
		for i, t := range from.tables {
			t.each(func(d int, segment uint32, cohort int, b *cohortCells) {
				to := c.cohort(g, from.periods[cohort])
				g.tables[i].at(d, segment, to, g.ages[i][to]).sum(b)
			})
		}
	}
}

// cohort is one cohort of one segment; dimension 0 is everybody's.
type cohort struct {
	period    int32
	dimension int
	segment   uint32
	*cohortCells
}

// everybody lists the cohorts of a table with those of dimension all. Each customer is in
// one segment of every dimension, so everybody's are the sums over the first dimension's,
// which is cheaper than to count everyone once more.
func (g *grainCells) everybody(t *cellTable, dimensions int) (list []cohort) {
	sums := make([]*cohortCells, len(g.periods))
	t.each(func(d int, segment uint32, i int, b *cohortCells) {
		if d == 0 {
			if sums[i] == nil {
				sums[i] = &cohortCells{counts: make([]ageCount, len(b.counts))}
			}
			sums[i].sum(b)
		}
		if dimensions > 0 {
			list = append(list, cohort{g.periods[i], d + 1, segment, b})
		}
	})
	for i, b := range sums {
		if b != nil {
			list = append(list, cohort{g.periods[i], 0, 0, b})
		}
	}
	return list
}

// block is one cohort of one segment with its names, as the tables list them.
type block struct {
	grain              Grain
	cohort             int32 // period index
	dimension, segment string
	*cohortCells
}

// Which tables blocks lists.
const (
	calendarTables = iota
	windowTables
)

// blocks lists the cohorts of the calendar or window tables in the order of the key
// (grain, cohort, dimension, segment), names bytewise. It may be called once everything
// is added and merged, by several goroutines.
func (c *CohortCells) blocks(of int, segments [][]string) []block {
	c.once.Do(func() {
		c.count()
		for i := range c.lists {
			c.lists[i] = c.list(i, segments)
		}
	})
	return c.lists[of]
}

// list makes the list of blocks.
func (c *CohortCells) list(of int, segments [][]string) (list []block) {
	for k := range c.grains {
		g := &c.grains[k]
		for _, x := range g.everybody(g.tables[of], len(c.s.Dimensions)) {
			list = append(list, block{g.grain, x.period, c.s.dimension(x.dimension), segmentName(segments, x.dimension, x.segment), x.cohortCells})
		}
	}
	slices.SortFunc(list, func(a, b block) int {
		return cmp.Or(strings.Compare(Grains[a.grain], Grains[b.grain]), cmp.Compare(a.cohort, b.cohort),
			strings.Compare(a.dimension, b.dimension), strings.Compare(a.segment, b.segment))
	})
	return list
}

// dimension is the name of dimension d, where 0 is all.
func (s *Settings) dimension(d int) string {
	if d == 0 {
		return all
	}
	return s.Dimensions[d-1]
}

func segmentName(segments [][]string, d int, code uint32) string {
	if d == 0 {
		return all
	}
	return segments[d-1][code]
}

// start is the first date of a period.
func (s *Settings) start(g Grain, period int32) schemas.Day {
	return schemas.Day(s.Calendar.Start(g, period))
}

// lastPeriod is the period that holds the last instant before the as-of instant.
func (s *Settings) lastPeriod(g Grain) int32 { return s.Calendar.Period(g, s.LastDay) }

// running is the period that had begun and not ended at the as-of instant.
func (s *Settings) running(g Grain) int32 { return s.Calendar.Period(g, s.AsOfDay) }

// ended says whether a period had ended at the as-of instant.
func (s *Settings) ended(g Grain, period int32) bool { return period < s.running(g) }

// CohortRow is a row of cohorts.
type CohortRow struct {
	Grain      string      `col:"grain"`
	Cohort     schemas.Day `col:"cohort"`
	Dimension  string      `col:"dimension"`
	Segment    string      `col:"segment"`
	Customers  int64       `col:"customers"`
	Orders     int64       `col:"orders"`
	NetRevenue schemas.Sum `col:"net_revenue"`
	IsComplete bool        `col:"is_complete"`
}

// Cohorts lists the rows of cohorts.
func (c *CohortCells) Cohorts(segments [][]string) iter.Seq[CohortRow] {
	return func(yield func(CohortRow) bool) {
		for _, b := range c.blocks(calendarTables, segments) {
			r := CohortRow{Grain: Grains[b.grain], Cohort: c.s.start(b.grain, b.cohort), Dimension: b.dimension, Segment: b.segment,
				Customers: b.customers, IsComplete: c.s.ended(b.grain, b.cohort)}
			r.Orders, r.NetRevenue = b.totals()
			if !yield(r) {
				return
			}
		}
	}
}
