package source

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

var scannedPaths = [][]string{{"a"}, {"b", "c"}, {"d"}, {"b", "x", "y"}}

// checkScan compares the scanner with encoding/json: what it accepts both read alike.
func checkScan(t *testing.T, s, alone *jsonScanner, line []byte) (accepted bool) {
	t.Helper()
	const before = `{"a":7}` + "\n"
	text := make([]byte, 0, len(before)+len(line)+64)
	text = append(append(text, before...), line...)
	found := make([]jsonValue, len(scannedPaths)+1)
	ascii, ok := s.scan(text, len(before), len(text), found)
	short := make([]jsonValue, len(scannedPaths)+1) // by a scanner without room behind the text
	if _, also := alone.scan(slices.Clip(text), len(before), len(text), short); also != ok || ok && !slices.Equal(short[:len(scannedPaths)], found[:len(scannedPaths)]) {
		t.Fatalf("%q is %t, %v with room behind the text and %t, %v without", line, ok, found, also, short)
	}
	if !ok {
		return false
	}
	if !utf8.Valid(line) {
		if ascii {
			t.Fatalf("%q is taken for ASCII", line)
		}
		return false
	}
	object, err := parseObject(bytes.TrimSpace(line))
	if err != nil {
		t.Fatalf("%q is accepted, encoding/json says %v", line, err)
	}
	whole := text
	for k, path := range scannedPaths {
		text, null, problem := lookup(object, path)
		v := found[k]
		if problem != "" || null == v.there() || v.there() && text != string(whole[v.from:v.to]) {
			t.Fatalf("%q, %v: %q there %t; encoding/json reads %q, null %t, %s", line, path, whole[v.from:v.to], v.there(), text, null, problem)
		}
	}
	return true
}

// FuzzJSONScan compares the scanner with encoding/json on two lines, of which the first
// has the shape that the second is expected to have.
func FuzzJSONScan(f *testing.F) {
	lines := []string{
		`{"a":1,"b":{"c":"x"},"d":true}`, `{"a":"é","b":{"c":null}}`, ` { "d" : -1.5e+3 , "b" : { "x" : [1,{"c":2}] , "c" : "" } } `,
		`{"a":"x\n"}`, `{"z":"\u00e9\\","a":"x"}`, `{"a":1,"a":2}`, `{"b":{"c":1},"b":{}}`, `{"b":{"c":1},"b":2}`, `{"b":[{"c":1}]}`, `{"a":{}}`,
		`{"a":01}`, `{"a":1.}`, `{"a":.5}`, `{"a":-}`, `{"a":nul}`, `{"a":1}x`, `{"a":1,}`, `{,}`, `[]`, `null`, `{"a":"` + "\x01" + `"}`, `{"b.c":1}`, `{}`,
		`{"a":1,"b":{"c":"x","x":{"y":2}},"d":3}`, `{"a":1,"b":{"x":{"y":2}},"d":3}`, `{"ü":1,"a":2}`,
	}
	for i, line := range lines {
		f.Add([]byte(line), []byte(line))
		f.Add([]byte(line), []byte(lines[(i+1)%len(lines)]))
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		s, alone := newJSONScanner(scannedPaths), newJSONScanner(scannedPaths)
		checkScan(t, s, alone, first)
		checkScan(t, s, alone, second)
	})
}

