package pipeline

import "golang.org/x/sys/unix"

// WillNeed has the system read a part of the file ahead, if it is not in memory any more.
// Nothing depends on whether it does.
func (s *Scratch) WillNeed(at, n int64) {
	_ = unix.Fadvise(int(s.file.Fd()), at, n, unix.FADV_WILLNEED)
}
