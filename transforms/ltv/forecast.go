package ltv

import "math"

// Forecast is what a model of purchases and one of spend say of every row of a summary:
// made once, so that each customer is a look at its row and a few multiplications.
type Forecast struct {
	rows  []rowForecast
	spend GammaGamma
	worth bool // the model of spend is usable
}

// rowForecast is what customers of a row have in common.
type rowForecast struct {
	Prediction
	discounted float64 // expected purchases, each as worth now
	interval   Interval
}

// CustomerForecast is what is expected of one customer within the horizon.
type CustomerForecast struct {
	Prediction
	OrdersLow, OrdersHigh int
	Spend                 float64 // expected value of a purchase; +Inf where it has no bound
	// Value is Spend times the discounted purchases. ValueLow and ValueHigh are its interval;
	// all are 0 when HasValue is false: without a usable model of spend, or with a mean without bound.
	Value, ValueLow, ValueHigh float64
	HasValue                   bool
}

// NewForecast makes the forecast of all rows. Both fits are the candidate's and the model's
// of spend; the first must be usable.
func NewForecast(c Candidate, purchases *Fit, g GammaGamma, spend *Fit, s *Summary, v Valuation, probability float64) *Forecast {
	f := &Forecast{spend: g.orTypical(), worth: spend.Verdict.Usable(), rows: make([]rowForecast, len(s.rows))}
	m, horizon := c.With(purchases.Values), v.Horizon.In(v.Unit)
	predictions := Predict(m, s, horizon)
	intervals := Intervals(scenarios(c, purchases), f.spend, s, horizon, probability)
	discounted := v.purchasesByRow(m, s)
	for i := range f.rows {
		f.rows[i] = rowForecast{predictions[i], predictions[i].Alive * discounted[i], intervals[i]}
	}
	return f
}

// purchasesByRow is Purchases of a living customer of each row.
func (v Valuation) purchasesByRow(m Model, s *Summary) []float64 {
	list := make([]float64, len(s.rows))
	var young Living
	for i, r := range s.rows {
		same := i > 0 && r.Frequency == s.rows[i-1].Frequency
		if !same {
			young = m.Living(r.Frequency, 0)
		}
		if same && r.Age == s.rows[i-1].Age {
			list[i] = list[i-1]
			continue
		}
		list[i] = v.Purchases(young.Quiet(r.Age))
	}
	return list
}

// Customer is the forecast of a customer of a row who spent so much.
func (f *Forecast) Customer(row int, spend Spend) CustomerForecast {
	r := &f.rows[row]
	c := CustomerForecast{Prediction: r.Prediction, OrdersLow: r.interval.OrdersLow, OrdersHigh: r.interval.OrdersHigh}
	if !f.worth {
		return c
	}
	spend = f.spend.usable(spend)
	c.Spend = f.spend.Mean(spend)
	if math.IsInf(c.Spend, 0) {
		return c
	}
	c.HasValue = true
	c.Value = r.discounted * c.Spend
	low, high := r.interval.Value(f.spend, spend)
	if r.Expected > 0 {
		// The interval is of the sum as it is paid; what is worth less later is so in the mean.
		share := r.discounted / r.Expected
		c.ValueLow, c.ValueHigh = low*share, high*share
	}
	return c
}
