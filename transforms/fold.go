package transforms

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
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
	Records() []arrow.Record
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
			f.partition(p)
			if err := turn.pass(p, func() error { return emit(f.visitor.Records()) }); err != nil {
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

// Layout of a purchase row: the customer key, then these fields, then order_id,
// varints of money, and the codes of the dimensions.
const (
	buyOrdered = 0 // int64
	buySource  = 8 // uint16
	buyFlags   = 10
	buyText    = 11
)

// buyRoom is what a purchase row takes at most without its texts and dimensions.
const buyRoom = buyText + 2*binary.MaxVarintLen32 + 4*binary.MaxVarintLen64

// appendBuyHead appends a purchase row up to its tail.
func appendBuyHead(d, key []byte, o *order, flags byte) []byte {
	d = appendText(d, key)
	d = binary.LittleEndian.AppendUint64(d, uint64(o.ordered))
	d = binary.LittleEndian.AppendUint16(d, o.source)
	return append(d, flags)
}

func appendPurchase(d, key []byte, o *order) []byte {
	flags := o.flags &^ flagMoney
	if o.discount != 0 || o.refund != 0 {
		flags |= flagMoney
	}
	d = appendBuyHead(d, key, o, flags)
	d = appendText(d, o.orderID)
	d = binary.AppendVarint(d, o.gross)
	if flags&flagMoney != 0 {
		d = binary.AppendVarint(d, o.discount)
		d = binary.AppendVarint(d, o.refund)
	}
	if flags&flagCost != 0 {
		d = binary.AppendVarint(d, o.cost)
	}
	for _, dim := range o.dims {
		d = binary.AppendUvarint(d, uint64(dim))
	}
	return d
}

// folder is one worker of Fold.
type folder struct {
	l       *Ledger
	visitor Visitor
	counts  Counts

	table  []uint32 // open addressing: index into people + 1
	people []person
	buys   []buy // in input order, then sorted by person and time
	sorted []buy
	order  []int32 // people by hash and key

	customer Customer
	id       []byte
}

// person is one customer of the partition.
type person struct {
	hash  uint64
	key   []byte
	count int32 // purchases, then the end of the person's range in sorted
}

// buy is one purchase. What the fold needs of every purchase is taken out of its row
// when the rows are read one after the other; coming back to a row later, customer by
// customer, misses the cache.
type buy struct {
	at                            int64
	gross, discount, refund, cost int64
	person                        int32
	source                        uint16
	flags                         uint8
	tail                          []byte // order_id, amounts, dimensions
}

func (f *folder) partition(p int) {
	f.people, f.buys = f.people[:0], f.buys[:0]
	if len(f.table) == 0 {
		f.table = make([]uint32, 1<<10)
	}
	clear(f.table)
	l := f.l
	l.rows.each(p, func(row []byte) {
		rest := reader(row)
		key := rest.text()
		hash := hashKey(key)
		if _, ok := l.owner(key, hash); !ok {
			f.see(key, hash, rest)
		}
	})
	l.moved.each(p, func(row []byte) {
		rest := reader(row)
		key := rest.text()
		f.see(key, hashKey(key), rest)
	})
	f.group()
	f.order = f.order[:0]
	for i := range f.people {
		f.order = append(f.order, int32(i))
	}
	slices.SortFunc(f.order, func(a, b int32) int {
		x, y := &f.people[a], &f.people[b]
		if c := cmp.Compare(x.hash, y.hash); c != 0 {
			return c
		}
		return bytes.Compare(x.key, y.key)
	})
	for _, i := range f.order {
		f.visit(int(i))
	}
	l.rows.drop(p)
	l.moved.drop(p)
}

// see adds a purchase to its person.
func (f *folder) see(key []byte, hash uint64, rest []byte) {
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
			f.grow()
		}
	}
	f.people[k].count++
	b := buy{at: int64(binary.LittleEndian.Uint64(rest[buyOrdered:])), person: int32(k),
		source: binary.LittleEndian.Uint16(rest[buySource:]), flags: rest[buyFlags], tail: rest[buyText:]}
	r := reader(b.tail)
	r.text()
	r.money(&b)
	f.buys = append(f.buys, b)
}

// money reads the amounts of a purchase.
func (r *reader) money(b *buy) {
	b.gross = r.varint()
	if b.flags&flagMoney != 0 {
		b.discount, b.refund = r.varint(), r.varint()
	}
	if b.flags&flagCost != 0 {
		b.cost = r.varint()
	}
}

