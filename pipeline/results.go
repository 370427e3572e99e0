package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/pipeline/store"
	"github.com/cohortline/cohortline/schemas"
)

// Result is a table that a run has published, opened for reading.
type Result struct {
	schemas.Stored
	path string
	file source.File
}

// Close closes the file of the result.
func (r *Result) Close() error { return r.file.Close() }

// kinds are the types of columns by what a file says of them.
var kinds = map[source.Kind]schemas.Type{source.Text: schemas.String, source.Int: schemas.Int64, source.Decimal: schemas.Money, source.Float: schemas.Double,
	source.Bool: schemas.Bool, source.Date: schemas.Date, source.Timestamp: schemas.Timestamp}

// OpenResult opens a table as its run has left it, even if newer results have followed.
// Its columns are those of the file. An object of a bucket is fetched once, to a temporary
// file in dir. The caller closes the result.
func OpenResult(ctx context.Context, s store.Store, o OutputRecord, dir string) (*Result, error) {
	path := s.Path(o.Result)
	declared, ok := schemas.ByName(o.Table, nil)
	if !ok {
		return nil, fmt.Errorf("%s: there is no table %q in this program\nuse the version of cohortline that wrote it, or a newer one", path, o.Table)
	}
	r, err := s.Open(ctx, o.Result)
	if errors.Is(err, store.ErrNotExist) {
		return nil, &source.FileError{File: path, What: "the result is no longer there", Err: source.ErrMissing, Hint: "gc removes superseded results: `cohortline runs` lists those that are left"}
	}
	if err != nil {
		return nil, err
	}
	at, err := readerAt(r, dir)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", path, err)
	}
	f, err := source.OpenParquet(path, at, o.Bytes, at)
	if err != nil {
		return nil, errors.Join(err, at.Close())
	}
	t := &Result{path: path, file: f, Stored: schemas.Stored{Table: schemas.Table{Name: o.Table, Key: declared.Key, Description: declared.Description}, Count: o.Rows}}
	for _, x := range f.Fields() {
		c, ok := declared.Column(x.Name)
		if !ok {
			c = schemas.Column{Name: x.Name, Type: kinds[x.Kind], Nullable: true}
		}
		if c.Type != kinds[x.Kind] {
			return nil, errors.Join(fmt.Errorf("%s: column %s is a %s where %s has a %s; it is not what a run has written", path, x.Name, kinds[x.Kind], o.Table, c.Type), f.Close())
		}
		t.Table.Columns = append(t.Table.Columns, c)
	}
	t.Rows = func() iter.Seq2[[]schemas.Value, error] { return t.rows(ctx) }
	return t, nil
}

// readAtCloser is a file that can be read at any place.
type readAtCloser interface {
	io.ReaderAt
	io.Closer
}

// readerAt makes a file of a stream that is none.
func readerAt(r io.ReadCloser, dir string) (readAtCloser, error) {
	if at, ok := r.(readAtCloser); ok {
		return at, nil
	}
	defer r.Close()
	s, err := OpenScratch(dir)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.NewOffsetWriter(s, 0), r); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// rows reads the file from its beginning.
func (r *Result) rows(ctx context.Context) iter.Seq2[[]schemas.Value, error] {
	return func(yield func([]schemas.Value, error) bool) {
		want, row := make([]int, len(r.Table.Columns)), make([]schemas.Value, len(r.Table.Columns))
		for i := range want {
			want[i] = i
		}
		for unit := range r.file.Units() {
			for b, err := range r.file.Read(ctx, unit, want) {
				if err != nil {
					yield(nil, err)
					return
				}
				for i := range b.N {
					for k := range want {
						v := at(&b.Cols[k], i)
						if v.big {
							yield(nil, fmt.Errorf("%s: column %s, row %d: a sum of more than 922 trillion units, which cannot be compared", r.path, r.Table.Columns[k].Name, b.Row+int64(i)))
							return
						}
						row[k] = schemas.Value{Null: v.null, Int: v.i, Float: v.f, Text: v.text}
					}
					if !yield(row, nil) {
						return
					}
				}
			}
		}
	}
}
