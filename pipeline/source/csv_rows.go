package source

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"github.com/cohortline/cohortline/schemas"
)

// csvRows cuts a delimited text into rows and fields. Most rows are cut by scan, which
// looks at marks of 64 bytes; what scan does not understand (quotes where RFC 4180 has
// none, a last row without line end) is for wholeRow, which looks at every byte.
type csvRows struct {
	piece
	delim   byte
	blanks  bool // runs of blanks separate fields
	markers markers
	fast    bool // cutBlocks is asked
	text    []byte
	clean   bool // neither NUL nor bytes that are not ASCII in the text

	// ends are the places of the separators: delimiters, line feeds and the end of the
	// text. The one before a row's first field is the line feed before the row, or −1 as
	// a uint32 at the beginning of the text, so that a field begins behind the separator
	// before its own. Where runs of blanks separate, ends are pairs: begin and end.
	ends   []uint32
	rows   []csvRow
	inside bool // pass: the place is between quotes
}

// csvRow is a row of the text.
type csvRow struct {
	first  uint32 // of its separators, in ends
	fields uint32
	kind   rowKind
}

type rowKind uint8

const (
	plainRow    rowKind   = iota // no field has quotes
	quotedRow                    // fields that begin with a quote end with one
	raggedRow                    // something follows the closing quote of a field
	endlessRow                   // longer than maxRow
	manyColumns = 1 << 20        // fields of a row that are found; nobody has as many columns
)

func newCSVRows(f *csvFile) *csvRows {
	c := &csvRows{delim: f.delim, blanks: f.blanks, fast: hasCutBlocks, markers: newMarkers(f.delim, '"', '\n', 1)}
	c.extra = blockBytes
	return c
}

func (c *csvRows) base() *piece { return &c.piece }

func (c *csvRows) cut(text []byte, eof bool) (rows, used int, err error) {
	c.text, c.ends, c.rows, c.clean = text, append(c.ends[:0], ^uint32(0)), c.rows[:0], true
	if c.blanks {
		c.clean = false
		used = c.cutBlanks(eof)
		return len(c.rows), used, nil
	}
	for used < len(text) {
		var odd bool
		if used, odd = c.scan(used); used == len(text) || !odd && !eof {
			break
		}
		end, err := c.wholeRow(used, eof)
		if err != nil || end < 0 {
			return len(c.rows), used, err
		}
		used = end
	}
	return len(c.rows), used, nil
}

// blocksAtOnce are marked before they are looked at; they are marked again when scan is
// called behind a row that it has left to wholeRow.
const (
	blocksAtOnce   = 32
	blocksOfQuotes = 2 // behind blocks without quotes
)

// scan finds the rows from a place on, where one begins, and returns the place behind the
// last whole one. odd says that the row there is not for scan.
func (c *csvRows) scan(at int) (end int, odd bool) {
	var found [blocksAtOnce]marks
	first := len(c.ends)
	s := quoteState{afterSeparator: 1}
	kind := plainRow
	for n := len(c.text); at < n && !odd; {
		most := blocksAtOnce
		if c.fast && s.inside|s.afterClosing == 0 {
			from := at
			if at, first, kind = c.scanPlain(at, first, kind, &s); at-from == plainBlocks*blockBytes && len(c.ends)-first <= manyColumns {
				continue
			} else if at > from { // there are few quotes, and those are near
				most = blocksOfQuotes
			}
		}
		blocks := min((n-at+blockBytes-1)/blockBytes, most)
		mark(found[:blocks], c.text[at:at+blocks*blockBytes], &c.markers)
		c.ends = slices.Grow(c.ends, (blocks+1)*blockBytes)
		for b := range found[:blocks] {
			m := &found[b]
			if left := n - at; left < blockBytes {
				m.within(left)
			}
			separators := m.a | m.c
			if m.odd != 0 {
				c.clean = false
			}
			if m.b|s.inside|s.afterClosing != 0 {
				kind = quotedRow
				separators, odd = s.separators(m, c.text, at)
			} else {
				s.afterSeparator = separators >> 63
			}
			k := len(c.ends)
			c.addEnds(separators, uint32(at))
			for feeds := m.c & separators; feeds != 0; feeds &= feeds - 1 {
				last := k + bits.OnesCount64(separators&(feeds&-feeds-1))
				c.add(first, last+1, kind)
				if first, kind = last+1, plainRow; m.b != 0 {
					kind = quotedRow
				}
			}
			if odd {
				break
			}
			at += blockBytes
		}
		odd = odd || len(c.ends)-first > manyColumns
	}
	c.ends = c.ends[:first]
	return int(c.ends[first-1] + 1), odd
}

