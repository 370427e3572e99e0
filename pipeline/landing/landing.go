// Package landing remembers what a job has read: which objects there were and when each was
// received, the configuration that was in force, and, where a source asks for it, the bytes
// themselves. It makes past results repeatable. Everything lies below landing/ in the output:
//
//	landing/index/000001.json       what was found new, changed or gone, in the order of finding
//	landing/objects/<sha256>        copies of inputs (landing: copy)
//	landing/configs/<sha256>.json   configurations, as they were written
//
// docs/formats/landing.md describes the format.
package landing

import (
	"cmp"
	"slices"
	"time"
)

// Record says that an object was found at a path, or that nothing is there any more. It is
// written once and never changed.
type Record struct {
	Job        string    `json:"job"`
	Table      string    `json:"table"`
	Source     string    `json:"source"`
	Path       string    `json:"path"` // relative to the configuration, or a URL
	Size       int64     `json:"size,omitempty"`
	SHA256     string    `json:"sha256,omitempty"`  // of a local file, and of whatever was copied
	Version    string    `json:"version,omitempty"` // of an object of a store: its generation, etag or md5
	Gone       bool      `json:"gone,omitempty"`    // the path was known, and nothing is there
	ReceivedAt time.Time `json:"received_at"`       // see Index.Observe
	RecordedAt time.Time `json:"recorded_at"`       // by the clock of the run that found it
}

// place is what a record is about.
type place struct{ job, table, source, path string }

func (r *Record) place() place { return place{r.Job, r.Table, r.Source, r.Path} }

// Same says whether two records are of the same content.
func (r *Record) Same(o *Record) bool {
	if r.Version != "" && o.Version != "" {
		return r.Version == o.Version && r.Size == o.Size
	}
	return r.SHA256 != "" && r.SHA256 == o.SHA256
}

// Index is all records there are, in the order in which they were written.
type Index struct {
	records []Record
	written int           // of them, as far as it is known
	last    int           // number of the last object of the index
	latest  map[place]int // by place, its last record
}

func (x *Index) add(records []Record) {
	if x.latest == nil {
		x.latest = map[place]int{}
	}
	for _, r := range records {
		x.latest[r.place()] = len(x.records)
		x.records = append(x.records, r)
	}
}

// Latest is the last record of a place, nil when nothing was ever found there.
func (x *Index) Latest(job, table, source, path string) *Record {
	i, ok := x.latest[place{job, table, source, path}]
	if !ok {
		return nil
	}
	return &x.records[i]
}

// SHA256 is the checksum of a version of an object of a store, empty when nobody has read
// that version to know it.
func (x *Index) SHA256(path, version string) string {
	for i := range slices.Backward(x.records) {
		if r := &x.records[i]; r.Path == path && r.Version == version && version != "" && r.SHA256 != "" {
			return r.SHA256
		}
	}
	return ""
}

// At lists what was there at an instant, as far as it has been recorded: of each path the
// last version received by then.
func (x *Index) At(job string, t time.Time) []Record {
	at := map[place]int{}
	for i := range x.records {
		if r := &x.records[i]; r.Job == job && !r.ReceivedAt.After(t) {
			at[r.place()] = i
		}
	}
	var list []Record
	for _, i := range at {
		if !x.records[i].Gone {
			list = append(list, x.records[i])
		}
	}
	slices.SortFunc(list, compare)
	return list
}

func compare(a, b Record) int {
	return cmp.Or(cmp.Compare(a.Job, b.Job), cmp.Compare(a.Table, b.Table), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Path, b.Path))
}

// Listing is what a run has found in the sources of its job.
type Listing struct {
	Job     string
	Sources [][2]string // table and name of each source that was listed
	Objects []Record    // with the time of the last change of each as received_at
}

// Changes are the records that a listing has added to an index.
type Changes struct {
	New      []Record // where nothing was known to be
	Replaced []Record // where something else was
	Gone     []Record // where something was
}

// Observe adds to the index what is new in a listing: objects that were not known or have
// other content, and places where nothing is any more. It fills in received_at of the
// listing's objects.
//
// An object is received when it was last changed, as its store says when it is first
// recorded. Where that cannot be, because the place was recorded with something else later
// (an old file was put back) or because it is yet to come, it is received when recorded.
func (x *Index) Observe(l Listing, now time.Time) Changes {
	now = now.UTC()
	var c Changes
	var more []Record // of known content
	seen := map[place]bool{}
	for i := range l.Objects {
		r := &l.Objects[i]
		r.Job, r.RecordedAt = l.Job, now
		seen[r.place()] = true
		known := x.Latest(r.Job, r.Table, r.Source, r.Path)
		if known != nil && !known.Gone && known.Same(r) {
			r.ReceivedAt = known.ReceivedAt
			if known.SHA256 == "" && r.SHA256 != "" {
				more = append(more, *r)
			}
			continue
		}
		if known != nil && r.ReceivedAt.Before(known.RecordedAt) || r.ReceivedAt.After(now) {
			r.ReceivedAt = now
		}
		if known == nil || known.Gone {
			c.New = append(c.New, *r)
		} else {
			c.Replaced = append(c.Replaced, *r)
		}
	}
	for p, i := range x.latest {
		if p.job == l.Job && !seen[p] && !x.records[i].Gone && slices.Contains(l.Sources, [2]string{p.table, p.source}) {
			c.Gone = append(c.Gone, Record{Job: p.job, Table: p.table, Source: p.source, Path: p.path, Gone: true, ReceivedAt: now, RecordedAt: now})
		}
	}
	slices.SortFunc(c.Gone, compare)
	x.add(slices.Concat(c.New, c.Replaced, c.Gone, more))
	return c
}
