package transforms

import (
	"encoding/binary"
	"sync"

	"github.com/cohortline/cohortline/schemas"
	"github.com/zeebo/xxh3"
)

// OrderKey is the hash of (source, order_id): two orders that share one would have to agree
// in 128 bits.
type OrderKey = xxh3.Uint128

// KeyOfOrder is the key of an order.
func KeyOfOrder(source uint16, id []byte) OrderKey { return xxh3.Hash128Seed(id, uint64(source)) }

// Sides says which of two runs have read a file.
type Sides uint8

const (
	Before Sides = 1 << iota
	After
)

// ChangeFile is a file that one of two runs has read, or both. Files of one run are in its
// own order.
type ChangeFile struct {
	Sides    Sides
	Twin     int                // the file of the same place and content that the other run has read by other rules; −1: there is none
	Unnamed  bool               // the other run's configuration has no such source
	Rejected map[int64]struct{} // rows that the other run has rejected in its file of the same place
}

// OrderChanges finds the orders that differ between two runs. Rows go to partitions by the
// hash of their order, in memory or in a temporary file; then the latest version of each
// order in one run is held against that in the other.
//
// Files of one run only are added first. After Narrow the files of both follow, of which
// only the rows of orders that have been added before are looked at: what both have read
// and nothing else has touched cannot differ.
type OrderChanges struct {
	files  []ChangeFile
	asOf   int64 // of the earlier run
	store  *rowStore
	pools  pools
	shift  uint
	filter *changeFilter

	mu   sync.Mutex
	rows int64
}

// NewOrderChanges returns the changes between two runs over some files. asOf is the as-of
// instant of the earlier one. memory bounds the rows that are held; what is beyond goes to
// scratch. 0: all in memory.
func NewOrderChanges(files []ChangeFile, asOf, expectRows, memory int64, threads int, scratch func() (Scratch, error)) *OrderChanges {
	bits, p := (&Rules{ExpectRows: expectRows, Memory: memory, Threads: threads, Scratch: scratch}).plan()
	return &OrderChanges{files: files, asOf: asOf, pools: p, store: newRowStore(1<<bits, p.rows), shift: 64 - bits}
}

// Close gives the memory back.
func (c *OrderChanges) Close() error { return c.pools.close() }

// Layout of a row of changes; the order id follows.
const (
	changeKey      = 0
	changePlace    = 16
	changeUpdated  = 24
	changeOrdered  = 32
	changeGross    = 40
	changeDiscount = 48
	changeRefund   = 56
	changeCost     = 64
	changeDims     = 72 // hash
	changeWho      = 80 // hash of customer id and e-mail
	changeCurrency = 88
	changeSource   = 92
	changeStatus   = 94
	changeFlags    = 95
	changeID       = 96
)

const (
	changeHasCost = 1 << iota
	changeIsLine
	changeHasID // of a customer
)

// ChangeWriter adds batches on behalf of one worker.
type ChangeWriter struct {
	c    *OrderChanges
	w    *rowWriter
	row  []byte
	hash *xxh3.Hasher
	rows int64
}

// Writer returns a writer; every worker has its own.
func (c *OrderChanges) Writer() *ChangeWriter {
	return &ChangeWriter{c: c, w: c.store.writer(), hash: xxh3.New()}
}

