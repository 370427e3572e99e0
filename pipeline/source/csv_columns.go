package source

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/cohortline/cohortline/schemas"
)

// csvColumns makes batches of the wanted columns of rows.
type csvColumns struct {
	*csvRows
	file     *csvFile
	want     []int
	validate bool
	b        *textColumns
	bases    []uint32 // by row: the separator before its first field, in ends
	quoted   []int32  // rows that may have quoted fields, and else are plain
	special  []int32  // rows that need a look at each of their values
}

// fill makes the batch of some rows, the first of which has the given number.
func (c *csvColumns) fill(rows []csvRow, number int64) {
	c.b.reset(len(rows), number)
	if c.blanks {
		c.special = c.special[:0]
		for i := range rows {
			c.special = append(c.special, int32(i))
		}
	} else {
		c.fillPlain(rows)
	}
	for _, i := range c.special {
		c.fillRow(rows[i], int(i))
	}
	c.b.setData(c.text)
}

// fillPlain fills in the values of plain rows column by column, and lists the other rows.
func (c *csvColumns) fillPlain(rows []csvRow) {
	width := len(c.file.fields)
	bases, quoted, special, ends := c.bases[:0], c.quoted[:0], c.special[:0], c.ends
	for i, r := range rows {
		base := r.first - 1
		switch {
		case int(r.fields) != width || r.kind > quotedRow:
			special, base = append(special, int32(i)), 0
		case !c.clean || ends[r.first+r.fields-1]-ends[base] > uint32(c.file.maxField):
			special = append(special, int32(i))
		case r.kind == quotedRow:
			quoted = append(quoted, int32(i))
		}
		bases = append(bases, base)
	}
	for len(ends) <= width { // so that place 0 is one for every row
		ends = append(ends, 0)
	}
	c.bases, c.quoted, c.special, c.ends = bases, quoted, special, ends
	for k, w := range c.want {
		col := &c.b.Cols[k]
		begin, end := col.Start[:len(bases)], col.End[:len(bases)]
		for i, base := range bases {
			x := ends[int(base)+w:][:2]
			begin[i], end[i] = x[0]+1, x[1]
		}
		if w == width-1 {
			for i, to := range end {
				if to > begin[i] && c.text[to-1] == '\r' {
					end[i]--
				}
			}
		}
		for _, i := range quoted {
			if begin[i] < end[i] && c.text[begin[i]] == '"' {
				begin[i], end[i] = c.value(rows[i], w)
			}
		}
	}
}

// fillRow fills in the values of one row, or says why it is bad.
func (c *csvColumns) fillRow(r csvRow, i int) {
	bad := BadRow{Index: i}
	bad.Reason, bad.Detail = r.kind.problem()
	if n := len(c.file.fields); bad.Reason == "" && int(r.fields) != n {
		bad.Reason, bad.Detail = schemas.ReasonRagged, fmt.Sprintf("%d fields, the header has %d", r.fields, n)
	}
	for k, w := range c.want {
		if bad.Reason != "" {
			break
		}
		from, to := c.value(r, w)
		if bad.Reason, bad.Detail = c.problem(c.text[from:to]); bad.Reason != "" {
			bad.Column = c.file.fields[w].Name
		}
		c.b.Cols[k].Start[i], c.b.Cols[k].End[i] = from, to
	}
	if bad.Reason != "" {
		raw := c.raw(r)
		bad.Raw = bytes.Clone(raw[:min(len(raw), 1024)])
		c.b.bad(bad)
	}
}

// problem says why a value cannot be taken: the reason of a reject and its detail.
func (c *csvColumns) problem(v []byte) (reason, detail string) {
	switch {
	case !c.clean && c.validate && !utf8.Valid(v):
		return schemas.ReasonInvalidUTF8, "bytes that are no UTF-8"
	case !c.clean && bytes.IndexByte(v, 0) >= 0:
		return schemas.ReasonInvalidUTF8, "a NUL byte"
	case len(v) > c.file.maxField:
		return schemas.ReasonFieldTooLong, fmt.Sprintf("%d bytes, at most %d are read", len(v), c.file.maxField)
	}
	return "", ""
}

// textColumns is a batch of text columns that share their bytes.
type textColumns struct{ Batch }

func newTextColumns(fields []Field, want []int) *textColumns {
	c := &textColumns{}
	for _, w := range want {
		c.Cols = append(c.Cols, Column{Field: fields[w]})
	}
	return c
}

// reset makes room for n rows without values, of which none is bad.
func (c *textColumns) reset(n int, row int64) {
	c.N, c.Row, c.Bad = n, row, c.Bad[:0]
	for k := range c.Cols {
		col := &c.Cols[k]
		if cap(col.Start) < n {
			col.Start, col.End = make([]uint32, n), make([]uint32, n)
		}
		col.Start, col.End, col.Null = col.Start[:n], col.End[:n], nil
	}
}

// bad makes a row a bad one: null in every column. Rows become bad in ascending order.
func (c *textColumns) bad(r BadRow) {
	c.Bad = append(c.Bad, r)
	for k := range c.Cols {
		c.null(k, r.Index)
	}
}

// null makes the value of a row in column k null.
func (c *textColumns) null(k, row int) {
	col := &c.Cols[k]
	if col.Null == nil {
		col.Null = make([]bool, c.N)
	}
	col.Start[row], col.End[row], col.Null[row] = 0, 0, true
}

func (c *textColumns) setData(text []byte) {
	for k := range c.Cols {
		c.Cols[k].Data = text
	}
}

func plainASCII(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint64(b)&tops != 0 {
			return false
		}
	}
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
