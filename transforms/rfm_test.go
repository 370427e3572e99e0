package transforms

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/cohortline/cohortline/schemas"
	"github.com/cohortline/cohortline/transforms/ltv"
)

// gatherer makes customers of two channels and gathers them by workers.
type gatherer struct {
	s         Settings
	customers []*Customer
}

func newGatherer(n int, seed uint64) *gatherer {
	g := &gatherer{s: Settings{Calendar: NewCalendar(time.UTC, time.Monday), Grains: []Grain{Week, Month}, Dimensions: []string{"channel"}, AsOf: 700 * 86_400_000_000, LastDay: 699, AsOfDay: 700,
		LTV: &LTVRules{Model: auto, By: []int{0}, Horizon: ltv.Span{Count: 12, Unit: ltv.Month}, Discount: ltv.Discount{Rate: .1, Per: ltv.Year}, HoldOut: ltv.Span{Count: 13, Unit: ltv.Week}, Interval: .8}}}
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range n {
		c := &Customer{ID: fmt.Appendf(nil, "customer %d", i), Segments: []uint32{uint32(i % 2)}}
		last := 100 + r.IntN(600)
		for day := r.IntN(300); day < last || len(c.Days) == 0; day += 5 + r.IntN(80) {
			c.Days = append(c.Days, OrderDay{Day: int32(day), Net: sumOf(int64(1 + r.IntN(500_000))), Orders: 1, OrdersNoCost: 1})
		}
		g.customers = append(g.customers, c)
	}
	return g
}

// gather gives each customer to a worker, whose sample takes so many, and makes the base and
// the bytes in the order of the customers.
func (g *gatherer) gather(t *testing.T, workers, limit int) (*Base, [][]byte) {
	t.Helper()
	var parts []*RFM
	for w := range workers {
		p := NewRFM(g.s)
		p.Worker, p.sample.limit = w, limit
		parts = append(parts, p)
	}
	var chunks [][]byte
	for from := 0; from < len(g.customers); from += 100 {
		p := parts[(from/100)%workers]
		for _, c := range g.customers[from:min(from+100, len(g.customers))] {
			p.Add(c)
		}
		record := p.take()
		chunks = append(chunks, slices.Clone(HistoryBytes(record)))
		record.Release()
	}
	base, err := NewBase(g.s, parts, [][]string{{"search", "mail"}})
	if err != nil {
		t.Fatal(err)
	}
	return base, chunks
}

// However the customers are split among workers, the models see the same.
func TestBaseDoesNotDependOnTheSplit(t *testing.T) {
	g := newGatherer(3000, 5)
	want, _ := g.gather(t, 1, 500)
	for workers := 2; workers < 5; workers++ {
		got, _ := g.gather(t, workers, 500)
		if got.level != want.level || !reflect.DeepEqual(got.sample, want.sample) {
			t.Errorf("%d workers: a sample of one in %d, want one in %d", workers, 1<<got.level, 1<<want.level)
		}
		for i := range want.Groups {
			a, b := &got.Groups[i], &want.Groups[i]
			if a.Name != b.Name || !slices.Equal(a.Purchases.Rows(), b.Purchases.Rows()) || !slices.Equal(a.Spend.Rows(), b.Spend.Rows()) {
				t.Errorf("%d workers: %s differs", workers, b.Name)
			}
		}
	}
	if want.level == 0 || want.sample.Customers() > 500 || want.sample.Customers() < 150 {
		t.Errorf("a sample of %d customers, one in %d", want.sample.Customers(), 1<<want.level)
	}
	other, _ := newGatherer(3000, 6).gather(t, 1, 500)
	if slices.Equal(other.Groups[0].Purchases.Rows(), want.Groups[0].Purchases.Rows()) {
		t.Error("other customers, the same rows: the comparison sees nothing")
	}
}

// The bytes give every customer back: its row, and what it has spent.
func TestHistories(t *testing.T) {
	g := newGatherer(1000, 7)
	g.customers[17].Days[0].Net = schemas.Sum(sumOf(math.MaxInt64).Add(sumOf(math.MaxInt64))) // beyond 64 bits
	g.customers[18].Days[0].Net = sumOf(-5)
	base, chunks := g.gather(t, 3, 10)
	i := 0
	for _, b := range chunks {
		r := readHistories(b, 1)
		for r.next() {
			c := g.customers[i]
			group := &base.Groups[map[uint32]int{0: 1, 1: 0}[c.Segments[0]]] // by name: mail, search
			row := group.Purchases.Rows()[base.places[r.worker][r.h.row]-group.from]
			var total schemas.Sum
			for _, d := range c.Days {
				total = total.Add(d.Net)
			}
			if string(r.h.id) != string(c.ID) || r.h.net.total != total || r.h.net.repeat != total.Sub(c.Days[0].Net) || r.h.costs || r.h.segments[0] != c.Segments[0] {
				t.Fatalf("customer %d: %+v", i, r.h)
			}
			if want := (ltv.RFM{Frequency: len(c.Days) - 1, Recency: float64(c.Days[len(c.Days)-1].Day-c.Days[0].Day) / 7, Age: float64(699-c.Days[0].Day) / 7}); row.RFM != want {
				t.Fatalf("customer %d: %+v, want %+v", i, row.RFM, want)
			}
			i++
		}
		if r.bad {
			t.Fatal("the bytes cannot be read")
		}
	}
	if i != len(g.customers) {
		t.Errorf("%d customers", i)
	}
}

// Bytes that are cut anywhere are found damaged, never read beyond their end.
func TestDamagedHistories(t *testing.T) {
	_, chunks := newGatherer(100, 8).gather(t, 1, 10)
	for n := range len(chunks[0]) {
		r := readHistories(chunks[0][:n], 1)
		for r.next() {
		}
		if !r.bad {
			t.Fatalf("%d of %d bytes are read as whole", n, len(chunks[0]))
		}
	}
}

func TestValueRanks(t *testing.T) {
	r := newValueRanks()
	for _, v := range []float64{0, -1, 5, 5, 80, 1e30} {
		r.add(v)
	}
	r.sum()
	for v, want := range map[float64]float64{0: 100 * 1. / 6, -1: 100 * 1. / 6, 5: 100 * 3. / 6, 80: 100 * 4.5 / 6, 1e30: 100 * 5.5 / 6} {
		if got := r.percentile(v); math.Abs(got-want) > 1e-12 {
			t.Errorf("percentile of %v is %v, want %v", v, got, want)
		}
	}
	if rankOf(100) == rankOf(100.1) || rankOf(100) != rankOf(100.001) {
		t.Error("values are told apart at one part in 4,096")
	}
}
