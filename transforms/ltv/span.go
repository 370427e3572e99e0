package ltv

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// units are the units of time as people write them.
var units = []struct {
	name string
	unit Unit
}{{"day", Day}, {"week", Week}, {"month", Month}, {"year", Year}}

// ParseUnit reads day, week, month or year, or their plurals.
func ParseUnit(s string) (Unit, error) {
	for _, u := range units {
		if n := strings.ToLower(strings.TrimSpace(s)); n == u.name || n == u.name+"s" {
			return u.unit, nil
		}
	}
	return 0, fmt.Errorf("%q is no unit of time: write days, weeks, months or years", s)
}

// ParseSpan reads a length of time such as "12 months". A number without its unit is
// refused: that it was taken for another one is the commonest mistake with these models.
func ParseSpan(s string) (Span, error) {
	number, unit := cutNumber(s)
	n, err := strconv.ParseFloat(number, 64)
	switch {
	case err != nil || math.IsNaN(n) || math.IsInf(n, 0):
		return Span{}, fmt.Errorf("%q is no length of time: write a number and its unit, such as 12 months", s)
	case unit == "":
		return Span{}, fmt.Errorf("%q of what? Write the unit too: %s days, %s weeks, %s months or %s years", s, number, number, number, number)
	case n <= 0:
		return Span{}, fmt.Errorf("%q must be longer than nothing", s)
	}
	u, err := ParseUnit(unit)
	return Span{n, u}, err
}

// ParseDiscount reads a rate such as "0.10 per year" or "10 % per year".
func ParseDiscount(s string) (Discount, error) {
	number, rest := cutNumber(s)
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return Discount{}, fmt.Errorf("%q is no discount: write a rate and its unit, such as 0.10 per year", s)
	}
	if r, ok := strings.CutPrefix(rest, "%"); ok {
		n, rest = n/100, strings.TrimSpace(r)
	}
	unit, ok := strings.CutPrefix(rest, "per ")
	switch {
	case !ok:
		return Discount{}, fmt.Errorf("%q per what? Write the unit too: %s per year, or %s per month", s, number, number)
	case n <= -1:
		return Discount{}, fmt.Errorf("%q is −100 %% or less: what comes later would be worth nothing that is a number; use a rate above −1, such as 0.10 per year", s)
	case n > 10:
		return Discount{}, fmt.Errorf("%q is %.0f %%: ten per cent are 0.10, or 10 %%", s, 100*n)
	}
	u, err := ParseUnit(unit)
	return Discount{n, u}, err
}

// cutNumber cuts a text behind the number that it begins with.
func cutNumber(s string) (number, rest string) {
	s = strings.TrimSpace(s)
	i := strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune("+-.0123456789", r) })
	if i < 0 {
		return s, ""
	}
	return s[:i], strings.TrimSpace(s[i:])
}

// String is the unit as people write it; another number of days as such.
func (u Unit) String() string {
	for _, known := range units {
		if u == known.unit {
			return known.name
		}
	}
	return strconv.FormatFloat(float64(u), 'g', 6, 64) + " days"
}

// String is the length as ParseSpan reads it.
func (s Span) String() string {
	n := strconv.FormatFloat(s.Count, 'g', -1, 64)
	if s.Count == 1 {
		return n + " " + s.Unit.String()
	}
	return n + " " + s.Unit.String() + "s"
}

// String is the rate as ParseDiscount reads it.
func (d Discount) String() string {
	return strconv.FormatFloat(d.Rate, 'g', -1, 64) + " per " + d.Per.String()
}
