package pipeline

import (
	"fmt"
	"slices"

	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/schemas"
)

// times fills a column of instants. Wall time without a declared zone and dates with
// two readings are mistakes of the configuration, not of the row.
func (m *OrderMapper) times(b *source.Batch, in *input, to []int64, required bool) error {
	if !in.present() {
		for i := range to {
			to[i] = schemas.NoTime
		}
		return nil
	}
	if m.plainTimes(b, in, to, required) {
		return nil
	}
	text := plainText(b, in)
	iso := text != nil && (in.time.Format == "" || in.time.Format == "iso")
	for i := range b.N {
		to[i] = schemas.NoTime
		if m.skip[i] {
			continue
		}
		if iso { // what most rows of most files hold
			var ok bool
			if to[i], ok = parseInstant(text.At(i)); ok {
				continue
			}
			to[i] = schemas.NoTime
		}
		if text != nil {
			if p, ok := in.parse(text.At(i)); ok && p.instant && p.micros >= minInstant && p.micros <= maxInstant {
				to[i] = p.micros
				continue
			}
		}
		v, ok := m.value(b, in, i)
		if !ok {
			continue
		}
		t, empty, naive, ambiguous, reason := in.instant(v)
		switch {
		case ambiguous:
			d, mo, _ := ambiguousDate(v.text)
			return m.b.wrong(in.name, fmt.Sprintf("%q (row %d) can be read as %s or as %s", v.text, b.Row+int64(i), d, mo),
				"declare which: `timestamp: {format: \"%d/%m/%Y\"}` or `{format: \"%m/%d/%Y\"}`, with the time behind it, e.g. %H:%M")
		case naive:
			return m.b.wrong(in.name, fmt.Sprintf("%q (row %d) has no offset from UTC and the source declares no zone", v.appendText(nil), b.Row+int64(i)),
				"declare the zone the times were written in: `timestamp: {timezone: Europe/Berlin}`")
		case reason != "":
			m.blame(i, reason, in.name, v)
		case empty && required:
			m.blame(i, schemas.ReasonValueMissing, in.name, v)
		case !empty:
			to[i] = t
		}
	}
	return nil
}

// amounts fills a column of money; known, where given, says which are not empty.
func (m *OrderMapper) amounts(b *source.Batch, in *input, to []int64, known []bool, required bool) {
	clear(to)
	clear(known)
	if !in.present() {
		return
	}
	if in.col >= 0 && b.Cols[in.col].Kind == source.Float {
		m.stats.FloatMoney += int64(b.N)
	}
	if m.plainAmounts(b, in, to, known, required) {
		return
	}
	mark, group := m.mark, m.group
	if in.expr != nil || in.fixed != nil {
		mark, group = '.', 0
	}
	text := plainText(b, in)
	for i := range b.N {
		if m.skip[i] {
			continue
		}
		if text != nil { // what most rows of most files hold
			if a, ok := shortAmount(text.Data, text.Start[i], text.End[i], mark); ok {
				to[i] = a
				if known != nil {
					known[i] = true
				}
				continue
			}
			v := text.At(i)
			if len(v) == 0 && !required {
				continue
			}
			if a, reason := parseAmount(v, mark, group); reason == "" && a >= 0 {
				to[i] = a
				if known != nil {
					known[i] = true
				}
				continue
			}
		}
		v, ok := m.value(b, in, i)
		if !ok {
			continue
		}
		a, empty, reason := v.amount(mark, group)
		if reason == schemas.ReasonAmountRange && in.expr != nil { // a product may have more places than an amount
			if d, err := newDecimal(string(v.text)); err == nil {
				a, reason = decimalAmount(d)
			}
		}
		switch {
		case reason != "":
			m.blame(i, reason, in.name, v)
		case empty && required:
			m.blame(i, schemas.ReasonValueMissing, in.name, v)
		case a < 0 && !m.lines:
			m.blame(i, schemas.ReasonAmountNegative, in.name, v)
		case !empty:
			to[i] = a
			if known != nil {
				known[i] = true
			}
		}
	}
}

