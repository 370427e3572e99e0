package ltv

import (
	"math"
	"math/bits"
	"slices"
)

// codes number the distinct values of a column: an open hash of their bits, which stays
// in the cache while there are few.
type codes struct {
	values []float64
	slots  []int32 // code + 1, 0 for a free one; a power of two of them
}

func newCodes() *codes { return &codes{slots: make([]int32, 1<<12)} }

// code is the number of a value, a new one when it has none. Values are not NaN.
func (c *codes) code(v float64) int32 {
	v += 0 // −0 is 0
	place := c.place(v)
	if c.slots[place] == 0 {
		if 2*len(c.values) >= len(c.slots) {
			c.grow()
			place = c.place(v)
		}
		c.values = append(c.values, v)
		c.slots[place] = int32(len(c.values))
	}
	return c.slots[place] - 1
}

// place is the slot of a value, or the free one where it belongs.
func (c *codes) place(v float64) int {
	mask := len(c.slots) - 1
	hash := (math.Float64bits(v) * 0x9E3779B97F4A7C15) >> (64 - bits.Len(uint(mask)))
	for i := int(hash); ; i = (i + 1) & mask {
		if code := c.slots[i]; code == 0 || c.values[code-1] == v {
			return i
		}
	}
}

func (c *codes) grow() {
	c.slots = make([]int32, 4*len(c.slots))
	for code, v := range c.values {
		c.slots[c.place(v)] = int32(code + 1)
	}
}

// sorted are the values, ascending, and the rank of each code among them.
func (c *codes) sorted() (values []float64, rank []int32) {
	order := make([]int32, len(c.values))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		if c.values[a] < c.values[b] {
			return -1
		}
		return 1 // none are equal
	})
	values, rank = make([]float64, len(order)), make([]int32, len(order))
	for r, code := range order {
		values[r], rank[code] = c.values[code], int32(r)
	}
	return values, rank
}

// coded is one customer with the codes, later the ranks, of its values.
type coded struct{ recency, age, frequency, customer int32 }

// sortByRank copies customers sorted by a rank below a number, leaving equal ones in
// their order; rank is called once for each, and may change it.
func sortByRank(to, from []coded, rank func(*coded) int32, ranks int) {
	next := make([]int32, ranks+1)
	by := make([]int32, len(from))
	for i := range from {
		by[i] = rank(&from[i])
		next[by[i]+1]++
	}
	for r := range ranks {
		next[r+1] += next[r]
	}
	for i, r := range by {
		to[next[r]] = from[i]
		next[r]++
	}
}