// addEnds adds the places of the bits of a block that begins at a place. It writes eight
// at a time, so that the processor need not guess how many there are; there is room for a
// whole block more.
func (c *csvRows) addEnds(separators uint64, at uint32) {
	k := len(c.ends)
	n := k + bits.OnesCount64(separators)
	for ; separators != 0; k += 8 {
		to := c.ends[k : k+8 : k+8]
		for i := range to {
			to[i] = at + uint32(bits.TrailingZeros64(separators))
			separators &= separators - 1
		}
	}
	c.ends = c.ends[:n]
}

// add adds the row with the separators from first up to end, unless it is blank.
func (c *csvRows) add(first, end int, kind rowKind) {
	if end-first == 1 {
		if from, to := int(c.ends[first-1]+1), int(c.ends[first]); from == to || to-from == 1 && c.text[from] == '\r' {
			return
		}
	}
	c.rows = append(c.rows, csvRow{first: uint32(first), fields: uint32(end - first), kind: kind})
}

// within keeps the first n bits.
func (m *marks) within(n int) {
	keep := uint64(1)<<n - 1
	m.a, m.b, m.c, m.odd = m.a&keep, m.b&keep, m.c&keep, m.odd&keep
}

// quoteState is what scan knows at the end of a block.
type quoteState struct {
	inside         uint64 // all ones between quotes
	afterSeparator uint64 // 1: the next byte begins a field
	afterClosing   uint64 // 1: the last byte was a closing quote
}

// separators finds the separators of a block with quotes. A quote opens where a number of
// pairs precedes it; a doubled quote closes and opens again. odd says that a quote is
// where none belongs; separators are then those before it.
func (s *quoteState) separators(m *marks, text []byte, at int) (separators uint64, odd bool) {
	inside := m.b // bit i: an odd number of quotes up to byte i
	for k := 1; k < blockBytes; k *= 2 {
		inside ^= inside << k
	}
	inside ^= s.inside
	separators = (m.a | m.c) &^ inside
	opening, closing := m.b&inside, m.b&^inside
	begins := separators<<1 | s.afterSeparator
	behind := closing<<1 | s.afterClosing
	wrong := opening&^(begins|behind) | behind&^(separators|m.b)
	for w := wrong; w != 0; w &= w - 1 {
		bit := w & -w
		i := at + bits.TrailingZeros64(w)
		if i == len(text) || behind&bit != 0 && text[i] == '\r' && (i+1 == len(text) || text[i+1] == '\n') {
			continue // the text ends here, or the line
		}
		return separators & (bit - 1), true
	}
	s.inside = uint64(int64(inside) >> 63)
	s.afterSeparator, s.afterClosing = separators>>63, closing>>63
	return separators, false
}

// wholeRow cuts the row at a place byte by byte and returns the place behind it, −1 where
// it goes on behind the text.
func (c *csvRows) wholeRow(at int, eof bool) (int, error) {
	b, first, kind := c.text, len(c.ends), quotedRow
	for i := at; ; i++ {
		if i < len(b) && b[i] == '"' {
			var ragged bool
			if i, ragged = c.closing(i); ragged {
				kind = raggedRow
			}
		}
		if i < 0 && eof {
			c.ends = c.ends[:first]
			return 0, &FileError{What: fmt.Sprintf("a quoted field that begins with %q never ends", clip(string(b[at:min(len(b), at+200)]), 60)), Hint: "a quote is missing, or the file was cut off; export it again"}
		}
		for i >= 0 && i < len(b) && b[i] != c.delim && b[i] != '\n' {
			i++
		}
		if i < 0 || i == len(b) && !eof {
			c.ends = c.ends[:first]
			return -1, nil
		}
		if len(c.ends)-first < manyColumns {
			c.ends = append(c.ends, uint32(i))
		}
		if i < len(b) && b[i] == c.delim {
			continue
		}
		c.ends[len(c.ends)-1] = uint32(i)
		c.add(first, len(c.ends), kind)
		c.clean = c.clean && plainText(b[at:i]) // scan has not looked at all of it
		return min(i+1, len(b)), nil
	}
}

// plainText says whether a text has neither NUL nor bytes that are not ASCII.
func plainText(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		if v := binary.LittleEndian.Uint64(b); (v|(v-ones)&^v)&tops != 0 {
			return false
		}
	}
	for _, c := range b {
		if c == 0 || c >= 0x80 {
			return false
		}
	}
	return true
}

