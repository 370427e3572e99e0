package ltv

import (
	"fmt"
	"math"
	"os"
	"testing"
)

// recovery is what a number of simulated data sets say of a model.
type recovery struct {
	name            string
	fits, unusable  int     // unusable: no maximum with curvature in every direction
	squares, values float64 // of (estimate − truth)/error in logarithms, and how many
	orders, value   share   // individual intervals of 80 % that hold
	totals          share   // intervals of 80 % for all customers together that hold
}

type share struct{ in, of float64 }

func (s *share) count(inside bool) {
	s.of++
	if inside {
		s.in++
	}
}

func (s share) String() string {
	if s.of == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100*s.in/s.of)
}

// within tells whether a probability integral transform lies in the central 80 %. Counts
// have steps, in which a random point is as good as any: with it the share is 80 %
// when the distribution is right, while the interval of whole counts holds more.
func within(below, at float64, s source) bool {
	u := below + s.Float64()*at
	return u > .1 && u < .9
}

// add takes a fit and the truth; false when the fit has no errors.
func (r *recovery) add(f Fit, truth []float64) bool {
	r.fits++
	if f.StandardErrors == nil {
		r.unusable++
		return false
	}
	for i, v := range truth {
		d := math.Log(f.Values[i] / v)
		r.squares += d * d / f.Covariance[i][i]
		r.values++
	}
	return true
}

func (r *recovery) row() string {
	return fmt.Sprintf("| %s | %d | %d | %.2f | %v | %v | %v |", r.name, r.fits, r.unusable, r.squares/r.values, r.orders, r.value, r.totals)
}

// spenders are the parameters of spend that go with every simulation of purchases.
var spenders = GammaGamma{6.25, 3.74, 15.44}

// purchases simulates customers of a model of purchases, with calibration until their
// age and a future of 26 weeks.
func (r *recovery) purchases(f family, theta []float64, seed uint64, n int) {
	random := newSource(seed)
	truth := f.model(theta).(drawer)
	const after = 26
	var list []RFM
	var spends []Spend
	var later []int
	var paid []float64
	for i := range n {
		age := 52 + 52*float64(i)/float64(n)
		c, next := history(truth.draw(random).live(random, age+after), age)
		scale := random.gamma(spenders.Q) / spenders.V
		spend := Spend{Count: c.Frequency}
		for range c.Frequency {
			spend.Mean += random.gamma(spenders.P) / scale / float64(c.Frequency)
		}
		var sum float64
		for range next {
			sum += random.gamma(spenders.P) / scale
		}
		list, spends, later, paid = append(list, c), append(spends, spend), append(later, next), append(paid, sum)
	}
	s, _, err := Compress(list)
	if err != nil {
		panic(err)
	}
	money, err := CompressSpend(spends)
	if err != nil {
		panic(err)
	}
	_, fit := f.fit(s)
	if !r.add(fit, theta) {
		return
	}
	_, fitOfSpend := FitGammaGamma(money)
	var models []Model
	for _, values := range fit.Scenarios() {
		models = append(models, f.model(values))
	}
	var spending []GammaGamma
	for _, v := range fitOfSpend.Scenarios() {
		spending = append(spending, GammaGamma{v[0], v[1], v[2]})
	}
	r.holdout(models, spending, list, spends, later, paid, random)
}

