package source

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

const parquetBatchRows = 2048

// parquetFile reads Parquet by column pages. Dictionaries are kept: a repeated value is
// decoded once per row group.
type parquetFile struct {
	name   string
	file   *parquet.File
	closer io.Closer
	at     io.ReaderAt
	size   int64
	remote bool // every read is a request
	fields []Field
	leaves []leaf
	groups []int   // row groups that have rows
	first  []int64 // per group, the 1-based number of its first row
}

// leaf is what decoding needs to know of a column.
type leaf struct {
	index    int // of the column chunk
	column   *parquet.Column
	maxLevel byte // definition level of a value that is there
	decode   func(v pageValues, to *Column) error
}

const damagedHint = "the file is damaged or was written by a faulty program; export or copy it again"

// openParquet reads the footer. Of remote files the pages are fetched in large pieces.
func openParquet(name string, r io.ReaderAt, size int64, closer io.Closer, remote bool) (_ File, err error) {
	f := &parquetFile{name: name, closer: closer, at: r, size: size, remote: remote}
	defer func() {
		if p := recover(); p != nil {
			err = &FileError{File: name, What: "is no readable Parquet file", Err: fmt.Errorf("%v", p), Hint: damagedHint}
		}
	}()
	if err := checkFooter(r, size); err != nil {
		return nil, &FileError{File: name, What: "is no readable Parquet file", Err: err, Hint: hintFor(err)}
	}
	buffer := 1 << 18
	if remote {
		buffer = 1 << 22
	}
	f.file, err = parquet.OpenFile(r, size, parquet.SkipBloomFilters(true), parquet.SkipPageIndex(true), parquet.ReadBufferSize(buffer))
	if err != nil {
		return nil, &FileError{File: name, What: "is no readable Parquet file", Err: err, Hint: damagedHint}
	}
	f.addFields(f.file.Root(), 0, false)
	row := int64(1)
	for i, g := range f.file.RowGroups() {
		if n := g.NumRows(); n > 0 {
			f.groups, f.first = append(f.groups, i), append(f.first, row)
			row += n
		} else if n < 0 {
			return nil, &FileError{File: name, What: "a row group claims a negative number of rows", Hint: damagedHint}
		}
	}
	return f, nil
}

// checkFooter refuses a footer that claims more than the file holds: the library makes
// room for what is claimed before it reads.
func checkFooter(r io.ReaderAt, size int64) error {
	var end [8]byte
	if size < 12 {
		return errors.New("it is too short")
	}
	if n, err := r.ReadAt(end[:], size-8); n < len(end) {
		return err
	}
	if string(end[4:]) != "PAR1" {
		return errors.New("it does not end with PAR1; it was cut off, or is encrypted")
	}
	n := int64(binary.LittleEndian.Uint32(end[:]))
	if n > size-12 {
		return fmt.Errorf("its footer claims %d bytes, the file has %d", n, size)
	}
	if room := metadataRoom(); n > room {
		return &memoryError{fmt.Sprintf("its footer of %d bytes takes more than %d MiB of memory", n, room>>20)}
	}
	footer := make([]byte, n)
	if k, err := r.ReadAt(footer, size-8-n); k < len(footer) {
		return err
	}
	if err := guardThrift(footer); err != nil {
		return fmt.Errorf("its footer: %w", err)
	}
	return nil
}

// addFields lists the leaves below a column in file order.
func (f *parquetFile) addFields(c *parquet.Column, level byte, repeated bool) {
	for _, child := range c.Columns() {
		l, rep := level, repeated || child.Repeated()
		if !child.Required() {
			l++
		}
		if !child.Leaf() {
			f.addFields(child, l, rep)
			continue
		}
		field := Field{Name: strings.Join(child.Path(), ".")}
		decode, why := decoderOf(child.Type(), &field)
		if rep {
			why = "it is a list"
		}
		if why != "" {
			field.Kind, field.Why = Other, why
		}
		f.fields = append(f.fields, field)
		f.leaves = append(f.leaves, leaf{index: child.Index(), column: child, maxLevel: l, decode: decode})
	}
}

func (f *parquetFile) Fields() []Field { return f.fields }
func (f *parquetFile) Units() int      { return max(1, len(f.groups)) }
func (f *parquetFile) Close() error    { return f.closer.Close() }

