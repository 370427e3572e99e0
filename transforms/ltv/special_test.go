package ltv

import (
	"fmt"
	"math"
	"testing"
)

func TestSpecialFunctions(t *testing.T) {
	for x, want := range map[float64]float64{ // mpmath
		1e-5: -100000.57719921568, .3: -3.502524222200133, 1: -0.57721566490153286, 4.4: 1.3636854834260883,
		9.99: 2.2507003728312011, 10: 2.2517525890667211, 200: 5.2958152832199116, 1e5: 11.512920464961895} {
		nearly(t, fmt.Sprint("ψ ", x), digamma(x), want, 1e-14)
	}
	// mpmath: loggamma(a) + loggamma(b) − loggamma(a + b)
	for _, c := range []struct{ a, b, want float64 }{
		{.5, .5, math.Log(math.Pi)},
		{2.4, .8, -0.51648582630622978},
		{.001, 1e4, 6.8979685949627083},
		{1e4, .001, 6.8979685949627083},
		{3, 1e6, -40.753387493330377},
		{1e4, 1e4, -13866.28325676141},
	} {
		nearly(t, fmt.Sprint("ln B ", c.a, c.b), lbeta(c.a, c.b), c.want, 1e-13)
	}
	for _, n := range []int{0, 1, 7, 8, 9, 64, 65, 10000} {
		for _, a := range []float64{1e-4, .24, 1, 30, 1e4} {
			value, slope := rising(a, n)
			near(t, fmt.Sprint("rising ", a, n), value, lgamma(a+float64(n))-lgamma(a), 1e-15*lgamma(a+float64(n)+10)+1e-13)
			near(t, fmt.Sprint("rising slope ", a, n), slope, digamma(a+float64(n))-digamma(a), 1e-13*max(1, 1/a))
			l := ladder{a: a}
			for _, step := range []int{n / 9, n / 2, n} {
				l.to(step)
			}
			near(t, fmt.Sprint("ladder ", a, n), l.value, value, 1e-13*max(1, math.Abs(value)))
			near(t, fmt.Sprint("ladder slope ", a, n), l.slope, slope, 1e-13*max(1, slope))
		}
	}
	if got := addLogs(math.Inf(-1), math.Inf(-1)); !math.IsInf(got, -1) {
		t.Errorf("ln(0 + 0) = %v", got)
	}
}

// The moments of a Beta and a Gamma come out of their nodes, for shapes between 1e-4 and 1e4.
func TestNodes(t *testing.T) {
	shapes := []float64{1e-4, .01, .24, .8, 1, 2.5, 30, 1e3, 1e4}
	for _, a := range shapes {
		for _, b := range shapes {
			n := betaNodes(a, b)
			mean := a / (a + b)
			nearly(t, fmt.Sprint("mean of Beta ", a, b), n.mean(func(p float64) float64 { return p }), mean, 1e-10)
			nearly(t, fmt.Sprint("square of Beta ", a, b), n.mean(func(p float64) float64 { return p * p }), mean*(a+1)/(a+b+1), 1e-10)
			if len(n.at) > 600 {
				t.Errorf("Beta(%v, %v) has %d nodes", a, b, len(n.at))
			}
		}
		n := gammaNodes(a)
		nearly(t, fmt.Sprint("mean of Gamma ", a), n.mean(func(l float64) float64 { return l }), a, 1e-10)
		nearly(t, fmt.Sprint("e^−λ/shape of Gamma ", a), n.mean(func(l float64) float64 { return math.Exp(-l / a) }), math.Exp(-a*math.Log1p(1/a)), 1e-9)
	}
}

// Expected purchases, survival and present value against an integral that takes no
// shortcut: Gauss–Legendre panels over the whole line, of 24 points each.
func TestLivingAgainstBruteForce(t *testing.T) {
	worst := 0.0
	for _, a := range []float64{.05, 1, 20} {
		for _, b := range []float64{.05, 2, 1e3} {
			points := panelsOfBeta(a, b)
			for _, n := range []float64{.2, 5, 1e3} {
				for _, u := range []float64{.01, 1, 50} {
					var alive, purchases float64
					for _, p := range points {
						power := -n * math.Log1p(p.at*u)
						alive += p.weight * math.Exp(power)
						if p.at > 0 {
							purchases += p.weight * -math.Expm1(power) / p.at
						} else {
							purchases += p.weight * n * u
						}
					}
					l := newGeometricLiving(poissonGamma{n, 1}, a, b)
					gotAlive, got := l.Within(u)
					what := fmt.Sprint("a=", a, " b=", b, " n=", n, " u=", u)
					near(t, what+": alive", gotAlive, alive, 1e-10)
					nearly(t, what+": purchases", got, purchases, 1e-10)
					worst = max(worst, math.Abs(got/purchases-1), math.Abs(gotAlive-alive))
				}
			}
		}
	}
	t.Logf("largest error %.1e", worst)
}

type weighted struct{ at, weight float64 }

func panelsOfBeta(a, b float64) []weighted {
	var list []weighted
	const wide = .5
	constant := -lbeta(a, b)
	for from := -45/a - 10; from < 45/b+10; from += wide {
		for i, v := range fine.at {
			s := from + v*wide
			list = append(list, weighted{expit(s), fine.weight[i] * wide * math.Exp(constant-a*logOnePlusExp(-s)-b*logOnePlusExp(s))})
		}
	}
	return list
}
