package ltv

import (
	"math"

	"gonum.org/v1/gonum/integrate/quad"
)

// slice is ∫ (1+τ/α)^−n (1+τ/β)^−(s+1) dτ over an interval of time, as a logarithm, with
// the means under that integral of what the gradient needs: ln(1+τ/α), τ/(α+τ),
// ln(1+τ/β) and τ/(β+τ).
type slice struct {
	log  float64
	mean [4]float64
}

// nothing is the integral over an empty interval.
var nothing = slice{log: math.Inf(-1)}

// plus is the integral over both intervals.
func (a slice) plus(b slice) slice {
	sum := slice{log: addLogs(a.log, b.log)}
	if math.IsInf(sum.log, -1) {
		return sum
	}
	share := math.Exp(a.log - sum.log)
	for i := range sum.mean {
		sum.mean[i] = b.mean[i] + share*(a.mean[i]-b.mean[i])
	}
	return sum
}

// minus is the integral over the first interval without its part b.
func (a slice) minus(b slice) slice {
	share := math.Exp(b.log - a.log)
	rest := slice{log: a.log + math.Log1p(-share)}
	for i := range rest.mean {
		rest.mean[i] = (a.mean[i] - share*b.mean[i]) / (1 - share)
	}
	return rest
}

// rule is a Gauss–Legendre rule on (0, 1).
type rule struct{ at, weight []float64 }

func legendre(n int) rule {
	r := rule{make([]float64, n), make([]float64, n)}
	quad.Legendre{}.FixedLocations(r.at, r.weight, 0, 1)
	return r
}

// The rules for panels over which the integrand falls by a factor of e^.1, e^1 and e^12
// at most: each is exact to about 1e-13.
var short, medium, long = legendre(3), legendre(6), legendre(12)

// fine is the rule for panels over which the integrand is also a power.
var fine = legendre(24)

const (
	panelFall = 12.0 // of the logarithm of the integrand over a panel, at most
	panelWide = 2.0  // of ln(min(α, β) + τ) over a panel, at most
	farBelow  = 45.0 // what is this far below the start of the interval, in the logarithm, is left out
)

// between is the integral from one time to another, panel by panel.
func (m ParetoNBD) between(n, from, to float64) slice {
	sum := nothing
	least := min(m.Alpha, m.Beta)
	start := m.logDensity(n, from)
	for from < to {
		// The fall is steepest at the start of the panel.
		fall := n/(m.Alpha+from) + (m.S+1)/(m.Beta+from)
		end := min(to, from+panelFall/fall, from+(least+from)*math.Expm1(panelWide))
		if !(end > from) {
			break
		}
		sum = sum.plus(m.panel(n, from, end, fall*(end-from), least))
		if m.logDensity(n, end) < start-farBelow {
			break
		}
		from = end
	}
	return sum
}

// logDensity is the logarithm of the integrand.
func (m ParetoNBD) logDensity(n, t float64) float64 {
	return -n*math.Log1p(t/m.Alpha) - (m.S+1)*math.Log1p(t/m.Beta)
}

// panel is the integral over a short interval by Gauss–Legendre in v = ln(least + τ), in
// which the integrand has no pole within π of the axis.
func (m ParetoNBD) panel(n, from, to, fall, least float64) slice {
	wide := math.Log1p((to - from) / (least + from))
	points := long
	switch size := max(fall, wide); {
	case size <= .1:
		points = short
	case size <= 1:
		points = medium
	}
	var sum slice
	var total float64
	start := m.logDensity(n, from)
	for i, v := range points.at {
		grown := math.Expm1(v * wide)
		t := from + (least+from)*grown
		logA, logB := math.Log1p(t/m.Alpha), math.Log1p(t/m.Beta)
		w := points.weight[i] * (1 + grown) * math.Exp(-n*logA-(m.S+1)*logB-start)
		total += w
		sum.mean[0] += w * logA
		sum.mean[1] += w * t / (m.Alpha + t)
		sum.mean[2] += w * logB
		sum.mean[3] += w * t / (m.Beta + t)
	}
	sum.log = start + math.Log(total*wide*(least+from))
	for i := range sum.mean {
		sum.mean[i] /= total
	}
	return sum
}

// likelihood adds the log-likelihood of all rows, and its gradient by (r, α, s, β). For
// one frequency the integrand is the same for all rows, so it is integrated once from
// each distinct time to the next, added up from the end; a row takes a difference.
func (m ParetoNBD) likelihood(s *Summary, gradient []float64) float64 {
	logAlpha := math.Log(m.Alpha)
	purchases := ladder{a: m.R}
	var points *grid
	var total float64
	for g, group := range s.groups {
		x := float64(group.frequency)
		times := s.groupTimes[g]
		first, last := times[0], times[len(times)-1]
		purchases.to(group.frequency)
		all := 0.0
		for _, w := range s.groupAges[g] {
			all += w
		}
		total += all * (purchases.value - x*logAlpha)
		gradient[0] += all * purchases.slope
		gradient[1] -= all * x / m.Alpha
		if s.worthGrid(g) {
			if points == nil {
				points = newGrid(m, s.times)
			}
			if points.integrate(m.R+x, first, last) {
				total += points.rows(s, g, gradient)
				continue
			}
		}
		total += m.group(s, g, gradient)
	}
	return total
}

// group is the part of likelihood for the rows of one frequency, in logarithms.
func (m ParetoNBD) group(s *Summary, g int, gradient []float64) (total float64) {
	logScale := math.Log(m.S / m.Beta)
	n := m.R + float64(s.groups[g].frequency)
	times := s.groupTimes[g]
	tails := make(map[int32]slice, len(times)) // from a time to the last of the group
	tail := nothing
	for i := len(times) - 1; i >= 0; i-- {
		if i < len(times)-1 {
			tail = tail.plus(m.between(n, s.times[times[i]], s.times[times[i+1]]))
		}
		tails[times[i]] = tail
	}
	for i := s.groups[g].from; i < s.groups[g].to; i++ {
		w, end := s.weights[i], s.rows[i].Age
		lost := nothing
		if s.rows[i].Recency < end {
			lost = tails[s.recencyAt[i]].minus(tails[s.ageAt[i]])
		}
		logA, logB := math.Log1p(end/m.Alpha), math.Log1p(end/m.Beta)
		logAlive, logLost := -n*logA-m.S*logB, logScale+lost.log
		p := expit(logLost - logAlive)
		total += w * addLogs(logAlive, logLost)
		gradient[0] -= w * (logA + p*(lost.mean[0]-logA))
		gradient[1] += w * n * (end/(m.Alpha+end)*(1-p) + p*lost.mean[1]) / m.Alpha
		gradient[2] += w * (p/m.S - logB - p*(lost.mean[2]-logB))
		gradient[3] += w * (m.S*(1-p)*end/(m.Beta+end) + p*((m.S+1)*lost.mean[3]-1)) / m.Beta
	}
	return total
}
