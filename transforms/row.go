package transforms

import (
	"encoding/binary"
	"math/bits"

	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/cohortline/cohortline/schemas"
)

// Layout of a row of the ledger. What the fold looks at in every row comes first, at fixed
// places. The numbers follow, each in as many bytes as it takes: gross, discount, refund,
// cost, what the seconds leave of ordered_at, how long after it the order was updated, and
// the row of the file that it stood in. Behind them stand the customer key (empty: nobody
// known), the source, the codes of the dimensions and the order id.
//
// What only the choice of an order's latest version asks for ends the row: the currency, the
// file, the e-mail and the hash of the order. A row that is settled has left that choice
// behind: it has the e-mail alone, and neither an update nor a place.
//
// Every byte of a row costs: rows are most of the memory that a run touches.
//
// Widths lie apart from the numbers because a loop over bytes that say whether another
// one follows, as in a varint, is guessed wrong by the processor at every other amount.
const (
	rowOwner   = 0 // uint32: hash of the customer key without its upper bits; see tail
	rowShape   = 4 // uint32: the width of each number in four bits, then the status
	rowFlags   = 8 // uint8
	rowSeconds = 9 // 5 bytes: ordered_at in seconds
	rowNumbers = 14
	rowHash    = 4 // uint32, from the end of a row that is not settled: the same of (source, order_id)
)

// noStatus is what four bits hold of schemas.NoStatus.
const noStatus = 15

// micro is a second in microseconds.
const micro = 1_000_000

const (
	flagCost        = 1 << iota // cost is known
	flagLines                   // the row is one line of an order
	flagRefundAbove             // the refund is above gross − discount
	flagConverted               // the amounts are in reporting currency, whatever the currency says
	flagCounts                  // the order is a purchase, provided that it is the latest version
	flagSettled                 // it is: all versions of the order have been looked at
	flagUpdated                 // updated_at is known
	flagSeconds                 // it is whole seconds after ordered_at, and written as such

	flagResolved = flagUpdated // of a row that is settled: Resolve did it, after all rows had come
)

// Numbers of a row behind the amounts.
const (
	numberRest = 4 + iota
	numberAfter
	numberRow
	numbers // how many there are
)

// rowRoom is what a row takes at most without its texts and dimensions.
const rowRoom = rowNumbers + 8*numbers + 7*binary.MaxVarintLen32 + rowHash

// maxRowsPerFile bounds the number of a row within its file: place holds it in 40 bits.
const maxRowsPerFile = 1<<40 - 1

// order is one order row, decoded. Its texts alias the row.
type order struct {
	hash             uint64 // of (source, order_id); a decoded row has only its tail
	tail, owner      uint32 // of the hashes of the order and of the customer key
	updated, ordered int64
	place            uint64 // file in the upper 24 bits, row in the lower 40
	source           uint16
	flags            byte
	status           schemas.Status
	currency         uint32
	gross, discount  int64
	refund, cost     int64
	dims             []uint32
	rank             byte   // of the namespace of id; see identity.go
	id               []byte // of the customer; empty: nobody known
	orderID, mail    []byte
}

// room is the length that the row of o cannot exceed.
func (o *order) room() int {
	return rowRoom + len(o.orderID) + len(o.id) + len(o.mail) + binary.MaxVarintLen32*len(o.dims)
}

// encode writes the row of o to b, which has room for it, and returns its length.
func (o *order) encode(b []byte) int {
	settled := o.flags&flagSettled != 0
	flags := uint64(o.flags &^ (flagRefundAbove | flagUpdated | flagSeconds))
	if o.refund > 0 && o.refundAboveNet() {
		flags |= flagRefundAbove
	}
	seconds := o.ordered / micro << 24 >> 24 // what five bytes hold; rest is whatever remains
	rest := o.ordered - seconds*micro
	_ = b[rowRoom-1]
	at := uint(rowNumbers)
	w0 := putNumber(b, at, o.gross)
	at += w0
	w1 := putNumber(b, at, o.discount)
	at += w1
	w2 := putNumber(b, at, o.refund)
	at += w2
	w3 := putNumber(b, at, o.cost)
	at += w3
	shape := uint64(w0 | w1<<4 | w2<<8 | w3<<12 | uint(o.status&noStatus)<<28)
	if rest != 0 {
		w4 := putNumber(b, at, rest)
		at += w4
		shape |= uint64(w4) << (4 * numberRest)
	}
	if settled {
		flags |= uint64(o.flags & flagResolved)
	} else {
		after := int64(0)
		if o.updated != schemas.NoTime {
			flags |= flagUpdated
			after = o.updated - o.ordered // it may wrap around, and does so back
			if s := after / micro; s*micro == after {
				flags |= flagSeconds
				after = s
			}
		}
		w5 := putNumber(b, at, after)
		at += w5
		w6 := putWord(b, at, o.place&maxRowsPerFile)
		at += w6
		shape |= uint64(w5)<<(4*numberAfter) | uint64(w6)<<(4*numberRow)
	}
	binary.LittleEndian.PutUint32(b[rowOwner:], o.owner)
	binary.LittleEndian.PutUint64(b[rowShape:], shape|flags<<32|uint64(seconds)<<40)
	binary.LittleEndian.PutUint16(b[rowSeconds+3:], uint16(seconds>>24))
	if n := len(o.id); n > 0 {
		at = putUvarint(b, at, uint64(n+1))
		b[at] = o.rank
		at = putBytes(b, at+1, o.id)
	} else {
		b[at] = 0
		at++
	}
	at = putUvarint(b, at, uint64(o.source))
	for _, dim := range o.dims {
		at = putUvarint(b, at, uint64(dim))
	}
	at = putUvarint(b, at, uint64(len(o.orderID)))
	at = putBytes(b, at, o.orderID)
	if settled {
		return int(putBytes(b, at, o.mail))
	}
	at = putUvarint(b, at, uint64(o.currency))
	at = putUvarint(b, at, o.place>>40)
	at = putBytes(b, at, o.mail)
	binary.LittleEndian.PutUint32(b[at:], o.tail)
	return int(at) + rowHash
}

