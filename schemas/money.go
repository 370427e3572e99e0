package schemas

import "github.com/apache/arrow/go/v17/arrow/decimal128"

// Scale is the number of decimal places of every amount: an int64 amount counts
// ten-thousandths of a unit of its currency.
const Scale = 4

// MaxAmount is the largest magnitude of a DECIMAL(18,4), in ten-thousandths.
const MaxAmount int64 = 999_999_999_999_999_999

// Sum is an exact sum of amounts, in ten-thousandths; as DECIMAL(28,4) it is
// what Money columns hold.
type Sum = decimal128.Num
