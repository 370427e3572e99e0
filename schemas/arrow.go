package schemas

import "github.com/apache/arrow/go/v17/arrow"

// Precisions of the two decimal types.
const (
	MoneyPrecision  = 28
	AmountPrecision = 18
)

// Arrow returns the Arrow data type of a logical type.
func (t Type) Arrow() arrow.DataType {
	switch t {
	case Int64:
		return arrow.PrimitiveTypes.Int64
	case Double:
		return arrow.PrimitiveTypes.Float64
	case Bool:
		return arrow.FixedWidthTypes.Boolean
	case Date:
		return arrow.FixedWidthTypes.Date32
	case Timestamp:
		return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	case Money:
		return &arrow.Decimal128Type{Precision: MoneyPrecision, Scale: Scale}
	case Amount:
		return &arrow.Decimal128Type{Precision: AmountPrecision, Scale: Scale}
	default:
		return arrow.BinaryTypes.String
	}
}

// Arrow returns the Arrow schema of the table, descriptions and units as field metadata.
func (t Table) Arrow() *arrow.Schema {
	fields := make([]arrow.Field, len(t.Columns))
	for i, c := range t.Columns {
		fields[i] = arrow.Field{Name: c.Name, Type: c.Type.Arrow(), Nullable: c.Nullable, Metadata: arrow.NewMetadata([]string{"description", "unit"}, []string{c.Description, c.Unit})}
	}
	metadata := arrow.NewMetadata([]string{"table", "description"}, []string{t.Name, t.Description})
	return arrow.NewSchema(fields, &metadata)
}
