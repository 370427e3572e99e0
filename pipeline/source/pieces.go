package source

import (
	"errors"
	"io"
	"sync"
)

// pieceBytes is how much text is handed out at once: little enough to stay in the
// processor's cache while it is cut and read column by column.
const pieceBytes = 256 << 10

// textStream hands out a text in pieces of whole rows. Several readers share it: they
// take turns to read a piece and find the ends of its rows, which is little work, and
// look at what is in the rows side by side. So every row has its number, and a line feed
// between quotes is one, wherever a piece begins.
type textStream struct {
	name     string
	window   int // bytes of a piece
	r        io.Reader
	c        io.Closer
	validate bool // the bytes are taken as they are: every value must be checked

	mu     sync.Mutex
	rest   []byte // the beginning of the row that the last piece could not hold
	row    int64  // rows handed out
	eof    bool
	broken error // of the reader, once what came before has been handed out
	err    error // what every reader is told from now on
}

// piece is a part of a text with whole rows.
type piece struct {
	buf   []byte
	row   int64 // 1-based number of its first row
	extra int   // bytes of buf that are not read into: a cutter may look behind the text
}

// cutter finds rows in a text.
type cutter interface {
	base() *piece
	// cut finds the rows at the beginning of a text, which eof says is the last of the
	// stream. It returns their number and the place behind the last one, or behind what
	// is no row.
	cut(text []byte, eof bool) (rows, used int, err error)
	// pass looks for the end of a row that is too long to be kept and returns the place
	// behind it, -1 where the text does not have it. At the end of the stream it is an
	// error of the row if it is not whole.
	pass(text []byte, eof bool) (int, error)
	// long makes a piece with one row that was too long, of which there is the beginning.
	long(head []byte)
}

// openText opens a text of an encoding; window is 0 but for tests.
func openText(name, encoding string, window int, open func() (io.ReadCloser, error)) (*textStream, error) {
	r, err := open()
	if err != nil {
		return nil, err
	}
	text, validate, err := toUTF8(r, encoding)
	if err != nil {
		r.Close()
		var fe *FileError
		if errors.As(err, &fe) {
			return nil, err
		}
		return nil, &FileError{File: name, What: "cannot be decoded", Err: err}
	}
	if window == 0 {
		window = pieceBytes
	}
	return &textStream{name: name, window: window, r: text, c: r, validate: validate}, nil
}

// next fills the piece of a cutter with the rows that follow, io.EOF at the end.
func (s *textStream) next(c cutter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	rows, err := s.fill(c)
	if err != nil {
		s.err = err
		s.closeReader()
		return err
	}
	c.base().row = s.row + 1
	s.row += int64(rows)
	return nil
}

func (s *textStream) fill(c cutter) (rows int, err error) {
	p := c.base()
	if room := max(s.window, 2*len(s.rest)) + p.extra; len(p.buf) < room {
		p.buf = make([]byte, room)
	}
	n := copy(p.buf, s.rest)
	s.rest = s.rest[:0]
	for {
		n += s.read(p.buf[n : len(p.buf)-p.extra])
		rows, used, err := c.cut(p.buf[:n], s.eof)
		if rows > 0 { // an error comes again, with the rest
			s.rest = append(s.rest, p.buf[used:n]...)
			return rows, nil
		}
		switch {
		case err != nil:
			var fe *FileError
			if errors.As(err, &fe) {
				fe.File, fe.Row = s.name, s.row+1
			}
			return 0, err
		case s.broken != nil:
			return 0, damaged(s.name, s.row+1, s.broken)
		case s.eof:
			return 0, io.EOF
		case used > 0:
			n = copy(p.buf, p.buf[used:n])
		case n >= maxRow:
			return 1, s.skip(c, n)
		default:
			p.buf = append(p.buf, make([]byte, len(p.buf)-p.extra)...)
		}
	}
}

// read fills b as far as the text goes.
func (s *textStream) read(b []byte) int {
	n := 0
	for n < len(b) && !s.eof && s.broken == nil {
		k, err := s.r.Read(b[n:])
		n += k
		if err == io.EOF {
			s.eof = true
		} else if err != nil {
			s.broken = err
		}
	}
	return n
}

// skip passes over a row that is longer than maxRow without keeping it.
func (s *textStream) skip(c cutter, n int) error {
	p := c.base()
	head := append([]byte(nil), p.buf[:min(n, 256)]...)
	for {
		end, err := c.pass(p.buf[:n], s.eof)
		if err != nil {
			return err
		}
		if end >= 0 {
			s.rest = append(s.rest, p.buf[end:n]...)
			break
		}
		if s.broken != nil {
			return damaged(s.name, s.row+1, s.broken)
		}
		if s.eof {
			break
		}
		n = s.read(p.buf[:len(p.buf)-p.extra])
	}
	c.long(head)
	return nil
}

func (s *textStream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = errors.New("the file is closed")
	}
	s.closeReader()
}

func (s *textStream) closeReader() {
	if s.c != nil {
		s.c.Close()
		s.c = nil
	}
}

// shares divides a text among readers. A unit of a text file is a share of its rows,
// whichever come while it is read: one share has all of them if nobody reads the others.
type shares struct {
	n    int // shares, at least 1
	open func() (*textStream, error)

	mu     sync.Mutex
	stream *textStream
	taken  []bool
}

// take returns the stream of one share. Who takes a share again reads from the beginning.
func (s *shares) take(share int) (*textStream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stream == nil || s.taken[share] {
		stream, err := s.open()
		if err != nil {
			return nil, err
		}
		s.drop()
		s.stream, s.taken = stream, make([]bool, s.n)
	}
	s.taken[share] = true
	return s.stream, nil
}

// done says that a share has been read, or that its reader wants no more.
func (s *shares) done(stream *textStream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n == 1 && s.stream == stream {
		s.drop()
	}
}

// drop closes the stream; the caller holds mu.
func (s *shares) drop() {
	if s.stream != nil {
		s.stream.close()
		s.stream = nil
	}
}

func (s *shares) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop()
	return nil
}
