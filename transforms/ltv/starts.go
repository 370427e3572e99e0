package ltv

import "math"

// The box of the parameters: shapes within e^±12 (6e-6 to 163,000), times as far from
// the mean age, and further up, where r and α grow together.
const (
	shapeLow  = 6.2e-6
	shapeHigh = 163000
)

func timeBounds(s *Summary) (low, high float64) {
	return s.meanAge * shapeLow, s.meanAge * shapeHigh * 50
}

// thinned is the size, in rows, of a sample on which totals are compared, thinnedStarts of
// the one on which starts are.
const (
	thinned       = 4096
	thinnedStarts = 1024
)

// thinnedNear is its size where a climb begins near the top: large enough that its top is one
// step from that of all rows.
const thinnedNear = 1 << 14

// What a ridge means, where models agree.
const (
	neverLost = "nobody is seen to be lost; NBD says the same with two parameters"
	sameRate  = "all customers buy at about the same rate; predictions hold, r and α mean nothing by themselves"
	sameLoss  = "all customers are about equally likely to be lost; predictions hold, these parameters mean nothing by themselves"
)

// someLoss is the probability of loss, at a chance or within the mean age, below which nobody is
// seen to be lost.
const someLoss = 1e-4

// rateStart guesses r and α as if nobody were ever lost, from the mean of the counts
// and the share without any.
func rateStart(s *Summary) (r, alpha float64) {
	mean := s.purchases / s.customers
	none := min(max(1-s.repeaters/s.customers, 1e-3), 0.999)
	// P(0) = (1 + mean/r)^−r falls from 1 to e^−mean as r grows: bisect ln r.
	low, high := math.Log(1e-3), math.Log(1e3)
	for range 40 {
		middle := (low + high) / 2
		r = math.Exp(middle)
		if math.Exp(-r*math.Log1p(mean/r)) > none {
			low = middle
		} else {
			high = middle
		}
	}
	return r, r * s.meanAge / mean
}
