package source

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/cohortline/cohortline/schemas"
)

// jsonRows cuts a text into lines.
type jsonRows struct {
	piece
	text  []byte
	lines []jsonLine
}

// jsonLine is a line that is not blank, without white space around it.
type jsonLine struct {
	from, to uint32
	long     bool // longer than maxRow: only its beginning is there
}

func (c *jsonRows) base() *piece { return &c.piece }

func (c *jsonRows) cut(text []byte, eof bool) (rows, used int, err error) {
	c.text, c.lines = text, c.lines[:0]
	at := 0
	for at < len(text) {
		n := bytes.IndexByte(text[at:], '\n')
		if n < 0 && !eof {
			break
		}
		if n < 0 {
			n = len(text) - at
		}
		line := text[at : at+n]
		if n == 0 || line[0] != '{' || line[n-1] != '}' { // it may have white space around it
			line = bytes.TrimSpace(line)
		}
		if len(line) > 0 {
			from := at + cap(text[at:]) - cap(line)
			c.lines = append(c.lines, jsonLine{from: uint32(from), to: uint32(from + len(line))})
		}
		at = min(at+n+1, len(text))
	}
	return len(c.lines), at, nil
}

func (c *jsonRows) pass(text []byte, _ bool) (int, error) {
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		return i + 1, nil
	}
	return -1, nil
}

func (c *jsonRows) long(head []byte) {
	c.text = append(c.buf[:0], head...)
	c.lines = append(c.lines[:0], jsonLine{to: uint32(len(head)), long: true})
}

// jsonColumns makes batches of the wanted columns of lines.
type jsonColumns struct {
	jsonRows
	maxField int
	validate bool
	paths    [][]string
	scanner  *jsonScanner
	found    []jsonValue // of each line, as the scanner wants them
	b        *textColumns
}

func newJSONColumns(f *jsonlFile, want []int, validate bool) *jsonColumns {
	fields := f.Fields()
	c := &jsonColumns{maxField: f.maxField, validate: validate, paths: make([][]string, len(want)), b: newTextColumns(fields, want)}
	c.extra = stepsRoom
	for k, w := range want {
		c.paths[k] = strings.Split(fields[w].Name, ".")
	}
	c.scanner = newJSONScanner(c.paths)
	return c
}

// fill makes the batch of some lines, the first of which has the given number.
func (c *jsonColumns) fill(lines []jsonLine, number int64) {
	c.b.reset(len(lines), number)
	width := len(c.paths) + 1
	if n := len(lines) * width; cap(c.found) < n {
		c.found = make([]jsonValue, n)
	}
	for i, l := range lines {
		found := c.found[i*width:][:width]
		if !l.long {
			ascii, ok := c.scanner.scan(c.text, int(l.from), int(l.to), found)
			if ok && (ascii || !c.validate || utf8.Valid(c.text[l.from:l.to])) && c.fits(l, found) {
				continue
			}
		}
		clear(found)
		if bad := c.oddRow(l, found); bad.Reason != "" {
			line := c.text[l.from:l.to]
			bad.Index, bad.Raw = i, bytes.Clone(line[:min(len(line), 1024)])
			c.b.bad(bad)
			clear(found)
		}
	}
	for k := range c.paths {
		starts, ends := c.b.Cols[k].Start, c.b.Cols[k].End[:len(lines)]
		for i := range starts {
			v := c.found[i*width+k]
			if starts[i], ends[i] = v.from, v.to; !v.there() {
				c.b.null(k, i)
			}
		}
	}
	c.b.setData(c.text)
}

// fits says whether no value of a line is too long.
func (c *jsonColumns) fits(l jsonLine, found []jsonValue) bool {
	if l.to-l.from > uint32(c.maxField) {
		for _, v := range found[:len(c.paths)] {
			if v.to-v.from > uint32(c.maxField) {
				return false
			}
		}
	}
	return true
}

// oddRow finds the values of a line that encoding/json has to read, or says why it is bad.
func (c *jsonColumns) oddRow(l jsonLine, found []jsonValue) BadRow {
	line := c.text[l.from:l.to]
	if l.long {
		return BadRow{Reason: schemas.ReasonFieldTooLong, Detail: fmt.Sprintf("a line of more than %d bytes", maxRow)}
	}
	if c.validate && !utf8.Valid(line) {
		return BadRow{Reason: schemas.ReasonInvalidUTF8, Detail: "bytes that are no UTF-8"}
	}
	object, err := parseObject(line)
	if err != nil {
		return BadRow{Reason: schemas.ReasonInvalidJSON, Detail: err.Error()}
	}
	for k, path := range c.paths {
		text, null, problem := lookup(object, path)
		reason := schemas.ReasonInvalidJSON
		if problem == "" && len(text) > c.maxField {
			reason, problem = schemas.ReasonFieldTooLong, fmt.Sprintf("%d bytes, at most %d are read", len(text), c.maxField)
		}
		if problem != "" {
			return BadRow{Reason: reason, Column: strings.Join(path, "."), Detail: problem}
		}
		if null {
			continue
		}
		found[k].from = uint32(len(c.text)) // not 0: the line is before it
		c.text = append(c.text, text...)
		found[k].to = uint32(len(c.text))
	}
	return BadRow{}
}
