package source

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"testing"
)

func TestTextsOfAPage(t *testing.T) {
	page := func(texts ...string) (b []byte) {
		for _, s := range texts {
			b = append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...)
		}
		return b
	}
	var found pageTexts
	for _, texts := range [][]string{{"one", "", "größe"}, {"", ""}, {"a text that is longer than all others"}} {
		b := page(texts...)
		if err := found.find(b, len(texts)); err != nil {
			t.Fatal(err)
		}
		for i, want := range texts {
			if got := string(found.data[found.start[i]:found.end[i]]); got != want || len(found.start) != len(texts) {
				t.Errorf("%q: text %d is %q", texts, i, got)
			}
		}
	}
	whole := page("one", "two")
	for n := range whole { // cut off anywhere it has no two texts
		if err := found.find(whole[:n], 2); err == nil {
			t.Errorf("%d of %d bytes are read", n, len(whole))
		}
	}
	if err := found.find(page("one", "two"), 3); err == nil {
		t.Error("two texts are three")
	}
	if err := found.find([]byte{0xff, 0xff, 0xff, 0xff, 'x'}, 1); err == nil {
		t.Error("a text of four gigabytes is read")
	}
}

// TestLevelsLikeReference packs levels in runs of both kinds and reads them.
func TestLevelsLikeReference(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	for range 3000 {
		highest := byte(1 + r.IntN(3))
		width := bits.Len8(highest)
		var want, b []byte
		for range 1 + r.IntN(4) {
			if r.IntN(2) == 0 { // a run of one level
				n, level := 1+r.IntN(40), byte(r.IntN(int(highest)+1))
				b = append(binary.AppendUvarint(b, uint64(n)<<1), level)
				want = append(want, bytes.Repeat([]byte{level}, n)...)
				continue
			}
			groups := 1 + r.IntN(5)
			b = binary.AppendUvarint(b, uint64(groups)<<1|1)
			packed := make([]byte, groups*width)
			for i := range 8 * groups {
				level := byte(r.IntN(int(highest) + 1))
				for k := range width {
					packed[(i*width+k)/8] |= level >> k & 1 << ((i*width + k) % 8)
				}
				want = append(want, level)
			}
			b = append(b, packed...)
		}
		want = want[:len(want)-r.IntN(min(8, len(want)))] // the last of a packed run may be padding
		there := bytes.Count(want, []byte{highest})
		g := guard{maxLevel: highest}
		got, n, err := g.levels(make([]byte, len(want)), b, int32(len(want)))
		if err != nil || n != there || !bytes.Equal(got, want) && (got != nil || there < len(want)) {
			t.Fatalf("%v of %d at most as %x: %v, %d there, %v", want, highest, b, got, n, err)
		}
		if _, _, err := g.levels(make([]byte, len(want)+100), b, int32(len(want)+100)); err == nil {
			t.Fatalf("%d levels are read where there are %d", len(want)+100, len(want))
		}
	}
}
