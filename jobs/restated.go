package jobs

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/schemas"
	"github.com/cohortline/cohortline/transforms/diff"
)

// maxRestatedRows is how many rows of a table a run looks at to say which cells it has
// changed. `diff` compares the others.
const maxRestatedRows = 50_000

// restated says what the tables of this run change in the result that was published last
// for its date, nil when there is none. Tables with the same bytes are not looked at.
func (r *run) restated(ctx context.Context, p *pipeline.Publication) (*pipeline.Restated, error) {
	last := p.Before()
	if last == nil {
		return nil, nil
	}
	found := &pipeline.Restated{Number: last.Number, RunID: last.RunID, Tables: []pipeline.RestatedTable{}, Cohorts: []string{}}
	before, after := tablesOf(last, true), byTable(p.Outputs())
	cohorts := map[string]bool{}
	c := &comparing{ctx: ctx, before: publishedTables{r.output, before}, after: publishedTables{r.output, after}, memory: r.memory.total / 4, temp: r.o.TempDir}
	for _, name := range DiffTables() {
		b, ok := before[name]
		a, is := after[name]
		if !ok || !is || b.SHA256 == a.SHA256 {
			continue
		}
		t := pipeline.RestatedTable{Table: name, RowsBefore: b.Rows, RowsAfter: a.Rows}
		declared, _ := schemas.ByName(name, nil)
		if !slices.Contains(declared.Key, "customer_id") && max(b.Rows, a.Rows) <= maxRestatedRows && found.Unknown == "" {
			err := c.restated(&t, cohorts)
			if err != nil && ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err != nil { // the last result is damaged: this one is no worse for it
				found.Unknown = err.Error()
				r.warn(fmt.Sprintf("what this run changes in the last result of the date is not known: %v", err))
			}
		}
		found.Tables = append(found.Tables, t)
	}
	list := slices.Sorted(maps.Keys(cohorts))
	found.InAll = len(list)
	found.Cohorts = append(found.Cohorts, list[:min(len(list), pipeline.MaxRestatedCohorts)]...)
	return found, nil
}

// restated counts the cells of a table that differ and gathers their cohorts.
func (c *comparing) restated(t *pipeline.RestatedTable, cohorts map[string]bool) error {
	last := ""
	count, err := c.rows(t.Table, func(x *diff.Comparison, row *diff.Row) bool {
		for range x.Cells(row) {
			t.Cells++
		}
		if cohort, ok := x.KeyValue(row, "cohort"); ok {
			grain, _ := x.KeyValue(row, "grain")
			text := string(cohort.Append(append(grain.Text, ' '), schemas.Date))
			if text != last {
				cohorts[text], last = true, text
			}
		}
		return true
	})
	t.Compared, t.Added, t.Removed, t.Changed = err == nil, count.Added, count.Removed, count.Changed
	return err
}
