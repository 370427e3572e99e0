package transforms

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cohortline/cohortline/schemas"
)

// row is one order row of a test.
type row struct {
	source           uint16
	file             uint32
	id, customer     string
	mail             string
	at, updated      int64
	status           schemas.Status
	currency         string
	gross, disc, ref int64
	cost             int64 // −1: unknown
	channel          string
}

// collected is a Visitor that writes every customer down.
type collected struct {
	lines []string
}

func (c *collected) Add(x *Customer) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s seg=%d", x.ID, len(x.Segments))
	for _, p := range x.Purchases {
		fmt.Fprintf(&b, " [%d d%d %d-%d-%d=%d", p.At, p.Day, p.Gross, p.Discount, p.Refund, p.Net())
		if p.HasCost {
			fmt.Fprintf(&b, " c%d", p.Cost)
		}
		b.WriteString("]")
	}
	for _, d := range x.Days {
		fmt.Fprintf(&b, " {%d %d %s}", d.Day, d.Orders, d.Net.ToString(0))
	}
	c.lines = append(c.lines, b.String())
}

func (c *collected) Records() ([]arrow.Record, error) { return nil, nil }

type ledgerTest struct {
	rules   Rules
	rates   []schemas.Rate
	threads int
	parts   int64
}

func newLedgerTest() *ledgerTest {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	return &ledgerTest{threads: 2, rules: Rules{
		Settings: Settings{Calendar: NewCalendar(zone, time.Monday), AsOf: 1_000_000, Dimensions: []string{"channel"}},
		MatchID:  true, MatchEmail: true, Namespaces: []string{"shop"}, Files: []File{{"shop", "a.csv"}, {"shop", "b.csv"}},
	}}
}

// run gives the rows to a ledger in batches of the given size and returns customers,
// counts and rejects. It does so twice: a ledger that has been shown the ids of the orders
// first must come to the same.
func (lt *ledgerTest) run(t *testing.T, rows []row, batch int, lines bool) ([]string, Counts, []schemas.Reject) {
	t.Helper()
	customers, counts, rejects := lt.fold(t, rows, batch, lines, false)
	customers2, counts2, rejects2 := lt.fold(t, rows, batch, lines, true)
	if !slices.Equal(customers2, customers) {
		t.Errorf("with the ids first other customers:\n%s\nwithout:\n%s", strings.Join(customers2, "\n"), strings.Join(customers, "\n"))
	}
	if counts2 != counts {
		t.Errorf("with the ids first other counts:\n%+v\nwithout:\n%+v", counts2, counts)
	}
	inOrder := func(a, b schemas.Reject) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Row, b.Row))
	}
	slices.SortFunc(rejects, inOrder)
	if slices.SortFunc(rejects2, inOrder); !slices.Equal(rejects2, rejects) {
		t.Errorf("with the ids first other rejects:\n%+v\nwithout:\n%+v", rejects2, rejects)
	}
	return customers, counts, rejects
}

// fold is run once, where the ledger is shown the ids first or not.
func (lt *ledgerTest) fold(t *testing.T, rows []row, batch int, lines, idsFirst bool) ([]string, Counts, []schemas.Reject) {
	t.Helper()
	rules := lt.rules
	rules.Interns = &schemas.Interns{Currency: schemas.NewIntern("EUR"), Dims: []*schemas.Intern{schemas.NewIntern()}}
	rules.Rates = NewRates("EUR", lt.rates)
	rules.Threads, rules.ExpectRows = lt.threads, lt.parts
	l := NewLedger(rules)
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	if idsFirst && !lines {
		w := l.IDWriter()
		for _, r := range rows {
			var ids schemas.Strings
			ids.Append([]byte(r.id))
			if err := w.Add(r.source, &ids); err != nil {
				t.Fatal(err)
			}
		}
		w.Close()
	}
	if idsFirst {
		if err := l.FindRepeated(); err != nil {
			t.Fatal(err)
		}
	}
	w := l.Writer()
	position := map[uint32]int64{}
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && n < batch && rows[n].file == rows[0].file && rows[n].source == rows[0].source {
			n++
		}
		if err := w.Add(toBatch(rows[:n], rules.Interns, position[rows[0].file]+1, lines)); err != nil {
			t.Fatal(err)
		}
		position[rows[0].file] += int64(n)
		rows = rows[n:]
	}
	w.Close()
	if err := l.Resolve(); err != nil {
		t.Fatal(err)
	}
	var all []*collected
	err := l.Fold(func() Visitor { c := &collected{}; all = append(all, c); return c }, func([]arrow.Record) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range all {
		out = append(out, c.lines...)
	}
	slices.Sort(out)
	return out, l.Counts(), l.Rejects()
}

