package transforms

import (
	"math"
	"slices"
	"sync"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cohortline/cohortline/schemas"
)

// Families of deltas: what changes at a date, and what the key's a and b are. Those of cells
// and of lifecycle come once for each grain.
const (
	familyFirst    = iota // a: first order-day. Customers; those of them with one order-day
	familySurvival        // a: days to the second order-day. Customers
	familyStep            // a: order number from 0. Customers that reach it; that make the next
	familyGap             // a: order number from 0, b: days to the next. Customers
	familyLifecycle
	familyCalendar = familyLifecycle + len(Grains) // a: cohort, b: age
	familyWindows  = familyCalendar + len(Grains)  // the same; orders, net and active of windows that have elapsed
)

// Sweep holds what changes from each as-of date to the next one: the metrics of a date are
// the sums of the changes up to it. Customers that ids make up between two dates only (see
// identityGroups) come and go as a whole.
type Sweep struct {
	first, end int32 // the dates that it covers, by index
	dates      []sweepDate
	settings   Settings // of the last date
	tables     []string
	ledger     *Ledger
	money      []*datedDeltas[moneyDelta] // by worker
	counts     []*datedDeltas[countDelta]
	orders     []sweepCount // by date, changes
	dated      *datedCounts
}

// sweepDate is a date of a sweep.
type sweepDate struct {
	asOf         int64
	day, lastDay int32 // local dates of the as-of instant, and of the last before it
}

// sweepCount are the counts that checks compare the tables with.
type sweepCount struct {
	customers, purchases int64
	net                  schemas.Sum
}

func (c *sweepCount) add(o *sweepCount) {
	c.customers += o.customers
	c.purchases += o.purchases
	c.net = c.net.Add(o.net)
}

// SweepRange says which dates a sweep is to cover.
type SweepRange struct {
	First, End int   // by index, the end excluded
	Memory     int64 // bytes for what changes; 0: no limit
	FromEnd    bool  // where memory is short the last dates are covered, else the first
}

// Sweep folds the ledger once for many dates. Where memory does not suffice for all that are
// asked for it covers fewer, but one at least; the ledger can be folded again for the others.
func (l *Ledger) Sweep(tables []string, r SweepRange) (*Sweep, error) {
	s := &Sweep{first: int32(r.First), end: int32(r.End), settings: l.rules.Settings, tables: tables, ledger: l, dated: newDatedCounts(l.rules.Dates)}
	cal := s.settings.Calendar
	for _, t := range l.rules.Dates {
		s.dates = append(s.dates, sweepDate{t, cal.LocalDay(t), cal.LocalDay(t - 1)})
	}
	limit := int(r.Memory / int64(max(1, l.rules.Threads)))
	index := newDayIndex(s.dates)
	var workers []*sweeper
	_, err := l.fold(view{until: math.MaxInt64, date: allDates, keep: true, counts: s.dated}, func() Visitor {
		w := newSweeper(s, index, limit, r.FromEnd)
		workers = append(workers, w)
		return w
	}, func([]arrow.Record) error { return nil })
	if err != nil {
		return nil, err
	}
	for _, w := range workers {
		s.first, s.end = max(s.first, w.first), min(s.end, w.end)
	}
	s.orders = make([]sweepCount, len(s.dates))
	var wg sync.WaitGroup
	s.money, s.counts = make([]*datedDeltas[moneyDelta], len(workers)), make([]*datedDeltas[countDelta], len(workers))
	for i, w := range workers {
		w.narrow(s.first, s.end)
		for date := range w.orders {
			s.orders[date].add(&w.orders[date])
		}
		wg.Go(func() {
			s.money[i], s.counts[i] = byDate(w.money, s.first, s.end), byDate(w.counts, s.first, s.end)
		})
	}
	wg.Wait()
	return s, nil
}

// Covers says whether a date, by index, is one of those that the sweep covers.
func (s *Sweep) Covers(date int) bool { return int32(date) >= s.first && int32(date) < s.end }

// dayIndex finds the first date that sees what happened on a local date.
type dayIndex struct {
	from int32   // the day of the first date
	list []int32 // by day from there on
	n    int32   // dates
}

