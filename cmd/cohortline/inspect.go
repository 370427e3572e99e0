package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/cohortline/cohortline/jobs"
	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/sink"
	"github.com/cohortline/cohortline/pipeline/store"
	"github.com/cohortline/cohortline/schemas"
	"github.com/urfave/cli/v2"
)

func (p *program) inspectCommand() *cli.Command {
	return &cli.Command{
		Name: "inspect", Usage: "show a published table; cohort_retention as a heat map, curves as a line", ArgsUsage: "TABLE",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Aliases: []string{"c"}, Value: "cohortline.yaml", Usage: "configuration `FILE`, for the place of the output"},
			&cli.StringFlag{Name: "warehouse", Usage: "output `FOLDER`, instead of the configuration's"},
			&cli.StringFlag{Name: "as-of", Usage: "`DATE` of the result; the latest unless given"},
			&cli.StringFlag{Name: "grain", Usage: "only this `GRAIN`"},
			&cli.StringFlag{Name: "dimension", Usage: "only this `DIMENSION`"},
			&cli.StringFlag{Name: "segment", Usage: "only this `SEGMENT`"},
			&cli.StringFlag{Name: "index-kind", Usage: "only this `KIND`: calendar or age"},
			&cli.IntFlag{Name: "limit", Value: 40, Usage: "at most `N` rows of output table; 0: all"},
			&cli.StringFlag{Name: "output", Value: "text", Usage: "`FORMAT`: text, table, csv, json or markdown"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return &usageError{errors.New("name one table, e.g. cohortline inspect cohort_retention")}
			}
			s, err := p.warehouse(c)
			if err != nil {
				return err
			}
			defer s.Close()
			return p.inspect(c, s, c.Args().First())
		},
	}
}

// warehouseFlags say where the results are.
func warehouseFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "config", Aliases: []string{"c"}, Value: "cohortline.yaml", Usage: "configuration `FILE`"},
		&cli.StringFlag{Name: "warehouse", Usage: "output `FOLDER`, instead of the configuration's"},
	}
}

// warehouse opens where the results are. The caller closes it.
func (p *program) warehouse(c *cli.Context) (store.Store, error) {
	output, err := p.outputOf(c)
	if err != nil {
		return nil, err
	}
	return store.Open(c.Context, output)
}

// outputOf is the folder of the results: --warehouse, else the configuration's.
func (p *program) outputOf(c *cli.Context) (string, error) {
	if w := c.String("warehouse"); w != "" {
		return w, nil
	}
	config, err := jobs.LoadConfig(c.String("config"), func(name string) (string, bool) {
		v, ok := p.env(name)
		if !ok {
			v = "unset" // no secret is needed to look at a table
		}
		return v, true
	})
	if err != nil {
		return "", err
	}
	return config.Output, nil
}

var inspectFormats = []string{"text", "table", "csv", "json", "markdown"}

// pictures are the tables that text shows as a picture.
var pictures = []string{"cohort_retention", "cohort_ltv", "retention_curves", "survival_curves"}

