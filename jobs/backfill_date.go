package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/transforms"
)

// publishDate publishes a date of the plan and notes what has become of it.
func (b *backfill) publishDate(ctx context.Context, i int) error {
	r := b.at(i)
	status, err := b.runDate(ctx, r, i)
	d := &b.summary.Dates[i]
	d.Seconds = b.run.o.Now().Sub(r.start).Seconds()
	if err != nil && errors.Is(err, context.Canceled) {
		return err // not come to
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	d.Status, d.Warnings = status, r.summary.Warnings
	if r.dated != nil {
		d.Customers, d.Orders = r.dated.Customers, r.dated.Purchases
	}
	if status == DatePublished && err == nil {
		at, _ := slices.BinarySearch(b.partitions, r.partition())
		b.partitions = slices.Insert(slices.Clone(b.partitions), at, r.partition())
	}
	if err != nil {
		b.summary.Failed++
		d.Status, d.Error = DateFailed, err.Error()
		if b.o.CodeOf != nil {
			d.ExitCode = b.o.CodeOf(err)
		}
	}
	b.done++
	b.tell(d)
	return err
}

// at is the run of a date: it shares with the others what does not depend on it.
func (b *backfill) at(i int) *run {
	o := b.run.o
	o.AsOf = b.plan.Dates[i]
	o.Observe = nil
	return &run{c: b.c, o: o, start: o.Now(), memory: b.memory, output: b.output, id: b.ids[i],
		rates: b.rates, fxRows: b.fxRows, conflicts: b.conflicts, rejects: slices.Clone(b.rejects), extracted: b.extracted, ledger: b.ledger,
		recordShared: b.recordOnce, known: b.knownPartitions, dates: b.dates, date: b.index[i], settings: settingsAt(b.c, b.settings.Calendar, o.AsOf), checks: slices.Clone(b.checks)}
}

// knownPartitions lists the dates that had been published when the backfill began, or that it
// has published. The list is not changed afterwards.
func (b *backfill) knownPartitions() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.partitions
}

// recordOnce records the inputs and the configuration right before the first date is
// published, and returns the records as the manifests are to have them.
func (b *backfill) recordOnce(ctx context.Context) ([]pipeline.InputRecord, error) {
	b.landed.Lock()
	defer b.landed.Unlock()
	if b.records == nil {
		if err := b.record(ctx); err != nil {
			return nil, err
		}
		b.records = b.run.records
	}
	return slices.Clone(b.records), nil
}

// runDate does what Cohorts does, but for what the dates share.
func (b *backfill) runDate(ctx context.Context, r *run, i int) (status string, err error) {
	p, err := pipeline.OpenPublication(ctx, r.output, b.key(i))
	if err != nil {
		return DateFailed, err
	}
	defer func() { err = errors.Join(err, p.Close(), r.histories.close()) }()
	if m, err := p.Published(ctx, b.c.Tables); err != nil || m != nil { // by a run, meanwhile
		return DateUnchanged, err
	}
	defer func() { _ = r.streamed.Wait() }() // its error has been returned, or another one
	if err := b.writeDate(ctx, r, p); err != nil {
		return DateFailed, err
	}
	if err := r.checkShrink(ctx, p); err != nil {
		return DateFailed, err
	}
	return DatePublished, r.publish(ctx, p)
}

// writeDate computes, checks and writes the tables of a date. It moves a state of the sweep
// there.
func (b *backfill) writeDate(ctx context.Context, r *run, p *pipeline.Publication) error {
	state := <-b.states
	r.rowsMade = sync.OnceFunc(func() { b.states <- state })
	defer r.rowsMade()
	if err := b.measure(ctx, r, p, state); err != nil {
		return err
	}
	if err := r.check(); err != nil {
		return err
	}
	return r.write(ctx, p)
}

// measure makes the metrics of a date from the sweep. Tables that list customers, and those
// of predicted value, are not among them: for those the ledger is folded as it is at the date.
func (b *backfill) measure(ctx context.Context, r *run, p *pipeline.Publication, state *transforms.SweepState) error {
	state.Move(r.date)
	counts := state.Counts()
	r.dated, r.metrics = &counts, state.Metrics()
	if r.predicts() || slices.ContainsFunc(transforms.StreamedTables, func(t string) bool { return slices.Contains(b.c.Tables, t) }) {
		if err := b.stream(ctx, r, p, counts); err != nil {
			return err
		}
		if err := r.predict(); err != nil {
			return err
		}
	}
	if counts.Purchases == 0 {
		r.warn(emptyWarning)
	}
	return nil
}

// stream writes the tables that list customers, and gathers what models are fitted to.
func (b *backfill) stream(ctx context.Context, r *run, p *pipeline.Publication, swept transforms.Counts) error {
	b.folds.Lock() // a fold takes all threads, and the memory of a partition for each
	defer b.folds.Unlock()
	folded := transforms.Counts{}
	tables := transforms.StreamedTables
	if r.predicts() {
		tables = slices.Concat(tables, transforms.LTVTables)
	}
	workers, err := r.stream(ctx, p, tables, func(visitor func() transforms.Visitor, emit func([]arrow.Record) error) (err error) {
		folded, err = b.ledger.FoldAt(r.date, visitor, emit)
		return err
	})
	for _, m := range workers {
		r.gathered = append(r.gathered, m.RFM)
	}
	if err == nil && folded != swept {
		return &CheckError{fmt.Sprintf("the sweep has counted %+v, the fold of the date %+v\nnothing was published; this is a defect of the program, please report it", swept, folded)}
	}
	return err
}

// tell says what has become of a date, and when the others may be done.
func (b *backfill) tell(d *BackfillDate) {
	for _, w := range d.Warnings {
		check, _, _ := strings.Cut(w, ":")
		if !b.told[check] { // each date may say the same of other numbers: once is enough on the terminal
			b.told[check] = true
			b.run.o.Observe.Tell(pipeline.Event{Kind: pipeline.Warning, Message: fmt.Sprintf("%s (%s; said once for all dates)", w, d.Date)})
		}
	}
	if d.Status == DateFailed {
		b.run.o.Observe.Tell(pipeline.Event{Kind: pipeline.Warning, Message: fmt.Sprintf("%s failed: %s", d.Date, d.Error)})
		return
	}
	left := ""
	if n := b.work - b.done; n > 0 {
		each := b.run.o.Now().Sub(b.began) / time.Duration(b.done)
		left = fmt.Sprintf(", about %s left", (each * time.Duration(n)).Round(time.Second))
	}
	b.run.o.Observe.Tell(pipeline.Event{Kind: pipeline.StageDone, Stage: d.Date, Rows: d.Customers,
		Message: fmt.Sprintf("customers, %s: %d of %d%s", d.Status, b.done, b.work, left), Elapsed: time.Duration(d.Seconds * float64(time.Second))})
}
