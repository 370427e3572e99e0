package chunk

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/cohortline/cohortline/schemas"
	"github.com/klauspost/compress/zstd"
)

func testSqueezer(t testing.TB) (*squeezer, *zstd.Decoder) {
	t.Helper()
	s, err := newSqueezer()
	if err != nil {
		t.Fatal(err)
	}
	d, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return s, d
}

func unpack(t testing.TB, d *zstd.Decoder, frame, want []byte) {
	t.Helper()
	got, err := d.DecodeAll(frame, nil)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes in a frame of %d came back as %d, %v", len(want), len(frame), len(got), err)
	}
}

// TestMoneyFrames: whatever the size of the values and however many, a decoder gives back
// their twelve bytes each.
func TestMoneyFrames(t *testing.T) {
	s, d := testSqueezer(t)
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{2, 3, 4, 40, 127, 128, 129, blockMoneys, blockMoneys + 1, blockMoneys + 2, 2*blockMoneys + 1, 131_072} {
		for bits := 1; bits <= 64; bits += 7 {
			for _, signed := range []bool{false, true} {
				v := make([]int64, n)
				for i := range v {
					if v[i] = int64(r.Uint64() >> (64 - bits)); v[i] < 0 && !signed {
						v[i] = ^v[i]
					}
					if signed && r.IntN(2) == 0 {
						v[i] = ^v[i]
					}
				}
				low, high := bounds(v)
				unpack(t, d, s.money(nil, v, low, high), plain(nil, schemas.Money, v))
			}
		}
	}
	for _, v := range [][]int64{{0, 0}, {-1, -1, -1}, {math.MinInt64, math.MaxInt64}, {math.MaxInt64, 0}, make([]int64, 50_000)} {
		low, high := bounds(v)
		unpack(t, d, s.money(nil, v, low, high), plain(nil, schemas.Money, v))
	}
}

func TestMoneyFramesAreSmall(t *testing.T) {
	s, _ := testSqueezer(t)
	r := rand.New(rand.NewPCG(5, 6))
	v := make([]int64, 100_000)
	for i := range v {
		v[i] = 100 * r.Int64N(1_000_000) // up to 10,000.00
	}
	low, high := bounds(v)
	if got := len(s.money(nil, v, low, high)); got > 4*len(v) {
		t.Errorf("%d values of 27 bits take %d bytes", len(v), got)
	}
}

func TestLiteralFrames(t *testing.T) {
	s, d := testSqueezer(t)
	r := rand.New(rand.NewPCG(7, 8))
	for _, n := range []int{0, 1, 95, 96, 1000, blockBytes, blockBytes + 1, 1 << 20} {
		for _, letters := range []int{1, 2, 10, 256} {
			b := make([]byte, n)
			for i := range b {
				b[i] = byte(r.IntN(letters))
			}
			unpack(t, d, s.literals(nil, b), b)
		}
	}
}

// FuzzFrames: no bytes, as text or as values, that a frame does not give back.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("0123456789abcdef"), uint8(0))
	f.Add(bytes.Repeat([]byte{0, 0, 0, 0, 1, 2, 3, 4}, 40), uint8(60))
	f.Fuzz(func(t *testing.T, b []byte, shift uint8) {
		s, d := testSqueezer(t)
		unpack(t, d, s.literals(nil, b), b)
		if p, ok := s.page(nil, b); ok {
			unpack(t, d, p, b)
		}
		var v []int64
		for len(b) >= 8 {
			v, b = append(v, int64(binary.LittleEndian.Uint64(b))>>(shift&63)), b[8:]
		}
		if len(v) < 2 {
			return
		}
		low, high := bounds(v)
		unpack(t, d, s.money(nil, v, low, high), plain(nil, schemas.Money, v))
	})
}

func TestBounds(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for n := 1; n < 20; n++ {
		v, low, high := make([]int64, n), int64(math.MaxInt64), int64(math.MinInt64)
		for i := range v {
			v[i] = int64(r.Uint64())
			low, high = min(low, v[i]), max(high, v[i])
		}
		if l, h := bounds(v); l != low || h != high {
			t.Errorf("%v: %d to %d", v, l, h)
		}
	}
}

// TestTextBounds compares the bounds found by first bytes with those found by comparing.
func TestTextBounds(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for range 2000 {
		v := values{}
		var low, high string
		for i := range 1 + r.IntN(6) {
			text := "abcdefghijkl"[:r.IntN(13)] + fmt.Sprint(r.IntN(3)) + string(rune(r.IntN(3)))
			if text = text[r.IntN(len(text)):]; r.IntN(5) == 0 {
				text = ""
			}
			v.lengths, v.text = append(v.lengths, int32(len(text))), append(v.text, text...)
			if i == 0 {
				low, high = text, text
			}
			low, high = min(low, text), max(high, text)
		}
		if l, h := v.textBounds(); string(l) != low || string(h) != high {
			t.Fatalf("%q of lengths %v: bounds %q and %q, want %q and %q", v.text, v.lengths, l, h, low, high)
		}
	}
}
