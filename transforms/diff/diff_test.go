package diff

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cohortline/cohortline/schemas"
)

var columns = []schemas.Column{
	{Name: "name"}, {Name: "day", Type: schemas.Date}, {Name: "count", Type: schemas.Int64}, {Name: "net", Type: schemas.Money, Nullable: true},
	{Name: "rate", Type: schemas.Double, Nullable: true}, {Name: "label", Nullable: true}, {Name: "whole", Type: schemas.Bool},
}

// table is a version with the key (name, day); rows are in no order.
func table(columns []schemas.Column, rows [][]schemas.Value) schemas.Stored {
	return schemas.Stored{
		Table: schemas.Table{Name: "cohorts", Key: []string{"name", "day"}, Columns: columns}, Count: int64(len(rows)),
		Rows: func() iter.Seq2[[]schemas.Value, error] {
			return func(yield func([]schemas.Value, error) bool) {
				reused := make([]schemas.Value, len(columns))
				for _, r := range rows {
					copy(reused, r)
					if !yield(reused, nil) {
						return
					}
				}
			}
		},
	}
}

// found lists every cell that differs as text, in the order of the comparison.
func found(t interface{ Fatal(...any) }, before, after schemas.Stored, memory int64) (list []string) {
	c, err := New(before, after, memory)
	if err != nil {
		t.Fatal(err)
	}
	for r, err := range c.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		for i := range c.Cells(r) {
			column := c.Table.Columns[i]
			list = append(list, fmt.Sprintf("%s %s %s: %s > %s = %s", Kinds[r.Kind], c.KeyText(r), column.Name,
				value(r.Before, i).Append(nil, column.Type), value(r.After, i).Append(nil, column.Type), c.DeltaOf(r, i)))
		}
	}
	return list
}

