package ltv

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestUnits(t *testing.T) {
	nearly(t, "a year in months", Span{1, Year}.In(Month), 12, 1e-15)
	nearly(t, "a month in weeks", Span{1, Month}.In(Week), 4.348214285714286, 1e-15)
	nearly(t, "12 months in days", Span{12, Month}.In(Day), 365.25, 1e-15)
	nearly(t, "10 % a year, by year", math.Exp(Discount{.10, Year}.Continuous(Year)), 1.10, 1e-15)
	nearly(t, "10 % a year, by week", math.Pow(math.Exp(Discount{.10, Year}.Continuous(Week)), 365.25/7), 1.10, 1e-14)
	nearly(t, "1 % a month, by year", math.Exp(Discount{.01, Month}.Continuous(Year)), math.Pow(1.01, 12), 1e-14)
}

// Twelve months at 1 % a month of the first three customers of CDNOW, computed with scipy from
// the exact log. The Quickstart of lifetimes prints 140.096211, 18.943467 and 38.180574 for
// its rounded file: that is 360 weeks, as it takes a month for 30 of whatever the unit is.
func TestCLV(t *testing.T) {
	exact := cdnow(t)
	m, _ := FitBGNBD(compress(t, rfms(exact)))
	g, _ := FitGammaGamma(compressSpend(t, spends(exact)))
	const month = Unit(4.345 * 7) // as lifetimes rounds it
	v := Valuation{Unit: Week, Horizon: Span{12, month}, Discount: Discount{.01, month}, Step: month}
	if err := v.Check(); err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{36.273977, 4.640937, 8.344480} {
		nearly(t, fmt.Sprint("customer ", i+1), CLV(v, m, g, exact[i].RFM, exact[i].Spend), want, 1e-6)
	}
	spend := roundedSpend(t)
	m, _ = FitBGNBD(roundedSummary(t))
	g, _ = FitGammaGamma(compressSpend(t, spend))
	v = Valuation{Unit: Week, Horizon: Span{360, Week}, Discount: Discount{.01, 30 * Week}, Step: 30 * Week}
	for i, want := range []float64{140.096211, 18.943467, 38.180574} {
		c := []RFM{{2, 30.43, 38.86}, {1, 1.71, 38.86}, {0, 0, 38.86}}[i]
		nearly(t, fmt.Sprint("customer ", i+1, ", 360 weeks"), CLV(v, m, g, c, spend[i]), want, 1e-6)
	}
}

func TestValuation(t *testing.T) {
	l := bgnbdCDNOW.Living(3, 39)
	v := Valuation{Unit: Week, Horizon: Span{12, Month}, Discount: Discount{0, Year}}
	nearly(t, "without discount", v.Purchases(l), expected(l, 365.25/7), 1e-12)
	year := v
	year.Horizon, year.Discount = Span{1, Year}, Discount{.1, Year}
	v.Discount = Discount{.1, Year}
	nearly(t, "a year is twelve months", year.Purchases(l), v.Purchases(l), 1e-12)
	v.Horizon = Span{0, Month}
	near(t, "no horizon", v.Purchases(l), 0, 0)
	near(t, "no horizon", CLV(v, bgnbdCDNOW, GammaGamma{6, .5, 15}, RFM{3, 20, 39}, Spend{}), 0, 0)
	v.Horizon, v.Step = Span{400, Year}, Week
	nearly(t, "a horizon far off is none", v.Purchases(l)*math.Exp(v.Discount.Continuous(Week)/2), v.Perpetual(l), 1e-5)
	// Half a step counts as half, and is discounted as such.
	v.Horizon, v.Step = Span{1.5, Month}, Month
	half := expected(l, 1.5*4.348214285714286) - expected(l, 4.348214285714286)
	nearly(t, "a month and a half", v.Purchases(l), expected(l, 4.348214285714286)*math.Pow(1.1, -1./12)+half*math.Pow(1.1, -1.5/12), 1e-12)
	// The unit of the model does not matter.
	days := BGNBD{bgnbdCDNOW.R, bgnbdCDNOW.Alpha * 7, bgnbdCDNOW.A, bgnbdCDNOW.B}.Living(3, 39*7)
	daily := v
	daily.Unit = Day
	nearly(t, "in days", daily.Purchases(days), v.Purchases(l), 1e-12)
	nearly(t, "in days, without horizon", daily.Perpetual(days), v.Perpetual(l), 1e-12)
}

func TestImplausibleValuations(t *testing.T) {
	good := Valuation{Unit: Week, Horizon: Span{12, Month}, Discount: Discount{.1, Year}}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Valuation){
		"unit of time":       func(v *Valuation) { v.Unit = 0 },
		"horizon -1":         func(v *Valuation) { v.Horizon.Count = -1 },
		"horizon NaN":        func(v *Valuation) { v.Horizon.Count = math.NaN() },
		"horizon 12 of 0":    func(v *Valuation) { v.Horizon.Unit = 0 },
		"discount -1":        func(v *Valuation) { v.Discount.Rate = -1 },
		"discount -1.5":      func(v *Valuation) { v.Discount.Rate = -1.5 },
		"discount NaN":       func(v *Valuation) { v.Discount.Rate = math.NaN() },
		"discount 0.1 per 0": func(v *Valuation) { v.Discount.Per = 0 },
		"step of -7":         func(v *Valuation) { v.Step = -7 },
		"horizon of":         func(v *Valuation) { v.Horizon.Count = 1e9 },
	} {
		v := good
		change(&v)
		if err := v.Check(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: error %v, want %q", v, err, want)
		}
	}
}
