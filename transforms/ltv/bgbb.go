package ltv

import "math"

// BGBB is the BG/BB model: at each opportunity a living customer buys with a
// probability p that is Beta(Alpha, Beta) over customers, and before each opportunity is
// lost with a probability θ that is Beta(Gamma, Delta). Time is counted in opportunities.
//
// Fader, Hardie, Shang (2010), "Customer-Base Analysis in a Discrete-Time
// Noncontractual Setting", Marketing Science 29(6).
type BGBB struct{ Alpha, Beta, Gamma, Delta float64 }

// LogLikelihood of one customer (equation 5 of the paper).
func (m BGBB) LogLikelihood(c Opportunities) float64 {
	value, _ := m.likelihood(c, nil)
	return value
}

// Alive is the probability that the customer will be there for the next opportunity, n + 1.
func (m BGBB) Alive(c Opportunities) float64 { return m.AliveLater(c, 0) }

// AliveLater is the probability that the customer will be there for opportunity n + 1 + later.
func (m BGBB) AliveLater(c Opportunities, later int) float64 {
	_, alive := m.likelihood(c, nil)
	for j := range later + 1 {
		alive *= (m.Delta + float64(c.Count+j)) / (m.Gamma + m.Delta + float64(c.Count+j))
	}
	return alive
}

// chance is the expected probability that the customer, if alive, takes an opportunity.
func (m BGBB) chance(c Opportunities) float64 {
	return (m.Alpha + float64(c.Frequency)) / (m.Alpha + m.Beta + float64(c.Count))
}

// Expected is the expected number of purchases at the next opportunities.
func (m BGBB) Expected(c Opportunities, next int) float64 {
	_, alive := m.likelihood(c, nil)
	var sum float64
	there := 1.0 // E[(1 − θ)^k]
	for j := range next {
		there *= (m.Delta + float64(c.Count+j)) / (m.Gamma + m.Delta + float64(c.Count+j))
		sum += there
	}
	return alive * m.chance(c) * sum
}

// Discounted is the expected number of purchases at all opportunities to come (DERT), the
// kth of them discounted by (1 + discount)^k; +Inf when the discount is not positive.
func (m BGBB) Discounted(c Opportunities, discount float64) float64 {
	if !(discount > 0) {
		return math.Inf(1)
	}
	_, alive := m.likelihood(c, nil)
	loss := betaNodes(m.Gamma, m.Delta+float64(c.Count))
	return alive * m.chance(c) * loss.mean(func(theta float64) float64 { return (1 - theta) / (discount + theta) })
}

// Count is the probability of exactly k purchases at the next opportunities.
func (m BGBB) Count(c Opportunities, k, next int) float64 {
	if k < 0 || k > next {
		return 0
	}
	_, alive := m.likelihood(c, nil)
	a, b := m.Alpha+float64(c.Frequency), m.Beta+float64(c.Count-c.Frequency)
	g, d := m.Gamma, m.Delta+float64(c.Count)
	// took is the probability to take k of j opportunities, from j = k on.
	up, _ := rising(a, k)
	all, _ := rising(a+b, k)
	took := math.Exp(up - all)
	there := 1.0 // E[(1 − θ)^j]
	var sum float64
	for j := 0; j <= next; j++ {
		if j >= k {
			lost := g / (g + d + float64(j)) // at the opportunity after j, of those who were there
			if j == next {
				lost = 1
			}
			sum += took * there * lost
			took *= float64(j+1) / float64(j+1-k) * (b + float64(j-k)) / (a + b + float64(j))
		}
		there *= (d + float64(j)) / (g + d + float64(j))
	}
	p := alive * sum
	if k == 0 {
		p += 1 - alive
	}
	return p
}

