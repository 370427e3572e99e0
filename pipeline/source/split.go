package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/cohortline/cohortline/schemas"
)

// splitter cuts a delimited text into rows. It works on a window of the text; a row
// that ends behind the window is looked at again once more text is there.
type splitter struct {
	file     *csvFile
	r        io.Reader
	c        io.Closer
	validate bool
	buf      []byte
	at, end  int
	eof      bool
	row      csvRow
	unquoted []byte // fields with doubled quotes, resolved: they lie behind the window
	pinned   bool   // rows of the window are in use: next does not touch it and says errWindow
	clean    bool   // the window has neither NUL nor bytes that are not ASCII
}

// errWindow says that the next row needs more text than the window has, which is in use.
var errWindow = errors.New("the window is in use")

// csvRow is one row of the text; its bytes are valid until the window moves.
type csvRow struct {
	fields []csvField
	raw    []byte
	bad    string // reason of a reject
	column string
	detail string
}

// csvField is a range of the window, or of the resolved bytes.
type csvField struct {
	from, to uint32
	resolved bool
}

func (f csvField) value(s *splitter) []byte {
	if f.resolved {
		return s.unquoted[f.from:f.to]
	}
	return s.buf[f.from:f.to]
}

// text is the window with the resolved bytes behind it, and where those begin.
func (s *splitter) text() (text []byte, resolved uint32) {
	return append(s.buf[:s.end], s.unquoted...), uint32(s.end)
}

// release lets the window move again.
func (s *splitter) release() {
	s.pinned = false
	s.unquoted = s.unquoted[:0]
}

func (s *splitter) close() { s.c.Close() }

// next returns the next row that is not blank, io.EOF at the end.
func (s *splitter) next() (*csvRow, error) {
	for {
		if s.at == s.end && !s.eof {
			if s.pinned {
				return nil, errWindow
			}
			if err := s.fill(); err != nil {
				return nil, err
			}
			continue
		}
		if s.at == s.end {
			return nil, io.EOF
		}
		n, status := s.split()
		switch status {
		case splitMore:
			if s.pinned {
				return nil, errWindow
			}
			if s.end-s.at >= maxRow {
				return s.skip()
			}
			if err := s.fill(); err != nil {
				return nil, err
			}
			continue
		case splitOpen:
			return nil, &FileError{File: s.file.name, What: fmt.Sprintf("a quoted field that begins with %q never ends", clip(string(s.buf[s.at:min(s.end, s.at+200)]), 60)), Hint: "a quote is missing, or the file was cut off; export it again"}
		}
		from := s.at
		s.at += n
		if s.blank() {
			continue
		}
		s.row.raw = bytes.TrimRight(s.buf[from:s.at], "\r\n")
		return &s.row, nil
	}
}

// blank says whether the row is an empty line; with one column that is no row either.
func (s *splitter) blank() bool {
	return s.row.bad == "" && (len(s.row.fields) == 0 || len(s.row.fields) == 1 && s.row.fields[0].from == s.row.fields[0].to && !s.row.fields[0].resolved)
}

// fill reads more text behind the window, which it moves or grows to make room.
func (s *splitter) fill() error {
	if s.at > 0 {
		copy(s.buf, s.buf[s.at:s.end])
		s.end -= s.at
		s.at = 0
	}
	if s.end == len(s.buf) {
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	n, err := s.r.Read(s.buf[s.end:])
	s.clean = (s.clean || s.end == 0) && plainText(s.buf[s.end:s.end+n])
	s.end += n
	if err == io.EOF {
		s.eof = true
		return nil
	}
	if err != nil {
		return damaged(s.file.name, 0, err)
	}
	return nil
}

const (
	splitRow  = iota // a whole row
	splitMore        // the row goes on behind the window
	splitOpen        // the text ends inside a quoted field
)

// split looks for the fields of the row at s.at and returns its length with its line end.
func (s *splitter) split() (int, int) {
	s.row = csvRow{fields: s.row.fields[:0]}
	if !s.pinned {
		s.unquoted = s.unquoted[:0]
	}
	if s.file.blanks {
		return s.splitBlanks()
	}
	b, delim := s.buf[:s.end], s.file.delim
	i := s.at
	for {
		if i == len(b) { // behind a delimiter
			if !s.eof {
				return 0, splitMore
			}
			s.row.fields = append(s.row.fields, field(i, i))
			return i - s.at, splitRow
		}
		var ended bool
		if b[i] == '"' {
			next, status := s.quoted(i)
			if status != splitRow {
				return 0, status
			}
			i = next
		} else {
			from := i
			i = fieldEnd(b, i, delim)
			to := i
			if i == len(b) && !s.eof {
				return 0, splitMore
			}
			if (i == len(b) || b[i] == '\n') && to > from && b[to-1] == '\r' {
				to--
			}
			s.row.fields = append(s.row.fields, field(from, to))
		}
		if i == len(b) {
			ended = true
		} else if b[i] == '\n' {
			i++
			ended = true
		} else {
			i++ // the delimiter
		}
		if ended {
			return i - s.at, splitRow
		}
	}
}

func field(from, to int) csvField { return csvField{from: uint32(from), to: uint32(to)} }

// fieldEnd is the place of the first delimiter or line feed from i on, or the end. It
// looks at eight bytes at a time: x has a zero byte where (x−1) &^ x has its upper bit.
func fieldEnd(b []byte, i int, delim byte) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	delims := ones * uint64(delim)
	for i+8 <= len(b) {
		v := binary.LittleEndian.Uint64(b[i:])
		x, y := v^delims, v^(ones*'\n')
		if found := ((x-ones)&^x | (y-ones)&^y) & tops; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
		i += 8
	}
	for i < len(b) && b[i] != delim && b[i] != '\n' {
		i++
	}
	return i
}

