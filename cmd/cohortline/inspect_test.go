package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestInspectEveryTable shows every table in every form: CSV, JSON and Markdown hold the
// same cells, and what people read has a line for every row.
func TestInspectEveryTable(t *testing.T) {
	s := &scene{t, t.TempDir()}
	s.write("orders.csv", formBase+"4,c,2024-02-03T11:00:00Z,x,paid,DE\n")
	s.configure("", "dimensions: [country]\nchecks: {max_reject_share: 1}\nltv: {holdout: 2 weeks, contract: month}")
	if code, said := s.run("run", "--as-of", "2024-04-01", "--quiet"); code != 0 {
		t.Fatalf("exit code %d\n%s", code, said)
	}
	for _, table := range tableNames() {
		out := map[string]string{}
		for _, format := range inspectFormats {
			code, text := s.run("inspect", table, "--output", format, "--limit", "0")
			if code != 0 || text == "" {
				t.Fatalf("%s as %s: exit code %d\n%s", table, format, code, text)
			}
			out[format] = text
		}
		records, err := csv.NewReader(strings.NewReader(out["csv"])).ReadAll()
		if err != nil || len(records) < 2 && table != "model_backtests" { // which takes more customers than these
			t.Fatalf("%s: %v, %d records", table, err, len(records))
		}
		d := json.NewDecoder(strings.NewReader(out["json"]))
		d.UseNumber() // money has all its digits
		var rows []map[string]any
		if err := d.Decode(&rows); err != nil || len(rows) != len(records)-1 {
			t.Fatalf("%s: %v, %d rows of JSON, %d of CSV", table, err, len(rows), len(records)-1)
		}
		for i, row := range rows {
			for k, name := range records[0] {
				v := ""
				if row[name] != nil {
					v = fmt.Sprint(row[name])
				}
				if v != records[i+1][k] {
					t.Errorf("%s.%s, row %d: %q as JSON, %q as CSV", table, name, i, v, records[i+1][k])
				}
			}
		}
		if n := strings.Count(out["markdown"], "\n"); n != len(records)+1 {
			t.Errorf("%s: %d lines of Markdown for %d rows", table, n, len(records)-1)
		}
		if n := strings.Count(out["table"], "\n"); n != len(records) {
			t.Errorf("%s: %d lines for %d rows\n%s", table, n, len(records)-1, out["table"])
		}
	}
	if code, said := s.run("inspect", "cohort_retention", "--dimension", "country"); code != exitUsage || !strings.Contains(said, "choose it with --segment") {
		t.Errorf("a picture of several segments: %d\n%s", code, said)
	}
	if code, said := s.run("inspect", "cohort_retention", "--dimension", "country", "--segment", "DE"); code != exitUsage || !strings.Contains(said, `has segment "DE"; there are (none), FR, all`) {
		t.Errorf("a segment that is not there: %d\n%s", code, said)
	}
	if code, said := s.run("inspect", "cohort_retention", "--dimension", "country", "--segment", "FR"); code != 0 || !strings.Contains(said, "dimension country, segment FR") {
		t.Errorf("%d\n%s", code, said)
	}
}

// TestTextsCannotSteerTheTerminal shows an id that holds escape sequences.
func TestTextsCannotSteerTheTerminal(t *testing.T) {
	s := &scene{t, t.TempDir()}
	s.write("orders.csv", row("2,\x1b[31mred\u202eder,2024-01-02T00:00:00Z,5"))
	s.configure("", "")
	if code, said := s.run("run", "--as-of", "2025-01-01", "--quiet"); code != 0 {
		t.Fatal(said)
	}
	if _, text := s.run("inspect", "customers"); strings.ContainsAny(text, "\x1b\u202e") || !strings.Contains(text, "·[31mred·der") {
		t.Errorf("%q", text)
	}
	if _, text := s.run("inspect", "customers", "--output", "csv"); !strings.Contains(text, "\x1b[31mred\u202eder") {
		t.Errorf("programs get the bytes as they are: %q", text)
	}
}

// TestLinksOfTheDocs follows the relative links of the pages.
func TestLinksOfTheDocs(t *testing.T) {
	root := filepath.Join("..", "..")
	links := 0
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		pages, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			data, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`).FindAllStringSubmatch(string(data), -1) {
				links++
				if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
					t.Errorf("%s links to %s, which is not there", page, m[1])
				}
			}
		}
	}
	if links < 20 {
		t.Errorf("%d links", links)
	}
}
