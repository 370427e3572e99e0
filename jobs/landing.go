package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/landing"
	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/pipeline/store"
)

// inputTables are the tables that the job reads.
var inputTables = [...]string{"orders", "fx"}

// list finds the inputs: those that the sources have now, those that had been received by
// an instant, or exactly those of a past run.
func (r *run) list(ctx context.Context) error {
	if r.o.Inputs != nil {
		return r.listRecorded(ctx, r.o.Inputs)
	}
	r.listing.Job = r.c.Job
	for i, list := range r.inputs() {
		var err error
		*list, err = pipeline.ListInputs(ctx, &r.stores, r.c.Dir, r.c.Sources, inputTables[i])
		if r.o.KnownAt != nil && errors.Is(err, source.ErrMissing) { // what was there then may be gone
			continue
		}
		if err != nil {
			return err
		}
		for _, s := range r.c.Sources {
			if s.Table == inputTables[i] {
				r.listing.Sources = append(r.listing.Sources, [2]string{s.Table, s.Name})
			}
		}
	}
	var err error
	if r.records, err = pipeline.RecordInputs(ctx, slices.Concat(r.orders, r.fx)); err != nil {
		return err
	}
	for _, x := range r.records {
		r.listing.Objects = append(r.listing.Objects, landing.Record{Table: x.Table, Source: x.Source, Path: x.Path, Size: x.Size, SHA256: x.SHA256, Version: x.Version, ReceivedAt: x.ReceivedAt})
	}
	if r.o.KnownAt != nil {
		return r.listKnown(ctx, *r.o.KnownAt)
	}
	return nil
}

// inputs are the lists of inputs by table, in the order of inputTables.
func (r *run) inputs() [len(inputTables)]*[]pipeline.Input {
	return [...]*[]pipeline.Input{&r.orders, &r.fx}
}

// listKnown replaces what is there by what had been received by an instant.
func (r *run) listKnown(ctx context.Context, t time.Time) error {
	index, err := landing.ReadIndex(ctx, r.landing())
	if err != nil {
		return err
	}
	r.index, r.changes = index, index.Observe(r.listing, r.o.Now())
	known := []pipeline.InputRecord{}
	for _, x := range index.At(r.c.Job, t) {
		if slices.ContainsFunc(r.c.Sources, func(s pipeline.SourceSpec) bool { return s.Table == x.Table && s.Name == x.Source }) {
			known = append(known, pipeline.InputRecord{Table: x.Table, Source: x.Source, Path: x.Path, Size: x.Size, SHA256: x.SHA256, Version: x.Version, ReceivedAt: x.ReceivedAt})
		}
	}
	for _, s := range r.c.Sources {
		if !slices.ContainsFunc(known, func(x pipeline.InputRecord) bool { return x.Table == s.Table && x.Source == s.Name }) {
			return &source.FileError{File: strings.Join(s.Paths, ", "), What: fmt.Sprintf("nothing of source %s is known to have been received by %s", s.Name, t.Format(time.RFC3339)), Err: source.ErrMissing,
				Hint: "give a later --known-at: a file counts as received when it was last changed before the first run that read it"}
		}
	}
	return r.listRecorded(ctx, known)
}

// listRecorded finds exactly the recorded inputs again.
func (r *run) listRecorded(ctx context.Context, records []pipeline.InputRecord) (err error) {
	if r.copies, err = landing.ListCopies(ctx, r.landing()); err != nil {
		return err
	}
	find := pipeline.Recorded{Stores: &r.stores, Copies: r.copies, Bases: append(slices.Clone(r.o.Bases), r.c.Dir), Trust: r.o.trustLanding}
	r.records = nil
	for i, list := range r.inputs() {
		var of []pipeline.InputRecord
		for _, x := range records {
			if x.Table == inputTables[i] {
				of = append(of, x)
			}
		}
		var sorted []pipeline.InputRecord
		if *list, sorted, err = find.Inputs(ctx, r.c.Sources, of); err != nil {
			return err
		}
		r.records = append(r.records, sorted...)
	}
	return nil
}

// landing is where inputs are recorded.
func (r *run) landing() store.Store {
	if r.o.Landing != nil {
		return r.o.Landing
	}
	return r.output
}

// land copies the inputs of sources that ask for it and lets the run read the copies, and
// says what has changed since earlier runs. A run that is done again finds it as it was.
func (r *run) land(ctx context.Context) error {
	if r.o.Inputs != nil {
		return nil
	}
	index := r.index
	if index == nil {
		var err error
		if index, err = landing.ReadIndex(ctx, r.landing()); err != nil {
			return err
		}
	}
	keep := func(in *pipeline.Input, _ pipeline.InputRecord) bool { return in.Spec.Landing == "copy" }
	if r.o.KnownAt != nil { // what is published refers to these copies, which gc may be about to remove
		keep = func(_ *pipeline.Input, x pipeline.InputRecord) bool { return x.Copied }
	}
	if err := r.copyInputs(ctx, index, keep); err != nil {
		return err
	}
	if r.index == nil {
		r.changes = index.Observe(r.listing, r.o.Now())
	}
	r.warnChanges(r.changes)
	return nil
}

