package jobs

import (
	"iter"

	"github.com/cohortline/cohortline/pipeline"
)

// spool keeps byte strings in the order in which they come: in memory as long as there is
// room, then in a temporary file.
type spool struct {
	room   int64 // bytes left in memory
	dir    string
	memory [][]byte
	file   *pipeline.Scratch
	sizes  []int // of those in the file
	end    int64
	buffer []byte
}

func newSpool(room int64, dir string) *spool { return &spool{room: room, dir: dir} }

// add keeps b, which nobody changes any more.
func (s *spool) add(b []byte) error {
	if s.file == nil && int64(len(b)) <= s.room {
		s.room -= int64(len(b))
		s.memory = append(s.memory, b)
		return nil
	}
	if s.file == nil {
		f, err := pipeline.OpenScratch(s.dir)
		if err != nil {
			return err
		}
		s.file = f
	}
	if _, err := s.file.WriteAt(b, s.end); err != nil {
		return err
	}
	s.end += int64(len(b))
	s.sizes = append(s.sizes, len(b))
	return nil
}

// all yields the byte strings, each valid until the next one.
func (s *spool) all() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, b := range s.memory {
			if !yield(b, nil) {
				return
			}
		}
		at := int64(0)
		for _, n := range s.sizes {
			if cap(s.buffer) < n {
				s.buffer = make([]byte, n+n/4)
			}
			b := s.buffer[:n]
			if _, err := s.file.ReadAt(b, at); err != nil {
				yield(nil, err)
				return
			}
			if !yield(b, nil) {
				return
			}
			at += int64(n)
		}
	}
}

// close gives the file back.
func (s *spool) close() error {
	if s == nil || s.file == nil {
		return nil
	}
	return s.file.Close()
}
