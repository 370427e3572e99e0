package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/cohortline/cohortline/jobs"
	"github.com/urfave/cli/v2"
)

// intervalFlags are what run, plan and validate share.
func intervalFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "config", Aliases: []string{"c"}, Value: "cohortline.yaml", Usage: "configuration `FILE`"},
		&cli.StringFlag{Name: "as-of", Usage: "`INSTANT` before which orders count, exclusive: RFC 3339, or a date for its midnight in the reporting zone"},
		&cli.StringFlag{Name: "interval-start", Usage: "start of the data interval; only recorded: every run computes the whole history"},
		&cli.StringFlag{Name: "interval-end", Usage: "end of the data interval: the as-of instant"},
		&cli.IntFlag{Name: "threads", Usage: "`N` workers, on at most as many processors; 0: one per processor"},
		memoryFlag("the run"),
		&cli.StringFlag{Name: "temp-dir", Usage: "`FOLDER` for rows that memory has no room for"},
	}, documentFlags("summary", "no progress: only the summary, warnings and errors")...)
}

// choices checks flags that say text or json.
func choices(c *cli.Context, flags ...string) error {
	for _, flag := range flags {
		if v := c.String(flag); v != "text" && v != "json" {
			return &usageError{fmt.Errorf("--%s cannot be %q: use text or json", flag, v)}
		}
	}
	return nil
}

// shared reads the configuration and the flags that all verbs with it have in common.
func (p *program) shared(c *cli.Context) (*jobs.Config, jobs.Options, error) {
	o := jobs.Options{Threads: c.Int("threads"), TempDir: c.String("temp-dir"), CodeVersion: version}
	if c.Args().Present() {
		return nil, o, &usageError{fmt.Errorf("%q is one argument too many", c.Args().First())}
	}
	if o.Threads < 0 {
		return nil, o, &usageError{fmt.Errorf("--threads %d: give a number of workers, or 0 for one per processor", o.Threads)}
	}
	if o.Threads > 0 && o.Threads < runtime.GOMAXPROCS(0) {
		runtime.GOMAXPROCS(o.Threads) // the collector and the writers of tables keep to it as well
	}
	if err := choices(c, "output", "log-format"); err != nil {
		return nil, o, err
	}
	if p.resultFile != "" {
		if err := checkFolder("--result-file", p.resultFile); err != nil {
			p.resultFile = "" // the failure itself cannot go there
			return nil, o, err
		}
	}
	var err error
	if o.Memory, err = memoryLimit(c); err != nil {
		return nil, o, err
	}
	config, err := jobs.LoadConfig(c.String("config"), p.env)
	if err != nil {
		return nil, o, err
	}
	o.Observe = p.observer(c.Bool("quiet"))
	return config, o, nil
}

// options reads the configuration and the flags that say which run is meant.
func (p *program) options(c *cli.Context) (*jobs.Config, jobs.Options, error) {
	config, o, err := p.shared(c)
	if err != nil {
		return nil, o, err
	}
	asOf, end := c.String("as-of"), c.String("interval-end")
	switch {
	case asOf != "" && end != "" && asOf != end:
		return nil, o, &usageError{fmt.Errorf("--as-of %s and --interval-end %s differ: give one of them", asOf, end)}
	case asOf == "" && end == "":
		return nil, o, &usageError{fmt.Errorf("when does the data end? give --as-of, e.g. --as-of %s, or --interval-start and --interval-end", time.Now().Format(time.DateOnly))}
	case asOf == "":
		asOf = end
	}
	if o.AsOf, err = instant(asOf, config.Zone); err != nil {
		return nil, o, err
	}
	if s := c.String("interval-start"); s != "" {
		start, err := instant(s, config.Zone)
		if err != nil {
			return nil, o, err
		}
		if !start.Before(o.AsOf) {
			return nil, o, &usageError{fmt.Errorf("--interval-start %s is not before the end %s: Airflow 3 gives both the same value unless create_cron_data_intervals is on; give --as-of instead", s, asOf)}
		}
		o.IntervalStart = &start
	}
	if s := c.String("known-at"); s != "" {
		known, err := instant(s, config.Zone)
		if err != nil {
			return nil, o, err
		}
		if known.After(time.Now()) {
			return nil, o, &usageError{fmt.Errorf("--known-at %s has not come yet: leave it out to read what is there now", s)}
		}
		o.KnownAt = &known
	}
	return config, o, nil
}

