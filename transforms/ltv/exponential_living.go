package ltv

import "math"

// exponentialLiving is a living customer of Pareto/NBD: a rate of purchase ~
// Gamma(shape, time), lost at a rate ~ Gamma(s, beta).
type exponentialLiving struct {
	poissonGamma
	s, beta float64
	loss    func() *nodes // of the rate of loss times beta, made when first needed
}

// Within is (β/(β+t))^s, and r β/(α (s−1)) · (1 − (β/(β+t))^(s−1)) in a form that holds at
// s = 1 too.
func (e *exponentialLiving) Within(t float64) (alive, purchases float64) {
	l := math.Log1p(t / e.beta)
	grown := l
	if e.s != 1 {
		grown = -math.Expm1(-(e.s-1)*l) / (e.s - 1)
	}
	return math.Exp(-e.s * l), e.shape / e.time * e.beta * grown
}

// Count adds up: alive at t after n purchases, or lost at a moment before t with n until
// then, integrated over the moment.
func (e *exponentialLiving) Count(n int, t float64) float64 {
	if n < 0 || t <= 0 {
		return certain(n)
	}
	alive, _ := e.Within(t)
	sum := alive * math.Exp(e.logCount(n, t))
	loss := ParetoNBD{Alpha: e.time, S: e.s, Beta: e.beta}
	if n == 0 {
		return sum + e.s/e.beta*math.Exp(loss.between(e.shape, 0, t).log)
	}
	// Panels as for the likelihood, and narrow enough for the rise with τⁿ.
	for from := 0.0; from < t; {
		fall := (e.shape+float64(n))/(e.time+from) + (e.s+1)/(e.beta+from)
		end := min(t, from+8/fall, from+min(e.time, e.beta)+from)
		if from > 0 {
			end = min(end, from*math.Exp(8/float64(n)))
		}
		if !(end > from) {
			break
		}
		for i, v := range fine.at {
			moment := from + v*(end-from)
			sum += fine.weight[i] * (end - from) * e.s / e.beta * math.Exp(e.logCount(n, moment)-(e.s+1)*math.Log1p(moment/e.beta))
		}
		from = end
		// Beyond the peak, once what is left is nothing.
		if from*fall > 2*float64(n) && math.Exp(e.logCount(n, from))*from < 1e-17*sum {
			break
		}
	}
	return sum
}

// Discounted is E[λ]·E[1/(μ + rate)].
func (e *exponentialLiving) Discounted(rate float64) float64 {
	if !(rate > 0) {
		if rate == 0 && e.s > 1 { // E[1/μ]
			return e.shape / e.time * e.beta / (e.s - 1)
		}
		return math.Inf(1)
	}
	return e.shape / e.time * e.beta * e.loss().mean(func(l float64) float64 { return 1 / (l + rate*e.beta) })
}

// Quiet lets time pass without a purchase, which tells something of both rates.
func (e *exponentialLiving) Quiet(t float64) Living {
	quiet := *e
	quiet.time += t
	quiet.beta += t
	return &quiet
}
