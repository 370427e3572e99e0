package transforms

import (
	"math"
	"sort"

	"github.com/apache/arrow/go/v17/arrow"
)

// A sweep makes the tables of many as-of dates from one ledger. The ledger is that of the
// last date; what depends on the date is kept apart: the purchases, by their instant; the
// links between ids, by the order that made them (sweep_identity.go); and the counts below.
// Everything else, such as the latest version of an order, does not depend on it.

// dateIndex is the first of the dates that sees an order of an instant, len(dates) if none does.
func dateIndex(dates []int64, ordered int64) int {
	return sort.Search(len(dates), func(i int) bool { return dates[i] > ordered })
}

// datedCounts are counts of orders by the first date that sees them.
type datedCounts struct {
	dates  []int64
	counts []datedCount
}

type datedCount struct{ refundAbove, anonymous int64 }

// newDatedCounts returns empty counts, nil where there are no dates.
func newDatedCounts(dates []int64) *datedCounts {
	if len(dates) == 0 {
		return nil
	}
	return &datedCounts{dates, make([]datedCount, len(dates)+1)}
}

// at is the count to which an order of an instant belongs.
func (c *datedCounts) at(ordered int64) *datedCount {
	if c == nil {
		return &datedCount{}
	}
	return &c.counts[dateIndex(c.dates, ordered)]
}

// fork returns empty counts of the same dates.
func (c *datedCounts) fork() *datedCounts {
	if c == nil {
		return nil
	}
	return newDatedCounts(c.dates)
}

func (c *datedCounts) add(o *datedCounts) {
	if c == nil || o == nil {
		return
	}
	for i, n := range o.counts {
		c.counts[i].refundAbove += n.refundAbove
		c.counts[i].anonymous += n.anonymous
	}
}

// until adds up the counts of the dates up to one.
func (c *datedCounts) until(date int) (sum datedCount) {
	for _, n := range c.counts[:date+1] {
		sum.refundAbove += n.refundAbove
		sum.anonymous += n.anonymous
	}
	return sum
}

// view says which customers a fold sees.
type view struct {
	until  int64        // purchases before this instant
	date   int32        // of a sweep: groups of this date; allDates: every group
	keep   bool         // the ledger is folded again
	counts *datedCounts // of a sweep over all dates: what has been counted, else nil
}

// allDates is the date of a view that sees every group of ids that there is between two dates.
const allDates = -1

// wholeLedger is the view of a ledger that has one date.
func wholeLedger() view { return view{until: math.MaxInt64} }

// countsAt are the counts of a date but for those of customers and their purchases.
func (l *Ledger) countsAt(date int) Counts {
	c := l.Counts()
	n := l.settled.until(date)
	c.RefundAboveNet, c.AnonymousOrders, c.AfterAsOf = n.refundAbove, n.anonymous, 0
	c.LinkedIDs, c.LargestIDsPerKey = l.groups.linkedIDs(date), l.largest[date]
	return c
}

// FoldAt is Fold for one of the dates of a sweep. The ledger stays as it is, for other dates
// to be folded, one at a time.
func (l *Ledger) FoldAt(date int, visitor func() Visitor, emit func([]arrow.Record) error) (Counts, error) {
	found, err := l.fold(view{until: l.rules.Dates[date], date: int32(date), keep: true}, visitor, emit)
	c := l.countsAt(date)
	found.AfterAsOf = 0 // the ledger does not hold what lies after the last date
	c.add(&found)
	return c, err
}
