package transforms

import "github.com/cohortline/cohortline/schemas"

// Activity is what the customer at hand did by calendar period: made once, for all
// metrics that ask for it.
type Activity struct {
	s       Settings
	periods [][]activePeriod // by position in s.Grains
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
	for k, g := range a.s.Grains {
		list := a.periods[k][:0]
		var p *activePeriod // the last one
		for i := range x.Days {
			d := &x.Days[i]
			period := a.s.Calendar.Period(g, d.Day)
			if p != nil && p.period == period {
				p.orders += uint32(d.Orders)
				p.uncosted += uint32(d.OrdersNoCost)
				p.net, p.cost = p.net.Add(d.Net), p.cost.Add(d.Cost)
				continue
			}
			list = append(list, activePeriod{period, 0, d.Day, uint32(d.Orders), uint32(d.OrdersNoCost), d.Net, d.Cost})
			p = &list[len(list)-1]
			p.age = period - list[0].period
		}
		a.periods[k] = list
	}
}
