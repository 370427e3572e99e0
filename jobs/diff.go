package jobs

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/store"
	"github.com/cohortline/cohortline/schemas"
	"github.com/cohortline/cohortline/transforms"
	"github.com/cohortline/cohortline/transforms/diff"
)

// DiffOptions say which results to hold against each other.
type DiffOptions struct {
	Before, After string      // run id, date, or date#number
	Store         store.Store // where both lie
	Against       store.Store // where After lies, nil: in Store
	Out           store.Store // for the tables of changes; nil: none are written
	Limit         int         // cells to list in the document; 0: all
	Memory        int64       // bytes that the comparison may use; 0: a quarter of the machine's
	TempDir       string
	Observe       pipeline.Observer

	Explain bool                        // attribute every change to its causes; tables that the runs did not write themselves are left out
	Env     func(string) (string, bool) // for the secrets of their configurations
	Bases   []string                    // folders where relative paths of their inputs may begin
	Threads int

	forget transforms.OrderClass // tests: orders that are left as they were
}

// Diff is what two results have not in common.
type Diff struct {
	Status      string      `json:"status"` // equal or different
	Before      DiffSide    `json:"before"`
	After       DiffSide    `json:"after"`
	Tables      []TableDiff `json:"tables"`
	Cells       []CellDiff  `json:"cells"` // in the order of tables and keys
	CellsInAll  int64       `json:"cells_in_all"`
	Files       []string    `json:"files"` // tables of changes that were written
	Explanation *Explained  `json:"explanation,omitempty"`
}

// DiffSide names a result.
type DiffSide struct {
	RunID       string    `json:"run_id"`
	Publication string    `json:"publication"` // date#number
	AsOf        time.Time `json:"as_of"`
	Output      string    `json:"output"`
	CodeVersion string    `json:"code_version"`
	Config      string    `json:"config_sha256"`
	EndedAt     time.Time `json:"ended_at"`
}

// TableDiff counts what differs in a table.
type TableDiff struct {
	Table      string       `json:"table"`
	RowsBefore int64        `json:"rows_before"`
	RowsAfter  int64        `json:"rows_after"`
	Added      int64        `json:"rows_added"`
	Removed    int64        `json:"rows_removed"`
	Changed    int64        `json:"rows_changed"`
	Cells      int64        `json:"cells"`
	Columns    []ColumnDiff `json:"columns"`
}

// ColumnDiff counts what differs in a column.
type ColumnDiff struct {
	Column  string      `json:"column"`
	Cells   int64       `json:"cells"`
	Delta   *string     `json:"delta"`           // sum over all cells, exact; null where the column has no such sum
	Largest CellDiff    `json:"largest"`         // the cell that has moved most
	Parts   []CausePart `json:"parts,omitempty"` // of that cell, in an explanation
	delta   diff.Delta
	summed  bool // delta is the sum of all cells: of counts and sums that are never null
	most    float64
}

// CellDiff is a cell that differs.
type CellDiff struct {
	Table  string  `json:"table"`
	Change string  `json:"change"` // of the row: changed, added or removed
	Key    string  `json:"key"`
	Column string  `json:"column"`
	Before *string `json:"before"`
	After  *string `json:"after"`
	Delta  *string `json:"delta"`
}

// DiffTables are the tables that are compared: all that are computed from orders. Rejects,
// checks and runs tell of a run, not of customers.
func DiffTables() []string {
	return slices.DeleteFunc(tableNames(), func(t string) bool { return slices.Contains([]string{"rejects", "checks", "runs"}, t) })
}

// leastToCompare is what reading two tables takes.
const leastToCompare = 32 * MiB

