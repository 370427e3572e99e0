package main

import (
	"fmt"
	"time"

	"github.com/cohortline/cohortline/jobs"
	"github.com/cohortline/cohortline/pipeline"
	"github.com/urfave/cli/v2"
)

func (p *program) replayCommand() *cli.Command {
	return &cli.Command{
		Name: "replay", Usage: "run the dates again that have rejected rows, with a corrected mapping or corrected rates",
		Description: "Correct the configuration or the exports, then replay: every published date with rejected rows is run again, the oldest first.\nEnds with 4 when some dates are published and others have failed; otherwise as `run` does.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Aliases: []string{"c"}, Value: "cohortline.yaml", Usage: "corrected configuration `FILE`"},
			&cli.StringFlag{Name: "as-of", Usage: "only this `DATE`; unless given, every published date that has rejected rows"},
			&cli.IntFlag{Name: "threads", Usage: "`N` workers; 0: one per processor"},
			&cli.StringFlag{Name: "memory", Usage: "`SIZE` that a run may use, e.g. 256MiB; by default a quarter of the machine's or control group's"},
			&cli.StringFlag{Name: "temp-dir", Usage: "`FOLDER` for rows that memory has no room for"},
			&cli.BoolFlag{Name: "allow-shrink", Usage: "publish even if far fewer customers or orders are left than in the last result"},
			&cli.DurationFlag{Name: "lease", Value: pipeline.DefaultLease, Usage: "`TIME` for which a run that has died keeps others away where nobody can see that it has"},
			skipFlag(),
			&cli.StringFlag{Name: "output", Usage: "`FORMAT` of standard output: text or json", Value: "text"},
			&cli.StringFlag{Name: "result-file", Usage: "write the document as JSON to `PATH`"},
			&cli.StringFlag{Name: "log-format", Usage: "`FORMAT` of messages on standard error: text or json", Value: "text"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no progress: only what has become of the rows, warnings and errors"},
		},
		Action: p.replay,
	}
}

func (p *program) replay(c *cli.Context) (err error) {
	if c.Args().Present() {
		return &usageError{fmt.Errorf("%q is one argument too many", c.Args().First())}
	}
	if err := choices(c, "output", "log-format"); err != nil {
		return err
	}
	o := jobs.Options{Threads: c.Int("threads"), TempDir: c.String("temp-dir"), AllowShrink: c.Bool("allow-shrink"), Lease: c.Duration("lease"), CodeVersion: version}
	if v := c.String("memory"); v != "" {
		if o.Memory, err = jobs.ParseBytes(v); err != nil {
			return &usageError{fmt.Errorf("--memory: %w", err)}
		}
	}
	only := c.String("as-of")
	if _, err := time.Parse(time.DateOnly, only); only != "" && err != nil {
		return &usageError{fmt.Errorf("--as-of %q is no date such as 2026-11-01", only)}
	}
	config, err := jobs.LoadConfig(c.String("config"), p.env)
	if err != nil {
		return err
	}
	o.Observe = p.observer(c.Bool("quiet"))
	s, failed := jobs.Replay(c.Context, config, o, only)
	if s == nil {
		return failed
	}
	if err := p.result(c, s, func() { p.replayed(s) }); err != nil {
		return err
	}
	p.document, p.resultFile = false, "" // the document is out
	if failed != nil {
		return failed
	}
	return skipped(c, s.Status == "unchanged")
}

// replayed says for every date what has become of its rejected rows.
func (p *program) replayed(s *jobs.ReplaySummary) {
	if len(s.Dates) == 0 {
		fmt.Fprintf(p.out, "no published date in %s has rejected rows\n", s.Output)
	}
	for _, d := range s.Dates {
		if d.Status == jobs.Failed {
			fmt.Fprintf(p.out, "%s  failed, %s rows are still rejected: %s\n", d.Date, thousands(d.Still), d.Error)
			continue
		}
		fmt.Fprintf(p.out, "%s  run %s %s: of %s rejected rows %s are replayed, %s are still rejected, %s are new\n", d.Date, d.RunID, d.Status, thousands(d.Rejected), thousands(d.Replayed), thousands(d.Still), thousands(d.New))
	}
}
