package chunk

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cohortline/cohortline/schemas"
	"github.com/parquet-go/parquet-go/format"
)

// shares are n doubles of which so many in a hundred are different, in any order.
func shares(n, percent int) []float64 {
	r := rand.New(rand.NewPCG(8, 9))
	v := make([]float64, n)
	for i := range v {
		v[i] = float64(i%max(1, n*percent/100)+1) / float64(n)
	}
	r.Shuffle(n, func(i, k int) { v[i], v[k] = v[k], v[i] })
	return v
}

func TestDifferent(t *testing.T) {
	var d dictionary
	for _, n := range []int{1, 2, 63, 1000, 131_072} {
		for _, percent := range []int{0, 1, 30, 75, 100} {
			v := bitsOf(shares(n, percent))
			exact := map[int64]bool{}
			for _, x := range v {
				exact[x] = true
			}
			if got := d.different(v); got > len(exact) || float64(got) < 0.9*float64(len(exact)) {
				t.Errorf("%d values: about %d different ones, in truth %d", n, got, len(exact))
			}
		}
	}
}

// TestDoubles looks at the form in which rates are written.
func TestDoubles(t *testing.T) {
	e, err := NewEncoder()
	if err != nil {
		t.Fatal(err)
	}
	const n = 50_000
	for percent, want := range map[int]format.Encoding{1: format.RLEDictionary, 40: format.RLEDictionary, 60: format.Plain, 100: format.Plain} {
		b := array.NewFloat64Builder(memory.DefaultAllocator)
		b.AppendValues(shares(n, percent), nil)
		a := b.NewFloat64Array()
		out, meta, err := e.Encode(nil, schemas.Column{Name: "rate", Type: schemas.Double}, []Span{{Array: a, To: n}})
		if err != nil {
			t.Fatal(err)
		}
		if last := meta.EncodingStats[len(meta.EncodingStats)-1].Encoding; last != want || percent < 50 && len(out) > 6*n || len(out) > 8*n+100 {
			t.Errorf("%d %% different: %s in %d bytes, want %s", percent, last, len(out), want)
		}
	}
}

// TestDoubleBounds are the bounds of doubles with and without a sign, and of none.
func TestDoubleBounds(t *testing.T) {
	zero := math.Copysign(0, -1)
	for _, x := range []struct {
		values    []float64
		low, high float64
		ok        bool
	}{
		{[]float64{0.5, 0.25, 1}, 0.25, 1, true},
		{[]float64{0, 0.25}, zero, 0.25, true},
		{[]float64{0}, zero, 0, true},
		{[]float64{zero}, zero, 0, true},
		{[]float64{-3, 2, -1}, -3, 2, true},
		{[]float64{1, math.Inf(1)}, 1, math.Inf(1), true},
		{[]float64{1, math.NaN()}, 0, 0, false},
		{[]float64{-1, math.Copysign(math.NaN(), -1)}, 0, 0, false},
	} {
		v := values{ints: bitsOf(x.values)}
		v.low, v.high = bounds(v.ints)
		low, high, ok := v.doubleBounds()
		if ok != x.ok || math.Float64bits(low) != math.Float64bits(x.low) || math.Float64bits(high) != math.Float64bits(x.high) {
			t.Errorf("%v: %v to %v, %t", x.values, low, high, ok)
		}
	}
}