// putNumber writes a number in as many bytes as it takes, which it returns; the eight
// bytes from at on may be overwritten.
func putNumber(b []byte, at uint, v int64) (width uint) {
	return putWord(b, at, uint64(v)<<1^uint64(v>>63))
}

// putWord is putNumber for what is never negative.
func putWord(b []byte, at uint, v uint64) (width uint) {
	binary.LittleEndian.PutUint64(b[at:], v)
	return uint(bits.Len64(v)+7) / 8
}

func putUvarint(b []byte, at uint, v uint64) uint {
	if v < 0x80 {
		b[at] = byte(v)
		return at + 1
	}
	return at + uint(binary.PutUvarint(b[at:], v))
}

// putBytes copies a text; the usual lengths without a call.
func putBytes(b []byte, at uint, text []byte) uint {
	n := uint(len(text))
	if n >= 8 && n <= 16 {
		first, last := binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[n-8:])
		binary.LittleEndian.PutUint64(b[at:], first)
		binary.LittleEndian.PutUint64(b[at+n-8:], last)
	} else if n > 0 {
		copy(b[at:], text)
	}
	return at + n
}

// decode fills o from a row that is not settled; o.dims is reused.
func (o *order) decode(row []byte, dims int) {
	o.tail, o.owner = orderTail(row), ownerTail(row)
	o.ordered = orderedAt(row)
	o.flags = row[rowFlags]
	o.status = schemas.Status(row[rowFlags-1] >> 4)
	if o.status == noStatus {
		o.status = schemas.NoStatus
	}
	o.gross, o.discount, o.refund, o.cost = amountsOf(row)
	shape := shapeOf(row)
	o.updated = schemas.NoTime
	if o.flags&flagUpdated != 0 {
		after := unzigzag(shape.number(row, numberAfter))
		if o.flags&flagSeconds != 0 {
			after *= micro
		}
		o.updated = o.ordered + after
	}
	r := textsOf(row)
	o.setKey(r.text())
	o.source = uint16(r.uvarint())
	o.dims = o.dims[:0]
	for range dims {
		o.dims = append(o.dims, uint32(r.uvarint()))
	}
	o.orderID = r.text()
	o.currency = uint32(r.uvarint())
	o.place = r.uvarint()<<40 | shape.number(row, numberRow)
	o.mail = r[:len(r)-rowHash]
}

// setKey takes rank and id from a customer key, which may be empty.
func (o *order) setKey(key []byte) {
	o.rank, o.id = 0, nil
	if len(key) > 0 {
		o.rank, o.id = key[0], key[1:]
	}
}

// appendKey appends the customer key, if there is one.
func (o *order) appendKey(d []byte) []byte {
	if len(o.id) == 0 {
		return d
	}
	return append(append(d, o.rank), o.id...)
}

// orderTail is the hash of the order of a row that is not settled.
func orderTail(row []byte) uint32 { return binary.LittleEndian.Uint32(row[len(row)-rowHash:]) }

func ownerTail(row []byte) uint32 { return binary.LittleEndian.Uint32(row[rowOwner:]) }

func orderedAt(row []byte) int64 {
	seconds := int64(binary.LittleEndian.Uint64(row[rowFlags:])) << 16 >> 24
	if shape := shapeOf(row); shape>>(4*numberRest)&15 != 0 {
		return seconds*micro + unzigzag(shape.number(row, numberRest))
	}
	return seconds * micro
}

