package pipeline

import (
	"context"

	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/schemas"
)

// IDWriter takes the order ids of one worker.
type IDWriter interface {
	Add(source uint16, ids *schemas.Strings) error
	Close()
}

// ExtractIDs hands the order ids of all rows to writers, one per worker, before ExtractOrders
// reads the rows. It does so only where ids are cheap to read by themselves, and says whether
// it has: not where an input is a text, which would be parsed twice, or remote, which would be
// fetched twice. Rows that ExtractOrders leaves out or rejects may be among them; lines of
// orders are not.
func ExtractIDs(ctx context.Context, inputs []Input, threads int, writer func() IDWriter) (bool, error) {
	var of []Input
	for _, in := range inputs {
		if in.Spec.Grain == "line" {
			continue
		}
		cheap, err := source.ByColumn(ctx, in.Object, in.Spec.Format)
		if !cheap || err != nil {
			return false, err
		}
		of = append(of, in)
	}
	x := newExtraction(ctx, of, MapEnv{}, threads, nil)
	err := x.run(func() (func(*opened, int) error, func()) {
		w := writer()
		return func(o *opened, unit int) error { return x.readIDs(o, unit, w) }, w.Close
	})
	if err == nil {
		err = ctx.Err()
	}
	return err == nil, err
}

// readIDs hands the ids of one unit to the writer.
func (x *extraction) readIDs(o *opened, unit int, w IDWriter) error {
	m, err := newIDMapper(o.Spec, o.file, FileRef{Source: o.Source, SourceName: o.Spec.Name, File: o.File, Path: o.Object.Path})
	if err != nil {
		return err
	}
	for b, err := range o.file.Read(x.ctx, unit, m.Want()) {
		if err != nil {
			return err
		}
		m.reset(b)
		ids := m.strings(b, &m.orderID, &m.own.ids[0], true)
		if err := w.Add(o.Source, &ids); err != nil {
			return err
		}
	}
	return nil
}

// newIDMapper is a mapper of the order ids alone.
func newIDMapper(spec SourceSpec, file source.File, ref FileRef) (_ *OrderMapper, err error) {
	m := newMapper(spec, file, ref)
	if m.orderID, err = m.b.bind("order_id", true); err != nil {
		return nil, err
	}
	m.ready()
	return m, nil
}
