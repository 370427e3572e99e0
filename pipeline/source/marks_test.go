package source

import (
	"math/rand/v2"
	"testing"
)

// TestMarks compares both ways of marking with a look at each byte.
func TestMarks(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 2000 {
		text := make([]byte, blockBytes*(1+r.IntN(5)))
		for i := range text {
			if text[i] = byte(r.IntN(256)); round%2 == 0 {
				text[i] = ",\"\n\x00 ab\x1f\x20\x7f\x80\xff"[r.IntN(12)]
			}
		}
		limit := []byte{0, 1, 0x20, 0x7f}[r.IntN(4)]
		m := newMarkers(',', '"', '\n', limit)
		want := make([]marks, len(text)/blockBytes)
		for i, c := range text {
			x, bit := &want[i/blockBytes], uint64(1)<<(i%blockBytes)
			if c == ',' {
				x.a |= bit
			}
			if c == '"' {
				x.b |= bit
			}
			if c == '\n' {
				x.c |= bit
			}
			if c < limit || c >= 0x80 {
				x.odd |= bit
			}
		}
		for name, f := range map[string]func([]marks, []byte, *markers){"mark": mark, "markPortably": markPortably} {
			got := make([]marks, len(want))
			f(got, text, &m)
			for i := range got {
				if got[i] != want[i] {
					t.Fatalf("%s, limit %d, block %d of %q: %x, want %x", name, limit, i, text, got[i], want[i])
				}
			}
		}
	}
}

func BenchmarkMark(b *testing.B) {
	text := make([]byte, 1<<18)
	to := make([]marks, len(text)/blockBytes)
	m := newMarkers(',', '"', '\n', 1)
	for name, f := range map[string]func([]marks, []byte, *markers){"processor": mark, "portable": markPortably} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				f(to, text, &m)
			}
		})
	}
}
