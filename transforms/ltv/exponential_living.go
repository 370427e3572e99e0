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
	if n == 0 {
		loss := ParetoNBD{Alpha: e.time, S: e.s, Beta: e.beta}
		return sum + e.s/e.beta*math.Exp(loss.between(e.shape, 0, t).log)
	}
	for _, m := range e.momentsOf(n, t) {
		sum += m.weight * m.count
	}
	return sum
}

// AtLeast integrates over the moment of the nth purchase: it comes before t, and the
// customer is still alive.
func (e *exponentialLiving) AtLeast(n int, t float64) float64 {
	if n <= 0 {
		return 1
	}
	if t <= 0 {
		return 0
	}
	var sum float64
	for _, m := range e.momentsOf(n-1, t) {
		// The density of the moment of loss, less its rate, is the share still alive.
		alive := m.weight * (e.beta + m.at) / e.s
		sum += alive * (e.shape + float64(n) - 1) / (e.time + m.at) * m.count
	}
	return min(sum, 1)
}

// counts is Count for 0, 1, … below n at once, over the same moments, each probability
// from the one before it.
func (e *exponentialLiving) counts(n int, t float64) []float64 {
	if t <= 0 {
		return e.poissonGamma.counts(n, t)
	}
	list, ratio := make([]float64, n), make([]float64, n)
	for k := 1; k < n; k++ {
		ratio[k] = (e.shape + float64(k) - 1) / float64(k)
	}
	list[0] = e.Count(0, t)
	alive, _ := e.Within(t)
	for _, m := range append(e.moments(n-1, t), moment{at: t, weight: alive}) {
		none := -e.shape * math.Log1p(m.at/e.time)
		if none < -600 { // e^none would be no number to start from
			for k := 1; k < n; k++ {
				list[k] += m.weight * math.Exp(e.logCount(k, m.at))
			}
			continue
		}
		p, share := m.weight*math.Exp(none), m.at/(e.time+m.at)
		for k := 1; k < n; k++ {
			p *= ratio[k] * share
			list[k] += p
		}
	}
	return list
}

// moment is a moment of loss with its weight, the density times the width, and for one
// count the probability of so many purchases until then.
type moment struct{ at, weight, count float64 }

// lossAt is a moment of loss that stands for a width.
func (e *exponentialLiving) lossAt(at, width float64) moment {
	return moment{at: at, weight: width * e.s / e.beta * math.Exp(-(e.s+1)*math.Log1p(at/e.beta))}
}

// momentsOf are moments until t for one count: where it is small those for all counts, or
// else panels in ln τ to both sides of the moment where it is most likely.
func (e *exponentialLiving) momentsOf(n int, t float64) []moment {
	if n < 32 {
		list := e.moments(n, t)
		for i := range list {
			list[i].count = math.Exp(e.logCount(n, list[i].at))
		}
		return list
	}
	x := float64(n)
	value, _ := rising(e.shape, n)
	constant := value - lgamma(x+1)
	logCount := func(at float64) float64 {
		return constant - e.shape*math.Log1p(at/e.time) - x*math.Log1p(e.time/at)
	}
	peak := min(t, x*e.time/e.shape)
	wide := min(1, 2*math.Sqrt(1/x+1/e.shape))
	var list []moment
	for _, side := range [2]float64{1, -1} {
		for k := 0.0; ; k++ {
			near := peak * math.Exp(side*k*wide)
			far := min(t, peak*math.Exp(side*(k+1)*wide))
			if near >= t && side > 0 || k > 0 && logCount(near)+math.Log(near) < logCount(peak)+math.Log(peak)-45 {
				break
			}
			for i, v := range fine.at {
				at := near * math.Pow(far/near, v)
				m := e.lossAt(at, fine.weight[i]*math.Abs(math.Log(far/near))*at)
				m.count = math.Exp(logCount(at))
				list = append(list, m)
			}
		}
	}
	return list
}

// moments are the points of Gauss–Legendre panels until t, as for the likelihood but
// narrower, for counts up to n rise with τⁿ.
func (e *exponentialLiving) moments(n int, t float64) []moment {
	var list []moment
	for from := 0.0; from < t; {
		fall := (e.shape+float64(n))/(e.time+from) + (e.s+1)/(e.beta+from)
		end := min(t, from+8/fall, from+min(e.time, e.beta)+from)
		if !(end > from) {
			break
		}
		for i, v := range fine.at {
			list = append(list, e.lossAt(from+v*(end-from), fine.weight[i]*(end-from)))
		}
		from = end
		// Beyond the peak, once counts up to n are as good as impossible.
		if from*fall > 2*float64(n) && e.logCount(n, from)+math.Log(from) < -60 {
			break
		}
	}
	return list
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