// resolved is a ledger with some rows of one file, ready to be folded.
func resolved(t *testing.T, rules Rules, rows []row) *Ledger {
	t.Helper()
	l := NewLedger(rules)
	w := l.Writer()
	if err := w.Add(toBatch(rows, rules.Interns, 1, false)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if err := l.Resolve(); err != nil {
		t.Fatal(err)
	}
	return l
}

func toBatch(rows []row, in *schemas.Interns, first int64, lines bool) *schemas.OrderBatch {
	b := &schemas.OrderBatch{N: len(rows), Source: rows[0].source, File: rows[0].file, Row: first, Lines: lines, Dims: make([][]uint32, 1)}
	for i, r := range rows {
		b.Sel = append(b.Sel, int32(i))
		b.OrderID.Append([]byte(r.id))
		b.CustomerID.Append([]byte(r.customer))
		b.Email.Append([]byte(r.mail))
		b.OrderedAt = append(b.OrderedAt, r.at)
		b.UpdatedAt = append(b.UpdatedAt, r.updated)
		b.Status = append(b.Status, r.status)
		code := uint32(schemas.NoCode)
		if r.currency != "" {
			code = in.Currency.Code([]byte(r.currency))
		}
		b.Currency = append(b.Currency, code)
		b.Gross = append(b.Gross, r.gross)
		b.Discount = append(b.Discount, r.disc)
		b.Refund = append(b.Refund, r.ref)
		b.Cost = append(b.Cost, max(0, r.cost))
		b.HasCost = append(b.HasCost, r.cost >= 0)
		code = schemas.NoCode
		if r.channel != "" {
			code = in.Dims[0].Code([]byte(r.channel))
		}
		b.Dims[0] = append(b.Dims[0], code)
	}
	return b
}

func order1(id, customer, mail string, at, updated, gross int64) row {
	return row{id: id, customer: customer, mail: mail, at: at, updated: updated, currency: "EUR", gross: gross, cost: -1, channel: "web"}
}

func TestLatestVersionWins(t *testing.T) {
	rows := []row{
		order1("1", "a", "", 10, 5, 100),
		order1("1", "b", "", 10, 7, 300), // wins: greatest updated_at, and moves to another customer
		order1("1", "a", "", 10, 6, 200),
		order1("2", "a", "", 20, schemas.NoTime, 1),
		order1("2", "a", "", 20, schemas.NoTime, 2), // wins: last in the file
	}
	got, counts, _ := newLedgerTest().run(t, rows, 2, false)
	want := []string{"a seg=1 [20 d0 2-0-0=2] {0 1 2}", "b seg=1 [10 d0 300-0-0=300] {0 1 300}"}
	if !slices.Equal(got, want) {
		t.Errorf("customers = %q, want %q", got, want)
	}
	if counts.RowsIn != 5 || counts.Accepted != 2 || counts.Superseded != 3 || counts.Orders != 2 {
		t.Errorf("counts = %+v", counts)
	}
}

func TestIdentityChainsAndGuests(t *testing.T) {
	rows := []row{
		order1("1", "c", "x@x", 10, 1, 1),
		order1("2", "b", "x@x", 20, 1, 2), // b and c share x@x
		order1("3", "b", "y@y", 30, 1, 3),
		order1("4", "a", "y@y", 40, 1, 4), // a joins them over y@y
		order1("5", "", "x@x", 50, 1, 5),  // a guest of theirs
		order1("6", "", "z@z", 60, 1, 6),  // known by e-mail only
		order1("7", "", "", 70, 1, 7),     // nobody
		{id: "8", customer: "d", mail: "z@w", at: 5, currency: "EUR", gross: 8, status: schemas.Pending, cost: -1, channel: "web"},
		{id: "9", customer: "e", mail: "z@w", at: 6, currency: "EUR", gross: 9, cost: -1, channel: "web"}, // part of d, linked by a pending order
	}
	lt := newLedgerTest()
	got, counts, _ := lt.run(t, rows, 3, false)
	sum := sha256.Sum256([]byte("z@z"))
	want := []string{
		"a seg=1 [10 d0 1-0-0=1] [20 d0 2-0-0=2] [30 d0 3-0-0=3] [40 d0 4-0-0=4] [50 d0 5-0-0=5] {0 5 15}",
		"d seg=1 [6 d0 9-0-0=9] {0 1 9}",
		"e-" + hex.EncodeToString(sum[:16]) + " seg=1 [60 d0 6-0-0=6] {0 1 6}",
	}
	if !slices.Equal(got, want) {
		t.Errorf("customers =\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if counts.AnonymousOrders != 1 || counts.LinkedIDs != 3 || counts.LargestIDsPerKey != 2 || counts.Customers != 3 || counts.Purchases != 7 {
		t.Errorf("counts = %+v", counts)
	}
	lt.rules.MatchEmail = false
	if got, counts, _ = lt.run(t, rows, 3, false); len(got) != 4 || counts.AnonymousOrders != 3 {
		t.Errorf("ids only: %q %+v", got, counts)
	}
	lt.rules.MatchEmail, lt.rules.PrivacyKey = true, []byte("key")
	if got, _, _ = lt.run(t, rows, 3, false); strings.HasPrefix(got[2], want[2][:34]) || !strings.HasPrefix(got[2], "e-") {
		t.Errorf("with a privacy key the e-mail customer is still %q", got[2])
	}
}

func TestConversion(t *testing.T) {
	lt := newLedgerTest()
	lt.rules.AsOf = 100 * microsPerDay
	lt.rates = []schemas.Rate{
		{Day: 10, Currency: "USD", Mantissa: 9, Scale: 1}, {Day: 12, Currency: "USD", Mantissa: 33333, Scale: 5},
		{Day: 12, Currency: "USD", Mantissa: 5, Scale: 1}, // the later row of a day wins
	}
	day := func(d int64) int64 { return d*microsPerDay + microsPerDay/2 }
	usd := func(id string, d, gross, disc, ref int64) row {
		return row{id: id, customer: "a", at: day(d), currency: "USD", gross: gross, disc: disc, ref: ref, cost: 3, channel: "web", file: 1}
	}
	rows := []row{usd("1", 11, 15, 0, 0), usd("2", 19, 3, 1, 2), usd("3", 20, 1, 0, 0), usd("4", 9, 1, 0, 0),
		{id: "5", customer: "a", at: day(11), currency: "XXX", gross: 1, cost: -1, status: schemas.Cancelled, channel: "web", file: 1}}
	got, counts, rejects := lt.run(t, rows, 10, false)
	// 15 × 0.9 = 13.5 → 14 (half-even); 3 → 1.5 → 2, 1 → 0.5 → 0, full refund: 2 − 0; cost 3 × 0.9 = 2.7 → 3, 3 × 0.5 = 1.5 → 2
	want := fmt.Sprintf("a seg=1 [%d d11 14-0-0=14 c3] [%d d19 2-0-2=0 c2] {11 1 14} {19 1 0}", day(11), day(19))
	if len(got) != 1 || got[0] != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var rejected []string
	for _, r := range rejects {
		rejected = append(rejected, fmt.Sprintf("%s %s:%d %s %s", r.Reason, r.File, r.Row, r.Column, r.Value))
	}
	slices.Sort(rejected)
	if want := []string{"fx_rate_missing b.csv:3 currency USD", "fx_rate_missing b.csv:4 currency USD", "fx_rate_missing b.csv:5 currency XXX"}; !slices.Equal(rejected, want) {
		t.Errorf("rejects = %q, want %q", rejected, want)
	}
	if counts.Rejected != 3 || counts.Accepted != 2 {
		t.Errorf("counts = %+v", counts)
	}
}

func TestConvertHalfEvenAndOverflow(t *testing.T) {
	for _, c := range []struct {
		amount, mantissa int64
		scale            uint8
		want             int64
		ok               bool
	}{
		{25, 1, 1, 2, true}, {35, 1, 1, 4, true}, {-25, 1, 1, -2, true}, {26, 1, 1, 3, true}, {24, 1, 1, 2, true},
		{schemas.MaxAmount, 1, 0, schemas.MaxAmount, true}, {schemas.MaxAmount, 11, 1, 0, false}, {schemas.MaxAmount, schemas.MaxAmount, 0, 0, false},
		{7, 1_000_000_000_000_000_000, 18, 7, true},
	} {
		got, ok := convert(c.amount, schemas.Rate{Mantissa: c.mantissa, Scale: c.scale})
		if ok != c.ok || ok && got != c.want {
			t.Errorf("convert(%d × %de-%d) = %d, %v; want %d, %v", c.amount, c.mantissa, c.scale, got, ok, c.want, c.ok)
		}
	}
}

func TestLinesBecomeOrders(t *testing.T) {
	line := func(id, customer string, at, updated, gross int64) row {
		return row{id: id, customer: customer, at: at, updated: updated, gross: gross, cost: 1, currency: "EUR", channel: ""}
	}
	first := line("1", "a", 10, 1, 100)
	first.channel = "web"
	later := line("1", "", schemas.NoTime, 1, 50)
	later.status, later.currency = schemas.NoStatus, ""
	rows := []row{later, first, line("1", "", 10, 0, 7), // an older version
		line("2", "a", 20, 1, 5), line("2", "b", 20, 1, -1), // disagree on the customer
		line("3", "a", 30, 1, 5), line("3", "a", 30, 1, -9)} // below zero in sum
	got, counts, rejects := newLedgerTest().run(t, rows, 4, true)
	want := []string{"a seg=1 [10 d0 150-0-0=150 c2] [20 d0 4-0-0=4 c2] {0 2 154}"}
	if !slices.Equal(got, want) {
		t.Errorf("customers = %q, want %q", got, want)
	}
	if counts.Superseded != 1 || counts.LineConflicts != 1 || counts.Rejected != 2 || len(rejects) != 2 || rejects[0].Reason != schemas.ReasonAmountNegative {
		t.Errorf("counts = %+v rejects = %+v", counts, rejects)
	}
}

func TestFullyRefundedPolicyAndAsOf(t *testing.T) {
	lt := newLedgerTest()
	full := order1("1", "a", "", 10, 1, 100)
	full.ref, full.status = 100, schemas.Refunded
	rows := []row{full, order1("2", "a", "", lt.rules.AsOf-1, 1, 1), order1("3", "a", "", lt.rules.AsOf, 1, 1)}
	if got, counts, _ := lt.run(t, rows, 9, false); counts.Purchases != 2 || counts.AfterAsOf != 1 {
		t.Errorf("keep: %q %+v", got, counts)
	}
	lt.rules.DropFullyRefunded = true
	if got, counts, _ := lt.run(t, rows, 9, false); counts.Purchases != 1 {
		t.Errorf("drop: %q %+v", got, counts)
	}
}

// TestAnySplitGivesTheSameCustomers compares the ledger with a plain recomputation on
// random orders, for any order of rows, batch size, partitions and threads.
func TestAnySplitGivesTheSameCustomers(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 1))
		lt := newLedgerTest()
		lt.rules.AsOf = 40 * microsPerDay
		lt.rules.Namespaces = []string{"shop", "app"}
		for i := range 120 {
			lt.rules.Files = append(lt.rules.Files, File{"shop", fmt.Sprint(i)})
		}
		var rows []row
		for range 1 + r.IntN(80) {
			x := row{source: uint16(r.IntN(2)), id: fmt.Sprint(r.IntN(40)), at: r.Int64N(45*microsPerDay) / (microsPerDay / 4) * (microsPerDay / 4),
				updated: r.Int64N(1 << 40), status: schemas.Status(r.IntN(4)), currency: "EUR", gross: 100 + r.Int64N(100), cost: -1, channel: "web"}
			x.file = uint32(len(rows)) // one file a row, so that shuffling keeps each row's place
			if r.IntN(4) > 0 {
				x.customer = fmt.Sprint("c", r.IntN(25))
			}
			if r.IntN(2) > 0 {
				x.mail = fmt.Sprint("m", r.IntN(20), "@x")
			}
			rows = append(rows, x)
		}
		want := recompute(lt, rows)
		for range 3 {
			r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
			lt.threads, lt.parts = 1+r.IntN(8), r.Int64N(1<<22)
			lt.rules.Memory, lt.rules.Scratch = r.Int64N(2)*(1+r.Int64N(1<<20)), scratchFile(t)
			lt.rules.part = r.Int64N(2) * (1 + r.Int64N(400))
			got, counts, _ := lt.run(t, rows, 1+r.IntN(9), false)
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d (threads %d, rows %d, %+v):\n%s\nwant\n%s", seed, lt.threads, lt.parts, counts, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if counts.RowsIn != counts.Accepted+counts.Rejected+counts.Superseded {
				t.Fatalf("seed %d: rows do not add up: %+v", seed, counts)
			}
		}
	}
}

