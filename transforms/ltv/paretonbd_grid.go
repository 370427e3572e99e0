package ltv

import "math"

// grid serves the rows of all frequencies at once: the distinct times of a summary, and
// the points of a Gauss–Legendre rule between each and the next. It is worth it where
// times are dates, so that there are far fewer of them than rows.
type grid struct {
	model ParetoNBD
	times []gridTime
	nodes []gridNode
}

// gridTime is a distinct time with what depends on it; tail and moment are integrals, up
// to the last time, of one frequency.
type gridTime struct {
	logA, logB, partA, partB float64 // ln(1+t/α), ln(1+t/β), t/(α+t), t/(β+t)
	alive                    float64 // (1+t/α)^−n (1+t/β)^−s
	tail                     float64
	moment                   [4]float64 // of logA, partA, logB, partB
	from                     int        // the first node after the time
	fall                     float64    // the greatest fall of the integrand to the next time for which its rule serves
}

// gridNode is a point between two times.
type gridNode struct{ weight, logA, logB, partA, partB float64 }

// newGrid places the nodes for parameters. Where times lie too far apart no rule serves, and
// the fall is 0, which integrate refuses.
func newGrid(m ParetoNBD, times []float64) *grid {
	g := &grid{model: m, times: make([]gridTime, len(times))}
	least := min(m.Alpha, m.Beta)
	for i, t := range times {
		g.times[i] = gridTime{logA: math.Log1p(t / m.Alpha), logB: math.Log1p(t / m.Beta), partA: t / (m.Alpha + t), partB: t / (m.Beta + t), from: len(g.nodes)}
		if i == len(times)-1 {
			break
		}
		wide := math.Log1p((times[i+1] - t) / (least + t))
		points := long
		switch {
		case wide > panelWide:
			continue
		case wide < .003:
			points, g.times[i].fall = short, .1
		case wide < .3:
			points, g.times[i].fall = medium, 1
		default:
			g.times[i].fall = panelFall
		}
		for k, v := range points.at {
			grown := math.Expm1(v * wide)
			at := t + (least+t)*grown
			g.nodes = append(g.nodes, gridNode{points.weight[k] * wide * (least + t) * (1 + grown), math.Log1p(at / m.Alpha), math.Log1p(at / m.Beta), at / (m.Alpha + at), at / (m.Beta + at)})
		}
	}
	return g
}

// integrate computes alive, tail and moment of the times for one frequency, relative to
// the first of the group. It fails where the rules or the range of numbers do not serve.
func (g *grid) integrate(n float64, first, last int32) bool {
	s := g.model.S
	start, end := &g.times[first], &g.times[last]
	if n*(end.logA-start.logA)+(s+1)*(end.logB-start.logB) > 250 {
		return false
	}
	for i := first; i < last; i++ {
		t, next := &g.times[i], &g.times[i+1]
		if n*(next.logA-t.logA)+(s+1)*(next.logB-t.logB) > t.fall {
			return false
		}
	}
	reference := n*start.logA + s*start.logB
	var tail float64
	var moment [4]float64
	for i := last; ; i-- {
		t := &g.times[i]
		if i < last {
			for k := t.from; k < g.times[i+1].from; k++ {
				p := &g.nodes[k]
				w := p.weight * math.Exp(reference-n*p.logA-(s+1)*p.logB)
				tail += w
				moment[0] += w * p.logA
				moment[1] += w * p.partA
				moment[2] += w * p.logB
				moment[3] += w * p.partB
			}
		}
		t.alive = math.Exp(reference - n*t.logA - s*t.logB)
		t.tail, t.moment = tail, moment
		if i == first {
			return true
		}
	}
}

// rows adds the log-likelihood and the gradient of a group that integrate has prepared,
// less what depends on the frequency alone.
func (g *grid) rows(s *Summary, group int, gradient []float64) (total float64) {
	m := g.model
	n := m.R + float64(s.groups[group].frequency)
	scale := m.S / m.Beta
	var aliveA, aliveB, partA, partB float64 // sums at T over all, then over those alive
	for j, at := range s.groupTimes[group] {
		t, w := &g.times[at], s.groupAges[group][j]
		aliveA, aliveB, partA, partB = aliveA+w*t.logA, aliveB+w*t.logB, partA+w*t.partA, partB+w*t.partB
	}
	total = -n*aliveA - m.S*aliveB
	var lost float64
	var moment [4]float64
	product := 1.0
	for i := s.groups[group].from; i < s.groups[group].to; i++ {
		last, end := &g.times[s.recencyAt[i]], &g.times[s.ageAt[i]]
		w := s.weights[i]
		odds := scale / end.alive
		q := odds * (last.tail - end.tail)
		if w == 1 {
			if product *= 1 + q; product > 1e150 {
				total += math.Log(product)
				product = 1
			}
		} else {
			total += w * math.Log1p(q)
		}
		f := w * odds / (1 + q)
		p := f * (last.tail - end.tail)
		lost += p
		aliveA, aliveB, partA, partB = aliveA-p*end.logA, aliveB-p*end.logB, partA-p*end.partA, partB-p*end.partB
		for k := range moment {
			moment[k] += f * (last.moment[k] - end.moment[k])
		}
	}
	gradient[0] -= aliveA + moment[0]
	gradient[1] += n * (partA + moment[1]) / m.Alpha
	gradient[2] += lost/m.S - aliveB - moment[2]
	gradient[3] += (m.S*partB + (m.S+1)*moment[3] - lost) / m.Beta
	return total + math.Log(product)
}

// aliveRows is Alive for every row of a summary.
func (m ParetoNBD) aliveRows(s *Summary) []float64 {
	list := make([]float64, len(s.rows))
	var points *grid
	scale := m.S / m.Beta
	for g, group := range s.groups {
		if !s.worthGrid(g) {
			for i := group.from; i < group.to; i++ {
				list[i] = m.Alive(s.rows[i].RFM)
			}
			continue
		}
		if points == nil {
			points = newGrid(m, s.times)
		}
		times := s.groupTimes[g]
		served := points.integrate(m.R+float64(group.frequency), times[0], times[len(times)-1])
		for i := group.from; i < group.to; i++ {
			if !served {
				list[i] = m.Alive(s.rows[i].RFM)
				continue
			}
			last, end := &points.times[s.recencyAt[i]], &points.times[s.ageAt[i]]
			list[i] = 1 / (1 + scale/end.alive*(last.tail-end.tail))
		}
	}
	return list
}

// worthGrid tells whether a group uses enough of the times between its first and last.
func (s *Summary) worthGrid(group int) bool {
	times := s.groupTimes[group]
	return int(times[len(times)-1]-times[0]) < 30*len(times)
}
