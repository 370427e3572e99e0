package pipeline

import (
	"fmt"
	"math"
	"slices"

	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/schemas"
)

// times is a column of instants, in to or where it lies in the batch. Wall time without a declared zone and dates with
// two readings are mistakes of the configuration, not of the row.
func (m *OrderMapper) times(b *source.Batch, in *input, to []int64, required bool) ([]int64, error) {
	if !in.present() {
		for i := range to {
			to[i] = schemas.NoTime
		}
		return to, nil
	}
	if times, ok := m.plainTimes(b, in, to, required); ok {
		return times, nil
	}
	text := plainText(b, in)
	iso := text != nil && (in.time.Format == "" || in.time.Format == "iso")
	for i := 0; i < b.N; i++ {
		if iso { // what most rows of most files hold
			if i = parseInstants(text, to, i); i == b.N {
				break
			}
		}
		to[i] = schemas.NoTime
		if m.skip[i] {
			continue
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
			return nil, m.b.wrong(in.name, fmt.Sprintf("%q (row %d) can be read as %s or as %s", v.text, b.Row+int64(i), d, mo),
				"declare which: `timestamp: {format: \"%d/%m/%Y\"}` or `{format: \"%m/%d/%Y\"}`, with the time behind it, e.g. %H:%M")
		case naive:
			return nil, m.b.wrong(in.name, fmt.Sprintf("%q (row %d) has no offset from UTC and the source declares no zone", v.appendText(nil), b.Row+int64(i)),
				"declare the zone the times were written in: `timestamp: {timezone: Europe/Berlin}`")
		case reason != "":
			m.blame(i, reason, in.name, v)
		case empty && required:
			m.blame(i, schemas.ReasonValueMissing, in.name, v)
		case !empty:
			to[i] = t
		}
	}
	return to, nil
}

