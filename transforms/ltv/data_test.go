package ltv

import (
	"bufio"
	"encoding/csv"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cohortline/cohortline/internal/realdata"
)

// customer is one customer of the CDNOW sample, with calibration and holdout.
type customer struct {
	RFM             // calibration, in weeks of days/7
	Spend   Spend   // of the repeat order-days of the calibration
	holdout float64 // order-days in the 39 weeks after
}

// day is one order-day: all purchases of a day together.
type day struct {
	date  int32 // since 1970
	value float64
}

// cdnowLog is the order-days of every customer of the CDNOW 1/10 sample, in the order of ids.
func cdnowLog(t testing.TB) [][]day {
	t.Helper()
	f, err := os.Open(realdata.Path(t, "cdnow", "CDNOW_sample.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	days := map[string][]day{}
	for scan := bufio.NewScanner(f); scan.Scan(); {
		w := strings.Fields(scan.Text())
		date, err := time.Parse("20060102", w[2])
		if err != nil {
			t.Fatal(err)
		}
		d, value := int32(date.Unix()/86400), number(t, w[4])
		list := days[w[1]]
		if n := len(list); n > 0 && list[n-1].date == d {
			list[n-1].value += value
		} else {
			list = append(list, day{d, value})
		}
		days[w[1]] = list
	}
	var list [][]day
	for _, id := range slices.Sorted(maps.Keys(days)) {
		list = append(list, days[id])
	}
	if len(list) != 2357 {
		t.Fatalf("%d customers in the CDNOW sample, want 2357", len(list))
	}
	return list
}

// cdnow is the CDNOW sample with the calibration of all papers: to 1997-09-30, 39 weeks.
func cdnow(t testing.TB) []customer {
	t.Helper()
	end := dayOf(1997, 9, 30)
	var list []customer
	for _, days := range cdnowLog(t) {
		first := days[0].date
		c := customer{RFM: RFM{Age: float64(end-first) / 7}}
		var sum float64
		for _, d := range days[1:] {
			if d.date > end {
				c.holdout++
				continue
			}
			c.Frequency++
			c.Recency = float64(d.date-first) / 7
			sum += d.value
		}
		if c.Frequency > 0 {
			c.Spend = Spend{c.Frequency, sum / float64(c.Frequency)}
		}
		list = append(list, c)
	}
	return list
}

// cdnowSummary is the calibration of cdnow as a summary in weeks.
func cdnowSummary(t testing.TB) *Summary {
	t.Helper()
	return compress(t, rfms(cdnow(t)))
}

func rfms(list []customer) []RFM {
	out := make([]RFM, len(list))
	for i, c := range list {
		out[i] = c.RFM
	}
	return out
}

func compress(t testing.TB, list []RFM) *Summary {
	t.Helper()
	s, _, err := Compress(list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// rows reads the records of a CSV file of the data folder, without its header.
func rows(t testing.TB, parts ...string) [][]string {
	t.Helper()
	f, err := os.Open(realdata.Path(t, parts...))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	list, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return list[1:]
}

func number(t testing.TB, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// near fails unless got is within an absolute tolerance of want.
func near(t testing.TB, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s = %.12g, want %.12g ± %g", what, got, want, tolerance)
	}
}

// nearly fails unless got is within a relative tolerance of want.
func nearly(t testing.TB, what string, got, want, tolerance float64) {
	t.Helper()
	near(t, what, got, want, tolerance*math.Abs(want))
}
