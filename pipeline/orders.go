package pipeline

import (
	"bytes"
	"fmt"
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

	out     schemas.OrderBatch
	fault   []fault // per row: the first column at fault
	skip    []bool  // per row: filtered or bad
	rejects []schemas.Reject
	row     map[string]any // environment of expressions
	text    []byte         // texts made here, behind those of the batch
}

// fault is why a row does not conform.
type fault struct{ reason, column, value string }

// NewOrderMapper binds a source to the columns of one file. A column that the source
// maps and the file lacks is a MappingError unless it is optional.
func NewOrderMapper(spec SourceSpec, file source.File, ref FileRef, env MapEnv) (*OrderMapper, error) {
	m := &OrderMapper{b: &binder{spec: spec, file: file, fields: file.Fields(), ref: ref}, env: env, lines: spec.Grain == "line", mark: '.'}
	switch spec.Decimal {
	case '.':
		m.group = ','
	case ',':
		m.mark, m.group = ',', '.'
	}
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
	if len(m.b.exprs) > 0 {
		m.row = make(map[string]any)
	}
	return m, nil
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
	for _, bad := range b.Bad {
		m.fault[bad.Index] = fault{bad.Reason, bad.Column, bad.Detail}
		m.skip[bad.Index] = true
	}
	if err := m.rowFormulas(b); err != nil {
		return nil, nil, err
	}
	m.strings(b, &m.orderID, &o.OrderID, true)
	m.strings(b, &m.customerID, &o.CustomerID, false)
	m.strings(b, &m.email, &o.Email, false)
	m.lowerEmails()
	if err := m.times(b, &m.ordered, o.OrderedAt, !m.lines); err != nil {
		return nil, nil, err
	}
	if err := m.times(b, &m.updated, o.UpdatedAt, false); err != nil {
		return nil, nil, err
	}
	m.statuses(b)
	m.currencies(b)
	m.amounts(b, &m.gross, o.Gross, nil, !m.lines)
	m.amounts(b, &m.discount, o.Discount, nil, false)
	m.amounts(b, &m.refund, o.Refund, nil, false)
	m.amounts(b, &m.cost, o.Cost, o.HasCost, false)
	m.tests(b)
	for d := range m.dims {
		m.dimension(b, d)
	}
	bad := 0
	for i := range b.N {
		switch {
		case m.fault[i].reason != "":
			detail := ""
			if bad < len(b.Bad) && b.Bad[bad].Index == i {
				detail = mask(b.Bad[bad].Raw, 256)
			}
			f := m.fault[i]
			m.rejects = append(m.rejects, schemas.Reject{Source: m.b.ref.SourceName, File: m.b.ref.Path, Row: b.Row + int64(i), Table: "orders",
				Reason: f.reason, Column: f.column, Value: f.value, Raw: detail})
		case !m.skip[i]:
			o.Sel = append(o.Sel, int32(i))
		}
		if bad < len(b.Bad) && b.Bad[bad].Index == i {
			bad++
		}
	}
	return o, m.rejects, nil
}

func (m *OrderMapper) reset(b *source.Batch) {
	n := b.N
	o := &m.out
	o.N, o.Sel, o.Source, o.File, o.Row, o.Lines = n, o.Sel[:0], m.b.ref.Source, m.b.ref.File, b.Row, m.lines
	if cap(o.Gross) < n {
		o.OrderedAt, o.UpdatedAt = make([]int64, n), make([]int64, n)
		o.Gross, o.Discount, o.Refund, o.Cost = make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
		o.HasCost, o.Status, o.Currency = make([]bool, n), make([]schemas.Status, n), make([]uint32, n)
		o.Dims = make([][]uint32, len(m.dims))
		for d := range o.Dims {
			o.Dims[d] = make([]uint32, n)
		}
		m.fault, m.skip = make([]fault, n), make([]bool, n)
	}
	o.OrderedAt, o.UpdatedAt = o.OrderedAt[:n], o.UpdatedAt[:n]
	o.Gross, o.Discount, o.Refund, o.Cost = o.Gross[:n], o.Discount[:n], o.Refund[:n], o.Cost[:n]
	o.HasCost, o.Status, o.Currency = o.HasCost[:n], o.Status[:n], o.Currency[:n]
	for d := range o.Dims {
		o.Dims[d] = o.Dims[d][:n]
	}
	m.fault, m.skip = m.fault[:n], m.skip[:n]
	clear(m.fault)
	clear(m.skip)
	m.rejects = m.rejects[:0]
	m.text = m.text[:0]
}

// blame records why row i does not conform, unless an earlier column was at fault.
func (m *OrderMapper) blame(i int, reason, column string, v cell) {
	m.skip[i] = true
	if m.fault[i].reason == "" {
		var b [64]byte
		m.fault[i] = fault{reason, column, mask(v.appendText(b[:0]), 64)}
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

// strings fills a column of ids. Plain text is taken as it lies in the batch.
func (m *OrderMapper) strings(b *source.Batch, in *input, to *schemas.Strings, required bool) {
	if text := plainText(b, in); text != nil { // a null is an empty text
		to.Data = text.Data
		to.Start, to.End = append(to.Start[:0], text.Start...), append(to.End[:0], text.End...)
		for i, from := range to.Start {
			if n := to.End[i] - from; n > maxID || n == 0 && required {
				m.checkID(i, in, required, to.At(i))
			}
		}
		return
	}
	if in.col >= 0 && in.values == nil {
		if c := &b.Cols[in.col]; c.Kind == source.Text {
			src := c
			if c.Codes != nil {
				src = c.Dict
			}
			to.Data, to.Start, to.End = src.Data, grow(to.Start, b.N), grow(to.End, b.N)
			for i := range b.N {
				to.Start[i], to.End[i] = 0, 0
				if c.Null == nil || !c.Null[i] {
					k := i
					if c.Codes != nil {
						k = int(c.Codes[i])
					}
					to.Start[i], to.End[i] = src.Start[k], src.End[k]
				}
				m.checkID(i, in, required, to.At(i))
			}
			return
		}
	}
	to.Data, to.Start, to.End = nil, to.Start[:0], to.End[:0]
	for i := range b.N {
		v, _ := m.value(b, in, i)
		from := len(to.Data)
		if !v.null {
			to.Data = v.appendText(to.Data)
		}
		to.Start, to.End = append(to.Start, uint32(from)), append(to.End, uint32(len(to.Data)))
		m.checkID(i, in, required, to.At(i))
	}
}

func grow(s []uint32, n int) []uint32 {
	if cap(s) < n {
		return make([]uint32, n)
	}
	return s[:n]
}

func (m *OrderMapper) checkID(i int, in *input, required bool, v []byte) {
	if m.skip[i] {
		return
	}
	if len(v) > maxID {
		m.blame(i, schemas.ReasonIDTooLong, in.name, cell{kind: source.Text, text: v})
	} else if required && len(v) == 0 {
		m.blame(i, schemas.ReasonValueMissing, in.name, cell{kind: source.Text})
	}
}

// lowerEmails trims and lower-cases the e-mails that need it.
func (m *OrderMapper) lowerEmails() {
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
