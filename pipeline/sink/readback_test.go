package sink

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/cohortline/cohortline/schemas"
	"github.com/parquet-go/parquet-go"
)

// mixed is a table with a column of every type, once as it must and once as it may be null.
var mixed = func() schemas.Table {
	t := schemas.Table{Name: "mixed", Key: []string{"text"}, Description: "Every type."}
	for _, x := range []struct {
		name string
		t    schemas.Type
	}{{"text", schemas.String}, {"int", schemas.Int64}, {"double", schemas.Double}, {"flag", schemas.Bool}, {"day", schemas.Date}, {"at", schemas.Timestamp}, {"money", schemas.Money}, {"amount", schemas.Amount}} {
		t.Columns = append(t.Columns, schemas.Column{Name: x.name, Type: x.t, Description: "Value."}, schemas.Column{Name: x.name + "_or_null", Type: x.t, Nullable: true, Description: "Value or null."})
	}
	return t
}()

type mixedRow struct {
	Text         string                       `col:"text"`
	TextOrNull   schemas.Opt[string]          `col:"text_or_null"`
	Int          int64                        `col:"int"`
	IntOrNull    schemas.Opt[int64]           `col:"int_or_null"`
	Double       float64                      `col:"double"`
	DoubleOrNull schemas.Opt[float64]         `col:"double_or_null"`
	Flag         bool                         `col:"flag"`
	FlagOrNull   schemas.Opt[bool]            `col:"flag_or_null"`
	Day          schemas.Day                  `col:"day"`
	DayOrNull    schemas.Opt[schemas.Day]     `col:"day_or_null"`
	At           schemas.Instant              `col:"at"`
	AtOrNull     schemas.Opt[schemas.Instant] `col:"at_or_null"`
	Money        schemas.Sum                  `col:"money"`
	MoneyOrNull  schemas.Opt[schemas.Sum]     `col:"money_or_null"`
	Amount       schemas.Sum                  `col:"amount"`
	AmountOrNull schemas.Opt[schemas.Sum]     `col:"amount_or_null"`
}

// distribution makes the numbers of a column: value i, from bits that are random.
type distribution func(i int, bits uint64) int64

var distributions = []distribution{
	func(int, uint64) int64 { return -7 },
	func(_ int, b uint64) int64 { return int64(b % 3) },
	func(_ int, b uint64) int64 { return int64(b%300) - 150 },
	func(_ int, b uint64) int64 { return int64(b % 5000) },
	func(i int, _ uint64) int64 { return int64(i / 100) },
	func(i int, _ uint64) int64 { return int64(i) * 1_000_000 },
	func(_ int, b uint64) int64 { return int64(b%40) * 1_000_003 }, // few, far apart
	func(_ int, b uint64) int64 { return int64(b>>44) * 100 },
	func(_ int, b uint64) int64 { return int64(b%200)*1500 - 3000 }, // few steps
	func(_ int, b uint64) int64 { return int64(b) >> (b & 31) },
	func(_ int, b uint64) int64 { return int64(b) >> 24 },
}

// wide are sums that 64 bits cannot hold.
func wide(v int64, b uint64) schemas.Sum { return decimal128.New(v>>40, b) }

