package transforms

import (
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cohortline/cohortline/schemas"
)

// CustomerRow is a row of customers.
type CustomerRow struct {
	ID            []byte                   `col:"customer_id"`
	FirstOrderAt  schemas.Instant          `col:"first_order_at"`
	LastOrderAt   schemas.Instant          `col:"last_order_at"`
	CohortWeek    schemas.Day              `col:"cohort_week"`
	CohortMonth   schemas.Day              `col:"cohort_month"`
	CohortQuarter schemas.Day              `col:"cohort_quarter"`
	Orders        int64                    `col:"orders"`
	OrderDays     int64                    `col:"order_days"`
	ActiveMonths  int64                    `col:"active_months"`
	GrossRevenue  schemas.Sum              `col:"gross_revenue"`
	Discounts     schemas.Sum              `col:"discounts"`
	Refunds       schemas.Sum              `col:"refunds"`
	NetRevenue    schemas.Sum              `col:"net_revenue"`
	Margin        schemas.Opt[schemas.Sum] `col:"margin"`
	Frequency     int64                    `col:"frequency"`
	RecencyDays   int64                    `col:"recency_days"`
	AgeDays       int64                    `col:"age_days"`
	MonetaryValue schemas.Opt[float64]     `col:"monetary_value"`
	First         []string                 `col:"*"` // by dimension
}

// customerRows makes the records of the table customers.
type customerRows struct {
	s        Settings
	segments func() [][]string
	names    [][]string
	encoder  *schemas.Encoder[CustomerRow]
	starts   periodStarts
	months   int // position of months in s.Grains; −1: they are none
}

func newCustomerRows(s Settings, segments func() [][]string) *customerRows {
	return &customerRows{months: slices.Index(s.Grains, Month), s: s, segments: segments, encoder: schemas.NewEncoder[CustomerRow](schemas.Customers(s.Dimensions)), starts: periodStarts{cal: s.Calendar}}
}

// Add appends the row of one customer.
func (c *customerRows) Add(x *Customer, a *Activity) {
	if c.names == nil {
		c.names = c.segments()
	}
	days, buys := x.Days, x.Purchases
	first, last := days[0].Day, days[len(days)-1].Day
	r := c.encoder.Row()
	r.ID, r.FirstOrderAt, r.LastOrderAt = x.ID, schemas.Instant(buys[0].At), schemas.Instant(buys[len(buys)-1].At)
	r.CohortWeek, r.CohortMonth, r.CohortQuarter = c.starts.of(Week, first), c.starts.of(Month, first), c.starts.of(Quarter, first)
	r.Orders, r.OrderDays, r.Frequency = int64(len(buys)), int64(len(days)), int64(len(days)-1)
	r.RecencyDays, r.AgeDays = int64(last-first), int64(c.s.LastDay-first)
	t := &x.total
	r.GrossRevenue, r.Discounts, r.Refunds, r.NetRevenue = t.gross, t.discounts, t.refunds, t.net
	r.ActiveMonths = c.activeMonths(days, a)
	r.Margin, r.MonetaryValue = schemas.Opt[schemas.Sum]{}, schemas.Opt[float64]{}
	if t.uncosted == 0 {
		r.Margin = schemas.Some(t.net.Sub(t.cost))
	}
	if r.Frequency > 0 {
		r.MonetaryValue = schemas.Some(schemas.SumRatio(t.net.Sub(days[0].Net), r.Frequency))
	}
	r.First = r.First[:0]
	for d, code := range x.Segments {
		r.First = append(r.First, c.names[d][code])
	}
	c.encoder.Append(r)
}

// activeMonths is how many calendar months hold an order-day: those of the activity, where
// months are a grain.
func (c *customerRows) activeMonths(days []OrderDay, a *Activity) int64 {
	if c.months >= 0 {
		return int64(len(a.periods[c.months]))
	}
	n, month := int64(1), c.s.Calendar.Period(Month, days[0].Day)
	for i := range days[1:] {
		if m := c.s.Calendar.Period(Month, days[i+1].Day); m != month {
			month = m
			n++
		}
	}
	return n
}

// take returns the rows since the last call.
func (c *customerRows) take() (arrow.Record, error) { return c.encoder.Take() }

// PeriodRow is a row of customer_periods.
type PeriodRow struct {
	CustomerID schemas.Repeated         `col:"customer_id"`
	Grain      string                   `col:"grain"`
	Period     schemas.Day              `col:"period"`
	Orders     int64                    `col:"orders"`
	NetRevenue schemas.Sum              `col:"net_revenue"`
	Margin     schemas.Opt[schemas.Sum] `col:"margin"`
	Age        int64                    `col:"age"`
	Lifecycle  string                   `col:"lifecycle"`
}

// periodRows makes the records of the table customer_periods.
type periodRows struct {
	s       Settings
	grains  []int // positions in s.Grains, sorted by name
	encoder *schemas.Encoder[PeriodRow]
	starts  periodStarts
}

func newPeriodRows(s Settings) *periodRows {
	return &periodRows{s: s, grains: grainsByName(s), encoder: schemas.NewEncoder[PeriodRow](schemas.CustomerPeriods), starts: periodStarts{cal: s.Calendar}}
}

// grainsByName lists the positions of the grains in the order of their names.
func grainsByName(s Settings) []int {
	list := make([]int, len(s.Grains))
	for i := range list {
		list[i] = i
	}
	slices.SortFunc(list, func(a, b int) int { return strings.Compare(Grains[s.Grains[a]], Grains[s.Grains[b]]) })
	return list
}

// Add appends the rows of one customer.
func (p *periodRows) Add(x *Customer, a *Activity) {
	for _, k := range p.grains {
		g := p.s.Grains[k]
		before := int32(0)
		for i := range a.periods[k] {
			n := &a.periods[k][i]
			r := p.encoder.Row()
			r.CustomerID, r.Grain, r.Period, r.Orders, r.NetRevenue, r.Age = x.ID, Grains[g], p.starts.of(g, n.day), int64(n.orders), n.net, int64(n.age)
			r.Lifecycle, r.Margin = lifecycleResurrected, schemas.Opt[schemas.Sum]{}
			switch n.age {
			case 0:
				r.Lifecycle = lifecycleNew
			case before + 1:
				r.Lifecycle = lifecycleReturning
			}
			before = n.age
			if n.uncosted == 0 {
				r.Margin = schemas.Some(n.net.Sub(n.cost))
			}
			p.encoder.Append(r)
		}
	}
}

// periodStarts finds the first day of the period that holds a date: by the calendar once
// for each date, of which there are a few thousand, and then in a list.
type periodStarts struct {
	cal  *Calendar
	back [len(Grains)][]uint16 // by date from firstListed on: days back to the first, and one; 0 is unknown
}

func (p *periodStarts) of(g Grain, day int32) schemas.Day {
	i := day - firstListed
	if uint32(i) >= listedDays {
		return schemas.Day(p.cal.Start(g, p.cal.Period(g, day)))
	}
	if p.back[g] == nil {
		p.back[g] = make([]uint16, listedDays)
	}
	back := &p.back[g][i]
	if *back == 0 {
		*back = uint16(day-p.cal.Start(g, p.cal.Period(g, day))) + 1
	}
	return schemas.Day(day - int32(*back) + 1)
}
