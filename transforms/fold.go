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
	counts, err := l.fold(wholeLedger(), visitor, emit)
	l.counts.add(&counts)
	return err
}

// fold walks the customers of a view; it returns what it has counted.
func (l *Ledger) fold(v view, visitor func() Visitor, emit func([]arrow.Record) error) (counts Counts, err error) {
	turn := newTurnstile(max(1, l.rules.Threads))
	err = l.parallel(len(l.rows.parts), func(next func() (int, bool)) error {
		l.mu.Lock()
		f := folder{l: l, view: v, dated: v.counts.fork(), visitor: visitor()}
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
		counts.add(&f.counts)
		v.counts.add(f.dated)
		return nil
	})
	return counts, err
}

// turnstile lets partitions pass in order. Whoever comes early leaves what is to be done
// and goes on, unless too many wait already; whoever's turn it is takes along those next in
// order.
type turnstile struct {
	mu      sync.Mutex
	cond    sync.Cond
	ahead   int // how far ahead of its turn a partition may be
	at      int
	early   map[int]func() error
	passing bool // somebody is running what has been left
	stopped bool
}

func newTurnstile(ahead int) *turnstile {
	t := &turnstile{ahead: ahead, early: make(map[int]func() error)}
	t.cond.L = &t.mu
	return t
}

var errStopped = errors.New("stopped")

// pass has f run once all partitions before p have passed, by the caller or another one,
// who then returns its error. One runs at a time.
func (t *turnstile) pass(p int, f func() error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for p > t.at+t.ahead && !t.stopped {
		t.cond.Wait()
	}
	if t.stopped {
		return errStopped
	}
	t.early[p] = f
	if t.passing {
		return nil
	}
	t.passing = true
	defer func() { t.passing = false }()
	for !t.stopped {
		f, ok := t.early[t.at]
		if !ok {
			return nil
		}
		delete(t.early, t.at)
		t.mu.Unlock()
		err := f()
		t.mu.Lock()
		t.at++
		if err != nil {
			t.stopped = true
		}
		t.cond.Broadcast()
		if err != nil {
			return err
		}
	}
	return errStopped
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
	view    view
	visitor Visitor
	counts  Counts
	dated   *datedCounts

	repeated  keyFilter
	table     []slot
	people    []person
	keys      []byte     // of the people, side by side
	whose     []int32    // per row of the partition, the index of its person; nobody: it is no purchase
	purchases []Purchase // by person, then in time
	late      []Purchase // of the customer at hand, those that come out of order
	order     []rankedPerson
	buckets   []int32 // of rank

	customer Customer
	id       []byte
	byGroup  map[int32]int32 // of the partition: the person that a group is
}

// nobody marks a row that is no purchase of a customer.
const nobody = -1

// slot is a place of the open-addressing table of people.
type slot struct {
	owner uint32 // tail of the hash of the person's key
	index uint32 // into people + 1; 0: free
}

// person is one customer of the partition.
type person struct {
	key   int    // where the key begins in keys
	size  int32  // of the key
	owner uint32 // tail of the hash of the key
	count int32  // purchases, then the end of the person's range in purchases
	group int32  // of a sweep: the group that this is, and one; see identityGroups
}

// rankedPerson is a person's place in the order of the fold.
type rankedPerson struct {
	owner uint32 // tail of the hash of the key
	index int32
}

func (f *folder) partition(p int) error {
	l := f.l
	if size := l.rows.size(p) + l.moved.size(p) + l.grouped.size(p); l.rules.Memory > 0 && size > l.rules.Memory {
		return &PartitionError{Bytes: size}
	}
	if err := errors.Join(f.repeated.fill(l.repeated, p), l.rows.load(p), l.moved.load(p), l.grouped.load(p)); err != nil {
		return err
	}
	l.rows.arrange(p, f.view.keep, likelyOrder)
	f.people, f.keys, f.whose = f.people[:0], f.keys[:0], f.whose[:0]
	if len(f.table) == 0 {
		f.table = make([]slot, 1<<10)
	}
	clear(f.table)
	linked := len(l.linkedBy) > 0
	l.rows.each(p, func(_ uint64, row []byte) {
		who := int32(nobody)
		if key := f.purchaser(row); len(key) > 0 {
			if !linked || !l.isMoved(row) {
				who = f.see(ownerTail(row), key)
			}
		}
		f.whose = append(f.whose, who)
	})
	l.moved.each(p, func(_ uint64, row []byte) {
		who := int32(nobody)
		if orderedAt(row) < f.view.until {
			who = f.see(ownerTail(row), keyOf(row))
		}
		f.whose = append(f.whose, who)
	})
	f.seeGroups(p)
	f.group(p)
	f.rank()
	for _, x := range f.order {
		f.visit(p, x.index)
	}
	for _, s := range []*rowStore{l.rows, l.moved, l.grouped, l.repeated} {
		if f.view.keep {
			s.unload(p)
		} else {
			s.drop(p)
		}
	}
	return nil
}

