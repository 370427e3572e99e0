package transforms

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cohortline/cohortline/schemas"
)

// TestPackedNumbersAddUp adds and subtracts packed numbers whose fields are as large as they
// may be, and says of each sum whether full must find a field that has left its range.
func TestPackedNumbersAddUp(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 8))
	field := func(limit int64) int64 {
		switch r.IntN(4) {
		case 0:
			return limit - 1
		case 1:
			return 1 - limit
		case 2:
			return r.Int64N(3) - 1
		}
		return r.Int64N(2*limit-1) - limit + 1
	}
	outside := func(v, limit int64) bool { return v < -limit || v >= limit }
	for range 200_000 {
		a, n, m := field(maxPacked), field(maxPackedN), field(maxPackedN)
		b, o, p := field(maxPacked), field(maxPackedN), field(maxPackedN)
		sum := pack(a, n, m) + pack(b, o, p)
		if x, y, z := sum.unpack(); x != a+b || y != n+o || z != m+p {
			t.Fatalf("(%d, %d, %d) + (%d, %d, %d) = (%d, %d, %d)", a, n, m, b, o, p, x, y, z)
		}
		want := outside(a+b, maxPacked) || outside(n+o, maxPackedN) || outside(m+p, maxPackedN)
		if full(sum, 0) != want || full(0, sum) != want {
			t.Fatalf("(%d, %d, %d): full is %t", a+b, n+o, m+p, full(sum, 0))
		}
	}
	for v, want := range map[int64]bool{0: true, maxPacked - 1: true, 1 - maxPacked: true, maxPacked: false, -maxPacked: false, 1<<63 - 1: false, -1 << 63: false} {
		if _, ok := smallAmount(sumOf(v)); ok != want {
			t.Errorf("amount %d is small: %t", v, ok)
		}
	}
	if _, ok := smallAmount(sumOf(1 << 62).Add(sumOf(1 << 62)).Add(sumOf(1 << 62)).Add(sumOf(1 << 62))); ok {
		t.Error("2⁶⁴ is small")
	}
	for v, want := range map[int64]bool{0: true, maxPackedN - 1: true, 1 - maxPackedN: true, maxPackedN: false, -maxPackedN: false, 1<<63 - 1: false, -1 << 63: false} {
		if smallCount(v) != want {
			t.Errorf("count %d is small: %t", v, !want)
		}
	}
}

// cellPlace is a cell of a table of cohorts.
type cellPlace struct {
	of, k, d int
	segment  uint32
	cohort   int32
	age      int32
}

// addPlainly adds a customer to cells as their definition says, one order-day at a time.
func addPlainly(cells map[cellPlace]*cell, s *Settings, x *Customer) {
	for k, g := range s.Grains {
		cohort := s.Calendar.Period(g, x.Days[0].Day)
		for of := range 2 {
			elapsed := (s.AsOfDay-x.Days[0].Day)/max(1, windowDays[g]) - 1
			if of == windowTables && (windowDays[g] == 0 || elapsed < 0) {
				continue
			}
			for d := range max(1, len(s.Dimensions)) {
				at := func(age int32) *cell {
					p := cellPlace{of, k, d, x.segment(d), cohort, age}
					if cells[p] == nil {
						cells[p] = &cell{}
					}
					return cells[p]
				}
				before, last := int32(-1), int32(0)
				for i := range x.Days {
					day := &x.Days[i]
					n := cell{orders: int64(day.Orders), net: day.Net}
					age := int32(0)
					if of == windowTables {
						if age = (day.Day - x.Days[0].Day) / windowDays[g]; age > elapsed {
							last = elapsed
							break
						}
					} else {
						age, n.cost, n.extra = s.Calendar.Period(g, day.Day)-cohort, day.Cost, int64(day.OrdersNoCost)
					}
					if age != before {
						n.active = 1
					}
					before, last = age, age
					at(age).add(&n)
				}
				at(last).last++
				if of == windowTables {
					at(elapsed).extra++
				}
			}
		}
	}
}

// TestCellsHoldWhatCustomersDo compares every cell with one made of numbers without limits, of
// customers with few orders and with many, whose amounts counts have room for, or not, or only
// some of them.
func TestCellsHoldWhatCustomersDo(t *testing.T) {
	s := Settings{Calendar: NewCalendar(time.UTC, time.Monday), AsOf: 300 * microsPerDay, Grains: []Grain{Day, Week, Month, Quarter}, Dimensions: []string{"channel", "country"}, LastDay: 299, AsOfDay: 300}
	wants := func(...string) bool { return true }
	for _, limits := range [][]int64{{1000}, {maxPacked}, {schemas.MaxAmount}, {1000, maxPacked, schemas.MaxAmount}} {
		t.Run(fmt.Sprint(limits), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(len(limits)), uint64(limits[0])))
			parts := []*CohortCells{NewCohortCells(s, wants), NewCohortCells(s, wants)}
			activity, want := NewActivity(s), map[cellPlace]*cell{}
			for i := range 6000 { // new cohorts come when counts of those before are full
				x := &Customer{Segments: []uint32{uint32(r.IntN(2)), uint32(r.IntN(3))}}
				day, orders := int32(i/60), 1+r.IntN(6)
				if r.IntN(100) == 0 {
					day, orders = int32(r.IntN(300)), 200+r.IntN(200)
				}
				for range orders {
					limit := limits[r.IntN(len(limits))]
					p := Purchase{Day: day, Gross: r.Int64N(limit), Discount: r.Int64N(limit / 2), Refund: r.Int64N(limit), HasCost: r.IntN(3) > 0}
					if p.HasCost {
						p.Cost = r.Int64N(limit)
					}
					x.addDay(&p)
					if orders < 100 {
						day = min(s.LastDay, day+int32(r.IntN(40)))
					}
				}
				activity.Of(x)
				parts[r.IntN(2)].Add(x, activity)
				addPlainly(want, &s, x)
			}
			parts[0].Merge(parts[1])
			seen := 0
			for k := range parts[0].grains {
				g := &parts[0].grains[k]
				for of, table := range g.tables {
					table.each(func(d int, segment uint32, cohort int, b *cohortCells) {
						for age := range b.counts {
							p := cellPlace{of, k, d, segment, g.periods[cohort], int32(age)}
							got, plain := b.cell(age), cell{}
							if w := want[p]; w != nil {
								plain, seen = *w, seen+1
							}
							if got != plain {
								t.Fatalf("%+v: %+v, want %+v", p, got, plain)
							}
						}
					})
				}
			}
			if seen != len(want) {
				t.Errorf("%d cells, want %d", seen, len(want))
			}
		})
	}
}
