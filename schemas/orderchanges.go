package schemas

// ChangedOrders is the table of the orders in which two runs differ.
var ChangedOrders = Table{
	Name:        "changed_orders",
	Key:         []string{"source", "order_id"},
	Description: "One row for every order that two runs have read differently, in the order of a hash.",
	Columns: []Column{
		{Name: "cause", Description: "How it differs: late, new, vanished or corrected orders, refunds, identity, rejected or replayed rows, definition."},
		{Name: "source", Description: "Name of the source."},
		{Name: "order_id", Description: "Id of the order."},
		{Name: "ordered_at", Type: Timestamp, Nullable: true, Description: "Instant of the order, in the later run if that has it."},
		{Name: "currency", Nullable: true, Description: "Currency of the amounts, in the later run if that has it."},
		{Name: "before_status", Nullable: true, Description: "Status in the earlier run; null where that has not read it."},
		{Name: "after_status", Nullable: true, Description: "Status in the later run; null where that has not read it."},
		{Name: "before_net", Type: Money, Nullable: true, Unit: "currency of the order", Description: "Gross minus discount minus refund in the earlier run, whatever the status."},
		{Name: "after_net", Type: Money, Nullable: true, Unit: "currency of the order", Description: "Gross minus discount minus refund in the later run, whatever the status."},
		{Name: "before_file", Nullable: true, Description: "File of the latest version in the earlier run."},
		{Name: "before_row", Type: Int64, Nullable: true, Unit: "rows", Description: "Its row there, from 1, the header not counted."},
		{Name: "after_file", Nullable: true, Description: "File of the latest version in the later run."},
		{Name: "after_row", Type: Int64, Nullable: true, Unit: "rows", Description: "Its row there, from 1, the header not counted."},
	},
}
