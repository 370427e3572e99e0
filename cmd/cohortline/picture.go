package main

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/sink"
	"github.com/cohortline/cohortline/pipeline/store"
	"golang.org/x/sys/unix"
)

// choose fills in which part of a table a picture shows: everybody, calendar ages, and
// month where the table has it.
func (f filters) choose(ctx context.Context, s store.Store, table, asOf string) {
	set := func(name, value string) {
		if f[name] == "" {
			f[name] = value
		}
	}
	set("dimension", "all")
	if f["dimension"] == "all" {
		set("segment", "all")
	}
	if table == "cohort_retention" || table == "retention_curves" {
		set("index_kind", "calendar")
	}
	if table == "survival_curves" || f["grain"] != "" {
		return
	}
	grains := map[string]bool{}
	_, err := pipeline.ReadTable(ctx, s, table, asOf, func(value func(string) string) bool {
		grains[value("grain")] = true
		return false
	})
	if err != nil {
		return // it shows again when the table is read for the picture
	}
	for _, g := range []string{"month", "week", "quarter", "year", "day"} {
		if grains[g] {
			f["grain"] = g
			return
		}
	}
}

func (p *program) picture(table string, rows sink.Rows, f filters) error {
	index := map[string]int{}
	for i, c := range rows.Columns {
		index[c] = i
	}
	text := func(r []*string, column string) string {
		if v := r[index[column]]; v != nil {
			return *v
		}
		return ""
	}
	number := func(r []*string, column string) float64 {
		f, err := strconv.ParseFloat(text(r, column), 64)
		if err != nil {
			return 0 // null
		}
		return f
	}
	percent := func(f float64) string { return fmt.Sprintf("%.1f%%", 100*f) }
	title := table
	for _, name := range []string{"grain", "dimension", "segment", "index_kind"} {
		if f[name] != "" && (name != "segment" || f["dimension"] != "all") {
			title += ", " + name + " " + cell(f[name], false)
		}
	}
	fmt.Fprintln(p.out, title)
	if f["dimension"] != "all" && f["segment"] == "" && len(rows.Rows) > 0 {
		return &usageError{fmt.Errorf("a picture shows one segment of dimension %s: choose it with --segment, or use --output table", f["dimension"])}
	}
	if len(rows.Rows) == 0 {
		fmt.Fprintln(p.out, "no rows; choose with --grain, --dimension, --segment, --index-kind")
		return nil
	}
	width := p.width()
	switch table {
	case "cohort_retention", "cohort_ltv":
		column, format := "retention_rate", percent
		if table == "cohort_ltv" {
			column, format = "ltv", func(f float64) string { return fmt.Sprintf("%.2f", f) }
		}
		var cells []cohortRow
		for _, r := range rows.Rows {
			cells = append(cells, cohortRow{cohort: text(r, "cohort"), age: int(number(r, "age")), customers: int64(number(r, "cohort_customers")),
				value: number(r, column), defined: text(r, column) != "", complete: text(r, "is_complete") == "true"})
		}
		return heatMap(p.out, cells, width, p.colour(), format)
	default:
		x, y, from := "age", "retention_rate", 1 // at age 0 it is the share that purchased in their first period: all
		if table == "survival_curves" {
			x, y, from = "day", "survival", 0
		}
		var points []point
		for _, r := range rows.Rows {
			if text(r, y) != "" && int(number(r, x)) >= from {
				points = append(points, point{x: int(number(r, x)), y: number(r, y)})
			}
		}
		return curve(p.out, points, x, width, percent)
	}
}

// width is the number of columns of a table for people: $COLUMNS, else those of the
// terminal, else 120.
func (p *program) width() int {
	if v, ok := p.env("COLUMNS"); ok {
		if n, err := strconv.Atoi(v); err == nil && n > 20 {
			return n
		}
	}
	if f, ok := p.out.(*os.File); ok {
		if size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 20 {
			return int(size.Col)
		}
	}
	return 120
}
