package ltv

import (
	"fmt"
	"math"
)

// GammaGamma is the Gamma-Gamma model of spend: a purchase of one customer is worth
// Gamma(P, ν), and ν is Gamma(Q, V) over customers. V is money, in the currency of the
// summary; the others are numbers. It assumes that how much a customer spends has
// nothing to do with how often; SpendSummary.Correlation tells.
//
// Fader, Hardie (2013), "The Gamma-Gamma Model of Monetary Value" (note 25).
type GammaGamma struct{ P, Q, V float64 }

// LogLikelihood of the mean of the purchases of one customer (equation 1a of the note).
func (m GammaGamma) LogLikelihood(c Spend) float64 {
	px, total := m.P*float64(c.Count), float64(c.Count)*c.Mean
	return -lbeta(px, m.Q) - m.Q*math.Log1p(total/m.V) - px*math.Log1p(m.V/total) - math.Log(c.Mean)
}

// Mean is the expected value of a purchase to come, given the past: an average of the
// customer's own and the population's mean. A customer without purchases (the zero
// Spend) is expected to spend the population's mean. It is +Inf where there is none,
// which takes q ≤ 1 and no or hardly any purchase.
func (m GammaGamma) Mean(c Spend) float64 {
	shape := m.P*float64(c.Count) + m.Q - 1
	if !(shape > 0) {
		return math.Inf(1)
	}
	return (m.V + float64(c.Count)*c.Mean) * m.P / shape
}

// FitGammaGamma estimates the model by maximum likelihood. The model is usable when the
// verdict says so; otherwise it is the zero value.
func FitGammaGamma(s *SpendSummary) (GammaGamma, Fit) {
	p := &problem{model: "Gamma-Gamma", names: []string{"p", "q", "v"}, customers: s.customers, limits: []meaning{
		{where: "q, v → ∞", says: "all customers spend about the same; predictions hold, q and v mean nothing by themselves"},
		{where: "p → ∞", says: "each customer spends always the same; predictions hold, p means nothing by itself"},
	}}
	if s.customers < MinRepeaters {
		return GammaGamma{}, p.unfit(s.customers, "customers with a repeat purchase of positive value")
	}
	over(p, s, func(s *SpendSummary, theta, gradient []float64) float64 {
		return GammaGamma{theta[0], theta[1], theta[2]}.likelihood(s, gradient)
	})
	p.low = []float64{shapeLow, shapeLow, s.mean * shapeLow}
	p.high = []float64{shapeHigh, shapeHigh, s.mean * shapeHigh * 50}
	p.starts = [][]float64{{6, 4, s.mean / 2}, {1, 2, s.mean}, {1, 20, 20 * s.mean}}
	f := p.fit()
	if f.Values == nil {
		return GammaGamma{}, f
	}
	m := GammaGamma{f.Values[0], f.Values[1], f.Values[2]}
	if f.Verdict.Kind == Converged && m.Q <= 1 {
		f.Verdict.Reason = fmt.Sprintf("converged, with q = %.3g: below 1 the mean spend of new customers has no bound; look for values out of all proportion", m.Q)
	}
	return m, f
}

// likelihood adds the log-likelihood of all rows, and its gradient by (p, q, v).
func (m GammaGamma) likelihood(s *SpendSummary, gradient []float64) float64 {
	logV, slopeQ := math.Log(m.V), digamma(m.Q)
	total := -s.logMeans
	for from := 0; from < len(s.rows); {
		x := float64(s.rows[from].Count)
		px := m.P * x
		constant, slopeBoth, slopeP := -lbeta(px, m.Q)+m.Q*logV, digamma(px+m.Q), digamma(px)
		var all, logShare, logWhole, inverse float64
		to := from
		for ; to < len(s.rows) && s.rows[to].Count == s.rows[from].Count; to++ {
			r := &s.rows[to]
			spent := x * r.Mean
			whole := math.Log(m.V + spent)
			all += r.Customers
			logWhole += r.Customers * whole
			logShare += r.Customers * (s.logSpent[to] - whole)
			inverse += r.Customers / (m.V + spent)
		}
		total += all*constant + px*logShare - m.Q*logWhole
		gradient[0] += x * (all*(slopeBoth-slopeP) + logShare)
		gradient[1] += all*(slopeBoth-slopeQ+logV) - logWhole
		gradient[2] += all*m.Q/m.V - (px+m.Q)*inverse
		from = to
	}
	return total
}
