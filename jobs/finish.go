package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/schemas"
	"github.com/cohortline/cohortline/transforms"
	"golang.org/x/sync/errgroup"
)

// CheckError is a failed check: nothing has been published.
type CheckError struct{ Message string }

func (e *CheckError) Error() string { return e.Message }

// rowsIn is the number of order rows that are accepted, rejected or superseded.
func (r *run) rowsIn() int64 { return r.extracted.RowsRead - r.extracted.Filtered }

// orderRejects counts the rejected rows of orders.
func (r *run) orderRejects() int64 {
	n := int64(0)
	for _, x := range r.rejects {
		if x.Table == "orders" {
			n++
		}
	}
	return n
}

// checkBudget fails when more rows than allowed do not conform.
func (r *run) checkBudget() error {
	for _, t := range []struct {
		table      string
		rows, lost int64
	}{{"orders", r.rowsIn(), r.orderRejects()}, {"fx", r.fxRows, int64(len(r.rejects)) - r.orderRejects()}} {
		share := 0.0
		if t.rows > 0 {
			share = float64(t.lost) / float64(t.rows)
		}
		ok := share <= r.c.MaxRejectShare
		if t.rows > 0 || t.table == "orders" {
			r.checks = append(r.checks, transforms.CheckRow{Check: "reject_share", Table: t.table, Severity: transforms.SeverityError, Passed: ok,
				Observed: fmt.Sprintf("%d of %d rows", t.lost, t.rows), Expected: fmt.Sprintf("at most %g %%", 100*r.c.MaxRejectShare)})
		}
		if !ok {
			return &CheckError{fmt.Sprintf("%d of %d rows of %s do not conform (%.2f %%, at most %g %% may): %s\ncorrect the mapping or the export, or raise checks.max_reject_share; nothing was published",
				t.lost, t.rows, t.table, 100*share, 100*r.c.MaxRejectShare, r.examples(t.table))}
		}
	}
	return nil
}

// examples names the commonest reasons with the first row of each.
func (r *run) examples(table string) string {
	type group struct {
		reason, column string
		n              int
		first          schemas.Reject
	}
	var groups []*group
	for _, x := range r.sortedRejects() {
		if x.Table != table {
			continue
		}
		i := slices.IndexFunc(groups, func(g *group) bool { return g.reason == x.Reason && g.column == x.Column })
		if i < 0 {
			groups = append(groups, &group{x.Reason, x.Column, 0, x})
			i = len(groups) - 1
		}
		groups[i].n++
	}
	slices.SortStableFunc(groups, func(a, b *group) int { return cmp.Compare(b.n, a.n) })
	var parts []string
	for _, g := range groups[:min(3, len(groups))] {
		s := fmt.Sprintf("%d × %s", g.n, g.reason)
		if g.column != "" {
			s += " in " + g.column
		}
		s += fmt.Sprintf(" (first: %s row %d", g.first.File, g.first.Row)
		if g.first.Value != "" {
			s += fmt.Sprintf(", like %q", g.first.Value)
		}
		parts = append(parts, s+")")
	}
	return strings.Join(parts, "; ")
}

func (r *run) sortedRejects() []schemas.Reject {
	slices.SortFunc(r.rejects, func(a, b schemas.Reject) int {
		return cmp.Or(strings.Compare(a.Source, b.Source), strings.Compare(a.File, b.File), cmp.Compare(a.Row, b.Row), strings.Compare(a.Table, b.Table))
	})
	return r.rejects
}

// check verifies the accounting identities over the tables that are computed.
func (r *run) check() error {
	done := r.o.Observe.Stage("check", "accounting identities")
	counts := r.counts()
	validation := int64(len(r.extracted.Rejects))
	r.checks = append(r.checks, transforms.CheckRows(r.rowsIn(), validation, counts)...)
	if len(r.rates) > 0 {
		r.checks = append(r.checks, transforms.CheckRow{Check: "fx_rate_conflicts", Table: "fx", Severity: transforms.SeverityWarning, Passed: r.conflicts == 0,
			Observed: fmt.Sprint(r.conflicts), Expected: "0 days for which a currency has two rates; the last one counts"})
	}
	if r.ahead != nil {
		r.checks = append(r.checks, <-r.ahead...)
	} else {
		r.checks = append(r.checks, r.checkMetrics()...)
	}
	if r.forecasts != nil {
		r.checks = append(r.checks, r.forecasts.CheckForecasts(counts)...)
	}
	slices.SortFunc(r.checks, func(a, b transforms.CheckRow) int {
		return cmp.Or(strings.Compare(a.Check, b.Check), strings.Compare(a.Table, b.Table))
	})
	failed := ""
	for _, c := range r.checks {
		switch {
		case c.Passed:
		case c.Severity == transforms.SeverityError:
			failed += fmt.Sprintf("check %s of table %s failed: %s, expected %s\n", c.Check, c.Table, c.Observed, c.Expected)
		default:
			r.warn(fmt.Sprintf("%s: %s, expected %s", c.Check, c.Observed, c.Expected))
		}
	}
	if failed != "" {
		return &CheckError{failed + "nothing was published; this is a defect of the program, please report it"}
	}
	done(int64(len(r.checks)), "checks")
	return nil
}

