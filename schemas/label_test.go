package schemas

import (
	"fmt"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/array"
)

// TestLabelsKeepTheirTexts encodes texts that share addresses, come in a buffer that is
// written over, are empty, or are more than the column remembers, over two records.
func TestLabelsKeepTheirTexts(t *testing.T) {
	type row struct {
		ID   Repeated `col:"id"`
		Name string   `col:"name"`
	}
	e := NewEncoder[row](Table{Name: "t", Columns: []Column{{Name: "id"}, {Name: "name"}}})
	buffer, whole := make([]byte, 3), "abcdef"
	for range 2 {
		var ids, names []string
		for i := range 5000 {
			id := fmt.Sprintf("%03d", i/7%1000)
			name := fmt.Sprint("n", i%3000)
			switch i % 4 {
			case 0:
				name = ""
			case 1:
				name = whole[:i%6] // one address, several lengths
			}
			copy(buffer, id)
			e.Append(&row{Repeated(buffer), name})
			ids, names = append(ids, id), append(names, name)
		}
		r, err := e.Take()
		if err != nil {
			t.Fatal(err)
		}
		for c, want := range [][]string{ids, names} {
			a := r.Column(c).(*array.Dictionary)
			list := a.Dictionary().(*array.String)
			for i, w := range want {
				if got := list.Value(a.GetValueIndex(i)); got != w {
					t.Fatalf("column %d, row %d: %q, want %q", c, i, got, w)
				}
			}
		}
		if n := r.Column(0).(*array.Dictionary).Dictionary().Len(); n > 5000/7+1 {
			t.Errorf("%d texts are listed for ids that repeat seven times", n)
		}
		r.Release()
	}
}
