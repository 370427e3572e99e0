package ltv

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// What is no history to fit is said, for every model, without NaN and without a panic.
func TestVerdicts(t *testing.T) {
	repeat := func(n int, c RFM) []RFM {
		list := make([]RFM, n)
		for i := range list {
			list[i] = c
		}
		return list
	}
	for _, c := range []struct {
		name   string
		list   []RFM
		kind   VerdictKind
		reason string
	}{
		{"nobody", nil, TooFew, "too few repeaters: 0, needs 10"},
		{"one customer", []RFM{{5, 20, 30}}, TooFew, "too few repeaters: 1, needs 10"},
		{"all bought once", repeat(1000, RFM{0, 0, 30}), TooFew, "too few repeaters: 0, needs 10"},
		{"all came on the last day", repeat(1000, RFM{}), TooFew, "too few repeaters: 0, needs 10"},
		{"all equal", repeat(1000, RFM{3, 20, 30}), Ridge, "on the ridge: "},
		{"all equal but the last day", append(repeat(1000, RFM{3, 20, 30}), repeat(10, RFM{})...), Ridge, "on the ridge: "},
		{"one of a million purchases", append(repeat(10, RFM{1, 3, 30}), RFM{1000000, 29.9, 30}), "", ""},
		{"all on time", repeat(50, RFM{1, 30, 30}), Ridge, "on the ridge: "},
	} {
		s := compress(t, c.list)
		eachFamily(t, func(t *testing.T, f family) {
			m, fit := f.fit(s)
			t.Logf("%s: %.4g %s (%d evaluations)", c.name, fit.Values, fit.Verdict.Reason, fit.Evaluations)
			if c.kind != "" && fit.Verdict.Kind != c.kind || !strings.HasPrefix(fit.Verdict.Reason, c.reason) {
				t.Fatalf("%s: verdict %v, want %s %q", c.name, fit.Verdict, c.kind, c.reason)
			}
			if (fit.StandardErrors != nil) != (fit.Verdict.Kind == Converged) {
				t.Errorf("%s: standard errors %v with verdict %v", c.name, fit.StandardErrors, fit.Verdict)
			}
			if !fit.Verdict.Usable() {
				return
			}
			expectFinite(t, fit.Values, RFM{}, fit.LogLikelihood, math.Inf(-1))
			for i, p := range Predict(m, s, 26) {
				for _, v := range []float64{p.Alive, p.AliveLater, p.Expected, p.NoPurchase} {
					expectFinite(t, fit.Values, s.Rows()[i].RFM, v, 0)
				}
			}
		})
	}
}

// With all customers equal the expectation is the only rate there is: three purchases in
// twenty weeks and silence for ten.
func TestAllEqualStillPredicts(t *testing.T) {
	var list []RFM
	for i := range 400 {
		list = append(list, RFM{2 + i%2, 29 + float64(i%2), 30})
	}
	s := compress(t, list)
	eachFamily(t, func(t *testing.T, f family) {
		m, fit := f.fit(s)
		if fit.Verdict.Kind != Ridge {
			t.Fatalf("verdict %v, want a ridge", fit.Verdict)
		}
		for _, p := range Predict(m, s, 30) {
			near(t, fmt.Sprint(fit.Values, ": expected"), p.Expected, 2.5, .05)
		}
	})
}

// A likelihood without slope anywhere has no start that leads anywhere.
func TestNotMoved(t *testing.T) {
	p := &problem{model: "flat", names: []string{"θ"}, low: []float64{.1}, high: []float64{10}, starts: [][]float64{{1}, {2}},
		evaluate: func(theta, gradient []float64) float64 { return -3 }}
	f := p.fit()
	if f.Verdict.Kind != NotMoved || f.Values != nil || !strings.HasPrefix(f.Verdict.Reason, "did not move: ") {
		t.Errorf("%v with verdict %v, want not moved", f.Values, f.Verdict)
	}
}

// A likelihood that is no number ends the climb with words.
func TestStopped(t *testing.T) {
	p := &problem{model: "broken", names: []string{"θ"}, low: []float64{.1}, high: []float64{10}, starts: [][]float64{{1}},
		evaluate: func(theta, gradient []float64) float64 {
			gradient[0] = -1 / theta[0]
			if theta[0] < .5 {
				gradient[0] = math.NaN()
				return math.NaN()
			}
			return -math.Log(theta[0])
		}}
	f := p.fit()
	if f.Verdict.Usable() {
		t.Errorf("%v with verdict %v, want neither converged nor ridge", f.Values, f.Verdict)
	}
}

