package diff

import (
	"bytes"
	"iter"
	"strconv"

	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/cohortline/cohortline/schemas"
)

// Cells yields the columns in which a row differs. Of a row that is only in one version
// these are all that hold something and are no part of the key.
func (c *Comparison) Cells(r *Row) iter.Seq[int] {
	return func(yield func(int) bool) {
		key := 0
		for i := range c.Table.Columns {
			if key < len(c.keys) && c.isKey(i) {
				key++
				continue
			}
			if !same(value(r.Before, i), value(r.After, i), c.Table.Columns[i].Type) && !yield(i) {
				return
			}
		}
	}
}

func (c *Comparison) isKey(i int) bool {
	for _, k := range c.keys {
		if k == i {
			return true
		}
	}
	return false
}

// value is a value of a row; one that is not there has none.
func value(row []schemas.Value, i int) schemas.Value {
	if row == nil {
		return schemas.Value{Null: true}
	}
	return row[i]
}

func same(a, b schemas.Value, t schemas.Type) bool {
	switch {
	case a.Null || b.Null:
		return a.Null == b.Null
	case t == schemas.String:
		return bytes.Equal(a.Text, b.Text)
	case t == schemas.Double:
		return a.Float == b.Float
	}
	return a.Int == b.Int
}

// Delta is what a cell has gained. Counts and sums of a row that is not there are 0; with a
// null on either side, or where the values are no numbers, there is none.
type Delta struct {
	Valid bool
	Type  schemas.Type // of the column
	Sum   schemas.Sum  // Int64: units; Money and Amount: ten-thousandths
	Float float64      // of every type, in units: the nearest double
}

// DeltaOf is the difference of a column between the two versions of a row.
func (c *Comparison) DeltaOf(r *Row, column int) Delta {
	d := Delta{Type: c.Table.Columns[column].Type}
	before, after := number(r.Before, column, d.Type), number(r.After, column, d.Type)
	if before.Null || after.Null {
		return d
	}
	switch d.Type {
	case schemas.Int64, schemas.Money, schemas.Amount:
		d.Valid, d.Sum = true, decimal128.FromI64(after.Int).Sub(decimal128.FromI64(before.Int))
		d.Float = floatOf(d.Sum, d.Type)
	case schemas.Double:
		d.Valid, d.Float = true, after.Float-before.Float
	}
	return d
}

// number is a value of a row; counts and sums of a row that is not there are 0.
func number(row []schemas.Value, i int, t schemas.Type) schemas.Value {
	if row == nil && t != schemas.Double {
		return schemas.Value{}
	}
	return value(row, i)
}

func floatOf(s schemas.Sum, t schemas.Type) float64 {
	if t == schemas.Int64 {
		return s.ToFloat64(0)
	}
	return schemas.SumFloat(s)
}

// Plus is the sum of two differences of columns of the same type; that of doubles is rounded.
func (d Delta) Plus(o Delta) Delta {
	if !d.Valid || !o.Valid {
		if d.Valid {
			return d
		}
		return o
	}
	d.Sum, d.Float = d.Sum.Add(o.Sum), d.Float+o.Float
	if d.Type != schemas.Double {
		d.Float = floatOf(d.Sum, d.Type)
	}
	return d
}

// String is the difference of counts and sums as an exact decimal, that of doubles as the
// shortest text of the double; empty where there is none.
func (d Delta) String() string {
	switch {
	case !d.Valid:
		return ""
	case d.Type == schemas.Int64:
		return d.Sum.ToString(0)
	case d.Type == schemas.Double:
		return strconv.FormatFloat(d.Float, 'g', -1, 64)
	}
	return schemas.FormatSum(d.Sum)
}
