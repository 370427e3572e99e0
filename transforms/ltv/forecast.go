package ltv

import (
	"math"
	"sync"
)

// Forecast is what a model of purchases and one of spend say of every row of a summary:
// made once, so that each customer is a look at its row and a few multiplications.
type Forecast struct {
	rows    []RowForecast
	values  []RowValue
	spend   GammaGamma
	worth   bool         // the model of spend is usable
	others  []GammaGamma // the scenarios of spend; nil where its parameters are known
	between float64      // quantile of the normal distribution at the upper bound of intervals
}

// RowForecast is what customers of a row have in common.
type RowForecast struct {
	RFM
	Prediction
	interval   Interval
	discounted float64
}

// RowValue is what their value needs, by itself, so that a look at the values of all
// customers reads little memory.
type RowValue struct {
	alive, discounted float64 // discounted: expected purchases, each as worth now
	age               float64
	frequency         int
}

// CustomerForecast is what is expected of one customer within the horizon.
type CustomerForecast struct {
	RFM
	Prediction
	OrdersLow, OrdersHigh int
	Spend                 float64 // expected value of a purchase; +Inf where it has no bound
	// Value is Spend times the discounted purchases. ValueLow and ValueHigh are its interval;
	// all are 0 when HasValue is false: without a usable model of spend, or with a mean without bound.
	Value, ValueLow, ValueHigh float64
	HasValue                   bool
}

// knownWithin is the standard error, in the logarithm, below which parameters are taken as
// known in intervals of one customer: what a customer does is uncertain by a factor of two
// and more, to which that adds nothing that shows.
const knownWithin = 0.02

// known says whether the data leave no doubt about the parameters.
func (f *Fit) known() bool {
	for i := range f.Covariance {
		if f.Covariance[i][i] > knownWithin*knownWithin {
			return false
		}
	}
	return true
}

// NewForecast makes the forecast of all rows. Both fits are the candidate's and the model's
// of spend; the first must be usable.
func NewForecast(c Candidate, purchases *Fit, g GammaGamma, spend *Fit, s *Summary, v Valuation, probability float64) *Forecast {
	f := &Forecast{spend: g.orTypical(), worth: spend.Verdict.Usable(), rows: make([]RowForecast, len(s.rows)), values: make([]RowValue, len(s.rows)), between: probit((1 + probability) / 2)}
	m, horizon := c.With(purchases.Values), v.Horizon.In(v.Unit)
	models := []Model{m}
	if !purchases.known() {
		models = scenarios(c, purchases)
	}
	if f.worth && !spend.known() {
		for _, values := range spend.Scenarios() {
			f.others = append(f.others, GammaGamma{values[0], values[1], values[2]})
		}
	}
	var predictions []Prediction
	var present []float64
	var beside sync.WaitGroup
	beside.Go(func() { predictions, present = Predict(m, s, horizon), v.present(m, s) })
	intervals := Intervals(models, f.spend, s, horizon, probability)
	beside.Wait()
	for i, p := range predictions {
		discounted := p.Expected * present[i]
		f.rows[i] = RowForecast{s.rows[i].RFM, p, intervals[i], discounted}
		f.values[i] = RowValue{p.Alive, discounted, s.rows[i].Age, s.rows[i].Frequency}
	}
	return f
}

// present is, for each row, what a purchase within the horizon is worth now, on average:
// computed at some ages of each frequency and drawn straight between them.
func (v Valuation) present(m Model, s *Summary) []float64 {
	list := make([]float64, len(s.rows))
	horizon := v.Horizon.In(v.Unit)
	for _, group := range s.groups {
		young := m.Living(s.rows[group.from].Frequency, 0)
		k := newAges([]Living{young}, s.rows[group.from:group.to])
		values := make([]float64, len(k.ages))
		for i, age := range k.ages {
			living := young.Quiet(age)
			_, purchases := living.Within(horizon)
			if values[i] = 1; purchases > 0 {
				values[i] = v.Purchases(living) / purchases
			}
		}
		for i := group.from; i < group.to; i++ {
			at, share := k.between(s.rows[i].Age)
			list[i] = values[at]
			if share > 0 {
				list[i] += share * (values[at+1] - values[at])
			}
		}
	}
	return list
}