func (f *parquetFile) Read(ctx context.Context, unit int, want []int) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		if unit >= len(f.groups) {
			return
		}
		group := f.file.RowGroups()[f.groups[unit]]
		chunks := group.ColumnChunks()
		rows, number := group.NumRows(), f.first[unit]
		cursors := make([]*columnCursor, len(want))
		for k, w := range want {
			if f.fields[w].Kind == Other {
				yield(nil, &FileError{File: f.name, Column: f.fields[w].Name, What: "cannot be read: " + f.fields[w].Why})
				return
			}
			cursors[k] = &columnCursor{field: f.fields[w], leaf: f.leaves[w], file: f.name}
			defer cursors[k].close()
			l := f.leaves[w]
			if err := f.openPages(cursors[k], chunks[l.index], &f.file.Metadata().RowGroups[f.groups[unit]].Columns[l.index].MetaData, rows); err != nil {
				yield(nil, err)
				return
			}
		}
		b := &Batch{Cols: make([]Column, len(want)), Row: number}
		for done := int64(0); done < rows; {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			n := int(min(parquetBatchRows, rows-done))
			for _, c := range cursors {
				left, err := c.ready()
				if err != nil {
					var fe *FileError
					if errors.As(err, &fe) {
						fe.Row = number + done
					}
					yield(nil, err)
					return
				}
				n = min(n, left)
			}
			b.N, b.Row, b.Bad = n, number+done, b.Bad[:0]
			for k, c := range cursors {
				c.take(n, &b.Cols[k])
				b.invalidText(k)
			}
			if !yield(b, nil) {
				return
			}
			done += int64(n)
		}
	}
}

// maxFetch is how much of a column chunk of a remote file is fetched at once.
const maxFetch = 64 << 20

// openPages checks the pages of a column chunk and opens them.
func (f *parquetFile) openPages(c *columnCursor, chunk parquet.ColumnChunk, meta *format.ColumnMetaData, rows int64) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = c.wrong(fmt.Errorf("%v", p))
		}
	}()
	if meta.Type != format.Type(chunk.Type().Kind()) {
		return c.wrong(fmt.Errorf("its type is %s in the schema and %s in the column", chunk.Type(), meta.Type))
	}
	at := f.at
	if from, n := chunkStart(meta), meta.TotalCompressedSize; f.remote && n > 0 && n <= maxFetch && from >= 0 && from <= f.size-n {
		part := make([]byte, n)
		if k, err := f.at.ReadAt(part, from); k < len(part) {
			return err
		}
		at = fetched{part, from}
	}
	if c.pages, err = openChunk(at, f.size, meta, c.leaf.column, rows, c.leaf.maxLevel); err != nil {
		return c.wrong(err)
	}
	c.pages.text = c.field.Kind == Text
	return nil
}

// chunkStart is the place of the first page of a column chunk.
func chunkStart(meta *format.ColumnMetaData) int64 {
	if d := meta.DictionaryPageOffset; d != 0 && d < meta.DataPageOffset {
		return d
	}
	return meta.DataPageOffset
}

// fetched is a part of a file.
type fetched struct {
	data []byte
	from int64
}

