package ltv

import (
	"math"
	"sort"

	"gonum.org/v1/gonum/mathext"
)

// Interval is a central interval of what one customer will buy in (T, T + t], by number
// and by value. The value is in units of v + x·m̄, the prior and the past spend of the
// customer, see Value: rows are shared by customers who spent differently.
type Interval struct {
	OrdersLow, OrdersHigh int
	ratioLow, ratioHigh   float64
}

// Value is the interval of the value for a customer of the row, in money; the spend is
// that of the same purchases, so that its count is the frequency of the row.
func (i Interval) Value(g GammaGamma, spend Spend) (low, high float64) {
	scale := g.V + float64(spend.Count)*spend.Mean
	return i.ratioLow * scale, i.ratioHigh * scale
}

// Intervals are those of a probability, such as 0.8, for every row of a summary: the
// quantiles of Orders and Value over equally likely models (those of the scenarios),
// computed at some of the ages of each frequency, see knots. Numbers beyond 100 are good
// to 2 %; what a customer does is tabulated, so that the probability is off by up to
// 0.0015, and the parameters of spend are taken as known.
func Intervals(models []Model, g GammaGamma, s *Summary, t, probability float64) []Interval {
	list := make([]Interval, len(s.rows))
	low, high := (1-probability)/2, (1+probability)/2
	alive := make([][]float64, len(models))
	for j, m := range models {
		alive[j] = aliveRows(m, s)
	}
	s.eachGroup(func(group group) {
		now := make([]float64, len(models))
		k := newKnots(models, g, s.rows[group.from:group.to], t, high)
		for i := group.from; i < group.to; i++ {
			futures := k.at(s.rows[i].Age)
			for j := range alive {
				now[j] = alive[j][i]
			}
			list[i] = Interval{
				ordersAt(futures, now, low), ordersAt(futures, now, high),
				k.ratios.at(futures, now, low), k.ratios.at(futures, now, high),
			}
		}
	})
	return list
}

// future is what a living customer does by one model: the distribution function of the
// count, at the steps, and of the value at the points of the table.
type future struct{ orders, values []float64 }

// steps are the counts that are looked at: each up to 105, then about every fiftieth part more.
var steps = func() []int {
	var list []int
	for n := 0; n < 1e7; n += 1 + max(0, n-56)/50 {
		list = append(list, n)
	}
	return list
}()

// futureOf computes the counts of customers of an age, somewhat further than the greatest
// quantile asked for, for the sake of their value; most is about how many there will be.
func futureOf(futures []future, young []Living, age, t, high float64, most int) {
	next, living := make([]func(int) float64, len(young)), make([]Living, len(young))
	for j, l := range young {
		living[j] = l.Quiet(age)
		next[j] = counter(living[j], t, min(most, 128))
	}
	enough := 1 - (1-high)/100
	sums := make([]float64, len(young))
	mean := 0.0
	for i := 0; mean < enough && i < len(steps); i++ {
		mean = 0
		for j := range next {
			if n := steps[i]; n == i {
				sums[j] += next[j](n)
			} else {
				sums[j] = 1 - living[j].AtLeast(n+1, t)
			}
			futures[j].orders = append(futures[j].orders, sums[j])
			mean += sums[j] / float64(len(next))
		}
	}
}

// counter is Count by n, to be asked from 0 on: several at once where a model has a way, and
// as many at first as are expected to be asked for.
func counter(l Living, t float64, most int) func(n int) float64 {
	all, ok := l.(interface{ counts(int, float64) []float64 })
	if !ok {
		return func(n int) float64 { return l.Count(n, t) }
	}
	var list []float64
	return func(n int) float64 {
		if n >= len(list) {
			list = all.counts(max(2*n+8, most), t)
		}
		return list[n]
	}
}

// mixed is the distribution function of a customer alive with the probabilities now,
// given that of a living one.
func mixed(futures []future, now []float64, living func(*future) float64) float64 {
	var lost float64
	for j := range futures {
		lost += now[j] * (1 - living(&futures[j]))
	}
	return 1 - lost/float64(len(futures))
}

// ordersAt is the least count with at least probability p at or below it.
func ordersAt(futures []future, now []float64, p float64) int {
	return steps[leastAt(futures, now, p, func(f *future) []float64 { return f.orders })]
}

// leastAt is the first place of a distribution function of living customers at which that of
// a customer alive with the probabilities now has reached p, or the last place.
func leastAt(futures []future, now []float64, p float64, of func(*future) []float64) int {
	first := of(&futures[0])
	from, to := 0, len(first)-1
	if len(futures) == 1 {
		// One model: the probability that a living customer has to reach.
		needed := 1 - (1-p)/now[0]
		for from < to {
			if middle := (from + to) / 2; first[middle] >= needed {
				to = middle
			} else {
				from = middle + 1
			}
		}
		return from
	}
	return sort.Search(to, func(i int) bool {
		return mixed(futures, now, func(f *future) float64 { return of(f)[i] }) >= p
	})
}

