package schemas

// Orders is the canonical orders table: what every export of orders is mapped to.
var Orders = Table{
	Name: "orders", Key: []string{"order_id"},
	Description: "Canonical orders: one row per version of an order, or per line with grain: line.",
	Columns: []Column{
		{Name: "order_id", Description: "Id of the order, unique within its source."},
		{Name: "customer_id", Nullable: true, Description: "Id of the customer in the source's namespace."},
		{Name: "email", Nullable: true, Description: "E-mail address of the customer; appears in no output."},
		{Name: "ordered_at", Type: Timestamp, Description: "When the order was placed."},
		{Name: "updated_at", Type: Timestamp, Nullable: true, Description: "When this version was made; the greatest wins."},
		{Name: "status", Nullable: true, Description: "paid, refunded, pending, cancelled, failed, fraud or test; every order is paid where the column is missing."},
		{Name: "currency", Nullable: true, Description: "Three-letter code of the amounts; the reporting currency where the column is missing."},
		{Name: "gross_amount", Type: Amount, Unit: "order currency", Description: "What was charged for the goods before discounts and refunds, without tax and shipping."},
		{Name: "discount_amount", Type: Amount, Nullable: true, Unit: "order currency", Description: "Discounts, positive."},
		{Name: "refund_amount", Type: Amount, Nullable: true, Unit: "order currency", Description: "Refunds, positive."},
		{Name: "tax_amount", Type: Amount, Nullable: true, Unit: "order currency", Description: "Tax; stays out of revenue."},
		{Name: "shipping_amount", Type: Amount, Nullable: true, Unit: "order currency", Description: "Shipping; stays out of revenue."},
		{Name: "cost_amount", Type: Amount, Nullable: true, Unit: "order currency", Description: "Cost of the goods; unknown where empty."},
		{Name: "channel", Nullable: true, Description: "Sales or marketing channel."},
		{Name: "country", Nullable: true, Description: "Country of the customer."},
		{Name: "campaign", Nullable: true, Description: "Marketing campaign."},
		{Name: "coupon", Nullable: true, Description: "Coupon used."},
		{Name: "product", Nullable: true, Description: "Product or product group."},
		{Name: "due_at", Type: Timestamp, Nullable: true, Description: "When payment was due."},
		{Name: "paid_at", Type: Timestamp, Nullable: true, Description: "When it was paid."},
		{Name: "is_test", Type: Bool, Nullable: true, Description: "Whether it is a test order, which counts for nothing."},
	},
}

// FX is the canonical table of exchange rates.
var FX = Table{
	Name: "fx", Key: []string{"currency", "date"},
	Description: "Exchange rates: reporting currency per unit of a currency, by date.",
	Columns: []Column{
		{Name: "date", Type: Date, Description: "Date of the rate."},
		{Name: "currency", Description: "Three-letter code."},
		{Name: "rate", Type: Amount, Unit: "reporting currency per unit", Description: "Rate, greater than 0, with up to 18 significant digits."},
	},
}

// Inputs lists the canonical input tables that a source can be mapped to.
func Inputs() []Table { return []Table{Orders, FX} }
