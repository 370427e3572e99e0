package transforms

import (
	"encoding/binary"

	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/cohortline/cohortline/schemas"
)

// change is what a customer changes at a date of a sweep, in a segment of every dimension.
type change struct {
	family    int      // see families, which say what a and b are
	dimension uint8    // of the first segment
	segments  []uint32 // of this dimension and those after it
	a, b      int32
	delta
}

// delta is a change of a cell of cohorts, or of up to three counts.
type delta struct {
	counts    [cellCounts]int32
	net, cost schemas.Sum
}

// Places of the counts of a cell.
const (
	cellCustomers = iota
	cellActive
	cellOrders
	cellLast
	cellUncosted
	cellCounts
)

func (d *delta) add(o *delta) {
	for i, n := range o.counts {
		d.counts[i] += n
	}
	d.net, d.cost = d.net.Add(o.net), d.cost.Add(o.cost)
}

func (d *delta) negate() {
	for i := range d.counts {
		d.counts[i] = -d.counts[i]
	}
	d.net, d.cost = d.net.Negate(), d.cost.Negate()
}

// MaxSweepOrders bounds the orders of a sweep: its counts have 32 bits.
const MaxSweepOrders = 1<<31 - 1

// changeLog is what one worker of a sweep writes down: changes, one after the other, by the
// date at which they happen. They are a dozen bytes each and are read in the order in which
// they were written, where a table of sums would be met at random for each of them.
type changeLog struct {
	dates [][][]byte // blocks of changes, by date
	size  int        // bytes of all blocks
}

// Sizes of the blocks of a date, each twice as long as the one before.
const (
	leastBlock = 256
	mostBlock  = 8 << 10
)

// A change begins with its family and flags and says which of its numbers are not zero. Its
// dimension, unless it is of all, its segments, a, b and these numbers follow.
const (
	oneDimension = 1 << 6 // of the first byte
	largeSums    = 1 << 7 // net and cost take 16 bytes
	netChanges   = 1 << cellCounts
	costChanges  = 1 << (cellCounts + 1)

	mostChangeBytes = 3 + (2+cellCounts)*binary.MaxVarintLen32 + 2*16 // but for the segments
)

func newChangeLog(dates int) changeLog { return changeLog{dates: make([][][]byte, dates)} }

// add writes down a change at a date.
func (l *changeLog) add(date int32, c *change) {
	block := l.room(date, mostChangeBytes+len(c.segments)*binary.MaxVarintLen32)
	b := *block
	at := len(b)
	b = append(b, uint8(c.family), 0)
	if c.dimension > 0 || len(c.segments) == 1 {
		b[at] |= oneDimension
		b = append(b, c.dimension)
	}
	for _, s := range c.segments {
		b = binary.AppendUvarint(b, uint64(s))
	}
	b = binary.AppendVarint(binary.AppendVarint(b, int64(c.a)), int64(c.b))
	for i, n := range c.counts {
		if n != 0 {
			b[at+1] |= 1 << i
			b = binary.AppendVarint(b, int64(n))
		}
	}
	large := wide(c.net) || wide(c.cost)
	if large {
		b[at] |= largeSums
	}
	if c.net != (schemas.Sum{}) {
		b[at+1] |= netChanges
		b = appendSum(b, c.net, large)
	}
	if c.cost != (schemas.Sum{}) {
		b[at+1] |= costChanges
		b = appendSum(b, c.cost, large)
	}
	*block = b
}

// room is the block of a date that has room for so many bytes.
func (l *changeLog) room(date int32, bytes int) *[]byte {
	blocks := l.dates[date]
	if n := len(blocks); n > 0 && cap(blocks[n-1])-len(blocks[n-1]) >= bytes {
		return &blocks[n-1]
	}
	size := leastBlock
	if n := len(blocks); n > 0 {
		size = min(2*cap(blocks[n-1]), mostBlock)
	}
	size = max(size, bytes)
	l.size += size
	l.dates[date] = append(blocks, make([]byte, 0, size))
	return &l.dates[date][len(blocks)]
}

