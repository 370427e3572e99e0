package source

import (
	"bytes"
	"testing"
	"unicode/utf8"
)

// FuzzJSONScan compares the scanner with encoding/json: what it accepts both read alike.
func FuzzJSONScan(f *testing.F) {
	for _, line := range []string{
		`{"a":1,"b":{"c":"x"},"d":true}`, `{"a":"é","b":{"c":null}}`, ` { "d" : -1.5e+3 , "b" : { "x" : [1,{"c":2}] , "c" : "" } } `,
		`{"a":"x\n"}`, `{"z":"\u00e9\\","a":"x"}`, `{"a":1,"a":2}`, `{"b":{"c":1},"b":{}}`, `{"b":{"c":1},"b":2}`, `{"b":[{"c":1}]}`, `{"a":{}}`,
		`{"a":01}`, `{"a":1.}`, `{"a":.5}`, `{"a":-}`, `{"a":nul}`, `{"a":1}x`, `{"a":1,}`, `{,}`, `[]`, `null`, `{"a":"` + "\x01" + `"}`, `{"b.c":1}`, `{}`,
	} {
		f.Add([]byte(line))
	}
	paths := [][]string{{"a"}, {"b", "c"}, {"d"}, {"b", "x", "y"}}
	s := newJSONScanner(paths)
	f.Fuzz(func(t *testing.T, line []byte) {
		if !utf8.Valid(line) || !s.scan(line) {
			return
		}
		object, err := parseObject(bytes.TrimSpace(line))
		if err != nil {
			t.Fatalf("%q is accepted, encoding/json says %v", line, err)
		}
		for k, path := range paths {
			text, null, problem := lookup(object, path)
			v := s.found[k]
			if problem != "" || null == v.there || v.there && text != string(line[v.from:v.to]) {
				t.Fatalf("%q, %v: %q there %t; encoding/json reads %q, null %t, %s", line, path, line[v.from:v.to], v.there, text, null, problem)
			}
		}
	})
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
		if got := s.scan([]byte(line)); got != want {
			t.Errorf("%s: %t, want %t", line, got, want)
		}
	}
}
