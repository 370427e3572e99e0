package pipeline

import "github.com/cohortline/cohortline/pipeline/source"

// SourceSpec is one entry of `sources:`: where a canonical table comes from and how
// its columns are mapped. The configuration has checked it; names and forms are
// valid, what depends on the file's header is checked when the file is opened.
type SourceSpec struct {
	Table     string   // orders, fx (refunds, customers, … come later)
	Name      string   // unique among the sources of a table
	Namespace string   // of customer ids; the name unless configured
	Paths     []string // resolved paths, globs, folders or URLs
	Preset    string
	Format    source.Options
	Decimal   byte                         // decimal mark of text amounts, '.' or ','
	Grain     string                       // "order" (default) or "line"
	Columns   map[string]ColumnSpec        // canonical column → where its value comes from; absent: the file's column of that name
	Values    map[string]map[string]string // canonical column → raw value → canonical value, e.g. status
	Filter    string                       // expression; rows for which it is not true are left out
	Time      map[string]TimeSpec          // canonical timestamp or date column → how it is written; "" holds the default
	Landing   string                       // "reference" (default) or "copy"
	Line      int                          `json:"-"` // line of the entry in the configuration, for messages
}

// ColumnSpec says where a canonical column's value comes from: exactly one field is set.
type ColumnSpec struct {
	From  string  // a header of the file or, when no header has that name, an expression
	Const *string // the same value in every row
}

// TimeSpec says how timestamps of a text file are written.
type TimeSpec struct {
	Format   string // strftime-like (%d/%m/%Y %H:%M), or iso, unix, unix_ms; empty: ISO 8601 only
	Timezone string // IANA name for values without offset; empty: none, and naive values are a configuration error
}
