package ltv

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/mathext"
)

// mbgnbdCDNOW are the estimates on the CDNOW calibration, computed with scipy.
var mbgnbdCDNOW = MBGNBD{0.5248432, 6.1830856, 0.8913594, 1.6140018}

func TestMBGNBDFit(t *testing.T) {
	_, f := FitMBGNBD(cdnowSummary(t))
	// scipy on the same customers; lifetimes' test has .525, 6.183, .891, 1.614 from BTYDplus.
	expectEstimates(t, f, []float64{0.5248432, 6.1830856, 0.8913594, 1.6140018}, []float64{.08327, .69561, .15479, .53749}, -9582.135716)
	_, rounded := FitMBGNBD(roundedSummary(t))
	near(t, "rounded weeks", rounded.LogLikelihood, -9582.132685, 1.5e-6)
}

func TestMBGNBDLogLikelihood(t *testing.T) {
	m := MBGNBD{R: .25, Alpha: 4, A: .8, B: 2.5}
	// pymc-marketing tests/clv/test_distributions.py, more digits from mpmath.
	near(t, "x=0", m.LogLikelihood(RFM{0, 0, 40}), -0.41792826, 5e-9)
	near(t, "x=200", m.LogLikelihood(RFM{200, 38, 40}), 100.7869097610, 1e-9)
	// btyd's test
	near(t, "BTYDplus' parameters", MBGNBD{.53, 6.18, .89, 1.614}.LogLikelihood(RFM{200, 38, 40}), 91.808242, 1e-6)
}

// mbgnbdClosed is the closed form of the expected purchases after T.
func mbgnbdClosed(m MBGNBD, c RFM, t float64) float64 {
	n, b := m.R+float64(c.Frequency), m.B+float64(c.Frequency)
	z := t / (m.Alpha + c.Age + t)
	return m.Alive(c) * (m.A + b) / (m.A - 1) * (1 - math.Pow(1-z, n)*mathext.Hypergeo(n, b+1, m.A+b, z))
}

func TestMBGNBDQuadratureEqualsClosedForm(t *testing.T) {
	for _, m := range []MBGNBD{mbgnbdCDNOW, {.16, 1.86, 1.85, 3.18}, {2, 30, .3, 5}, {.6, 3, 2.5, .7}} {
		for _, c := range []RFM{{}, {0, 0, 38.9}, {2, 30, 38}, {7, 29, 39}, {26, 30, 31}} {
			for _, after := range []float64{1, 39, 300} {
				nearly(t, fmt.Sprint(m, c, after), Expected(m, c, after), mbgnbdClosed(m, c, after), 1e-9)
			}
		}
	}
}

func TestMBGNBDNewCustomer(t *testing.T) {
	// Expected repeat purchases of a new customer by week, scipy.
	for week, want := range map[float64]float64{1. / 7: .007777, 1: .053060, 3: .150792, 223. / 7: 1.033468, 32: 1.036606, 52: 1.418885, 78: 1.803630} {
		near(t, fmt.Sprint("week ", week), Expected(mbgnbdCDNOW, RFM{}, week), want, 6e-7)
	}
	near(t, "lost at the first purchase", 1-mbgnbdCDNOW.Alive(RFM{}), .8913594/(.8913594+1.6140018), 1e-15)
}

func TestMBGNBDCustomers(t *testing.T) {
	// Predictions at the estimates, scipy.
	for _, c := range []struct {
		c                   RFM
		cet39, cet52, alive float64
	}{
		{RFM{2, 30.43, 38.86}, 1.262669, 1.596824, .706126},
		{RFM{26, 216. / 7, 31}, 19.446608, 23.998191, .965485},
		{RFM{0, 0, 272. / 7}, .153966, .197644, .389723},
		{RFM{1, 12. / 7, 272. / 7}, .188945, .240266, .170951},
		{RFM{7, 29.43, 38.86}, 3.166799, 3.963683, .622639},
	} {
		nearly(t, fmt.Sprint(c.c, " in 39 weeks"), Expected(mbgnbdCDNOW, c.c, 39), c.cet39, 3e-6)
		nearly(t, fmt.Sprint(c.c, " in 52 weeks"), Expected(mbgnbdCDNOW, c.c, 52), c.cet52, 3e-6)
		near(t, fmt.Sprint(c.c, " alive"), mbgnbdCDNOW.Alive(c.c), c.alive, 1e-6)
	}
}

func TestMBGNBDPopulation(t *testing.T) {
	list := cdnow(t)
	m, _ := FitMBGNBD(compress(t, rfms(list)))
	expectHoldout(t, list, m, 1576.73, nil)
	var sum float64
	for _, c := range list {
		sum += m.Alive(c.RFM)
	}
	near(t, "mean P(alive)", sum/2357, .449, 5e-4)
}
