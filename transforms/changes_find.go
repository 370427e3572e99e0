package transforms

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/cohortline/cohortline/schemas"
)

// OrderClass says how an order differs between two runs.
type OrderClass uint8

// The classes, in the order in which an explanation switches them.
const (
	NoChange   OrderClass = iota
	Definition            // read from the same content by other rules: mapping, filter, sources
	Vanished              // only the earlier run has it
	Corrected             // a later version, or another content of the same one
	Refund                // only its refund differs, and whether its status is paid or refunded
	Rejected              // the later run has rejected a row that the earlier one has read
	Replayed              // the earlier run has rejected a row that the later one has read
	Late                  // only the later run has it, and it was ordered before the earlier one's as-of instant
	New                   // only the later run has it, and it was ordered since
	Identity              // only its customer id or e-mail differs
	OrderClasses
)

// OrderClassNames are the names of the classes.
var OrderClassNames = [OrderClasses]string{"none", "definition", "vanished orders", "corrected orders", "refunds", "rejected rows", "replayed rows", "late orders", "new orders", "identity"}

// OrderVersion is an order as one run has read it, in its own currency.
type OrderVersion struct {
	File       uint32
	Row        int64 // of the latest version; of an order of lines, of its last line
	OrderedAt  int64 // schemas.NoTime: no line has one
	Status     schemas.Status
	Currency   uint32
	Gross      int64
	Discount   int64
	Refund     int64
	Identified bool // it has a customer id
}

// OrderChange is an order that differs. It is valid until the next one.
type OrderChange struct {
	Key           OrderKey
	Class         OrderClass
	Source        uint16
	OrderID       []byte
	Before, After *OrderVersion // nil: that run has not read it
}

// Find calls f with every order that differs, in the order of their keys. It ends with the
// first error of f.
func (c *OrderChanges) Find(f func(*OrderChange) error) error {
	var rows [][]byte
	for p := range c.store.parts {
		if err := c.store.load(p); err != nil {
			return err
		}
		rows = rows[:0]
		c.store.each(p, func(_ uint64, row []byte) { rows = append(rows, row) })
		slices.SortFunc(rows, func(a, b []byte) int {
			x, y := changeKeyOf(a), changeKeyOf(b)
			return cmp.Or(cmp.Compare(x.Hi, y.Hi), cmp.Compare(x.Lo, y.Lo))
		})
		for from := 0; from < len(rows); {
			to := from + 1
			for to < len(rows) && changeKeyOf(rows[to]) == changeKeyOf(rows[from]) {
				to++
			}
			if err := c.compare(rows[from:to], f); err != nil {
				return err
			}
			from = to
		}
		c.store.drop(p)
	}
	return c.pools.err()
}

// latest is the latest version of an order in one run, with hashes of what it holds: of
// lines the sum of those of each.
type latest struct {
	OrderVersion
	rest, refund, who uint64
	bad               bool // the other run has rejected one of its rows
}

// compare holds the two latest versions of an order against each other.
func (c *OrderChanges) compare(rows [][]byte, f func(*OrderChange) error) error {
	a, b := c.resolve(rows, Before), c.resolve(rows, After)
	class := c.classify(a, b)
	if class == NoChange {
		return nil
	}
	row := rows[0]
	x := OrderChange{Key: changeKeyOf(row), Class: class, Source: binary.LittleEndian.Uint16(row[changeSource:]), OrderID: row[changeID:]}
	if a != nil {
		x.Before = &a.OrderVersion
	}
	if b != nil {
		x.After = &b.OrderVersion
	}
	return f(&x)
}

// resolve finds the latest version of an order among the rows that a run has read, nil
// when it has read none.
func (c *OrderChanges) resolve(rows [][]byte, side Sides) *latest {
	var top []byte
	for _, row := range rows {
		if c.files[changePlaceOf(row)>>40].Sides&side == 0 {
			continue
		}
		if top == nil || changeUpdatedOf(row) > changeUpdatedOf(top) || changeUpdatedOf(row) == changeUpdatedOf(top) && changePlaceOf(row) > changePlaceOf(top) {
			top = row
		}
	}
	if top == nil {
		return nil
	}
	x := &latest{}
	x.File, x.Row = uint32(changePlaceOf(top)>>40), int64(changePlaceOf(top)&maxRowsPerFile)
	x.OrderedAt, x.Status, x.Currency = schemas.NoTime, schemas.NoStatus, schemas.NoCode
	if top[changeFlags]&changeIsLine == 0 {
		c.add(x, top)
		return x
	}
	for _, row := range rows {
		if c.files[changePlaceOf(row)>>40].Sides&side != 0 && changeUpdatedOf(row) == changeUpdatedOf(top) {
			c.add(x, row)
		}
	}
	return x
}

// add adds a row, or a line, to what a version holds.
func (c *OrderChanges) add(x *latest, row []byte) {
	word := func(at int) uint64 { return binary.LittleEndian.Uint64(row[at:]) }
	status, flags, currency := schemas.Status(row[changeStatus]), row[changeFlags], binary.LittleEndian.Uint32(row[changeCurrency:])
	kind := status
	if kind == schemas.Refunded {
		kind = schemas.Paid
	}
	rest := combine(word(changeOrdered), uint64(kind)|uint64(currency)<<8|uint64(flags&(changeHasCost|changeIsLine))<<48)
	for _, at := range []int{changeGross, changeDiscount, changeCost, changeDims} {
		rest = combine(rest, word(at))
	}
	place := changePlaceOf(row)
	_, bad := c.files[place>>40].Rejected[int64(place&maxRowsPerFile)]
	x.bad = x.bad || bad
	x.rest += rest
	x.refund += combine(word(changeRefund), uint64(status))
	x.who += word(changeWho)
	x.Gross += int64(word(changeGross))
	x.Discount += int64(word(changeDiscount))
	x.Refund += int64(word(changeRefund))
	x.Identified = x.Identified || flags&changeHasID != 0
	if x.OrderedAt == schemas.NoTime {
		x.OrderedAt = int64(word(changeOrdered))
	}
	if x.Status == schemas.NoStatus {
		x.Status = status
	}
	if x.Currency == schemas.NoCode {
		x.Currency = currency
	}
}

// classify says how two versions of an order differ.
func (c *OrderChanges) classify(a, b *latest) OrderClass {
	switch {
	case a == nil && b == nil:
		return NoChange
	case a == nil:
		return c.oneSided(b, Replayed, Late)
	case b == nil:
		return c.oneSided(a, Rejected, Vanished)
	}
	rest, refund, who := a.rest != b.rest, a.refund != b.refund, a.who != b.who
	switch {
	case !rest && !refund && !who:
		return NoChange
	case b.bad:
		return Replayed
	case a.bad:
		return Rejected
	case c.files[a.File].Twin == int(b.File) && a.Row == b.Row:
		return Definition
	case !rest && !who:
		return Refund
	case !rest && !refund:
		return Identity
	}
	return Corrected
}

// oneSided is the class of an order that only one run has.
func (c *OrderChanges) oneSided(x *latest, rejected, otherwise OrderClass) OrderClass {
	file := &c.files[x.File]
	switch {
	case x.bad:
		return rejected
	case file.Twin >= 0 || file.Unnamed:
		return Definition
	case otherwise == Late && x.OrderedAt >= c.asOf:
		return New
	}
	return otherwise
}

func changePlaceOf(row []byte) uint64 { return binary.LittleEndian.Uint64(row[changePlace:]) }

func changeUpdatedOf(row []byte) int64 { return int64(binary.LittleEndian.Uint64(row[changeUpdated:])) }
