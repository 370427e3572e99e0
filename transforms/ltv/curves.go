package ltv

import (
	"math"
	"slices"
)

// Curves are the expected purchases of living customers over time, for the frequencies and
// ages of a summary: computed at some ages of each frequency and drawn between them, to 1e-4.
type Curves struct {
	times  []float64
	groups map[int]*curveGroup
}

type curveGroup struct {
	ages
	logs   [][]float64 // by age: ln of the expected purchases within each time
	spread []float64   // by age: how much more the number varies than by chance, see At
}

// NewCurves makes the curves within some times, ascending and positive.
func NewCurves(m Model, s *Summary, times []float64) *Curves {
	c := &Curves{times: times, groups: make(map[int]*curveGroup)}
	if len(times) == 0 {
		return c
	}
	end := times[len(times)-1]
	for _, g := range s.groups {
		c.groups[g.frequency] = new(curveGroup)
	}
	s.eachGroup(func(g group) {
		young, k := m.Living(g.frequency, 0), c.groups[g.frequency]
		k.ages = newAges([]Living{young}, s.rows[g.from:g.to])
		for _, age := range k.ages.ages {
			living := young.Quiet(age)
			logs := make([]float64, len(times))
			for i, t := range times {
				_, purchases := living.Within(t)
				logs[i] = math.Log(max(purchases, math.SmallestNonzeroFloat64))
			}
			k.logs = append(k.logs, logs)
		}
		k.fillSpread(young, end)
	})
	return c
}

// fillSpread computes the spread at every other of the ages; it changes slowly.
func (k *curveGroup) fillSpread(young Living, t float64) {
	every := 2
	if len(k.ages.ages) < 16 { // a rare frequency, whose ages lie far apart
		every = 1
	}
	k.spread = make([]float64, len(k.ages.ages))
	before, most := 0, 0
	for i, age := range k.ages.ages {
		if i%every > 0 && i < len(k.ages.ages)-1 {
			continue
		}
		k.spread[i], most = spread(young.Quiet(age), t, math.Exp(k.logs[i][len(k.logs[i])-1]), most)
		for j := before + 1; j < i; j++ {
			k.spread[j] = k.spread[before] + float64(j-before)/float64(i-before)*(k.spread[i]-k.spread[before])
		}
		before = i
	}
}

// spread is (E[N²] − E[N]) / E[N]² − 1 of the number N within t: 0 where it is Poisson. It
// also tells how many counts were asked for; most is about how many there will be.
func spread(l Living, t, mean float64, most int) (float64, int) {
	if mean < 1e-12 {
		return 0, 0
	}
	next := counter(l, t, most)
	left, second := 1.0, 0.0
	n := 0
	for ; left > 1e-7 && n < mostCounts; n++ {
		p := next(n)
		left -= p
		second += p * float64(n) * float64(n-1)
	}
	second += max(left, 0) * float64(n) * float64(n)
	return max(second/(mean*mean)-1, 0), n
}

// At writes the expected purchases within each time of a living customer; the variance of
// the number within any of them is about e + e²·spread.
func (c *Curves) At(frequency int, age float64, expected []float64) (spread float64) {
	k := c.groups[frequency]
	at := k.ages
	if i, _ := slices.BinarySearch(at.ages, age); i > 0 {
		at.place = i - 1
	}
	place, share := at.between(max(age, at.ages[0]))
	if share == 0 {
		for i, l := range k.logs[place] {
			expected[i] = math.Exp(l)
		}
		return k.spread[place]
	}
	before, after := k.logs[place], k.logs[place+1]
	for i := range before {
		expected[i] = math.Exp(before[i] + share*(after[i]-before[i]))
	}
	return k.spread[place] + share*(k.spread[place+1]-k.spread[place])
}

// SpreadOfSpend is the mean square of what a purchase of a customer is worth on average,
// given what is known, over the square of its mean; bounded where there is none.
func (m GammaGamma) SpreadOfSpend(frequency int) float64 {
	shape := m.P*float64(frequency) + m.Q - 1
	return shape / max(shape-1, shape/10)
}

// TotalError is the standard deviation of the value of all customers of a summary within a
// horizon, over its mean, as far as the parameters are uncertain: 0 without standard errors.
func TotalError(c Candidate, purchases *Fit, g GammaGamma, spend *Fit, s *Summary, spends *SpendSummary, horizon float64) float64 {
	s = s.thin(thinned)
	total := func(values []float64) float64 {
		m := c.With(values)
		var sum float64
		for i, p := range Predict(m, s, horizon) {
			sum += s.weights[i] * p.Expected
		}
		return sum
	}
	variance := relativeVariance(purchases, total)
	if spend.Verdict.Usable() {
		few := spends.thin(thinned)
		variance += relativeVariance(spend, func(v []float64) float64 {
			m := GammaGamma{v[0], v[1], v[2]}
			var sum float64
			for _, r := range few.rows {
				sum += r.Customers * m.Mean(r.Spend)
			}
			return sum
		})
	}
	return math.Sqrt(variance)
}

// relativeVariance is the mean square of a total at the scenarios over that at the estimates, less one.
func relativeVariance(f *Fit, total func(values []float64) float64) float64 {
	if f.Covariance == nil {
		return 0
	}
	at := total(f.Values)
	list := f.Scenarios()
	var sum float64
	for _, values := range list {
		if d := total(values)/at - 1; !math.IsNaN(d) && !math.IsInf(d, 0) {
			sum += d * d / float64(len(list))
		}
	}
	return sum
}
