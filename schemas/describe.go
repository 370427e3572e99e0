package schemas

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// BigQueryField is one field of a BigQuery schema, as its JSON files write it.
type BigQueryField struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Mode        string `json:"mode"`
	Precision   string `json:"precision,omitempty"`
	Scale       string `json:"scale,omitempty"`
	Description string `json:"description"`
}

// BigQuery returns the BigQuery schema of the table: the column as_of, by which the
// table is partitioned, and the declared columns.
func (t Table) BigQuery() []BigQueryField {
	var fields []BigQueryField
	if !t.input() {
		fields = append(fields, BigQueryField{Name: "as_of", Type: "DATE", Mode: "REQUIRED", Description: "As-of date of the result; the table is partitioned by it."})
	}
	for _, c := range t.Columns {
		f := BigQueryField{Name: c.Name, Mode: "REQUIRED", Description: c.sentence()}
		if c.Nullable {
			f.Mode = "NULLABLE"
		}
		switch c.Type {
		case Int64:
			f.Type = "INTEGER"
		case Double:
			f.Type = "FLOAT"
		case Bool:
			f.Type = "BOOLEAN"
		case Date:
			f.Type = "DATE"
		case Timestamp:
			f.Type = "TIMESTAMP"
		case Money:
			f.Type, f.Precision, f.Scale = "NUMERIC", fmt.Sprint(MoneyPrecision), fmt.Sprint(Scale)
		case Amount:
			f.Type, f.Precision, f.Scale = "NUMERIC", fmt.Sprint(AmountPrecision), fmt.Sprint(Scale)
		default:
			f.Type = "STRING"
		}
		fields = append(fields, f)
	}
	return fields
}

// sentence is the description with the unit.
func (c Column) sentence() string {
	if c.Unit == "" {
		return c.Description
	}
	return c.Description + " Unit: " + c.Unit + "."
}

// MarshalJSON writes the table as `cohortline schema <table> --format json` prints it.
func (t Table) MarshalJSON() ([]byte, error) {
	type column struct {
		Name        string `json:"name"`
		Type        string `json:"type"`
		Nullable    bool   `json:"nullable"`
		Unit        string `json:"unit,omitempty"`
		Description string `json:"description"`
	}
	out := struct {
		Name        string   `json:"name"`
		Description string   `json:"description"`
		Key         []string `json:"key"`
		Columns     []column `json:"columns"`
	}{Name: t.Name, Description: t.Description, Key: t.Key}
	for _, c := range t.Columns {
		out.Columns = append(out.Columns, column{c.Name, c.Type.String(), c.Nullable, c.Unit, c.Description})
	}
	return json.Marshal(out)
}

// input says whether the table is one that a run reads: it has no as-of date.
func (t Table) input() bool {
	return slices.ContainsFunc(Inputs(), func(x Table) bool { return x.Name == t.Name })
}

// Markdown returns the page of the table in docs/tables.
func (t Table) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n\n", t.Name, t.Description)
	key := strings.Join(t.Key, "`, `")
	switch {
	case t.input():
		fmt.Fprintf(&b, "Key: `%s`. Rows come in any order", key)
	case t.Name == "customers" || t.Name == "customer_periods" || t.Name == "customer_ltv":
		fmt.Fprintf(&b, "Key: `as_of`, `%s`. Customers come in the order of a fixed hash of their id", key)
	default:
		fmt.Fprintf(&b, "Key: `as_of`, `%s`. Rows are sorted by the key", key)
	}
	b.WriteString(".\n\n| column | type | null | unit | description |\n|---|---|---|---|---|\n")
	for _, c := range t.Columns {
		null := ""
		if c.Nullable {
			null = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", c.Name, c.Type, null, c.Unit, strings.ReplaceAll(c.Description, "|", "\\|"))
	}
	return b.String()
}
