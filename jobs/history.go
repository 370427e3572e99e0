package jobs

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/store"
	"github.com/cohortline/cohortline/schemas"
)

// RunRecord is a published run with what has become of it.
type RunRecord struct {
	Publication string `json:"publication"` // date#number
	Current     bool   `json:"current"`     // it is the latest result of its date
	pipeline.Manifest
}

// History lists the published runs of an output, or of one date, the latest ended first.
func History(ctx context.Context, s store.Store, date string) ([]RunRecord, error) {
	manifests, err := pipeline.Manifests(ctx, s)
	if err != nil {
		return nil, err
	}
	latest := latestByDate(manifests)
	list := []RunRecord{}
	for i := range manifests {
		if m := &manifests[i]; date == "" || m.Date() == date {
			list = append(list, RunRecord{m.Label(), m == latest[m.Partition], *m})
		}
	}
	return list, nil
}

// latestByDate are the latest results of every date, by partition.
func latestByDate(manifests []pipeline.Manifest) map[string]*pipeline.Manifest {
	latest := map[string]*pipeline.Manifest{}
	for i := range manifests {
		if m := &manifests[i]; latest[m.Partition] == nil || latest[m.Partition].Number < m.Number {
			latest[m.Partition] = m
		}
	}
	return latest
}

// What has become of an input since the run before.
const (
	InputNew     = "new"     // that run did not read it
	InputChanged = "changed" // its content is another one
	InputSame    = "same"
	InputGone    = "gone" // only that run read it
)

// RunInput is an input of a run, or one that it did not find any more.
type RunInput struct {
	State string `json:"state"`
	pipeline.InputRecord
}

// RunReport is all that is known of a published run.
type RunReport struct {
	RunRecord
	Before string     `json:"before"`         // the publication that its inputs are compared with: the one before of its date, else the latest of the nearest earlier date; empty: there is none
	Read   []RunInput `json:"inputs_changes"` // its inputs, and those of Before that it did not find

	Differing *ChangedOrders `json:"changed_orders,omitempty"` // where they were asked for
}

// ChangedOrders are the orders that a run has read otherwise than the one before.
type ChangedOrders struct {
	Causes map[string]int64 `json:"causes"` // how many, by cause
	Orders []ChangedOrder   `json:"orders"` // at most as many as were asked for
}

// ChangedOrder is an order that a run has read otherwise than the one before.
type ChangedOrder struct {
	Cause     string     `json:"cause"`
	Source    string     `json:"source"`
	OrderID   string     `json:"order_id"`
	OrderedAt *time.Time `json:"ordered_at"`
	Currency  *string    `json:"currency"`
	BeforeNet *string    `json:"before_net"` // gross − discount − refund in its currency; null: that run has not read it
	AfterNet  *string    `json:"after_net"`
}

// ShowRun reports on a published run.
func ShowRun(ctx context.Context, s store.Store, name string) (*RunReport, error) {
	m, err := pipeline.FindRun(ctx, s, name)
	if err != nil {
		return nil, err
	}
	list, err := History(ctx, s, "")
	if err != nil {
		return nil, err
	}
	report := &RunReport{}
	var before *RunRecord
	for i := range list {
		x := &list[i]
		if x.Publication == m.Label() {
			report.RunRecord = *x
		}
		earlier := x.Job == m.Job && (x.Partition < m.Partition && x.Current || x.Partition == m.Partition && x.Number < m.Number)
		if earlier && (before == nil || cmp.Or(strings.Compare(x.Partition, before.Partition), cmp.Compare(x.Number, before.Number)) > 0) {
			before = x
		}
	}
	var last []pipeline.InputRecord
	if before != nil {
		report.Before, last = before.Publication, before.Inputs
	}
	report.Read = compareInputs(last, m.Inputs)
	return report, nil
}

// ShowOrders adds to a report the orders that the run has read otherwise than the one that
// its inputs are compared with, at most limit of them; 0: all. o says where inputs may lie,
// and, in Out, where to write all of them as a table.
func ShowOrders(ctx context.Context, report *RunReport, limit int, o DiffOptions) (err error) {
	report.Differing = &ChangedOrders{Causes: map[string]int64{}, Orders: []ChangedOrder{}}
	if report.Before == "" {
		return nil
	}
	before, err := pipeline.FindRun(ctx, o.Store, report.Before)
	if err != nil {
		return err
	}
	o.Against = o.Store
	x, err := openMixture(ctx, before, &report.Manifest, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.close()) }()
	_, err = x.listOrders(ctx, o, func(r changedOrderRow) {
		if report.Differing.Causes[r.Cause]++; limit == 0 || len(report.Differing.Orders) < limit {
			report.Differing.Orders = append(report.Differing.Orders, r.document())
		}
	})
	return err
}

func (r *changedOrderRow) document() ChangedOrder {
	c := ChangedOrder{Cause: r.Cause, Source: r.Source, OrderID: r.OrderID}
	if r.OrderedAt.Valid {
		t := time.UnixMicro(int64(r.OrderedAt.Value)).UTC()
		c.OrderedAt = &t
	}
	if r.Currency.Valid {
		c.Currency = &r.Currency.Value
	}
	for _, x := range []struct {
		from schemas.Opt[schemas.Sum]
		to   **string
	}{{r.BeforeNet, &c.BeforeNet}, {r.AfterNet, &c.AfterNet}} {
		if x.from.Valid {
			s := schemas.FormatSum(x.from.Value)
			*x.to = &s
		}
	}
	return c
}

// compareInputs says of every input what has become of it.
func compareInputs(before, after []pipeline.InputRecord) []RunInput {
	type key struct{ table, source, path string }
	of := func(r pipeline.InputRecord) key { return key{r.Table, r.Source, r.Path} }
	known := map[key]pipeline.InputRecord{}
	for _, r := range before {
		known[of(r)] = r
	}
	list := []RunInput{}
	for _, r := range after {
		last, ok := known[of(r)]
		delete(known, of(r))
		switch {
		case !ok:
			list = append(list, RunInput{InputNew, r})
		case sameObject(last, r):
			list = append(list, RunInput{InputSame, r})
		default:
			list = append(list, RunInput{InputChanged, r})
		}
	}
	for _, r := range known {
		list = append(list, RunInput{InputGone, r})
	}
	slices.SortFunc(list, func(a, b RunInput) int {
		return cmp.Or(strings.Compare(a.Table, b.Table), strings.Compare(a.Source, b.Source), strings.Compare(a.Path, b.Path))
	})
	return list
}

// sameObject says whether two records are of the same content.
func sameObject(a, b pipeline.InputRecord) bool {
	return a.Size == b.Size && a.SHA256 == b.SHA256 && a.Version == b.Version
}
