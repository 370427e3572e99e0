package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/store"
)

// ReplaySummary says what has become of rejected rows.
type ReplaySummary struct {
	Status string         `json:"status"` // succeeded; unchanged when no date has rejects or no result is new; failed when a date has failed
	Output string         `json:"output"`
	Dates  []ReplayedDate `json:"dates"` // oldest first
}

// ReplayedDate is an as-of date that was run again because it had rejected rows.
type ReplayedDate struct {
	Date     string   `json:"date"`
	RunID    string   `json:"run_id"`
	Status   string   `json:"status"`         // succeeded, unchanged or failed
	Rejected int64    `json:"rejected"`       // rows, before
	Replayed int64    `json:"replayed"`       // of them, rows that are not rejected any more
	Still    int64    `json:"still_rejected"` // rows that still are
	New      int64    `json:"newly_rejected"` // rows that were not before
	Error    string   `json:"error,omitempty"`
	Warnings []string `json:"warnings"`
}

// Replay runs the published dates again that have rejected rows, oldest first, with a
// configuration whose mapping or rates have been corrected. only names one date; empty:
// all. Dates are published one by one. When one fails the others go on, and the error is a
// PartError, or, where no date could be published, the first failure.
func Replay(ctx context.Context, c *Config, o Options, only string) (_ *ReplaySummary, err error) {
	if o.Store == nil {
		if o.Store, err = store.Open(ctx, c.Output); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, o.Store.Close()) }()
	}
	dates, err := withRejects(ctx, c, o, only)
	if err != nil {
		return nil, err
	}
	s := &ReplaySummary{Status: "unchanged", Output: c.Output, Dates: []ReplayedDate{}}
	failed := 0
	var first error
	for _, m := range dates {
		d, err := replayDate(ctx, c, o, m)
		if ctx.Err() != nil {
			return nil, errors.Join(err, ctx.Err())
		}
		if err != nil {
			d.Status, d.Error = Failed, err.Error()
			if failed++; first == nil {
				first = err
			}
		}
		if d.Status == pipeline.Succeeded {
			s.Status = pipeline.Succeeded
		}
		s.Dates = append(s.Dates, d)
	}
	if failed > 0 {
		s.Status = Failed
	}
	if failed > 0 && failed < len(dates) {
		first = &PartError{fmt.Sprintf("%d of %d dates could not be replayed, the others are published; the first failure: %s\nreplay again: what is published is not rejected any more", failed, len(dates), first)}
	}
	return s, first
}

// withRejects lists the last results of the job that have rejected rows, oldest first.
func withRejects(ctx context.Context, c *Config, o Options, only string) ([]*pipeline.Manifest, error) {
	var partitions []string
	if only != "" {
		partitions = []string{"as_of=" + only}
	} else {
		all, err := pipeline.Manifests(ctx, o.Store)
		if err != nil {
			return nil, err
		}
		for _, m := range all {
			partitions = append(partitions, m.Partition)
		}
		slices.Sort(partitions)
		partitions = slices.Compact(partitions)
	}
	var list []*pipeline.Manifest
	for _, p := range partitions {
		m, err := pipeline.Current(ctx, o.Store, p)
		if err != nil {
			return nil, err
		}
		if m == nil && only != "" {
			_, err := pipeline.FindRun(ctx, o.Store, only) // says what there is
			return nil, err
		}
		if m == nil || m.Job != c.Job {
			continue
		}
		if t, ok := tablesOf(m, true)["rejects"]; m.RowsRejected > 0 || ok && t.Rows > 0 {
			list = append(list, m)
		}
	}
	return list, nil
}

// replayDate runs one date again and counts what has become of its rejects.
func replayDate(ctx context.Context, c *Config, o Options, m *pipeline.Manifest) (ReplayedDate, error) {
	d := ReplayedDate{Date: m.Date(), Status: Failed, Warnings: []string{}}
	before, err := rejectsOf(ctx, o, m)
	if err != nil {
		return d, err
	}
	d.Rejected, d.Still = int64(len(before)), int64(len(before))
	o.AsOf, o.IntervalStart, o.KnownAt = m.AsOf, m.IntervalStart, m.KnownAt
	if o.AsOf.In(c.Zone).Format(time.DateOnly) != m.Date() { // the corrected configuration has another zone
		if o.AsOf, err = Midnight(m.Date(), c.Zone); err != nil {
			return d, err
		}
	}
	s, err := Cohorts(ctx, c, o)
	if err != nil {
		return d, err
	}
	d.RunID, d.Status, d.Warnings = s.RunID, s.Status, s.Warnings
	now, err := pipeline.Current(ctx, o.Store, m.Partition)
	if err != nil {
		return d, err
	}
	after, err := rejectsOf(ctx, o, now)
	if err != nil {
		return d, err
	}
	for row := range before {
		if !after[row] {
			d.Replayed++
		}
	}
	d.Still = d.Rejected - d.Replayed
	d.New = int64(len(after)) - d.Still
	return d, nil
}

// rejectsOf are the places of the rejected rows of a result.
func rejectsOf(ctx context.Context, o Options, m *pipeline.Manifest) (rows map[string]bool, err error) {
	t, ok := tablesOf(m, true)["rejects"]
	if !ok {
		return nil, &ConfigError{m.RunID, []string{"has published no table rejects: add it to output.tables, or run the date again"}}
	}
	r, err := pipeline.OpenResult(ctx, o.Store, t, o.TempDir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	rows = map[string]bool{}
	var key []string
	for row, err := range r.Rows() {
		if err != nil {
			return nil, err
		}
		key = key[:0]
		for i, c := range r.Table.Columns {
			if slices.Contains([]string{"source", "file", "row", "table"}, c.Name) {
				key = append(key, string(row[i].Append(nil, c.Type)))
			}
		}
		rows[strings.Join(key, "\x00")] = true
	}
	return rows, nil
}
