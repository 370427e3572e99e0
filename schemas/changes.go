package schemas

// Columns of the tables that `diff` writes. They hold what of a key most tables share; the
// column key holds all of it.
var changeKeyColumns = []Column{
	{Name: "grain", Nullable: true, Description: "Grain of the row, where its key has one."},
	{Name: "cohort", Type: Date, Nullable: true, Description: "Cohort of the row, where its key has one."},
	{Name: "dimension", Nullable: true, Description: "Dimension of the row, where its key has one."},
	{Name: "segment", Nullable: true, Description: "Segment of the row, where its key has one."},
	{Name: "index_kind", Nullable: true, Description: "Index kind of the row, where its key has one."},
	{Name: "age", Type: Int64, Nullable: true, Unit: "periods", Description: "Age of the row, where its key has one."},
}

var (
	changeTable  = Column{Name: "table", Description: "Table of the cell."}
	changeKind   = Column{Name: "change", Description: "changed: both results have the row; added, removed: only the later, the earlier one has it."}
	changeKey    = Column{Name: "key", Description: "Key of the row: its values in declared order with | in between, a | or \\ of a value behind a \\."}
	changeColumn = Column{Name: "column", Description: "Column of the cell."}
)

// CellChanges is the table of the cells in which two results differ.
var CellChanges = Table{
	Name:        "cell_changes",
	Key:         []string{"table", "key", "column"},
	Description: "One row for every cell in which two results differ.",
	Columns: append(append([]Column{changeTable, changeKind, changeKey}, changeKeyColumns...),
		changeColumn,
		Column{Name: "before", Nullable: true, Description: "Value in the earlier result; null where it is null or the row is not there."},
		Column{Name: "after", Nullable: true, Description: "Value in the later result; null where it is null or the row is not there."},
		Column{Name: "delta", Nullable: true, Description: "after - before as an exact decimal, of doubles the nearest double; counts and sums of a row that is not there are 0; null where either value is null or no number."},
		Column{Name: "delta_value", Type: Double, Nullable: true, Unit: "that of the column", Description: "The double nearest to delta."},
	),
}

// CellCauses is the table of what each cause has done to a cell.
var CellCauses = Table{
	Name:        "cell_causes",
	Key:         []string{"step", "table", "key", "column"},
	Description: "One row for every cell and cause that has moved it: before and after are the cell in two neighbouring recomputations, so that the parts of a cell add up to its change.",
	Columns: append(append([]Column{
		{Name: "step", Type: Int64, Unit: "steps", Description: "Number of the recomputation, from 1, in which the cause was switched."},
		{Name: "cause", Description: "What has moved the cell."},
		changeTable, changeKind, changeKey}, changeKeyColumns...),
		changeColumn,
		Column{Name: "before", Nullable: true, Description: "Value before this cause; null where it is null or the row is not there."},
		Column{Name: "after", Nullable: true, Description: "Value with this cause; null where it is null or the row is not there."},
		Column{Name: "part", Nullable: true, Description: "after - before, as delta of cell_changes."},
		Column{Name: "part_value", Type: Double, Nullable: true, Unit: "that of the column", Description: "The double nearest to part."},
	),
}
