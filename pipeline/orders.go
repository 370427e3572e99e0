package pipeline

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/schemas"
)

// maxID is the length of the longest id or e-mail, in bytes.
const maxID = 4096

// OrderMapper turns the raw batches of one file into canonical orders. It serves one
// goroutine.
type OrderMapper struct {
	b           *binder
	env         MapEnv
	lines       bool
	mark, group byte
	stats       MapStats

	orderID, customerID, email, ordered, updated, status, currency input
	gross, discount, refund, cost, isTest                          input
	dims                                                           []input
	filter                                                         *expression

	out       schemas.OrderBatch
	own       ownColumns
	faults    []rowFault // of the batch, one per row at fault
	skip      []bool     // per row: filtered or bad
	rejects   []schemas.Reject
	row       map[string]any // environment of expressions
	testFlags []uint32       // 1: the row is a test order
	text      []byte         // texts made here, behind those of the batch
}

// ownColumns is the memory of the columns that cannot be used as they lie in the batch.
type ownColumns struct {
	times   [2][]int64
	amounts [4][]int64
	known   []bool
	ids     [3]schemas.Strings
}

// rowFault is why a row does not conform: the first column at fault.
type rowFault struct {
	index                 int
	reason, column, value string
}

// NewOrderMapper binds a source to the columns of one file. A column that the source
// maps and the file lacks is a MappingError unless it is optional.
func NewOrderMapper(spec SourceSpec, file source.File, ref FileRef, env MapEnv) (*OrderMapper, error) {
	m := newMapper(spec, file, ref)
	m.env = env
	var err error
	bind := func(to *input, name string, required bool) {
		if err == nil {
			*to, err = m.b.bind(name, required)
		}
	}
	bindTime := func(to *input, name string, required bool) {
		if err == nil {
			*to, err = m.b.bindTime(name, required)
		}
	}
	bind(&m.orderID, "order_id", true)
	bind(&m.customerID, "customer_id", false)
	m.email = input{name: "email", col: -1}
	if env.NeedEmail {
		bind(&m.email, "email", false)
	}
	bindTime(&m.ordered, "ordered_at", true)
	bindTime(&m.updated, "updated_at", false)
	bind(&m.status, "status", false)
	bind(&m.currency, "currency", false)
	bind(&m.gross, "gross_amount", true)
	bind(&m.discount, "discount_amount", false)
	bind(&m.refund, "refund_amount", false)
	m.cost = input{name: "cost_amount", col: -1}
	if env.NeedCost {
		bind(&m.cost, "cost_amount", false)
	}
	bind(&m.isTest, "is_test", false)
	for _, d := range env.Dimensions {
		var in input
		bind(&in, d, false)
		m.dims = append(m.dims, in)
	}
	if err == nil && spec.Filter != "" {
		m.filter, err = m.b.expression("filter", spec.Filter)
	}
	if err != nil {
		return nil, err
	}
	m.ready()
	return m, nil
}

// newMapper is a mapper that no column is bound to yet.
func newMapper(spec SourceSpec, file source.File, ref FileRef) *OrderMapper {
	m := &OrderMapper{b: &binder{spec: spec, file: file, fields: file.Fields(), ref: ref}, lines: spec.Grain == "line", mark: '.'}
	switch spec.Decimal {
	case '.':
		m.group = ','
	case ',':
		m.mark, m.group = ',', '.'
	}
	return m
}

// ready ends the binding of columns.
func (m *OrderMapper) ready() {
	if len(m.b.exprs) > 0 {
		m.row = make(map[string]any)
	}
}

// Want lists the fields of the file to read.
func (m *OrderMapper) Want() []int { return m.b.want }

// Stats counts what has been met so far.
func (m *OrderMapper) Stats() MapStats { return m.stats }

// Map turns one batch into orders and rejects. Both are valid until the next call. An
// error is a mistake of the configuration that the data has brought to light.
func (m *OrderMapper) Map(b *source.Batch) (*schemas.OrderBatch, []schemas.Reject, error) {
	m.reset(b)
	o := &m.out
	if err := m.rowFormulas(b); err != nil {
		return nil, nil, err
	}
	o.OrderID = m.strings(b, &m.orderID, &m.own.ids[0], true)
	o.CustomerID = m.strings(b, &m.customerID, &m.own.ids[1], false)
	o.Email = m.strings(b, &m.email, &m.own.ids[2], false)
	m.lowerEmails()
	var err error
	if o.OrderedAt, err = m.times(b, &m.ordered, m.own.times[0][:b.N], !m.lines); err != nil {
		return nil, nil, err
	}
	if o.UpdatedAt, err = m.times(b, &m.updated, m.own.times[1][:b.N], false); err != nil {
		return nil, nil, err
	}
	m.statuses(b)
	m.currencies(b)
	own := &m.own.amounts
	o.Gross = m.amounts(b, &m.gross, own[0][:b.N], nil, !m.lines)
	o.Discount = m.amounts(b, &m.discount, own[1][:b.N], nil, false)
	o.Refund = m.amounts(b, &m.refund, own[2][:b.N], nil, false)
	o.Cost = m.amounts(b, &m.cost, own[3][:b.N], o.HasCost, false)
	m.tests(b)
	for d := range m.dims {
		m.dimension(b, d)
	}
	for i, skip := range m.skip {
		if !skip {
			o.Sel = append(o.Sel, int32(i))
		}
	}
	m.reject(b, "orders")
	return o, m.rejects, nil
}

