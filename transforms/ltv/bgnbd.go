package ltv

// BGNBD is the BG/NBD model: while alive a customer buys at a rate that is
// Gamma(R, Alpha) over customers; after each repeat purchase the customer is lost with
// a probability that is Beta(A, B) over customers. Alpha is a time, in the unit of the
// summary; the others are numbers.
//
// A customer without a repeat purchase had no chance to be lost: P(alive) is 1. That
// is the model's assumption, not a finding, and no churn score; MBGNBD has none of it.
//
// Fader, Hardie, Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science
// 24(2); numerically as in Hardie's note 27, solution 2, all in logarithms.
type BGNBD struct{ R, Alpha, A, B float64 }

func (m BGNBD) core() geometric { return geometric{m.R, m.Alpha, m.A, m.B, 0} }

// LogLikelihood of one customer (equation 6 of the paper).
func (m BGNBD) LogLikelihood(c RFM) float64 { return m.core().logLikelihood(c) }

// Alive implements Model: 1 / (1 + 1{x>0} a/(b+x−1) ((α+T)/(α+t_x))^(r+x)).
func (m BGNBD) Alive(c RFM) float64 { return m.core().alive(c) }

func (m BGNBD) aliveRows(s *Summary) []float64 { return m.core().aliveRows(s) }

// Living implements Model.
func (m BGNBD) Living(frequency int, age float64) Living { return m.core().living(frequency, age) }

// FitBGNBD estimates the model by maximum likelihood. The model is usable when the
// verdict says so; otherwise it is the zero value.
func FitBGNBD(s *Summary) (BGNBD, Fit) { return fitBGNBD(s, nil) }

func fitBGNBD(s *Summary, near []float64) (BGNBD, Fit) {
	f := fitGeometric(s, "BG/NBD", 0, near)
	if f.Values == nil {
		return BGNBD{}, f
	}
	return BGNBD{f.Values[0], f.Values[1], f.Values[2], f.Values[3]}, f
}
