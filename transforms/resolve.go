package transforms

import (
	"bytes"
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/cohortline/cohortline/schemas"
)

// Resolve chooses the latest version of every order, converts it, decides whether it
// counts, and finds whose it is. Writers must be closed; afterwards the ledger takes
// no more rows.
func (l *Ledger) Resolve() error {
	currencies := l.rules.Interns.Currency.Values()
	rates, reporting := l.rules.Rates.byCode(currencies)
	err := l.parallel(len(l.orders.parts), func(next func() (int, bool)) error {
		r := resolver{
			l: l, rates: rates, reporting: reporting, currencies: currencies,
			rows: l.rows.writer(), links: l.links.writer(),
		}
		for {
			p, ok := next()
			if !ok {
				break
			}
			r.partition(p)
			l.orders.drop(p)
		}
		r.rows.close()
		r.links.close()
		l.mu.Lock()
		defer l.mu.Unlock()
		l.counts.add(&r.counts)
		l.rejects = append(l.rejects, r.rejects...)
		return nil
	})
	if err != nil {
		return err
	}
	return l.identify()
}

// parallel runs work on all threads; next hands out the numbers below n.
func (l *Ledger) parallel(n int, work func(next func() (int, bool)) error) error {
	var at atomic.Int64
	var stopped atomic.Pointer[error]
	next := func() (int, bool) {
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
	rates       [][]schemas.Rate
	reporting   []bool
	currencies  []string
	rows, links *rowWriter
	counts      Counts
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
	hash uint32
	row  []byte
	seen int32
}

type lineRow struct {
	version int32
	row     []byte
}

func (r *resolver) partition(p int) {
	r.latest, r.lines = r.latest[:0], r.lines[:0]
	if len(r.table) == 0 {
		r.table = make([]uint32, 1<<10)
	}
	clear(r.table)
	r.l.orders.each(p, r.see)
	for i := range r.latest {
		v := &r.latest[i]
		r.counts.Orders++
		if v.row[rowFlags]&flagLines == 0 {
			r.counts.Superseded += int64(v.seen - 1)
			tail := r.order.head(v.row)
			if !r.plain(&r.order, tail) {
				r.order.tail(tail, len(r.l.rules.Dimensions))
				r.settle(&r.order, v.row, nil)
			}
		}
	}
	r.sumLines()
}

// see places one row among the versions of its order.
func (r *resolver) see(row []byte) {
	hash := binary.LittleEndian.Uint32(row[rowHash:])
	mask := uint32(len(r.table) - 1)
	i := hash & mask
	for r.table[i] != 0 {
		v := &r.latest[r.table[i]-1]
		if v.hash == hash && sameOrder(v.row, row) {
			v.seen++
			if v.row[rowFlags]&flagLines != 0 {
				r.lines = append(r.lines, lineRow{int32(r.table[i] - 1), row})
			}
			if newer(row, v.row) {
				v.row = row
			}
			return
		}
		i = (i + 1) & mask
	}
	r.latest = append(r.latest, version{hash: hash, row: row, seen: 1})
	r.table[i] = uint32(len(r.latest))
	if row[rowFlags]&flagLines != 0 {
		r.lines = append(r.lines, lineRow{int32(len(r.latest) - 1), row})
	}
	if 2*len(r.latest) > len(r.table) {
		r.grow()
	}
}

func (r *resolver) grow() {
	r.table = make([]uint32, 2*len(r.table))
	mask := uint32(len(r.table) - 1)
	for k := range r.latest {
		i := r.latest[k].hash & mask
		for r.table[i] != 0 {
			i = (i + 1) & mask
		}
		r.table[i] = uint32(k + 1)
	}
}

func sameOrder(a, b []byte) bool {
	return string(a[rowSource:rowSource+2]) == string(b[rowSource:rowSource+2]) && bytes.Equal(orderIDOf(a), orderIDOf(b))
}

// newer says whether row a is a later version than row b of the same order: greatest
// updated_at, then the last file, then the last row.
func newer(a, b []byte) bool {
	x, y := int64(binary.LittleEndian.Uint64(a[rowUpdated:])), int64(binary.LittleEndian.Uint64(b[rowUpdated:]))
	if x != y {
		return x > y
	}
	return binary.LittleEndian.Uint64(a[rowPlace:]) > binary.LittleEndian.Uint64(b[rowPlace:])
}

// plain passes on an order as settle does when nothing of its tail has to be looked at:
// most orders are in the reporting currency, without a refund, of a known id. It says
// whether it could.
func (r *resolver) plain(o *order, tail []byte) bool {
	rules := &r.l.rules
	if !r.reporting[o.currency] || o.flags&flagRefund != 0 || !rules.MatchID || len(o.customer) == 0 || rules.MatchEmail && len(o.mail) > 0 {
		return false
	}
	r.counts.Accepted++
	switch {
	case o.ordered >= rules.AsOf:
		r.counts.AfterAsOf++
	case o.status == schemas.Paid || o.status == schemas.Refunded:
		r.key = append(append(r.key[:0], r.l.rank[o.source]), o.customer...)
		p := r.l.partition(hashKey(r.key))
		row := appendBuyHead(r.rows.begin(p, buyRoom+len(r.key)+len(tail)), r.key, o, o.flags)
		r.rows.end(p, append(row, tail...))
	}
	return true
}

// settle takes an order that is the latest version and passes it on: as a purchase of
// a customer, as a link between an id and an e-mail, or as a reject. lines are the rows
// it was summed from, nil for a plain order.
func (r *resolver) settle(o *order, row []byte, lines [][]byte) {
	rules := &r.l.rules
	rows := int64(max(1, len(lines)))
	if reason, column := r.convert(o); reason != "" {
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
	if o.ordered >= rules.AsOf {
		r.counts.AfterAsOf++
		return
	}
	if !rules.MatchID {
		o.customer = nil
	}
	if !rules.MatchEmail {
		o.mail = nil
	}
	counts := o.status == schemas.Paid || o.status == schemas.Refunded
	if counts && rules.DropFullyRefunded && o.refund > 0 && o.gross-o.discount-o.refund <= 0 {
		counts = false
	}
	if counts && o.refund > 0 && o.refund > o.gross-o.discount {
		r.counts.RefundAboveNet++
	}
	if len(o.customer) == 0 && len(o.mail) == 0 {
		if counts {
			r.counts.AnonymousOrders++
		}
		return
	}
	r.passOn(o, counts)
}

func (r *resolver) passOn(o *order, counts bool) {
	l := r.l
	if len(o.customer) == 0 {
		if counts { // a guest: the e-mail's partition knows whose order it is
			r.row = appendText(append(r.row[:0], linkGuest), o.mail)
			r.row = appendPurchase(r.row, nil, o)
			r.links.put(l.partition(hashKey(o.mail)), r.row)
		}
		return
	}
	r.key = append(append(r.key[:0], l.rank[o.source]), o.customer...)
	if len(o.mail) > 0 {
		r.row = appendText(append(r.row[:0], linkPair), o.mail)
		r.row = append(r.row, r.key...)
		r.links.put(l.partition(hashKey(o.mail)), r.row)
	}
	if counts {
		p := l.partition(hashKey(r.key))
		row := r.rows.begin(p, buyRoom+len(r.key)+len(o.orderID)+binary.MaxVarintLen32*len(o.dims))
		r.rows.end(p, appendPurchase(row, r.key, o))
	}
}

// convert turns the amounts of an order into reporting currency; it returns the reason
// and column of a reject when it cannot.
func (r *resolver) convert(o *order) (reason, column string) {
	if r.reporting[o.currency] {
		return "", ""
	}
	day := r.l.rules.Calendar.LocalDay(o.ordered)
	rate, ok := rateAt(r.rates[o.currency], day)
	if !ok {
		return schemas.ReasonFXRateMissing, "currency"
	}
	full := o.refund != 0 && o.refund == o.gross-o.discount
	for _, a := range []struct {
		column string
		amount *int64
	}{{"gross_amount", &o.gross}, {"discount_amount", &o.discount}, {"refund_amount", &o.refund}, {"cost_amount", &o.cost}} {
		if *a.amount, ok = convert(*a.amount, rate); !ok {
			return schemas.ReasonAmountRange, a.column
		}
	}
	if full { // each amount is rounded by itself; a full refund must still net to 0
		o.refund = o.gross - o.discount
	}
	return "", ""
}

func (r *resolver) reject(row []byte, reason, column string, currency uint32) {
	place := binary.LittleEndian.Uint64(row[rowPlace:])
	file := r.l.rules.Files[place>>40]
	value := ""
	if reason == schemas.ReasonFXRateMissing {
		value = r.currencies[currency]
	}
	r.rejects = append(r.rejects, schemas.Reject{
		Source: file.Source, File: file.Path, Row: int64(place & maxRowsPerFile), Table: "orders",
		Reason: reason, Column: column, Value: value,
	})
}

// partition is the partition of a hash.
func (l *Ledger) partition(hash uint64) uint32 { return uint32(hash >> l.shift) }
