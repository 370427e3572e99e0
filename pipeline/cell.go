package pipeline

import (
	"strconv"
	"time"

	"github.com/cockroachdb/apd/v3"
	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/schemas"
)

// appendText appends the value as text: what a CSV export of the same data would show.
func (v cell) appendText(d []byte) []byte {
	switch v.kind {
	case source.Text:
		return append(d, v.text...)
	case source.Int:
		return strconv.AppendInt(d, v.i, 10)
	case source.Decimal:
		return append(d, apd.New(v.i, int32(-v.sc)).Text('f')...)
	case source.Float:
		return strconv.AppendFloat(d, v.f, 'f', -1, 64)
	case source.Bool:
		return strconv.AppendBool(d, v.i != 0)
	case source.Date:
		return time.Unix(v.i*86_400, 0).UTC().AppendFormat(d, time.DateOnly)
	case source.Timestamp:
		return time.UnixMicro(v.i).UTC().AppendFormat(d, "2006-01-02T15:04:05.999999")
	}
	return d
}

// amount reads the value as ten-thousandths; empty says that there is none.
func (v cell) amount(mark, group byte) (a int64, empty bool, reason string) {
	switch {
	case v.null:
		return 0, true, ""
	case v.big:
		return 0, false, schemas.ReasonAmountRange
	}
	switch v.kind {
	case source.Text:
		if len(v.text) == 0 {
			return 0, true, ""
		}
		a, reason = parseAmount(v.text, mark, group)
	case source.Int:
		a, reason = scaleAmount(v.i, 0)
	case source.Decimal:
		a, reason = scaleAmount(v.i, v.sc)
	case source.Float:
		a, reason = floatAmount(v.f)
	default:
		reason = schemas.ReasonInvalidAmount
	}
	if reason == "" && (a > schemas.MaxAmount || a < -schemas.MaxAmount) {
		return 0, false, schemas.ReasonAmountRange
	}
	return a, false, reason
}

// instant reads the value as microseconds UTC. naive says that it is wall time and the
// source declares no zone; ambiguous that it can be read as two dates.
func (in *input) instant(v cell) (t int64, empty, naive, ambiguous bool, reason string) {
	var p parsed
	ok := !v.big
	switch {
	case v.null:
		return 0, true, false, false, ""
	case v.kind == source.Text:
		b := trimBlanks(v.text)
		if len(b) == 0 {
			return 0, true, false, false, ""
		}
		if p, ok = in.parse(b); !ok && in.time.Format == "" {
			if _, _, is := ambiguousDate(b); is {
				return 0, false, false, true, ""
			}
		}
	case v.kind == source.Timestamp:
		p = parsed{v.i, v.utc}
	case v.kind == source.Date:
		p = parsed{v.i * microsPerDay, false}
	case v.kind == source.Int:
		switch in.time.Format {
		case "unix", "unix_ms":
			p, ok = unixTime(v.i, in.time.Format)
		default: // 20110403
			p, ok = parseFormat(in.time.Format, strconv.AppendInt(nil, v.i, 10))
		}
	default:
		ok = false
	}
	if !ok || p.micros < minInstant || p.micros > maxInstant {
		return 0, false, false, false, schemas.ReasonInvalidTime
	}
	if p.instant {
		return p.micros, false, false, false, ""
	}
	if in.clock == nil {
		return 0, false, true, false, ""
	}
	return in.clock.instant(p.micros), false, false, false, ""
}

// parse reads a text in the format of the input.
func (in *input) parse(b []byte) (parsed, bool) {
	switch in.time.Format {
	case "", "iso":
		return parseISO(b)
	case "unix", "unix_ms":
		n, err := strconv.ParseInt(string(b), 10, 64)
		p, ok := unixTime(n, in.time.Format)
		return p, ok && err == nil
	}
	return parseFormat(in.time.Format, b)
}

// The years 0001 to 9999.
var (
	minInstant = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	maxInstant = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC).UnixMicro()
)

func unixTime(n int64, unit string) (parsed, bool) {
	if unit == "unix" {
		return parsed{n * microsPerSecond, true}, n < 1<<38 && n > -(1<<38)
	}
	return parsed{n * 1000, true}, n < 1<<48 && n > -(1<<48)
}

func trimBlanks(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}
