package ltv

import (
	"fmt"
	"slices"
)

// Histories are the purchases of many customers, packed: four bytes and the value for an
// order-day, sixteen bytes for a customer. Days are counted from any one day.
type Histories struct {
	first   []int32 // by customer
	segment []int32
	end     []int // by customer, the place after its last repeat order-day
	days    []int32
	values  []float64
}

// Add appends a customer: the day of the first purchase, the repeat order-days after it,
// ascending, with what each was worth, and the number of the customer's segment.
func (h *Histories) Add(first, segment int32, days []int32, values []float64) error {
	if len(days) != len(values) {
		return fmt.Errorf("customer %d: %d order-days with %d values: need one for each", len(h.first), len(days), len(values))
	}
	before := first
	for _, d := range days {
		if d <= before {
			return fmt.Errorf("customer %d: order-day %d after order-day %d: need them ascending, each once, after the first purchase", len(h.first), d, before)
		}
		before = d
	}
	h.first, h.segment = append(h.first, first), append(h.segment, segment)
	h.days, h.values = append(h.days, days...), append(h.values, values...)
	h.end = append(h.end, len(h.days))
	return nil
}

// Customers is the number of customers added.
func (h *Histories) Customers() int { return len(h.first) }

// Days are the first and the last day with a purchase; both 0 without customers.
func (h *Histories) Days() (first, last int32) {
	if len(h.first) == 0 {
		return 0, 0
	}
	last = slices.Max(h.first)
	if len(h.days) > 0 {
		last = max(last, slices.Max(h.days))
	}
	return slices.Min(h.first), last
}

// HeldOut is one customer of a back-test: what was known on the day of the origin, and
// what came from the day after it to the last held-out day.
type HeldOut struct {
	First, Last       int32 // days of the first and the last purchase known
	Count             int32 // repeat order-days known
	Later, LaterLast  int32 // repeat order-days held out, and the last of them (0 without one)
	Segment           int32
	Spent, LaterSpent float64 // what these repeat order-days were worth
}

// RFM is what was known, in a unit of time, at the end of the day of the origin.
func (c *HeldOut) RFM(origin int32, unit Unit) RFM {
	return RFM{int(c.Count), float64(c.Last-c.First) / float64(unit), float64(origin-c.First) / float64(unit)}
}

// Whole is what is known at the end of the last held-out day.
func (c *HeldOut) Whole(last int32, unit Unit) RFM {
	return RFM{int(c.Count + c.Later), float64(max(c.Last, c.LaterLast)-c.First) / float64(unit), float64(last-c.First) / float64(unit)}
}

// Spend is what was known of the worth of a purchase.
func (c *HeldOut) Spend() Spend {
	if c.Count == 0 {
		return Spend{}
	}
	return Spend{int(c.Count), c.Spent / float64(c.Count)}
}

// At splits the histories at the end of the day of an origin; customers who came later
// are left out, and so is what came after the last held-out day.
func (h *Histories) At(origin, last int32) []HeldOut {
	var list []HeldOut
	from := 0
	for i, first := range h.first {
		days, values := h.days[from:h.end[i]], h.values[from:h.end[i]]
		from = h.end[i]
		if first > origin {
			continue
		}
		c := HeldOut{First: first, Last: first, Segment: h.segment[i]}
		for j, d := range days {
			switch {
			case d <= origin:
				c.Count++
				c.Last = d
				c.Spent += values[j]
			case d <= last:
				c.Later++
				c.LaterLast = d
				c.LaterSpent += values[j]
			}
		}
		list = append(list, c)
	}
	return list
}

// Split summarises customers at the origin and at the end of the held-out period, which
// is what Choose compares.
func Split(list []HeldOut, origin, last int32, unit Unit) (known, whole *Summary, err error) {
	rfms := make([]RFM, len(list))
	for i := range list {
		rfms[i] = list[i].RFM(origin, unit)
	}
	if known, _, err = Compress(rfms); err != nil {
		return nil, nil, err
	}
	for i := range list {
		rfms[i] = list[i].Whole(last, unit)
	}
	if whole, _, err = Compress(rfms); err != nil {
		return nil, nil, err
	}
	return known, whole, nil
}

// Origins are the days at which to split a history so that the held-out periods of so many
// days follow each other and the last one ends with the last day: the latest first, at most
// so many, as long as what is known is not shorter than what is held out.
func Origins(first, last, held int32, most int) []int32 {
	var list []int32
	for origin := last - held; held > 0 && len(list) < most && origin-first+1 >= held; origin -= held {
		list = append(list, origin)
	}
	return list
}