// shape is the widths of the numbers of a row.
type shape uint32

func shapeOf(row []byte) shape { return shape(binary.LittleEndian.Uint32(row[rowShape:])) }

// before is how many bytes the numbers before number k take.
func (s shape) before(k uint) uint {
	s &= 1<<(4*k) - 1
	pairs := uint(s&0x0f0f0f0f + s>>4&0x0f0f0f0f)
	return pairs * 0x01010101 >> 24 & 0xff
}

// number is number k of a row with this shape, as it is written.
func (s shape) number(row []byte, k uint) uint64 {
	return wordAt(row, rowNumbers+s.before(k), uint(s>>(4*k))&15)
}

// amountsOf are the amounts of a row; what it has not is 0.
func amountsOf(row []byte) (gross, discount, refund, cost int64) {
	s := uint(shapeOf(row))
	g, d, r, c := s&15, s>>4&15, s>>8&15, s>>12&15
	d0 := rowNumbers + g
	r0 := d0 + d
	c0 := r0 + r
	if c0+8 <= uint(len(row)) {
		return unzigzag(binary.LittleEndian.Uint64(row[rowNumbers:]) & widthMasks[g]), unzigzag(binary.LittleEndian.Uint64(row[d0:]) & widthMasks[d]),
			unzigzag(binary.LittleEndian.Uint64(row[r0:]) & widthMasks[r]), unzigzag(binary.LittleEndian.Uint64(row[c0:]) & widthMasks[c])
	}
	return unzigzag(wordAt(row, rowNumbers, g)), unzigzag(wordAt(row, d0, d)), unzigzag(wordAt(row, r0, r)), unzigzag(wordAt(row, c0, c))
}

// widthMasks are the bits of a number by its width.
var widthMasks = func() (m [16]uint64) {
	for width := range m {
		m[width] = 1<<(8*width) - 1
	}
	return m
}()

func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// wordAt is the number of so many bytes at a place of a row.
func wordAt(row []byte, at, width uint) (v uint64) {
	if at+8 <= uint(len(row)) {
		return binary.LittleEndian.Uint64(row[at:]) & (1<<(8*width) - 1)
	}
	for i := width; i > 0; i-- { // near the end of the row
		v = v<<8 | uint64(row[at+i-1])
	}
	return v
}

// textsOf is a reader of what stands behind the numbers of a row.
func textsOf(row []byte) reader { return row[rowNumbers+shapeOf(row).before(numbers):] }

// keyOf is the customer key of a row.
func keyOf(row []byte) []byte {
	r := textsOf(row)
	return r.text()
}

// dimsOf is a reader of a row's dimensions and what follows them.
func dimsOf(row []byte) reader {
	r := textsOf(row)
	r.text()
	r.uvarint()
	return r
}

// mailOf is the e-mail of a row.
func mailOf(row []byte, dims int) []byte {
	r := dimsOf(row)
	for range dims {
		r.uvarint()
	}
	r.text()
	if row[rowFlags]&flagSettled != 0 {
		return r
	}
	r.uvarint()
	r.uvarint()
	return r[:len(r)-rowHash]
}

// orderOf are the source and the id of the order of a row.
func orderOf(row []byte, dims int) (source uint16, id []byte) {
	r := textsOf(row)
	r.text()
	source = uint16(r.uvarint())
	for range dims {
		r.uvarint()
	}
	return source, r.text()
}

// appendWithKey appends a row but for its key and its e-mail, as one that is settled; owner
// is the tail of the key's hash.
func appendWithKey(d, row, key []byte, owner uint32, dims int) []byte {
	from := len(d)
	rest := textsOf(row)
	d = append(d, row[:len(row)-len(rest)]...)
	d[from+rowFlags] |= flagSettled
	binary.LittleEndian.PutUint32(d[from+rowOwner:], owner)
	d = appendText(d, key)
	rest.text()
	end := rest
	for range dims + 1 { // and the source
		end.uvarint()
	}
	end.text()
	return append(d, rest[:len(rest)-len(end)]...)
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

// reader walks the variable part of a row that this package wrote.
type reader []byte

func (r *reader) uvarint() uint64 {
	b := *r
	if b[0] < 0x80 {
		*r = b[1:]
		return uint64(b[0])
	}
	return r.longUvarint()
}

func (r *reader) longUvarint() uint64 {
	v, n := binary.Uvarint(*r)
	*r = (*r)[n:]
	return v
}

func (r *reader) text() []byte {
	n := r.uvarint()
	t := (*r)[:n:n]
	*r = (*r)[n:]
	return t
}

func sumOf(v int64) schemas.Sum { return decimal128.FromI64(v) }
