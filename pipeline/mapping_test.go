package pipeline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/schemas"
)

// collector keeps the refunds of accepted orders.
type collector struct{ refunds int64 }

func (c *collector) Add(b *schemas.OrderBatch) error {
	for _, i := range b.Sel {
		c.refunds += b.Refund[i]
	}
	return nil
}
func (c *collector) Close() {}

// TestLateColumn reads a JSON Lines file whose refunds begin behind the lines that were
// looked at to learn its columns.
func TestLateColumn(t *testing.T) {
	var b strings.Builder
	for i := range 3000 {
		refund := ""
		if i >= 2000 {
			refund = `, "refund_amount": 0.5`
		}
		fmt.Fprintf(&b, `{"order_id": "%d", "customer_id": "c", "ordered_at": "2024-01-01T00:00:00Z", "gross_amount": 2%s}`+"\n", i, refund)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "o.jsonl"), []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	inputs, err := ListInputs(context.Background(), new(source.Stores), dir, []SourceSpec{{Table: "orders", Name: "o", Paths: []string{"o.jsonl"}}}, "orders")
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{}
	x, err := ExtractOrders(context.Background(), inputs, MapEnv{Interns: &schemas.Interns{Currency: schemas.NewIntern("EUR")}, Reporting: "EUR"}, 1, func() OrderWriter { return c }, nil)
	if err != nil || len(x.Rejects) != 0 || x.RowsRead != 3000 || c.refunds != 1000*5000 {
		t.Errorf("%v, refunds %d", err, c.refunds)
	}
}

func TestParseAmount(t *testing.T) {
	for _, c := range []struct {
		text        string
		mark, group byte
		want        int64
		reason      string
	}{
		{"1", '.', 0, 10000, ""}, {"-0.0001", '.', 0, -1, ""}, {" 12.50 ", '.', 0, 125000, ""}, {".5", '.', 0, 5000, ""}, {"5.", '.', 0, 50000, ""}, {"1.50000000", '.', 0, 15000, ""},
		{"1.00001", '.', 0, 0, schemas.ReasonAmountRange}, {"1,5", '.', 0, 0, schemas.ReasonInvalidAmount}, {"1,234.50", '.', ',', 12345000, ""}, {"1.234,56", ',', '.', 12345600, ""},
		{"12,34.5", '.', ',', 0, schemas.ReasonInvalidAmount}, {"1,23", '.', ',', 0, schemas.ReasonInvalidAmount}, {"1e3", '.', 0, 0, schemas.ReasonInvalidAmount}, {"", '.', 0, 0, schemas.ReasonInvalidAmount},
		{"99999999999999.9999", '.', 0, 999999999999999999, ""}, {"100000000000000", '.', 0, 0, schemas.ReasonAmountRange}, {"--1", '.', 0, 0, schemas.ReasonInvalidAmount}, {"1 000", '.', 0, 0, schemas.ReasonInvalidAmount},
	} {
		got, reason := parseAmount([]byte(c.text), c.mark, c.group)
		if reason != c.reason || reason == "" && got != c.want {
			t.Errorf("%q: %d %q, want %d %q", c.text, got, reason, c.want, c.reason)
		}
	}
}

func TestParseTimes(t *testing.T) {
	for _, c := range []struct {
		format, text string
		want         int64 // seconds
		instant, ok  bool
	}{
		{"", "1970-01-02", 86400, false, true}, {"", "1970-01-01T00:00:01Z", 1, true, true}, {"", "1970-01-01 01:00:00+01:00", 0, true, true}, {"", "1970-01-01T00:00:00.5-0130", 5400, true, true},
		{"", "1970-02-30", 0, false, false}, {"", "1970-01-01T24:00", 0, false, false}, {"", "70-01-01", 0, false, false},
		{"%d/%m/%Y %H:%M", "02/01/1970 0:01", 86460, false, true}, {"%m/%d/%Y", "1/2/1970", 86400, false, true}, {"%d %b %Y", "2 Jan 1970", 86400, false, true},
		{"%I:%M %p %Y-%m-%d", "12:01 AM 1970-01-01", 60, false, true}, {"%Y%m%d", "19700102", 86400, false, true}, {"%d/%m/%Y", "32/01/1970", 0, false, false}, {"%d/%m/%Y", "01/01/1970x", 0, false, false},
	} {
		var p parsed
		var ok bool
		if c.format == "" {
			p, ok = parseISO([]byte(c.text))
		} else {
			p, ok = parseFormat(c.format, []byte(c.text))
		}
		if ok != c.ok || ok && (p.micros/1_000_000 != c.want || p.instant != c.instant) {
			t.Errorf("%q by %q: %+v %t", c.text, c.format, p, ok)
		}
	}
}

