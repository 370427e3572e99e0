// Package sink writes tables: as Parquet files for machines, as CSV, JSON or Markdown
// for people. The same rows give the same bytes, however they were cut into batches.
package sink

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/cohortline/cohortline/schemas"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

// Sizes that decide the layout of a file; changing one changes the bytes of every table.
const (
	groupRows = 131_072 // rows of a row group
	chunkRows = 8_192   // rows handed to a column at a time; groupRows is a multiple
)

// Parquet writes a table to w and returns the number of rows: zstd, page checksums,
// row groups of 131,072 rows, descriptions of table and columns in the metadata.
func Parquet(w io.Writer, d schemas.Data) (rows int64, err error) {
	options := []parquet.WriterOption{
		d.Table.Parquet(), parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest, Concurrency: 1}),
		parquet.CreatedBy("cohortline", "1", "0"), parquet.DataPageVersion(2), parquet.DataPageStatistics(true),
		parquet.MaxRowsPerRowGroup(groupRows), parquet.DictionaryMaxBytes(1 << 20),
	}
	for _, kv := range d.Table.ParquetMetadata() {
		options = append(options, parquet.KeyValueMetadata(kv[0], kv[1]))
	}
	for _, c := range d.Table.Columns {
		if c.Type == schemas.Money { // the library compares these bytes as unsigned: wrong bounds hide rows
			options = append(options, parquet.SkipPageBounds(c.Name), parquet.SkipPageStatistics(c.Name))
		}
	}
	p := &parquetWriter{w: parquet.NewGenericWriter[any](w, options...), table: d.Table, columns: make([][]parquet.Value, len(d.Table.Columns))}
	for r, err := range d.Batches {
		if err != nil {
			return 0, err
		}
		if err := p.record(r); err != nil {
			return 0, fmt.Errorf("table %s: %w", d.Table.Name, err)
		}
	}
	if err := p.flush(); err != nil {
		return 0, fmt.Errorf("table %s: %w", d.Table.Name, err)
	}
	if err := p.w.Close(); err != nil {
		return 0, fmt.Errorf("table %s: %w", d.Table.Name, err)
	}
	return p.rows, nil
}

// parquetWriter gathers chunks of equal size, so that pages do not depend on batches.
type parquetWriter struct {
	w       *parquet.GenericWriter[any]
	table   schemas.Table
	columns [][]parquet.Value
	arena   []byte // texts and decimals of the chunk
	pending int
	rows    int64
}

func (p *parquetWriter) record(r arrow.Record) error {
	for from := 0; from < int(r.NumRows()); {
		n := min(chunkRows-p.pending, int(r.NumRows())-from)
		for c := range p.columns {
			if err := p.values(c, r.Column(c), from, from+n); err != nil {
				return err
			}
		}
		from += n
		if p.pending += n; p.pending == chunkRows {
			if err := p.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// values appends the values of one column to its chunk.
func (p *parquetWriter) values(c int, column arrow.Array, from, to int) error {
	described := p.table.Columns[c]
	list := p.columns[c]
	switch a := column.(type) {
	case *array.String:
		list = appendValues(list, a, from, to, c, described.Nullable, func(i int) parquet.Value { return parquet.ByteArrayValue(p.keep(a.Value(i))) })
	case *array.Int64:
		values := a.Int64Values()
		list = appendValues(list, a, from, to, c, described.Nullable, func(i int) parquet.Value { return parquet.Int64Value(values[i]) })
	case *array.Float64:
		values := a.Float64Values()
		list = appendValues(list, a, from, to, c, described.Nullable, func(i int) parquet.Value { return parquet.DoubleValue(values[i]) })
	case *array.Boolean:
		list = appendValues(list, a, from, to, c, described.Nullable, func(i int) parquet.Value { return parquet.BooleanValue(a.Value(i)) })
	case *array.Date32:
		values := a.Date32Values()
		list = appendValues(list, a, from, to, c, described.Nullable, func(i int) parquet.Value { return parquet.Int32Value(int32(values[i])) })
	case *array.Timestamp:
		values := a.TimestampValues()
		list = appendValues(list, a, from, to, c, described.Nullable, func(i int) parquet.Value { return parquet.Int64Value(int64(values[i])) })
	case *array.Decimal128:
		values := a.Values()
		if described.Type == schemas.Amount {
			list = appendValues(list, a, from, to, c, described.Nullable, func(i int) parquet.Value { return parquet.Int64Value(int64(values[i].LowBits())) })
			break
		}
		list = appendValues(list, a, from, to, c, described.Nullable, func(i int) parquet.Value {
			var b [16]byte
			binary.BigEndian.PutUint64(b[:8], uint64(values[i].HighBits()))
			binary.BigEndian.PutUint64(b[8:], values[i].LowBits())
			return parquet.FixedLenByteArrayValue(p.keep(string(b[16-schemas.MoneyBytes:])))
		})
	default:
		return fmt.Errorf("column %s: no way to write %T", described.Name, column)
	}
	if list == nil {
		return fmt.Errorf("column %s is null in one of the rows from %d on", described.Name, p.rows+int64(from))
	}
	p.columns[c] = list
	return nil
}

// appendValues appends rows from to to of a column, nil where one is null that may not be.
func appendValues(list []parquet.Value, column arrow.Array, from, to, c int, nullable bool, value func(i int) parquet.Value) []parquet.Value {
	if !nullable {
		if column.NullN() > 0 {
			return nil
		}
		for i := from; i < to; i++ {
			list = append(list, value(i)) // the levels of a required column are known
		}
		return list
	}
	null := parquet.NullValue().Level(0, 0, c)
	for i := from; i < to; i++ {
		if column.IsNull(i) {
			list = append(list, null)
		} else {
			list = append(list, value(i).Level(0, 1, c))
		}
	}
	return list
}

// keep copies bytes to memory that lives as long as the chunk.
func (p *parquetWriter) keep(b string) []byte {
	if len(p.arena)+len(b) > cap(p.arena) {
		p.arena = make([]byte, 0, max(1<<18, len(b)))
	}
	from := len(p.arena)
	p.arena = append(p.arena, b...)
	return p.arena[from:len(p.arena):len(p.arena)]
}

func (p *parquetWriter) flush() error {
	if p.pending == 0 {
		return nil
	}
	for c, w := range p.w.ColumnWriters() {
		if _, err := w.WriteRowValues(p.columns[c]); err != nil {
			return err
		}
		p.columns[c] = p.columns[c][:0]
	}
	p.rows += int64(p.pending)
	p.pending = 0
	if p.rows%groupRows == 0 {
		return p.w.Flush()
	}
	return nil
}
