package transforms

import "github.com/cohortline/cohortline/schemas"

// cellTable holds cohorts by dimension, code of the segment and index of the cohort; the
// only dimension is everybody's where none is configured.
type cellTable struct {
	windows bool // the ages are windows, else calendar periods
	cohorts [][][]cohortCells
	spare   []ageCount // of which new cohorts get their counts
}

// cohortCells is one cohort of one segment; without a customer there is none.
type cohortCells struct {
	counts    []ageCount // by age: all that can be, so that no purchase has to ask
	customers int64
	wide      *[]cell // by age, what counts had no room for; nearly always nil
}

// ageCount is one age of a cohort: small, because every purchase comes by a few of them at
// random. CohortCells settles counts before any can overflow.
type ageCount struct {
	active, orders uint32
	last           uint32 // customers for whom this is the last age that counts as returned
	extra          uint32 // calendar: orders whose cost is unknown; windows: customers for whom this is the last elapsed age
	net, cost      int64  // cost: of the orders whose cost is known; calendar only
}

// cell is a count without limits.
type cell struct {
	active, orders, last, extra int64
	net, cost                   schemas.Sum
}

// Limits of what all counts together take before they are settled.
const (
	maxCountedOrders = 1 << 31
	maxCounted       = 1 << 62 // of net revenue and of costs
)

// spareCounts is how many counts are made at a time.
const spareCounts = 1 << 15

func newCellTable(s Settings, windows bool) *cellTable {
	return &cellTable{windows: windows, cohorts: make([][][]cohortCells, max(1, len(s.Dimensions)))}
}

// at is a cohort of a segment. Of one that is new ages says how many it can have.
func (t *cellTable) at(d int, segment uint32, cohort int, ages int32) *cohortCells {
	list := t.cohorts[d]
	for int(segment) >= len(list) {
		list = append(list, nil)
		t.cohorts[d] = list
	}
	for cohort >= len(list[segment]) {
		list[segment] = append(list[segment], cohortCells{})
	}
	b := &list[segment][cohort]
	if b.counts == nil {
		b.counts = t.make(int(ages))
	}
	return b
}

// make cuts the counts of a cohort off the spare ones.
func (t *cellTable) make(ages int) []ageCount {
	if ages >= spareCounts/8 {
		return make([]ageCount, ages)
	}
	if len(t.spare) < ages {
		t.spare = make([]ageCount, spareCounts)
	}
	c := t.spare[:ages:ages]
	t.spare = t.spare[ages:]
	return c
}

// queue holds customers to be counted in a cellTable. They are counted many at a time, one
// dimension after the other, because the counts of one dimension fit the cache of a
// processor and those of all do not.
type queue struct {
	customers []queuedCustomer
	segments  []uint32 // of the customers, by dimension
	parts     []queuedPart
}

// queuedCustomer is a customer in a queue.
type queuedCustomer struct {
	cohort, ages  int32 // index of the cohort, number of ages that it has
	parts         int32 // number of parts
	last, elapsed int32 // last age by which the customer had returned; of windows the last that has elapsed; −1: none
}

// queuedPart is what a queued customer did at one age.
type queuedPart struct {
	age              int32
	orders, uncosted uint32
	net, cost        int64
}

// maxQueued is how many customers are counted at a time.
const maxQueued = 512

// end ends a customer, whose parts begin at a place.
func (q *queue) end(x *Customer, from int, c queuedCustomer) {
	c.parts = int32(len(q.parts) - from)
	q.customers = append(q.customers, c)
	q.segments = append(q.segments, x.Segments...)
}

