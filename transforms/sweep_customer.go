package transforms

// count writes down what a customer with these order-days changes at the dates [from, to).
func (w *sweeper) count(days []OrderDay, from, to int32) {
	w.start, w.until = max(from, w.first), min(to, w.end)
	if w.until <= w.start || w.seen[0] >= w.until {
		return
	}
	w.countOrders(days)
	if w.wants.calendar || w.wants.lifecycle {
		for k := range w.s.settings.Grains {
			w.countPeriods(days, k)
		}
	}
	if w.wants.windows {
		for k, g := range w.s.settings.Grains {
			if windowDays[g] > 0 {
				w.countWindows(days, k, window{days: windowDays[g], first: days[0].Day})
			}
		}
	}
	if w.wants.windows || w.wants.survival {
		w.countFirsts(days)
	}
	if w.wants.repeat {
		w.countSteps(days)
	}
	if w.limit > 0 && w.log.size > w.full {
		w.cover()
	}
}

// at is the date at which a change is to be written down that happens at a date, false if it
// never is.
func (w *sweeper) at(date int32) (int32, bool) {
	if w.based >= 0 && date <= w.base.date {
		return 0, false
	}
	date = max(date, w.start)
	return date, date < w.until
}

// add writes down a change. It is taken back at the date at which the customer becomes part
// of another one.
func (w *sweeper) add(date int32, family int, a, b int32, d *delta) {
	at, ok := w.at(date)
	if !ok {
		return
	}
	w.change = change{family: family, segments: w.segments, a: a, b: b, delta: *d}
	w.log.add(at, &w.change)
	if w.until < w.end {
		w.change.negate()
		w.log.add(w.until, &w.change)
	}
}

// addCounts writes down a change of counts.
func (w *sweeper) addCounts(date int32, family int, a, b int32, counts ...int32) {
	var d delta
	copy(d.counts[:], counts)
	w.add(date, family, a, b, &d)
}

// addLast writes down how many more customers there are for whom an age is the last by which
// they had returned.
func (w *sweeper) addLast(date int32, family int, cohort, age, n int32) {
	w.add(date, family, cohort, age, &delta{counts: [cellCounts]int32{cellLast: n}})
}

// countOrders counts what the tables are checked against.
func (w *sweeper) countOrders(days []OrderDay) {
	add := func(date int32, n sweepCount) {
		if at := max(date, w.start); at < w.until {
			w.orders[at].add(&n)
			if w.until < w.end {
				w.orders[w.until].add(&sweepCount{-n.customers, -n.purchases, n.net.Negate()})
			}
		}
	}
	for i := range days {
		n := sweepCount{purchases: int64(days[i].Orders), net: days[i].Net}
		if i == 0 {
			n.customers = 1
		}
		add(w.seen[i], n)
	}
}

// countPeriods counts the calendar periods of a grain, for cells and lifecycle.
func (w *sweeper) countPeriods(days []OrderDay, k int) {
	s := &w.s.settings
	g := s.Grains[k]
	first := s.Calendar.Period(g, days[0].Day)
	var v delta // of the days of one period that one date is the first to see
	age, date := int32(-1), int32(-1)
	from := max(0, w.based)
	if from > 0 {
		age, date = s.Calendar.Period(g, days[from-1].Day)-first, w.base.date
	}
	flush := func() {
		if v.counts[cellOrders] > 0 && w.wants.calendar {
			w.add(date, familyCalendar+int(g), first, age, &v)
		}
		v = delta{}
	}
	for i := from; i < len(days); i++ {
		d := &days[i]
		seen := max(w.seen[i], w.start)
		if seen >= w.until {
			break
		}
		now := s.Calendar.Period(g, d.Day) - first
		if now != age && seen == date {
			v.counts[cellLast]-- // the period before is the last one no more
		}
		if now != age || seen != date {
			flush()
		}
		if now != age { // the first day of a period
			v.counts[cellActive], v.counts[cellLast] = 1, 1
			if i == 0 {
				v.counts[cellCustomers] = 1
			} else if seen != date && w.wants.calendar {
				w.addLast(seen, familyCalendar+int(g), first, age, -1)
			}
			if w.wants.lifecycle {
				new, returning, resurrected := lifecycleOf(age, now)
				w.addCounts(seen, familyLifecycle+int(g), first+now, 0, new, returning, resurrected)
			}
		}
		age, date = now, seen
		v.counts[cellOrders] += d.Orders
		v.counts[cellUncosted] += d.OrdersNoCost
		v.net, v.cost = v.net.Add(d.Net), v.cost.Add(d.Cost)
	}
	flush()
}

