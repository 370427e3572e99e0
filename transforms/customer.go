package transforms

import "github.com/cohortline/cohortline/schemas"

// Purchase is one counted order of a customer, in reporting currency. Amounts are
// ten-thousandths.
type Purchase struct {
	At       int64 // instant, microseconds UTC
	Gross    int64
	Discount int64
	Refund   int64
	Cost     int64 // meaningful only where HasCost
	Day      int32 // local date, days since 1970-01-01
	HasCost  bool

	ref uint64 // of the row; see movedRef
}

// Net is gross − discount − refund.
func (p *Purchase) Net() int64 { return p.Gross - p.Discount - p.Refund }

// Customer is one customer with all purchases before the as-of instant, sorted by
// (ordered_at, source, order_id). It is valid during one call of an accumulator.
type Customer struct {
	ID        []byte     // published customer_id
	Purchases []Purchase // at least one
	Days      []OrderDay // the distinct local dates with a purchase, ascending
	Segments  []uint32   // per configured dimension, the code of the value at the first purchase
	total     totals     // of the purchases that addDay has added

	from, to int32 // of a sweep: the dates, by index, at which these purchases make a customer
}

// totals are what purchases add up to.
type totals struct {
	gross, discounts, refunds, net schemas.Sum
	cost                           schemas.Sum // of the purchases whose cost is known
	uncosted                       int64       // purchases whose cost is unknown
}

// OrderDay is a distinct local date on which a customer purchased.
type OrderDay struct {
	Net          schemas.Sum
	Cost         schemas.Sum // of the purchases whose cost is known
	Day          int32       // days since 1970-01-01
	Orders       int32       // purchases of that date
	OrdersNoCost int32       // purchases whose cost is unknown; margin is defined only when 0
}

// Grain is a length of calendar period.
type Grain uint8

const (
	Day Grain = iota
	Week
	Month
	Quarter
	Year
)

// Grains are the names, indexed by Grain.
var Grains = [...]string{"day", "week", "month", "quarter", "year"}

// Settings are the parameters of every metric of one run.
type Settings struct {
	Calendar   *Calendar
	AsOf       int64     // exclusive instant, microseconds UTC
	Grains     []Grain   // configured grains, ascending
	Dimensions []string  // configured dimensions, in configuration order
	LastDay    int32     // latest local date before AsOf
	AsOfDay    int32     // local date of AsOf itself
	LTV        *LTVRules // nil: no lifetime value is predicted
}

// Accumulator gathers one metric family. Each worker owns one; merged at the end.
// It is a Combiner: create, add, merge, extract; any split of the customers and
// any order of merging gives the same tables.
type Accumulator interface {
	// Add takes one customer and what it did by period; it keeps nothing of either.
	Add(c *Customer, a *Activity)
	// Merge adds what another accumulator of the same kind and settings has gathered.
	Merge(other Accumulator)
}
