package transforms

import (
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cohortline/cohortline/schemas"
)

// StreamedTables are the tables whose rows leave the fold customer by customer; all
// other metric tables are read from the accumulators once the fold has ended.
var StreamedTables = []string{"customers", "customer_periods"}

// HistoryStream is the place, behind those of StreamedTables, of the record that holds the
// customers for customer_ltv; see HistoryBytes.
const HistoryStream = 2

// Metrics is what one worker of the fold gathers: the accumulators that the wanted
// tables need, and the rows of the streamed ones.
type Metrics struct {
	settings  Settings
	Cells     *CohortCells // nil where no wanted table needs it, like the others
	Survival  *Survival
	Lifecycle *Lifecycle
	Repeat    *Repeat
	parts     []Accumulator
	activity  *Activity
	customers *customerRows
	periods   *periodRows
	RFM       *RFM
}

// NewMetrics returns the empty metrics for the wanted tables. segments names the
// segments once the first customer comes.
func NewMetrics(s Settings, tables []string, segments func() [][]string) *Metrics {
	m := &Metrics{settings: s, activity: NewActivity(s)}
	wants := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(tables, n) })
	}
	if wants("cohorts", "cohort_retention", "retention_curves", "cohort_ltv") {
		m.Cells = NewCohortCells(s, wants)
		m.parts = append(m.parts, m.Cells)
	}
	if wants("survival_curves") {
		m.Survival = NewSurvival(s)
		m.parts = append(m.parts, m.Survival)
	}
	if wants("lifecycle") {
		m.Lifecycle = NewLifecycle(s)
		m.parts = append(m.parts, m.Lifecycle)
	}
	if wants("repeat_purchases") {
		m.Repeat = NewRepeat(s)
		m.parts = append(m.parts, m.Repeat)
	}
	if wants("customers") {
		m.customers = newCustomerRows(s, segments)
	}
	if wants("customer_periods") {
		m.periods = newPeriodRows(s)
	}
	if s.LTV != nil && wants(LTVTables...) {
		m.RFM = NewRFM(s)
	}
	return m
}

// Add implements Visitor.
func (m *Metrics) Add(c *Customer) {
	m.activity.Of(c)
	for _, p := range m.parts {
		p.Add(c, m.activity)
	}
	if m.customers != nil {
		m.customers.Add(c, m.activity)
	}
	if m.periods != nil {
		m.periods.Add(c, m.activity)
	}
	if m.RFM != nil {
		m.RFM.Add(c)
	}
}

// Records implements Visitor: one record per entry of StreamedTables and one of
// HistoryStream, nil for those that are not wanted.
func (m *Metrics) Records() (records []arrow.Record, err error) {
	records = make([]arrow.Record, len(StreamedTables)+1)
	if m.customers != nil {
		if records[0], err = m.customers.take(); err != nil {
			return nil, err
		}
	}
	if m.periods != nil {
		if records[1], err = m.periods.encoder.Take(); err != nil {
			return nil, err
		}
	}
	if m.RFM != nil {
		records[HistoryStream] = m.RFM.take()
	}
	return records, nil
}

// Merge adds what another worker has gathered.
func (m *Metrics) Merge(o *Metrics) {
	for i, p := range m.parts {
		p.Merge(o.parts[i])
	}
}

// Table returns a metric table made of the accumulators, false for one that is not.
func (m *Metrics) Table(name string, segments [][]string) (schemas.Data, bool) {
	switch {
	case name == "cohorts" && m.Cells != nil:
		return schemas.Encode(schemas.Cohorts, m.Cells.Cohorts(segments)), true
	case name == "cohort_retention" && m.Cells != nil:
		return schemas.Encode(schemas.CohortRetention, m.Cells.Retention(segments)), true
	case name == "retention_curves" && m.Cells != nil:
		return schemas.Encode(schemas.RetentionCurves, m.Cells.Curves(segments)), true
	case name == "cohort_ltv" && m.Cells != nil:
		return schemas.Encode(schemas.CohortLTV, m.Cells.LTV(segments)), true
	case name == "survival_curves" && m.Survival != nil:
		return schemas.Encode(schemas.SurvivalCurves, m.Survival.Curves(segments)), true
	case name == "lifecycle" && m.Lifecycle != nil:
		return schemas.Encode(schemas.Lifecycle, m.Lifecycle.Rows(segments)), true
	case name == "repeat_purchases" && m.Repeat != nil:
		return schemas.Encode(schemas.RepeatPurchases, m.Repeat.Rows(segments)), true
	}
	return schemas.Data{}, false
}
