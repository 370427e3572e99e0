package ltv

import (
	"math"
	"slices"
	"sync"

	"gonum.org/v1/gonum/mat"
)

// ascent is Newton's method on the logarithms of the parameters, inside a box: the
// Hessian comes from differences of the analytic gradient, its eigenvalues are taken
// as curvatures whatever their sign, so that saddles are left, and a step that does
// not go uphill is halved. A Hessian serves as long as the steps it gives are good; the
// last one is that of the top, which the standard errors need.
type ascent struct {
	evaluate    func(y, gradient []float64) float64 // by several goroutines at a time
	low, high   []float64
	evaluations int
	// enough is the gain at which a climb ends; 0 is smallestGain.
	enough float64
}

// summit is where a climb ended.
type summit struct {
	at          []float64
	value       float64
	gradient    []float64
	information *mat.SymDense // the negative Hessian
	atBound     []int         // −1, 0 or 1 by parameter
	moved       bool
	converged   bool
}

const (
	mostSteps = 200
	// A climb ends when Newton's model promises less than this to the log-likelihood:
	// a ten-thousandth of a standard error.
	smallestGain = 1e-8
	// On a sample, whose top is not that of the data, a climb ends earlier.
	roughGain   = 1e-4
	longestStep = 1.5  // in a logarithm
	difference  = 1e-6 // for the Hessian: truncation and rounding are both about 1e-6 of it
	// A step is good when the next promises this many times less.
	goodStep = 50
)

// climb starts somewhere, with the information there if it is known about.
func (o *ascent) climb(start []float64, information *mat.SymDense) *summit {
	n := len(start)
	s := &summit{at: make([]float64, n), gradient: make([]float64, n), atBound: make([]int, n), information: information}
	for i, y := range start {
		s.at[i] = min(max(y, o.low[i]), o.high[i])
	}
	s.value = o.look(s.at, s.gradient)
	exact, last, enough := false, math.Inf(1), max(o.enough, smallestGain)
	for range mostSteps {
		if s.information == nil {
			s.information, exact = o.curvature(s), true
		}
		step, gain := o.step(s)
		switch {
		case math.IsNaN(gain):
			return s
		case !exact && (gain < enough || gain > last/goodStep):
			s.information = nil
			continue
		case gain < enough:
			// The promise is worth one step more, which costs one look.
			o.take(s, step, true)
			s.converged = true
			return s
		}
		if !o.take(s, step, false) {
			if exact {
				// Nothing goes up any more: rounding, if little was promised.
				s.converged = gain < 1e-4
				return s
			}
			s.information = nil
			continue
		}
		s.moved, exact, last = true, false, gain
	}
	return s
}

func (o *ascent) look(y, gradient []float64) float64 {
	o.evaluations++
	return o.evaluate(y, gradient)
}

// curvature is the negative Hessian by differences of the gradient, each looked at beside
// the others.
func (o *ascent) curvature(s *summit) *mat.SymDense {
	n := len(s.at)
	rows := make([][]float64, n)
	var looks sync.WaitGroup
	for i := range rows {
		rows[i] = make([]float64, n)
		looks.Go(func() {
			y := slices.Clone(s.at)
			y[i] += difference
			o.evaluate(y, rows[i])
			for j := range rows[i] {
				rows[i][j] = (s.gradient[j] - rows[i][j]) / difference
			}
		})
	}
	looks.Wait()
	o.evaluations += n
	m := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			m.SetSym(i, j, (rows[i][j]+rows[j][i])/2)
		}
	}
	return m
}

// step is Newton's step over the parameters that are not held at a bound, and what it
// promises to the log-likelihood (twice, in the quadratic model).
func (o *ascent) step(s *summit) (step []float64, gain float64) {
	n := len(s.at)
	var free []int
	for i := range n {
		s.atBound[i] = 0
		switch {
		case s.at[i] >= o.high[i] && s.gradient[i] >= 0:
			s.atBound[i] = 1
		case s.at[i] <= o.low[i] && s.gradient[i] <= 0:
			s.atBound[i] = -1
		default:
			free = append(free, i)
		}
	}
	step = make([]float64, n)
	if len(free) == 0 {
		return step, 0
	}
	var e mat.EigenSym
	if !e.Factorize(s.part(free), true) {
		return step, math.NaN()
	}
	values := e.Values(nil)
	var vectors mat.Dense
	e.VectorsTo(&vectors)
	floor := 1e-10 * max(math.Abs(values[0]), math.Abs(values[len(values)-1]), 1e-10)
	for k, v := range values {
		var slope float64
		for i, a := range free {
			slope += vectors.At(i, k) * s.gradient[a]
		}
		length := slope / max(math.Abs(v), floor)
		// Where the curvature is nothing the quadratic model promises anything; no more
		// than the slope over the longest step is believed.
		length = math.Copysign(min(math.Abs(length), longestStep), length)
		gain += slope * length
		for i, a := range free {
			step[a] += length * vectors.At(i, k)
		}
	}
	return step, gain
}

// part is the information of some of the parameters.
func (s *summit) part(of []int) *mat.SymDense {
	m := mat.NewSymDense(len(of), nil)
	for i, a := range of {
		for j := i; j < len(of); j++ {
			m.SetSym(i, j, s.information.At(a, of[j]))
		}
	}
	return m
}

// take goes the step, or the largest part of it that leads uphill. A final step is
// taken whole, as its gain is below the rounding of the sum.
func (o *ascent) take(s *summit, step []float64, final bool) bool {
	n := len(s.at)
	y, gradient := make([]float64, n), make([]float64, n)
	longest := 0.0
	for _, d := range step {
		longest = max(longest, math.Abs(d))
	}
	part := min(1, longestStep/max(longest, 1e-300))
	for range 40 {
		var promise float64
		for i := range y {
			y[i] = min(max(s.at[i]+part*step[i], o.low[i]), o.high[i])
			promise += (y[i] - s.at[i]) * s.gradient[i]
		}
		value := o.look(y, gradient)
		rounding := 1e-12 * math.Abs(s.value)
		if value >= s.value+1e-4*promise-rounding {
			s.at, s.value, s.gradient = y, value, gradient
			return true
		}
		if final {
			return false
		}
		part /= 2
	}
	return false
}
