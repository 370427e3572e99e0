package transforms

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cohortline/cohortline/schemas"
)

// TestCohortCellsHoldWhatCountsCannot adds customers whose amounts overflow the small
// counts, alone or together, and compares every sum with one made of wide numbers: of cohorts, of
// the margin of all orders, and of the windows that have elapsed.
func TestCohortCellsHoldWhatCountsCannot(t *testing.T) {
	calendar := NewCalendar(time.UTC, time.Monday)
	s := Settings{Calendar: calendar, AsOf: 400 * microsPerDay, Grains: []Grain{Month}, Dimensions: []string{"channel"}, LastDay: 399, AsOfDay: 400}
	const customersEach = 2000
	all, activity := func(...string) bool { return true }, NewActivity(s)
	for _, amount := range []int64{schemas.MaxAmount, schemas.MaxAmount / 20, 1000} {
		r := rand.New(rand.NewPCG(uint64(amount), 3))
		parts := []*CohortCells{NewCohortCells(s, all), NewCohortCells(s, all)}
		want, orders := schemas.Sum{}, int64(0)
		margin, elapsed, windowOrders := schemas.Sum{}, schemas.Sum{}, int64(0)
		for range customersEach {
			x := &Customer{Segments: []uint32{uint32(r.IntN(3))}}
			day := int32(r.IntN(60))
			for range 1 + r.IntN(14) {
				p := Purchase{At: int64(day) * microsPerDay, Day: day, Gross: amount - r.Int64N(1+amount/2), Cost: amount / 3, HasCost: true}
				x.Purchases = append(x.Purchases, p)
				x.addDay(&p)
				want, orders = want.Add(sumOf(p.Gross)), orders+1
				margin = margin.Add(sumOf(p.Gross - p.Cost))
				if first := x.Days[0].Day; first+((day-first)/30+1)*30 <= s.AsOfDay {
					elapsed, windowOrders = elapsed.Add(sumOf(p.Gross)), windowOrders+1
				}
				day = min(399, day+int32(r.IntN(20)))
			}
			activity.Of(x)
			parts[r.IntN(2)].Add(x, activity)
		}
		parts[0].Merge(parts[1])
		segments := [][]string{{"a", "b", "c"}}
		for _, dimension := range []string{"all", "channel"} {
			got, n, customers := schemas.Sum{}, int64(0), int64(0)
			for row := range parts[0].Cohorts(segments) {
				if row.Dimension == dimension {
					got, n, customers = got.Add(row.NetRevenue), n+row.Orders, customers+row.Customers
				}
			}
			if got != want || n != orders || customers != customersEach {
				t.Errorf("amounts up to %d, %s: %d customers, %d orders, %s; want %d, %d, %s", amount, dimension, customers, n, schemas.FormatSum(got), customersEach, orders, schemas.FormatSum(want))
			}
			got, n = schemas.Sum{}, 0
			for row := range parts[0].Retention(segments) {
				if row.Dimension == dimension && row.IndexKind == ageIndex {
					got, n = got.Add(row.NetRevenue), n+row.Orders
				}
			}
			if got != elapsed || n != windowOrders {
				t.Errorf("amounts up to %d, %s, windows: %d orders, %s; want %d, %s", amount, dimension, n, schemas.FormatSum(got), windowOrders, schemas.FormatSum(elapsed))
			}
			got = schemas.Sum{}
			for row := range parts[0].LTV(segments) {
				if row.Dimension == dimension && s.lastPeriod(Month) == calendar.Period(Month, int32(row.Cohort))+int32(row.Age) {
					got = got.Add(row.Margin.Value)
				}
			}
			if got != margin {
				t.Errorf("amounts up to %d, %s: margin %s, want %s", amount, dimension, schemas.FormatSum(got), schemas.FormatSum(margin))
			}
		}
	}
}
