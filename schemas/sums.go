package schemas

import (
	"math/bits"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
)

// sumColumn holds sums, of which nearly all fit in 64 bits: while all do, an array of int64
// holds their ten-thousandths, half of what a decimal takes. Memory is most of the work here.
type sumColumn struct {
	narrow  fixedColumn[int64]
	wide    fixedColumn[Sum] // of all values, from the first one on that does not fit
	decimal arrow.DataType   // of arrays of these
}

// gather adds fields of type Sum, or Opt[Sum] where the column is nullable; in the place of
// a null stands a zero.
func (c *sumColumn) gather(f fields, nullable bool) error {
	if len(c.wide.values) > 0 {
		return c.wide.gather(f, nullable)
	}
	n, known, over := len(c.narrow.values), ^uint64(0), int64(0)
	c.narrow.values = grow(c.narrow.values, f.n)[:n+f.n]
	to := c.narrow.values[n:]
	if !nullable {
		for i := range to {
			v := fieldOf[Sum](f, i)
			low := int64(v.LowBits())
			over |= v.HighBits() ^ low>>63
			to[i] = low
		}
	} else {
		known = 0
		for i := range to {
			v := fieldOf[Opt[Sum]](f, i)
			low := int64(v.Value.LowBits())
			over |= v.Value.HighBits() ^ low>>63
			to[i] = low
			known |= bit(v.Valid) << i
		}
		clearNulls(to, known)
	}
	if over != 0 {
		c.narrow.values = c.narrow.values[:n]
		c.widen()
		return c.wide.gather(f, nullable)
	}
	if nullable {
		c.narrow.valid.append(known, f.n)
	}
	return nil
}

// clearNulls puts zeros where a bit is missing.
func clearNulls[T any](values []T, known uint64) {
	for null := ^known << (blockRows - len(values)) >> (blockRows - len(values)); null != 0; null &= null - 1 {
		i := bits.TrailingZeros64(null)
		clear(values[i : i+1])
	}
}

// widen makes decimals of the values so far.
func (c *sumColumn) widen() {
	c.wide.values = fresh[Sum](len(c.narrow.values) + blockRows)
	for _, v := range c.narrow.values {
		c.wide.values = append(c.wide.values, decimal128.FromI64(v))
	}
	c.wide.valid, c.narrow.valid = c.narrow.valid, validity{}
	c.narrow.values = c.narrow.values[:0]
}

func (c *sumColumn) take(t arrow.DataType) arrow.Array {
	if len(c.wide.values) == 0 {
		return c.narrow.take(t)
	}
	a := c.wide.take(c.decimal)
	c.wide = fixedColumn[Sum]{}
	return a
}
