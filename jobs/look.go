package jobs

import (
	"context"
	"errors"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/schemas"
)

// PlanCohorts lists what Cohorts would read and write. It writes nothing.
func PlanCohorts(ctx context.Context, c *Config, o Options) (_ *Plan, err error) {
	r, err := prepare(ctx, c, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	p := &Plan{RunID: r.id, AsOf: o.AsOf.UTC(), Partition: r.partition(), Output: c.Output, Tables: c.Tables, Inputs: r.records, Memory: r.memory.total, Needs: r.memory.need}
	m, err := pipeline.Current(ctx, r.output, p.Partition)
	if err != nil {
		return nil, err
	}
	p.Published = m != nil && m.WrittenBy(r.id)
	return p, nil
}

// Validation is what Validate has found.
type Validation struct {
	Files    int              `json:"files"`
	RowsRead int64            `json:"rows_read"`
	Filtered int64            `json:"rows_filtered"`
	Rejected int64            `json:"rows_rejected"`
	Rates    int              `json:"fx_rates"`
	Rejects  map[string]int64 `json:"rejects"` // by reason
	Examples []schemas.Reject `json:"examples"`
}

// Validate reads every input and goes as far as the rules that reject rows: mapping, lines
// of orders, exchange rates. It makes no table and writes nothing. When more rows than
// allowed do not conform it returns a CheckError beside what it has found.
func Validate(ctx context.Context, c *Config, o Options) (_ *Validation, err error) {
	r, err := prepare(ctx, c, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	defer r.memory.limitHeap()()
	if err := r.extract(ctx); err != nil {
		return nil, err
	}
	if err := r.resolve(); err != nil {
		return nil, err
	}
	x := r.extracted
	v := &Validation{Files: len(r.records), RowsRead: x.RowsRead, Filtered: x.Filtered, Rejected: int64(len(r.rejects)), Rates: len(r.rates), Rejects: map[string]int64{}}
	for _, reject := range r.sortedRejects() {
		if v.Rejects[reject.Reason]++; len(v.Examples) < 10 {
			v.Examples = append(v.Examples, reject)
		}
	}
	return v, r.checkBudget()
}
