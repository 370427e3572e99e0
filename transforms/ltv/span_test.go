package ltv

import (
	"strings"
	"testing"
)

func TestParseSpan(t *testing.T) {
	for text, want := range map[string]Span{"12 months": {12, Month}, "1 year": {1, Year}, " 39weeks ": {39, Week}, "1.5 Days": {1.5, Day}} {
		got, err := ParseSpan(text)
		if err != nil || got != want {
			t.Errorf("%q: %v %v, want %v", text, got, err, want)
		}
		if again, err := ParseSpan(got.String()); err != nil || again != got {
			t.Errorf("%q is written %q, and read %v %v", text, got, again, err)
		}
	}
	for text, want := range map[string]string{
		"12": `"12" of what? Write the unit too: 12 days`, "": "is no length", "months": "is no length", "0 months": "longer than nothing",
		"-3 weeks": "longer than nothing", "12 moons": `"moons" is no unit`, "NaN weeks": "is no length", "1.2.3 weeks": "is no length",
	} {
		if got, err := ParseSpan(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, error %v, want %q", text, got, err, want)
		}
	}
}

func TestParseDiscount(t *testing.T) {
	for text, want := range map[string]Discount{"0.10 per year": {.1, Year}, "10 % per year": {.1, Year}, "1% per month": {.01, Month}, "0 per year": {0, Year}, "-0.5 per week": {-.5, Week}} {
		got, err := ParseDiscount(text)
		if err != nil || got != want {
			t.Errorf("%q: %v %v, want %v", text, got, err, want)
		}
		if again, err := ParseDiscount(got.String()); err != nil || again != got {
			t.Errorf("%q is written %q, and read %v %v", text, got, again, err)
		}
	}
	for text, want := range map[string]string{
		"0.10": `"0.10" per what? Write the unit too: 0.10 per year`, "": "is no discount", "-1 per year": "is −100 % or less", "-150 % per year": "is −100 % or less",
		"12 per year": "ten per cent are 0.10", "0.1 per moon": `"moon" is no unit`, "0.1 a year": "per what?",
	} {
		if got, err := ParseDiscount(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, error %v, want %q", text, got, err, want)
		}
	}
}
