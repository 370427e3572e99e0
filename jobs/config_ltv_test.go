package jobs

import (
	"os"
	"strings"
	"testing"

	"github.com/cohortline/cohortline/transforms"
	"github.com/cohortline/cohortline/transforms/ltv"
)

func TestConfigOfLifetimeValue(t *testing.T) {
	c, err := ParseConfig("c.yaml", []byte(strings.Replace(minimal, "output:", "dimensions: [country, channel]\nltv: {model: pareto_nbd, horizon: 2 years, discount: 1 % per month, holdout: 13 weeks, by: channel, interval: 0.9, contract: month}\noutput:", 1)), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	got := *c.LTV
	if len(got.By) != 1 || got.By[0] != 1 {
		t.Errorf("by %v, want the place of channel", got.By)
	}
	got.By = nil
	want := transforms.LTVRules{Model: "pareto_nbd", Horizon: ltv.Span{Count: 2, Unit: ltv.Year}, Discount: ltv.Discount{Rate: .01, Per: ltv.Month}, HoldOut: ltv.Span{Count: 13, Unit: ltv.Week}, Interval: .9, Contracts: true, Contract: transforms.Month}
	if got.Model != want.Model || got.Horizon != want.Horizon || got.Discount != want.Discount || got.HoldOut != want.HoldOut || got.Interval != want.Interval || !got.Contracts || got.Contract != want.Contract {
		t.Errorf("%+v, want %+v", got, want)
	}
	defaults, err := ParseConfig("c.yaml", []byte(strings.Replace(minimal, "output:", "ltv: {}\noutput:", 1)), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	if d := defaults.LTV; d.Model != "auto" || d.Horizon.String() != "12 months" || d.Discount.String() != "0.1 per year" || d.HoldOut.String() != "26 weeks" || d.Interval != .8 {
		t.Errorf("defaults %+v", d)
	}
	// Without the section, and without a length of contracts, their tables are not among all tables.
	plain, err := ParseConfig("c.yaml", []byte(minimal), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(transforms.LTVTables); len(plain.Tables) != len(tableNames())-n || len(defaults.Tables) != len(tableNames())-1 || len(c.Tables) != len(tableNames()) {
		t.Errorf("%d, %d and %d tables of %d", len(plain.Tables), len(defaults.Tables), len(c.Tables), len(tableNames()))
	}
}

func TestMistakesInTheSectionOfLifetimeValue(t *testing.T) {
	for text, want := range map[string]string{
		"ltv: {horizon: 12}":                    `ltv.horizon: "12" of what? Write the unit too: 12 days`,
		"ltv: {horizon: 0 months}":              `ltv.horizon: "0 months" must be longer than nothing`,
		"ltv: {horizon: 200 years}":             `"200 years" must be from a day to 100 years`,
		"ltv: {horizon: 1e3 months}":            `is no unit of time`,
		"ltv: {discount: 0.1}":                  `ltv.discount: "0.1" per what?`,
		"ltv: {discount: -1.5 per year}":        `is −100 % or less`,
		"ltv: {discount: [0.1]}":                "ltv.discount must be a text",
		"ltv: {model: bgnbd}":                   `ltv.model cannot be "bgnbd"; did you mean "bg_nbd"?`,
		"ltv: {model: pareto}":                  `ltv.model cannot be "pareto"; it knows auto, nbd, mbg_nbd, pareto_nbd, bg_nbd`,
		"ltv: {holdout: half a year}":           "is no length of time",
		"ltv: {interval: 80}":                   "ltv.interval must be a probability from 0.01 to 0.99",
		"ltv: {contract: monthly}":              `ltv.contract cannot be "monthly"`,
		"ltv: {by: [chanel]}":                   `ltv.by: "chanel" is no configured dimension; did you mean "channel"?`,
		"ltv: {by: [channel, channel]}":         `ltv.by: "channel" is named twice`,
		"ltv: {horison: 12 months}":             `ltv has no key "horison"; did you mean "horizon"?`,
		"ltv: 12 months":                        "ltv must be a mapping",
		"job: x\ntables: [customer_ltv]":        "output.tables names customer_ltv, which needs a section ltv",
		"ltv: {}\ntables: [contract_retention]": "output.tables names contract_retention, which needs the length of a contract",
	} {
		document := strings.Replace(minimal, "output:", "dimensions: [channel]\n"+text+"\noutput:", 1)
		if before, tables, ok := strings.Cut(text, "\ntables"); ok {
			document = strings.NewReplacer("output:", before+"\noutput:", "path: out", "path: out, tables"+tables).Replace(minimal)
		}
		_, err := ParseConfig("c.yaml", []byte(document), os.LookupEnv)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
}