func knownAtFlag() cli.Flag {
	return &cli.StringFlag{Name: "known-at", Usage: "only read what had been received by this `INSTANT`: RFC 3339, or a date for its midnight in the reporting zone"}
}

// instant reads RFC 3339, or a date as its midnight in the zone.
func instant(s string, zone *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	if t, err := jobs.Midnight(s, zone); err == nil {
		return t, nil
	}
	return time.Time{}, &usageError{fmt.Errorf("%q is no instant: write 2026-11-01 or 2026-11-01T00:00:00Z", s)}
}

func skipFlag() cli.Flag {
	return &cli.IntFlag{Name: "skip-code", Usage: "exit `CODE` when the same result is already published"}
}

// skipped is the end of a verb that has found, or not, that there is nothing to do.
func skipped(c *cli.Context, nothing bool) error {
	if code := c.Int("skip-code"); nothing && code != 0 {
		return &skipError{code}
	}
	return nil
}

func (p *program) runCommand() *cli.Command {
	return &cli.Command{
		Name: "run", Usage: "compute the tables and publish them",
		Flags: slices.Concat(intervalFlags(), []cli.Flag{skipFlag(), knownAtFlag()}, publishFlags(), []cli.Flag{profileFlag()}),
		Action: func(c *cli.Context) error {
			config, o, err := p.options(c)
			if err != nil {
				return err
			}
			if err := publishing(c, &o); err != nil {
				return err
			}
			stop, err := profile(c.String("cpu-profile"))
			if err != nil {
				return err
			}
			s, err := jobs.Cohorts(c.Context, config, o)
			if err = errors.Join(err, stop()); err != nil {
				return err
			}
			if err := p.result(c, s, func() { p.summary(s) }); err != nil {
				return err
			}
			return skipped(c, s.Status == "unchanged")
		},
	}
}

func profileFlag() cli.Flag {
	return &cli.StringFlag{Name: "cpu-profile", Usage: "write where the processor time goes to `PATH`, for go tool pprof"}
}

