package ltv

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/integrate/quad"
	"gonum.org/v1/gonum/mathext"
)

// paretoCDNOW are the estimates on the CDNOW calibration, computed with scipy.
var paretoCDNOW = ParetoNBD{0.5532771, 10.5776840, 0.6062400, 11.6687365}

func TestParetoNBDFit(t *testing.T) {
	_, f := FitParetoNBD(cdnowSummary(t))
	// scipy on the same customers; CLVTools test_correctness_pnbd_nocovstaticcov.R has .55315,
	// 10.57633, .60625, 11.67150 ± .04763, .84272, .18726, 6.21054 and −9594.976.
	expectEstimates(t, f, []float64{0.5532771, 10.5776840, 0.6062400, 11.6687365}, []float64{.04763, .84272, .18728, 6.21102}, -9594.976179)
	_, rounded := FitParetoNBD(roundedSummary(t))
	expectEstimates(t, rounded, []float64{.5532755, 10.5776125, .6062134, 11.6679069}, nil, -9594.973930)
}

// paretoClosed is ln L with Fader and Hardie's A₀ and two ₂F₁ (2005, equation 22).
func paretoClosed(m ParetoNBD, c RFM) float64 {
	x := float64(c.Frequency)
	a, b, n := max(m.Alpha, m.Beta), m.S+1, m.R+m.S+x
	if m.Alpha < m.Beta {
		b = m.R + x
	}
	f := func(t float64) float64 {
		return mathext.Hypergeo(n, b, n+1, math.Abs(m.Alpha-m.Beta)/(a+t))
	}
	logA0 := -n*math.Log(a+c.Recency) + math.Log(f(c.Recency)-f(c.Age)*math.Exp(n*(math.Log(a+c.Recency)-math.Log(a+c.Age))))
	return lgamma(m.R+x) - lgamma(m.R) + m.R*math.Log(m.Alpha) + m.S*math.Log(m.Beta) +
		addLogs(-(m.R+x)*math.Log(m.Alpha+c.Age)-m.S*math.Log(m.Beta+c.Age), math.Log(m.S/n)+logA0)
}

func TestParetoNBDIntegralEqualsClosedForm(t *testing.T) {
	for _, m := range []ParetoNBD{paretoCDNOW, {.55, 10.56, .61, 11.64}, {.5, 4, 1.2, 4.5}, {2, 12, .3, 9}, {.3, 5, 2, 4.9}} {
		for _, c := range []RFM{{0, 0, 38.9}, {1, 1.7, 38.9}, {2, 30, 38}, {7, 29, 39}, {12, 30, 31}} {
			near(t, fmt.Sprint(m, c), m.LogLikelihood(c), paretoClosed(m, c), 1e-9)
		}
	}
}

// Where the closed form needs care: α = β, t_x = T, many purchases, a short time without
// any, parameters that differ a thousandfold. The values are 40-digit integrals of mpmath.
func TestParetoNBDLogLikelihood(t *testing.T) {
	for _, c := range []struct {
		m    ParetoNBD
		c    RFM
		want float64
	}{
		{ParetoNBD{0.55, 10.56, 0.61, 10.56}, RFM{3, 10, 39}, -10.84668743689009},
		{ParetoNBD{0.5532771, 10.577684, 0.60624, 11.6687365}, RFM{4, 39, 39}, -15.30534429357553},
		{ParetoNBD{0.5532771, 10.577684, 0.60624, 11.6687365}, RFM{1000, 30, 31}, 2196.398182669505},
		{ParetoNBD{0.5532771, 10.577684, 0.60624, 11.6687365}, RFM{3, 38.9999, 39}, -12.66967258838908},
		{ParetoNBD{0.5, 0.001, 0.6, 1000}, RFM{2, 20, 40}, -12.95906324894322},
		{ParetoNBD{0.5, 1000, 0.6, 0.001}, RFM{2, 20, 40}, -20.1334992453557},
		{ParetoNBD{0.5, 1000, 0.6, 0.001}, RFM{0, 0, 40}, -8.395420344861827e-5},
		{ParetoNBD{10000.0, 100000.0, 0.5, 0.02}, RFM{9, 20, 40}, -27.58766151711609},
		{ParetoNBD{10.6, 11.7, 0.6, 11.7}, RFM{10000, 300, 301}, 24716.28314805451},
		{ParetoNBD{10.6, 11.7, 0.6, 8}, RFM{10000, 20, 301}, 47599.09879139731},
		{ParetoNBD{0.5, 10, 10000.0, 100000.0}, RFM{3, 20, 40}, -12.8053421306993},
	} {
		nearly(t, fmt.Sprint(c.m, c.c), c.m.LogLikelihood(c.c), c.want, 1e-11)
	}
	near(t, "bought nothing in no time", paretoCDNOW.LogLikelihood(RFM{}), 0, 0)
}

