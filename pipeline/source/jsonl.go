package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"
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
	window   int // bytes of a piece; 0: pieceBytes
	shares   shares
	mu       sync.Mutex
	fields   []Field
}

func openJSONL(name string, open func() (io.ReadCloser, error), opts Options) (File, error) {
	f := &jsonlFile{name: name, open: open, encoding: opts.Encoding, maxField: opts.MaxField}
	if f.maxField == 0 {
		f.maxField = defaultMaxField
	}
	f.shares = shares{n: max(1, opts.Threads), open: f.stream}
	return f, f.sample()
}

// sample learns the columns from the beginning of the file.
func (f *jsonlFile) sample() error {
	s, err := f.stream()
	if err != nil {
		return err
	}
	defer s.close()
	c := &jsonRows{}
	for n, size := 0, 0; n < sampleLines && size < sampleBytes; {
		if err := s.next(c); errors.Is(err, io.EOF) {
			if n == 0 {
				return &FileError{File: f.name, What: "there is nothing in it", Err: ErrEmpty, Hint: "export it again, or leave it out"}
			}
			return nil
		} else if err != nil {
			return err
		}
		for _, l := range c.lines {
			line := c.text[l.from:l.to]
			if n == 0 && line[0] == '[' {
				return &FileError{File: f.name, What: "this is one JSON array, not one object per line", Err: ErrOptions, Hint: "convert it: jq -c '.[]' file.json > file.jsonl"}
			}
			if object, err := parseObject(line); err == nil {
				f.learn("", object)
			}
			if n, size = n+1, size+len(line); n >= sampleLines || size >= sampleBytes {
				break
			}
		}
	}
	return nil
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
	if i := slices.IndexFunc(f.fields, func(x Field) bool { return x.Name == path }); i >= 0 {
		return i
	}
	return f.add(Field{Name: path, Kind: Text, Asked: true})
}

func (f *jsonlFile) Units() int   { return f.shares.n }
func (f *jsonlFile) Close() error { return f.shares.close() }

// stream opens the text.
func (f *jsonlFile) stream() (*textStream, error) {
	return openText(f.name, f.encoding, f.window, f.open)
}

func (f *jsonlFile) Read(ctx context.Context, unit int, want []int) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		s, err := f.shares.take(unit)
		if err != nil {
			yield(nil, err)
			return
		}
		defer f.shares.done(s)
		c := newJSONColumns(f, want, s.validate)
		for {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			if err := s.next(&c.jsonRows); err != nil {
				if !errors.Is(err, io.EOF) {
					yield(nil, err)
				}
				return
			}
			for lines, number := c.lines, c.row; len(lines) > 0; {
				n := min(len(lines), textBatchRows)
				c.fill(lines[:n], number)
				if !yield(&c.b.Batch, nil) {
					return
				}
				lines, number = lines[n:], number+int64(n)
			}
		}
	}
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
