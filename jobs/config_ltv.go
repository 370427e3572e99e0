package jobs

import (
	"slices"
	"strconv"

	"github.com/cohortline/cohortline/transforms"
	"github.com/cohortline/cohortline/transforms/ltv"
	"go.yaml.in/yaml/v4"
)

// ltv reads the section ltv: which lifetime value to predict. Lengths of time and the
// discount name their units.
func (c *Config) ltv(w *walk, n *yaml.Node) {
	r := &transforms.LTVRules{Model: "auto", Horizon: ltv.Span{Count: 12, Unit: ltv.Month}, Discount: ltv.Discount{Rate: 0.10, Per: ltv.Year},
		HoldOut: ltv.Span{Count: 26, Unit: ltv.Week}, Interval: 0.8}
	c.LTV = r
	span := func(to *ltv.Span, key string) func(*yaml.Node) {
		return func(n *yaml.Node) {
			before := len(w.mistakes)
			text := w.text(n, "ltv."+key)
			if len(w.mistakes) > before {
				return
			}
			s, err := ltv.ParseSpan(text)
			switch {
			case err != nil:
				w.wrong(n, "ltv.%s: %v", key, err)
			case s.In(ltv.Day) < 1 || s.In(ltv.Year) > 100:
				w.wrong(n, "ltv.%s: %q must be from a day to 100 years", key, text)
			default:
				*to = s
			}
		}
	}
	w.fields(n, "ltv", map[string]func(*yaml.Node){
		"model": func(n *yaml.Node) {
			if v := w.oneOf(n, "ltv.model", transforms.LTVModels()...); v != "" {
				r.Model = v
			}
		},
		"horizon": span(&r.Horizon, "horizon"),
		"holdout": span(&r.HoldOut, "holdout"),
		"discount": func(n *yaml.Node) {
			before := len(w.mistakes)
			text := w.text(n, "ltv.discount")
			if len(w.mistakes) > before {
				return
			}
			d, err := ltv.ParseDiscount(text)
			if err != nil {
				w.wrong(n, "ltv.discount: %v", err)
				return
			}
			r.Discount = d
		},
		"interval": func(n *yaml.Node) {
			v, err := strconv.ParseFloat(n.Value, 64)
			if n.Kind != yaml.ScalarNode || err != nil || !(v >= 0.01 && v <= 0.99) {
				w.wrong(n, "ltv.interval must be a probability from 0.01 to 0.99, e.g. 0.8")
				return
			}
			r.Interval = v
		},
		"contract": func(n *yaml.Node) {
			if g := slices.Index(transforms.Grains[:], w.oneOf(n, "ltv.contract", transforms.Grains[:]...)); g >= 0 {
				r.Contracts, r.Contract = true, transforms.Grain(g)
			}
		},
		"by": func(n *yaml.Node) {
			c.ltvBy = w.texts(n, "ltv.by")
			c.ltvByNode = n
		},
	})
}

// completeLTV finds the dimensions that ltv.by names.
func (c *Config) completeLTV(w *walk) {
	for i, name := range c.ltvBy {
		d := slices.Index(c.Dimensions, name)
		switch {
		case d < 0 && len(c.Dimensions) == 0:
			w.wrong(c.ltvByNode, "ltv.by: %q is no configured dimension: name it under dimensions too", name)
		case d < 0:
			w.wrong(c.ltvByNode, "ltv.by: %q is no configured dimension%s", name, Suggest(name, c.Dimensions))
		case slices.Contains(c.ltvBy[:i], name):
			w.wrong(c.ltvByNode, "ltv.by: %q is named twice", name)
		default:
			c.LTV.By = append(c.LTV.By, d)
		}
	}
}

// shapeLTV is what of the section ltv shapes a result, for the fingerprint.
func (c *Config) shapeLTV() string {
	if c.LTV == nil {
		return ""
	}
	r := c.LTV
	text := r.Model + "|" + r.Horizon.String() + "|" + r.Discount.String() + "|" + r.HoldOut.String() + "|" + strconv.FormatFloat(r.Interval, 'g', -1, 64)
	if r.Contracts {
		text += "|contract " + transforms.Grains[r.Contract]
	}
	for _, d := range r.By {
		text += "|" + c.Dimensions[d]
	}
	return text
}

// completeTables fills in the default, every table, and finds tables that are named although
// nothing says which lifetime value they are of.
func (c *Config) completeTables(w *walk, n *yaml.Node) {
	without := func(t string) string {
		switch {
		case c.LTV == nil && slices.Contains(transforms.LTVTables, t):
			return "a section ltv: add e.g. ltv: {horizon: 12 months}"
		case c.LTV != nil && !c.LTV.Contracts && t == "contract_retention":
			return "the length of a contract: add e.g. contract: month to ltv"
		}
		return ""
	}
	if len(c.Tables) == 0 {
		c.Tables = slices.DeleteFunc(tableNames(), func(t string) bool { return without(t) != "" })
		return
	}
	for _, t := range c.Tables {
		if missing := without(t); missing != "" {
			w.wrong(n, "output.tables names %s, which needs %s", t, missing)
		}
	}
}