// lifetimes' tests: these must be finite (the first three), and CLVTools' P(alive) of
// customers whose powers overflow; values from mpmath.
func TestParetoNBDStability(t *testing.T) {
	m := ParetoNBD{10.465, 7.98565181e-03, 3.0516, 2.820}
	for _, c := range []RFM{{400, 5, 6}, {500, 1, 37}, {500, 4, 37}} {
		expectFinite(t, nil, c, m.LogLikelihood(c), math.Inf(-1))
		expectFinite(t, nil, c, m.Alive(c), 0)
	}
	m = ParetoNBD{.5143, 2.8845, .2856, 14.1087}
	for _, c := range []struct {
		c    RFM
		want float64
	}{
		{RFM{221, 103.42857, 103.57143}, .999596}, {RFM{254, 97.14286, 97.28571}, .999558},
		{RFM{161, 94.71429, 98}, .749488}, {RFM{204, 98.57143, 99.42857}, .994255},
	} {
		near(t, fmt.Sprint("CLVTools' overflow ", c.c), m.Alive(c.c), c.want, 6e-7)
	}
	for x, want := range map[int]float64{132: 6.2060517889632418, 133: 6.2528722475748113} {
		nearly(t, fmt.Sprint("lifetimes' underflow at x=", x), Expected(ParetoNBD{.55, 10.58, .61, 11.67}, RFM{x, 200, 200}, 10), want, 1e-9)
	}
}

func TestParetoNBDNewCustomer(t *testing.T) {
	// Expected repeat purchases of a new customer by week, scipy; BTYD's walkthrough has 1.473434 for 52.
	for week, want := range map[float64]float64{1. / 7: .007445, 1: .051006, 3: .146134, 223. / 7: 1.052908, 32: 1.056268, 52: 1.473434, 78: 1.909866} {
		near(t, fmt.Sprint("week ", week), Expected(paretoCDNOW, RFM{}, week), want, 6e-7)
	}
	// lifetimes test_estimation.py
	m := ParetoNBD{.55, 10.56, .61, 11.64}
	for week, want := range []float64{0, .05077821, .09916088, .14542507, .18979930, .23247466, .27361274, .31335159, .35181024, .38909211} {
		near(t, fmt.Sprint("week ", week), Expected(m, RFM{}, float64(week)), want, 5.1e-9)
	}
	// s = 1 is the limit, not a division by zero.
	near(t, "s = 1", Expected(ParetoNBD{.55, 10.56, 1, 11.64}, RFM{}, 9), (Expected(ParetoNBD{.55, 10.56, 1 - 1e-7, 11.64}, RFM{}, 9)+Expected(ParetoNBD{.55, 10.56, 1 + 1e-7, 11.64}, RFM{}, 9))/2, 1e-12)
}

func TestParetoNBDCustomers(t *testing.T) {
	// Predictions at the estimates: scipy. For customer 1516 BTYD's walkthrough prints 25.45647 and .997874 at its estimates.
	for _, c := range []struct {
		c                   RFM
		cet39, cet52, alive float64
		within              float64
	}{
		{RFM{2, 30.43, 38.86}, 1.455099, 1.850763, .869116, 1e-6},
		{RFM{26, 216. / 7, 31}, 20.114821, 25.45647, .997874, 2e-3},
		{RFM{0, 0, 272. / 7}, .107070, .136184, .295113, 1e-6},
		{RFM{1, 12. / 7, 272. / 7}, .171114, .217643, .167996, 1e-6},
		{RFM{7, 29.43, 38.86}, 3.711699, 4.720968, .749412, 1e-6},
	} {
		near(t, fmt.Sprint(c.c, " in 39 weeks"), Expected(paretoCDNOW, c.c, 39), c.cet39, c.within)
		near(t, fmt.Sprint(c.c, " in 52 weeks"), Expected(paretoCDNOW, c.c, 52), c.cet52, c.within)
		near(t, fmt.Sprint(c.c, " alive"), paretoCDNOW.Alive(c.c), c.alive, 2e-6)
	}
	near(t, "1516 alive ten weeks later", Alive(paretoCDNOW, RFM{26, 30.86, 31}, 10), .878331, 2e-5) // btyd's test has .8783
	near(t, "never back after 39 weeks", paretoCDNOW.Alive(RFM{0, 0, 39}), .2941633, 2e-4)           // BTYD man/pnbd.PAlive.Rd
	// The paradox of frequency, BTYD-walkthrough.pdf: the more purchases before the silence, the fewer after.
	for x, want := range map[int]float64{10: .7062289, 15: .1442396, 20: .02250658, 25: .00309267} {
		nearly(t, fmt.Sprint("x=", x), Expected(paretoCDNOW, RFM{x, 20, 39}, 52), want, 2e-3)
	}
}

