package transforms

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/cohortline/cohortline/schemas"
)

// changesOf gives the rows of each file to a comparison, those of one run first, and lists
// the orders that it finds.
func changesOf(t *testing.T, files []ChangeFile, rows [][]row, memory int64) map[string]string {
	t.Helper()
	c := NewOrderChanges(files, 100, 10_000, memory, 2, scratchFile(t))
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	in := &schemas.Interns{Currency: schemas.NewIntern("EUR"), Dims: []*schemas.Intern{schemas.NewIntern()}}
	add := func(both bool) {
		w := c.Writer()
		for i, list := range rows {
			if both == (files[i].Sides == Before|After) && len(list) > 0 {
				for k := range list {
					list[k].file = uint32(i)
				}
				if err := w.Add(toBatch(list, in, 1, false)); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.Close()
	}
	add(false)
	if err := c.Narrow(); err != nil {
		t.Fatal(err)
	}
	add(true)
	found := map[string]string{}
	if err := c.Find(func(x *OrderChange) error {
		text := OrderClassNames[x.Class]
		for _, v := range []*OrderVersion{x.Before, x.After} {
			if v == nil {
				text += " none"
			} else {
				text += fmt.Sprintf(" %d:%d %d-%d-%d", v.File, v.Row, v.Gross, v.Discount, v.Refund)
			}
		}
		if found[string(x.OrderID)] != "" {
			t.Errorf("%s comes twice", x.OrderID)
		}
		found[string(x.OrderID)] = text
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

func TestOrderChanges(t *testing.T) {
	alter := func(r row, f func(*row)) row { f(&r); return r }
	base := func(id string) row { return order1(id, "c", "m@x", 50, 1, 100) }
	files := []ChangeFile{
		{Sides: Before | After, Twin: -1},
		{Sides: Before, Twin: -1},
		{Sides: After, Twin: -1, Rejected: map[int64]struct{}{9: {}}},
		{Sides: Before, Twin: 4},
		{Sides: After, Twin: 3},
		{Sides: Before, Twin: -1, Unnamed: true},
	}
	rows := [][]row{
		{base("same"), base("corrected"), base("mail"), base("untouched"), base("older")},
		{base("gone"), base("redelivered"), base("refund"), alter(base("older"), func(r *row) { r.updated = 0 })},
		{
			alter(base("corrected"), func(r *row) { r.updated, r.gross = 2, 90 }),
			alter(base("mail"), func(r *row) { r.updated, r.mail = 2, "other@x" }),
			alter(base("refund"), func(r *row) { r.ref, r.status = 5, schemas.Refunded }),
			base("redelivered"),
			base("late"),
			alter(base("new"), func(r *row) { r.at = 100 }),
			alter(base("same"), func(r *row) { r.updated, r.gross = 0, 1 }), // an older version: superseded in both
			alter(base("status"), func(r *row) { r.status = schemas.Cancelled }),
			base("repaired"),
		},
		{base("mapped"), base("filtered"), base("stays")},
		{alter(base("mapped"), func(r *row) { r.gross = 7 }), base("stays")},
		{base("of another source")},
	}
	rows[1] = append(rows[1], base("status"))
	want := map[string]string{
		"gone": "vanished orders 1:1 100-0-0 none", "corrected": "corrected orders 0:2 100-0-0 2:1 90-0-0", "mail": "identity 0:3 100-0-0 2:2 100-0-0",
		"refund": "refunds 1:3 100-0-0 2:3 100-0-5", "late": "late orders none 2:5 100-0-0", "new": "new orders none 2:6 100-0-0", "status": "corrected orders 1:5 100-0-0 2:8 100-0-0",
		"repaired": "replayed rows none 2:9 100-0-0", "mapped": "definition 3:1 100-0-0 4:1 7-0-0", "filtered": "definition 3:2 100-0-0 none", "of another source": "definition 5:1 100-0-0 none",
	}
	if got := changesOf(t, files, rows, 0); !maps.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	rows[2][0].gross = 100 // the twin: a correction that changes nothing is none
	delete(want, "corrected")
	if got := changesOf(t, files, rows, 0); !maps.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

// TestOrderChangesSpill finds the same with memory for few rows, and ends with the error of
// whoever looks at them.
func TestOrderChangesSpill(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	files := []ChangeFile{{Sides: Before | After, Twin: -1}, {Sides: Before, Twin: -1}, {Sides: After, Twin: -1}}
	rows := make([][]row, len(files))
	for range 60_000 {
		k := r.IntN(3)
		rows[k] = append(rows[k], order1(fmt.Sprint(r.IntN(20_000)), fmt.Sprintf("c%d", r.IntN(3)), "", int64(r.IntN(120)), int64(r.IntN(3)), int64(r.IntN(3))))
	}
	want := changesOf(t, files, rows, 0)
	if got := changesOf(t, files, rows, 1<<20); !maps.Equal(got, want) || len(want) < 1000 {
		t.Errorf("%d orders with little memory, %d with enough", len(got), len(want))
	}
	c := NewOrderChanges([]ChangeFile{{Sides: Before, Twin: -1}}, 0, 0, 0, 1, nil)
	w := c.Writer()
	in := &schemas.Interns{Currency: schemas.NewIntern("EUR"), Dims: []*schemas.Intern{schemas.NewIntern()}}
	if err := w.Add(toBatch([]row{order1("1", "c", "", 1, 1, 1), order1("2", "c", "", 1, 1, 1)}, in, 1, false)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	stop := errors.New("stop")
	n := 0
	if err := c.Find(func(*OrderChange) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
		t.Errorf("%v after %d orders", err, n)
	}
}
