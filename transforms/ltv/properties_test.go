package ltv

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/integrate/quad"
)

// family is one model of purchases with what every one of them must satisfy.
type family struct {
	name   string
	fit    func(*Summary) (Model, Fit)
	likely func(theta []float64, s *Summary, gradient []float64) float64
	one    func(theta []float64, c RFM) float64 // log-likelihood of one customer
	model  func(theta []float64) Model
	times  []bool // which parameters are times
	typical,
	frail []float64
}

func families() []family {
	return []family{
		{
			name:    "BG/NBD",
			fit:     func(s *Summary) (Model, Fit) { m, f := FitBGNBD(s); return m, f },
			likely:  func(p []float64, s *Summary, g []float64) float64 { return bg(p).core().likelihood(s, g) },
			one:     func(p []float64, c RFM) float64 { return bg(p).LogLikelihood(c) },
			model:   func(p []float64) Model { return bg(p) },
			times:   []bool{false, true, false, false},
			typical: []float64{.2426, 4.4136, .7929, 2.4259},
			frail:   []float64{.11, 2.24, .31, .50},
		},
		{
			name:    "MBG/NBD",
			fit:     func(s *Summary) (Model, Fit) { m, f := FitMBGNBD(s); return m, f },
			likely:  func(p []float64, s *Summary, g []float64) float64 { return mbg(p).core().likelihood(s, g) },
			one:     func(p []float64, c RFM) float64 { return mbg(p).LogLikelihood(c) },
			model:   func(p []float64) Model { return mbg(p) },
			times:   []bool{false, true, false, false},
			typical: []float64{.5248, 6.1831, .8914, 1.6140},
			frail:   []float64{.11, 2.24, .31, .50},
		},
		{
			name:    "Pareto/NBD",
			fit:     func(s *Summary) (Model, Fit) { m, f := FitParetoNBD(s); return m, f },
			likely:  func(p []float64, s *Summary, g []float64) float64 { return pareto(p).likelihood(s, g) },
			one:     func(p []float64, c RFM) float64 { return pareto(p).LogLikelihood(c) },
			model:   func(p []float64) Model { return pareto(p) },
			times:   []bool{false, true, false, true},
			typical: []float64{.5533, 10.5777, .6062, 11.6687},
			frail:   []float64{.2, 30, 1, 2},
		},
		{
			name:    "NBD",
			fit:     func(s *Summary) (Model, Fit) { m, f := FitNBD(s); return m, f },
			likely:  func(p []float64, s *Summary, g []float64) float64 { return NBD{p[0], p[1]}.likelihood(s, g) },
			one:     func(p []float64, c RFM) float64 { return NBD{p[0], p[1]}.LogLikelihood(c) },
			model:   func(p []float64) Model { return NBD{p[0], p[1]} },
			times:   []bool{false, true},
			typical: []float64{.3848, 12.07},
			frail:   []float64{5, 3},
		},
	}
}

func pareto(p []float64) ParetoNBD { return ParetoNBD{p[0], p[1], p[2], p[3]} }

func bg(p []float64) BGNBD   { return BGNBD{p[0], p[1], p[2], p[3]} }
func mbg(p []float64) MBGNBD { return MBGNBD{p[0], p[1], p[2], p[3]} }

// eachFamily runs a check for every model of purchases.
func eachFamily(t *testing.T, check func(t *testing.T, f family)) {
	for _, f := range families() {
		t.Run(f.name, func(t *testing.T) { check(t, f) })
	}
}

// histories are customers of every kind, in weeks.
var histories = []RFM{{}, {0, 0, 1}, {0, 0, 39}, {1, 1.7, 39}, {1, 39, 39}, {2, 30.4, 38.9}, {7, 29.4, 38.9}, {26, 30.9, 31}, {120, 100, 101}}

func TestGradients(t *testing.T) {
	s := compress(t, append(slices.Clone(histories), RFM{300, 20, 60}, RFM{10000, 300, 301}))
	eachFamily(t, func(t *testing.T, f family) {
		for _, theta := range [][]float64{f.typical, f.frail} {
			analytic := make([]float64, len(theta))
			value := f.likely(theta, s, analytic)
			var sum float64
			for _, r := range s.Rows() {
				sum += r.Customers * f.one(theta, r.RFM)
			}
			nearly(t, "sum over customers", value, sum, 1e-11)
			for i := range theta {
				step := 5e-4 * theta[i]
				at := func(d float64) float64 {
					moved := slices.Clone(theta)
					moved[i] += d
					return f.likely(moved, s, make([]float64, len(theta)))
				}
				// Richardson's differences: the error is of the fourth order.
				numeric := (8*(at(step)-at(-step)) - (at(2*step) - at(-2*step))) / (12 * step)
				near(t, fmt.Sprint("slope of parameter ", i, " at ", theta), analytic[i], numeric, 1e-6*math.Abs(numeric)+3e-7*math.Abs(value)/theta[i]*1e-3)
			}
		}
	})
}