// likelyOrder puts the chunks of a partition in an order in which the purchases of a customer
// are likely to come sorted: in time, those that Resolve has passed on last.
func likelyOrder(a, b []byte) int {
	settled := func(row []byte) int { return int(row[rowFlags] & flagSettled) }
	return cmp.Or(cmp.Compare(settled(a), settled(b)), cmp.Compare(orderedAt(a), orderedAt(b)))
}

// purchaser is the customer key of a purchase; empty: the row is none, or nobody's. Orders
// that are not settled, being the only versions of themselves, are counted here.
func (f *folder) purchaser(row []byte) []byte {
	flags := row[rowFlags]
	if flags&flagSettled != 0 {
		if flags&flagCounts == 0 {
			return nil
		}
		if orderedAt(row) >= f.view.until {
			return nil
		}
		return keyOf(row)
	}
	if f.repeated.has(orderTail(row)) || orderedAt(row) >= f.view.until {
		return nil
	}
	if flags&flagCounts == 0 {
		if orderedAt(row) >= f.l.rules.AsOf {
			f.counts.AfterAsOf++
		}
		return nil
	}
	if flags&flagRefundAbove != 0 {
		f.counts.RefundAboveNet++
		f.dated.at(orderedAt(row)).refundAbove++
	}
	key := keyOf(row)
	if len(key) == 0 {
		f.counts.AnonymousOrders++
		f.dated.at(orderedAt(row)).anonymous++
	}
	return key
}

// Marks of the reference of a row as one of the stores of moved and of grouped rows.
const (
	movedRef   = 1 << 63
	groupedRef = 1 << 62
)

// see counts a purchase of the person with a key, whose hash has the tail owner, and
// returns the person's index.
func (f *folder) see(owner uint32, key []byte) int32 {
	mask := uint32(len(f.table) - 1)
	i := owner & mask
	for ; ; i = (i + 1) & mask {
		s := f.table[i]
		if s.index == 0 {
			break
		}
		if s.owner == owner {
			if x := &f.people[s.index-1]; bytes.Equal(f.keys[x.key:x.key+int(x.size)], key) {
				x.count++
				return int32(s.index - 1)
			}
		}
	}
	// copies of the keys are near one another, the rows that they come from are not
	f.people = append(f.people, person{key: len(f.keys), size: int32(len(key)), owner: owner, count: 1})
	f.keys = append(f.keys, key...)
	f.table[i] = slot{owner, uint32(len(f.people))}
	if 2*len(f.people) > len(f.table) {
		f.grow()
	}
	return int32(len(f.people) - 1)
}

