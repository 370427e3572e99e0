package jobs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/cohortline/cohortline/pipeline/sink"
	"github.com/cohortline/cohortline/pipeline/store"
	"github.com/cohortline/cohortline/schemas"
	"github.com/cohortline/cohortline/transforms/diff"
)

// cellPlace is where a cell stands: columns that cell_changes and cell_causes share.
type cellPlace struct {
	Table     string                   `col:"table"`
	Change    string                   `col:"change"`
	Key       string                   `col:"key"`
	Grain     schemas.Opt[string]      `col:"grain"`
	Cohort    schemas.Opt[schemas.Day] `col:"cohort"`
	Dimension schemas.Opt[string]      `col:"dimension"`
	Segment   schemas.Opt[string]      `col:"segment"`
	IndexKind schemas.Opt[string]      `col:"index_kind"`
	Age       schemas.Opt[int64]       `col:"age"`
	Column    string                   `col:"column"`
	Before    schemas.Opt[string]      `col:"before"`
	After     schemas.Opt[string]      `col:"after"`
}

// cellChangeRow is a row of cell_changes.
type cellChangeRow struct {
	cellPlace
	Delta      schemas.Opt[string]  `col:"delta"`
	DeltaValue schemas.Opt[float64] `col:"delta_value"`
}

func (x changedCell) place() (p cellPlace, delta schemas.Opt[string], value schemas.Opt[float64]) {
	p = cellPlace{Table: x.c.Table.Name, Change: diff.Kinds[x.row.Kind], Key: x.key, Column: x.c.Table.Columns[x.column].Name}
	for _, k := range []struct {
		column string
		to     *schemas.Opt[string]
	}{{"grain", &p.Grain}, {"dimension", &p.Dimension}, {"segment", &p.Segment}, {"index_kind", &p.IndexKind}} {
		if v, ok := x.c.KeyValue(x.row, k.column); ok {
			*k.to = schemas.Some(string(v.Text))
		}
	}
	if v, ok := x.c.KeyValue(x.row, "cohort"); ok {
		p.Cohort = schemas.Some(schemas.Day(v.Int))
	}
	if v, ok := x.c.KeyValue(x.row, "age"); ok {
		p.Age = schemas.Some(v.Int)
	}
	before, after, d := x.texts()
	p.Before, p.After, delta = optional(before), optional(after), optional(d)
	if x.delta.Valid {
		value = schemas.Some(x.delta.Float)
	}
	return p, delta, value
}

func optional(s *string) schemas.Opt[string] {
	if s == nil {
		return schemas.Opt[string]{}
	}
	return schemas.Some(*s)
}

func cellChange(x changedCell) cellChangeRow {
	p, delta, value := x.place()
	return cellChangeRow{p, delta, value}
}

// writeTable writes a table that is no part of a result; failed is what has gone wrong
// where its rows come from.
func writeTable(ctx context.Context, to store.Store, name string, d schemas.Data, failed *error) error {
	err := store.Write(ctx, to, name, func(w io.Writer) error {
		b := bufio.NewWriterSize(w, 1<<20)
		if _, err := sink.Parquet(b, d); err != nil {
			return err
		}
		if *failed != nil {
			return *failed
		}
		return b.Flush()
	})
	if *failed != nil && !errors.Is(*failed, errReaderGone) {
		return *failed
	}
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", to.Path(name), err)
	}
	return nil
}
