package sink

import (
	"slices"
	"strings"
	"testing"

	"github.com/cohortline/cohortline/schemas"
)

// TestGroupsCountText ends a row group where its text is too long, and not where it only could
// be, because one of the labels is long; however rows come in batches.
func TestGroupsCountText(t *testing.T) {
	type row struct {
		A string `col:"a"`
	}
	table := schemas.Table{Name: "t", Columns: []schemas.Column{{Name: "a"}}}
	const rows = 40_000
	short, middle, long := "ab", strings.Repeat("y", 3000), strings.Repeat("x", 1<<20)
	for _, x := range []struct{ often, groups int }{{1000, 1}, {100, 4}} { // 24 MiB of text, 236 MiB of text
		list := make([]row, rows)
		for i := range list {
			switch list[i].A = short; {
			case i == 5: // all of the first batch could be as long
				list[i].A = middle
			case i >= schemas.BatchRows && i%x.often == 0:
				list[i].A = long
			}
		}
		var ends []int
		g, all := newGroup(1), 0
		for r, err := range schemas.Encode(table, slices.Values(list)).Batches {
			if err != nil {
				t.Fatal(err)
			}
			for from := 0; from < int(r.NumRows()); {
				n, full := g.take(r, from)
				from, all = from+n, all+n
				if full {
					ends = append(ends, all)
					g.release()
					g = newGroup(1)
				}
			}
		}
		g.release()
		if all != rows || len(ends)+1 != x.groups {
			t.Errorf("a long text every %d rows: %d rows, groups end at %v", x.often, all, ends)
		}
		for i, end := range ends { // at the first row with which there are 64 MiB
			from := 0
			if i > 0 {
				from = ends[i-1]
			}
			text := 0
			for _, r := range list[from : end-1] {
				text += len(r.A)
			}
			if text >= groupText || text+len(list[end-1].A) < groupText {
				t.Errorf("group %d ends at row %d, with %d bytes of text before it", i, end, text)
			}
		}
	}
}
