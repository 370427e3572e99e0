package transforms

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/apache/arrow/go/v17/arrow"
)

// Visitor is what one worker of Fold does with the customers it is given.
type Visitor interface {
	// Add takes one customer; it keeps nothing of it.
	Add(c *Customer)
	// Records returns the rows made of the customers added since the last call, one
	// record per streamed table; the caller releases them.
	Records() ([]arrow.Record, error)
}

// Fold walks all customers. Every worker gets its own visitor, made one at a time; emit receives the
// records partition by partition in the order of the customers' hashes, whatever the
// number of threads or partitions, one call at a time.
func (l *Ledger) Fold(visitor func() Visitor, emit func([]arrow.Record) error) error {
	turn := turnstile{}
	turn.cond.L = &turn.mu
	return l.parallel(len(l.rows.parts), func(next func() (int, bool)) error {
		l.mu.Lock()
		f := folder{l: l, visitor: visitor()}
		l.mu.Unlock()
		for {
			p, ok := next()
			if !ok {
				if p < len(l.rows.parts) { // stopped early: nobody will bring this partition
					turn.stop()
				}
				break
			}
			if err := f.partition(p); err != nil {
				turn.stop()
				return err
			}
			records, failed := f.visitor.Records()
			if err := turn.pass(p, func() error {
				if failed != nil {
					return failed
				}
				return emit(records)
			}); err != nil {
				if errors.Is(err, errStopped) {
					break
				}
				return err
			}
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.counts.add(&f.counts)
		return nil
	})
}

// turnstile lets partitions pass in order.
type turnstile struct {
	mu      sync.Mutex
	cond    sync.Cond
	at      int
	stopped bool
}

var errStopped = errors.New("stopped")

// pass waits until all partitions before p have passed, then runs f.
func (t *turnstile) pass(p int, f func() error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.at != p && !t.stopped {
		t.cond.Wait()
	}
	if t.stopped {
		return errStopped
	}
	err := f()
	t.at++
	if err != nil {
		t.stopped = true
	}
	t.cond.Broadcast()
	return err
}

// stop sends everybody away who waits or comes.
func (t *turnstile) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	t.cond.Broadcast()
}

// PartitionError says that the customers of one partition, or one of them alone, have more
// orders than memory has room for.
type PartitionError struct{ Bytes int64 }

func (e *PartitionError) Error() string {
	return fmt.Sprintf("the orders of one customer, or of a few, take %d MiB of rows, which have to be in memory together", e.Bytes>>20)
}

// folder is one worker of Fold.
type folder struct {
	l       *Ledger
	visitor Visitor
	counts  Counts

	repeated keyFilter
	table    []uint32 // open addressing: index into people + 1
	people   []person
	buys     []Purchase // in input order
	buyer    []int32    // of each, the index into people
	sorted   []Purchase // by person and time
	order    []rankedPerson
	places   []place // of sortBuys
	moving   []Purchase

	customer Customer
	id       []byte
}

// person is one customer of the partition.
type person struct {
	hash  uint64
	key   []byte
	count int32 // purchases, then the end of the person's range in sorted
}

// rankedPerson is a person's place in the order of the fold.
type rankedPerson struct {
	hash  uint64
	index int32
}

