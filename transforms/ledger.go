package transforms

import (
	"encoding/binary"
	"slices"
	"sync"

	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/cohortline/cohortline/schemas"
	"github.com/zeebo/xxh3"
)

// Rules are what decides which rows are orders, which orders count, and who is a
// customer; docs/rules.md says them in words.
type Rules struct {
	Settings
	DropFullyRefunded bool     // purchases.fully_refunded: drop
	MatchID           bool     // identity looks at customer ids
	MatchEmail        bool     // identity looks at e-mails
	PrivacyKey        []byte   // HMAC key of e-mail customers; empty: plain SHA-256
	Namespaces        []string // per order source, its namespace
	Files             []File   // per order file, for rejects
	Interns           *schemas.Interns
	Rates             *Rates
	Threads           int
	ExpectRows        int64        // a guess of the rows to come, for the number of partitions; 0: unknown
	Stop              func() error // asked now and then; an error ends the work with it
}

// File is one order file, as the rejects table names it.
type File struct{ Source, Path string }

// Counts say what became of the input rows. RowsIn = Accepted + Rejected + Superseded
// once the rows that validation rejected are added by the caller.
type Counts struct {
	RowsIn           int64       // rows given to the ledger
	Accepted         int64       // rows that are, or are lines of, the latest version of an order
	Rejected         int64       // rows of orders that validation could not reject: no rate, bad line totals
	Superseded       int64       // rows of older versions and re-deliveries
	Orders           int64       // orders, whatever their status, instant and rate
	AfterAsOf        int64       // accepted orders at or after the as-of instant
	Purchases        int64       // orders that count, of customers
	AnonymousOrders  int64       // orders that would count, of nobody known
	RefundAboveNet   int64       // counted orders whose refund exceeds gross − discount
	LineConflicts    int64       // orders whose lines disagree on customer or time
	Customers        int64       // customers with at least one purchase
	LinkedIDs        int64       // customer ids that became part of another customer
	LargestIDsPerKey int64       // most ids that share one e-mail
	Net              schemas.Sum // Σ net of the counted orders of customers
}

func (c *Counts) add(o *Counts) {
	c.RowsIn += o.RowsIn
	c.Accepted += o.Accepted
	c.Rejected += o.Rejected
	c.Superseded += o.Superseded
	c.Orders += o.Orders
	c.AfterAsOf += o.AfterAsOf
	c.Purchases += o.Purchases
	c.AnonymousOrders += o.AnonymousOrders
	c.RefundAboveNet += o.RefundAboveNet
	c.LineConflicts += o.LineConflicts
	c.Customers += o.Customers
	c.LinkedIDs += o.LinkedIDs
	c.LargestIDsPerKey = max(c.LargestIDsPerKey, o.LargestIDsPerKey)
	c.Net = c.Net.Add(o.Net)
}

// Ledger gathers the order rows of a run and turns them into customers:
//
//	Writer.Add   rows → partitions by order key          (many workers)
//	Resolve      latest version, conversion, purchases → partitions by customer
//	             identity: e-mails → links between ids, guests → customers
//	Fold         customers with their purchases, in the order of their hash
//
// The steps run one after the other; each uses all threads.
type Ledger struct {
	rules      Rules
	orders     *rowStore           // by hash of (source, order_id)
	links      *rowStore           // by hash of e-mail: pairs (e-mail, customer key) and rows of guests
	rows       *rowStore           // by hash of customer key: purchases
	moved      *rowStore           // purchases of linked ids, by the key they belong to
	linked     map[string]string   // customer key → key of the customer it is part of
	linkedBy   map[uint64]struct{} // hashes of the keys in linked
	shift      uint                // hash >> shift is the partition
	rank       []byte              // per source, the rank of its namespace
	namespaces []string            // by rank
	several    bool                // ids are published with their namespace

	mu      sync.Mutex
	counts  Counts
	rejects []schemas.Reject
}

// NewLedger returns an empty ledger.
func NewLedger(rules Rules) *Ledger {
	bits := uint(4)
	for bits < 11 && rules.ExpectRows>>bits > 20_000 {
		bits++
	}
	n := 1 << bits
	pool := &chunkPool{}
	namespaces := slices.Compact(slices.Sorted(slices.Values(rules.Namespaces)))
	return &Ledger{
		rules: rules, namespaces: namespaces, several: len(namespaces) > 1, shift: 64 - bits,
		orders: newRowStore(n, pool), links: newRowStore(n, pool), rows: newRowStore(n, pool), moved: newRowStore(n, pool),
		rank: namespaceRanks(rules.Namespaces),
	}
}

// Counts is what has been counted so far.
func (l *Ledger) Counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts
}

// Rejects are the rows of orders that could not be converted or summed, in no
// particular order. Value holds a currency code or is empty: nothing to mask.
func (l *Ledger) Rejects() []schemas.Reject { return l.rejects }

// Writer adds batches on behalf of one worker.
type Writer struct {
	l    *Ledger
	w    *rowWriter
	rows int64
}

// Writer returns a writer; every worker has its own.
func (l *Ledger) Writer() *Writer { return &Writer{l: l, w: l.orders.writer()} }

// Add copies the accepted rows of a batch into the ledger.
func (w *Writer) Add(b *schemas.OrderBatch) {
	for _, i := range b.Sel {
		id, customer, mail := b.OrderID.At(int(i)), b.CustomerID.At(int(i)), b.Email.At(int(i))
		h := xxh3.HashSeed(id, uint64(b.Source))
		p := uint32(h >> w.l.shift)
		row := w.w.begin(p, orderRoom+len(id)+len(customer)+len(mail)+binary.MaxVarintLen32*len(b.Dims))
		w.w.end(p, appendOrder(row, b, int(i), uint32(h), id, customer, mail))
	}
	w.rows += int64(len(b.Sel))
}

