package sink

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/cohortline/cohortline/schemas"
)

var everyType = schemas.Table{Name: "every_type", Key: []string{"n"}, Description: "One column of every type.", Columns: []schemas.Column{
	{Name: "n", Type: schemas.Int64, Description: "Number."}, {Name: "text", Description: "Text."}, {Name: "double", Type: schemas.Double, Nullable: true, Description: "Double."},
	{Name: "flag", Type: schemas.Bool, Description: "Flag."}, {Name: "day", Type: schemas.Date, Description: "Day."}, {Name: "at", Type: schemas.Timestamp, Description: "Instant."},
	{Name: "money", Type: schemas.Money, Unit: "EUR", Description: "Money."}, {Name: "maybe", Type: schemas.Money, Nullable: true, Unit: "EUR", Description: "Money or null."}}}

type everyRow struct {
	N      int64                    `col:"n"`
	Text   string                   `col:"text"`
	Double schemas.Opt[float64]     `col:"double"`
	Flag   bool                     `col:"flag"`
	Day    schemas.Day              `col:"day"`
	At     schemas.Instant          `col:"at"`
	Money  schemas.Sum              `col:"money"`
	Maybe  schemas.Opt[schemas.Sum] `col:"maybe"`
}

func rows(n int) []everyRow {
	var list []everyRow
	for i := range n {
		r := everyRow{N: int64(i), Text: fmt.Sprintf("größe %d", i%50), Flag: i%3 == 0, Day: schemas.Day(i % 20000), At: schemas.Instant(i) * 1_000_001, Money: decimal128.FromI64(int64(i-n/2) * 12345)}
		if i%2 == 0 {
			r.Double = schemas.Some(float64(i) / 7)
			r.Maybe = schemas.Some(decimal128.New(-1, 5).Add(decimal128.FromI64(int64(i))))
		}
		list = append(list, r)
	}
	return list
}

func write(t *testing.T, list []everyRow) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := Parquet(&b, schemas.Encode(everyType, slices.Values(list)))
	if err != nil || n != int64(len(list)) {
		t.Fatalf("%d rows, %v", n, err)
	}
	return b.Bytes()
}

func TestSameRowsSameBytes(t *testing.T) {
	list := rows(300_000)
	a := write(t, list)
	if !bytes.Equal(a, write(t, list)) {
		t.Error("the same rows gave other bytes")
	}
	list[299_999].N++
	if bytes.Equal(a, write(t, list)) {
		t.Error("another row gave the same bytes")
	}
}

