package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cohortline/cohortline/internal/realdata"
	"github.com/klauspost/compress/zstd"
)

const header = "order_id,customer_id,ordered_at,gross_amount\n"

// badInput is an input that a run must refuse, or take as it says.
type badInput struct {
	name   string
	data   string // of orders.csv; no file where empty, see file
	file   string // its name; orders.csv
	source string // further keys of the source
	top    string // further lines of the configuration
	code   int
	says   []string
	reject string // "reason column" of the only rejected row
	shows  string // a line that customers has, where the run succeeds
}

// row is a good order followed by others.
func row(lines ...string) string {
	return header + "1,a,2024-01-01T00:00:00Z,5\n" + strings.Join(lines, "\n") + "\n"
}

// with is an order whose column has a value, behind a good one.
func with(column, value string) string {
	return header[:len(header)-1] + "," + column + "\n1,a,2024-01-01T00:00:00Z,5,\n2,b,2024-01-02T00:00:00Z,5," + value + "\n"
}

func amount(v string) string { return row(`2,b,2024-01-02T00:00:00Z,"` + v + `"`) }

// badInputs makes the list where it is needed: some of its texts are large, and the test
// program is also the program that the stories start.
func badInputs() []badInput {
	return []badInput{
		{name: "missing file", code: 5, says: []string{"orders.csv: nothing is there", "check `path:`"}},
		{name: "missing in a glob", source: ", path: 'nothing/*.csv'", code: 5, says: []string{"nothing/*.csv: nothing is there"}},
		{name: "empty file", file: "orders.csv", code: 5, says: []string{"orders.csv", "the file is empty", "export it again"}},
		{name: "blank lines only", data: "\n\n", code: 5, says: []string{"the file is empty"}},
		{name: "header only", data: header, code: 3, says: []string{"far less than run", "0 customers, there were 1; 0 orders, there were 1", "--allow-shrink", "nothing was published"}},
		{name: "header only, allowed", data: header, top: "checks: {max_shrink: 1}", code: 0, says: []string{"warning: no purchase lies before the as-of instant"}},
		{name: "no rows before as_of", data: header + "1,a,2026-03-01T00:00:00Z,5\n", code: 3, says: []string{"0 customers, there were 1 (at most 50 % fewer may be)"}},
		{name: "no rows before as_of, allowed", data: header + "1,a,2026-03-01T00:00:00Z,5\n", top: "checks: {max_shrink: 1}", code: 0, says: []string{"warning: no purchase lies before the as-of instant"}},
		{name: "wrong delimiter", data: strings.ReplaceAll(row(), ",", ";"), code: 2, says: []string{`the delimiter is not ","`, "declare `delimiter: \";\"`"}},
		{name: "wrong delimiter declared", data: row(), source: `, delimiter: ";"`, code: 2, says: []string{"declare `delimiter: \",\"`"}},
		{name: "unknown column", data: "order_id,customer_id,ordered_at\n1,a,2024-01-01T00:00:00Z\n", code: 2, says: []string{`no column "gross_amount"`, "the file has: order_id, customer_id, ordered_at"}},
		{name: "unknown optional column", data: row(), source: ", columns: {refund_amount: Refnd}", code: 2, says: []string{"column refund_amount", `no file of the source has a column "Refnd"`, "the file has: order_id"}},
		{name: "unknown column that no table uses", data: row(), source: ", columns: {tax_amount: Tqx}", code: 2, says: []string{`no file of the source has a column "Tqx"`}},
		{name: "unknown column of an expression", data: row(), source: ", columns: {gross_amount: Quantity * Price}", code: 2, says: []string{"column gross_amount", "unknown name Quantity"}},
		{name: "unknown column of a filter", data: row(), source: ", filter: Quantity > 0", code: 2, says: []string{"column filter", "unknown name Quantity"}},
		{name: "unknown dimension", data: row(), top: "dimensions: [channel]", code: 2, says: []string{`no file has a column for the dimension "channel"`}},
		{name: "duplicated column", data: "order_id,customer_id,customer_id,ordered_at,gross_amount\n1,a,a,2024-01-01T00:00:00Z,5\n", code: 1, says: []string{`columns 2 and 3 are both named "customer_id"`}},
		{name: "ragged row too short", data: row("2,b,2024-01-02T00:00:00Z"), reject: "ragged_row"},
		{name: "ragged row too long", data: row("2,b,2024-01-02T00:00:00Z,5,6"), reject: "ragged_row"},
		{name: "text behind a quote", data: row(`2,"b"c,2024-01-02T00:00:00Z,5`), reject: "ragged_row"},
		{name: "unterminated quote", data: row(`2,"b,2024-01-02T00:00:00Z,5`, "3,c,2024-01-03T00:00:00Z,5"), code: 1, says: []string{"orders.csv, row 2", "never ends", "a quote is missing"}},
		{name: "NUL bytes", data: row("2,b\x00b,2024-01-02T00:00:00Z,5"), reject: "invalid_utf8 customer_id"},
		{name: "NUL bytes in the header", data: "order_id\x00" + row()[8:], code: 2, says: []string{"header is no UTF-8 text", "declare `encoding:`"}},
		{name: "invalid UTF-8", data: row("2,b\xffb,2024-01-02T00:00:00Z,5"), reject: "invalid_utf8 customer_id"},
		{name: "a 100 MB field", data: row("2," + strings.Repeat("x", 100<<20) + ",2024-01-02T00:00:00Z,5"), reject: "field_too_long"},
		{name: "a 2 MB field", data: row("2," + strings.Repeat("x", 2<<20) + ",2024-01-02T00:00:00Z,5"), reject: "field_too_long customer_id"},
		{name: "10,000 columns", data: wide(10_000), code: 0, shows: "a,2024-01-01T00:00:00Z"},
		{name: "amount 1.234,56", data: amount("1.234,56"), reject: "invalid_amount gross_amount"},
		{name: "amount 1,234.56", data: amount("1,234.56"), reject: "invalid_amount gross_amount"},
		{name: "amount 1e3", data: amount("1e3"), reject: "invalid_amount gross_amount"},
		{name: "amount ∞", data: amount("∞"), reject: "invalid_amount gross_amount"},
		{name: "amount NaN", data: amount("NaN"), reject: "invalid_amount gross_amount"},
		{name: "amount with a sign of money", data: amount("$5"), reject: "invalid_amount gross_amount"},
		{name: "amount of 40 digits", data: amount(strings.Repeat("1234567890", 4)), reject: "amount_out_of_range gross_amount"},
		{name: "amount of 40 places", data: amount("0." + strings.Repeat("1234567890", 4)), reject: "amount_out_of_range gross_amount"},
		{name: "amount negative", data: amount("-5"), reject: "amount_negative gross_amount"},
		{name: "amount empty", data: amount(""), reject: "value_missing gross_amount"},
		{name: "discount empty", data: with("discount_amount", ""), code: 0, shows: "b,2024-01-02T00:00:00Z"},
		{name: "currency eur", data: with("currency", "eur"), source: ", filter: order_id == \"2\"", code: 0, shows: "b,2024-01-02T00:00:00Z"},
		{name: "currency XXX", data: strings.Replace(with("currency", "XXX"), ",5,\n", ",5,EUR\n", 1), reject: "fx_rate_missing currency"},
		{name: "currency empty", data: strings.Replace(with("currency", ""), ",5,\n", ",5,EUR\n", 1), reject: "invalid_currency currency"},
		{name: "currency €", data: strings.Replace(with("currency", "€"), ",5,\n", ",5,EUR\n", 1), reject: "invalid_currency currency"},
		{name: "id with spaces", data: row("2, a b ,2024-01-02T00:00:00Z,5"), code: 0, shows: "\" a b \",2024-01-02T00:00:00Z"},
		{name: "id of emoji", data: row("🛒,👩‍👩‍👧,2024-01-02T00:00:00Z,5"), code: 0, shows: "👩‍👩‍👧,2024-01-02T00:00:00Z"},
		{name: "id of 10 kB", data: row("2," + strings.Repeat("x", 10_000) + ",2024-01-02T00:00:00Z,5"), reject: "id_too_long customer_id"},
		{name: "order id of 10 kB", data: row(strings.Repeat("x", 10_000) + ",b,2024-01-02T00:00:00Z,5"), reject: "id_too_long order_id"},
		{name: "order id empty", data: row(",b,2024-01-02T00:00:00Z,5"), reject: "value_missing order_id"},
		{name: "time that clocks skip", data: header + "1,a,2024-03-31 02:30:00,5\n", source: ", timestamp: {timezone: Europe/Berlin}", code: 0, shows: "a,2024-03-31T01:30:00Z"},
		{name: "time that clocks show twice", data: header + "1,a,2024-10-27 02:30:00,5\n", source: ", timestamp: {timezone: Europe/Berlin}", code: 0, shows: "a,2024-10-27T00:30:00Z"},
		{name: "year 0001", data: header + "1,a,0001-01-01T00:00:00Z,5\n", code: 0, shows: "a,0001-01-01T00:00:00Z"},
		{name: "year 9999", data: row("2,b,9999-12-31T23:59:59Z,5"), code: 0, shows: "a,2024-01-01T00:00:00Z"},
		{name: "year 0000", data: row("2,b,0000-01-01T00:00:00Z,5"), reject: "invalid_timestamp ordered_at"},
		{name: "year 10000", data: row("2,b,10000-01-01T00:00:00Z,5"), reject: "invalid_timestamp ordered_at"},
		{name: "30 February", data: row("2,b,2024-02-30T00:00:00Z,5"), reject: "invalid_timestamp ordered_at"},
		{name: "time empty", data: row("2,b,,5"), reject: "value_missing ordered_at"},
		{name: "ambiguous date", data: header + "1,a,03/04/2011,5\n", code: 2, says: []string{`"03/04/2011" (row 1) can be read as 3 April 2011 or as 4 March 2011`, "declare which"}},
		{name: "time without zone", data: header + "1,a,2024-01-01 00:00:00,5\n", code: 2, says: []string{"no offset from UTC", "declares no zone", "timezone: Europe/Berlin"}},
		{name: "refund above gross", data: with("refund_amount", "6"), code: 0, says: []string{"warning: refund_above_net: 1"}, shows: "b,2024-01-02T00:00:00Z"},
		{name: "updated_at missing", data: row("1,b,2024-01-02T00:00:00Z,5"), code: 0, shows: "b,2024-01-02T00:00:00Z"}, // the last row wins
		{name: "updated_at empty", data: header[:len(header)-1] + ",updated_at\n1,a,2024-01-01T00:00:00Z,5,2024-01-05T00:00:00Z\n1,b,2024-01-02T00:00:00Z,5,\n", code: 0, shows: "a,2024-01-01T00:00:00Z"},
		{name: "status unknown", data: strings.Replace(with("status", "whatever"), ",5,\n", ",5,paid\n", 1), reject: "status_unknown status"},
		{name: "status empty", data: strings.Replace(with("status", ""), ",5,\n", ",5,paid\n", 1), reject: "status_unknown status"},
		{name: "gzip cut in the middle", file: "orders.csv.gz", source: ", path: orders.csv.gz", data: cut(gzipped(many())), code: 1, says: []string{"orders.csv.gz", "is cut off or damaged"}},
		{name: "zstd cut in the middle", file: "orders.csv.zst", source: ", path: orders.csv.zst", data: cut(zstandard(many())), code: 1, says: []string{"orders.csv.zst", "is cut off or damaged"}},
		{name: "Parquet that is none", file: "orders.parquet", source: ", path: orders.parquet", data: "PAR1 nothing here PAR1", code: 1, says: []string{"orders.parquet: is no readable Parquet file"}},
		{name: "JSON array", file: "orders.json", source: ", path: orders.json", data: `[{"order_id": 1}]`, code: 2, says: []string{"orders.json", "jq -c"}},
		{name: "JSON cut in the middle", file: "orders.jsonl", source: ", path: orders.jsonl", data: `{"order_id": 1, "customer_id": "a", "ordered_at": "2024-01-01T00:00:00Z", "gross_amount": 5}` + "\n" + `{"order_id": 2, "cust`, reject: "invalid_json"},
		{name: "division by zero", data: row("2,b,2024-01-02T00:00:00Z,0"), source: ", columns: {gross_amount: 10 / gross_amount}", reject: "expression_failed gross_amount"},
		{name: "text in an expression", data: row("2,b,2024-01-02T00:00:00Z,x9"), source: ", columns: {gross_amount: gross_amount * 2}", reject: "expression_failed gross_amount", says: []string{`like "x9"`}},
		{name: "filter that is no condition", data: row(), source: ", filter: gross_amount * 2", code: 2, says: []string{"column filter", "not true or false"}},
		{name: "unknown key", data: row(), top: "colour: red", code: 2, says: []string{"line 5, column 1", `no key "colour"`}},
		{name: "wrong type", data: row(), top: "checks: {max_reject_share: lots}", code: 2, says: []string{"line 5, column 28", "must be a share"}},
		{name: "missing variable", data: row(), source: ", namespace: '${env:COHORTLINE_NOT_THERE}'", code: 2, says: []string{"needs the environment variable COHORTLINE_NOT_THERE"}},
		{name: "secret in clear", data: row(), top: "privacy: {key: hunter2}", code: 2, says: []string{"privacy.key is a secret and must not stand in the configuration"}},
	}
}

