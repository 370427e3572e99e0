package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/store"
	"github.com/cohortline/cohortline/schemas"
	"github.com/cohortline/cohortline/transforms"
	"github.com/cohortline/cohortline/transforms/diff"
)

// Causes that are no class of orders.
const (
	causeCode     = "code version"
	causeAsOf     = "as-of instant"
	causeCalendar = "calendar"
	causeRates    = "rates"
)

// Explained is what each cause has done. The steps are recomputations, each of which takes
// over one cause more from the later run; a cell's part in a step is the difference to the
// step before, so that the parts of every cell add up to its change.
type Explained struct {
	Steps  []ExplainedStep  `json:"steps"`
	Orders map[string]int64 `json:"orders"` // orders that differ, by cause
	Notes  []string         `json:"notes"`
}

// ExplainedStep is what a cause has done.
type ExplainedStep struct {
	Step   int         `json:"step"`
	Cause  string      `json:"cause"`
	Orders int64       `json:"orders"` // that differ for this cause
	Cells  int64       `json:"cells"`
	Tables []TableDiff `json:"tables"` // before and after are the neighbouring recomputations
}

// CausePart is the part of a cause in the change of a cell.
type CausePart struct {
	Cause string  `json:"cause"`
	Part  *string `json:"part"`
}

// cellCauseRow is a row of cell_causes.
type cellCauseRow struct {
	cellPlace                      // first: the encoder takes the places of its fields from the beginning of the row
	Step      int64                `col:"step"`
	Cause     string               `col:"cause"`
	Part      schemas.Opt[string]  `col:"part"`
	PartValue schemas.Opt[float64] `col:"part_value"`
}

// explanation is an explanation at work.
type explanation struct {
	*mixture
	o     DiffOptions
	d     *Diff
	ctx   context.Context
	temp  store.Store
	found *Explained
	sums  map[[2]string]diff.Delta   // by table and column, over all steps
	parts map[[3]string]*[]CausePart // of the cells that have moved most
}

// explain attributes every change between two runs to its causes.
func explain(ctx context.Context, d *Diff, before, after *pipeline.Manifest, o DiffOptions) (err error) {
	x := &explanation{o: o, d: d, ctx: ctx, found: &Explained{Steps: []ExplainedStep{}, Orders: map[string]int64{}, Notes: []string{}}, sums: map[[2]string]diff.Delta{}, parts: map[[3]string]*[]CausePart{}}
	x.mixture, err = openMixture(ctx, before, after, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.close()) }()
	defer x.before.r.memory.limitHeap()()
	for t := range d.Tables {
		for c := range d.Tables[t].Columns {
			column := &d.Tables[t].Columns[c]
			column.Parts = []CausePart{}
			x.parts[[3]string{column.Largest.Table, column.Largest.Key, column.Largest.Column}] = &column.Parts
		}
	}
	temp, remove, err := temporaryStore(ctx, o.TempDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	x.temp = temp
	if err := x.orders(); err != nil {
		return err
	}
	if err := x.causes(); err != nil {
		return err
	}
	d.Explanation = x.found
	return x.verify()
}

// openMixture makes both runs ready to be computed again.
func openMixture(ctx context.Context, before, after *pipeline.Manifest, o DiffOptions) (*mixture, error) {
	a, err := openPast(ctx, o.Store, before, o)
	if err != nil {
		return nil, err
	}
	b, err := openPast(ctx, o.Against, after, o)
	if err != nil {
		return nil, errors.Join(err, a.r.close())
	}
	for _, p := range []*pastRun{a, b} {
		if p.r.rates, _, _, err = pipeline.ReadRates(ctx, p.r.fx); err != nil {
			return nil, errors.Join(err, a.r.close(), b.r.close())
		}
	}
	return newMixture(a, b), nil
}

func (x *mixture) close() error { return errors.Join(x.before.r.close(), x.after.r.close()) }

// orders finds the orders that differ and writes their list.
func (x *explanation) orders() error {
	done := x.o.Observe.Stage("compare", "orders")
	file, err := x.listOrders(x.ctx, x.o, nil)
	if err != nil {
		return err
	}
	if file != "" {
		x.d.Files = append(x.d.Files, file)
	}
	total := int64(0)
	for class, n := range x.counts {
		if n > 0 {
			x.found.Orders[transforms.OrderClassNames[class]] = n
			total += n
		}
	}
	done(total, "orders differ")
	return nil
}

