package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Manifest is the record of a published run. Writing it is the commit point: once it is
// there, the tables it names are the result, and whoever comes next completes them.
type Manifest struct {
	Version       int            `json:"version"` // of this format: 1
	RunID         string         `json:"run_id"`
	Job           string         `json:"job"`
	IntervalStart *time.Time     `json:"interval_start"`
	IntervalEnd   time.Time      `json:"interval_end"`
	AsOf          time.Time      `json:"as_of"`
	Partition     string         `json:"partition"` // as_of=YYYY-MM-DD
	ConfigSHA256  string         `json:"config_sha256"`
	CodeVersion   string         `json:"code_version"`
	Inputs        []InputRecord  `json:"inputs"`
	Outputs       []OutputRecord `json:"outputs"`
	RowsIn        int64          `json:"rows_in"`
	RowsRejected  int64          `json:"rows_rejected"`
	StartedAt     time.Time      `json:"started_at"`
	EndedAt       time.Time      `json:"ended_at"`
	Status        string         `json:"status"`
}

// InputRecord is one object that a run has read, by reference.
type InputRecord struct {
	Table      string    `json:"table"`
	Source     string    `json:"source"`
	Path       string    `json:"path"`
	Size       int64     `json:"size"`
	SHA256     string    `json:"sha256,omitempty"`  // of a local file
	Version    string    `json:"version,omitempty"` // of an object of a store: its generation, etag or md5
	ReceivedAt time.Time `json:"received_at"`       // last change of the object
	Rows       int64     `json:"rows"`
}

// OutputRecord is one table that a run has published.
type OutputRecord struct {
	Table  string `json:"table"`
	Path   string `json:"path"` // below the output
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// RunID derives the id of a run from what determines its result, so that a retry
// recognises its own earlier work.
func RunID(job, code, config string, asOf time.Time, start *time.Time, inputs []InputRecord) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%s\n%s\n", job, code, config, asOf.UTC().Format(time.RFC3339Nano))
	if start != nil {
		fmt.Fprintf(h, "%s\n", start.UTC().Format(time.RFC3339Nano))
	}
	for _, in := range inputs {
		fmt.Fprintf(h, "%s\x00%s\x00%s\x00%d\x00%s\n", in.Table, in.Source, in.Path, in.Size, in.SHA256+in.Version)
	}
	return asOf.UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(h.Sum(nil))[:16]
}

// Manifests lists the runs recorded below an output, the latest ended first.
func Manifests(output string) ([]Manifest, error) {
	entries, err := os.ReadDir(filepath.Join(output, "runs"))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the runs of %s cannot be listed: %w", output, err)
	}
	var list []Manifest
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		m, err := readManifest(filepath.Join(output, "runs", e.Name()))
		if err != nil {
			return nil, err
		}
		list = append(list, *m)
	}
	slices.SortFunc(list, func(a, b Manifest) int {
		if c := b.EndedAt.Compare(a.EndedAt); c != 0 {
			return c
		}
		return strings.Compare(a.RunID, b.RunID)
	})
	return list, nil
}

func readManifest(path string) (*Manifest, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("manifest %s cannot be read: %w", path, err)
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("manifest %s is damaged: %w", path, err)
	}
	return &m, nil
}