// ratioTable is P(sum of n purchases ≤ y·(v + x·m̄)) by the steps of n and by points y,
// evenly spaced in the logarithm.
type ratioTable struct {
	points []float64
	rows   [][]float64 // by bin of steps, made when first needed
	a, b   float64     // shapes: of one purchase, of what is known of the customer
}

// pointsApart is the distance of points in the logarithm.
const pointsApart = 0.06

// newRatioTable places the points: from far below what one purchase is worth to far above
// what those of the last step are.
func newRatioTable(g GammaGamma, frequency, lastStep int) ratioTable {
	r := ratioTable{a: g.P, b: g.P*float64(frequency) + g.Q}
	centre := math.Log(r.a / r.b)
	from := centre - 6*math.Sqrt(1/r.a+1/r.b)
	to := centre + math.Log(float64(steps[lastStep]+1)) + 6*math.Sqrt(1/r.a+1/r.b)
	for y := from; y < to+pointsApart; y += pointsApart {
		r.points = append(r.points, math.Exp(y))
	}
	return r
}

// distribution is the distribution function of the value at the points, for a living
// customer with that of the count.
func (r *ratioTable) distribution(orders []float64) []float64 {
	to := make([]float64, len(r.points))
	for i := range to {
		to[i] = orders[0]
	}
	for from, bin := 1, 0; from < len(orders); bin++ {
		end := min(r.binEnd(from), len(orders))
		if bin == len(r.rows) {
			r.rows = append(r.rows, r.row(from, r.binEnd(from)))
		}
		p := orders[end-1] - orders[from-1]
		for i, v := range r.rows[bin] {
			to[i] += p * v
		}
		from = end
	}
	return to
}

// binEnd is the step after the last one whose counts are taken together with those of a
// step: up to a twelfth more, or as much less as the value of so many purchases of a
// customer known better varies less.
func (r *ratioTable) binEnd(from int) int {
	most := float64(steps[from]) * (1 + min(.08, .6/math.Sqrt(r.b)))
	end := from + 1
	for end < len(steps) && float64(steps[end]) <= most {
		end++
	}
	return end
}

// row is the distribution function of the value of as many purchases as the steps hold.
func (r *ratioTable) row(from, end int) []float64 {
	n := float64(steps[from-1]+1+steps[end-1]) / 2 // the middle of the counts
	row := make([]float64, len(r.points))
	below := betaPrime(r.a*n, r.b)
	// Points come in order, so that nothing is left to compute once all is reached.
	for i := range row {
		if row[i] = below(r.points[i]); row[i] > 1-1e-9 {
			for ; i < len(row); i++ {
				row[i] = 1
			}
			return row
		}
	}
	return row
}

// largeShape is from where on betaPrime takes the short way.
const largeShape = 12

// betaPrime is the distribution function of the ratio of two Gamma variables: exactly, or
// where both shapes are large by Paulson's approximation of the F distribution (Annals of
// Mathematical Statistics 13, 1942; cube roots of such ratios are about normal), which is
// off by less than 0.0005 and takes a twentieth of the time.
func betaPrime(a, b float64) func(y float64) float64 {
	if a < largeShape || b < largeShape {
		return func(y float64) float64 { return mathext.RegIncBeta(a, b, y/(1+y)) }
	}
	one, two := 1/(9*a), 1/(9*b)
	return func(y float64) float64 {
		root := math.Cbrt(y * b / a)
		return math.Erfc(-((1-two)*root-(1-one))/math.Sqrt(2*(two*root*root+one))) / 2
	}
}

// at is the least value with at least probability p at or below it.
func (r *ratioTable) at(futures []future, now []float64, p float64) float64 {
	if mixed(futures, now, func(f *future) float64 { return f.orders[0] }) >= p {
		return 0
	}
	probability := func(i int) float64 {
		return mixed(futures, now, func(f *future) float64 { return f.values[i] })
	}
	i := leastAt(futures, now, p, func(f *future) []float64 { return f.values })
	if i == 0 {
		return r.points[0]
	}
	// A product of many factors is about lognormal: between points the normal quantile of
	// the probability is about a straight line over the logarithm.
	before, after := probit(probability(i-1)), probit(probability(i))
	part := min(1, max(0, (probit(p)-before)/(after-before)))
	return r.points[i-1] * math.Exp(part*pointsApart)
}

// probit is the quantile of the normal distribution, for probabilities off the ends.
func probit(p float64) float64 {
	return mathext.NormalQuantile(min(max(p, 1e-15), 1-1e-15))
}
