package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cohortline/cohortline/jobs"
	"github.com/urfave/cli/v2"
)

func (p *program) backfillCommand() *cli.Command {
	shared := slices.DeleteFunc(intervalFlags(), func(f cli.Flag) bool {
		return slices.Contains([]string{"as-of", "interval-start", "interval-end", "known-at"}, f.Names()[0])
	})
	return &cli.Command{
		Name: "backfill", Usage: "publish the tables of many as-of dates; the inputs are read once",
		Flags: slices.Concat(shared, []cli.Flag{skipFlag(),
			&cli.StringFlag{Name: "from", Usage: "first `DATE`"},
			&cli.StringFlag{Name: "to", Usage: "last `DATE`, included; by default the day on which the backfill is begun"},
			&cli.StringFlag{Name: "every", Value: "day", Usage: "`CADENCE` of the dates: day, week or month"},
			&cli.StringFlag{Name: "order", Value: "oldest", Usage: "`ORDER` of work: oldest or newest date first"},
			&cli.IntFlag{Name: "jobs", Usage: "`N` dates at work at the same time; 0: four per processor"},
			&cli.IntFlag{Name: "max-failures", Usage: "begin no more dates once `N` have failed; 0: never"},
			&cli.BoolFlag{Name: "resume", Usage: "go on with an unfinished backfill; without one this is an error"},
			&cli.BoolFlag{Name: "restart", Usage: "give up an unfinished backfill of these dates and plan anew"},
			&cli.BoolFlag{Name: "dry-run", Usage: "only say which dates would be published"},
		}, publishFlags(), []cli.Flag{profileFlag()}),
		Action: p.backfill,
	}
}

func (p *program) backfill(c *cli.Context) error {
	config, o, err := p.backfillOptions(c)
	if err != nil {
		return err
	}
	stop, err := profile(c.String("cpu-profile"))
	if err != nil {
		return err
	}
	s, err := jobs.Backfill(c.Context, config, o)
	if failed := stop(); failed != nil {
		return errors.Join(err, failed)
	}
	if s == nil {
		return err
	}
	if failed := p.resultBeside(c, s, func() { p.backfillSummary(s) }); failed != nil {
		return errors.Join(err, failed)
	}
	if err != nil {
		return err
	}
	return skipped(c, s.Status == "unchanged")
}

// backfillOptions reads the configuration and the flags of backfill.
func (p *program) backfillOptions(c *cli.Context) (*jobs.Config, jobs.BackfillOptions, error) {
	var o jobs.BackfillOptions
	order := c.String("order")
	switch {
	case c.Bool("resume") && c.Bool("restart"):
		return nil, o, &usageError{errors.New("--resume goes on with the stored plan, --restart makes a new one: give one of them")}
	case order != "oldest" && order != "newest":
		return nil, o, &usageError{fmt.Errorf("--order cannot be %q: use oldest or newest", order)}
	case c.String("from") == "" && (!c.Bool("resume") || c.String("to") != ""):
		return nil, o, &usageError{errors.New("which dates? give --from and --to, e.g. --from 2026-01-01 --to 2026-12-31")}
	case c.Int("jobs") < 0 || c.Int("max-failures") < 0:
		return nil, o, &usageError{errors.New("--jobs and --max-failures cannot be negative")}
	}
	config, shared, err := p.shared(c)
	if err != nil {
		return nil, o, err
	}
	if err := publishing(c, &shared); err != nil {
		return nil, o, err
	}
	o = jobs.BackfillOptions{Options: shared, From: c.String("from"), To: c.String("to"), Every: c.String("every"), Newest: order == "newest",
		Jobs: c.Int("jobs"), MaxFailures: c.Int("max-failures"), Resume: c.Bool("resume"), Restart: c.Bool("restart"), DryRun: c.Bool("dry-run"), CodeOf: codeOf}
	return config, o, nil
}

// backfillSummary says on standard error what a backfill has done, and on standard output
// what it would do.
func (p *program) backfillSummary(s *jobs.BackfillSummary) {
	if s.Status == "planned" {
		for _, d := range s.Dates {
			what := "would be published"
			if d.Status == jobs.DateUnchanged {
				what = "is published"
			}
			fmt.Fprintf(p.out, "%s  %s  %s\n", d.Date, d.RunID, what)
		}
		fmt.Fprintf(p.out, "%d of %d dates would be published to %s\n", s.Missing, len(s.Dates), s.Output)
		return
	}
	parts := []string{fmt.Sprintf("%d published", s.Published), fmt.Sprintf("%d unchanged", s.Unchanged)}
	if s.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", s.Failed))
	}
	if s.Missing > 0 {
		parts = append(parts, fmt.Sprintf("%d not come to", s.Missing))
	}
	text := fmt.Sprintf("Backfill %s, %s to %s by %s: %s, %.2f s", s.PlanID, s.From, s.To, s.Every, strings.Join(parts, ", "), s.Seconds)
	p.log(map[string]any{"level": "info", "message": text, "plan_id": s.PlanID, "status": s.Status, "published": s.Published,
		"unchanged": s.Unchanged, "failed": s.Failed, "missing": s.Missing}, text)
}
