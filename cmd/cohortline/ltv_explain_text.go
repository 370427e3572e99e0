package main

import (
	"fmt"
	"math"
)

// print says in words why the number is what it is.
func (e *explanation) print(g *page, f *fitting) {
	now := "now"
	if e.AsOf != "" {
		now = "as of " + e.AsOf
	}
	model, of := e.title, ""
	if e.published != nil {
		model += " as published,"
	}
	if e.Segment != "" {
		of = " of " + cell(e.Segment, false)
	}
	fmt.Fprintf(g, "Customer %s %s, by %s fitted to %s customers%s; the next %s\n\n", cell(e.Customer, false), now, model, thousands(int64(len(f.IDs))), of, f.valuation.Horizon)
	e.printForecast(g, f)
	if e.published != nil && e.published.Basis == "margin" {
		fmt.Fprintln(g, "  customer_ltv counts margin; value here is net revenue")
	}
	fmt.Fprintln(g, "\nWhy")
	for _, s := range e.why(f) {
		fmt.Fprintln(g, "  "+s)
	}
	fmt.Fprintln(g, "\nWhat would change it")
	for _, s := range e.changes() {
		fmt.Fprintln(g, "  "+s)
	}
}

func (e *explanation) printForecast(g *page, f *fitting) {
	o := e.Forecast
	if o.Alive != nil {
		fmt.Fprintf(g, "  still a customer   %s\n", percent(*o.Alive))
	} else {
		fmt.Fprintf(g, "  still a customer   %s takes it for certain: no finding\n", e.title)
	}
	fmt.Fprintf(g, "  orders             %s expected; %d to %d with probability %g; none with %s\n", short(o.Orders), *o.OrdersLow, *o.OrdersHigh, e.probability, percent(o.Nothing))
	if o.Value == nil {
		fmt.Fprintln(g, "  value              not known: "+e.noValue(f))
		return
	}
	fmt.Fprintf(g, "  an order           %.2f expected\n", *o.Spend)
	fmt.Fprintf(g, "  value              %.2f expected, today's worth at %s; %.2f to %.2f with probability %g\n", *o.Value, f.valuation.Discount, *o.ValueLow, *o.ValueHigh, e.probability)
}

func (e *explanation) noValue(f *fitting) string {
	if f.Spend == nil {
		return "there is no column monetary_value"
	}
	return f.spendFit.Verdict.Reason
}

// why are the sentences about the purchases, the silence, the rate and the spend.
func (e *explanation) why(f *fitting) []string {
	var list []string
	if e.Frequency == 0 {
		list = append(list, fmt.Sprintf("One purchase %s ago, none since.", e.span(e.Age)))
	} else {
		list = append(list, fmt.Sprintf("%d purchases in %s: the first %s ago, then one every %s, the last %s ago.",
			e.Frequency+1, e.span(e.Recency), e.span(e.Age), e.span(*e.UsualGap), e.span(e.Silence)))
		switch ratio := e.Silence / *e.UsualGap; {
		case ratio < 0.05:
			list = append(list, "The last purchase was just now: nothing speaks for a loss yet.")
		case ratio < 1:
			list = append(list, fmt.Sprintf("The silence is %.0f %% of the usual gap: still in time.", 100*ratio))
		default:
			list = append(list, fmt.Sprintf("The silence is %.1f times the usual gap; the more often a customer bought, the more the same silence speaks for a loss.", ratio))
		}
	}
	list = append(list, fmt.Sprintf("While a customer: %s purchases a %s, from the own history (weight %.0f %%) and the %s of all (weight %.0f %%).",
		short(e.Rate), e.Unit, 100*e.OwnShare, short(e.RateOfAll), 100*(1-e.OwnShare)))
	switch {
	case e.OwnSpend != nil:
		list = append(list, fmt.Sprintf("An order: from the own mean of %.2f (weight %.0f %%) and the %.2f of all (weight %.0f %%).",
			*e.OwnSpend, 100**e.OwnSpendShare, *e.SpendOfAll, 100*(1-*e.OwnSpendShare)))
	case e.SpendOfAll != nil:
		list = append(list, fmt.Sprintf("An order: what all spend, %.2f, as nothing is known of this customer's repeat purchases.", *e.SpendOfAll))
	}
	if o := e.Forecast; o.Value != nil && o.Alive != nil {
		living := o.Orders / math.Max(*o.Alive, math.SmallestNonzeroFloat64)
		list = append(list, fmt.Sprintf("%s still a customer × %s orders if so × %.2f an order, less the discount = %.2f.", percent(*o.Alive), short(living), *o.Spend, *o.Value))
	}
	return list
}

// changes are the sentences about what would change the forecast.
func (e *explanation) changes() []string {
	var list []string
	for _, o := range e.IfQuiet {
		when := fmt.Sprintf("for %s", e.span(o.After))
		if o.Date != "" {
			when = "until " + o.Date
		}
		s := fmt.Sprintf("Nothing bought %s:", when)
		if o.Alive != nil {
			s += fmt.Sprintf(" still a customer %s,", percent(*o.Alive))
		}
		s += fmt.Sprintf(" then %s orders", short(o.Orders))
		if o.Value != nil {
			s += fmt.Sprintf(" worth %.2f", *o.Value)
		}
		list = append(list, s+".")
	}
	o := e.IfBought
	s := "One more order tomorrow:"
	if o.Alive != nil {
		s += fmt.Sprintf(" still a customer %s,", percent(*o.Alive))
	}
	s += fmt.Sprintf(" then %s orders", short(o.Orders))
	if o.Value != nil {
		s += fmt.Sprintf(" worth %.2f", *o.Value)
	}
	return append(list, s+".")
}

// span is a length of time in the unit of the summary.
func (e *explanation) span(v float64) string {
	unit := e.Unit + "s"
	if v == 1 {
		unit = e.Unit
	}
	return fmt.Sprintf("%s %s", short(math.Round(v*10)/10), unit)
}
