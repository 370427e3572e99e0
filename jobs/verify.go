package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/store"
)

// VerifyOptions say which published results to compute again, and how.
type VerifyOptions struct {
	Store       store.Store // where they lie
	Run         string      // run id, date, or date#number; empty: the latest result of every date
	Bases       []string    // folders where relative paths of inputs may begin by now
	Env         func(string) (string, bool)
	Threads     int
	Memory      int64
	TempDir     string // for the tables that are computed, too
	CodeVersion string
	Observe     pipeline.Observer

	trustLanding bool
}

// What verify has found of a run or a table.
const (
	Same      = "same"
	Different = "different"
	Failed    = "failed" // it could not be computed again
)

// Verification is what verify has found.
type Verification struct {
	Status string     `json:"status"` // the worst of the runs
	Output string     `json:"output"`
	Runs   []Verified `json:"runs"`
}

// Verified is a published run that was computed again.
type Verified struct {
	RunID       string          `json:"run_id"`
	Publication string          `json:"publication"` // date#number
	CodeVersion string          `json:"code_version"`
	Status      string          `json:"status"`
	Error       string          `json:"error,omitempty"` // why it could not be computed again
	Warnings    []string        `json:"warnings"`
	Tables      []VerifiedTable `json:"tables"`
}

// VerifiedTable is a published table that was computed again.
type VerifiedTable struct {
	Table  string    `json:"table"`
	Result string    `json:"result"` // below the output
	Status string    `json:"status"`
	What   string    `json:"what,omitempty"` // is different
	Cell   *CellDiff `json:"cell,omitempty"` // the first that differs: before as published, after as computed again
}

// Verify computes published results again, from the inputs and with the configuration that
// their runs have recorded, and compares the bytes of every table but runs, which holds a
// clock. The error is the first reason why a run could not be computed again; what was
// found of the others stands beside it.
func Verify(ctx context.Context, o VerifyOptions) (*Verification, error) {
	list, err := verifiable(ctx, o)
	if err != nil {
		return nil, err
	}
	v := &Verification{Status: Same, Output: o.Store.Path(""), Runs: []Verified{}}
	var failed error
	for _, x := range list {
		found := Verified{RunID: x.manifest.RunID, Publication: x.manifest.Label(), CodeVersion: x.manifest.CodeVersion, Status: Same, Warnings: []string{}, Tables: []VerifiedTable{}}
		if x.manifest.CodeVersion != o.CodeVersion {
			found.Warnings = append(found.Warnings, fmt.Sprintf("published by version %s, computed again by %s", x.manifest.CodeVersion, o.CodeVersion))
		}
		err := found.again(ctx, o, x)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			found.Status, found.Error = Failed, err.Error()
			if failed == nil {
				failed = err
			}
		}
		if found.Status == Different || v.Status == Same {
			v.Status = found.Status
		}
		v.Runs = append(v.Runs, found)
	}
	return v, failed
}

// past is a run with those of its tables that are to be compared.
type past struct {
	manifest *pipeline.Manifest
	tables   []pipeline.OutputRecord
}

// verifiable lists the runs whose tables are to be compared.
func verifiable(ctx context.Context, o VerifyOptions) ([]past, error) {
	if o.Run != "" {
		m, err := pipeline.FindRun(ctx, o.Store, o.Run)
		if err != nil {
			return nil, err
		}
		return []past{{m, m.Outputs}}, nil
	}
	all, err := pipeline.Manifests(ctx, o.Store)
	if err != nil {
		return nil, err
	}
	latest := latestByDate(all)
	var list []past
	for i := range all {
		m := &all[i]
		now := latest[m.Partition]
		current := past{manifest: m}
		for _, x := range m.Outputs {
			if m == now || slices.ContainsFunc(now.Inherited, func(y pipeline.OutputRecord) bool { return y.Result == x.Result }) {
				current.tables = append(current.tables, x)
			}
		}
		if m == now || len(current.tables) > 0 {
			list = append(list, current)
		}
	}
	slices.SortFunc(list, func(a, b past) int {
		return cmp.Or(strings.Compare(a.manifest.Partition, b.manifest.Partition), cmp.Compare(a.manifest.Number, b.manifest.Number))
	})
	return list, nil
}

// again computes a run into a store of its own and compares its tables.
func (v *Verified) again(ctx context.Context, o VerifyOptions, x past) (err error) {
	c, run, err := Past(ctx, o.Store, x.manifest, o.Env)
	if err != nil {
		return err
	}
	temp, remove, err := temporaryStore(ctx, o.TempDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	run.Store = temp
	run.Threads, run.Memory, run.TempDir, run.CodeVersion, run.Observe = o.Threads, o.Memory, o.TempDir, o.CodeVersion, o.Observe
	run.Bases, run.AllowShrink, run.trustLanding = o.Bases, true, o.trustLanding
	s, err := Cohorts(ctx, c, run)
	if err != nil {
		return err
	}
	for _, published := range x.tables {
		if published.Table == "runs" {
			continue
		}
		t, err := compareTable(ctx, o, published, run.Store, s.Tables)
		if err != nil {
			return err
		}
		if t.Status == Different {
			v.Status = Different
		}
		v.Tables = append(v.Tables, t)
	}
	return nil
}

// compareTable compares a published table with what was computed again.
func compareTable(ctx context.Context, o VerifyOptions, published pipeline.OutputRecord, computed store.Store, tables []pipeline.OutputRecord) (VerifiedTable, error) {
	t := VerifiedTable{Table: published.Table, Result: published.Result, Status: Same}
	i := slices.IndexFunc(tables, func(y pipeline.OutputRecord) bool { return y.Table == published.Table })
	if i < 0 {
		t.Status, t.What = Different, "this version of the program does not make the table"
		return t, nil
	}
	whole, err := pipeline.Intact(ctx, o.Store, published)
	if err != nil {
		return t, err
	}
	if whole && tables[i].SHA256 == published.SHA256 {
		return t, nil
	}
	t.Status, t.What = Different, "other bytes were computed"
	if !whole {
		t.What = "the published file is not the one that the run has written"
	}
	if err := t.firstCell(ctx, o, published, computed, tables[i]); err != nil {
		t.What += "; it cannot be compared cell by cell: " + err.Error()
	}
	return t, nil
}

// firstCell looks for the first cell that differs.
func (t *VerifiedTable) firstCell(ctx context.Context, o VerifyOptions, published pipeline.OutputRecord, computed store.Store, again pipeline.OutputRecord) error {
	if !slices.Contains(DiffTables(), t.Table) {
		return nil
	}
	published.SHA256 = "" // the file may not be what the manifest says
	side := func(s store.Store, x pipeline.OutputRecord) publishedTables {
		return publishedTables{s, map[string]pipeline.OutputRecord{x.Table: x}}
	}
	c := &comparing{ctx: ctx, before: side(o.Store, published), after: side(computed, again), memory: o.Memory, temp: o.TempDir}
	more, err := c.table(t.Table, func(cell changedCell, err error) bool {
		if err == nil {
			d := cell.document()
			t.Cell = &d
		}
		return false
	})
	if err == nil && more {
		t.What += ", and every cell is equal"
	}
	return err
}
