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
	n := g.r + float64(c.Frequency)
	return math.Log(g.odds(c.Frequency)) + n*math.Log1p((c.Age-c.Recency)/(g.alpha+c.Recency))
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

// fitGeometric fits BG/NBD (first = 0) or MBG/NBD (first = 1).
func fitGeometric(s *Summary, name string, first int, near []float64) Fit {
	p := &problem{near: near, model: name, names: []string{"r", "α", "a", "b"}, customers: s.customers, limits: geometricLimits}
	if s.repeaters < MinRepeaters {
		return p.unfit(s.repeaters, "repeaters")
	}
	over(p, s, func(s *Summary, theta, gradient []float64) float64 {
		return geometric{theta[0], theta[1], theta[2], theta[3], first}.likelihood(s, gradient)
	})
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
	{where: "a → 0", says: neverLost},
	{where: "a, b → ∞", says: sameLoss},
	{where: "b → ∞", says: sameLoss, when: func(theta []float64) bool { return theta[2] > someLoss*theta[3] }},
	{where: "b → ∞", says: neverLost},
	{where: "a → ∞", says: sameLoss},
	{where: "a, b → 0", says: "customers are lost at once or never; predictions hold, a and b mean nothing by themselves"},
	{where: "any a", says: "no customer was silent long enough to say anything of loss; NBD says the same with two parameters"},
	{where: "r, α → ∞", says: sameRate},
	{where: "r → ∞", says: sameRate},
}
