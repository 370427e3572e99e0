package diff

import (
	"encoding/binary"
	"math"

	"github.com/cohortline/cohortline/schemas"
)

// appendValue appends a value so that equal bytes are equal values.
func appendValue(d []byte, v schemas.Value, t schemas.Type) []byte {
	switch {
	case v.Null:
		return append(d, 0)
	case t == schemas.String:
		d = binary.AppendUvarint(append(d, 1), uint64(len(v.Text)))
		return append(d, v.Text...)
	case t == schemas.Double:
		return binary.LittleEndian.AppendUint64(append(d, 1), math.Float64bits(v.Float))
	}
	return binary.LittleEndian.AppendUint64(append(d, 1), uint64(v.Int))
}

// decode is the values of an encoded row, appended to values. Texts alias the row.
func (c *Comparison) decode(row []byte, values []schemas.Value) []schemas.Value {
	for i := range c.Table.Columns {
		there := row[0] == 1
		row = row[1:]
		v := schemas.Value{Null: !there}
		switch t := c.Table.Columns[i].Type; {
		case !there:
		case t == schemas.String:
			n, k := binary.Uvarint(row)
			end := k + int(n)
			v.Text, row = row[k:end:end], row[end:]
		case t == schemas.Double:
			v.Float, row = math.Float64frombits(binary.LittleEndian.Uint64(row)), row[8:]
		default:
			v.Int, row = int64(binary.LittleEndian.Uint64(row)), row[8:]
		}
		values = append(values, v)
	}
	return values
}

// appendKey appends a value of a key so that the bytes of keys are ordered as their values
// are.
func appendKey(d []byte, v schemas.Value, t schemas.Type) []byte {
	switch {
	case v.Null:
		return append(d, 0)
	case t == schemas.String:
		d = append(d, 1)
		for _, b := range v.Text {
			if d = append(d, b); b == 0 {
				d = append(d, 0xff)
			}
		}
		return append(d, 0, 0)
	case t == schemas.Double: // no key has one; any order will do
		return binary.BigEndian.AppendUint64(append(d, 1), math.Float64bits(v.Float))
	}
	return binary.BigEndian.AppendUint64(append(d, 1), uint64(v.Int)^1<<63)
}
