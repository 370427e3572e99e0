package ltv

import (
	"fmt"
	"math"
)

// Unit is a unit of time, as a number of days. A month and a year are the mean ones of
// the calendar.
type Unit float64

const (
	Day   Unit = 1
	Week  Unit = 7
	Month Unit = 365.25 / 12
	Year  Unit = 365.25
)

// Span is a length of time that names its unit: {12, Month}.
type Span struct {
	Count float64
	Unit  Unit
}

// In is the length in another unit.
func (s Span) In(u Unit) float64 { return s.Count * float64(s.Unit) / float64(u) }

// Discount is a rate that names its unit: {0.10, Year} makes what comes in a year worth
// 1/1.10 of what comes now.
type Discount struct {
	Rate float64
	Per  Unit
}

// Continuous is the continuous rate per unit of time u: e^(−rate·t) is the worth of what
// comes after t of them. Discounted takes it.
func (d Discount) Continuous(u Unit) float64 {
	return math.Log1p(d.Rate) * float64(u) / float64(d.Per)
}

// Valuation says what lifetime value means: over which horizon, at which discount.
// Purchases are discounted as at the end of the step they fall in.
type Valuation struct {
	Unit     Unit // of the summary that the model was fitted to
	Horizon  Span
	Discount Discount
	Step     Unit // Month when zero
}

// Check says what is wrong with a valuation.
func (v Valuation) Check() error {
	switch {
	case !(v.Unit > 0):
		return fmt.Errorf("unit of time %v days: name the unit of recency and age, such as ltv.Week", float64(v.Unit))
	case !(v.Horizon.Count >= 0) || math.IsInf(v.Horizon.Count, 0) || !(v.Horizon.Unit > 0):
		return fmt.Errorf("horizon %v of %v days: need a length that is not negative and a unit, such as 12 ltv.Month", v.Horizon.Count, float64(v.Horizon.Unit))
	case !(v.Discount.Rate > -1) || math.IsInf(v.Discount.Rate, 0):
		return fmt.Errorf("discount %v: need a rate above −1 (−100 %%), such as 0.10 per ltv.Year", v.Discount.Rate)
	case !(v.Discount.Per > 0):
		return fmt.Errorf("discount %v per %v days: name its unit, such as 0.10 per ltv.Year", v.Discount.Rate, float64(v.Discount.Per))
	case !(v.Step >= 0):
		return fmt.Errorf("step of %v days: need a positive unit, or zero for a month", float64(v.Step))
	case v.Horizon.In(v.step()) > 1e6:
		return fmt.Errorf("horizon of %v steps: leave out the horizon and use Perpetual", v.Horizon.In(v.step()))
	}
	return nil
}

func (v Valuation) step() Unit {
	if v.Step == 0 {
		return Month
	}
	return v.Step
}

// Purchases is the discounted expected number of purchases of a living customer within
// the horizon: Σ (E(k·step) − E((k−1)·step))/(1+d)^(k·step). The valuation must pass Check.
func (v Valuation) Purchases(l Living) float64 {
	steps := v.Horizon.In(v.step())
	rate := v.Discount.Continuous(v.step())
	length := float64(v.step()) / float64(v.Unit)
	var sum, before float64
	for k := 1.0; k-1 < steps; k++ {
		end := min(k, steps)
		_, until := l.Within(end * length)
		sum += (until - before) * math.Exp(-rate*end)
		before = until
	}
	return sum
}

// Perpetual is the same without a horizon, discounted continuously (DERT): +Inf unless
// the discount is positive.
func (v Valuation) Perpetual(l Living) float64 {
	return l.Discounted(v.Discount.Continuous(v.Unit))
}

// CLV is the expected value of the purchases to come of one customer within the horizon,
// in money of today: P(alive) times discounted purchases times expected spend.
func CLV(v Valuation, m Model, g GammaGamma, c RFM, spend Spend) float64 {
	purchases := m.Alive(c) * v.Purchases(m.Living(c.Frequency, c.Age))
	if purchases == 0 {
		return 0
	}
	return purchases * g.Mean(spend)
}