// amounts is a column of money, in to or where it lies in the batch; known, where given,
// says which are not empty.
func (m *OrderMapper) amounts(b *source.Batch, in *input, to []int64, known []bool, required bool) []int64 {
	if a, ok := m.plainAmounts(b, in, to, known, required); ok {
		return a
	}
	clear(to)
	clear(known)
	if !in.present() {
		return to
	}
	if in.col >= 0 && b.Cols[in.col].Kind == source.Float {
		m.stats.FloatMoney += int64(b.N)
	}
	mark, group := m.mark, m.group
	if in.expr != nil || in.fixed != nil {
		mark, group = '.', 0
	}
	text := plainText(b, in)
	for i := 0; i < b.N; i++ {
		if text != nil { // what most rows of most files hold
			if i = shortAmounts(text, mark, !required, to, known, i); i == b.N {
				break
			}
		}
		if m.skip[i] {
			continue
		}
		if text != nil {
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
	return to
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
func (m *OrderMapper) plainTimes(b *source.Batch, in *input, to []int64, required bool) ([]int64, bool) {
	ints, codes, null, ok := plain(b, in, source.Timestamp)
	if !ok || !b.Cols[in.col].UTC {
		return nil, false
	}
	if codes == nil && null == nil {
		if lowest, highest := bounds(ints); lowest >= minInstant && highest <= maxInstant {
			return ints, true
		}
	}
	for i := range to {
		to[i] = schemas.NoTime
		if null != nil && null[i] {
			if required {
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
		} else {
			m.blame(i, schemas.ReasonInvalidTime, in.name, at(&b.Cols[in.col], i))
		}
	}
	return to, true
}

// bounds are the smallest and largest of some numbers.
func bounds(v []int64) (lowest, highest int64) {
	lowest, highest = math.MaxInt64, math.MinInt64
	for _, x := range v {
		lowest, highest = min(lowest, x), max(highest, x)
	}
	return lowest, highest
}

// plainAmounts is amounts for a column of decimals with at most four places.
func (m *OrderMapper) plainAmounts(b *source.Batch, in *input, to []int64, known []bool, required bool) ([]int64, bool) {
	ints, codes, null, ok := plain(b, in, source.Decimal)
	if !ok || b.Cols[in.col].Scale > schemas.Scale {
		return nil, false
	}
	factor := int64(1)
	for range schemas.Scale - b.Cols[in.col].Scale {
		factor *= 10
	}
	limit := schemas.MaxAmount / factor
	if codes == nil { // the values of nulls are 0
		if lowest, highest := bounds(ints); (lowest >= 0 || m.lines && lowest >= -limit) && highest <= limit && (!required || null == nil) {
			if factor > 1 {
				for i, v := range ints {
					to[i] = v * factor
				}
				ints = to
			}
			for i := range known {
				known[i] = null == nil || !null[i]
			}
			return ints, true
		}
	}
	for i := range to {
		to[i] = 0
		if known != nil {
			known[i] = false
		}
		if null != nil && null[i] {
			if required {
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
	return to, true
}

// translate gives every row the number that f finds for its text; f is asked once per
// entry of a dictionary. A reason of f is the fault of every row that has the value.
func translate[T schemas.Status | uint32](m *OrderMapper, b *source.Batch, in *input, to []T, f func(v []byte) (uint32, string)) {
	if in.col >= 0 && b.Cols[in.col].Codes != nil && in.values == nil {
		translateCodes(m, &b.Cols[in.col], in, to, f)
		return
	}
	if text := plainText(b, in); text != nil {
		translateText(m, b, in, text, to, f)
		return
	}
	for i := range to {
		to[i] = 0
		if m.skip[i] {
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
		to[i] = T(code)
	}
}

// translateCodes is translate for codes of a dictionary.
func translateCodes[T schemas.Status | uint32](m *OrderMapper, c *source.Column, in *input, to []T, f func(v []byte) (uint32, string)) {
	if in.dict != c.Dict {
		in.dict, in.codes, in.why, in.faulty = c.Dict, in.codes[:0], in.why[:0], false
		for k := range dictLen(c.Dict) {
			code, why := f(at(c.Dict, k).appendText(nil))
			in.codes, in.why = append(in.codes, code), append(in.why, why)
			in.faulty = in.faulty || why != ""
		}
	}
	codes := in.codes
	if c.Null == nil {
		for i, k := range c.Codes[:len(to)] {
			to[i] = T(codes[k])
		}
	} else {
		none, why := f(nil)
		for i, k := range c.Codes[:len(to)] {
			if c.Null[i] {
				to[i] = T(none)
				if why != "" {
					m.blame(i, why, in.name, at(c, i))
				}
			} else {
				to[i] = T(codes[k])
			}
		}
	}
	if in.faulty {
		for i, k := range c.Codes[:len(to)] {
			if why := in.why[k]; why != "" && (c.Null == nil || !c.Null[i]) {
				m.blame(i, why, in.name, at(c, i))
			}
		}
	}
}

// translateText is translate for texts, of which f is asked for each but once, as long as
// there are not too many.
func translateText[T schemas.Status | uint32](m *OrderMapper, b *source.Batch, in *input, text *schemas.Strings, to []T, f func(v []byte) (uint32, string)) {
	if in.known == nil {
		in.known = new(translations)
	}
	for i := 0; i < len(to); i++ {
		if i = translateShort(in.known, text, to, i); i == len(to) {
			break
		}
		if m.skip[i] {
			to[i] = 0
			continue
		}
		code, why := in.known.of(text.At(i), f)
		if why != "" {
			m.blame(i, why, in.name, at(&b.Cols[in.col], i))
		}
		to[i] = T(code)
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
	translate(m, b, &m.status, to, func(v []byte) (uint32, string) {
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
	})
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
	translate(m, b, &m.currency, to, func(v []byte) (uint32, string) {
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
	})
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
	translate(m, b, in, to, func(v []byte) (uint32, string) {
		if len(v) == 0 {
			if m.lines {
				return schemas.NoCode, ""
			}
			return table.Code([]byte(schemas.NoSegment)), ""
		}
		return table.Code(v), ""
	})
}

// tests makes test orders of those whose is_test is true.
func (m *OrderMapper) tests(b *source.Batch) {
	if !m.isTest.present() {
		return
	}
	to := m.out.Status
	m.testFlags = grow(m.testFlags, b.N)
	translate(m, b, &m.isTest, m.testFlags, func(v []byte) (uint32, string) {
		switch lowerText(v) {
		case "", "false", "0", "no", "f", "n":
			return 0, ""
		case "true", "1", "yes", "t", "y":
			return 1, ""
		}
		return 0, schemas.ReasonInvalidBool
	})
	for i, is := range m.testFlags {
		if is == 1 {
			to[i] = schemas.Test
		}
	}
}
