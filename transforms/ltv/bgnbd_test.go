package ltv

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/mathext"
)

// bgnbdCDNOW are the estimates on the CDNOW calibration (2,357 customers, weeks = days/7),
// computed with scipy.
var bgnbdCDNOW = BGNBD{0.2425945, 4.4136024, 0.7929221, 2.4259069}

// expectEstimates compares a fit with published or computed estimates: parameters to
// 1e-4, standard errors to 1e-3 (nil: none given), log-likelihood to 1e-6.
func expectEstimates(t *testing.T, f Fit, values, errors []float64, logLikelihood float64) {
	t.Helper()
	if f.Verdict != (Verdict{Converged, "converged"}) {
		t.Fatalf("%s: verdict %v, want converged", f.Model, f.Verdict)
	}
	near(t, f.Model+": log-likelihood", f.LogLikelihood, logLikelihood, 1.5e-6)
	for i, v := range values {
		nearly(t, f.Model+": "+f.Parameters[i], f.Values[i], v, 1e-4)
	}
	for i, v := range errors {
		nearly(t, f.Model+": standard error of "+f.Parameters[i], f.StandardErrors[i], v, 1e-3)
	}
	t.Logf("%s: %.7g ± %.5g, log-likelihood %.6f, %d evaluations", f.Model, f.Values, f.StandardErrors, f.LogLikelihood, f.Evaluations)
}

func TestBGNBDFit(t *testing.T) {
	_, f := FitBGNBD(cdnowSummary(t))
	// scipy on the same customers; CLVTools test_correctness_bgnbd.R has 0.2425945, 4.4136019,
	// 0.7929199, 2.4258881 and −9582.429.
	expectEstimates(t, f, []float64{0.2425945, 4.4136024, 0.7929221, 2.4259069},
		[]float64{.012557, .37822, .18573, .70541}, -9582.429207)
	// lifetimes docs/Quickstart.md prints the errors and 95 % intervals of its rounded file.
	_, rounded := FitBGNBD(roundedSummary(t))
	expectEstimates(t, rounded, []float64{0.242593, 4.413532, 0.792886, 2.425752},
		[]float64{0.012557, 0.378221, 0.185719, 0.705345}, -9582.425561)
	near(t, "AIC", rounded.AIC(), 8+2*9582.425561, 1e-5)
	// lifetimes computes r ± 1.96 s; on the logarithms the interval is shifted by a tenth of s.
	near(t, "r, low", rounded.Intervals(1.96)[0][0], .217981, 1.5e-3)
	near(t, "r, high", rounded.Intervals(1.96)[0][1], .267205, 1.5e-3)
}

// roundedSummary is the same customers as the lifetimes package ships them, in weeks
// rounded to two decimals.
func roundedSummary(t *testing.T) *Summary {
	t.Helper()
	var list []RFM
	for _, r := range rows(t, "cdnow", "cdnow_customers_summary.csv") {
		list = append(list, RFM{int(number(t, r[1])), number(t, r[2]), number(t, r[3])})
	}
	return compress(t, list)
}

func TestBGNBDLogLikelihood(t *testing.T) {
	m := BGNBD{R: .25, Alpha: 4, A: .8, B: 2.5}
	// pymc-marketing tests/clv/test_distributions.py, more digits from mpmath.
	near(t, "x=0", m.LogLikelihood(RFM{0, 0, 40}), -0.5994738182, 1e-10)
	near(t, "x=200", m.LogLikelihood(RFM{200, 38, 40}), 100.7956930927, 1e-9)
	near(t, "one day, bought nothing", m.LogLikelihood(RFM{}), 0, 0)
}

// bgnbdClosed is the closed form of the expected purchases (equation 10 of the paper).
func bgnbdClosed(m BGNBD, c RFM, t float64) float64 {
	n, b := m.R+float64(c.Frequency), m.B+float64(c.Frequency)
	z := t / (m.Alpha + c.Age + t)
	f := mathext.Hypergeo(n, b, m.A+b-1, z)
	return m.Alive(c) * (m.A + b - 1) / (m.A - 1) * (1 - math.Pow(1-z, n)*f)
}

func TestBGNBDQuadratureEqualsClosedForm(t *testing.T) {
	for _, m := range []BGNBD{bgnbdCDNOW, {.16, 1.86, 1.85, 3.18}, {2, 30, .3, 5}, {.6, 3, 2.5, .7}, {5, 10, 4, 20}} {
		for _, c := range []RFM{{}, {0, 0, 38.9}, {2, 30, 38}, {7, 29, 39}, {26, 30, 31}, {60, 50, 51}} {
			for _, after := range []float64{1, 39, 300} {
				nearly(t, fmt.Sprint(m, c, after), Expected(m, c, after), bgnbdClosed(m, c, after), 1e-9)
			}
		}
	}
}

