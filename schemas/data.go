package schemas

import (
	"iter"

	"github.com/apache/arrow/go/v17/arrow"
)

// Data is the content of a table: record batches of its Arrow schema, but that texts may be listed
// and sums that fit be int64, see Encoder, in the order
// of its key. It can be read once. A batch is valid until the next one.
type Data struct {
	Table   Table
	Batches iter.Seq2[arrow.Record, error]
}

// Day is a date as days since 1970-01-01, the Go type of Date columns in row structs.
type Day int32

// Instant is microseconds since 1970-01-01T00:00:00Z, the Go type of Timestamp columns in row structs.
type Instant int64
