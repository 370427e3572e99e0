package ltv

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func spends(list []customer) []Spend {
	out := make([]Spend, len(list))
	for i, c := range list {
		out[i] = c.Spend
	}
	return out
}

func compressSpend(t *testing.T, list []Spend) *SpendSummary {
	t.Helper()
	s, err := CompressSpend(list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// roundedSpend is the spend as the lifetimes package ships it, rounded to cents.
func roundedSpend(t *testing.T) []Spend {
	t.Helper()
	var list []Spend
	for _, r := range rows(t, "cdnow", "cdnow_customers_summary_with_transactions.csv") {
		list = append(list, Spend{int(number(t, r[1])), number(t, r[4])})
	}
	return list
}

func TestGammaGammaFit(t *testing.T) {
	s := compressSpend(t, spends(cdnow(t)))
	near(t, "customers", s.Customers(), 946, 0)
	_, f := FitGammaGamma(s)
	// scipy on the same customers; lifetimes and CLVTools have 6.25, 3.74, 15.44 and −4055.9177.
	expectEstimates(t, f, []float64{6.2495725, 3.7442247, 15.4435210}, []float64{1.19005, .29013, 4.15939}, -4055.917695)
	rounded := compressSpend(t, roundedSpend(t))
	_, f = FitGammaGamma(rounded)
	expectEstimates(t, f, []float64{6.24880, 3.74459, 15.44775}, nil, -4055.923244)
	near(t, "correlation", rounded.Correlation(), 0.113884, 5e-7) // lifetimes docs/Quickstart.md
}

func TestGammaGammaLogLikelihood(t *testing.T) {
	near(t, "one customer", GammaGamma{6.25, 3.74, 15.44}.LogLikelihood(Spend{50, 38}), -4.1702138, 5e-8) // mpmath
	// A density of the mean: its integral is 1.
	m := GammaGamma{2, 3, 10}
	var sum float64
	for i := range 40000 {
		mean := math.Exp(-20 + float64(i)*.001)
		sum += math.Exp(m.LogLikelihood(Spend{3, mean})) * mean * .001
	}
	near(t, "integral", sum, 1, 1e-9)
}

func TestGammaGammaMean(t *testing.T) {
	// lifetimes docs/Quickstart.md, at 6.25, 3.74, 15.44 of more digits.
	m := GammaGamma{6.25, 3.74, 15.44}
	list := roundedSpend(t)
	for i, want := range []float64{24.658619, 18.911489, 35.170981, 35.170981, 35.170981, 71.462843, 18.911489, 35.170981, 27.282408, 35.170981} {
		near(t, fmt.Sprint("customer ", i+1), m.Mean(list[i]), want, .05)
	}
	fitted, _ := FitGammaGamma(compressSpend(t, list))
	var sum, raw, n float64
	for _, c := range list {
		sum += fitted.Mean(c)
		if c.Mean > 0 {
			raw += c.Mean
			n++
		}
	}
	near(t, "mean of expectations", sum/float64(len(list)), 35.2529588256, 1e-3)
	near(t, "mean spend", raw/n, 35.078551797, 1e-6)
	near(t, "population", fitted.Mean(Spend{}), fitted.V*fitted.P/(fitted.Q-1), 1e-12)
	if v := (GammaGamma{6, .9, 15}).Mean(Spend{}); !math.IsInf(v, 1) {
		t.Errorf("mean spend without bound is %v, want +Inf", v)
	}
}

func TestGammaGammaGradient(t *testing.T) {
	s := compressSpend(t, []Spend{{1, 12}, {1, 30}, {2, 7.5}, {40, 33}, {10000, 35}, {0, 0}})
	for _, theta := range [][]float64{{6.25, 3.74, 15.44}, {.4, .9, 200}} {
		m := GammaGamma{theta[0], theta[1], theta[2]}
		analytic := make([]float64, 3)
		value := m.likelihood(s, analytic)
		var sum float64
		for _, r := range s.Rows() {
			sum += m.LogLikelihood(r.Spend)
		}
		nearly(t, "sum over customers", value, sum, 1e-11)
		for i := range theta {
			step := 5e-4 * theta[i]
			at := func(d float64) float64 {
				moved := slices.Clone(theta)
				moved[i] += d
				return GammaGamma{moved[0], moved[1], moved[2]}.likelihood(s, make([]float64, 3))
			}
			numeric := (8*(at(step)-at(-step)) - (at(2*step) - at(-2*step))) / (12 * step)
			near(t, fmt.Sprint("slope ", i, " at ", theta), analytic[i], numeric, 1e-6*math.Abs(numeric)+1e-6/theta[i])
		}
	}
}

// The currency, the order of customers and the way they are counted change nothing.
func TestGammaGammaFitDoesNotDependOnCurrencyOrderOrCounting(t *testing.T) {
	list := spends(cdnow(t))
	cents, shuffled := slices.Clone(list), slices.Clone(list)
	for i := range cents {
		cents[i].Mean *= 100
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	s := compressSpend(t, list)
	counted, err := NewSpendSummary(s.Rows())
	if err != nil {
		t.Fatal(err)
	}
	m, fit := FitGammaGamma(s)
	for _, other := range []*SpendSummary{compressSpend(t, shuffled), counted} {
		if _, f := FitGammaGamma(other); !slices.Equal(f.Values, fit.Values) {
			t.Errorf("%v, want the very same as %v", f.Values, fit.Values)
		}
	}
	mc, _ := FitGammaGamma(compressSpend(t, cents))
	nearly(t, "mean in cents", mc.Mean(cents[0]), 100*m.Mean(list[0]), 1e-8)
}

func TestGammaGammaVerdicts(t *testing.T) {
	many := func(n int, c Spend) []Spend {
		list := make([]Spend, n)
		for i := range list {
			list[i] = c
		}
		return list
	}
	for _, c := range []struct {
		name   string
		list   []Spend
		reason string
	}{
		{"nobody", nil, "too few customers with a repeat purchase of positive value: 0, needs 10"},
		{"no repeaters", many(50, Spend{0, 0}), "too few customers"},
		{"everything refunded", many(50, Spend{2, 0}), "too few customers"},
		{"negative", many(50, Spend{2, -3}), "too few customers"},
		{"all equal", many(50, Spend{2, 9.99}), "on the ridge: "},
	} {
		s := compressSpend(t, c.list)
		m, f := FitGammaGamma(s)
		t.Logf("%s: %.4g %s", c.name, f.Values, f.Verdict.Reason)
		if !strings.HasPrefix(f.Verdict.Reason, c.reason) {
			t.Errorf("%s: verdict %v, want %q", c.name, f.Verdict, c.reason)
		}
		if f.Verdict.Usable() {
			nearly(t, c.name+": mean", m.Mean(c.list[0]), c.list[0].Mean, 1e-3)
		}
	}
	if s := compressSpend(t, append(many(3, Spend{2, -3}), Spend{4, 1})); s.Unusable() != 3 || s.Customers() != 1 {
		t.Errorf("%v unusable of %v customers, want 3 and 1", s.Unusable(), s.Customers())
	}
	for _, bad := range []Spend{{-1, 3}, {2, math.NaN()}, {2, math.Inf(1)}} {
		if _, err := CompressSpend([]Spend{{1, 1}, bad}); err == nil || !strings.HasPrefix(err.Error(), "customer 1: ") {
			t.Errorf("%v: error %v, want one that names customer 1", bad, err)
		}
	}
	if _, err := NewSpendSummary([]SpendRow{{Spend{1, 1}, 0}}); err == nil {
		t.Error("no error for a weight of nothing")
	}
	// Means with a tail so heavy that the population's mean has no bound: it fits, and says so.
	random := newSource(5)
	var heavy []Spend
	for range 3000 {
		heavy = append(heavy, Spend{1, 10 * random.gamma(3) / random.gamma(.6)})
	}
	if _, f := FitGammaGamma(compressSpend(t, heavy)); f.Verdict.Kind != Converged || !strings.Contains(f.Verdict.Reason, "has no bound") {
		t.Errorf("%v: verdict %v, want converged with a warning", f.Values, f.Verdict)
	}
}
