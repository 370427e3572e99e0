package pipeline

import (
	"context"
	"fmt"
	"strings"

	"github.com/cockroachdb/apd/v3"
	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/schemas"
)

// ReadRates reads the fx inputs: rates in the order of the files and rows, and the rows
// that do not conform.
func ReadRates(ctx context.Context, inputs []Input) (rates []schemas.Rate, rejects []schemas.Reject, rows int64, err error) {
	for _, in := range inputs {
		f, err := source.Open(ctx, in.Object, in.Spec.Format)
		if err != nil {
			return nil, nil, 0, err
		}
		r := rateReader{rates: rates, rejects: rejects, rows: rows}
		err = r.read(ctx, in, f)
		f.Close()
		if changed := in.Object.Unchanged(); changed != nil {
			err = changed
		}
		if err != nil {
			return nil, nil, 0, err
		}
		rates, rejects, rows = r.rates, r.rejects, r.rows
	}
	return rates, rejects, rows, nil
}

type rateReader struct {
	rates   []schemas.Rate
	rejects []schemas.Reject
	rows    int64
}

func (r *rateReader) read(ctx context.Context, in Input, f source.File) error {
	b := &binder{spec: in.Spec, file: f, fields: f.Fields(), ref: FileRef{Source: in.Source, SourceName: in.Spec.Name, File: in.File, Path: in.Object.Path}}
	var inputs [3]input
	for i, name := range []string{"date", "currency", "rate"} {
		var err error
		if inputs[i], err = b.bindTime(name, true); err != nil {
			return err
		}
	}
	mark, group := byte('.'), byte(0)
	if in.Spec.Decimal == ',' {
		mark, group = ',', '.'
	}
	m := &OrderMapper{b: b, row: map[string]any{}}
	for unit := range f.Units() {
		for batch, err := range f.Read(ctx, unit, b.want) {
			if err != nil {
				return err
			}
			m.reset(batch)
			for i := range batch.N {
				r.rows++
				if err := r.row(m, batch, inputs[:], i, mark, group); err != nil {
					return err
				}
			}
			m.reject(batch, "fx")
			r.rejects = append(r.rejects, m.rejects...)
		}
	}
	return nil
}

func (r *rateReader) row(m *OrderMapper, b *source.Batch, inputs []input, i int, mark, group byte) error {
	if m.skip[i] {
		return nil
	}
	var v [3]cell
	for k := range inputs {
		var ok bool
		if v[k], ok = m.value(b, &inputs[k], i); !ok {
			return nil
		}
		if v[k].null || v[k].kind == source.Text && len(trimBlanks(v[k].text)) == 0 {
			m.blame(i, schemas.ReasonValueMissing, inputs[k].name, v[k])
			return nil
		}
	}
	day, ambiguous, ok := inputs[0].date(v[0])
	if ambiguous {
		d, mo, _ := ambiguousDate(v[0].text)
		return m.b.wrong("date", fmt.Sprintf("%q (row %d) can be read as %s or as %s", v[0].text, b.Row+int64(i), d, mo), "declare which: `timestamp: {format: \"%d/%m/%Y\"}`")
	}
	if !ok {
		m.blame(i, schemas.ReasonInvalidTime, "date", v[0])
		return nil
	}
	code, ok := currencyCode(trimBlanks(v[1].appendText(nil)))
	if !ok {
		m.blame(i, schemas.ReasonInvalidCurrency, "currency", v[1])
		return nil
	}
	text := string(v[2].appendText(nil))
	if v[2].kind == source.Text && mark == ',' {
		text = strings.ReplaceAll(strings.ReplaceAll(text, string(group), ""), ",", ".")
	}
	mantissa, scale, ok := parseRate(text)
	if !ok {
		m.blame(i, schemas.ReasonInvalidAmount, "rate", v[2])
		return nil
	}
	r.rates = append(r.rates, schemas.Rate{Day: day, Currency: string(code[:]), Mantissa: mantissa, Scale: scale})
	return nil
}

// date reads a value as a date: that of a timestamp as it was written.
func (in *input) date(v cell) (day int32, ambiguous, ok bool) {
	if v.kind == source.Date {
		return int32(v.i), false, true
	}
	utc := *in
	if v.kind == source.Text {
		p, ok := parseISO(trimBlanks(v.text))
		if ok && in.time.Format == "" {
			return int32(floorDay(p.micros)), false, true
		}
	}
	utc.clock = utcClock()
	t, empty, _, amb, reason := utc.instant(v)
	return int32(floorDay(t)), amb, !amb && !empty && reason == ""
}

// parseRate reads a positive decimal with at most 18 significant digits and 18 places.
func parseRate(s string) (mantissa int64, scale uint8, ok bool) {
	d, err := newDecimal(s)
	if err != nil || d.Negative || d.IsZero() {
		return 0, 0, false
	}
	d.Reduce(d) // 0.90 is the same rate as 0.9
	if d.Exponent > 0 {
		if d.Exponent > 14 {
			return 0, 0, false
		}
		for ; d.Exponent > 0; d.Exponent-- {
			d.Coeff.Mul(&d.Coeff, apd.NewBigInt(10))
		}
	}
	if d.Exponent < -18 || !d.Coeff.IsInt64() || d.Coeff.Int64() > schemas.MaxAmount {
		return 0, 0, false
	}
	return d.Coeff.Int64(), uint8(-d.Exponent), true
}
