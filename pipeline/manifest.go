package pipeline

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// What has become of the run of a manifest.
const (
	Succeeded = "succeeded"
	Abandoned = "abandoned" // it ended without a result, and can have none any more
)

// Manifest is the record of a publication. Creating it is the commit point: once it is
// there, the tables it names are the result of its date until the next one is.
type Manifest struct {
	Version       int            `json:"version"` // of this format: 1
	Number        int            `json:"number"`  // among the publications of the date, from 1
	RunID         string         `json:"run_id"`
	Job           string         `json:"job"`
	IntervalStart *time.Time     `json:"interval_start"`
	IntervalEnd   time.Time      `json:"interval_end"`
	AsOf          time.Time      `json:"as_of"`
	KnownAt       *time.Time     `json:"known_at,omitempty"` // only inputs received by then were read
	Partition     string         `json:"partition"`          // as_of=YYYY-MM-DD
	ConfigSHA256  string         `json:"config_sha256"`
	CodeVersion   string         `json:"code_version"`
	Inputs        []InputRecord  `json:"inputs"`
	Outputs       []OutputRecord `json:"outputs"`
	Inherited     []OutputRecord `json:"inherited"` // tables of the date that an earlier run has published and this one has not replaced
	RowsIn        int64          `json:"rows_in"`
	RowsRejected  int64          `json:"rows_rejected"`
	Orders        int64          `json:"orders"`
	Customers     int64          `json:"customers"`
	StartedAt     time.Time      `json:"started_at"`
	EndedAt       time.Time      `json:"ended_at"`
	Status        string         `json:"status"`
	Restated      *Restated      `json:"restated,omitempty"` // what has changed against the last result of the date; nil: there was none
}

// Restated says what a run has changed in the result that was published last for its date.
type Restated struct {
	Number  int             `json:"number"` // of that result
	RunID   string          `json:"run_id"`
	Tables  []RestatedTable `json:"tables"`  // those whose bytes differ
	Cohorts []string        `json:"cohorts"` // grain and cohort of the cells that differ, at most MaxRestatedCohorts
	InAll   int             `json:"cohorts_in_all"`
	Unknown string          `json:"unknown,omitempty"` // why nothing more can be said
}

// MaxRestatedCohorts bounds what a manifest lists.
const MaxRestatedCohorts = 500

// RestatedTable counts what differs in a table.
type RestatedTable struct {
	Table      string `json:"table"`
	RowsBefore int64  `json:"rows_before"`
	RowsAfter  int64  `json:"rows_after"`
	Compared   bool   `json:"compared"` // false: only the rows were counted
	Added      int64  `json:"rows_added"`
	Removed    int64  `json:"rows_removed"`
	Changed    int64  `json:"rows_changed"`
	Cells      int64  `json:"cells"`
}

// encode is the manifest as it is stored.
func (m *Manifest) encode() ([]byte, error) {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return append(data, '\n'), nil
}

// WrittenBy says whether a run has written tables of this publication.
func (m *Manifest) WrittenBy(runID string) bool {
	return slices.ContainsFunc(m.Outputs, func(o OutputRecord) bool { return o.RunID == runID })
}

// tables are all tables of a date after a publication.
func (m *Manifest) tables() []OutputRecord { return slices.Concat(m.Outputs, m.Inherited) }

// InputRecord is one object that a run has read.
type InputRecord struct {
	Table      string    `json:"table"`
	Source     string    `json:"source"`
	Path       string    `json:"path"`
	Size       int64     `json:"size"`
	SHA256     string    `json:"sha256,omitempty"`  // of a local file
	Version    string    `json:"version,omitempty"` // of an object of a store: its generation, etag or md5
	ReceivedAt time.Time `json:"received_at"`       // see landing.Index.Observe
	Copied     bool      `json:"copied,omitempty"`  // its bytes were read from, and lie in, landing/objects/<sha256>
	Rows       int64     `json:"rows"`
}

// OutputRecord is one table that a run has published.
type OutputRecord struct {
	Table  string `json:"table"`
	Path   string `json:"path"`   // below the output, for readers who know no manifests: the latest result
	Result string `json:"result"` // below the output: this result, never changed
	RunID  string `json:"run_id"` // of the run that has written it
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// RunID derives the id of a run from what determines its result, so that a retry
// recognises its own earlier work.
func RunID(job, code, config string, asOf time.Time, start, knownAt *time.Time, inputs []InputRecord) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%s\n%s\n", job, code, config, asOf.UTC().Format(time.RFC3339Nano))
	if start != nil {
		fmt.Fprintf(h, "%s\n", start.UTC().Format(time.RFC3339Nano))
	}
	if knownAt != nil {
		fmt.Fprintf(h, "known at %s\n", knownAt.UTC().Format(time.RFC3339Nano))
	}
	for _, in := range inputs {
		fmt.Fprintf(h, "%s\x00%s\x00%s\x00%d\x00%s\n", in.Table, in.Source, in.Path, in.Size, cmp.Or(in.Version, in.SHA256))
	}
	return asOf.UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(h.Sum(nil))[:16]
}
