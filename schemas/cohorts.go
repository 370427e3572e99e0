package schemas

// Columns that several metric tables share.
var (
	grainColumn     = Column{Name: "grain", Description: "Length of the calendar periods: day, week, month, quarter or year."}
	cohortColumn    = Column{Name: "cohort", Type: Date, Description: "First local date of the period in which the customers of the cohort purchased first."}
	dimensionColumn = Column{Name: "dimension", Description: "Name of the configured dimension by which customers are split, or all."}
	segmentColumn   = Column{Name: "segment", Description: "Value of the dimension at the customer's first purchase, (none) where it was empty, all for dimension all."}
	indexColumn     = Column{Name: "index_kind", Description: "calendar: ages count calendar periods since the cohort period; age: ages count windows of 1, 7 or 30 days since the customer's own first purchase date."}
)

// Cohorts is the cohorts table.
var Cohorts = Table{
	Name:        "cohorts",
	Key:         []string{"grain", "cohort", "dimension", "segment"},
	Description: "One row for every cohort, with its size and its totals up to the as-of instant.",
	Columns: []Column{
		grainColumn, cohortColumn, dimensionColumn, segmentColumn,
		{Name: "customers", Type: Int64, Unit: "customers", Description: "Customers whose first purchase fell in the cohort period."},
		{Name: "orders", Type: Int64, Unit: "orders", Description: "Purchases of the cohort up to the as-of instant."},
		{Name: "net_revenue", Type: Money, Unit: "reporting currency", Description: "Net revenue of the cohort up to the as-of instant."},
		{Name: "is_complete", Type: Bool, Description: "Whether the cohort period had ended at the as-of instant."},
	},
}

// CohortRetention is the cohort_retention table.
var CohortRetention = Table{
	Name:        "cohort_retention",
	Key:         []string{"grain", "cohort", "dimension", "segment", "index_kind", "age"},
	Description: "The retention triangle: how many customers of each cohort purchased at each age, zeros included.",
	Columns: []Column{
		grainColumn, cohortColumn, dimensionColumn, segmentColumn, indexColumn,
		{Name: "age", Type: Int64, Unit: "periods", Description: "Periods (calendar) or windows (age) since the first purchase, from 0."},
		{Name: "cohort_customers", Type: Int64, Unit: "customers", Description: "Customers of the cohort."},
		{Name: "eligible_customers", Type: Int64, Unit: "customers", Description: "Denominator: the whole cohort (calendar), or the customers whose window has fully elapsed (age)."},
		{Name: "active_customers", Type: Int64, Unit: "customers", Description: "Eligible customers with a purchase at this age."},
		{Name: "returned_customers", Type: Int64, Unit: "customers", Description: "Eligible customers with a purchase at this or any later age up to the as-of instant."},
		{Name: "orders", Type: Int64, Unit: "orders", Description: "Purchases of eligible customers at this age."},
		{Name: "net_revenue", Type: Money, Unit: "reporting currency", Description: "Net revenue of those purchases."},
		{Name: "retention_rate", Type: Double, Nullable: true, Unit: "share", Description: "active_customers / eligible_customers."},
		{Name: "retention_low", Type: Double, Nullable: true, Unit: "share", Description: "Lower bound of the 95 % Wilson interval of retention_rate."},
		{Name: "retention_high", Type: Double, Nullable: true, Unit: "share", Description: "Upper bound of the 95 % Wilson interval of retention_rate."},
		{Name: "unbounded_rate", Type: Double, Nullable: true, Unit: "share", Description: "returned_customers / eligible_customers."},
		{Name: "churn_rate", Type: Double, Nullable: true, Unit: "share", Description: "1 - unbounded_rate."},
		{Name: "is_complete", Type: Bool, Description: "Whether the period has ended (calendar), or the whole cohort is eligible (age)."},
	},
}

// RetentionCurves is the retention_curves table.
var RetentionCurves = Table{
	Name:        "retention_curves",
	Key:         []string{"grain", "dimension", "segment", "index_kind", "age"},
	Description: "Retention by age over all cohorts: sums of numerators over sums of denominators.",
	Columns: []Column{
		grainColumn, dimensionColumn, segmentColumn, indexColumn,
		{Name: "age", Type: Int64, Unit: "periods", Description: "Periods (calendar) or windows (age) since the first purchase, from 0."},
		{Name: "cohorts", Type: Int64, Unit: "cohorts", Description: "Cohorts that contribute: complete cells (calendar) or cohorts with an eligible customer (age)."},
		{Name: "eligible_customers", Type: Int64, Unit: "customers", Description: "Sum of eligible customers of the contributing cohorts."},
		{Name: "active_customers", Type: Int64, Unit: "customers", Description: "Sum of active customers of the contributing cohorts."},
		{Name: "retention_rate", Type: Double, Nullable: true, Unit: "share", Description: "active_customers / eligible_customers."},
		{Name: "retention_low", Type: Double, Nullable: true, Unit: "share", Description: "Lower bound of the 95 % Wilson interval of retention_rate."},
		{Name: "retention_high", Type: Double, Nullable: true, Unit: "share", Description: "Upper bound of the 95 % Wilson interval of retention_rate."},
	},
}

// CohortLTV is the cohort_ltv table.
var CohortLTV = Table{
	Name:        "cohort_ltv",
	Key:         []string{"grain", "cohort", "dimension", "segment", "age"},
	Description: "Historic lifetime value: what each cohort has brought up to each calendar age, per customer acquired.",
	Columns: []Column{
		grainColumn, cohortColumn, dimensionColumn, segmentColumn,
		{Name: "age", Type: Int64, Unit: "periods", Description: "Calendar periods since the cohort period, from 0."},
		{Name: "cohort_customers", Type: Int64, Unit: "customers", Description: "Customers of the cohort."},
		{Name: "cumulative_orders", Type: Int64, Unit: "orders", Description: "Purchases of the cohort up to and including this age."},
		{Name: "cumulative_net_revenue", Type: Money, Unit: "reporting currency", Description: "Net revenue of those purchases."},
		{Name: "cumulative_margin", Type: Money, Nullable: true, Unit: "reporting currency", Description: "Net revenue minus cost of those purchases; null unless every cost is known."},
		{Name: "ltv", Type: Double, Nullable: true, Unit: "reporting currency per customer", Description: "cumulative_net_revenue / cohort_customers."},
		{Name: "ltv_margin", Type: Double, Nullable: true, Unit: "reporting currency per customer", Description: "cumulative_margin / cohort_customers."},
		{Name: "is_complete", Type: Bool, Description: "Whether the period of this age has ended."},
	},
}