func TestProbabilities(t *testing.T) {
	eachFamily(t, func(t *testing.T, f family) {
		for _, theta := range [][]float64{f.typical, f.frail} {
			m := f.model(theta)
			for _, c := range histories {
				for _, after := range []float64{.5, 10, 52} {
					var sum, mean, tail float64
					for n := 0; n < 4000 && 1-sum > 1e-11; n++ {
						p := Count(m, c, n, after)
						if !(p >= 0 && p <= 1) {
							t.Fatalf("%v: P(%d in %v) = %v", c, n, after, p)
						}
						sum += p
						mean += float64(n) * p
						tail = p * float64(n)
					}
					what := fmt.Sprint(theta, c, after)
					near(t, what+": sum of probabilities", sum, 1, 1e-9)
					nearly(t, what+": mean of the counts", mean, Expected(m, c, after), 1e-8+1e3*tail)
					near(t, what+": no purchase", NoPurchase(m, c, after), Count(m, c, 0, after), 0)
				}
			}
		}
	})
}

// Several counts at once are the same as one by one.
func TestCountsAtOnce(t *testing.T) {
	eachFamily(t, func(t *testing.T, f family) {
		for _, theta := range [][]float64{f.typical, f.frail} {
			m := f.model(theta)
			for _, c := range append(slices.Clone(histories), RFM{9000, 30, 31}) {
				for _, after := range []float64{0, .5, 52, 300} {
					l := m.Living(c.Frequency, c.Age)
					next, left := counter(l, after, 0), 1.0
					for n := range 70 {
						near(t, fmt.Sprint(theta, c, after, ": at least ", n), l.AtLeast(n, after), left, 1e-10)
						want := l.Count(n, after)
						left -= want
						near(t, fmt.Sprint(theta, c, after, n), next(n), want, 1e-10*want+1e-14)
					}
				}
			}
		}
	})
}

// Counts about a thousand, where the probability of none is too small to be a number.
func TestCountsAtOnceOfFrequentBuyers(t *testing.T) {
	eachFamily(t, func(t *testing.T, f family) {
		l := f.model(f.typical).Living(1500, 31)
		next := counter(l, 28, 0)
		for n := range 1001 {
			if got := next(n); n%200 == 0 {
				want := l.Count(n, 28)
				near(t, fmt.Sprint(n), got, want, 1e-9*want+1e-14)
			}
		}
		if p := l.Count(1000, 28); !(p > 1e-6) {
			t.Errorf("P(1000) = %v: the count is not about a thousand", p)
		}
	})
}

func TestPredictionsAreMonotone(t *testing.T) {
	eachFamily(t, func(t *testing.T, f family) {
		for _, theta := range [][]float64{f.typical, f.frail} {
			m := f.model(theta)
			for _, c := range histories {
				near(t, fmt.Sprint(c, ": expected within nothing"), Expected(m, c, 0), 0, 0)
				near(t, fmt.Sprint(c, ": alive at once"), Alive(m, c, 0), m.Alive(c), 1e-12)
				near(t, fmt.Sprint(c, ": none within nothing"), NoPurchase(m, c, 0), 1, 1e-15)
				for after := 1.; after < 1e6; after *= 7 {
					if !(Expected(m, c, after) < Expected(m, c, after*7)) {
						t.Errorf("%v: expected purchases do not grow after %v", c, after)
					}
					if !(Alive(m, c, after) <= m.Alive(c) && Alive(m, c, after*7) <= Alive(m, c, after) && Alive(m, c, after) >= 0) {
						t.Errorf("%v: P(alive) does not fall after %v", c, after)
					}
					if !(NoPurchase(m, c, after*7) <= NoPurchase(m, c, after)+1e-13) {
						t.Errorf("%v: P(no purchase) does not fall after %v", c, after)
					}
				}
				for rate := 1e-6; rate < 10; rate *= 10 {
					if !(Discounted(m, c, rate) > Discounted(m, c, rate*10)) {
						t.Errorf("%v: present value does not fall beyond rate %v", c, rate)
					}
				}
			}
		}
	})
}

// DERT equals δ∫e^(−δt)·E(t) dt, and waiting splits expectations.
func TestDiscountedIsTheIntegralOfExpected(t *testing.T) {
	eachFamily(t, func(t *testing.T, f family) {
		for _, theta := range [][]float64{f.typical, f.frail} {
			m := f.model(theta)
			for _, c := range []RFM{{}, {0, 0, 39}, {2, 30.4, 38.9}, {26, 30.9, 31}} {
				for _, rate := range []float64{.0018329, .02} {
					living := m.Living(c.Frequency, c.Age)
					// t = u²/δ straightens the start.
					integral := quad.Fixed(func(u float64) float64 {
						return 2 * u * math.Exp(-u*u) * expected(living, u*u/rate)
					}, 0, 6.5, 160, nil, 1)
					nearly(t, fmt.Sprint(theta, c, rate), living.Discounted(rate), integral, 1e-9)
				}
			}
		}
	})
}