// count counts the customers of a queue, and empties it.
func (t *cellTable) count(q *queue) {
	dims := len(t.cohorts)
	for d := range t.cohorts {
		parts, segments := q.parts, q.segments
		for i := range q.customers {
			x := &q.customers[i]
			segment := uint32(0)
			if len(segments) > 0 {
				segment, segments = segments[d], segments[dims:]
			}
			b := t.find(d, segment, x)
			counts := b.counts
			for k := range parts[:x.parts] {
				p := &parts[k]
				e := &counts[p.age]
				e.active++
				e.orders += p.orders
				e.extra += p.uncosted
				e.net += p.net
				e.cost += p.cost
			}
			parts = parts[x.parts:]
			b.end(x, t.windows)
		}
	}
	q.customers, q.segments, q.parts = q.customers[:0], q.segments[:0], q.parts[:0]
}

// find is the cohort of a queued customer.
func (t *cellTable) find(d int, segment uint32, x *queuedCustomer) *cohortCells {
	if list := t.cohorts[d]; int(segment) < len(list) {
		if s := list[segment]; int(x.cohort) < len(s) && s[x.cohort].counts != nil {
			return &s[x.cohort]
		}
	}
	return t.at(d, segment, int(x.cohort), x.ages)
}

// end counts a customer, and the last ages.
func (b *cohortCells) end(x *queuedCustomer, windows bool) {
	b.customers++
	if x.last >= 0 {
		b.counts[x.last].last++
	}
	if windows && x.elapsed >= 0 {
		b.counts[x.elapsed].extra++
	}
}

// addWide counts a customer of whom counts cannot take the amounts.
func (t *cellTable) addWide(x *Customer, c queuedCustomer, parts []widePart) {
	for d := range t.cohorts {
		b := t.at(d, x.segment(d), int(c.cohort), c.ages)
		b.widen()
		for i := range parts {
			p := &parts[i]
			(*b.wide)[p.age].add(&p.cell)
		}
		b.end(&c, t.windows)
	}
}

// widePart is a queuedPart of any size.
type widePart struct {
	age int32
	cell
}

// segment is the code of a customer's segment in dimension d of a cellTable.
func (x *Customer) segment(d int) uint32 {
	if d < len(x.Segments) {
		return x.Segments[d]
	}
	return 0
}

func (c *cell) add(o *cell) {
	c.active += o.active
	c.orders += o.orders
	c.last += o.last
	c.extra += o.extra
	c.net, c.cost = c.net.Add(o.net), c.cost.Add(o.cost)
}

// widen makes room for what counts have no room for.
func (b *cohortCells) widen() {
	if b.wide == nil {
		wide := make([]cell, len(b.counts))
		b.wide = &wide
	}
}

// cell is what happened at an age.
func (b *cohortCells) cell(age int) cell {
	n := &b.counts[age]
	c := cell{int64(n.active), int64(n.orders), int64(n.last), int64(n.extra), sumOf(n.net), sumOf(n.cost)}
	if b.wide != nil {
		c.add(&(*b.wide)[age])
	}
	return c
}

// settle moves all counts to wide cells.
func (b *cohortCells) settle() {
	b.widen()
	for age := range b.counts {
		c := b.cell(age)
		(*b.wide)[age] = c
	}
	clear(b.counts)
}

// sum adds the cells of another part of the same cohort; counts must have room for both.
func (b *cohortCells) sum(from *cohortCells) {
	b.customers += from.customers
	for i := range from.counts {
		n, o := &b.counts[i], &from.counts[i]
		n.active += o.active
		n.orders += o.orders
		n.last += o.last
		n.extra += o.extra
		n.net += o.net
		n.cost += o.cost
	}
	if from.wide != nil {
		b.widen()
		for i := range *from.wide {
			(*b.wide)[i].add(&(*from.wide)[i])
		}
	}
}

// each walks the cohorts that have a customer.
func (t *cellTable) each(f func(d int, segment uint32, cohort int, b *cohortCells)) {
	if t == nil {
		return
	}
	for d := range t.cohorts {
		for segment := range t.cohorts[d] {
			for i := range t.cohorts[d][segment] {
				if b := &t.cohorts[d][segment][i]; b.customers > 0 {
					f(d, uint32(segment), i, b)
				}
			}
		}
	}
}
