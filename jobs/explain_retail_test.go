package jobs

import (
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cohortline/cohortline/internal/realdata"
)

// TestExplainOnlineRetail delivers the last month of UCI Online Retail late, and 100 orders
// of the months before with another quantity: every changed cell is the sum of its parts, and
// nothing is left over. docs/diff.md has its figures.
func TestExplainOnlineRetail(t *testing.T) {
	if os.Getenv("COHORTLINE_EXPLAIN") == "" {
		t.Skip("fifteen runs over half a million rows: COHORTLINE_EXPLAIN=all")
	}
	config := strings.NewReplacer("path: OnlineRetail.csv.gz", "path: in/*.csv\n    landing: copy").Replace(read(t, "examples/online-retail.yaml"))
	d := delivery{map[string]string{}, config, "2011-12-10"}
	header, early, late := retailRows(t)
	e := newExplainTest(t)
	if dir := os.Getenv("COHORTLINE_RETAIL"); dir != "" { // leave it for the program to be tried on
		e.dir = dir
		if err := os.WriteFile(filepath.Join(dir, "cohortline.yaml"), []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	before := e.publish(d.with("retail.csv", csvText(t, header, early)))
	corrected := correctInvoices(t, early, 100)
	after := e.publish(d.with("retail.csv", csvText(t, header, early)).with("last-month.csv", csvText(t, header, late)))
	x := e.explain(before, after, nil)
	if got := x.Explanation.Orders; got["corrected orders"] != 100 || got["late orders"] < 1000 || len(got) != 2 || corrected != 100 {
		t.Errorf("orders by cause %v, %d were corrected", got, corrected)
	}
	if got := causesOf(x); !slices.Equal(got, []string{"corrected orders", "late orders"}) {
		t.Errorf("causes %q", got)
	}
	changes := e.records("cell_changes.parquet")
	if wrong := addUp(changes, e.records("cell_causes.parquet")); wrong != "" || int64(len(changes)) != x.CellsInAll || len(changes) < 10_000 {
		t.Errorf("%d of %d cells: %s", len(changes), x.CellsInAll, wrong)
	}
	t.Logf("%d cells differ; orders by cause %v", x.CellsInAll, x.Explanation.Orders)
	for _, s := range x.Explanation.Steps {
		t.Logf("%s: %d cells", s.Cause, s.Cells)
	}
	if wrong := addUp(changes, e.records("cell_causes.parquet")[1:]); wrong == "" {
		t.Error("a part is left out and nobody sees it")
	}
}

// retailRows splits the data at the beginning of its last month.
func retailRows(t *testing.T) (header []string, early, late [][]string) {
	t.Helper()
	f, err := os.Open(realdata.Path(t, "online-retail", "OnlineRetail.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	date := slices.Index(records[0], "InvoiceDate")
	for _, r := range records[1:] {
		at, err := time.Parse("1/2/2006 15:04", r[date])
		if err != nil {
			t.Fatal(err)
		}
		if at.Before(time.Date(2011, 11, 10, 0, 0, 0, 0, time.UTC)) {
			early = append(early, r)
		} else {
			late = append(late, r)
		}
	}
	return records[0], early, late
}

// correctInvoices changes the quantity of a line of so many invoices that count, spread over
// all rows, and returns how many.
func correctInvoices(t *testing.T, rows [][]string, n int) int {
	t.Helper()
	const invoice, quantity, price, customer = 0, 3, 5, 6
	seen := map[string]bool{}
	for i := 0; i < len(rows) && len(seen) < n; i += len(rows) / (2 * n) {
		for k := i; k < len(rows); k++ {
			q, err := strconv.Atoi(rows[k][quantity])
			if err != nil {
				t.Fatal(err)
			}
			if p, err := strconv.ParseFloat(rows[k][price], 64); err != nil || p <= 0 || q <= 0 || rows[k][customer] == "" || seen[rows[k][invoice]] {
				continue
			}
			seen[rows[k][invoice]] = true
			rows[k] = slices.Clone(rows[k])
			rows[k][quantity] = fmt.Sprint(q + 1)
			break
		}
	}
	return len(seen)
}

func csvText(t *testing.T, header []string, rows [][]string) string {
	t.Helper()
	var b strings.Builder
	w := csv.NewWriter(&b)
	if err := w.WriteAll(append([][]string{header}, rows...)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
