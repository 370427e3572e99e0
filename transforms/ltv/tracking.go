package ltv

import "math"

// Tracking is the repeat purchases of a group of customers, step by step from the first
// purchase of all on: what came, and what a model expects of new customers who made their
// first purchases when these did.
type Tracking struct {
	Actual   []float64 // order-days in each step
	Expected []float64
}

// Track compares step by step, in days, up to the last day; what is left of a step at the
// end is left out. Customers whose first purchase is after the day of the origin are, too.
func Track(m Model, h *Histories, origin, last, step int32, unit Unit) Tracking {
	var t Tracking
	first, _ := h.Days()
	if h.Customers() == 0 || step <= 0 || last < first {
		return t
	}
	n := (last - first + 1) / step
	t.Actual, t.Expected = make([]float64, n), make([]float64, n)
	came := make([]float64, max(origin-first, 0)+1) // customers by the day of their first purchase
	from := 0
	for i, f := range h.first {
		days := h.days[from:h.end[i]]
		from = h.end[i]
		if f > origin {
			continue
		}
		came[f-first]++
		for _, d := range days {
			if k := (d - first) / step; k < n {
				t.Actual[k]++
			}
		}
	}
	t.expect(m, came, step, unit)
	return t
}

// expect sums what each day's new customers are expected to buy until the end of each step.
func (t *Tracking) expect(m Model, came []float64, step int32, unit Unit) {
	young := m.Living(0, 0)
	alive := m.Alive(RFM{})
	until := make([]float64, int(step)*len(t.Expected)+1) // by age in days
	for age := range until {
		until[age] = math.NaN()
	}
	before := 0.0
	for k := range t.Expected {
		end := int(step) * (k + 1)
		var sum float64
		for day := 0; day < min(len(came), end); day++ {
			if came[day] == 0 {
				continue
			}
			age := end - day
			if math.IsNaN(until[age]) {
				_, purchases := young.Within(float64(age) / float64(unit))
				until[age] = alive * purchases
			}
			sum += came[day] * until[age]
		}
		t.Expected[k] = sum - before
		before = sum
	}
}

// Cumulative is the running sum of a list.
func Cumulative(list []float64) []float64 {
	sums := make([]float64, len(list))
	var sum float64
	for i, v := range list {
		sum += v
		sums[i] = sum
	}
	return sums
}