// TestScanLikeEncodingJSON reads lines that resemble each other, whole and damaged, one
// after the other.
func TestScanLikeEncodingJSON(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	scalar := func() string {
		return []string{`1`, `-0.25`, `"x"`, `""`, `null`, `true`, `false`, `"größe"`, `"a\"b"`, `"1234567890123456"`, `{}`, `[1,"a"]`, `1e5`, `01`, "\"\xff\""}[r.IntN(15)]
	}
	member := func(depth int, f func(depth int) string) string {
		key := []string{"a", "b", "c", "d", "x", "y", "z", "ü"}[r.IntN(8)]
		if key == "b" || key == "x" && depth > 0 {
			return fmt.Sprintf("%q:%s", key, f(depth+1))
		}
		return fmt.Sprintf("%q:%s", key, scalar())
	}
	var object func(depth int) string
	object = func(depth int) string {
		if depth > 3 {
			return scalar()
		}
		var members []string
		for range r.IntN(6) {
			members = append(members, member(depth, object))
		}
		return "{" + strings.Join(members, ",") + "}"
	}
	accepted, shaped := 0, 0
	for range 3000 {
		s, alone := newJSONScanner(scannedPaths), newJSONScanner(scannedPaths)
		base := object(0)
		for range 12 {
			line := []byte(base)
			switch r.IntN(4) {
			case 0: // damaged
				if at := r.IntN(len(line)); r.IntN(2) == 0 {
					line[at] = "{}[],:\"\\0a \xff"[r.IntN(12)]
				} else {
					line = append(line[:at], line[min(len(line), at+1+r.IntN(8)):]...)
				}
			case 1: // without one of its keys
				parts := strings.Split(base, ",")
				k := r.IntN(len(parts))
				line = []byte(strings.Join(append(parts[:k:k], parts[k+1:]...), ","))
			case 2:
				line = []byte(strings.NewReplacer(`"x"`, `"other"`, `1`, `77`, `null`, `"n"`, `true`, `null`).Replace(base))
			}
			serial := s.serial
			if len(line) > 0 && checkScan(t, s, alone, line) {
				if accepted++; s.serial == serial {
					shaped++
				}
			}
		}
	}
	if accepted < 10_000 || shaped < 3_000 {
		t.Errorf("%d lines were accepted, %d by their shape", accepted, shaped)
	}
}

// TestJSONScanReadsPlainLines makes sure that the scanner does not leave the common lines
// to the slow reader.
func TestJSONScanReadsPlainLines(t *testing.T) {
	s := newJSONScanner([][]string{{"id"}, {"customer", "id"}})
	for line, want := range map[string]bool{
		`{"id":"1","customer":{"id":7,"name":"\u00c9va"},"tags":["a",{"id":1}],"paid":true}`: true,
		`{"customer":{"id":7},"id":"1"}`:    true,
		`{"id":"a\"b","customer":{"id":7}}`: false,
		`{"id":["1"]}`:                      false,
	} {
		if _, got := s.scan([]byte(line), 0, len(line), make([]jsonValue, 3)); got != want {
			t.Errorf("%s: %t, want %t", line, got, want)
		}
	}
}

// TestShapesWithNumbers reads numbers of all forms by the shape of a line with others.
func TestShapesWithNumbers(t *testing.T) {
	for number, good := range map[string]bool{
		"0": true, "-0": true, "7": true, "40.0800": true, "-0.5": true, "1e5": true, "1.5E-3": true, "123456789012345678901234567890.25": true, "12345678901234567890123456789012": true,
		"1234567890123456789012345678901.5": true, "1.234567890123456789012345678901": true, "1.2345678901234567890123456789012": true,
		"": false, "-": false, "00": false, "-01": false, "1.": false, ".5": false, "1.5.2": false, "1x": false, "+1": false, "1-": false, "0x1": false, "--1": false, "1e": false, "\xff": false,
	} {
		for _, form := range []string{`{"a":%s,"d":3}`, `{"a":1,"d":%s}`, `{"b":{"c":%s},"d":-2.5}`} {
			s, alone := newJSONScanner(scannedPaths), newJSONScanner(scannedPaths)
			checkScan(t, s, alone, fmt.Appendf(nil, form, "12.5"))
			serial := s.serial
			line := fmt.Appendf(nil, form, number)
			if ok := checkScan(t, s, alone, line); ok != good || ok && s.serial != serial {
				t.Errorf("%s: read %t, by the shape %t", line, ok, s.serial == serial)
			}
		}
	}
}

// TestShapesWithMissingKeys reads lines that lack keys by the shape of a whole one.
func TestShapesWithMissingKeys(t *testing.T) {
	s, alone := newJSONScanner(scannedPaths), newJSONScanner(scannedPaths)
	checkScan(t, s, alone, []byte(`{"a":1,"q":"\"","b":{"c":2,"z":"ü","x":{"y":3}},"p":null,"d":4}`))
	serial := s.serial
	for _, line := range []string{
		`{"a":5,"b":{"c":2,"x":{"y":3}},"d":4}`, `{"a":1,"q":"","b":{"c":2,"z":"","x":{"y":3}},"p":1}`, `{"a":"","b":{"c":true,"x":{"y":false}}}`,
	} {
		if !checkScan(t, s, alone, []byte(line)) || s.serial != serial {
			t.Errorf("%s is not read by the shape", line)
		}
	}
	checkScan(t, s, alone, []byte(`{"a":1,"b":{"c":2,"x":{"y":3},"d":4}}`)) // d is inside b here
	if s.serial == serial {
		t.Error("a line of another nesting is read by the shape")
	}
}
