package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"

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

// showDemo ends the demo with the heat map, what customers bring, and the place of the tables.
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
	if err := p.showForecast(c.Context, s); err != nil {
		return err
	}
	where, err := filepath.Abs(output)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "\nParquet: %s\nNext: cohortline ltv explain 00004 --config %s\n", filepath.Join(where, "tables"), filepath.Join(dir, "cohortline.yaml"))
	return nil
}

// showForecast shows, cohort by cohort, what a customer has brought, and is expected to have
// brought at the end of the horizon.
func (p *program) showForecast(ctx context.Context, s store.Store) error {
	type forecast struct{ cohort, customers, soFar, later, low, high string }
	var list []forecast
	months := 0
	_, err := pipeline.ReadTable(ctx, s, "cohort_ltv_forecast", "", func(value func(string) string) bool {
		if value("kind") == "observed" {
			list, months = append(list, forecast{cohort: value("cohort"), customers: value("cohort_customers"), soFar: value("ltv")}), 0
			return false
		}
		months++
		last := &list[len(list)-1]
		last.later, last.low, last.high = value("ltv"), value("ltv_low"), value("ltv_high")
		return false
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "\nlifetime value of a customer: so far, and in %d months with its interval of 80 %%\ncohort     customers   so far  in %d months\n", months, months)
	for _, f := range list {
		fmt.Fprintf(p.out, "%s %9s %8s %13s  (%s to %s)\n", f.cohort, f.customers, money(f.soFar), money(f.later), money(f.low), money(f.high))
	}
	return nil
}

// money is a number of a table with two decimals.
func money(text string) string {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return text
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}
