package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cohortline/cohortline/jobs"
	"github.com/cohortline/cohortline/pipeline/sink"
	"github.com/cohortline/cohortline/pipeline/store"
	"github.com/urfave/cli/v2"
)

// exitDifferent is the exit code of a comparison that has found differences.
const exitDifferent = 8

func (p *program) diffCommand() *cli.Command {
	return &cli.Command{
		Name: "diff", Usage: "compare two published results cell by cell", ArgsUsage: "BEFORE AFTER",
		Description: "BEFORE and AFTER are run ids, dates (their latest results), or date#number as `cohortline runs` lists them.\nEnds with 0 when every cell is equal and with 8 when one differs.",
		Flags: slices.Concat(warehouseFlags(), []cli.Flag{
			&cli.StringFlag{Name: "against", Usage: "output `FOLDER` of AFTER, where it is another one"},
			&cli.BoolFlag{Name: "explain", Usage: "compute both results again, cause by cause, and attribute every change to its causes"},
			&cli.StringFlag{Name: "out", Usage: "write every cell that differs as Parquet to `FOLDER`"},
			&cli.IntFlag{Name: "limit", Value: 1000, Usage: "at most `N` cells in the JSON document; 0: all"},
			&cli.IntFlag{Name: "threads", Usage: "`N` workers of --explain; 0: one per processor"},
			memoryFlag("the comparison"),
			&cli.StringFlag{Name: "temp-dir", Usage: "`FOLDER` for what memory has no room for"},
		}, documentFlags("document", "no progress")),
		Action: func(c *cli.Context) (err error) {
			if c.NArg() != 2 {
				return &usageError{errors.New("name two results, e.g. cohortline diff 2026-10-01 2026-11-01, or 2026-11-01#1 2026-11-01#2")}
			}
			if err := choices(c, "output", "log-format"); err != nil {
				return err
			}
			o := jobs.DiffOptions{Before: c.Args().Get(0), After: c.Args().Get(1), Limit: c.Int("limit"), TempDir: c.String("temp-dir"), Observe: p.observer(c.Bool("quiet")),
				Explain: c.Bool("explain"), Env: p.env, Threads: c.Int("threads"), Bases: configFolder(c)}
			if o.Memory, err = memoryLimit(c); err != nil {
				return err
			}
			if o.Store, err = p.warehouse(c); err != nil {
				return err
			}
			defer o.Store.Close()
			for flag, to := range map[string]*store.Store{"against": &o.Against, "out": &o.Out} {
				if address := c.String(flag); address != "" {
					if *to, err = store.Open(c.Context, address); err != nil {
						return err
					}
					defer (*to).Close()
				}
			}
			d, err := jobs.DiffRuns(c.Context, o)
			if err != nil {
				return err
			}
			if err := p.result(c, d, func() { p.differences(d) }); err != nil {
				return err
			}
			if d.CellsInAll > 0 {
				return &skipError{exitDifferent}
			}
			return nil
		},
	}
}

// differences says what differs: a line for every table, then its columns with the cell
// that has moved most.
func (p *program) differences(d *jobs.Diff) {
	fmt.Fprintf(p.out, "before  %s  run %s\nafter   %s  run %s\n", d.Before.Publication, d.Before.RunID, d.After.Publication, d.After.RunID)
	var equal []string
	for _, t := range d.Tables {
		if t.Cells == 0 {
			equal = append(equal, t.Table)
			continue
		}
		fmt.Fprintf(p.out, "\n%s: %s cells differ; rows: %s changed, %s added, %s removed\n", t.Table, thousands(t.Cells), thousands(t.Changed), thousands(t.Added), thousands(t.Removed))
		rows := sink.Rows{Columns: []string{"  column", "cells", "in all", "most: before", "after", "in row"}, Numeric: []bool{false, true, true, true, true, false}}
		if d.Explanation != nil {
			rows.Columns, rows.Numeric = append(rows.Columns, "for"), append(rows.Numeric, false)
		}
		for _, x := range t.Columns {
			row := texts("  "+x.Column, thousands(x.Cells), signed(x.Delta), or(x.Largest.Before, "–"), or(x.Largest.After, "–"), readableKey(x.Largest.Key))
			if d.Explanation != nil {
				row = append(row, texts(partsOf(x.Parts))...)
			}
			rows.Rows = append(rows.Rows, row)
		}
		_ = sink.Terminal(p.out, readable(rows)) // a terminal that is gone has nobody to tell
	}
	if len(equal) > 0 {
		fmt.Fprintf(p.out, "\nequal: %s\n", strings.Join(equal, ", "))
	}
	p.explained(d.Explanation)
	if d.CellsInAll == 0 {
		fmt.Fprintln(p.out, "\nevery cell is equal")
	}
	for _, f := range d.Files {
		fmt.Fprintf(p.err, "%s\n", f)
	}
}

// partsOf says what each cause has done to a cell.
func partsOf(parts []jobs.CausePart) string {
	var list []string
	for _, x := range parts {
		text := x.Cause
		if x.Part != nil {
			text += " " + cell(signed(x.Part), true)
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

// explained says what each cause has done.
func (p *program) explained(x *jobs.Explained) {
	if x == nil {
		return
	}
	fmt.Fprintln(p.out, "\ncauses, in the order in which they were switched; the parts of a cell add up to its change:")
	for _, s := range x.Steps {
		orders := ""
		if s.Orders > 0 {
			orders = fmt.Sprintf(", %s orders", thousands(s.Orders))
		}
		fmt.Fprintf(p.out, "\n%d. %s: %s cells%s\n", s.Step, s.Cause, thousands(s.Cells), orders)
		for _, t := range s.Tables {
			fmt.Fprintf(p.out, "   %-17s %9s cells", t.Table, thousands(t.Cells))
			for _, c := range t.Columns {
				if c.Delta != nil && strings.HasPrefix(c.Column, "net_revenue") || c.Column == "customers" || c.Column == "orders" {
					fmt.Fprintf(p.out, "; %s %s", c.Column, signed(c.Delta))
				}
			}
			fmt.Fprintln(p.out)
		}
	}
	for _, n := range x.Notes {
		fmt.Fprintf(p.out, "note: %s\n", n)
	}
}

func or(s *string, none string) string {
	if s == nil {
		return none
	}
	return *s
}

// signed is a difference with its sign.
func signed(s *string) string {
	if s == nil {
		return ""
	}
	if strings.HasPrefix(*s, "-") || strings.Trim(*s, "0.") == "" {
		return *s
	}
	return "+" + *s
}

// readableKey is a key with blanks between its values.
func readableKey(key string) string {
	return strings.NewReplacer(`\|`, "|", `\\`, `\`, "|", " ").Replace(key)
}