func (p fetched) ReadAt(b []byte, off int64) (int, error) {
	if off < p.from || off-p.from >= int64(len(p.data)) {
		return 0, io.EOF
	}
	n := copy(b, p.data[off-p.from:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// columnCursor walks the pages of one column chunk.
type columnCursor struct {
	field Field
	leaf  leaf
	file  string
	pages *chunkPages
	col   Column // the whole page, decoded; what the library has decoded is used where it lies
	own   spreadValues
	at, n int
	coded bool // the page holds codes of dict
	ascii bool // all texts of the page are ASCII
	dict  *Column
}

func (c *columnCursor) wrong(err error) error {
	return &FileError{File: c.file, Column: c.field.Name, What: "cannot be decoded", Err: err, Hint: hintFor(err)}
}

// ready makes sure that a page with rows is decoded and returns how many are left in it.
func (c *columnCursor) ready() (left int, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = c.wrong(fmt.Errorf("%v", p))
		}
	}()
	for c.at == c.n {
		p, err := c.pages.ReadPage()
		if err != nil {
			var fe *FileError
			if errors.As(err, &fe) { // of the store
				return 0, err
			}
			if errors.Is(err, io.EOF) {
				err = errors.New("it has fewer rows than its row group")
			}
			return 0, c.wrong(err)
		}
		c.at, c.n = 0, p.rows
		if c.n > 0 {
			if err := c.decode(p); err != nil {
				return 0, c.wrong(err)
			}
		}
	}
	return c.n - c.at, nil
}

// decode turns a page into a column of values, nulls expanded.
func (c *columnCursor) decode(p *parquetPage) error {
	c.col = Column{Field: c.field}
	c.coded, c.ascii = p.coded, false
	if p.coded {
		if err := c.readDictionary(); err != nil {
			return err
		}
		if len(p.codes) < p.there {
			return fmt.Errorf("%d values where %d are declared", len(p.codes), p.there)
		}
		size := uint32(dictLength(c.dict))
		largest := uint32(0)
		for _, k := range p.codes[:p.there] {
			largest = max(largest, uint32(k)) // one that is negative is larger than any
		}
		if p.there > 0 && largest >= size {
			return fmt.Errorf("dictionary entry %d of %d", largest, size)
		}
		c.col.Codes, c.col.Dict = p.codes[:p.there], c.dict
	} else {
		if p.texts.data != nil {
			c.col.Data, c.col.Start, c.col.End = p.texts.data, p.texts.start, p.texts.end
		} else if err := c.leaf.decode(pageValues{p.values, p.there}, &c.col); err != nil {
			return err
		}
		c.ascii = c.field.Kind == Text && plainASCII(c.col.Data)
	}
	if p.levels != nil {
		c.own.reset()
		c.spread(p.levels)
	}
	return nil
}

// readDictionary decodes the dictionary of the chunk once.
func (c *columnCursor) readDictionary() error {
	if c.dict != nil {
		return nil
	}
	col := &Column{Field: c.field}
	if err := c.leaf.decode(*c.pages.dictionary, col); err != nil {
		return err
	}
	c.dict = col
	return nil
}

func dictLength(c *Column) int { return max(len(c.Start), len(c.Ints), len(c.Floats)) }

// take hands out the next n rows of the page.
func (c *columnCursor) take(n int, to *Column) {
	from, end := c.at, c.at+n
	*to = Column{Field: c.field, Data: c.col.Data, ascii: c.ascii}
	if c.coded {
		to.Dict = c.dict
	}
	if c.col.Null != nil {
		to.Null = c.col.Null[from:end]
	}
	switch {
	case c.coded:
		to.Codes = c.col.Codes[from:end]
	case c.field.Kind == Text:
		to.Start, to.End = c.col.Start[from:end], c.col.End[from:end]
	case c.field.Kind == Float:
		to.Floats = c.col.Floats[from:end]
	default:
		to.Ints = c.col.Ints[from:end]
		for _, big := range c.col.TooBig {
			if int(big) >= from && int(big) < end {
				to.TooBig = append(to.TooBig, big-int32(from))
			}
		}
	}
	c.at = end
}

func (c *columnCursor) close() {
	if c.pages != nil {
		c.pages.Close()
	}
}

// spreadValues are the values of a page with nulls, by row. Their memory is used again.
type spreadValues struct {
	start, end []uint32
	ints       []int64
	floats     []float64
	codes      []int32
	null       []bool
}

func (s *spreadValues) reset() {
	s.start, s.end, s.ints, s.floats, s.codes, s.null = s.start[:0], s.end[:0], s.ints[:0], s.floats[:0], s.codes[:0], s.null[:0]
}

// spread moves the values of the page to the rows that have one.
func (c *columnCursor) spread(levels []byte) {
	col, own := &c.col, &c.own
	if cap(own.null) < len(levels) {
		own.null = make([]bool, len(levels))
	}
	own.null = own.null[:len(levels)]
	for i, l := range levels {
		own.null[i] = l != c.leaf.maxLevel
	}
	col.Null = own.null
	if len(col.TooBig) > 0 { // they count values; from here on rows
		value, next := int32(0), 0
		for row, null := range col.Null {
			if null {
				continue
			}
			if next < len(col.TooBig) && col.TooBig[next] == value {
				col.TooBig[next] = int32(row)
				next++
			}
			value++
		}
	}
	switch {
	case c.coded:
		own.codes = spread(own.codes, col.Codes, col.Null)
		col.Codes = own.codes
	case c.field.Kind == Text:
		own.start, own.end = spread(own.start, col.Start, col.Null), spread(own.end, col.End, col.Null)
		col.Start, col.End = own.start, own.end
	case c.field.Kind == Float:
		own.floats = spread(own.floats, col.Floats, col.Null)
		col.Floats = own.floats
	default:
		own.ints = spread(own.ints, col.Ints, col.Null)
		col.Ints = own.ints
	}
}

// spread copies values to the rows that are not null; the others are zero.
func spread[T any](to, values []T, null []bool) []T {
	if cap(to) < len(null) {
		to = make([]T, len(null))
	}
	to = to[:len(null)]
	var pair [2]T // the value of a row that is not null, and of one that is
	k := 0
	for i, none := range null {
		n := 0
		if none {
			n = 1
		}
		if k < len(values) {
			pair[0] = values[k]
		}
		to[i] = pair[n]
		k += 1 - n
	}
	return to
}

// unitOf is the number of nanoseconds of a timestamp's unit.
func unitOf(t *format.TimestampType) time.Duration {
	if t.Unit.Value == nil {
		return time.Microsecond
	}
	return t.Unit.Value.Duration()
}
