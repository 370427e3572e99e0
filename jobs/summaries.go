package jobs

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/pipeline/store"
	"github.com/cohortline/cohortline/transforms/ltv"
)

// Summaries are customers as the models of lifetime value take them, in the order of the file.
type Summaries struct {
	IDs   []string
	RFM   []ltv.RFM
	Spend []ltv.Spend // nil without monetary values
	Unit  ltv.Unit    // of recency and age
	AsOf  string      // date of the partition; empty for a file
}

// SummaryError is a file of customer summaries whose columns do not say what they are.
type SummaryError struct{ Message string }

func (e *SummaryError) Error() string { return e.Message }

// summaryNames are the columns of a summary, by the names people give them.
var summaryNames = []struct {
	column string
	names  []string
	timed  bool // the name may end in the unit: recency_days
	must   bool
}{
	{"customer_id", []string{"customer_id", "id", "customer", "customerid"}, false, true},
	{"frequency", []string{"frequency", "x"}, false, true},
	{"recency", []string{"recency", "t_x"}, true, true},
	{"age", []string{"age", "t"}, true, true},
	{"monetary_value", []string{"monetary_value", "m", "zbar"}, false, false},
}

// The places of the columns of a summary among the wanted ones.
const (
	summaryID = iota
	summaryFrequency
	summaryRecency
	summaryAge
	summaryMoney
)

// summaryUnits are the units that the name of a column may end in.
var summaryUnits = map[string]ltv.Unit{"_days": ltv.Day, "_weeks": ltv.Week}

// ReadSummaries reads a CSV or Parquet file with a row for every customer: customer_id,
// frequency, recency, age and perhaps monetary_value. unit is that of recency and age,
// unless their names say it (recency_days); it may be zero then.
func ReadSummaries(ctx context.Context, path string, unit ltv.Unit) (*Summaries, error) {
	s := &Summaries{}
	var scale [5]float64
	err := pipeline.ReadColumns(ctx, path, func(fields []source.Field) (want []int, err error) {
		want, scale, err = s.columns(path, fields, unit)
		return want, err
	}, func(l *pipeline.Line) error { return s.add(l, scale) })
	if err != nil {
		return nil, err
	}
	return s, nil
}

// CustomerSummaries reads the table customers of a warehouse, in weeks; asOf names the
// partition, empty the latest.
func CustomerSummaries(ctx context.Context, output store.Store, asOf string) (*Summaries, error) {
	path, date, err := pipeline.TablePath(ctx, output, "customers", asOf)
	if err != nil {
		return nil, err
	}
	s, err := ReadSummaries(ctx, path, 0)
	if err != nil {
		return nil, err
	}
	s.AsOf, s.Unit = date, ltv.Week
	for i := range s.RFM {
		s.RFM[i].Recency /= 7
		s.RFM[i].Age /= 7
	}
	return s, nil
}

// columns finds the columns by their names, the unit of the summary, and by what the
// values of each are multiplied.
func (s *Summaries) columns(path string, fields []source.Field, unit ltv.Unit) (want []int, scale [5]float64, err error) {
	var stated [5]ltv.Unit
	for k, c := range summaryNames {
		at := -1
		for i, f := range fields {
			name := strings.ToLower(strings.TrimSpace(f.Name))
			of := ltv.Unit(0)
			if c.timed {
				for suffix, u := range summaryUnits {
					if bare, ok := strings.CutSuffix(name, suffix); ok {
						name, of = bare, u
					}
				}
			}
			if !slices.Contains(c.names, name) {
				continue
			}
			if at >= 0 {
				return nil, scale, &SummaryError{fmt.Sprintf("%s: %s is there twice, as %q and %q; leave one out", path, c.column, fields[at].Name, f.Name)}
			}
			at, stated[k] = i, of
		}
		switch {
		case at >= 0:
			want = append(want, at)
		case c.must:
			return nil, scale, &SummaryError{fmt.Sprintf("%s has no column %s: need customer_id, frequency, recency (or recency_days), age (or age_days) and, for value, monetary_value; it has %s",
				path, c.column, fieldNames(fields))}
		}
		scale[k] = 1
	}
	for k := summaryRecency; k <= summaryAge; k++ {
		if stated[k] == 0 {
			stated[k] = unit
		}
		if stated[k] == 0 {
			return nil, scale, &SummaryError{fmt.Sprintf("%s: is %s in days or in weeks? Say --unit days or --unit weeks, or name the column %s_days or %s_weeks",
				path, summaryNames[k].column, summaryNames[k].column, summaryNames[k].column)}
		}
	}
	s.Unit = stated[summaryRecency]
	scale[summaryAge] = float64(stated[summaryAge]) / float64(s.Unit)
	return want, scale, nil
}

// fieldNames lists the first columns of a file.
func fieldNames(fields []source.Field) string {
	var names []string
	for _, f := range fields[:min(len(fields), 12)] {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

// add takes one row.
func (s *Summaries) add(l *pipeline.Line, scale [5]float64) error {
	id, ok := l.Text(summaryID)
	if !ok {
		return l.Wrong(summaryID, "is empty", "every customer needs an id")
	}
	var v [5]float64
	for k := summaryFrequency; k <= summaryAge; k++ {
		n, ok, err := l.Number(k)
		if err != nil {
			return err
		}
		if !ok {
			return l.Wrong(k, "is empty", "a customer without a repeat purchase has frequency 0 and recency 0")
		}
		v[k] = n * scale[k]
	}
	if v[summaryFrequency] != math.Trunc(v[summaryFrequency]) || math.Abs(v[summaryFrequency]) > 1e9 {
		return l.Wrong(summaryFrequency, fmt.Sprintf("%v is no count", v[summaryFrequency]), "frequency is the number of purchases after the first")
	}
	c := ltv.RFM{Frequency: int(v[summaryFrequency]), Recency: v[summaryRecency], Age: v[summaryAge]}
	if err := c.Check(); err != nil {
		return l.Wrong(-1, err.Error(), "")
	}
	s.IDs, s.RFM = append(s.IDs, id), append(s.RFM, c)
	if l.Wanted() <= summaryMoney {
		return nil
	}
	spend := ltv.Spend{Count: c.Frequency}
	if c.Frequency > 0 {
		m, ok, err := l.Number(summaryMoney)
		switch {
		case err != nil:
			return err
		case !ok || math.IsInf(m, 0):
			return l.Wrong(summaryMoney, "is empty or no number, of a customer with repeat purchases", "monetary_value is the mean value of the purchases after the first; leave the column out if it is not known")
		}
		spend.Mean = m
	}
	s.Spend = append(s.Spend, spend)
	return nil
}