// reject lists the rows at fault among the rejects, in their order.
func (m *OrderMapper) reject(b *source.Batch, table string) {
	slices.SortFunc(m.faults, func(x, y rowFault) int { return cmp.Compare(x.index, y.index) })
	bad := 0
	for _, f := range m.faults {
		r := schemas.Reject{Source: m.b.ref.SourceName, File: m.b.ref.Path, Row: b.Row + int64(f.index), Table: table,
			Reason: f.reason, Column: f.column, Value: f.value}
		for bad < len(b.Bad) && b.Bad[bad].Index < f.index {
			bad++
		}
		if bad < len(b.Bad) && b.Bad[bad].Index == f.index {
			r.Raw = mask(b.Bad[bad].Raw, 256)
		}
		m.rejects = append(m.rejects, r)
	}
}

// reset prepares the mapper for a batch, whose bad rows are at fault from the start.
func (m *OrderMapper) reset(b *source.Batch) {
	n := b.N
	o := &m.out
	o.N, o.Sel, o.Source, o.File, o.Row, o.Lines = n, o.Sel[:0], m.b.ref.Source, m.b.ref.File, b.Row, m.lines
	if cap(m.skip) < n {
		for _, c := range []*[]int64{&m.own.times[0], &m.own.times[1], &m.own.amounts[0], &m.own.amounts[1], &m.own.amounts[2], &m.own.amounts[3]} {
			*c = make([]int64, n)
		}
		m.own.known = make([]bool, n)
		o.Status, o.Currency = make([]schemas.Status, n), make([]uint32, n)
		o.Dims = make([][]uint32, len(m.dims))
		for d := range o.Dims {
			o.Dims[d] = make([]uint32, n)
		}
		m.skip = make([]bool, n)
	}
	o.HasCost, o.Status, o.Currency = m.own.known[:n], o.Status[:n], o.Currency[:n]
	for d := range o.Dims {
		o.Dims[d] = o.Dims[d][:n]
	}
	m.skip = m.skip[:n]
	clear(m.skip)
	m.faults, m.rejects, m.text = m.faults[:0], m.rejects[:0], m.text[:0]
	for _, bad := range b.Bad {
		m.skip[bad.Index] = true
		m.faults = append(m.faults, rowFault{bad.Index, bad.Reason, bad.Column, bad.Detail})
	}
}

// blame records why row i does not conform, unless an earlier column was at fault or a
// filter has left it out.
func (m *OrderMapper) blame(i int, reason, column string, v cell) {
	if !m.skip[i] {
		m.skip[i] = true
		v.text = v.text[:min(len(v.text), 64)] // a dictionary may hold one text of any length for all rows
		var b [64]byte
		m.faults = append(m.faults, rowFault{i, reason, column, mask(v.appendText(b[:0]), 64)})
	}
}

// rowFormulas runs the filter and the derived columns of every row; their results wait
// as texts in formulas.
func (m *OrderMapper) rowFormulas(b *source.Batch) error {
	if m.filter == nil {
		return nil
	}
	for i := range b.N {
		if m.skip[i] {
			continue
		}
		m.fillRow(b, i)
		v, err := m.filter.eval(m.row)
		if err != nil {
			m.blame(i, schemas.ReasonExpression, "filter", cell{text: []byte(err.Error())})
			continue
		}
		keep, ok := v.(bool)
		if !ok {
			return m.b.wrong("filter", fmt.Sprintf("%q gives %v, not true or false", m.filter.text, v), "compare something, e.g. Quantity > 0")
		}
		if !keep {
			m.skip[i] = true
			m.stats.Filtered++
		}
	}
	return nil
}

// fillRow makes the columns of row i available to expressions, as text.
func (m *OrderMapper) fillRow(b *source.Batch, i int) {
	for k := range b.Cols {
		v := at(&b.Cols[k], i)
		if v.null {
			m.row[b.Cols[k].Name] = ""
		} else {
			m.row[b.Cols[k].Name] = string(v.appendText(nil))
		}
	}
}

