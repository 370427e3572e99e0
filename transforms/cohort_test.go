package transforms

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cohortline/cohortline/schemas"
)

// TestCohortCellsHoldWhatCountsCannot adds customers whose amounts overflow the small
// counts, alone or together, and compares every sum with one made of wide numbers.
func TestCohortCellsHoldWhatCountsCannot(t *testing.T) {
	calendar := NewCalendar(time.UTC, time.Monday)
	s := Settings{Calendar: calendar, AsOf: 400 * microsPerDay, Grains: []Grain{Month}, Dimensions: []string{"channel"}, LastDay: 399, AsOfDay: 400}
	const customersEach = 2000
	all, activity := func(...string) bool { return true }, NewActivity(s)
	for _, amount := range []int64{schemas.MaxAmount, schemas.MaxAmount / 20, 1} {
		r := rand.New(rand.NewPCG(uint64(amount), 3))
		parts := []*CohortCells{NewCohortCells(s, all), NewCohortCells(s, all)}
		want, orders := schemas.Sum{}, int64(0)
		for range customersEach {
			x := &Customer{Segments: []uint32{uint32(r.IntN(3))}}
			day := int32(r.IntN(60))
			for range 1 + r.IntN(14) {
				p := Purchase{At: int64(day) * microsPerDay, Day: day, Gross: amount - r.Int64N(1+amount/2)}
				x.Purchases = append(x.Purchases, p)
				x.addDay(&p)
				want, orders = want.Add(sumOf(p.Gross)), orders+1
				day = min(399, day+int32(r.IntN(20)))
			}
			activity.Of(x)
			parts[r.IntN(2)].Add(x, activity)
		}
		parts[0].Merge(parts[1])
		for _, dimension := range []string{"all", "channel"} {
			got, n, customers := schemas.Sum{}, int64(0), int64(0)
			for row := range parts[0].Cohorts([][]string{{"a", "b", "c"}}) {
				if row.Dimension == dimension {
					got, n, customers = got.Add(row.NetRevenue), n+row.Orders, customers+row.Customers
				}
			}
			if got != want || n != orders || customers != customersEach {
				t.Errorf("amounts up to %d, %s: %d customers, %d orders, %s; want %d, %d, %s", amount, dimension, customers, n, schemas.FormatSum(got), customersEach, orders, schemas.FormatSum(want))
			}
		}
	}
}
