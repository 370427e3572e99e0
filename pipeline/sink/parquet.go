// Package sink writes tables: as Parquet files for machines, as CSV, JSON or Markdown
// for people. The same rows give the same bytes, however they were cut into batches.
package sink

import (
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/cohortline/cohortline/pipeline/sink/chunk"
	"github.com/cohortline/cohortline/schemas"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// magic begins and ends every Parquet file.
const magic = "PAR1"

// Parquet writes a table to w and returns the number of rows. Row groups are encoded side
// by side and written in their order.
func Parquet(w io.Writer, d schemas.Data) (rows int64, err error) {
	p := &parquetWriter{w: w, table: d.Table, limit: max(1, min(maxEncoders, runtime.GOMAXPROCS(0)))}
	if err := p.put([]byte(magic)); err != nil {
		return 0, err
	}
	defer p.drop()
	g := newGroup(len(d.Table.Columns))
	defer func() { g.release() }()
	for r, err := range d.Batches {
		if err != nil {
			return 0, err
		}
		for from := 0; from < int(r.NumRows()); {
			n, full := g.take(r, from)
			from += n
			if full {
				if err := p.encode(&g); err != nil {
					return 0, err
				}
			}
		}
	}
	if g.rows > 0 {
		if err := p.encode(&g); err != nil {
			return 0, err
		}
	}
	if err := p.close(); err != nil {
		return 0, err
	}
	return p.file.NumRows, nil
}

// maxEncoders is how many row groups are encoded at a time; each is in memory.
const maxEncoders = 2

// parquetWriter writes row groups in their order and remembers where they are.
type parquetWriter struct {
	w       io.Writer
	table   schemas.Table
	limit   int
	at      int64
	pending []chan encoded // row groups on their way, in their order
	file    format.FileMetaData
}

// encoded is a finished row group; offsets count from its start.
type encoded struct {
	bytes   *[]byte
	columns []format.ColumnMetaData
	rows    int
	err     error
}

// Encoders and buffers that no row group is using: they have grown to what row groups take,
// and new memory is cleared before it is used. More row groups than there are processors are
// never encoded at a time, of all tables together, so that few are needed.
var (
	encoders, buffers sync.Pool
	encoding          = make(chan struct{}, runtime.GOMAXPROCS(0))
)

// encode takes the rows of g and encodes them in the background. Before that it writes the
// oldest row group if enough are on their way.
func (p *parquetWriter) encode(g *group) error {
	if len(p.pending) == p.limit {
		if err := p.write(); err != nil {
			return err
		}
	}
	done, rows := make(chan encoded, 1), *g
	*g = newGroup(len(p.table.Columns))
	p.pending = append(p.pending, done)
	go func() {
		defer rows.release()
		done <- rows.encode(p.table)
	}()
	return nil
}

// encode encodes a row group as soon as a processor is free for it.
func (g *group) encode(t schemas.Table) encoded {
	encoding <- struct{}{}
	defer func() { <-encoding }()
	x := encoded{rows: g.rows}
	e, ok := encoders.Get().(*chunk.Encoder)
	if !ok {
		if e, x.err = chunk.NewEncoder(); x.err != nil {
			return x
		}
	}
	defer encoders.Put(e)
	if x.bytes, ok = buffers.Get().(*[]byte); !ok {
		x.bytes = new([]byte)
	}
	out := (*x.bytes)[:0]
	for i, c := range t.Columns {
		var meta format.ColumnMetaData
		if out, meta, x.err = e.Encode(out, c, g.columns[i]); x.err != nil {
			return x
		}
		x.columns = append(x.columns, meta)
	}
	*x.bytes = out
	return x
}

// write writes the oldest of the pending row groups.
func (p *parquetWriter) write() error {
	x := <-p.pending[0]
	p.pending = p.pending[1:]
	if x.err != nil {
		return fmt.Errorf("table %s, rows from %d on: %w", p.table.Name, p.file.NumRows, x.err)
	}
	g := format.RowGroup{NumRows: int64(x.rows), FileOffset: p.at, Ordinal: int16(len(p.file.RowGroups))}
	for _, m := range x.columns {
		chunk.Move(&m, p.at)
		g.TotalByteSize += m.TotalUncompressedSize
		g.TotalCompressedSize += m.TotalCompressedSize
		g.Columns = append(g.Columns, format.ColumnChunk{MetaData: m})
	}
	p.file.RowGroups = append(p.file.RowGroups, g)
	p.file.NumRows += g.NumRows
	defer buffers.Put(x.bytes)
	return p.put(*x.bytes)
}

// close writes what is pending and the footer.
func (p *parquetWriter) close() error {
	for len(p.pending) > 0 {
		if err := p.write(); err != nil {
			return err
		}
	}
	p.file.Version, p.file.CreatedBy, p.file.Schema = 2, "cohortline version 1 (build 0)", schemaElements(p.table)
	for range p.table.Columns {
		p.file.ColumnOrders = append(p.file.ColumnOrders, format.ColumnOrder{Value: &format.TypeDefinedOrder{}})
	}
	for _, kv := range p.table.ParquetMetadata() {
		p.file.KeyValueMetadata = append(p.file.KeyValueMetadata, format.KeyValue{Key: kv[0], Value: kv[1]})
	}
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), &p.file)
	if err != nil {
		return fmt.Errorf("table %s: footer: %w", p.table.Name, err)
	}
	return p.put(append(binary.LittleEndian.AppendUint32(footer, uint32(len(footer))), magic...))
}

func (p *parquetWriter) put(b []byte) error {
	n, err := p.w.Write(b)
	p.at += int64(n)
	if err != nil {
		return fmt.Errorf("table %s: %w", p.table.Name, err)
	}
	return nil
}

// drop waits for row groups that nobody wants any more.
func (p *parquetWriter) drop() {
	for _, done := range p.pending {
		<-done
	}
}

// schemaElements is the schema of a table as the footer holds it.
func schemaElements(t schemas.Table) []format.SchemaElement {
	fields := t.Parquet().Fields()
	list := []format.SchemaElement{{Name: t.Name, NumChildren: thrift.New(int32(len(fields)))}}
	for _, f := range fields {
		x := format.SchemaElement{Name: f.Name(), Type: thrift.New(*f.Type().PhysicalType()), RepetitionType: thrift.New(format.Required)}
		if f.Optional() {
			x.RepetitionType = thrift.New(format.Optional)
		}
		if n := f.Type().Length(); n > 0 && f.Type().Kind() == parquet.FixedLenByteArray {
			x.TypeLength = thrift.New(int32(n))
		}
		if c := f.Type().ConvertedType(); c != nil {
			x.ConvertedType = thrift.New(*c)
		}
		if l := f.Type().LogicalType(); l != nil {
			x.LogicalType = *l
			if d, ok := l.Value.(*format.DecimalType); ok {
				x.Scale, x.Precision = thrift.New(d.Scale), thrift.New(d.Precision)
			}
		}
		list = append(list, x)
	}
	return list
}