// likelihood is the log-likelihood of one customer and the probability to have been
// there at the last opportunity; its gradient by (α, β, γ, δ) is added unless nil.
//
// The likelihood is a sum over the number j of opportunities the customer was there
// for, from t_x to n, of positive terms
//
//	(α)ₓ (β)ⱼ₋ₓ/(α+β)ⱼ · γ (δ)ⱼ/(γ+δ)ⱼ₊₁   for j < n,   and (δ)ₙ/(γ+δ)ₙ instead for j = n
//
// so each follows from the one before it by a few factors.
func (m BGBB) likelihood(c Opportunities, gradient []float64) (value, alive float64) {
	x, first, n := c.Frequency, c.Recency, c.Count
	var term sumOfTerms
	part := func(a float64, k int, sign float64, by ...int) {
		v, slope := rising(a, k)
		term.value += sign * v
		for _, i := range by {
			term.slope[i] += sign * slope
		}
	}
	part(m.Alpha, x, 1, 0)
	part(m.Beta, first-x, 1, 1)
	part(m.Alpha+m.Beta, first, -1, 0, 1)
	part(m.Delta, first, 1, 3)
	part(m.Gamma+m.Delta, first, -1, 2, 3)
	// weight is the term less the share of those lost or there at the end.
	weight := 1.0
	slope := term.slope
	for j := first; j <= n; j++ {
		t := float64(j)
		if j == n {
			term.add(weight, slope)
			break
		}
		lost := 1 / (m.Gamma + m.Delta + t)
		at := slope
		at[2] += 1/m.Gamma - lost
		at[3] -= lost
		term.add(weight*m.Gamma*lost, at)
		missed, drawn, stayed := m.Beta+t-float64(x), m.Alpha+m.Beta+t, m.Delta+t
		weight *= missed / drawn * stayed * lost
		slope[0] -= 1 / drawn
		slope[1] += 1/missed - 1/drawn
		slope[2] -= lost
		slope[3] += 1/stayed - lost
	}
	for i := range gradient {
		gradient[i] += term.sums[i] / term.sum
	}
	return term.value + math.Log(term.sum), weight / term.sum
}

// sumOfTerms adds terms and their slopes relative to the first.
type sumOfTerms struct {
	value float64 // ln of the first term less the share lost
	slope [4]float64
	sum   float64
	sums  [4]float64
}

func (s *sumOfTerms) add(weight float64, slope [4]float64) {
	s.sum += weight
	for i, v := range slope {
		s.sums[i] += weight * v
	}
}

// FitBGBB estimates the model by maximum likelihood. The model is usable when the
// verdict says so; otherwise it is the zero value.
func FitBGBB(s *OpportunitiesSummary) (BGBB, Fit) {
	p := &problem{model: "BG/BB", names: []string{"α", "β", "γ", "δ"}, customers: s.customers, limits: []meaning{
		{where: "γ → 0", says: "nobody is seen to be lost; the parameters of loss mean nothing by themselves"},
		{where: "γ, δ → ∞", says: sameLoss},
		{where: "δ → ∞", says: "nobody is seen to be lost; the parameters of loss mean nothing by themselves"},
		{where: "α, β → ∞", says: "all customers take an opportunity with about the same probability; predictions hold, α and β mean nothing by themselves"},
	}}
	if s.repeaters < MinRepeaters {
		return BGBB{}, p.unfit(s.repeaters, "repeaters")
	}
	p.evaluate = func(theta, gradient []float64) float64 {
		m := BGBB{theta[0], theta[1], theta[2], theta[3]}
		one := make([]float64, 4)
		var total float64
		for _, r := range s.rows {
			clear(one)
			value, _ := m.likelihood(r.Opportunities, one)
			total += r.Customers * value
			for i, v := range one {
				gradient[i] += r.Customers * v
			}
		}
		return total
	}
	p.low = []float64{shapeLow, shapeLow, shapeLow, shapeLow}
	p.high = []float64{shapeHigh, shapeHigh, shapeHigh, shapeHigh}
	p.starts = [][]float64{{1, 1, .7, 2.5}, {.5, 2, .3, 3}, {2, 2, 3, 12}}
	f := p.fit()
	if f.Values == nil {
		return BGBB{}, f
	}
	return BGBB{f.Values[0], f.Values[1], f.Values[2], f.Values[3]}, f
}
