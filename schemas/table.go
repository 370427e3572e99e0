package schemas

import "fmt"

// Type is the logical type of a column; every physical schema (Arrow, Parquet,
// BigQuery) is derived from it.
type Type uint8

const (
	String    Type = iota // UTF-8 text
	Int64                 // signed integer
	Double                // IEEE 754 double; never NaN or infinite, null where undefined
	Bool                  // true or false
	Date                  // calendar date of the reporting time zone
	Timestamp             // instant in UTC, microseconds
	Money                 // DECIMAL(28,4): an exact sum in the reporting currency
	Amount                // DECIMAL(18,4): an exact amount of one row
)

// Column declares one column of a table.
type Column struct {
	Name        string
	Type        Type
	Nullable    bool   // outputs: may be null; inputs: may be missing or empty
	Unit        string // what one unit of the value is: "customers", "orders", "days", "reporting currency", "share"; empty for labels
	Description string // one full sentence, at most 1,024 characters
}

// Table declares one table: the single place from which its Arrow, Parquet and
// BigQuery schemas, its JSON description and its page in docs/tables derive.
type Table struct {
	Name        string
	Key         []string // the columns that identify a row, in the order rows are sorted by
	Description string   // one full sentence
	Columns     []Column
}

// Column returns the column of that name and whether the table has one.
func (t Table) Column(name string) (Column, bool) {
	for _, c := range t.Columns {
		if c.Name == name {
			return c, true
		}
	}
	return Column{}, false
}

// String returns the logical type as written in documentation and JSON.
func (t Type) String() string {
	switch t {
	case String:
		return "STRING"
	case Int64:
		return "INT64"
	case Double:
		return "DOUBLE"
	case Bool:
		return "BOOL"
	case Date:
		return "DATE"
	case Timestamp:
		return "TIMESTAMP"
	case Money:
		return "DECIMAL(28,4)"
	case Amount:
		return "DECIMAL(18,4)"
	}
	return fmt.Sprintf("Type(%d)", uint8(t))
}
