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
	s         Settings
	grains    []grainCells // by position in s.Grains
	costs     bool         // the costs of the orders are added up
	queued    int          // customers in the queues of the grains
	parts     []agePart    // of the customer at hand
	unsettled struct {     // what the counts have taken since they were last settled
		orders int64
		net    uint64
	}

	once  sync.Once
	whole [2][][]cohort // calendar and windows, by position in s.Grains; see everybody
}

// grainCells holds the cohorts of one grain.
type grainCells struct {
	grain    Grain
	periods  []int32         // of the cohorts, by index
	index    map[int32]int32 // of a period
	last     int32           // index of the cohort found last, of
	lastOf   int32           // this period
	calendar cellTable
	windows  cellTable // nil where the grain has none, or nobody asks for them
	queues   [2]queue  // of the calendar and the windows
}

// queue holds customers to be counted in a cellTable. They are counted many at a time, one
// dimension after the other, because the counts of one dimension fit the cache of a
// processor and those of all do not.
type queue struct {
	customers []queuedCustomer
	segments  []uint32 // of the customers, by dimension
	parts     []countPart
}

// queuedCustomer is a customer in a queue.
type queuedCustomer struct {
	cohort, parts int32 // index of the cohort, number of parts
	last, elapsed int32 // see cellTable.add
}

// countPart is an agePart that counts have room for.
type countPart struct {
	age    int32
	orders uint32
	net    int64
}

// maxQueued is how many customers are counted at a time.
const maxQueued = 512

// cellTable holds cohorts by dimension, code of the segment and index of the cohort; the
// only dimension is everybody's where none is configured.
type cellTable [][][]*cohortCells

// cohortCells is one cohort of one segment.
type cohortCells struct {
	customers int64
	counts    []count32  // by age, to be settled
	cells     []cell     // by age, what has been settled
	costs     []cellCost // up to the last age at which a cost is known
}

// cell is one age of a cohort.
type cell struct {
	active, orders int64
	last           int64 // customers for whom this is the last age that counts as returned
	elapsed        int64 // windows: customers for whom this is the last elapsed age
	net            schemas.Sum
}

func (c *cell) add(o *cell) {
	c.active += o.active
	c.orders += o.orders
	c.last += o.last
	c.elapsed += o.elapsed
	c.net = c.net.Add(o.net)
}

// count32 is a cell while customers are added: small, because every purchase comes by one
// or more of them at random. CohortCells settles them before any can overflow.
type count32 struct {
	active, orders, last, elapsed uint32
	net                           int64
}

// Limits of what all counts together take before they are settled.
const (
	maxCountedOrders = 1 << 31
	maxCountedNet    = 1 << 62
)

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

// NewCohortCells returns an empty accumulator for the tables wanted.
func NewCohortCells(s Settings, wants func(tables ...string) bool) *CohortCells {
	c := &CohortCells{s: s, costs: wants("cohort_ltv")}
	windows := wants("cohort_retention", "retention_curves")
	for _, g := range s.Grains {
		cells := grainCells{grain: g, index: make(map[int32]int32), calendar: newCellTable(s)}
		if windows && windowDays[g] > 0 {
			cells.windows = newCellTable(s)
		}
		c.grains = append(c.grains, cells)
	}
	return c
}

func newCellTable(s Settings) cellTable { return make(cellTable, max(1, len(s.Dimensions))) }

