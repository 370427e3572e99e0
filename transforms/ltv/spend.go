package ltv

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Spend is what the repeat purchases of one customer were worth, in any one currency.
type Spend struct {
	Count int     // repeat purchases, x
	Mean  float64 // the mean of their values, m̄
}

// SpendRow is one distinct Spend with the number of customers that have it.
type SpendRow struct {
	Spend
	Customers float64
}

// SpendSummary is what the Gamma-Gamma model is fitted to: distinct rows, sorted by
// count and mean, of the customers with a repeat purchase and a positive mean.
type SpendSummary struct {
	rows                                []SpendRow
	logSpent                            []float64 // by row, ln of count times mean
	logMeans, customers, mean, unusable float64
}

// CompressSpend groups customers to distinct rows. Customers without a repeat purchase
// are left out, and so are those whose mean is zero or negative (everything refunded),
// which Unusable counts. An error names the first customer that cannot be.
func CompressSpend(customers []Spend) (*SpendSummary, error) {
	rows := make([]SpendRow, len(customers))
	for i, c := range customers {
		rows[i] = SpendRow{c, 1}
	}
	return NewSpendSummary(rows)
}

// NewSpendSummary does the same for rows that are counted already, in any order.
func NewSpendSummary(rows []SpendRow) (*SpendSummary, error) {
	s := new(SpendSummary)
	var usable []SpendRow
	for i, r := range rows {
		switch {
		case r.Count < 0 || r.Count > 0 && (math.IsNaN(r.Mean) || math.IsInf(r.Mean, 0)):
			return nil, fmt.Errorf("customer %d: %d purchases of mean value %v: need a count that is not negative and a finite mean", i, r.Count, r.Mean)
		case !(r.Customers > 0) || math.IsInf(r.Customers, 0):
			return nil, fmt.Errorf("row %d: %v customers: need a positive number", i, r.Customers)
		case r.Count > 0 && r.Mean <= 0:
			s.unusable += r.Customers
		case r.Count > 0:
			usable = append(usable, r)
		}
	}
	slices.SortFunc(usable, func(a, b SpendRow) int {
		return cmp.Or(cmp.Compare(a.Count, b.Count), cmp.Compare(a.Mean, b.Mean), cmp.Compare(a.Customers, b.Customers))
	})
	for _, r := range usable {
		if n := len(s.rows); n > 0 && s.rows[n-1].Spend == r.Spend {
			s.rows[n-1].Customers += r.Customers
			continue
		}
		s.rows = append(s.rows, r)
	}
	s.sum()
	return s, nil
}

// sum computes what depends on the rows.
func (s *SpendSummary) sum() {
	s.logSpent = make([]float64, len(s.rows))
	for i, r := range s.rows {
		s.logSpent[i] = math.Log(float64(r.Count) * r.Mean)
		s.logMeans += r.Customers * math.Log(r.Mean)
		s.customers += r.Customers
		s.mean += r.Customers * r.Mean
	}
	if s.customers > 0 {
		s.mean /= s.customers
	}
}

// Rows are the distinct rows; not to be changed.
func (s *SpendSummary) Rows() []SpendRow { return s.rows }

// Customers is the sum of the weights of the rows.
func (s *SpendSummary) Customers() float64 { return s.customers }

// Unusable is the number of customers with repeat purchases whose mean is not positive.
func (s *SpendSummary) Unusable() float64 { return s.unusable }

// Correlation is Pearson's, of the count and the mean of the rows. Beyond ±0.3 the
// independence that the model assumes is in doubt. 0 when one of them does not vary.
func (s *SpendSummary) Correlation() float64 {
	var n, x, m float64
	for _, r := range s.rows {
		n += r.Customers
		x += r.Customers * float64(r.Count)
		m += r.Customers * r.Mean
	}
	var xx, mm, xm float64
	for _, r := range s.rows {
		dx, dm := float64(r.Count)-x/n, r.Mean-m/n
		xx += r.Customers * dx * dx
		mm += r.Customers * dm * dm
		xm += r.Customers * dx * dm
	}
	if xx == 0 || mm == 0 {
		return 0
	}
	return xm / math.Sqrt(xx*mm)
}

// Outliers counts the customers whose mean is so many standard deviations above the others
// in the logarithm, and tells from which mean on.
func (s *SpendSummary) Outliers(deviations float64) (customers, from float64) {
	if s.customers == 0 {
		return 0, math.Inf(1)
	}
	center, squares := s.logMeans/s.customers, 0.0
	for _, r := range s.rows {
		d := math.Log(r.Mean) - center
		squares += r.Customers * d * d
	}
	from = math.Exp(center + deviations*math.Sqrt(squares/s.customers))
	for _, r := range s.rows {
		if r.Mean > from {
			customers += r.Customers
		}
	}
	return customers, from
}

// thin is every nth row, for a first look at a large summary.
func (s *SpendSummary) thin(most int) *SpendSummary {
	step := (len(s.rows) + most - 1) / most
	if step <= 1 {
		return s
	}
	sample := new(SpendSummary)
	for i := step / 2; i < len(s.rows); i += step {
		sample.rows = append(sample.rows, s.rows[i])
	}
	sample.sum()
	return sample
}
