package transforms

import "github.com/cohortline/cohortline/schemas"

// packed is an amount and two counts in one integer: amount × 2²⁰ + n × 2¹⁰ + m, each of which
// may be negative. Packed numbers are added and subtracted as integers are; before a field
// leaves the middle half of its range, which full says, they have to be taken apart.
type packed int64

// The fields of a packed number, and the magnitudes below which two of them can be added.
const (
	packedCount  = 10 // bits
	packedAmount = 64 - 2*packedCount
	maxPackedN   = 1 << (packedCount - 2)
	maxPacked    = 1 << (packedAmount - 2)
)

// packedSigns are the highest bits of the three fields.
const packedSigns = 1<<63 | 1<<(2*packedCount-1) | 1<<(packedCount-1)

// pack packs an amount and counts whose magnitudes are below maxPacked and maxPackedN.
func pack(amount, n, m int64) packed {
	return packed(amount<<(2*packedCount) + n<<packedCount + m)
}

// unpack takes a packed number apart.
func (p packed) unpack() (amount, n, m int64) {
	v := int64(p)
	m = v << (64 - packedCount) >> (64 - packedCount)
	v = (v - m) >> packedCount
	n = v << (64 - packedCount) >> (64 - packedCount)
	return (v - n) >> packedCount, n, m
}

// full says whether a field of either number has left the middle half of its range. With the
// half of its range added a field of the middle half begins with 01 or 10.
func full(a, b packed) bool {
	x, y := uint64(a)+packedSigns, uint64(b)+packedSigns
	return (x^x<<1)&(y^y<<1)&packedSigns != packedSigns
}

// smallAmount is a sum as the amount of a packed number, false for one that is too large.
func smallAmount(s schemas.Sum) (int64, bool) {
	v := int64(s.LowBits())
	return v, s.HighBits() == v>>63 && uint64(v+maxPacked-1) < 2*maxPacked-1
}

// smallCount says whether a count can be one of a packed number.
func smallCount(n int64) bool { return uint64(n+maxPackedN-1) < 2*maxPackedN-1 }

// cell is a count as a cell.
func (n *ageCount) cell() (c cell) {
	var net, cost int64
	net, c.orders, c.active = n.orders.unpack()
	cost, c.extra, c.last = n.ends.unpack()
	c.net, c.cost = sumOf(net), sumOf(cost)
	return c
}

// count is a cell as a count, false for one that is too large.
func (c *cell) count() (ageCount, bool) {
	net, ok := smallAmount(c.net)
	cost, ok2 := smallAmount(c.cost)
	ok = ok && ok2 && smallCount(c.orders) && smallCount(c.active) && smallCount(c.extra) && smallCount(c.last)
	return ageCount{pack(net, c.orders, c.active), pack(cost, c.extra, c.last)}, ok
}
