package ltv

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mathext"
)

// bgbbDonations are the estimates on the donations of Fader, Hardie, Shang (2010), computed with scipy.
var bgbbDonations = BGBB{1.2035223, 0.7497164, 0.6567183, 2.7834427}

// donations are 11,104 first donors of 1995 and their six years after.
func donations(t *testing.T) *OpportunitiesSummary {
	t.Helper()
	var list []OpportunitiesRow
	for _, r := range rows(t, "cdnow", "donations.csv") {
		list = append(list, OpportunitiesRow{Opportunities{int(number(t, r[0])), int(number(t, r[1])), int(number(t, r[2]))}, number(t, r[3])})
	}
	s, err := NewOpportunitiesSummary(list)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Rows()) != 22 || s.Customers() != 11104 {
		t.Fatalf("%d rows of %v donors, want 22 of 11104", len(s.Rows()), s.Customers())
	}
	return s
}

func TestBGBBFit(t *testing.T) {
	s := donations(t)
	_, f := FitBGBB(s)
	// scipy; lifetimes and BTYD's walkthrough have 1.204, .750, .657, 2.783 and −33225.58.
	expectEstimates(t, f, []float64{1.2035223, 0.7497164, 0.6567183, 2.7834427}, []float64{.06939, .02945, .05101, .32082}, -33225.581274)
	var expanded []OpportunitiesRow
	for _, r := range slices.Backward(s.Rows()) {
		for range int(r.Customers) {
			expanded = append(expanded, OpportunitiesRow{r.Opportunities, 1})
		}
	}
	again, err := NewOpportunitiesSummary(expanded)
	if err != nil {
		t.Fatal(err)
	}
	if _, g := FitBGBB(again); !slices.Equal(g.Values, f.Values) {
		t.Errorf("expanded: %v, want the very same as %v", g.Values, f.Values)
	}
}

// bgbbPaper are the estimates that BTYD's walkthrough prints (p. 30) and the others round.
var bgbbPaper = BGBB{1.203528, .7497260, .6567808, 2.783796}

func TestBGBBLogLikelihood(t *testing.T) {
	m := bgbbPaper
	// pymc-marketing tests/clv/test_distributions.py, n = 6, at estimates that differ in the sixth digit.
	for _, c := range []struct {
		x, tx int
		want  float64
	}{
		{6, 6, -2.18167018824}, {5, 6, -4.29485034929}, {4, 6, -5.38473334360}, {3, 6, -5.80915881601}, {2, 6, -5.65172964525}, {1, 6, -4.88370164695},
		{5, 5, -3.71682127437}, {4, 5, -5.09558227343}, {3, 5, -5.61576884108}, {2, 5, -5.50636893346}, {1, 5, -4.76723821904},
		{4, 4, -3.84829625138}, {3, 4, -5.05936147828}, {2, 4, -5.19562191019}, {1, 4, -4.57070931973},
		{3, 3, -3.52745257839}, {2, 3, -4.51620272962}, {1, 3, -4.22465969453}, {2, 2, -3.01199924784}, {1, 2, -3.58817880928}, {1, 1, -2.28882847451}, {0, 0, -1.16751622367},
	} {
		near(t, fmt.Sprint(c.x, c.tx), m.LogLikelihood(Opportunities{c.x, c.tx, 6}), c.want, 3e-5)
	}
	for _, c := range []struct { // mpmath
		m    BGBB
		c    Opportunities
		want float64
	}{
		{BGBB{1.204, .750, .657, 2.783}, Opportunities{0, 0, 6}, -1.167262472673894},
		{BGBB{1.204, .750, .657, 2.783}, Opportunities{2, 4, 6}, -5.195697601042647},
		{BGBB{1.204, .750, .657, 2.783}, Opportunities{6, 6, 6}, -2.1822484476183},
		{BGBB{1.204, .750, .657, 2.783}, Opportunities{300, 350, 365}, -155.6366980489608},
		{BGBB{1.204, .750, .657, 2.783}, Opportunities{10, 20, 1000}, -19.61192367946362},
		{BGBB{.01, 40, 1000, 2}, Opportunities{0, 0, 6}, -5.003384948925609e-7},
		{BGBB{.01, 40, 1000, 2}, Opportunities{2, 4, 6}, -34.95283067486857},
		{BGBB{.01, 40, 1000, 2}, Opportunities{6, 6, 6}, -55.23680623293022},
		{BGBB{.01, 40, 1000, 2}, Opportunities{300, 350, 365}, -980.0032704849834},
		{BGBB{.01, 40, 1000, 2}, Opportunities{10, 20, 1000}, -124.7543048502136},
	} {
		near(t, fmt.Sprint(c.m, c.c), c.m.LogLikelihood(c.c), c.want, 1e-12*max(1, -c.want))
	}
}