// TestBadInput gives each input to a run whose output holds an earlier good result: the
// exit code and the words are right, and a run that fails changes nothing below the output.
func TestBadInput(t *testing.T) {
	for _, c := range badInputs() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			if c.file == "" {
				c.file = "orders.csv"
			}
			if c.data != "" || c.name == "empty file" {
				s.write(c.file, c.data)
			}
			s.configure(c.source, c.top)
			if c.reject != "" {
				c.code = 3
				c.says = append(c.says, "1 of 2 rows of orders do not conform (50.00 %", "1 × "+strings.Replace(c.reject, " ", " in ", 1), c.file+" row 2", "nothing was published")
			}
			before := s.tree()
			code, said := s.run("run", "--as-of", "2025-01-01", "--quiet")
			if code != c.code {
				t.Fatalf("exit code %d, want %d\n%s", code, c.code, said)
			}
			for _, want := range c.says {
				if !strings.Contains(said, want) {
					t.Errorf("does not say %q:\n%.2000s", want, said)
				}
			}
			if c.shows != "" && strings.Contains(said, "no purchase lies") {
				t.Error("says that there is no purchase")
			}
			if strings.Contains(said, "hunter2") {
				t.Error("a secret is printed")
			}
			if same := maps.Equal(before, s.tree()); same != (code != 0) {
				t.Errorf("exit code %d, output unchanged: %t", code, same)
			}
			if c.shows != "" {
				if _, table := s.run("inspect", "customers", "--output", "csv"); !strings.Contains(table, "\n"+c.shows) {
					t.Errorf("customers has no line %q:\n%s", c.shows, table)
				}
			}
			if c.reject != "" {
				s.rejects(c)
			}
		})
	}
}