// mixedRows makes n rows; every column has a distribution of its own, drawn as some.
func mixedRows(n int, seed uint64, kinds []int, nulls int) []mixedRow {
	list := make([]mixedRow, n)
	state := seed
	next := func() uint64 { // splitmix64
		state += 0x9E3779B97F4A7C15
		z := (state ^ state>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		return z ^ z>>31
	}
	for i := range list {
		r, k := &list[i], 0
		number := func() int64 { k++; return distributions[kinds[(k-1)%len(kinds)]](i, next()) }
		there := func() bool { return nulls > 0 && (nulls == 1 || next()%uint64(nulls) > 0) == (nulls > 1) || nulls == 0 }
		day := func() schemas.Day { return schemas.Day(number() % 100_000) }                           // two and a half centuries about 1970:
		instant := func() schemas.Instant { return schemas.Instant(number() % 4_000_000_000_000_000) } // Python knows no others
		amount := func() schemas.Sum { return decimal128.FromI64(number() % (schemas.MaxAmount + 1)) }
		sum := func() schemas.Sum {
			if v := number(); v == 0 && kinds[0] == 8 {
				return wide(v-1, next())
			} else {
				return decimal128.FromI64(v)
			}
		}
		r.Text, r.Int, r.Double, r.Flag = fmt.Sprintf("größe %x", number()), number(), float64(number())/7, number()&1 == 0
		r.Day, r.At, r.Money, r.Amount = day(), instant(), sum(), amount()
		if there() {
			r.TextOrNull, r.IntOrNull, r.DoubleOrNull = schemas.Some(fmt.Sprint(number())), schemas.Some(number()), schemas.Some(math.Sqrt(float64(number()&math.MaxInt32)))
			r.FlagOrNull, r.DayOrNull, r.AtOrNull = schemas.Some(number() < 0), schemas.Some(day()), schemas.Some(instant())
		}
		if there() {
			r.MoneyOrNull, r.AmountOrNull = schemas.Some(sum()), schemas.Some(amount())
		}
	}
	return list
}

// TestRoundTrip: what parquet-go reads from a file are the rows that were written, and the
// bytes of the file do not depend on the batches they came in. Random tables, by seed.
func TestRoundTrip(t *testing.T) {
	for seed := range uint64(80) {
		r := rand.New(rand.NewPCG(seed, 1))
		kinds := make([]int, 1+r.IntN(16))
		for i := range kinds {
			kinds[i] = r.IntN(len(distributions))
		}
		n := []int{r.IntN(40), r.IntN(3000), 9000 + r.IntN(10_000)}[r.IntN(3)]
		list := mixedRows(n, seed, kinds, r.IntN(10))
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { roundTrip(t, list, 1+r.IntN(5000)) }) {
			return
		}
	}
}

// FuzzRoundTrip is the same for tables that a fuzzer draws.
func FuzzRoundTrip(f *testing.F) {
	f.Add(uint16(100), uint64(1), []byte{1, 2, 3}, uint8(2), uint16(7))
	f.Fuzz(func(t *testing.T, rows uint16, seed uint64, kinds []byte, nulls uint8, batch uint16) {
		drawn := []int{0}
		for _, k := range kinds {
			drawn = append(drawn, int(k)%len(distributions))
		}
		roundTrip(t, mixedRows(int(rows), seed, drawn, int(nulls)), int(batch)+1)
	})
}

// TestRowGroups is the same with several row groups, and a first one that ends within a batch.
func TestRowGroups(t *testing.T) {
	roundTrip(t, mixedRows(2*groupRows+5, 1, []int{3, 7, 2, 1, 4, 5, 6, 8, 9}, 3), 50_001)
	roundTrip(t, mixedRows(groupRows, 2, []int{5}, 0), groupRows)
}

