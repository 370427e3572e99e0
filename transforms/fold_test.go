package transforms

import (
	"maps"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cohortline/cohortline/schemas"
)

// segmentsOf is a Visitor that notes the channel of every customer.
type segmentsOf map[string]uint32

func (s segmentsOf) Add(x *Customer) { s[string(x.ID)] = x.Segments[0] }

func (s segmentsOf) Records() ([]arrow.Record, error) { return nil, nil }

// TestSegmentIsThatOfTheFirstPurchase gives orders in an order that is not theirs: the
// segment is that of the purchase that is first in time, then by its id, not in the file.
func TestSegmentIsThatOfTheFirstPurchase(t *testing.T) {
	of := func(customer, id, channel string, at int64) row {
		r := order1(id, customer, "", at, 1, at)
		r.channel = channel
		return r
	}
	rows := []row{
		of("late", "a-0001", "web", 20),
		of("late", "a-0002", "shop", 10),
		of("tie", "b-0010", "web", 10),
		of("tie", "b-0009", "shop", 10),
		of("tie of two forms", "b-0011", "web", 10),
		of("tie of two forms", "B-12", "shop", 10),
		of("in order", "c-0001", "web", 10),
		of("in order", "c-0002", "shop", 20),
	}
	rules := newLedgerTest().rules
	channels := schemas.NewIntern()
	rules.Interns = &schemas.Interns{Currency: schemas.NewIntern("EUR"), Dims: []*schemas.Intern{channels}}
	rules.Rates, rules.Threads = NewRates("EUR", nil), 1
	l := NewLedger(rules)
	w := l.Writer()
	if err := w.Add(toBatch(rows, rules.Interns, 1, false)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if err := l.Resolve(); err != nil {
		t.Fatal(err)
	}
	got := segmentsOf{}
	if err := l.Fold(func() Visitor { return got }, func([]arrow.Record) error { return nil }); err != nil {
		t.Fatal(err)
	}
	web, shop := channels.Code([]byte("web")), channels.Code([]byte("shop"))
	want := segmentsOf{"late": shop, "tie": shop, "tie of two forms": shop, "in order": web}
	if !maps.Equal(got, want) {
		t.Errorf("segments = %v, want %v", got, want)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