// value is the cell of row i of an input, with expressions computed as text.
func (m *OrderMapper) value(b *source.Batch, in *input, i int) (cell, bool) {
	switch {
	case in.fixed != nil:
		return cell{kind: source.Text, text: in.fixed}, true
	case in.expr != nil:
		m.fillRow(b, i)
		v, err := in.expr.eval(m.row)
		if err != nil {
			m.blame(i, schemas.ReasonExpression, in.name, cell{kind: source.Text, text: []byte(err.Error())})
			return cell{}, false
		}
		return cell{kind: source.Text, text: fmt.Append(nil, v)}, true
	case in.row:
		return cell{kind: source.Text, text: fmt.Appendf(nil, "%s:%d", m.b.ref.Path, b.Row+int64(i))}, true
	case in.col < 0:
		return cell{null: true}, true
	}
	v := at(&b.Cols[in.col], i)
	if in.values != nil && !v.null {
		if to, ok := in.values[string(v.appendText(nil))]; ok {
			return cell{kind: source.Text, text: []byte(to)}, true
		}
	}
	return v, true
}

// strings is a column of ids, where it lies in the batch or in own.
func (m *OrderMapper) strings(b *source.Batch, in *input, own *schemas.Strings, required bool) schemas.Strings {
	if in.col >= 0 && in.values == nil && b.Cols[in.col].Kind == source.Text {
		c := &b.Cols[in.col]
		if text := plainText(b, in); text != nil && in != &m.email { // e-mails may have to be changed
			m.checkIDs(in, required, text)
			return *text
		}
		src := c
		if c.Codes != nil {
			src = c.Dict
		}
		own.Start, own.End = grow(own.Start, b.N), grow(own.End, b.N)
		for i := range b.N {
			own.Start[i], own.End[i] = 0, 0
			if c.Null == nil || !c.Null[i] {
				k := i
				if c.Codes != nil {
					k = int(c.Codes[i])
				}
				own.Start[i], own.End[i] = src.Start[k], src.End[k]
			}
		}
		to := schemas.Strings{Data: src.Data, Start: own.Start, End: own.End}
		m.checkIDs(in, required, &to)
		return to
	}
	if !in.present() {
		own.Start, own.End = grow(own.Start, b.N), grow(own.End, b.N)
		clear(own.Start)
		clear(own.End)
		return *own
	}
	own.Reset()
	for i := range b.N {
		v, _ := m.value(b, in, i)
		from := len(own.Data)
		if !v.null {
			own.Data = v.appendText(own.Data)
		}
		own.Start, own.End = append(own.Start, uint32(from)), append(own.End, uint32(len(own.Data)))
	}
	m.checkIDs(in, required, own)
	return *own
}

func grow(s []uint32, n int) []uint32 {
	if cap(s) < n {
		return make([]uint32, n)
	}
	return s[:n]
}

// checkIDs blames the rows whose id is too long, or missing where it is required.
func (m *OrderMapper) checkIDs(in *input, required bool, ids *schemas.Strings) {
	shortest, longest := uint32(maxID), uint32(0)
	for i, start := range ids.Start {
		n := ids.End[i] - start
		shortest, longest = min(shortest, n), max(longest, n)
	}
	if longest <= maxID && (shortest > 0 || !required) {
		return
	}
	for i := range ids.Start {
		if v := ids.At(i); len(v) > maxID {
			m.blame(i, schemas.ReasonIDTooLong, in.name, cell{kind: source.Text, text: v})
		} else if required && len(v) == 0 {
			m.blame(i, schemas.ReasonValueMissing, in.name, cell{kind: source.Text})
		}
	}
}

// lowerEmails trims and lower-cases the e-mails that need it.
func (m *OrderMapper) lowerEmails() {
	if !m.email.present() {
		return
	}
	e := &m.out.Email
	own := []byte(nil)
	for i := range m.out.N {
		v := e.At(i)
		if plainEmail(v) {
			continue
		}
		if own == nil { // keep the column's bytes and put the changed ones behind a copy of them
			own = append(m.text[:0], e.Data...)
		}
		from := len(own)
		own = append(own, bytes.ToLower(bytes.TrimSpace(v))...)
		e.Start[i], e.End[i] = uint32(from), uint32(len(own))
	}
	if own != nil {
		e.Data, m.text = own, own
	}
}

func plainEmail(v []byte) bool {
	for _, c := range v {
		if c <= ' ' || c >= 'A' && c <= 'Z' || c >= 0x80 {
			return false
		}
	}
	return true
}

// lowerText is the lower-case trimmed form of a short text.
func lowerText(b []byte) string { return strings.ToLower(strings.TrimSpace(string(b))) }
