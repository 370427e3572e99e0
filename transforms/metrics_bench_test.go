package transforms

import (
	"math/rand/v2"
	"testing"
	"time"
)

// benchCustomers makes customers of four years with a handful of purchases each.
func benchCustomers(n int) []*Customer {
	r := rand.New(rand.NewPCG(1, 2))
	list := make([]*Customer, n)
	for i := range list {
		day := 18_993 + int32(r.IntN(1_400))
		x := &Customer{ID: []byte("c-0123456789"), Segments: []uint32{uint32(r.IntN(8)), uint32(min(r.IntN(30), r.IntN(30)))}}
		for range 1 + r.IntN(9) {
			p := Purchase{At: int64(day) * microsPerDay, Day: day, Gross: int64(r.IntN(2_000_000)), Cost: 100, HasCost: r.IntN(100) > 0}
			x.Purchases = append(x.Purchases, p)
			x.addDay(&p)
			if day += int32(r.ExpFloat64() * 60); day >= 18_993+1_400 {
				break
			}
		}
		list[i] = x
	}
	return list
}

// BenchmarkMetrics times what one worker gathers, table by table; ns/op is a customer.
func BenchmarkMetrics(b *testing.B) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		b.Fatal(err)
	}
	calendar := NewCalendar(zone, time.Monday)
	const last = 18_993 + 1_400
	s := Settings{Calendar: calendar, AsOf: last * microsPerDay, Grains: []Grain{Week, Month}, Dimensions: []string{"channel", "country"}, LastDay: last - 1, AsOfDay: last}
	customers := benchCustomers(300_000)
	for _, tables := range [][]string{{}, {"cohort_retention"}, {"cohort_ltv"}, {"cohort_retention", "cohort_ltv"}, {"survival_curves"}, {"lifecycle"}, {"repeat_purchases"}, {"customer_periods"}, {"customers"}} {
		name := "none"
		if len(tables) > 0 {
			name = tables[len(tables)-1]
		}
		b.Run(name, func(b *testing.B) {
			m := NewMetrics(s, tables, func() [][]string { return [][]string{make([]string, 8), make([]string, 30)} })
			for i := 0; b.Loop(); i++ {
				m.Add(customers[i%len(customers)])
				if i%4096 == 0 {
					records, err := m.Records()
					if err != nil {
						b.Fatal(err)
					}
					for _, r := range records {
						if r != nil {
							r.Release()
						}
					}
				}
			}
		})
	}
}
