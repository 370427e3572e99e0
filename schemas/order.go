package schemas

import "math"

// Status is the canonical state of an order. Only paid and refunded orders that
// are no test orders are purchases; every other status is kept in the ledger and
// counts for nothing.
type Status uint8

const (
	Paid Status = iota
	Refunded
	Pending
	Cancelled
	Failed
	Fraud
	Test // also every order whose is_test is true, whatever its status

	NoStatus Status = 255 // a line of an order that leaves the status to its other lines
)

// Statuses are the canonical names, indexed by Status.
var Statuses = [...]string{"paid", "refunded", "pending", "cancelled", "failed", "fraud", "test"}

// NoTime is the updated_at of an order that has none: older than any instant.
const NoTime = math.MinInt64

// DimensionColumns are the orders columns that may be configured as dimensions.
var DimensionColumns = []string{"channel", "country", "campaign", "coupon", "product", "currency"}

// OrderBatch is a batch of canonical order rows, one slice per column, as the
// validate stage hands them to the ledger. Row i of every column belongs
// together; only the rows listed in Sel are valid, the others were rejected or
// filtered. A batch and all its slices are valid until the next one is asked
// for; what is kept is copied.
type OrderBatch struct {
	N      int     // rows in every column
	Sel    []int32 // indexes of the accepted rows, ascending
	Source uint16  // index of the source among the run's order sources, sorted by name bytewise
	File   uint32  // index of the file among the run's order files, sorted by (source, path) bytewise
	Row    int64   // 1-based number of row 0 within its file, the header not counted
	// Lines says that a row is one line of an order: the ledger adds the amounts of an
	// order's lines and takes every other column from the first line that has it. In such
	// a batch OrderedAt may be NoTime, Status NoStatus, Currency and Dims NoCode, and
	// amounts may be negative; the ledger checks the order once it is whole.
	Lines bool

	OrderID    Strings // never empty in an accepted row
	CustomerID Strings // empty: unknown
	Email      Strings // lower-cased and trimmed; empty: unknown
	OrderedAt  []int64 // instants, microseconds UTC
	UpdatedAt  []int64 // instants, microseconds UTC, or NoTime
	Status     []Status
	Currency   []uint32   // codes of Interns.Currency; the code of the reporting currency where the source has none
	Gross      []int64    // 1/10000 of the order's currency
	Discount   []int64    // the same, 0 where empty
	Refund     []int64    // the same, 0 where empty
	Cost       []int64    // the same; meaningful only where HasCost
	HasCost    []bool     // cost is known
	Dims       [][]uint32 // one per configured dimension: codes of Interns.Dims[d]; the code of "(none)" where empty
}

// NoCode is the code of a value that a line of an order leaves to its other lines.
const NoCode = math.MaxUint32

// Interns are the tables of repeated strings that all batches of a run share.
type Interns struct {
	Currency *Intern
	Dims     []*Intern // one per configured dimension
}

// NoSegment is the segment of customers whose first purchase has no value in a dimension.
const NoSegment = "(none)"
