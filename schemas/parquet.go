package schemas

import (
	"reflect"

	"github.com/parquet-go/parquet-go"
)

// MoneyBytes is the length of a Money value in Parquet: the least that holds 28 digits.
const MoneyBytes = 12

// Parquet returns the Parquet schema of the table: columns in declared order, optional
// only where nullable, DECIMAL(28,4) as fixed-length bytes, DECIMAL(18,4) as INT64.
func (t Table) Parquet() *parquet.Schema {
	root := orderedGroup{}
	for _, c := range t.Columns {
		node := c.Type.parquet()
		if c.Type == Date || c.Type == String && c.Name != "customer_id" { // few values, often repeated
			node = parquet.Encoded(node, &parquet.RLEDictionary)
		}
		if c.Nullable {
			node = parquet.Optional(node)
		} else {
			node = parquet.Required(node)
		}
		root.fields = append(root.fields, groupField{node, c.Name})
	}
	return parquet.NewSchema(t.Name, root)
}

// ParquetMetadata is what a file of the table says about itself: the description of the
// table, of every column, and its unit.
func (t Table) ParquetMetadata() [][2]string {
	m := [][2]string{{"cohortline.table", t.Name}, {"cohortline.description", t.Description}}
	for _, c := range t.Columns {
		m = append(m, [2]string{"cohortline.column." + c.Name, c.Description})
		if c.Unit != "" {
			m = append(m, [2]string{"cohortline.unit." + c.Name, c.Unit})
		}
	}
	return m
}

func (t Type) parquet() parquet.Node {
	switch t {
	case Int64:
		return parquet.Int(64)
	case Double:
		return parquet.Leaf(parquet.DoubleType)
	case Bool:
		return parquet.Leaf(parquet.BooleanType)
	case Date:
		return parquet.Date()
	case Timestamp:
		return parquet.TimestampAdjusted(parquet.Microsecond, true)
	case Money:
		return parquet.Decimal(Scale, MoneyPrecision, parquet.FixedLenByteArrayType(MoneyBytes))
	case Amount:
		return parquet.Decimal(Scale, AmountPrecision, parquet.Int64Type)
	default:
		return parquet.String()
	}
}

// orderedGroup is a group whose fields keep their order; parquet.Group sorts them by name.
type orderedGroup struct {
	parquet.Group
	fields []parquet.Field
}

func (g orderedGroup) Fields() []parquet.Field { return g.fields }

type groupField struct {
	parquet.Node
	name string
}

func (f groupField) Name() string { return f.name }

func (f groupField) Value(base reflect.Value) reflect.Value {
	return base.MapIndex(reflect.ValueOf(f.name))
}
