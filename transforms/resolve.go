package transforms

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cohortline/cohortline/schemas"
)

// Resolve chooses the latest version of every order, converts it, decides whether it
// counts, and finds whose it is. Writers must be closed; afterwards the ledger takes
// no more rows.
func (l *Ledger) Resolve() error {
	l.forgetRepeats()
	repeated, _, err := l.orderIndex.suspects(l.repeated, l.parallel)
	if err != nil {
		return err
	}
	shared, mails, err := l.mailIndex.suspects(l.shared, l.parallel)
	if err != nil {
		return err
	}
	if mails {
		l.counts.LargestIDsPerKey = 1
	}
	if repeated || shared {
		if err := l.sift(); err != nil {
			return err
		}
	}
	err = l.parallel(len(l.aside.parts), func(next func() (int, bool)) error {
		r := resolver{l: l, money: converter{rules: &l.rules}, rows: l.rows.writer(), links: l.links.writer(), dated: newDatedCounts(l.rules.Dates)}
		if err := l.aside.drain(next, r.partition); err != nil {
			return err
		}
		r.rows.close()
		r.links.close()
		l.mu.Lock()
		defer l.mu.Unlock()
		l.counts.add(&r.counts)
		l.settled.add(r.dated)
		l.rejects = append(l.rejects, r.rejects...)
		return nil
	})
	if err != nil {
		return err
	}
	return l.identify()
}

// sift goes through the rows once: orders that come more than once are set aside, and the
// others whose e-mail is shared are noted among the links.
func (l *Ledger) sift() error {
	dims := len(l.rules.Dimensions)
	return l.parallel(len(l.rows.parts), func(next func() (int, bool)) error {
		aside, links := l.aside.writer(), l.links.writer()
		var repeated, shared keyFilter
		var pair []byte
		gone := int64(0)
		for {
			p, ok := next()
			if !ok {
				break
			}
			if err := errors.Join(repeated.fill(l.repeated, p), shared.fill(l.shared, p)); err != nil {
				return err
			}
			l.shared.drop(p)
			if err := l.rows.scan(p, func(row []byte) {
				if void(row, &repeated) {
					source, id := orderOf(row, dims)
					aside.put(l.partition(hashOrder(source, id)), row)
					gone++
					return
				}
				if len(shared.words) == 0 || orderedAt(row) >= l.rules.AsOf {
					return
				}
				if mail := mailOf(row, dims); len(mail) > 0 {
					if hash := hashMail(mail); shared.has(tail(hash, l.shift)) {
						pair = appendPair(pair[:0], mail, keyOf(row), orderedAt(row))
						links.put(l.partition(hash), pair)
					}
				}
			}); err != nil {
				return err
			}
		}
		aside.close()
		links.close()
		l.mu.Lock()
		defer l.mu.Unlock()
		l.counts.Orders -= gone
		l.counts.Accepted -= gone
		return nil
	})
}

// void says whether a row of the rows store counts no more, because sift has set it
// aside; repeated is the filter of its partition.
func void(row []byte, repeated *keyFilter) bool {
	return row[rowFlags]&flagSettled == 0 && repeated.has(orderTail(row))
}

// parallel runs work on all threads; next hands out the numbers below n.
func (l *Ledger) parallel(n int, work func(next func() (int, bool)) error) error {
	var at atomic.Int64
	var stopped atomic.Pointer[error]
	next := func() (int, bool) {
		if err := l.pools.err(); err != nil {
			stopped.CompareAndSwap(nil, &err)
		}
		if l.rules.Stop != nil {
			if err := l.rules.Stop(); err != nil {
				stopped.CompareAndSwap(nil, &err)
			}
		}
		i := int(at.Add(1)) - 1
		return i, i < n && stopped.Load() == nil
	}
	var wg sync.WaitGroup
	for range max(1, l.rules.Threads) {
		wg.Go(func() {
			if err := work(next); err != nil {
				stopped.CompareAndSwap(nil, &err)
			}
		})
	}
	wg.Wait()
	if err := stopped.Load(); err != nil {
		return *err
	}
	return nil
}

// resolver is one worker of Resolve.
type resolver struct {
	l           *Ledger
	money       converter
	rows, links *rowWriter
	counts      Counts
	dated       *datedCounts
	rejects     []schemas.Reject

	table  []uint32 // open addressing: index into latest + 1
	latest []version
	lines  []lineRow
	order  order
	other  order
	row    []byte
	key    []byte
}

// version is the row that is the order so far, and how many rows were seen of it.
type version struct {
	row     []byte
	seen    int32
	updated int64
	place   uint64
}

// lineRow is one line of an order.
type lineRow struct {
	version int32
	row     []byte
	updated int64
	place   uint64
}

func (r *resolver) partition(p int) {
	r.latest, r.lines = r.latest[:0], r.lines[:0]
	if len(r.table) == 0 {
		r.table = make([]uint32, 1<<10)
	}
	clear(r.table)
	r.l.aside.each(p, r.see)
	for i := range r.latest {
		v := &r.latest[i]
		r.counts.Orders++
		if v.row[rowFlags]&flagLines == 0 {
			r.counts.Superseded += int64(v.seen - 1)
			r.order.decode(v.row, len(r.l.rules.Dimensions))
			r.settle(&r.order, v.row, nil)
		}
	}
	r.sumLines()
}