// Close hands over what the writer has gathered; it must be called before Resolve.
func (w *Writer) Close() {
	w.w.close()
	w.l.mu.Lock()
	w.l.counts.RowsIn += w.rows
	w.l.mu.Unlock()
}

// Layout of an order row: what decides between versions comes first, at fixed places;
// then customer_id, e-mail and currency; then the tail that a purchase row shares:
// order_id, amounts, dimensions.
const (
	rowHash    = 0  // uint32: low half of the hash of (source, order_id)
	rowUpdated = 4  // int64
	rowPlace   = 12 // uint64: file in the upper 24 bits, row in the lower 40
	rowSource  = 20 // uint16
	rowFlags   = 22 // uint8
	rowStatus  = 23 // uint8
	rowOrdered = 24 // int64
	rowText    = 32
)

const (
	flagCost   = 1 << iota // cost is known
	flagLines              // the row is one line of an order
	flagMoney              // discount or refund is not zero
	flagRefund             // refund is not zero
)

// orderRoom is what an order row takes at most without its texts and dimensions: the
// fixed fields, three lengths and a currency, four amounts.
const orderRoom = rowText + 4*binary.MaxVarintLen32 + 4*binary.MaxVarintLen64

const maxRowsPerFile = 1<<40 - 1

func appendOrder(d []byte, b *schemas.OrderBatch, i int, hash uint32, id, customer, mail []byte) []byte {
	flags := byte(0)
	if b.HasCost[i] {
		flags |= flagCost
	}
	if b.Lines {
		flags |= flagLines
	}
	if b.Discount[i] != 0 || b.Refund[i] != 0 {
		flags |= flagMoney
	}
	if b.Refund[i] != 0 {
		flags |= flagRefund
	}
	d = binary.LittleEndian.AppendUint32(d, hash)
	d = binary.LittleEndian.AppendUint64(d, uint64(b.UpdatedAt[i]))
	d = binary.LittleEndian.AppendUint64(d, uint64(b.File)<<40|uint64(b.Row+int64(i))&maxRowsPerFile)
	d = binary.LittleEndian.AppendUint16(d, b.Source)
	d = append(d, flags, byte(b.Status[i]))
	d = binary.LittleEndian.AppendUint64(d, uint64(b.OrderedAt[i]))
	d = appendText(d, customer)
	d = appendText(d, mail)
	d = binary.AppendUvarint(d, uint64(b.Currency[i]))
	d = appendText(d, id)
	d = binary.AppendVarint(d, b.Gross[i])
	if flags&flagMoney != 0 {
		d = binary.AppendVarint(d, b.Discount[i])
		d = binary.AppendVarint(d, b.Refund[i])
	}
	if flags&flagCost != 0 {
		d = binary.AppendVarint(d, b.Cost[i])
	}
	for _, dim := range b.Dims {
		d = binary.AppendUvarint(d, uint64(dim[i]))
	}
	return d
}

func appendText(d, text []byte) []byte {
	d = binary.AppendUvarint(d, uint64(len(text)))
	return append(d, text...)
}

// order is one decoded order row. Its texts alias the row.
type order struct {
	updated, ordered        int64
	place                   uint64
	source                  uint16
	flags                   byte
	status                  schemas.Status
	currency                uint32
	gross, discount         int64
	refund, cost            int64
	dims                    []uint32
	orderID, customer, mail []byte
}

// orderIDOf is the order_id of an encoded row.
func orderIDOf(row []byte) []byte {
	r := reader(row[rowText:])
	r.text()
	r.text()
	r.uvarint()
	return r.text()
}

// decode fills o from a row; o.dims is reused.
func (o *order) decode(row []byte, dims int) {
	r := o.head(row)
	o.tail(r, dims)
}

// head decodes a row up to its tail, which it returns.
func (o *order) head(row []byte) (tail reader) {
	o.updated = int64(binary.LittleEndian.Uint64(row[rowUpdated:]))
	o.place = binary.LittleEndian.Uint64(row[rowPlace:])
	o.source = binary.LittleEndian.Uint16(row[rowSource:])
	o.flags = row[rowFlags]
	o.status = schemas.Status(row[rowStatus])
	o.ordered = int64(binary.LittleEndian.Uint64(row[rowOrdered:]))
	r := reader(row[rowText:])
	o.customer, o.mail = r.text(), r.text()
	o.currency = uint32(r.uvarint())
	return r
}

// tail decodes what a row shares with a purchase row; the flags say which amounts it has.
func (o *order) tail(r reader, dims int) {
	o.orderID = r.text()
	o.gross, o.discount, o.refund, o.cost = r.varint(), 0, 0, 0
	if o.flags&flagMoney != 0 {
		o.discount, o.refund = r.varint(), r.varint()
	}
	if o.flags&flagCost != 0 {
		o.cost = r.varint()
	}
	o.dims = o.dims[:0]
	for range dims {
		o.dims = append(o.dims, uint32(r.uvarint()))
	}
}

// reader walks the variable part of a row that this package wrote.
type reader []byte

func (r *reader) uvarint() uint64 {
	b := *r
	if b[0] < 0x80 {
		*r = b[1:]
		return uint64(b[0])
	}
	v, n := binary.Uvarint(b)
	*r = b[n:]
	return v
}

func (r *reader) varint() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (r *reader) text() []byte {
	n := r.uvarint()
	t := (*r)[:n:n]
	*r = (*r)[n:]
	return t
}

func sumOf(v int64) schemas.Sum { return decimal128.FromI64(v) }
