package ltv

import (
	"math"
	"reflect"
	"testing"
)

// A fit begun at the estimates of a sample ends where one from all starts does, sooner; one begun
// where nothing is uphill goes back to the starts.
func TestFitNear(t *testing.T) {
	s := compress(t, simulate(newSource(3), ParetoNBD{1, 8, .5, 10}, 30000, 52, 104))
	few := compress(t, simulate(newSource(4), ParetoNBD{1, 8, .5, 10}, 3000, 52, 104))
	for _, c := range Candidates() {
		_, sample := c.Fit(few)
		_, want := c.Fit(s)
		_, got := c.FitNear(s, sample.Near())
		nearly(t, c.Title+": log-likelihood", got.LogLikelihood, want.LogLikelihood, 1e-13)
		for i, v := range want.Values {
			nearly(t, c.Title+": "+want.Parameters[i], got.Values[i], v, 1e-7)
		}
		if got.Verdict != want.Verdict {
			t.Errorf("%s: %v, want %v", c.Title, got.Verdict, want.Verdict)
		}
		if want.Verdict.Kind == Converged && got.Evaluations >= want.Evaluations {
			t.Errorf("%s: %d evaluations from near, %d from the starts", c.Title, got.Evaluations, want.Evaluations)
		}
		if m, f := c.FitNear(s, nil); m == nil || !reflect.DeepEqual(f, want) {
			t.Errorf("%s: %+v from no point, %+v from the starts", c.Title, f, want)
		}
	}
	hopeless := &problem{names: []string{"θ"}, low: []float64{1e-3}, high: []float64{1e9}, starts: [][]float64{{1}}, near: []float64{1e6},
		evaluate: func(theta, gradient []float64) float64 {
			if theta[0] > 1e5 {
				gradient[0] = math.NaN()
				return math.Inf(-1)
			}
			d := math.Log(theta[0]) - 2
			gradient[0] = -200 * d / theta[0]
			return -100 * d * d
		}}
	if f := hopeless.fit(); f.Verdict.Kind != Converged || math.Abs(math.Log(f.Values[0])-2) > 1e-9 {
		t.Errorf("%v with verdict %v: the starts lead to e²", f.Values, f.Verdict)
	}
}

// A ridge is no place to begin.
func TestNear(t *testing.T) {
	f := Fit{Values: []float64{1}, Verdict: Verdict{Kind: Ridge}}
	if f.Near() != nil {
		t.Error("a fit begins on a ridge")
	}
	if f.Verdict.Kind = Converged; f.Near() == nil {
		t.Error("a fit does not begin at a maximum")
	}
}

// Fits that have been made for the choice serve the back-test of the same origin, to the last
// digit, and fits that begin near it tell the same.
func TestBacktestsFromFits(t *testing.T) {
	list := cdnowHistories(t).At(cdnowPlan.Origin, cdnowPlan.Last)
	known, whole, err := Split(list, cdnowPlan.Origin, cdnowPlan.Last, Week)
	if err != nil {
		t.Fatal(err)
	}
	choice, err := Choose(known, whole, Candidates())
	if err != nil {
		t.Fatal(err)
	}
	judged := func(p BacktestPlan) []Backtest {
		list, err := Backtests(list, p)
		if err != nil {
			t.Fatal(err)
		}
		for i := range list { // functions have no equals
			list[i].Candidate = Candidate{Name: list[i].Candidate.Name}
		}
		return list
	}
	want, with, beside := judged(cdnowPlan), cdnowPlan, cdnowPlan
	with.Scores = choice.Scores
	if got := judged(with); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v with fits, %+v without", got, want)
	}
	for _, s := range choice.Scores {
		beside.Near = append(beside.Near, s.Fit.Near())
	}
	for i, got := range judged(beside) {
		nearly(t, got.Candidate.Name+": orders", got.Orders.Predicted, want[i].Orders.Predicted, 1e-9)
		if got.Fit.Evaluations >= want[i].Fit.Evaluations {
			t.Errorf("%s: %d evaluations from near, %d from the starts", got.Candidate.Name, got.Fit.Evaluations, want[i].Fit.Evaluations)
		}
	}
	other := choice.Scores[1]
	with.Scores = []Score{other, other, other, other}
	if got := judged(with); reflect.DeepEqual(got, want) {
		t.Error("other fits, the same result: the comparison sees nothing")
	}
}
