package ltv

import (
	"math"
	"sort"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/mathext"
)

// Scenarios are parameters that together stand for what the fit does not know of them:
// two for each parameter, equally likely, with the mean and the covariance of the
// estimates' logarithms (the unscented transform of Julier and Uhlmann, 1997). Without
// standard errors the estimates are the only scenario.
func (f *Fit) Scenarios() [][]float64 {
	n := len(f.Covariance)
	if n == 0 {
		return [][]float64{f.Values}
	}
	covariance := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			covariance.SetSym(i, j, f.Covariance[i][j])
		}
	}
	var c mat.Cholesky
	if !c.Factorize(covariance) {
		return [][]float64{f.Values}
	}
	var root mat.TriDense
	c.LTo(&root)
	var list [][]float64
	for k := range n {
		for _, side := range [2]float64{1, -1} {
			values := make([]float64, n)
			for i, v := range f.Values {
				values[i] = v * math.Exp(side*math.Sqrt(float64(n))*root.At(i, k))
			}
			list = append(list, values)
		}
	}
	return list
}

// Distribution is the probability of 0, 1, 2, … purchases, as far as it matters.
type Distribution []float64

// Orders is the distribution of the purchases of one customer in (T, T + t], the mean
// over equally likely models (those of the scenarios): what is uncertain of the customer
// and of the parameters. It ends where less than rest is left, or at 20,000; what is left
// is added to the last count.
func Orders(models []Model, c RFM, t, rest float64) Distribution {
	share := 1 / float64(len(models))
	lost, left := 0.0, 1.0
	next, alive := make([]func(int) float64, len(models)), make([]float64, len(models))
	for i, m := range models {
		next[i], alive[i] = counter(m.Living(c.Frequency, c.Age), t, 0), m.Alive(c)
		lost += share * (1 - alive[i])
	}
	var d Distribution
	for n := 0; left > rest && n < mostCounts; n++ {
		var p float64
		for i, count := range next {
			p += share * alive[i] * count(n)
		}
		if n == 0 {
			p += lost
		}
		d = append(d, p)
		left -= p
	}
	d[len(d)-1] += max(left, 0)
	return d
}

// mostCounts ends a distribution whose tail has no end, in one customer of many thousand purchases.
const mostCounts = 20000

// Mean is the expected count.
func (d Distribution) Mean() float64 {
	var sum float64
	for n, p := range d {
		sum += float64(n) * p
	}
	return sum
}

// Quantile is the least count with at least probability p at or below it.
func (d Distribution) Quantile(p float64) int {
	var sum float64
	for n, q := range d {
		if sum += q; sum >= p {
			return n
		}
	}
	return len(d) - 1
}

// Value is the distribution of what the purchases to come of one customer are worth
// together: of n purchases the sum is V·ratio, a ratio of two Gamma variables of shapes
// p·n and p·x + q, with V = v + x·m̄ of what the customer spent before.
type Value struct {
	orders Distribution
	models []GammaGamma // equally likely
	spend  Spend
}

// NewValue combines the distribution of the orders with equally likely models of spend.
func NewValue(orders Distribution, models []GammaGamma, spend Spend) Value {
	return Value{orders, models, spend}
}

// AtMost is the probability that the purchases are worth at most so much.
func (d Value) AtMost(amount float64) float64 {
	if amount < 0 {
		return 0
	}
	sum := d.orders[0]
	if amount == 0 {
		return sum
	}
	x := float64(d.spend.Count)
	for _, m := range d.models {
		ratio := amount / (amount + m.V + x*d.spend.Mean)
		for n, p := range d.orders {
			if n > 0 && p > 0 {
				sum += p / float64(len(d.models)) * mathext.RegIncBeta(m.P*float64(n), m.P*x+m.Q, ratio)
			}
		}
	}
	return min(sum, 1)
}

// Quantile is the least amount that the purchases are worth at most with probability p.
func (d Value) Quantile(p float64) float64 {
	if p <= d.orders[0] {
		return 0
	}
	high := d.models[0].V + d.spend.Mean + math.SmallestNonzeroFloat64
	for d.AtMost(high) < p {
		if high *= 2; math.IsInf(high, 1) {
			return high
		}
	}
	const steps = 1 << 20
	return high / steps * float64(sort.Search(steps, func(i int) bool { return d.AtMost(high/steps*float64(i)) >= p }))
}
