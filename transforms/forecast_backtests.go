package transforms

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/cohortline/cohortline/schemas"
	"github.com/cohortline/cohortline/transforms/ltv"
)

// mostOrigins is the number of back-tests, one held-out period before the other;
// mostOriginsOfSample where the sample is not of all customers.
const (
	mostOrigins         = 4
	mostOriginsOfSample = 2
)

// Backtest compares what the models would have foretold at earlier origins with what came.
// Where the sample is not of all customers only the models in use are compared, and segments
// at the latest origin alone.
func (f *Forecasts) Backtest(parallel func(tasks []func() error) error) error {
	b := f.base
	held := b.heldDays()
	first, _ := b.sample.Days()
	most := mostOrigins
	if b.level > 0 {
		most = mostOriginsOfSample
	}
	origins := ltv.Origins(first, b.s.LastDay, held, most)
	candidates, scores, near := f.compared()
	if len(candidates) == 0 {
		return nil
	}
	f.backtests = make([]backtests, len(origins))
	var tasks []func() error
	for i, origin := range origins {
		tasks = append(tasks, func() error {
			plan := ltv.BacktestPlan{Origin: origin, Last: origin + held, Unit: ltv.Week, Probability: b.s.LTV.Interval, Candidates: candidates, LeastRepeaters: leastRepeaters, KnownParameters: b.level > 0}
			if b.level > 0 {
				plan.Near = near
			}
			if i == 0 && f.everyone.scores != nil {
				plan.Scores = scores
			}
			if len(b.s.LTV.By) > 0 && (b.level == 0 || i == 0) {
				plan.Segments = len(b.Groups)
			}
			list, err := ltv.Backtests(b.sample.At(origin, origin+held), plan)
			if err != nil {
				return fmt.Errorf("back-test from %s: %w", date(schemas.Day(origin+1)), err)
			}
			f.backtests[i] = backtests{origin, list}
			return nil
		})
	}
	return parallel(tasks)
}

// compared are the candidates of the back-tests, with their fits to the calibration of the
// hold-out, which is that of the latest origin, and the estimates near which those of the
// other origins are.
func (f *Forecasts) compared() (candidates []ltv.Candidate, scores []ltv.Score, near [][]float64) {
	for i, c := range f.base.candidates() {
		if f.base.level > 0 && !slices.ContainsFunc(f.segments, func(s *segmentFit) bool { return s.model == c.Name }) {
			continue
		}
		s := f.everyone.scores[i]
		candidates, scores, near = append(candidates, c), append(scores, s), append(near, s.Fit.Near())
	}
	return candidates, scores, near
}

// backtests are those of one origin, the last day known.
type backtests struct {
	origin int32
	list   []ltv.Backtest
}

// heldDays is the length of the hold-out.
func (b *Base) heldDays() int32 { return int32(math.Round(b.s.LTV.HoldOut.In(ltv.Day))) }

// BacktestRow is a row of model_backtests.
type BacktestRow struct {
	Segment     string               `col:"segment"`
	Model       string               `col:"model"`
	Origin      schemas.Day          `col:"origin"`
	Measure     string               `col:"measure"`
	Decile      int64                `col:"decile"`
	FittedOn    string               `col:"fitted_on"`
	Days        int64                `col:"held_out_days"`
	SampleShare float64              `col:"sample_share"`
	Customers   float64              `col:"customers"`
	Predicted   float64              `col:"predicted"`
	Actual      float64              `col:"actual"`
	MAE         schemas.Opt[float64] `col:"mae"`
	RMSE        schemas.Opt[float64] `col:"rmse"`
	Bias        schemas.Opt[float64] `col:"bias"`
	Gini        schemas.Opt[float64] `col:"gini"`
	Coverage    schemas.Opt[float64] `col:"interval_coverage"`
}

// Backtests are the rows of model_backtests.
func (f *Forecasts) Backtests() iter.Seq[BacktestRow] {
	var rows []BacktestRow
	for _, o := range f.backtests {
		for i := range o.list {
			x := &o.list[i]
			r := BacktestRow{Segment: f.segmentName(x.Segment), Model: x.Candidate.Name, Origin: schemas.Day(o.origin + 1), FittedOn: onSegment,
				Days: int64(f.base.heldDays()), SampleShare: math.Ldexp(1, -int(f.base.level))}
			if x.Pooled {
				r.FittedOn = onAll
			}
			rows = append(rows, accuracyRows(r, "orders", x.Customers, x.Orders)...)
			rows = append(rows, accuracyRows(r, "value", x.Customers, x.Value)...)
		}
	}
	slices.SortFunc(rows, func(a, b BacktestRow) int {
		return cmp.Or(strings.Compare(a.Segment, b.Segment), strings.Compare(a.Model, b.Model), cmp.Compare(a.Origin, b.Origin), strings.Compare(a.Measure, b.Measure), cmp.Compare(a.Decile, b.Decile))
	})
	return slices.Values(rows)
}

// segmentName names a segment of a back-test.
func (f *Forecasts) segmentName(segment int32) string {
	if segment == ltv.Everyone {
		return all
	}
	return f.base.Groups[segment].Name
}

// accuracyRows are the row of all customers and those of the deciles; none without a comparison.
func accuracyRows(r BacktestRow, measure string, customers int, a *ltv.Accuracy) []BacktestRow {
	if a == nil {
		return nil
	}
	r.Measure, r.Customers, r.Predicted, r.Actual = measure, float64(customers), a.Predicted, a.Actual
	whole := r
	whole.MAE, whole.RMSE, whole.Bias = schemas.Some(a.MAE), schemas.Some(a.RMSE), schemas.Some(a.Bias)
	whole.Gini, whole.Coverage = schemas.Some(a.Gini), schemas.Some(a.Coverage)
	rows := []BacktestRow{whole}
	for i, d := range a.Deciles {
		r.Decile, r.Customers, r.Predicted, r.Actual = int64(i+1), d.Customers, d.Predicted, d.Actual
		rows = append(rows, r)
	}
	return rows
}