func roundTrip(t testing.TB, list []mixedRow, batch int) {
	t.Helper()
	var b, other bytes.Buffer
	for to, d := range map[*bytes.Buffer]schemas.Data{&b: schemas.Encode(mixed, slices.Values(list)), &other: {Table: mixed, Batches: batches(list, batch)}} {
		if n, err := Parquet(to, d); err != nil || n != int64(len(list)) {
			t.Fatalf("%d of %d rows, %v", n, len(list), err)
		}
	}
	if !bytes.Equal(b.Bytes(), other.Bytes()) {
		t.Fatalf("batches of %d rows make another file", batch)
	}
	f, err := parquet.OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := f.Schema().String(), mixed.Parquet().String(); got != want {
		t.Fatalf("schema %s, want %s", got, want)
	}
	at := 0
	for _, g := range f.RowGroups() {
		columns := make([][]parquet.Value, len(mixed.Columns))
		for c, chunk := range g.ColumnChunks() {
			if columns[c], err = readColumn(chunk); err != nil || len(columns[c]) != int(g.NumRows()) {
				t.Fatalf("column %s: %d of %d values, %v", mixed.Columns[c].Name, len(columns[c]), g.NumRows(), err)
			}
		}
		for i := range int(g.NumRows()) {
			for c, want := range valuesOf(&list[at+i]) {
				if got := columns[c][i]; !parquet.Equal(got, want) || got.IsNull() != want.IsNull() {
					t.Fatalf("row %d, column %s: %v, want %v", at+i, mixed.Columns[c].Name, got, want)
				}
			}
		}
		checkStatistics(t, f, columns, at/groupRows)
		at += int(g.NumRows())
	}
	if at != len(list) {
		t.Fatalf("%d of %d rows", at, len(list))
	}
}

// batches cuts rows into records of n rows.
func batches(list []mixedRow, n int) iter.Seq2[arrow.Record, error] {
	return func(yield func(arrow.Record, error) bool) {
		e := schemas.NewEncoder[mixedRow](mixed)
		for i := range list {
			e.Append(&list[i])
			if (i+1)%n == 0 || i == len(list)-1 {
				r, err := e.Take()
				more := yield(r, err)
				if r != nil {
					r.Release()
				}
				if !more {
					return
				}
			}
		}
	}
}

func readColumn(c parquet.ColumnChunk) (list []parquet.Value, err error) {
	pages := c.Pages()
	defer pages.Close()
	for {
		p, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return list, err
		}
		values := make([]parquet.Value, p.NumValues())
		if n, err := p.Values().ReadValues(values); n != len(values) || err != nil && !errors.Is(err, io.EOF) {
			return list, fmt.Errorf("%d of %d values of a page: %w", n, len(values), err)
		}
		for _, v := range values {
			list = append(list, v.Clone())
		}
	}
}

// valuesOf are the values of a row as Parquet stores them.
func valuesOf(r *mixedRow) []parquet.Value {
	money := func(v schemas.Sum) parquet.Value {
		b := make([]byte, schemas.MoneyBytes)
		for i := range 8 {
			b[11-i] = byte(v.LowBits() >> (8 * i))
		}
		for i := range 4 {
			b[3-i] = byte(v.HighBits() >> (8 * i))
		}
		return parquet.FixedLenByteArrayValue(b)
	}
	amount := func(v schemas.Sum) parquet.Value { return parquet.Int64Value(int64(v.LowBits())) }
	text := func(v string) parquet.Value { return parquet.ByteArrayValue([]byte(v)) }
	day := func(v schemas.Day) parquet.Value { return parquet.Int32Value(int32(v)) }
	at := func(v schemas.Instant) parquet.Value { return parquet.Int64Value(int64(v)) }
	return []parquet.Value{text(r.Text), orNull(r.TextOrNull, text), parquet.Int64Value(r.Int), orNull(r.IntOrNull, parquet.Int64Value),
		parquet.DoubleValue(r.Double), orNull(r.DoubleOrNull, parquet.DoubleValue), parquet.BooleanValue(r.Flag), orNull(r.FlagOrNull, parquet.BooleanValue),
		day(r.Day), orNull(r.DayOrNull, day), at(r.At), orNull(r.AtOrNull, at), money(r.Money), orNull(r.MoneyOrNull, money), amount(r.Amount), orNull(r.AmountOrNull, amount)}
}

func orNull[T any](v schemas.Opt[T], value func(T) parquet.Value) parquet.Value {
	if !v.Valid {
		return parquet.NullValue()
	}
	return value(v.Value)
}