// checkMetrics verifies the accounting identities of the metrics.
func (r *run) checkMetrics() []transforms.CheckRow {
	counts, segments := r.counts(), r.ledger.Segments()
	rows := transforms.CheckRetention(r.metrics.Cells.Cohorts(segments), r.metrics.Cells.CountsAndCurves(segments), counts)
	if r.metrics.Lifecycle != nil {
		rows = append(rows, transforms.CheckLifecycle(r.metrics.Lifecycle.Rows(segments))...)
	}
	return rows
}

// write writes the tables that are made of accumulators, and those about the run.
func (r *run) write(ctx context.Context, p *pipeline.Publication) error {
	done := r.o.Observe.Stage("write", "tables")
	segments := r.ledger.Segments()
	var g errgroup.Group
	if r.rowsMade == nil { // else the rows are made side by side, so that what they are made of is free soon
		g.SetLimit(r.o.Threads)
	}
	var made sync.WaitGroup
	for _, name := range r.c.Tables {
		d, ok := r.metrics.Table(name, segments)
		if ok && r.ahead != nil {
			continue // written beside the models
		}
		switch name {
		case "rejects":
			d, ok = schemas.Encode(schemas.Rejects, r.rejectRows()), true
		case "checks":
			d, ok = schemas.Encode(schemas.Checks, slices.Values(r.checks)), true
		}
		if !ok {
			d, ok = r.ltvTable(name)
		}
		if !ok {
			continue // streamed before, or made last
		}
		made.Add(1)
		g.Go(func() error { return writeAhead(ctx, p, d, made.Done) })
	}
	if r.rowsMade != nil {
		made.Wait()
		r.rowsMade()
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := r.streamed.Wait(); err != nil {
		return err
	}
	done(int64(len(p.Outputs())), "tables")
	return nil
}

// rejectRow is a row of rejects.
type rejectRow struct {
	Source string              `col:"source"`
	File   string              `col:"file"`
	Row    int64               `col:"row"`
	Table  string              `col:"table"`
	Reason string              `col:"reason"`
	Column schemas.Opt[string] `col:"column"`
	Value  schemas.Opt[string] `col:"value"`
	Raw    schemas.Opt[string] `col:"raw"`
}

func (r *run) rejectRows() func(func(rejectRow) bool) {
	some := func(s string) schemas.Opt[string] { return schemas.Opt[string]{Value: s, Valid: s != ""} }
	return func(yield func(rejectRow) bool) {
		for _, x := range r.sortedRejects() {
			if !yield(rejectRow{x.Source, x.File, x.Row, x.Table, x.Reason, some(x.Column), some(x.Value), some(x.Raw)}) {
				return
			}
		}
	}
}

// runRow is a row of runs.
type runRow struct {
	RunID         string                       `col:"run_id"`
	Job           string                       `col:"job"`
	IntervalStart schemas.Opt[schemas.Instant] `col:"interval_start"`
	IntervalEnd   schemas.Instant              `col:"interval_end"`
	Config        string                       `col:"config_sha256"`
	Code          string                       `col:"code_version"`
	Inputs        string                       `col:"inputs"`
	Outputs       string                       `col:"outputs"`
	RowsIn        int64                        `col:"rows_in"`
	RowsRejected  int64                        `col:"rows_rejected"`
	StartedAt     schemas.Instant              `col:"started_at"`
	EndedAt       schemas.Instant              `col:"ended_at"`
	Status        string                       `col:"status"`
}

// publish writes the table runs and commits.
func (r *run) publish(ctx context.Context, p *pipeline.Publication) error {
	done := r.o.Observe.Stage("publish", r.c.Output)
	if err := r.record(ctx); err != nil {
		return err
	}
	for i := range r.records {
		r.records[i].Rows = r.extracted.Rows[r.records[i].Path]
	}
	counts := r.counts()
	m := &pipeline.Manifest{Version: 1, RunID: r.id, Job: r.c.Job, IntervalStart: r.o.IntervalStart, IntervalEnd: r.o.AsOf.UTC(), AsOf: r.o.AsOf.UTC(), KnownAt: r.o.KnownAt,
		Partition: r.partition(), ConfigSHA256: r.c.Fingerprint(), CodeVersion: r.o.CodeVersion, Inputs: r.records, Outputs: p.Outputs(), RowsIn: r.rowsIn(),
		RowsRejected: r.orderRejects(), StartedAt: r.start.UTC().Truncate(time.Microsecond), EndedAt: r.o.Now().UTC().Truncate(time.Microsecond), Orders: counts.Orders, Customers: counts.Customers, Status: pipeline.Succeeded}
	if slices.Contains(r.c.Tables, "runs") {
		row := runRow{RunID: m.RunID, Job: m.Job, IntervalEnd: schemas.Instant(m.IntervalEnd.UnixMicro()),
			Config: m.ConfigSHA256, Code: m.CodeVersion, RowsIn: m.RowsIn, RowsRejected: m.RowsRejected,
			StartedAt: schemas.Instant(m.StartedAt.UnixMicro()), EndedAt: schemas.Instant(m.EndedAt.UnixMicro()), Status: m.Status}
		if m.IntervalStart != nil {
			row.IntervalStart = schemas.Some(schemas.Instant(m.IntervalStart.UnixMicro()))
		}
		for _, x := range []struct {
			to *string
			v  any
		}{{&row.Inputs, m.Inputs}, {&row.Outputs, m.Outputs}} {
			data, err := json.Marshal(x.v)
			if err != nil {
				return err
			}
			*x.to = string(data)
		}
		if _, err := p.Write(ctx, schemas.Encode(schemas.Runs, slices.Values([]runRow{row}))); err != nil {
			return err
		}
		m.Outputs = p.Outputs()
	}
	var err error
	if m.Restated, err = r.restated(ctx, p); err != nil {
		return err
	}
	if err := p.Commit(ctx, m); err != nil {
		return err
	}
	r.summarise(m, "succeeded")
	done(int64(len(m.Outputs)), "tables")
	return nil
}

// summarise fills the summary from the manifest and what was counted.
func (r *run) summarise(m *pipeline.Manifest, status string) {
	s := &r.summary
	s.RunID, s.Status, s.AsOf, s.KnownAt, s.Output, s.Tables = m.RunID, status, m.AsOf, m.KnownAt, r.c.Output, m.Outputs
	s.RowsIn, s.RowsRejected, s.Seconds = m.RowsIn, m.RowsRejected, r.o.Now().Sub(r.start).Seconds()
	s.Rejects = map[string]int64{}
	if s.Warnings == nil {
		s.Warnings = []string{}
	}
	if r.ledger == nil {
		return
	}
	c := r.counts()
	s.RowsSuperseded, s.RowsFiltered, s.Orders, s.Purchases, s.Customers, s.AnonymousOrders = c.Superseded, r.extracted.Filtered, c.Orders, c.Purchases, c.Customers, c.AnonymousOrders
	s.NetRevenue = schemas.FormatSum(c.Net)
	for _, x := range r.rejects {
		s.Rejects[x.Reason]++
	}
}

// unchanged is the summary of a run whose result is already in place.
func (r *run) unchanged(m *pipeline.Manifest) *Summary {
	r.summarise(m, "unchanged")
	return &r.summary
}

// Plan says what a run would do, without doing it.
type Plan struct {
	RunID     string                 `json:"run_id"`
	AsOf      time.Time              `json:"as_of"`
	Partition string                 `json:"partition"`
	Output    string                 `json:"output"`
	Tables    []string               `json:"tables"`
	Inputs    []pipeline.InputRecord `json:"inputs"`
	Memory    int64                  `json:"memory_bytes"`       // that the run may use; 0: no limit is known
	Needs     int64                  `json:"memory_least_bytes"` // that it could do with, by temporary files
	Published bool                   `json:"published"`          // a run with this id has been published before
}
