package ltv

import "math"

// BdW is the beta-discrete-Weibull model of contracts: SBG whose probability of loss
// also changes with tenure, S(t) = B(α, β+t^c)/B(α, β). C below 1: customers become
// more loyal with time; above 1: less; C = 1 is SBG. Time is counted in periods.
//
// Fader, Hardie, Liu, Davin, Steenburgh (2018), "How to Project Customer Retention
// Revisited", Journal of Interactive Marketing 43.
type BdW struct{ Alpha, Beta, C float64 }

// Survival is the share still there after t renewals.
func (m BdW) Survival(t int) float64 {
	v, _ := m.logSurvival(float64(t))
	return math.Exp(v)
}

// logSurvival is ln S(t) and its slopes by α, β and c.
func (m BdW) logSurvival(t float64) (value float64, slope [3]float64) {
	if t <= 0 {
		return 0, slope
	}
	u := math.Pow(t, m.C)
	value = lbeta(m.Alpha, m.Beta+u) - lbeta(m.Alpha, m.Beta)
	both, all := digamma(m.Alpha+m.Beta), digamma(m.Alpha+m.Beta+u)
	stayed := digamma(m.Beta + u)
	slope[0] = both - all
	slope[1] = stayed - all - digamma(m.Beta) + both
	slope[2] = (stayed - all) * u * math.Log(t)
	return value, slope
}

// Retention is the share of those before renewal t (1, 2, …) who renew.
func (m BdW) Retention(t int) float64 {
	after, _ := m.logSurvival(float64(t))
	before, _ := m.logSurvival(float64(t - 1))
	return math.Exp(after - before)
}

// Lifetime is the discounted expected lifetime of a new customer in periods (DEL):
// Σ S(t)/(1+d)ᵗ from t = 0. +Inf when the discount is not positive.
func (m BdW) Lifetime(discount float64) float64 { return m.sum(0, discount) }

// ResidualLifetime is the same for a customer who is about to decide on renewal n
// (1, 2, …), the first of the periods being the one decided on, without discount (DERL).
func (m BdW) ResidualLifetime(n int, discount float64) float64 {
	before, _ := m.logSurvival(float64(n - 1))
	return m.sum(n, discount) / math.Exp(before)
}

// sum is Σ S(t)/(1+d)^(t−from) from one period on: term by term, then the rest by Euler and
// Maclaurin's formula, over which a term hardly differs from the next.
func (m BdW) sum(from int, discount float64) float64 {
	if !(discount > 0) {
		return math.Inf(1)
	}
	rate := math.Log1p(discount)
	term := func(t float64) float64 {
		s, _ := m.logSurvival(float64(from) + t)
		return math.Exp(s - rate*t)
	}
	var sum float64
	const many = 1000
	for t := range many {
		v := term(float64(t))
		sum += v
		if v < 1e-17*sum {
			return sum
		}
	}
	// ∫ + f/2 − f′/12, the integral in panels that grow.
	slope := (term(many+.5) - term(many-.5))
	sum += term(many)/2 - slope/12
	for at, wide := float64(many), 2/rate; ; at += wide {
		var panel float64
		for i, v := range fine.at {
			panel += fine.weight[i] * wide * term(at+v*wide)
		}
		sum += panel
		if panel < 1e-17*sum {
			return sum
		}
	}
}

// FitBdW estimates the model by maximum likelihood. The model is usable when the
// verdict says so; otherwise it is the zero value.
func FitBdW(c Contracts) (BdW, Fit) {
	p, f, ok := contractProblem("BdW", []string{"α", "β", "c"}, c)
	if !ok {
		return BdW{}, f
	}
	p.evaluate = func(theta, gradient []float64) float64 {
		return BdW{theta[0], theta[1], theta[2]}.likelihood(c, gradient)
	}
	p.low, p.high = []float64{shapeLow, shapeLow, .01}, []float64{shapeHigh, shapeHigh, 20}
	p.starts = [][]float64{{1, 2, 1}, {.5, .5, .7}, {5, 20, 1.5}}
	f = p.fit()
	if f.Values == nil {
		return BdW{}, f
	}
	return BdW{f.Values[0], f.Values[1], f.Values[2]}, f
}

// likelihood is Σ lost(t) ln(S(t−1)−S(t)) + active(t) ln S(t), and adds its gradient.
func (m BdW) likelihood(c Contracts, gradient []float64) float64 {
	var total float64
	before, slopeBefore := m.logSurvival(0)
	for t := range max(len(c.Lost), len(c.Active)) {
		lost, active := at(c.Lost, t), at(c.Active, t)
		after, slopeAfter := m.logSurvival(float64(t + 1))
		share := -math.Expm1(after - before) // lost of those who were there
		total += (lost + active) * before
		if lost > 0 {
			total += lost * math.Log(share)
		}
		for i := range slopeBefore {
			gradient[i] += (lost + active) * slopeBefore[i]
			if lost > 0 {
				gradient[i] += lost * (slopeBefore[i] - slopeAfter[i]) * (1 - share) / share
			}
		}
		before, slopeBefore = after, slopeAfter
	}
	return total
}
