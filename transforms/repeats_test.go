package transforms

import (
	"math/rand/v2"
	"testing"
)

// TestRepeatsShortOfRoom gives a filter less room than it asks for: it may suspect more orders
// without need, but misses none; with room it suspects few.
func TestRepeatsShortOfRoom(t *testing.T) {
	const shift, n = 64 - 6, 50_000
	r := rand.New(rand.NewPCG(1, 4))
	hashes := make([]uint64, 2*n) // of which the first half is suspect
	for i := range hashes {
		hashes[i] = r.Uint64()
	}
	for _, c := range []struct {
		most            int64
		bytes, needless int // at most
	}{{0, 1 << 18, n / 100}, {1 << 14, 1 << 14, n}, {1, 8 << 6, n}} {
		f := newRepeats(n, c.most, shift)
		for _, h := range hashes[:n] {
			f.add(h)
		}
		suspect := make([]bool, len(hashes))
		f.look(hashes, suspect)
		missed, needless := 0, 0
		for i, s := range suspect {
			switch {
			case i < n && !s:
				missed++
			case i >= n && s:
				needless++
			}
		}
		if missed > 0 || needless > c.needless || int(f.size()) > c.bytes {
			t.Errorf("%d bytes allowed: %d taken, %d missed, %d suspect without need", c.most, f.size(), missed, needless)
		}
		if c.most > 0 && needless < n/10 {
			t.Errorf("%d bytes allowed: only %d of %d suspect without need; is there more room than allowed?", c.most, needless, n)
		}
	}
}