// holdout compares the future of every tenth customer with the intervals, and all
// customers together.
func (r *recovery) holdout(models []Model, spending []GammaGamma, list []RFM, spends []Spend, later []int, paid []float64, random source) {
	var actual, variance float64
	means := make([]float64, len(models))
	for i := 0; i < len(list); i += 10 {
		c := list[i]
		d := Orders(models, c, 26, 1e-7)
		var below float64
		for k := range min(later[i], len(d)) {
			below += d[k]
		}
		if later[i] < len(d) {
			r.orders.count(within(below, d[later[i]], random))
		} else {
			r.orders.count(false)
		}
		v := NewValue(d, spending, spends[i])
		if paid[i] == 0 {
			r.value.count(within(0, d[0], random))
		} else {
			r.value.count(within(v.AtMost(paid[i]), 0, random))
		}
		mean := d.Mean()
		for k, p := range d {
			variance += p * (float64(k) - mean) * (float64(k) - mean)
		}
		for j, m := range models {
			means[j] += Expected(m, c, 26)
		}
		actual += float64(later[i])
	}
	expected, spread := moments(means)
	r.totals.count(math.Abs(actual-expected) < 1.2815515655446004*math.Sqrt(variance+spread))
}

func moments(list []float64) (mean, variance float64) {
	for _, v := range list {
		mean += v / float64(len(list))
	}
	for _, v := range list {
		variance += (v - mean) * (v - mean) / float64(len(list))
	}
	return mean, variance
}

// parameters of ten shops by model: slow and fast, loyal and not, alike and not.
var shops = map[string][][]float64{
	"BG/NBD":      {{.25, 4.4, .8, 2.4}, {.5, 6, 1.2, 4}, {1, 8, .6, 2}, {1.5, 10, 1, 6}, {.8, 3, .5, 1.5}, {2, 20, 1.5, 3}, {.4, 2, .9, 5}, {1.2, 15, .4, .8}, {.6, 10, 2, 8}, {3, 25, .7, 4}},
	"MBG/NBD":     {{.5, 6.2, .9, 1.6}, {.5, 6, 1.2, 4}, {1, 8, .6, 2}, {1.5, 10, 1, 6}, {.8, 3, .5, 1.5}, {2, 20, 1.5, 3}, {.4, 2, .9, 5}, {1.2, 15, .4, .8}, {.6, 10, 2, 8}, {3, 25, .7, 4}},
	"Pareto/NBD":  {{.55, 10.6, .6, 11.7}, {1, 8, .5, 10}, {1.5, 10, .8, 30}, {.8, 4, 1, 40}, {2, 20, .6, 8}, {.4, 3, .5, 20}, {1.2, 6, 1.5, 60}, {3, 25, .7, 15}, {.6, 5, .4, 5}, {1, 12, 1, 25}},
	"NBD":         {{.38, 12}, {.25, 4}, {1, 8}, {1.5, 10}, {.8, 3}, {2, 20}, {.4, 2}, {1.2, 15}, {.6, 30}, {3, 25}},
	"Gamma-Gamma": {{6.25, 3.74, 15.44}, {2, 4, 30}, {1, 3, 50}, {4, 2.5, 10}, {10, 6, 20}, {3, 8, 100}, {1.5, 5, 60}, {8, 3, 5}, {.8, 4, 200}, {5, 10, 40}},
	"BG/BB":       {{1.2, .75, .66, 2.78}, {1, 1, 1, 4}, {.5, 1, .5, 2}, {2, 2, 1, 6}, {.8, 2, .6, 3}, {3, 1.5, .5, 1.5}, {1.5, 4, 1.5, 8}, {.6, .4, .8, 3}, {2, 1, 2, 10}, {1, 3, .4, 2}},
	"sBG":         {{.70, 1.18}, {.67, 3.8}, {1, 1}, {2, 4}, {.4, .8}, {1.5, 6}, {.5, 2}, {3, 5}, {.8, .5}, {1, 10}},
	"BdW":         {{.5, 1, 1.2}, {.26, 1.7, 1.6}, {.7, 1.2, 1}, {1, 2, .8}, {.4, .8, 1.1}, {.6, 3, 1.3}, {.9, 1.5, .7}, {.5, 2, 1}, {.8, .9, .9}, {.3, 1, 1.4}},
}