// step is a cause and how a state takes it over.
type step struct {
	cause  string
	orders int64
	take   func(*mixState)
}

// steps lists the causes that can have moved something, in the order in which they are
// taken over.
func (x *mixture) steps() []step {
	a, b := x.before, x.after
	calendar := a.c.Timezone != b.c.Timezone || a.c.WeekStart != b.c.WeekStart
	asOf := !a.m.AsOf.Equal(b.m.AsOf)
	sameDate := asOf && calendar && a.m.Partition == b.m.Partition // another midnight of the same date
	var list []step
	if asOf && !sameDate {
		list = append(list, step{causeAsOf, 0, func(st *mixState) { st.asOf = true }})
	}
	if n := x.counts[transforms.Definition]; n > 0 || definitionOf(a.c) != definitionOf(b.c) {
		list = append(list, step{transforms.OrderClassNames[transforms.Definition], n, func(st *mixState) { st.definition, st.classes[transforms.Definition] = true, true }})
	}
	if calendar {
		list = append(list, step{causeCalendar, 0, func(st *mixState) { st.calendar, st.asOf = true, st.asOf || sameDate }})
	}
	if !transforms.NewRates("", a.r.rates).Same(transforms.NewRates("", b.r.rates)) {
		list = append(list, step{causeRates, 0, func(st *mixState) { st.rates = true }})
	}
	linked, switched := b.c.MatchID && b.c.MatchEmail, false
	for class := transforms.Vanished; class < transforms.Identity; class++ {
		if n := x.counts[class]; n > 0 {
			switched = true
			list = append(list, step{transforms.OrderClassNames[class], n, func(st *mixState) { st.classes[class], st.frozen = true, linked }})
		}
	}
	if n := x.counts[transforms.Identity]; n > 0 || switched && linked {
		list = append(list, step{transforms.OrderClassNames[transforms.Identity], n, func(st *mixState) { st.classes[transforms.Identity], st.frozen = true, false }})
	}
	return list
}

// definitionOf identifies what a configuration says beyond calendar and the reading of
// files, which show in the orders.
func definitionOf(c *Config) string {
	d := *c
	d.Timezone, d.Zone, d.WeekStart = "", nil, 0
	d.Sources = nil
	for _, s := range c.Sources {
		if s.Table == "orders" {
			d.Sources = append(d.Sources, pipeline.SourceSpec{Name: s.Name, Namespace: s.Namespace})
		}
	}
	return d.Fingerprint()
}

// causes goes through the recomputations and writes what each of them has moved.
func (x *explanation) causes() error {
	var failed error
	rows := func(yield func(cellCauseRow) bool) { failed = x.walk(yield) }
	if x.o.Out == nil {
		rows(func(cellCauseRow) bool { return true })
		return failed
	}
	const name = "cell_causes.parquet"
	if err := writeTable(x.ctx, x.o.Out, name, schemas.Encode(schemas.CellCauses, rows), &failed); err != nil {
		return err
	}
	x.d.Files = append(x.d.Files, x.o.Out.Path(name))
	return nil
}

// walk computes one state after the other and holds each against the one before.
func (x *explanation) walk(yield func(cellCauseRow) bool) (err error) {
	a, b := x.before, x.after
	last := &recomputed{publishedTables: publishedTables{x.o.Store, tablesOf(a.m, false)}}
	defer func() { err = errors.Join(err, last.close()) }()
	st := mixState{}
	for i, s := range append([]step{{causeCode, 0, func(*mixState) {}}}, x.steps()...) {
		done := x.o.Observe.Stage("recompute", "with "+s.cause)
		s.take(&st)
		if x.o.forget != transforms.NoChange {
			st.classes[x.o.forget] = false
		}
		next, err := x.compute(x.ctx, st, x.temp, i+1)
		if err != nil {
			return err
		}
		before := last
		last = next
		n, err := x.attribute(i+1, s, before.publishedTables, next.publishedTables, yield)
		if err = errors.Join(err, before.close()); err != nil {
			return err
		}
		done(n, "cells differ")
	}
	n, err := x.attribute(len(x.found.Steps)+1, step{cause: causeCode}, last.publishedTables, publishedTables{x.o.Against, tablesOf(b.m, false)}, yield)
	if n > 0 && a.m.CodeVersion == b.m.CodeVersion {
		x.found.Notes = append(x.found.Notes, "both runs have the same code version, and this program does not compute what they have published: it is another build, or a published table has been altered")
	}
	return err
}

