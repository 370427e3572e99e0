package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cohortline/cohortline/jobs"
	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/schemas"
	"github.com/cohortline/cohortline/transforms/ltv"
	"github.com/urfave/cli/v2"
)

func (p *program) ltvCompareCommand() *cli.Command {
	return &cli.Command{
		Name: "compare", Usage: "fit the models to what was known at an earlier date and compare their predictions with what came",
		Description: "The purchases of every customer day by day come from the table customer_periods of the warehouse, where it has the grain day;\n" +
			"otherwise from the orders that the configuration names, which are read as in a run that publishes nothing. The model with the\n" +
			"greatest log-likelihood of the held-out purchases is the best. The plot shows the weekly repeat purchases of the customers\n" +
			"known at the first day that is held out, and what the best model expects from their first purchases alone.",
		Flags: ltvFlags(
			&cli.StringFlag{Name: "holdout", Value: "26 weeks", Usage: "`TIME` to hold out, with its unit"},
			&cli.IntFlag{Name: "origins", Value: 1, Usage: "at most `N` dates to look ahead from, one holdout apart"},
			&cli.StringFlag{Name: "by", Usage: "also by segments of this `DIMENSION`"},
			&cli.StringFlag{Name: "svg", Usage: "write the plot as SVG to `PATH`"},
			&cli.StringFlag{Name: "temp-dir", Usage: "`FOLDER` for what the reading of orders needs"},
			&cli.StringFlag{Name: "memory", Usage: "`SIZE` that the reading of orders may use"},
		),
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return &usageError{fmt.Errorf("%q is one argument too many: compare needs purchases day by day, from a warehouse or a configuration", c.Args().First())}
			}
			if path := c.String("svg"); path != "" {
				if err := checkFolder("--svg", path); err != nil {
					return err
				}
			}
			m, err := p.compare(c)
			if err != nil {
				return err
			}
			if path := c.String("svg"); path != "" {
				if err := replaceFile("--svg", path, m.svg); err != nil {
					return err
				}
			}
			return p.say(c, m.document(), func(g *page) { m.print(g, p.width()) })
		},
	}
}

// comparison is the models at some origins, the latest first.
type comparison struct {
	*jobs.Histories
	held     ltv.Span
	origins  []originOf
	tracking ltv.Tracking // of the best model at the latest origin
}

// originOf is one origin: the scores, and the back-tests of all customers and of segments.
type originOf struct {
	day, last int32
	choice    ltv.Choice
	backtests []ltv.Backtest
}

// compare reads the purchases and looks ahead from every origin.
func (p *program) compare(c *cli.Context) (*comparison, error) {
	if err := choices(c, "output", "log-format"); err != nil {
		return nil, err
	}
	list, err := candidates(c)
	if err != nil {
		return nil, err
	}
	probability, err := intervalFlag(c)
	if err != nil {
		return nil, err
	}
	m := &comparison{}
	if m.held, err = ltv.ParseSpan(c.String("holdout")); err != nil {
		return nil, &usageError{fmt.Errorf("--holdout: %w", err)}
	}
	days, most := math.Round(m.held.In(ltv.Day)), c.Int("origins")
	switch {
	case days < 1 || days > 36525:
		return nil, &usageError{fmt.Errorf("--holdout cannot be %s: give a time from one day to 100 years", m.held)}
	case most < 1:
		return nil, &usageError{fmt.Errorf("--origins cannot be %d: give 1 or more", most)}
	}
	if m.Histories, err = p.histories(c); err != nil {
		return nil, err
	}
	first, _ := m.Days()
	origins := ltv.Origins(first, m.Last, int32(days), most)
	if len(origins) == 0 {
		return nil, &usageError{fmt.Errorf("%s cannot be held out of %.1f weeks of history: less would be left to learn from: give a shorter --holdout, e.g. --holdout %q",
			m.held, float64(m.Last-first+1)/7, fmt.Sprintf("%d days", max(1, (m.Last-first+1)/2)))}
	}
	for i, day := range origins {
		plan := ltv.BacktestPlan{Origin: day, Last: m.Last - int32(i)*int32(days), Unit: ltv.Week, Probability: probability, Candidates: list,
			Segments: len(m.Segments), LeastRepeaters: leastRepeaters}
		o, err := lookAhead(m.Histories, plan)
		if err != nil {
			return nil, err
		}
		m.origins = append(m.origins, o)
	}
	latest := m.origins[0]
	best, ok := latest.choice.Chosen()
	if !ok {
		var fits []ltv.Fit
		for _, s := range latest.choice.Scores {
			fits = append(fits, s.Fit)
		}
		return nil, fmt.Errorf("%w to what was known on %s: %s", errNoFit, date(latest.day), reasons(fits))
	}
	m.tracking = ltv.Track(best.Model, &m.Histories.Histories, latest.day, m.Last, 7, ltv.Week)
	return m, nil
}

// leastRepeaters is the number of customers with a repeat purchase from which a segment is
// fitted by itself.
const leastRepeaters = 100

// manyCustomers is the number from which the intervals leave out what is uncertain of the parameters.
const manyCustomers = 50_000

func lookAhead(h *jobs.Histories, plan ltv.BacktestPlan) (originOf, error) {
	o := originOf{day: plan.Origin, last: plan.Last}
	customers := h.At(plan.Origin, plan.Last)
	plan.KnownParameters = len(customers) > manyCustomers
	known, whole, err := ltv.Split(customers, plan.Origin, plan.Last, plan.Unit)
	if err != nil {
		return o, err
	}
	if o.choice, err = ltv.Choose(known, whole, plan.Candidates); err != nil {
		return o, err
	}
	o.backtests, err = ltv.Backtests(customers, plan)
	return o, err
}

// histories reads the days of the warehouse where it has them, else the orders.
func (p *program) histories(c *cli.Context) (*jobs.Histories, error) {
	if by := c.String("by"); by != "" && !slices.Contains(schemas.DimensionColumns, by) {
		return nil, &usageError{fmt.Errorf("--by: %q is no dimension%s", by, jobs.Suggest(by, schemas.DimensionColumns))}
	}
	s, err := p.warehouse(c)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	h, err := jobs.ReadHistories(c.Context, s, c.String("as-of"), c.String("by"))
	if err == nil || c.String("warehouse") != "" || !errors.Is(err, jobs.ErrNoDays) && !errors.Is(err, source.ErrMissing) {
		return h, err
	}
	asOf := c.String("as-of")
	if asOf == "" {
		if _, asOf, err = pipeline.TablePath(c.Context, s, "customers", ""); err != nil {
			return nil, &usageError{errors.New("nothing has been published yet, so the orders are to be read: up to when? Give --as-of")}
		}
	}
	config, err := jobs.LoadConfig(c.String("config"), p.env)
	if err != nil {
		return nil, err
	}
	o := jobs.Options{TempDir: c.String("temp-dir"), CodeVersion: version, Observe: p.observer(c.Bool("quiet"))}
	if o.Memory, err = memoryLimit(c); err != nil {
		return nil, err
	}
	if o.AsOf, err = instant(asOf, config.Zone); err != nil {
		return nil, err
	}
	return jobs.OrderHistories(c.Context, config, o, c.String("by"))
}

// date is a day as people write it.
func date(day int32) string { return time.Unix(int64(day)*86400, 0).UTC().Format(time.DateOnly) }
