package transforms

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/cohortline/cohortline/schemas"
)

// sumLines makes one order of the lines of each order in the partition: the lines that
// share the greatest updated_at are its latest version, their amounts are added, every
// other column comes from the first line that has it.
func (r *resolver) sumLines() {
	if len(r.lines) == 0 {
		return
	}
	slices.SortFunc(r.lines, func(a, b lineRow) int {
		return cmp.Or(cmp.Compare(a.version, b.version), cmp.Compare(a.place, b.place))
	})
	for from := 0; from < len(r.lines); {
		to := from + 1
		for to < len(r.lines) && r.lines[to].version == r.lines[from].version {
			to++
		}
		v := &r.latest[r.lines[from].version]
		var rows [][]byte
		for _, x := range r.lines[from:to] {
			if x.updated == v.updated {
				rows = append(rows, x.row)
			} else {
				r.counts.Superseded++
			}
		}
		r.sum(rows)
		from = to
	}
}

// sum adds the lines of one order and settles it.
func (r *resolver) sum(rows [][]byte) {
	dims := len(r.l.rules.Dimensions)
	o := &r.order
	o.decode(rows[0], dims)
	reason, column := "", ""
	conflict := false
	for _, row := range rows[1:] {
		x := &r.other
		x.decode(row, dims)
		for _, a := range []struct {
			column string
			to     *int64
			add    int64
		}{{"gross_amount", &o.gross, x.gross}, {"discount_amount", &o.discount, x.discount}, {"refund_amount", &o.refund, x.refund}, {"cost_amount", &o.cost, x.cost}} {
			if *a.to += a.add; (*a.to > schemas.MaxAmount || *a.to < -schemas.MaxAmount) && reason == "" {
				reason, column = schemas.ReasonAmountRange, a.column
				*a.to = 0
			}
		}
		o.flags &= x.flags | ^byte(flagCost) // the cost is known when that of every line is
		conflict = o.fillFrom(x) || conflict
	}
	if conflict {
		r.counts.LineConflicts++
	}
	if reason == "" {
		reason, column = wholeOrder(o)
	}
	for d := range o.dims {
		if o.dims[d] == schemas.NoCode {
			o.dims[d] = r.l.rules.Interns.Dims[d].Code([]byte(schemas.NoSegment))
		}
	}
	if reason != "" {
		r.counts.Rejected += int64(len(rows))
		for _, row := range rows {
			r.reject(row, reason, column, o.currency)
		}
		return
	}
	r.settle(o, rows[0], rows)
}

// fillFrom takes from a later line what the order does not have yet and says whether
// the two disagree on customer or time.
func (o *order) fillFrom(x *order) (conflict bool) {
	if len(o.id) == 0 {
		o.rank, o.id = x.rank, x.id
	} else if len(x.id) > 0 && (o.rank != x.rank || !bytes.Equal(o.id, x.id)) {
		conflict = true
	}
	if len(o.mail) == 0 {
		o.mail = x.mail
	} else if len(x.mail) > 0 && !bytes.Equal(o.mail, x.mail) {
		conflict = true
	}
	if o.ordered == schemas.NoTime {
		o.ordered = x.ordered
	} else if x.ordered != schemas.NoTime && o.ordered != x.ordered {
		conflict = true
	}
	if o.status == schemas.NoStatus {
		o.status = x.status
	}
	if o.currency == schemas.NoCode {
		o.currency = x.currency
	}
	for d := range o.dims {
		if o.dims[d] == schemas.NoCode {
			o.dims[d] = x.dims[d]
		}
	}
	return conflict
}

// wholeOrder checks what a single line need not have: the reason and column of a
// reject, or nothing.
func wholeOrder(o *order) (reason, column string) {
	switch {
	case o.ordered == schemas.NoTime:
		return schemas.ReasonValueMissing, "ordered_at"
	case o.status == schemas.NoStatus:
		return schemas.ReasonStatusUnknown, "status"
	case o.currency == schemas.NoCode:
		return schemas.ReasonValueMissing, "currency"
	case o.gross < 0:
		return schemas.ReasonAmountNegative, "gross_amount"
	case o.discount < 0:
		return schemas.ReasonAmountNegative, "discount_amount"
	case o.refund < 0:
		return schemas.ReasonAmountNegative, "refund_amount"
	case o.flags&flagCost != 0 && o.cost < 0:
		return schemas.ReasonAmountNegative, "cost_amount"
	}
	return "", ""
}
