package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/cohortline/cohortline/jobs"
	"github.com/urfave/cli/v2"
)

func (p *program) replayCommand() *cli.Command {
	return &cli.Command{
		Name: "replay", Usage: "run the dates again that have rejected rows, with a corrected mapping or corrected rates",
		Description: "Correct the configuration or the exports, then replay: every published date with rejected rows is run again, the oldest first.\nEnds with 4 when some dates are published and others have failed; otherwise as `run` does.",
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "config", Aliases: []string{"c"}, Value: "cohortline.yaml", Usage: "corrected configuration `FILE`"},
			&cli.StringFlag{Name: "as-of", Usage: "only this `DATE`; unless given, every published date that has rejected rows"},
			&cli.IntFlag{Name: "threads", Usage: "`N` workers, on at most as many processors; 0: one per processor"},
			memoryFlag("a run"),
			&cli.StringFlag{Name: "temp-dir", Usage: "`FOLDER` for rows that memory has no room for"},
			skipFlag(),
		}, publishFlags(), documentFlags("document", "no progress: only what has become of the rows, warnings and errors")),
		Action: p.replay,
	}
}

func (p *program) replay(c *cli.Context) error {
	only := c.String("as-of")
	if _, err := time.Parse(time.DateOnly, only); only != "" && err != nil {
		return &usageError{fmt.Errorf("--as-of %q is no date such as 2026-11-01", only)}
	}
	config, o, err := p.shared(c)
	if err != nil {
		return err
	}
	if err := publishing(c, &o); err != nil {
		return err
	}
	s, failed := jobs.Replay(c.Context, config, o, only)
	if s == nil {
		return failed
	}
	if err := p.resultBeside(c, s, func() { p.replayed(s) }); err != nil {
		return err
	}
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
