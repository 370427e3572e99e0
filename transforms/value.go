package transforms

import (
	"iter"

	"github.com/cohortline/cohortline/schemas"
)

// LTVRow is a row of cohort_ltv.
type LTVRow struct {
	Grain      string                   `col:"grain"`
	Cohort     schemas.Day              `col:"cohort"`
	Dimension  string                   `col:"dimension"`
	Segment    string                   `col:"segment"`
	Age        int64                    `col:"age"`
	Customers  int64                    `col:"cohort_customers"`
	Orders     int64                    `col:"cumulative_orders"`
	NetRevenue schemas.Sum              `col:"cumulative_net_revenue"`
	Margin     schemas.Opt[schemas.Sum] `col:"cumulative_margin"`
	LTV        schemas.Opt[float64]     `col:"ltv"`
	LTVMargin  schemas.Opt[float64]     `col:"ltv_margin"`
	IsComplete bool                     `col:"is_complete"`
}

// LTV lists the rows of cohort_ltv: cumulative value per acquired customer.
func (c *CohortCells) LTV(segments [][]string) iter.Seq[LTVRow] {
	return func(yield func(LTVRow) bool) {
		for _, b := range c.blocks(calendarTables, segments) {
			r := LTVRow{Grain: Grains[b.grain], Cohort: c.s.start(b.grain, b.cohort), Dimension: b.dimension, Segment: b.segment, Customers: b.customers}
			cost, unknown := schemas.Sum{}, int64(0)
			running := c.s.running(b.grain)
			for age := range c.s.lastPeriod(b.grain) - b.cohort + 1 {
				x := b.cell(int(age))
				r.Orders += x.orders
				r.NetRevenue = r.NetRevenue.Add(x.net)
				cost = cost.Add(x.cost)
				unknown += x.extra
				r.Age = int64(age)
				r.LTV = schemas.Some(schemas.SumRatio(r.NetRevenue, b.customers))
				r.Margin, r.LTVMargin = schemas.Opt[schemas.Sum]{}, schemas.Opt[float64]{}
				if unknown == 0 {
					r.Margin = schemas.Some(r.NetRevenue.Sub(cost))
					r.LTVMargin = schemas.Some(schemas.SumRatio(r.Margin.Value, b.customers))
				}
				r.IsComplete = b.cohort+age < running
				if !yield(r) {
					return
				}
			}
		}
	}
}

// totals adds up orders and net revenue of all ages.
func (b *cohortCells) totals() (orders int64, net schemas.Sum) {
	for i := range b.counts {
		n, of, _ := b.counts[i].orders.unpack()
		orders, net = orders+of, net.Add(sumOf(n))
	}
	for i := range b.wide {
		orders, net = orders+b.wide[i].orders, net.Add(b.wide[i].net)
	}
	return orders, net
}
