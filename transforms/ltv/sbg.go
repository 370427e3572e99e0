package ltv

import "math"

// SBG is the shifted-beta-geometric model of contracts: at the end of each period a
// customer is lost with a probability that is Beta(Alpha, Beta) over customers, so that
// those who stay are more and more those who are loyal. Time is counted in periods.
//
// Fader, Hardie (2007), "How to Project Customer Retention", Journal of Interactive
// Marketing 21(1); values: Fader, Hardie (2010), Marketing Science 29(1).
type SBG struct{ Alpha, Beta float64 }

// Survival is the share still there after t renewals, B(α, β+t)/B(α, β).
func (m SBG) Survival(t int) float64 { return math.Exp(m.logSurvival(t)) }

func (m SBG) logSurvival(t int) float64 {
	stayed, _ := rising(m.Beta, t)
	all, _ := rising(m.Alpha+m.Beta, t)
	return stayed - all
}

// Retention is the share of those before renewal t (1, 2, …) who renew.
func (m SBG) Retention(t int) float64 {
	return (m.Beta + float64(t) - 1) / (m.Alpha + m.Beta + float64(t) - 1)
}

// Lifetime is the discounted expected lifetime of a new customer in periods (DEL):
// Σ S(t)/(1+d)ᵗ from t = 0, ₂F₁(1, β; α+β; 1/(1+d)); +Inf when the discount is not positive
// and the sum has no bound.
func (m SBG) Lifetime(discount float64) float64 {
	if bound, ok := m.undiscounted(m.Beta, discount); !ok {
		return bound
	}
	return betaNodes(m.Alpha, m.Beta).mean(func(theta float64) float64 { return (1 + discount) / (discount + theta) })
}

// ResidualLifetime is the same for a customer who is about to decide on renewal n
// (1, 2, …), the first of the periods being the one decided on, without discount (DERL).
func (m SBG) ResidualLifetime(n int, discount float64) float64 {
	b := m.Beta + float64(n) - 1
	if bound, ok := m.undiscounted(b, discount); !ok {
		return bound - 1
	}
	return betaNodes(m.Alpha, b).mean(func(theta float64) float64 { return (1 - theta) * (1 + discount) / (discount + theta) })
}

// undiscounted is E[1/θ] where there is no positive discount.
func (m SBG) undiscounted(b, discount float64) (bound float64, discounted bool) {
	switch {
	case discount > 0:
		return 0, true
	case discount == 0 && m.Alpha > 1:
		return (m.Alpha + b - 1) / (m.Alpha - 1), false
	}
	return math.Inf(1), false
}

// FitSBG estimates the model by maximum likelihood. The model is usable when the
// verdict says so; otherwise it is the zero value.
func FitSBG(c Contracts) (SBG, Fit) {
	p, f, ok := contractProblem("sBG", []string{"α", "β"}, c)
	if !ok {
		return SBG{}, f
	}
	p.evaluate = func(theta, gradient []float64) float64 { return SBG{theta[0], theta[1]}.likelihood(c, gradient) }
	p.low, p.high = []float64{shapeLow, shapeLow}, []float64{shapeHigh, shapeHigh}
	p.starts = [][]float64{{1, 2}, {.5, .5}, {5, 20}}
	f = p.fit()
	if f.Values == nil {
		return SBG{}, f
	}
	return SBG{f.Values[0], f.Values[1]}, f
}

// likelihood is Σ lost(t) ln P(t) + active(t) ln S(t), with P(t) = α/(α+β+t−1)·S(t−1), and
// adds its gradient by (α, β).
func (m SBG) likelihood(c Contracts, gradient []float64) float64 {
	stayed, all := ladder{a: m.Beta}, ladder{a: m.Alpha + m.Beta}
	var total float64
	for t := range max(len(c.Lost), len(c.Active)) {
		stayed.to(t)
		all.to(t)
		lost, active := at(c.Lost, t), at(c.Active, t)
		drawn := m.Alpha + m.Beta + float64(t)
		total += (lost+active)*(stayed.value-all.value) + lost*math.Log(m.Alpha/drawn)
		gradient[0] += -(lost+active)*all.slope + lost*(1/m.Alpha-1/drawn)
		gradient[1] += (lost+active)*(stayed.slope-all.slope) - lost/drawn
	}
	return total
}

func at(list []float64, i int) float64 {
	if i < len(list) {
		return list[i]
	}
	return 0
}
