package chunk

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/cohortline/cohortline/schemas"
)

// TestMultiples: a dictionary of steps gives back the values, and there is none where a value
// is between two steps, where they are too many, too far apart or too small.
func TestMultiples(t *testing.T) {
	const n = 8 * mostSteps
	for _, x := range []struct {
		name         string
		low, step    int64
		steps, extra int // values are one of so many, and one more that lies so many steps above the least
		off          int64
		want         bool
	}{
		{"ten cents", 0, 1000, 240, 240, 0, true},
		{"a cent, some below zero", -5000, 100, 200, 12_000, 0, true},
		{"the greatest step", math.MinInt64, mostStep, 250, mostSteps - 1, 0, true},
		{"one between two steps", 0, 1000, 240, 240, 1, false},
		{"one just below a step", 0, 1000, 240, 240, -1, false},
		{"more than a byte counts", 0, 1000, 257, 256, 0, false},
		{"too far apart", 0, 1000, 240, mostSteps, 0, false},
		{"a step too long", 0, mostStep + 1, 240, 240, 0, false},
		{"no common step", 0, 1, 240, 240, 0, false},
	} {
		r := rand.New(rand.NewPCG(1, 2))
		v := make([]int64, n)
		for i := range v {
			v[i] = x.low + int64(r.IntN(x.steps))*x.step
		}
		v[n-2], v[n-1] = x.low, x.low+int64(x.extra)*x.step+x.off
		e := Encoder{values: values{ints: v}}
		low, high := bounds(v)
		if got := e.multiples(low, uint64(high)-uint64(low)); got != x.want {
			t.Errorf("%s: %t", x.name, got)
			continue
		}
		for i := range v {
			if x.want && e.dict.values[e.dict.codes[i]] != v[i] {
				t.Fatalf("%s: value %d is %d, want %d", x.name, i, e.dict.values[e.dict.codes[i]], v[i])
			}
		}
	}
}

func TestRunsOf(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 2, 255, 256, 257, 513, 5000} {
		v, want := make([]uint8, n), 1
		for i := range v {
			if v[i] = uint8(r.IntN(3)); i > 0 && v[i] != v[i-1] {
				want++
			}
		}
		if got := runsOf(v, n); got != want {
			t.Errorf("%d values: %d runs, want %d", n, got, want)
		}
		if got := runsOf(v, want/2); want > 1 && got <= want/2 {
			t.Errorf("%d values: %d runs are not more than %d", n, got, want/2)
		}
	}
}

// BenchmarkMultiples lists discounts by their steps, as money is written otherwise.
func BenchmarkMultiples(b *testing.B) {
	s, err := newSqueezer()
	if err != nil {
		b.Fatal(err)
	}
	e := Encoder{squeezer: s}
	r := rand.New(rand.NewPCG(5, 6))
	v := make([]int64, 131_072)
	for i := range v {
		v[i] = int64(r.ExpFloat64()*20) * 1000
	}
	e.values.ints = v
	e.values.low, e.values.high = bounds(v)
	for _, x := range []struct {
		name  string
		write func() error
	}{{"steps", func() error { return e.fixed(schemas.Money) }}, {"money", e.money}} {
		b.Run(x.name, func(b *testing.B) {
			for b.Loop() {
				e.out, e.meta.EncodingStats = e.out[:0], nil
				if err := x.write(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(e.out))/float64(len(v)), "bytes/row")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(v)), "ns/row")
		})
	}
}
