package sink

import (
	"sort"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/cohortline/cohortline/pipeline/sink/chunk"
)

// A row group ends where one of these is reached: rules that look at rows only, so that
// files do not depend on how rows come in batches.
const (
	groupRows = 131_072
	groupText = 64 << 20 // bytes of text in all columns together
)

// group is the rows of a row group, by column. It holds on to the arrays until it is released.
type group struct {
	columns [][]chunk.Span
	rows    int
	text    int  // in bytes
	exact   bool // else no more than that: while it is far from the limit nobody counts
}

func newGroup(columns int) group { return group{columns: make([][]chunk.Span, columns)} }

func (g *group) release() {
	for _, spans := range g.columns {
		for _, s := range spans {
			s.Array.Release()
		}
	}
}

// take adds rows of a record, beginning with from, until the record or the group ends; it
// returns how many, and whether the group is complete.
func (g *group) take(r arrow.Record, from int) (n int, full bool) {
	n = min(int(r.NumRows())-from, groupRows-g.rows)
	text := 0
	if !g.exact {
		if text = mostTextBytes(r, n); g.text+text < groupText {
			return g.add(r, from, n, text)
		}
		g.count()
	}
	text = textBytes(r, from, from+n)
	if g.text+text >= groupText {
		n = 1 + sort.Search(n-1, func(i int) bool { return g.text+textBytes(r, from, from+i+1) >= groupText })
		text = textBytes(r, from, from+n)
	}
	return g.add(r, from, n, text)
}

// add adds n rows of a record with so much text.
func (g *group) add(r arrow.Record, from, n, text int) (int, bool) {
	for c := range g.columns {
		a := r.Column(c)
		a.Retain()
		g.columns[c] = append(g.columns[c], chunk.Span{Array: a, From: from, To: from + n})
	}
	g.rows += n
	g.text += text
	return n, g.rows == groupRows || g.text >= groupText
}

// count counts the text of the group exactly, from here on.
func (g *group) count() {
	g.text, g.exact = 0, true
	for _, spans := range g.columns {
		for _, s := range spans {
			g.text += textOf(s.Array, s.From, s.To)
		}
	}
}

// mostTextBytes is a length that all texts in n rows of a record do not exceed.
func mostTextBytes(r arrow.Record, n int) int {
	most := 0
	for _, c := range r.Columns() {
		switch a := c.(type) {
		case *array.String:
			most += a.ValueOffset(a.Len()) - a.ValueOffset(0)
		case *array.Dictionary:
			_, list := chunk.Labels(a)
			longest := 0
			for i := range list.Len() {
				longest = max(longest, list.ValueLen(i))
			}
			most += n * longest
		}
	}
	return most
}

// textBytes is the length of all texts in some rows of a record.
func textBytes(r arrow.Record, from, to int) int {
	n := 0
	for _, c := range r.Columns() {
		n += textOf(c, from, to)
	}
	return n
}

func textOf(c arrow.Array, from, to int) (n int) {
	switch a := c.(type) {
	case *array.String:
		return a.ValueOffset(to) - a.ValueOffset(from)
	case *array.Dictionary:
		codes, list := chunk.Labels(a)
		for _, c := range codes[from:to] {
			n += list.ValueLen(int(c))
		}
	}
	return n
}
