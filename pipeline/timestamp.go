package pipeline

import (
	encoding "encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/cohortline/cohortline/schemas"
)

// parsed is a timestamp as it was written: an instant, or wall time without offset.
type parsed struct {
	micros  int64
	instant bool
}

// parseInstants reads the instants from row i on, as far as they have the form of
// parseInstant, and returns the row at which it has stopped.
func parseInstants(text *schemas.Strings, to []int64, i int) int {
	for ; i < len(to); i++ {
		t, ok := parseInstant(text.At(i))
		if !ok {
			return i
		}
		to[i] = t
	}
	return i
}

// parseInstant reads the form that most exports have, 2026-03-29T00:59:59Z, in eight-byte
// words; a false ok leaves the text to the others.
func parseInstant(b []byte) (micros int64, ok bool) {
	if len(b) != 20 {
		return 0, false
	}
	const (
		date  = 0x2d30302d30303030 // "0000-00-", the first byte lowest
		clock = 0x30303a3030543030 // "00T00:00"
	)
	d, c, s := encoding.LittleEndian.Uint64(b)^date, encoding.LittleEndian.Uint64(b[8:])^clock, encoding.LittleEndian.Uint32(b[16:])^0x5a30303a // ":00Z"
	// Now digits are 0 to 9 and the marks between them 0. A byte beyond that gets its
	// upper bit when 0x76 or 0x7f is added, or has it.
	if (d|(d+0x7f76767f76767676)|c|(c+0x76767f76767f7676))&0x8080808080808080 != 0 || (s|(s+0x7f76767f))&0x80808080 != 0 {
		return 0, false
	}
	d, c, s = d*10+d>>8, c*10+c>>8, s*10+s>>8 // bytes of two digits, each where its first digit was
	hour, minute, second := int64(c>>24&0xff), int64(c>>48&0xff), int64(s>>8&0xff)
	if hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	days, ok := daysOfDate(int(d&0xff)*100+int(d>>16&0xff), int(d>>40&0xff), int(c&0xff))
	return days*microsPerDay + (hour*3600+minute*60+second)*microsPerSecond, ok
}

// parseISO reads ISO 8601: a date, or date and time with optional seconds, fraction
// and offset; T or a blank between them.
func parseISO(b []byte) (p parsed, ok bool) {
	if len(b) < 10 || b[4] != '-' || b[7] != '-' {
		return p, false
	}
	y, ok1 := digits(b[0:4])
	m, ok2 := digits(b[5:7])
	d, ok3 := digits(b[8:10])
	days, ok4 := daysOfDate(y, m, d)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return p, false
	}
	p.micros = days * microsPerDay
	b = b[10:]
	if len(b) == 0 {
		return p, true
	}
	if b[0] != 'T' && b[0] != ' ' && b[0] != 't' || len(b) < 6 || b[3] != ':' {
		return p, false
	}
	h, ok1 := digits(b[1:3])
	mi, ok2 := digits(b[4:6])
	if !ok1 || !ok2 || h > 23 || mi > 59 {
		return p, false
	}
	p.micros += int64(h*3600+mi*60) * microsPerSecond
	b = b[6:]
	if len(b) >= 3 && b[0] == ':' {
		s, ok := digits(b[1:3])
		if !ok || s > 60 {
			return p, false
		}
		p.micros += int64(min(s, 59)) * microsPerSecond // a leap second is read as the second before
		b = b[3:]
		if len(b) > 1 && (b[0] == '.' || b[0] == ',') {
			n, scale := 1, 100_000
			for ; n < len(b) && b[n] >= '0' && b[n] <= '9'; n++ {
				p.micros += int64(b[n]-'0') * int64(scale)
				scale /= 10
			}
			if n == 1 {
				return p, false
			}
			b = b[n:]
		}
	}
	return parseOffset(p, b)
}

// parseOffset reads what stands behind the time: nothing, Z, UTC, or an offset.
func parseOffset(p parsed, b []byte) (parsed, bool) {
	for len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	switch string(b) {
	case "":
		return p, true
	case "Z", "z", "UTC", "GMT":
		p.instant = true
		return p, true
	}
	if b[0] != '+' && b[0] != '-' || len(b) < 3 {
		return p, false
	}
	sign := int64(1)
	if b[0] == '-' {
		sign = -1
	}
	h, ok := digits(b[1:3])
	m := 0
	rest := b[3:]
	if len(rest) > 0 && rest[0] == ':' {
		rest = rest[1:]
	}
	if ok && len(rest) > 0 {
		m, ok = digits(rest)
		ok = ok && len(rest) == 2
	}
	if !ok || h > 15 || m > 59 {
		return p, false
	}
	p.micros -= sign * int64(h*3600+m*60) * microsPerSecond
	p.instant = true
	return p, true
}

func digits(b []byte) (int, bool) {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, len(b) > 0
}

