package pipeline

import (
	"bytes"
	"context"
	"iter"
	"testing"
	"time"

	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/schemas"
)

// oneText is a file whose only column has the same text in every row.
type oneText struct{ dict source.Column }

func (f *oneText) Fields() []source.Field {
	return []source.Field{{Name: "order_id", Kind: source.Text}}
}
func (f *oneText) Units() int   { return 1 }
func (f *oneText) Close() error { return nil }
func (f *oneText) Read(context.Context, int, []int) iter.Seq2[*source.Batch, error] {
	return func(yield func(*source.Batch, error) bool) {
		const rows = 8192
		for i := range 12 {
			c := source.Column{Field: f.Fields()[0], Codes: make([]int32, rows), Dict: &f.dict}
			if !yield(&source.Batch{Cols: []source.Column{c}, N: rows, Row: int64(1 + i*rows)}, nil) {
				return
			}
		}
	}
}

// TestLongIDsOfADictionary rejects 98,304 rows with an id of ten megabytes, of which the
// file holds one: a terabyte, if each were looked at whole.
func TestLongIDsOfADictionary(t *testing.T) {
	text := bytes.Repeat([]byte("x"), 10<<20)
	f := &oneText{source.Column{Field: source.Field{Name: "order_id", Kind: source.Text}, Data: text, Start: []uint32{0}, End: []uint32{uint32(len(text))}}}
	at, gross := "2024-01-01T00:00:00Z", "1"
	spec := SourceSpec{Columns: map[string]ColumnSpec{"ordered_at": {Const: &at}, "gross_amount": {Const: &gross}}}
	m, err := NewOrderMapper(spec, f, FileRef{}, MapEnv{Interns: &schemas.Interns{Currency: schemas.NewIntern("EUR")}, Reporting: "EUR"})
	if err != nil {
		t.Fatal(err)
	}
	start, rejected := time.Now(), 0
	for b, err := range f.Read(t.Context(), 0, m.Want()) {
		if err != nil {
			t.Fatal(err)
		}
		_, bad, err := m.Map(b)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range bad {
			if r.Reason != schemas.ReasonIDTooLong || len(r.Value) > 64 {
				t.Fatalf("%+v", r)
			}
		}
		rejected += len(bad)
	}
	if took := time.Since(start); rejected != 12*8192 || took > 10*time.Second {
		t.Errorf("%d rejected in %s", rejected, took)
	}
}
