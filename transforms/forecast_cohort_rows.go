package transforms

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/cohortline/cohortline/schemas"
	"gonum.org/v1/gonum/mathext"
)

// CohortForecastRow is a row of cohort_ltv_forecast.
type CohortForecastRow struct {
	Grain     string               `col:"grain"`
	Cohort    schemas.Day          `col:"cohort"`
	Dimension string               `col:"dimension"`
	Segment   string               `col:"segment"`
	Age       int64                `col:"age"`
	Kind      string               `col:"kind"`
	Basis     string               `col:"value_basis"`
	Customers int64                `col:"cohort_customers"`
	OrderDays schemas.Opt[float64] `col:"cumulative_order_days"`
	Value     schemas.Opt[float64] `col:"cumulative_value"`
	LTV       schemas.Opt[float64] `col:"ltv"`
	Low       schemas.Opt[float64] `col:"ltv_low"`
	High      schemas.Opt[float64] `col:"ltv_high"`
}

// Kinds of rows of cohort_ltv_forecast.
const (
	kindObserved  = "observed"
	kindPredicted = "predicted"
)

// namedFuture is the future of a cohort with the names of its segment.
type namedFuture struct {
	cohortKey
	dimension, segment string
	x                  *cohortFuture
}

// Cohorts are the rows of cohort_ltv_forecast, computed when they are taken. Look must have
// been called for them.
func (f *Forecasts) Cohorts(segments [][]string) iter.Seq[CohortForecastRow] {
	return func(yield func(CohortForecastRow) bool) {
		s := &f.base.s
		byGrain, _ := s.periodsAhead()
		z := mathext.NormalQuantile((1 + s.LTV.Interval) / 2)
		for _, n := range f.namedFutures(segments) {
			if !f.cohortRows(&n, byGrain[n.grain], z, yield) {
				return
			}
		}
	}
}

// namedFutures are the futures of all cohorts, in the order of the table.
func (f *Forecasts) namedFutures(segments [][]string) []namedFuture {
	s := &f.base.s
	var list []namedFuture
	for k, x := range f.cohorts.futures() {
		list = append(list, namedFuture{k, s.dimension(int(k.dimension)), segmentName(segments, int(k.dimension), k.segment), x})
	}
	slices.SortFunc(list, func(a, b namedFuture) int {
		return cmp.Or(strings.Compare(Grains[s.Grains[a.grain]], Grains[s.Grains[b.grain]]), cmp.Compare(a.cohort, b.cohort),
			strings.Compare(a.dimension, b.dimension), strings.Compare(a.segment, b.segment))
	})
	return list
}

// cohortRows yields what a cohort has brought, then what it is expected to have by the end of
// each period; false when no more are wanted.
func (f *Forecasts) cohortRows(n *namedFuture, periods []horizonPeriod, z float64, yield func(CohortForecastRow) bool) bool {
	s := &f.base.s
	grain := s.Grains[n.grain]
	r := CohortForecastRow{Grain: Grains[grain], Cohort: s.start(grain, n.cohort), Dimension: n.dimension, Segment: n.segment, Basis: f.base.Basis, Customers: n.x.customers,
		Age: int64(s.lastPeriod(grain) - n.cohort), Kind: kindObserved}
	past := schemas.SumFloat(n.x.historic)
	count := float64(n.x.customers)
	r.OrderDays, r.Value, r.LTV = schemas.Some(float64(n.x.days)), schemas.Some(past), schemas.Some(past/count)
	if !yield(r) {
		return false
	}
	r.Kind = kindPredicted
	for i, p := range periods {
		r.Age = int64(p.period - n.cohort)
		r.OrderDays, r.Value, r.LTV, r.Low, r.High = schemas.Opt[float64]{}, schemas.Opt[float64]{}, schemas.Opt[float64]{}, schemas.Opt[float64]{}, schemas.Opt[float64]{}
		if !n.x.noOrders {
			r.OrderDays = schemas.Some(float64(n.x.days) + n.x.orders[i])
		}
		if !n.x.noValue {
			low, high := lognormalInterval(n.x.value[i], n.x.chance[i]+n.x.doubt[i], z)
			r.Value, r.LTV = schemas.Some(past+n.x.value[i]), schemas.Some((past+n.x.value[i])/count)
			r.Low, r.High = schemas.Some((past+low)/count), schemas.Some((past+high)/count)
		}
		if !yield(r) {
			return false
		}
	}
	return true
}

// lognormalInterval is the central interval, z standard deviations to both sides in the
// logarithm, of a lognormal variable of a mean and a variance.
func lognormalInterval(mean, variance, z float64) (low, high float64) {
	if mean <= 0 || variance <= 0 {
		return mean, mean
	}
	square := math.Log1p(variance / (mean * mean))
	middle := math.Log(mean) - square/2
	return math.Exp(middle - z*math.Sqrt(square)), math.Exp(middle + z*math.Sqrt(square))
}
