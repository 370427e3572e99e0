package ltv

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// cdnowHistories are the purchases of the CDNOW sample.
func cdnowHistories(t testing.TB) *Histories {
	t.Helper()
	h := new(Histories)
	for _, c := range cdnowLog(t) {
		var days []int32
		var values []float64
		for _, d := range c[1:] {
			days, values = append(days, d.date), append(values, d.value)
		}
		if err := h.Add(c[0].date, 0, days, values); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func dayOf(year int, month time.Month, day int) int32 {
	return int32(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// The split of CDNOW that all papers make: 39 weeks known, 39 held out.
var cdnowPlan = BacktestPlan{
	Origin: dayOf(1997, 9, 30), Last: dayOf(1998, 6, 30), Unit: Week, Probability: .8, Candidates: Candidates(),
}

// What was known and what came of the CDNOW sample, and the totals that the models expect (scipy).
func TestBacktestOfCDNOW(t *testing.T) {
	h := cdnowHistories(t)
	list := h.At(cdnowPlan.Origin, cdnowPlan.Last)
	for i, c := range cdnow(t) {
		got := &list[i]
		if got.RFM(cdnowPlan.Origin, Week) != c.RFM || float64(got.Later) != c.holdout || math.Abs(got.Spend().Mean-c.Spend.Mean) > 1e-12 {
			t.Fatalf("customer %d: %+v, want %+v", i, got, c)
		}
	}
	results, err := Backtests(list, cdnowPlan)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{"bg_nbd": 1653.41, "mbg_nbd": 1576.73, "pareto_nbd": 1665.51}
	for _, r := range results {
		o, v := r.Orders, r.Value
		t.Logf("%s: orders %.1f of %.0f, error %.3f/%.3f, Gini %.3f, %.3f covered; value %.0f of %.0f, Gini %.3f, %.3f covered",
			r.Candidate.Title, o.Predicted, o.Actual, o.MAE, o.RMSE, o.Gini, o.Coverage, v.Predicted, v.Actual, v.Gini, v.Coverage)
		if total := want[r.Candidate.Name]; total > 0 {
			near(t, r.Candidate.Title+": expected", o.Predicted, total, .006)
			delete(want, r.Candidate.Name)
		}
		near(t, "actual", o.Actual, 1882, 0)
		near(t, "bias", o.Bias, (o.Predicted-o.Actual)/2357, 1e-12)
		if r.Segment != Everyone || r.Customers != 2357 || r.Pooled || o.MAE >= o.RMSE || !(o.Gini > .6 && o.Gini < .7) || !(o.Coverage > .85 && o.Coverage < .95) {
			t.Errorf("%s: %+v", r.Candidate.Title, o)
		}
		expectDeciles(t, o)
		expectDeciles(t, v)
	}
	if len(want) > 0 {
		t.Errorf("no back-test of %v", want)
	}
}

// expectDeciles checks that the deciles are all customers, in the order of the prediction.
func expectDeciles(t *testing.T, a *Accuracy) {
	t.Helper()
	var sum Decile
	mean := math.Inf(-1)
	for _, d := range a.Deciles {
		sum.Customers += d.Customers
		sum.Predicted += d.Predicted
		sum.Actual += d.Actual
		if m := d.Predicted / d.Customers; m < mean {
			t.Errorf("deciles %v are not in the order of the prediction", a.Deciles)
		} else {
			mean = m
		}
	}
	near(t, "deciles", float64(len(a.Deciles)), 10, 0)
	near(t, "customers of the deciles", sum.Customers, 2357, 1e-9)
	nearly(t, "predicted in the deciles", sum.Predicted, a.Predicted, 1e-12)
	nearly(t, "actual in the deciles", sum.Actual, a.Actual, 1e-12)
}

// A back-test does not depend on the order of the customers, nor on the unit of time.
func TestBacktestDoesNotDependOnOrderOrUnit(t *testing.T) {
	list := cdnowHistories(t).At(cdnowPlan.Origin, cdnowPlan.Last)
	want, err := Backtests(list, cdnowPlan)
	if err != nil {
		t.Fatal(err)
	}
	shuffled := slices.Clone(list)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	got, err := Backtests(shuffled, cdnowPlan)
	if err != nil {
		t.Fatal(err)
	}
	daily := cdnowPlan
	daily.Unit = Day
	inDays, err := Backtests(list, daily)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range want {
		if !reflect.DeepEqual(got[i].Orders, w.Orders) || !reflect.DeepEqual(got[i].Value, w.Value) {
			t.Errorf("%s: shuffled %+v, want the very same as %+v", w.Candidate.Title, got[i].Orders, w.Orders)
		}
		nearly(t, "in days: predicted", inDays[i].Orders.Predicted, w.Orders.Predicted, 1e-6)
		nearly(t, "in days: Gini", inDays[i].Orders.Gini, w.Orders.Gini, 1e-4)
		near(t, "in days: coverage", inDays[i].Orders.Coverage, w.Orders.Coverage, 2./2357)
	}
}

// Segments with enough repeaters have a fit of their own, the others that of all; together
// they are all customers.
func TestBacktestOfSegments(t *testing.T) {
	list := cdnowHistories(t).At(cdnowPlan.Origin, cdnowPlan.Last)
	for i := range list {
		list[i].Segment = int32(min(i%20, 2)) // 5 %, 5 % and the rest; nobody in the last
	}
	plan := cdnowPlan
	plan.Segments, plan.LeastRepeaters, plan.KnownParameters = 4, 100, true
	plan.Candidates = plan.Candidates[1:2]
	results, err := Backtests(list, plan)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 4 {
		t.Fatalf("%d back-tests, want all and three segments", len(results))
	}
	all, sum := results[0], 0.0
	for i, r := range results[1:] {
		if own := r.Fit.Customers == float64(r.Customers); r.Segment != int32(i) || own == r.Pooled || own != (i == 2) {
			t.Errorf("segment %d: pooled %t, fitted to %v of %d customers", r.Segment, r.Pooled, r.Fit.Customers, r.Customers)
		}
		sum += r.Orders.Actual
	}
	near(t, "orders of the segments", sum, all.Orders.Actual, 0)
	if _, err := Backtests(list, BacktestPlan{Origin: plan.Origin, Last: plan.Last, Unit: Week, Probability: .8, Candidates: plan.Candidates, Segments: 2}); err == nil {
		t.Error("no error for a segment that there is not")
	}
}

// Without enough repeaters there is no comparison, and the fit says why.
func TestBacktestOfNobody(t *testing.T) {
	for name, list := range map[string][]HeldOut{"nobody": nil, "all bought once": {{First: 3, Last: 3}, {First: 5, Last: 5, Later: 1, LaterLast: 60}}} {
		results, err := Backtests(list, BacktestPlan{Origin: 50, Last: 90, Unit: Week, Probability: .8, Candidates: Candidates()})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			if r.Orders != nil || r.Value != nil || r.Fit.Verdict.Kind != TooFew {
				t.Errorf("%s: %+v, want no comparison", name, r)
			}
		}
	}
}

// Everything refunded: orders are compared, value is not.
func TestBacktestWithoutValue(t *testing.T) {
	list := cdnowHistories(t).At(cdnowPlan.Origin, cdnowPlan.Last)
	for i := range list {
		list[i].Spent = 0
	}
	results, err := Backtests(list, cdnowPlan)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Orders == nil || r.Value != nil || r.SpendFit.Verdict.Kind != TooFew {
			t.Errorf("%s: value %+v with %v", r.Candidate.Title, r.Value, r.SpendFit.Verdict)
		}
	}
}

func TestImplausibleBacktests(t *testing.T) {
	for want, change := range map[string]func(*BacktestPlan){
		"unit of time":         func(p *BacktestPlan) { p.Unit = 0 },
		"held-out days":        func(p *BacktestPlan) { p.Last = p.Origin },
		"intervals":            func(p *BacktestPlan) { p.Probability = 1 },
		"no candidates":        func(p *BacktestPlan) { p.Candidates = nil },
		"customer 0: recency ": func(p *BacktestPlan) { p.Origin = -9 },
	} {
		plan := BacktestPlan{Origin: 50, Last: 90, Unit: Week, Probability: .8, Candidates: Candidates()}
		change(&plan)
		if _, err := Backtests([]HeldOut{{First: 3, Last: 3}}, plan); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: error %v", want, err)
		}
	}
}

func TestHistories(t *testing.T) {
	var h Histories
	for i, c := range [][]int32{{10, 12, 20}, {11}, {30, 31}} {
		if err := h.Add(c[0], int32(i), c[1:], make([]float64, len(c)-1)); err != nil {
			t.Fatal(err)
		}
	}
	want := []HeldOut{{First: 10, Last: 12, Count: 1, Later: 1, LaterLast: 20}, {First: 11, Last: 11, Segment: 1}}
	if got := h.At(15, 25); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := h.At(15, 19); got[0].Later != 0 {
		t.Errorf("%+v: a purchase after the last day", got)
	}
	if got := h.At(20, 25)[0]; got.Count != 2 || got.Last != 20 || got.Whole(25, Day) != (RFM{2, 10, 15}) {
		t.Errorf("%+v: the day of the origin is known", got)
	}
	if first, last := h.Days(); first != 10 || last != 31 || h.Customers() != 3 {
		t.Errorf("days %d to %d of %d customers", first, last, h.Customers())
	}
	for name, days := range map[string][]int32{"the first day again": {10}, "not ascending": {13, 12}, "twice": {13, 13}} {
		if err := h.Add(10, 0, days, make([]float64, len(days))); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := h.Add(10, 0, []int32{11}, nil); err == nil {
		t.Error("a day without value: no error")
	}
}

func TestOrigins(t *testing.T) {
	for _, c := range []struct {
		first, last, held int32
		most              int
		want              []int32
	}{
		{0, 100, 20, 9, []int32{80, 60, 40, 20}}, {1, 100, 20, 9, []int32{80, 60, 40, 20}}, {2, 100, 20, 9, []int32{80, 60, 40}}, {0, 100, 20, 2, []int32{80, 60}}, {0, 38, 20, 2, nil}, {0, 39, 20, 2, []int32{19}}, {0, 40, 0, 2, nil},
	} {
		if got := Origins(c.first, c.last, c.held, c.most); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// Measures by hand.
func TestAccuracy(t *testing.T) {
	c := newComparison(4)
	for _, p := range [][4]float64{{1, 0, 0, 2}, {2, 3, 0, 2}, {2, 1, 1, 2}, {5, 4, 4, 9}} {
		c.add(p[0], p[1], p[2], p[3])
	}
	a := c.accuracy()
	near(t, "predicted", a.Predicted, 10, 0)
	near(t, "actual", a.Actual, 8, 0)
	near(t, "MAE", a.MAE, 1, 1e-15)
	near(t, "RMSE", a.RMSE, 1, 1e-15)
	near(t, "bias", a.Bias, .5, 1e-15)
	near(t, "coverage", a.Coverage, .75, 0)
	// What came, in the order of the prediction, is 0, 2, 2, 4 (the tie shared), between curve and
	// diagonal 1 + 2 + 2 + 1; in its own order it is 0, 1, 3, 4, and 1 + 2.5 + 2.5 + 1 between.
	near(t, "Gini", a.Gini, 6./7, 1e-14)
	if want := []Decile{{1, 1, 0}, {1, 2, 2}, {1, 2, 2}, {1, 5, 4}}; !slices.Equal(a.Deciles, want) {
		t.Errorf("deciles %v, want %v", a.Deciles, want)
	}
	// Ranked the wrong way round it is as bad as it can be.
	c = newComparison(3)
	for i := range 3 {
		c.add(float64(i), float64(3-i), 0, 0)
	}
	near(t, "reversed", c.accuracy().Gini, -1, 1e-14)
	// All alike: no ranking, and no division by zero.
	c = newComparison(25)
	for range 25 {
		c.add(1, 2, 0, 1)
	}
	a = c.accuracy()
	near(t, "alike", a.Gini, 0, 0)
	near(t, "none covered", a.Coverage, 0, 0)
	for i, d := range a.Deciles {
		near(t, fmt.Sprint("decile ", i, " of 25"), d.Customers, float64((i+1)*25/10-i*25/10), 0)
	}
	if a := newComparison(0).accuracy(); a.Predicted != 0 || a.Deciles != nil || math.IsNaN(a.MAE) {
		t.Errorf("nobody: %+v", a)
	}
}