// attribute attributes what differs between two neighbouring results to a cause.
func (x *explanation) attribute(number int, s step, before, after publishedTables, yield func(cellCauseRow) bool) (int64, error) {
	c := &comparing{ctx: x.ctx, before: before, after: after, memory: x.before.r.memory.total / 4, temp: x.o.TempDir}
	for cell, err := range c.cells() {
		if err != nil {
			return 0, err
		}
		place, part, value := cell.place()
		if list := x.parts[[3]string{place.Table, place.Key, place.Column}]; list != nil {
			p := CausePart{Cause: s.cause}
			if part.Valid {
				p.Part = &part.Value
			}
			*list = append(*list, p)
		}
		if !yield(cellCauseRow{place, int64(number), s.cause, part, value}) {
			return 0, errReaderGone
		}
	}
	found := ExplainedStep{Step: number, Cause: s.cause, Orders: s.orders, Tables: []TableDiff{}}
	for _, t := range c.tables {
		if t.Cells == 0 {
			continue
		}
		found.Cells += t.Cells
		found.Tables = append(found.Tables, t)
		for _, column := range t.Columns {
			k := [2]string{t.Table, column.Column}
			x.sums[k] = x.sums[k].Plus(column.delta)
		}
	}
	if found.Cells > 0 || s.orders > 0 {
		x.found.Steps = append(x.found.Steps, found)
	}
	return found.Cells, nil
}

// verify makes sure that the parts of every column of counts and sums add up to its change.
func (x *explanation) verify() error {
	for _, t := range x.d.Tables {
		for _, c := range t.Columns {
			if got := x.sums[[2]string{t.Table, c.Column}]; c.summed && got.Sum != c.delta.Sum {
				return fmt.Errorf("table %s, column %s: the parts add up to %s and not to %s; this is a defect of the program, please report it", t.Table, c.Column, got, c.delta)
			}
		}
	}
	return nil
}

// listOrders finds the orders that differ and writes them to a table, where there is a
// place for it; see, where given, is told of each.
func (x *mixture) listOrders(ctx context.Context, o DiffOptions, see func(changedOrderRow)) (file string, err error) {
	if o.Out == nil {
		return "", x.classify(ctx, o, func(c classified) error {
			if see != nil {
				see(c.row())
			}
			return nil
		})
	}
	var failed error
	rows := func(yield func(changedOrderRow) bool) {
		failed = x.classify(ctx, o, func(c classified) error {
			row := c.row()
			if see != nil {
				see(row)
			}
			if !yield(row) {
				return errReaderGone
			}
			return nil
		})
	}
	const name = "changed_orders.parquet"
	return o.Out.Path(name), writeTable(ctx, o.Out, name, schemas.Encode(schemas.ChangedOrders, rows), &failed)
}

// row is the order as a row of changed_orders.
func (c classified) row() changedOrderRow {
	r := changedOrderRow{Cause: transforms.OrderClassNames[c.Class], Source: c.x.sources[c.Source], OrderID: string(c.OrderID)}
	for _, v := range []struct {
		of     *transforms.OrderVersion
		status *schemas.Opt[string]
		net    *schemas.Opt[schemas.Sum]
		file   *schemas.Opt[string]
		row    *schemas.Opt[int64]
	}{{c.Before, &r.BeforeStatus, &r.BeforeNet, &r.BeforeFile, &r.BeforeRow}, {c.After, &r.AfterStatus, &r.AfterNet, &r.AfterFile, &r.AfterRow}} {
		if v.of == nil {
			continue
		}
		if int(v.of.Status) < len(schemas.Statuses) {
			*v.status = schemas.Some(schemas.Statuses[v.of.Status])
		}
		*v.net = schemas.Some(decimal128.FromI64(v.of.Gross).Sub(decimal128.FromI64(v.of.Discount)).Sub(decimal128.FromI64(v.of.Refund)))
		*v.file, *v.row = schemas.Some(c.x.files[v.of.File].record.Path), schemas.Some(v.of.Row)
		if v.of.OrderedAt != schemas.NoTime {
			r.OrderedAt = schemas.Some(schemas.Instant(v.of.OrderedAt))
		}
		if v.of.Currency != schemas.NoCode {
			r.Currency = schemas.Some(c.currencies[v.of.Currency])
		}
	}
	return r
}