// simulations are a data set of every model: its parameters, a seed, how many customers.
func simulations() (names []string, run map[string]func(r *recovery, theta []float64, seed uint64, customers int)) {
	run = map[string]func(r *recovery, theta []float64, seed uint64, customers int){
		"Gamma-Gamma": (*recovery).spend, "BG/BB": (*recovery).opportunities, "sBG": (*recovery).contracts, "BdW": (*recovery).contracts}
	for _, f := range families() {
		names = append(names, f.name)
		run[f.name] = func(r *recovery, theta []float64, seed uint64, customers int) { r.purchases(f, theta, seed, customers) }
	}
	return append(names, "Gamma-Gamma", "BG/BB", "sBG", "BdW"), run
}

// spend simulates customers with one to five purchases and as many after.
func (r *recovery) spend(theta []float64, seed uint64, n int) {
	random := newSource(seed)
	var list []Spend
	later := make([]float64, n)
	for i := range n {
		scale := random.gamma(theta[1]) / theta[2]
		c := Spend{Count: 1 + i%5}
		for range c.Count {
			c.Mean += random.gamma(theta[0]) / scale / float64(c.Count)
			later[i] += random.gamma(theta[0]) / scale
		}
		list = append(list, c)
	}
	s, err := CompressSpend(list)
	if err != nil {
		panic(err)
	}
	_, f := FitGammaGamma(s)
	if !r.add(f, theta) {
		return
	}
	var models []GammaGamma
	for _, v := range f.Scenarios() {
		models = append(models, GammaGamma{v[0], v[1], v[2]})
	}
	for i := 0; i < n; i += 10 {
		d := make(Distribution, list[i].Count+1)
		d[list[i].Count] = 1
		r.value.count(within(NewValue(d, models, list[i]).AtMost(later[i]), 0, random))
	}
}

// opportunities simulates eight opportunities, and five after.
func (r *recovery) opportunities(theta []float64, seed uint64, n int) {
	random := newSource(seed)
	const before, after = 8, 5
	var list []OpportunitiesRow
	later := make([]int, n)
	for i := range n {
		p, lost := random.beta(theta[0], theta[1]), random.beta(theta[2], theta[3])
		c := Opportunities{Count: before}
		for k := 1; k <= before+after && random.Float64() >= lost; k++ {
			switch {
			case random.Float64() >= p:
			case k > before:
				later[i]++
			default:
				c.Frequency++
				c.Recency = k
			}
		}
		list = append(list, OpportunitiesRow{c, 1})
	}
	s, err := NewOpportunitiesSummary(list)
	if err != nil {
		panic(err)
	}
	_, f := FitBGBB(s)
	if !r.add(f, theta) {
		return
	}
	scenarios := f.Scenarios()
	var actual, variance float64
	means := make([]float64, len(scenarios))
	for i := 0; i < n; i += 10 {
		var d Distribution
		for k := range after + 1 {
			var p float64
			for _, v := range scenarios {
				p += BGBB{v[0], v[1], v[2], v[3]}.Count(list[i].Opportunities, k, after) / float64(len(scenarios))
			}
			d = append(d, p)
		}
		var below float64
		for k := range later[i] {
			below += d[k]
		}
		r.orders.count(within(below, d[later[i]], random))
		for k, p := range d {
			variance += p * (float64(k) - d.Mean()) * (float64(k) - d.Mean())
		}
		for j, v := range scenarios {
			means[j] += BGBB{v[0], v[1], v[2], v[3]}.Expected(list[i].Opportunities, after)
		}
		actual += float64(later[i])
	}
	expected, spread := moments(means)
	r.totals.count(math.Abs(actual-expected) < 1.2815515655446004*math.Sqrt(variance+spread))
}

