package pipeline

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cohortline/cohortline/schemas"
)

// TestDaysOfDate compares the ends of all months of 9,999 years, and days that are none,
// with the standard library.
func TestDaysOfDate(t *testing.T) {
	for y := 1; y <= 9999; y++ {
		for m := 1; m <= 12; m++ {
			for _, d := range []int{1, 27, 28, 29, 30, 31, 32} {
				at := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
				days, ok := daysOfDate(y, m, d)
				if ok != (at.Day() == d) || ok && days*86_400 != at.Unix() {
					t.Fatalf("%d-%d-%d: %d, %t", y, m, d, days, ok)
				}
			}
		}
	}
	for _, c := range [][3]int{{0, 1, 1}, {10000, 1, 1}, {2024, 0, 1}, {2024, 13, 1}, {2024, 1, 0}, {2024, 1, -1}} {
		if _, ok := daysOfDate(c[0], c[1], c[2]); ok {
			t.Errorf("%v is a date", c)
		}
	}
}

// TestInstantLikeISO damages timestamps at every byte: what parseInstant reads, parseISO
// reads alike, and it reads all that are whole.
func TestInstantLikeISO(t *testing.T) {
	read := 0
	check := func(b []byte) {
		micros, ok := parseInstant(b)
		p, same := parseISO(b)
		if ok && (!same || !p.instant || p.micros != micros) {
			t.Fatalf("%q: %d, parseISO %v, %t", b, micros, p, same)
		}
		if ok {
			read++
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		at := time.UnixMicro(minInstant + r.Int64N(maxInstant-minInstant)).UTC()
		whole := []byte(at.Format(time.RFC3339))
		if micros, ok := parseInstant(whole); !ok || micros != at.Unix()*1e6 {
			t.Fatalf("%s: %d, %t", whole, micros, ok)
		}
		for i := range whole {
			for c := range 256 {
				b := append([]byte(nil), whole...)
				b[i] = byte(c)
				check(b)
			}
		}
		check(whole[:19])
		check(append(whole, 'Z'))
	}
	for _, s := range []string{"2024-02-30T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", "2024-01-01T00:00:60Z", "2024-13-01T00:00:00Z", "0000-01-01T00:00:00Z"} {
		if _, ok := parseInstant([]byte(s)); ok {
			t.Errorf("%s is read", s)
		}
	}
	if read < 300 {
		t.Errorf("only %d were read", read)
	}
}

// shortAmount reads one text with shortAmounts, behind a row with the mark in some place.
func shortAmount(before, text, after string, mark byte, optional bool) (v int64, known, ok bool) {
	from := uint32(len(before))
	rows := &schemas.Strings{Data: []byte(before + text + after), Start: []uint32{0, from}, End: []uint32{from, from + uint32(len(text))}}
	amounts, there := []int64{7, 7}, []bool{true, true}
	i := shortAmounts(rows, mark, optional, amounts, there, 0)
	if i == 0 { // what stands before is no amount, or is before the first eight bytes
		i = shortAmounts(rows, mark, optional, amounts, there, 1)
	}
	return amounts[1], there[1], i == 2
}

// TestShortAmountsLikeParseAmount reads texts of digits, marks and other bytes.
func TestShortAmountsLikeParseAmount(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	read := 0
	for range 300_000 {
		text := make([]byte, r.IntN(11))
		for i := range text {
			if text[i] = byte('0' + r.IntN(10)); r.IntN(6) == 0 {
				text[i] = "..,-+ 0/:\x00\xff\x7f"[r.IntN(12)]
			}
		}
		before := []string{"x1.9,0-2"[:r.IntN(9)], "123.4567", "12345.67", "123456,7", "1234567.", ".1234567", "12345678"}[r.IntN(7)]
		after, mark, optional := "7.,x"[:r.IntN(5)], ".,"[r.IntN(2)], r.IntN(2) == 0
		v, known, ok := shortAmount(before, string(text), after, mark, optional)
		if len(text) == 0 {
			if ok != optional || ok && (known || v != 0) {
				t.Fatalf("nothing behind %q, optional %t: %d, %t, %t", before, optional, v, known, ok)
			}
			continue
		}
		want, reason := parseAmount(text, mark, 0)
		if ok && (reason != "" || v != want || !known) {
			t.Fatalf("%q behind %q as %d, %t, parseAmount says %d %s", text, before, v, known, want, reason)
		}
		if ok {
			read++
		}
	}
	for _, s := range []string{"12.3456", "0.0000", "12345678", ".5", "5.", "40.08", "1234567.", "3.456"} {
		for _, before := range []string{"123.4567", "12345.67", "12345678"} {
			v, _, ok := shortAmount(before, s, "", '.', false)
			if want, _ := parseAmount([]byte(s), '.', 0); !ok || v != want {
				t.Errorf("%s behind %s: %d, %t", s, before, v, ok)
			}
		}
	}
	if read < 10_000 {
		t.Errorf("only %d were read", read)
	}
}

// TestTranslations asks for texts that differ in one byte, or only in their length; each
// has its own number, whatever stands around it.
func TestTranslations(t *testing.T) {
	var tr translations
	numbers := map[string]uint32{}
	asked := 0
	f := func(v []byte) (uint32, string) {
		asked++
		if len(v) == 3 {
			return 0, schemas.ReasonStatusUnknown
		}
		if _, ok := numbers[string(v)]; !ok {
			numbers[string(v)] = uint32(len(numbers))
		}
		return numbers[string(v)], ""
	}
	r := rand.New(rand.NewPCG(3, 3))
	texts := []string{""}
	for n := 1; n <= 20; n++ {
		base := fmt.Sprintf("%020d", n)[:n]
		texts = append(texts, base, base[:n-1]+"\x00")
		for i := range n {
			texts = append(texts, base[:i]+"x"+base[i+1:])
		}
	}
	short := 0
	for range 100_000 {
		s := texts[r.IntN(len(texts))]
		data := []byte("ab" + s + "0000000000000000"[:r.IntN(17)])
		column := &schemas.Strings{Data: data, Start: []uint32{2}, End: []uint32{2 + uint32(len(s))}}
		to, why := []uint32{99}, ""
		if translateShort(&tr, column, to, 0) == 0 {
			to[0], why = tr.of(column.At(0), f)
		} else {
			short++
		}
		if want, ok := numbers[s]; len(s) != 3 && (!ok || to[0] != want || why != "") || len(s) == 3 && why == "" {
			t.Fatalf("%q: %d, %s, want %d", s, to[0], why, want)
		}
	}
	if short < 5000 {
		t.Errorf("only %d were known", short)
	}
	tr = translations{}
	before := asked
	for range 1000 {
		column := &schemas.Strings{Data: []byte("paid a long text of a column"), Start: []uint32{0}, End: []uint32{4}}
		if translateShort(&tr, column, []uint32{0}, 0) == 0 {
			tr.of([]byte("paid"), f)
		}
		tr.of([]byte("a long text of a column"), f)
	}
	if asked != before+2 {
		t.Errorf("asked %d times for two texts", asked-before)
	}
}
