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
	starts   []cohortStarts // by first local date, from 1970-01-01 on
}

// cohortStarts are the first days of the periods that hold a date: found once for each of
// the few thousand dates on which customers come.
type cohortStarts struct {
	known                bool
	week, month, quarter schemas.Day
}

func newCustomerRows(s Settings, segments func() [][]string) *customerRows {
	return &customerRows{s: s, segments: segments, encoder: schemas.NewEncoder[CustomerRow](schemas.Customers(s.Dimensions))}
}

// startsOf returns the first days of the periods that hold a date.
func (c *customerRows) startsOf(day int32) cohortStarts {
	if listed := day - firstListed; uint32(listed) < listedDays {
		if c.starts == nil {
			c.starts = make([]cohortStarts, listedDays)
		}
		x := &c.starts[listed]
		if !x.known {
			*x = c.findStarts(day)
		}
		return *x
	}
	return c.findStarts(day)
}

func (c *customerRows) findStarts(day int32) cohortStarts {
	cal := c.s.Calendar
	start := func(g Grain) schemas.Day { return schemas.Day(cal.Start(g, cal.Period(g, day))) }
	return cohortStarts{true, start(Week), start(Month), start(Quarter)}
}

// Add appends the row of one customer.
func (c *customerRows) Add(x *Customer) {
	if c.names == nil {
		c.names = c.segments()
	}
	days, buys := x.Days, x.Purchases
	first, last := days[0].Day, days[len(days)-1].Day
	starts := c.startsOf(first)
	r := c.encoder.Row()
	r.ID, r.FirstOrderAt, r.LastOrderAt = x.ID, schemas.Instant(buys[0].At), schemas.Instant(buys[len(buys)-1].At)
	r.CohortWeek, r.CohortMonth, r.CohortQuarter = starts.week, starts.month, starts.quarter
	r.Orders, r.OrderDays, r.Frequency = int64(len(buys)), int64(len(days)), int64(len(days)-1)
	r.RecencyDays, r.AgeDays = int64(last-first), int64(c.s.LastDay-first)
	var gross, discounts, refunds, net, cost schemas.Sum
	for i := range buys {
		p := &buys[i]
		gross, discounts, refunds = gross.Add(sumOf(p.Gross)), discounts.Add(sumOf(p.Discount)), refunds.Add(sumOf(p.Refund))
	}
	r.GrossRevenue, r.Discounts, r.Refunds = gross, discounts, refunds
	unknown, month := false, int32(0)
	r.ActiveMonths = 0
	for i := range days {
		d := &days[i]
		net, cost = net.Add(d.Net), cost.Add(d.Cost)
		unknown = unknown || d.OrdersNoCost > 0
		if m := c.s.Calendar.Period(Month, d.Day); i == 0 || m != month {
			month = m
			r.ActiveMonths++
		}
	}
	r.NetRevenue = net
	r.Margin, r.MonetaryValue = schemas.Opt[schemas.Sum]{}, schemas.Opt[float64]{}
	if !unknown {
		r.Margin = schemas.Some(net.Sub(cost))
	}
	if r.Frequency > 0 {
		r.MonetaryValue = schemas.Some(schemas.SumRatio(net.Sub(days[0].Net), r.Frequency))
	}
	r.First = r.First[:0]
	for d, code := range x.Segments {
		r.First = append(r.First, c.names[d][code])
	}
	c.encoder.Append(r)
}

// take returns the rows since the last call.
func (c *customerRows) take() (arrow.Record, error) {
	c.names = nil
	return c.encoder.Take()
}

// PeriodRow is a row of customer_periods.
type PeriodRow struct {
	CustomerID []byte                   `col:"customer_id"`
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
	grains  []Grain // sorted by name
	encoder *schemas.Encoder[PeriodRow]
}

func newPeriodRows(s Settings) *periodRows {
	grains := slices.Clone(s.Grains)
	slices.SortFunc(grains, func(a, b Grain) int { return strings.Compare(Grains[a], Grains[b]) })
	return &periodRows{s: s, grains: grains, encoder: schemas.NewEncoder[PeriodRow](schemas.CustomerPeriods)}
}

// Add appends the rows of one customer.
func (p *periodRows) Add(x *Customer) {
	cal := p.s.Calendar
	for _, g := range p.grains {
		cohort := cal.Period(g, x.Days[0].Day)
		before := cohort
		for i := 0; i < len(x.Days); {
			period := cal.Period(g, x.Days[i].Day)
			r := PeriodRow{CustomerID: x.ID, Grain: Grains[g], Period: schemas.Day(cal.Start(g, period)), Age: int64(period - cohort), Lifecycle: lifecycleResurrected}
			unknown := false
			var cost schemas.Sum
			for ; i < len(x.Days) && cal.Period(g, x.Days[i].Day) == period; i++ {
				d := &x.Days[i]
				r.Orders += int64(d.Orders)
				unknown = unknown || d.OrdersNoCost > 0
				r.NetRevenue, cost = r.NetRevenue.Add(d.Net), cost.Add(d.Cost)
			}
			switch period {
			case cohort:
				r.Lifecycle = lifecycleNew
			case before + 1:
				r.Lifecycle = lifecycleReturning
			}
			before = period
			if !unknown {
				r.Margin = schemas.Some(r.NetRevenue.Sub(cost))
			}
			p.encoder.Append(&r)
		}
	}
}