// naive is found by maps of texts.
func naive(before, after [][]schemas.Value) []string {
	text := func(v schemas.Value, t schemas.Type) string { return string(v.Append(nil, t)) }
	key := func(r []schemas.Value) string {
		return strings.NewReplacer(`\`, `\\`, `|`, `\|`).Replace(text(r[0], schemas.String)) + "|" + text(r[1], schemas.Date)
	}
	rows := map[string][2][]schemas.Value{}
	for side, list := range [][][]schemas.Value{before, after} {
		for _, r := range list {
			p := rows[key(r)]
			p[side] = r
			rows[key(r)] = p
		}
	}
	var list []string
	for _, k := range slices.Sorted(maps.Keys(rows)) {
		p := rows[k]
		kind := Kinds[Changed]
		if p[0] == nil {
			kind = Kinds[Added]
		} else if p[1] == nil {
			kind = Kinds[Removed]
		}
		for i, c := range columns[2:] {
			v := [2]schemas.Value{{Null: true}, {Null: true}}
			for side := range v {
				if p[side] != nil {
					v[side] = p[side][i+2]
				}
			}
			a, b := text(v[0], c.Type), text(v[1], c.Type)
			if v[0].Null == v[1].Null && a == b {
				continue
			}
			delta := ""
			for side := range v {
				if p[side] == nil && (c.Type == schemas.Int64 || c.Type == schemas.Money) {
					v[side] = schemas.Value{}
				}
			}
			if !v[0].Null && !v[1].Null {
				d := v[1].Int - v[0].Int
				switch c.Type {
				case schemas.Int64:
					delta = fmt.Sprint(d)
				case schemas.Money:
					sign := ""
					if d < 0 {
						sign, d = "-", -d
					}
					delta = fmt.Sprintf("%s%d.%04d", sign, d/10_000, d%10_000)
				case schemas.Double:
					delta = fmt.Sprint(v[1].Float - v[0].Float)
				}
			}
			list = append(list, fmt.Sprintf("%s %s %s: %s > %s = %s", kind, k, c.Name, a, b, delta))
		}
	}
	return list
}

// randomRows are rows of which many share a key and a value with those of another call.
func randomRows(r *rand.Rand) [][]schemas.Value {
	some := func(v schemas.Value) schemas.Value {
		if r.IntN(5) == 0 {
			return schemas.Value{Null: true}
		}
		return v
	}
	list := map[string][]schemas.Value{}
	names := []string{"", "a", "b", "a|", `a\`, "é", "a\x00", "a\x00b"}
	for range r.IntN(40) {
		name, day := names[r.IntN(len(names))], int64(r.IntN(6)-2)
		list[fmt.Sprint(name, "/", day)] = []schemas.Value{
			{Text: []byte(name)}, {Int: day}, {Int: int64(r.IntN(3) - 1)}, some(schemas.Value{Int: int64(r.IntN(3) * 20_001)}),
			some(schemas.Value{Float: []float64{0, 0.5, 1.0 / 3}[r.IntN(3)]}), some(schemas.Value{Text: []byte([]string{"", "x"}[r.IntN(2)])}),
			{Int: int64(r.IntN(2))},
		}
	}
	return slices.Collect(maps.Values(list))
}

// TestComparison holds comparisons of random tables against one by maps, with memory for
// all rows and for a few at a time.
func TestComparison(t *testing.T) {
	cells := 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		before, after := randomRows(r), randomRows(r)
		want := naive(before, after)
		slices.Sort(want)
		cells += len(want)
		for _, memory := range []int64{0, 16*int64(len(before)+len(after)) + 1} {
			got := found(t, table(columns, before), table(columns, after), memory)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d, memory %d: got\n%s\nwant\n%s", seed, memory, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		if len(want) > 0 && slices.Equal(found(t, table(columns, before), table(columns, after[:max(0, len(after)-1)]), 0), want) && len(after) > 0 {
			t.Fatalf("seed %d: a row less makes no difference", seed)
		}
	}
	if cells < 10_000 {
		t.Errorf("only %d cells were compared", cells)
	}
}

func row(name string, day, count, net int64) []schemas.Value {
	return []schemas.Value{{Text: []byte(name)}, {Int: day}, {Int: count}, {Int: net}, {Null: true}, {Null: true}, {Int: 1}}
}

func TestComparisonOrderAndColumns(t *testing.T) {
	before := table(columns, [][]schemas.Value{row("b", 1, 1, 10), row("a", 2, 5, 1), row("a", -1, 7, 1)})
	after := table(columns, [][]schemas.Value{row("a", -1, 7, 3), row("b", 1, 2, 10), row("a", 2, 9, 1)})
	want := []string{"changed a|1969-12-31 net: 0.0001 > 0.0003 = 0.0002", "changed a|1970-01-03 count: 5 > 9 = 4", "changed b|1970-01-02 count: 1 > 2 = 1"}
	if got := found(t, before, after, 0); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := found(t, before, before, 0); len(got) > 0 {
		t.Errorf("a table differs from itself: %q", got)
	}
	less := table(slices.Concat(columns[:3], columns[4:]), [][]schemas.Value{slices.Concat(row("b", 1, 1, 10)[:3], row("b", 1, 1, 10)[4:])})
	one := table(columns, [][]schemas.Value{row("b", 1, 1, 10)})
	if got := found(t, one, less, 0); !slices.Equal(got, []string{"changed b|1970-01-02 net: 0.0010 >  = "}) {
		t.Errorf("a column that is gone: %q", got)
	}
	if got := found(t, schemas.Stored{}, one, 0); !slices.Equal(got, []string{"added b|1970-01-02 count:  > 1 = 1", "added b|1970-01-02 net:  > 0.0010 = 0.0010", "added b|1970-01-02 whole:  > true = "}) {
		t.Errorf("a table that is new: %q", got)
	}
}

func TestComparisonFailures(t *testing.T) {
	twice := table(columns, [][]schemas.Value{row("a", 1, 1, 1), row("a", 1, 2, 1)})
	fails := func(name string, before, after schemas.Stored, memory int64, want string) error {
		t.Helper()
		c, err := New(before, after, memory)
		if err == nil {
			for _, err = range c.Rows() {
				if err != nil {
					break
				}
			}
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
		return err
	}
	_ = fails("a key twice", schemas.Stored{}, twice, 0, "has the key a|1970-01-02 twice")
	var memory *MemoryError
	if err := fails("more rows than memory", twice, twice, 63, "to compare 4 rows"); !errors.As(err, &memory) || memory.Need != 64 {
		t.Errorf("%+v", memory)
	}
	other := slices.Clone(columns)
	other[2].Type = schemas.Double
	_ = fails("another type", table(columns, nil), table(other, nil), 0, "column count is a INT64 in one result and a DOUBLE in the other")
	_ = fails("no key", table(columns[1:], nil), table(columns[1:], nil), 0, "has no column name")
}