// The probabilities of all histories of six opportunities sum to 1: a history is told by
// which opportunities were taken.
func TestBGBBHistoriesSumToOne(t *testing.T) {
	for _, m := range []BGBB{bgbbDonations, {.1, 30, 1e-3, 1e3}, {100, 1, 4, 1e-4}} {
		var sum float64
		for taken := range 1 << 6 {
			c := Opportunities{Count: 6}
			for i := range 6 {
				if taken&(1<<i) != 0 {
					c.Frequency++
					c.Recency = i + 1
				}
			}
			sum += math.Exp(m.LogLikelihood(c))
		}
		near(t, fmt.Sprint(m), sum, 1, 1e-12)
	}
}

func TestBGBBPredictions(t *testing.T) {
	m := bgbbPaper
	for i, want := range []float64{.4985, .9233, 1.2969, 1.6323, 1.9381, 2.2202, 2.4826, 2.7285, 2.9603, 3.1798, 3.3887} { // pymc-marketing
		near(t, fmt.Sprint("new donor, years: ", i+1), m.Expected(Opportunities{}, i+1), want, 1e-4)
	}
	near(t, "new donor, ten years", bgbbDonations.Expected(Opportunities{}, 10), 3.179805, 2e-4) // BTYD's walkthrough
	// The paper: probability to be alive in 2002.
	for c, want := range map[Opportunities]float64{{0, 0, 6}: .11, {2, 4, 6}: .59, {6, 6, 6}: .93} {
		near(t, fmt.Sprint(c), m.Alive(c), want, .005)
	}
	// BTYD's walkthrough: ten years of donors A and B.
	near(t, "donor A", bgbbDonations.Expected(Opportunities{0, 0, 6}, 10), .1302169, 2e-5)
	near(t, "donor B", bgbbDonations.Expected(Opportunities{4, 5, 6}, 10), 3.627858, 2e-4)
	fitted, _ := FitBGBB(donations(t))
	var sum float64
	for _, r := range donations(t).Rows() {
		sum += r.Customers * fitted.Expected(r.Opportunities, 5)
	}
	near(t, "all donors, five years", sum, 12884.157, .01)
	// lifetimes: expected donors by donations in six years.
	near(t, "none", 11104*fitted.Count(Opportunities{}, 0, 6), 3454.9, .06)
	near(t, "all six", 11104*fitted.Count(Opportunities{}, 6, 6), 1253.1, .06)
	// BTYD's walkthrough: donations by year.
	for i, want := range []float64{5535.833, 4717.059, 4147.621, 3724.665, 3395.888, 3131.647, 2913.778, 2730.482, 2573.731, 2437.854, 2318.727} {
		e := fitted.Expected(Opportunities{}, i+1) - fitted.Expected(Opportunities{}, i)
		nearly(t, fmt.Sprint("year ", 1996+i), 11104*e, want, 3e-5)
	}
	// and by frequency, the mean of the five years after.
	mean, n := make([]float64, 7), make([]float64, 7)
	for _, r := range donations(t).Rows() {
		mean[r.Frequency] += r.Customers * fitted.Expected(r.Opportunities, 5)
		n[r.Frequency] += r.Customers
	}
	for x, want := range []float64{7.286318e-02, .3248841, .7089417, 1.333666, 2.031203, 2.784482, 3.752500} {
		nearly(t, fmt.Sprint("frequency ", x), mean[x]/n[x], want, 1e-4)
	}
}

