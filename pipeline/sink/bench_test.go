package sink

import (
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/cohortline/cohortline/schemas"
)

// customerRow is a row of customers with the dimensions channel and country.
type customerRow struct {
	ID            string                   `col:"customer_id"`
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
	Channel       string                   `col:"first_channel"`
	Country       string                   `col:"first_country"`
}

// customers yields n rows that are distributed as those of a shop with few loyal customers.
func customers(n int) func(func(customerRow) bool) {
	return func(yield func(customerRow) bool) {
		r := rand.New(rand.NewPCG(1, 2))
		money := func(v int64) schemas.Sum { return decimal128.FromI64(v * 100) }
		for range n {
			orders := 1 + int64(r.ExpFloat64()*r.ExpFloat64()*4)
			days := max(1, orders-r.Int64N(2))
			age := r.Int64N(1461)
			recency := int64(0)
			if days > 1 {
				recency = r.Int64N(age + 1)
			}
			first := (1_667_300_000 + (1461-age)*86_400 + r.Int64N(86_400)) * 1_000_000
			day := schemas.Day(19_297 + 1461 - age)
			gross, discount, refund := int64(0), int64(0), int64(0)
			for range orders {
				g := 500 + int64(r.ExpFloat64()*3000)
				gross += g
				if r.IntN(4) == 0 {
					discount += g / 10
				}
				if r.IntN(20) == 0 {
					refund += g - g/10
				}
			}
			x := customerRow{ID: fmt.Sprintf("c-%010d", r.Int64N(1e10)), FirstOrderAt: schemas.Instant(first), LastOrderAt: schemas.Instant(first + recency*86_400_000_000 + r.Int64N(80_000)*1_000_000),
				CohortWeek: day - day%7, CohortMonth: day - day%30, CohortQuarter: day - day%91, Orders: orders, OrderDays: days, ActiveMonths: min(days, 1+recency/30),
				GrossRevenue: money(gross), Discounts: money(discount), Refunds: money(refund), NetRevenue: money(gross - discount - refund),
				Frequency: days - 1, RecencyDays: recency, AgeDays: age, Channel: []string{"direct", "email", "paid_social", "organic", "(none)"}[r.IntN(5)], Country: []string{"DE", "AT", "CH", "FR", "PL", "IT", "NL"}[r.IntN(7)]}
			if r.IntN(2) == 0 {
				x.Margin = schemas.Some(decimal128.FromI64((gross-discount-refund)*45 - 1000))
			}
			if days > 1 {
				x.MonetaryValue = schemas.Some(float64(gross*100/days) / 10_000)
			}
			if !yield(x) {
				return
			}
		}
	}
}

// BenchmarkCustomers writes a table of two million customers; ns/row and bytes/row count.
func BenchmarkCustomers(b *testing.B) {
	const n = 2_000_000
	table := schemas.Customers([]string{"channel", "country"})
	var records []arrow.Record
	for r, err := range schemas.Encode(table, customers(n)).Batches {
		if err != nil {
			b.Fatal(err)
		}
		r.Retain()
		records = append(records, r)
	}
	benchmark(b, schemas.Data{Table: table, Batches: func(yield func(arrow.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}}, n)
}

func benchmark(b *testing.B, d schemas.Data, rows int) {
	b.Helper()
	var size counter
	for b.Loop() {
		size = 0
		if _, err := Parquet(&size, d); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows), "ns/row")
	b.ReportMetric(float64(size)/float64(rows), "bytes/row")
}

// counter counts the bytes written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

var _ io.Writer = (*counter)(nil)
