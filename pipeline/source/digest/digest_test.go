package digest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// check compares the sums of texts with those of crypto/sha256.
func check(t *testing.T, texts [][]byte, threads int, wrap func(io.Reader) io.Reader) {
	t.Helper()
	sums, err := Sums(len(texts), threads, func(i int) (io.ReadCloser, error) {
		return io.NopCloser(wrap(bytes.NewReader(texts[i]))), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		if sums[i] != sha256.Sum256(text) {
			t.Errorf("%d threads: the sum of text %d of %d, %d bytes, is wrong", threads, i, len(texts), len(text))
		}
	}
}

func plain(r io.Reader) io.Reader { return r }

func random(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestSums(t *testing.T) {
	sizes := []int{0, 1, 55, 56, 63, 64, 65, 127, 128, 129, 1000, bufBytes - 1, bufBytes, bufBytes + 1, 3*bufBytes + 77, 3, 64 * 5, 0}
	for n := range len(sizes) + 1 {
		var texts [][]byte
		for i, size := range sizes[:n] {
			texts = append(texts, random(uint64(i), size))
		}
		for _, threads := range []int{1, 2, 5} {
			check(t, texts, threads, plain)
		}
		check(t, texts, 1, iotest.HalfReader)
		check(t, texts, 1, iotest.DataErrReader)
	}
}

// TestSumsOfEachPair takes every pair of lengths around the ends of blocks.
func TestSumsOfEachPair(t *testing.T) {
	for a := range 200 {
		for b := range 200 {
			check(t, [][]byte{random(1, a), random(2, b)}, 1, plain)
		}
	}
}

func TestSumsFail(t *testing.T) {
	broken := errors.New("broken")
	for _, where := range []int{0, 1, 2} {
		for _, threads := range []int{1, 3} {
			open := 0
			sums, err := Sums(3, threads, func(i int) (io.ReadCloser, error) {
				if i == where {
					return nil, broken
				}
				return io.NopCloser(strings.NewReader("text")), nil
			})
			if !errors.Is(err, broken) {
				t.Errorf("text %d cannot be opened: %v, %v", where, sums, err)
			}
			closed := make([]bool, 3)
			_, err = Sums(3, 1, func(i int) (io.ReadCloser, error) {
				open++
				var r io.Reader = bytes.NewReader(random(3, 2*bufBytes))
				if i == where {
					r = io.MultiReader(bytes.NewReader(random(4, bufBytes+5)), iotest.ErrReader(broken))
				}
				return &closing{r, &closed[i]}, nil
			})
			if !errors.Is(err, broken) {
				t.Errorf("text %d cannot be read: %v", where, err)
			}
			for i := range open {
				if !closed[i] {
					t.Errorf("text %d cannot be read: text %d stays open", where, i)
				}
			}
		}
	}
}

type closing struct {
	io.Reader
	closed *bool
}

func (c *closing) Close() error { *c.closed = true; return nil }

// FuzzSums compares two texts, cut out of one, with crypto/sha256.
func FuzzSums(f *testing.F) {
	f.Add([]byte("one text and another"), uint16(4), uint16(3))
	f.Add(random(5, 1000), uint16(300), uint16(64))
	f.Fuzz(func(t *testing.T, text []byte, cut, times uint16) {
		at := min(int(cut), len(text))
		long := bytes.Repeat(text[:at], int(times)%64)
		check(t, [][]byte{text[at:], long, text}, 1, plain)
	})
}

func BenchmarkPair(b *testing.B) {
	if !hasPairs {
		b.Skip("no pairs on this processor")
	}
	x, y := random(1, bufBytes), random(2, bufBytes)
	s, u := initial, initial
	b.SetBytes(2 * bufBytes)
	for b.Loop() {
		sumPair(&s, &u, x, y)
	}
}

func BenchmarkOne(b *testing.B) {
	x := random(1, bufBytes)
	h := sha256.New()
	b.SetBytes(bufBytes)
	for b.Loop() {
		h.Write(x)
	}
}
