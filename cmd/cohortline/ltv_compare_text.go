package main

import (
	"fmt"
	"math"

	"github.com/cohortline/cohortline/pipeline/sink"
	"github.com/cohortline/cohortline/transforms/ltv"
)

// compareDocument is what `ltv compare` has found.
type compareDocument struct {
	AsOf     string           `json:"as_of"`
	HoldOut  string           `json:"holdout"`
	Origins  []originDocument `json:"origins"`
	Tracking []trackedWeek    `json:"tracking"`
	Warnings []string         `json:"warnings"`
}

type originDocument struct {
	Origin    string             `json:"known_until"`
	Last      string             `json:"held_out_until"`
	Best      string             `json:"best,omitempty"`
	Scores    []scoreDocument    `json:"scores"`
	Backtests []backtestDocument `json:"backtests"`
}

type scoreDocument struct {
	Fit     modelFit `json:"fit"`
	HeldOut *float64 `json:"held_out_log_likelihood"`
}

type backtestDocument struct {
	Model     string            `json:"model"`
	Segment   string            `json:"segment"`
	FittedOn  string            `json:"fitted_on"`
	Customers int               `json:"customers"`
	Orders    *accuracyDocument `json:"orders"`
	Value     *accuracyDocument `json:"value"`
}

type accuracyDocument struct {
	Predicted float64          `json:"predicted"`
	Actual    float64          `json:"actual"`
	MAE       float64          `json:"mae"`
	RMSE      float64          `json:"rmse"`
	Bias      float64          `json:"bias"`
	Gini      float64          `json:"gini"`
	Coverage  float64          `json:"interval_coverage"`
	Deciles   []decileDocument `json:"deciles"`
}

type decileDocument struct {
	Customers float64 `json:"customers"`
	Predicted float64 `json:"predicted"`
	Actual    float64 `json:"actual"`
}

// trackedWeek is a week of the plot, from the first purchase of all on.
type trackedWeek struct {
	Week     int     `json:"week"`
	Actual   float64 `json:"actual"`
	Expected float64 `json:"expected"`
}

func accuracyOf(a *ltv.Accuracy) *accuracyDocument {
	if a == nil {
		return nil
	}
	d := &accuracyDocument{Predicted: a.Predicted, Actual: a.Actual, MAE: a.MAE, RMSE: a.RMSE, Bias: a.Bias, Gini: a.Gini, Coverage: a.Coverage, Deciles: []decileDocument{}}
	for _, x := range a.Deciles {
		d.Deciles = append(d.Deciles, decileDocument(x))
	}
	return d
}

// segment names the segment of a back-test.
func (m *comparison) segment(b *ltv.Backtest) string {
	if b.Segment == ltv.Everyone {
		return "all"
	}
	return m.Segments[b.Segment]
}

func fittedOn(b *ltv.Backtest) string {
	if b.Pooled {
		return "all"
	}
	return "segment"
}

func (m *comparison) document() compareDocument {
	d := compareDocument{AsOf: m.AsOf, HoldOut: m.held.String(), Warnings: m.warnings()}
	for _, o := range m.origins {
		x := originDocument{Origin: date(o.day), Last: date(o.last)}
		for i, s := range o.choice.Scores {
			score := scoreDocument{Fit: modelFitOf(s.Candidate.Name, s.Candidate.Title, &s.Fit, i == o.choice.Best)}
			if !math.IsInf(s.HeldOut, -1) {
				score.HeldOut = &s.HeldOut
			}
			x.Scores = append(x.Scores, score)
		}
		if best, ok := o.choice.Chosen(); ok {
			x.Best = best.Candidate.Name
		}
		for i := range o.backtests {
			b := &o.backtests[i]
			x.Backtests = append(x.Backtests, backtestDocument{b.Candidate.Name, m.segment(b), fittedOn(b), b.Customers, accuracyOf(b.Orders), accuracyOf(b.Value)})
		}
		d.Origins = append(d.Origins, x)
	}
	for i, v := range m.tracking.Actual {
		d.Tracking = append(d.Tracking, trackedWeek{i + 1, v, m.tracking.Expected[i]})
	}
	return d
}

// warnings are what speaks against the numbers.
func (m *comparison) warnings() []string {
	if _, last := m.Days(); m.Last-last > stale {
		return []string{staleWarning(float64(m.Last-last) / 7)}
	}
	return []string{}
}

// stale is the number of days without any purchase from which the data seem to end before
// the as-of date.
const stale = 28

func staleWarning(weeks float64) string {
	return fmt.Sprintf("no customer bought in the last %.1f weeks: if the data end before the as-of date, give the date on which they end with --as-of, or everybody seems lost", weeks)
}

