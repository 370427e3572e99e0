package ltv

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// NBD is the negative binomial model: a customer buys at a rate that is
// Gamma(R, Alpha) over customers and is never lost. It is where BG/NBD (a → 0) and
// Pareto/NBD (β → ∞) end when the data show no loss, with a likelihood on the same
// scale. Alpha is a time, in the unit of the summary.
//
// Ehrenberg (1959), "The Pattern of Consumer Purchases", Applied Statistics 8(1).
type NBD struct{ R, Alpha float64 }

// LogLikelihood of one customer: ln (r)ₓ + r ln α − (r+x) ln(α+T).
func (m NBD) LogLikelihood(c RFM) float64 {
	purchases, _ := rising(m.R, c.Frequency)
	return purchases - m.R*math.Log1p(c.Age/m.Alpha) - float64(c.Frequency)*math.Log(m.Alpha+c.Age)
}

// Alive implements Model: 1.
func (m NBD) Alive(RFM) float64 { return 1 }

// Living implements Model.
func (m NBD) Living(frequency int, age float64) Living {
	return poissonGamma{m.R + float64(frequency), m.Alpha + age}
}

// FitNBD estimates the model by maximum likelihood. The model is usable when the
// verdict says so; otherwise it is the zero value.
func FitNBD(s *Summary) (NBD, Fit) { return fitNBD(s, nil) }

func fitNBD(s *Summary, near []float64) (NBD, Fit) {
	p := &problem{near: near, model: "NBD", names: []string{"r", "α"}, customers: s.customers,
		limits: []meaning{{where: "r, α → ∞", says: sameRate}, {where: "r → ∞", says: sameRate}}}
	if s.repeaters < MinRepeaters {
		return NBD{}, p.unfit(s.repeaters, "repeaters")
	}
	p.evaluate = func(theta, gradient []float64) float64 { return NBD{theta[0], theta[1]}.likelihood(s, gradient) }
	low, high := timeBounds(s)
	p.low, p.high = []float64{shapeLow, low}, []float64{shapeHigh, high}
	r, alpha := rateStart(s)
	p.starts = [][]float64{{r, alpha}, {1, alpha / r}}
	f := p.fit()
	if f.Values == nil {
		return NBD{}, f
	}
	return NBD{f.Values[0], f.Values[1]}, f
}

// likelihood adds the log-likelihood of all rows, and its gradient by (r, α).
func (m NBD) likelihood(s *Summary, gradient []float64) float64 {
	purchases := ladder{a: m.R}
	logAlpha := math.Log(m.Alpha)
	var total float64
	for _, g := range s.groups {
		purchases.to(g.frequency)
		x := float64(g.frequency)
		// Rows of one age follow each other; when the customer bought does not matter.
		for i := g.from; i < g.to; {
			age, w := s.rows[i].Age, 0.0
			for ; i < g.to && s.rows[i].Age == age; i++ {
				w += s.rows[i].Customers
			}
			l := math.Log1p(age / m.Alpha)
			total += w * (purchases.value - x*logAlpha - (m.R+x)*l)
			gradient[0] += w * (purchases.slope - l)
			gradient[1] += w * (m.R*age/m.Alpha - x) / (m.Alpha + age)
		}
	}
	return total
}

// poissonGamma is the purchases of a customer who is not lost, with a rate of
// Gamma(shape, time): the negative binomial process.
type poissonGamma struct{ shape, time float64 }

// logCount is the logarithm of the probability of n purchases within t > 0.
func (g poissonGamma) logCount(n int, t float64) float64 {
	none := -g.shape * math.Log1p(t/g.time)
	if n == 0 {
		return none
	}
	x := float64(n)
	value, _ := rising(g.shape, n)
	return value - lgamma(x+1) + none - x*math.Log1p(g.time/t)
}

// Within implements Living.
func (g poissonGamma) Within(t float64) (alive, purchases float64) { return 1, g.shape / g.time * t }

// Count implements Living.
func (g poissonGamma) Count(n int, t float64) float64 {
	if n < 0 || t <= 0 {
		return certain(n)
	}
	return math.Exp(g.logCount(n, t))
}

// AtLeast implements Living: a regularised incomplete beta function.
func (g poissonGamma) AtLeast(n int, t float64) float64 {
	if n <= 0 {
		return 1
	}
	if t <= 0 {
		return 0
	}
	return mathext.RegIncBeta(float64(n), g.shape, t/(g.time+t))
}

// counts is Count for 0, 1, … below n at once, each from the one before it.
func (g poissonGamma) counts(n int, t float64) []float64 {
	list := make([]float64, n)
	none := -g.shape * math.Log1p(t/g.time)
	if t <= 0 || none < -600 { // e^none would be no number to start from
		for k := range list {
			list[k] = g.Count(k, t)
		}
		return list
	}
	list[0] = math.Exp(none)
	share := t / (g.time + t)
	for k := 1; k < n; k++ {
		list[k] = list[k-1] * (g.shape + float64(k) - 1) / float64(k) * share
	}
	return list
}

// certain is the probability of n purchases in no time.
func certain(n int) float64 {
	if n == 0 {
		return 1
	}
	return 0
}

// Discounted implements Living.
func (g poissonGamma) Discounted(rate float64) float64 {
	if !(rate > 0) {
		return math.Inf(1)
	}
	return g.shape / g.time / rate
}

// Quiet implements Living.
func (g poissonGamma) Quiet(t float64) Living { return poissonGamma{g.shape, g.time + t} }

// scale is the time that the age adds to, α + T at age T.
func (g poissonGamma) scale() float64 { return g.time }
