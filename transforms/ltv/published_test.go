package ltv

import (
	"fmt"
	"math"
	"testing"
)

// Estimates that others print for CDNOW and the donations, to as many digits as they print.
// The values of the other tests are computed from the data and are more precise.
func TestPublishedEstimates(t *testing.T) {
	s, spend := cdnowSummary(t), compressSpend(t, spends(cdnow(t)))
	_, bg := FitBGNBD(s)
	_, mbg := FitMBGNBD(s)
	_, pareto := FitParetoNBD(s)
	_, gamma := FitGammaGamma(spend)
	_, bgbb := FitBGBB(donations(t))
	for _, c := range []struct {
		source        string
		f             Fit
		values        []float64
		within        float64 // relative
		logLikelihood float64
		likelyWithin  float64
	}{
		{"lifetimes test_estimation.py, decimal 2", bg, []float64{.243, 4.414, .793, 2.426}, 2e-3, -9582.4, .05},
		{"CLVTools test_correctness_bgnbd.R", bg, []float64{.2425945, 4.4136019, .7929199, 2.4258881}, 1e-5, -9582.429, 5e-4},
		{"BTYD-walkthrough.pdf p. 20", bg, []float64{.2425967, 4.413659, .7929869, 2.426164}, 2e-4, -9582.429, 5e-4},
		{"lifetimes test_estimation.py, from BTYDplus", mbg, []float64{.525, 6.183, .891, 1.614}, 1e-3, -9582.14, .005},
		{"Hardie, lifetimes test_estimation.py, decimal 2", pareto, []float64{.553, 10.578, .606, 11.669}, 1e-3, -9595.0, .05},
		{"CLVTools test_correctness_pnbd_nocovstaticcov.R", pareto, []float64{.55315, 10.57633, .60625, 11.67150}, 1e-3, -9594.976, 5e-4},
		{"lifetimes test_estimation.py, CLVTools test_correctness_gg.R", gamma, []float64{6.25, 3.74, 15.44}, 2e-3, -4055.9177, 5e-5},
		{"lifetimes test_estimation.py, decimal 2", bgbb, []float64{1.204, .750, .657, 2.783}, 1e-3, -33225.6, .05},
		{"BTYD-walkthrough.pdf p. 30", bgbb, []float64{1.203528, .7497260, .6567808, 2.783796}, 2e-4, -33225.58, .005},
	} {
		what := c.source + ", " + c.f.Model
		near(t, what+": log-likelihood", c.f.LogLikelihood, c.logLikelihood, c.likelyWithin)
		for i, v := range c.values {
			nearly(t, what+": "+c.f.Parameters[i], c.f.Values[i], v, c.within)
		}
	}
	for i, v := range []float64{.0476264, .8427222, .1872594, 6.2105448} { // CLVTools, as above
		nearly(t, "Pareto/NBD: standard error of "+pareto.Parameters[i], pareto.StandardErrors[i], v, 1e-3)
	}
}

// Means and variances over customers at the estimates: BTYD-walkthrough.pdf.
func TestPublishedHeterogeneity(t *testing.T) {
	gammaMoments := func(shape, scale float64) [2]float64 { return [2]float64{shape / scale, shape / (scale * scale)} }
	betaMoments := func(a, b float64) [2]float64 {
		return [2]float64{a / (a + b), a * b / ((a + b) * (a + b) * (a + b + 1))}
	}
	s := cdnowSummary(t)
	p, _ := FitParetoNBD(s)
	b, _ := FitBGNBD(s)
	d, _ := FitBGBB(donations(t))
	for _, c := range []struct {
		what      string
		got, want [2]float64
	}{
		{"Pareto/NBD, rate of purchase", gammaMoments(p.R, p.Alpha), [2]float64{.0523, .0049}},
		{"Pareto/NBD, rate of loss", gammaMoments(p.S, p.Beta), [2]float64{.052, .0045}},
		{"BG/NBD, rate of purchase", gammaMoments(b.R, b.Alpha), [2]float64{.055, .0125}},
		{"BG/NBD, probability of loss", betaMoments(b.A, b.B), [2]float64{.2463, .044}},
		{"BG/BB, probability to buy", betaMoments(d.Alpha, d.Beta), [2]float64{.6162, .0801}},
		{"BG/BB, probability of loss", betaMoments(d.Gamma, d.Delta), [2]float64{.1909, .0348}},
	} {
		near(t, c.what+": mean", c.got[0], c.want[0], 6e-4)
		near(t, c.what+": variance", c.got[1], c.want[1], 1e-4)
	}
}

// The terms of the likelihood as btyd's test prints them (Hardie's note 27): D1 and D2 are
// logarithms, C3 and C4 the shares of alive and lost.
func TestBGNBDTermsOfNote27(t *testing.T) {
	m, c := BGNBD{R: .25, Alpha: 4, A: .8, B: 2.5}, RFM{200, 38, 40}
	x := float64(c.Frequency)
	purchases, _ := rising(m.R, c.Frequency)
	survived, _ := rising(m.B, c.Frequency)
	chances, _ := rising(m.A+m.B, c.Frequency)
	d1 := purchases + survived - chances
	d2 := m.R*math.Log(m.Alpha) - (m.R+x)*math.Log(m.Alpha+c.Recency)
	c3 := math.Pow((m.Alpha+c.Recency)/(m.Alpha+c.Age), m.R+x)
	c4 := m.core().odds(c.Frequency)
	near(t, "D1", d1, 854.424, 5e-4)
	near(t, "D2", d2, -748.1218, 5e-5)
	near(t, "C3", c3, 9e-5, 5e-6)
	near(t, "C4", c4, 3.97e-3, 5e-6)
	near(t, "log-likelihood", m.LogLikelihood(c), d1+d2+math.Log(c3+c4), 1e-9)
}

// Without differences between customers BG/NBD is a Poisson process with a geometric end: the
// values of pymc-marketing's ContNonContract and ContContract (tests/clv/test_distributions.py).
func TestBGNBDWithoutHeterogeneity(t *testing.T) {
	const alike = 1e9 // the shapes: the variance is about the mean over this
	same := func(rate, loss float64) BGNBD {
		return BGNBD{R: alike, Alpha: alike / rate, A: alike * loss, B: alike * (1 - loss)}
	}
	for rate, want := range map[float64]float64{.4: -8.39147106, .3: -9.15153637, .2: -10.42037984} {
		near(t, fmt.Sprint("rate ", rate), same(rate, .15).LogLikelihood(RFM{5, 4.3, 10}), want, 1e-6)
	}
	m, c := same(.3, .15), RFM{5, 6.3, 10}
	near(t, "known to be lost at the last purchase", m.LogLikelihood(c)+math.Log(1-m.Alive(c)), -10.45705972, 1e-6)
}
