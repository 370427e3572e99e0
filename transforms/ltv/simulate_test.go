package ltv

import (
	"math"
	"math/rand/v2"
)

// source is a stream of random numbers with the distributions the models are made of.
type source struct{ *rand.Rand }

func newSource(seed uint64) source { return source{rand.New(rand.NewPCG(seed, 20240229))} }

// gamma is Gamma(shape, 1): Marsaglia and Tsang (2000).
func (s source) gamma(shape float64) float64 {
	if shape < 1 {
		return s.gamma(shape+1) * math.Pow(1-s.Float64(), 1/shape)
	}
	d := shape - 1./3
	c := 1 / math.Sqrt(9*d)
	for {
		x := s.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v *= v * v
		if math.Log(1-s.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

func (s source) beta(a, b float64) float64 {
	x, y := s.gamma(a), s.gamma(b)
	return x / (x + y)
}

// habits are the rate of purchase of one customer and when the customer is lost: at a
// time, and with a probability after the first and after later purchases.
type habits struct{ rate, lostAt, lostFirst, lostAfter float64 }

func (m BGNBD) draw(s source) habits {
	return habits{s.gamma(m.R) / m.Alpha, math.Inf(1), 0, s.beta(m.A, m.B)}
}

func (m MBGNBD) draw(s source) habits {
	p := s.beta(m.A, m.B)
	return habits{s.gamma(m.R) / m.Alpha, math.Inf(1), p, p}
}

func (m ParetoNBD) draw(s source) habits {
	return habits{s.gamma(m.R) / m.Alpha, s.ExpFloat64() * m.Beta / s.gamma(m.S), 0, 0}
}

func (m NBD) draw(s source) habits {
	return habits{s.gamma(m.R) / m.Alpha, math.Inf(1), 0, 0}
}

type drawer interface{ draw(source) habits }

// live is the times of the repeat purchases of one customer until a time.
func (h habits) live(s source, until float64) []float64 {
	var times []float64
	lost := s.Float64() < h.lostFirst
	for t := 0.0; !lost; lost = s.Float64() < h.lostAfter {
		t += s.ExpFloat64() / h.rate
		if !(t <= min(until, h.lostAt)) {
			break
		}
		times = append(times, t)
	}
	return times
}

// history is the RFM at an age, and the purchases after it.
func history(times []float64, age float64) (c RFM, after int) {
	c.Age = age
	for _, t := range times {
		if t > age {
			after++
			continue
		}
		c.Frequency++
		c.Recency = t
	}
	return c, after
}

// simulate draws customers whose ages are spread evenly between two.
func simulate(s source, m drawer, n int, youngest, oldest float64) []RFM {
	list := make([]RFM, n)
	for i := range list {
		age := youngest + (oldest-youngest)*float64(i)/float64(n)
		list[i], _ = history(m.draw(s).live(s, age), age)
	}
	return list
}
