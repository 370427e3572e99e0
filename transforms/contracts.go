package transforms

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/cohortline/cohortline/schemas"
	"github.com/cohortline/cohortline/transforms/ltv"
)

// contractCounts are the customers of a group by how long they renewed: at the end of each
// calendar period of the length of a contract a customer renews by purchasing in the next
// one, and is lost with the first period without a purchase. Periods that have not ended
// say nothing yet.
type contractCounts struct {
	lost   []int64 // by renewal, from 1 on at place 0
	active []int64 // still there, by the renewals seen
}

// add takes one customer.
func (c *contractCounts) add(s *Settings, x *Customer) {
	g := s.LTV.Contract
	first := s.Calendar.Period(g, x.Days[0].Day)
	ended := s.lastPeriod(g)
	if !s.ended(g, ended) {
		ended--
	}
	seen := ended - first
	if seen < 0 {
		return // the first period of the contract is still running
	}
	renewed := int32(0)
	for i := range x.Days {
		p := s.Calendar.Period(g, x.Days[i].Day) - first
		if p > renewed+1 {
			break
		}
		renewed = max(renewed, p)
	}
	if renewed >= seen {
		count(&c.active, int(seen), 1)
	} else {
		count(&c.lost, int(renewed), 1)
	}
}

func (c *contractCounts) merge(o *contractCounts) {
	addCounts(&c.lost, o.lost)
	addCounts(&c.active, o.active)
}

// contracts is what the models take.
func (c *contractCounts) contracts() ltv.Contracts {
	return ltv.Contracts{Lost: doubles(c.lost), Active: doubles(c.active)}
}

func doubles(list []int64) []float64 {
	to := make([]float64, len(list))
	for i, n := range list {
		to[i] = float64(n)
	}
	return to
}

// atRisk are the customers who could be seen to renew or not at a renewal, from 1 on, and those
// of them who did.
func (c *contractCounts) atRisk(renewal int) (customers, renewed int64) {
	for t, n := range c.lost {
		if t+1 >= renewal {
			customers += n
		}
		if t+1 > renewal {
			renewed += n
		}
	}
	for t, n := range c.active {
		if t >= renewal {
			customers, renewed = customers+n, renewed+n
		}
	}
	return customers, renewed
}

// contractModel is a model of contracts.
type contractModel interface {
	Survival(t int) float64
	Retention(t int) float64
}

// contractFit is the models of contracts fitted to a segment.
type contractFit struct {
	name   string
	counts contractCounts
	models [2]contractModel
	fits   [2]ltv.Fit
	chosen int // place of the better one by AIC; -1: none is usable
}

// contractNames are the names of the models in the tables.
var contractNames = [2]string{"sbg", "bdw"}

func fitContracts(name string, counts contractCounts) *contractFit {
	f := &contractFit{name: name, counts: counts, chosen: -1}
	c := counts.contracts()
	f.models[0], f.fits[0] = asContracts(ltv.FitSBG(c))
	f.models[1], f.fits[1] = asContracts(ltv.FitBdW(c))
	for i := range f.fits {
		if x := &f.fits[i]; x.Verdict.Usable() && (f.chosen < 0 || x.AIC() < f.fits[f.chosen].AIC()) {
			f.chosen = i
		}
	}
	return f
}

// asContracts is a model as one of contracts.
func asContracts[M contractModel](m M, f ltv.Fit) (contractModel, ltv.Fit) { return m, f }

// customers are all, and those who are lost.
func (c *contractCounts) customers() (all, lost int64) {
	for _, n := range c.lost {
		lost += n
	}
	all = lost
	for _, n := range c.active {
		all += n
	}
	return all, lost
}

// ContractRow is a row of contract_retention.
type ContractRow struct {
	Segment          string               `col:"segment"`
	Model            string               `col:"model"`
	Renewal          int64                `col:"renewal"`
	Kind             string               `col:"kind"`
	Chosen           bool                 `col:"chosen"`
	Grain            string               `col:"grain"`
	AtRisk           int64                `col:"at_risk"`
	Renewed          int64                `col:"renewed"`
	ObservedRate     schemas.Opt[float64] `col:"observed_retention_rate"`
	ObservedSurvival schemas.Opt[float64] `col:"observed_survival"`
	Rate             schemas.Opt[float64] `col:"retention_rate"`
	Survival         schemas.Opt[float64] `col:"survival"`
}

// Contracts are the rows of contract_retention.
func (f *Forecasts) Contracts() iter.Seq[ContractRow] {
	s := &f.base.s
	var rows []ContractRow
	for _, c := range f.contracts {
		seen := max(len(c.counts.lost), len(c.counts.active)-1)
		for m, name := range contractNames {
			survival := 1.0
			for t := 1; t <= seen+periodsWithin(s, s.LTV.Contract); t++ {
				r := ContractRow{Segment: c.name, Model: name, Renewal: int64(t), Kind: kindPredicted, Chosen: m == c.chosen, Grain: Grains[s.LTV.Contract]}
				if r.AtRisk, r.Renewed = c.counts.atRisk(t); r.AtRisk > 0 {
					r.Kind = kindObserved
					r.ObservedRate = share(r.Renewed, r.AtRisk)
					survival *= r.ObservedRate.Value
					r.ObservedSurvival = schemas.Some(survival)
				}
				if c.fits[m].Verdict.Usable() {
					r.Rate, r.Survival = schemas.Some(c.models[m].Retention(t)), schemas.Some(c.models[m].Survival(t))
				}
				rows = append(rows, r)
			}
		}
	}
	slices.SortFunc(rows, func(a, b ContractRow) int {
		return cmp.Or(strings.Compare(a.Segment, b.Segment), strings.Compare(a.Model, b.Model), cmp.Compare(a.Renewal, b.Renewal))
	})
	return slices.Values(rows)
}

// periodsWithin is the number of periods within the horizon, one at least.
func periodsWithin(s *Settings, g Grain) int {
	days := map[Grain]ltv.Unit{Day: ltv.Day, Week: ltv.Week, Month: ltv.Month, Quarter: 3 * ltv.Month, Year: ltv.Year}
	return max(1, int(s.LTV.Horizon.In(days[g])+0.01))
}
