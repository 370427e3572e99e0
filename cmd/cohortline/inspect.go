package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cohortline/cohortline/jobs"
	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/sink"
	"github.com/cohortline/cohortline/schemas"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
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
			&cli.IntFlag{Name: "limit", Value: 40, Usage: "at most `N` rows on a terminal; 0: all"},
			&cli.StringFlag{Name: "output", Value: "text", Usage: "`FORMAT`: text, table, csv, json or markdown"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return &usageError{errors.New("name one table, e.g. cohortline inspect cohort_retention; flags come before it")}
			}
			output, err := p.outputOf(c)
			if err != nil {
				return err
			}
			return p.inspect(c, output, c.Args().First())
		},
	}
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

func (p *program) inspect(c *cli.Context, output, table string) error {
	if _, ok := schemas.ByName(table, nil); !ok {
		var names []string
		for _, t := range schemas.Outputs(nil) {
			names = append(names, t.Name)
		}
		return &usageError{fmt.Errorf("there is no table %q; there are %s", table, strings.Join(names, ", "))}
	}
	picture := c.String("output") == "text" && (table == "cohort_retention" || table == "cohort_ltv" || table == "retention_curves" || table == "survival_curves")
	filters := map[string]string{"grain": c.String("grain"), "dimension": c.String("dimension"), "segment": c.String("segment"), "index_kind": c.String("index-kind")}
	if picture {
		p.defaults(c.Context, output, table, c.String("as-of"), filters)
	}
	rows, err := pipeline.ReadTable(c.Context, output, table, c.String("as-of"), func(value func(string) string) bool {
		for column, want := range filters {
			if want != "" && value(column) != want {
				return false
			}
		}
		return true
	})
	if err != nil {
		return err
	}
	switch c.String("output") {
	case "csv":
		return sink.CSV(p.out, rows)
	case "json":
		return sink.JSON(p.out, rows)
	case "markdown":
		return sink.Markdown(p.out, rows)
	case "text", "table":
	default:
		return &usageError{fmt.Errorf("--output cannot be %q: use text, table, csv, json or markdown", c.String("output"))}
	}
	if picture {
		return p.picture(table, rows, filters)
	}
	left := 0
	if limit := c.Int("limit"); limit > 0 && len(rows.Rows) > limit {
		left = len(rows.Rows) - limit
		rows.Rows = rows.Rows[:limit]
	}
	if err := sink.Terminal(p.out, rows); err != nil {
		return err
	}
	if left > 0 {
		fmt.Fprintf(p.err, "… %s more rows; --limit 0 shows all, --output csv is for programs\n", thousands(int64(left)))
	}
	return nil
}

// defaults fills in which part of a table a picture shows: everybody, calendar ages, and
// month where the table has it.
func (p *program) defaults(ctx context.Context, output, table, asOf string, filters map[string]string) {
	set := func(name, value string) {
		if filters[name] == "" {
			filters[name] = value
		}
	}
	set("dimension", "all")
	if filters["dimension"] == "all" {
		set("segment", "all")
	}
	if table == "cohort_retention" || table == "retention_curves" {
		set("index_kind", "calendar")
	}
	if table == "survival_curves" {
		delete(filters, "grain")
		delete(filters, "index_kind")
		return
	}
	if table == "cohort_ltv" {
		delete(filters, "index_kind")
	}
	if filters["grain"] == "" {
		grains := map[string]bool{}
		rows, err := pipeline.ReadTable(ctx, output, table, asOf, func(value func(string) string) bool {
			grains[value("grain")] = true
			return false
		})
		if err != nil || len(rows.Columns) == 0 {
			return // the error shows when the table is read for the picture
		}
		for _, g := range []string{"month", "week", "quarter", "year", "day"} {
			if grains[g] {
				filters["grain"] = g
				return
			}
		}
	}
}

func (p *program) picture(table string, rows sink.Rows, filters map[string]string) error {
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
		if filters[name] != "" && (name != "segment" || filters["dimension"] != "all") {
			title += ", " + name + " " + filters[name]
		}
	}
	fmt.Fprintln(p.out, title)
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
		x, y := "age", "retention_rate"
		if table == "survival_curves" {
			x, y = "day", "survival"
		}
		var points []point
		for _, r := range rows.Rows {
			points = append(points, point{x: int(number(r, x)), y: number(r, y)})
		}
		return curve(p.out, points, width, 12, percent)
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

