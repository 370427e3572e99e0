package transforms

import (
	"cmp"
	"slices"

	"github.com/cohortline/cohortline/schemas"
	"github.com/cohortline/cohortline/transforms/ltv"
	"github.com/zeebo/xxh3"
)

// maxSampled is the number of customers whose order-days are kept to compare models with
// what came: enough that chance decides nothing, few enough for memory and time.
const maxSampled = 50_000

// sample keeps the order-days of customers whose hash begins with so many zero bits, as few
// as leave no more than maxSampled: which ones depends on all customers, not on who
// gathered them.
type sample struct {
	limit     int
	level     uint
	customers []sampled
	days      []sampledDay
}

// sampled is a customer of the sample.
type sampled struct {
	hash     uint64
	group    uint32
	from, to int // of days
}

// sampledDay is an order-day: the worth by either basis.
type sampledDay struct {
	day         int32
	net, margin float64
}

func (s *sample) holds(hash uint64) bool { return hash>>(64-s.level) == 0 }

// add takes a customer if the sample holds it.
func (s *sample) add(x *Customer, group uint32) {
	hash := xxh3.Hash(x.ID)
	if s.level > 0 && !s.holds(hash) {
		return
	}
	c := sampled{hash: hash, group: group, from: len(s.days)}
	for i := range x.Days {
		d := &x.Days[i]
		s.days = append(s.days, sampledDay{d.Day, schemas.SumFloat(d.Net), schemas.SumFloat(d.Net.Sub(d.Cost))})
	}
	c.to = len(s.days)
	s.customers = append(s.customers, c)
	s.thin()
}

// thin asks for more zero bits until there is room.
func (s *sample) thin() {
	for len(s.customers) > s.limit {
		s.level++
		s.drop()
	}
}

// drop leaves out who is not held any more.
func (s *sample) drop() {
	customers, days := s.customers[:0], s.days[:0]
	for _, c := range s.customers {
		if s.level > 0 && !s.holds(c.hash) {
			continue
		}
		from := len(days)
		days = append(days, s.days[c.from:c.to]...)
		customers = append(customers, sampled{c.hash, c.group, from, len(days)})
	}
	s.customers, s.days = customers, days
}

// histories are the sampled customers of all workers, in the order of their hashes, with
// the numbers of their groups.
func (b *Base) histories(parts []*RFM, numbers map[groupKey]uint32) (*ltv.Histories, error) {
	whole := sample{limit: maxSampled}
	for _, p := range parts {
		whole.level = max(whole.level, p.sample.level)
		whole.limit = p.sample.limit
	}
	for _, p := range parts {
		for _, c := range p.sample.customers {
			from := len(whole.days)
			whole.days = append(whole.days, p.sample.days[c.from:c.to]...)
			whole.customers = append(whole.customers, sampled{c.hash, numbers[p.groups.keys[c.group]], from, len(whole.days)})
		}
		p.sample = sample{}
	}
	whole.drop()
	whole.thin()
	slices.SortFunc(whole.customers, func(x, y sampled) int {
		return cmp.Or(cmp.Compare(x.hash, y.hash), slices.CompareFunc(whole.days[x.from:x.to], whole.days[y.from:y.to], func(a, b sampledDay) int {
			return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.net, b.net), cmp.Compare(a.margin, b.margin))
		}))
	})
	b.level = whole.level
	h := new(ltv.Histories)
	var days []int32
	var values []float64
	for _, c := range whole.customers {
		days, values = days[:0], values[:0]
		for _, d := range whole.days[c.from+1 : c.to] {
			v := d.net
			if b.Basis == basisMargin {
				v = d.margin
			}
			days, values = append(days, d.day), append(values, v)
		}
		if err := h.Add(whole.days[c.from].day, int32(c.group), days, values); err != nil {
			return nil, err
		}
	}
	return h, nil
}
