package source

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/cohortline/cohortline/schemas"
)

// Limits of text files.
const (
	defaultMaxField = 1 << 20
	maxRow          = 32 << 20 // bytes of one row; a longer one is skipped without being kept
	csvBatchRows    = 4096
	csvWindow       = 1 << 20
	textBatchBytes  = 4 << 20
)

// csvFile reads delimited text: RFC 4180 with any one-byte delimiter, or columns
// separated by runs of blanks.
type csvFile struct {
	name     string
	open     func() (io.ReadCloser, error)
	opts     Options
	delim    byte
	blanks   bool // runs of blanks separate
	header   bool
	maxField int
	fields   []Field
}

func openCSV(name string, open func() (io.ReadCloser, error), opts Options) (File, error) {
	f := &csvFile{name: name, open: open, opts: opts, delim: ',', header: len(opts.NoHeader) == 0, maxField: opts.MaxField}
	if f.maxField == 0 {
		f.maxField = defaultMaxField
	}
	switch opts.Delimiter {
	case "":
	case "tab":
		f.delim = '\t'
	case "whitespace":
		f.blanks = true
	default:
		f.delim = opts.Delimiter[0]
	}
	names := opts.NoHeader
	if f.header {
		s, err := f.splitter()
		if err != nil {
			return nil, err
		}
		defer s.close()
		row, err := s.next()
		if errors.Is(err, io.EOF) {
			return nil, &FileError{File: name, What: "there is nothing in it", Err: ErrEmpty, Hint: "an export without orders still has a header line; export it again"}
		}
		if err != nil {
			return nil, err
		}
		if row.bad != "" {
			return nil, &FileError{File: name, What: "its header line cannot be read: " + row.detail, Hint: "check delimiter and encoding of the source"}
		}
		for i := range row.fields {
			names = append(names, strings.TrimSpace(string(row.fields[i].value(s))))
		}
		if err := f.checkHeader(names); err != nil {
			return nil, err
		}
	}
	for _, n := range names {
		f.fields = append(f.fields, Field{Name: n, Kind: Text})
	}
	return f, nil
}

// checkHeader finds headers that show a wrong delimiter or encoding, and repeated names.
func (f *csvFile) checkHeader(names []string) error {
	all := strings.Join(names, "")
	if strings.ContainsRune(all, 0) || !utf8.ValidString(all) {
		return &FileError{File: f.name, What: "its header is no UTF-8 text", Err: ErrOptions, Hint: "declare `encoding:` of the source: utf-16, latin-1 or windows-1252"}
	}
	if len(names) == 1 && !f.blanks {
		for _, d := range []string{";", "\t", "|", ","} {
			if d[0] != f.delim && strings.Contains(names[0], d) {
				shown := d
				if d == "\t" {
					shown = "tab"
				}
				return &FileError{File: f.name, What: fmt.Sprintf("its header is one column, %q: the delimiter is not %q", clip(names[0], 60), string(f.delim)), Err: ErrOptions, Hint: fmt.Sprintf("declare `delimiter: %q` in the source", shown)}
			}
		}
	}
	seen := map[string]int{}
	for i, n := range names {
		if j, ok := seen[n]; ok && n != "" {
			return &FileError{File: f.name, What: fmt.Sprintf("columns %d and %d are both named %q", j+1, i+1, n), Hint: "rename one of them, or leave one out of the export"}
		}
		seen[n] = i
	}
	return nil
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}

func (f *csvFile) Fields() []Field { return f.fields }
func (f *csvFile) Units() int      { return 1 }
func (f *csvFile) Close() error    { return nil }

func (f *csvFile) Read(ctx context.Context, _ int, want []int) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		s, err := f.splitter()
		if err != nil {
			yield(nil, err)
			return
		}
		defer s.close()
		if f.header {
			if _, err := s.next(); err != nil && !errors.Is(err, io.EOF) {
				yield(nil, err)
				return
			}
		}
		c := newTextBatch(f.fields, want)
		number := int64(0)
		for {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			c.reset(number + 1)
			for c.b.N < csvBatchRows {
				row, err := s.next()
				if errors.Is(err, errWindow) {
					break
				}
				if errors.Is(err, io.EOF) {
					if c.b.N > 0 {
						yield(c.finish(s.text()), nil)
					}
					return
				}
				if err != nil {
					var fe *FileError
					if errors.As(err, &fe) && fe.Row == 0 {
						fe.Row = number + 1
					}
					yield(nil, err)
					return
				}
				number++
				s.pinned = true
				f.add(c, s, row, want)
			}
			if c.b.N > 0 && !yield(c.finish(s.text()), nil) {
				return
			}
			s.release()
		}
	}
}

