package schemas

// SurvivalCurves is the survival_curves table.
var SurvivalCurves = Table{
	Name:        "survival_curves",
	Key:         []string{"dimension", "segment", "event", "day"},
	Description: "Kaplan-Meier curves: the share of customers for whom the event has not happened yet, by days since the first order-day.",
	Columns: []Column{
		dimensionColumn, segmentColumn,
		{Name: "event", Description: "What is waited for: second_purchase is the second order-day."},
		{Name: "day", Type: Int64, Unit: "days", Description: "Days since the first order-day, from 0 to the longest duration."},
		{Name: "at_risk", Type: Int64, Unit: "customers", Description: "Customers whose duration is at least this day."},
		{Name: "events", Type: Int64, Unit: "customers", Description: "Customers for whom the event happened on this day."},
		{Name: "censored", Type: Int64, Unit: "customers", Description: "Customers who are followed for exactly this many days without the event."},
		{Name: "survival", Type: Double, Unit: "share", Description: "Kaplan-Meier estimate of the share without the event after this day."},
		{Name: "survival_low", Type: Double, Nullable: true, Unit: "share", Description: "Lower bound of the 95 % log-log Greenwood interval; 1 while survival is 1, null when it is 0."},
		{Name: "survival_high", Type: Double, Nullable: true, Unit: "share", Description: "Upper bound of the 95 % log-log Greenwood interval; 1 while survival is 1, null when it is 0."},
	},
}

// Lifecycle is the lifecycle table.
var Lifecycle = Table{
	Name:        "lifecycle",
	Key:         []string{"grain", "period", "dimension", "segment"},
	Description: "Who was active in each period: new, returning and resurrected customers, and those who went dormant.",
	Columns: []Column{
		grainColumn,
		{Name: "period", Type: Date, Description: "First local date of the period."},
		dimensionColumn, segmentColumn,
		{Name: "active_customers", Type: Int64, Unit: "customers", Description: "Customers with a purchase in the period: new + returning + resurrected."},
		{Name: "new_customers", Type: Int64, Unit: "customers", Description: "Customers whose first purchase fell in the period."},
		{Name: "returning_customers", Type: Int64, Unit: "customers", Description: "Customers active in this and the period before."},
		{Name: "resurrected_customers", Type: Int64, Unit: "customers", Description: "Customers active in this period, not in the one before, and not new."},
		{Name: "dormant_customers", Type: Int64, Unit: "customers", Description: "Customers active in the period before and not in this one."},
		{Name: "quick_ratio", Type: Double, Nullable: true, Unit: "ratio", Description: "(new + resurrected) / dormant; null when nobody went dormant."},
		{Name: "is_complete", Type: Bool, Description: "Whether the period had ended at the as-of instant."},
	},
}

// RepeatPurchases is the repeat_purchases table.
var RepeatPurchases = Table{
	Name:        "repeat_purchases",
	Key:         []string{"dimension", "segment", "order_number"},
	Description: "How many customers reach their n-th order-day, how many go on to another, and how long that takes.",
	Columns: []Column{
		dimensionColumn, segmentColumn,
		{Name: "order_number", Type: Int64, Unit: "order-days", Description: "Number of the order-day, from 1."},
		{Name: "customers", Type: Int64, Unit: "customers", Description: "Customers who reached this order-day."},
		{Name: "next_customers", Type: Int64, Unit: "customers", Description: "Customers who made another after it."},
		{Name: "repeat_rate", Type: Double, Nullable: true, Unit: "share", Description: "next_customers / customers."},
		{Name: "median_days", Type: Double, Nullable: true, Unit: "days", Description: "Median of the days to the next order-day (type 7), over those who made one."},
		{Name: "p90_days", Type: Double, Nullable: true, Unit: "days", Description: "90th percentile of the days to the next order-day (type 7), over those who made one."},
	},
}
