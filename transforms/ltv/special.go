package ltv

import "math"

// lgamma is ln Γ(x) for x > 0.
func lgamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}

// digamma is ψ(x), the derivative of ln Γ, for x > 0: recurrence up to 10, then the
// asymptotic series (Abramowitz and Stegun 6.3.18).
func digamma(x float64) float64 {
	var below float64
	for ; x < 10; x++ {
		below -= 1 / x
	}
	y := 1 / (x * x)
	return below + math.Log(x) - 0.5/x -
		y*(1.0/12-y*(1.0/120-y*(1.0/252-y*(1.0/240-y*(1.0/132-y*(691.0/32760-y/12))))))
}

// lbeta is ln B(a, b).
func lbeta(a, b float64) float64 { return logGammaRatio(a, b, lgamma(a)) }

// logGammaRatio is c + ln Γ(b) − ln Γ(b + a) without the loss of digits that two large
// logarithms of Γ would bring when b is large and a small.
func logGammaRatio(a, b, c float64) float64 {
	if b < a {
		a, b = b, a
		c = lgamma(a)
	}
	if b < 1e3 {
		return c + lgamma(b) - lgamma(a+b)
	}
	// Stirling on both, difference by difference.
	return c - (b-0.5)*math.Log1p(a/b) - a*math.Log(a+b) + a + stirlingRest(b) - stirlingRest(a+b)
}

// stirlingRest is ln Γ(x) less the leading terms of Stirling's series, for x ≥ 1000.
func stirlingRest(x float64) float64 {
	y := 1 / (x * x)
	return (1.0/12 - y*(1.0/360-y/1260)) / x
}

// addLogs is ln(eᵃ + eᵇ).
func addLogs(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	if math.IsInf(a, -1) {
		return a
	}
	return a + math.Log1p(math.Exp(b-a))
}

// expit is 1/(1 + e⁻ˣ), the probability with log odds x.
func expit(x float64) float64 {
	if x >= 0 {
		return 1 / (1 + math.Exp(-x))
	}
	e := math.Exp(x)
	return e / (1 + e)
}

// rising is ln (a)ₙ = ln Γ(a + n) − ln Γ(a) and its derivative by a, ψ(a + n) − ψ(a),
// for whole n: the sum over n factors while n is small, which is exact also where
// the two logarithms of Γ would cancel.
func rising(a float64, n int) (value, slope float64) {
	if n > 64 {
		return lgamma(a+float64(n)) - lgamma(a), digamma(a+float64(n)) - digamma(a)
	}
	return risingFrom(a, 0, n)
}

// risingFrom is the part of rising between the factors from and to.
func risingFrom(a float64, from, to int) (value, slope float64) {
	// A product of eight factors needs one logarithm instead of eight.
	for from < to {
		product := 1.0
		for end := min(from+8, to); from < end; from++ {
			f := a + float64(from)
			product *= f
			slope += 1 / f
		}
		value += math.Log(product)
	}
	return value, slope
}
