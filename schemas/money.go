package schemas

import (
	"math/big"

	"github.com/apache/arrow/go/v17/arrow/decimal128"
)

// Scale is the number of decimal places of every amount: an int64 amount counts
// ten-thousandths of a unit of its currency.
const Scale = 4

// MaxAmount is the largest magnitude of a DECIMAL(18,4), in ten-thousandths.
const MaxAmount int64 = 999_999_999_999_999_999

// Sum is an exact sum of amounts, in ten-thousandths; as DECIMAL(28,4) it is
// what Money columns hold.
type Sum = decimal128.Num

// FormatSum writes a sum with its four decimal places, e.g. -12.3400.
func FormatSum(s Sum) string { return s.ToString(Scale) }

// SumFloat is the double nearest to a sum, in units of currency: correctly rounded.
func SumFloat(s Sum) float64 { return SumRatio(s, 1) }

// SumRatio is the double nearest to sum / n, in units of currency: one rounding only.
func SumRatio(s Sum, n int64) float64 {
	if v := int64(s.LowBits()); s.HighBits() == v>>63 && abs(v) < 1<<53 && n < 1<<53/10_000 {
		return float64(v) / float64(n*10_000) // both exact, so the quotient is rounded once
	}
	f, _ := new(big.Rat).SetFrac(s.BigInt(), new(big.Int).Mul(big.NewInt(n), big.NewInt(10_000))).Float64()
	return f
}

func abs(v int64) int64 {
	if v < 0 {
		return -v
	}
	return v
}
