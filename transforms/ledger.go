package transforms

import (
	"cmp"
	"errors"
	"slices"
	"sync"

	"github.com/cohortline/cohortline/schemas"
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
	Memory            int64        // bytes of rows to hold; what is beyond goes to Scratch; 0: all in memory
	Scratch           func() (Scratch, error)
	Dates             []int64 // as-of instants of a sweep, ascending; the last is AsOf; none: AsOf is the only one

	part int64 // bytes of rows that the fold takes at a time; 0: as many as fit the cache
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
//	Writer.Add   rows → partitions by customer; keys of orders and e-mails → indexes
//	Resolve      the indexes name the orders that come more than once and the e-mails
//	             of several ids; their rows are set aside, the latest version of each
//	             order is chosen and passed on; ids that share an e-mail are linked
//	Fold         customers with their purchases, in the order of their hash
//
// Nearly every row is written once and read by the fold. Rows that need more than a look
// at themselves go aside at once: lines of orders, guests, orders without a rate.
//
// Where the ids of orders can be read before everything else, the ledger is shown them first
// (see IDWriter). Then it knows at once which orders come more than once: their rows go
// aside, those of the others are settled as they come, and what is no purchase is dropped.
//
// The steps run one after the other; each uses all threads.
type Ledger struct {
	rules      Rules
	rows       *rowStore           // by hash of customer key; orders of nobody by that of the order
	aside      *rowStore           // by hash of (source, order_id): rows whose order has to be resolved
	links      *rowStore           // by hash of e-mail: pairs (e-mail, customer key) and rows of guests
	moved      *rowStore           // purchases of linked ids, by the key they belong to
	grouped    *rowStore           // of a sweep: purchases of ids that are linked between two dates; see identityGroups
	ids        *keyIndex           // of the orders to come; nil once FindRepeated has looked at them
	repeats    *repeats            // among the orders to come; nil: nobody knows
	orderIndex *keyIndex           // unless repeats are known: of the orders in rows and aside, but for lines
	mailIndex  *keyIndex           // of the e-mails in rows, and those of guests
	repeated   *rowStore           // by partition of rows: the keys of orders that come more than once; their rows are void unless settled
	shared     *rowStore           // the same for e-mails of several ids
	linked     map[string]string   // customer key → key of the customer it is part of
	linkedBy   map[uint32]struct{} // tails of the hashes of the keys in linked and in groups
	groups     *identityGroups     // of a sweep; nil: nobody is linked between two dates
	settled    *datedCounts        // of a sweep: what has been counted of orders as they were settled
	largest    []int64             // of a sweep: LargestIDsPerKey by date
	shift      uint                // hash >> shift is the partition
	rank       []byte              // per source, the rank of its namespace
	namespaces []string            // by rank
	several    bool                // ids are published with their namespace
	pools      pools

	mu      sync.Mutex
	counts  Counts
	rejects []schemas.Reject
}

// NewLedger returns an empty ledger.
func NewLedger(rules Rules) *Ledger {
	bits, pools := rules.plan()
	n, shift := 1<<bits, 64-bits
	namespaces := slices.Compact(slices.Sorted(slices.Values(rules.Namespaces)))
	return &Ledger{
		rules: rules, namespaces: namespaces, several: len(namespaces) > 1, shift: shift, rank: namespaceRanks(rules.Namespaces), pools: pools,
		rows: newRowStore(n, pools.rows), aside: newRowStore(n, pools.keys), links: newRowStore(n, pools.keys), moved: newRowStore(n, pools.rows), grouped: newRowStore(n, pools.rows),
		settled: newDatedCounts(rules.Dates), repeated: newRowStore(n, pools.keys), shared: newRowStore(n, pools.keys),
		orderIndex: newKeyIndex(n, shift, homeKeys, pools.keys), mailIndex: newKeyIndex(n, shift, ownerKeys, pools.keys),
	}
}

// Close gives the ledger's memory back; what it has counted and rejected stays.
func (l *Ledger) Close() error { return l.pools.close() }

// partitionRows is how many rows a partition should have: the fold's working memory then
// fits the cache of a core.
const partitionRows = 20_000

// cachedRows is how many bytes of rows can be folded so that they and what is made of them
// stay in the cache of a core.
const cachedRows = 512 << 10

func (r *Rules) foldRoom() int64 { return cmp.Or(r.part, cachedRows) }

// maxPartitionBits bounds the number of partitions: every writer has a chunk open in each.
const maxPartitionBits = 9

// LeastMemory is the least memory, in bytes, in which a run over so many rows works: what
// reading and writing take, and per thread a partition's rows with their purchases.
func LeastMemory(rows int64, threads int) int64 {
	const base, perThread, perRow = 32 << 20, 8 << 20, 256
	return base + int64(threads)*(perThread+perRow*max(partitionRows, rows>>maxPartitionBits))
}

// pools are where the stores of a ledger have their chunks from: one for rows, and one for
// what is a tenth as much, keys and the few rows that are set aside.
type pools struct{ rows, keys *chunkPool }

func newPools(rows, keys int, limit int64, scratch func() (Scratch, error)) pools {
	b := &budget{limit: limit, scratch: scratch}
	return pools{&chunkPool{budget: b, chunk: rows}, &chunkPool{budget: b, chunk: keys}}
}

func (p pools) err() error { return p.rows.err() }

func (p pools) close() error {
	return errors.Join(p.rows.budget.close(), p.rows.close(), p.keys.close())
}

// plan settles the number of partitions, as a power of two, and the size of their chunks.
// Every writer holds one open in each partition of rows and of both indexes: together at
// most three eighths of the memory.
func (r *Rules) plan() (bits uint, p pools) {
	for bits = 4; bits < maxPartitionBits && r.ExpectRows>>bits > partitionRows; bits++ {
	}
	if r.Memory == 0 {
		chunk := maxChunk >> max(0, int(bits)-8)
		return bits, newPools(chunk, chunk, 0, nil)
	}
	threads := int64(max(1, r.Threads))
	rows, keys := int64(maxChunk), int64(maxChunk/2)
	for ; bits > 4; bits-- {
		for rows > minChunk && threads*rows<<bits > r.Memory/4 {
			rows /= 2
		}
		for keys > minChunk && 2*threads*keys<<bits > r.Memory/8 {
			keys /= 2
		}
		if threads*(rows+2*keys)<<bits <= r.Memory*3/8 {
			break
		}
	}
	return bits, newPools(int(rows), int(keys), r.Memory, r.Scratch)
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

// partition is the partition of a hash.
func (l *Ledger) partition(hash uint64) uint32 { return uint32(hash >> l.shift) }

// Writer adds batches on behalf of one worker.
type Writer struct {
	l           *Ledger
	rows, aside *rowWriter
	orders      *keyWriter
	mails       *keyWriter
	money       converter
	o           order
	in          int64  // rows given
	counts      Counts // of those that are not set aside
	dated       *datedCounts

	hashes  []uint64 // of the orders of the batch at hand
	suspect []bool   // whether they may come again, where that is known
}

// Writer returns a writer; every worker has its own.
func (l *Ledger) Writer() *Writer {
	w := &Writer{l: l, rows: l.rows.writer(), aside: l.aside.writer(), mails: l.mailIndex.writer(), dated: newDatedCounts(l.rules.Dates),
		money: converter{rules: &l.rules}, o: order{dims: make([]uint32, len(l.rules.Dimensions))}}
	if l.repeats == nil {
		w.orders = l.orderIndex.writer()
	}
	return w
}

// Add copies the accepted rows of a batch into the ledger. It fails when the scratch file has.
func (w *Writer) Add(b *schemas.OrderBatch) error {
	l, o := w.l, &w.o
	o.source, o.rank = b.Source, l.rank[b.Source]
	place := uint64(b.File) << 40
	w.look(b)
	for k, i := range b.Sel {
		o.ordered = b.OrderedAt[i]
		o.status, o.currency = b.Status[i], b.Currency[i]
		o.gross, o.discount, o.refund, o.cost = b.Gross[i], b.Discount[i], b.Refund[i], b.Cost[i]
		o.flags = 0
		if b.HasCost[i] {
			o.flags = flagCost
		}
		for d, dim := range b.Dims {
			o.dims[d] = dim[i]
		}
		o.orderID, o.id, o.mail = b.OrderID.At(int(i)), nil, nil
		if l.rules.MatchID {
			o.id = b.CustomerID.At(int(i))
		}
		if l.rules.MatchEmail {
			o.mail = b.Email.At(int(i))
		}
		o.hash = w.hashes[k]
		o.tail = tail(o.hash, l.shift)
		o.updated, o.place = b.UpdatedAt[i], place|uint64(b.Row+int64(i))&maxRowsPerFile
		switch {
		case b.Lines:
			o.flags |= flagLines
			w.setAside()
		case l.repeats == nil:
			w.add()
		case w.suspect[k]:
			w.setAside()
		default:
			w.settle()
		}
	}
	w.in += int64(len(b.Sel))
	return l.pools.err()
}

// look makes the hashes of the orders of a batch, and says which are suspect if that is known.
func (w *Writer) look(b *schemas.OrderBatch) {
	w.hashes = w.hashes[:0]
	for _, i := range b.Sel {
		w.hashes = append(w.hashes, hashOrder(b.Source, b.OrderID.At(int(i))))
	}
	if r := w.l.repeats; r != nil {
		w.suspect = slices.Grow(w.suspect[:0], len(b.Sel))[:len(b.Sel)]
		r.look(w.hashes, w.suspect)
	}
}

// add puts an order where the fold will find it, provided that its id does not come
// again, or sets it aside.
func (w *Writer) add() {
	l, o := w.l, &w.o
	if reason, _ := w.money.convert(o); reason != "" || len(o.id) == 0 && len(o.mail) > 0 {
		w.orders.put(o.hash, noHome)
		w.setAside()
		return
	}
	if l.rules.counts(o) {
		o.flags |= flagCounts
	}
	hash := o.hash
	if len(o.id) > 0 {
		hash = hashID(o.rank, o.id)
	}
	w.orders.put(o.hash, l.partition(hash))
	w.keep(hash)
	w.counts.Accepted++
	w.counts.Orders++ // until Resolve takes out those that come again
}

// settle decides on an order that comes once, unless that takes more than a look at it.
func (w *Writer) settle() {
	l, o := w.l, &w.o
	if reason, _ := w.money.convert(o); reason != "" || len(o.id) == 0 && len(o.mail) > 0 {
		w.setAside()
		return
	}
	w.counts.Accepted++
	w.counts.Orders++
	if !l.rules.settle(o, &w.counts, w.dated) {
		if len(o.mail) > 0 { // it links nobody, but is seen
			w.mails.putPair(hashMail(o.mail), noHome, hashID(o.rank, o.id)|1)
		}
		return
	}
	if len(o.id) == 0 {
		return
	}
	if o.flags&flagCounts != 0 || len(o.mail) > 0 { // what counts for nothing may still link an id and an e-mail
		w.keep(hashID(o.rank, o.id))
	}
}

// keep puts an order where the fold will find it: by the hash of its customer key, or, where
// that is empty, by its own.
func (w *Writer) keep(hash uint64) {
	o := &w.o
	o.owner = tail(hash, w.l.shift)
	p := w.l.partition(hash)
	if len(o.mail) > 0 {
		w.mails.putPair(hashMail(o.mail), p, hash|1)
	}
	w.rows.putOrder(p, o)
}

// setAside puts a row where Resolve decides on it. Other rows with its e-mail then have
// to be looked at as well: the pair with owner 0 sees to it.
func (w *Writer) setAside() {
	o := &w.o
	if len(o.mail) > 0 {
		w.mails.putPair(hashMail(o.mail), noHome, 0)
	}
	o.owner = 0 // settled with the order
	w.aside.putOrder(w.l.partition(o.hash), o)
}

// counts says whether an order, which must be the latest version and in reporting
// currency, is a purchase.
func (r *Rules) counts(o *order) bool {
	if o.status != schemas.Paid && o.status != schemas.Refunded || o.ordered >= r.AsOf {
		return false
	}
	return !r.DropFullyRefunded || o.refund <= 0 || o.gross-o.discount-o.refund > 0
}

// Close hands over what the writer has gathered; it must be called before Resolve.
func (w *Writer) Close() {
	w.rows.close()
	w.aside.close()
	w.mails.close()
	if w.orders != nil {
		w.orders.close()
	}
	w.l.mu.Lock()
	defer w.l.mu.Unlock()
	w.l.counts.RowsIn += w.in
	w.l.counts.add(&w.counts)
	w.l.settled.add(w.dated)
}
