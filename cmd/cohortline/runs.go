package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cohortline/cohortline/jobs"
	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/sink"
	"github.com/urfave/cli/v2"
)

func (p *program) runsCommand() *cli.Command {
	flags := func() []cli.Flag {
		return append(warehouseFlags(), &cli.StringFlag{Name: "output", Value: "text", Usage: "`FORMAT`: text or json"})
	}
	return &cli.Command{
		Name: "runs", Usage: "list the published runs, superseded ones too; `runs show RUN` tells all of one",
		Flags: append(flags(), &cli.StringFlag{Name: "as-of", Usage: "only results of this `DATE`"}),
		Subcommands: []*cli.Command{{
			Name: "show", Usage: "what a run has read and published, and what it has changed", ArgsUsage: "RUN",
			Description: "RUN is a run id, a date (its latest result), or date#number.",
			Flags: append(flags(),
				&cli.BoolFlag{Name: "orders", Usage: "list the orders that it has read otherwise than the run before; reads the inputs of both again"},
				&cli.IntFlag{Name: "limit", Value: 20, Usage: "at most `N` orders; 0: all"},
				&cli.StringFlag{Name: "temp-dir", Usage: "`FOLDER` for what memory has no room for"}),
			Action: func(c *cli.Context) error {
				if c.NArg() != 1 {
					return &usageError{errors.New("name one run: an id, a date or date#number, as `cohortline runs` lists them")}
				}
				s, err := p.warehouse(c)
				if err != nil {
					return err
				}
				defer s.Close()
				report, err := jobs.ShowRun(c.Context, s, c.Args().First())
				if err != nil {
					return err
				}
				if c.Bool("orders") {
					o := jobs.DiffOptions{Store: s, Env: p.env, Bases: configFolder(c), TempDir: c.String("temp-dir"), Observe: p.observer(true)}
					if err := jobs.ShowOrders(c.Context, report, c.Int("limit"), o); err != nil {
						return err
					}
				}
				return p.result(c, report, func() { p.runReport(report) })
			},
		}},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return p.noCommand(c.Command.Subcommands, c.Args().First())
			}
			s, err := p.warehouse(c)
			if err != nil {
				return err
			}
			defer s.Close()
			list, err := jobs.History(c.Context, s, c.String("as-of"))
			if err != nil {
				return err
			}
			return p.result(c, list, func() {
				if len(list) == 0 {
					fmt.Fprintf(p.out, "no run has been published in %s\n", s.Path(""))
				}
				for _, m := range list {
					state := "current"
					if !m.Current {
						state = "superseded"
					}
					fmt.Fprintf(p.out, "%-13s  %s  %s  %11s rows in  %9s rejected  %s\n", m.Publication, m.RunID, m.EndedAt.Format("2006-01-02 15:04:05Z"), thousands(m.RowsIn), thousands(m.RowsRejected), state)
				}
			})
		},
	}
}

// runReport tells of one run.
func (p *program) runReport(r *jobs.RunReport) {
	state := "the latest result of its date"
	if !r.Current {
		state = "superseded"
	}
	fmt.Fprintf(p.out, "run %s, %s: %s\n", r.RunID, r.Publication, state)
	fmt.Fprintf(p.out, "as of %s, ended %s, code %s, configuration %.12s\n", r.AsOf.Format("2006-01-02T15:04:05Z07:00"), r.EndedAt.Format("2006-01-02 15:04:05Z"), r.CodeVersion, r.ConfigSHA256)
	fmt.Fprintf(p.out, "%s rows in, %s rejected, %s orders, %s customers\n", thousands(r.RowsIn), thousands(r.RowsRejected), thousands(r.Orders), thousands(r.Customers))
	against := ""
	if r.Before != "" {
		against = ", against " + r.Before
	}
	fmt.Fprintf(p.out, "\ninputs%s:\n", against)
	for _, in := range r.Read {
		fmt.Fprintf(p.out, "  %-8s %-8s %-12s %13s bytes  %11s rows  %s\n", in.State, in.Table, in.Source, thousands(in.Size), thousands(in.Rows), in.Path)
	}
	fmt.Fprintln(p.out, "\npublished:")
	for _, t := range r.Outputs {
		fmt.Fprintf(p.out, "  %-18s %13s rows  %s\n", t.Table, thousands(t.Rows), t.Result)
	}
	for _, t := range r.Inherited {
		fmt.Fprintf(p.out, "  %-18s %13s rows  %s, of an earlier run\n", t.Table, thousands(t.Rows), t.Result)
	}
	p.restated(r.Restated)
	if r.Differing != nil {
		p.changedOrders(r.Differing)
	}
}

// changedOrders lists the orders that a run has read otherwise than the one before.
func (p *program) changedOrders(x *jobs.ChangedOrders) {
	fmt.Fprintln(p.out, "\norders read otherwise:")
	total := int64(0)
	for _, cause := range slices.Sorted(maps.Keys(x.Causes)) {
		fmt.Fprintf(p.out, "  %-18s %11s\n", cause, thousands(x.Causes[cause]))
		total += x.Causes[cause]
	}
	if total == 0 {
		fmt.Fprintln(p.out, "  none")
		return
	}
	rows := sink.Rows{Columns: []string{"  cause", "source", "order_id", "ordered_at", "currency", "net before", "after"}, Numeric: []bool{false, false, false, false, false, true, true}}
	for _, o := range x.Orders {
		at := "–"
		if o.OrderedAt != nil {
			at = o.OrderedAt.Format("2006-01-02T15:04:05Z")
		}
		rows.Rows = append(rows.Rows, texts("  "+o.Cause, o.Source, o.OrderID, at, or(o.Currency, "–"), or(o.BeforeNet, "–"), or(o.AfterNet, "–")))
	}
	_ = sink.Terminal(p.out, readable(rows)) // a terminal that is gone has nobody to tell
	if left := total - int64(len(x.Orders)); left > 0 {
		fmt.Fprintf(p.out, "  … %s more; --limit 0 lists all\n", thousands(left))
	}
}

// restated tells what a run has changed in the last result of its date.
func (p *program) restated(r *pipeline.Restated) {
	if r == nil {
		fmt.Fprintln(p.out, "\nrestated: nothing; it was the first result of its date")
		return
	}
	if len(r.Tables) == 0 && r.Unknown == "" {
		fmt.Fprintf(p.out, "\nrestated: nothing; every compared table is that of #%d\n", r.Number)
		return
	}
	fmt.Fprintf(p.out, "\nrestated, against #%d:\n", r.Number)
	for _, t := range r.Tables {
		if !t.Compared {
			fmt.Fprintf(p.out, "  %-18s %13s rows, there were %s; `diff` counts the cells\n", t.Table, thousands(t.RowsAfter), thousands(t.RowsBefore))
			continue
		}
		fmt.Fprintf(p.out, "  %-18s %13s cells; rows: %s changed, %s added, %s removed\n", t.Table, thousands(t.Cells), thousands(t.Changed), thousands(t.Added), thousands(t.Removed))
	}
	if r.InAll > 0 {
		shown := r.Cohorts[:min(len(r.Cohorts), 12)]
		more := ""
		if r.InAll > len(shown) {
			more = fmt.Sprintf(" … %s in all", thousands(int64(r.InAll)))
		}
		fmt.Fprintf(p.out, "  cohorts: %s%s\n", strings.Join(shown, ", "), more)
	}
	if r.Unknown != "" {
		fmt.Fprintf(p.out, "  more is not known: %s\n", r.Unknown)
	}
}
