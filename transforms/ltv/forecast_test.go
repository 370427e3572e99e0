package ltv

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/mathext"
)

// forecastOf fits MBG/NBD and Gamma-Gamma to CDNOW and makes the forecast of 39 weeks.
func forecastOf(t *testing.T, v Valuation) (*Forecast, *Summary, Model, *Fit, GammaGamma, *Fit) {
	t.Helper()
	s := cdnowSummary(t)
	var c Candidate
	for _, x := range Candidates() {
		if x.Name == "mbg_nbd" {
			c = x
		}
	}
	m, f := c.Fit(s)
	var spends []Spend
	for _, x := range cdnow(t) {
		spends = append(spends, x.Spend)
	}
	spend, err := CompressSpend(spends)
	if err != nil {
		t.Fatal(err)
	}
	g, gf := FitGammaGamma(spend)
	return NewForecast(c, &f, g, &gf, s, v, .8), s, m, &f, g, &gf
}

// The forecast of a customer is what the models say of it one by one, and its interval holds
// what is uncertain of the customer, of the rate and of the spend.
func TestForecast(t *testing.T) {
	v := Valuation{Unit: Week, Horizon: Span{39, Week}, Discount: Discount{.1, Year}}
	f, s, m, fit, g, spendFit := forecastOf(t, v)
	c := Candidates()[1]
	models := scenarios(c, fit)
	var spends []GammaGamma
	for _, values := range spendFit.Scenarios() {
		spends = append(spends, GammaGamma{values[0], values[1], values[2]})
	}
	for i, r := range s.Rows() {
		if i%37 != 0 {
			continue
		}
		spent := 21.5 * float64(r.Frequency)
		got := f.Customer(i, spent)
		spend := Spend{r.Frequency, 21.5}
		if r.Frequency == 0 {
			spend = Spend{}
		}
		if got.RFM != r.RFM || !got.HasValue || got.Value != f.Value(i, spent).Value {
			t.Fatalf("%+v is not %+v", got, r)
		}
		near(t, fmt.Sprint(r.RFM, ": alive"), got.Alive, m.Alive(r.RFM), 1e-9)
		nearly(t, fmt.Sprint(r.RFM, ": expected"), got.Expected, Expected(m, r.RFM, 39), 1e-9)
		nearly(t, fmt.Sprint(r.RFM, ": spend"), got.Spend, g.Mean(spend), 1e-12)
		nearly(t, fmt.Sprint(r.RFM, ": value"), got.Value, CLV(v, m, g, r.RFM, spend), 1e-4)
		d := Orders(models, r.RFM, 39, 1e-9)
		if got.OrdersLow != d.Quantile(.1) || got.OrdersHigh != d.Quantile(.9) {
			t.Errorf("%v: %d to %d orders, want %d to %d", r.RFM, got.OrdersLow, got.OrdersHigh, d.Quantile(.1), d.Quantile(.9))
		}
		share := got.Value / (got.Expected * got.Spend)
		whole := NewValue(d, spends, spend)
		for p, bound := range map[float64]float64{.1: got.ValueLow, .9: got.ValueHigh} {
			near(t, fmt.Sprint(r.RFM, ": P at the bound"), whole.AtMost(bound/share), max(p, whole.AtMost(0)), .006)
		}
	}
}

// With few customers what is uncertain of the spend shows: without it the interval is narrower.
func TestUncertainSpendWidens(t *testing.T) {
	v := Valuation{Unit: Week, Horizon: Span{39, Week}, Discount: Discount{0, Year}}
	f, s, _, _, _, _ := forecastOf(t, v)
	if f.others == nil {
		t.Fatal("the spend of 946 customers counts as known")
	}
	unsure, compared := *f, 0
	unsure.others = nil
	for i, r := range s.Rows() {
		wide, narrow := f.Customer(i, 300), unsure.Customer(i, 300)
		if r.Frequency < 6 || narrow.ValueHigh == 0 {
			continue
		}
		compared++
		if !(wide.ValueHigh > narrow.ValueHigh && wide.ValueHigh < 1.2*narrow.ValueHigh && wide.ValueLow <= narrow.ValueLow) {
			t.Errorf("%v: %v to %v with, %v to %v without", r.RFM, wide.ValueLow, wide.ValueHigh, narrow.ValueLow, narrow.ValueHigh)
		}
	}
	if compared < 20 {
		t.Errorf("%d rows compared", compared)
	}
}