// plain returns the values of a column that are used as they lie in the file: numbers of
// the given kind, each within range, read through the codes of a dictionary where there
// is one.
func plain(b *source.Batch, in *input, kind source.Kind) (ints []int64, codes []int32, null []bool, ok bool) {
	if in.col < 0 || in.values != nil {
		return nil, nil, nil, false
	}
	c := &b.Cols[in.col]
	ints, codes, null = c.Ints, c.Codes, c.Null
	from := c
	if codes != nil {
		from = c.Dict
		ints = from.Ints
	}
	return ints, codes, null, c.Kind == kind && len(from.TooBig) == 0
}

// plainText returns the texts of a column that are used as they lie in the file, nil where
// the input is something else. A null is an empty text.
func plainText(b *source.Batch, in *input) *schemas.Strings {
	if in.col < 0 || in.values != nil {
		return nil
	}
	c := &b.Cols[in.col]
	if c.Kind != source.Text || c.Codes != nil {
		return nil
	}
	return &schemas.Strings{Data: c.Data, Start: c.Start, End: c.End}
}

// plainTimes is times for a column of instants, without a look at each value's kind.
func (m *OrderMapper) plainTimes(b *source.Batch, in *input, to []int64, required bool) bool {
	ints, codes, null, ok := plain(b, in, source.Timestamp)
	if !ok || !b.Cols[in.col].UTC {
		return false
	}
	for i := range to {
		to[i] = schemas.NoTime
		if null != nil && null[i] {
			if required && !m.skip[i] {
				m.blame(i, schemas.ReasonValueMissing, in.name, cell{null: true})
			}
			continue
		}
		k := i
		if codes != nil {
			k = int(codes[i])
		}
		if t := ints[k]; t >= minInstant && t <= maxInstant {
			to[i] = t
		} else if !m.skip[i] {
			m.blame(i, schemas.ReasonInvalidTime, in.name, at(&b.Cols[in.col], i))
		}
	}
	return true
}

// plainAmounts is amounts for a column of decimals with at most four places.
func (m *OrderMapper) plainAmounts(b *source.Batch, in *input, to []int64, known []bool, required bool) bool {
	ints, codes, null, ok := plain(b, in, source.Decimal)
	if !ok || b.Cols[in.col].Scale > schemas.Scale {
		return false
	}
	factor := int64(1)
	for range schemas.Scale - b.Cols[in.col].Scale {
		factor *= 10
	}
	limit := schemas.MaxAmount / factor
	for i := range to {
		if null != nil && null[i] {
			if required && !m.skip[i] {
				m.blame(i, schemas.ReasonValueMissing, in.name, cell{null: true})
			}
			continue
		}
		k := i
		if codes != nil {
			k = int(codes[i])
		}
		v := ints[k]
		switch {
		case m.skip[i]:
		case v > limit || v < -limit:
			m.blame(i, schemas.ReasonAmountRange, in.name, at(&b.Cols[in.col], i))
		case v < 0 && !m.lines:
			m.blame(i, schemas.ReasonAmountNegative, in.name, at(&b.Cols[in.col], i))
		default:
			to[i] = v * factor
			if known != nil {
				known[i] = true
			}
		}
	}
	return true
}

// translate gives every row the number that f finds for its text; f is asked once per
// entry of a dictionary. A reason of f is the fault of every row that has the value.
func (m *OrderMapper) translate(b *source.Batch, in *input, f func(v []byte) (uint32, string), set func(i int, code uint32)) {
	if in.col >= 0 && b.Cols[in.col].Codes != nil && in.values == nil {
		c := &b.Cols[in.col]
		if in.dict != c.Dict {
			in.dict, in.codes, in.why = c.Dict, in.codes[:0], in.why[:0]
			n := dictLen(c.Dict)
			for k := range n {
				code, reason := f(at(c.Dict, k).appendText(nil))
				in.codes, in.why = append(in.codes, code), append(in.why, reason)
			}
		}
		none, noneWhy := f(nil)
		for i, k := range c.Codes[:b.N] {
			code, why := none, noneWhy
			if c.Null == nil || !c.Null[i] {
				code, why = in.codes[k], in.why[k]
			}
			if why != "" && !m.skip[i] {
				m.blame(i, why, in.name, at(c, i))
			}
			set(i, code)
		}
		return
	}
	if text := plainText(b, in); text != nil {
		m.translateText(b, in, text, f, set)
		return
	}
	for i := range b.N {
		if m.skip[i] {
			set(i, 0)
			continue
		}
		v, ok := m.value(b, in, i)
		if !ok {
			continue
		}
		var text []byte
		if !v.null {
			text = v.appendText(nil)
		}
		code, why := f(text)
		if why != "" {
			m.blame(i, why, in.name, v)
		}
		set(i, code)
	}
}