// CustomerValue is what a customer is worth on average, with what it comes from.
type CustomerValue struct {
	Frequency    int
	Age, Alive   float64
	Spend, Value float64 // as in CustomerForecast
	HasValue     bool
}

// Row is what customers of a row have in common: for CustomerOf. Rows taken before the
// customers are looked at cost less, as none waits for the memory of the one before.
func (f *Forecast) Row(row int) RowForecast { return f.rows[row] }

// RowValue is what the value of customers of a row needs: for ValueOf.
func (f *Forecast) RowValue(row int) RowValue { return f.values[row] }

// NoValue is the RowValue of customers of whom nothing is foretold.
func NoValue(c RFM) RowValue { return RowValue{age: c.Age, frequency: c.Frequency} }

// Value is the value of a customer of a row whose repeat purchases were worth so much.
func (f *Forecast) Value(row int, spent float64) CustomerValue {
	return f.ValueOf(&f.values[row], spent)
}

// ValueOf is Value of a row that has been taken. A nil Forecast foretells nothing.
func (f *Forecast) ValueOf(r *RowValue, spent float64) CustomerValue {
	v := CustomerValue{Frequency: r.frequency, Age: r.age, Alive: r.alive}
	if f != nil && f.worth {
		v.Spend = f.spend.Mean(f.spendOf(r.frequency, spent))
		if v.HasValue = !math.IsInf(v.Spend, 0); v.HasValue {
			v.Value = r.discounted * v.Spend
		}
	}
	return v
}

// spendOf is what the model of spend can use of a customer.
func (f *Forecast) spendOf(frequency int, spent float64) Spend {
	if frequency == 0 {
		return Spend{}
	}
	return f.spend.usable(Spend{frequency, spent / float64(frequency)})
}

// Customer is the forecast of a customer of a row whose repeat purchases were worth so much.
func (f *Forecast) Customer(row int, spent float64) CustomerForecast {
	return f.CustomerOf(&f.rows[row], spent)
}

// CustomerOf is Customer of a row that has been taken.
func (f *Forecast) CustomerOf(r *RowForecast, spent float64) CustomerForecast {
	v := f.ValueOf(&RowValue{r.Alive, r.discounted, r.Age, r.Frequency}, spent)
	c := CustomerForecast{RFM: r.RFM, Prediction: r.Prediction, OrdersLow: r.interval.OrdersLow, OrdersHigh: r.interval.OrdersHigh,
		Spend: v.Spend, Value: v.Value, HasValue: v.HasValue}
	if !v.HasValue || r.Expected <= 0 {
		return c
	}
	spend := f.spendOf(r.Frequency, spent)
	low, high := r.interval.Value(f.spend, spend)
	if f.others != nil {
		low, high = f.widen(spend, c.Spend, low, high)
	}
	// The interval is of the sum as it is paid; what is worth less later is so in the mean.
	share := r.discounted / r.Expected
	c.ValueLow, c.ValueHigh = low*share, high*share
	return c
}

// unsureWithin is the standard deviation, in the logarithm, that the value of the purchases
// of one customer has at least, where the lower bound is nothing and tells none.
const unsureWithin = 0.5

// widen adds what is uncertain of the expected spend to an interval of the value. The value
// is the product of two things: what it would be with known parameters, about lognormal
// around each bound, and the expected spend over its estimate.
func (f *Forecast) widen(spend Spend, mean, low, high float64) (float64, float64) {
	var variance float64
	for _, g := range f.others {
		d := math.Log(g.Mean(spend) / mean)
		if math.IsInf(d, 0) || math.IsNaN(d) {
			d = 1 // a mean without bound in a scenario: a factor of e
		}
		variance += d * d / float64(len(f.others))
	}
	own := unsureWithin
	if low > 0 {
		own = math.Log(high/low) / (2 * f.between)
	}
	more := math.Exp(f.between * (math.Sqrt(own*own+variance) - own))
	return low / more, high * more
}
