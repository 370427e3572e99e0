package ltv

import (
	"fmt"
	"math"
	"sync"
)

// Candidate is a model of purchases that can be fitted to a summary and chosen among others.
type Candidate struct {
	Name  string // as a configuration names it: bg_nbd
	Title string // as the papers do: BG/NBD
	// FitNear is Fit begun at parameters known to be close, such as those of a sample of the
	// same customers: a third of the way. Nil is Fit.
	FitNear func(s *Summary, near []float64) (Model, Fit)
	// With is the model at parameters, in the order of Fit.Values.
	With func(values []float64) Model
	// likelihood of all rows at parameters; the gradient is added.
	likelihood func(values []float64, s *Summary, gradient []float64) float64
}

// Candidates are the models of purchases in continuous time. Their likelihoods are of the
// same events, so that they can be compared; where two are equally good the first is chosen.
func Candidates() []Candidate {
	return []Candidate{
		{
			Name: "nbd", Title: "NBD",
			FitNear:    func(s *Summary, near []float64) (Model, Fit) { m, f := fitNBD(s, near); return m, f },
			With:       func(v []float64) Model { return NBD{v[0], v[1]} },
			likelihood: func(v []float64, s *Summary, g []float64) float64 { return NBD{v[0], v[1]}.likelihood(s, g) },
		},
		{
			Name: "mbg_nbd", Title: "MBG/NBD",
			FitNear: func(s *Summary, near []float64) (Model, Fit) { m, f := fitMBGNBD(s, near); return m, f },
			With:    func(v []float64) Model { return MBGNBD{v[0], v[1], v[2], v[3]} },
			likelihood: func(v []float64, s *Summary, g []float64) float64 {
				return MBGNBD{v[0], v[1], v[2], v[3]}.core().likelihood(s, g)
			},
		},
		{
			Name: "pareto_nbd", Title: "Pareto/NBD",
			FitNear: func(s *Summary, near []float64) (Model, Fit) { m, f := fitParetoNBD(s, near); return m, f },
			With:    func(v []float64) Model { return ParetoNBD{v[0], v[1], v[2], v[3]} },
			likelihood: func(v []float64, s *Summary, g []float64) float64 {
				return ParetoNBD{v[0], v[1], v[2], v[3]}.likelihood(s, g)
			},
		},
		{
			Name: "bg_nbd", Title: "BG/NBD",
			FitNear: func(s *Summary, near []float64) (Model, Fit) { m, f := fitBGNBD(s, near); return m, f },
			With:    func(v []float64) Model { return BGNBD{v[0], v[1], v[2], v[3]} },
			likelihood: func(v []float64, s *Summary, g []float64) float64 {
				return BGNBD{v[0], v[1], v[2], v[3]}.core().likelihood(s, g)
			},
		},
	}
}

// AssumesAlive says whether the model takes such a customer for alive by assumption, so that
// its probability is no finding and no churn score.
func (c Candidate) AssumesAlive(r RFM) bool {
	return c.Name == "nbd" || c.Name == "bg_nbd" && r.Frequency == 0
}

// Score is how well one candidate foretold what it had not seen.
type Score struct {
	Candidate Candidate
	Model     Model
	Fit       Fit // to the calibration
	// HeldOut is the log-likelihood of the held-out purchases, when they came and that no
	// others did, given the calibration; −Inf when the fit is not usable.
	HeldOut float64
}

// Choice is the candidate that foretold best, with the scores of all.
type Choice struct {
	Scores []Score // in the order of the candidates
	Best   int     // the place of the chosen one in Scores, −1 when none is usable
	Reason string  // why this one, or why none
}

// even is the difference of log-likelihoods below which two candidates are equally good:
// at odds of 1.01 to 1 nobody would bet.
const even = 0.01

// Choose fits the candidates to what was known of customers at an origin, and scores each
// by what the same customers did from then on. whole is the summary of the same customers
// at the end of the held-out period; customers who came after the origin are in neither.
//
// The models' likelihoods are of the moments of all purchases, so that the one of the
// held-out purchases given the calibration is the quotient of two of them, exactly, for
// the price of two evaluations.
func Choose(known, whole *Summary, candidates []Candidate) (Choice, error) {
	if known.customers != whole.customers {
		return Choice{}, fmt.Errorf("%v customers at the origin, %v at the end of the held-out period: both must be summaries of the same customers", known.customers, whole.customers)
	}
	c := Choice{Best: -1, Reason: "no candidate has a usable fit"}
	c.Scores = make([]Score, len(candidates))
	var wait sync.WaitGroup
	for i, candidate := range candidates {
		wait.Go(func() { c.Scores[i] = candidate.score(known, whole) })
	}
	wait.Wait()
	second := math.Inf(-1)
	for i, s := range c.Scores {
		switch {
		case math.IsInf(s.HeldOut, -1):
		case c.Best < 0 || s.HeldOut > c.Scores[c.Best].HeldOut+even:
			if c.Best >= 0 {
				second = max(second, c.Scores[c.Best].HeldOut)
			}
			c.Best = i
		default:
			second = max(second, s.HeldOut)
		}
	}
	if c.Best >= 0 {
		best := c.Scores[c.Best]
		c.Reason = fmt.Sprintf("%s is the only candidate with a usable fit", best.Candidate.Title)
		if !math.IsInf(second, -1) {
			c.Reason = fmt.Sprintf("%s foretold the held-out purchases best: log-likelihood %.2f, the next %.2f", best.Candidate.Title, best.HeldOut, second)
		}
	}
	return c, nil
}

// Fit fits the model to a summary.
func (c Candidate) Fit(s *Summary) (Model, Fit) { return c.FitNear(s, nil) }

// score fits the candidate to what was known, and tells how well it foretold the rest.
func (c Candidate) score(known, whole *Summary) Score {
	m, f := c.Fit(known)
	s := Score{c, m, f, math.Inf(-1)}
	if f.Verdict.Usable() {
		ignored := make([]float64, len(f.Values))
		if v := c.likelihood(f.Values, whole, ignored) - c.likelihood(f.Values, known, ignored); !math.IsNaN(v) {
			s.HeldOut = v
		}
	}
	return s
}

// Chosen is the candidate that was chosen; ok is false when none is usable.
func (c Choice) Chosen() (s Score, ok bool) {
	if c.Best < 0 {
		return Score{}, false
	}
	return c.Scores[c.Best], true
}
