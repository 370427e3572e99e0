package schemas

import (
	"testing"

	"github.com/apache/arrow/go/v17/arrow/decimal128"
)

// BenchmarkEncoder makes record batches of rows like those of customers; ns/op is a row.
func BenchmarkEncoder(b *testing.B) {
	type row struct {
		ID         []byte       `col:"customer_id"`
		First      Instant      `col:"first_order_at"`
		Last       Instant      `col:"last_order_at"`
		Week       Day          `col:"cohort_week"`
		Month      Day          `col:"cohort_month"`
		Quarter    Day          `col:"cohort_quarter"`
		Orders     int64        `col:"orders"`
		Days       int64        `col:"order_days"`
		Months     int64        `col:"active_months"`
		Gross      Sum          `col:"gross_revenue"`
		Discounts  Sum          `col:"discounts"`
		Refunds    Sum          `col:"refunds"`
		Net        Sum          `col:"net_revenue"`
		Margin     Opt[Sum]     `col:"margin"`
		Frequency  int64        `col:"frequency"`
		Recency    int64        `col:"recency_days"`
		Age        int64        `col:"age_days"`
		Monetary   Opt[float64] `col:"monetary_value"`
		Dimensions []string     `col:"*"`
	}
	e := NewEncoder[row](Customers([]string{"channel", "country"}))
	id, dims := []byte("c-0123456789"), []string{"paid_social", "DE"}
	for i := 0; b.Loop(); i++ {
		r := e.Row()
		n := int64(i)
		*r = row{ID: id, First: Instant(n), Last: Instant(n), Week: Day(i), Month: Day(i), Quarter: Day(i), Orders: n, Days: n, Months: n,
			Gross: decimal128.FromI64(n), Net: decimal128.FromI64(n), Frequency: n, Recency: n, Age: n, Monetary: Some(float64(n)), Dimensions: dims}
		e.Append(r)
		if i%30_000 == 0 {
			x, err := e.Take()
			if err != nil {
				b.Fatal(err)
			}
			x.Release()
		}
	}
}
