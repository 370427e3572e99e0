package ltv

import "math"

// ages are some of the ages of the rows of one frequency, between which what living
// customers do is drawn straight, over ln(scale + age): what is to come depends on the age
// through the scale of the rate, α + T.
type ages struct {
	ages  []float64
	scale float64
	place int // of the one at or before the age asked for last
}

// knotsApart is the distance of ages in ln(scale + age) for frequency 0. The rates of
// frequent buyers are known better, and what they do moves faster with age.
const knotsApart = 0.15

// newAges takes the rows of one frequency, sorted by age, and customers of age 0.
func newAges(young []Living, rows []Row) ages {
	k := ages{scale: math.Inf(1)}
	for _, l := range young {
		if s, ok := l.(interface{ scale() float64 }); ok {
			k.scale = min(k.scale, s.scale())
		}
	}
	if math.IsInf(k.scale, 0) {
		k.scale = 0
	}
	apart := math.Exp(knotsApart * 2 / math.Sqrt(4+float64(rows[0].Frequency)))
	knot, last := rows[0].Age, rows[0].Age
	k.ages = append(k.ages, knot)
	for i := range rows {
		age := rows[i].Age
		if age == last {
			continue
		}
		if k.scale+age > apart*(k.scale+knot) && last > knot {
			knot = last
			k.ages = append(k.ages, knot)
		}
		if k.scale+age > apart*(k.scale+knot) {
			knot = age
			k.ages = append(k.ages, knot)
		}
		last = age
	}
	if last > knot {
		k.ages = append(k.ages, last)
	}
	return k
}

// between finds an age, in ascending order: the place of the one at or before it, and the
// share of the one after that.
func (k *ages) between(age float64) (place int, share float64) {
	for k.place+1 < len(k.ages) && k.ages[k.place+1] <= age {
		k.place++
	}
	from := k.scale + k.ages[k.place]
	if k.place+1 == len(k.ages) || k.ages[k.place] == age || from <= 0 {
		return k.place, 0
	}
	return k.place, math.Log((k.scale+age)/from) / math.Log((k.scale+k.ages[k.place+1])/from)
}

// knots are what living customers of one frequency do at these ages.
type knots struct {
	ages
	futures [][]future // by age, by model
	ratios  ratioTable
	now     []future // at the age asked for last
	age     float64
}

// newKnots takes the rows of one frequency, sorted by age; high is the greatest probability
// asked for.
func newKnots(models []Model, g GammaGamma, rows []Row, t, high float64) *knots {
	young := make([]Living, len(models))
	for j, m := range models {
		young[j] = m.Living(rows[0].Frequency, 0)
	}
	k := &knots{ages: newAges(young, rows), now: make([]future, len(models)), age: math.NaN()}
	most := 0
	for i, age := range k.ages.ages {
		f := make([]future, len(models))
		futureOf(f, young, age, t, high, most)
		most = len(f[0].orders) // older customers of a frequency buy less
		if i == 0 {
			k.ratios = newRatioTable(g, rows[0].Frequency, len(f[0].orders)-1) // the youngest of a frequency buy the most
		}
		for j := range f {
			f[j].values = k.ratios.distribution(f[j].orders)
		}
		k.futures = append(k.futures, f)
	}
	return k
}

// at is what customers of an age do; ages are asked for in ascending order.
func (k *knots) at(age float64) []future {
	if age == k.age {
		return k.now
	}
	k.age = age
	place, share := k.between(age)
	before := k.futures[place]
	if share == 0 {
		copy(k.now, before)
		return k.now
	}
	after := k.futures[place+1]
	for j := range k.now {
		k.now[j] = future{blend(before[j].orders, after[j].orders, share), blend(before[j].values, after[j].values, share)}
	}
	return k.now
}

// blend is a list with a share of another one; what the shorter one lacks is its last.
func blend(a, b []float64, share float64) []float64 {
	list := make([]float64, max(len(a), len(b)))
	for i := range list {
		x, y := a[min(i, len(a)-1)], b[min(i, len(b)-1)]
		list[i] = x + share*(y-x)
	}
	return list
}
