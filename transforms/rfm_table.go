package transforms

import (
	"math"
	"math/bits"
	"slices"

	"github.com/cohortline/cohortline/schemas"
)

// hashed is a key that tells its hash, whose leading bits are spread well.
type hashed interface {
	comparable
	hash() uint64
}

// tally holds a value for each key: an open-addressing index over rows in the order in
// which they came, whose places are their names from then on.
type tally[K hashed, V any] struct {
	slots []uint32 // place + 1; 0: free; a power of two of them
	rows  []tallied[K, V]
}

type tallied[K hashed, V any] struct {
	key   K
	value V
}

// place is the place of the row of a key, a new one if there is none.
func (t *tally[K, V]) place(k K) uint32 {
	if 4*len(t.rows) >= 3*len(t.slots) {
		t.slots = make([]uint32, max(1<<10, 2*len(t.slots)))
		t.rows = slices.Grow(t.rows, 3*len(t.slots)/4-len(t.rows))
		for r := range t.rows {
			t.slots[t.slot(t.rows[r].key)] = uint32(r + 1)
		}
	}
	i := t.slot(k)
	if t.slots[i] == 0 {
		t.rows = append(t.rows, tallied[K, V]{key: k})
		t.slots[i] = uint32(len(t.rows))
	}
	return t.slots[i] - 1
}

// placesOf are the places of many keys. All slots are looked at before a row is: no key waits
// for the memory of the one before it.
func (t *tally[K, V]) placesOf(keys []K, to []uint32) []uint32 {
	to = to[:0]
	for i := range keys {
		row := uint32(0)
		if len(t.slots) > 0 {
			row = t.slots[keys[i].hash()>>(64-bits.Len(uint(len(t.slots)-1)))]
		}
		to = append(to, row)
	}
	for i, row := range to {
		if row > 0 && t.rows[row-1].key == keys[i] {
			to[i] = row - 1
		} else {
			to[i] = t.place(keys[i])
		}
	}
	return to
}

// slot is the slot of a key, or the free one where it belongs.
func (t *tally[K, V]) slot(k K) int {
	mask := len(t.slots) - 1
	i := int(k.hash() >> (64 - bits.Len(uint(mask))))
	for t.slots[i] != 0 && t.rows[t.slots[i]-1].key != k {
		i = (i + 1) & mask
	}
	return i
}

func mix(a, b uint64) uint64 {
	h := a * 0x9E3779B97F4A7C15
	return (h ^ h>>29 ^ b) * 0xD6E8FEB86659FD93
}

// rfmKey is what the models of purchases know of a customer; times in days.
type rfmKey struct{ group, frequency, recency, age uint32 }

func (k rfmKey) hash() uint64 {
	return mix(uint64(k.group)<<32|uint64(k.frequency), uint64(k.recency)<<32|uint64(k.age))
}

// rfmTable counts customers by key.
type rfmTable = tally[rfmKey, uint32]

// spendKey is what the model of spend knows of a customer: the frequency, and the mean
// value to one part in 512, which leaves a shop with some ten thousand rows. The mean of
// those who are in one row is exact.
type spendKey struct {
	group, frequency uint32
	mean             int32 // the leading bits of the mean; noSpend where it is not positive
}

const noSpend = math.MinInt32

func (k spendKey) hash() uint64 {
	return mix(uint64(k.group)<<32|uint64(k.frequency), uint64(uint32(k.mean)))
}

// spent is the customers of a key and what they have spent together.
type spent struct {
	customers uint32
	total     schemas.Sum
}

// spendTable adds up customers by key.
type spendTable struct{ tally[spendKey, spent] }

// spendKeyOf is the key of a customer whose order-days after the first were worth so much.
func spendKeyOf(group, frequency uint32, repeat schemas.Sum) spendKey {
	k := spendKey{group, frequency, noSpend}
	if repeat.Sign() > 0 {
		// All numbers of one sign sort by their bits: the leading ones are the exponent and nine of the mantissa.
		k.mean = int32(math.Float64bits(schemas.SumRatio(repeat, int64(frequency))) >> 43)
	}
	return k
}

// add adds customers of one row.
func (t *spendTable) add(row uint32, x spent) {
	r := &t.rows[row].value
	r.customers += x.customers
	r.total = r.total.Add(x.total)
}
