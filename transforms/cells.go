package transforms

import "github.com/cohortline/cohortline/schemas"

// cellTable holds cohorts by dimension, code of the segment and index of the cohort; the
// only dimension is everybody's where none is configured.
type cellTable struct {
	cohorts [][][]cohortCells
	spare   []ageCount // of which new cohorts get their counts
}

// cohortCells is one cohort of one segment; without a customer there is none.
type cohortCells struct {
	counts    []ageCount // by age: all that can be, so that no purchase has to ask
	customers int64
	wide      []cell // by age, what counts had no room for; rarely long
}

// ageCount is one age of a cohort: small, because every purchase comes by a few of them at
// random, and they are too many for the caches. What it is about to have no room for moves to
// the wide cell of the age.
type ageCount struct {
	orders packed // net revenue, orders, active customers
	ends   packed // cost of the orders whose cost is known, the two counts of a cell at the end
}

// cell is a count without limits.
type cell struct {
	active, orders int64
	last           int64 // customers for whom this is the last age that counts as returned
	extra          int64 // calendar: orders whose cost is unknown; windows: customers for whom this is the last elapsed age
	net            schemas.Sum
	cost           schemas.Sum // of the orders whose cost is known; calendar only
}

// spareCounts is how many counts are made at a time.
const spareCounts = 1 << 15

func newCellTable(s Settings) *cellTable {
	return &cellTable{cohorts: make([][][]cohortCells, max(1, len(s.Dimensions)))}
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
	found     [][]ageCount // the counts of their cohorts, see count
}

// queuedCustomer is a customer in a queue.
type queuedCustomer struct {
	cohort, ages int32 // index of the cohort, number of ages that it has
}

// queuedPart is what a queued customer did at one age.
type queuedPart struct {
	customer, age int32 // the customer by its place in the queue
	ageCount
}

// maxCounted is how many customers are counted at a time: so many that what the counts of a
// dimension take of the cache is used several times.
const maxCounted = 8192

// end ends a customer, whose parts are in the queue.
func (q *queue) end(x *Customer, c queuedCustomer) {
	q.customers = append(q.customers, c)
	q.segments = append(q.segments, x.Segments...)
}

// segment is the code of a queued customer's segment in one of so many dimensions.
func (q *queue) segment(customer, d, dims int) uint32 {
	if len(q.segments) == 0 {
		return 0
	}
	return q.segments[customer*dims+d]
}

// count counts the customers of a queue, and empties it. All cohorts are found before the
// parts are counted, so that the processor runs through these without a branch that it can
// not foretell and waits for many cells together.
func (t *cellTable) count(q *queue) {
	dims := len(t.cohorts)
	for d := range t.cohorts {
		found := q.found[:0]
		for i := range q.customers {
			b := t.find(d, q.segment(i, d, dims), &q.customers[i])
			b.customers++
			found = append(found, b.counts) // b itself moves when a new cohort comes
		}
		q.found = found
		for i := range q.parts {
			p := &q.parts[i]
			e := &found[p.customer][p.age]
			orders, ends := e.orders+p.orders, e.ends+p.ends
			if full(orders, ends) {
				t.find(d, q.segment(int(p.customer), d, dims), &q.customers[p.customer]).spill(int(p.age), ageCount{orders, ends})
				orders, ends = 0, 0
			}
			e.orders, e.ends = orders, ends
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

// addWide counts a customer of whom counts cannot take the amounts.
func (t *cellTable) addWide(x *Customer, c queuedCustomer, parts []widePart) {
	for d := range t.cohorts {
		b := t.at(d, x.segment(d), int(c.cohort), c.ages)
		b.customers++
		for i := range parts {
			b.add(int(parts[i].age), &parts[i].cell)
		}
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

// wideAt is the wide cell of an age.
func (b *cohortCells) wideAt(age int) *cell {
	if age >= len(b.wide) {
		b.wide = append(b.wide, make([]cell, age+1-len(b.wide))...)
	}
	return &b.wide[age]
}

// spill moves a count to the wide cell of its age.
func (b *cohortCells) spill(age int, n ageCount) {
	c := n.cell()
	b.wideAt(age).add(&c)
}

// add adds what happened at an age, or takes it back.
func (b *cohortCells) add(age int, c *cell) {
	n, ok := c.count()
	if !ok {
		b.wideAt(age).add(c)
		return
	}
	e := &b.counts[age]
	e.orders, e.ends = e.orders+n.orders, e.ends+n.ends
	if full(e.orders, e.ends) {
		b.spill(age, *e)
		*e = ageCount{}
	}
}

// cell is what happened at an age.
func (b *cohortCells) cell(age int) cell {
	c := b.counts[age].cell()
	if age < len(b.wide) {
		c.add(&b.wide[age])
	}
	return c
}

// sum adds the cells of another part of the same cohort.
func (b *cohortCells) sum(from *cohortCells) {
	b.customers += from.customers
	for age := range from.counts {
		e, n := &b.counts[age], &from.counts[age]
		e.orders, e.ends = e.orders+n.orders, e.ends+n.ends
		if full(e.orders, e.ends) {
			b.spill(age, *e)
			*e = ageCount{}
		}
	}
	for age := range from.wide {
		b.wideAt(age).add(&from.wide[age])
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
