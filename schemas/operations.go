package schemas

// Rejects is the rejects table.
var Rejects = Table{
	Name:        "rejects",
	Key:         []string{"source", "file", "row"},
	Description: "Every input row that did not conform, with its reason and place.",
	Columns: []Column{
		{Name: "source", Description: "Name of the source."},
		{Name: "file", Description: "Path of the file, without credentials."},
		{Name: "row", Type: Int64, Unit: "rows", Description: "Number of the row in the file, from 1, the header not counted."},
		{Name: "table", Description: "Canonical table the row was meant for."},
		{Name: "reason", Description: "Why it was rejected, e.g. invalid_amount, fx_rate_missing."},
		{Name: "column", Nullable: true, Description: "Canonical column at fault; null when the whole row is."},
		{Name: "value", Nullable: true, Description: "The offending value, letters shown as x and digits as 9."},
		{Name: "raw", Nullable: true, Description: "The row as it was found, masked the same way, where it is at hand."},
	},
}

// Checks is the checks table.
var Checks = Table{
	Name:        "checks",
	Key:         []string{"check", "table"},
	Description: "The accounting identities and budgets that were checked before anything was published.",
	Columns: []Column{
		{Name: "check", Description: "Name of the check."},
		{Name: "table", Description: "Table the check looks at; orders for the input."},
		{Name: "severity", Description: "error: a failure publishes nothing; warning: it is only reported; info: a count to know."},
		{Name: "passed", Type: Bool, Description: "Whether the check holds."},
		{Name: "observed", Description: "What was found, with the cell when the check fails."},
		{Name: "expected", Description: "What should have been found."},
	},
}

// Runs is the runs table: one row per published run.
var Runs = Table{
	Name:        "runs",
	Key:         []string{"run_id"},
	Description: "One row for every run: what it read, what it wrote and how it ended.",
	Columns: []Column{
		{Name: "run_id", Description: "Derived from job, interval, configuration and inputs: a retry has the same one."},
		{Name: "job", Description: "Name of the job."},
		{Name: "interval_start", Type: Timestamp, Nullable: true, Description: "Start of the data interval the scheduler gave; null when only an as-of was given."},
		{Name: "interval_end", Type: Timestamp, Description: "End of the data interval, exclusive: the as-of instant. The column as_of is its local date, as in every table."},
		{Name: "config_sha256", Description: "SHA-256 of the normalised configuration, secrets left out."},
		{Name: "code_version", Description: "Version of the program."},
		{Name: "inputs", Description: "JSON array of the objects read: path, size, version or checksum, rows."},
		{Name: "outputs", Description: "JSON array of the objects written: table, path, rows, SHA-256."},
		{Name: "rows_in", Type: Int64, Unit: "rows", Description: "Order rows read, without those a filter left out."},
		{Name: "rows_rejected", Type: Int64, Unit: "rows", Description: "Order rows rejected."},
		{Name: "started_at", Type: Timestamp, Description: "When the run began, by the clock of the machine; no other table holds a clock."},
		{Name: "ended_at", Type: Timestamp, Description: "When all tables were made and checked, by the clock of the machine."},
		{Name: "status", Description: "succeeded or failed."},
	},
}

// Outputs lists every table a run can publish, in the order they are documented,
// given the configured dimensions.
func Outputs(dimensions []string) []Table {
	return []Table{
		Customers(dimensions), CustomerPeriods, Cohorts, CohortRetention, RetentionCurves, SurvivalCurves,
		CohortLTV, Lifecycle, RepeatPurchases, CustomerLTV, CohortLTVForecast, ModelFits, ModelBacktests, ContractRetention, Rejects, Checks, Runs,
	}
}

// ByName finds an output or input table.
func ByName(name string, dimensions []string) (Table, bool) {
	for _, t := range append(Outputs(dimensions), Inputs()...) {
		if t.Name == name {
			return t, true
		}
	}
	return Table{}, false
}