func (f *folder) partition(p int) error {
	l := f.l
	if size := l.rows.size(p) + l.moved.size(p); l.rules.Memory > 0 && size > l.rules.Memory {
		return &PartitionError{Bytes: size}
	}
	if err := errors.Join(f.repeated.fill(l.repeated, p), l.rows.load(p), l.moved.load(p)); err != nil {
		return err
	}
	f.people, f.buys, f.buyer = f.people[:0], f.buys[:0], f.buyer[:0]
	if len(f.table) == 0 {
		f.table = make([]uint32, 1<<10)
	}
	clear(f.table)
	l.rows.each(p, func(ref uint64, row []byte) {
		if void(row, &f.repeated) {
			return
		}
		if row[rowFlags]&flagSettled == 0 && !f.count(row) || row[rowFlags]&flagCounts == 0 {
			return
		}
		key := keyOf(row)
		hash := hashKey(key)
		if _, ok := l.owner(key, hash); !ok {
			f.see(ref, row, key, hash)
		}
	})
	l.moved.each(p, func(ref uint64, row []byte) {
		key := keyOf(row)
		f.see(ref|movedRef, row, key, hashKey(key))
	})
	f.group()
	f.order = f.order[:0]
	for i := range f.people {
		f.order = append(f.order, rankedPerson{f.people[i].hash, int32(i)})
	}
	slices.SortFunc(f.order, func(a, b rankedPerson) int {
		if a.hash != b.hash {
			return cmp.Compare(a.hash, b.hash)
		}
		return bytes.Compare(f.people[a.index].key, f.people[b.index].key)
	})
	for _, x := range f.order {
		f.visit(p, int(x.index))
	}
	for _, s := range []*rowStore{l.rows, l.moved, l.repeated} {
		s.drop(p)
	}
	return nil
}

// count counts an order that is not settled, being the only version of itself; it says
// whether the order has a customer.
func (f *folder) count(row []byte) bool {
	if orderedAt(row) >= f.l.rules.AsOf {
		f.counts.AfterAsOf++
		return false
	}
	if row[rowFlags]&flagCounts == 0 {
		return false
	}
	if row[rowFlags]&flagMoney != 0 {
		o := order{}
		o.gross, o.discount, o.refund, _ = amountsOf(row)
		if o.refundAboveNet() {
			f.counts.RefundAboveNet++
		}
	}
	if len(keyOf(row)) == 0 {
		f.counts.AnonymousOrders++
		return false
	}
	return true
}

// movedRef marks the reference of a row as one of the store of moved rows.
const movedRef = 1 << 63

// see adds a purchase to its person.
func (f *folder) see(ref uint64, row, key []byte, hash uint64) {
	mask := uint32(len(f.table) - 1)
	i := uint32(hash) & mask
	k := -1
	for f.table[i] != 0 {
		n := int(f.table[i] - 1)
		if q := &f.people[n]; q.hash == hash && bytes.Equal(q.key, key) {
			k = n
			break
		}
		i = (i + 1) & mask
	}
	if k < 0 {
		k = len(f.people)
		f.people = append(f.people, person{hash: hash, key: key})
		f.table[i] = uint32(k + 1)
		if 2*len(f.people) > len(f.table) {
			f.table = rehash(f.table, len(f.people), func(k int) uint64 { return f.people[k].hash })
		}
	}
	f.people[k].count++
	f.buyer = append(f.buyer, int32(k))
	b := Purchase{At: orderedAt(row), HasCost: row[rowFlags]&flagCost != 0, ref: ref}
	r := reader(row[rowText:])
	b.source = uint16(r.uvarint())
	r.text()
	b.Gross, b.Discount, b.Refund, b.Cost = r.amounts(row[rowFlags])
	b.Day = f.l.rules.Calendar.LocalDay(b.At)
	f.buys = append(f.buys, b)
}

// group sorts the purchases by person: a counting sort.
func (f *folder) group() {
	if cap(f.sorted) < len(f.buys) {
		f.sorted = make([]Purchase, len(f.buys)+len(f.buys)/8)
	}
	f.sorted = f.sorted[:len(f.buys)]
	at := int32(0)
	for i := range f.people {
		n := f.people[i].count
		f.people[i].count = at
		at += n
	}
	for i := range f.buys {
		p := &f.people[f.buyer[i]]
		f.sorted[p.count] = f.buys[i]
		p.count++
	}
}