// ambiguousDate says whether a text looks like 03/04/2011 and gives its two readings;
// equal readings still need a declared format, because the next row may differ.
func ambiguousDate(b []byte) (dayFirst, monthFirst string, is bool) {
	parts := strings.FieldsFunc(strings.SplitN(strings.TrimSpace(string(b)), " ", 2)[0], func(r rune) bool { return r == '/' || r == '.' || r == '-' })
	if len(parts) != 3 || len(parts[0]) > 2 || len(parts[1]) > 2 || len(parts[2]) != 4 && len(parts[2]) != 2 {
		return "", "", false
	}
	a, ok1 := digits([]byte(parts[0]))
	c, ok2 := digits([]byte(parts[1]))
	y, ok3 := digits([]byte(parts[2]))
	if !ok1 || !ok2 || !ok3 {
		return "", "", false
	}
	if len(parts[2]) == 2 {
		y += 2000
	}
	read := func(d, m int) string {
		if _, ok := daysOfDate(y, m, d); !ok {
			return "no date"
		}
		return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC).Format("2 January 2006")
	}
	return read(a, c), read(c, a), true
}

// CheckTimeFormat says whether a format of timestamps can be read, and names a day.
func CheckTimeFormat(format string) error {
	switch format {
	case "iso", "unix", "unix_ms":
		return nil
	}
	seen := ""
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		if i++; i < len(format) && format[i] == '-' {
			i++
		}
		if i == len(format) || !strings.ContainsRune("YymdeHIMSfpbBz%", rune(format[i])) {
			return fmt.Errorf("%q has a directive that is not known; there are %%Y %%y %%m %%b %%B %%d %%e %%H %%I %%p %%M %%S %%f %%z", format)
		}
		seen += string(format[i])
	}
	if !strings.ContainsAny(seen, "Yy") || !strings.ContainsAny(seen, "mbB") || !strings.ContainsAny(seen, "de") {
		return fmt.Errorf("%q names no day", format)
	}
	if strings.Contains(seen, "I") != strings.Contains(seen, "p") {
		return fmt.Errorf("%q needs %%I and %%p together", format)
	}
	return nil
}

// ReadsTime says whether a text can be read in a format of timestamps, as a day between the
// years 1 and 9999, and whether it says its offset from UTC.
func ReadsTime(format, text string) (ok, instant bool) {
	in := input{time: TimeSpec{Format: format}}
	p, ok := in.parse(trimBlanks([]byte(text)))
	return ok && p.micros >= minInstant && p.micros <= maxInstant, p.instant
}

// parseFormat reads a text by a strftime-like format. Blanks and other characters
// stand for themselves; numbers may have fewer digits than their field is wide.
func parseFormat(format string, b []byte) (p parsed, ok bool) {
	y, m, d, h, mi, s, micros := 0, 1, 1, 0, 0, 0, int64(0)
	pm, half := false, false
	offset := []byte(nil)
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			if len(b) == 0 || b[0] != format[i] {
				return p, false
			}
			b = b[1:]
			continue
		}
		i++
		if format[i] == '-' && i+1 < len(format) {
			i++
		}
		width := 2
		var to *int
		switch format[i] {
		case 'Y':
			to, width = &y, 4
		case 'y':
			to = &y
		case 'm':
			to = &m
		case 'd', 'e':
			to = &d
			if format[i] == 'e' && len(b) > 0 && b[0] == ' ' {
				b = b[1:]
			}
		case 'H':
			to = &h
		case 'I':
			to, half = &h, true
		case 'M':
			to = &mi
		case 'S':
			to = &s
		case 'f':
			n, scale := 0, int64(100_000)
			for n < len(b) && b[n] >= '0' && b[n] <= '9' {
				micros += int64(b[n]-'0') * scale
				scale /= 10
				n++
			}
			if n == 0 {
				return p, false
			}
			b = b[n:]
			continue
		case 'p':
			if len(b) < 2 || b[1]|0x20 != 'm' || b[0]|0x20 != 'a' && b[0]|0x20 != 'p' {
				return p, false
			}
			pm = b[0]|0x20 == 'p'
			b = b[2:]
			continue
		case 'b', 'B':
			n, month := monthName(b)
			if n == 0 {
				return p, false
			}
			m, b = month, b[n:]
			continue
		case 'z':
			offset, b = b, nil
			continue
		case '%':
			if len(b) == 0 || b[0] != '%' {
				return p, false
			}
			b = b[1:]
			continue
		default:
			return p, false
		}
		n := 0
		for n < len(b) && n < width && b[n] >= '0' && b[n] <= '9' {
			n++
		}
		v, ok := digits(b[:n])
		if !ok || format[i] == 'Y' && n != 4 {
			return p, false
		}
		if format[i] == 'y' {
			if v += 2000; v > 2068 { // the convention of POSIX
				v -= 100
			}
		}
		*to, b = v, b[n:]
	}
	if len(b) > 0 {
		return p, false
	}
	if half {
		if h < 1 || h > 12 {
			return p, false
		}
		h %= 12
		if pm {
			h += 12
		}
	}
	days, ok := daysOfDate(y, m, d)
	if !ok || h > 23 || mi > 59 || s > 60 {
		return p, false
	}
	p.micros = days*microsPerDay + int64(h*3600+mi*60+min(s, 59))*microsPerSecond + micros
	if offset != nil {
		return parseOffset(p, offset)
	}
	return p, true
}

// monthName reads an English month name, whole or its first three letters.
func monthName(b []byte) (n, month int) {
	for m := time.January; m <= time.December; m++ {
		for _, name := range []string{m.String(), m.String()[:3]} {
			if len(b) >= len(name) && strings.EqualFold(string(b[:len(name)]), name) {
				return len(name), int(m)
			}
		}
	}
	return 0, 0
}
