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
	before := len(list)
	switch a := column.(type) {
	case *array.String:
		arena := p.room(a.ValueOffset(to) - a.ValueOffset(from))
		for i := from; i < to; i++ {
			at := len(arena)
			arena = append(arena, a.Value(i)...)
			list = append(list, parquet.ByteArrayValue(arena[at:len(arena):len(arena)]))
		}
	case *array.Int64:
		for _, v := range a.Int64Values()[from:to] {
			list = append(list, parquet.Int64Value(v))
		}
	case *array.Float64:
		for _, v := range a.Float64Values()[from:to] {
			list = append(list, parquet.DoubleValue(v))
		}
	case *array.Boolean:
		for i := from; i < to; i++ {
			list = append(list, parquet.BooleanValue(a.Value(i)))
		}
	case *array.Date32:
		for _, v := range a.Date32Values()[from:to] {
			list = append(list, parquet.Int32Value(int32(v)))
		}
	case *array.Timestamp:
		for _, v := range a.TimestampValues()[from:to] {
			list = append(list, parquet.Int64Value(int64(v)))
		}
	case *array.Decimal128:
		if described.Type == schemas.Amount {
			for _, v := range a.Values()[from:to] {
				list = append(list, parquet.Int64Value(int64(v.LowBits())))
			}
			break
		}
		arena := p.room(schemas.MoneyBytes * (to - from))
		for _, v := range a.Values()[from:to] {
			at := len(arena)
			arena = binary.BigEndian.AppendUint32(arena, uint32(v.HighBits()))
			arena = binary.BigEndian.AppendUint64(arena, v.LowBits())
			list = append(list, parquet.FixedLenByteArrayValue(arena[at:len(arena):len(arena)]))
		}
	default:
		return fmt.Errorf("column %s: no way to write %T", described.Name, column)
	}
	p.columns[c] = list
	if !described.Nullable { // the levels of a required column are known
		if column.NullN() > 0 {
			return fmt.Errorf("column %s is null in one of the rows from %d on", described.Name, p.rows+int64(from))
		}
		return nil
	}
	null := parquet.NullValue().Level(0, 0, c)
	for i, v := range list[before:] {
		if column.IsNull(from + i) {
			list[before+i] = null
		} else {
			list[before+i] = v.Level(0, 1, c)
		}
	}
	return nil
}

// room is memory for n bytes that lives as long as the chunk.
func (p *parquetWriter) room(n int) []byte {
	if len(p.arena)+n > cap(p.arena) {
		p.arena = make([]byte, 0, max(1<<20, n))
	}
	at := len(p.arena)
	p.arena = p.arena[:at+n]
	return p.arena[at : at : at+n]
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
	p.arena = p.arena[:0] // the columns have copied their values
	if p.rows%groupRows == 0 {
		return p.w.Flush()
	}
	return nil
}
