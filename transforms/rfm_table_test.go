package transforms

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Keys are found many at a time where they are found one by one, new ones among them.
func TestPlacesOf(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var one, many rfmTable
	var found []uint32
	for range 200 {
		var keys []rfmKey
		for range r.IntN(40) {
			keys = append(keys, rfmKey{uint32(r.IntN(3)), uint32(r.IntN(9)), uint32(r.IntN(20)), 7})
		}
		var want []uint32
		for _, k := range keys {
			want = append(want, one.place(k))
		}
		if found = many.placesOf(keys, found); !slices.Equal(found, want) {
			t.Fatalf("%v, want %v", found, want)
		}
	}
	if len(many.rows) != 3*9*20 || !slices.Equal(one.rows, many.rows) {
		t.Errorf("%d rows, want all %d that there are", len(many.rows), 3*9*20)
	}
}
