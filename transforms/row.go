package transforms

import (
	"encoding/binary"
	"slices"

	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/cohortline/cohortline/schemas"
	"github.com/zeebo/xxh3"
)

// Layout of a row of the ledger. What the fold and the search for repeated orders look at
// in every row comes first, at fixed places; then, with as few bytes as each takes and in
// the order in which they are read: the source, the customer key (empty: nobody known),
// the amounts, the codes of the dimensions, the currency, the order id, the e-mail, how
// long after ordered_at the order was updated, and the file and row that it stood in.
const (
	rowOrder   = 0  // uint32: hash of (source, order_id) without its upper bits; see tail
	rowOrdered = 4  // int64
	rowFlags   = 12 // uint8
	rowStatus  = 13 // uint8
	rowText    = 14
)

const (
	flagCost      = 1 << iota // cost is known
	flagLines                 // the row is one line of an order
	flagMoney                 // discount or refund is not zero
	flagConverted             // the amounts are in reporting currency, whatever the currency says
	flagCounts                // the order is a purchase, provided that it is the latest version
	flagSettled               // it is: Resolve has looked at all versions of the order
	flagUpdated               // updated_at is known
)

// rowRoom is what a row takes at most without its texts and dimensions.
const rowRoom = rowText + 6*binary.MaxVarintLen32 + 6*binary.MaxVarintLen64

// maxRowsPerFile bounds the number of a row within its file: place holds it in 40 bits.
const maxRowsPerFile = 1<<40 - 1

// order is one order row, decoded. Its texts alias the row.
type order struct {
	hash               uint64 // of (source, order_id); a decoded row has only its tail
	tail               uint32
	updated, ordered   int64
	place              uint64 // file in the upper 24 bits, row in the lower 40
	source             uint16
	flags              byte
	status             schemas.Status
	currency           uint32
	gross, discount    int64
	refund, cost       int64
	dims               []uint32
	orderID, key, mail []byte
}

// room is the length that the row of o cannot exceed.
func (o *order) room() int {
	return rowRoom + len(o.orderID) + len(o.key) + len(o.mail) + binary.MaxVarintLen32*len(o.dims)
}

// append appends the row of o to d.
func (o *order) append(d []byte) []byte {
	o.flags &^= flagMoney | flagUpdated
	if o.discount != 0 || o.refund != 0 {
		o.flags |= flagMoney
	}
	if o.updated != schemas.NoTime {
		o.flags |= flagUpdated
	}
	from := len(d)
	d = slices.Grow(d, o.room())[:from+rowText]
	head := d[from:]
	binary.LittleEndian.PutUint32(head[rowOrder:], o.tail)
	binary.LittleEndian.PutUint64(head[rowOrdered:], uint64(o.ordered))
	head[rowFlags], head[rowStatus] = o.flags, byte(o.status)
	d = appendUvarint(d, uint64(o.source))
	d = appendText(d, o.key)
	d = appendVarint(d, o.gross)
	if o.flags&flagMoney != 0 {
		d = appendVarint(d, o.discount)
		d = appendVarint(d, o.refund)
	}
	if o.flags&flagCost != 0 {
		d = appendVarint(d, o.cost)
	}
	for _, dim := range o.dims {
		d = appendUvarint(d, uint64(dim))
	}
	d = appendUvarint(d, uint64(o.currency))
	d = appendText(d, o.orderID)
	d = appendText(d, o.mail)
	if o.flags&flagUpdated != 0 {
		d = appendVarint(d, o.updated-o.ordered) // it may wrap around, and does so back
	}
	d = appendUvarint(d, o.place>>40)
	return appendUvarint(d, o.place&maxRowsPerFile)
}

// decode fills o from a row; o.dims is reused.
func (o *order) decode(row []byte, dims int) {
	o.tail = orderTail(row)
	o.ordered = orderedAt(row)
	o.flags = row[rowFlags]
	o.status = schemas.Status(row[rowStatus])
	r := reader(row[rowText:])
	o.source = uint16(r.uvarint())
	o.key = r.text()
	o.gross, o.discount, o.refund, o.cost = r.amounts(o.flags)
	o.dims = o.dims[:0]
	for range dims {
		o.dims = append(o.dims, uint32(r.uvarint()))
	}
	o.currency = uint32(r.uvarint())
	o.orderID = r.text()
	o.mail = r.text()
	o.updated = schemas.NoTime
	if o.flags&flagUpdated != 0 {
		o.updated = o.ordered + r.varint()
	}
	o.place = r.uvarint() << 40
	o.place |= r.uvarint()
}

func orderTail(row []byte) uint32 { return binary.LittleEndian.Uint32(row[rowOrder:]) }

func orderedAt(row []byte) int64 { return int64(binary.LittleEndian.Uint64(row[rowOrdered:])) }

// keyOf is the customer key of a row.
func keyOf(row []byte) []byte {
	r := reader(row[rowText:])
	r.uvarint()
	return r.text()
}

// amountsOf are the amounts of a row.
func amountsOf(row []byte) (gross, discount, refund, cost int64) {
	r := reader(row[rowText:])
	r.uvarint()
	r.text()
	return r.amounts(row[rowFlags])
}

// dimsOf is a reader of a row's dimensions and what follows them.
func dimsOf(row []byte) reader {
	r := reader(row[rowText:])
	r.uvarint()
	r.text()
	r.amounts(row[rowFlags])
	return r
}

// textsOf are the order id and the e-mail of a row.
func textsOf(row []byte, dims int) (orderID, mail []byte) {
	r := dimsOf(row)
	for range dims + 1 { // and the currency
		r.uvarint()
	}
	orderID = r.text()
	return orderID, r.text()
}

// orderOf are the source and the id of the order of a row.
func orderOf(row []byte, dims int) (source uint16, id []byte) {
	r := reader(row[rowText:])
	id, _ = textsOf(row, dims)
	return uint16(r.uvarint()), id
}

// hashOrder is the hash of an order's key.
func hashOrder(source uint16, id []byte) uint64 { return xxh3.HashSeed(id, uint64(source)) }

// tail is what is kept of a hash where its partition is known: the 32 bits behind those
// that name the partition, of which shift are left.
func tail(hash uint64, shift uint) uint32 { return uint32(hash >> (shift - 32)) }

// appendWithKey appends a row as it is but for its key, as one that is settled.
func appendWithKey(d, row, key []byte) []byte {
	from := len(d)
	rest := reader(row[rowText:])
	rest.uvarint()
	d = append(d, row[:len(row)-len(rest)]...) // up to the source
	d[from+rowFlags] |= flagSettled
	d = appendText(d, key)
	rest.text()
	return append(d, rest...)
}

func appendText(d, text []byte) []byte {
	d = appendUvarint(d, uint64(len(text)))
	return append(d, text...)
}

func appendUvarint(d []byte, v uint64) []byte {
	if v < 0x80 {
		return append(d, byte(v))
	}
	return binary.AppendUvarint(d, v)
}

func appendVarint(d []byte, v int64) []byte { return binary.AppendVarint(d, v) }

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

// amounts reads the amounts that a row with these flags has; the others are 0.
func (r *reader) amounts(flags byte) (gross, discount, refund, cost int64) {
	gross = r.varint()
	if flags&flagMoney != 0 {
		discount, refund = r.varint(), r.varint()
	}
	if flags&flagCost != 0 {
		cost = r.varint()
	}
	return gross, discount, refund, cost
}

func sumOf(v int64) schemas.Sum { return decimal128.FromI64(v) }
