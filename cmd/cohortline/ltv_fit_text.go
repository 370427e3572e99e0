package main

import (
	"fmt"

	"github.com/cohortline/cohortline/pipeline/sink"
	"github.com/cohortline/cohortline/transforms/ltv"
)

// fitDocument is what `ltv fit` has found.
type fitDocument struct {
	AsOf      string      `json:"as_of,omitempty"`
	Customers int         `json:"customers"`
	Repeaters float64     `json:"repeaters"`
	Unit      string      `json:"unit_of_time"`
	Models    []modelFit  `json:"models"`
	Spend     *modelFit   `json:"spend,omitempty"`
	Forecast  fitForecast `json:"forecast"`
	Warnings  []string    `json:"warnings"`
}

// modelFit is one model in it.
type modelFit struct {
	Model         string     `json:"model"`
	Title         string     `json:"title"`
	Chosen        bool       `json:"chosen"`
	Verdict       string     `json:"verdict"`
	Reason        string     `json:"reason"`
	LogLikelihood *float64   `json:"log_likelihood"`
	AIC           *float64   `json:"aic"`
	Parameters    []estimate `json:"parameters"`
}

// estimate is one parameter; without standard error where the data do not determine it.
type estimate struct {
	Name  string   `json:"name"`
	Value float64  `json:"value"`
	Error *float64 `json:"standard_error"`
}

// fitForecast is what is expected of all customers together.
type fitForecast struct {
	Horizon        string   `json:"horizon"`
	Discount       string   `json:"discount"`
	ExpectedOrders float64  `json:"expected_orders"`
	PredictedLTV   *float64 `json:"predicted_ltv"`
	Alive          *float64 `json:"customers_alive"`
}

func modelFitOf(name, title string, f *ltv.Fit, chosen bool) modelFit {
	m := modelFit{Model: name, Title: title, Chosen: chosen, Verdict: string(f.Verdict.Kind), Reason: f.Verdict.Reason, Parameters: []estimate{}}
	if f.Values != nil {
		likelihood, aic := f.LogLikelihood, f.AIC()
		m.LogLikelihood, m.AIC = &likelihood, &aic
	}
	for i, v := range f.Values {
		e := estimate{Name: f.Parameters[i], Value: v}
		if f.StandardErrors != nil {
			e.Error = &f.StandardErrors[i]
		}
		m.Parameters = append(m.Parameters, e)
	}
	return m
}

func (f *fitting) document() *fitDocument {
	d := &fitDocument{AsOf: f.AsOf, Customers: len(f.IDs), Repeaters: f.summary.Repeaters(), Unit: f.Unit.String(), Warnings: f.warnings()}
	if d.Warnings == nil {
		d.Warnings = []string{}
	}
	for i, c := range f.candidates {
		d.Models = append(d.Models, modelFitOf(c.Name, c.Title, &f.fits[i], i == f.chosen))
	}
	if f.spends != nil {
		m := modelFitOf("gamma_gamma", "Gamma-Gamma", &f.spendFit, f.spendFit.Verdict.Usable())
		d.Spend = &m
	}
	d.Forecast = fitForecast{Horizon: f.valuation.Horizon.String(), Discount: f.valuation.Discount.String()}
	var value, alive float64
	hasValue, assumed := f.Spend != nil, false
	for i := range f.IDs {
		c := f.customer(i)
		d.Forecast.ExpectedOrders += c.Expected
		value += c.Value
		alive += c.Alive
		hasValue = hasValue && c.HasValue
		assumed = assumed || f.mute(f.RFM[i])
	}
	if hasValue {
		d.Forecast.PredictedLTV = &value
	}
	if !assumed {
		d.Forecast.Alive = &alive
	}
	return d
}

// print says the same to people.
func (d *fitDocument) print(g *page) {
	where := ""
	if d.AsOf != "" {
		where = ", as of " + d.AsOf
	}
	fmt.Fprintf(g, "%s customers%s, %s with a repeat purchase; times in %ss\n\n", thousands(int64(d.Customers)), where, thousands(int64(d.Repeaters)), d.Unit)
	t := sink.Rows{Columns: []string{"", "model", "log-likelihood", "AIC", "verdict"}, Numeric: []bool{false, false, true, true, false}}
	for _, m := range d.Models {
		row := []string{" ", m.Title, "", "", m.Reason}
		if m.Chosen {
			row[0] = "*"
		}
		if m.LogLikelihood != nil {
			row[2], row[3] = fmt.Sprintf("%.2f", *m.LogLikelihood), fmt.Sprintf("%.2f", *m.AIC)
		}
		t.Rows = append(t.Rows, texts(row...))
	}
	g.table(t)
	if len(d.Models) > 1 {
		fmt.Fprintln(g, "* least AIC of the usable ones")
	}
	for _, m := range d.Models {
		if m.Chosen {
			printEstimates(g, m, d.Unit)
		}
	}
	if d.Spend != nil {
		printEstimates(g, *d.Spend, d.Unit)
	} else {
		fmt.Fprintln(g, "\nno column monetary_value: orders are predicted, value is not")
	}
	fmt.Fprintf(g, "\nNext %s: %s orders expected", d.Forecast.Horizon, total(d.Forecast.ExpectedOrders))
	if v := d.Forecast.PredictedLTV; v != nil {
		fmt.Fprintf(g, ", worth %s today at %s", total(*v), d.Forecast.Discount)
	}
	if v := d.Forecast.Alive; v != nil {
		fmt.Fprintf(g, "; %s customers still there", total(*v))
	}
	fmt.Fprintln(g)
	for _, w := range d.Warnings {
		fmt.Fprintln(g, "warning: "+w)
	}
}

// printEstimates lists the parameters of a model.
func printEstimates(g *page, m modelFit, unit string) {
	fmt.Fprintf(g, "\n%s", m.Title)
	if m.Verdict != string(ltv.Converged) || m.Reason != string(ltv.Converged) {
		fmt.Fprintf(g, ": %s", m.Reason)
	}
	fmt.Fprintln(g)
	for _, e := range m.Parameters {
		fmt.Fprintf(g, "  %s  %s", e.Name, short(e.Value))
		if e.Error != nil {
			fmt.Fprintf(g, " ± %s", short(*e.Error))
		}
		if e.Name == "α" && m.Model != "gamma_gamma" || e.Name == "β" && m.Model == "pareto_nbd" {
			fmt.Fprintf(g, " %ss", unit)
		}
		fmt.Fprintln(g)
	}
}

// texts are the cells of a row of a table.
func texts(values ...string) []*string {
	row := make([]*string, len(values))
	for i := range values {
		row[i] = &values[i]
	}
	return row
}
