package pipeline

import (
	"math"
	"strconv"

	"github.com/cohortline/cohortline/schemas"
)

// parseAmount reads decimal text as ten-thousandths. mark is the decimal mark; group is
// the mark between groups of three digits, 0 where none is allowed. A reason of the
// rejects table says why a text is no amount.
func parseAmount(b []byte, mark, group byte) (v int64, reason string) {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	negative := false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		negative = b[0] == '-'
		b = b[1:]
	}
	whole, n := 0, 0
	sinceGroup := -1
	for ; n < len(b); n++ {
		c := b[n]
		if c >= '0' && c <= '9' {
			whole++
			if sinceGroup >= 0 {
				sinceGroup++
			}
			if v > (math.MaxInt64-9)/10 {
				return 0, schemas.ReasonAmountRange
			}
			v = v*10 + int64(c-'0')
			continue
		}
		if group != 0 && c == group && whole > 0 && (sinceGroup == 3 || sinceGroup < 0 && whole <= 3) {
			sinceGroup = 0
			continue
		}
		break
	}
	if sinceGroup >= 0 && sinceGroup != 3 {
		return 0, schemas.ReasonInvalidAmount
	}
	if v > schemas.MaxAmount/10_000 {
		if n < len(b) && b[n] != mark {
			return 0, schemas.ReasonInvalidAmount
		}
		return 0, schemas.ReasonAmountRange
	}
	v *= 10_000
	places := 0
	if n < len(b) && b[n] == mark {
		scale := int64(1000)
		for n++; n < len(b) && b[n] >= '0' && b[n] <= '9'; n++ {
			places++
			if scale == 0 && b[n] != '0' {
				for _, c := range b[n:] {
					if c < '0' || c > '9' {
						return 0, schemas.ReasonInvalidAmount
					}
				}
				return 0, schemas.ReasonAmountRange
			}
			v += int64(b[n]-'0') * scale
			scale /= 10
		}
	}
	if n < len(b) || whole+places == 0 {
		return 0, schemas.ReasonInvalidAmount
	}
	if negative {
		v = -v
	}
	return v, ""
}

// scaleAmount turns an integer × 10^-scale into ten-thousandths, exactly.
func scaleAmount(v int64, scale int) (int64, string) {
	for ; scale > schemas.Scale; scale-- {
		if v%10 != 0 {
			return 0, schemas.ReasonAmountRange
		}
		v /= 10
	}
	for ; scale < schemas.Scale; scale++ {
		if v > schemas.MaxAmount/10 || v < -schemas.MaxAmount/10 {
			return 0, schemas.ReasonAmountRange
		}
		v *= 10
	}
	return v, ""
}

// floatAmount reads a binary float as the decimal it prints as, rounded half-even to
// four places.
func floatAmount(f float64) (int64, string) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, schemas.ReasonInvalidAmount
	}
	if math.Abs(f) >= 1e14 {
		return 0, schemas.ReasonAmountRange
	}
	d, err := newDecimal(strconv.FormatFloat(f, 'f', -1, 64))
	if err != nil {
		return 0, schemas.ReasonInvalidAmount
	}
	return decimalAmount(d)
}

// mask hides a value: letters become x, digits 9; what is behind max bytes is cut.
func mask(b []byte, max int) string {
	out := make([]byte, 0, min(len(b), max))
	for _, r := range string(b[:min(len(b), max)]) {
		switch {
		case r >= '0' && r <= '9':
			out = append(out, '9')
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r > 0x7f:
			out = append(out, 'x')
		case r < ' ':
			out = append(out, ' ')
		default:
			out = append(out, byte(r))
		}
	}
	return string(out)
}
