package transforms

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cohortline/cohortline/schemas"
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
			l.rows.expect(p + max(1, l.rules.Threads))
			records, err := f.partition(p)
			if err != nil {
				turn.stop()
				return err
			}
			if err := turn.pass(p, func() error {
				for _, r := range records {
					if err := emit(r); err != nil {
						return err
					}
				}
				return nil
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
	places    []int32    // of the people, how many purchases; once these are grouped, where the next one goes
	keys      []byte     // of the people, side by side
	firsts    []uint64   // of the people, the reference of the row met first
	segments  []uint32   // of the people, the dimensions of that row
	whose     []int32    // per row of the partition, the index of its person; nobody: it is no purchase
	purchases []Purchase // by person, then in time
	late      []Purchase // of the customer at hand, those that come out of order
	order     []rankedPerson
	buckets   []int32 // of rank

	customer Customer
	id       []byte
	byGroup  map[int32]int32 // of the partition: the person that a group is

	of    orderStores // the partition at hand, or the parts of it
	split uint        // bits of owner tails that name the part
}

// orderStores hold the purchases of customers, all that one has in one partition.
type orderStores struct{ rows, moved, grouped *rowStore }

func (s *orderStores) drop(p int) {
	s.rows.drop(p)
	s.moved.drop(p)
	s.grouped.drop(p)
}

// partition shows the customers of a partition to the visitor. A partition that is larger than
// what the cache of a core holds is first divided into parts that are not: each row is then
// copied once more, but what is asked of it, its customer and its purchase is near. It returns
// the records of the visitor, a set for each part.
func (f *folder) partition(p int) (records [][]arrow.Record, err error) {
	l := f.l
	if size := l.rows.size(p) + l.moved.size(p) + l.grouped.size(p); l.rules.Memory > 0 && size > l.rules.Memory {
		return nil, &PartitionError{Bytes: size}
	}
	if err := errors.Join(f.repeated.fill(l.repeated, p), l.rows.load(p), l.moved.load(p), l.grouped.load(p)); err != nil {
		return nil, err
	}
	l.rows.arrange(p, f.view.keep, likelyOrder)
	f.of, f.split = orderStores{l.rows, l.moved, l.grouped}, 0
	from, to := p, p+1
	if size, room := l.rows.size(p), l.rules.foldRoom(); size > room && !f.view.keep {
		from, to = 0, f.divide(p, min(maxPartBits, uint(bits.Len64(uint64((size-1)/room)))))
	}
	for part := from; part < to; part++ {
		r, err := f.part(part)
		if err != nil {
			return nil, err
		}
		records = append(records, r)
		if f.split > 0 {
			f.of.drop(part)
		}
	}
	for _, s := range []*rowStore{l.rows, l.moved, l.grouped, l.repeated} {
		if f.view.keep {
			s.unload(p)
		} else {
			s.drop(p)
		}
	}
	return records, nil
}

// maxPartBits bounds the number of parts: each has a chunk open while a partition is divided.
const maxPartBits = 8

// divide moves a partition, which is in memory, to 2^width parts, whose number it returns: by
// the upper bits of owner tails, so that the parts come in the order of the fold.
func (f *folder) divide(p int, width uint) (parts int) {
	store := func(s *rowStore) *rowStore {
		to := newRowStore(1<<width, s.pool)
		s.divide(p, to)
		return to
	}
	f.of, f.split = orderStores{store(f.of.rows), store(f.of.moved), store(f.of.grouped)}, width
	return 1 << width
}

// part shows the customers of a partition, or of a part of it, to the visitor, and returns its
// records.
func (f *folder) part(p int) ([]arrow.Record, error) {
	l := f.l
	f.people, f.places, f.keys, f.whose, f.firsts, f.segments = f.people[:0], f.places[:0], f.keys[:0], f.whose[:0], f.firsts[:0], f.segments[:0]
	if len(f.table) == 0 {
		f.table = make([]slot, 1<<10)
	}
	clear(f.table)
	linked := len(l.linkedBy) > 0
	f.of.rows.each(p, func(ref uint64, row []byte) {
		who := int32(nobody)
		if key := f.purchaser(row); len(key) > 0 && (!linked || !l.isMoved(row)) {
			who = f.see(ref, row, key)
		}
		f.whose = append(f.whose, who)
	})
	f.of.moved.each(p, func(ref uint64, row []byte) {
		who := int32(nobody)
		if orderedAt(row) < f.view.until {
			who = f.see(ref|movedRef, row, keyOf(row))
		}
		f.whose = append(f.whose, who)
	})
	f.seeGroups(p)
	f.rank()
	f.group(p)
	from := int32(0)
	for _, x := range f.order {
		f.visit(p, x.index, f.purchases[from:x.end])
		from = x.end
	}
	return f.visitor.Records()
}

// likelyOrder puts the chunks of a partition in an order in which the purchases of a customer
// are likely to come sorted: in time, those that Resolve has passed on last.
func likelyOrder(a, b []byte) int {
	resolved := func(row []byte) int {
		if row[rowFlags]&flagSettled == 0 {
			return 0
		}
		return int(row[rowFlags] & flagResolved)
	}
	return cmp.Or(cmp.Compare(resolved(a), resolved(b)), cmp.Compare(orderedAt(a), orderedAt(b)))
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

// visit builds one customer and shows it to the visitor.
func (f *folder) visit(p int, i int32, purchases []Purchase) {
	c := &f.customer
	c.Purchases = purchases
	f.sort(p, c.Purchases)
	f.id = f.l.publishedID(f.keyOf(i), f.id[:0])
	c.ID, c.Days, c.Segments, c.total = f.id, c.Days[:0], c.Segments[:0], totals{}
	c.from, c.to = f.dates(i)
	if first := c.Purchases[0].ref; first == f.firsts[i] { // nearly always: the row need not be fetched again
		n := len(f.l.rules.Dimensions)
		c.Segments = append(c.Segments, f.segments[int(i)*n:][:n]...)
	} else {
		c.Segments = f.l.appendDims(c.Segments, f.row(p, first))
	}
	for k := range c.Purchases {
		b := &c.Purchases[k]
		b.Day = f.l.rules.Calendar.LocalDay(b.At)
		c.addDay(b)
	}
	f.counts.Customers++
	f.counts.Purchases += int64(len(c.Purchases))
	f.counts.Net = f.counts.Net.Add(c.total.net)
	f.visitor.Add(c)
}

// appendDims appends the dimensions of a row.
func (l *Ledger) appendDims(d []uint32, row []byte) []uint32 {
	r := dimsOf(row)
	for range l.rules.Dimensions {
		d = append(d, uint32(r.uvarint()))
	}
	return d
}

// row is the row of a purchase.
func (f *folder) row(p int, ref uint64) []byte {
	switch {
	case ref&movedRef != 0:
		return f.of.moved.row(p, ref&^movedRef)
	case ref&groupedRef != 0:
		return f.of.grouped.row(p, ref&^groupedRef)
	}
	return f.of.rows.row(p, ref)
}

// addDay adds a purchase, which is not before the others, to the order-days and the totals.
func (c *Customer) addDay(p *Purchase) {
	t := &c.total
	net, cost, uncosted := sumOf(p.Net()), schemas.Sum{}, int32(1)
	if p.HasCost {
		cost, uncosted = sumOf(p.Cost), 0
	}
	t.gross, t.discounts, t.refunds = t.gross.Add(sumOf(p.Gross)), t.discounts.Add(sumOf(p.Discount)), t.refunds.Add(sumOf(p.Refund))
	t.net, t.cost, t.uncosted = t.net.Add(net), t.cost.Add(cost), t.uncosted+int64(uncosted)
	if n := len(c.Days); n == 0 || c.Days[n-1].Day < p.Day {
		c.Days = append(c.Days, OrderDay{Net: net, Cost: cost, Day: p.Day, Orders: 1, OrdersNoCost: uncosted})
		return
	}
	d := c.dayOf(p.Day)
	d.Net, d.Cost = d.Net.Add(net), d.Cost.Add(cost)
	d.Orders++
	d.OrdersNoCost += uncosted
}

// dayOf is the order-day of a date that is not after the last one. Local dates can run
// backwards within an instant order only where a zone repeats a day; the day then belongs
// before the last one.
func (c *Customer) dayOf(day int32) *OrderDay {
	n := len(c.Days)
	for n > 0 && c.Days[n-1].Day > day {
		n--
	}
	if n == 0 || c.Days[n-1].Day != day {
		c.Days = slices.Insert(c.Days, n, OrderDay{Day: day})
		n++
	}
	return &c.Days[n-1]
}

// Segments are the values of every dimension by code, as the tables name them.
func (l *Ledger) Segments() [][]string {
	s := make([][]string, len(l.rules.Interns.Dims))
	for d, t := range l.rules.Interns.Dims {
		s[d] = t.Values()
	}
	return s
}
