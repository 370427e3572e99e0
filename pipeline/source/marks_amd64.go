package source

// mark marks the blocks of text, of which there are len(to).
func mark(to []marks, text []byte, m *markers) {
	if len(to) == 0 {
		return
	}
	_ = text[len(to)*blockBytes-1]
	markBlocks(&to[0], &text[0], len(to), m)
}

// markBlocks is written in assembly: SSE2, which every amd64 processor has, compares
// sixteen bytes at a time.
//
//go:noescape
func markBlocks(to *marks, text *byte, blocks int, m *markers)
