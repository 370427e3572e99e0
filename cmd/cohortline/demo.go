package main

import (
	"fmt"
	"path/filepath"

	"github.com/cohortline/cohortline/jobs"
	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/store"
	"github.com/urfave/cli/v2"
)

func (p *program) demoCommand() *cli.Command {
	return &cli.Command{
		Name: "demo", Usage: "run the built-in example, the CDNOW sample, and show its retention",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Value: "cohortline-demo", Usage: "`FOLDER` to make"},
			&cli.StringFlag{Name: "output", Value: "text", Usage: "`FORMAT` of standard output: text, or json for the summary of the run"},
			&cli.StringFlag{Name: "log-format", Value: "text", Usage: "`FORMAT` of messages on standard error: text or json"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no progress: only the summary, warnings and errors"},
		},
		Action: func(c *cli.Context) error {
			if err := choices(c, "output", "log-format"); err != nil {
				return err
			}
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
			s, err := jobs.Cohorts(c.Context, config, jobs.Options{AsOf: asOf, CodeVersion: version, Observe: p.observer(c.Bool("quiet"))})
			if err != nil {
				return err
			}
			p.summary(s)
			if p.document {
				return p.deliver(s)
			}
			return p.showDemo(c, dir, config.Output)
		},
	}
}

// showDemo ends the demo with the heat map and the place of the tables.
func (p *program) showDemo(c *cli.Context, dir, output string) error {
	s, err := store.Open(c.Context, output)
	if err != nil {
		return err
	}
	defer s.Close()
	f := filters{}
	f.choose(c.Context, s, "cohort_retention", "")
	rows, err := pipeline.ReadTable(c.Context, s, "cohort_retention", "", func(value func(string) string) bool {
		return f.match(value, map[string]map[string]bool{})
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(p.out)
	if err := p.picture("cohort_retention", rows, f); err != nil {
		return err
	}
	where, err := filepath.Abs(output)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "\nParquet: %s\nNext: cohortline inspect cohort_ltv --config %s\n", filepath.Join(where, "tables"), filepath.Join(dir, "cohortline.yaml"))
	return nil
}