func newDayIndex(dates []sweepDate) *dayIndex {
	x := &dayIndex{from: dates[0].day, n: int32(len(dates))}
	for i := 1; i < len(dates); i++ {
		for int32(len(x.list)) < dates[i].day-x.from {
			x.list = append(x.list, int32(i))
		}
	}
	return x
}

// of is the index of the first date after a day, n if there is none.
func (x *dayIndex) of(day int32) int32 {
	i := day - x.from
	switch {
	case i < 0:
		return 0
	case int(i) >= len(x.list):
		return x.n
	}
	return x.list[i]
}

// sweeper is one worker of a sweep: it writes down what its customers change, date by date.
type sweeper struct {
	s          *Sweep
	index      *dayIndex
	first, end int32
	limit      int // bytes; 0: none
	fromEnd    bool
	wants      struct{ calendar, windows, survival, lifecycle, repeat bool }
	money      deltaTable[moneyDelta]
	counts     deltaTable[countDelta]
	orders     []sweepCount

	// Of the customer at hand.
	start, until int32   // the dates at which it counts, clipped to those covered
	seen         []int32 // by order-day, the first date that sees it
	segments     []uint32
	days         []OrderDay // see addInParts
}

// nobodysSegments are the segments of a customer where no dimension is configured.
var nobodysSegments = []uint32{0}

func newSweeper(s *Sweep, index *dayIndex, limit int, fromEnd bool) *sweeper {
	w := &sweeper{s: s, index: index, first: s.first, end: s.end, limit: limit, fromEnd: fromEnd, orders: make([]sweepCount, len(s.dates))}
	wants := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(s.tables, n) })
	}
	w.wants.calendar = wants("cohorts", "cohort_retention", "retention_curves", "cohort_ltv")
	w.wants.windows = wants("cohort_retention", "retention_curves")
	w.wants.survival, w.wants.lifecycle, w.wants.repeat = wants("survival_curves"), wants("lifecycle"), wants("repeat_purchases")
	return w
}

// Records implements Visitor: a sweep streams nothing.
func (w *sweeper) Records() ([]arrow.Record, error) { return nil, nil }

// Add implements Visitor.
func (w *sweeper) Add(c *Customer) {
	if w.segments = c.Segments; len(w.segments) == 0 {
		w.segments = nobodysSegments
	}
	if !w.inOrder(c) {
		w.addInParts(c)
		return
	}
	w.seen = w.seen[:0]
	for i := range c.Days {
		w.seen = append(w.seen, w.index.of(c.Days[i].Day))
	}
	w.count(c.Days, c.from, c.to)
}

// inOrder says whether the local dates of the purchases run on with their instants, and
// whether each date of the sweep sees order-days whole. In zones that repeat or skip
// midnight they may not.
func (w *sweeper) inOrder(c *Customer) bool {
	day := int32(math.MinInt32)
	for i := range c.Purchases {
		p := &c.Purchases[i]
		if p.Day < day {
			return false
		}
		day = p.Day
		date := w.index.of(day)
		if date < w.index.n && p.At >= w.s.dates[date].asOf || date > 0 && p.At < w.s.dates[date-1].asOf {
			return false
		}
	}
	return true
}

// addInParts adds a customer as several, one after the other: at the dates between two
// purchases it has those before.
func (w *sweeper) addInParts(c *Customer) {
	for n := 0; n < len(c.Purchases); {
		from := int32(dateIndex(w.s.ledger.rules.Dates, c.Purchases[n].At))
		for n < len(c.Purchases) && int32(dateIndex(w.s.ledger.rules.Dates, c.Purchases[n].At)) <= from {
			n++
		}
		to := c.to
		if n < len(c.Purchases) {
			to = min(to, int32(dateIndex(w.s.ledger.rules.Dates, c.Purchases[n].At)))
		}
		part := Customer{Purchases: c.Purchases[:n], Days: w.days[:0]}
		w.seen = w.seen[:0]
		for i := range part.Purchases {
			part.addDay(&part.Purchases[i])
		}
		for range part.Days {
			w.seen = append(w.seen, from)
		}
		w.count(part.Days, max(from, c.from), to)
		w.days = part.Days
	}
}
