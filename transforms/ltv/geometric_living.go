package ltv

import (
	"math"
	"sync"
)

// living is a customer alive at the age: λ ~ Gamma(r + x, α + T) and p ~ Beta(a, b + k), independent.
func (g geometric) living(frequency int, age float64) Living {
	return newGeometricLiving(poissonGamma{g.r + float64(frequency), g.alpha + age}, g.a, g.b+float64(frequency+g.first))
}

// geometricLiving is a living customer with a rate ~ Gamma(shape, time) who is lost after
// each purchase to come with probability p ~ Beta(a, b).
type geometricLiving struct {
	poissonGamma
	a, b float64
	// The nodes are made when first needed, and serve all ages.
	loss func() *nodes // of p
	rate func() *nodes // of the rate times time
}

func newGeometricLiving(purchases poissonGamma, a, b float64) *geometricLiving {
	return &geometricLiving{purchases, a, b,
		sync.OnceValue(func() *nodes { return betaNodes(a, b) }),
		sync.OnceValue(func() *nodes { return gammaNodes(purchases.shape) })}
}

// Within is E[(1 + p·t/time)^−shape] and E[(1 − (1 + p·t/time)^−shape)/p], by quadrature; the
// closed form with ₂F₁ loses its digits near a = 1 and is no number at a + b < 1.
func (g *geometricLiving) Within(t float64) (alive, purchases float64) {
	u := t / g.time
	loss := g.loss()
	for i, p := range loss.at {
		w := loss.weight[i]
		if p*u < 1e-300 {
			alive += w
			purchases += w * g.shape * u
			continue
		}
		// The exact forms are for small arguments only, and slower.
		var power, lost float64
		if p*u > .01 {
			power = -g.shape * math.Log(1+p*u)
		} else {
			power = -g.shape * math.Log1p(p*u)
		}
		if power < -.1 {
			lost = 1 - math.Exp(power)
		} else {
			lost = -math.Expm1(power)
		}
		alive += w * (1 - lost)
		purchases += w * lost / p
	}
	return alive, purchases
}

// Count for n > 0: alive after all n, or lost at the last while at least n would have come.
func (g *geometricLiving) Count(n int, t float64) float64 {
	if n <= 0 || t <= 0 {
		return g.poissonGamma.Count(n, t)
	}
	survived, _ := rising(g.b, n)
	chances, _ := rising(g.a+g.b, n)
	logAll := survived - chances                         // ln E[(1 − p)ⁿ]
	logLast := logAll + math.Log(g.a/(g.b+float64(n)-1)) // ln E[p (1 − p)ⁿ⁻¹]
	return math.Exp(logAll+g.logCount(n, t)) + math.Exp(logLast)*g.poissonGamma.AtLeast(n, t)
}

// AtLeast takes n purchases that would come, and not to be lost at the n − 1 before the last.
func (g *geometricLiving) AtLeast(n int, t float64) float64 {
	if n <= 0 {
		return 1
	}
	survived, _ := rising(g.b, n-1)
	chances, _ := rising(g.a+g.b, n-1)
	return math.Exp(survived-chances) * g.poissonGamma.AtLeast(n, t)
}

// counts is Count for 0, 1, … below n at once, each from the one before it; small
// probabilities are exact to 1e-15, not to their last digit.
func (g *geometricLiving) counts(n int, t float64) []float64 {
	list := g.poissonGamma.counts(n, t)
	all, atLeast := 1.0, 1-list[0]
	for k := 1; k < n && t > 0; k++ {
		last := all * g.a / (g.a + g.b + float64(k) - 1) // E[p (1 − p)ᵏ⁻¹]
		all *= (g.b + float64(k) - 1) / (g.a + g.b + float64(k) - 1)
		p := list[k]
		list[k] = all*p + last*max(atLeast, 0)
		atLeast -= p
	}
	return list
}

// Discounted is E[λ/(λp + rate)], over the rate of purchase and the loss.
func (g *geometricLiving) Discounted(rate float64) float64 {
	if !(rate > 0) {
		if rate == 0 && g.a > 1 { // E[1/p]
			return (g.a + g.b - 1) / (g.a - 1)
		}
		return math.Inf(1)
	}
	d, loss := rate*g.time, g.loss()
	return g.rate().mean(func(l float64) float64 {
		var sum float64
		for i, p := range loss.at {
			sum += loss.weight[i] / (l*p + d)
		}
		return l * sum
	})
}

// Quiet lets time pass without a purchase, which tells something of the rate, not of the loss.
func (g *geometricLiving) Quiet(t float64) Living {
	quiet := *g
	quiet.time += t
	return &quiet
}
