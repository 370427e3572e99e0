package source

import "slices"

// plainCut is the work of cutBlocks, and how far it is.
type plainCut struct {
	text     *byte
	at, stop int // places of the next block and behind the last one, which is another
	ends     *uint32
	end      int // number of ends
	rows     *csvRow
	row      int     // number of rows, of which those of a block that is refused do not count
	whole    int     // number of rows that count
	first    int     // the first end of the row that has begun
	after    uint64  // 1: the last byte was a separator
	odd      uint32  // not 0: a byte was NUL or not ASCII
	kind     rowKind // of the row that has begun
	delim    byte
	quote    byte
	feed     byte
	limit    byte
}

// plainBlocks are cut at once.
const plainBlocks = 128

// scanPlain cuts whole blocks from a place on that is neither between quotes nor behind
// a closing one, as far as cutBlocks goes, but not more than plainBlocks. The row that
// has begun there has its first end and its kind. It returns these three behind the
// blocks.
func (c *csvRows) scanPlain(at, first int, kind rowKind, s *quoteState) (int, int, rowKind) {
	blocks := min((len(c.text)-at)/blockBytes, plainBlocks)
	if blocks <= 0 {
		return at, first, kind
	}
	c.ends = slices.Grow(c.ends, (blocks+1)*blockBytes)
	c.rows = slices.Grow(c.rows, blocks*blockBytes/2)
	ends, rows := c.ends[:cap(c.ends)], c.rows[:cap(c.rows)]
	p := plainCut{
		text: &c.text[0], at: at, stop: at + blocks*blockBytes, ends: &ends[0], end: len(c.ends), rows: &rows[0], row: len(c.rows), whole: len(c.rows),
		first: first, after: s.afterSeparator, kind: kind, delim: c.delim, quote: '"', feed: '\n', limit: 1,
	}
	cutBlocks(&p)
	c.ends, c.rows = ends[:p.end], rows[:p.whole]
	c.clean = c.clean && p.odd == 0
	s.afterSeparator = p.after
	return p.at, p.first, p.kind
}
