package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/cohortline/cohortline/pipeline/landing"
	"github.com/cohortline/cohortline/pipeline/source"
)

// RecordInputs makes the records of what a run reads. Objects of a store are recorded by
// the version that the store gives; everything else by its SHA-256.
func RecordInputs(ctx context.Context, inputs []Input) ([]InputRecord, error) {
	records := make([]InputRecord, len(inputs))
	var without []int // a version
	var objects []source.Object
	for i, in := range inputs {
		records[i] = InputRecord{Table: in.Spec.Table, Source: in.Spec.Name, Path: in.Object.Path, Size: in.Object.Size, Version: in.Object.Version, ReceivedAt: in.Object.ModTime.UTC()}
		if in.Object.Version == "" {
			without, objects = append(without, i), append(objects, in.Object)
		}
	}
	sums, err := source.Checksums(ctx, objects, runtime.GOMAXPROCS(0))
	if err != nil {
		return nil, err
	}
	for k, i := range without {
		records[i].SHA256 = sums[k]
	}
	return records, nil
}

// GoneError says that something that a past result was made of cannot be had any more.
type GoneError struct {
	Source, Path string
	ReceivedAt   time.Time
	What         string // has become of it
}

func (e *GoneError) Error() string {
	return fmt.Sprintf("%s of source %s, received %s, %s\nits content is needed, and there is no copy of it: `landing: copy` in the source keeps what comes from now on, as long as gc leaves a result that was made of it", e.Path, e.Source, e.ReceivedAt.Format(time.RFC3339), e.What)
}

// Recorded finds inputs again that have been recorded.
type Recorded struct {
	Stores *source.Stores
	Copies *landing.Copies
	Bases  []string // folders where relative paths may begin
	Trust  bool     // checksums are not looked at; for tests that show that they are
}

// Inputs are the objects of the records of one table, in the canonical order, and the
// records in that order. Their content is exactly what was recorded: copies, or what lies at
// the recorded place if it has not changed. It fails with a GoneError for what has, and with
// a landing.DamageError for a copy that is not what was copied.
func (r *Recorded) Inputs(ctx context.Context, specs []SourceSpec, records []InputRecord) (inputs []Input, sorted []InputRecord, err error) {
	sorted = slices.Clone(records)
	slices.SortFunc(sorted, func(a, b InputRecord) int {
		return cmp.Or(strings.Compare(a.Source, b.Source), strings.Compare(a.Path, b.Path))
	})
	for i, x := range sorted {
		k := slices.IndexFunc(specs, func(s SourceSpec) bool { return s.Table == x.Table && s.Name == x.Source })
		if k < 0 {
			return nil, nil, &GoneError{x.Source, x.Path, x.ReceivedAt, "belongs to a source that the configuration does not have"}
		}
		in := Input{Spec: specs[k], File: uint32(i)}
		if i > 0 {
			in.Source = inputs[i-1].Source
			if x.Source != sorted[i-1].Source {
				in.Source++
			}
		}
		if in.Object, err = r.object(ctx, in.Spec, x); err != nil {
			return nil, nil, err
		}
		sorted[i].Copied = x.SHA256 != "" && r.Copies.Has(x.SHA256)
		inputs = append(inputs, in)
	}
	return inputs, sorted, r.check(ctx, inputs, sorted)
}

// object finds what a record is of, without looking at its content.
func (r *Recorded) object(ctx context.Context, spec SourceSpec, x InputRecord) (source.Object, error) {
	switch {
	case x.SHA256 != "" && r.Copies.Has(x.SHA256):
		return r.Copies.Object(ctx, x.SHA256, x.Path)
	case x.Copied:
		return source.Object{}, &landing.DamageError{Object: r.Copies.Where(x.SHA256), What: "is gone: the copy of " + x.Path,
			Hint: "restore it from a backup; if the export still lies where it was, a run with `landing: copy` copies it anew"}
	case strings.Contains(x.Path, "://"):
		found, err := r.Stores.List(ctx, "", []string{x.Path + optionsOf(spec, x.Path)})
		i := slices.IndexFunc(found, func(o source.Object) bool { return o.Path == x.Path })
		if err != nil && !errors.Is(err, source.ErrMissing) {
			return source.Object{}, err
		}
		if i < 0 {
			return source.Object{}, &GoneError{x.Source, x.Path, x.ReceivedAt, "is not there any more"}
		}
		if found[i].Version != x.Version || found[i].Size != x.Size {
			return source.Object{}, &GoneError{x.Source, x.Path, x.ReceivedAt, "has been replaced by another version"}
		}
		return found[i], nil
	}
	return r.file(x)
}

// optionsOf are the options (?region=…) with which a source names the bucket of an object.
// Paths of objects do not have them.
func optionsOf(spec SourceSpec, object string) string {
	for _, p := range spec.Paths {
		address, options, has := strings.Cut(p, "?")
		scheme, rest, _ := strings.Cut(address, "://")
		bucket, _, _ := strings.Cut(rest, "/")
		if has && strings.Contains(options, "=") && strings.HasPrefix(object, scheme+"://"+bucket+"/") {
			return "?" + options
		}
	}
	return ""
}

// file finds a local file that was recorded by reference.
func (r *Recorded) file(x InputRecord) (source.Object, error) {
	what := "is not there any more"
	for _, base := range r.Bases {
		p := filepath.FromSlash(x.Path)
		if !filepath.IsAbs(p) {
			p = filepath.Join(base, p)
		}
		info, err := os.Stat(p)
		if err != nil {
			continue
		}
		if info.Size() == x.Size {
			return source.Object{URL: p, Path: x.Path, Size: info.Size(), ModTime: info.ModTime()}, nil
		}
		what = "has changed since it was read"
	}
	return source.Object{}, &GoneError{x.Source, x.Path, x.ReceivedAt, what}
}

// check compares the content of inputs with their records.
func (r *Recorded) check(ctx context.Context, inputs []Input, records []InputRecord) error {
	if r.Trust {
		return nil
	}
	var objects []source.Object
	var of []int
	for i, x := range records {
		if x.SHA256 != "" && (x.Version == "" || r.Copies.Has(x.SHA256)) {
			objects, of = append(objects, inputs[i].Object), append(of, i)
		}
	}
	sums, err := source.Checksums(ctx, objects, runtime.GOMAXPROCS(0))
	if err != nil {
		return err
	}
	for k, i := range of {
		x := records[i]
		switch {
		case sums[k] == x.SHA256:
		case r.Copies.Has(x.SHA256):
			return Damaged(r.Copies, x)
		default:
			return &GoneError{x.Source, x.Path, x.ReceivedAt, "has changed since it was read"}
		}
	}
	return nil
}

// Damaged is the error of a copy whose bytes are not those that were copied.
func Damaged(c *landing.Copies, x InputRecord) error {
	return &landing.DamageError{Object: c.Where(x.SHA256), What: "has been altered or cut off: it is not the " + x.Path + " that was copied",
		Hint: "restore it from a backup; if the export still lies where it was, remove the copy and run again: it is copied anew"}
}
