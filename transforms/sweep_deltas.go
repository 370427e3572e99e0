package transforms

import (
	"math/bits"

	"github.com/cohortline/cohortline/schemas"
)

// deltaKey says what changes at a date of a sweep. What a and b are depends on the family.
type deltaKey struct {
	date      uint16
	family    uint8 // see families
	dimension uint8
	segment   uint32
	a, b      int32
}

// moneyDelta is a change of a cell of cohorts.
type moneyDelta struct {
	customers, active, orders, last, uncosted int32
	net, cost                                 schemas.Sum
}

func (d *moneyDelta) add(o *moneyDelta) {
	d.customers += o.customers
	d.active += o.active
	d.orders += o.orders
	d.last += o.last
	d.uncosted += o.uncosted
	d.net, d.cost = d.net.Add(o.net), d.cost.Add(o.cost)
}

func (d moneyDelta) negate() moneyDelta {
	return moneyDelta{-d.customers, -d.active, -d.orders, -d.last, -d.uncosted, d.net.Negate(), d.cost.Negate()}
}

// countDelta is a change of up to three counts.
type countDelta [3]int32

func (d *countDelta) add(o *countDelta) {
	d[0] += o[0]
	d[1] += o[1]
	d[2] += o[2]
}

func (d countDelta) negate() countDelta { return countDelta{-d[0], -d[1], -d[2]} }

// MaxSweepOrders bounds the orders of a sweep: its counts have 32 bits.
const MaxSweepOrders = 1<<31 - 1

// deltaTable gathers changes by key.
type deltaTable[V any] struct {
	slots  []uint32 // open addressing: place of the entry, and one; 0: free
	chunks [][]deltaEntry[V]
	n      int
	sum    func(to, from *V)
	negate func(v V) V     // by value: what is written down then stays on the stack
	queue  []deltaEntry[V] // not added yet
	hashes [deltaQueue]uint32
	slot   [deltaQueue]uint32
	seen   [deltaQueue]int32
}

// deltaQueue is how many changes are added at a time: where they belong lies all over
// memory, and a processor waits for many places at once no longer than for one.
const deltaQueue = 128

func newDeltaTable[V any](sum func(to, from *V), negate func(v V) V) deltaTable[V] {
	return deltaTable[V]{sum: sum, negate: negate, queue: make([]deltaEntry[V], 0, deltaQueue)}
}

// add adds a change.
func (t *deltaTable[V]) add(k *deltaKey, v *V) {
	t.queue = append(t.queue, deltaEntry[V]{*k, *v})
	if len(t.queue) == deltaQueue {
		t.drain()
	}
}

// drain adds what waits in the queue.
func (t *deltaTable[V]) drain() {
	for 2*(t.n+len(t.queue)) >= len(t.slots) {
		t.grow()
	}
	mask := uint32(len(t.slots) - 1)
	for i := range t.queue {
		t.hashes[i] = t.queue[i].key.hash()
		t.slot[i] = t.slots[t.hashes[i]&mask]
	}
	for i := range t.queue { // asks for the entries before they are needed
		if s := t.slot[i]; s > 0 {
			t.seen[i] = t.entry(s - 1).key.a
		}
	}
	for i := range t.queue {
		e := &t.queue[i]
		t.sum(t.at(&e.key, t.hashes[i]), &e.value)
	}
	t.queue = t.queue[:0]
}

type deltaEntry[V any] struct {
	key   deltaKey
	value V
}

// deltaChunk is how many entries are made at a time, as a power of two.
const deltaChunk = 12

func (t *deltaTable[V]) entry(i uint32) *deltaEntry[V] {
	return &t.chunks[i>>deltaChunk][i&(1<<deltaChunk-1)]
}

// at is the change of a key with a hash; there is room for it.
func (t *deltaTable[V]) at(k *deltaKey, hash uint32) *V {
	mask := uint32(len(t.slots) - 1)
	i := hash & mask
	for ; t.slots[i] != 0; i = (i + 1) & mask {
		if e := t.entry(t.slots[i] - 1); e.key == *k {
			return &e.value
		}
	}
	if t.n>>deltaChunk == len(t.chunks) {
		t.chunks = append(t.chunks, make([]deltaEntry[V], 1<<deltaChunk))
	}
	t.n++
	t.slots[i] = uint32(t.n)
	e := t.entry(uint32(t.n - 1))
	e.key = *k
	return &e.value
}

func (k *deltaKey) hash() uint32 {
	x := uint64(k.date)<<48 | uint64(k.family)<<40 | uint64(k.dimension)<<32 | uint64(k.segment)
	y := uint64(uint32(k.a))<<32 | uint64(uint32(k.b))
	hi, lo := bits.Mul64(x^0x9e3779b97f4a7c15, y^0xd6e8feb86659fd93)
	return uint32((hi ^ lo) * 0x9e3779b97f4a7c15 >> 32)
}

// grow doubles the slots.
func (t *deltaTable[V]) grow() {
	t.slots = make([]uint32, max(1<<12, 2*len(t.slots)))
	mask := uint32(len(t.slots) - 1)
	for k := range uint32(t.n) {
		i := t.entry(k).key.hash() & mask
		for t.slots[i] != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = k + 1
	}
}

// rekey makes the table anew with other keys; what keep does not want goes.
func (t *deltaTable[V]) rekey(keep func(k *deltaKey) bool) {
	t.drain()
	old := *t
	*t = newDeltaTable(old.sum, old.negate)
	for i := range uint32(old.n) {
		e := old.entry(i)
		if k := e.key; keep(&k) {
			t.add(&k, &e.value)
		}
	}
	t.drain()
}

// datedDeltas are the changes of a table by date.
type datedDeltas[V any] struct {
	table  *deltaTable[V]
	places []uint32 // of the entries, by date
	from   []uint32 // where the places of a date begin, from the first date on; one more at the end
}

// byDate puts changes in the order of the dates [first, end).
func byDate[V any](t *deltaTable[V], first, end int32) *datedDeltas[V] {
	t.drain()
	t.slots, t.queue = nil, nil
	d := &datedDeltas[V]{table: t, places: make([]uint32, t.n), from: make([]uint32, end-first+2)}
	for i := range uint32(t.n) {
		d.from[int32(t.entry(i).key.date)-first+2]++
	}
	for i := 2; i < len(d.from); i++ {
		d.from[i] += d.from[i-1]
	}
	for i := range uint32(t.n) {
		at := &d.from[int32(t.entry(i).key.date)-first+1]
		d.places[*at] = i
		*at++
	}
	return d
}

// each calls f with the changes of a date, counted from the first.
func (d *datedDeltas[V]) each(date int32, f func(k *deltaKey, v *V)) {
	for _, i := range d.places[d.from[date]:d.from[date+1]] {
		e := d.table.entry(i)
		f(&e.key, &e.value)
	}
}