// Where the closed form is no number, or has lost its digits.
func TestBGNBDExpectedWhereTheClosedFormFails(t *testing.T) {
	for _, c := range []struct {
		source string
		m      BGNBD
		c      RFM
		t      float64
		want   float64
	}{
		// lifetimes returns NaN for both (issue 302, pull request 206); values from mpmath.
		{"a + b < 1", BGNBD{.11, 2.24, .31, .50}, RFM{0, 0, 1}, 30, .5645886155},
		{"tiny a and b", BGNBD{.5458741247, 13.4093163946, .0009994943799, .0389902214}, RFM{0, 0, 100}, 30, .1437911362},
		{"a = 1", BGNBD{.25, 4.4, 1, 2.4}, RFM{2, 30, 38}, 39, 1.125538303},
		{"a = 1 + 1e-12", BGNBD{.25, 4.4, 1 + 1e-12, 2.4}, RFM{2, 30, 38}, 39, 1.125538303},
	} {
		near(t, c.source, Expected(c.m, c.c, c.t), c.want, 1e-9)
	}
}

// Rows by powers are the same as in logarithms, and both are used.
func TestBGNBDPowersEqualLogarithms(t *testing.T) {
	list := shop(20000)
	for day := 40; day < 900; day++ {
		list = append(list, RFM{1500, float64(day-30) / 7, float64(day) / 7})
	}
	s := compress(t, list)
	for _, m := range []geometric{bgnbdCDNOW.core(), mbgnbdCDNOW.core(), {2, 300, .01, 30, 0}} {
		points, alive, powers := m.points(s), m.aliveRows(s), 0
		for g, group := range s.groups {
			n, odds := m.r+float64(group.frequency), m.odds(group.frequency)
			for i := group.from; i < group.to; i += 97 {
				near(t, fmt.Sprint(m, s.rows[i], ": alive"), alive[i], m.alive(s.rows[i].RFM), 1e-12)
			}
			if !s.powers(g, points, n, odds) {
				continue
			}
			powers++
			fast, slow := s.bracket(g, points, n, odds), s.bracketInLogs(g, points, n, odds)
			what := fmt.Sprint(m, group)
			nearly(t, what+": all", fast.all, slow.all, 1e-12)
			near(t, what+": lost", fast.lost, slow.lost, 1e-10*slow.all)
			nearly(t, what+": ln time", fast.logTime, slow.logTime, 1e-10)
			nearly(t, what+": inverse time", fast.inverseTime, slow.inverseTime, 1e-10)
			near(t, what+": brackets", fast.bracket, slow.bracket, 1e-10*max(1, math.Abs(slow.bracket)))
		}
		if powers < 10 || powers == len(s.groups) {
			t.Errorf("%v: powers serve %d of %d groups, want both ways used", m, powers, len(s.groups))
		}
	}
}

func TestBGNBDNewCustomer(t *testing.T) {
	// Expected repeat purchases of a new customer by week: scipy; Hardie's spreadsheet has
	// the first three decimals, BTYD's walkthrough 1.444004 for 52 weeks at its estimates.
	for week, want := range map[float64]float64{1. / 7: .007814, 1: .053184, 3: .150631, 223. / 7: 1.040490, 32: 1.043732, 52: 1.444012, 78: 1.857958} {
		near(t, fmt.Sprint("week ", week), Expected(bgnbdCDNOW, RFM{}, week), want, 6e-7)
	}
	// Probability of n purchases: lifetimes test_estimation.py, from Hardie's spreadsheet.
	m := BGNBD{.243, 4.414, .793, 2.426}
	nearly(t, "P(10 in 2)", Count(m, RFM{}, 10, 2), 1.07869e-07, 1e-5)
	near(t, "P(0 in 39)", Count(m, RFM{}, 0, 39), .5737864, 1e-7)
	for i, want := range []float64{.0019995214, .0015170236, .0011633150, .0009003148, .0007023638, .0005517902, .0004361913, .0003467171, .0002769613, .0002222260} {
		near(t, fmt.Sprintf("P(%d in 30)", 11+i), Count(m, RFM{}, 11+i, 30), want, 1e-10)
	}
}