// lifecycleOf counts a customer at an age: as new, returning or resurrected.
func lifecycleOf(before, age int32) (new, returning, resurrected int32) {
	switch age {
	case 0:
		return 1, 0, 0
	case before + 1:
		return 0, 1, 0
	}
	return 0, 0, 1
}

// countWindows counts the windows of a grain. A window counts once it has elapsed; last is
// the last elapsed window by which the customer had returned: that of the last order-day, or
// the one before while that has not elapsed.
func (w *sweeper) countWindows(days []OrderDay, k int, n window) {
	s := &w.s.settings
	family, cohort := familyWindows+int(s.Grains[k]), s.Calendar.Period(s.Grains[k], n.first)
	last, told := int32(-1), false // told: the last is written down
	returned := func(date, age int32) {
		switch {
		case age == last:
			return
		case !told && date <= w.start, told && date <= w.base.date:
			last = age
			return
		}
		if last >= 0 && !told {
			w.addLast(w.start, family, cohort, last, 1)
		}
		if last >= 0 {
			w.addLast(date, family, cohort, last, -1)
		}
		if last, told = age, true; age >= 0 {
			w.addLast(date, family, cohort, age, 1)
		}
	}
	i := max(0, w.based-1)
	for i > 0 && n.of(days[i-1].Day) == n.of(days[i].Day) {
		i--
	}
	for i < len(days) { // windows before the last one that the base has seen have elapsed there
		age := n.of(days[i].Day)
		seen := n.elapsed(w.index, age)
		v := delta{counts: [cellCounts]int32{cellActive: 1}}
		for ; i < len(days) && n.of(days[i].Day) == age; i++ {
			v.counts[cellOrders] += days[i].Orders
			v.net = v.net.Add(days[i].Net)
			seen = max(seen, w.seen[i])
		}
		w.add(seen, family, cohort, age, &v)
	}
	for i := max(0, w.based-1); i < len(days); i++ {
		age := n.of(days[i].Day)
		elapsed, seen := n.elapsed(w.index, age), w.seen[i]
		if i < w.based { // the base knows
			seen, told = w.base.date, true
		}
		if elapsed <= seen {
			returned(seen, age)
			continue
		}
		returned(seen, age-1)
		if i+1 == len(days) || elapsed < w.seen[i+1] {
			returned(elapsed, age)
		}
	}
	if last >= 0 && !told {
		w.addLast(w.start, family, cohort, last, 1)
	}
}

// elapsed is the first date at which a window has.
func (n window) elapsed(x *dayIndex, age int32) int32 {
	return x.of(n.first + (age+1)*n.days - 1)
}

// countFirsts counts customers by their first order-day, of which the windows that have
// elapsed and the durations that are censored follow; and durations to the second.
func (w *sweeper) countFirsts(days []OrderDay) {
	first := days[0].Day
	w.addCounts(w.seen[0], familyFirst, first, 0, 1, 1)
	if len(days) > 1 && w.wants.survival {
		w.addCounts(w.seen[1], familyFirst, first, 0, 0, -1)
		w.addCounts(w.seen[1], familySurvival, days[1].Day-first, 0, 1, 0)
	}
}

// countSteps counts the order-days and the days between them.
func (w *sweeper) countSteps(days []OrderDay) {
	for i := max(0, w.based); i < len(days); i++ {
		if w.seen[i] >= w.until {
			return
		}
		w.addCounts(w.seen[i], familyStep, int32(i), 0, 1, 0)
		if i > 0 {
			w.addCounts(w.seen[i], familyStep, int32(i-1), 0, 0, 1)
			w.addCounts(w.seen[i], familyGap, int32(i-1), days[i].Day-days[i-1].Day, 1, 0)
		}
	}
}

// cover makes the log shorter: changes are added up, and if that does not leave half of the
// memory free, dates are given up.
func (w *sweeper) cover() {
	for date := w.first; date < w.end; date++ {
		w.log.compact(date, w.s.dimensions())
	}
	for w.log.size > w.limit/2 && w.end-w.first > 1 {
		half := (w.end - w.first + 1) / 2
		if w.fromEnd {
			w.narrow(w.end-half, w.end)
		} else {
			w.narrow(w.first, w.first+half)
		}
	}
	w.full = max(w.limit, 2*w.log.size)
}

// narrow gives up the dates that are not in [first, end).
func (w *sweeper) narrow(first, end int32) {
	if first == w.first && end == w.end {
		return
	}
	w.log.narrow(first, end, w.s.dimensions())
	for date := w.first; date < first; date++ {
		w.orders[first].add(&w.orders[date])
	}
	for date := range w.orders {
		if int32(date) < first || int32(date) >= end {
			w.orders[date] = sweepCount{}
		}
	}
	w.first, w.end = first, end
}
