package ltv

import (
	"errors"
	"fmt"
	"math"
	"sync"

	"gonum.org/v1/gonum/mat"
)

// Fit is what maximum likelihood found, and how far it can be trusted.
type Fit struct {
	Model      string    // as the papers write it: BG/NBD
	Parameters []string  // names, in the order of the fields of the model
	Values     []float64 // the estimates; nil when there are none
	// StandardErrors are those of Values, from the inverse Hessian in the logarithms
	// of the parameters; nil when the data do not determine the parameters.
	StandardErrors []float64
	// Covariance is that of the logarithms of the parameters; nil like StandardErrors.
	Covariance    [][]float64
	LogLikelihood float64
	Customers     float64 // the sum of the weights
	Evaluations   int     // of the log-likelihood and its gradient
	Verdict       Verdict
}

// AIC is Akaike's criterion, 2k − 2ℓ; smaller is better.
func (f *Fit) AIC() float64 { return 2*float64(len(f.Parameters)) - 2*f.LogLikelihood }

// Near is where the fit of similar customers may begin, see Candidate.FitNear: the estimates
// of a maximum. From a ridge, where the slope is nothing, no way would be found; it is nil.
func (f *Fit) Near() []float64 {
	if f.Verdict.Kind != Converged {
		return nil
	}
	return f.Values
}

// Intervals are the bounds of the parameters at z standard errors, computed on the
// logarithms, so that they stay positive; nil when there are no standard errors.
func (f *Fit) Intervals(z float64) [][2]float64 {
	var bounds [][2]float64
	for i := range f.Covariance {
		width := math.Exp(z * math.Sqrt(f.Covariance[i][i]))
		bounds = append(bounds, [2]float64{f.Values[i] / width, f.Values[i] * width})
	}
	return bounds
}

// problem is a likelihood to maximise over positive parameters.
type problem struct {
	model     string
	names     []string
	customers float64
	// evaluate returns the log-likelihood at θ and adds its gradient by θ to a zeroed slice.
	evaluate func(theta, gradient []float64) float64
	// rough evaluates a sample, to choose among starts, and sampled is its share of the
	// customers; nil when evaluate is cheap.
	rough   func(theta, gradient []float64) float64
	sampled float64
	starts  [][]float64
	// near is a point said to be close to the top; the starts serve where it leads to none. Nil
	// without one.
	near []float64
	// low and high bound θ: what lies beyond differs from the bound by nothing that data can show.
	low, high []float64
	// limits say what a ridge means, the first that applies.
	limits []meaning
}

// sampled is a summary of which a sample can be taken.
type sampled[S any] interface {
	comparable
	thin(most int) S
	Customers() float64
}

// over evaluates a likelihood on a summary, and roughly on a sample of it where that is smaller.
func over[S sampled[S]](p *problem, s S, likelihood func(s S, theta, gradient []float64) float64) {
	on := func(s S) func(theta, gradient []float64) float64 {
		return func(theta, gradient []float64) float64 { return likelihood(s, theta, gradient) }
	}
	p.evaluate = on(s)
	size := thinnedStarts
	if p.near != nil {
		size = thinnedNear
	}
	if rough := s.thin(size); rough != s {
		p.rough, p.sampled = on(rough), rough.Customers()/s.Customers()
	}
}

// fit climbs from every start on the sample, then from the best on all of the data.
func (p *problem) fit() Fit {
	f := Fit{Model: p.model, Parameters: p.names, Customers: p.customers}
	o := ascent{low: logs(p.low), high: logs(p.high)}
	o.evaluate = inLogs(p.evaluate)
	if p.rough != nil {
		o.evaluate, o.enough = inLogs(p.rough), roughGain
	}
	best := p.begin(&o)
	f.Evaluations = o.evaluations
	if best == nil {
		f.Verdict = Verdict{NotMoved, "did not move: no start led uphill; check that time has one unit and the rows are plausible"}
		return f
	}
	if p.rough != nil {
		o.evaluate, o.enough = inLogs(p.evaluate), 0
		o.evaluations = 0
		var known *mat.SymDense
		if best.converged {
			best.information.ScaleSym(1/p.sampled, best.information)
			known = best.information
		}
		best = o.climb(best.at, known)
		f.Evaluations += o.evaluations
	}
	f.LogLikelihood = best.value
	f.Values = exps(best.at)
	f.Verdict = p.judge(&o, best)
	if f.Verdict.Kind == Converged {
		covariance, err := inverse(best.information)
		if err != nil {
			f.Verdict = Verdict{Stopped, fmt.Sprintf("stopped: no standard errors, the Hessian has no inverse: %v", err)}
			return f
		}
		f.Covariance = covariance
		for i, v := range f.Values {
			f.StandardErrors = append(f.StandardErrors, v*math.Sqrt(f.Covariance[i][i]))
		}
	}
	return f
}

// begin climbs from near, or where that does not reach a top from every start, side by side;
// the first of the best summits counts, nil when no start led anywhere.
func (p *problem) begin(o *ascent) (best *summit) {
	if p.near != nil {
		if best = o.climb(logs(p.near), nil); best.converged {
			return best
		}
		best = nil
	}
	summits, climbs := make([]*summit, len(p.starts)), make([]ascent, len(p.starts))
	var wait sync.WaitGroup
	for i, start := range p.starts {
		climbs[i] = ascent{evaluate: o.evaluate, low: o.low, high: o.high, enough: o.enough}
		wait.Go(func() { summits[i] = climbs[i].climb(logs(start), nil) })
	}
	wait.Wait()
	for i, s := range summits {
		o.evaluations += climbs[i].evaluations
		if s.moved && (best == nil || s.value > best.value+1e-9*math.Abs(best.value)) {
			best = s
		}
	}
	return best
}

func logs(theta []float64) []float64 {
	y := make([]float64, len(theta))
	for i, v := range theta {
		y[i] = math.Log(v)
	}
	return y
}

func exps(y []float64) []float64 {
	theta := make([]float64, len(y))
	for i, v := range y {
		theta[i] = math.Exp(v)
	}
	return theta
}

// inLogs turns a function of θ into one of ln θ.
func inLogs(evaluate func(theta, gradient []float64) float64) func(y, gradient []float64) float64 {
	return func(y, gradient []float64) float64 {
		theta := make([]float64, len(y))
		for i, v := range y {
			theta[i] = math.Exp(v)
			gradient[i] = 0
		}
		value := evaluate(theta, gradient)
		for i := range gradient {
			gradient[i] *= theta[i]
		}
		return value
	}
}

// inverse is that of a positive definite matrix.
func inverse(m *mat.SymDense) ([][]float64, error) {
	var c mat.Cholesky
	if !c.Factorize(m) {
		return nil, errors.New("it is not positive definite")
	}
	var inv mat.SymDense
	if err := c.InverseTo(&inv); err != nil {
		return nil, err
	}
	n := inv.SymmetricDim()
	rows := make([][]float64, n)
	for i := range rows {
		rows[i] = make([]float64, n)
		for j := range rows[i] {
			rows[i][j] = inv.At(i, j)
		}
	}
	return rows, nil
}
