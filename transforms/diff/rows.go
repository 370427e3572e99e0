package diff

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/cohortline/cohortline/schemas"
	"github.com/zeebo/xxh3"
)

// Kind says what has become of a row.
type Kind uint8

const (
	Changed Kind = iota // both versions have the row, with other values
	Added               // only the later version has it
	Removed             // only the earlier one has it
)

// Kinds are the names of the kinds.
var Kinds = [...]string{"changed", "added", "removed"}

// Row is a row that differs. It is valid until the next one.
type Row struct {
	Kind          Kind
	Before, After []schemas.Value // by the columns of the comparison; nil where the version has no such row
}

// key holds the values of the key, from whichever version has the row.
func (r *Row) key() []schemas.Value {
	if r.After != nil {
		return r.After
	}
	return r.Before
}

// Comparison holds two versions of a table against each other.
type Comparison struct {
	Table         schemas.Table // the columns of both versions; one that a version lacks is null there
	keys          []int         // the columns of the key
	before, after side
	memory        int64
}

// side is one version, with the place of every column of the comparison in its rows.
type side struct {
	schemas.Stored
	at []int // −1: it has no such column
}

// MemoryError says that two versions have more rows than can be compared.
type MemoryError struct{ Rows, Need, Limit int64 }

func (e *MemoryError) Error() string {
	return fmt.Sprintf("to compare %d rows takes %d MiB of memory, %d MiB are allowed", e.Rows, e.Need>>20, e.Limit>>20)
}

// New prepares a comparison of two versions of a table. A version without columns has no
// rows. memory is the bytes that the comparison may use; 0: as many as it takes.
func New(before, after schemas.Stored, memory int64) (*Comparison, error) {
	c := &Comparison{Table: after.Table, before: side{Stored: before}, after: side{Stored: after}, memory: memory}
	if len(after.Table.Columns) == 0 {
		c.Table = before.Table
	}
	c.Table.Columns = slices.Clone(c.Table.Columns)
	for _, x := range before.Table.Columns {
		if y, ok := c.Table.Column(x.Name); !ok {
			c.Table.Columns = append(c.Table.Columns, x)
		} else if y.Type != x.Type {
			return nil, fmt.Errorf("table %s: column %s is a %s in one result and a %s in the other", c.Table.Name, x.Name, x.Type, y.Type)
		}
	}
	for _, s := range []*side{&c.before, &c.after} {
		for _, x := range c.Table.Columns {
			s.at = append(s.at, slices.IndexFunc(s.Table.Columns, func(y schemas.Column) bool { return y.Name == x.Name }))
		}
	}
	for _, k := range c.Table.Key {
		i := slices.IndexFunc(c.Table.Columns, func(x schemas.Column) bool { return x.Name == k })
		if i < 0 {
			return nil, fmt.Errorf("table %s has no column %s, which is part of its key", c.Table.Name, k)
		}
		c.keys = append(c.keys, i)
	}
	return c, nil
}

// Rows yields the rows that differ, by key; where memory has no room for all of them at
// once, in several runs each of which is sorted. Values that no column holds any more, or
// not yet, count as null.
func (c *Comparison) Rows() iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		before, after, bytes, err := c.different()
		if err != nil {
			yield(nil, err)
			return
		}
		n := int64(len(before) + len(after))
		if n == 0 {
			return
		}
		rounds := uint64(1)
		if c.memory > 0 {
			rounds += uint64((bytes + n*rowOverhead) / c.memory)
		}
		for round := range rounds {
			pairs := map[string]*pair{}
			for _, x := range []struct {
				s    *side
				want []xxh3.Uint128
				to   func(*pair) *[]byte
			}{{&c.before, before, func(p *pair) *[]byte { return &p.before }}, {&c.after, after, func(p *pair) *[]byte { return &p.after }}} {
				if err := c.gather(x.s, x.want, round, rounds, pairs, x.to); err != nil {
					yield(nil, err)
					return
				}
			}
			if !c.emit(pairs, yield) {
				return
			}
		}
	}
}

// rowOverhead is what a row takes in memory beyond its values.
const rowOverhead = 200

// pair is the encoded row of each version.
type pair struct{ before, after []byte }

