package jobs

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cohortline/cohortline/internal/realdata"
	"github.com/cohortline/cohortline/transforms/ltv"
)

// TestBacktestOfOnlineRetail looks ahead over the last 13 weeks of the UCI shop, by the mapping of the
// example. The values are computed with pandas and scipy; for BG/NBD lifetimes 0.11.3 ends with
// a ConvergenceError on these customers: nobody is seen to be lost, and all models are NBD.
func TestBacktestOfOnlineRetail(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(realdata.Path(t, "online-retail", "OnlineRetail.csv.gz"), filepath.Join(dir, "OnlineRetail.csv.gz")); err != nil {
		t.Fatal(err)
	}
	c, err := ParseConfig(filepath.Join(dir, "cohortline.yaml"), []byte(read(t, "examples/online-retail.yaml")), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	h, err := OrderHistories(t.Context(), c, Options{AsOf: time.Date(2011, 12, 10, 0, 0, 0, 0, c.Zone)}, "")
	if err != nil {
		t.Fatal(err)
	}
	plan := ltv.BacktestPlan{Origin: h.Last - 91, Last: h.Last, Unit: ltv.Week, Probability: .8, Candidates: ltv.Candidates()}
	customers := h.At(plan.Origin, plan.Last)
	known, whole, err := ltv.Split(customers, plan.Origin, plan.Last, ltv.Week)
	if err != nil {
		t.Fatal(err)
	}
	choice, err := ltv.Choose(known, whole, plan.Candidates)
	if err != nil {
		t.Fatal(err)
	}
	if best, ok := choice.Chosen(); !ok || best.Candidate.Name != "nbd" {
		t.Errorf("chosen %q: %s; of models that say the same it is the one with two parameters", best.Candidate.Name, choice.Reason)
	}
	results, err := ltv.Backtests(customers, plan)
	if err != nil {
		t.Fatal(err)
	}
	near := func(what string, got, want, tolerance float64) {
		if !(math.Abs(got-want) <= tolerance) {
			t.Errorf("%s = %.10g, want %.10g", what, got, want)
		}
	}
	for i, r := range results {
		name := r.Candidate.Title
		if r.Customers != 3370 || known.Repeaters() != 1956 {
			t.Errorf("%d customers, %v with a repeat purchase, want 3370 and 1956", r.Customers, known.Repeaters())
		}
		if want := map[bool]ltv.VerdictKind{true: ltv.Converged, false: ltv.Ridge}[r.Candidate.Name == "nbd"]; r.Fit.Verdict.Kind != want {
			t.Errorf("%s: %v, want %s", name, r.Fit.Verdict, want)
		}
		near(name+": log-likelihood", r.Fit.LogLikelihood, -22887.032142, 1e-5)
		near(name+": held-out log-likelihood", choice.Scores[i].HeldOut, -13033.6094, 1e-4)
		near(name+": orders", r.Orders.Actual, 4482, 0)
		near(name+": orders expected", r.Orders.Predicted, 3384.18, .01)
		near(name+": mean absolute error", r.Orders.MAE, .93974, 1e-5)
		near(name+": root mean squared error", r.Orders.RMSE, 1.514664, 1e-5)
		near(name+": value", r.Value.Actual, 2851873.311, 1e-3)
		near(name+": value expected", r.Value.Predicted, 1601142.8, 1)
		near(name+": mean absolute error of value", r.Value.MAE, 637.972, 1e-3)
	}
}
