package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode/utf8"
)

// Limits of text files.
const (
	defaultMaxField = 1 << 20
	maxRow          = 32 << 20 // bytes of one row; a longer one is skipped without being kept
	textBatchRows   = 4096
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
	window   int // bytes of a piece; 0: pieceBytes
	fields   []Field
	shares   shares
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
	f.shares = shares{n: max(1, opts.Threads), open: f.stream}
	names := opts.NoHeader
	if f.header {
		var err error
		if names, err = f.readHeader(); err != nil {
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
func (f *csvFile) Units() int      { return f.shares.n }
func (f *csvFile) Close() error    { return f.shares.close() }

// stream opens the text.
func (f *csvFile) stream() (*textStream, error) {
	s, err := openText(f.name, f.opts.Encoding, f.window, f.open)
	if err == nil && f.header {
		s.row = -1 // so that the header line is row 0
	}
	return s, err
}

// readHeader reads the names of the columns.
func (f *csvFile) readHeader() ([]string, error) {
	s, err := f.stream()
	if err != nil {
		return nil, err
	}
	defer s.close()
	s.window = min(s.window, 16<<10)
	c := newCSVRows(f)
	if err := s.next(c); errors.Is(err, io.EOF) {
		return nil, &FileError{File: f.name, What: "there is nothing in it", Err: ErrEmpty, Hint: "an export without orders still has a header line; export it again"}
	} else if err != nil {
		return nil, err
	}
	r := c.rows[0]
	if _, detail := r.kind.problem(); detail != "" {
		return nil, &FileError{File: f.name, What: "its header line cannot be read: " + detail, Hint: "check delimiter and encoding of the source"}
	}
	if r.fields >= manyColumns {
		return nil, &FileError{File: f.name, What: fmt.Sprintf("its header line has more than %d columns", manyColumns-1), Hint: "check delimiter and encoding of the source"}
	}
	var names []string
	for w := range int(r.fields) {
		from, to := c.value(r, w)
		names = append(names, strings.TrimSpace(string(c.text[from:to])))
	}
	return names, f.checkHeader(names)
}

func (f *csvFile) Read(ctx context.Context, unit int, want []int) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		s, err := f.shares.take(unit)
		if err != nil {
			yield(nil, err)
			return
		}
		defer f.shares.done(s)
		c := csvColumns{file: f, csvRows: newCSVRows(f), want: want, validate: s.validate, b: newTextColumns(f.fields, want)}
		for {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			if err := s.next(c.csvRows); err != nil {
				if !errors.Is(err, io.EOF) {
					yield(nil, err)
				}
				return
			}
			rows, number := c.rows, c.row
			if number == 0 { // the header line
				rows, number = rows[1:], 1
			}
			for len(rows) > 0 {
				n := min(len(rows), textBatchRows)
				c.fill(rows[:n], number)
				if !yield(&c.b.Batch, nil) {
					return
				}
				rows, number = rows[n:], number+int64(n)
			}
		}
	}
}
