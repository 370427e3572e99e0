package transforms

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/cohortline/cohortline/schemas"
	"github.com/cohortline/cohortline/transforms/ltv"
)

// cohortForecast adds up what customers are expected to do, by cohort and segment. It is
// gathered in the order of the customers, as sums of doubles depend on it.
type cohortForecast struct {
	f      *Forecasts
	atoms  []int32                            // by age in days: the number of the days of first purchase that are in the same cohorts and week
	tables []tally[forecastKey, forecastCell] // by dimension; one where there are none
}

// forecastKey is customers with about the same future.
type forecastKey struct {
	segment, group, frequency uint32
	atom                      int32
}

func (k forecastKey) hash() uint64 {
	return mix(uint64(k.group)<<32|uint64(k.segment), uint64(k.frequency)<<32|uint64(uint32(k.atom)))
}

// forecastCell is what is known of them: their number and past, and sums over them of the
// probability to be alive, times the expected spend, times the age, and of the squares of
// the spend.
type forecastCell struct {
	customers, days int64
	historic        schemas.Sum
	alive           float64
	value           float64 // alive × spend
	age             float64 // alive × age
	square          float64 // alive × spend²
	squares         float64 // (alive × spend)²
	unknown         int64   // customers without an expected spend
}

func newCohortForecast(f *Forecasts) *cohortForecast {
	s := &f.base.s
	c := &cohortForecast{f: f, tables: make([]tally[forecastKey, forecastCell], max(1, len(s.Dimensions)))}
	oldest := 0.0
	for _, g := range f.base.Groups {
		for _, r := range g.Purchases.Rows() {
			oldest = max(oldest, r.Age)
		}
	}
	c.atoms = make([]int32, days(oldest)+1)
	before := make([]int32, len(s.Grains))
	atom, since := int32(0), 0
	for age := range c.atoms {
		first := s.LastDay - int32(age)
		other := since == daysPerWeek
		for k, g := range s.Grains {
			if p := s.Calendar.Period(g, first); p != before[k] {
				before[k], other = p, true
			}
		}
		if other {
			atom, since = atom+1, 0
		}
		since++
		c.atoms[age] = atom
	}
	return c
}

// days is a number of weeks in days.
func days(weeks float64) int { return int(math.Round(weeks * daysPerWeek)) }

// add adds the customers of a batch to the table of a dimension.
func (c *cohortForecast) add(d int, l *lookedBatch) {
	t := &c.tables[d]
	keys := make([]forecastKey, 0, len(l.customers))
	for i := range l.customers {
		of := &l.customers[i]
		x := &of.value
		k := forecastKey{group: uint32(of.group), frequency: uint32(x.Frequency), atom: c.atoms[days(x.Age)]}
		if len(c.f.base.s.Dimensions) > 0 {
			k.segment = l.segments[of.segments+d]
		}
		keys = append(keys, k)
	}
	for i, p := range t.placesOf(keys, make([]uint32, 0, len(keys))) {
		of := &l.customers[i]
		x, n := &of.value, &t.rows[p].value
		n.customers++
		n.days += int64(x.Frequency) + 1
		n.historic = n.historic.Add(of.historic)
		n.alive += x.Alive
		n.age += x.Alive * x.Age
		if !x.HasValue {
			n.unknown++
			continue
		}
		value := x.Alive * x.Spend
		n.value += value
		n.square += value * x.Spend
		n.squares += value * value
	}
}

// horizonPeriod is a calendar period that ends within the horizon.
type horizonPeriod struct {
	period int32
	time   int // place of its end among the times of all grains
}

// periodsAhead are, for each grain, the periods that end after the as-of instant and within
// the horizon, and the ends of all of them, in weeks from the last day known.
func (s *Settings) periodsAhead() (byGrain [][]horizonPeriod, times []float64) {
	last := s.LTV.Horizon.In(ltv.Day) + 2 // twelve months of the calendar can be 366 days
	var ends []int32
	for _, g := range s.Grains {
		for p := s.lastPeriod(g); ; p++ {
			ahead := s.Calendar.Start(g, p+1) - 1 - s.LastDay
			if float64(ahead) > last {
				break
			}
			if ahead > 0 {
				ends = append(ends, ahead)
			}
		}
	}
	slices.Sort(ends)
	ends = slices.Compact(ends)
	for _, e := range ends {
		times = append(times, float64(e)/daysPerWeek)
	}
	for _, g := range s.Grains {
		var list []horizonPeriod
		for p := s.lastPeriod(g); ; p++ {
			ahead := s.Calendar.Start(g, p+1) - 1 - s.LastDay
			if float64(ahead) > last {
				break
			}
			if i, ok := slices.BinarySearch(ends, ahead); ok {
				list = append(list, horizonPeriod{p, i})
			}
		}
		byGrain = append(byGrain, list)
	}
	return byGrain, times
}

// cohortKey is a cohort of a grain and segment; dimension 0 is all.
type cohortKey struct {
	grain              int // place in Settings.Grains
	dimension, segment uint32
	cohort             int32
}

// cohortFuture is what a cohort has brought and is expected to.
type cohortFuture struct {
	customers, days int64
	historic        schemas.Sum
	noOrders        bool // no fit for some of the customers
	noValue         bool // no expected spend for some of them
	orders, value   []float64
	chance          []float64 // variance of the value by what the customers do
	doubt           []float64 // and by the parameters
	fit             *ltv.Fit  // whose customers are being added
	error           float64   // its relative error of a total
	open            []float64 // value of its customers so far
}

