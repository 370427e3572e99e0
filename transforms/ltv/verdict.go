package ltv

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/gonum/mat"
)

// VerdictKind is how a fit ended.
type VerdictKind string

const (
	// Converged: a maximum with curvature in every direction; everything is usable.
	Converged VerdictKind = "converged"
	// Ridge: the likelihood hardly changes along a line of parameters. Predictions are
	// usable, parameters and their errors are not.
	Ridge VerdictKind = "ridge"
	// TooFew: not enough repeaters (or subscribers) to look for a maximum; no estimates.
	TooFew VerdictKind = "too_few"
	// NotMoved: no start led anywhere; no estimates.
	NotMoved VerdictKind = "not_moved"
	// Stopped: the climb ended before the top; the estimates are the best point seen.
	Stopped VerdictKind = "stopped"
)

// Verdict is the kind with its reason in words.
type Verdict struct {
	Kind   VerdictKind
	Reason string
}

// Usable tells whether predictions may be made from the estimates.
func (v Verdict) Usable() bool { return v.Kind == Converged || v.Kind == Ridge }

// MinRepeaters is the least number of customers with a repeat purchase (for
// Gamma-Gamma: with a spend) from which parameters are estimated.
const MinRepeaters = 10

// unfit is the fit of a summary with fewer.
func (p *problem) unfit(found float64, what string) Fit {
	return Fit{Model: p.model, Parameters: p.names, Customers: p.customers, Verdict: Verdict{TooFew,
		fmt.Sprintf("too few %s: %.0f, needs %d; pool segments or wait for more history", what, found, MinRepeaters)}}
}

// A direction whose standard error is above three in the logarithm, a factor of twenty
// to either side, is one that the data do not determine.
const flattest = 1.0 / (3 * 3)

// judge looks at the top: parameters at their bounds first, then the flattest direction
// of the others.
func (p *problem) judge(o *ascent, s *summit) Verdict {
	if s.information == nil || math.IsNaN(s.value) || math.IsInf(s.value, 0) {
		return Verdict{Stopped, "stopped: the log-likelihood has no finite slope here; check the rows for values out of all proportion"}
	}
	if !s.converged {
		return Verdict{Stopped, fmt.Sprintf("stopped after %d evaluations before the top; the estimates are the best point seen", o.evaluations)}
	}
	var where []string
	for i, side := range s.atBound {
		if side != 0 {
			where = append(where, p.names[i]+" → "+limit(side))
		}
	}
	value, direction, ok := s.flattest()
	switch {
	case !ok:
		return Verdict{Stopped, "stopped: the Hessian cannot be decomposed"}
	case value < flattest:
		where = append(where, p.along(o, s, direction)...)
	}
	if len(where) > 0 {
		return p.ridge(strings.Join(where, ", "), exps(s.at))
	}
	return Verdict{Converged, "converged"}
}

func limit(side int) string {
	if side > 0 {
		return "∞"
	}
	return "0"
}

// flattest is the least eigenvalue of the information, and its direction, over the
// parameters that are not at a bound; +Inf when there are none.
func (s *summit) flattest() (value float64, direction []float64, ok bool) {
	var free []int
	for i, side := range s.atBound {
		if side == 0 {
			free = append(free, i)
		}
	}
	if len(free) == 0 {
		return math.Inf(1), nil, true
	}
	var e mat.EigenSym
	if !e.Factorize(s.part(free), true) {
		return 0, nil, false
	}
	var vectors mat.Dense
	e.VectorsTo(&vectors)
	direction = make([]float64, len(s.at))
	for i, a := range free {
		direction[a] = vectors.At(i, 0)
	}
	return e.Values(nil)[0], direction, true
}

// farAlong is how far to look along a ridge, in the logarithm: near a top that is climbed
// ever more slowly nothing else tells the way up.
const farAlong = 5

// along names the parameters that move in a direction, seen from the side on which the
// likelihood falls less.
func (p *problem) along(o *ascent, s *summit, direction []float64) []string {
	ignored, there := make([]float64, len(s.at)), make([]float64, len(s.at))
	look := func(side float64) float64 {
		for i := range there {
			there[i] = s.at[i] + farAlong*side*direction[i]
		}
		v := o.look(there, ignored) - s.value
		if math.IsNaN(v) {
			return math.Inf(-1)
		}
		return v
	}
	up, down := look(1), look(-1)
	side := 1.0
	if down > up {
		side = -1
	}
	var grow, shrink, moving, where []string
	for i, d := range direction {
		if d *= side; math.Abs(d) > 0.3 {
			moving = append(moving, p.names[i])
			if d > 0 {
				grow = append(grow, p.names[i])
			} else {
				shrink = append(shrink, p.names[i])
			}
		}
	}
	if math.Abs(up) < 1e-7 && math.Abs(down) < 1e-7 {
		return []string{"any " + strings.Join(moving, " and ")}
	}
	if len(grow) > 0 {
		where = append(where, strings.Join(grow, ", ")+" → ∞")
	}
	if len(shrink) > 0 {
		where = append(where, strings.Join(shrink, ", ")+" → 0")
	}
	return where
}

// meaning says what it means for a model that parameters go to a limit, where they are as
// told by when; nil is anywhere.
type meaning struct {
	where, says string
	when        func(theta []float64) bool
}

func (p *problem) ridge(where string, theta []float64) Verdict {
	for _, m := range p.limits {
		if strings.Contains(where, m.where) && (m.when == nil || m.when(theta)) {
			return Verdict{Ridge, "on the ridge: " + where + ": " + m.says}
		}
	}
	return Verdict{Ridge, "on the ridge: " + where + ": the data do not determine these parameters, which mean nothing by themselves"}
}
