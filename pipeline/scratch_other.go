//go:build !linux

package pipeline

// WillNeed does nothing where the system cannot be told.
func (s *Scratch) WillNeed(at, n int64) {}