// profile starts a CPU profile, if a path is given; stop ends and writes it.
func profile(path string) (stop func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("--cpu-profile cannot be written: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

// result prints a document as JSON or by the given function, and to --result-file.
func (p *program) result(c *cli.Context, document any, text func()) error {
	if err := choices(c, "output"); err != nil {
		return err
	}
	if err := p.deliver(document); err != nil || p.document {
		return err
	}
	text()
	return nil
}

// resultBeside is result for a document that an error may come beside: the error is then
// told on standard error alone.
func (p *program) resultBeside(c *cli.Context, document any, text func()) error {
	if err := p.result(c, document, text); err != nil {
		return err
	}
	p.document, p.resultFile = false, ""
	return nil
}

// deliver writes a document to where it was asked for: standard output with --output
// json, --result-file, both or neither.
func (p *program) deliver(document any) error {
	if !p.document && p.resultFile == "" {
		return nil
	}
	data, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return err
	}
	data = append(data, '\n')
	if p.resultFile != "" {
		if err := os.WriteFile(p.resultFile, data, 0o644); err != nil {
			p.resultFile = "" // the failure itself cannot go there
			return fmt.Errorf("--result-file cannot be written: %w", err)
		}
	}
	if p.document {
		_, err = p.out.Write(data)
	}
	return err
}

// summary says on standard error what a run has done.
func (p *program) summary(s *jobs.Summary) {
	if s.Status == "unchanged" {
		text := fmt.Sprintf("Nothing to do: run %s has published this result before, in %s", s.RunID, s.Output)
		p.log(map[string]any{"level": "info", "message": text, "run_id": s.RunID, "status": s.Status}, text)
		return
	}
	if p.logJSON {
		p.log(map[string]any{"level": "info", "message": "published", "run_id": s.RunID, "status": s.Status, "summary": s}, "")
		return
	}
	known := ""
	if s.KnownAt != nil {
		known = ", known at " + s.KnownAt.Format(time.RFC3339)
	}
	fmt.Fprintf(p.err, "\nRun %s, as of %s%s\n", s.RunID, s.AsOf.Format(time.RFC3339), known)
	fmt.Fprintf(p.err, "  %s rows in: %s orders, %s rows superseded, %s rejected\n", thousands(s.RowsIn), thousands(s.Orders), thousands(s.RowsSuperseded), thousands(s.RowsRejected))
	fmt.Fprintf(p.err, "  %s purchases of %s customers, net revenue %s; %s anonymous orders\n", thousands(s.Purchases), thousands(s.Customers), s.NetRevenue, thousands(s.AnonymousOrders))
	fmt.Fprintf(p.err, "  %s/tables:\n", s.Output)
	for _, t := range s.Tables {
		fmt.Fprintf(p.err, "  %-18s %11s rows  %s\n", t.Table, thousands(t.Rows), strings.TrimPrefix(t.Path, "tables/"))
	}
	fmt.Fprintf(p.err, "  %.2f s\n", s.Seconds)
}

// thousands writes a count in groups of three digits, e.g. 1,234,567.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func (p *program) planCommand() *cli.Command {
	return &cli.Command{
		Name: "plan", Usage: "say what run would read and write, and write nothing", Flags: append(intervalFlags(), skipFlag(), knownAtFlag()),
		Action: func(c *cli.Context) error {
			config, o, err := p.options(c)
			if err != nil {
				return err
			}
			plan, err := jobs.PlanCohorts(c.Context, config, o)
			if err != nil {
				return err
			}
			if err := p.result(c, plan, func() {
				fmt.Fprintf(p.out, "run %s, as of %s\n", plan.RunID, plan.AsOf.Format(time.RFC3339))
				for _, in := range plan.Inputs {
					fmt.Fprintf(p.out, "reads  %-8s %-12s %12s bytes  %s\n", in.Table, in.Source, thousands(in.Size), in.Path)
				}
				for _, t := range plan.Tables {
					fmt.Fprintf(p.out, "writes %s/tables/%s/%s\n", plan.Output, t, plan.Partition)
				}
				if plan.Memory > 0 {
					fmt.Fprintf(p.out, "memory %s, needs at least %s; rows beyond it go to the temporary folder\n", jobs.FormatBytes(plan.Memory), jobs.FormatBytes(plan.Needs))
				}
				if plan.Published {
					fmt.Fprintln(p.out, "this result has been published before: run has nothing to do unless another run has replaced it")
				}
			}); err != nil {
				return err
			}
			return skipped(c, plan.Published)
		},
	}
}

func (p *program) validateCommand() *cli.Command {
	return &cli.Command{
		Name: "validate", Usage: "check the configuration and every input row; writes nothing", Flags: intervalFlags(),
		Action: func(c *cli.Context) error {
			if c.String("as-of") == "" && c.String("interval-end") == "" { // rows are checked the same whatever the instant
				if err := c.Set("as-of", "9999-01-01"); err != nil {
					return err
				}
			}
			config, o, err := p.options(c)
			if err != nil {
				return err
			}
			v, err := jobs.Validate(c.Context, config, o)
			if v == nil {
				return err
			}
			verdict := "good"
			if err != nil {
				verdict = "not good enough to run"
			}
			if failed := p.resultBeside(c, v, func() {
				fmt.Fprintf(p.out, "%s: %s; %d files, %s rows, %s left out by filters, %s rejected, %s exchange rates\n",
					config.Path, verdict, v.Files, thousands(v.RowsRead), thousands(v.Filtered), thousands(v.Rejected), thousands(int64(v.Rates)))
				for _, r := range v.Examples {
					fmt.Fprintf(p.out, "  %s row %d: %s %s %q\n", r.File, r.Row, r.Reason, r.Column, r.Value)
				}
			}); failed != nil {
				return failed
			}
			return err
		},
	}
}