func TestBGNBDCustomers(t *testing.T) {
	// Predictions at the estimates: scipy; for customer 1516 BTYD's walkthrough prints
	// 25.75659 and .9688523 at its own estimates, for (2, 30.43, 38.86) lifetimes 1.226 ± .001.
	for _, c := range []struct {
		c                   RFM
		cet39, cet52, alive float64
		within              float64
	}{
		{RFM{2, 30.43, 38.86}, 1.225907, 1.558578, .726609, 1e-6},
		{RFM{26, 216. / 7, 31}, 20.7489, 25.75659, .9688523, 1e-3},
		{RFM{0, 0, 272. / 7}, .194794, .251682, 1, 1e-6},
		{RFM{1, 12. / 7, 272. / 7}, .203419, .260122, .212391, 1e-6},
		{RFM{7, 29.43, 38.86}, 3.337185, 4.199048, .641795, 1e-6},
	} {
		near(t, fmt.Sprint(c.c, " in 39 weeks"), Expected(bgnbdCDNOW, c.c, 39), c.cet39, c.within)
		near(t, fmt.Sprint(c.c, " in 52 weeks"), Expected(bgnbdCDNOW, c.c, 52), c.cet52, c.within)
		near(t, fmt.Sprint(c.c, " alive"), bgnbdCDNOW.Alive(c.c), c.alive, 3e-6)
	}
	btyd := BGNBD{0.2425967, 4.413659, 0.7929869, 2.426164} // BTYD-walkthrough.pdf p. 20
	near(t, "1516 in 52 weeks", Expected(btyd, RFM{26, 216. / 7, 31}, 52), 25.75659, 1e-5)
	near(t, "1516 alive", btyd.Alive(RFM{26, 216. / 7, 31}), .9688523, 1e-7)
	// The paradox of frequency, BTYD-walkthrough.pdf: the more purchases before the silence, the fewer after.
	for x, want := range map[int]float64{10: .3474606, 15: .04283391, 20: .004158973, 25: .0003583685} {
		nearly(t, fmt.Sprint("x=", x), Expected(btyd, RFM{x, 20, 39}, 52), want, 1e-3)
	}
	// Present value at 10 % a year, per week: mpmath, by ₂F₁ over time and by U over the loss.
	rate := math.Log(1.1) / 52
	for _, c := range []struct {
		c    RFM
		want float64
	}{{RFM{2, 213. / 7, 272. / 7}, 6.3607283}, {RFM{26, 216. / 7, 31}, 85.187813}, {RFM{0, 0, 272. / 7}, 1.2993049}} {
		nearly(t, fmt.Sprint(c.c, " discounted"), Discounted(bgnbdCDNOW, c.c, rate), c.want, 1e-7)
	}
}

// The five best customers of lifetimes docs/Quickstart.md, the totals and the held-out
// frequencies of BTYD-walkthrough.pdf.
func TestBGNBDPopulation(t *testing.T) {
	list := cdnow(t)
	m, _ := FitBGNBD(compress(t, rfms(list)))
	want := map[int]float64{509: .424877, 841: .474738, 1981: .486526, 157: .662396, 1516: .710623}
	for id, v := range want {
		near(t, fmt.Sprint("customer ", id), Expected(m, list[id-1].RFM, 1), v, 1e-4)
	}
	expectHoldout(t, list, m, 1653.41, []float64{.2250893, .5231364, 1.044126, 1.520256, 2.163824, 2.653789, 3.503957, 6.157036})
}

// expectHoldout compares the total expected in the 39 weeks after calibration (scipy) and
// the mean by calibration frequency, 7 and more in one (BTYD-walkthrough.pdf).
func expectHoldout(t *testing.T, list []customer, m Model, total float64, means []float64) {
	t.Helper()
	var sum, actual float64
	var expected, came, counts [8]float64
	for _, c := range list {
		e := Expected(m, c.RFM, 39)
		sum += e
		actual += c.holdout
		expected[min(c.Frequency, 7)] += e
		came[min(c.Frequency, 7)] += c.holdout
		counts[min(c.Frequency, 7)]++
	}
	near(t, "expected in 39 weeks", sum, total, .006)
	near(t, "actual in 39 weeks", actual, 1882, 0)
	for i, n := range []float64{1411, 439, 214, 100, 62, 38, 29, 64} {
		near(t, fmt.Sprint("customers with frequency ", i), counts[i], n, 0)
		near(t, fmt.Sprint("mean that came at frequency ", i), came[i]/n, []float64{.237, .697, 1.393, 1.560, 2.532, 2.947, 3.862, 6.359}[i], 6e-4)
		if means != nil {
			nearly(t, fmt.Sprint("mean at frequency ", i), expected[i]/n, means[i], 1e-3)
		}
	}
}
