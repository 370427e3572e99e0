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
	if w.limit > 0 && w.size() > w.limit && w.end-w.first > 1 {
		w.cover()
	}
}

// at is the date at which a change is to be written down that happens at a date, false if it
// never is.
func (w *sweeper) at(date int32) (uint16, bool) {
	if w.based >= 0 && date <= w.base.date {
		return 0, false
	}
	date = max(date, w.start)
	return uint16(date), date < w.until
}

// addMoney writes down a change of a cell.
func (w *sweeper) addMoney(date int32, family int, a, b int32, v *moneyDelta) {
	if at, ok := w.at(date); ok {
		writeDown(w, &w.money, deltaKey{date: at, family: uint8(family), a: a, b: b}, v)
	}
}

// addCount writes down a change of counts.
func (w *sweeper) addCount(date int32, family int, a, b int32, v countDelta) {
	if at, ok := w.at(date); ok {
		writeDown(w, &w.counts, deltaKey{date: at, family: uint8(family), a: a, b: b}, &v)
	}
}

// writeDown writes down a change by every dimension; it is taken back at the date at which
// the customer becomes part of another one.
func writeDown[V any](w *sweeper, t *deltaTable[V], k deltaKey, v *V) {
	for d, segment := range w.segments {
		k.dimension, k.segment = uint8(d), segment
		t.add(&k, v)
	}
	if w.until < w.end {
		back := t.negate(*v)
		k.date = uint16(w.until)
		for d, segment := range w.segments {
			k.dimension, k.segment = uint8(d), segment
			t.add(&k, &back)
		}
	}
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
		w.measure(&days[i])
		n := sweepCount{purchases: int64(days[i].Orders), net: days[i].Net}
		if i == 0 {
			n.customers = 1
		}
		add(w.seen[i], n)
	}
}

// measure notes how large the amounts are.
func (w *sweeper) measure(d *OrderDay) {
	net, ok := magnitude(d.Net)
	cost, ok2 := magnitude(d.Cost)
	w.net, w.cost = w.net+net, w.cost+cost
	w.large = w.large || !ok || !ok2 || w.net > maxCounted || w.cost > maxCounted
}

// countPeriods counts the calendar periods of a grain, for cells and lifecycle.
func (w *sweeper) countPeriods(days []OrderDay, k int) {
	s := &w.s.settings
	g := s.Grains[k]
	first := s.Calendar.Period(g, days[0].Day)
	var v moneyDelta // of the days of one period that one date is the first to see
	age, date := int32(-1), int32(-1)
	from := max(0, w.based)
	if from > 0 {
		age, date = s.Calendar.Period(g, days[from-1].Day)-first, w.base.date
	}
	flush := func() {
		if v.orders > 0 && w.wants.calendar {
			w.addMoney(date, familyCalendar+int(g), first, age, &v)
		}
		v = moneyDelta{}
	}
	for i := from; i < len(days); i++ {
		d := &days[i]
		seen := max(w.seen[i], w.start)
		if seen >= w.until {
			break
		}
		now := s.Calendar.Period(g, d.Day) - first
		if now != age && seen == date {
			v.last-- // the period before is the last one no more
		}
		if now != age || seen != date {
			flush()
		}
		if now != age { // the first day of a period
			v.active, v.last = 1, 1
			if i == 0 {
				v.customers = 1
			} else if seen != date && w.wants.calendar {
				w.addMoney(seen, familyCalendar+int(g), first, age, &moneyDelta{last: -1})
			}
			if w.wants.lifecycle {
				w.addCount(seen, familyLifecycle+int(g), first+now, 0, lifecycleDelta(age, now))
			}
		}
		age, date = now, seen
		v.orders += d.Orders
		v.uncosted += d.OrdersNoCost
		v.net, v.cost = v.net.Add(d.Net), v.cost.Add(d.Cost)
	}
	flush()
}

// lifecycleDelta is what a customer is in a period: new, returning or resurrected.
func lifecycleDelta(before, age int32) countDelta {
	switch age {
	case 0:
		return countDelta{1, 0, 0}
	case before + 1:
		return countDelta{0, 1, 0}
	}
	return countDelta{0, 0, 1}
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
			w.addMoney(w.start, family, cohort, last, &moneyDelta{last: 1})
		}
		if last >= 0 {
			w.addMoney(date, family, cohort, last, &moneyDelta{last: -1})
		}
		if last, told = age, true; age >= 0 {
			w.addMoney(date, family, cohort, age, &moneyDelta{last: 1})
		}
	}
	i := max(0, w.based-1)
	for i > 0 && n.of(days[i-1].Day) == n.of(days[i].Day) {
		i--
	}
	for i < len(days) { // windows before the last one that the base has seen have elapsed there
		age := n.of(days[i].Day)
		seen := n.elapsed(w.index, age)
		v := moneyDelta{active: 1}
		for ; i < len(days) && n.of(days[i].Day) == age; i++ {
			v.orders += days[i].Orders
			v.net = v.net.Add(days[i].Net)
			seen = max(seen, w.seen[i])
		}
		w.addMoney(seen, family, cohort, age, &v)
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
		w.addMoney(w.start, family, cohort, last, &moneyDelta{last: 1})
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
	w.addCount(w.seen[0], familyFirst, first, 0, countDelta{1, 1, 0})
	if len(days) > 1 && w.wants.survival {
		w.addCount(w.seen[1], familyFirst, first, 0, countDelta{0, -1, 0})
		w.addCount(w.seen[1], familySurvival, days[1].Day-first, 0, countDelta{1, 0, 0})
	}
}

// countSteps counts the order-days and the days between them.
func (w *sweeper) countSteps(days []OrderDay) {
	for i := max(0, w.based); i < len(days); i++ {
		if w.seen[i] >= w.until {
			return
		}
		w.addCount(w.seen[i], familyStep, int32(i), 0, countDelta{1, 0, 0})
		if i > 0 {
			w.addCount(w.seen[i], familyStep, int32(i-1), 0, countDelta{0, 1, 0})
			w.addCount(w.seen[i], familyGap, int32(i-1), days[i].Day-days[i-1].Day, countDelta{1, 0, 0})
		}
	}
}

// size is how many bytes the changes take.
func (w *sweeper) size() int {
	const money, count, slot = 72, 28, 12
	return w.money.n*(money+slot) + w.counts.n*(count+slot)
}

// cover gives up dates until the changes of the others take no more than half the memory.
func (w *sweeper) cover() {
	for w.size() > w.limit/2 && w.end-w.first > 1 {
		half := (w.end - w.first + 1) / 2
		if w.fromEnd {
			w.narrow(w.end-half, w.end)
		} else {
			w.narrow(w.first, w.first+half)
		}
	}
}

// narrow gives up the dates that are not in [first, end).
func (w *sweeper) narrow(first, end int32) {
	if first == w.first && end == w.end {
		return
	}
	keep := func(k *deltaKey) bool {
		k.date = uint16(max(int32(k.date), first))
		return int32(k.date) < end
	}
	w.money.rekey(keep)
	w.counts.rekey(keep)
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