// add appends one row to the batch.
func (f *csvFile) add(c *textBatch, s *splitter, row *csvRow, want []int) {
	if row.bad == "" && len(row.fields) != len(f.fields) {
		row.bad, row.detail = schemas.ReasonRagged, fmt.Sprintf("%d fields, the header has %d", len(row.fields), len(f.fields))
	}
	if row.bad == "" {
		for k, w := range want {
			x := row.fields[w]
			if !s.clean || x.to-x.from > uint32(f.maxField) {
				if row.bad, row.detail = f.problem(x.value(s), s.validate); row.bad != "" {
					c.undo(k)
					row.column = f.fields[w].Name
					break
				}
			}
			c.place(k, x)
		}
	}
	if row.bad != "" {
		c.bad(BadRow{Reason: row.bad, Column: row.column, Detail: row.detail, Raw: bytes.Clone(row.raw[:min(len(row.raw), 1024)])})
		return
	}
	c.b.N++
}

// problem says why a value cannot be taken: the reason of a reject and its detail.
func (f *csvFile) problem(v []byte, validate bool) (reason, detail string) {
	switch {
	case validate && !plainASCII(v) && !utf8.Valid(v):
		return schemas.ReasonInvalidUTF8, "bytes that are no UTF-8"
	case bytes.IndexByte(v, 0) >= 0:
		return schemas.ReasonInvalidUTF8, "a NUL byte"
	case len(v) > f.maxField:
		return schemas.ReasonFieldTooLong, fmt.Sprintf("%d bytes, at most %d are read", len(v), f.maxField)
	}
	return "", ""
}

func plainASCII(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint64(b)&0x8080808080808080 != 0 {
			return false
		}
	}
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

func (f *csvFile) splitter() (*splitter, error) {
	r, err := f.open()
	if err != nil {
		return nil, err
	}
	text, validate, err := toUTF8(r, f.opts.Encoding)
	if err != nil {
		r.Close()
		var fe *FileError
		if errors.As(err, &fe) {
			return nil, err
		}
		return nil, &FileError{File: f.name, What: "cannot be decoded", Err: err}
	}
	return &splitter{file: f, r: text, c: r, validate: validate, buf: make([]byte, csvWindow, csvWindow+csvWindow/8)}, nil
}

// textBatch builds a Batch of text columns that share their bytes: those that value has
// copied, or those that finish is given, to which place refers.
type textBatch struct {
	b        Batch
	data     []byte
	resolved [][]int32 // by column: the rows whose places are among the resolved bytes
}

func newTextBatch(fields []Field, want []int) *textBatch {
	c := &textBatch{}
	for _, w := range want {
		c.b.Cols = append(c.b.Cols, Column{Field: fields[w]})
	}
	c.resolved = make([][]int32, len(want))
	return c
}

func (c *textBatch) reset(row int64) {
	c.data, c.b.N, c.b.Row, c.b.Bad = c.data[:0], 0, row, c.b.Bad[:0]
	for i := range c.b.Cols {
		col := &c.b.Cols[i]
		col.Start, col.End, col.Null = col.Start[:0], col.End[:0], nil
		c.resolved[i] = c.resolved[i][:0]
	}
}

// place is value for one that lies in the text.
func (c *textBatch) place(k int, x csvField) {
	col := &c.b.Cols[k]
	if x.resolved {
		c.resolved[k] = append(c.resolved[k], int32(len(col.Start)))
	}
	col.Start, col.End = append(col.Start, x.from), append(col.End, x.to)
}

func (c *textBatch) value(k int, v []byte) {
	col := &c.b.Cols[k]
	col.Start = append(col.Start, uint32(len(c.data)))
	c.data = append(c.data, v...)
	col.End = append(col.End, uint32(len(c.data)))
}

// undo takes back the values of the first k columns of the current row.
func (c *textBatch) undo(k int) {
	for i := range k {
		col := &c.b.Cols[i]
		col.Start, col.End = col.Start[:c.b.N], col.End[:c.b.N]
		if n := len(c.resolved[i]); n > 0 && int(c.resolved[i][n-1]) == c.b.N {
			c.resolved[i] = c.resolved[i][:n-1]
		}
	}
}

// bad makes the current row a bad one: null in every column.
func (c *textBatch) bad(r BadRow) {
	r.Index = c.b.N
	c.b.Bad = append(c.b.Bad, r)
	for i := range c.b.Cols {
		c.null(i)
	}
	c.b.N++
}

// null appends a null to column k of the current row.
func (c *textBatch) null(k int) {
	col := &c.b.Cols[k]
	for len(col.Null) < c.b.N {
		col.Null = append(col.Null, false)
	}
	col.Null = append(col.Null, true)
	col.Start, col.End = append(col.Start, 0), append(col.End, 0)
}

// finish returns the batch over a text whose resolved bytes begin at a place.
func (c *textBatch) finish(text []byte, resolved uint32) *Batch {
	for i := range c.b.Cols {
		col := &c.b.Cols[i]
		col.Data = text
		for _, row := range c.resolved[i] {
			col.Start[row] += resolved
			col.End[row] += resolved
		}
		for col.Null != nil && len(col.Null) < c.b.N {
			col.Null = append(col.Null, false)
		}
	}
	return &c.b
}