// contracts simulates eight renewals, and four after, of which the survivors are predicted.
func (r *recovery) contracts(theta []float64, seed uint64, n int) {
	random := newSource(seed)
	const before, after = 8, 4
	c := 1.0
	if len(theta) == 3 {
		c = theta[2]
	}
	left := make([]float64, before+after+1)
	for range n {
		lost := random.beta(theta[0], theta[1])
		// Still there at t with probability (1 − lost)^(t^c).
		lifetime := math.Pow(math.Log(1-random.Float64())/math.Log1p(-lost), 1/c)
		for t := range left {
			if float64(t) <= lifetime {
				left[t]++
			}
		}
	}
	data, err := Survivors(left[:before+1])
	if err != nil {
		panic(err)
	}
	var f Fit
	survival := func(v []float64, t int) float64 { return SBG{v[0], v[1]}.Survival(t) }
	if _, f = FitSBG(data); len(theta) == 3 {
		_, f = FitBdW(data)
		survival = func(v []float64, t int) float64 { return BdW{v[0], v[1], v[2]}.Survival(t) }
	}
	if !r.add(f, theta) {
		return
	}
	var means []float64
	for _, v := range f.Scenarios() {
		means = append(means, survival(v, before+after)/survival(v, before))
	}
	stays, spread := moments(means)
	there := left[before]
	r.totals.count(math.Abs(left[before+after]-there*stays) < 1.2815515655446004*math.Sqrt(there*stays*(1-stays)+there*there*spread))
}

// Simulated customers: the parameters come back within their errors and the intervals
// hold. COHORTLINE_LTV_RECOVERY=1 runs ten shops by twenty seeds and prints the table
// of docs/models.md; otherwise it is a look at two.
func TestRecovery(t *testing.T) {
	sets, seeds, customers := 2, 1, 1000
	low, high, least, most := .02, 8.0, .66, .94
	whole := os.Getenv("COHORTLINE_LTV_RECOVERY") != ""
	if whole {
		sets, seeds, customers = 10, 20, 6000
		low, high, least, most = .8, 1.25, .77, .83
	}
	names, run := simulations()
	t.Logf("%d shops, %d seeds, %d customers\n| model | fits | on a ridge | mean z² | orders | value | totals |", sets, seeds, customers)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			r := &recovery{name: name}
			for i, theta := range shops[name][:sets] {
				for seed := range seeds {
					run[name](r, theta, uint64(1000*i+seed+1), customers)
				}
			}
			t.Log(r.row())
			if z := r.squares / r.values; !(z > low && z < high) {
				t.Errorf("%s: mean z² %.3f, want between %v and %v", r.name, z, low, high)
			}
			for _, s := range []share{r.orders, r.value} {
				if s.of > 0 && !(s.in/s.of > least && s.in/s.of < most) {
					t.Errorf("%s: intervals of 80 %% hold in %v, want %v to %v", r.name, s, least, most)
				}
			}
		})
	}
}

// The measure fails when parameters or errors are wrong: the twin of TestRecovery.
func TestRecoveryNoticesWrongParameters(t *testing.T) {
	s := compress(t, simulate(newSource(1), bgnbdCDNOW, 3000, 52, 104))
	_, f := FitBGNBD(s)
	truth := []float64{.2425945, 4.4136024, .7929221, 2.4259069}
	var right, shifted, narrow recovery
	right.add(f, truth)
	shifted.add(f, []float64{.3, 4.4136024 * 1.3, .7929221, 2.4259069})
	for i := range f.Covariance {
		f.Covariance[i][i] /= 25
	}
	narrow.add(f, truth)
	if r, s, n := right.squares/4, shifted.squares/4, narrow.squares/4; !(r < 4 && s > 4 && n > 4) {
		t.Errorf("mean z² is %.2f, %.2f with wrong parameters, %.2f with wrong errors", r, s, n)
	}
	random := newSource(9)
	var inside share
	for range 10000 {
		inside.count(within(random.Float64(), 0, random))
	}
	if v := inside.in / inside.of; math.Abs(v-.8) > .02 {
		t.Errorf("%v of uniform numbers lie in the central 80 %%", inside)
	}
}
