package ltv

import (
	"fmt"
	"math"
	"slices"
)

// BacktestPlan says what to hold out and how to judge.
type BacktestPlan struct {
	Origin, Last int32   // days: the last one known, the last one held out
	Unit         Unit    // of time for the models: Week
	Probability  float64 // of the intervals: 0.8
	Candidates   []Candidate
	Segments     int // numbers of segments are below; 0 or 1: there are none
	// LeastRepeaters is the number of customers with a repeat purchase from which a
	// segment gets a fit of its own; below it is judged by the fit of all.
	LeastRepeaters float64
	// KnownParameters leaves out of the intervals what is uncertain of the parameters:
	// hardly anything from some ten thousand customers on, for an eighth of the time.
	KnownParameters bool
	// Scores are fits of the candidates, in their order, to what was known at the same origin of
	// the same customers, as Choose makes them: no others are needed for Everyone. May be nil.
	Scores []Score
	// Near are parameters at which the fits of the candidates begin, see Candidate. It, or any
	// of them, may be nil.
	Near [][]float64
}

// Check says what is wrong with a plan.
func (p *BacktestPlan) Check() error {
	switch {
	case !(p.Unit > 0):
		return fmt.Errorf("unit of time %v days: name one, such as ltv.Week", float64(p.Unit))
	case p.Last <= p.Origin:
		return fmt.Errorf("held-out days %d to %d: need at least one after the origin", p.Origin+1, p.Last)
	case !(p.Probability > 0 && p.Probability < 1):
		return fmt.Errorf("intervals of probability %v: need one between 0 and 1, such as 0.8", p.Probability)
	case len(p.Candidates) == 0:
		return fmt.Errorf("no candidates: name a model, or take ltv.Candidates()")
	}
	return nil
}

// Everyone is the Segment of a back-test of all customers.
const Everyone = -1

// Backtest is what one model foretold at one origin of the customers of a segment, and
// what they did.
type Backtest struct {
	Candidate Candidate
	Segment   int32 // Everyone for all
	Pooled    bool  // the fit is that of all customers, as the segment has too few repeaters
	Customers int
	Fit       Fit
	SpendFit  Fit
	Orders    *Accuracy // nil when Fit is not usable
	Value     *Accuracy // nil when Fit or SpendFit is not
}

// Backtests fits every candidate to what was known of customers at the origin and
// compares its predictions with what came: for all customers, then segment by segment,
// each in the order of the candidates.
func Backtests(list []HeldOut, p BacktestPlan) ([]Backtest, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	all, err := newBacktested(list, &p)
	if err != nil {
		return nil, err
	}
	pooled := all.fit(&p, p.Scores)
	results := all.judge(&p, pooled, Everyone)
	if p.Segments <= 1 {
		return results, nil
	}
	groups := make([][]HeldOut, p.Segments)
	for i, c := range list {
		if c.Segment < 0 || int(c.Segment) >= p.Segments {
			return nil, fmt.Errorf("customer %d: segment %d, but there are %d", i, c.Segment, p.Segments)
		}
		groups[c.Segment] = append(groups[c.Segment], c)
	}
	for segment, group := range groups {
		if len(group) == 0 {
			continue
		}
		b, err := newBacktested(group, &p)
		if err != nil {
			return nil, err
		}
		fits := pooled
		if own := b.known.repeaters >= max(p.LeastRepeaters, MinRepeaters); own {
			fits = b.fit(&p, nil)
		} else {
			fits.pooled = true
		}
		results = append(results, b.judge(&p, fits, int32(segment))...)
	}
	return results, nil
}

// backtested are the customers of one back-test, with their summaries.
type backtested struct {
	list  []HeldOut
	known *Summary
	row   []int32 // by customer, its row of known
	spend *SpendSummary
}