// DiffRuns holds two published results against each other, cell by cell.
func DiffRuns(ctx context.Context, o DiffOptions) (*Diff, error) {
	if o.Against == nil {
		o.Against = o.Store
	}
	before, err := pipeline.FindRun(ctx, o.Store, o.Before)
	if err != nil {
		return nil, err
	}
	after, err := pipeline.FindRun(ctx, o.Against, o.After)
	if err != nil {
		return nil, err
	}
	d := &Diff{Status: "equal", Before: sideOf(o.Store, before), After: sideOf(o.Against, after), Tables: []TableDiff{}, Cells: []CellDiff{}, Files: []string{}}
	limit := memory{total: o.Memory}
	if limit.total == 0 {
		limit.total = machineMemory() / 4
	}
	if limit.total > 0 && limit.total < leastToCompare {
		return nil, &MemoryError{fmt.Sprintf("to compare results takes %s of memory at least, --memory allows %s", FormatBytes(leastToCompare), FormatBytes(limit.total))}
	}
	defer limit.limitHeap()()
	c := &comparing{ctx: ctx, before: publishedTables{o.Store, tablesOf(before, !o.Explain)}, after: publishedTables{o.Against, tablesOf(after, !o.Explain)}, memory: limit.total / 2, temp: o.TempDir, observe: o.Observe}
	list := func(cell changedCell) {
		if d.CellsInAll++; o.Limit == 0 || len(d.Cells) < o.Limit {
			d.Cells = append(d.Cells, cell.document())
		}
	}
	if err := writeChanges(ctx, o.Out, "cell_changes.parquet", schemas.CellChanges, c, list, cellChange, d); err != nil {
		return nil, err
	}
	d.Tables = c.tables
	if d.CellsInAll > 0 {
		d.Status = "different"
	}
	if o.Explain {
		return d, explain(ctx, d, before, after, o)
	}
	return d, nil
}

func sideOf(s store.Store, m *pipeline.Manifest) DiffSide {
	return DiffSide{m.RunID, m.Label(), m.AsOf, s.Path(""), m.CodeVersion, m.ConfigSHA256, m.EndedAt}
}

// tablesOf are the tables that a run has written, and those of earlier runs of its date that
// readers see beside them.
func tablesOf(m *pipeline.Manifest, inherited bool) map[string]pipeline.OutputRecord {
	if inherited {
		return byTable(slices.Concat(m.Outputs, m.Inherited))
	}
	return byTable(m.Outputs)
}

func byTable(list []pipeline.OutputRecord) map[string]pipeline.OutputRecord {
	tables := map[string]pipeline.OutputRecord{}
	for _, o := range list {
		tables[o.Table] = o
	}
	return tables
}

// writeChanges walks all changed cells and, where there is a place to write to, makes a
// table of them.
func writeChanges[T any](ctx context.Context, to store.Store, name string, table schemas.Table, c *comparing, see func(changedCell), row func(changedCell) T, d *Diff) error {
	var failed error
	rows := func(yield func(T) bool) {
		for cell, err := range c.cells() {
			if err != nil {
				failed = err
				return
			}
			see(cell)
			if to != nil && !yield(row(cell)) {
				return
			}
		}
	}
	if to == nil {
		rows(nil)
		return failed
	}
	if err := writeTable(ctx, to, name, schemas.Encode(table, rows), &failed); err != nil {
		return err
	}
	d.Files = append(d.Files, to.Path(name))
	return nil
}

// publishedTables are the tables of a result and where it lies.
type publishedTables struct {
	store  store.Store
	tables map[string]pipeline.OutputRecord
}

// open opens a table; one that the result has not is without rows.
func (p publishedTables) open(ctx context.Context, table, temp string) (schemas.Stored, func() error, error) {
	o, ok := p.tables[table]
	if !ok {
		return schemas.Stored{}, func() error { return nil }, nil
	}
	r, err := pipeline.OpenResult(ctx, p.store, o, temp)
	if err != nil {
		return schemas.Stored{}, nil, err
	}
	return r.Stored, r.Close, nil
}

// comparing is the comparison of all tables of two results.
type comparing struct {
	ctx           context.Context
	before, after publishedTables
	memory        int64
	temp          string
	observe       pipeline.Observer

	tables []TableDiff // of the tables compared so far
}

// changedCell is a cell that differs, valid until the next one.
type changedCell struct {
	c      *diff.Comparison
	row    *diff.Row
	column int
	key    string
	delta  diff.Delta
}

// cells yields the cells that differ and counts them.
func (c *comparing) cells() iter.Seq2[changedCell, error] {
	return func(yield func(changedCell, error) bool) {
		for _, t := range DiffTables() {
			more, err := c.table(t, yield)
			if err != nil {
				yield(changedCell{}, err)
			}
			if err != nil || !more {
				return
			}
		}
	}
}

