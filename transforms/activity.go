package transforms

import "github.com/cohortline/cohortline/schemas"

// Activity is what the customer at hand did by calendar period: made once, for all
// metrics that ask for it.
type Activity struct {
	s       Settings
	periods [][]activePeriod // by position in s.Grains

	// What integers of 64 bits can take: the sums over the order-days of the magnitudes of
	// net revenue and of cost. small says whether both are below maxCounted.
	net, cost uint64
	orders    int64
	small     bool
}

// activePeriod is a calendar period in which a customer purchased.
type activePeriod struct {
	period, age, day int32  // day: of the first purchase
	orders, uncosted uint32 // purchases, and those of them whose cost is unknown
	net, cost        schemas.Sum
}

// NewActivity returns an activity without a customer.
func NewActivity(s Settings) *Activity {
	return &Activity{s: s, periods: make([][]activePeriod, len(s.Grains))}
}

// Of takes the next customer, who takes the place of the last.
func (a *Activity) Of(x *Customer) {
	a.measure(x.Days)
	for k, g := range a.s.Grains {
		list := a.periods[k][:0]
		first := int32(0)
		for i := range x.Days {
			d := &x.Days[i]
			period := a.s.Calendar.Period(g, d.Day)
			if n := len(list); n > 0 && list[n-1].period == period {
				p := &list[n-1]
				p.orders += uint32(d.Orders)
				p.uncosted += uint32(d.OrdersNoCost)
				p.net, p.cost = p.net.Add(d.Net), p.cost.Add(d.Cost)
				continue
			}
			if i == 0 {
				first = period
			}
			list = append(list, activePeriod{period, period - first, d.Day, uint32(d.Orders), uint32(d.OrdersNoCost), d.Net, d.Cost})
		}
		a.periods[k] = list
	}
}

// measure finds out whether 64 bits are enough.
func (a *Activity) measure(days []OrderDay) {
	a.net, a.cost, a.orders, a.small = 0, 0, 0, true
	for i := range days {
		d := &days[i]
		a.orders += int64(d.Orders)
		net, ok := magnitude(d.Net)
		cost, ok2 := magnitude(d.Cost)
		a.net, a.cost = a.net+net, a.cost+cost
		if !ok || !ok2 || a.net > maxCounted || a.cost > maxCounted {
			a.small = false
			return
		}
	}
}

// magnitude is the absolute value of a sum, false where it is beyond maxCounted.
func magnitude(s schemas.Sum) (uint64, bool) {
	v := int64(s.LowBits())
	m := uint64(max(v, -v)) // of the least integer this is 1<<63, which is too large
	return m, s.HighBits() == v>>63 && m <= maxCounted
}
