package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/cohortline/cohortline/jobs"
	"github.com/cohortline/cohortline/transforms/ltv"
	"github.com/urfave/cli/v2"
)

func (p *program) ltvFitCommand() *cli.Command {
	return &cli.Command{
		Name: "fit", Usage: "fit the models to customers and say what is expected of them", ArgsUsage: "[FILE]",
		Description: "Customers come from FILE, CSV or Parquet with the columns customer_id, frequency, recency, age and, for value, monetary_value\n" +
			"(purchases after the first, time from the first to the last, time from the first until now, mean value of the purchases after\n" +
			"the first); without FILE from the table customers of the warehouse. --model auto takes the model with the least AIC: it\n" +
			"looks at the data that all were fitted to. `cohortline ltv compare` looks at what came later.",
		Flags: summaryFlags(&cli.StringFlag{Name: "out", Usage: "write the predictions of every customer to `PATH`, .csv or .parquet"}),
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return &usageError{errors.New("name one file of customers, or none for the warehouse")}
			}
			if err := checkOut(c.String("out")); err != nil {
				return err
			}
			f, err := p.fit(c, c.Args().First(), nil)
			if err != nil {
				return err
			}
			if out := c.String("out"); out != "" {
				if err := writePredictions(out, f); err != nil {
					return err
				}
			}
			d := f.document()
			return p.say(c, d, d.print)
		},
	}
}

// fitting is the models fitted to customers, and what the chosen one expects of them.
type fitting struct {
	*jobs.Summaries
	summary     *ltv.Summary
	row         []int32 // by customer, its row of summary
	candidates  []ltv.Candidate
	fits        []ltv.Fit
	chosen      int
	spends      *ltv.SpendSummary // nil without monetary values
	spend       ltv.GammaGamma
	spendFit    ltv.Fit
	valuation   ltv.Valuation
	probability float64
	forecast    *ltv.Forecast
}

// errNoFit is the cause when no model has a usable fit.
var errNoFit = errors.New("no model has a usable fit")

// fit reads customers, fits what --model allows and makes the forecast: with a published fit
// its model, to its customers.
func (p *program) fit(c *cli.Context, file string, published *jobs.PublishedFit) (*fitting, error) {
	if err := choices(c, "output", "log-format"); err != nil {
		return nil, err
	}
	f := &fitting{chosen: -1}
	var err error
	if f.candidates, err = candidates(c); err != nil {
		return nil, err
	}
	if f.probability, err = intervalFlag(c); err != nil {
		return nil, err
	}
	if f.valuation, err = valuation(c); err != nil {
		return nil, err
	}
	observe := p.observer(c.Bool("quiet"))
	done := observe.Stage("read", "customers")
	if f.Summaries, err = p.summaries(c, file); err != nil {
		return nil, err
	}
	if published != nil {
		f.candidates = slices.DeleteFunc(f.candidates, func(k ltv.Candidate) bool { return k.Name != published.Model })
		published.Of(f.Summaries)
	}
	f.valuation.Unit = f.Unit
	customers := int64(len(f.IDs))
	done(customers, "customers")
	done = observe.Stage("fit", "models")
	if err := f.estimate(); err != nil {
		return nil, err
	}
	done(int64(len(f.summary.Rows())), "distinct customers")
	done = observe.Stage("predict", f.valuation.Horizon.String())
	f.forecast = ltv.NewForecast(f.candidates[f.chosen], &f.fits[f.chosen], f.spend, &f.spendFit, f.summary, f.valuation, f.probability)
	done(int64(len(f.summary.Rows())), "distinct customers")
	return f, nil
}

// estimate fits the candidates and the model of spend, and chooses.
func (f *fitting) estimate() (err error) {
	if f.summary, f.row, err = ltv.Compress(f.RFM); err != nil {
		return err
	}
	for i, k := range f.candidates {
		_, fit := k.Fit(f.summary)
		f.fits = append(f.fits, fit)
		if fit.Verdict.Usable() && (f.chosen < 0 || fit.AIC() < f.fits[f.chosen].AIC()) {
			f.chosen = i
		}
	}
	if f.chosen < 0 {
		return fmt.Errorf("%w to these %s customers: %s", errNoFit, thousands(int64(len(f.IDs))), reasons(f.fits))
	}
	if f.Spend != nil {
		if f.spends, err = ltv.CompressSpend(f.Spend); err != nil {
			return err
		}
		f.spend, f.spendFit = ltv.FitGammaGamma(f.spends)
	}
	return nil
}

// reasons are the distinct reasons of the verdicts.
func reasons(fits []ltv.Fit) string {
	var list []string
	for _, f := range fits {
		if s := f.Verdict.Reason; len(list) == 0 || list[len(list)-1] != s {
			list = append(list, s)
		}
	}
	return strings.Join(list, "; ")
}

// customer is the forecast of the customer at a place.
func (f *fitting) customer(i int) ltv.CustomerForecast {
	return f.forecast.Customer(int(f.row[i]), f.spent(i))
}

// spent is what the repeat purchases of the customer at a place were worth together.
func (f *fitting) spent(i int) float64 {
	if f.Spend == nil {
		return 0
	}
	return float64(f.Spend[i].Count) * f.Spend[i].Mean
}

// mute says whether the probability to be alive is the model's assumption, not a finding:
// it is not shown then.
func (f *fitting) mute(c ltv.RFM) bool { return f.candidates[f.chosen].AssumesAlive(c) }

// warnings are what speaks against the numbers.
func (f *fitting) warnings() []string {
	var list []string
	silence := math.Inf(1)
	for _, c := range f.RFM {
		silence = min(silence, c.Age-c.Recency)
	}
	if days := silence * float64(f.Unit); days > stale {
		list = append(list, staleWarning(days/7))
	}
	if f.spends != nil && f.spendFit.Verdict.Usable() {
		if r := f.spends.Correlation(); math.Abs(r) > 0.3 {
			list = append(list, fmt.Sprintf("frequency and spend are correlated (%.2f); the model of spend assumes that they are not: look at frequent and rare buyers apart", r))
		}
		if n := f.spends.Unusable(); n > 0 {
			list = append(list, fmt.Sprintf("%s customers have repeat purchases of no or negative value; they are expected to spend what all do", thousands(int64(n))))
		}
		if strings.Contains(f.spendFit.Verdict.Reason, "no bound") {
			list = append(list, "Gamma-Gamma "+f.spendFit.Verdict.Reason)
		}
	}
	switch f.candidates[f.chosen].Name {
	case "bg_nbd":
		list = append(list, "BG/NBD takes customers without a repeat purchase for alive by assumption: their probability_alive is left empty; --model mbg_nbd or pareto_nbd has one")
	case "nbd":
		list = append(list, "NBD takes all customers for alive by assumption: probability_alive is left empty")
	}
	return list
}
