package transforms

import (
	"iter"
	"slices"
	"testing"
)

// books is a small set of tables that agree with each other.
type books struct {
	counts    Counts
	read      int64 // rows in
	rejected  int64 // by validation
	cohorts   []CohortRow
	retention []RetentionRow
	lifecycle []LifecycleRow
}

func goodBooks() books {
	return books{
		counts: Counts{Accepted: 7, Rejected: 1, Superseded: 2, Purchases: 6, Customers: 3, Net: sumOf(600)}, read: 11, rejected: 1,
		cohorts: []CohortRow{
			{Grain: "month", Dimension: "all", Customers: 2, Orders: 4, NetRevenue: sumOf(400)},
			{Grain: "month", Cohort: 31, Dimension: "all", Customers: 1, Orders: 2, NetRevenue: sumOf(200)},
			{Grain: "week", Dimension: "all", Customers: 3, Orders: 6, NetRevenue: sumOf(600)},
		},
		retention: []RetentionRow{
			{Grain: "month", IndexKind: calendarIndex, Age: 0, Customers: 2, Eligible: 2, Active: 2, Returned: 2},
			{Grain: "month", IndexKind: calendarIndex, Age: 1, Customers: 2, Eligible: 2, Active: 1, Returned: 2},
			{Grain: "month", IndexKind: "age", Age: 0, Customers: 2, Eligible: 1, Active: 0, Returned: 1},
		},
		lifecycle: []LifecycleRow{
			{Grain: "month", Active: 2, New: 2},
			{Grain: "month", Period: 31, Active: 2, New: 1, Returning: 1, Dormant: 1},
			{Grain: "month", Period: 60, Active: 2, Returning: 1, Resurrected: 1, Dormant: 1},
		},
	}
}

func pointers(rows []RetentionRow) iter.Seq[*RetentionRow] {
	return func(yield func(*RetentionRow) bool) {
		for i := range rows {
			if !yield(&rows[i]) {
				return
			}
		}
	}
}

// failed lists the checks that the books do not pass.
func (b *books) failed() (names []string) {
	for _, c := range slices.Concat(CheckRows(b.read, b.rejected, b.counts), CheckRetention(slices.Values(b.cohorts), pointers(b.retention), b.counts), CheckLifecycle(slices.Values(b.lifecycle))) {
		if !c.Passed {
			names = append(names, c.Check)
		}
	}
	return names
}

// TestChecks makes one mistake after the other: the check that is there for it fails.
func TestChecks(t *testing.T) {
	good := goodBooks()
	if f := good.failed(); f != nil {
		t.Fatalf("good books fail %v", f)
	}
	for _, x := range []struct {
		mistake string
		make    func(b *books)
		fails   []string
	}{
		{"a row is lost", func(b *books) { b.counts.Accepted-- }, []string{"rows_add_up"}},
		{"a row is doubled", func(b *books) { b.counts.Superseded++ }, []string{"rows_add_up"}},
		{"a reject is not counted", func(b *books) { b.rejected = 0 }, []string{"rows_add_up"}},
		{"a refund is too large", func(b *books) { b.counts.RefundAboveNet = 1 }, []string{"refund_above_net"}},
		{"lines disagree", func(b *books) { b.counts.LineConflicts = 1 }, []string{"line_conflicts"}},
		{"a customer is in no cohort", func(b *books) { b.counts.Customers++ }, []string{"cohorts_add_up_to_customers"}},
		{"a customer is in two cohorts of one grain", func(b *books) { b.cohorts[2].Customers++ }, []string{"cohorts_add_up_to_customers"}},
		{"an order is in no cohort", func(b *books) { b.counts.Purchases++ }, []string{"cohorts_add_up_to_orders"}},
		{"a cohort has an order too many", func(b *books) { b.cohorts[0].Orders++ }, []string{"cohorts_add_up_to_orders"}},
		{"the smallest unit of money is lost", func(b *books) { b.cohorts[1].NetRevenue = sumOf(199) }, []string{"cohorts_add_up_to_net_revenue"}},
		{"more active than returned", func(b *books) { b.retention[1].Returned = 0 }, []string{"active_within_eligible"}},
		{"more returned than eligible", func(b *books) { b.retention[2].Eligible = 0 }, []string{"active_within_eligible"}},
		{"more eligible than in the cohort", func(b *books) { b.retention[2].Eligible = 3 }, []string{"active_within_eligible"}},
		{"a new customer is not active", func(b *books) { b.retention[0].Active = 1 }, []string{"age_0_is_cohort"}},
		{"an active customer is neither new, returning nor resurrected", func(b *books) { b.lifecycle[2].Resurrected = 0 }, []string{"active_is_new_returning_resurrected"}},
		{"a customer of the last period has vanished", func(b *books) { b.lifecycle[1].Dormant = 0 }, []string{"returning_and_dormant_are_last_active"}},
		{"fewer than none are dormant", func(b *books) { b.lifecycle[0].Returning, b.lifecycle[0].New, b.lifecycle[0].Dormant = 1, 1, -1 }, []string{"returning_and_dormant_are_last_active"}},
	} {
		b := goodBooks()
		x.make(&b)
		if f := b.failed(); !slices.Equal(f, x.fails) {
			t.Errorf("%s: fails %v, should fail %v", x.mistake, f, x.fails)
		}
	}
}
