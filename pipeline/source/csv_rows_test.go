package source

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// referenceRows cuts a delimited text with a look at one byte after the other. A row that
// has something behind a closing quote is "ragged_row". open says that the text ends
// between quotes.
func referenceRows(text string, delim byte) (rows [][]string, open bool) {
	var row []string
	var value []byte
	const (
		begin = iota
		bare
		quoted
		closed
	)
	state, anyQuote, ragged := begin, false, false
	endField := func(last bool) {
		if last && (state == bare || state == begin) && bytes.HasSuffix(value, []byte("\r")) {
			value = value[:len(value)-1]
		}
		row = append(row, string(value))
		value, state = nil, begin
	}
	endRow := func() {
		endField(true)
		switch {
		case ragged:
			rows = append(rows, []string{"ragged_row"})
		case len(row) > 1 || row[0] != "" || anyQuote:
			rows = append(rows, row)
		}
		row, anyQuote, ragged = nil, false, false
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case state == quoted && c == '"' && i+1 < len(text) && text[i+1] == '"':
			value = append(value, c)
			i++
		case state == quoted && c == '"':
			state = closed
		case state == quoted:
			value = append(value, c)
		case c == delim:
			endField(false)
		case c == '\n':
			endRow()
		case state == begin && c == '"':
			state, anyQuote = quoted, true
		case state == closed:
			ragged = ragged || c != '\r' || i+1 < len(text) && text[i+1] != '\n'
		default:
			state = bare
			value = append(value, c)
		}
	}
	if state == quoted {
		return rows, true
	}
	if n := len(text); n > 0 && text[n-1] != '\n' {
		endRow()
	}
	return rows, false
}

// readRows reads a text without header in pieces of the given size, as shares of as many
// readers at a time.
func readRows(text string, columns, window, readers int) (rows [][]string, err error) {
	names := make([]string, columns)
	for i := range names {
		names[i] = fmt.Sprint("c", i)
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
	file, err := openCSV("f", open, Options{NoHeader: names, Threads: readers})
	if err != nil {
		return nil, err
	}
	defer file.Close()
	file.(*csvFile).window = window
	type numbered struct {
		number int64
		row    []string
	}
	var all []numbered
	var mu sync.Mutex
	var wg sync.WaitGroup
	want := make([]int, columns)
	for i := range want {
		want[i] = i
	}
	for unit := range file.Units() {
		wg.Go(func() {
			for b, e := range file.Read(context.Background(), unit, want) {
				mu.Lock()
				if e != nil {
					err = e
					mu.Unlock()
					return
				}
				for i := range b.N {
					row := []string{}
					if k := slices.IndexFunc(b.Bad, func(x BadRow) bool { return x.Index == i }); k >= 0 {
						row = append(row, b.Bad[k].Reason)
					} else {
						for k := range b.Cols {
							row = append(row, show(&b.Cols[k], i))
						}
					}
					all = append(all, numbered{b.Row + int64(i), row})
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.SortFunc(all, func(a, b numbered) int { return int(a.number - b.number) })
	for i, x := range all {
		if x.number != int64(i+1) {
			return nil, fmt.Errorf("row %d comes as number %d", i+1, x.number)
		}
		rows = append(rows, x.row)
	}
	return rows, err
}

// checkRows compares what is read with the reference.
func checkRows(t *testing.T, text string, columns, window, readers int) {
	t.Helper()
	want, open := referenceRows(text, ',')
	for i, row := range want {
		if len(row) != columns {
			want[i] = []string{"ragged_row"}
		}
		for _, v := range row {
			if strings.ContainsRune(v, 0) && len(row) == columns {
				want[i] = []string{"invalid_utf8"}
			}
		}
	}
	got, err := readRows(text, columns, window, readers)
	if (err != nil) != open {
		t.Fatalf("window %d: error %v, open quote %t, of %q", window, err, open, text)
	}
	if err == nil && fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Fatalf("window %d, %d readers, of %q:\ngot  %q\nwant %q", window, readers, text, got, want)
	}
}

// TestRowsLikeReference reads random texts in which quotes, line ends and separators
// stand in all places.
func TestRowsLikeReference(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 4000 {
		var text []byte
		for range r.IntN(300) {
			switch r.IntN(12) {
			case 11:
				if r.IntN(4) == 0 {
					text = append(text, 0)
				}
			case 0:
				text = append(text, "\",\""[r.IntN(2):]...)
			case 1:
				text = append(text, '"')
			case 2:
				text = append(text, '\r')
			case 3, 4:
				text = append(text, '\n')
			case 5:
				text = append(text, "\r\n"...)
			case 6, 7, 8:
				text = append(text, ',')
			case 9:
				text = append(text, "\"a\"\"b,\nc\","...)
			default:
				text = append(text, strings.Repeat("x", r.IntN(40))...)
			}
		}
		checkRows(t, string(text), 1+r.IntN(3), 1+r.IntN(200), 1+r.IntN(3))
	}
}

// TestRowsOfQuotedText reads well-formed texts, of which every row must be good.
func TestRowsOfQuotedText(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 1000 {
		var want [][]string
		var text strings.Builder
		for range r.IntN(40) {
			row := make([]string, 3)
			for k := range row {
				for range r.IntN(30) {
					row[k] += []string{"a", "ü", "\"", ",", "\n", "\r\n", " "}[r.IntN(7)]
				}
				if k > 0 {
					text.WriteByte(',')
				}
				fmt.Fprintf(&text, `"%s"`, strings.ReplaceAll(row[k], `"`, `""`))
			}
			text.WriteString([]string{"\n", "\r\n"}[r.IntN(2)])
			want = append(want, row)
		}
		got, err := readRows(text.String(), 3, 1+r.IntN(500), 1+r.IntN(3))
		if err != nil || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Fatalf("%q: %v\ngot  %q\nwant %q", text.String(), err, got, want)
		}
	}
}

// FuzzCSVRows compares what is read with the reference, for any text and pieces.
func FuzzCSVRows(f *testing.F) {
	for _, s := range []string{"1,2\n", "\"x\"\"y\",\"\n\"\r\n", "\"\",\n", "\"x\"y,2\n1,2\n", "a\"b,c\n\"d\"\r", strings.Repeat("abc,\"def\"\n", 30), "\"", "a,\"\r\n\"\r\n\r\n,"} {
		f.Add(s, uint8(2), uint8(0))
		f.Add(s, uint8(1), uint8(70))
	}
	f.Fuzz(func(t *testing.T, text string, columns, window uint8) {
		text = strings.Map(func(r rune) rune {
			if r >= 0x80 { // the reference does not look at encodings
				return 'u'
			}
			return r
		}, text)
		checkRows(t, text, 1+int(columns%4), 1+int(window), 1+int(columns/4%3))
	})
}

// TestScanUnderstandsQuotes makes sure that scan leaves none of the rows of RFC 4180 to
// the slow reader.
func TestScanUnderstandsQuotes(t *testing.T) {
	for text, want := range map[string]bool{
		strings.Repeat("a,\"b,c\",\"d\"\"e\"\n\"\",\"\"\"\",\"f\ng\"\r\n", 20): true,
		strings.Repeat(strings.Repeat("x", 63)+",\"b\"\n", 3):                  true,
		"a,b\"\n": false,
	} {
		c := newCSVRows(&csvFile{delim: ','})
		c.text = append(make([]byte, 0, len(text)+blockBytes), text...)
		c.ends = []uint32{^uint32(0)}
		if end, odd := c.scan(0); odd == want || want && end != len(text) {
			t.Errorf("%q: as far as %d, odd %t", text, end, odd)
		}
	}
}
