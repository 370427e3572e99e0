package main

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/cohortline/cohortline/jobs"
	"github.com/cohortline/cohortline/transforms/ltv"
	"github.com/urfave/cli/v2"
)

func (p *program) ltvExplainCommand() *cli.Command {
	return &cli.Command{
		Name: "explain", Usage: "say why a customer's predicted value is what it is, and what would change it", ArgsUsage: "CUSTOMER [FILE]",
		Description: "The models are fitted to all customers of FILE, or of the table customers of the warehouse, as `cohortline ltv fit` does. Where the\n" +
			"warehouse has the table customer_ltv, --model auto is the model published there, fitted to the same segment.",
		Flags: summaryFlags(),
		Action: func(c *cli.Context) error {
			if c.NArg() < 1 || c.NArg() > 2 {
				return &usageError{errors.New("name one customer, e.g. cohortline ltv explain c-1042, and perhaps a file of customers")}
			}
			id, file := c.Args().First(), c.Args().Get(1)
			published, err := p.published(c, id, file)
			if err != nil {
				return err
			}
			f, err := p.fit(c, file, published)
			if err != nil {
				return err
			}
			e, err := f.explain(id)
			if err != nil {
				return err
			}
			if e.published = published; published != nil {
				e.Segment = published.Segment
			}
			return p.say(c, e, func(g *page) { e.print(g, f) })
		},
	}
}

// explanation is a customer's forecast and what it is made of.
type explanation struct {
	Customer      string `json:"customer_id"`
	AsOf          string `json:"as_of,omitempty"`
	Model         string `json:"model"`
	Segment       string `json:"segment,omitempty"` // that the model is fitted to; all customers where it is empty
	published     *jobs.PublishedFit
	Unit          string    `json:"unit_of_time"`
	Frequency     int       `json:"frequency"`
	Recency       float64   `json:"recency"`
	Age           float64   `json:"age"`
	Silence       float64   `json:"silence"`
	UsualGap      *float64  `json:"usual_gap"`
	Forecast      outlook   `json:"forecast"`
	OwnShare      float64   `json:"share_of_own_history_in_rate"`
	Rate          float64   `json:"purchases_per_unit_of_time_while_alive"`
	RateOfAll     float64   `json:"purchases_per_unit_of_time_of_all"`
	OwnSpend      *float64  `json:"own_mean_spend"`
	SpendOfAll    *float64  `json:"mean_spend_of_all"`
	OwnSpendShare *float64  `json:"share_of_own_history_in_spend"`
	IfQuiet       []outlook `json:"if_nothing_is_bought"`
	IfBought      outlook   `json:"if_one_more_order_comes_tomorrow"`
	rfm           ltv.RFM
	title         string
	probability   float64
}

// published is the fit behind the customer's row of customer_ltv, where there is one and
// nothing else is asked for.
func (p *program) published(c *cli.Context, id, file string) (*jobs.PublishedFit, error) {
	if file != "" || c.String("model") != autoModel {
		return nil, nil
	}
	s, err := p.warehouse(c)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return jobs.FindPublishedFit(c.Context, s, c.String("as-of"), id)
}

// outlook is what is expected at some moment.
type outlook struct {
	After      float64  `json:"after"` // units of time from now
	Date       string   `json:"date,omitempty"`
	Alive      *float64 `json:"probability_alive"` // null where the model takes it for certain
	Orders     float64  `json:"expected_orders"`
	OrdersLow  *int     `json:"expected_orders_low,omitempty"`
	OrdersHigh *int     `json:"expected_orders_high,omitempty"`
	Nothing    float64  `json:"probability_no_purchase"`
	Spend      *float64 `json:"expected_spend,omitempty"`
	Value      *float64 `json:"predicted_ltv,omitempty"`
	ValueLow   *float64 `json:"predicted_ltv_low,omitempty"`
	ValueHigh  *float64 `json:"predicted_ltv_high,omitempty"`
}

// find is the place of a customer.
func (f *fitting) find(id string) (int, error) {
	at := -1
	for i, other := range f.IDs {
		if other != id {
			continue
		}
		if at >= 0 {
			return 0, fmt.Errorf("customer %q is there twice, in the rows %d and %d: leave one out", id, at+1, i+1)
		}
		at = i
	}
	if at < 0 {
		return 0, &usageError{fmt.Errorf("there is no customer %q among these %s; ids look like %q", id, thousands(int64(len(f.IDs))), f.IDs[0])}
	}
	return at, nil
}

