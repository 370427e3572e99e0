package transforms

import (
	"math"
	"math/bits"

	"github.com/cohortline/cohortline/schemas"
)

// rfmKey is what the models of purchases know of a customer; times in days.
type rfmKey struct{ group, frequency, recency, age uint32 }

// rfmRow is a key with the number of customers that have it.
type rfmRow struct {
	rfmKey
	customers uint32
}

// rfmTable counts customers by key: an open-addressing index over rows in the order in
// which they came, whose places are their names from then on.
type rfmTable struct {
	slots []uint32 // place + 1; 0: free; a power of two of them
	rows  []rfmRow
}

func (k *rfmKey) hash() uint64 {
	h := (uint64(k.group)<<32 | uint64(k.frequency)) * 0x9E3779B97F4A7C15
	return (h ^ h>>29 ^ (uint64(k.recency)<<32 | uint64(k.age))) * 0xD6E8FEB86659FD93
}

// count adds a customer and returns the place of its row.
func (t *rfmTable) count(k rfmKey) uint32 {
	if 4*len(t.rows) >= 3*len(t.slots) {
		t.grow()
	}
	i := t.place(&k)
	if t.slots[i] == 0 {
		t.rows = append(t.rows, rfmRow{k, 0})
		t.slots[i] = uint32(len(t.rows))
	}
	r := t.slots[i] - 1
	t.rows[r].customers++
	return r
}

// place is the slot of a key, or the free one where it belongs.
func (t *rfmTable) place(k *rfmKey) int {
	mask := len(t.slots) - 1
	i := int(k.hash() >> (64 - bits.Len(uint(mask))))
	for t.slots[i] != 0 && t.rows[t.slots[i]-1].rfmKey != *k {
		i = (i + 1) & mask
	}
	return i
}

func (t *rfmTable) grow() {
	t.slots = make([]uint32, max(1<<10, 2*len(t.slots)))
	for r := range t.rows {
		t.slots[t.place(&t.rows[r].rfmKey)] = uint32(r + 1)
	}
}

// spendKey is what the model of spend knows of a customer: the frequency, and the mean
// value to one part in 512, which leaves a shop with some ten thousand rows. The mean of
// those who are in one row is exact.
type spendKey struct {
	group, frequency uint32
	mean             int32 // the leading bits of the mean; noSpend where it is not positive
}

const noSpend = math.MinInt32

// spent is the customers of a key and what they have spent together.
type spent struct {
	spendKey
	customers uint32
	total     schemas.Sum
}

// spendTable adds up customers by key, like rfmTable.
type spendTable struct {
	slots []uint32
	rows  []spent
}

func (k *spendKey) hash() uint64 {
	h := (uint64(k.group)<<32 | uint64(k.frequency)) * 0x9E3779B97F4A7C15
	return (h ^ h>>29 ^ uint64(uint32(k.mean))) * 0xD6E8FEB86659FD93
}

// add adds a customer whose order-days after the first were worth so much.
func (t *spendTable) add(group, frequency uint32, repeat schemas.Sum) {
	if frequency == 0 {
		return
	}
	k := spendKey{group, frequency, noSpend}
	if repeat.Sign() > 0 {
		// All numbers of one sign sort by their bits: the leading ones are the exponent and nine of the mantissa.
		k.mean = int32(math.Float64bits(schemas.SumRatio(repeat, int64(frequency))) >> 43)
	}
	t.merge(spent{k, 1, repeat})
}

// merge adds customers of one key.
func (t *spendTable) merge(x spent) {
	if 4*len(t.rows) >= 3*len(t.slots) {
		t.grow()
	}
	i := t.place(&x.spendKey)
	if t.slots[i] == 0 {
		t.rows = append(t.rows, x)
		t.slots[i] = uint32(len(t.rows))
		return
	}
	r := &t.rows[t.slots[i]-1]
	r.customers += x.customers
	r.total = r.total.Add(x.total)
}

func (t *spendTable) place(k *spendKey) int {
	mask := len(t.slots) - 1
	i := int(k.hash() >> (64 - bits.Len(uint(mask))))
	for t.slots[i] != 0 && t.rows[t.slots[i]-1].spendKey != *k {
		i = (i + 1) & mask
	}
	return i
}

func (t *spendTable) grow() {
	t.slots = make([]uint32, max(1<<10, 2*len(t.slots)))
	for r := range t.rows {
		t.slots[t.place(&t.rows[r].spendKey)] = uint32(r + 1)
	}
}
