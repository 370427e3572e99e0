package schemas

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/tables and the golden schemas anew")

// TestPages compares docs/tables and the derived schemas with what the declarations say.
func TestPages(t *testing.T) {
	for _, table := range append(Outputs([]string{"channel", "country"}), Inputs()...) {
		golden(t, filepath.Join("..", "docs", "tables", table.Name+".md"), table.Markdown())
		bigquery, err := json.MarshalIndent(table.BigQuery(), "", " ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, filepath.Join("testdata", table.Name+".txt"), table.Parquet().String()+"\n\n"+table.Arrow().String()+"\n\n"+string(bigquery)+"\n")
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s differs from the declaration; look at the change and run go test ./schemas -update", path)
	}
}

// TestDeclarations holds what every declaration owes its readers.
func TestDeclarations(t *testing.T) {
	for _, table := range append(Outputs([]string{"channel"}), Inputs()...) {
		if !strings.HasSuffix(table.Description, ".") {
			t.Errorf("%s: the description is no sentence", table.Name)
		}
		seen := []string{"as_of"} // the column that the name of the folder adds
		for _, c := range table.Columns {
			if !strings.HasSuffix(c.Description, ".") || len(c.Description) > 1024 {
				t.Errorf("%s.%s: the description is no sentence of at most 1,024 characters", table.Name, c.Name)
			}
			if (c.Type == Money || c.Type == Amount) && c.Unit == "" {
				t.Errorf("%s.%s: an amount without unit", table.Name, c.Name)
			}
			if slices.Contains(seen, c.Name) {
				t.Errorf("%s.%s is declared twice", table.Name, c.Name)
			}
			seen = append(seen, c.Name)
		}
		for _, k := range table.Key {
			if c, ok := table.Column(k); !ok || c.Nullable {
				t.Errorf("%s: key column %s is missing or nullable", table.Name, k)
			}
		}
	}
}

func TestEncodeRefusesNaN(t *testing.T) {
	type row struct {
		Name  string       `col:"name"`
		Value float64      `col:"value"`
		Maybe Opt[float64] `col:"maybe"`
	}
	table := Table{Name: "t", Columns: []Column{{Name: "name"}, {Name: "value", Type: Double}, {Name: "maybe", Type: Double, Nullable: true}}}
	zero := 0.0
	for _, c := range []struct {
		row row
		ok  bool
	}{{row{"a", 1, Opt[float64]{}}, true}, {row{"b", zero / zero, Opt[float64]{}}, false}, {row{"c", 1, Some(1 / zero)}, false}} {
		var failed error
		rows := int64(0)
		for r, err := range Encode(table, slices.Values([]row{c.row})).Batches {
			if err != nil {
				failed = err
				break
			}
			rows += r.NumRows()
		}
		if (failed == nil) != c.ok || c.ok && rows != 1 {
			t.Errorf("row %s: error %v, %d rows", c.row.Name, failed, rows)
		}
	}
}
