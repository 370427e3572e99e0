package schemas

import (
	"iter"
	"strconv"
	"time"

	"github.com/apache/arrow/go/v17/arrow/decimal128"
)

// Stored is a table at rest, whose rows can be read as often as they are needed.
type Stored struct {
	Table Table
	Count int64 // rows
	// Rows yields the rows, a value for every column of Table in their order. A row is valid
	// until the next one.
	Rows func() iter.Seq2[[]Value, error]
}

// Value is one cell of a stored table. Which field holds it follows from the type of its
// column.
type Value struct {
	Null  bool
	Int   int64   // Int64, Bool (0 or 1), Date (days since 1970), Timestamp (microseconds), Money and Amount (ten-thousandths)
	Float float64 // Double
	Text  []byte  // String
}

// Append appends the value as people and programs write it; null is nothing.
func (v Value) Append(d []byte, t Type) []byte {
	if v.Null {
		return d
	}
	switch t {
	case Int64:
		return strconv.AppendInt(d, v.Int, 10)
	case Double:
		return strconv.AppendFloat(d, v.Float, 'g', -1, 64)
	case Bool:
		return strconv.AppendBool(d, v.Int != 0)
	case Date:
		return time.Unix(v.Int*86_400, 0).UTC().AppendFormat(d, time.DateOnly)
	case Timestamp:
		return time.UnixMicro(v.Int).UTC().AppendFormat(d, time.RFC3339Nano)
	case Money, Amount:
		return append(d, FormatSum(decimal128.FromI64(v.Int))...)
	}
	return append(d, v.Text...)
}