// translateText is translate for texts, of which f is asked for each but once, as long as
// there are not too many.
func (m *OrderMapper) translateText(b *source.Batch, in *input, text *schemas.Strings, f func(v []byte) (uint32, string), set func(i int, code uint32)) {
	if in.known == nil {
		in.known = new(translations)
	}
	for i := range b.N {
		if m.skip[i] {
			set(i, 0)
			continue
		}
		t := in.known.of(text.Data, text.Start[i], text.End[i], f)
		if t.why != "" {
			m.blame(i, t.why, in.name, at(&b.Cols[in.col], i))
		}
		set(i, t.code)
	}
}

func dictLen(c *source.Column) int { return max(len(c.Start), len(c.Ints), len(c.Floats)) }

func (m *OrderMapper) statuses(b *source.Batch) {
	to := m.out.Status
	if !m.status.present() {
		for i := range to {
			to[i] = schemas.Paid
		}
		return
	}
	m.translate(b, &m.status, func(v []byte) (uint32, string) {
		s := lowerText(v)
		if i := slices.Index(schemas.Statuses[:], s); i >= 0 {
			return uint32(i), ""
		}
		for raw, to := range m.status.values {
			if lowerText([]byte(raw)) == s {
				if i := slices.Index(schemas.Statuses[:], to); i >= 0 {
					return uint32(i), ""
				}
			}
		}
		if s == "" && m.status.maybe {
			return uint32(schemas.Paid), ""
		}
		if s == "" && m.lines {
			return uint32(schemas.NoStatus), ""
		}
		return 0, schemas.ReasonStatusUnknown
	}, func(i int, c uint32) { to[i] = schemas.Status(c) })
}

func (m *OrderMapper) currencies(b *source.Batch) {
	to := m.out.Currency
	if !m.currency.present() {
		code := m.env.Interns.Currency.Code([]byte(m.env.Reporting))
		for i := range to {
			to[i] = code
		}
		return
	}
	m.translate(b, &m.currency, func(v []byte) (uint32, string) {
		v = trimBlanks(v)
		if len(v) == 0 && m.currency.maybe {
			return m.env.Interns.Currency.Code([]byte(m.env.Reporting)), ""
		}
		if len(v) == 0 && m.lines {
			return schemas.NoCode, ""
		}
		code, ok := currencyCode(v)
		if !ok {
			return 0, schemas.ReasonInvalidCurrency
		}
		return m.env.Interns.Currency.Code(code[:]), ""
	}, func(i int, c uint32) { to[i] = c })
}

// currencyCode is the upper-case form of three letters.
func currencyCode(v []byte) (code [3]byte, ok bool) {
	if len(v) != 3 {
		return code, false
	}
	for k, c := range v {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c < 'A' || c > 'Z' {
			return code, false
		}
		code[k] = c
	}
	return code, true
}

func (m *OrderMapper) dimension(b *source.Batch, d int) {
	to, in, table := m.out.Dims[d], &m.dims[d], m.env.Interns.Dims[d]
	m.translate(b, in, func(v []byte) (uint32, string) {
		if len(v) == 0 {
			if m.lines {
				return schemas.NoCode, ""
			}
			return table.Code([]byte(schemas.NoSegment)), ""
		}
		return table.Code(v), ""
	}, func(i int, c uint32) { to[i] = c })
}

// tests makes test orders of those whose is_test is true.
func (m *OrderMapper) tests(b *source.Batch) {
	if !m.isTest.present() {
		return
	}
	to := m.out.Status
	m.translate(b, &m.isTest, func(v []byte) (uint32, string) {
		switch lowerText(v) {
		case "", "false", "0", "no", "f", "n":
			return 0, ""
		case "true", "1", "yes", "t", "y":
			return 1, ""
		}
		return 0, schemas.ReasonInvalidBool
	}, func(i int, c uint32) {
		if c == 1 {
			to[i] = schemas.Test
		}
	})
}