// checkStatistics compares the bounds and null counts of a row group with its values.
func checkStatistics(t testing.TB, f *parquet.File, columns [][]parquet.Value, group int) {
	t.Helper()
	for c, values := range columns {
		column, meta := mixed.Columns[c], f.Metadata().RowGroups[group].Columns[c].MetaData
		nulls, present := int64(0), values[:0:0]
		for _, v := range values {
			if v.IsNull() {
				nulls++
			} else {
				present = append(present, v)
			}
		}
		s := meta.Statistics
		if s.NullCount != nulls || meta.NumValues != int64(len(values)) {
			t.Fatalf("column %s: %d values, %d nulls, want %d and %d", column.Name, meta.NumValues, s.NullCount, len(values), nulls)
		}
		if column.Type == schemas.Money {
			if s.MinValue != nil || s.MaxValue != nil {
				t.Fatalf("column %s has bounds, which readers order differently", column.Name)
			}
			continue
		}
		if len(present) == 0 {
			continue
		}
		typ := f.Schema().Columns()
		leaf, _ := f.Schema().Lookup(typ[c]...)
		compare := leaf.Node.Type().Compare
		low, high := slices.MinFunc(present, compare), slices.MaxFunc(present, compare)
		kind := leaf.Node.Type().Kind()
		if got := kind.Value(s.MinValue); compare(got, low) != 0 {
			t.Fatalf("column %s: least %v, want %v", column.Name, got, low)
		}
		if got := kind.Value(s.MaxValue); compare(got, high) != 0 {
			t.Fatalf("column %s: greatest %v, want %v", column.Name, got, high)
		}
	}
}

// TestNullWhereNoneMayBe: a table that breaks its own schema is an error that names the column.
func TestNullWhereNoneMayBe(t *testing.T) {
	loose := mixed
	loose.Columns = slices.Clone(mixed.Columns)
	loose.Columns[2].Nullable = true
	type row struct {
		V schemas.Opt[int64] `col:"int"`
	}
	one := schemas.Table{Name: "t", Columns: []schemas.Column{{Name: "int", Type: schemas.Int64, Nullable: true}}}
	d := schemas.Encode(one, slices.Values([]row{{schemas.Some[int64](1)}, {}}))
	d.Table = schemas.Table{Name: "t", Columns: []schemas.Column{{Name: "int", Type: schemas.Int64}}}
	if _, err := Parquet(io.Discard, d); err == nil || err.Error() != "table t, rows from 0 on: column int: null in one of 2 rows, which the table does not allow" {
		t.Errorf("error %v", err)
	}
}

// TestLongTexts: pages and row groups of long texts end early, so that none is too long for
// the format or for memory.
func TestLongTexts(t *testing.T) {
	type row struct {
		A string              `col:"a"`
		B schemas.Opt[string] `col:"b"`
	}
	table := schemas.Table{Name: "t", Columns: []schemas.Column{{Name: "a"}, {Name: "b", Nullable: true}}}
	var list []row
	for i := range 4000 {
		text := string(bytes.Repeat([]byte{byte('a' + i%26)}, 20_000)) + fmt.Sprint(i)
		list = append(list, row{A: text, B: schemas.Opt[string]{Value: text[:i%20_000], Valid: i%3 > 0}})
	}
	var b bytes.Buffer
	if _, err := Parquet(&b, schemas.Encode(table, slices.Values(list))); err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(f.RowGroups()); n != 2 {
		t.Errorf("%d row groups of 82 MB of text", n)
	}
	at := 0
	for _, g := range f.RowGroups() {
		a, err := readColumn(g.ColumnChunks()[0])
		if err != nil {
			t.Fatal(err)
		}
		o, err := readColumn(g.ColumnChunks()[1])
		if err != nil {
			t.Fatal(err)
		}
		for i := range a {
			if r := list[at+i]; a[i].String() != r.A || o[i].IsNull() == r.B.Valid || r.B.Valid && o[i].String() != r.B.Value {
				t.Fatalf("row %d is not what was written", at+i)
			}
		}
		at += len(a)
	}
	if at != len(list) {
		t.Errorf("%d of %d rows", at, len(list))
	}
}
