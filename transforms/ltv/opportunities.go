package ltv

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Opportunities is what BGBB knows of one customer: at each of a number of counted
// opportunities after the first purchase (campaigns, seasons, years) the customer
// bought or did not. A new customer is the zero value.
type Opportunities struct {
	Frequency int // x: opportunities taken
	Recency   int // t_x: number of the last one taken, 0 without one
	Count     int // n: opportunities there were
}

func (c Opportunities) check() error {
	if c.Frequency < 0 || c.Recency < c.Frequency || c.Count < c.Recency || (c.Frequency == 0) != (c.Recency == 0) {
		return fmt.Errorf("%d of %d opportunities taken, the last was number %d: need frequency ≤ recency ≤ count, and recency 0 exactly without a purchase", c.Frequency, c.Count, c.Recency)
	}
	return nil
}

// OpportunitiesRow is one distinct Opportunities with the number of customers that have it.
type OpportunitiesRow struct {
	Opportunities
	Customers float64
}

// OpportunitiesSummary is what BGBB is fitted to: the distinct rows, sorted.
type OpportunitiesSummary struct {
	rows                 []OpportunitiesRow
	customers, repeaters float64
}

// NewOpportunitiesSummary takes counted rows in any order; equal ones are added. An
// error names the first row that cannot be.
func NewOpportunitiesSummary(rows []OpportunitiesRow) (*OpportunitiesSummary, error) {
	s := new(OpportunitiesSummary)
	for i, r := range rows {
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
		if !(r.Customers > 0) || math.IsInf(r.Customers, 0) {
			return nil, fmt.Errorf("row %d: %v customers: need a positive number", i, r.Customers)
		}
	}
	sorted := slices.Clone(rows)
	slices.SortFunc(sorted, func(a, b OpportunitiesRow) int {
		return cmp.Or(cmp.Compare(a.Frequency, b.Frequency), cmp.Compare(a.Count, b.Count), cmp.Compare(a.Recency, b.Recency), cmp.Compare(a.Customers, b.Customers))
	})
	for _, r := range sorted {
		s.customers += r.Customers
		if r.Frequency > 0 {
			s.repeaters += r.Customers
		}
		if n := len(s.rows); n > 0 && s.rows[n-1].Opportunities == r.Opportunities {
			s.rows[n-1].Customers += r.Customers
			continue
		}
		s.rows = append(s.rows, r)
	}
	return s, nil
}

// Rows are the distinct rows, sorted by frequency, count and recency; not to be changed.
func (s *OpportunitiesSummary) Rows() []OpportunitiesRow { return s.rows }

// Customers is the sum of the weights.
func (s *OpportunitiesSummary) Customers() float64 { return s.customers }

// Repeaters is the number of customers who took at least one opportunity.
func (s *OpportunitiesSummary) Repeaters() float64 { return s.repeaters }
