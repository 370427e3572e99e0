package ltv

import "math"

// nodes replace a distribution by points with weights that sum to 1, so that an
// expectation is a sum. They are the trapezoidal rule after two changes of variable:
// to the whole line, where the densities of Beta and Gamma are analytic within π of
// the axis, then to one that is linear around the centre and exponential far out,
// so that the long tail of a tiny shape (1e-4) costs a few points more, not thousands.
type nodes struct {
	at     []float64 // the points
	weight []float64
}

// mean is the expectation of f.
func (n *nodes) mean(f func(float64) float64) float64 {
	var sum float64
	for i, v := range n.at {
		sum += n.weight[i] * f(v)
	}
	return sum
}

// The step of the trapezoidal rule, and the width (in units of scale) over which the
// second change of variable is about linear. Halving the step changes no expectation
// that the tests look at by 1e-10.
const (
	nodeStep  = 0.25
	nodeWidth = 6.0
	nodeTail  = 38 // points whose log weight is this far below the greatest are left out
)

// tabulate places nodes for a density on the line given by its logarithm; of maps a
// point of the line to the value of the variable.
func tabulate(centre, scale float64, logDensity, of func(float64) float64) *nodes {
	at := func(k int) (s, logWeight float64) {
		tau := float64(k) * nodeStep / nodeWidth
		s = centre + scale*nodeWidth*math.Sinh(tau)
		return s, logDensity(s) + math.Log(math.Cosh(tau))
	}
	// Walk out from the greatest weight, which may lie beside the centre.
	top, best := 0, math.Inf(-1)
	for _, direction := range [2]int{1, -1} {
		for k := top; ; k += direction {
			_, w := at(k)
			if !(w >= best) {
				break
			}
			best, top = w, k
		}
	}
	n := new(nodes)
	var sum float64
	add := func(k int) bool {
		s, w := at(k)
		if !(w > best-nodeTail) {
			return false
		}
		w = math.Exp(w - best)
		sum += w
		n.at, n.weight = append(n.at, of(s)), append(n.weight, w)
		return true
	}
	for k := top; add(k); k++ {
	}
	for k := top - 1; add(k); k-- {
	}
	for i := range n.weight {
		n.weight[i] /= sum
	}
	return n
}

// betaNodes are nodes of Beta(a, b): the variable is the logistic function of a point of the line.
func betaNodes(a, b float64) *nodes {
	centre := math.Log((a + 1) / (b + 1))
	scale := math.Sqrt(1/(a+1) + 1/(b+1))
	return tabulate(centre, scale, func(s float64) float64 {
		// ln p = −ln(1 + e⁻ˢ), ln(1 − p) = −ln(1 + eˢ)
		return -a*logOnePlusExp(-s) - b*logOnePlusExp(s)
	}, expit)
}

// gammaNodes are nodes of Gamma(shape, 1): the variable is the exponential of a point of the line.
func gammaNodes(shape float64) *nodes {
	return tabulate(math.Log(shape+1), 1/math.Sqrt(shape+1), func(s float64) float64 {
		return shape*s - math.Exp(s)
	}, math.Exp)
}

// logOnePlusExp is ln(1 + eˣ).
func logOnePlusExp(x float64) float64 {
	if x > 0 {
		return x + math.Log1p(math.Exp(-x))
	}
	return math.Log1p(math.Exp(x))
}