// Present values; inputs from BTYD man/pnbd.DERT.Rd, which prints no output: mpmath.
func TestParetoNBDDiscounted(t *testing.T) {
	m := ParetoNBD{.5629966, 12.5590370, .4081095, 10.5148048}
	near(t, "x=7", Discounted(m, RFM{7, 35, 77.86}, .0027), 1.864183, 1e-6)
	for i, want := range []float64{2.1992, 2.8435, 2.8671, 2.4454, 1.8405, 1.2624, .8096, .4948, .2920, .1679} {
		near(t, fmt.Sprint("x=", i+1), Discounted(m, RFM{i + 1, 30, 77.86}, .0027), want, 5.1e-5)
	}
	rate := math.Log(1.1) / 52
	nearly(t, "CDNOW", Discounted(paretoCDNOW, RFM{2, 213. / 7, 272. / 7}, rate), 8.1562928, 1e-7)
	nearly(t, "CDNOW, 1516", Discounted(paretoCDNOW, RFM{26, 216. / 7, 31}, rate), 107.73839, 1e-7)
}

// P(n purchases) by quadrature over the rates of purchase and of loss, instead of over
// the moment of loss.
func TestParetoNBDCountEqualsDoubleQuadrature(t *testing.T) {
	for _, m := range []ParetoNBD{paretoCDNOW, {3, 2, .4, 30}} {
		for _, n := range []int{0, 3} {
			lambda, mu := gammaNodes(m.R+2), gammaNodes(m.S)
			const after = 26.0
			want := lambda.mean(func(l float64) float64 {
				l /= m.Alpha + 39
				return mu.mean(func(u float64) float64 {
					u /= m.Beta + 39
					p := func(t float64) float64 {
						return math.Exp(-l*t + float64(n)*math.Log(l*t) - lgamma(float64(n)+1))
					}
					return math.Exp(-u*after)*p(after) +
						quad.Fixed(func(t float64) float64 { return u * math.Exp(-u*t) * p(t) }, 0, after, 40, nil, 1)
				})
			})
			nearly(t, fmt.Sprint(m, n), m.Living(2, 39).Count(n, after), want, 1e-8)
		}
	}
}

// Counts after many purchases, where the moments that matter are few: mpmath.
func TestParetoNBDCountOfFrequentBuyers(t *testing.T) {
	m := ParetoNBD{.5533, 10.5777, .6062, 11.6687}
	for _, c := range []struct {
		c     RFM
		n     int
		after float64
		want  float64
	}{
		{RFM{26, 30.9, 31}, 0, 49, 0.023216859572687037}, {RFM{26, 30.9, 31}, 3, 49, 0.018417490269792536},
		{RFM{26, 30.9, 31}, 0, 823543, 0.023216858928431475}, {RFM{26, 30.9, 31}, 3, 823543, 0.018417135914366002},
		{RFM{120, 100, 101}, 0, 49, 0.014605309921957926}, {RFM{120, 100, 101}, 3, 343, 0.0047196737048714977},
		{RFM{26, 30.9, 31}, 20, 52, 0.01794580573607033},
		{RFM{26, 30.9, 31}, 60, 52, 0.0005791989326037196},
		{RFM{120, 100, 101}, 60, 52, 0.03115895619582099},
		{RFM{120, 100, 101}, 400, 520, 0.0004969849228200655},
	} {
		nearly(t, fmt.Sprint(c.c, c.n, c.after), Count(m, c.c, c.n, c.after), c.want, 1e-11)
	}
}

// Rows by the grid of dates are the same as in logarithms, and both are used.
func TestParetoNBDGridEqualsLogarithms(t *testing.T) {
	list := shop(20000)
	for day := 40; day < 900; day++ {
		list = append(list, RFM{60, float64(day-1) / 7, float64(day) / 7}, RFM{130, float64(day-30) / 7, float64(day) / 7})
	}
	for hour := 8002; hour < 60000; hour += 2 { // small gaps over a range beyond that of numbers
		list = append(list, RFM{480, 8000. / 168, float64(hour) / 168})
	}
	s := compress(t, list)
	for _, m := range []ParetoNBD{paretoCDNOW, {.3, 40, 2, 15}, {2, 10, .3, 10}} {
		points := newGrid(m, s.times)
		grids, alive := 0, m.aliveRows(s)
		for g, group := range s.groups {
			n, times := m.R+float64(group.frequency), s.groupTimes[g]
			for i := group.from; i < group.to; i += 97 {
				near(t, fmt.Sprint(m, s.rows[i], ": alive"), alive[i], m.Alive(s.rows[i].RFM), 1e-11)
			}
			if !points.integrate(n, times[0], times[len(times)-1]) {
				continue
			}
			grids++
			fast, slow := make([]float64, 4), make([]float64, 4)
			nearly(t, fmt.Sprint(m, group, ": log-likelihood"), points.rows(s, g, fast), m.group(s, g, slow), 1e-11)
			for i := range fast {
				near(t, fmt.Sprint(m, group, ": slope ", i), fast[i], slow[i], 1e-9*(1+math.Abs(slow[i])))
			}
		}
		if grids < 10 || grids == len(s.groups) {
			t.Errorf("%v: the grid serves %d of %d groups, want both ways used", m, grids, len(s.groups))
		}
	}
}

func TestParetoNBDPopulation(t *testing.T) {
	list := cdnow(t)
	m, _ := FitParetoNBD(compress(t, rfms(list)))
	expectHoldout(t, list, m, 1665.51, []float64{.1384, .600, 1.196, 1.714, 2.399, 2.907, 3.819, 6.403})
}
