package chunk

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cohortline/cohortline/schemas"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/format"
)

// TestCommonPrefix: ids that begin alike are written without their beginning, others whole.
func TestCommonPrefix(t *testing.T) {
	e, err := NewEncoder()
	if err != nil {
		t.Fatal(err)
	}
	const n = 20_000
	for begin, want := range map[string]format.Encoding{"c-": format.DeltaByteArray, "gid://shop/Customer/": format.DeltaByteArray, "": format.DeltaLengthByteArray, "c": format.DeltaLengthByteArray} {
		b, r := array.NewStringBuilder(memory.DefaultAllocator), rand.New(rand.NewPCG(1, 2))
		for range n {
			b.Append(fmt.Sprintf("%s%010d", begin, r.Int64N(1e10)))
		}
		a := b.NewStringArray()
		out, meta, err := e.Encode(nil, schemas.Column{Name: "id"}, []Span{{Array: a, To: n}})
		if err != nil {
			t.Fatal(err)
		}
		if got := meta.Encoding[0]; got != want || want == format.DeltaByteArray && len(out) > 9*n/2 {
			t.Errorf("ids that begin with %q: %s in %d bytes, want %s", begin, got, len(out), want)
		}
	}
}

// TestRests: a page of texts gives them back, whatever follows what they share.
func TestRests(t *testing.T) {
	e, err := NewEncoder()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	for _, common := range []string{"", "a", "abcdefgh", strings.Repeat("x", 40)} {
		for range 50 {
			var lengths []int32
			var text, want []byte
			for i := range 1 + r.IntN(20) {
				one := common + strings.Repeat(string(rune('a'+r.IntN(26))), r.IntN(40)*r.IntN(2))
				lengths, text = append(lengths, int32(len(one))), append(text, one...)
				if i == 0 {
					want = append(want, one...)
				} else {
					want = append(want, one[len(common):]...)
				}
			}
			if got := appendRests([]byte("before"), text[:len(text):len(text)], lengths, len(common)); string(got) != "before"+string(want) {
				t.Fatalf("%q of lengths %v without %q: %q", text, lengths, common, got)
			}
			if err := e.textPage(lengths, text, len(common), len(lengths)); err != nil {
				t.Fatal(err)
			}
			back, _, err := new(delta.ByteArrayEncoding).DecodeByteArray(nil, e.payload, nil)
			if common != "" && len(lengths) > 1 && (err != nil || string(back) != string(text)) {
				t.Fatalf("%q of lengths %v came back as %q, %v", text, lengths, back, err)
			}
		}
	}
}