// wide says whether a sum takes more than 64 bits.
func wide(s schemas.Sum) bool { return s.HighBits() != int64(s.LowBits())>>63 }

func appendSum(b []byte, s schemas.Sum, large bool) []byte {
	if large {
		return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, s.LowBits()), uint64(s.HighBits()))
	}
	return binary.AppendVarint(b, int64(s.LowBits()))
}

// each calls f with the changes of a date, which are of so many dimensions; a change is valid
// until the next one.
func (l *changeLog) each(date int32, dimensions int, f func(c *change)) {
	c := change{segments: make([]uint32, 0, dimensions)}
	for _, block := range l.dates[date] {
		for r := changeReader(block); len(r) > 0; {
			r.read(&c, dimensions)
			f(&c)
		}
	}
}

// changeReader is what is left of a block.
type changeReader reader

func (r *changeReader) read(c *change, dimensions int) {
	b := *r
	head, has := b[0], b[1]
	c.family, c.dimension = int(head&(oneDimension-1)), 0
	*r = b[2:]
	if head&oneDimension != 0 {
		c.dimension, dimensions = b[2], 1
		*r = b[3:]
	}
	c.segments = c.segments[:0]
	for range dimensions {
		c.segments = append(c.segments, uint32((*reader)(r).uvarint()))
	}
	c.a, c.b = int32(r.varint()), int32(r.varint())
	for i := range c.counts {
		c.counts[i] = 0
		if has>>i&1 != 0 {
			c.counts[i] = int32(r.varint())
		}
	}
	c.net, c.cost = schemas.Sum{}, schemas.Sum{}
	if has&netChanges != 0 {
		c.net = r.sum(head&largeSums != 0)
	}
	if has&costChanges != 0 {
		c.cost = r.sum(head&largeSums != 0)
	}
}

func (r *changeReader) varint() int64 {
	n := (*reader)(r).uvarint()
	return int64(n>>1) ^ -int64(n&1)
}

func (r *changeReader) sum(large bool) schemas.Sum {
	if !large {
		return sumOf(r.varint())
	}
	b := *r
	*r = b[16:]
	return decimal128.New(int64(binary.LittleEndian.Uint64(b[8:])), binary.LittleEndian.Uint64(b))
}

// narrow keeps what happens at the dates before end; what happens before first happens there.
func (l *changeLog) narrow(first, end int32, dimensions int) {
	for date := range l.dates {
		switch d := int32(date); {
		case d < first:
			l.dates[first] = append(l.dates[first], l.dates[d]...)
			l.dates[d] = nil
		case d >= end:
			for _, b := range l.dates[d] {
				l.size -= cap(b)
			}
			l.dates[d] = nil
		}
	}
	l.compact(first, dimensions)
}

// deltaKey says what is changed.
type deltaKey struct {
	family    int
	dimension uint8
	segment   uint32
	a, b      int32
}

// compact writes the changes of a date anew, added up, if that makes them shorter.
func (l *changeLog) compact(date int32, dimensions int) {
	sums := map[deltaKey]*delta{}
	l.each(date, dimensions, func(c *change) {
		for i, s := range c.segments {
			k := deltaKey{c.family, c.dimension + uint8(i), s, c.a, c.b}
			d := sums[k]
			if d == nil {
				d = &delta{}
				sums[k] = d
			}
			d.add(&c.delta)
		}
	})
	sum := newChangeLog(1)
	for k, d := range sums {
		if *d != (delta{}) {
			sum.add(0, &change{k.family, k.dimension, []uint32{k.segment}, k.a, k.b, *d})
		}
	}
	size := 0
	for _, b := range l.dates[date] {
		size += cap(b)
	}
	if sum.size < size {
		l.dates[date], l.size = sum.dates[0], l.size-size+sum.size
	}
}
