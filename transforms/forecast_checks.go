package transforms

import (
	"fmt"
	"math"
	"strings"

	"github.com/cohortline/cohortline/schemas"
	"github.com/cohortline/cohortline/transforms/ltv"
)

// Beyond these a finding is reported.
const (
	mostCorrelation = 0.3
	outlierAt       = 5.0  // standard deviations of ln of the mean spend
	mostDrift       = 0.25 // between the largest and the least of predicted over actual
)

// CheckForecasts verifies that every customer of the ledger is in the forecasts with what
// it has spent, and reports what makes predictions doubtful, with advice.
func (f *Forecasts) CheckForecasts(counts Counts) []CheckRow {
	customers := int64(f.everyone.customers)
	rows := []CheckRow{{Check: "forecast_has_all_customers", Table: "customer_ltv", Severity: SeverityError, Passed: customers == counts.Customers,
		Observed: fmt.Sprint(customers), Expected: fmt.Sprintf("%d customers", counts.Customers)}}
	if f.base.Basis == basisNet {
		rows = append(rows, CheckRow{Check: "forecast_has_all_revenue", Table: "customer_ltv", Severity: SeverityError, Passed: f.base.total == counts.Net,
			Observed: schemas.FormatSum(f.base.total), Expected: schemas.FormatSum(counts.Net)})
	}
	return append(rows, f.checkFits(), f.checkHistory(), f.checkCorrelation(), f.checkOutliers(), f.checkUnusable(), f.checkDrift())
}

// finding is a warning about segments: none, and the check has passed.
func finding(check, table, passed string, worst []string, expected string) CheckRow {
	r := CheckRow{Check: check, Table: table, Severity: SeverityWarning, Passed: len(worst) == 0, Observed: passed, Expected: expected}
	if len(worst) > 0 {
		r.Observed = strings.Join(worst[:min(3, len(worst))], "; ")
		if n := len(worst) - 3; n > 0 {
			r.Observed += fmt.Sprintf("; and %d more", n)
		}
	}
	return r
}

// ownFits are the fits that are not borrowed.
func (f *Forecasts) ownFits() []*segmentFit {
	list := []*segmentFit{f.everyone}
	for _, s := range f.segments {
		if s != f.everyone && s.fittedOn != onAll {
			list = append(list, s)
		}
	}
	return list
}

func (f *Forecasts) checkFits() CheckRow {
	var worst []string
	for _, s := range f.ownFits() {
		switch {
		case s.chosen < 0 && len(s.fits) > 0:
			worst = append(worst, fmt.Sprintf("%s: no predictions, %s", s.name, s.fits[0].fit.Verdict.Reason))
		case s.chosen >= 0 && s.fits[s.chosen].fit.Verdict.Kind != ltv.Converged:
			worst = append(worst, fmt.Sprintf("%s: %s %s", s.name, s.model, s.fits[s.chosen].fit.Verdict.Reason))
		case s.chosen >= 0 && s.spendFit.Verdict.Kind != ltv.Converged:
			worst = append(worst, fmt.Sprintf("%s: %s %s", s.name, spendModel, s.spendFit.Verdict.Reason))
		}
	}
	return finding("ltv_fits_converged", "model_fits", "all fits in use converged", worst, "every fit in use converged; see model_fits, and wait for more history or leave out ltv.by")
}

func (f *Forecasts) checkHistory() CheckRow {
	first, _ := f.base.sample.Days()
	days, held := int32(0), f.base.heldDays()
	if f.base.sample.Customers() > 0 {
		days = f.base.s.LastDay - first + 1
	}
	horizon := int32(f.base.s.LTV.Horizon.In(ltv.Day))
	var worst []string
	switch {
	case days < 2*held:
		worst = append(worst, fmt.Sprintf("%d days of history, too short to hold out %d: models are compared by AIC only", days, held))
	case days < horizon:
		worst = append(worst, fmt.Sprintf("%d days of history for a horizon of %d", days, horizon))
	}
	return finding("ltv_history_is_long_enough", "customer_ltv", fmt.Sprintf("%d days", days), worst,
		fmt.Sprintf("twice the hold-out (%d days) and the horizon (%d days); shorten ltv.holdout or ltv.horizon, or load more history", 2*held, horizon))
}

func (f *Forecasts) checkCorrelation() CheckRow {
	var worst []string
	for _, s := range f.ownFits() {
		if math.Abs(s.correlation) > mostCorrelation {
			worst = append(worst, fmt.Sprintf("%s: %.2f", s.name, s.correlation))
		}
	}
	return finding("ltv_spend_does_not_depend_on_frequency", "customer_ltv", fmt.Sprintf("correlation %.2f", f.everyone.correlation), worst,
		"correlation of frequency and mean spend from -0.3 to 0.3; beyond, the value of frequent buyers is misjudged: split by a dimension that explains it (ltv.by)")
}

func (f *Forecasts) checkOutliers() CheckRow {
	var worst []string
	for _, s := range f.ownFits() {
		if s.outliers > 0 {
			worst = append(worst, fmt.Sprintf("%s: %.0f customers from %.2f an order-day on", s.name, s.outliers, s.outlier))
		}
	}
	return finding("ltv_spend_has_no_outliers", "customer_ltv", "none", worst,
		"no mean spend beyond 5 standard deviations of its logarithm; look whether resellers or test orders are among the customers")
}

func (f *Forecasts) checkUnusable() CheckRow {
	var worst []string
	if n := f.everyone.unusable; n > 0 {
		worst = append(worst, fmt.Sprintf("%.0f customers", n))
	}
	return finding("ltv_spend_is_positive", "customer_ltv", "all", worst,
		"a positive mean spend of every customer who came back; those without one, as after refunds, are expected to spend what all do")
}

// checkDrift compares the back-tests of the models in use.
func (f *Forecasts) checkDrift() CheckRow {
	var worst []string
	if len(f.backtests) >= 2 {
		for _, s := range f.ownFits() {
			least, most := math.Inf(1), 0.0
			for _, o := range f.backtests {
				for i := range o.list {
					x := &o.list[i]
					if f.segmentName(x.Segment) == s.name && x.Candidate.Name == s.model && !x.Pooled && x.Orders != nil && x.Orders.Actual > 0 {
						ratio := x.Orders.Predicted / x.Orders.Actual
						least, most = min(least, ratio), max(most, ratio)
					}
				}
			}
			if most-least > mostDrift {
				worst = append(worst, fmt.Sprintf("%s: predicted orders from %.0f %% to %.0f %% of the actual ones", s.name, 100*least, 100*most))
			}
		}
	}
	return finding("ltv_backtests_do_not_drift", "model_backtests", fmt.Sprintf("%d back-tests", len(f.backtests)), worst,
		"predicted over actual orders within 25 percentage points over the back-tests; customers behave otherwise than they did: prefer a shorter horizon and look at the newest back-test")
}
