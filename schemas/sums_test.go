package schemas

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
)

// TestSums: sums come back as they were, as numbers of 64 bits where all of a record fit and
// as decimals where one does not, wherever it stands; where there is none stands a zero.
func TestSums(t *testing.T) {
	type row struct {
		Sum   Sum      `col:"sum"`
		Maybe Opt[Sum] `col:"maybe"`
	}
	e := NewEncoder[row](Table{Name: "t", Columns: []Column{{Name: "sum", Type: Money}, {Name: "maybe", Type: Money, Nullable: true}}})
	r := rand.New(rand.NewPCG(1, 2))
	over := decimal128.New(0, 1<<63) // one more than fits
	under := decimal128.FromI64(math.MinInt64).Sub(decimal128.FromI64(1))
	for _, n := range []int{1, 63, 64, 65, 1000} {
		for _, odd := range []int{-1, 0, n / 2, n - 1} {
			rows := make([]row, n)
			for i := range rows {
				x := &rows[i]
				x.Sum, x.Maybe = decimal128.FromI64(int64(r.Uint64())), Opt[Sum]{decimal128.FromI64(int64(i + 1)), r.IntN(2) == 0}
				if i == odd {
					x.Sum, x.Maybe = over, Some(under)
				}
				e.Append(x)
			}
			rec, err := e.Take()
			if err != nil {
				t.Fatal(err)
			}
			for c := range 2 {
				a := rec.Column(c)
				if _, narrow := a.(*array.Int64); narrow != (odd < 0) {
					t.Fatalf("%d rows, one at %d that does not fit: column %d is %s", n, odd, c, a.DataType())
				}
				for i, x := range rows {
					want, known := x.Sum, true
					if c == 1 {
						if want, known = x.Maybe.Value, x.Maybe.Valid; !known {
							want = Sum{}
						}
					}
					if got := sumAt(a, i); got != want || a.IsValid(i) != known {
						t.Fatalf("%d rows, column %d, row %d: %v (%t), want %v (%t)", n, c, i, got, a.IsValid(i), want, known)
					}
				}
			}
			rec.Release()
		}
	}
}

func sumAt(a any, i int) Sum {
	if n, ok := a.(*array.Int64); ok {
		return decimal128.FromI64(n.Value(i))
	}
	return a.(*array.Decimal128).Value(i)
}
