package pipeline

import (
	"errors"
	"fmt"
	"os"
)

// Scratch is a temporary file that is gone when it is closed or the process ends, however
// it ends: it has no name from the moment it is made.
type Scratch struct {
	file *os.File
	dir  string
}

// OpenScratch makes a scratch file in a folder, or in the system's for temporary files.
func OpenScratch(dir string) (*Scratch, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	f, err := os.CreateTemp(dir, "cohortline-*")
	if err != nil {
		return nil, fmt.Errorf("no temporary file can be made in %s: %w\ngive a folder with --temp-dir, or more --memory", dir, cause(err))
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("temporary file: %w", err), f.Close())
	}
	return &Scratch{f, dir}, nil
}

// WriteAt implements io.WriterAt.
func (s *Scratch) WriteAt(b []byte, at int64) (int, error) {
	n, err := s.file.WriteAt(b, at)
	if err != nil {
		err = fmt.Errorf("the temporary folder %s cannot take the rows that memory has no room for: %w (after %d bytes)\nmake room there, give another --temp-dir, or more --memory", s.dir, cause(err), at)
	}
	return n, err
}

// ReadAt implements io.ReaderAt.
func (s *Scratch) ReadAt(b []byte, at int64) (int, error) {
	n, err := s.file.ReadAt(b, at)
	if err != nil {
		err = fmt.Errorf("a temporary file in %s cannot be read back: %w", s.dir, cause(err))
	}
	return n, err
}

// Close gives the room back.
func (s *Scratch) Close() error { return s.file.Close() }

// cause is an error without the path that it names: the file's has been removed.
func cause(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
