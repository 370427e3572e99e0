package transforms

import (
	"maps"
	"math/bits"
	"slices"
	"sort"

	"github.com/cohortline/cohortline/schemas"
)

// RateAge is the greatest age, in days, of a rate that still converts an order.
const RateAge = 7

// Rates are the exchange rates of a run: reporting currency per unit of a currency.
type Rates struct {
	reporting string
	currency  map[string][]schemas.Rate // ascending by day, one per day
	Conflicts int64                     // days for which a currency came with two different rates
}

// NewRates takes the rows of the fx table in the order of the input; of two rates of
// one currency and day the later row wins.
func NewRates(reporting string, rows []schemas.Rate) *Rates {
	r := &Rates{reporting: reporting, currency: make(map[string][]schemas.Rate)}
	for _, x := range rows {
		r.currency[x.Currency] = append(r.currency[x.Currency], x)
	}
	for c, list := range r.currency {
		sort.SliceStable(list, func(i, j int) bool { return list[i].Day < list[j].Day })
		kept := list[:0]
		for _, x := range list {
			if n := len(kept); n > 0 && kept[n-1].Day == x.Day {
				if kept[n-1].Mantissa != x.Mantissa || kept[n-1].Scale != x.Scale {
					r.Conflicts++
				}
				kept[n-1] = x
				continue
			}
			kept = append(kept, x)
		}
		r.currency[c] = kept
	}
	return r
}

// Same says whether two runs have the same rates.
func (r *Rates) Same(o *Rates) bool {
	return maps.EqualFunc(r.currency, o.currency, func(a, b []schemas.Rate) bool { return slices.Equal(a, b) })
}

// converter turns the amounts of orders into reporting currency. It serves one goroutine.
type converter struct {
	rules      *Rules
	currencies []string         // by code
	rates      [][]schemas.Rate // by code
	reporting  []bool           // by code: it is the reporting currency
}

// know makes sure that the rates of a currency code are at hand.
func (c *converter) know(code uint32) {
	if int(code) < len(c.currencies) {
		return
	}
	c.currencies = c.rules.Interns.Currency.Values()
	for _, name := range c.currencies[len(c.rates):] {
		c.rates = append(c.rates, c.rules.Rates.currency[name])
		c.reporting = append(c.reporting, name == c.rules.Rates.reporting)
	}
}

func (c *converter) name(code uint32) string {
	c.know(code)
	return c.currencies[code]
}

// convert turns the amounts of an order into reporting currency, once; it returns the
// reason and column of a reject, and leaves the amounts alone, when it cannot.
func (c *converter) convert(o *order) (reason, column string) {
	if o.flags&flagConverted != 0 {
		return "", ""
	}
	c.know(o.currency)
	if c.reporting[o.currency] {
		o.flags |= flagConverted
		return "", ""
	}
	rate, ok := rateAt(c.rates[o.currency], c.rules.Calendar.LocalDay(o.ordered))
	if !ok {
		return schemas.ReasonFXRateMissing, "currency"
	}
	var to [4]int64
	for i, a := range []struct {
		column string
		amount int64
	}{{"gross_amount", o.gross}, {"discount_amount", o.discount}, {"refund_amount", o.refund}, {"cost_amount", o.cost}} {
		if to[i], ok = convert(a.amount, rate); !ok {
			return schemas.ReasonAmountRange, a.column
		}
	}
	if o.refund != 0 && o.refund == o.gross-o.discount { // each amount is rounded by itself; a full refund must still net to 0
		to[2] = to[0] - to[1]
	}
	o.gross, o.discount, o.refund, o.cost = to[0], to[1], to[2], to[3]
	o.flags |= flagConverted
	return "", ""
}

// rateAt is the latest rate of the list that is not after day and at most RateAge days old.
func rateAt(list []schemas.Rate, day int32) (schemas.Rate, bool) {
	i := sort.Search(len(list), func(i int) bool { return list[i].Day > day }) - 1
	if i < 0 || day-list[i].Day > RateAge {
		return schemas.Rate{}, false
	}
	return list[i], true
}

var powersOfTen = func() (p [20]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

// convert is amount × rate in ten-thousandths, rounded half-even; false when the
// result does not fit a DECIMAL(18,4).
func convert(amount int64, rate schemas.Rate) (int64, bool) {
	negative := amount < 0
	a := uint64(amount)
	if negative {
		a = -a
	}
	hi, lo := bits.Mul64(a, uint64(rate.Mantissa))
	d := powersOfTen[rate.Scale]
	if hi >= d {
		return 0, false
	}
	q, rest := bits.Div64(hi, lo, d)
	if half := d - rest; rest > half || rest == half && rest != 0 && q&1 == 1 {
		q++
	}
	if q > uint64(schemas.MaxAmount) {
		return 0, false
	}
	if negative {
		return -int64(q), true
	}
	return int64(q), true
}
