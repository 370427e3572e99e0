//go:build !amd64

package source

// mark marks the blocks of text, of which there are len(to).
func mark(to []marks, text []byte, m *markers) { markPortably(to, text, m) }
