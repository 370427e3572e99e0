package source

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/cohortline/cohortline/schemas"
)

// How much of a JSON Lines file is looked at to learn its columns.
const (
	sampleLines = 1000
	sampleBytes = 4 << 20
)

// jsonlFile reads one JSON object per line. Columns are the dotted paths of its scalars.
type jsonlFile struct {
	name     string
	open     func() (io.ReadCloser, error)
	encoding string
	maxField int
	mu       sync.Mutex
	fields   []Field
}

func openJSONL(name string, open func() (io.ReadCloser, error), opts Options) (File, error) {
	f := &jsonlFile{name: name, open: open, encoding: opts.Encoding, maxField: opts.MaxField}
	if f.maxField == 0 {
		f.maxField = defaultMaxField
	}
	l, err := f.lines()
	if err != nil {
		return nil, err
	}
	defer l.close()
	for n, size := 0, 0; n < sampleLines && size < sampleBytes; n++ {
		line, _, err := l.next()
		if errors.Is(err, io.EOF) {
			if n == 0 {
				return nil, &FileError{File: name, What: "there is nothing in it", Err: ErrEmpty, Hint: "export it again, or leave it out"}
			}
			break
		}
		if err != nil {
			return nil, err
		}
		size += len(line)
		if n == 0 && len(line) > 0 && line[0] == '[' {
			return nil, &FileError{File: name, What: "this is one JSON array, not one object per line", Err: ErrOptions, Hint: "convert it: jq -c '.[]' file.json > file.jsonl"}
		}
		if object, err := parseObject(line); err == nil {
			f.learn("", object)
		}
	}
	return f, nil
}

// learn adds the paths of an object that are new, in the order of their names.
func (f *jsonlFile) learn(prefix string, object map[string]any) {
	keys := make([]string, 0, len(object))
	for k := range object {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		path := prefix + k
		switch v := object[k].(type) {
		case map[string]any:
			f.learn(path+".", v)
		case []any:
			f.add(Field{Name: path, Kind: Other, Why: "it is a list"})
		default:
			f.add(Field{Name: path, Kind: Text})
		}
	}
}

func (f *jsonlFile) add(x Field) int {
	i := slices.IndexFunc(f.fields, func(y Field) bool { return y.Name == x.Name })
	if i < 0 {
		f.fields = append(f.fields, x)
		return len(f.fields) - 1
	}
	if x.Kind == Text {
		f.fields[i] = x
	}
	return i
}

func (f *jsonlFile) Fields() []Field {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.fields)
}

// Lookup implements OpenEnded.
func (f *jsonlFile) Lookup(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.add(Field{Name: path, Kind: Text})
}

func (f *jsonlFile) Units() int   { return 1 }
func (f *jsonlFile) Close() error { return nil }

func (f *jsonlFile) Read(ctx context.Context, _ int, want []int) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		l, err := f.lines()
		if err != nil {
			yield(nil, err)
			return
		}
		defer l.close()
		fields := f.Fields()
		paths := make([][]string, len(want))
		for k, w := range want {
			paths[k] = strings.Split(fields[w].Name, ".")
		}
		c := newTextBatch(fields, want)
		scanner := newJSONScanner(paths)
		for number := int64(0); ; {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			c.reset(number + 1)
			for c.b.N < csvBatchRows && len(c.data) < textBatchBytes {
				line, long, err := l.next()
				if errors.Is(err, io.EOF) {
					if c.b.N > 0 {
						yield(c.finish(c.data, 0), nil)
					}
					return
				}
				if err != nil {
					yield(nil, err)
					return
				}
				number++
				f.row(c, line, long, paths, scanner, l.validate)
			}
			if !yield(c.finish(c.data, 0), nil) {
				return
			}
		}
	}
}

