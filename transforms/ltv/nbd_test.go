package ltv

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestNBDFit(t *testing.T) {
	m, f := FitNBD(cdnowSummary(t))
	// scipy on the same customers.
	expectEstimates(t, f, []float64{0.3847661, 12.0720233}, []float64{.02099, .80872}, -9763.657615)
	near(t, "a year of one who bought twice in 39 weeks", Expected(m, RFM{2, 30, 39}, 52), (2+m.R)/(m.Alpha+39)*52, 1e-12)
}

// Customers who are never lost: the models with loss end on the ridge, say so, and
// predict what NBD predicts.
func TestWithoutLossTheOthersEndAtNBD(t *testing.T) {
	list := simulate(newSource(7), ParetoNBD{2, 20, 1, 1e9}, 2000, 52, 52)
	for i := range list {
		list[i].Recency = math.Ceil(list[i].Recency*7) / 7
	}
	s := compress(t, list)
	n, nbd := FitNBD(s)
	if nbd.Verdict.Kind != Converged {
		t.Fatalf("NBD: %v", nbd.Verdict)
	}
	eachFamily(t, func(t *testing.T, f family) {
		if f.name == "NBD" {
			return
		}
		m, fit := f.fit(s)
		if fit.Verdict.Kind != Ridge || !strings.Contains(fit.Verdict.Reason, "NBD") {
			t.Errorf("%.4g: verdict %v, want a ridge and NBD", fit.Values, fit.Verdict)
		}
		near(t, "log-likelihood", fit.LogLikelihood, nbd.LogLikelihood, 2)
		if fit.LogLikelihood < nbd.LogLikelihood-1e-3 {
			t.Errorf("log-likelihood %v, below the %v of NBD", fit.LogLikelihood, nbd.LogLikelihood)
		}
		for _, c := range []RFM{{0, 0, 52}, {3, 40, 52}, {9, 50, 52}} {
			nearly(t, fmt.Sprint(c), Expected(m, c, 26), Expected(n, c, 26), .1)
		}
	})
}