// Add implements Accumulator.
func (c *CohortCells) Add(x *Customer) {
	fits := c.makeRoom(x)
	first := x.Days[0].Day
	for k := range c.grains {
		g := &c.grains[k]
		cohort := c.s.Calendar.Period(g.grain, first)
		i := g.cohort(cohort)
		if !fits || c.costs {
			c.addWide(x, g, i, cohort, fits)
			if !fits {
				continue
			}
		}
		q := &g.queues[calendarTables]
		from := len(q.parts)
		for d := range x.Days {
			q.add(from, &x.Days[d], c.s.Calendar.Period(g.grain, x.Days[d].Day)-cohort)
		}
		last := q.parts[len(q.parts)-1].age
		q.end(x, i, from, last, last)
		if g.windows == nil {
			continue
		}
		q = &g.queues[windowTables]
		from = len(q.parts)
		w := window{days: windowDays[g.grain], first: first}
		elapsed := w.of(c.s.AsOfDay) - 1
		for d := range x.Days {
			age := w.of(x.Days[d].Day)
			if age > elapsed {
				break
			}
			q.add(from, &x.Days[d], age)
		}
		q.end(x, i, from, min(elapsed, w.of(x.Days[len(x.Days)-1].Day)), elapsed)
	}
	if fits {
		if c.queued++; c.queued == maxQueued {
			c.count()
		}
	}
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

// add adds an order-day to the parts from a place on, of the customer at hand.
func (q *queue) add(from int, d *OrderDay, age int32) {
	if n := len(q.parts); n > from && q.parts[n-1].age == age {
		p := &q.parts[n-1]
		p.orders += uint32(d.Orders)
		p.net += int64(d.Net.LowBits())
		return
	}
	q.parts = append(q.parts, countPart{age, uint32(d.Orders), int64(d.Net.LowBits())})
}

// end ends a customer, whose parts begin at a place.
func (q *queue) end(x *Customer, cohort, from int, last, elapsed int32) {
	q.customers = append(q.customers, queuedCustomer{int32(cohort), int32(len(q.parts) - from), last, elapsed})
	q.segments = append(q.segments, x.Segments...)
}

// count empties the queues.
func (c *CohortCells) count() {
	for k := range c.grains {
		g := &c.grains[k]
		g.calendar.count(&g.queues[calendarTables], false)
		g.windows.count(&g.queues[windowTables], true)
	}
	c.queued = 0
}

// count counts the customers of a queue, and empties it.
func (t cellTable) count(q *queue, windows bool) {
	for d := range t {
		parts, segments := q.parts, q.segments
		for _, x := range q.customers {
			segment := uint32(0)
			if len(segments) > 0 {
				segment, segments = segments[d], segments[len(t):]
			}
			b := t.at(d, segment, int(x.cohort))
			b.customers++
			if n := int(x.elapsed) + 1 - len(b.counts); n > 0 {
				b.counts = append(b.counts, make([]count32, n)...)
			}
			for _, p := range parts[:x.parts] {
				e := &b.counts[p.age]
				e.active++
				e.orders += p.orders
				e.net += p.net
			}
			parts = parts[x.parts:]
			b.end(x.last, x.elapsed, windows)
		}
	}
	q.customers, q.segments, q.parts = q.customers[:0], q.segments[:0], q.parts[:0]
}

// end counts a customer at the last age by which it had returned, and of windows at the
// last that has elapsed, which may be −1: none.
func (b *cohortCells) end(last, elapsed int32, windows bool) {
	if last >= 0 {
		b.counts[last].last++
	}
	if windows && elapsed >= 0 {
		b.counts[elapsed].elapsed++
	}
}

// addWide adds what counts have no room for: the costs of a customer, and all of one that
// does not fit.
func (c *CohortCells) addWide(x *Customer, g *grainCells, i int, cohort int32, fits bool) {
	c.parts = c.parts[:0]
	for d := range x.Days {
		c.part(&x.Days[d], c.s.Calendar.Period(g.grain, x.Days[d].Day)-cohort)
	}
	if c.costs {
		g.calendar.addCosts(x, i, c.parts)
	}
	if fits {
		return
	}
	last := c.parts[len(c.parts)-1].age
	g.calendar.add(x, i, c.parts, last, last, false)
	if g.windows == nil {
		return
	}
	first := x.Days[0].Day
	w := window{days: windowDays[g.grain], first: first}
	elapsed := w.of(c.s.AsOfDay) - 1
	c.parts = c.parts[:0]
	for d := range x.Days {
		if age := w.of(x.Days[d].Day); age <= elapsed {
			c.part(&x.Days[d], age)
		}
	}
	g.windows.add(x, i, c.parts, min(elapsed, w.of(x.Days[len(x.Days)-1].Day)), elapsed, true)
}

// makeRoom settles the counts if they could not take another customer like this one; it
// says whether they can take it at all.
func (c *CohortCells) makeRoom(x *Customer) bool {
	net := uint64(0)
	for i := range x.Purchases {
		n := x.Purchases[i].Net()
		if n < 0 {
			n = -n
		}
		if net += uint64(n); net > maxCountedNet {
			return false
		}
	}
	u := &c.unsettled
	u.orders += int64(len(x.Purchases))
	u.net += net
	if u.orders > maxCountedOrders || u.net > maxCountedNet {
		c.settle()
		u.orders, u.net = int64(len(x.Purchases)), net
	}
	return u.orders <= maxCountedOrders
}

// cohort is the index of a cohort.
func (g *grainCells) cohort(period int32) int {
	if period == g.lastOf && len(g.periods) > 0 {
		return int(g.last)
	}
	i, ok := g.index[period]
	if !ok {
		i = int32(len(g.periods))
		g.periods = append(g.periods, period)
		g.index[period] = i
	}
	g.last, g.lastOf = i, period
	return int(i)
}

// part adds an order-day to the parts of a customer.
func (c *CohortCells) part(d *OrderDay, age int32) {
	n := len(c.parts)
	if n == 0 || c.parts[n-1].age != age {
		c.parts = append(c.parts, agePart{age: age})
		n++
	}
	p := &c.parts[n-1]
	p.orders += int64(d.Orders)
	p.net = p.net.Add(d.Net)
	if n := int64(d.Orders - d.OrdersNoCost); n > 0 && c.costs {
		p.costed += n
		p.cost = p.cost.Add(d.Cost)
	}
}

// at is a cohort of a segment.
func (t cellTable) at(d int, segment uint32, cohort int) *cohortCells {
	if int(segment) < len(t[d]) {
		if s := t[d][segment]; cohort < len(s) && s[cohort] != nil {
			return s[cohort]
		}
	}
	for int(segment) >= len(t[d]) {
		t[d] = append(t[d], nil)
	}
	s := &t[d][segment]
	for cohort >= len(*s) {
		*s = append(*s, nil)
	}
	b := &cohortCells{}
	(*s)[cohort] = b
	return b
}

// add counts a customer, whom counts have no room for, in the cohorts of all its segments:
// what it did by age, the last age by which it had returned, and of windows the last that
// has elapsed, which may be −1: none.
func (t cellTable) add(x *Customer, cohort int, parts []agePart, last, elapsed int32, windows bool) {
	for d := range t {
		b := t.at(d, x.segment(d), cohort)
		b.customers++
		if n := int(elapsed) + 1 - len(b.counts); n > 0 {
			b.counts = append(b.counts, make([]count32, n)...)
		}
		b.settled(len(b.counts))
		for i := range parts {
			p := &parts[i]
			b.cells[p.age].add(&cell{active: 1, orders: p.orders, net: p.net})
		}
		b.end(last, elapsed, windows)
	}
}

// addCosts adds the costs that are known.
func (t cellTable) addCosts(x *Customer, cohort int, parts []agePart) {
	for d := range t {
		b := t.at(d, x.segment(d), cohort)
		for i := range parts {
			if p := &parts[i]; p.costed > 0 {
				b.addCost(int(p.age), cellCost{p.costed, p.cost})
			}
		}
	}
}

// segment is the code of a customer's segment in dimension d of a cellTable.
func (x *Customer) segment(d int) uint32 {
	if d < len(x.Segments) {
		return x.Segments[d]
	}
	return 0
}

// settled makes sure that n ages have a cell.
func (b *cohortCells) settled(n int) {
	if n > len(b.cells) {
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

// settle moves all counts to the cells.
func (c *CohortCells) settle() {
	c.count()
	for k := range c.grains {
		for _, t := range []cellTable{c.grains[k].calendar, c.grains[k].windows} {
			for d := range t {
				for _, cohorts := range t[d] {
					for _, b := range cohorts {
						if b != nil {
							b.settle()
						}
					}
				}
			}
		}
	}
}

func (b *cohortCells) settle() {
	b.settled(len(b.counts))
	for age, n := range b.counts {
		b.cells[age].add(&cell{int64(n.active), int64(n.orders), int64(n.last), int64(n.elapsed), sumOf(n.net)})
	}
	clear(b.counts)
}

// Merge implements Accumulator.
func (c *CohortCells) Merge(other Accumulator) {
	o := other.(*CohortCells)
	c.settle()
	o.settle()
	for k := range c.grains {
		g, from := &c.grains[k], &o.grains[k]
		for i, period := range from.periods {
			to := g.cohort(period)
			g.calendar.merge(to, from.calendar, i)
			g.windows.merge(to, from.windows, i)
		}
	}
}

// merge adds one cohort of another table.
func (t cellTable) merge(cohort int, from cellTable, i int) {
	for d := range from {
		for segment, cohorts := range from[d] {
			if i < len(cohorts) && cohorts[i] != nil {
				t.at(d, uint32(segment), cohort).sum(cohorts[i])
			}
		}
	}
}

// sum adds the cells of another part of the same cohort.
func (b *cohortCells) sum(from *cohortCells) {
	b.customers += from.customers
	b.settled(len(from.cells))
	for i := range from.cells {
		b.cells[i].add(&from.cells[i])
	}
	for age, c := range from.costs {
		if c.orders > 0 {
			b.addCost(age, c)
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
func (g *grainCells) everybody(t cellTable, dimensions int) (list []cohort) {
	sums := make([]*cohortCells, len(g.periods))
	for d := range t {
		for segment, cohorts := range t[d] {
			for i, b := range cohorts {
				if b == nil {
					continue
				}
				if d == 0 {
					if sums[i] == nil {
						sums[i] = &cohortCells{}
					}
					sums[i].sum(b)
				}
				if dimensions > 0 {
					list = append(list, cohort{g.periods[i], d + 1, uint32(segment), b})
				}
			}
		}
	}
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
		c.settle()
		for k := range c.grains {
			g := &c.grains[k]
			c.whole[calendarTables] = append(c.whole[calendarTables], g.everybody(g.calendar, len(c.s.Dimensions)))
			c.whole[windowTables] = append(c.whole[windowTables], g.everybody(g.windows, len(c.s.Dimensions)))
		}
	})
	var list []block
	for k, g := range c.s.Grains {
		for _, x := range c.whole[of][k] {
			list = append(list, block{g, x.period, c.s.dimension(x.dimension), segmentName(segments, x.dimension, x.segment), x.cohortCells})
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
