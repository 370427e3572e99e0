package pipeline

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/cohortline/cohortline/pipeline/sink"
	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/pipeline/store"
)

// Partitions lists the as-of dates of a published table, ascending.
func Partitions(ctx context.Context, s store.Store, table string) ([]string, error) {
	objects, err := s.List(ctx, "tables/"+table+"/")
	if err != nil {
		return nil, err
	}
	var list []string
	for _, o := range objects {
		if date, ok := strings.CutPrefix(path.Base(path.Dir(o.Name)), "as_of="); ok {
			list = append(list, date)
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// TablePath is where a published table lies, and the as-of date of its partition: that of
// asOf, the latest where it is empty.
func TablePath(ctx context.Context, s store.Store, table, asOf string) (file, date string, err error) {
	partitions, err := Partitions(ctx, s, table)
	if err != nil {
		return "", "", err
	}
	if asOf == "" && len(partitions) > 0 {
		asOf = partitions[len(partitions)-1]
	}
	file = s.Path(tableName(table, "as_of="+asOf))
	if !slices.Contains(partitions, asOf) {
		have := "nothing has been published yet; start with `cohortline run`"
		if len(partitions) > 0 {
			have = "there is " + strings.Join(partitions, ", ")
		}
		return "", "", &source.FileError{File: file, What: "table " + table + " is not there", Err: source.ErrMissing, Hint: have}
	}
	return file, asOf, nil
}

// ReadTable reads a published table as text; asOf names the partition, empty the latest.
// keep, where given, says which rows to return by their values.
func ReadTable(ctx context.Context, s store.Store, table, asOf string, keep func(value func(column string) string) bool) (sink.Rows, error) {
	path, _, err := TablePath(ctx, s, table, asOf)
	if err != nil {
		return sink.Rows{}, err
	}
	var stores source.Stores
	defer stores.Close()
	objects, err := stores.List(ctx, "", []string{path})
	if err != nil {
		return sink.Rows{}, err
	}
	f, err := source.Open(ctx, objects[0], source.Options{Format: "parquet"})
	if err != nil {
		return sink.Rows{}, err
	}
	defer f.Close()
	var t sink.Rows
	index := map[string]int{}
	var want []int
	for i, x := range f.Fields() {
		t.Columns = append(t.Columns, x.Name)
		t.Numeric = append(t.Numeric, x.Kind != source.Text && x.Kind != source.Date && x.Kind != source.Timestamp)
		index[x.Name] = i
		want = append(want, i)
	}
	for unit := range f.Units() {
		for b, err := range f.Read(ctx, unit, want) {
			if err != nil {
				return sink.Rows{}, err
			}
			for i := range b.N {
				row := make([]*string, len(want))
				for k := range want {
					v := at(&b.Cols[k], i)
					if v.big {
						return sink.Rows{}, fmt.Errorf("%s: column %s, row %d: a sum too large to show; read it with another tool", path, t.Columns[k], b.Row+int64(i))
					}
					if !v.null {
						s := shown(v)
						row[k] = &s
					}
				}
				if keep == nil || keep(func(c string) string {
					if k, ok := index[c]; ok && row[k] != nil {
						return *row[k]
					}
					return ""
				}) {
					t.Rows = append(t.Rows, row)
				}
			}
		}
	}
	return t, nil
}

func shown(v cell) string {
	if v.kind == source.Timestamp {
		return time.UnixMicro(v.i).UTC().Format(time.RFC3339Nano)
	}
	return string(v.appendText(nil))
}
