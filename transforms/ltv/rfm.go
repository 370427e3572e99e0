package ltv

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// RFM is what the models know of one customer. Recency and Age share one unit of time,
// the customer's first purchase is at 0. A new customer is the zero RFM.
type RFM struct {
	Frequency int     // x: repeat purchases, that is order-days after the first
	Recency   float64 // t_x: time of the last of them, 0 without one
	Age       float64 // T: time until the end of observation
}

// check says what is wrong with an RFM: 0 ≤ t_x ≤ T, and t_x = 0 exactly when x = 0.
func (c RFM) check() error {
	switch {
	case c.Frequency < 0:
		return fmt.Errorf("frequency %d is negative: count the purchases after the first", c.Frequency)
	case !(c.Recency >= 0) || math.IsInf(c.Age, 0) || !(c.Age >= c.Recency):
		return fmt.Errorf("recency %v and age %v: need 0 ≤ recency ≤ age; recency counts from the first purchase, not back from the end", c.Recency, c.Age)
	case (c.Frequency == 0) != (c.Recency == 0):
		return fmt.Errorf("frequency %d with recency %v: recency is 0 exactly for customers without a repeat purchase", c.Frequency, c.Recency)
	}
	return nil
}

// Row is one distinct RFM with the number of customers that have it.
type Row struct {
	RFM
	Customers float64
}

// Summary is the sufficient statistic of all models of purchases in continuous time:
// distinct rows, sorted by frequency, age and recency. A million customers with dates
// are some ten or hundred thousand rows.
type Summary struct {
	rows       []Row
	groups     []group
	times      []float64 // the distinct recencies and ages, ascending
	recencyAt  []int32   // by row, the place of its recency in times
	ageAt      []int32
	groupTimes [][]int32 // by group, the places of its times, ascending

	customers, repeaters, purchases, meanAge float64
}

// group is a range of rows with equal frequency.
type group struct{ frequency, from, to int }

// Compress groups customers to distinct rows. The second result is, for every
// customer in order, the place of its row in Rows. The order of the customers does
// not matter. An error names the first customer that cannot be.
func Compress(customers []RFM) (*Summary, []int32, error) {
	place := make(map[RFM]int32, len(customers)/4)
	var rows []Row
	at := make([]int32, len(customers))
	for i, c := range customers {
		if err := c.check(); err != nil {
			return nil, nil, fmt.Errorf("customer %d: %w", i, err)
		}
		p, found := place[c]
		if !found {
			p = int32(len(rows))
			place[c] = p
			rows = append(rows, Row{RFM: c})
		}
		rows[p].Customers++
		at[i] = p
	}
	order := make([]int32, len(rows))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return compareRFM(rows[a].RFM, rows[b].RFM) })
	sorted, rank := make([]Row, len(rows)), make([]int32, len(rows))
	for i, p := range order {
		sorted[i], rank[p] = rows[p], int32(i)
	}
	for i, p := range at {
		at[i] = rank[p]
	}
	return summarise(sorted), at, nil
}

// NewSummary takes rows that are counted already, in any order; equal ones are added.
// A weight must be positive. An error names the first row that cannot be.
func NewSummary(rows []Row) (*Summary, error) {
	for i, r := range rows {
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
		if !(r.Customers > 0) || math.IsInf(r.Customers, 0) {
			return nil, fmt.Errorf("row %d: %v customers: need a positive number", i, r.Customers)
		}
	}
	sorted := slices.Clone(rows)
	slices.SortFunc(sorted, func(a, b Row) int {
		return cmp.Or(compareRFM(a.RFM, b.RFM), cmp.Compare(a.Customers, b.Customers))
	})
	var distinct []Row
	for _, r := range sorted {
		if n := len(distinct); n > 0 && distinct[n-1].RFM == r.RFM {
			distinct[n-1].Customers += r.Customers
			continue
		}
		distinct = append(distinct, r)
	}
	return summarise(distinct), nil
}

func compareRFM(a, b RFM) int {
	return cmp.Or(cmp.Compare(a.Frequency, b.Frequency), cmp.Compare(a.Age, b.Age), cmp.Compare(a.Recency, b.Recency))
}

// summarise indexes distinct sorted rows.
func summarise(rows []Row) *Summary {
	s := &Summary{rows: rows, recencyAt: make([]int32, len(rows)), ageAt: make([]int32, len(rows))}
	s.times = make([]float64, 0, 2*len(rows))
	for i, r := range rows {
		if i == 0 || r.Frequency != rows[i-1].Frequency {
			s.groups = append(s.groups, group{r.Frequency, i, i})
		}
		s.groups[len(s.groups)-1].to = i + 1
		s.times = append(s.times, r.Recency, r.Age)
		s.customers += r.Customers
		s.purchases += r.Customers * float64(r.Frequency)
		s.meanAge += r.Customers * r.Age
		if r.Frequency > 0 {
			s.repeaters += r.Customers
		}
	}
	if s.customers > 0 {
		s.meanAge /= s.customers
	}
	slices.Sort(s.times)
	s.times = slices.Clip(slices.Compact(s.times))
	place := make(map[float64]int32, len(s.times))
	for i, t := range s.times {
		place[t] = int32(i)
	}
	for i, r := range rows {
		s.recencyAt[i], s.ageAt[i] = place[r.Recency], place[r.Age]
	}
	for _, g := range s.groups {
		at := slices.Concat(s.recencyAt[g.from:g.to], s.ageAt[g.from:g.to])
		slices.Sort(at)
		s.groupTimes = append(s.groupTimes, slices.Clip(slices.Compact(at)))
	}
	return s
}

// Rows are the distinct rows, sorted by frequency, age and recency; not to be changed.
func (s *Summary) Rows() []Row { return s.rows }

// Customers is the sum of the weights.
func (s *Summary) Customers() float64 { return s.customers }

// Repeaters is the number of customers with at least one repeat purchase.
func (s *Summary) Repeaters() float64 { return s.repeaters }

// thin is every nth row, for a first look at a large summary. As rows are sorted, the
// sample is spread over all frequencies and ages.
func (s *Summary) thin(most int) *Summary {
	step := (len(s.rows) + most - 1) / most
	if step <= 1 {
		return s
	}
	var rows []Row
	for i := step / 2; i < len(s.rows); i += step {
		rows = append(rows, s.rows[i])
	}
	return summarise(rows)
}
