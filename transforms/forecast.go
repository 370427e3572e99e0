package transforms

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/cohortline/cohortline/transforms/ltv"
)

// leastRepeaters is the number of customers with a repeat purchase from which a segment has
// parameters of its own: below it chance between segments is greater than what they differ by.
const leastRepeaters = 500

// LTVTables are the tables that need a gathering of RFM.
var LTVTables = []string{"customer_ltv", "model_fits", "model_backtests", "cohort_ltv_forecast", "contract_retention"}

// auto is the model of ltv.model that stands for the one which foretold best.
const auto = "auto"

// LTVModels are the words that ltv.model knows.
func LTVModels() []string {
	names := []string{auto}
	for _, c := range ltv.Candidates() {
		names = append(names, c.Name)
	}
	return names
}

// What the parameters of a segment come from, as the tables say it.
const (
	onSegment = "segment"
	onAll     = "all"
	onNobody  = "none"
)

// Forecasts are the fits of all segments, with what they say of each customer.
type Forecasts struct {
	base      *Base
	everyone  *segmentFit
	segments  []*segmentFit // by group
	backtests []backtests
	cohorts   *cohortForecast // nil unless cohort_ltv_forecast is wanted
	ranks     *valueRanks
	contracts []*contractFit // nil unless customers renew contracts
}

// segmentFit is what was fitted to one segment.
type segmentFit struct {
	name        string
	fittedOn    string
	model       string // the chosen one; none
	why         string // it was chosen, or none is
	customers   float64
	repeaters   float64
	scores      []ltv.Score // of the hold-out, by candidate; nil without one
	heldOut     int         // customers of the hold-out
	fits        []fitted    // in that order
	order       []int       // of the candidates, the best score first
	byCriterion bool        // no score: the history is too short for a hold-out
	chosen      int         // place in fits; -1: none is usable
	spend       ltv.GammaGamma
	spendFit    ltv.Fit
	spenders    float64
	forecast    *ltv.Forecast // nil where no fit is usable
	failure     *float64      // relative error of a total by the parameters, once it is known

	correlation       float64 // of frequency and mean spend
	outliers, outlier float64 // customers with a mean spend out of all proportion, and from where on
	unusable          float64 // customers who came back with a mean spend that is not positive
}

// fitted is one candidate at its estimates.
type fitted struct {
	candidate ltv.Candidate
	fit       ltv.Fit
}

// Forecast fits the models to all customers and to each segment with enough repeaters,
// chooses among them, and foretells every row. parallel runs its tasks in any order.
func (b *Base) Forecast(parallel func(tasks []func() error) error) (*Forecasts, error) {
	f := &Forecasts{base: b}
	purchases, spend, err := b.whole()
	if err != nil {
		return nil, err
	}
	f.everyone = newSegmentFit(all, purchases, spend)
	if err := parallel([]func() error{
		func() error { return f.everyone.run(b, ltv.Everyone, purchases, nil) },
		func() error { return f.everyone.runSpend(spend) },
	}); err != nil {
		return nil, err
	}
	var tasks []func() error
	for g := range b.Groups {
		group := &b.Groups[g]
		s := f.everyone
		if len(b.s.LTV.By) > 0 {
			s = newSegmentFit(group.Name, group.Purchases, group.Spend)
		}
		f.segments = append(f.segments, s)
		if s != f.everyone && s.repeaters >= leastRepeaters {
			tasks = append(tasks, func() error { return s.run(b, int32(g), group.Purchases, f.everyone) }, func() error { return s.runSpend(group.Spend) })
		}
	}
	if err := parallel(tasks); err != nil {
		return nil, err
	}
	tasks = tasks[:0]
	for g, s := range f.segments {
		if s.fittedOn == "" {
			s.pool(f.everyone)
		}
		if s.chosen >= 0 {
			tasks = append(tasks, func() error {
				s.forecast = ltv.NewForecast(s.fits[s.chosen].candidate, &s.fits[s.chosen].fit, s.spend, &s.spendFit, b.Groups[g].Purchases, b.valuation(), b.s.LTV.Interval)
				return nil
			})
		}
	}
	if err := parallel(tasks); err != nil {
		return nil, err
	}
	if b.s.LTV.Contracts {
		f.fitContracts()
	}
	return f, nil
}

// fitContracts fits the models of contracts to all customers and to each segment.
func (f *Forecasts) fitContracts() {
	var whole contractCounts
	for g := range f.base.Groups {
		whole.merge(&f.base.Groups[g].contracts)
	}
	f.contracts = []*contractFit{fitContracts(all, whole)}
	if len(f.base.s.LTV.By) > 0 {
		for g := range f.base.Groups {
			f.contracts = append(f.contracts, fitContracts(f.base.Groups[g].Name, f.base.Groups[g].contracts))
		}
	}
}