// rows calls f with the rows of a table that differ, and returns how many it has.
func (c *comparing) rows(name string, f func(x *diff.Comparison, row *diff.Row) bool) (count TableDiff, err error) {
	a, b := c.before.tables[name], c.after.tables[name]
	count = TableDiff{Table: name, RowsBefore: a.Rows, RowsAfter: b.Rows, Columns: []ColumnDiff{}}
	if a.SHA256 == b.SHA256 {
		return count, nil
	}
	before, closeBefore, err := c.before.open(c.ctx, name, c.temp)
	if err != nil {
		return count, err
	}
	defer func() { err = errors.Join(err, closeBefore()) }()
	after, closeAfter, err := c.after.open(c.ctx, name, c.temp)
	if err != nil {
		return count, err
	}
	defer func() { err = errors.Join(err, closeAfter()) }()
	x, err := diff.New(before, after, c.memory)
	if err != nil {
		return count, err
	}
	for row, err := range x.Rows() {
		var large *diff.MemoryError
		if errors.As(err, &large) {
			return count, &MemoryError{fmt.Sprintf("table %s: %s\nallow more --memory", name, large)}
		}
		if err != nil {
			return count, err
		}
		count.see(row.Kind)
		if !f(x, row) {
			return count, nil
		}
	}
	return count, nil
}

// table yields the cells of one table that differ.
func (c *comparing) table(name string, yield func(changedCell, error) bool) (more bool, err error) {
	if c.before.tables[name].Table == "" && c.after.tables[name].Table == "" {
		return true, nil
	}
	done := c.observe.Stage("compare", name)
	more = true
	var columns []ColumnDiff
	var cells int64
	count, err := c.rows(name, func(x *diff.Comparison, row *diff.Row) bool {
		if columns == nil {
			columns = make([]ColumnDiff, len(x.Table.Columns))
		}
		key := x.KeyText(row)
		for i := range x.Cells(row) {
			cell := changedCell{x, row, i, key, x.DeltaOf(row, i)}
			columns[i].see(cell)
			cells++
			if more = yield(cell, nil); !more {
				break
			}
		}
		return more
	})
	if err != nil || !more {
		return false, err
	}
	for _, x := range columns {
		if x.Cells > 0 {
			if x.summed {
				s := x.delta.String()
				x.Delta = &s
			}
			count.Columns = append(count.Columns, x)
		}
	}
	count.Cells = cells
	c.tables = append(c.tables, count)
	done(count.Cells, "cells differ")
	return true, nil
}

func (t *TableDiff) see(k diff.Kind) {
	switch k {
	case diff.Added:
		t.Added++
	case diff.Removed:
		t.Removed++
	default:
		t.Changed++
	}
}

// see counts a cell of the column and keeps the one that has moved most.
func (x *ColumnDiff) see(cell changedCell) {
	c := cell.c.Table.Columns[cell.column]
	x.Column, x.delta = c.Name, x.delta.Plus(cell.delta)
	x.summed = (x.Cells == 0 || x.summed) && cell.delta.Valid && !c.Nullable && c.Type != schemas.Double
	if x.Cells++; x.Cells == 1 || math.Abs(cell.delta.Float) > x.most {
		x.Largest, x.most = cell.document(), math.Abs(cell.delta.Float)
	}
}

// texts are the values of the cell, nil where there is none.
func (x changedCell) texts() (before, after, delta *string) {
	t := x.c.Table.Columns[x.column].Type
	text := func(row []schemas.Value) *string {
		if row == nil || row[x.column].Null {
			return nil
		}
		s := string(row[x.column].Append(nil, t))
		return &s
	}
	before, after = text(x.row.Before), text(x.row.After)
	if x.delta.Valid {
		s := x.delta.String()
		delta = &s
	}
	return before, after, delta
}

func (x changedCell) document() CellDiff {
	before, after, delta := x.texts()
	return CellDiff{x.c.Table.Name, diff.Kinds[x.row.Kind], x.key, x.c.Table.Columns[x.column].Name, before, after, delta}
}
