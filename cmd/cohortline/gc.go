package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/urfave/cli/v2"
)

func (p *program) gcCommand() *cli.Command {
	return &cli.Command{
		Name: "gc", Usage: "remove results that newer ones have superseded, and what killed runs have left",
		Flags: append(warehouseFlags(),
			&cli.StringFlag{Name: "keep", Value: "30d", Usage: "leave results that were published within this `TIME`, e.g. 30d or 12h"},
			&cli.IntFlag{Name: "keep-runs", Value: 10, Usage: "leave the last `N` results of every date"},
			&cli.BoolFlag{Name: "dry-run", Usage: "only say what would be removed"},
			&cli.StringFlag{Name: "output", Value: "text", Usage: "`FORMAT`: text or json"},
		),
		Action: func(c *cli.Context) error {
			keep, err := days(c.String("keep"))
			if err != nil {
				return &usageError{fmt.Errorf("--keep: %w", err)}
			}
			if c.Int("keep-runs") < 1 {
				return &usageError{fmt.Errorf("--keep-runs %d: the latest result of a date always stays", c.Int("keep-runs"))}
			}
			s, err := p.warehouse(c)
			if err != nil {
				return err
			}
			defer s.Close()
			found, err := pipeline.CollectGarbage(c.Context, s, pipeline.Retention{Keep: keep, KeepRuns: c.Int("keep-runs"), Now: time.Now(), DryRun: c.Bool("dry-run")})
			if err != nil {
				return err
			}
			return p.result(c, found, func() {
				verb := "removed"
				if c.Bool("dry-run") {
					verb = "would remove"
				}
				for _, name := range found.Objects {
					fmt.Fprintf(p.out, "%s %s\n", verb, name)
				}
				fmt.Fprintf(p.out, "%s %s objects, %s bytes\n", verb, thousands(int64(len(found.Objects))), thousands(found.Bytes))
				if n := len(found.Unused); n > 0 {
					fmt.Fprintf(p.out, "%s copies or configurations of inputs that no result refers to: gc removes them when it is run after a day\n", thousands(int64(n)))
				}
				for _, date := range found.Locked {
					fmt.Fprintf(p.out, "%s: a run is at work; left alone\n", date)
				}
			})
		},
	}
}

// days reads a time such as 30d, or one that Go knows, such as 12h.
func days(s string) (time.Duration, error) {
	if n, ok := strings.CutSuffix(s, "d"); ok {
		if d, err := strconv.Atoi(n); err == nil && d >= 0 && d < 36500 {
			return time.Duration(d) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is no time: write 30d or 12h", s)
	}
	return d, nil
}
