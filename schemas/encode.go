package schemas

import (
	"fmt"
	"iter"
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
			place := e.Row()
			*place = row
			e.Append(place)
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
// (string, int64, float64, bool, Day, Instant, Sum), wrapped in Opt exactly where the
// column is nullable. A text that is never null may be a []byte or Repeated. A []string tagged `col:"*"`
// holds the values of all columns, in their order, that no other field names. A struct that
// does not fit the table is a bug and panics.
//
// Rows are kept as they come and turned into columns a block at a time, column by column:
// several times faster than every field of every row by itself.
type Encoder[T any] struct {
	table   Table
	schema  *arrow.Schema
	columns []column
	early   []func(row unsafe.Pointer) // take over what belongs to the caller: fields that are slices
	late    []lateColumn
	block   []T // rows whose other fields are still to be gathered
	rows    int
	failed  error
}

// lateColumn gathers one field of a block of rows.
type lateColumn struct {
	gather   func(f fields, nullable bool) error
	nullable bool
	offset   uintptr
	name     string
}

// blockRows is the number of rows of a block: few enough to stay in the nearest cache, and
// as many as a word has bits.
const blockRows = 64

// NewEncoder returns an encoder without rows.
func NewEncoder[T any](t Table) *Encoder[T] {
	e := &Encoder[T]{table: t, block: make([]T, 0, blockRows)}
	row := reflect.TypeFor[T]()
	tagged := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(row) {
		if name := f.Tag.Get("col"); name != "" {
			tagged[name] = f
		}
	}
	others := 0
	for _, c := range t.Columns {
		f, ok := tagged[c.Name]
		text := c.Type == String && !c.Nullable
		if !ok && text {
			f, ok = tagged["*"]
		}
		at := f.Offset
		switch {
		case !ok:
			panic(fmt.Sprintf("%s has no field for column %s.%s", row, t.Name, c.Name))
		case text && f.Type == reflect.TypeFor[[]byte]():
			col := &textColumn{}
			e.columns = append(e.columns, col)
			e.early = append(e.early, func(p unsafe.Pointer) { addText(col, *(*[]byte)(unsafe.Add(p, at))) })
		case text && f.Type == reflect.TypeFor[Repeated]():
			col := &labelColumn{}
			e.columns = append(e.columns, col)
			e.early = append(e.early, func(p unsafe.Pointer) { col.repeat(*(*Repeated)(unsafe.Add(p, at))) })
		case text && f.Type == reflect.TypeFor[[]string]():
			col, k := &labelColumn{}, others
			e.columns = append(e.columns, col)
			e.early = append(e.early, func(p unsafe.Pointer) { col.add((*(*[]string)(unsafe.Add(p, at)))[k]) })
			others++
		case text && f.Type == reflect.TypeFor[string]():
			col := &labelColumn{}
			e.columns = append(e.columns, col)
			e.late = append(e.late, lateColumn{col.gather, false, at, c.Name})
		default:
			col, gather, plain, opt := columnOf(c.Type)
			if f.Type != plain && !c.Nullable || f.Type != opt && c.Nullable {
				panic(fmt.Sprintf("%s.%s is a %s, which column %s.%s (%s, nullable %t) cannot hold", row, f.Name, f.Type, t.Name, c.Name, c.Type, c.Nullable))
			}
			e.columns = append(e.columns, col)
			e.late = append(e.late, lateColumn{gather, c.Nullable, at, c.Name})
		}
	}
	e.schema = e.recordSchema()
	return e
}

// recordSchema is the schema of the table, but for texts that come as labels and sums that
// fit in 64 bits.
func (e *Encoder[T]) recordSchema() *arrow.Schema {
	s := e.table.Arrow()
	fields, meta := s.Fields(), s.Metadata()
	for i, c := range e.columns {
		switch c.(type) {
		case *labelColumn:
			fields[i].Type = labelType
		case *sumColumn:
			fields[i].Type = arrow.PrimitiveTypes.Int64
		}
	}
	return arrow.NewSchema(fields, &meta)
}

// schemaOf is the schema of a record of arrays: that of the encoder, unless there are sums that do not fit.
func (e *Encoder[T]) schemaOf(arrays []arrow.Array) *arrow.Schema {
	fields, wide := e.schema.Fields(), false
	for i, a := range arrays {
		if a.DataType().ID() == arrow.DECIMAL128 {
			fields[i].Type, wide = a.DataType(), true
		}
	}
	if !wide {
		return e.schema
	}
	meta := e.schema.Metadata()
	return arrow.NewSchema(fields, &meta)
}

// Row is a place where the next row can be made, which saves Append a copy. What it holds
// is left from an earlier row.
func (e *Encoder[T]) Row() *T { return &e.block[:len(e.block)+1][len(e.block)] }

// Append adds a row. A value that cannot be published, NaN or infinite, is an error of Take.
func (e *Encoder[T]) Append(row *T) {
	for _, add := range e.early {
		add(unsafe.Pointer(row))
	}
	if place := e.Row(); place != row {
		*place = *row
	}
	e.block = e.block[:len(e.block)+1]
	e.rows++
	if len(e.block) == blockRows {
		e.gather()
	}
}

// gather turns the rows of the block into columns.
func (e *Encoder[T]) gather() {
	if len(e.block) == 0 {
		return
	}
	for i := range e.late {
		c := &e.late[i]
		f := fields{unsafe.Add(unsafe.Pointer(unsafe.SliceData(e.block)), c.offset), unsafe.Sizeof(e.block[0]), len(e.block)}
		if err := c.gather(f, c.nullable); err != nil && e.failed == nil {
			e.failed = fmt.Errorf("table %s, column %s: %w", e.table.Name, c.name, err)
		}
	}
	e.block = e.block[:0]
}

// Take returns the rows since the last call; the caller releases the record.
func (e *Encoder[T]) Take() (arrow.Record, error) {
	if e.gather(); e.failed != nil {
		return nil, e.failed
	}
	arrays := make([]arrow.Array, len(e.columns))
	for i, c := range e.columns {
		arrays[i] = c.take(e.schema.Field(i).Type)
	}
	r := array.NewRecord(e.schemaOf(arrays), arrays, int64(e.rows))
	for _, a := range arrays {
		a.Release()
	}
	e.rows = 0
	return r, nil
}

// columnOf is a column for a type, how it gathers fields, and which types they must have.
func columnOf(t Type) (c column, gather func(fields, bool) error, plain, opt reflect.Type) {
	switch t {
	case Bool:
		c := &boolColumn{}
		return c, c.gather, reflect.TypeFor[bool](), reflect.TypeFor[Opt[bool]]()
	case Int64:
		return fixed[int64]()
	case Double:
		return fixed[float64]()
	case Date:
		return fixed[Day]()
	case Timestamp:
		return fixed[Instant]()
	case Money, Amount:
		c := &sumColumn{decimal: t.Arrow()}
		return c, c.gather, reflect.TypeFor[Sum](), reflect.TypeFor[Opt[Sum]]()
	default:
		c := &textColumn{}
		return c, c.gather, reflect.TypeFor[string](), reflect.TypeFor[Opt[string]]()
	}
}

func fixed[T int64 | float64 | Day | Instant]() (column, func(fields, bool) error, reflect.Type, reflect.Type) {
	c := &fixedColumn[T]{}
	return c, c.gather, reflect.TypeFor[T](), reflect.TypeFor[Opt[T]]()
}
