package ltv

import (
	"fmt"
	"math"
)

// Contracts is what the models of contracts are fitted to. Time is counted in periods,
// at the end of each of which a customer renews or is lost. Cohorts that are observed
// for different times are added, see Add.
type Contracts struct {
	// Lost are the customers lost at the end of period 1, 2, …
	Lost []float64
	// Active are the customers still there, by the number of renewals seen: of a cohort
	// observed for seven renewals all survivors are in Active[7].
	Active []float64
}

// Survivors makes Contracts from the customers left at the start and after each period:
// 1000, 631, 468, … An error names the first period that cannot be.
func Survivors(left []float64) (Contracts, error) {
	if len(left) == 0 {
		return Contracts{}, fmt.Errorf("no survivors: give the number at the start and after each period")
	}
	c := Contracts{Lost: make([]float64, len(left)-1), Active: make([]float64, len(left))}
	for t, n := range left {
		if !(n >= 0) || math.IsInf(n, 0) || t > 0 && n > left[t-1] {
			return Contracts{}, fmt.Errorf("%v survivors after period %d: need a number between 0 and those of the period before", n, t)
		}
		if t > 0 {
			c.Lost[t-1] = left[t-1] - n
		}
	}
	c.Active[len(left)-1] = left[len(left)-1]
	return c, nil
}

// Add is both together.
func (c Contracts) Add(d Contracts) Contracts {
	return Contracts{Lost: added(c.Lost, d.Lost), Active: added(c.Active, d.Active)}
}

func added(a, b []float64) []float64 {
	sum := make([]float64, max(len(a), len(b)))
	copy(sum, a)
	for i, v := range b {
		sum[i] += v
	}
	return sum
}

// counts are the customers, and those of them who are lost.
func (c Contracts) counts() (customers, lost float64) {
	for _, n := range c.Lost {
		lost += n
	}
	customers = lost
	for _, n := range c.Active {
		customers += n
	}
	return customers, lost
}

// contractProblem is what both models of contracts share.
func contractProblem(model string, names []string, c Contracts) (*problem, Fit, bool) {
	customers, lost := c.counts()
	p := &problem{model: model, names: names, customers: customers, limits: []meaning{
		{where: "β → ∞", says: sameLoss},
		{where: "α → 0", says: "nobody, or nobody after the first period, is seen to be lost"},
	}}
	if lost < MinRepeaters {
		return p, p.unfit(lost, "lost customers"), false
	}
	return p, Fit{}, true
}