func TestExpressions(t *testing.T) {
	columns := []string{"Quantity", "UnitPrice", "Unit Price", "Country"}
	row := map[string]any{"Quantity": "3", "UnitPrice": "0.1", "Unit Price": "2.5", "Country": "France"}
	for text, want := range map[string]string{
		"Quantity * UnitPrice": "0.3", "Quantity * row(\"Unit Price\") - 1": "6.5", "Quantity > 2 and UnitPrice < 0.2": "true",
		"Country == \"France\" ? Quantity : UnitPrice": "3", "Quantity + UnitPrice": "3.1", "Quantity / 2": "1.5", "lower(Country) == \"france\"": "true",
		"Quantity * (0.1 + 0.2)": "0.9", "Quantity * (1 / 4)": "0.75", "0 - Quantity": "-3", "Quantity * -1 + 2 * 3": "3", "len(Country) + 1 > 6": "true",
	} {
		e, err := compile(text, columns)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := e.eval(row); err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"Quantity *", "Missing * 2", "row(\"No such\") + 1"} {
		if _, err := compile(text, columns); err == nil {
			t.Errorf("%s compiles", text)
		}
	}
	e, err := compile("Quantity * Country", columns)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.eval(row); err == nil || err.Error() != "France" {
		t.Errorf("a country was multiplied: %v", err)
	}
}

func TestWallClock(t *testing.T) {
	spec := SourceSpec{Name: "s", Time: map[string]TimeSpec{"": {Timezone: "Europe/Berlin"}}}
	b := &binder{spec: spec}
	in, err := b.bindTime("ordered_at", false)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"2024-01-15T12:00:00": "2024-01-15T11:00:00", "2024-07-15T12:00:00": "2024-07-15T10:00:00",
		"2024-10-27T02:30:00": "2024-10-27T00:30:00", // shown twice: the first
		"2024-03-31T02:30:00": "2024-03-31T01:30:00", // never shown: read with the offset before
		"2024-03-31T03:30:00": "2024-03-31T01:30:00", "2024-10-27T03:00:00": "2024-10-27T02:00:00",
	} {
		p, ok := parseISO([]byte(text))
		w, ok2 := parseISO([]byte(want))
		if got := in.clock.instant(p.micros); !ok || !ok2 || got != w.micros {
			t.Errorf("%s: %d, want %d", text, got, w.micros)
		}
	}
}

// FuzzReadsTime reads any text in any format: a day between the years 1 and 9999, or none.
func FuzzReadsTime(f *testing.F) {
	f.Add("%d/%m/%Y %H:%M", "03/04/2011 8:26")
	f.Add("iso", "2024-01-01T00:00:00.5+01:00")
	f.Add("%b %d, %y %I:%M %p %z", "Jan 1, 24 12:00 AM +0100")
	f.Fuzz(func(t *testing.T, format, text string) {
		ok, _ := ReadsTime(format, text)
		if err := CheckTimeFormat(format); err != nil && ok && format != "" && strings.Contains(err.Error(), "not known") {
			t.Errorf("%q is read in %q, which is refused: %v", text, format, err)
		}
	})
}

// TestMappersOfOneFile makes the mappers of two workers: that the first has asked for a
// column which the file lacks does not make it one of the file for the second.
func TestMappersOfOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "o.jsonl")
	line := `{"order_id": 1, "customer_id": "a", "ordered_at": "2024-01-01T00:00:00Z", "gross_amount": "5"}` + "\n"
	if err := os.WriteFile(path, []byte(line), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := source.Open(t.Context(), source.Object{URL: path, Path: path, Size: int64(len(line))}, source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for worker := range 2 {
		m, err := NewOrderMapper(SourceSpec{}, f, FileRef{}, MapEnv{Interns: &schemas.Interns{Currency: schemas.NewIntern("EUR")}, Reporting: "EUR"})
		if err != nil {
			t.Fatal(err)
		}
		if !m.currency.maybe || !m.status.maybe || m.gross.maybe {
			t.Errorf("worker %d: currency %t, status %t and gross_amount %t may be missing", worker, m.currency.maybe, m.status.maybe, m.gross.maybe)
		}
	}
}
