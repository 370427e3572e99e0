package transforms

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/cohortline/cohortline/schemas"
	"github.com/cohortline/cohortline/transforms/ltv"
)

// FitRow is a row of model_fits.
type FitRow struct {
	Segment       string               `col:"segment"`
	Model         string               `col:"model"`
	Chosen        bool                 `col:"chosen"`
	FittedOn      string               `col:"fitted_on"`
	Verdict       string               `col:"verdict"`
	Reason        string               `col:"reason"`
	Basis         string               `col:"value_basis"`
	Customers     int64                `col:"customers"`
	Repeaters     int64                `col:"repeaters"`
	LogLikelihood schemas.Opt[float64] `col:"log_likelihood"`
	AIC           schemas.Opt[float64] `col:"aic"`
	HeldOut       schemas.Opt[float64] `col:"held_out_log_likelihood"`
	HeldOutOf     schemas.Opt[int64]   `col:"held_out_customers"`
	R             schemas.Opt[float64] `col:"r"`
	RError        schemas.Opt[float64] `col:"r_se"`
	Alpha         schemas.Opt[float64] `col:"alpha"`
	AlphaError    schemas.Opt[float64] `col:"alpha_se"`
	S             schemas.Opt[float64] `col:"s"`
	SError        schemas.Opt[float64] `col:"s_se"`
	Beta          schemas.Opt[float64] `col:"beta"`
	BetaError     schemas.Opt[float64] `col:"beta_se"`
	A             schemas.Opt[float64] `col:"a"`
	AError        schemas.Opt[float64] `col:"a_se"`
	B             schemas.Opt[float64] `col:"b"`
	BError        schemas.Opt[float64] `col:"b_se"`
	P             schemas.Opt[float64] `col:"p"`
	PError        schemas.Opt[float64] `col:"p_se"`
	Q             schemas.Opt[float64] `col:"q"`
	QError        schemas.Opt[float64] `col:"q_se"`
	V             schemas.Opt[float64] `col:"v"`
	VError        schemas.Opt[float64] `col:"v_se"`
	C             schemas.Opt[float64] `col:"c"`
	CError        schemas.Opt[float64] `col:"c_se"`
}

// parameter is the place of a parameter, by the letter of the papers, and of its error.
func (r *FitRow) parameter(name string) (value, failure *schemas.Opt[float64]) {
	switch name {
	case "r":
		return &r.R, &r.RError
	case "α":
		return &r.Alpha, &r.AlphaError
	case "s":
		return &r.S, &r.SError
	case "β":
		return &r.Beta, &r.BetaError
	case "a":
		return &r.A, &r.AError
	case "b":
		return &r.B, &r.BError
	case "p":
		return &r.P, &r.PError
	case "q":
		return &r.Q, &r.QError
	case "v":
		return &r.V, &r.VError
	case "c":
		return &r.C, &r.CError
	}
	panic("a model has a parameter " + name + ", for which model_fits has no column")
}

// spendModel is the name of the model of spend in the tables.
const spendModel = "gamma_gamma"

// pooled is the verdict on a segment that uses the fit of all customers.
const pooled = "pooled"

// Fits are the rows of model_fits.
func (f *Forecasts) Fits() iter.Seq[FitRow] {
	var rows []FitRow
	add := func(s *segmentFit) {
		for i, x := range s.fits {
			r := f.fitRow(s, x.candidate.Name, &x.fit, int64(s.repeaters))
			r.Chosen = i == s.chosen
			if s.fittedOn != onAll && s.scores != nil {
				r.HeldOutOf = schemas.Some(int64(s.heldOut))
				if v := s.scores[s.order[i]].HeldOut; !math.IsInf(v, 0) {
					r.HeldOut = schemas.Some(v)
				}
			}
			rows = append(rows, r)
		}
		r := f.fitRow(s, spendModel, &s.spendFit, int64(s.spenders))
		r.Chosen = s.chosen >= 0 && s.spendFit.Verdict.Usable()
		rows = append(rows, r)
	}
	add(f.everyone)
	for _, s := range f.segments {
		if s != f.everyone {
			add(s)
		}
	}
	for _, c := range f.contracts {
		customers, lost := c.counts.customers()
		for i, name := range contractNames {
			r := FitRow{Segment: c.name, Model: name, Chosen: i == c.chosen, FittedOn: onSegment, Verdict: string(c.fits[i].Verdict.Kind), Reason: c.fits[i].Verdict.Reason,
				Basis: f.base.Basis, Customers: customers, Repeaters: customers - lost}
			r.estimates(&c.fits[i])
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b FitRow) int {
		return cmp.Or(strings.Compare(a.Segment, b.Segment), strings.Compare(a.Model, b.Model))
	})
	return slices.Values(rows)
}

// fitRow is the row of one fit.
func (f *Forecasts) fitRow(s *segmentFit, model string, fit *ltv.Fit, repeaters int64) FitRow {
	r := FitRow{Segment: s.name, Model: model, FittedOn: s.fittedOn, Basis: f.base.Basis, Customers: int64(s.customers), Repeaters: repeaters,
		Verdict: string(fit.Verdict.Kind), Reason: fit.Verdict.Reason}
	if s.fittedOn == onAll || s.why != "" {
		r.Verdict, r.Reason = pooled, s.why
		return r
	}
	r.estimates(fit)
	return r
}

// estimates fills in what a fit has found.
func (r *FitRow) estimates(fit *ltv.Fit) {
	if fit.Values == nil {
		r.FittedOn = onNobody
		return
	}
	r.LogLikelihood, r.AIC = schemas.Some(fit.LogLikelihood), schemas.Some(fit.AIC())
	for i, name := range fit.Parameters {
		value, failure := r.parameter(name)
		*value = schemas.Some(fit.Values[i])
		if fit.StandardErrors != nil {
			*failure = schemas.Some(fit.StandardErrors[i])
		}
	}
}
