package schemas

import (
	"fmt"
	"iter"
	"math"
	"reflect"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
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

// Encode turns row structs into record batches of a table. The fields of T name their
// columns by `col:"…"` tags; every column of the table needs a field of its Go type
// (string, int64, float64, bool, Day, Instant, Sum), wrapped in Opt exactly where the
// column is nullable. A struct that does not fit the table is a bug and panics; a NaN or
// infinite value is an error that names the column.
func Encode[T any](t Table, rows iter.Seq[T]) Data {
	e := newEncoder(t, reflect.TypeFor[T]())
	return Data{Table: t, Batches: func(yield func(arrow.Record, error) bool) {
		b := array.NewRecordBuilder(memory.DefaultAllocator, t.Arrow())
		defer b.Release()
		n := 0
		flush := func() bool {
			r := b.NewRecord()
			defer r.Release()
			n = 0
			return yield(r, nil)
		}
		for row := range rows {
			p := unsafe.Pointer(&row)
			for i, add := range e {
				if err := add(b.Field(i), p); err != nil {
					yield(nil, fmt.Errorf("table %s, column %s: %w", t.Name, t.Columns[i].Name, err))
					return
				}
			}
			if n++; n == BatchRows && !flush() {
				return
			}
		}
		if n > 0 {
			flush()
		}
	}}
}

// appender adds the column's value of the row at p to its builder.
type appender func(b array.Builder, p unsafe.Pointer) error

func newEncoder(t Table, row reflect.Type) []appender {
	fields := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(row) {
		if name := f.Tag.Get("col"); name != "" {
			fields[name] = f
		}
	}
	var e []appender
	for _, c := range t.Columns {
		f, ok := fields[c.Name]
		if !ok {
			panic(fmt.Sprintf("%s has no field for column %s.%s", row, t.Name, c.Name))
		}
		add := appenderOf(c, f)
		if add == nil {
			panic(fmt.Sprintf("%s.%s is a %s, which column %s.%s (%s, nullable %t) cannot hold", row, f.Name, f.Type, t.Name, c.Name, c.Type, c.Nullable))
		}
		e = append(e, add)
	}
	return e
}

func appenderOf(c Column, f reflect.StructField) appender {
	switch c.Type {
	case String:
		return typed(c, f, func(b *array.StringBuilder, v string) error { b.Append(v); return nil })
	case Int64:
		return typed(c, f, func(b *array.Int64Builder, v int64) error { b.Append(v); return nil })
	case Double:
		return typed(c, f, func(b *array.Float64Builder, v float64) error {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("%v is not a number to publish", v)
			}
			b.Append(v)
			return nil
		})
	case Bool:
		return typed(c, f, func(b *array.BooleanBuilder, v bool) error { b.Append(v); return nil })
	case Date:
		return typed(c, f, func(b *array.Date32Builder, v Day) error { b.Append(arrow.Date32(v)); return nil })
	case Timestamp:
		return typed(c, f, func(b *array.TimestampBuilder, v Instant) error { b.Append(arrow.Timestamp(v)); return nil })
	case Money, Amount:
		return typed(c, f, func(b *array.Decimal128Builder, v Sum) error { b.Append(v); return nil })
	}
	return nil
}

func typed[B array.Builder, V any](c Column, f reflect.StructField, add func(B, V) error) appender {
	at := f.Offset
	switch {
	case !c.Nullable && f.Type == reflect.TypeFor[V]():
		return func(b array.Builder, p unsafe.Pointer) error { return add(b.(B), *(*V)(unsafe.Add(p, at))) }
	case c.Nullable && f.Type == reflect.TypeFor[Opt[V]]():
		return func(b array.Builder, p unsafe.Pointer) error {
			if v := (*Opt[V])(unsafe.Add(p, at)); v.Valid {
				return add(b.(B), v.Value)
			}
			b.AppendNull()
			return nil
		}
	}
	return nil
}
