package ltv

import "math"

// geometric is what BG/NBD and MBG/NBD share: purchases come at a rate λ ~ Gamma(r, α),
// and after each purchase that counts as a chance the customer is lost with a
// probability p ~ Beta(a, b). With k chances survived (or k − 1 survived and lost at the
// last, after the purchase at t_x) the likelihood of one customer is
//
//	(r)ₓ αʳ · (b)ₖ/(a+b)ₖ · [ (α+T)^−(r+x) + 1{k>0} a/(b+k−1) · (α+t_x)^−(r+x) ]
//
// where (·)ₖ is the rising factorial. BG/NBD: k = x. MBG/NBD: k = x + 1.
type geometric struct {
	r, alpha, a, b float64
	first          int // 1 when the first purchase is a chance to be lost as well
}

// logOddsLost is ln of P(lost at t_x)/P(alive at T), −∞ when there was no chance.
func (g geometric) logOddsLost(c RFM) float64 {
	k := float64(c.Frequency + g.first)
	if k == 0 {
		return math.Inf(-1)
	}
	n := g.r + float64(c.Frequency)
	return math.Log(g.a/(g.b+k-1)) + n*math.Log1p((c.Age-c.Recency)/(g.alpha+c.Recency))
}

func (g geometric) alive(c RFM) float64 { return expit(-g.logOddsLost(c)) }

// logLikelihood of one customer.
func (g geometric) logLikelihood(c RFM) float64 {
	purchases, _ := rising(g.r, c.Frequency)
	survived, _ := rising(g.b, c.Frequency+g.first)
	chances, _ := rising(g.a+g.b, c.Frequency+g.first)
	x := float64(c.Frequency)
	return purchases + survived - chances - g.r*math.Log1p(c.Age/g.alpha) - x*math.Log(g.alpha+c.Age) +
		addLogs(0, g.logOddsLost(c))
}

// likelihood adds the log-likelihood of all rows, and its gradient by (r, α, a, b).
// Logarithms and rising factorials are computed once per distinct time and frequency,
// so a row costs one exponential and one logarithm.
func (g geometric) likelihood(s *Summary, gradient []float64) float64 {
	r, alpha, a, b := g.r, g.alpha, g.a, g.b
	logOf, inverse := make([]float64, len(s.times)), make([]float64, len(s.times))
	logAlpha := math.Log(alpha)
	for i, t := range s.times {
		logOf[i] = math.Log1p(t / alpha)
		inverse[i] = 1 / (alpha + t)
	}
	purchases, survived, chances := ladder{a: r}, ladder{a: b}, ladder{a: a + b}
	var total float64
	for _, group := range s.groups {
		x, k := group.frequency, group.frequency+g.first
		n := r + float64(x)
		purchases.to(x)
		survived.to(k)
		chances.to(k)
		odds := math.Inf(-1)
		if k > 0 {
			odds = math.Log(a / (b + float64(k) - 1))
		}
		// Sums over the rows of the group: weights, weights lost, the logarithm of the
		// time that counts, its inverse, and the logarithm of the sum in brackets.
		var all, lost, logTime, inverseTime, bracket float64
		for i := group.from; i < group.to; i++ {
			w := s.rows[i].Customers
			last, end := s.recencyAt[i], s.ageAt[i]
			u := odds + n*(logOf[end]-logOf[last])
			e := math.Exp(-math.Abs(u))
			p := 1 / (1 + e) // the greater of the two shares
			if u > 0 {
				bracket += w * u
			} else {
				p = e * p
			}
			bracket += w * (math.Log(1+e) - n*logOf[end])
			all += w
			lost += w * p
			logTime += w * (logOf[end] + p*(logOf[last]-logOf[end]))
			inverseTime += w * (inverse[end] + p*(inverse[last]-inverse[end]))
		}
		total += bracket + all*(purchases.value+survived.value-chances.value-float64(x)*logAlpha)
		gradient[0] += all*purchases.slope - logTime
		gradient[1] += all*r/alpha - n*inverseTime
		gradient[2] += -all * chances.slope
		gradient[3] += all * (survived.slope - chances.slope)
		if k > 0 {
			gradient[2] += lost / a
			gradient[3] -= lost / (b + float64(k) - 1)
		}
	}
	return total
}

// ladder is rising for a sequence of growing n.
type ladder struct {
	a            float64
	n            int
	value, slope float64
}

func (l *ladder) to(n int) {
	if n-l.n > 64 {
		l.value, l.slope = rising(l.a, n)
	} else {
		value, slope := risingFrom(l.a, l.n, n)
		l.value += value
		l.slope += slope
	}
	l.n = n
}

// fitGeometric fits BG/NBD (first = 0) or MBG/NBD (first = 1).
func fitGeometric(s *Summary, name string, first int) Fit {
	p := &problem{model: name, names: []string{"r", "α", "a", "b"}, customers: s.customers, limits: geometricLimits}
	if s.repeaters < MinRepeaters {
		return p.unfit(s.repeaters, "repeaters")
	}
	on := func(s *Summary) func(theta, gradient []float64) float64 {
		return func(theta, gradient []float64) float64 {
			return geometric{theta[0], theta[1], theta[2], theta[3], first}.likelihood(s, gradient)
		}
	}
	p.evaluate = on(s)
	if rough := s.thin(thinned); rough != s {
		p.rough, p.sampled = on(rough), rough.customers/s.customers
	}
	low, high := timeBounds(s)
	p.low = []float64{shapeLow, low, shapeLow, shapeLow}
	p.high = []float64{shapeHigh, high, shapeHigh, shapeHigh}
	r, alpha := rateStart(s)
	p.starts = [][]float64{
		{r, alpha, 0.8, 2.5},
		{1, alpha / r, 0.1, 1},
		{r, 2 * alpha, 3, 3},
	}
	return p.fit()
}

var geometricLimits = []meaning{
	{"a → 0", neverLost},
	{"a, b → ∞", sameLoss},
	{"b → ∞", neverLost},
	{"a, b → 0", "customers are lost at once or never; predictions hold, a and b mean nothing by themselves"},
	{"any a", "no customer was silent long enough to say anything of loss; NBD says the same with two parameters"},
	{"r, α → ∞", sameRate},
	{"r → ∞", sameRate},
}