func TestForecastWithoutSpend(t *testing.T) {
	s := cdnowSummary(t)
	c := Candidates()[1]
	_, fit := c.Fit(s)
	none := Fit{Verdict: Verdict{Kind: TooFew}}
	f := NewForecast(c, &fit, GammaGamma{}, &none, s, Valuation{Unit: Week, Horizon: Span{39, Week}, Discount: Discount{0, Year}}, .8)
	if got := f.Customer(3, 50); got.HasValue || got.Value != 0 || got.Expected <= 0 {
		t.Errorf("%+v, want orders and no value", got)
	}
	unbounded := NewForecast(c, &fit, GammaGamma{6, .9, 15}, &Fit{Verdict: Verdict{Kind: Converged}}, s, Valuation{Unit: Week, Horizon: Span{39, Week}, Discount: Discount{0, Year}}, .8)
	if got := unbounded.Customer(0, 0); got.HasValue {
		t.Errorf("%+v: the spend of a new customer has no bound", got)
	}
}

// Paulson's approximation is where it is used as good as it says.
func TestBetaPrime(t *testing.T) {
	worst := 0.0
	for _, a := range []float64{12, 20, 75, 400, 3000} {
		for _, b := range []float64{12, 30, 120, 2000} {
			short, exact := betaPrime(a, b), func(y float64) float64 { return exactBetaPrime(a, b, y) }
			for y := .05; y < 20; y *= 1.05 {
				worst = max(worst, math.Abs(short(y*a/b)-exact(y*a/b)))
			}
		}
	}
	if worst > 5e-4 || worst == 0 {
		t.Errorf("off by up to %v", worst)
	}
	near(t, "small shapes are exact", betaPrime(2, 3)(1.5), exactBetaPrime(2, 3, 1.5), 0)
}

// Curves are the expected purchases of living customers, at ages between those computed too.
func TestCurves(t *testing.T) {
	list := shop(3000)
	s := compress(t, list)
	times := []float64{1, 10, 52}
	for _, m := range []Model{bgnbdCDNOW, paretoCDNOW, mbgnbdCDNOW} {
		c := NewCurves(m, s, times)
		got := make([]float64, len(times))
		for i := 0; i < len(list); i += 17 {
			r := list[i]
			spread := c.At(r.Frequency, r.Age, got)
			living := m.Living(r.Frequency, r.Age)
			for k, at := range times {
				_, want := living.Within(at)
				nearly(t, fmt.Sprintf("%v within %v", r, at), got[k], want, 1e-3)
			}
			var mean, square float64
			for n := range 400 {
				p := living.Count(n, 52)
				mean += p * float64(n)
				square += p * float64(n) * float64(n)
			}
			nearly(t, fmt.Sprintf("%v: variance", r), got[2]+got[2]*got[2]*spread, square-mean*mean, .05)
		}
	}
}

// The error of a total is what the covariance of the parameters makes of its slopes.
func TestTotalError(t *testing.T) {
	s := cdnowSummary(t)
	c := Candidates()[0]
	_, fit := c.Fit(s)
	none := Fit{Verdict: Verdict{Kind: TooFew}}
	got := TotalError(c, &fit, GammaGamma{}, &none, s, nil, 39)
	logTotal := func(r, alpha float64) float64 { // NBD: t · Σ (r + x)/(α + T)
		var sum float64
		for _, x := range s.rows {
			sum += x.Customers * (r + float64(x.Frequency)) / (alpha + x.Age)
		}
		return math.Log(sum)
	}
	const h = 1e-4
	r, alpha := fit.Values[0], fit.Values[1]
	slopes := [2]float64{(logTotal(r*math.Exp(h), alpha) - logTotal(r*math.Exp(-h), alpha)) / (2 * h), (logTotal(r, alpha*math.Exp(h)) - logTotal(r, alpha*math.Exp(-h))) / (2 * h)}
	var variance float64
	for i := range slopes {
		for j := range slopes {
			variance += slopes[i] * slopes[j] * fit.Covariance[i][j]
		}
	}
	nearly(t, "relative error of the total", got, math.Sqrt(variance), .02)
	ridge := Fit{Values: fit.Values}
	near(t, "without standard errors", TotalError(c, &ridge, GammaGamma{}, &none, s, nil, 39), 0, 0)
}

func TestOutliers(t *testing.T) {
	rows := make([]SpendRow, 0, 200)
	for i := range 200 {
		rows = append(rows, SpendRow{Spend{2, 20 + float64(i%20)}, 1})
	}
	s, err := NewSpendSummary(rows)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := s.Outliers(5); n != 0 {
		t.Errorf("%v outliers among alike", n)
	}
	s, err = NewSpendSummary(append(rows, SpendRow{Spend{1, 1e6}, 2}))
	if err != nil {
		t.Fatal(err)
	}
	if n, from := s.Outliers(5); n != 2 || from <= 40 || from >= 1e6 {
		t.Errorf("%v outliers from %v on, want 2", n, from)
	}
}

func exactBetaPrime(a, b, y float64) float64 { return mathext.RegIncBeta(a, b, y/(1+y)) }
