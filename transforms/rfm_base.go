package transforms

import (
	"cmp"
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
	Groups []Group // by name
	Basis  string  // what value means: margin or net_revenue
	places [][]place
	s      Settings
	sample *ltv.Histories
	level  uint // of the sample: it holds one of 2^level customers
}

// Group is the customers of one segment of ltv.by.
type Group struct {
	Name      string // all, or channel=search, country=DE
	Purchases *ltv.Summary
	Spend     *ltv.SpendSummary
	key       groupKey
}

// place is where a row of a gathering lies in the summaries.
type place struct{ group, row uint32 }

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
	b.places = make([][]place, len(parts))
	for i, p := range parts {
		b.places[i] = make([]place, len(p.rows.rows))
		for r, row := range p.rows.rows {
			g := numbers[p.groups.keys[row.group]]
			b.places[i][r] = place{g, uint32(len(lists[g]))}
			lists[g] = append(lists[g], ltv.Row{Customers: float64(row.customers), RFM: ltv.RFM{
				Frequency: int(row.frequency), Recency: float64(row.recency) / daysPerWeek, Age: float64(row.age) / daysPerWeek}})
		}
		p.rows = rfmTable{}
	}
	at := make([][]int32, len(lists))
	for g := range lists {
		var err error
		if b.Groups[g].Purchases, at[g], err = ltv.Index(lists[g]); err != nil {
			return fmt.Errorf("customers of %s: %w", b.Groups[g].Name, err)
		}
	}
	for _, list := range b.places {
		for r := range list {
			list[r].row = uint32(at[list[r].group][list[r].row])
		}
	}
	return nil
}

// summariseSpend makes the summary of spend of each group.
func (b *Base) summariseSpend(parts []*RFM, numbers map[groupKey]uint32) error {
	sums := make([]map[spendKey]spent, len(b.Groups))
	for _, p := range parts {
		table := p.net
		if b.Basis == basisMargin {
			table = p.margin
		}
		for k, v := range table {
			g := numbers[p.groups.keys[k.group]]
			k.group = g
			if sums[g] == nil {
				sums[g] = make(map[spendKey]spent)
			}
			s := sums[g][k]
			sums[g][k] = spent{s.customers + v.customers, s.total.Add(v.total)}
		}
	}
	for g, table := range sums {
		var err error
		if b.Groups[g].Spend, err = ltv.NewSpendSummary(spendRows(table)); err != nil {
			return fmt.Errorf("spend of %s: %w", b.Groups[g].Name, err)
		}
	}
	return nil
}

// spendRows are the rows of a table, sorted.
func spendRows(table map[spendKey]spent) []ltv.SpendRow {
	rows := make([]ltv.SpendRow, 0, len(table))
	for k, s := range table {
		mean := 0.0
		if k.mean != noSpend {
			mean = schemas.SumRatio(s.total, s.customers*int64(k.frequency))
		}
		rows = append(rows, ltv.SpendRow{Spend: ltv.Spend{Count: int(k.frequency), Mean: mean}, Customers: float64(s.customers)})
	}
	slices.SortFunc(rows, func(x, y ltv.SpendRow) int {
		return cmp.Or(cmp.Compare(x.Count, y.Count), cmp.Compare(x.Mean, y.Mean), cmp.Compare(x.Customers, y.Customers))
	})
	return rows
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
	}
	purchases, _, err := ltv.Index(rows)
	if err != nil {
		return nil, nil, err
	}
	all, err := ltv.NewSpendSummary(spend)
	return purchases, all, err
}