// different lists the digests of the rows of each version that the other one does not have
// with the same values, and the bytes of those rows.
func (c *Comparison) different() (before, after []xxh3.Uint128, bytes int64, err error) {
	if need := 16 * (c.before.Count + c.after.Count); c.memory > 0 && need > c.memory {
		return nil, nil, 0, &MemoryError{c.before.Count + c.after.Count, need, c.memory}
	}
	var lists [2][]xxh3.Uint128
	var total [2]int64
	for i, s := range []*side{&c.before, &c.after} {
		lists[i] = make([]xxh3.Uint128, 0, s.Count)
		if err := c.each(s, func(row, _ []byte) error {
			lists[i] = append(lists[i], xxh3.Hash128(row))
			total[i] += int64(len(row))
			return nil
		}); err != nil {
			return nil, nil, 0, err
		}
		slices.SortFunc(lists[i], compareDigests)
	}
	before, after = without(lists[0], lists[1]), without(lists[1], lists[0])
	for i, list := range [][]xxh3.Uint128{before, after} {
		if n := int64(len(lists[i])); n > 0 {
			bytes += total[i] * int64(len(list)) / n
		}
	}
	return before, after, bytes, nil
}

func compareDigests(a, b xxh3.Uint128) int {
	return cmp.Or(cmp.Compare(a.Hi, b.Hi), cmp.Compare(a.Lo, b.Lo))
}

// without is the sorted list a without what the sorted list b has.
func without(a, b []xxh3.Uint128) []xxh3.Uint128 {
	var left []xxh3.Uint128
	k := 0
	for _, x := range a {
		for k < len(b) && compareDigests(b[k], x) < 0 {
			k++
		}
		if k == len(b) || b[k] != x {
			left = append(left, x)
		}
	}
	return left
}

// each calls f with every row of a version, encoded, and its encoded key.
func (c *Comparison) each(s *side, f func(row, key []byte) error) error {
	if s.Rows == nil {
		return nil
	}
	var row, key []byte
	for values, err := range s.Rows() {
		if err != nil {
			return err
		}
		row, key = row[:0], key[:0]
		for i, at := range s.at {
			v := schemas.Value{Null: true}
			if at >= 0 {
				v = values[at]
			}
			row = appendValue(row, v, c.Table.Columns[i].Type)
		}
		for _, k := range c.keys {
			v := schemas.Value{Null: true}
			if at := s.at[k]; at >= 0 {
				v = values[at]
			}
			key = appendKey(key, v, c.Table.Columns[k].Type)
		}
		if err := f(row, key); err != nil {
			return err
		}
	}
	return nil
}

// gather keeps the wanted rows of a version whose turn it is.
func (c *Comparison) gather(s *side, want []xxh3.Uint128, round, rounds uint64, pairs map[string]*pair, to func(*pair) *[]byte) error {
	if len(want) == 0 {
		return nil
	}
	return c.each(s, func(row, key []byte) error {
		if rounds > 1 && xxh3.Hash(key)%rounds != round {
			return nil
		}
		if _, ok := slices.BinarySearchFunc(want, xxh3.Hash128(row), compareDigests); !ok {
			return nil
		}
		p := pairs[string(key)]
		if p == nil {
			p = &pair{}
			pairs[string(key)] = p
		}
		if d := to(p); *d == nil {
			*d = slices.Clone(row)
			return nil
		}
		return fmt.Errorf("table %s has the key %s twice: it is not what a run has written", c.Table.Name, c.KeyText(&Row{After: c.decode(row, nil)}))
	})
}

// emit yields the gathered rows by key, false once nobody wants more.
func (c *Comparison) emit(pairs map[string]*pair, yield func(*Row, error) bool) bool {
	var before, after []schemas.Value
	for _, key := range slices.Sorted(maps.Keys(pairs)) {
		p := pairs[key]
		r := Row{}
		if p.before != nil {
			before = c.decode(p.before, before[:0])
			r.Before = before
		} else {
			r.Kind = Added
		}
		if p.after != nil {
			after = c.decode(p.after, after[:0])
			r.After = after
		} else {
			r.Kind = Removed
		}
		if !yield(&r, nil) {
			return false
		}
	}
	return true
}

// KeyText is the key of a row: its values in declared order, with | in between and \ before
// a | or \ of a value.
func (c *Comparison) KeyText(r *Row) string {
	var b []byte
	for i, k := range c.keys {
		if i > 0 {
			b = append(b, '|')
		}
		text := string(r.key()[k].Append(nil, c.Table.Columns[k].Type))
		b = append(b, keyEscapes.Replace(text)...)
	}
	return string(b)
}

var keyEscapes = strings.NewReplacer(`\`, `\\`, `|`, `\|`)

// KeyValue is the value of a column of the key, false where the key has no such column.
func (c *Comparison) KeyValue(r *Row, column string) (schemas.Value, bool) {
	for _, k := range c.keys {
		if c.Table.Columns[k].Name == column {
			return r.key()[k], true
		}
	}
	return schemas.Value{}, false
}