func (f *folder) grow() {
	f.table = make([]uint32, 2*len(f.table))
	mask := uint32(len(f.table) - 1)
	for k := range f.people {
		i := uint32(f.people[k].hash) & mask
		for f.table[i] != 0 {
			i = (i + 1) & mask
		}
		f.table[i] = uint32(k + 1)
	}
}

// group sorts the purchases by person: a counting sort.
func (f *folder) group() {
	if cap(f.sorted) < len(f.buys) {
		f.sorted = make([]buy, len(f.buys)+len(f.buys)/8)
	}
	f.sorted = f.sorted[:len(f.buys)]
	at := int32(0)
	for i := range f.people {
		n := f.people[i].count
		f.people[i].count = at
		at += n
	}
	for _, b := range f.buys {
		p := &f.people[b.person]
		f.sorted[p.count] = b
		p.count++
	}
}

// visit builds one customer and shows it to the visitor.
func (f *folder) visit(i int) {
	from := int32(0)
	if i > 0 {
		from = f.people[i-1].count
	}
	buys := f.sorted[from:f.people[i].count]
	sortBuys(buys)
	c := &f.customer
	f.id = f.l.publishedID(f.people[i].key, f.id[:0])
	c.ID = f.id
	c.Purchases, c.Days, c.Segments = c.Purchases[:0], c.Days[:0], c.Segments[:0]
	for i := range buys {
		b := &buys[i]
		c.addPurchase(Purchase{At: b.at, Day: f.l.rules.Calendar.LocalDay(b.at), Gross: b.gross, Discount: b.discount, Refund: b.refund,
			Net: b.gross - b.discount - b.refund, Cost: b.cost, HasCost: b.flags&flagCost != 0})
	}
	r := reader(buys[0].tail)
	r.text()
	r.money(&buys[0])
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

// addPurchase appends a purchase, which is not before the others, and keeps the order-days.
func (c *Customer) addPurchase(p Purchase) {
	c.Purchases = append(c.Purchases, p)
	// Local dates can run backwards within an instant order only where a zone repeats a
	// day; the day then belongs before the last one.
	n := len(c.Days)
	i := n
	for i > 0 && c.Days[i-1].Day > p.Day {
		i--
	}
	if i > 0 && c.Days[i-1].Day == p.Day {
		c.Days[i-1].add(p)
		return
	}
	c.Days = append(c.Days, OrderDay{})
	copy(c.Days[i+1:], c.Days[i:n])
	c.Days[i] = OrderDay{Day: p.Day}
	c.Days[i].add(p)
}

func (d *OrderDay) add(p Purchase) {
	d.Orders++
	d.Gross = d.Gross.Add(sumOf(p.Gross))
	d.Discount = d.Discount.Add(sumOf(p.Discount))
	d.Refund = d.Refund.Add(sumOf(p.Refund))
	d.Net = d.Net.Add(sumOf(p.Net))
	if p.HasCost {
		d.Cost = d.Cost.Add(sumOf(p.Cost))
	} else {
		d.OrdersNoCost++
	}
}

// sortBuys sorts the purchases of one customer by (ordered_at, source, order_id). Most
// customers have a handful.
func sortBuys(buys []buy) {
	if len(buys) > 24 {
		slices.SortFunc(buys, func(a, b buy) int { return compareBuys(&a, &b) })
		return
	}
	for i := 1; i < len(buys); i++ {
		if buys[i-1].at < buys[i].at || compareBuys(&buys[i-1], &buys[i]) <= 0 {
			continue
		}
		b := buys[i]
		k := i
		for ; k > 0 && compareBuys(&buys[k-1], &b) > 0; k-- {
			buys[k] = buys[k-1]
		}
		buys[k] = b
	}
}

func compareBuys(a, b *buy) int {
	if c := cmp.Compare(a.at, b.at); c != 0 {
		return c
	}
	if c := cmp.Compare(a.source, b.source); c != 0 {
		return c
	}
	x, y := reader(a.tail), reader(b.tail)
	return bytes.Compare(x.text(), y.text())
}

// Segments are the values of every dimension by code, as the tables name them.
func (l *Ledger) Segments() [][]string {
	s := make([][]string, len(l.rules.Interns.Dims))
	for d, t := range l.rules.Interns.Dims {
		s[d] = t.Values()
	}
	return s
}