func newBacktested(list []HeldOut, p *BacktestPlan) (*backtested, error) {
	b := &backtested{list: list}
	rfms, spends := make([]RFM, len(list)), make([]Spend, len(list))
	for i := range list {
		rfms[i], spends[i] = list[i].RFM(p.Origin, p.Unit), list[i].Spend()
	}
	var err error
	if b.known, b.row, err = Compress(rfms); err != nil {
		return nil, err
	}
	b.spend, err = CompressSpend(spends)
	return b, err
}

// fitted are the candidates at their estimates.
type fitted struct {
	models   []Model
	fits     []Fit
	spend    GammaGamma
	spendFit Fit
	pooled   bool
}

// fit fits the candidates, unless that has been done.
func (b *backtested) fit(p *BacktestPlan, done []Score) fitted {
	var f fitted
	for i, c := range p.Candidates {
		if done != nil {
			f.models, f.fits = append(f.models, done[i].Model), append(f.fits, done[i].Fit)
			continue
		}
		var near []float64
		if p.Near != nil {
			near = p.Near[i]
		}
		m, fit := c.FitNear(b.known, near)
		f.models, f.fits = append(f.models, m), append(f.fits, fit)
	}
	f.spend, f.spendFit = FitGammaGamma(b.spend)
	return f
}

// judge compares what each model foretells with what came.
func (b *backtested) judge(p *BacktestPlan, f fitted, segment int32) []Backtest {
	var results []Backtest
	horizon := float64(p.Last-p.Origin) / float64(p.Unit)
	worth := b.worth(&f)
	for k, c := range p.Candidates {
		r := Backtest{Candidate: c, Segment: segment, Pooled: f.pooled, Customers: len(b.list), Fit: f.fits[k], SpendFit: f.spendFit}
		if r.Fit.Verdict.Usable() {
			predicted := Predict(f.models[k], b.known, horizon)
			models := []Model{f.models[k]}
			if !p.KnownParameters {
				models = scenarios(c, &r.Fit)
			}
			intervals := Intervals(models, f.spend.orTypical(), b.known, horizon, p.Probability)
			orders := newComparison(len(b.list))
			for i, row := range b.row {
				orders.add(predicted[row].Expected, float64(b.list[i].Later),
					float64(intervals[row].OrdersLow), float64(intervals[row].OrdersHigh))
			}
			r.Orders = orders.accuracy()
			if worth != nil {
				value := newComparison(len(b.list))
				for i, row := range b.row {
					low, high := intervals[row].Value(f.spend, f.spend.usable(b.list[i].Spend()))
					value.add(predicted[row].Expected*worth[i], b.list[i].LaterSpent, low, high)
				}
				r.Value = value.accuracy()
			}
		}
		results = append(results, r)
	}
	return results
}

// worth is the expected value of a purchase by customer; nil where there is none.
func (b *backtested) worth(f *fitted) []float64 {
	if !f.spendFit.Verdict.Usable() {
		return nil
	}
	worth := make([]float64, len(b.list))
	for i := range b.list {
		worth[i] = f.spend.Mean(f.spend.usable(b.list[i].Spend()))
		if math.IsInf(worth[i], 0) {
			return nil
		}
	}
	return worth
}

// usable takes a customer whose purchases were refunded for one who spends what all do:
// the model has no place for a mean that is not positive.
func (m GammaGamma) usable(s Spend) Spend {
	if s.Count > 0 && s.Mean <= 0 {
		s.Mean = m.Mean(Spend{})
	}
	return s
}

// scenarios are the models that stand for what a fit does not know of the parameters.
func scenarios(c Candidate, f *Fit) []Model {
	var list []Model
	for _, values := range f.Scenarios() {
		list = append(list, c.With(values))
	}
	return list
}

// orTypical is the model, or any where there is none: the orders do not depend on it.
func (m GammaGamma) orTypical() GammaGamma {
	if m == (GammaGamma{}) {
		return GammaGamma{1, 2, 1}
	}
	return m
}

// Chosen are the back-tests of one candidate, by its name.
func Chosen(list []Backtest, name string) []Backtest {
	return slices.DeleteFunc(slices.Clone(list), func(b Backtest) bool { return b.Candidate.Name != name })
}
