package transforms

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math/bits"
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
	table    []slot
	people   []person
	seen     []seen
	moments  []moment // by person and time
	order    []rankedPerson
	buckets  []int32 // of rank

	customer Customer
	id       []byte
}

// slot is a place of the open-addressing table of people.
type slot struct {
	owner uint32 // tail of the hash of the person's key
	index uint32 // into people + 1; 0: free
}

// person is one customer of the partition.
type person struct {
	key   []byte
	owner uint32 // tail of the hash of the key
	count int32  // purchases, then the end of the person's range in moments
}

// seen is a purchase as it is met in the partition.
type seen struct {
	moment
	person int32
}

// moment is where a purchase stands in time and in the ledger.
type moment struct {
	at  int64
	ref uint64 // of the row; see movedRef
}

// rankedPerson is a person's place in the order of the fold.
type rankedPerson struct {
	owner uint32 // tail of the hash of the key
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
	f.people, f.seen = f.people[:0], f.seen[:0]
	if len(f.table) == 0 {
		f.table = make([]slot, 1<<10)
	}
	clear(f.table)
	linked := len(l.linked) > 0
	l.rows.each(p, func(ref uint64, row []byte) {
		if void(row, &f.repeated) || row[rowFlags]&flagSettled == 0 && !f.count(row) || row[rowFlags]&flagCounts == 0 {
			return
		}
		if linked {
			if _, ok := l.owner(row); ok {
				return
			}
		}
		f.see(ref, row)
	})
	l.moved.each(p, func(ref uint64, row []byte) { f.see(ref|movedRef, row) })
	f.group()
	f.rank()
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
	flags := row[rowFlags]
	if flags&flagCounts == 0 {
		return false
	}
	if flags&flagRefundAbove != 0 {
		f.counts.RefundAboveNet++
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
func (f *folder) see(ref uint64, row []byte) {
	owner, key := ownerTail(row), keyOf(row)
	mask := uint32(len(f.table) - 1)
	i := owner & mask
	for ; ; i = (i + 1) & mask {
		s := f.table[i]
		if s.index == 0 {
			break
		}
		if s.owner == owner && bytes.Equal(f.people[s.index-1].key, key) {
			f.people[s.index-1].count++
			f.seen = append(f.seen, seen{moment{orderedAt(row), ref}, int32(s.index - 1)})
			return
		}
	}
	f.seen = append(f.seen, seen{moment{orderedAt(row), ref}, int32(len(f.people))})
	f.people = append(f.people, person{key: key, owner: owner, count: 1})
	f.table[i] = slot{owner, uint32(len(f.people))}
	if 2*len(f.people) > len(f.table) {
		f.grow()
	}
}

// grow doubles the table of people.
func (f *folder) grow() {
	f.table = make([]slot, 2*len(f.table))
	mask := uint32(len(f.table) - 1)
	for k := range f.people {
		i := f.people[k].owner & mask
		for f.table[i].index != 0 {
			i = (i + 1) & mask
		}
		f.table[i] = slot{f.people[k].owner, uint32(k + 1)}
	}
}

// group sorts the purchases by person: a counting sort.
func (f *folder) group() {
	if cap(f.moments) < len(f.seen) {
		f.moments = make([]moment, len(f.seen)+len(f.seen)/8)
	}
	f.moments = f.moments[:len(f.seen)]
	at := int32(0)
	for i := range f.people {
		n := f.people[i].count
		f.people[i].count = at
		at += n
	}
	for i := range f.seen {
		s := &f.seen[i]
		p := &f.people[s.person]
		f.moments[p.count] = s.moment
		p.count++
	}
}

// rank puts the people in the order of the hashes of their keys, then of the keys. The
// tails of the hashes are spread evenly, so that a bucket for each person nearly sorts them.
func (f *folder) rank() {
	width := bits.Len(uint(len(f.people)))
	shift := uint(32 - width)
	f.buckets = append(f.buckets[:0], make([]int32, 1<<width+1)...)
	for i := range f.people {
		f.buckets[f.people[i].owner>>shift+1]++
	}
	for i := range f.buckets[1:] {
		f.buckets[i+1] += f.buckets[i]
	}
	f.order = slices.Grow(f.order[:0], len(f.people))[:len(f.people)]
	for i := range f.people {
		owner := f.people[i].owner
		at := &f.buckets[owner>>shift]
		f.order[*at] = rankedPerson{owner, int32(i)}
		*at++
	}
	for i := 1; i < len(f.order); i++ {
		x := f.order[i]
		k := i
		for ; k > 0 && f.after(f.order[k-1], x); k-- {
			f.order[k] = f.order[k-1]
		}
		f.order[k] = x
	}
}

// after says whether person a comes after b.
func (f *folder) after(a, b rankedPerson) bool {
	if a.owner != b.owner {
		return a.owner > b.owner
	}
	x, y := f.people[a.index].key, f.people[b.index].key
	return cmp.Or(cmp.Compare(hashKey(x), hashKey(y)), bytes.Compare(x, y)) > 0
}

// visit builds one customer and shows it to the visitor.
func (f *folder) visit(p, i int) {
	from := int32(0)
	if i > 0 {
		from = f.people[i-1].count
	}
	moments := f.moments[from:f.people[i].count]
	f.sort(p, moments)
	c := &f.customer
	f.id = f.l.publishedID(f.people[i].key, f.id[:0])
	c.ID, c.Days, c.Segments = f.id, c.Days[:0], c.Segments[:0]
	c.Purchases = slices.Grow(c.Purchases[:0], len(moments))[:len(moments)]
	for k := range moments {
		row := f.row(p, moments[k].ref)
		if k == 0 {
			r := dimsOf(row)
			for range f.l.rules.Dimensions {
				c.Segments = append(c.Segments, uint32(r.uvarint()))
			}
		}
		b := &c.Purchases[k]
		b.At, b.Day, b.HasCost = moments[k].at, f.l.rules.Calendar.LocalDay(moments[k].at), row[rowFlags]&flagCost != 0
		b.Gross, b.Discount, b.Refund, b.Cost = amountsOf(row)
	}
	for k := range c.Purchases {
		c.addDay(&c.Purchases[k])
	}
	f.counts.Customers++
	f.counts.Purchases += int64(len(moments))
	for k := range c.Days {
		f.counts.Net = f.counts.Net.Add(c.Days[k].Net)
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

// sort sorts the purchases of one customer by (ordered_at, source, order_id). Most
// customers have a handful, which come nearly in order.
func (f *folder) sort(p int, moments []moment) {
	sorted := 1
	for sorted < len(moments) && (moments[sorted-1].at < moments[sorted].at || f.compare(p, moments[sorted-1], moments[sorted]) <= 0) {
		sorted++
	}
	if len(moments) > 16 && sorted < len(moments) {
		slices.SortFunc(moments, func(a, b moment) int { return f.compare(p, a, b) })
		return
	}
	for i := sorted; i < len(moments); i++ {
		x := moments[i]
		k := i
		for ; k > 0 && f.compare(p, moments[k-1], x) > 0; k-- {
			moments[k] = moments[k-1]
		}
		moments[k] = x
	}
}

// compare compares the times of two purchases, then their orders.
func (f *folder) compare(p int, a, b moment) int {
	if a.at != b.at {
		return cmp.Compare(a.at, b.at)
	}
	return f.compareOrders(p, a, b)
}

func (f *folder) compareOrders(p int, a, b moment) int {
	dims := len(f.l.rules.Dimensions)
	source, id := orderOf(f.row(p, a.ref), dims)
	other, otherID := orderOf(f.row(p, b.ref), dims)
	return cmp.Or(cmp.Compare(source, other), bytes.Compare(id, otherID))
}

// Segments are the values of every dimension by code, as the tables name them.
func (l *Ledger) Segments() [][]string {
	s := make([][]string, len(l.rules.Interns.Dims))
	for d, t := range l.rules.Interns.Dims {
		s[d] = t.Values()
	}
	return s
}