// A ridge is named by the side on which the likelihood falls less: here only the
// product of two parameters matters, and a third is the better the greater it is.
func TestRidgeIsNamed(t *testing.T) {
	product := func(theta []float64) float64 { return math.Log(theta[0] * theta[1]) }
	for want, limit := range map[string]float64{"on the ridge: c → ∞, any a and b: ": 1, "on the ridge: c → 0, any a and b: ": -1} {
		p := &problem{model: "ridge", names: []string{"a", "b", "c"}, low: []float64{1e-9, 1e-9, 1e-3}, high: []float64{1e9, 1e9, 1e3}, starts: [][]float64{{2, 3, 1}},
			evaluate: func(theta, gradient []float64) float64 {
				d := product(theta)
				gradient[0], gradient[1] = -200*d/theta[0], -200*d/theta[1]
				gradient[2] = limit / theta[2]
				return -100*d*d + limit*math.Log(theta[2])
			}}
		if f := p.fit(); f.Verdict.Kind != Ridge || !strings.HasPrefix(f.Verdict.Reason, want) {
			t.Errorf("%v: verdict %v, want %q", f.Values, f.Verdict, want)
		}
	}
	// Together to infinity: it gets better, ever more slowly.
	for want, sign := range map[string]float64{"on the ridge: a, b → ∞: both, says the test": 1, "on the ridge: a, b → 0: ": -1} {
		p := &problem{model: "ridge", names: []string{"a", "b"}, low: []float64{1e-9, 1e-9}, high: []float64{1e9, 1e9}, starts: [][]float64{{2, 3}},
			limits: []meaning{{where: "a, b → ∞", says: "both, says the test"}},
			evaluate: func(theta, gradient []float64) float64 {
				d, x := math.Log(theta[0]/theta[1]), math.Exp(-sign*math.Log(theta[0]))
				gradient[0], gradient[1] = (-200*d+sign*x)/theta[0], 200*d/theta[1]
				return -100*d*d - x
			}}
		if f := p.fit(); f.Verdict.Kind != Ridge || !strings.HasPrefix(f.Verdict.Reason, want) {
			t.Errorf("%v: verdict %v, want %q", f.Values, f.Verdict, want)
		}
	}
}

// A fit that starts on a sample ends where one on everything ends.
func TestSampleChangesNothing(t *testing.T) {
	s := compress(t, shop(60000))
	if s.thin(thinned) == s || math.Abs(s.thin(thinned).Customers()/float64(thinned)/(s.Customers()/float64(len(s.Rows())))-1) > .9 {
		t.Fatalf("%d rows are no large summary", len(s.Rows()))
	}
	_, f := FitBGNBD(s)
	p := &problem{names: f.Parameters, low: []float64{1e-3, 1e-3, 1e-3, 1e-3}, high: []float64{1e3, 1e3, 1e3, 1e3}, starts: [][]float64{{1, 1, 1, 1}},
		evaluate: func(theta, gradient []float64) float64 { return bg(theta).core().likelihood(s, gradient) }}
	whole := p.fit()
	nearly(t, "log-likelihood", f.LogLikelihood, whole.LogLikelihood, 1e-13)
	for i, v := range whole.Values {
		nearly(t, f.Parameters[i], f.Values[i], v, 1e-7)
		nearly(t, "error of "+f.Parameters[i], f.StandardErrors[i], whole.StandardErrors[i], 1e-4)
	}
}

// What is said of a ridge is true: where nobody is seen to be lost NBD expects as much, and
// regulars who have all fallen silent are not among those.
func TestRidgeSaysWhatItPredicts(t *testing.T) {
	var regulars, gone []RFM
	for i := range 400 {
		n := 3 + i%5
		regulars = append(regulars, RFM{n, 29 + float64(i%2), 30})
		gone = append(gone, RFM{n, float64(3 * n), 60 + float64(i%20)})
	}
	const nobody = "NBD says the same with two parameters"
	said := map[string]bool{}
	for name, list := range map[string][]RFM{"still there": regulars, "gone": gone} {
		s := compress(t, list)
		never, _ := FitNBD(s)
		total := func(m Model) (sum float64) {
			for i, p := range Predict(m, s, 26) {
				sum += s.Rows()[i].Customers * p.Expected
			}
			return sum
		}
		eachFamily(t, func(t *testing.T, f family) {
			m, fit := f.fit(s)
			if f.name == "NBD" || fit.Verdict.Kind != Ridge {
				return
			}
			lost := !strings.Contains(fit.Verdict.Reason, nobody)
			if got, want := total(m), total(never); lost != (got < .5*want) {
				t.Errorf("%s: %v, but it expects %.3g orders and NBD %.3g", name, fit.Verdict, got, want)
			}
			said[fmt.Sprint(name, lost)] = true
		})
	}
	if !said["still therefalse"] || !said["gonetrue"] {
		t.Errorf("only %v were seen", said)
	}
}