func (p *program) inspect(c *cli.Context, s store.Store, table string) error {
	declared, ok := schemas.ByName(table, nil)
	if !ok || !slices.Contains(tableNames(), table) {
		return &usageError{fmt.Errorf("there is no table %q; there are %s", table, strings.Join(tableNames(), ", "))}
	}
	format := c.String("output")
	if !slices.Contains(inspectFormats, format) {
		return &usageError{fmt.Errorf("--output cannot be %q: use %s", format, strings.Join(inspectFormats, ", "))}
	}
	f := filters{}
	for _, name := range []string{"grain", "dimension", "segment", "index-kind"} {
		column := strings.ReplaceAll(name, "-", "_")
		if f[column] = c.String(name); f[column] == "" {
			continue
		}
		if _, ok := declared.Column(column); !ok {
			return &usageError{fmt.Errorf("--%s: table %s has no column %s", name, table, column)}
		}
	}
	asOf := c.String("as-of")
	picture := format == "text" && slices.Contains(pictures, table)
	if picture {
		f.choose(c.Context, s, table, asOf)
	}
	limit, left := c.Int("limit"), 0
	if picture || format != "text" && format != "table" {
		limit = 0
	}
	kept := 0
	seen := map[string]map[string]bool{}
	rows, err := pipeline.ReadTable(c.Context, s, table, asOf, func(value func(string) string) bool {
		if !f.match(value, seen) {
			return false
		}
		if limit > 0 && kept == limit {
			left++
			return false
		}
		kept++
		return true
	})
	if err != nil {
		return err
	}
	if kept == 0 {
		if err := f.nothing(table, seen); err != nil {
			return err
		}
	}
	if picture {
		return p.picture(table, rows, f)
	}
	if err := p.show(format, rows); err != nil {
		return err
	}
	if left > 0 {
		fmt.Fprintf(p.err, "… %s more rows; --limit 0 shows all, --output csv is for programs\n", thousands(int64(left)))
	}
	return nil
}

func inputNames() []string {
	var names []string
	for _, t := range schemas.Inputs() {
		names = append(names, t.Name)
	}
	return names
}

func tableNames() []string {
	var names []string
	for _, t := range schemas.Outputs(nil) {
		names = append(names, t.Name)
	}
	return names
}

// filters are the values that rows must have, by column; an empty one allows any.
type filters map[string]string

// maxSeen bounds the values remembered for a message.
const maxSeen = 20

// match says whether a row has the values, and remembers what it has instead.
func (f filters) match(value func(string) string, seen map[string]map[string]bool) bool {
	ok := true
	for column, want := range f {
		if want == "" {
			continue
		}
		v := value(column)
		if v != want {
			ok = false
		}
		if seen[column] == nil {
			seen[column] = map[string]bool{}
		}
		if len(seen[column]) < maxSeen {
			seen[column][v] = true
		}
	}
	return ok
}

// nothing is the mistake of a filter that no row of a table with rows fits.
func (f filters) nothing(table string, seen map[string]map[string]bool) error {
	for column, values := range seen {
		if want := f[column]; len(values) > 0 && len(values) < maxSeen && !values[want] {
			return &usageError{fmt.Errorf("no row of %s has %s %q; there are %s", table, column, want, strings.Join(slices.Sorted(maps.Keys(values)), ", "))}
		}
	}
	return nil
}

// show writes rows in one of the forms for people and programs.
func (p *program) show(format string, rows sink.Rows) error {
	switch format {
	case "csv":
		return sink.CSV(p.out, rows)
	case "json":
		return sink.JSON(p.out, rows)
	case "markdown":
		return sink.Markdown(p.out, rows)
	}
	return sink.Terminal(p.out, readable(rows))
}

// maxCell is the number of characters of a value that a table for people shows.
const maxCell = 80

// readable is a table as people read it: long texts are cut, rates have six digits, and
// what would steer a terminal is left out.
func readable(t sink.Rows) sink.Rows {
	out := sink.Rows{Columns: t.Columns, Numeric: t.Numeric}
	for _, r := range t.Rows {
		line := make([]*string, len(r))
		for i, v := range r {
			if v != nil {
				s := cell(*v, t.Numeric[i])
				line[i] = &s
			}
		}
		out.Rows = append(out.Rows, line)
	}
	return out
}

func cell(v string, numeric bool) string {
	if whole, places, ok := strings.Cut(v, "."); numeric && ok && len(places) > 6 {
		if f, err := strconv.ParseFloat(v, 64); err == nil {
			return strconv.FormatFloat(f, 'f', max(0, 6-len(strings.TrimLeft(whole, "-0"))), 64)
		}
	}
	runes := []rune(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, v))
	if len(runes) > maxCell {
		runes = append(runes[:maxCell-1], '…')
	}
	return string(runes)
}