// record writes the configuration, and to the index what was found new, changed or gone. A
// run that is going to publish does so right before: one that fails leaves no trace.
func (r *run) record(ctx context.Context) error {
	if r.o.Inputs != nil {
		return nil
	}
	if r.recordShared != nil {
		var err error
		r.records, err = r.recordShared(ctx)
		return err
	}
	doc := landing.Config{Path: r.c.Path, Dir: r.c.Dir, References: r.c.References, Text: r.c.Text}
	if err := landing.WriteConfig(ctx, r.landing(), r.c.Fingerprint(), doc); err != nil {
		return err
	}
	if err := landing.Add(ctx, r.landing(), r.listing, r.o.Now()); err != nil {
		return err
	}
	for i := range r.listing.Objects {
		if r.o.KnownAt == nil {
			r.records[i].ReceivedAt = r.listing.Objects[i].ReceivedAt
		}
	}
	return nil
}

// warnChanges says what has become of inputs since earlier runs.
func (r *run) warnChanges(c landing.Changes) {
	r.warnOf(c.Replaced, "has changed since an earlier run read it; this run reads what is there now")
	r.warnOf(c.Gone, "is gone since an earlier run read it; this run does without it")
}

func (r *run) warnOf(list []landing.Record, what string) {
	if len(list) == 0 {
		return
	}
	more, hint := "", ""
	if len(list) > 1 {
		more = fmt.Sprintf(" (and %d more)", len(list)-1)
	}
	for _, x := range list {
		if !slices.ContainsFunc(r.c.Sources, func(s pipeline.SourceSpec) bool {
			return s.Table == x.Table && s.Name == x.Source && s.Landing == "copy"
		}) {
			hint = "; results that need the old content cannot be computed again: `landing: copy` keeps what is overwritten"
		}
	}
	r.warn(list[0].Path + more + " " + what + hint)
}

// copyInputs makes sure that the inputs which are to be kept lie in landing/objects, and
// lets the run read them there.
func (r *run) copyInputs(ctx context.Context, index *landing.Index, keep func(*pipeline.Input, pipeline.InputRecord) bool) (err error) {
	var of []int // records
	all := []*pipeline.Input{}
	for _, list := range r.inputs() {
		for i := range *list {
			if in := &(*list)[i]; keep(in, r.records[len(all)]) {
				of = append(of, len(all))
			}
			all = append(all, &(*list)[i])
		}
	}
	if len(of) == 0 {
		return nil
	}
	done := r.o.Observe.Stage("land", fmt.Sprintf("%d files to be kept", len(of)))
	if r.copies, err = landing.ListCopies(ctx, r.landing()); err != nil {
		return err
	}
	if err := r.identify(ctx, index, all, of); err != nil {
		return err
	}
	added, err := r.addCopies(ctx, all, of)
	if err != nil {
		return err
	}
	var old []source.Object
	var oldOf []int
	for _, i := range of {
		x := &r.records[i]
		x.Copied = true
		if r.o.KnownAt == nil {
			r.listing.Objects[i].SHA256 = x.SHA256
		}
		if all[i].Object, err = r.copies.Object(ctx, x.SHA256, x.Path); err != nil {
			return err
		}
		if !added[x.SHA256] {
			old, oldOf = append(old, all[i].Object), append(oldOf, i)
		}
	}
	if r.o.trustLanding {
		old = nil
	}
	sums, err := source.Checksums(ctx, old, r.o.Threads)
	if err != nil {
		return err
	}
	for k := range sums {
		if x := r.records[oldOf[k]]; sums[k] != x.SHA256 {
			return pipeline.Damaged(r.copies, x)
		}
	}
	done(int64(len(added)), "files copied")
	return nil
}

// identify finds the checksums of objects of a store, which are known by their version, and
// reads only those that nobody has read before.
func (r *run) identify(ctx context.Context, index *landing.Index, all []*pipeline.Input, of []int) error {
	var unknown []int
	var objects []source.Object
	for _, i := range of {
		x := &r.records[i]
		if x.SHA256 == "" {
			x.SHA256 = index.SHA256(x.Path, x.Version)
		}
		if x.SHA256 == "" {
			unknown, objects = append(unknown, i), append(objects, all[i].Object)
		}
	}
	sums, err := source.Checksums(ctx, objects, r.o.Threads)
	for k := range sums {
		r.records[unknown[k]].SHA256 = sums[k]
	}
	return err
}

// addCopies copies what is not there yet, and says what that was.
func (r *run) addCopies(ctx context.Context, all []*pipeline.Input, of []int) (map[string]bool, error) {
	added := map[string]bool{}
	g, copying := errgroup.WithContext(ctx)
	g.SetLimit(max(2, r.o.Threads))
	for _, i := range of {
		sum := r.records[i].SHA256
		if added[sum] || r.copies.Keeps(sum) {
			continue
		}
		added[sum] = true
		g.Go(func() error { return r.copies.Add(copying, all[i].Object, sum) })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for sum := range added {
		r.copies.Added(sum)
	}
	return added, nil
}
