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
	s        Settings
	calendar []cellTable // by position in s.Grains
	windows  []cellTable // the same; empty for grains without windows
	ages     []agePart   // of the customer at hand

	once  sync.Once
	whole [2][]cellTable // calendar and windows with everybody's cells first; see everybody
}

// cellTable holds the cohorts of one grain by cohort and segment: one map per dimension,
// or everybody's where no dimension is configured.
type cellTable []map[cohortKey]*cohortCells

type cohortKey struct {
	cohort  int32 // period index
	segment uint32
}

// cohortCells is one cohort of one segment. What every order-day touches lies together;
// the rest has slices of its own.
type cohortCells struct {
	customers int64
	cells     []cell
	ends      []cellEnd  // as long as cells
	costs     []cellCost // up to the last age at which a cost is known
}

// cell is one age of a cohort.
type cell struct {
	active, orders int64
	net            schemas.Sum
}

// cellEnd counts the customers whose story ends at an age.
type cellEnd struct {
	last    int64 // customers for whom this is the last age that counts as returned
	elapsed int64 // windows: customers for whom this is the last elapsed age
}

// cellCost is the cost of the orders of an age whose cost is known.
type cellCost struct {
	orders int64
	cost   schemas.Sum
}

// agePart is what a customer did at one age.
type agePart struct {
	age            int32
	orders, costed int64
	net, cost      schemas.Sum
}

// NewCohortCells returns an empty accumulator.
func NewCohortCells(s Settings) *CohortCells {
	c := &CohortCells{s: s}
	for range s.Grains {
		c.calendar, c.windows = append(c.calendar, newCellTable(s)), append(c.windows, newCellTable(s))
	}
	return c
}

func newCellTable(s Settings) cellTable {
	t := make(cellTable, max(1, len(s.Dimensions)))
	for d := range t {
		t[d] = make(map[cohortKey]*cohortCells)
	}
	return t
}

// Add implements Accumulator.
func (c *CohortCells) Add(x *Customer) {
	first := x.Days[0].Day
	for k, g := range c.s.Grains {
		cohort := c.s.Calendar.Period(g, first)
		c.split(x, func(day int32) int32 { return c.s.Calendar.Period(g, day) - cohort })
		c.calendar[k].add(x, cohort, c.ages, -1)
		if w := windowDays[g]; w > 0 {
			c.split(x, func(day int32) int32 { return (day - first) / w })
			c.windows[k].add(x, cohort, c.ages, (c.s.AsOfDay-first)/w)
		}
	}
}

// split sums the order-days of a customer by age.
func (c *CohortCells) split(x *Customer, age func(day int32) int32) {
	c.ages = c.ages[:0]
	for i := range x.Days {
		d := &x.Days[i]
		a := age(d.Day)
		n := len(c.ages)
		if n == 0 || c.ages[n-1].age != a {
			c.ages = append(c.ages, agePart{age: a})
			n++
		}
		p := &c.ages[n-1]
		p.orders += int64(d.Orders)
		p.net = p.net.Add(d.Net)
		if n := int64(d.Orders - d.OrdersNoCost); n > 0 {
			p.costed += n
			p.cost = p.cost.Add(d.Cost)
		}
	}
}

// add counts a customer in the blocks of all its segments. elapsed is the number of
// windows that have fully elapsed, -1 for calendar ages, which all count.
func (t cellTable) add(x *Customer, cohort int32, ages []agePart, elapsed int32) {
	last := ages[len(ages)-1].age
	size := last + 1
	if elapsed >= 0 {
		last = min(last, elapsed-1)
		size = elapsed
	}
	for d := range t {
		key := cohortKey{cohort: cohort}
		if len(x.Segments) > 0 {
			key.segment = x.Segments[d]
		}
		b := t[d][key]
		if b == nil {
			b = &cohortCells{}
			t[d][key] = b
		}
		b.customers++
		b.reach(int(size))
		for i := range ages {
			p := &ages[i]
			if elapsed >= 0 && p.age >= elapsed {
				break
			}
			e := &b.cells[p.age]
			e.active++
			e.orders += p.orders
			e.net = e.net.Add(p.net)
			if p.costed > 0 && elapsed < 0 { // windows have no costs
				b.addCost(int(p.age), cellCost{p.costed, p.cost})
			}
		}
		if last >= 0 {
			b.ends[last].last++
		}
		if elapsed > 0 {
			b.ends[elapsed-1].elapsed++
		}
	}
}

func (b *cohortCells) reach(n int) {
	if n > len(b.cells) {
		b.ends = append(b.ends, make([]cellEnd, n-len(b.cells))...)
		b.cells = append(b.cells, make([]cell, n-len(b.cells))...)
	}
}

func (b *cohortCells) addCost(age int, c cellCost) {
	if age >= len(b.costs) {
		b.costs = append(b.costs, make([]cellCost, age+1-len(b.costs))...)
	}
	x := &b.costs[age]
	x.orders += c.orders
	x.cost = x.cost.Add(c.cost)
}

// Merge implements Accumulator.
func (c *CohortCells) Merge(other Accumulator) {
	o := other.(*CohortCells)
	for k := range c.calendar {
		c.calendar[k].merge(o.calendar[k])
		c.windows[k].merge(o.windows[k])
	}
}

func (t cellTable) merge(o cellTable) {
	for d := range t {
		for key, from := range o[d] {
			b := t[d][key]
			if b == nil {
				t[d][key] = from
				continue
			}
			b.sum(from)
		}
	}
}

// sum adds the counts of another part of the same cohort.
func (b *cohortCells) sum(from *cohortCells) {
	b.customers += from.customers
	b.reach(len(from.cells))
	for i := range from.cells {
		x, y := &b.cells[i], &from.cells[i]
		x.active += y.active
		x.orders += y.orders
		x.net = x.net.Add(y.net)
		b.ends[i].last += from.ends[i].last
		b.ends[i].elapsed += from.ends[i].elapsed
	}
	for age, c := range from.costs {
		if c.orders > 0 {
			b.addCost(age, c)
		}
	}
}

// everybody puts the cells of dimension all before those of the configured ones. Each
// customer is in one segment of every dimension, so they are the sums over the first
// dimension's, which is cheaper than to count everyone once more.
func (c *CohortCells) everybody(tables []cellTable) []cellTable {
	list := make([]cellTable, len(tables))
	for k, t := range tables {
		if len(c.s.Dimensions) == 0 {
			list[k] = t
			continue
		}
		sums := make(map[cohortKey]*cohortCells)
		for key, from := range t[0] {
			key.segment = 0
			b := sums[key]
			if b == nil {
				b = &cohortCells{}
				sums[key] = b
			}
			b.sum(from)
		}
		list[k] = append(cellTable{sums}, t...)
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
	c.once.Do(func() { c.whole = [2][]cellTable{c.everybody(c.calendar), c.everybody(c.windows)} })
	var list []block
	for k, g := range c.s.Grains {
		for d, m := range c.whole[of][k] {
			dimension := c.s.dimension(d)
			for key, cells := range m {
				list = append(list, block{g, key.cohort, dimension, segmentName(segments, d, key.segment), cells})
			}
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

// ended says whether a period had ended at the as-of instant.
func (s *Settings) ended(g Grain, period int32) bool {
	return s.Calendar.Start(g, period+1) <= s.AsOfDay
}

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
			for i := range b.cells {
				r.Orders += b.cells[i].orders
				r.NetRevenue = r.NetRevenue.Add(b.cells[i].net)
			}
			if !yield(r) {
				return
			}
		}
	}
}