// visit builds one customer and shows it to the visitor.
func (f *folder) visit(p, i int) {
	from := int32(0)
	if i > 0 {
		from = f.people[i-1].count
	}
	buys := f.sorted[from:f.people[i].count]
	f.sortBuys(p, buys)
	c := &f.customer
	f.id = f.l.publishedID(f.people[i].key, f.id[:0])
	c.ID, c.Purchases = f.id, buys
	c.Days, c.Segments = c.Days[:0], c.Segments[:0]
	for i := range buys {
		c.addDay(&buys[i])
	}
	r := dimsOf(f.row(p, buys[0].ref))
	for range f.l.rules.Dimensions {
		c.Segments = append(c.Segments, uint32(r.uvarint()))
	}
	f.counts.Customers++
	f.counts.Purchases += int64(len(buys))
	for i := range c.Days {
		f.counts.Net = f.counts.Net.Add(c.Days[i].Net)
	}
	f.visitor.Add(c)
}

// row is the row of a purchase.
func (f *folder) row(p int, ref uint64) []byte {
	if ref&movedRef != 0 {
		return f.l.moved.row(p, ref&^movedRef)
	}
	return f.l.rows.row(p, ref)
}

// addDay adds a purchase, which is not before the others, to the order-days.
func (c *Customer) addDay(p *Purchase) {
	// Local dates can run backwards within an instant order only where a zone repeats a
	// day; the day then belongs before the last one.
	n := len(c.Days)
	i := n
	for i > 0 && c.Days[i-1].Day > p.Day {
		i--
	}
	if i == 0 || c.Days[i-1].Day != p.Day {
		c.Days = slices.Insert(c.Days, i, OrderDay{Day: p.Day})
		i++
	}
	d := &c.Days[i-1]
	d.Orders++
	d.Net = d.Net.Add(sumOf(p.Net()))
	if p.HasCost {
		d.Cost = d.Cost.Add(sumOf(p.Cost))
	} else {
		d.OrdersNoCost++
	}
}

// sortBuys sorts the purchases of one customer by (ordered_at, source, order_id). Most
// customers have a handful, which come nearly in order; of the others only the places
// are sorted, a purchase is moved once.
func (f *folder) sortBuys(p int, buys []Purchase) {
	sorted := 1
	for sorted < len(buys) && (buys[sorted-1].At < buys[sorted].At || f.compareBuys(p, &buys[sorted-1], &buys[sorted]) <= 0) {
		sorted++
	}
	if len(buys) > 16 && sorted < len(buys) {
		f.places = f.places[:0]
		for i := range buys {
			f.places = append(f.places, place{buys[i].At, int32(i)})
		}
		slices.SortFunc(f.places, func(a, b place) int {
			if a.at != b.at {
				return cmp.Compare(a.at, b.at)
			}
			return f.compareBuys(p, &buys[a.index], &buys[b.index])
		})
		f.moving = append(f.moving[:0], buys...)
		for i, x := range f.places {
			buys[i] = f.moving[x.index]
		}
		return
	}
	for i := sorted; i < len(buys); i++ {
		b := buys[i]
		k := i
		for ; k > 0 && f.compareBuys(p, &buys[k-1], &b) > 0; k-- {
			buys[k] = buys[k-1]
		}
		buys[k] = b
	}
}

// place is where a purchase stands among those of its customer.
type place struct {
	at    int64
	index int32
}

func (f *folder) compareBuys(p int, a, b *Purchase) int {
	if a.At != b.At {
		return cmp.Compare(a.At, b.At)
	}
	if c := cmp.Compare(a.source, b.source); c != 0 {
		return c
	}
	dims := len(f.l.rules.Dimensions)
	x, _ := textsOf(f.row(p, a.ref), dims)
	y, _ := textsOf(f.row(p, b.ref), dims)
	return bytes.Compare(x, y)
}

// Segments are the values of every dimension by code, as the tables name them.
func (l *Ledger) Segments() [][]string {
	s := make([][]string, len(l.rules.Interns.Dims))
	for d, t := range l.rules.Interns.Dims {
		s[d] = t.Values()
	}
	return s
}