// TestDamagedParquet gives every damaged file of the Parquet project to a run.
func TestDamagedParquet(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(realdata.Path(t, "parquet-testing", "bad_data"), "*.parquet"))
	if err != nil || len(files) < 8 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			s := newScene(t)
			s.write("orders.parquet", string(data))
			s.configure(", path: orders.parquet", "")
			before := s.tree()
			code, said := s.run("run", "--as-of", "2025-01-01", "--quiet")
			if code != 1 && code != 2 || !strings.Contains(said, "orders.parquet") || strings.Contains(said, "goroutine") {
				t.Errorf("exit code %d\n%s", code, said)
			}
			if !maps.Equal(before, s.tree()) {
				t.Error("the output has changed")
			}
		})
	}
}

// scene is a folder with a configuration and a good result.
type scene struct {
	t   *testing.T
	dir string
}

func newScene(t *testing.T) *scene {
	s := &scene{t, t.TempDir()}
	s.write("good.csv", row())
	s.configure(", path: good.csv", "")
	if code, said := s.run("run", "--as-of", "2025-01-01", "--quiet"); code != 0 {
		t.Fatalf("the good run ends with %d\n%s", code, said)
	}
	return s
}

func (s *scene) write(name, data string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// configure writes the configuration; keys of the source replace path.
func (s *scene) configure(source, top string) {
	if !strings.Contains(source, "path:") {
		source = ", path: orders.csv" + source
	}
	s.write("c.yaml", "version: 1\nreporting: {timezone: Europe/Berlin, currency: EUR}\nsources: [{table: orders"+source+"}]\noutput: {path: out}\n"+top+"\n")
}

// run runs a verb, of one word or two, and returns its exit code and what it has said.
func (s *scene) run(verb string, args ...string) (int, string) {
	var said bytes.Buffer
	all := slices.Concat([]string{"cohortline"}, strings.Fields(verb), []string{"--config", filepath.Join(s.dir, "c.yaml")}, args)
	code := run(context.Background(), all, strings.NewReader(""), &said, &said)
	return code, said.String()
}

// columns is a published table as CSV, reduced to some columns and sorted by the first.
func (s *scene) columns(table string, names ...string) string {
	s.t.Helper()
	code, text := s.run("inspect", table, "--output", "csv")
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if code != 0 || err != nil {
		s.t.Fatalf("exit code %d, %v\n%s", code, err, text)
	}
	var rows []string
	for _, r := range records {
		var values []string
		for _, n := range names {
			values = append(values, r[slices.Index(records[0], n)])
		}
		rows = append(rows, strings.Join(values, ",")+"\n")
	}
	slices.Sort(rows[1:])
	return strings.Join(rows, "")
}

// tree is every file and folder below the output: size, time of change, mode and SHA-256.
func (s *scene) tree() map[string]string {
	s.t.Helper()
	m := map[string]string{}
	err := filepath.WalkDir(filepath.Join(s.dir, "out"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		m[path] = fmt.Sprint(info.Mode())
		if !d.IsDir() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			m[path] += fmt.Sprintf(" %v %x", info.ModTime(), sha256.Sum256(data))
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// rejects publishes the input with a generous budget: the row is in the table rejects.
func (s *scene) rejects(c badInput) {
	s.t.Helper()
	s.configure(c.source, c.top+"\nchecks: {max_reject_share: 1}")
	if code, said := s.run("run", "--as-of", "2025-01-01", "--quiet"); code != 0 {
		s.t.Fatalf("exit code %d\n%s", code, said)
	}
	_, table := s.run("inspect", "rejects", "--output", "csv")
	reason, column, _ := strings.Cut(c.reject, " ")
	lines := strings.Split(strings.TrimSpace(table), "\n")
	if want := "orders," + c.file + ",2,orders," + reason + "," + column + ","; len(lines) != 2 || !strings.HasPrefix(lines[1], want) {
		s.t.Errorf("rejects, want one row that begins with %q:\n%.2000s", want, table)
	}
	if _, table := s.run("inspect", "customers", "--output", "csv"); len(strings.Split(strings.TrimSpace(table), "\n")) != 2 {
		s.t.Errorf("not one customer:\n%.2000s", table)
	}
}

func wide(columns int) string {
	names, values := []string{"order_id", "customer_id", "ordered_at", "gross_amount"}, []string{"1", "a", "2024-01-01T00:00:00Z", "5"}
	for i := len(names); i < columns; i++ {
		names, values = append(names, fmt.Sprintf("column %d", i)), append(values, "v")
	}
	return strings.Join(names, ",") + "\n" + strings.Join(values, ",") + "\n"
}

// many is a text of orders that does not compress to a few bytes.
func many() string {
	var b strings.Builder
	b.WriteString(header)
	for i := range 5000 {
		fmt.Fprintf(&b, "%d,%x,2024-01-01T00:00:00Z,%d.%02d\n", i, sha256.Sum256([]byte{byte(i), byte(i >> 8)}), i, i%100)
	}
	return b.String()
}

func cut(s string) string { return s[:len(s)/2] }

func gzipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(s)); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.String()
}

func zstandard(s string) string {
	e, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	return string(e.EncodeAll([]byte(s), nil))
}

// TestBadInputsAreNamedOnce keeps the names usable with -run.
func TestBadInputsAreNamedOnce(t *testing.T) {
	var names []string
	for _, c := range badInputs() {
		if slices.Contains(names, c.name) {
			t.Errorf("%q is there twice", c.name)
		}
		names = append(names, c.name)
	}
}