// closing returns the place behind the closing quote of the field at i, −1 where the text
// has none. It is ragged when neither a separator nor the end follows.
func (c *csvRows) closing(i int) (end int, ragged bool) {
	b := c.text
	for i++; ; i += 2 {
		q := bytes.IndexByte(b[i:], '"')
		if q < 0 {
			return -1, false
		}
		if i += q; i+1 == len(b) || b[i+1] != '"' {
			break
		}
	}
	i++
	lineEnd := i < len(b) && b[i] == '\r' && (i+1 == len(b) || b[i+1] == '\n')
	return i, i < len(b) && b[i] != c.delim && b[i] != '\n' && !lineEnd
}

// cutBlanks cuts lines at runs of blanks; there are no quotes.
func (c *csvRows) cutBlanks(eof bool) (used int) {
	for at := 0; ; {
		line, length := c.text[at:], len(c.text)-at
		if n := bytes.IndexByte(line, '\n'); n >= 0 {
			line, length = line[:n], n+1
		} else if !eof || length == 0 {
			return at
		}
		first := len(c.ends)
		for i := 0; ; {
			for i < len(line) && isBlank(line[i]) {
				i++
			}
			if i == len(line) {
				break
			}
			from := i
			for i < len(line) && !isBlank(line[i]) {
				i++
			}
			if len(c.ends)-first < 2*manyColumns {
				c.ends = append(c.ends, uint32(at+from), uint32(at+i))
			}
		}
		if n := (len(c.ends) - first) / 2; n > 0 {
			c.rows = append(c.rows, csvRow{first: uint32(first), fields: uint32(n)})
		}
		at += length
	}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' }

func (c *csvRows) pass(text []byte, eof bool) (int, error) {
	feed := -1 // the next line feed from the place on, where it has been looked for
	for at := 0; at < len(text); {
		if c.inside {
			q := bytes.IndexByte(text[at:], '"')
			if q < 0 {
				break
			}
			at, c.inside = at+q+1, false
			continue
		}
		if feed < at {
			if feed = bytes.IndexByte(text[at:], '\n'); feed < 0 {
				feed = len(text)
			} else {
				feed += at
			}
		}
		q := -1
		if !c.blanks {
			q = bytes.IndexByte(text[at:feed], '"')
		}
		if q >= 0 {
			at, c.inside = at+q+1, true
		} else if feed < len(text) {
			return feed + 1, nil
		} else {
			break
		}
	}
	if eof && c.inside {
		return 0, &FileError{What: "a quoted field never ends", Hint: "a quote is missing, or the file was cut off; export it again"}
	}
	return -1, nil
}

func (c *csvRows) long(head []byte) {
	c.inside = false
	c.text = append(c.buf[:0], head...)
	c.ends = append(c.ends[:0], ^uint32(0), uint32(len(head)))
	c.rows = append(c.rows[:0], csvRow{first: 1, fields: 1, kind: endlessRow})
}

// raw is the text of a row without its line end.
func (c *csvRows) raw(r csvRow) []byte {
	if c.blanks {
		return c.text[c.ends[r.first]:c.ends[r.first+2*r.fields-1]]
	}
	return bytes.TrimRight(c.text[c.ends[r.first-1]+1:c.ends[r.first+r.fields-1]], "\r")
}

// field is field w of a row as it stands in the text, without the carriage return of the
// line end.
func (c *csvRows) field(r csvRow, w int) (from, to uint32) {
	if c.blanks {
		return c.ends[int(r.first)+2*w], c.ends[int(r.first)+2*w+1]
	}
	from, to = c.ends[int(r.first)+w-1]+1, c.ends[int(r.first)+w]
	if w == int(r.fields)-1 && to > from && c.text[to-1] == '\r' {
		to--
	}
	return from, to
}

// value is field w of a row without its quotes. Doubled quotes are resolved behind the
// text.
func (c *csvRows) value(r csvRow, w int) (from, to uint32) {
	from, to = c.field(r, w)
	if r.kind != quotedRow || c.blanks || to-from < 2 || c.text[from] != '"' {
		return from, to
	}
	from, to = from+1, to-1
	inner := c.text[from:to]
	q := bytes.IndexByte(inner, '"')
	if q < 0 {
		return from, to
	}
	from = uint32(len(c.text))
	for ; q >= 0; q = bytes.IndexByte(inner, '"') {
		c.text = append(c.text, inner[:q+1]...)
		inner = inner[q+2:]
	}
	c.text = append(c.text, inner...)
	return from, uint32(len(c.text))
}

// problem says why a row cannot be taken, whatever its fields hold.
func (k rowKind) problem() (reason, detail string) {
	switch k {
	case raggedRow:
		return schemas.ReasonRagged, "text behind the closing quote of a field"
	case endlessRow:
		return schemas.ReasonFieldTooLong, fmt.Sprintf("a row of more than %d bytes; is a closing quote missing?", maxRow)
	}
	return "", ""
}