// row adds one line to the batch.
func (f *jsonlFile) row(c *textBatch, line []byte, long bool, paths [][]string, scanner *jsonScanner, validate bool) {
	if !long && (!validate || utf8.Valid(line)) && scanner.scan(line) && f.plainRow(c, scanner) {
		return
	}
	bad := BadRow{Raw: bytes.Clone(line[:min(len(line), 1024)])}
	if long {
		bad.Reason, bad.Detail = schemas.ReasonFieldTooLong, fmt.Sprintf("a line of more than %d bytes", maxRow)
		c.bad(bad)
		return
	}
	if validate && !utf8.Valid(line) {
		bad.Reason, bad.Detail = schemas.ReasonInvalidUTF8, "bytes that are no UTF-8"
		c.bad(bad)
		return
	}
	object, err := parseObject(line)
	if err != nil {
		bad.Reason, bad.Detail = schemas.ReasonInvalidJSON, err.Error()
		c.bad(bad)
		return
	}
	for k, path := range paths {
		text, null, problem := lookup(object, path)
		if problem == "" && len(text) > f.maxField {
			bad.Reason = schemas.ReasonFieldTooLong
			problem = fmt.Sprintf("%d bytes, at most %d are read", len(text), f.maxField)
		}
		if problem != "" {
			if bad.Reason == "" {
				bad.Reason = schemas.ReasonInvalidJSON
			}
			bad.Column, bad.Detail = strings.Join(path, "."), problem
			c.undo(k)
			for i := range k {
				if n := &c.b.Cols[i].Null; len(*n) > c.b.N {
					*n = (*n)[:c.b.N]
				}
			}
			c.bad(bad)
			return
		}
		if null {
			c.null(k)
		} else {
			c.value(k, []byte(text))
			if n := &c.b.Cols[k].Null; *n != nil {
				for len(*n) < c.b.N+1 {
					*n = append(*n, false)
				}
			}
		}
	}
	c.b.N++
}

// plainRow adds the line that the scanner has read, unless a value is too long.
func (f *jsonlFile) plainRow(c *textBatch, s *jsonScanner) bool {
	for _, v := range s.found {
		if v.to-v.from > f.maxField {
			return false
		}
	}
	for k, v := range s.found {
		if v.there {
			c.value(k, s.line[v.from:v.to])
		} else {
			c.null(k)
		}
	}
	c.b.N++
	return true
}

func parseObject(line []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		return nil, err
	}
	if object == nil {
		return nil, errors.New("null is no object")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more than one value on the line")
	}
	return object, nil
}

// lookup finds the scalar at a path, as text.
func lookup(object map[string]any, path []string) (text string, null bool, problem string) {
	var v any = object
	for _, key := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return "", true, ""
		}
		v = m[key]
	}
	switch v := v.(type) {
	case nil:
		return "", true, ""
	case string:
		return v, false, ""
	case json.Number:
		return v.String(), false, ""
	case bool:
		return fmt.Sprint(v), false, ""
	case []any:
		return "", false, "a list, not a value"
	default:
		return "", false, "an object, not a value"
	}
}

// lines reads a text line by line, within bounded memory.
type lines struct {
	file     string
	r        *bufio.Reader
	c        io.Closer
	validate bool
	buf      []byte
	number   int64
}

func (f *jsonlFile) lines() (*lines, error) {
	r, err := f.open()
	if err != nil {
		return nil, err
	}
	text, validate, err := toUTF8(r, f.encoding)
	if err != nil {
		r.Close()
		return nil, &FileError{File: f.name, What: "cannot be decoded", Err: err}
	}
	return &lines{file: f.name, r: text, c: r, validate: validate}, nil
}

func (l *lines) close() { l.c.Close() }

// next returns the next line that is not blank; long says that it was longer than
// maxRow and only its beginning is there.
func (l *lines) next() (line []byte, long bool, err error) {
	for {
		line, err = l.r.ReadSlice('\n')
		if long = false; err != nil {
			if line, long, err = l.rest(line, err); err != nil {
				return nil, false, err
			}
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			l.number++
			return line, long, nil
		}
	}
}

// rest reads on where a line is longer than the reader's buffer, or the last.
func (l *lines) rest(part []byte, err error) (line []byte, long bool, _ error) {
	l.buf = l.buf[:0]
	for {
		if len(l.buf)+len(part) > maxRow {
			long = true
		} else {
			l.buf = append(l.buf, part...)
		}
		switch {
		case err == nil:
			return l.buf, long, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case !errors.Is(err, io.EOF):
			return nil, false, damaged(l.file, l.number+1, err)
		case len(l.buf) == 0 && !long:
			return nil, false, io.EOF
		default:
			return l.buf, long, nil
		}
		part, err = l.r.ReadSlice('\n')
	}
}