// print says the same to people.
func (m *comparison) print(g *page, width int) {
	for i := range m.origins {
		if i > 0 {
			fmt.Fprintln(g)
		}
		m.printOrigin(g, &m.origins[i])
	}
	if best, ok := m.origins[0].choice.Chosen(); ok {
		fmt.Fprintf(g, "\nRepeat purchases by week: • came, line expected by %s, ┊ what is right of it was held out\n", best.Candidate.Title)
		known := m.knownWeeks()
		trackingPlot(g, m.tracking.Actual, m.tracking.Expected, known, width)
		fmt.Fprintln(g, "\nThe same, summed up")
		trackingPlot(g, ltv.Cumulative(m.tracking.Actual), ltv.Cumulative(m.tracking.Expected), known, width)
	}
	for _, w := range m.warnings() {
		fmt.Fprintln(g, "warning: "+w)
	}
}

// knownWeeks is the number of weeks of the plot that the model has seen.
func (m *comparison) knownWeeks() int {
	first, _ := m.Days()
	return int(m.origins[0].day-first+1) / 7
}

func (m *comparison) printOrigin(g *page, o *originOf) {
	customers, orders := 0, ""
	for _, b := range o.backtests {
		if b.Segment == ltv.Everyone {
			customers = b.Customers
			if b.Orders != nil {
				orders = fmt.Sprintf(", %s orders", thousands(int64(b.Orders.Actual)))
			}
		}
	}
	fmt.Fprintf(g, "%s customers known on %s; held out: %s until %s%s\n\n", thousands(int64(customers)), date(o.day), m.held, date(o.last), orders)
	t := sink.Rows{Columns: []string{"", "model", "log-likelihood", "orders", "error", "MAE", "RMSE", "Gini", "in interval", "value", "error", "Gini", "in interval"}}
	for i := range t.Columns {
		t.Numeric = append(t.Numeric, i > 1)
	}
	for i, s := range o.choice.Scores {
		row := []string{" ", s.Candidate.Title, "", "", "", "", "", "", "", "", "", "", ""}
		if i == o.choice.Best {
			row[0] = "*"
		}
		if !math.IsInf(s.HeldOut, -1) {
			row[2] = fmt.Sprintf("%.2f", s.HeldOut)
		}
		b := o.backtests[i] // of all customers, in the order of the candidates
		if a := b.Orders; a != nil {
			copy(row[3:], []string{total(a.Predicted), off(a), short(a.MAE), short(a.RMSE), fmt.Sprintf("%.3f", a.Gini), percent(a.Coverage)})
		} else {
			row[3] = s.Fit.Verdict.Reason
		}
		if a := b.Value; a != nil {
			copy(row[9:], []string{total(a.Predicted), off(a), fmt.Sprintf("%.3f", a.Gini), percent(a.Coverage)})
		}
		t.Rows = append(t.Rows, texts(row...))
	}
	g.table(t)
	if best, ok := o.choice.Chosen(); ok {
		fmt.Fprintln(g, "* greatest log-likelihood of the held-out purchases")
		m.printBest(g, o, best.Candidate)
	}
}

// printBest shows how the best model did by tenths of the customers and by segment.
func (m *comparison) printBest(g *page, o *originOf, best ltv.Candidate) {
	segments := sink.Rows{Columns: []string{"segment", "fitted on", "customers", "orders", "came", "error", "Gini", "in interval"}}
	for i := range segments.Columns {
		segments.Numeric = append(segments.Numeric, i > 1)
	}
	for _, b := range ltv.Chosen(o.backtests, best.Name) {
		a := b.Orders
		switch {
		case a == nil:
		case b.Segment == ltv.Everyone:
			tenths := sink.Rows{Columns: []string{best.Title + ": orders of a customer, by tenths"}, Numeric: []bool{false}}
			rows := [2][]string{{"expected"}, {"came"}}
			for k, d := range a.Deciles {
				tenths.Columns, tenths.Numeric = append(tenths.Columns, fmt.Sprint(k+1)), append(tenths.Numeric, true)
				rows[0], rows[1] = append(rows[0], fmt.Sprintf("%.2f", d.Predicted/d.Customers)), append(rows[1], fmt.Sprintf("%.2f", d.Actual/d.Customers))
			}
			tenths.Rows = [][]*string{texts(rows[0]...), texts(rows[1]...)}
			fmt.Fprintln(g)
			g.table(tenths)
		default:
			segments.Rows = append(segments.Rows, texts(cell(m.segment(&b), false), fittedOn(&b), thousands(int64(b.Customers)), total(a.Predicted), total(a.Actual), off(a), fmt.Sprintf("%.3f", a.Gini), percent(a.Coverage)))
		}
	}
	if len(segments.Rows) > 0 {
		fmt.Fprintln(g)
		g.table(segments)
	}
}

// off is by how much the total was missed.
func off(a *ltv.Accuracy) string {
	if a.Actual == 0 {
		return ""
	}
	return fmt.Sprintf("%+.1f%%", 100*(a.Predicted/a.Actual-1))
}

func percent(v float64) string { return fmt.Sprintf("%.1f%%", 100*v) }
