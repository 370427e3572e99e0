package main

import (
	"fmt"
	"slices"

	"github.com/cohortline/cohortline/jobs"
	"github.com/urfave/cli/v2"
)

func (p *program) verifyCommand() *cli.Command {
	return &cli.Command{
		Name: "verify", Usage: "compute published results again from what was recorded, and compare the bytes",
		Description: "Ends with 0 when every table is the same, with 8 when one is not, and with 5 when something that a result was made of cannot be had any more.",
		Flags: slices.Concat(warehouseFlags(), []cli.Flag{
			&cli.StringFlag{Name: "against", Value: "full", Usage: "`WHAT` to compare with; full: everything computed from the beginning"},
			&cli.StringFlag{Name: "as-of", Usage: "only the latest result of this `DATE`"},
			&cli.StringFlag{Name: "run", Usage: "only the result of this run `ID`, or date#number"},
			&cli.IntFlag{Name: "threads", Usage: "`N` workers; 0: one per processor"},
			memoryFlag("it"),
			&cli.StringFlag{Name: "temp-dir", Usage: "`FOLDER` for the tables that are computed, and rows that memory has no room for"},
		}, documentFlags("document", "no progress")),
		Action: p.verify,
	}
}

func (p *program) verify(c *cli.Context) (err error) {
	if err := choices(c, "output", "log-format"); err != nil {
		return err
	}
	if a := c.String("against"); a != "full" {
		return &usageError{fmt.Errorf("--against cannot be %q: it knows full", a)}
	}
	if c.String("as-of") != "" && c.String("run") != "" {
		return &usageError{fmt.Errorf("--as-of and --run: give one of them")}
	}
	o := jobs.VerifyOptions{Run: c.String("as-of") + c.String("run"), Env: p.env, Threads: c.Int("threads"), TempDir: c.String("temp-dir"), CodeVersion: version, Observe: p.observer(c.Bool("quiet"))}
	if o.Memory, err = memoryLimit(c); err != nil {
		return err
	}
	o.Bases = configFolder(c)
	if o.Store, err = p.warehouse(c); err != nil {
		return err
	}
	defer o.Store.Close()
	v, failed := jobs.Verify(c.Context, o)
	if v == nil {
		return failed
	}
	if err := p.resultBeside(c, v, func() { p.verified(v) }); err != nil {
		return err
	}
	if v.Status == jobs.Different {
		return &skipError{exitDifferent}
	}
	return failed
}

// verified says what was found, a line for every run and for every table that differs.
func (p *program) verified(v *jobs.Verification) {
	if len(v.Runs) == 0 {
		fmt.Fprintf(p.out, "no run has been published in %s\n", v.Output)
	}
	for _, x := range v.Runs {
		fmt.Fprintf(p.out, "%s  run %s  %s", x.Publication, x.RunID, x.Status)
		if x.Status == jobs.Same {
			fmt.Fprintf(p.out, ", %d tables", len(x.Tables))
		}
		fmt.Fprintln(p.out)
		for _, w := range x.Warnings {
			fmt.Fprintf(p.out, "  %s\n", w)
		}
		if x.Error != "" {
			fmt.Fprintf(p.out, "  %s\n", x.Error)
		}
		for _, t := range x.Tables {
			if t.Status == jobs.Same {
				continue
			}
			fmt.Fprintf(p.out, "  %s: %s\n", t.Table, t.What)
			if d := t.Cell; d != nil {
				fmt.Fprintf(p.out, "    first: %s of %s: %s as published, %s computed again\n", d.Column, readableKey(d.Key), or(d.Before, "null"), or(d.After, "null"))
			}
		}
	}
}
