package transforms

import (
	"math"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cohortline/cohortline/schemas"
)

// Families of changes: what a and b are, and the counts. Those of cells and of lifecycle come
// once for each grain.
const (
	familyFirst     = iota                          // a: first order-day. Customers; those of them with one order-day
	familySurvival                                  // a: days to the second order-day. Customers
	familyStep                                      // a: order number from 0. Customers that reach it; that make the next
	familyGap                                       // a: order number from 0, b: days to the next. Customers
	familyLifecycle                                 // a: period. Customers that are new, returning, resurrected
	familyCalendar  = familyLifecycle + len(Grains) // a: cohort, b: age
	familyWindows   = familyCalendar + len(Grains)  // the same; orders, net and active of windows that have elapsed
)

// Sweep holds what changes from each as-of date to the next one: the metrics of a date are
// the sums of the changes up to it. Customers that ids make up between two dates only (see
// identityGroups) come and go as a whole.
type Sweep struct {
	first, end int32 // the dates that it covers, by index
	dates      []sweepDate
	settings   Settings // of the last date
	wants      sweepWants
	ledger     *Ledger
	base       *sweepBase
	logs       []changeLog  // by worker
	orders     []sweepCount // by date, changes
	dated      *datedCounts
}

// sweepWants says what the wanted tables need.
type sweepWants struct{ calendar, windows, survival, lifecycle, repeat bool }

func newSweepWants(tables []string) sweepWants {
	wants := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(tables, n) })
	}
	return sweepWants{calendar: wants("cohorts", "cohort_retention", "retention_curves", "cohort_ltv"), windows: wants("cohort_retention", "retention_curves"),
		survival: wants("survival_curves"), lifecycle: wants("lifecycle"), repeat: wants("repeat_purchases")}
}

// metrics are the empty accumulators of what is wanted.
func (w sweepWants) metrics(s Settings) *Metrics {
	var tables []string
	for name, wanted := range map[string]bool{"cohorts": w.calendar, "cohort_retention": w.windows, "survival_curves": w.survival, "lifecycle": w.lifecycle, "repeat_purchases": w.repeat} {
		if wanted {
			tables = append(tables, name)
		}
	}
	return NewMetrics(s, tables, nil)
}

// sweepDate is a date of a sweep.
type sweepDate struct {
	asOf         int64
	day, lastDay int32 // local date of the as-of instant, and the latest before it
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
	s := &Sweep{first: int32(r.First), end: int32(r.End), settings: l.rules.Settings, wants: newSweepWants(tables), ledger: l, dated: newDatedCounts(l.rules.Dates)}
	cal := s.settings.Calendar
	for _, t := range l.rules.Dates {
		s.dates = append(s.dates, sweepDate{t, cal.LocalDay(t), cal.LastDay(t)})
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
	s.base = workers[0].base
	for _, w := range workers[1:] {
		s.base.merge(w.base)
	}
	s.orders = make([]sweepCount, len(s.dates))
	for _, w := range workers {
		w.narrow(s.first, s.end)
		for date := range w.orders {
			s.orders[date].add(&w.orders[date])
		}
		s.logs = append(s.logs, w.log)
	}
	return s, nil
}

// settingsAt are the settings of a date.
func (s *Sweep) settingsAt(date int32) Settings {
	x, d := s.settings, s.dates[date]
	x.AsOf, x.AsOfDay, x.LastDay = d.asOf, d.day, d.lastDay
	return x
}

// dimensions is how many segments a customer is in.
func (s *Sweep) dimensions() int { return max(1, len(s.settings.Dimensions)) }

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
	full       int // bytes of the log at which dates are given up
	fromEnd    bool
	wants      sweepWants
	log        changeLog
	change     change // that is written down
	orders     []sweepCount

	// Most of what the first date sees is not written down: it is gathered as a run of that date
	// would, of customers who never become part of another one.
	base *sweepBase

	// Of the customer at hand.
	start, until int32   // the dates at which it counts, clipped to those covered
	based        int     // how many of its order-days are in the base; −1: it is not counted there
	seen         []int32 // by order-day, the first date that sees it
	segments     []uint32
	days         []OrderDay // see addInParts
}

// nobodysSegments are the segments of a customer where no dimension is configured.
var nobodysSegments = []uint32{0}

func newSweeper(s *Sweep, index *dayIndex, limit int, fromEnd bool) *sweeper {
	return &sweeper{s: s, index: index, first: s.first, end: s.end, limit: limit, full: limit, fromEnd: fromEnd, wants: s.wants, base: newSweepBase(s, s.first), log: newChangeLog(len(s.dates)), orders: make([]sweepCount, len(s.dates))}
}

// Records implements Visitor: a sweep streams nothing.
func (w *sweeper) Records() ([]arrow.Record, error) { return nil, nil }

// Add implements Visitor.
func (w *sweeper) Add(c *Customer) {
	if w.segments = c.Segments; len(w.segments) == 0 {
		w.segments = nobodysSegments
	}
	w.based = -1
	if !w.inOrder(c) {
		w.addInParts(c)
		return
	}
	w.seen = w.seen[:0]
	for i := range c.Days {
		w.seen = append(w.seen, w.index.of(c.Days[i].Day))
	}
	if c.from == 0 && c.to == math.MaxInt32 {
		w.based = 0
		for w.based < len(w.seen) && w.seen[w.based] <= w.base.date {
			w.based++
		}
		w.base.add(c, w.based)
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
