package ltv

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mathext"
)

// subscribers are the survivors of Fader and Hardie (2007), first the regular, then the
// high-end product; seven renewals are for the fit, five more to look at.
func subscribers(t *testing.T) (regular, highEnd []float64) {
	t.Helper()
	for _, r := range rows(t, "sbg", "sbg_survivors.csv") {
		regular, highEnd = append(regular, number(t, r[1])), append(highEnd, number(t, r[2]))
	}
	return regular, highEnd
}

func survivors(t *testing.T, left []float64) Contracts {
	t.Helper()
	c, err := Survivors(left)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSBGFit(t *testing.T) {
	regular, highEnd := subscribers(t)
	// scipy. pymc-marketing's test has α = .688 for the regular product, which is none of the
	// maximum on its own data; at .688 the likelihood is less.
	m, f := FitSBG(survivors(t, regular[:8]))
	expectEstimates(t, f, []float64{0.7040773, 1.1820430}, []float64{.06560, .15248}, -1680.265188)
	if at := (SBG{.688, 1.182}).likelihood(survivors(t, regular[:8]), make([]float64, 2)); !(at < f.LogLikelihood-.1) {
		t.Errorf("log-likelihood at the misprint is %v, of the estimates %v", at, f.LogLikelihood)
	}
	h, f := FitSBG(survivors(t, highEnd[:8]))
	expectEstimates(t, f, []float64{0.6680884, 3.8060950}, []float64{.10373, .78553}, -1611.158147)
	for i, want := range []float64{.6267, .4738, .3880, .3321, .2923, .2625, .2390, .2201, .2044, .1912, .1799, .1700} { // scipy
		near(t, fmt.Sprint("regular, renewals: ", i+1), m.Survival(i+1), want, 6e-5)
	}
	for i, want := range []float64{.8507, .7469, .6698, .6099, .5618, .5222, .4889, .4604, .4358, .4142, .3951, .3780} {
		near(t, fmt.Sprint("high-end, renewals: ", i+1), h.Survival(i+1), want, 6e-5)
	}
	near(t, "regular, lifetime", m.Lifetime(.1), 3.6949, 6e-5)
	near(t, "high-end, lifetime", h.Lifetime(.1), 5.9223, 6e-5)
	for i, want := range []float64{2.9644, 4.1031, 4.8698, 5.4421, 5.8941} {
		near(t, fmt.Sprint("regular, lifetime before renewal ", i+1), m.ResidualLifetime(i+1, .1), want, 6e-5)
	}
	for i, want := range []float64{5.4145, 5.9014, 6.2939, 6.6199, 6.8967} {
		near(t, fmt.Sprint("high-end, lifetime before renewal ", i+1), h.ResidualLifetime(i+1, .1), want, 6e-5)
	}
}

func TestSBGProperties(t *testing.T) {
	for _, m := range []SBG{{.7, 1.18}, {.668, 3.8}, {3, .2}, {1e-3, 50}, {40, 1e3}} {
		sum, left := 0.0, 1.0
		for k := range 20 {
			near(t, fmt.Sprint(m, k), m.Survival(k), left, 1e-13)
			sum += left * math.Pow(1.1, -float64(k))
			left *= m.Retention(k + 1)
		}
		for k := 20; k < 800; k++ {
			sum += m.Survival(k) * math.Pow(1.1, -float64(k))
		}
		nearly(t, fmt.Sprint(m, ": lifetime"), m.Lifetime(.1), sum, 1e-10)
		nearly(t, fmt.Sprint(m, ": what is left before the first renewal"), m.ResidualLifetime(1, .1), (sum-1)*1.1, 1e-9)
		if m.Beta < 100 {
			nearly(t, fmt.Sprint(m, ": ₂F₁"), m.Lifetime(.1), mathext.Hypergeo(1, m.Beta, m.Alpha+m.Beta, 1/1.1), 1e-9)
		}
		// C = 1 is the same model.
		w := BdW{m.Alpha, m.Beta, 1}
		for _, k := range []int{1, 5, 30} {
			nearly(t, fmt.Sprint(w, k), w.Survival(k), m.Survival(k), 1e-11)
			nearly(t, fmt.Sprint(w, ": retention ", k), w.Retention(k), m.Retention(k), 1e-11)
		}
		for _, discount := range []float64{.1, 1e-3, 1e-4} {
			nearly(t, fmt.Sprint(w, ": lifetime at ", discount), w.Lifetime(discount), m.Lifetime(discount), 1e-9)
			nearly(t, fmt.Sprint(w, ": before renewal 3 at ", discount), w.ResidualLifetime(3, discount), m.ResidualLifetime(3, discount), 1e-9)
		}
		if !(m.Lifetime(.2) < m.Lifetime(.1)) || !math.IsInf(w.Lifetime(0), 1) || m.Alpha < 1 && !math.IsInf(m.Lifetime(0), 1) {
			t.Errorf("%v: the lifetime does not fall with the discount", m)
		}
	}
	nearly(t, "without discount", SBG{3, .2}.Lifetime(0), SBG{3, .2}.Lifetime(1e-12), 1e-9)
	nearly(t, "before renewal 2, without discount", SBG{3, .2}.ResidualLifetime(2, 0), SBG{3, .2}.ResidualLifetime(2, 1e-12), 1e-9)
}

func TestBdWFit(t *testing.T) {
	regular, highEnd := subscribers(t)
	for name, left := range map[string][]float64{"regular": regular, "high-end": highEnd} {
		c := survivors(t, left[:8])
		_, nested := FitSBG(c)
		m, f := FitBdW(c)
		if f.Verdict.Kind != Converged {
			t.Fatalf("%s: %v", name, f.Verdict)
		}
		// One parameter more cannot fit worse.
		if !(f.LogLikelihood >= nested.LogLikelihood-1e-9) {
			t.Errorf("%s: log-likelihood %v, below the %v of sBG", name, f.LogLikelihood, nested.LogLikelihood)
		}
		t.Logf("%s: %.6g ± %.4g, log-likelihood %.6f (sBG %.6f), twelve renewals %.4f, real %.4f", name, f.Values, f.StandardErrors, f.LogLikelihood, nested.LogLikelihood, m.Survival(12), left[12]/left[0])
		gradient := make([]float64, 3)
		m.likelihood(c, gradient)
		for i, v := range gradient {
			near(t, name+": slope at the maximum by "+f.Parameters[i], v*f.Values[i], 0, 1e-4)
		}
	}
}

func TestContractGradients(t *testing.T) {
	c := Contracts{Lost: []float64{3, 0, 4, 1}, Active: []float64{2, 0, 1, 7, 10, 3}}
	for name, model := range map[string]struct {
		theta  []float64
		likely func(p, g []float64) float64
	}{
		"sBG": {[]float64{.7, 1.2}, func(p, g []float64) float64 { return SBG{p[0], p[1]}.likelihood(c, g) }},
		"BdW": {[]float64{.3, 40, 1.7}, func(p, g []float64) float64 { return BdW{p[0], p[1], p[2]}.likelihood(c, g) }},
	} {
		analytic := make([]float64, len(model.theta))
		value := model.likely(model.theta, analytic)
		// The likelihood is that of the probabilities.
		survival := func(k int) float64 { return SBG{.7, 1.2}.Survival(k) }
		if name == "BdW" {
			survival = BdW{.3, 40, 1.7}.Survival
		}
		var sum float64
		for k, n := range c.Lost {
			sum += n * math.Log(survival(k)-survival(k+1))
		}
		for k, n := range c.Active {
			sum += n * math.Log(survival(k))
		}
		nearly(t, name+": log-likelihood", value, sum, 1e-10)
		for i, v := range model.theta {
			step := 1e-4 * v
			at := func(d float64) float64 {
				moved := slices.Clone(model.theta)
				moved[i] += d
				return model.likely(moved, make([]float64, len(moved)))
			}
			numeric := (8*(at(step)-at(-step)) - (at(2*step) - at(-2*step))) / (12 * step)
			nearly(t, fmt.Sprint(name, ": slope ", i), analytic[i], numeric, 1e-7)
		}
	}
}

func TestContractsOfSeveralCohorts(t *testing.T) {
	regular, _ := subscribers(t)
	whole := survivors(t, regular[:8])
	both := whole.Add(survivors(t, regular[:4]))
	var customers, lost float64 = 2000, 1000 - regular[7] + 1000 - regular[3]
	if n, l := both.counts(); n != customers || l != lost {
		t.Errorf("%v customers and %v lost, want %v and %v", n, l, customers, lost)
	}
	m, f := FitSBG(both)
	g := make([]float64, 2)
	sum := m.likelihood(whole, g) + m.likelihood(survivors(t, regular[:4]), g)
	near(t, "log-likelihood", f.LogLikelihood, sum, 1e-8)
	once, _ := FitSBG(whole)
	twice, _ := FitSBG(whole.Add(whole))
	nearly(t, "the same cohort twice", twice.Alpha, once.Alpha, 1e-7)
}

func TestContractVerdicts(t *testing.T) {
	for _, c := range []struct {
		left   []float64
		reason string
	}{
		{[]float64{1000}, "too few lost customers: 0, needs 10"},
		{[]float64{1000, 1000, 1000}, "too few lost customers: 0, needs 10"},
		{[]float64{1000, 995, 992}, "too few lost customers: 8, needs 10"},
		{[]float64{1000, 0}, "on the ridge: "},
		{[]float64{1000, 500}, "on the ridge: "},
		{[]float64{1000, 500, 250, 125}, "on the ridge: "},
	} {
		data := survivors(t, c.left)
		m, f := FitSBG(data)
		w, g := FitBdW(data)
		t.Logf("%v: %.4g %s; BdW %.4g %s", c.left, f.Values, f.Verdict.Reason, g.Values, g.Verdict.Reason)
		if !strings.HasPrefix(f.Verdict.Reason, c.reason) {
			t.Errorf("%v: verdict %v, want %q", c.left, f.Verdict, c.reason)
		}
		if g.Verdict.Kind == Converged && f.Verdict.Kind != Converged {
			t.Errorf("%v: BdW %v, sBG %v", c.left, g.Verdict, f.Verdict)
		}
		if f.Verdict.Usable() {
			near(t, "sBG", m.Survival(1), c.left[1]/c.left[0], 1e-3)
			near(t, "BdW", w.Survival(1), c.left[1]/c.left[0], 1e-3)
		}
	}
	for _, bad := range [][]float64{nil, {-1}, {10, 11}, {10, math.NaN()}, {math.Inf(1)}} {
		if _, err := Survivors(bad); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
}
