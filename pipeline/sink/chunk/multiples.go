package chunk

import (
	"math"
	"math/bits"
	"slices"
)

const (
	stepSample = 128     // values that tell of what the others are likely to be multiples
	mostStep   = 1 << 24 // so that the product with a reciprocal is the exact quotient
	mostSteps  = 1 << 14 // between the least and the greatest value
)

// multiples puts values that lie some thousands of steps apart at most into the dictionary, in
// their order: amounts are multiples of a cent, and of ten where discounts are tenths of
// round prices. False where they are no multiples, or more than a byte can count.
func (e *Encoder) multiples(low int64, width uint64) bool {
	v, d := e.values.ints, &e.dict
	step := stepOf(v[:min(len(v), stepSample)], low)
	if step < 2 || step > mostStep || width/step >= uint64(min(len(v)/8, mostSteps)) {
		return false
	}
	d.codes = slices.Grow(d.codes[:0], len(v))[:len(v)]
	d.room(mostSteps)
	reciprocal, codes, index, rest := math.MaxUint64/step+1, d.codes, d.table[:mostSteps], uint64(0)
	for i, x := range v {
		n, _ := bits.Mul64(uint64(x)-uint64(low), reciprocal)
		rest |= uint64(x) - uint64(low) - n*step
		codes[i] = uint32(n)
		index[n%mostSteps] = 1
	}
	if rest != 0 {
		return false
	}
	list := d.values[:0]
	for i, present := range index {
		if present != 0 {
			index[i] = uint32(len(list))
			list = append(list, low+int64(i)*int64(step))
		}
	}
	if d.values = list; len(list) > 256 {
		return false
	}
	for i, n := range codes {
		codes[i] = index[n%mostSteps]
	}
	return true
}

// stepOf is the greatest number of which all differences from low are multiples; 0 where
// there are none.
func stepOf(v []int64, low int64) (step uint64) {
	for _, x := range v {
		for n := uint64(x) - uint64(low); n != 0; {
			step, n = n, step%n
		}
	}
	return step
}