func (f *fitting) explain(id string) (*explanation, error) {
	i, err := f.find(id)
	if err != nil {
		return nil, err
	}
	c := f.RFM[i]
	k, values := f.candidates[f.chosen], f.fits[f.chosen].Values
	// The rate of purchase is Gamma(r, α) over customers, and Gamma(r + x, α + T) of this one.
	r, alpha := values[0], values[1]
	e := &explanation{Customer: id, AsOf: f.AsOf, Model: k.Name, title: k.Title, Unit: f.Unit.String(), rfm: c, probability: f.probability,
		Frequency: c.Frequency, Recency: c.Recency, Age: c.Age, Silence: c.Age - c.Recency,
		OwnShare: c.Age / (alpha + c.Age), Rate: (r + float64(c.Frequency)) / (alpha + c.Age), RateOfAll: r / alpha}
	if c.Frequency > 0 {
		gap := c.Recency / float64(c.Frequency)
		e.UsualGap = &gap
	}
	spend := ltv.Spend{Count: c.Frequency}
	if f.Spend != nil {
		spend = f.Spend[i]
	}
	e.Forecast = f.outlookOf(f.customer(i), c, 0)
	f.explainSpend(e, spend)
	for _, after := range f.moments() {
		quiet := ltv.RFM{Frequency: c.Frequency, Recency: c.Recency, Age: c.Age + after}
		o, err := f.outlookAt(quiet, f.spent(i), after)
		if err != nil {
			return nil, err
		}
		e.IfQuiet = append(e.IfQuiet, o)
	}
	day := float64(ltv.Day / f.Unit)
	e.IfBought, err = f.outlookAt(ltv.RFM{Frequency: c.Frequency + 1, Recency: c.Age + day, Age: c.Age + day}, f.spent(i)+f.customer(i).Spend, day)
	return e, err
}

// explainSpend says how much of the expected spend is the customer's own: the mean of a
// Gamma-Gamma is an average of the own mean and that of all.
func (f *fitting) explainSpend(e *explanation, spend ltv.Spend) {
	if !f.spendFit.Verdict.Usable() {
		return
	}
	all := f.spend.Mean(ltv.Spend{})
	if math.IsInf(all, 0) {
		return
	}
	e.SpendOfAll = &all
	if spend.Count > 0 && spend.Mean > 0 {
		px := f.spend.P * float64(spend.Count)
		share := px / (px + f.spend.Q - 1)
		e.OwnSpend, e.OwnSpendShare = &spend.Mean, &share
	}
}

// moments are when to look again at a customer who buys nothing: at a quarter, a half and
// the whole of the horizon.
func (f *fitting) moments() []float64 {
	horizon := f.valuation.Horizon.In(f.Unit)
	return []float64{horizon / 4, horizon / 2, horizon}
}

// outlookAt is the forecast of a customer with another history, some time from now.
func (f *fitting) outlookAt(c ltv.RFM, spent, after float64) (outlook, error) {
	s, _, err := ltv.Compress([]ltv.RFM{c})
	if err != nil {
		return outlook{}, err
	}
	forecast := ltv.NewForecast(f.candidates[f.chosen], &f.fits[f.chosen], f.spend, &f.spendFit, s, f.valuation, f.probability)
	return f.outlookOf(forecast.Customer(0, spent), c, after), nil
}

func (f *fitting) outlookOf(c ltv.CustomerForecast, r ltv.RFM, after float64) outlook {
	o := outlook{After: after, Orders: c.Expected, OrdersLow: &c.OrdersLow, OrdersHigh: &c.OrdersHigh, Nothing: c.NoPurchase}
	if t, err := time.Parse(time.DateOnly, f.AsOf); err == nil {
		o.Date = t.AddDate(0, 0, int(math.Round(after*float64(f.Unit)))).Format(time.DateOnly)
	}
	if !f.mute(r) {
		o.Alive = &c.Alive
	}
	if c.HasValue {
		o.Spend, o.Value, o.ValueLow, o.ValueHigh = &c.Spend, &c.Value, &c.ValueLow, &c.ValueHigh
	}
	return o
}
