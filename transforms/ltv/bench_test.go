package ltv

import (
	"math"
	"strconv"
	"testing"
)

// shop is n customers of a shop: BG/NBD at the estimates of CDNOW, the first purchases
// spread over two years, dates by the day, time in weeks.
func shop(n int) []RFM {
	random := newSource(1)
	list := make([]RFM, n)
	for i := range list {
		days := math.Floor(random.Float64() * 730)
		var last, count float64
		for _, t := range bgnbdCDNOW.draw(random).live(random, days/7) {
			// Purchases of a day are one, those of the first day none.
			if day := math.Floor(t * 7); day > last {
				last = day
				count++
			}
		}
		list[i] = RFM{int(count), last / 7, days / 7}
	}
	return list
}

// What it takes from a list of customers to the fitted model and predictions for each.
func BenchmarkFitAndPredict(b *testing.B) {
	for _, n := range []int{2357, 100000, 1000000} {
		list := shop(n)
		for _, f := range families() {
			b.Run(f.name+"/"+strconv.Itoa(n), func(b *testing.B) {
				out := make([]Prediction, n)
				for b.Loop() {
					s, at, err := Compress(list)
					if err != nil {
						b.Fatal(err)
					}
					m, fit := f.fit(s)
					if !fit.Verdict.Usable() {
						b.Fatal(fit.Verdict)
					}
					rows := Predict(m, s, 52)
					for i, r := range at {
						out[i] = rows[r]
					}
					b.ReportMetric(float64(len(s.Rows())), "rows")
					b.ReportMetric(float64(fit.Evaluations), "evaluations")
				}
			})
		}
	}
}

// The parts of it, for a million customers.
func BenchmarkParts(b *testing.B) {
	list := shop(1000000)
	b.Run("compress", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := Compress(list); err != nil {
				b.Fatal(err)
			}
		}
	})
	s, _, err := Compress(list)
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range families() {
		b.Run("likelihood/"+f.name, func(b *testing.B) {
			gradient := make([]float64, len(f.typical))
			for b.Loop() {
				f.likely(f.typical, s, gradient)
			}
		})
		b.Run("fit/"+f.name, func(b *testing.B) {
			for b.Loop() {
				f.fit(s)
			}
		})
		b.Run("predict/"+f.name, func(b *testing.B) {
			m := f.model(f.typical)
			for b.Loop() {
				Predict(m, s, 52)
			}
		})
		b.Run("intervals/"+f.name, func(b *testing.B) {
			models := []Model{f.model(f.typical)}
			for b.Loop() {
				Intervals(models, spenders, s, 52, .8)
			}
		})
	}
}