// see places one row among the versions of its order.
func (r *resolver) see(_ uint64, row []byte) {
	o := &r.order
	o.decode(row, len(r.l.rules.Dimensions))
	mask := uint32(len(r.table) - 1)
	i := o.tail & mask
	for r.table[i] != 0 {
		v := &r.latest[r.table[i]-1]
		if orderTail(v.row) == o.tail && r.sameOrder(v.row, o) {
			v.seen++
			if o.flags&flagLines != 0 {
				r.lines = append(r.lines, lineRow{int32(r.table[i] - 1), row, o.updated, o.place})
			}
			// the latest version has the greatest updated_at, then the last file, then the last row
			if o.updated > v.updated || o.updated == v.updated && o.place > v.place {
				v.row, v.updated, v.place = row, o.updated, o.place
			}
			return
		}
		i = (i + 1) & mask
	}
	r.latest = append(r.latest, version{row, 1, o.updated, o.place})
	r.table[i] = uint32(len(r.latest))
	if o.flags&flagLines != 0 {
		r.lines = append(r.lines, lineRow{int32(len(r.latest) - 1), row, o.updated, o.place})
	}
	if 2*len(r.latest) > len(r.table) {
		r.table = rehash(r.table, len(r.latest), func(k int) uint64 { return uint64(orderTail(r.latest[k].row)) })
	}
}

// rehash is a table twice as large with the places of n entries by their hashes.
func rehash(table []uint32, n int, hash func(k int) uint64) []uint32 {
	table = make([]uint32, 2*len(table))
	mask := uint32(len(table) - 1)
	for k := range n {
		i := uint32(hash(k)) & mask
		for table[i] != 0 {
			i = (i + 1) & mask
		}
		table[i] = uint32(k + 1)
	}
	return table
}

func (r *resolver) sameOrder(row []byte, o *order) bool {
	source, id := orderOf(row, len(o.dims))
	return source == o.source && bytes.Equal(id, o.orderID)
}

// settle takes an order that is the latest version and passes it on: as a purchase of
// a customer, as a link between an id and an e-mail, or as a reject. lines are the rows
// it was summed from, nil for a plain order.
func (r *resolver) settle(o *order, row []byte, lines [][]byte) {
	rules := &r.l.rules
	rows := int64(max(1, len(lines)))
	if reason, column := r.money.convert(o); reason != "" {
		r.counts.Rejected += rows
		if lines == nil {
			lines = [][]byte{row}
		}
		for _, line := range lines {
			r.reject(line, reason, column, o.currency)
		}
		return
	}
	r.counts.Accepted += rows
	if rules.settle(o, &r.counts, r.dated) {
		o.flags |= flagResolved
		r.passOn(o)
	}
}

// settle marks an order that is the latest version, in reporting currency, as settled, and
// says whether it matters: not after the as-of instant, and not as a purchase of nobody
// known. What it is counts.
func (r *Rules) settle(o *order, counts *Counts, dated *datedCounts) bool {
	if o.ordered >= r.AsOf {
		counts.AfterAsOf++
		return false
	}
	o.flags |= flagSettled
	o.flags &^= flagCounts | flagResolved
	if !r.counts(o) {
		return true
	}
	o.flags |= flagCounts
	if o.refundAboveNet() {
		counts.RefundAboveNet++
		dated.at(o.ordered).refundAbove++
	}
	if len(o.id) == 0 && len(o.mail) == 0 {
		counts.AnonymousOrders++
		dated.at(o.ordered).anonymous++
		return false
	}
	return true
}

func (o *order) refundAboveNet() bool { return o.refund > 0 && o.refund > o.gross-o.discount }

func (r *resolver) passOn(o *order) {
	l := r.l
	counts := o.flags&flagCounts != 0
	if len(o.id) > 0 {
		r.key = o.appendKey(r.key[:0])
		if len(o.mail) > 0 {
			r.row = appendPair(r.row[:0], o.mail, r.key, o.ordered)
			r.links.put(l.partition(hashMail(o.mail)), r.row)
			o.mail = nil // the row needs it no more
		}
		if counts {
			hash := hashKey(r.key)
			o.owner = tail(hash, l.shift)
			r.rows.putOrder(l.partition(hash), o)
		}
		return
	}
	if len(o.mail) > 0 && counts { // a guest: the e-mail's partition knows whose order it is
		r.row = appendText(append(r.row[:0], linkGuest), o.mail)
		from := len(r.row)
		r.row = slices.Grow(r.row, o.room())[:from+o.room()]
		r.row = r.row[:from+o.encode(r.row[from:])]
		r.links.put(l.partition(hashMail(o.mail)), r.row)
	}
}

func (r *resolver) reject(row []byte, reason, column string, currency uint32) {
	line := &r.other
	line.decode(row, len(r.l.rules.Dimensions))
	place := line.place
	file := r.l.rules.Files[place>>40]
	value := ""
	if reason == schemas.ReasonFXRateMissing {
		value = r.money.name(currency)
	}
	r.rejects = append(r.rejects, schemas.Reject{
		Source: file.Source, File: file.Path, Row: int64(place & maxRowsPerFile), Table: "orders",
		Reason: reason, Column: column, Value: value,
	})
}
