package ltv

import (
	"math"
	"sync"
)

// ParetoNBD is the Pareto/NBD model: while alive a customer buys at a rate λ that is
// Gamma(R, Alpha) over customers, and is lost at a rate μ that is Gamma(S, Beta).
// Alpha and Beta are times, in the unit of the summary; the others are numbers.
//
// Schmittlein, Morrison, Colombo (1987), "Counting Your Customers", Management Science
// 33(1). The likelihood is used as an integral over the moment of loss τ,
//
//	(r)ₓ α⁻ˣ [ (1+T/α)^−(r+x) (1+T/β)^−s + s/β ∫_{t_x}^{T} (1+τ/α)^−(r+x) (1+τ/β)^−(s+1) dτ ]
//
// which is what Fader and Hardie's A₀ with two ₂F₁ evaluates to ("A Note on Deriving the
// Pareto/NBD Model", 2005): all terms are positive, so nothing cancels, α = β and
// t_x = T are no special cases, and the gradient comes along.
type ParetoNBD struct{ R, Alpha, S, Beta float64 }

// LogLikelihood of one customer.
func (m ParetoNBD) LogLikelihood(c RFM) float64 {
	purchases, _ := rising(m.R, c.Frequency)
	alive, lost := m.logShares(c)
	return purchases - float64(c.Frequency)*math.Log(m.Alpha) + addLogs(alive, lost)
}

// Alive implements Model: the share of the first term in the brackets.
func (m ParetoNBD) Alive(c RFM) float64 {
	alive, lost := m.logShares(c)
	return expit(alive - lost)
}

// logShares are the logarithms of the two terms in the brackets.
func (m ParetoNBD) logShares(c RFM) (alive, lost float64) {
	n := m.R + float64(c.Frequency)
	alive = -n*math.Log1p(c.Age/m.Alpha) - m.S*math.Log1p(c.Age/m.Beta)
	k := m.between(n, c.Recency, c.Age)
	return alive, math.Log(m.S/m.Beta) + k.log
}

// Living implements Model: λ ~ Gamma(r + x, α + T) and μ ~ Gamma(s, β + T), independent.
func (m ParetoNBD) Living(frequency int, age float64) Living {
	return &exponentialLiving{
		poissonGamma: poissonGamma{m.R + float64(frequency), m.Alpha + age},
		s:            m.S,
		beta:         m.Beta + age,
		loss:         sync.OnceValue(func() *nodes { return gammaNodes(m.S) }),
	}
}

// FitParetoNBD estimates the model by maximum likelihood. The model is usable when the
// verdict says so; otherwise it is the zero value.
func FitParetoNBD(s *Summary) (ParetoNBD, Fit) { return fitParetoNBD(s, nil) }

func fitParetoNBD(s *Summary, near []float64) (ParetoNBD, Fit) {
	lossy := func(theta []float64) bool { return theta[2]*s.meanAge > someLoss*theta[3] }
	p := &problem{near: near, model: "Pareto/NBD", names: []string{"r", "α", "s", "β"}, customers: s.customers, limits: []meaning{
		{where: "s → 0", says: neverLost},
		{where: "s, β → ∞", says: sameLoss},
		{where: "s → ∞", says: sameLoss, when: lossy},
		{where: "β → ∞", says: sameLoss, when: lossy},
		{where: "β → ∞", says: neverLost},
		{where: "any s", says: "no customer was silent long enough to say anything of loss; NBD says the same with two parameters"},
		{where: "r, α → ∞", says: sameRate},
		{where: "r → ∞", says: sameRate},
	}}
	if s.repeaters < MinRepeaters {
		return ParetoNBD{}, p.unfit(s.repeaters, "repeaters")
	}
	over(p, s, func(s *Summary, theta, gradient []float64) float64 {
		return ParetoNBD{theta[0], theta[1], theta[2], theta[3]}.likelihood(s, gradient)
	})
	low, high := timeBounds(s)
	p.low = []float64{shapeLow, low, shapeLow, low}
	p.high = []float64{shapeHigh, high, shapeHigh, high}
	r, alpha := rateStart(s)
	p.starts = [][]float64{
		{r, alpha, 0.6, s.meanAge / 3},
		{1, alpha / r, 0.1, s.meanAge / 3},
		{r, 2 * alpha, 3, 6 * s.meanAge},
	}
	f := p.fit()
	if f.Values == nil {
		return ParetoNBD{}, f
	}
	return ParetoNBD{f.Values[0], f.Values[1], f.Values[2], f.Values[3]}, f
}
