package main

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/cohortline/cohortline/jobs"
	"github.com/cohortline/cohortline/pipeline/sink"
	"github.com/cohortline/cohortline/transforms/ltv"
	"github.com/urfave/cli/v2"
)

func (p *program) ltvCommand() *cli.Command {
	return &cli.Command{
		Name: "ltv", Usage: "fit the models of lifetime value, compare them with what came, explain a customer's number",
		Subcommands: []*cli.Command{p.ltvFitCommand(), p.ltvCompareCommand(), p.ltvExplainCommand()},
	}
}

// autoModel is the --model that leaves the choice to the data.
const autoModel = "auto"

// ltvFlags are what the commands of lifetime value share.
func ltvFlags(more ...cli.Flag) []cli.Flag {
	return append(warehouseFlags(), append([]cli.Flag{
		&cli.StringFlag{Name: "as-of", Usage: "`DATE` of the result; the latest unless given"},
		&cli.StringFlag{Name: "model", Value: autoModel, Usage: "`NAME`: auto, nbd, mbg_nbd, pareto_nbd or bg_nbd"},
		&cli.StringFlag{Name: "interval", Value: "0.8", Usage: "`PROBABILITY` of the intervals"},
		&cli.StringFlag{Name: "output", Value: "text", Usage: "`FORMAT`: text or json"},
		&cli.StringFlag{Name: "result-file", Usage: "write the result as JSON to `PATH`"},
		&cli.StringFlag{Name: "log-format", Value: "text", Usage: "`FORMAT` of messages on standard error: text or json"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no progress: only warnings and errors"},
	}, more...)...)
}

// summaryFlags say which customers to take and what their future is worth.
func summaryFlags(more ...cli.Flag) []cli.Flag {
	return ltvFlags(append([]cli.Flag{
		&cli.StringFlag{Name: "unit", Usage: "`UNIT` of recency and age in FILE: days or weeks; not needed where the names of the columns say it"},
		&cli.StringFlag{Name: "horizon", Value: "12 months", Usage: "`TIME` to look ahead, with its unit"},
		&cli.StringFlag{Name: "discount", Value: "0.10 per year", Usage: "`RATE` with its unit"},
	}, more...)...)
}

// candidates are the models that --model allows.
func candidates(c *cli.Context) ([]ltv.Candidate, error) {
	all, name := ltv.Candidates(), c.String("model")
	if name == autoModel {
		return all, nil
	}
	for _, k := range all {
		if k.Name == name {
			return []ltv.Candidate{k}, nil
		}
	}
	return nil, &usageError{fmt.Errorf("--model: there is no model %q%s", name, jobs.Suggest(strings.ToLower(name), modelNames()))}
}

// modelNames are the values of --model.
func modelNames() []string {
	names := []string{autoModel}
	for _, k := range ltv.Candidates() {
		names = append(names, k.Name)
	}
	return names
}

// intervalFlag is the probability of the intervals.
func intervalFlag(c *cli.Context) (float64, error) {
	v, err := strconv.ParseFloat(c.String("interval"), 64)
	if err != nil || !(v > 0 && v < 1) {
		return 0, &usageError{fmt.Errorf("--interval cannot be %q: give a probability between 0 and 1, such as 0.8", c.String("interval"))}
	}
	return v, nil
}

// valuation reads --horizon and --discount; the unit is that of the summary.
func valuation(c *cli.Context) (v ltv.Valuation, err error) {
	if v.Horizon, err = ltv.ParseSpan(c.String("horizon")); err != nil {
		return v, &usageError{fmt.Errorf("--horizon: %w", err)}
	}
	if v.Discount, err = ltv.ParseDiscount(c.String("discount")); err != nil {
		return v, &usageError{fmt.Errorf("--discount: %w", err)}
	}
	v.Unit = ltv.Week
	if err := v.Check(); err != nil {
		return v, &usageError{err}
	}
	return v, nil
}

// summaries reads FILE where there is one, else the table customers of the warehouse.
func (p *program) summaries(c *cli.Context, file string) (*jobs.Summaries, error) {
	var unit ltv.Unit
	if u := c.String("unit"); u != "" {
		var err error
		if unit, err = ltv.ParseUnit(u); err != nil {
			return nil, &usageError{fmt.Errorf("--unit: %w", err)}
		}
	}
	if file != "" {
		if c.String("warehouse") != "" {
			return nil, &usageError{errors.New("give a file of customers or --warehouse, not both")}
		}
		return jobs.ReadSummaries(c.Context, file, unit)
	}
	s, err := p.warehouse(c)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return jobs.CustomerSummaries(c.Context, s, c.String("as-of"))
}

// short is a number with four digits that count, and more where they stand before the point.
func short(v float64) string {
	if a := math.Abs(v); a >= 1000 && a < 1e15 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// total is a sum over customers: whole where it is large.
func total(v float64) string {
	if math.Abs(v) >= 100 && math.Abs(v) < 1e15 {
		return thousands(int64(math.Round(v)))
	}
	return short(v)
}

// page is text for people on its way to standard output; it keeps the first failure.
type page struct {
	*bufio.Writer
	failed error
}

// table writes aligned columns.
func (g *page) table(t sink.Rows) { g.failed = errors.Join(g.failed, sink.Terminal(g.Writer, t)) }

// say prints a document as JSON or, page by page, as text.
func (p *program) say(c *cli.Context, document any, text func(*page)) error {
	g := &page{Writer: bufio.NewWriter(p.out)}
	err := p.result(c, document, func() { text(g) })
	return errors.Join(err, g.failed, g.Flush())
}
