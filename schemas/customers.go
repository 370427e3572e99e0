package schemas

// Customers is the customers table: one row per customer with at least one purchase.
// It has one column first_<dimension> for every configured dimension.
func Customers(dimensions []string) Table {
	t := Table{
		Name:        "customers",
		Key:         []string{"customer_id"},
		Description: "One row for every customer with at least one purchase before the as-of instant.",
		Columns: []Column{
			{Name: "customer_id", Description: "Published id: the smallest (namespace, id) of everything that is this customer, or e- and 32 hex digits where only an e-mail is known."},
			{Name: "first_order_at", Type: Timestamp, Description: "Instant of the first purchase."},
			{Name: "last_order_at", Type: Timestamp, Description: "Instant of the last purchase before the as-of instant."},
			{Name: "cohort_week", Type: Date, Description: "First day of the week of the first purchase."},
			{Name: "cohort_month", Type: Date, Description: "First day of the month of the first purchase."},
			{Name: "cohort_quarter", Type: Date, Description: "First day of the quarter of the first purchase."},
			{Name: "orders", Type: Int64, Unit: "orders", Description: "Purchases."},
			{Name: "order_days", Type: Int64, Unit: "days", Description: "Distinct local dates with a purchase."},
			{Name: "active_months", Type: Int64, Unit: "months", Description: "Distinct calendar months with a purchase."},
			{Name: "gross_revenue", Type: Money, Unit: "reporting currency", Description: "Sum of gross amounts of the purchases."},
			{Name: "discounts", Type: Money, Unit: "reporting currency", Description: "Sum of discounts of the purchases."},
			{Name: "refunds", Type: Money, Unit: "reporting currency", Description: "Sum of refunds of the purchases."},
			{Name: "net_revenue", Type: Money, Unit: "reporting currency", Description: "Gross revenue minus discounts minus refunds."},
			{Name: "margin", Type: Money, Nullable: true, Unit: "reporting currency", Description: "Net revenue minus cost; null unless the cost of every purchase is known."},
			{Name: "frequency", Type: Int64, Unit: "days", Description: "Order-days after the first: x of the models of repeat buying."},
			{Name: "recency_days", Type: Int64, Unit: "days", Description: "Days from the first to the last order-day: t_x of the models of repeat buying."},
			{Name: "age_days", Type: Int64, Unit: "days", Description: "Days from the first order-day to the local date of the last instant before the as-of instant: T of the models of repeat buying."},
			{Name: "monetary_value", Type: Double, Nullable: true, Unit: "reporting currency", Description: "Mean net revenue of the order-days after the first; null when there is none."},
		},
	}
	for _, d := range dimensions {
		t.Columns = append(t.Columns, Column{Name: "first_" + d, Description: "Value of " + d + " at the first purchase, (none) where it is empty."})
	}
	return t
}

// CustomerPeriods is the customer_periods table.
var CustomerPeriods = Table{
	Name:        "customer_periods",
	Key:         []string{"customer_id", "grain", "period"},
	Description: "One row for every customer and period with a purchase of that customer.",
	Columns: []Column{
		{Name: "customer_id", Description: "Published id, as in customers."},
		grainColumn,
		{Name: "period", Type: Date, Description: "First local date of the period."},
		{Name: "orders", Type: Int64, Unit: "orders", Description: "Purchases of the customer in the period."},
		{Name: "net_revenue", Type: Money, Unit: "reporting currency", Description: "Net revenue of those purchases."},
		{Name: "margin", Type: Money, Nullable: true, Unit: "reporting currency", Description: "Net revenue minus cost of those purchases; null unless every cost is known."},
		{Name: "age", Type: Int64, Unit: "periods", Description: "Calendar periods since the cohort period of the customer."},
		{Name: "lifecycle", Description: "new in the first period, returning when the period before had a purchase too, resurrected otherwise."},
	},
}
