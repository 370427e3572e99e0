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
	text    int
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
	text := textBytes(r, from, from+n)
	if g.text+text >= groupText {
		n = 1 + sort.Search(n-1, func(i int) bool { return g.text+textBytes(r, from, from+i+1) >= groupText })
		text = textBytes(r, from, from+n)
	}
	for c := range g.columns {
		a := r.Column(c)
		a.Retain()
		g.columns[c] = append(g.columns[c], chunk.Span{Array: a, From: from, To: from + n})
	}
	g.rows += n
	g.text += text
	return n, g.rows == groupRows || g.text >= groupText
}

// textBytes is the length of all texts in some rows of a record.
func textBytes(r arrow.Record, from, to int) int {
	n := 0
	for _, c := range r.Columns() {
		switch a := c.(type) {
		case *array.String:
			n += a.ValueOffset(to) - a.ValueOffset(from)
		case *array.Dictionary:
			codes, list := chunk.Labels(a)
			for _, c := range codes[from:to] {
				n += list.ValueLen(int(c))
			}
		}
	}
	return n
}
