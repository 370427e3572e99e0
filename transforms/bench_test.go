package transforms

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cohortline/cohortline/schemas"
)

// benchOrders makes batches of orders of about a fifth as many customers, three years of
// them, of which 3 % come again.
func benchOrders(interns *schemas.Interns, rows int) []*schemas.OrderBatch {
	const size = 2048
	r := rand.New(rand.NewPCG(1, 2))
	var batches []*schemas.OrderBatch
	for at := 0; at < rows; at += size {
		b := &schemas.OrderBatch{N: size, Row: int64(at + 1), Dims: make([][]uint32, len(interns.Dims)), HasCost: make([]bool, size)}
		for i := range size {
			id := at + i
			if i%33 == 0 {
				id = r.IntN(at + 1)
			}
			b.Sel = append(b.Sel, int32(i))
			b.OrderID.Append(fmt.Appendf(nil, "%013d", 5_000_000_000_000+id))
			b.CustomerID.Append(fmt.Appendf(nil, "c-%010d", uint32(r.IntN(rows/5))*2654435761))
			b.Email.Append(nil)
			ordered := 1_640_000_000_000_000 + int64(at+i)*9_000_000
			b.OrderedAt, b.UpdatedAt = append(b.OrderedAt, ordered), append(b.UpdatedAt, ordered+int64(r.IntN(86_400*20))*1_000_000)
			b.Status, b.Currency = append(b.Status, schemas.Status(r.IntN(12)/10*2)), append(b.Currency, 0)
			b.Gross, b.Refund = append(b.Gross, int64(r.IntN(20_000))*100), append(b.Refund, 0)
			b.Discount = append(b.Discount, int64(max(0, r.IntN(300)-200))*100)
			b.Cost = append(b.Cost, b.Gross[i]/2)
			b.HasCost[i] = r.IntN(5) > 0
		}
		for d, t := range interns.Dims {
			for range size {
				b.Dims[d] = append(b.Dims[d], t.Code(fmt.Appendf(nil, "v%d", r.IntN(8+22*d))))
			}
		}
		batches = append(batches, b)
	}
	return batches
}

// processorTime is what the process has used so far, in nanoseconds: other work on the
// machine disturbs it less than the clock.
func processorTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkLedger times the ledger by its steps, in nanoseconds of processor time a row:
// where it has been shown the ids of the orders first, and where it has not.
func BenchmarkLedger(b *testing.B) {
	for _, first := range []bool{true, false} {
		b.Run(fmt.Sprintf("IDsFirst=%t", first), func(b *testing.B) { benchmarkLedger(b, first) })
	}
}

func benchmarkLedger(b *testing.B, idsFirst bool) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		b.Fatal(err)
	}
	interns := &schemas.Interns{Currency: schemas.NewIntern("EUR"), Dims: []*schemas.Intern{schemas.NewIntern(), schemas.NewIntern()}}
	const rows = 4_000_000
	batches := benchOrders(interns, rows)
	calendar := NewCalendar(zone, time.Monday)
	asOf := int64(1_640_000_000_000_000 + rows*9_000_000)
	settings := Settings{Calendar: calendar, AsOf: asOf, Grains: []Grain{Month}, Dimensions: []string{"channel", "country"},
		LastDay: calendar.LocalDay(asOf - 1), AsOfDay: calendar.LocalDay(asOf)}
	for b.Loop() {
		l := NewLedger(Rules{Settings: settings, MatchID: true, Namespaces: []string{"shop"}, Files: []File{{"shop", "a"}},
			Interns: interns, Rates: NewRates("EUR", nil), Threads: 1, ExpectRows: rows})
		start := processorTime(b)
		lap := func(name string) {
			now := processorTime(b)
			b.ReportMetric(float64(now-start)/rows, name+"-ns/row")
			start = now
		}
		if idsFirst {
			w := l.IDWriter()
			for _, x := range batches {
				if err := w.Add(0, &x.OrderID); err != nil {
					b.Fatal(err)
				}
			}
			w.Close()
			if err := l.FindRepeated(); err != nil {
				b.Fatal(err)
			}
			lap("ids")
		}
		w := l.Writer()
		for _, x := range batches {
			if err := w.Add(x); err != nil {
				b.Fatal(err)
			}
		}
		w.Close()
		lap("add")
		if err := l.Resolve(); err != nil {
			b.Fatal(err)
		}
		lap("resolve")
		err := l.Fold(func() Visitor { return NewMetrics(settings, []string{"cohort_retention"}, l.Segments) }, func([]arrow.Record) error { return nil })
		if err != nil {
			b.Fatal(err)
		}
		lap("fold")
		if c := l.Counts(); c.Customers == 0 {
			b.Fatal("no customers")
		}
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