// recompute is the contract said plainly, with maps and no partitions.
func recompute(lt *ledgerTest, rows []row) []string {
	latest := map[string]row{}
	for _, x := range rows {
		k := fmt.Sprint(x.source, "/", x.id)
		if o, ok := latest[k]; !ok || x.updated > o.updated || x.updated == o.updated && x.file > o.file {
			latest[k] = x
		}
	}
	node := func(x row) (id, mail string) {
		if x.customer != "" {
			id = lt.rules.Namespaces[x.source] + ":" + x.customer
		}
		return id, x.mail
	}
	group := map[string]string{}
	find := func(k string) string {
		for group[k] != "" && group[k] != k {
			k = group[k]
		}
		return k
	}
	for _, x := range latest {
		if id, mail := node(x); x.at < lt.rules.AsOf && id != "" && mail != "" {
			a, b := find(id), find("~"+mail)
			if b < a {
				a, b = b, a
			}
			group[b], group[a] = a, a
		}
	}
	people := map[string][]row{}
	for _, x := range latest {
		id, mail := node(x)
		if x.at >= lt.rules.AsOf || x.status > schemas.Refunded || id == "" && mail == "" {
			continue
		}
		k := id
		if k == "" {
			k = "~" + mail
		}
		k = find(k)
		if mail, ok := strings.CutPrefix(k, "~"); ok {
			sum := sha256.Sum256([]byte(mail))
			k = "e-" + hex.EncodeToString(sum[:16])
		}
		people[k] = append(people[k], x)
	}
	var out []string
	for k, list := range people {
		slices.SortFunc(list, func(a, b row) int {
			if a.at != b.at {
				return int(a.at - b.at)
			}
			if a.source != b.source {
				return int(a.source) - int(b.source)
			}
			return strings.Compare(a.id, b.id)
		})
		c := &Customer{ID: []byte(k), Segments: []uint32{0}}
		for _, x := range list {
			p := Purchase{At: x.at, Day: lt.rules.Calendar.LocalDay(x.at), Gross: x.gross}
			c.Purchases = append(c.Purchases, p)
			c.addDay(&p)
		}
		w := collected{}
		w.Add(c)
		out = append(out, w.lines...)
	}
	slices.Sort(out)
	return out
}

func TestFoldStopsOnError(t *testing.T) {
	lt := newLedgerTest()
	rules := lt.rules
	rules.Interns = &schemas.Interns{Currency: schemas.NewIntern("EUR"), Dims: []*schemas.Intern{schemas.NewIntern()}}
	rules.Rates, rules.Threads = NewRates("EUR", nil), 4
	l := resolved(t, rules, []row{order1("1", "a", "", 1, 1, 1)})
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	full := errors.New("disk full")
	calls := 0
	err := l.Fold(func() Visitor { return &collected{} }, func([]arrow.Record) error {
		if calls++; calls == 3 {
			return full
		}
		return nil
	})
	if !errors.Is(err, full) || calls != 3 {
		t.Errorf("err = %v after %d calls, want %v after 3", err, calls, full)
	}
}
