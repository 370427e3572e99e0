package jobs

import (
	"context"
	"fmt"
	"slices"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/schemas"
	"github.com/cohortline/cohortline/transforms"
	"golang.org/x/sync/errgroup"
)

// predicts says whether the run makes a table of predicted lifetime value.
func (r *run) predicts() bool {
	return r.c.LTV != nil && slices.ContainsFunc(transforms.LTVTables, func(t string) bool { return slices.Contains(r.c.Tables, t) })
}

// historyMemory is the share of memory for the customers that customer_ltv is made of.
func (r *run) historyMemory() int64 {
	if r.memory.total == 0 {
		return 1 << 62
	}
	return r.memory.total / 16
}

// metricsAhead begins to check and write the tables of metrics, for check to go on with and
// for streamed to end: fitting models leaves threads idle, as what a model is fitted to comes
// from the fit before it. Nothing that is written is published before all checks have passed.
func (r *run) metricsAhead(ctx context.Context, p *pipeline.Publication) {
	if !r.predicts() {
		return
	}
	r.ahead = make(chan []transforms.CheckRow, 1)
	var tables []schemas.Data
	for _, name := range r.c.Tables {
		if d, ok := r.metrics.Table(name, r.ledger.Segments()); ok {
			tables = append(tables, d)
		}
	}
	r.streamed.Go(func() error {
		r.ahead <- r.checkMetrics()
		for _, d := range tables {
			if err := writeAhead(ctx, p, d, func() {}); err != nil {
				return err
			}
		}
		return nil
	})
}

// predict fits the models of lifetime value to what the workers of the fold have gathered.
func (r *run) predict() error {
	if !r.predicts() {
		return nil
	}
	done := r.o.Observe.Stage("predict", "models of lifetime value")
	base, err := transforms.NewBase(r.settings, r.gathered, r.ledger.Segments())
	if err != nil {
		return fmt.Errorf("lifetime value: %w", err)
	}
	if r.forecasts, err = base.Forecast(r.inParallel); err != nil {
		return fmt.Errorf("lifetime value: %w", err)
	}
	wants := func(t string) bool { return slices.Contains(r.c.Tables, t) }
	var tasks []func() error
	if wants("customer_ltv") || wants("cohort_ltv_forecast") {
		tasks = append(tasks, func() error { return r.forecasts.Look(r.histories.all, wants("cohort_ltv_forecast")) })
	}
	tasks = append(tasks, func() error { return r.forecasts.Backtest(r.inParallel) })
	if err := r.inParallel(tasks); err != nil {
		return fmt.Errorf("lifetime value: %w", err)
	}
	done(r.counts().Customers, "customers")
	return nil
}

// inParallel runs tasks on the threads of the run.
func (r *run) inParallel(tasks []func() error) error {
	var g errgroup.Group
	g.SetLimit(r.o.Threads)
	for _, t := range tasks {
		g.Go(t)
	}
	return g.Wait()
}

// ltvTable is a table of predicted lifetime value, false for another one.
func (r *run) ltvTable(name string) (schemas.Data, bool) {
	if r.forecasts == nil {
		return schemas.Data{}, false
	}
	switch name {
	case "customer_ltv":
		return r.forecasts.Customers(r.histories.all), true
	case "model_fits":
		return schemas.Encode(schemas.ModelFits, r.forecasts.Fits()), true
	case "cohort_ltv_forecast":
		return schemas.Encode(schemas.CohortLTVForecast, r.forecasts.Cohorts(r.ledger.Segments())), true
	case "contract_retention":
		return schemas.Encode(schemas.ContractRetention, r.forecasts.Contracts()), true
	case "model_backtests":
		return schemas.Encode(schemas.ModelBacktests, r.forecasts.Backtests()), true
	}
	return schemas.Data{}, false
}
