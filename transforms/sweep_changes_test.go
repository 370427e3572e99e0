package transforms

import (
	"maps"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/decimal128"
)

// TestChangeLog reads back what was written down, as sums by key, before and after the log was
// made shorter; narrowed, what happens before the first date happens there.
func TestChangeLog(t *testing.T) {
	type dated struct {
		date int32
		deltaKey
	}
	const dates, dimensions = 5, 2
	r := rand.New(rand.NewPCG(6, 7))
	l, want := newChangeLog(dates), map[dated]delta{}
	for range 5_000 {
		c := change{family: r.IntN(familyWindows + len(Grains)), a: r.Int32N(40) - 20, b: r.Int32N(3), segments: []uint32{r.Uint32N(3), r.Uint32N(300)}}
		c.counts[r.IntN(cellCounts)] = r.Int32N(3) - 1
		switch r.IntN(4) {
		case 0:
			c.counts = [cellCounts]int32{math.MaxInt32, math.MinInt32, -1, 1, 7}
			c.net, c.cost = decimal128.New(r.Int64N(9)-4, r.Uint64()), sumOf(-3)
		case 1:
			c.net, c.cost = sumOf(r.Int64()-r.Int64()), sumOf(math.MinInt64)
		}
		date := r.Int32N(dates)
		l.add(date, &c)
		for d, s := range c.segments {
			k := dated{date, deltaKey{c.family, uint8(d), s, c.a, c.b}}
			sum := want[k]
			sum.add(&c.delta)
			want[k] = sum
		}
	}
	check := func(what string, want map[dated]delta) {
		t.Helper()
		got := map[dated]delta{}
		for date := range int32(dates) {
			l.each(date, dimensions, func(c *change) {
				for i, s := range c.segments {
					k := dated{date, deltaKey{c.family, c.dimension + uint8(i), s, c.a, c.b}}
					sum := got[k]
					sum.add(&c.delta)
					got[k] = sum
				}
			})
		}
		nothing := func(_ dated, d delta) bool { return d == delta{} }
		maps.DeleteFunc(got, nothing)
		want = maps.Clone(want)
		maps.DeleteFunc(want, nothing)
		if len(want) < 100 || !maps.Equal(got, want) {
			t.Errorf("%s: %d sums are read, %d were written", what, len(got), len(want))
		}
	}
	check("as written", want)
	size := l.size
	l.compact(1, dimensions)
	check("added up", want)
	for date := range int32(dates) {
		l.compact(date, dimensions)
	}
	if l.size > size {
		t.Errorf("%d bytes have become %d", size, l.size)
	}
	narrowed := map[dated]delta{}
	for k, d := range want {
		if k.date = max(k.date, 2); k.date < 4 {
			sum := narrowed[k]
			sum.add(&d)
			narrowed[k] = sum
		}
	}
	l.narrow(2, 4, dimensions)
	check("narrowed", narrowed)
	held := 0
	for _, blocks := range l.dates {
		for _, b := range blocks {
			held += cap(b)
		}
	}
	if held != l.size {
		t.Errorf("%d bytes are held, %d are counted", held, l.size)
	}
}
