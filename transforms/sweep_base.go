package transforms

// sweepBase is what a date of a sweep sees, gathered by the accumulators of a run of that
// date.
type sweepBase struct {
	date    int32
	metrics *Metrics
	firsts  segmented[firstDays]
	wants   sweepWants
	prefix  Customer
}

func newSweepBase(s *Sweep, date int32) *sweepBase {
	return &sweepBase{date: date, metrics: s.wants.metrics(s.settingsAt(date)), firsts: newSegmented[firstDays](s.settings), wants: s.wants}
}

// add adds a customer with its first n order-days.
func (b *sweepBase) add(c *Customer, n int) {
	if n == 0 {
		return
	}
	b.prefix = Customer{Days: c.Days[:n], Segments: c.Segments}
	b.metrics.Add(&b.prefix)
	if !b.wants.windows && !b.wants.survival {
		return
	}
	for d := range b.firsts {
		f := b.firsts.at(d, c.segment(d)).at(c.Days[0].Day)
		f.customers++
		if n == 1 {
			f.singles++
		}
	}
}

// merge adds what another worker has gathered.
func (b *sweepBase) merge(o *sweepBase) {
	b.metrics.Merge(o.metrics)
	b.firsts.merge(o.firsts, func(to, from *firstDays) {
		for i, n := range from.days {
			if n != (firstDay{}) {
				x := to.at(from.from + int32(i))
				x.customers += n.customers
				x.singles += n.singles
			}
		}
	})
}
