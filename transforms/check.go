package transforms

import (
	"fmt"
	"iter"

	"github.com/cohortline/cohortline/schemas"
)

// Severities of checks.
const (
	SeverityError   = "error"   // a failure publishes nothing
	SeverityWarning = "warning" // a failure is reported
	SeverityInfo    = "info"    // a count to know
)

// CheckRow is a row of checks.
type CheckRow struct {
	Check    string `col:"check"`
	Table    string `col:"table"`
	Severity string `col:"severity"`
	Passed   bool   `col:"passed"`
	Observed string `col:"observed"`
	Expected string `col:"expected"`
}

// CheckRetention verifies cohort_retention against cohorts: active ≤ eligible ≤ cohort,
// active ≤ returned, the whole cohort is active at calendar age 0, and the cohorts of
// every grain and dimension add up to the customers and the net revenue of the ledger.
func CheckRetention(cohorts iter.Seq[CohortRow], rows iter.Seq[*RetentionRow], counts Counts) []CheckRow {
	bounds := CheckRow{Check: "active_within_eligible", Table: "cohort_retention", Severity: SeverityError, Passed: true, Expected: "active <= returned <= eligible <= cohort in every cell"}
	whole := CheckRow{Check: "age_0_is_cohort", Table: "cohort_retention", Severity: SeverityError, Passed: true, Expected: "active at calendar age 0 = cohort customers"}
	cells := 0
	for r := range rows {
		cells++
		cell := func() string {
			return fmt.Sprintf("%s %s, %s=%s, %s age %d", r.Grain, date(r.Cohort), r.Dimension, r.Segment, r.IndexKind, r.Age)
		}
		if bounds.Passed && (r.Active > r.Returned || r.Returned > r.Eligible || r.Eligible > r.Customers) {
			bounds.Passed = false
			bounds.Observed = fmt.Sprintf("%s: active %d, returned %d, eligible %d, cohort %d", cell(), r.Active, r.Returned, r.Eligible, r.Customers)
		}
		if whole.Passed && r.IndexKind == calendarIndex && r.Age == 0 && r.Active != r.Customers {
			whole.Passed = false
			whole.Observed = fmt.Sprintf("%s: active %d, cohort %d", cell(), r.Active, r.Customers)
		}
	}
	for _, c := range []*CheckRow{&bounds, &whole} {
		if c.Passed {
			c.Observed = fmt.Sprintf("holds in %d cells", cells)
		}
	}
	return append([]CheckRow{bounds, whole}, checkTotals(cohorts, counts)...)
}

// checkTotals compares the sums of cohorts with the ledger's.
func checkTotals(cohorts iter.Seq[CohortRow], counts Counts) []CheckRow {
	type key struct{ grain, dimension string }
	type total struct {
		customers, orders int64
		net               schemas.Sum
	}
	totals := map[key]*total{}
	var order []key
	for r := range cohorts {
		k := key{r.Grain, r.Dimension}
		t := totals[k]
		if t == nil {
			t = &total{}
			totals[k] = t
			order = append(order, k)
		}
		t.customers += r.Customers
		t.orders += r.Orders
		t.net = t.net.Add(r.NetRevenue)
	}
	customers := CheckRow{Check: "cohorts_add_up_to_customers", Table: "cohorts", Severity: SeverityError, Passed: true, Expected: fmt.Sprintf("%d customers per grain and dimension", counts.Customers), Observed: fmt.Sprintf("the same, %d times", len(order))}
	orders := CheckRow{Check: "cohorts_add_up_to_orders", Table: "cohorts", Severity: SeverityError, Passed: true, Expected: fmt.Sprintf("%d orders per grain and dimension", counts.Purchases), Observed: fmt.Sprintf("the same, %d times", len(order))}
	net := CheckRow{Check: "cohorts_add_up_to_net_revenue", Table: "cohorts", Severity: SeverityError, Passed: true, Expected: schemas.FormatSum(counts.Net) + " per grain and dimension", Observed: fmt.Sprintf("the same, %d times", len(order))}
	for _, k := range order {
		t := totals[k]
		where := k.grain + ", " + k.dimension + ": "
		if customers.Passed && t.customers != counts.Customers {
			customers.Passed, customers.Observed = false, fmt.Sprintf("%s%d", where, t.customers)
		}
		if orders.Passed && t.orders != counts.Purchases {
			orders.Passed, orders.Observed = false, fmt.Sprintf("%s%d", where, t.orders)
		}
		if net.Passed && t.net != counts.Net {
			net.Passed, net.Observed = false, where+schemas.FormatSum(t.net)
		}
	}
	return []CheckRow{customers, orders, net}
}

