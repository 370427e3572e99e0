package transforms

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cohortline/cohortline/schemas"
	"github.com/cohortline/cohortline/transforms/ltv"
)

// daysPerWeek: the models count time in weeks.
const daysPerWeek = 7

// Base is all customers as the models of lifetime value see them.
type Base struct {
	Groups []Group     // by name
	Basis  string      // what value means: margin or net_revenue
	places [][]uint32  // by worker and row of its gathering, the place among the rows of all groups
	total  schemas.Sum // net revenue of all customers
	s      Settings
	sample *ltv.Histories
	level  uint // of the sample: it holds one of 2^level customers
}

// Group is the customers of one segment of ltv.by.
type Group struct {
	Name      string // all, or channel=search, country=DE
	Purchases *ltv.Summary
	Spend     *ltv.SpendSummary
	contracts contractCounts
	key       groupKey
	from      uint32 // place of its first row among those of all groups
}

// Bases of value, as the tables name them.
const (
	basisMargin = "margin"
	basisNet    = "net_revenue"
)

// NewBase puts the gatherings of all workers together: the same, however the customers
// were split.
func NewBase(s Settings, parts []*RFM, segments [][]string) (*Base, error) {
	b := &Base{Basis: basisMargin, s: s}
	numbers := make(map[groupKey]uint32)
	for _, p := range parts {
		if !p.costs {
			b.Basis = basisNet
		}
		b.total = b.total.Add(p.total)
		for _, k := range p.groups.keys {
			if _, ok := numbers[k]; !ok {
				numbers[k] = 0
				b.Groups = append(b.Groups, Group{Name: groupName(s, k, segments), key: k})
			}
		}
	}
	slices.SortFunc(b.Groups, func(x, y Group) int { return strings.Compare(x.Name, y.Name) })
	for i := range b.Groups {
		numbers[b.Groups[i].key] = uint32(i)
	}
	for _, p := range parts {
		for g := range p.contracts {
			b.Groups[numbers[p.groups.keys[g]]].contracts.merge(&p.contracts[g])
		}
	}
	if err := b.summarise(parts, numbers); err != nil {
		return nil, err
	}
	if err := b.summariseSpend(parts, numbers); err != nil {
		return nil, err
	}
	var err error
	b.sample, err = b.histories(parts, numbers)
	return b, err
}

// groupName names the values of a group.
func groupName(s Settings, k groupKey, segments [][]string) string {
	if len(s.LTV.By) == 0 {
		return all
	}
	var parts []string
	for i, d := range s.LTV.By {
		parts = append(parts, s.Dimensions[d]+"="+segmentName(segments, d+1, k[i]))
	}
	return strings.Join(parts, ", ")
}

// summarise makes the summary of purchases of each group.
func (b *Base) summarise(parts []*RFM, numbers map[groupKey]uint32) error {
	lists := make([][]ltv.Row, len(b.Groups))
	b.places = make([][]uint32, len(parts))
	groups := make([][]uint32, len(parts)) // by worker, of its groups
	for i, p := range parts {
		for _, k := range p.groups.keys {
			groups[i] = append(groups[i], numbers[k])
		}
		b.places[i] = make([]uint32, len(p.rows.rows))
		if len(b.Groups) == 1 {
			lists[0] = slices.Grow(lists[0], len(p.rows.rows))
		}
		for r := range p.rows.rows {
			k := &p.rows.rows[r].key
			g := groups[i][k.group]
			b.places[i][r] = uint32(len(lists[g]))
			lists[g] = append(lists[g], ltv.Row{Customers: float64(p.rows.rows[r].value), RFM: ltv.RFM{
				Frequency: int(k.frequency), Recency: float64(k.recency) / daysPerWeek, Age: float64(k.age) / daysPerWeek}})
		}
	}
	at := make([][]int32, len(lists))
	from := uint32(0)
	for g := range lists {
		group := &b.Groups[g]
		var err error
		if group.Purchases, at[g], err = ltv.Index(lists[g]); err != nil {
			return fmt.Errorf("customers of %s: %w", group.Name, err)
		}
		group.from = from
		from += uint32(len(group.Purchases.Rows()))
		lists[g] = nil
	}
	for i, p := range parts {
		for r := range p.rows.rows {
			g := groups[i][p.rows.rows[r].key.group]
			b.places[i][r] = b.Groups[g].from + uint32(at[g][b.places[i][r]])
		}
		p.rows = rfmTable{}
	}
	return nil
}

// summariseSpend makes the summary of spend of each group.
func (b *Base) summariseSpend(parts []*RFM, numbers map[groupKey]uint32) error {
	var sums spendTable
	for _, p := range parts {
		table := &p.net
		if b.Basis == basisMargin {
			table = &p.margin
		}
		for _, x := range table.rows {
			x.key.group = numbers[p.groups.keys[x.key.group]]
			sums.add(sums.place(x.key), x.value)
		}
		p.net, p.margin = spendTable{}, spendTable{}
	}
	lists := make([][]ltv.SpendRow, len(b.Groups))
	for _, x := range sums.rows {
		mean := 0.0
		if x.key.mean != noSpend {
			mean = schemas.SumRatio(x.value.total, int64(x.value.customers)*int64(x.key.frequency))
		}
		lists[x.key.group] = append(lists[x.key.group], ltv.SpendRow{Spend: ltv.Spend{Count: int(x.key.frequency), Mean: mean}, Customers: float64(x.value.customers)})
	}
	for g, rows := range lists {
		var err error
		if b.Groups[g].Spend, err = ltv.NewSpendSummary(rows); err != nil {
			return fmt.Errorf("spend of %s: %w", b.Groups[g].Name, err)
		}
	}
	return nil
}

// whole is all groups as one.
func (b *Base) whole() (*ltv.Summary, *ltv.SpendSummary, error) {
	if len(b.Groups) == 1 {
		return b.Groups[0].Purchases, b.Groups[0].Spend, nil
	}
	var rows []ltv.Row
	var spend []ltv.SpendRow
	for _, g := range b.Groups {
		rows = append(rows, g.Purchases.Rows()...)
		spend = append(spend, g.Spend.Rows()...)
		if n := g.Spend.Unusable(); n > 0 {
			spend = append(spend, ltv.SpendRow{Spend: ltv.Spend{Count: 1}, Customers: n})
		}
	}
	purchases, _, err := ltv.Index(rows)
	if err != nil {
		return nil, nil, err
	}
	all, err := ltv.NewSpendSummary(spend)
	return purchases, all, err
}
