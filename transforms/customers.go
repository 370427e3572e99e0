package transforms

import (
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cohortline/cohortline/schemas"
)

// customerRows builds the records of the table customers.
type customerRows struct {
	s        Settings
	segments func() [][]string
	names    [][]string
	b        *array.RecordBuilder
	rows     int
}

func newCustomerRows(s Settings, segments func() [][]string) *customerRows {
	return &customerRows{s: s, segments: segments, b: array.NewRecordBuilder(memory.DefaultAllocator, schemas.Customers(s.Dimensions).Arrow())}
}

// Add appends the row of one customer.
func (c *customerRows) Add(x *Customer) {
	if c.names == nil {
		c.names = c.segments()
	}
	c.rows++
	cal := c.s.Calendar
	first, last := x.Days[0].Day, x.Days[len(x.Days)-1].Day
	var gross, discount, refund, net, cost, later schemas.Sum
	unknown, months, month := int64(0), int64(0), int32(0)
	for i := range x.Purchases {
		p := &x.Purchases[i]
		gross, discount, refund = gross.Add(sumOf(p.Gross)), discount.Add(sumOf(p.Discount)), refund.Add(sumOf(p.Refund))
	}
	for i := range x.Days {
		d := &x.Days[i]
		net, cost = net.Add(d.Net), cost.Add(d.Cost)
		unknown += int64(d.OrdersNoCost)
		if i > 0 {
			later = later.Add(d.Net)
		}
		if m := cal.Period(Month, d.Day); i == 0 || m != month {
			month = m
			months++
		}
	}
	fields := c.b.Fields()
	next := func() array.Builder { f := fields[0]; fields = fields[1:]; return f }
	date := func(day int32) { next().(*array.Date32Builder).Append(arrow.Date32(day)) }
	integer := func(n int64) { next().(*array.Int64Builder).Append(n) }
	money := func(v schemas.Sum) { next().(*array.Decimal128Builder).Append(v) }
	next().(*array.StringBuilder).BinaryBuilder.Append(x.ID)
	next().(*array.TimestampBuilder).Append(arrow.Timestamp(x.Purchases[0].At))
	next().(*array.TimestampBuilder).Append(arrow.Timestamp(x.Purchases[len(x.Purchases)-1].At))
	for _, g := range []Grain{Week, Month, Quarter} {
		date(cal.Start(g, cal.Period(g, first)))
	}
	integer(int64(len(x.Purchases)))
	integer(int64(len(x.Days)))
	integer(months)
	money(gross)
	money(discount)
	money(refund)
	money(net)
	if unknown == 0 {
		money(net.Sub(cost))
	} else {
		next().AppendNull()
	}
	frequency := int64(len(x.Days) - 1)
	integer(frequency)
	integer(int64(last - first))
	integer(int64(c.s.LastDay - first))
	if frequency > 0 {
		next().(*array.Float64Builder).Append(schemas.SumRatio(later, frequency))
	} else {
		next().AppendNull()
	}
	for d, code := range x.Segments {
		next().(*array.StringBuilder).Append(c.names[d][code])
	}
}

// take returns the rows since the last call.
func (c *customerRows) take() arrow.Record {
	c.rows = 0
	c.names = nil
	return c.b.NewRecord()
}

// periodRows builds the records of the table customer_periods.
type periodRows struct {
	s      Settings
	grains []Grain // sorted by name
	b      *array.RecordBuilder
}

func newPeriodRows(s Settings) *periodRows {
	grains := slices.Clone(s.Grains)
	slices.SortFunc(grains, func(a, b Grain) int { return strings.Compare(Grains[a], Grains[b]) })
	return &periodRows{s: s, grains: grains, b: array.NewRecordBuilder(memory.DefaultAllocator, schemas.CustomerPeriods.Arrow())}
}

// Add appends the rows of one customer.
func (p *periodRows) Add(x *Customer) {
	cal := p.s.Calendar
	for _, g := range p.grains {
		cohort := cal.Period(g, x.Days[0].Day)
		before := cohort
		for i := 0; i < len(x.Days); {
			period := cal.Period(g, x.Days[i].Day)
			orders, unknown := int64(0), int64(0)
			var net, cost decimal128.Num
			for ; i < len(x.Days) && cal.Period(g, x.Days[i].Day) == period; i++ {
				d := &x.Days[i]
				orders += int64(d.Orders)
				unknown += int64(d.OrdersNoCost)
				net, cost = net.Add(d.Net), cost.Add(d.Cost)
			}
			state := lifecycleResurrected
			switch period {
			case cohort:
				state = lifecycleNew
			case before + 1:
				state = lifecycleReturning
			}
			before = period
			p.b.Field(0).(*array.StringBuilder).BinaryBuilder.Append(x.ID)
			p.b.Field(1).(*array.StringBuilder).Append(Grains[g])
			p.b.Field(2).(*array.Date32Builder).Append(arrow.Date32(cal.Start(g, period)))
			p.b.Field(3).(*array.Int64Builder).Append(orders)
			p.b.Field(4).(*array.Decimal128Builder).Append(net)
			if unknown == 0 {
				p.b.Field(5).(*array.Decimal128Builder).Append(net.Sub(cost))
			} else {
				p.b.Field(5).AppendNull()
			}
			p.b.Field(6).(*array.Int64Builder).Append(int64(period - cohort))
			p.b.Field(7).(*array.StringBuilder).Append(state)
		}
	}
}