// CheckLifecycle verifies active = new + returning + resurrected and
// returning + dormant = active of the period before.
func CheckLifecycle(rows iter.Seq[LifecycleRow]) []CheckRow {
	parts := CheckRow{Check: "active_is_new_returning_resurrected", Table: "lifecycle", Severity: SeverityError, Passed: true, Expected: "active = new + returning + resurrected"}
	flow := CheckRow{Check: "returning_and_dormant_are_last_active", Table: "lifecycle", Severity: SeverityError, Passed: true, Expected: "returning + dormant = active of the period before"}
	type key struct{ grain, dimension, segment string }
	before := map[key]int64{}
	n := 0
	for r := range rows {
		n++
		k := key{r.Grain, r.Dimension, r.Segment}
		where := func() string {
			return fmt.Sprintf("%s %s, %s=%s", r.Grain, date(r.Period), r.Dimension, r.Segment)
		}
		if parts.Passed && r.Active != r.New+r.Returning+r.Resurrected {
			parts.Passed, parts.Observed = false, fmt.Sprintf("%s: %d active, %d + %d + %d", where(), r.Active, r.New, r.Returning, r.Resurrected)
		}
		if flow.Passed && (r.Returning+r.Dormant != before[k] || r.Dormant < 0) {
			flow.Passed, flow.Observed = false, fmt.Sprintf("%s: %d + %d, %d before", where(), r.Returning, r.Dormant, before[k])
		}
		before[k] = r.Active
	}
	for _, c := range []*CheckRow{&parts, &flow} {
		if c.Passed {
			c.Observed = fmt.Sprintf("holds in %d rows", n)
		}
	}
	return []CheckRow{parts, flow}
}

// CheckRows verifies rows in = accepted + rejected + superseded and lists the counts
// that a reader of the tables should know. read and rejected are those of validation.
func CheckRows(read, rejected int64, c Counts) []CheckRow {
	sum := c.Accepted + c.Rejected + rejected + c.Superseded
	rows := []CheckRow{{Check: "rows_add_up", Table: "orders", Severity: SeverityError, Passed: sum == read,
		Observed: fmt.Sprintf("%d accepted + %d rejected + %d superseded = %d", c.Accepted, c.Rejected+rejected, c.Superseded, sum), Expected: fmt.Sprintf("%d rows in", read)}}
	warn := func(name string, n int64, expected string) {
		rows = append(rows, CheckRow{Check: name, Table: "orders", Severity: SeverityWarning, Passed: n == 0, Observed: fmt.Sprint(n), Expected: expected})
	}
	warn("refund_above_net", c.RefundAboveNet, "0 counted orders whose refund exceeds gross - discount")
	warn("line_conflicts", c.LineConflicts, "0 orders whose lines disagree on customer or time")
	info := func(name string, n int64, expected string) {
		rows = append(rows, CheckRow{Check: name, Table: "orders", Severity: SeverityInfo, Passed: true, Observed: fmt.Sprint(n), Expected: expected})
	}
	info("anonymous_orders", c.AnonymousOrders, "purchases of nobody known; in no customer table")
	info("linked_ids", c.LinkedIDs, "customer ids that share an e-mail with another one")
	info("ids_per_email", c.LargestIDsPerKey, "most ids that share one e-mail")
	return rows
}

func date(d schemas.Day) string {
	y, m := civil(int32(d))
	return fmt.Sprintf("%04d-%02d-%02d", y, m, int32(d)-daysOf(y, m)+1)
}
