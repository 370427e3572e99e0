package ltv

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// split summarises the CDNOW sample at the end of its calibration and of its holdout.
func split(t *testing.T) (known, whole *Summary) {
	t.Helper()
	known, whole, err := Split(cdnowHistories(t).At(cdnowPlan.Origin, cdnowPlan.Last), cdnowPlan.Origin, cdnowPlan.Last, Week)
	if err != nil {
		t.Fatal(err)
	}
	return known, whole
}

func choose(t *testing.T, known, whole *Summary, candidates []Candidate) Choice {
	t.Helper()
	c, err := Choose(known, whole, candidates)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The score is the log-likelihood of what each customer did, customer by customer.
func TestHeldOutLikelihood(t *testing.T) {
	list := cdnowHistories(t).At(cdnowPlan.Origin, cdnowPlan.Last)
	known, whole := split(t)
	c := choose(t, known, whole, Candidates())
	for _, s := range c.Scores {
		likely := s.Model.(interface{ LogLikelihood(RFM) float64 }).LogLikelihood
		var sum float64
		for i := range list {
			sum += likely(list[i].Whole(cdnowPlan.Last, Week)) - likely(list[i].RFM(cdnowPlan.Origin, Week))
		}
		nearly(t, s.Candidate.Title, s.HeldOut, sum, 1e-10)
		t.Logf("%s: %.3f", s.Candidate.Title, s.HeldOut)
	}
	best, ok := c.Chosen()
	if !ok || best.Candidate.Name != "mbg_nbd" || !strings.HasPrefix(c.Reason, "MBG/NBD foretold the held-out purchases best: log-likelihood -7568.09, the next -7573.59") {
		t.Errorf("chosen %s: %s", best.Candidate.Name, c.Reason)
	}
}

// Conditional likelihoods are of the same events as counts: of a customer of whom no purchase
// came it is the probability of none.
func TestHeldOutLikelihoodOfNoPurchase(t *testing.T) {
	for _, c := range Candidates() {
		var values []float64
		for _, f := range families() {
			if f.name == c.Title {
				values = f.typical
			}
		}
		m := c.With(values)
		likely := m.(interface{ LogLikelihood(RFM) float64 }).LogLikelihood
		for _, r := range histories {
			later := RFM{r.Frequency, r.Recency, r.Age + 26}
			near(t, c.Title, likely(later)-likely(r), math.Log(NoPurchase(m, r, 26)), 1e-9)
		}
	}
}

// Simulated customers choose the model that they were drawn from.
func TestChoiceOfSimulatedCustomers(t *testing.T) {
	for name, m := range map[string]drawer{
		"nbd":        NBD{.8, 10},
		"bg_nbd":     BGNBD{1.5, 4, .8, 2},
		"mbg_nbd":    MBGNBD{1.5, 4, .8, 2},
		"pareto_nbd": ParetoNBD{1.5, 4, 1.2, 30},
	} {
		random := newSource(17)
		var known, whole []RFM
		for range 8000 {
			times := m.draw(random).live(random, 80)
			for i := range times {
				times[i] = math.Ceil(times[i]*7) / 7
			}
			times = slices.Compact(times)
			before, _ := history(times, 50)
			after, _ := history(times, 80)
			known, whole = append(known, before), append(whole, after)
		}
		c := choose(t, compress(t, known), compress(t, whole), Candidates())
		if best, ok := c.Chosen(); !ok || best.Candidate.Name != name {
			t.Errorf("drawn from %s: %s", name, c.Reason)
		}
	}
}

func TestChoiceAmongFew(t *testing.T) {
	known, whole := split(t)
	one := choose(t, known, whole, Candidates()[:1])
	if one.Best != 0 || one.Reason != "NBD is the only candidate with a usable fit" {
		t.Errorf("one candidate: %d, %s", one.Best, one.Reason)
	}
	twice := choose(t, known, whole, []Candidate{Candidates()[0], Candidates()[1], Candidates()[1]})
	if twice.Best != 1 {
		t.Errorf("of two that are equal the second is chosen: %+v", twice.Reason)
	}
	few := compress(t, []RFM{{1, 2, 30}, {0, 0, 30}})
	none := choose(t, few, few, Candidates())
	if _, ok := none.Chosen(); ok || none.Reason != "no candidate has a usable fit" || len(none.Scores) != 4 || !math.IsInf(none.Scores[0].HeldOut, -1) {
		t.Errorf("too few repeaters: %+v", none)
	}
	if _, err := Choose(known, few, Candidates()); err == nil {
		t.Error("no error for summaries of different customers")
	}
}

// Candidates are what families tests: at its estimates each is the model that it fits.
func TestCandidates(t *testing.T) {
	s := cdnowSummary(t)
	for _, c := range Candidates() {
		m, f := c.Fit(s)
		if m != c.With(f.Values) || f.Model != c.Title {
			t.Errorf("%s: %v from its estimates %v", c.Title, m, f.Values)
		}
		for _, r := range histories {
			if assumed := m.Alive(r) == 1; assumed != c.AssumesAlive(r) && r.Recency < r.Age { // who buys at the end is alive
				t.Errorf("%s takes %v for alive: %t", c.Title, r, c.AssumesAlive(r))
			}
		}
		near(t, c.Title, c.likelihood(f.Values, s, make([]float64, len(f.Values))), f.LogLikelihood, 1e-7)
	}
}
