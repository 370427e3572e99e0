package ltv

import "math"

// likelihood adds the log-likelihood of all rows, and its gradient by (r, α, a, b).
// Logarithms, powers and rising factorials are computed once per distinct time and
// frequency, so that a row costs a few multiplications.
func (g geometric) likelihood(s *Summary, gradient []float64) float64 {
	r, alpha, a, b := g.r, g.alpha, g.a, g.b
	points := g.points(s)
	logAlpha := math.Log(alpha)
	purchases, survived, chances := ladder{a: r}, ladder{a: b}, ladder{a: a + b}
	var total float64
	for i, group := range s.groups {
		x, k := group.frequency, group.frequency+g.first
		n := r + float64(x)
		purchases.to(x)
		survived.to(k)
		chances.to(k)
		sum := s.bracket(i, points, n, g.odds(x))
		total += sum.bracket + sum.all*(purchases.value+survived.value-chances.value-float64(x)*logAlpha)
		gradient[0] += sum.all*purchases.slope - sum.logTime
		gradient[1] += sum.all*r/alpha - n*sum.inverseTime
		gradient[2] += -sum.all * chances.slope
		gradient[3] += sum.all * (survived.slope - chances.slope)
		if k > 0 {
			gradient[2] += sum.lost / a
			gradient[3] -= sum.lost / (b + float64(k) - 1)
		}
	}
	return total
}

// odds are those of loss before time tells, a/(b+k−1), 0 without a chance.
func (g geometric) odds(frequency int) float64 {
	k := float64(frequency + g.first)
	if k == 0 {
		return 0
	}
	return g.a / (g.b + k - 1)
}

// points are the distinct times of a summary.
func (g geometric) points(s *Summary) []point {
	points := make([]point, len(s.times))
	for i, t := range s.times {
		points[i].log, points[i].inverse = math.Log1p(t/g.alpha), 1/(g.alpha+t)
	}
	return points
}

// point is what the likelihood needs of a distinct time t: ln(1+t/α), 1/(α+t), and
// (1+t/α)^n with its inverse for the n of a group.
type point struct{ log, inverse, up, down float64 }

// bracketSums are sums over the rows of a group: the weights, the weights lost, the
// means over lost and alive of ln(1+t/α) and 1/(α+t) at the time that counts, t_x or T,
// and the logarithm of the brackets.
type bracketSums struct{ all, lost, logTime, inverseTime, bracket float64 }

// bracket sums (1+T/α)^−n + odds·(1+t_x/α)^−n over the rows of a group.
func (s *Summary) bracket(g int, points []point, n, odds float64) bracketSums {
	if !s.powers(g, points, n, odds) {
		return s.bracketInLogs(g, points, n, odds)
	}
	var sum bracketSums
	for j, t := range s.groupTimes[g] {
		p, w := &points[t], s.groupAges[g][j]
		sum.all += w
		sum.logTime += w * p.log
		sum.inverseTime += w * p.inverse
	}
	sum.bracket = -n * sum.logTime
	// The product of the brackets of rows of one customer needs a logarithm only now and then.
	product := 1.0
	group := s.groups[g]
	for i := group.from; i < group.to; i++ {
		last, end := &points[s.recencyAt[i]], &points[s.ageAt[i]]
		q := odds * end.up * last.down // the odds of lost to alive
		p := q / (1 + q)
		if w := s.weights[i]; w == 1 {
			if product *= 1 + q; product > 1e150 {
				sum.bracket += math.Log(product)
				product = 1
			}
		} else {
			sum.bracket += w * math.Log1p(q)
			p *= w
		}
		sum.lost += p
		sum.logTime += p * (last.log - end.log)
		sum.inverseTime += p * (last.inverse - end.inverse)
	}
	sum.bracket += math.Log(product)
	return sum
}

// powers computes the powers of the times of a group, unless they or the odds of loss
// would leave the range of numbers.
func (s *Summary) powers(g int, points []point, n, odds float64) bool {
	times := s.groupTimes[g]
	first, last := points[times[0]].log, points[times[len(times)-1]].log
	if odds > 0 && n*(last-first)+math.Abs(math.Log(odds)) > 250 {
		return false
	}
	for _, t := range times {
		p := &points[t]
		p.up = math.Exp(n * (p.log - first))
		p.down = 1 / p.up
	}
	return true
}

// aliveRows is alive for every row of a summary.
func (g geometric) aliveRows(s *Summary) []float64 {
	list := make([]float64, len(s.rows))
	points := g.points(s)
	for i, group := range s.groups {
		odds := g.odds(group.frequency)
		powers := s.powers(i, points, g.r+float64(group.frequency), odds)
		for i := group.from; i < group.to; i++ {
			if powers {
				list[i] = 1 / (1 + odds*points[s.ageAt[i]].up*points[s.recencyAt[i]].down)
			} else {
				list[i] = g.alive(s.rows[i].RFM)
			}
		}
	}
	return list
}

// bracketInLogs is bracket where the powers would overflow.
func (s *Summary) bracketInLogs(g int, points []point, n, odds float64) bracketSums {
	var sum bracketSums
	group := s.groups[g]
	for i := group.from; i < group.to; i++ {
		w, last, end := s.weights[i], &points[s.recencyAt[i]], &points[s.ageAt[i]]
		u := math.Log(odds) + n*(end.log-last.log)
		p := expit(u)
		sum.all += w
		sum.lost += w * p
		sum.logTime += w * (end.log + p*(last.log-end.log))
		sum.inverseTime += w * (end.inverse + p*(last.inverse-end.inverse))
		sum.bracket += w * (logOnePlusExp(u) - n*end.log)
	}
	return sum
}

// ladder is rising for a sequence of growing n.
type ladder struct {
	a            float64
	n            int
	value, slope float64
}

func (l *ladder) to(n int) {
	if n-l.n > 64 {
		l.value, l.slope = rising(l.a, n)
	} else {
		value, slope := risingFrom(l.a, l.n, n)
		l.value += value
		l.slope += slope
	}
	l.n = n
}
