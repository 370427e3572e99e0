package pipeline

import (
	encoding "encoding/binary"
	"math"
	"math/bits"
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

// Words of eight equal bytes.
const (
	byteOnes   = 0x0101010101010101
	byteTops   = 0x8080808080808080
	zeroDigits = '0' * byteOnes
)

// shortAmounts is parseAmount for the rows from i on, as far as they hold what most do: up
// to eight digits and a decimal mark, at most four of them behind the mark; or nothing,
// where an amount may be missing. It returns the row at which it has stopped. It reads the
// eight bytes that end with a text as one word, and expects the mark where it was in the
// row before.
func shortAmounts(text *schemas.Strings, mark byte, optional bool, to []int64, known []bool, i int) int {
	starts, ends := text.Start[:len(to)], text.End[:len(to)]
	sign := uint64(mark ^ '0')
	at := 24 // the lowest bit of the mark, here with four digits behind it
	for ; i < len(to); i++ {
		n, end := ends[i]-starts[i], int(ends[i])
		if n == 0 && optional {
			to[i] = 0
			if known != nil {
				known[i] = false
			}
			continue
		}
		if n-1 >= 8 || end < 8 {
			return i
		}
		before := (64 - 8*n) & 63 // bits of the word that are not of the text
		w := (encoding.LittleEndian.Uint64(text.Data[end-8:end]) ^ zeroDigits) >> before << before
		places := uint(0)
		if w>>(at&63)&0xff == sign {
			w, places = dropByte(w, at), uint(7-at/8)
		} else if found := zeroByte(w ^ byteOnes*sign); found < 64 {
			w, places, at = dropByte(w, found), uint(7-found/8), found
		}
		if places > schemas.Scale || n == 1 && text.Data[end-1] == mark {
			return i
		}
		if (w|(w+(0x80-10)*byteOnes))&byteTops != 0 { // a byte that is no digit
			return i
		}
		w = w*10 + w>>8 // pairs of digits in the even bytes, then fours, then all
		w = (w&0x000000ff000000ff*0x000f424000000064 + w>>16&0x000000ff000000ff*0x0000271000000001) >> 32
		to[i] = int64(w) * powersOfTen[schemas.Scale-places]
		if known != nil {
			known[i] = true
		}
	}
	return i
}

// zeroByte is the lowest bit of the first byte of w that is zero, 64 where none is.
func zeroByte(w uint64) int { return bits.TrailingZeros64((w-byteOnes)&^w&byteTops) &^ 7 }

// dropByte takes a byte out of a word, and moves those before it, which are lower.
func dropByte(w uint64, at int) uint64 {
	return w>>(at&63)&^0xff<<(at&63) | w&(1<<(at&63)-1)<<8
}

var powersOfTen = [...]int64{1, 10, 100, 1000, 10_000}

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
