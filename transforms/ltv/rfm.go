package ltv

import (
	"cmp"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// RFM is what the models know of one customer. Recency and Age share one unit of time,
// the customer's first purchase is at 0. A new customer is the zero RFM.
type RFM struct {
	Frequency int     // x: repeat purchases, that is order-days after the first
	Recency   float64 // t_x: time of the last of them, 0 without one
	Age       float64 // T: time until the end of observation
}

// Check says what is wrong with an RFM: 0 ≤ t_x ≤ T, and t_x = 0 exactly when x = 0.
func (c RFM) Check() error {
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
	ageAt      []int32   // by row, the place of its age in times
	weights    []float64
	groupTimes [][]int32   // by group, the places of its times, ascending
	groupAges  [][]float64 // by group and time of it, the customers of that age

	customers, repeaters, purchases, meanAge float64
}

// group is a range of rows with equal frequency.
type group struct{ frequency, from, to int }

// Compress groups customers to distinct rows. The second result is, for every
// customer in order, the place of its row in Rows. The order of the customers does
// not matter. An error names the first customer that cannot be.
func Compress(customers []RFM) (*Summary, []int32, error) {
	for i := range customers {
		if err := customers[i].Check(); err != nil {
			return nil, nil, fmt.Errorf("customer %d: %w", i, err)
		}
	}
	s, at := distinct(len(customers), func(i int) *RFM { return &customers[i] }, func(int) float64 { return 1 })
	return s, at, nil
}

// NewSummary takes rows that are counted already, in any order; equal ones are added.
// A weight must be positive. An error names the first row that cannot be.
func NewSummary(rows []Row) (*Summary, error) {
	for i, r := range rows {
		if err := r.Check(); err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
		if !(r.Customers > 0) || math.IsInf(r.Customers, 0) {
			return nil, fmt.Errorf("row %d: %v customers: need a positive number", i, r.Customers)
		}
	}
	// Equal rows are added in the order of their weights, which is no order of the input.
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b Row) int { return cmp.Compare(a.Customers, b.Customers) })
	s, _ := distinct(len(rows), func(i int) *RFM { return &rows[i].RFM }, func(i int) float64 { return rows[i].Customers })
	return s, nil
}

// Index is NewSummary for weights that are whole numbers, which add exactly in any order;
// it also tells, for every given row in order, the place of its row in Rows.
func Index(rows []Row) (*Summary, []int32, error) {
	for i, r := range rows {
		if err := r.Check(); err != nil {
			return nil, nil, fmt.Errorf("row %d: %w", i, err)
		}
		if !(r.Customers > 0) || r.Customers != math.Trunc(r.Customers) {
			return nil, nil, fmt.Errorf("row %d: %v customers: need a positive whole number", i, r.Customers)
		}
	}
	s, at := distinct(len(rows), func(i int) *RFM { return &rows[i].RFM }, func(i int) float64 { return rows[i].Customers })
	return s, at, nil
}

// distinct sorts n customers by counting, as there are far fewer times and frequencies
// than customers, and adds the weights of equal ones.
func distinct(n int, customer func(int) *RFM, weight func(int) float64) (*Summary, []int32) {
	times, counts := newCodes(), newCodes()
	list := make([]coded, n)
	for i := range list {
		c := customer(i)
		list[i] = coded{times.code(c.Recency), times.code(c.Age), counts.code(float64(c.Frequency)), int32(i)}
	}
	s := new(Summary)
	var rank []int32
	s.times, rank = times.sorted()
	frequencies, rankOfCount := counts.sorted()
	spare := make([]coded, n)
	sortByRank(spare, list, func(c *coded) int32 { c.recency = rank[c.recency]; return c.recency }, len(rank))
	sortByRank(list, spare, func(c *coded) int32 { c.age = rank[c.age]; return c.age }, len(rank))
	sortByRank(spare, list, func(c *coded) int32 { c.frequency = rankOfCount[c.frequency]; return c.frequency }, len(frequencies))
	at := make([]int32, n)
	var weights []float64
	for i, c := range spare {
		if i == 0 || c.recency != spare[i-1].recency || c.age != spare[i-1].age || c.frequency != spare[i-1].frequency {
			list[len(weights)] = c
			weights = append(weights, 0)
		}
		row := len(weights) - 1
		weights[row] += weight(int(c.customer))
		at[c.customer] = int32(row)
	}
	rows := len(weights)
	s.rows, s.recencyAt, s.ageAt = make([]Row, rows), make([]int32, rows), make([]int32, rows)
	for r, c := range list[:rows] {
		s.rows[r] = Row{RFM{int(frequencies[c.frequency]), s.times[c.recency], s.times[c.age]}, weights[r]}
		s.recencyAt[r], s.ageAt[r] = c.recency, c.age
	}
	s.sum()
	return s, at
}

// sum computes what depends on the rows.
func (s *Summary) sum() {
	for i := range s.rows {
		r := &s.rows[i]
		if i == 0 || r.Frequency != s.rows[i-1].Frequency {
			s.groups = append(s.groups, group{r.Frequency, i, i})
		}
		s.groups[len(s.groups)-1].to = i + 1
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
	s.weights = make([]float64, len(s.rows))
	for i, r := range s.rows {
		s.weights[i] = r.Customers
	}
	seen := make([]int32, len(s.times)) // the last group that has the time, from 1
	ages := make([]float64, len(s.times))
	for g, group := range s.groups {
		var at []int32
		for _, list := range [2][]int32{s.recencyAt[group.from:group.to], s.ageAt[group.from:group.to]} {
			for _, t := range list {
				if seen[t] != int32(g+1) {
					seen[t] = int32(g + 1)
					at = append(at, t)
				}
			}
		}
		slices.Sort(at)
		s.groupTimes = append(s.groupTimes, at)
		for i := group.from; i < group.to; i++ {
			ages[s.ageAt[i]] += s.weights[i]
		}
		list := make([]float64, len(at))
		for j, t := range at {
			list[j], ages[t] = ages[t], 0
		}
		s.groupAges = append(s.groupAges, list)
	}
}

// eachGroup calls for every range of rows with equal frequency, several at a time.
func (s *Summary) eachGroup(do func(group)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(s.groups)) {
		wait.Go(func() {
			for g := next.Add(1) - 1; int(g) < len(s.groups); g = next.Add(1) - 1 {
				do(s.groups[g])
			}
		})
	}
	wait.Wait()
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
	sample, _ := distinct(len(rows), func(i int) *RFM { return &rows[i].RFM }, func(i int) float64 { return rows[i].Customers })
	return sample
}
