package transforms

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/cohortline/cohortline/schemas"
)

// randomRow is an order of numbers of every width and texts of every length.
func randomRow(r *rand.Rand) order {
	number := func() int64 {
		v := int64(r.Uint64() >> r.IntN(64))
		return v * int64(1-2*r.IntN(2))
	}
	instant := func() int64 {
		switch r.IntN(4) {
		case 0:
			return []int64{schemas.NoTime, math.MaxInt64, math.MinInt64 + 1, 1<<39*micro - 1, 1 << 39 * micro, -1 << 39 * micro, -1, 0}[r.IntN(8)]
		case 1:
			return number() / micro * micro
		}
		return number()
	}
	text := func(most int) []byte {
		b := make([]byte, r.IntN(most+1))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	o := order{
		tail: r.Uint32(), owner: r.Uint32(), ordered: instant(), updated: instant(), place: r.Uint64N(1<<24)<<40 | r.Uint64()>>r.IntN(64)&maxRowsPerFile,
		source: uint16(r.Uint32()), flags: byte(r.Uint32()) &^ (flagRefundAbove | flagUpdated | flagSeconds), status: schemas.Status(r.IntN(7)),
		currency: r.Uint32() >> r.IntN(32), gross: number(), discount: number(), refund: number(), cost: number(),
		dims: []uint32{r.Uint32() >> r.IntN(32), schemas.NoCode}, id: text(40), orderID: text(300), mail: text(20),
	}
	if r.IntN(5) == 0 {
		o.status = schemas.NoStatus
	}
	if len(o.id) > 0 {
		o.rank = byte(r.Uint32())
	}
	return o
}

// settled takes from an order what the row of one that is settled does not say.
func (o *order) settled() {
	o.tail, o.updated, o.place, o.status, o.currency = 0, 0, 0, 0, 0
	o.id, o.orderID, o.mail = append([]byte{}, o.id...), append([]byte{}, o.orderID...), append([]byte{}, o.mail...)
}

// readPurchase reads a row that is settled.
func (o *order) readPurchase(row []byte, dims int) {
	o.owner, o.flags, o.ordered = ownerTail(row), row[rowFlags]&^(flagRefundAbove|flagUpdated|flagSeconds), orderedAt(row)
	o.gross, o.discount, o.refund, o.cost = amountsOf(row)
	o.setKey(keyOf(row))
	r := dimsOf(row)
	for range dims {
		o.dims = append(o.dims, uint32(r.uvarint()))
	}
	o.source, o.orderID = orderOf(row, dims)
	o.mail = mailOf(row, dims)
	o.settled()
}

// samePurchase says whether two rows are of the same purchase, whoever made it.
func samePurchase(a, b []byte, dims int) bool {
	var x, y order
	x.readPurchase(a, dims)
	y.readPurchase(b, dims)
	for _, o := range []*order{&x, &y} {
		o.owner, o.rank, o.id, o.mail = 0, 0, nil, nil
		o.flags |= flagSettled
	}
	return reflect.DeepEqual(x, y)
}

// TestRowsComeBack writes rows to a store and reads them, one by one and by reference.
func TestRowsComeBack(t *testing.T) {
	const dims = 2
	pools := newPools(minChunk, minChunk, 0, nil)
	s := newRowStore(1, pools.rows)
	w := s.writer()
	r := rand.New(rand.NewPCG(1, 3))
	wrote := make([]order, 5_000)
	for i := range wrote {
		wrote[i] = randomRow(r)
		w.putOrder(0, &wrote[i])
	}
	w.close()
	i := 0
	s.each(0, func(ref uint64, row []byte) {
		want := &wrote[i]
		if !bytes.Equal(s.row(0, ref), row) {
			t.Fatalf("row %d is not where its reference says", i)
		}
		i++
		if source, id := orderOf(row, dims); source != want.source || !bytes.Equal(id, want.orderID) || !bytes.Equal(mailOf(row, dims), want.mail) {
			t.Fatalf("row %d: order %d %x, e-mail %x", i, source, id, mailOf(row, dims))
		}
		if moved := appendWithKey(nil, row, []byte("key"), 7, dims); !samePurchase(moved, row, dims) || string(keyOf(moved)) != "key" || ownerTail(moved) != 7 || len(mailOf(moved, dims)) > 0 {
			t.Fatalf("row %d with another key: %x", i, moved)
		}
		if want.flags&flagSettled != 0 {
			want.settled()
			var o order
			o.readPurchase(row, dims)
			if !reflect.DeepEqual(o, *want) {
				t.Fatalf("row %d: read %+v, wrote %+v", i, o, *want)
			}
			return
		}
		var o order
		o.decode(row, dims)
		o.flags &^= flagRefundAbove | flagUpdated | flagSeconds
		for _, b := range []*[]byte{&o.id, &o.orderID, &o.mail, &want.id, &want.orderID, &want.mail} {
			*b = append([]byte{}, *b...)
		}
		if !reflect.DeepEqual(o, *want) {
			t.Fatalf("row %d: read %+v, wrote %+v", i, o, *want)
		}
	})
	if i != len(wrote) {
		t.Fatalf("%d of %d rows came back", i, len(wrote))
	}
	if err := pools.close(); err != nil {
		t.Fatal(err)
	}
}
