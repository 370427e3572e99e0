package schemas

import (
	"fmt"
	"iter"
	"math"
	"reflect"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// Opt is a value of a nullable column in a row struct; the zero Opt is null.
type Opt[T any] struct {
	Value T
	Valid bool
}

// Some is an Opt that holds v.
func Some[T any](v T) Opt[T] { return Opt[T]{v, true} }

// BatchRows is the number of rows of the record batches that Encode makes.
const BatchRows = 16_384

// Encode turns row structs into record batches of a table; see Encoder.
func Encode[T any](t Table, rows iter.Seq[T]) Data {
	e := NewEncoder[T](t)
	return Data{Table: t, Batches: func(yield func(arrow.Record, error) bool) {
		flush := func() (more bool) {
			r, err := e.Take()
			if err != nil {
				yield(nil, err)
				return false
			}
			defer r.Release()
			return yield(r, nil)
		}
		for row := range rows {
			e.Append(&row)
			if e.rows == BatchRows && !flush() {
				return
			}
		}
		if e.rows > 0 {
			flush()
		}
	}}
}

// Encoder turns row structs into record batches of a table. The fields of T name their
// columns by `col:"…"` tags; every column of the table needs a field of its Go type
// (string or []byte, int64, float64, bool, Day, Instant, Sum), wrapped in Opt exactly
// where the column is nullable. A []string tagged `col:"*"` holds the values of all
// columns, in their order, that no other field names. A struct that does not fit the
// table is a bug and panics.
type Encoder[T any] struct {
	table   Table
	schema  *arrow.Schema
	columns []column
	add     []appender
	rows    int
	failed  error
}

// appender adds the column's value of the row at p.
type appender func(p unsafe.Pointer) error

// NewEncoder returns an encoder without rows.
func NewEncoder[T any](t Table) *Encoder[T] {
	e := &Encoder[T]{table: t, schema: t.Arrow()}
	row := reflect.TypeFor[T]()
	fields := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(row) {
		if name := f.Tag.Get("col"); name != "" {
			fields[name] = f
		}
	}
	others := 0
	for _, c := range t.Columns {
		col, add := column(nil), appender(nil)
		f, ok := fields[c.Name]
		if ok {
			col, add = columnOf(c, f)
		} else if f, ok = fields["*"]; ok && c.Type == String && !c.Nullable && f.Type == reflect.TypeFor[[]string]() {
			k, at, text := others, f.Offset, &textColumn{}
			col, add = text, func(p unsafe.Pointer) error { text.append((*(*[]string)(unsafe.Add(p, at)))[k]); return nil }
			others++
		}
		switch {
		case !ok:
			panic(fmt.Sprintf("%s has no field for column %s.%s", row, t.Name, c.Name))
		case add == nil:
			panic(fmt.Sprintf("%s.%s is a %s, which column %s.%s (%s, nullable %t) cannot hold", row, f.Name, f.Type, t.Name, c.Name, c.Type, c.Nullable))
		}
		e.columns, e.add = append(e.columns, col), append(e.add, add)
	}
	return e
}

// Append adds a row. A value that cannot be published, NaN or infinite, is an error of Take.
func (e *Encoder[T]) Append(row *T) {
	for i, add := range e.add {
		if err := add(unsafe.Pointer(row)); err != nil && e.failed == nil {
			e.failed = fmt.Errorf("table %s, column %s: %w", e.table.Name, e.table.Columns[i].Name, err)
		}
	}
	e.rows++
}

// Take returns the rows since the last call; the caller releases the record.
func (e *Encoder[T]) Take() (arrow.Record, error) {
	if e.failed != nil {
		return nil, e.failed
	}
	arrays := make([]arrow.Array, len(e.columns))
	for i, c := range e.columns {
		arrays[i] = c.take(e.schema.Field(i).Type)
	}
	r := array.NewRecord(e.schema, arrays, int64(e.rows))
	for _, a := range arrays {
		a.Release()
	}
	e.rows = 0
	return r, nil
}

func (c *textColumn) append(v string)      { c.data = append(c.data, v...); c.end() }
func (c *textColumn) appendBytes(v []byte) { c.data = append(c.data, v...); c.end() }
func (c *boolColumn) append(v bool)        { c.values.append(v) }
func (c *fixedColumn[T]) append(v T)       { c.values = append(c.values, v) }

// columnOf is the column that gathers a field, and how; nil where they do not fit.
func columnOf(c Column, f reflect.StructField) (column, appender) {
	switch c.Type {
	case String:
		col := &textColumn{}
		if f.Type == reflect.TypeFor[[]byte]() {
			return col, typed(c, f, &col.valid, func(v []byte) error { col.appendBytes(v); return nil })
		}
		return col, typed(c, f, &col.valid, func(v string) error { col.append(v); return nil })
	case Bool:
		col := &boolColumn{}
		return col, typed(c, f, &col.valid, func(v bool) error { col.append(v); return nil })
	case Int64:
		return fixed[int64](c, f)
	case Double:
		col := &fixedColumn[float64]{}
		return col, typed(c, f, &col.valid, func(v float64) error {
			col.append(v)
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("%v is not a number to publish", v)
			}
			return nil
		})
	case Date:
		return fixed[Day](c, f)
	case Timestamp:
		return fixed[Instant](c, f)
	case Money, Amount:
		return fixed[Sum](c, f)
	}
	return nil, nil
}

func fixed[T int64 | Day | Instant | Sum](c Column, f reflect.StructField) (column, appender) {
	col := &fixedColumn[T]{}
	return col, typed(c, f, &col.valid, func(v T) error { col.append(v); return nil })
}

// typed reads a field of type V, or Opt[V] where the column is nullable; a null adds a
// zero value that is not valid.
func typed[V any](c Column, f reflect.StructField, valid *validity, add func(V) error) appender {
	at := f.Offset
	switch {
	case !c.Nullable && f.Type == reflect.TypeFor[V]():
		return func(p unsafe.Pointer) error { return add(*(*V)(unsafe.Add(p, at))) }
	case c.Nullable && f.Type == reflect.TypeFor[Opt[V]]():
		return func(p unsafe.Pointer) error {
			v := (*Opt[V])(unsafe.Add(p, at))
			valid.append(v.Valid)
			if !v.Valid {
				var none V
				return add(none)
			}
			return add(v.Value)
		}
	}
	return nil
}