// futures expands the cells along time, the dimensions side by side.
func (c *cohortForecast) futures() map[cohortKey]*cohortFuture {
	byGrain, times := c.f.base.s.periodsAhead()
	curves := c.curves(times)
	lists := make([]map[cohortKey]*cohortFuture, len(c.tables))
	var wait sync.WaitGroup
	for d := range c.tables {
		wait.Go(func() { lists[d] = c.futuresOf(d, curves, byGrain, len(times)) })
	}
	wait.Wait()
	all := lists[0]
	for _, list := range lists[1:] {
		maps.Copy(all, list)
	}
	return all
}

// groupCurves are the curves of a group, nil without a usable fit, and the relative error of
// the value of all its customers.
type groupCurves struct {
	*ltv.Curves
	failure float64
}

func (c *cohortForecast) curves(times []float64) []groupCurves {
	list := make([]groupCurves, len(c.f.segments))
	for g, s := range c.f.segments {
		if s.chosen >= 0 {
			chosen, group := &s.fits[s.chosen], &c.f.base.Groups[g]
			list[g] = groupCurves{ltv.NewCurves(chosen.candidate.With(chosen.fit.Values), group.Purchases, times), s.totalError(c.f.base, group)}
		}
	}
	return list
}

// futuresOf expands the cells of one dimension; those of the first are all customers, too.
func (c *cohortForecast) futuresOf(d int, curves []groupCurves, byGrain [][]horizonPeriod, times int) map[cohortKey]*cohortFuture {
	s, rows := &c.f.base.s, c.tables[d].rows
	all := make(map[cohortKey]*cohortFuture)
	expected := make([]float64, times)
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rows[a].key.group, rows[b].key.group) })
	for _, i := range order {
		k, x := &rows[i].key, &rows[i].value
		fit, of := c.f.segments[k.group], &curves[k.group]
		spread := 0.0
		if of.Curves != nil && x.alive > 0 && times > 0 {
			spread = of.At(int(k.frequency), x.age/x.alive, expected)
		} else {
			clear(expected)
		}
		first := s.LastDay - int32(c.ageOf(k.atom))
		for g, grain := range s.Grains {
			key := cohortKey{g, uint32(d) + 1, k.segment, s.Calendar.Period(grain, first)}
			if len(s.Dimensions) > 0 {
				at(all, key, len(byGrain[g])).add(k, x, fit, of.failure, byGrain[g], expected, spread)
			}
			if d == 0 {
				key.dimension, key.segment = 0, 0
				at(all, key, len(byGrain[g])).add(k, x, fit, of.failure, byGrain[g], expected, spread)
			}
		}
	}
	for _, x := range all {
		x.close()
	}
	return all
}

// ageOf is an age in days of an atom: all of them are in the same cohorts.
func (c *cohortForecast) ageOf(atom int32) int {
	i, _ := slices.BinarySearch(c.atoms, atom)
	return i
}

// totalError is the relative error of the value of all customers of a group by the parameters.
func (s *segmentFit) totalError(b *Base, group *Group) float64 {
	if s.failure == nil {
		x := &s.fits[s.chosen]
		v := ltv.TotalError(x.candidate, &x.fit, s.spend, &s.spendFit, group.Purchases, group.Spend, b.s.LTV.Horizon.In(ltv.Week))
		s.failure = &v
	}
	return *s.failure
}

func at(all map[cohortKey]*cohortFuture, k cohortKey, periods int) *cohortFuture {
	x := all[k]
	if x == nil {
		x = &cohortFuture{orders: make([]float64, periods), value: make([]float64, periods), chance: make([]float64, periods), doubt: make([]float64, periods), open: make([]float64, periods)}
		all[k] = x
	}
	return x
}

// add adds customers with the same future.
func (x *cohortFuture) add(k *forecastKey, n *forecastCell, fit *segmentFit, failure float64, periods []horizonPeriod, expected []float64, spread float64) {
	x.customers += n.customers
	x.days += n.days
	x.historic = x.historic.Add(n.historic)
	if fit.chosen < 0 {
		x.noOrders, x.noValue = true, true
		return
	}
	x.noValue = x.noValue || n.unknown > 0
	if own := &fit.fits[fit.chosen].fit; own != x.fit {
		x.close()
		x.fit, x.error = own, failure
	}
	within, between := fit.spend.P, fit.spend.SpreadOfSpend(int(k.frequency))
	for i, p := range periods {
		e := expected[p.time]
		x.orders[i] += n.alive * e
		x.open[i] += n.value * e
		// Of N purchases of an unknown mean spend M, each of variance M²/p: E[M²] (E[N²] + E[N]/p) − (E[M] E[N])².
		x.chance[i] += n.square*between*(e*e*(1+spread)+e+e/within) - n.squares*e*e
	}
}

// close ends the customers of one fit: what is uncertain of its parameters is so for all of them.
func (x *cohortFuture) close() {
	for i, v := range x.open {
		x.value[i] += v
		x.doubt[i] += v * v * x.error * x.error
		x.open[i] = 0
	}
}