// keyOf is the customer key of a person.
func (f *folder) keyOf(i int32) []byte {
	x := &f.people[i]
	return f.keys[x.key : x.key+int(x.size)]
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

// group writes the purchases person by person: a counting sort. It walks the rows as they
// lie, which is cheaper than to come to each of them by its person.
func (f *folder) group(p int) {
	at := int32(0)
	for i := range f.people {
		n := f.people[i].count
		f.people[i].count = at
		at += n
	}
	if n := int(at); cap(f.purchases) < n {
		f.purchases = make([]Purchase, n+n/8)
	}
	f.purchases = f.purchases[:at]
	k := 0
	place := func(ref uint64, row []byte) {
		if who := f.whose[k]; who != nobody {
			x := &f.people[who]
			f.purchases[x.count].read(ref, row)
			x.count++
		}
		k++
	}
	f.l.rows.each(p, place)
	f.l.moved.each(p, func(ref uint64, row []byte) { place(ref|movedRef, row) })
	f.l.grouped.each(p, func(ref uint64, row []byte) { place(ref|groupedRef, row) })
}

// read takes a purchase from its row.
func (b *Purchase) read(ref uint64, row []byte) {
	b.At, b.ref, b.HasCost = orderedAt(row), ref, row[rowFlags]&flagCost != 0
	b.Gross, b.Discount, b.Refund, b.Cost = amountsOf(row)
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
	x, y := f.keyOf(a.index), f.keyOf(b.index)
	return cmp.Or(cmp.Compare(hashKey(x), hashKey(y)), bytes.Compare(x, y)) > 0
}

// visit builds one customer and shows it to the visitor.
func (f *folder) visit(p int, i int32) {
	from := int32(0)
	if i > 0 {
		from = f.people[i-1].count
	}
	c := &f.customer
	c.Purchases = f.purchases[from:f.people[i].count]
	f.sort(p, c.Purchases)
	f.id = f.l.publishedID(f.keyOf(i), f.id[:0])
	c.ID, c.Days, c.Segments = f.id, c.Days[:0], c.Segments[:0]
	c.from, c.to = f.dates(i)
	r := dimsOf(f.row(p, c.Purchases[0].ref))
	for range f.l.rules.Dimensions {
		c.Segments = append(c.Segments, uint32(r.uvarint()))
	}
	for k := range c.Purchases {
		b := &c.Purchases[k]
		b.Day = f.l.rules.Calendar.LocalDay(b.At)
		c.addDay(b)
	}
	f.counts.Customers++
	f.counts.Purchases += int64(len(c.Purchases))
	for k := range c.Days {
		f.counts.Net = f.counts.Net.Add(c.Days[k].Net)
	}
	f.visitor.Add(c)
}

// row is the row of a purchase.
func (f *folder) row(p int, ref uint64) []byte {
	switch {
	case ref&movedRef != 0:
		return f.l.moved.row(p, ref&^movedRef)
	case ref&groupedRef != 0:
		return f.l.grouped.row(p, ref&^groupedRef)
	}
	return f.l.rows.row(p, ref)
}

// addDay adds a purchase, which is not before the others, to the order-days.
func (c *Customer) addDay(p *Purchase) {
	n := len(c.Days)
	switch {
	case n == 0 || c.Days[n-1].Day < p.Day:
		c.Days = append(c.Days, OrderDay{Day: p.Day})
	case c.Days[n-1].Day > p.Day:
		// Local dates can run backwards within an instant order only where a zone repeats a
		// day; the day then belongs before the last one.
		for n > 0 && c.Days[n-1].Day > p.Day {
			n--
		}
		if n == 0 || c.Days[n-1].Day != p.Day {
			c.Days = slices.Insert(c.Days, n, OrderDay{Day: p.Day})
			n++
		}
		c.Days[n-1].add(p)
		return
	}
	c.Days[len(c.Days)-1].add(p)
}

func (d *OrderDay) add(p *Purchase) {
	d.Orders++
	d.Net = d.Net.Add(sumOf(p.Net()))
	if p.HasCost {
		d.Cost = d.Cost.Add(sumOf(p.Cost))
	} else {
		d.OrdersNoCost++
	}
}

// sort sorts the purchases of one customer by (ordered_at, source, order_id). Most come in
// order already: the few that do not are taken out, sorted and merged in again.
func (f *folder) sort(p int, list []Purchase) {
	late := f.late[:0]
	n := 1
	for i := 1; i < len(list); i++ {
		switch {
		case list[n-1].At > list[i].At || list[n-1].At == list[i].At && f.compare(p, &list[n-1], &list[i]) > 0:
			late = append(late, list[i])
			continue
		case n < i:
			list[n] = list[i]
		}
		n++
	}
	f.late = late
	if len(late) == 0 {
		return
	}
	slices.SortFunc(late, func(a, b Purchase) int { return f.compare(p, &a, &b) })
	for k := len(list) - 1; len(late) > 0; k-- {
		if last := &late[len(late)-1]; n > 0 && f.compare(p, &list[n-1], last) > 0 {
			n--
			list[k] = list[n]
		} else {
			list[k] = *last
			late = late[:len(late)-1]
		}
	}
}

// compare compares the times of two purchases, then their orders.
func (f *folder) compare(p int, a, b *Purchase) int {
	if a.At != b.At {
		return cmp.Compare(a.At, b.At)
	}
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
