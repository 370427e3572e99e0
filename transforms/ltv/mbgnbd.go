package ltv

// MBGNBD is the MBG/NBD model: BGNBD with a chance to be lost after the first purchase
// too, so that customers who never came back may be lost. Alpha is a time, in the
// unit of the summary; the others are numbers.
//
// Batislam, Denizel, Filiztekin (2007), International Journal of Research in Marketing
// 24(3); Hoppe, Wagner (2007), Marketing – Journal of Research and Management 3(2).
type MBGNBD struct{ R, Alpha, A, B float64 }

func (m MBGNBD) core() geometric { return geometric{m.R, m.Alpha, m.A, m.B, 1} }

// LogLikelihood of one customer.
func (m MBGNBD) LogLikelihood(c RFM) float64 { return m.core().logLikelihood(c) }

// Alive implements Model: 1 / (1 + a/(b+x) ((α+T)/(α+t_x))^(r+x)).
func (m MBGNBD) Alive(c RFM) float64 { return m.core().alive(c) }

func (m MBGNBD) aliveRows(s *Summary) []float64 { return m.core().aliveRows(s) }

// Living implements Model.
func (m MBGNBD) Living(frequency int, age float64) Living { return m.core().living(frequency, age) }

// FitMBGNBD estimates the model by maximum likelihood. The model is usable when the
// verdict says so; otherwise it is the zero value.
func FitMBGNBD(s *Summary) (MBGNBD, Fit) { return fitMBGNBD(s, nil) }

func fitMBGNBD(s *Summary, near []float64) (MBGNBD, Fit) {
	f := fitGeometric(s, "MBG/NBD", 1, near)
	if f.Values == nil {
		return MBGNBD{}, f
	}
	return MBGNBD{f.Values[0], f.Values[1], f.Values[2], f.Values[3]}, f
}
