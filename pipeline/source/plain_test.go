package source

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// cutBoth cuts a text with and without cutBlocks and compares all that they find.
func cutBoth(t *testing.T, text []byte, eof bool) {
	t.Helper()
	var found [2]*csvRows
	var told [2]string
	for i, fast := range []bool{false, hasCutBlocks} {
		c := newCSVRows(&csvFile{delim: ','})
		c.fast = fast
		room := append(make([]byte, 0, len(text)+blockBytes), text...)
		rows, used, err := c.cut(room, eof)
		found[i], told[i] = c, fmt.Sprint(rows, used, err)
	}
	a, b := found[0], found[1]
	if told[0] != told[1] || a.clean != b.clean || !slices.Equal(a.ends, b.ends) || !slices.Equal(a.rows, b.rows) {
		t.Fatalf("%q, eof %t:\n%s, clean %t, %v, %v\n%s, clean %t, %v, %v", text, eof, told[0], a.clean, a.ends, a.rows, told[1], b.clean, b.ends, b.rows)
	}
}

// plainish is a text of rows that are plain but for one thing in some of them.
func plainish(r *rand.Rand, size int, odd string) []byte {
	var text []byte
	for len(text) < size {
		for k := range 1 + r.IntN(12) {
			if k > 0 {
				text = append(text, ',')
			}
			text = append(text, strings.Repeat("x", r.IntN(20))...)
			if r.IntN(150) == 0 {
				text = append(text, odd...)
			}
		}
		text = append(text, "\r\n"[r.IntN(2):]...)
	}
	return text
}

func TestPlainBlocksLikeScan(t *testing.T) {
	if !hasCutBlocks {
		t.Skip("this processor has no cutBlocks")
	}
	r := rand.New(rand.NewPCG(11, 12))
	for range 600 {
		for _, odd := range []string{"", "\x00", "ü", ",\"a,b\",", "\"", "\n\n", "\n\r\n", ",,,,,,,,", "\nx\n", strings.Repeat(",", 130), strings.Repeat("\n", 70), "\r", ",\"\n\"\"\",", "\x7f\x80"} {
			text := plainish(r, r.IntN(3000), odd)
			cutBoth(t, text, r.IntN(2) == 0)
		}
	}
	text := plainish(r, 5*plainBlocks*blockBytes, "")
	cutBoth(t, text, true)
	c := newCSVRows(&csvFile{delim: ','})
	c.text, c.ends = append(make([]byte, 0, len(text)+blockBytes), text...), []uint32{^uint32(0)}
	s := quoteState{afterSeparator: 1}
	if at, _, _ := c.scanPlain(0, 1, plainRow, &s); bytes.Count(text[:at], []byte{'\n'}) < 10 || len(c.rows) < 10 {
		t.Errorf("of %d bytes %d are plain, %d rows", len(text), at, len(c.rows))
	}
	for _, refused := range []string{"\"", "x\n"} {
		text := []byte(strings.Repeat("a,b\n", 16) + refused + strings.Repeat("c,d\n", 40))
		c := newCSVRows(&csvFile{delim: ','})
		c.text, c.ends = append(make([]byte, 0, len(text)+blockBytes), text...), []uint32{^uint32(0)}
		if at, first, _ := c.scanPlain(0, 1, plainRow, &s); at != blockBytes || first != 33 || len(c.rows) != 16 || len(c.ends) != 33 {
			t.Errorf("%q behind a block: at %d, %d ends, %d rows", refused, at, len(c.ends), len(c.rows))
		}
	}
}

// FuzzPlainBlocks compares the cutting of any text with and without cutBlocks.
func FuzzPlainBlocks(f *testing.F) {
	f.Add([]byte("a,b,c\n1,\"2\",3\n"), uint8(9), true)
	f.Add([]byte("a,b\n"), uint8(40), false)
	f.Fuzz(func(t *testing.T, text []byte, times uint8, eof bool) {
		cutBoth(t, bytes.Repeat(text, int(times)%40), eof)
	})
}