// plainText says whether a text has neither NUL nor bytes that are not ASCII.
func plainText(b []byte) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
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

// quoted reads the quoted field at i and returns the place of the delimiter, the line
// feed or the end behind it.
func (s *splitter) quoted(i int) (int, int) {
	b := s.buf[:s.end]
	from := i + 1
	start := -1 // of the resolved bytes
	at := from
	for {
		q := bytes.IndexByte(b[at:], '"')
		if q < 0 {
			if s.eof {
				return 0, splitOpen
			}
			return 0, splitMore
		}
		q += at
		if q+1 == len(b) && !s.eof {
			return 0, splitMore
		}
		if q+1 < len(b) && b[q+1] == '"' {
			if start < 0 {
				start = len(s.unquoted)
			}
			s.unquoted = append(s.unquoted, b[from:q+1]...)
			from, at = q+2, q+2
			continue
		}
		f := field(from, q)
		if start >= 0 {
			s.unquoted = append(s.unquoted, b[from:q]...)
			f = field(start, len(s.unquoted))
			f.resolved = true
		}
		if f.from == f.to { // so that a quoted empty value is no blank line
			f = field(len(s.unquoted), len(s.unquoted))
			f.resolved = true
		}
		s.row.fields = append(s.row.fields, f)
		i = q + 1
		break
	}
	if i < len(b) && b[i] == '\r' {
		if i+1 == len(b) {
			if !s.eof {
				return 0, splitMore
			}
			return i + 1, splitRow
		}
		if b[i+1] == '\n' {
			return i + 1, splitRow
		}
	}
	if i == len(b) || b[i] == s.file.delim || b[i] == '\n' {
		return i, splitRow
	}
	s.row.bad, s.row.detail = schemas.ReasonRagged, "text behind the closing quote of a field"
	for i < len(b) && b[i] != s.file.delim && b[i] != '\n' {
		i++
	}
	if i == len(b) && !s.eof {
		return 0, splitMore
	}
	return i, splitRow
}

// splitBlanks cuts a line at runs of blanks; there are no quotes.
func (s *splitter) splitBlanks() (int, int) {
	line := s.buf[s.at:s.end]
	n := bytes.IndexByte(line, '\n')
	length := n + 1
	if n < 0 {
		if !s.eof {
			return 0, splitMore
		}
		n, length = len(line), len(line)
	}
	i := 0
	for {
		for i < n && (line[i] == ' ' || line[i] == '\t' || line[i] == '\r') {
			i++
		}
		if i == n {
			return length, splitRow
		}
		from := i
		for i < n && line[i] != ' ' && line[i] != '\t' && line[i] != '\r' {
			i++
		}
		s.row.fields = append(s.row.fields, field(s.at+from, s.at+i))
	}
}

// skip passes over a row that is longer than maxRow without keeping it.
func (s *splitter) skip() (*csvRow, error) {
	inside := false
	s.row = csvRow{fields: s.row.fields[:0], bad: schemas.ReasonFieldTooLong, detail: fmt.Sprintf("a row of more than %d bytes; is a closing quote missing?", maxRow)}
	s.row.raw = bytes.Clone(s.buf[s.at : s.at+256])
	for {
		for i, c := range s.buf[s.at:s.end] {
			if c == '"' && !s.file.blanks {
				inside = !inside
			} else if c == '\n' && !inside {
				s.at += i + 1
				return &s.row, nil
			}
		}
		s.at = s.end
		if s.eof {
			if inside {
				return nil, &FileError{File: s.file.name, What: "a quoted field never ends", Hint: "a quote is missing, or the file was cut off; export it again"}
			}
			return &s.row, nil
		}
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
}
