package transforms

// SweepState is where a sweep stands: at one of its dates, with the sums of all changes up
// to it. Several may go over the same sweep side by side.
type SweepState struct {
	s         *Sweep
	at        int32 // date; first − 1: before all of them
	orders    sweepCount
	cells     *CohortCells
	lifecycle []segmented[periods] // by grain
	survival  segmented[durations]
	firsts    segmented[firstDays]
	steps     segmented[[]step]
}

// firstDays are customers by first order-day.
type firstDays struct {
	from int32 // the day of the first entry
	days []firstDay
}

type firstDay struct{ customers, singles int64 }

// at is the entry of a day, for which room is made at either end.
func (f *firstDays) at(day int32) *firstDay {
	if len(f.days) == 0 {
		f.from = day
	}
	if day < f.from {
		f.days = append(make([]firstDay, f.from-day, int(f.from-day)+len(f.days)), f.days...)
		f.from = day
	}
	for int(day-f.from) >= len(f.days) {
		f.days = append(f.days, firstDay{})
	}
	return &f.days[day-f.from]
}

// customers is how many there are in all.
func (f *firstDays) customers() (n int64) {
	for i := range f.days {
		n += f.days[i].customers
	}
	return n
}

// State returns a state that stands before the first date that the sweep covers.
func (s *Sweep) State() *SweepState {
	base := newSweepBase(s, int32(len(s.dates)-1)) // with room for the last date
	base.merge(s.base)
	x := &SweepState{s: s, at: s.first - 1, firsts: base.firsts, lifecycle: make([]segmented[periods], len(Grains))}
	m := base.metrics
	if x.cells = m.Cells; x.cells != nil {
		for k := range x.cells.grains {
			x.cells.grains[k].tables[windowTables].each(func(_ int, _ uint32, _ int, b *cohortCells) { b.forgetElapsed() })
		}
	}
	if m.Survival != nil {
		x.survival = m.Survival.curves
	}
	if m.Lifecycle != nil {
		for k, g := range s.settings.Grains {
			x.lifecycle[g] = m.Lifecycle.tables[k]
		}
	}
	if m.Repeat != nil {
		x.steps = m.Repeat.steps
	}
	return x
}

// forgetElapsed takes back for how many customers each window is the last that has elapsed:
// that follows from the date.
func (b *cohortCells) forgetElapsed() {
	for age := range b.counts {
		_, n, _ := b.counts[age].ends.unpack()
		b.counts[age].ends -= pack(0, n, 0)
	}
	for age := range b.wide {
		b.wide[age].extra = 0
	}
}

// Move goes to a date that the sweep covers, forward or back.
func (x *SweepState) Move(date int) {
	to := int32(date)
	for x.at < to {
		x.at++
		x.change(x.at, 1)
	}
	for x.at > to {
		x.change(x.at, -1)
		x.at--
	}
}

// change adds the changes of a date, or takes them back.
func (x *SweepState) change(date int32, sign int64) {
	n := x.s.orders[date]
	if sign < 0 {
		n = sweepCount{-n.customers, -n.purchases, n.net.Negate()}
	}
	x.orders.add(&n)
	for i := range x.s.logs {
		x.s.logs[i].each(date, x.s.dimensions(), func(c *change) {
			if sign < 0 {
				c.negate()
			}
			if c.family >= familyCalendar {
				x.changeCells(c)
			} else {
				x.changeCounts(c)
			}
		})
	}
}

func (x *SweepState) changeCounts(c *change) {
	n, other := int64(c.counts[0]), int64(c.counts[1])
	for i, segment := range c.segments {
		d := int(c.dimension) + i
		switch c.family {
		case familyFirst:
			f := x.firsts.at(d, segment).at(c.a)
			f.customers += n
			f.singles += other
		case familySurvival:
			count(&x.survival.at(d, segment).events, int(c.a), n)
		case familyStep, familyGap:
			list := x.steps.at(d, segment)
			for len(*list) <= int(c.a) {
				*list = append(*list, step{})
			}
			s := &(*list)[c.a]
			if c.family == familyGap {
				s.gap(c.b, n)
				continue
			}
			s.customers += n
			s.next += other
		default:
			p := x.lifecycle[c.family-familyLifecycle].at(d, segment).at(c.a)
			p.new += n
			p.returning += other
			p.resurrected += int64(c.counts[2])
		}
	}
}

func (x *SweepState) changeCells(c *change) {
	of, grain := calendarTables, Grain(c.family-familyCalendar)
	if c.family >= familyWindows {
		of, grain = windowTables, Grain(c.family-familyWindows)
	}
	g := x.cells.grain(grain)
	cohort := x.cells.cohort(g, c.a)
	for i, segment := range c.segments {
		d := int(c.dimension) + i
		b := x.cells.find(g, of, d, segment, cohort)
		b.add(int(c.b), &cell{int64(c.counts[cellActive]), int64(c.counts[cellOrders]), int64(c.counts[cellLast]), int64(c.counts[cellUncosted]), c.net, c.cost})
		if customers := int64(c.counts[cellCustomers]); customers != 0 {
			b.customers += customers
			if g.tables[windowTables] != nil {
				x.cells.find(g, windowTables, d, segment, cohort).customers += customers
			}
		}
	}
}

// grain are the cells of a grain.
func (c *CohortCells) grain(g Grain) *grainCells {
	for k := range c.grains {
		if c.grains[k].grain == g {
			return &c.grains[k]
		}
	}
	return nil
}