func newSegmentFit(name string, purchases *ltv.Summary, spend *ltv.SpendSummary) *segmentFit {
	s := &segmentFit{name: name, customers: purchases.Customers(), repeaters: purchases.Repeaters(), spenders: spend.Customers(), model: onNobody, chosen: -1}
	s.correlation, s.unusable = spend.Correlation(), spend.Unusable()
	s.outliers, s.outlier = spend.Outliers(outlierAt)
	return s
}

func (b *Base) valuation() ltv.Valuation {
	return ltv.Valuation{Unit: ltv.Week, Horizon: b.s.LTV.Horizon, Discount: b.s.LTV.Discount}
}

// candidates are the models that the configuration allows.
func (b *Base) candidates() []ltv.Candidate {
	list := ltv.Candidates()
	if b.s.LTV.Model == auto {
		return list
	}
	return slices.DeleteFunc(list, func(c ltv.Candidate) bool { return c.Name != b.s.LTV.Model })
}

// run chooses a candidate and fits it. Where the hold-out is of all customers the other
// candidates are fitted as well, for the reader of model_fits. Where it is of a sample of
// many, that would only cost time, and the samples of segments are small: the choice made
// for everyone is theirs.
func (s *segmentFit) run(b *Base, segment int32, purchases *ltv.Summary, everyone *segmentFit) error {
	near := func(i int) []float64 { return s.scores[i].Fit.Near() }
	if b.level > 0 && everyone != nil {
		s.order = everyone.order
		near = func(i int) []float64 {
			if everyone.chosen >= 0 && everyone.order[everyone.chosen] == i {
				return everyone.fits[everyone.chosen].fit.Near()
			}
			return everyone.scores[i].Fit.Near()
		}
	} else if err := s.score(b, segment, b.candidates()); err != nil {
		return err
	}
	for _, i := range s.order {
		x := fitted{b.candidates()[i], ltv.Fit{Verdict: ltv.Verdict{Kind: notFitted, Reason: "not fitted to all customers: another model foretold the hold-out better"}}}
		switch {
		case b.level == 0:
			_, x.fit = x.candidate.Fit(purchases)
		case s.chosen < 0:
			_, x.fit = x.candidate.FitNear(purchases, near(i))
		}
		s.fits = append(s.fits, x)
		if s.chosen < 0 && x.fit.Verdict.Usable() {
			s.chosen = len(s.fits) - 1
		}
	}
	if s.byCriterion {
		s.chosen = s.leastAIC()
	}
	if s.chosen >= 0 {
		s.model, s.fittedOn = s.fits[s.chosen].candidate.Name, onSegment
	} else {
		s.fittedOn = onNobody
	}
	return nil
}

// runSpend fits the model of spend.
func (s *segmentFit) runSpend(spend *ltv.SpendSummary) error {
	s.spend, s.spendFit = ltv.FitGammaGamma(spend)
	return nil
}

// leastAIC is the usable fit with the least AIC.
func (s *segmentFit) leastAIC() int {
	best := -1
	for i := range s.fits {
		if f := &s.fits[i].fit; f.Verdict.Usable() && (best < 0 || f.AIC() < s.fits[best].fit.AIC()) {
			best = i
		}
	}
	return best
}

// notFitted is the verdict on a candidate that lost in the hold-out of a sample.
const notFitted ltv.VerdictKind = "not_fitted"

// score compares the candidates by what came in the hold-out.
func (s *segmentFit) score(b *Base, segment int32, candidates []ltv.Candidate) error {
	origin := b.s.LastDay - b.heldDays()
	list := b.sample.At(origin, b.s.LastDay)
	if segment != ltv.Everyone {
		list = slices.DeleteFunc(list, func(c ltv.HeldOut) bool { return c.Segment != segment })
	}
	known, whole, err := ltv.Split(list, origin, b.s.LastDay, ltv.Week)
	if err != nil {
		return fmt.Errorf("hold-out of %s: %w", s.name, err)
	}
	choice, err := ltv.Choose(known, whole, candidates)
	if err != nil {
		return fmt.Errorf("hold-out of %s: %w", s.name, err)
	}
	s.scores, s.heldOut = choice.Scores, len(list)
	for i := range candidates {
		s.order = append(s.order, i)
	}
	slices.SortStableFunc(s.order, func(i, k int) int { return cmp.Compare(s.scores[k].HeldOut, s.scores[i].HeldOut) })
	s.byCriterion = choice.Best < 0
	return nil
}

// pool makes a segment use the fit of all customers.
func (s *segmentFit) pool(everyone *segmentFit) {
	s.fits, s.chosen, s.model, s.spend, s.spendFit = everyone.fits, everyone.chosen, everyone.model, everyone.spend, everyone.spendFit
	s.why = fmt.Sprintf("%.0f repeaters, a fit of its own needs %d: the fit of all customers is used", s.repeaters, leastRepeaters)
	s.fittedOn = onAll
	if s.chosen < 0 {
		s.fittedOn = onNobody
	}
}

// errDamaged says that customers cannot be read back.
var errDamaged = errors.New("the customers kept for customer_ltv cannot be read back: the temporary file is damaged, or this is a defect of the program")