// Add copies what matters of the accepted rows of a batch.
func (w *ChangeWriter) Add(b *schemas.OrderBatch) error {
	for _, k := range b.Sel {
		i := int(k)
		id := b.OrderID.At(i)
		key := KeyOfOrder(b.Source, id)
		if w.c.filter != nil && !w.c.filter.has(key) {
			continue
		}
		if cap(w.row) < changeID+len(id) {
			w.row = make([]byte, changeID+2*len(id))
		}
		d := w.row[:changeID+len(id)]
		put := binary.LittleEndian.PutUint64
		put(d[changeKey:], key.Hi)
		put(d[changeKey+8:], key.Lo)
		put(d[changePlace:], uint64(b.File)<<40|uint64(b.Row+int64(i))&maxRowsPerFile)
		put(d[changeUpdated:], uint64(b.UpdatedAt[i]))
		put(d[changeOrdered:], uint64(b.OrderedAt[i]))
		put(d[changeGross:], uint64(b.Gross[i]))
		put(d[changeDiscount:], uint64(b.Discount[i]))
		put(d[changeRefund:], uint64(b.Refund[i]))
		flags := byte(0)
		put(d[changeCost:], 0)
		if b.HasCost[i] {
			flags |= changeHasCost
			put(d[changeCost:], uint64(b.Cost[i]))
		}
		if b.Lines {
			flags |= changeIsLine
		}
		if len(b.CustomerID.At(i)) > 0 {
			flags |= changeHasID
		}
		put(d[changeDims:], w.dims(b, i))
		put(d[changeWho:], w.who(b, i))
		binary.LittleEndian.PutUint32(d[changeCurrency:], b.Currency[i])
		binary.LittleEndian.PutUint16(d[changeSource:], b.Source)
		d[changeStatus], d[changeFlags] = byte(b.Status[i]), flags
		copy(d[changeID:], id)
		w.w.put(uint32(key.Hi>>w.c.shift), d)
		w.rows++
	}
	return w.c.pools.err()
}

func (w *ChangeWriter) dims(b *schemas.OrderBatch, i int) uint64 {
	h := uint64(0)
	for _, dim := range b.Dims {
		h = combine(h, uint64(dim[i]))
	}
	return h
}

func (w *ChangeWriter) who(b *schemas.OrderBatch, i int) uint64 {
	id := b.CustomerID.At(i)
	h := xxh3.HashSeed(id, uint64(len(id)))
	if len(b.Email.Start) > 0 {
		h = combine(h, xxh3.Hash(b.Email.At(i)))
	}
	return h
}

// combine makes one hash of two.
func combine(a, b uint64) uint64 {
	var d [16]byte
	binary.LittleEndian.PutUint64(d[:], a)
	binary.LittleEndian.PutUint64(d[8:], b)
	return xxh3.Hash(d[:])
}

// Close hands over what the writer has gathered.
func (w *ChangeWriter) Close() {
	w.w.close()
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	w.c.rows += w.rows
}

// Rows is how many rows have been kept so far.
func (c *OrderChanges) Rows() int64 { return c.rows }

// changeFilter is a Bloom filter of order keys: two bits a key.
type changeFilter struct{ words []uint64 }

func (f *changeFilter) spots(k OrderKey) (a, b uint64) {
	n := uint64(len(f.words)*64 - 1)
	return k.Lo & n, k.Lo >> 32 & n
}

func (f *changeFilter) add(k OrderKey) {
	a, b := f.spots(k)
	f.words[a/64] |= 1 << (a % 64)
	f.words[b/64] |= 1 << (b % 64)
}

func (f *changeFilter) has(k OrderKey) bool {
	a, b := f.spots(k)
	return f.words[a/64]>>(a%64)&1 == 1 && f.words[b/64]>>(b%64)&1 == 1
}

// Narrow says that from now on only rows of orders that have been added before matter.
// Writers must be closed.
func (c *OrderChanges) Narrow() error {
	words := 1 << 6
	for int64(words)*8 < c.rows && words < 1<<26 { // eight bits a row at least, up to 512 million rows
		words *= 2
	}
	c.filter = &changeFilter{make([]uint64, words)}
	for p := range c.store.parts {
		if err := c.store.scan(p, func(row []byte) { c.filter.add(changeKeyOf(row)) }); err != nil {
			return err
		}
	}
	return nil
}

func changeKeyOf(row []byte) OrderKey {
	return OrderKey{Hi: binary.LittleEndian.Uint64(row[changeKey:]), Lo: binary.LittleEndian.Uint64(row[changeKey+8:])}
}
