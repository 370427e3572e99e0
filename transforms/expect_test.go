package transforms

import (
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cohortline/cohortline/schemas"
)

// told is a scratch file that notes which of its parts it has been told of before they are read.
type told struct {
	*os.File
	mu     *sync.Mutex
	soon   map[int64]int64 // size of a part by where it begins
	unsaid *int            // reads that nobody had announced
	said   *int
}

func (f *told) WillNeed(at, n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.soon[at] = n
}

func (f *told) ReadAt(b []byte, at int64) (int, error) {
	f.mu.Lock()
	if f.soon[at] == int64(len(b)) {
		*f.said++
	} else {
		*f.unsaid++
	}
	f.mu.Unlock()
	return f.File.ReadAt(b, at)
}

// TestSpilledRowsAreExpected folds rows that are in scratch files: these are told of the rows
// of a partition while an earlier one is folded, except for the first.
func TestSpilledRowsAreExpected(t *testing.T) {
	rules := newLedgerTest().rules
	rules.Interns = &schemas.Interns{Currency: schemas.NewIntern("EUR"), Dims: []*schemas.Intern{schemas.NewIntern()}}
	var mu sync.Mutex
	said, unsaid := 0, 0
	rules.Rates, rules.Threads, rules.Memory, rules.MatchEmail = NewRates("EUR", nil), 1, 1<<20, false
	rules.Scratch = func() (Scratch, error) {
		f, err := os.Create(filepath.Join(t.TempDir(), "scratch"))
		return &told{f, &mu, map[int64]int64{}, &unsaid, &said}, err
	}
	l := NewLedger(rules)
	if err := l.FindRepeated(); err != nil { // no id comes again
		t.Fatal(err)
	}
	w := l.Writer()
	for from := 0; from < 100_000; from += 1000 {
		var rows []row
		for i := range 1000 {
			rows = append(rows, order1(strconv.Itoa(from+i), strconv.Itoa(from+i), "", 5, 1, 7))
		}
		if err := w.Add(toBatch(rows, rules.Interns, int64(from+1), false)); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	if err := l.Resolve(); err != nil {
		t.Fatal(err)
	}
	said, unsaid = 0, 0
	if err := l.Fold(func() Visitor { return &collected{} }, func([]arrow.Record) error { return nil }); err != nil {
		t.Fatal(err)
	}
	first := len(l.rows.parts)
	if said < 20 || unsaid*(first-2) > said*2 {
		t.Errorf("%d reads were announced, %d were not; there are %d partitions", said, unsaid, first)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