// TestReadback reads a file with pyarrow, DuckDB and Polars, with a filter on a negative
// amount that a wrong minimum or maximum would hide.
func TestReadback(t *testing.T) {
	python := os.Getenv("COHORTLINE_PYTHON")
	if python == "" {
		t.Skip("COHORTLINE_PYTHON names no Python with pyarrow, duckdb and polars")
	}
	path := filepath.Join(t.TempDir(), "t.parquet")
	if err := os.WriteFile(path, write(t, rows(200_000)), 0o644); err != nil {
		t.Fatal(err)
	}
	script := `
import sys, json, pyarrow.parquet as pq, duckdb, polars as pl
from decimal import Decimal
p = sys.argv[1]
f = pq.ParquetFile(p)
neg = [("money", "<", Decimal("0"))]
out = {"types": [str(x.type) for x in f.schema_arrow], "groups": f.num_row_groups,
  "description": f.metadata.metadata[b"cohortline.column.money"].decode(),
  "pyarrow": pq.read_table(p, filters=neg).num_rows,
  "duckdb": duckdb.sql(f"select count(*) from '{p}' where money < 0").fetchall()[0][0],
  "polars": pl.scan_parquet(p).filter(pl.col("money") < 0).select(pl.len()).collect().item(),
  "sum": str(duckdb.sql(f"select sum(money) from '{p}'").fetchall()[0][0]),
  "maybe": str(f.read_row_group(0, columns=["maybe"]).column(0)[2].as_py())}
print(json.dumps(out))`
	data, err := exec.Command(python, "-c", script, path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	var got map[string]any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	want := `{"description":"Money.","duckdb":100000,"groups":2,"maybe":"-1844674407370955.1609","polars":100000,"pyarrow":100000,"sum":"-123450.0000","types":["int64","string","double","bool","date32[day]","timestamp[us, tz=UTC]","decimal128(28, 4)","decimal128(28, 4)"]}`
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}

// TestEveryReader compares what pyarrow (checking page checksums), DuckDB and Polars read
// with what was written, for every type, with nulls and without, in several row groups,
// one row and none; and counts rows by a filter on every column, which wrong bounds spoil.
func TestEveryReader(t *testing.T) {
	python := os.Getenv("COHORTLINE_PYTHON")
	if python == "" {
		t.Skip("COHORTLINE_PYTHON names no Python with pyarrow, duckdb and polars")
	}
	dir := t.TempDir()
	for name, list := range map[string][]mixedRow{
		"none": nil, "one": mixedRows(1, 1, []int{3}, 0), "null": mixedRows(100, 1, []int{3}, 1),
		"few": mixedRows(5000, 2, []int{1, 6, 2, 0}, 3), "groups": mixedRows(groupRows+3000, 3, []int{3, 7, 2, 4, 5, 6, 9}, 4),
		"any": mixedRows(3000, 4, []int{8, 1}, 5), "runs": mixedRows(20_000, 5, []int{4, 0}, 2),
	} {
		var b bytes.Buffer
		if _, err := Parquet(&b, schemas.Encode(mixed, slices.Values(list))); err != nil {
			t.Fatal(err)
		}
		columns := make([][]*string, len(mixed.Columns))
		for i := range list {
			for c, v := range textsOf(&list[i]) {
				columns[c] = append(columns[c], v)
			}
		}
		data, err := json.Marshal(columns)
		if err != nil {
			t.Fatal(err)
		}
		for suffix, data := range map[string][]byte{".parquet": b.Bytes(), ".json": data} {
			if err := os.WriteFile(filepath.Join(dir, name+suffix), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if out, err := exec.Command(python, "testdata/readers.py", dir).CombinedOutput(); err != nil || string(out) != "7 files read alike\n" {
		t.Fatalf("%v: %s", err, out)
	}
	// A value that is not what was written is seen.
	other := mixedRows(1, 1, []int{3}, 0)
	other[0].MoneyOrNull.Value = other[0].MoneyOrNull.Value.Add(decimal128.FromI64(1))
	var b bytes.Buffer
	if _, err := Parquet(&b, schemas.Encode(mixed, slices.Values(other))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "one.parquet"), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(python, "testdata/readers.py", dir).CombinedOutput(); err == nil || !bytes.Contains(out, []byte("money_or_null")) {
		t.Errorf("another sum was not noticed: %v: %s", err, out)
	}
}

// textsOf are the values of a row as testdata/readers.py writes them, nil where null.
func textsOf(r *mixedRow) (list []*string) {
	add := func(v any) { s := fmt.Sprint(v); list = append(list, &s) }
	opt := func(v any, valid bool) {
		if add(v); !valid {
			list[len(list)-1] = nil
		}
	}
	bits := func(v float64) string { return fmt.Sprintf("%016x", math.Float64bits(v)) }
	add(r.Text)
	opt(r.TextOrNull.Value, r.TextOrNull.Valid)
	add(r.Int)
	opt(r.IntOrNull.Value, r.IntOrNull.Valid)
	add(bits(r.Double))
	opt(bits(r.DoubleOrNull.Value), r.DoubleOrNull.Valid)
	add(r.Flag)
	opt(r.FlagOrNull.Value, r.FlagOrNull.Valid)
	add(int64(r.Day))
	opt(int64(r.DayOrNull.Value), r.DayOrNull.Valid)
	add(int64(r.At))
	opt(int64(r.AtOrNull.Value), r.AtOrNull.Valid)
	add(schemas.FormatSum(r.Money))
	opt(schemas.FormatSum(r.MoneyOrNull.Value), r.MoneyOrNull.Valid)
	add(schemas.FormatSum(r.Amount))
	opt(schemas.FormatSum(r.AmountOrNull.Value), r.AmountOrNull.Valid)
	return list
}
