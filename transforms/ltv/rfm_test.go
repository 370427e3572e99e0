package ltv

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestCompress(t *testing.T) {
	list := []RFM{{2, 20, 22}, {0, 0, 37}, {2, 4, 37}, {0, 0, 5}, {2, 20, 22}, {0, 0, 37}}
	s, at, err := Compress(list)
	if err != nil {
		t.Fatal(err)
	}
	want := []Row{{RFM{0, 0, 5}, 1}, {RFM{0, 0, 37}, 2}, {RFM{2, 20, 22}, 2}, {RFM{2, 4, 37}, 1}}
	if !slices.Equal(s.Rows(), want) {
		t.Errorf("rows %v, want %v", s.Rows(), want)
	}
	for i, c := range list {
		if s.Rows()[at[i]].RFM != c {
			t.Errorf("customer %d is %v, its row %v", i, c, s.Rows()[at[i]].RFM)
		}
	}
	if s.Customers() != 6 || s.Repeaters() != 3 {
		t.Errorf("%v customers, %v repeaters, want 6 and 3", s.Customers(), s.Repeaters())
	}
	counted, err := NewSummary([]Row{want[2], want[0], want[3], {RFM{0, 0, 37}, .5}, {RFM{0, 0, 37}, 1.5}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(counted.Rows(), want) {
		t.Errorf("counted rows %v, want %v", counted.Rows(), want)
	}
}

// Numbers that are equal are one, whatever their bits; weights are added in an order of
// their own, so that sums do not depend on the input.
func TestCompressEqualNumbers(t *testing.T) {
	s, at, err := Compress([]RFM{{0, 0, 5}, {0, math.Copysign(0, -1), 5}})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Rows()) != 1 || s.Customers() != 2 || at[0] != at[1] {
		t.Errorf("rows %v for 0 and −0, want one", s.Rows())
	}
	weights := []float64{1e16, 1, 1, 1, 1}
	var sums []float64
	for range 2 {
		var list []Row
		for _, w := range weights {
			list = append(list, Row{RFM{1, 2, 3}, w})
		}
		counted, err := NewSummary(list)
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, counted.Rows()[0].Customers)
		slices.Reverse(weights)
	}
	if sums[0] != sums[1] || sums[0] != 1e16+4 {
		t.Errorf("weights add up to %v in one order, %v in the other", sums[0], sums[1])
	}
}

// Many times, so that the tables of codes grow.
func TestCompressManyTimes(t *testing.T) {
	list := simulate(newSource(4), paretoCDNOW, 20000, 10, 100)
	s, at, err := Compress(list)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(s.Rows(), func(a, b Row) int { return compareRFM(a.RFM, b.RFM) }) {
		t.Error("the rows are not sorted")
	}
	for i, c := range list {
		if s.Rows()[at[i]].RFM != c {
			t.Fatalf("customer %d is %v, its row %v", i, c, s.Rows()[at[i]].RFM)
		}
	}
	for i, r := range s.Rows() {
		if s.times[s.recencyAt[i]] != r.Recency || s.times[s.ageAt[i]] != r.Age {
			t.Fatalf("row %v has the times %v and %v", r, s.times[s.recencyAt[i]], s.times[s.ageAt[i]])
		}
	}
}

func compareRFM(a, b RFM) int {
	return cmp.Or(cmp.Compare(a.Frequency, b.Frequency), cmp.Compare(a.Age, b.Age), cmp.Compare(a.Recency, b.Recency))
}

func TestImplausibleCustomersAreNamed(t *testing.T) {
	for want, c := range map[string]RFM{
		"frequency -1 is negative": {-1, 0, 3},
		"recency 4 and age 3":      {1, 4, 3},
		"recency NaN":              {1, math.NaN(), 3},
		"age NaN":                  {1, 1, math.NaN()},
		"age +Inf":                 {0, 0, math.Inf(1)},
		"frequency 0 with recency": {0, 1, 3},
		"frequency 2 with recency": {2, 0, 3},
	} {
		_, _, err := Compress([]RFM{{1, 2, 3}, c})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "customer 1: ") {
			t.Errorf("%v: error %v, want %q of customer 1", c, err, want)
		}
		if _, err := NewSummary([]Row{{c, 1}}); err == nil {
			t.Errorf("%v: no error as a row", c)
		}
	}
	for _, w := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		if _, err := NewSummary([]Row{{RFM{1, 2, 3}, w}}); err == nil {
			t.Errorf("weight %v: no error", w)
		}
	}
}