func (p *program) runsCommand() *cli.Command {
	return &cli.Command{
		Name: "runs", Usage: "list the published runs",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Aliases: []string{"c"}, Value: "cohortline.yaml", Usage: "configuration `FILE`"},
			&cli.StringFlag{Name: "warehouse", Usage: "output `FOLDER`, instead of the configuration's"},
			&cli.StringFlag{Name: "output", Value: "text", Usage: "`FORMAT`: text or json"},
		},
		Action: func(c *cli.Context) error {
			output, err := p.outputOf(c)
			if err != nil {
				return err
			}
			list, err := pipeline.Manifests(output)
			if err != nil {
				return err
			}
			if list == nil {
				list = []pipeline.Manifest{}
			}
			return p.result(c, list, func() {
				if len(list) == 0 {
					fmt.Fprintf(p.out, "no run has been published in %s\n", output)
				}
				for _, m := range list {
					fmt.Fprintf(p.out, "%s  %s  %s  %11s rows in  %9s rejected  %s\n", m.RunID, m.Partition, m.EndedAt.Format("2006-01-02 15:04:05Z"), thousands(m.RowsIn), thousands(m.RowsRejected), m.Status)
				}
			})
		},
	}
}

func (p *program) quarantineCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "config", Aliases: []string{"c"}, Value: "cohortline.yaml", Usage: "configuration `FILE`"},
		&cli.StringFlag{Name: "warehouse", Usage: "output `FOLDER`, instead of the configuration's"},
		&cli.StringFlag{Name: "as-of", Usage: "`DATE` of the result; the latest unless given"},
	}
	return &cli.Command{
		Name: "quarantine", Usage: "look at the rows that were rejected",
		Subcommands: []*cli.Command{
			{Name: "list", Usage: "count the rejected rows by reason and column", Flags: flags, Action: func(c *cli.Context) error {
				output, err := p.outputOf(c)
				if err != nil {
					return err
				}
				counts, order := map[string]int{}, []string{}
				_, err = pipeline.ReadTable(c.Context, output, "rejects", c.String("as-of"), func(value func(string) string) bool {
					k := value("table") + "\x00" + value("reason") + "\x00" + value("column") + "\x00" + value("source")
					if counts[k] == 0 {
						order = append(order, k)
					}
					counts[k]++
					return false
				})
				if err != nil {
					return err
				}
				t := sink.Rows{Columns: []string{"table", "reason", "column", "source", "rows"}, Numeric: []bool{false, false, false, false, true}}
				for _, k := range order {
					parts := append(strings.Split(k, "\x00"), fmt.Sprint(counts[k]))
					row := make([]*string, len(parts))
					for i := range parts {
						row[i] = &parts[i]
					}
					t.Rows = append(t.Rows, row)
				}
				return sink.Terminal(p.out, t)
			}},
			{Name: "show", Usage: "list the rejected rows of a reason", ArgsUsage: "[REASON]", Flags: append(flags, &cli.StringFlag{Name: "output", Value: "text", Usage: "`FORMAT`: text, csv, json or markdown"}),
				Action: func(c *cli.Context) error {
					output, err := p.outputOf(c)
					if err != nil {
						return err
					}
					t, err := pipeline.ReadTable(c.Context, output, "rejects", c.String("as-of"), func(value func(string) string) bool {
						return !c.Args().Present() || value("reason") == c.Args().First()
					})
					if err != nil {
						return err
					}
					write := map[string]func() error{"text": func() error { return sink.Terminal(p.out, t) }, "csv": func() error { return sink.CSV(p.out, t) },
						"json": func() error { return sink.JSON(p.out, t) }, "markdown": func() error { return sink.Markdown(p.out, t) }}[c.String("output")]
					if write == nil {
						return &usageError{fmt.Errorf("--output cannot be %q: use text, csv, json or markdown", c.String("output"))}
					}
					return write()
				}},
		},
	}
}

func (p *program) demoCommand() *cli.Command {
	return &cli.Command{
		Name: "demo", Usage: "run the built-in example, the CDNOW sample, and show its retention",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Value: "cohortline-demo", Usage: "`FOLDER` to make"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no progress"},
		},
		Action: func(c *cli.Context) error {
			dir := c.String("dir")
			if err := jobs.WriteDemo(dir); err != nil {
				return err
			}
			config, err := jobs.LoadConfig(filepath.Join(dir, "cohortline.yaml"), p.env)
			if err != nil {
				return err
			}
			asOf, err := instant("1998-07-01", config.Zone)
			if err != nil {
				return err
			}
			s, err := jobs.Cohorts(c.Context, config, jobs.Options{AsOf: asOf, CodeVersion: version, Observe: p.observer("text", c.Bool("quiet"))})
			if err != nil {
				return err
			}
			p.summary(s)
			fmt.Fprintln(p.out)
			filters := map[string]string{}
			p.defaults(c.Context, config.Output, "cohort_retention", "", filters)
			rows, err := pipeline.ReadTable(c.Context, config.Output, "cohort_retention", "", func(value func(string) string) bool {
				for column, want := range filters {
					if want != "" && value(column) != want {
						return false
					}
				}
				return true
			})
			if err != nil {
				return err
			}
			if err := p.picture("cohort_retention", rows, filters); err != nil {
				return err
			}
			where, err := filepath.Abs(config.Output)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.out, "\nParquet: %s\nNext: cohortline inspect --config %s/cohortline.yaml cohort_ltv\n", filepath.Join(where, "tables"), dir)
			return nil
		},
	}
}
