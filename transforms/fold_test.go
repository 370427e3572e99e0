package transforms

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
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
	l := resolved(t, rules, rows)
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

// recorded is a Visitor whose records list the ids of its customers.
type recorded struct{ rows *customerRows }

func (v recorded) Add(x *Customer) { v.rows.Add(x, nil) }

func (v recorded) Records() ([]arrow.Record, error) {
	r, err := v.rows.take()
	return []arrow.Record{r}, err
}

// TestDividedPartitionsKeepTheOrder folds partitions whole and in parts: customers come in the
// order of their hashes, whatever the parts, with the same purchases.
func TestDividedPartitionsKeepTheOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 5))
	var rows []row
	for i := range 5000 {
		rows = append(rows, order1(strconv.Itoa(i), "c"+strconv.Itoa(r.IntN(1500)), "", r.Int64N(1000), 1, r.Int64N(1_000_000)))
	}
	fold := func(part int64, threads int) (ids, all []string) {
		rules := newLedgerTest().rules
		rules.Interns = &schemas.Interns{Currency: schemas.NewIntern("EUR"), Dims: []*schemas.Intern{schemas.NewIntern()}}
		rules.Rates, rules.Threads, rules.part = NewRates("EUR", nil), threads, part
		l := resolved(t, rules, rows)
		sets := 0
		err := l.Fold(func() Visitor { return recorded{newCustomerRows(rules.Settings, l.Segments)} }, func(records []arrow.Record) error {
			sets++
			for i := range int(records[0].NumRows()) {
				id := strings.Clone(records[0].Column(0).ValueStr(i)) // its memory is used again
				ids = append(ids, id)
				all = append(all, fmt.Sprint(id, records[0].Column(6).ValueStr(i), records[0].Column(12).ValueStr(i)))
			}
			records[0].Release()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if whole := len(l.rows.parts); part == 0 && sets != whole || part > 0 && sets < 3*whole {
			t.Errorf("parts of %d bytes: %d sets of records of %d partitions", part, sets, whole)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return ids, all
	}
	ids, all := fold(0, 1)
	if len(ids) < 1400 || !slices.IsSortedFunc(ids, func(a, b string) int { return cmp.Compare(hashID(0, []byte(a)), hashID(0, []byte(b))) }) {
		t.Errorf("%d customers, not in the order of their hashes", len(ids))
	}
	for _, part := range []int64{4000, 1000, 1} {
		if _, got := fold(part, 2); !slices.Equal(got, all) {
			t.Errorf("parts of %d bytes: other customers, or another order", part)
		}
	}
}