func expected(l Living, t float64) float64 {
	_, purchases := l.Within(t)
	return purchases
}

// A living customer who stays quiet for d is, if still alive, the one with age T + d.
func TestQuietIsTheSameAsOlder(t *testing.T) {
	eachFamily(t, func(t *testing.T, f family) {
		m := f.model(f.typical)
		a, b := m.Living(3, 20).Quiet(15), m.Living(3, 35)
		for _, after := range []float64{1, 30} {
			alive, purchases := a.Within(after)
			want, wanted := b.Within(after)
			nearly(t, "alive", alive, want, 1e-13)
			nearly(t, "expected", purchases, wanted, 1e-13)
			nearly(t, "two", a.Count(2, after), b.Count(2, after), 1e-13)
			nearly(t, "discounted", a.Discounted(.01), b.Discounted(.01), 1e-13)
		}
	})
}

func TestPredictIsTheSameByRow(t *testing.T) {
	list := append(slices.Clone(histories), RFM{2, 10, 20}, RFM{2, 12, 20}, RFM{2, 10, 25}, RFM{1, 3, 20})
	s := compress(t, list)
	eachFamily(t, func(t *testing.T, f family) {
		m := f.model(f.typical)
		for i, p := range Predict(m, s, 26) {
			c := s.Rows()[i].RFM
			near(t, fmt.Sprint(c, ": alive"), p.Alive, m.Alive(c), 1e-12)
			nearly(t, fmt.Sprint(c, ": alive later"), p.AliveLater, Alive(m, c, 26), 1e-12)
			nearly(t, fmt.Sprint(c, ": expected"), p.Expected, Expected(m, c, 26), 1e-12)
			nearly(t, fmt.Sprint(c, ": no purchase"), p.NoPurchase, NoPurchase(m, c, 26), 1e-12)
		}
	})
}

// Numbers, not NaN, for counts up to 10,000 and parameters between 1e-4 and 1e4.
func TestExtremesAreFinite(t *testing.T) {
	values := []float64{1e-4, 1, 1e4}
	customers := append(slices.Clone(histories), RFM{10000, 10, 1000}, RFM{10000, 999, 1000}, RFM{1000, 10, 100})
	eachFamily(t, func(t *testing.T, f family) {
		theta := make([]float64, len(f.typical))
		cases := int(math.Pow(float64(len(values)), float64(len(theta))))
		for k := range cases {
			for i, rest := 0, k; i < len(theta); i, rest = i+1, rest/len(values) {
				theta[i] = values[rest%len(values)]
			}
			m := f.model(theta)
			for _, c := range customers {
				expectFinite(t, theta, c, f.one(theta, c), math.Inf(-1))
				expectFinite(t, theta, c, m.Alive(c), 0)
				living := m.Living(c.Frequency, c.Age)
				alive, purchases := living.Within(30)
				for _, v := range []float64{alive, purchases, living.Count(0, 30), living.Count(3, 30), living.Discounted(.01)} {
					expectFinite(t, theta, c, v, 0)
				}
			}
		}
	})
}

func expectFinite(t *testing.T, theta []float64, c RFM, v, least float64) {
	t.Helper()
	if math.IsNaN(v) || math.IsInf(v, 0) || v < least {
		t.Fatalf("%v at %v gives %v", c, theta, v)
	}
}

// The unit of time, the order of customers and the way they are counted change nothing.
func TestFitDoesNotDependOnUnitsOrderOrCounting(t *testing.T) {
	list := rfms(cdnow(t))
	days, shuffled := slices.Clone(list), slices.Clone(list)
	for i := range days {
		days[i].Recency *= 7
		days[i].Age *= 7
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	s := compress(t, list)
	counted, err := NewSummary(s.Rows())
	if err != nil {
		t.Fatal(err)
	}
	inDays, mixed := compress(t, days), compress(t, shuffled)
	eachFamily(t, func(t *testing.T, f family) {
		m, weeks := f.fit(s)
		for name, other := range map[string]*Summary{"shuffled": mixed, "counted": counted} {
			if _, fit := f.fit(other); !slices.Equal(fit.Values, weeks.Values) || fit.LogLikelihood != weeks.LogLikelihood {
				t.Errorf("%s: %v, want the very same as %v", name, fit, weeks)
			}
		}
		md, daily := f.fit(inDays)
		for i, v := range weeks.Values {
			unit := 1.
			if f.times[i] {
				unit = 7
			}
			nearly(t, "in days: "+weeks.Parameters[i], daily.Values[i], v*unit, 1e-7)
			nearly(t, "in days: error of "+weeks.Parameters[i], daily.StandardErrors[i], weeks.StandardErrors[i]*unit, 1e-5)
		}
		c, d := list[0], days[0]
		nearly(t, "expected", Expected(md, d, 39*7), Expected(m, c, 39), 1e-7)
		nearly(t, "alive", md.Alive(d), m.Alive(c), 1e-7)
	})
}
