package source

import (
	"bytes"
	"fmt"
	"io"

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
	unquoted []byte // fields with doubled quotes, resolved
}

// csvRow is one row of the text; its bytes are valid until the next one.
type csvRow struct {
	fields []csvField
	raw    []byte
	bad    string // reason of a reject
	column string
	detail string
}

// csvField is a range of the window, or of the resolved bytes.
type csvField struct {
	from, to int
	resolved bool
}

func (f csvField) value(s *splitter) []byte {
	if f.resolved {
		return s.unquoted[f.from:f.to]
	}
	return s.buf[f.from:f.to]
}

func (s *splitter) close() { s.c.Close() }

// next returns the next row that is not blank, io.EOF at the end.
func (s *splitter) next() (*csvRow, error) {
	for {
		if s.at == s.end && !s.eof {
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
	s.unquoted = s.unquoted[:0]
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
			s.row.fields = append(s.row.fields, csvField{from: i, to: i})
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
			for i < len(b) && b[i] != delim && b[i] != '\n' {
				i++
			}
			to := i
			if i == len(b) && !s.eof {
				return 0, splitMore
			}
			if (i == len(b) || b[i] == '\n') && to > from && b[to-1] == '\r' {
				to--
			}
			s.row.fields = append(s.row.fields, csvField{from: from, to: to})
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
		f := csvField{from: from, to: q}
		if start >= 0 {
			s.unquoted = append(s.unquoted, b[from:q]...)
			f = csvField{from: start, to: len(s.unquoted), resolved: true}
		}
		if f.from == f.to {
			f.resolved = true // so that a quoted empty value is no blank line
			f.from, f.to = len(s.unquoted), len(s.unquoted)
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
		s.row.fields = append(s.row.fields, csvField{from: s.at + from, to: s.at + i})
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