func TestBGBBProperties(t *testing.T) {
	for _, m := range []BGBB{bgbbDonations, {.3, 4, 1, 1}, {20, 9, .2, 40}} {
		for _, c := range []Opportunities{{}, {0, 0, 6}, {2, 4, 6}, {6, 6, 6}, {300, 350, 365}} {
			var sum, mean float64
			for k := range 13 {
				p := m.Count(c, k, 12)
				sum += p
				mean += float64(k) * p
			}
			near(t, fmt.Sprint(m, c, ": sum of probabilities"), sum, 1, 1e-12)
			nearly(t, fmt.Sprint(m, c, ": mean of the counts"), mean, m.Expected(c, 12), 1e-11)
			near(t, fmt.Sprint(m, c, ": impossible"), m.Count(c, 13, 12)+m.Count(c, -1, 12), 0, 0)
			// Ten percent per opportunity: the sum over a thousand is all there is, and so is ₂F₁.
			var discounted float64
			for k := 1; k <= 1000; k++ {
				discounted += m.AliveLater(c, k-1) * m.chance(c) * math.Pow(1.1, -float64(k))
			}
			nearly(t, fmt.Sprint(m, c, ": discounted"), m.Discounted(c, .1), discounted, 1e-9)
			d := m.Delta + float64(c.Count)
			if m.Gamma+d < 100 {
				closed := m.AliveLater(c, 0) * m.chance(c) / 1.1 * mathext.Hypergeo(1, d+1, m.Gamma+d+1, 1/1.1)
				nearly(t, fmt.Sprint(m, c, ": ₂F₁"), m.Discounted(c, .1), closed, 1e-9)
			}
			if !(m.Discounted(c, .2) < m.Discounted(c, .1)) || !math.IsInf(m.Discounted(c, 0), 1) {
				t.Errorf("%v %v: the present value does not fall with the discount", m, c)
			}
		}
	}
}

func TestBGBBGradient(t *testing.T) {
	for _, m := range []BGBB{bgbbDonations, {.01, 40, 1e3, 2}} {
		for _, c := range []Opportunities{{0, 0, 6}, {2, 4, 6}, {6, 6, 6}, {1, 1, 40}, {300, 350, 365}, {}} {
			theta := []float64{m.Alpha, m.Beta, m.Gamma, m.Delta}
			analytic := make([]float64, 4)
			m.likelihood(c, analytic)
			for i := range theta {
				step := 1e-4 * theta[i]
				at := func(d float64) float64 {
					p := slices.Clone(theta)
					p[i] += d
					return BGBB{p[0], p[1], p[2], p[3]}.LogLikelihood(c)
				}
				numeric := (8*(at(step)-at(-step)) - (at(2*step) - at(-2*step))) / (12 * step)
				near(t, fmt.Sprint(m, c, " slope ", i), analytic[i], numeric, 1e-7*math.Abs(numeric)+1e-10*max(1, math.Abs(m.LogLikelihood(c)))/step*1e-3)
			}
		}
	}
}

func TestBGBBVerdicts(t *testing.T) {
	for _, c := range []struct {
		rows   []OpportunitiesRow
		reason string
	}{
		{nil, "too few repeaters: 0"},
		{[]OpportunitiesRow{{Opportunities{0, 0, 6}, 500}}, "too few repeaters: 0"},
		{[]OpportunitiesRow{{Opportunities{3, 6, 6}, 1}}, "too few repeaters: 1"},
		{[]OpportunitiesRow{{Opportunities{6, 6, 6}, 500}}, "on the ridge: "},
		{[]OpportunitiesRow{{Opportunities{3, 6, 6}, 500}}, "on the ridge: "},
	} {
		s, err := NewOpportunitiesSummary(c.rows)
		if err != nil {
			t.Fatal(err)
		}
		m, f := FitBGBB(s)
		t.Logf("%v: %.4g %s", c.rows, f.Values, f.Verdict.Reason)
		if !strings.HasPrefix(f.Verdict.Reason, c.reason) {
			t.Errorf("%v: verdict %v, want %q", c.rows, f.Verdict, c.reason)
		}
		if f.Verdict.Usable() {
			one := c.rows[0].Opportunities
			nearly(t, "as often as before", m.Expected(one, 6), float64(one.Frequency), 1e-2)
		}
	}
	for _, bad := range []OpportunitiesRow{{Opportunities{-1, 0, 6}, 1}, {Opportunities{3, 2, 6}, 1}, {Opportunities{1, 7, 6}, 1}, {Opportunities{0, 2, 6}, 1}, {Opportunities{1, 2, 6}, 0}} {
		if _, err := NewOpportunitiesSummary([]OpportunitiesRow{{Opportunities{1, 2, 6}, 1}, bad}); err == nil || !strings.HasPrefix(err.Error(), "row 1: ") {
			t.Errorf("%v: error %v, want one that names row 1", bad, err)
		}
	}
}