// find is a cohort of a segment.
func (c *CohortCells) find(g *grainCells, of, d int, segment uint32, cohort int) *cohortCells {
	return g.tables[of].at(d, segment, cohort, g.ages[of][cohort])
}

// Bytes is about how much memory the state takes.
func (x *SweepState) Bytes() (n int64) {
	const count, wide, day, step, period = 16, 64, 16, 64, 24
	if x.cells != nil {
		for k := range x.cells.grains {
			for _, t := range x.cells.grains[k].tables {
				t.each(func(_ int, _ uint32, _ int, b *cohortCells) { n += int64(len(b.counts)) * (count + wide) })
			}
		}
	}
	for d := range x.firsts {
		for _, f := range x.firsts[d] {
			if f != nil {
				n += int64(len(f.days)) * day
			}
		}
	}
	for d := range x.steps {
		for _, list := range x.steps[d] {
			if list != nil {
				for i := range *list {
					n += step + 8*int64(len((*list)[i].gaps))
				}
			}
		}
	}
	for _, t := range x.lifecycle {
		for d := range t {
			for _, p := range t[d] {
				if p != nil {
					n += int64(len(p.counts)) * period
				}
			}
		}
	}
	return n
}

// Counts are those of the date.
func (x *SweepState) Counts() Counts {
	c := x.s.ledger.countsAt(int(x.at))
	n := x.s.dated.until(int(x.at))
	c.RefundAboveNet += n.refundAbove
	c.AnonymousOrders += n.anonymous
	c.Customers, c.Purchases, c.Net = x.orders.customers, x.orders.purchases, x.orders.net
	return c
}

// Metrics are those of the date, valid until the state moves. They share what they are made
// of with the state, and list no customers.
func (x *SweepState) Metrics() *Metrics {
	s, wants := x.s.settingsAt(x.at), x.s.wants
	m := &Metrics{settings: s}
	if wants.calendar {
		if wants.windows {
			x.countElapsed(s.AsOfDay)
		}
		m.Cells = &CohortCells{s: s, grains: x.cells.grains, costs: x.cells.costs}
	}
	if wants.survival {
		m.Survival = &Survival{s: s, curves: x.durations(s.LastDay)}
	}
	if wants.lifecycle {
		m.Lifecycle = &Lifecycle{s: s}
		for _, g := range s.Grains {
			m.Lifecycle.tables = append(m.Lifecycle.tables, activePeriods(x.lifecycle[g], s))
		}
	}
	if wants.repeat {
		m.Repeat = &Repeat{s: s, steps: reachedSteps(x.steps, s)}
	}
	return m
}

// countElapsed notes for how many customers each window is the last that has elapsed.
func (x *SweepState) countElapsed(asOf int32) {
	for k := range x.cells.grains {
		g := &x.cells.grains[k]
		t := g.tables[windowTables]
		if t == nil {
			continue
		}
		t.each(func(_ int, _ uint32, _ int, b *cohortCells) { b.forgetElapsed() })
		for d := range x.firsts {
			for segment, f := range x.firsts[d] {
				if f != nil {
					x.countElapsedOf(g, d, uint32(segment), f, asOf)
				}
			}
		}
	}
}

func (x *SweepState) countElapsedOf(g *grainCells, d int, segment uint32, f *firstDays, asOf int32) {
	for i := range f.days {
		n := f.days[i].customers
		w := window{days: windowDays[g.grain], first: f.from + int32(i)}
		if elapsed := w.of(asOf) - 1; n != 0 && w.first <= asOf && elapsed >= 0 {
			cohort := x.cells.cohort(g, x.s.settings.Calendar.Period(g.grain, w.first))
			x.cells.find(g, windowTables, d, segment, cohort).add(int(elapsed), &cell{extra: n})
		}
	}
}

// durations are those until the second order-day, where it has been, and else until a day.
func (x *SweepState) durations(lastDay int32) segmented[durations] {
	t := newSegmented[durations](x.s.settings)
	for d := range x.firsts {
		for segment, f := range x.firsts[d] {
			if f == nil || f.customers() == 0 {
				continue
			}
			c := t.at(d, uint32(segment))
			for i := range f.days {
				if n := f.days[i].singles; n != 0 {
					count(&c.censored, int(lastDay-f.from)-i, n)
				}
			}
			c.events = trimmed(x.survival.at(d, uint32(segment)).events, func(n *int64) bool { return *n == 0 })
		}
	}
	return t
}

// activePeriods are the periods from the first with a customer on.
func activePeriods(all segmented[periods], s Settings) segmented[periods] {
	t := newSegmented[periods](s)
	for d := range all {
		for segment, p := range all[d] {
			if p == nil {
				continue
			}
			from := 0
			for from < len(p.counts) && p.counts[from].new == 0 {
				from++
			}
			if from < len(p.counts) {
				*t.at(d, uint32(segment)) = periods{p.first + int32(from), p.counts[from:]}
			}
		}
	}
	return t
}

// reachedSteps are the order numbers that a customer has reached.
func reachedSteps(all segmented[[]step], s Settings) segmented[[]step] {
	t := newSegmented[[]step](s)
	for d := range all {
		for segment, list := range all[d] {
			if list == nil {
				continue
			}
			if steps := trimmed(*list, func(x *step) bool { return x.customers == 0 }); len(steps) > 0 {
				*t.at(d, uint32(segment)) = steps
			}
		}
	}
	return t
}

// trimmed is a list without what is empty at its end.
func trimmed[T any](list []T, empty func(*T) bool) []T {
	for len(list) > 0 && empty(&list[len(list)-1]) {
		list = list[:len(list)-1]
	}
	return list
}
