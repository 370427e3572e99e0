package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/transforms"
	"golang.org/x/sync/errgroup"
)

// BackfillOptions say which dates to publish, and how.
type BackfillOptions struct {
	Options            // AsOf and IntervalStart are not looked at
	From, To    string // dates, both included; an empty To is the day on which the plan is made
	Every       string // see Cadences
	Newest      bool   // the newest date first
	Jobs        int    // dates at work at the same time; 0: four per processor
	MaxFailures int    // so many dates may fail before no other is begun; 0: any number
	Resume      bool   // there must be an unfinished plan to go on with
	Restart     bool   // an unfinished plan is given up
	DryRun      bool   // only say which dates would be published
	CodeOf      func(error) int

	sweepMemory int64 // tests: bytes for what changes between dates, instead of what follows from Memory
}

// What has become of a date of a backfill.
const (
	DatePublished = "published"
	DateUnchanged = "unchanged" // the same result was there already
	DateFailed    = "failed"
	DateMissing   = "missing" // not come to
)

// BackfillDate is one date of a backfill.
type BackfillDate struct {
	Date      string   `json:"date"`
	RunID     string   `json:"run_id"`
	Status    string   `json:"status"`
	ExitCode  int      `json:"exit_code,omitempty"` // that a run of the date would have ended with
	Error     string   `json:"error,omitempty"`
	Orders    int64    `json:"purchases,omitempty"`
	Customers int64    `json:"customers,omitempty"`
	Warnings  []string `json:"warnings,omitempty"`
	Seconds   float64  `json:"seconds,omitempty"`
}

// BackfillSummary is what a backfill has to say once it has ended.
type BackfillSummary struct {
	PlanID    string         `json:"plan_id"`
	Status    string         `json:"status"` // succeeded, unchanged, planned, failed or stopped
	Resumed   bool           `json:"resumed"`
	Output    string         `json:"output"`
	From      string         `json:"from"`
	To        string         `json:"to"`
	Every     string         `json:"every"`
	Published int            `json:"published"`
	Unchanged int            `json:"unchanged"`
	Failed    int            `json:"failed"`
	Missing   int            `json:"missing"`
	Warnings  []string       `json:"warnings"`
	Dates     []BackfillDate `json:"dates"`
	Seconds   float64        `json:"seconds"`
}

// PartError says that some dates of a backfill have not been published.
type PartError struct{ Message string }

func (e *PartError) Error() string { return e.Message }

// backfill is a backfill on its way.
type backfill struct {
	*run     // what all dates share
	o        BackfillOptions
	plan     *BackfillPlan
	replaced []*BackfillPlan // unfinished plans that this one takes the place of
	ids      []string        // of the runs, by date of the plan
	todo     []int           // dates of the plan that are neither published nor given up, in the order of work
	index    map[int]int     // of the dates of the plan, where they are among those of the ledger
	sweep    *transforms.Sweep
	states   chan *transforms.SweepState // that no date is using

	folds      sync.Mutex
	landed     sync.Mutex
	partitions []string               // that have been published, ascending
	records    []pipeline.InputRecord // as they were recorded; nil: not yet
	mu         sync.Mutex
	done       int // dates that have ended in this process
	work       int // dates that there were to do
	began      time.Time
	told       map[string]bool // warnings
	summary    BackfillSummary
}

// Backfill publishes one result for each of many as-of dates, as a run of each date would:
// the inputs are read, resolved and grouped once. When it ends with an error after the plan
// was made, the summary says how far it came.
func Backfill(ctx context.Context, c *Config, o BackfillOptions) (_ *BackfillSummary, err error) {
	b, err := prepareBackfill(ctx, c, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	defer b.memory.limitHeap()()
	if err := b.findPublished(ctx); err != nil {
		return nil, err
	}
	if o.DryRun {
		return b.end("planned"), nil
	}
	if err := b.replacePlans(ctx); err != nil {
		return nil, err
	}
	if len(b.todo) == 0 {
		if err := b.record(ctx); err != nil {
			return nil, err
		}
		return b.end("unchanged"), b.endPlan(ctx)
	}
	if err := b.storePlan(ctx); err != nil {
		return nil, err
	}
	if err := b.gather(ctx); err != nil { // files → ledger of all dates
		return nil, err
	}
	failed := b.publishAll(ctx)
	if failed == nil && b.summary.Failed == 0 {
		return b.end(pipeline.Succeeded), b.endPlan(ctx)
	}
	return b.unfinished(failed)
}

// prepareBackfill lists the inputs and settles the plan.
func prepareBackfill(ctx context.Context, c *Config, o BackfillOptions) (_ *backfill, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	to := o.To
	if to == "" {
		to = o.Now().In(c.Zone).Format(time.DateOnly)
	}
	var dates []time.Time
	if o.From != "" || !o.Resume {
		if dates, err = backfillDates(o.From, to, o.Every, c.Zone); err != nil {
			return nil, err
		}
		o.AsOf = dates[len(dates)-1]
	}
	o.IntervalStart = nil
	r, err := prepare(ctx, c, o.Options)
	if err != nil {
		return nil, err
	}
	b := &backfill{run: r, o: o, told: map[string]bool{}}
	if err := b.settlePlan(ctx, to, dates); err != nil {
		return nil, errors.Join(err, r.close())
	}
	for i, t := range b.plan.Dates {
		b.ids = append(b.ids, pipeline.RunID(c.Job, r.o.CodeVersion, c.Fingerprint(), t, nil, o.KnownAt, r.records))
		b.summary.Dates = append(b.summary.Dates, BackfillDate{Date: b.dateOf(i), RunID: b.ids[i], Status: DateMissing})
	}
	if n := len(b.plan.Dates); n > manyDates {
		b.warn(fmt.Sprintf("%d dates: each is a result of its own in %s", n, c.Output))
	}
	return b, nil
}

// settlePlan takes up the unfinished plan of the same request, or makes a new one.
func (b *backfill) settlePlan(ctx context.Context, to string, dates []time.Time) error {
	open, err := openPlans(ctx, b.output, b.c.Job)
	if err != nil {
		return err
	}
	if b.o.From != "" {
		open = slices.DeleteFunc(open, func(p *BackfillPlan) bool { return !p.asks(&b.o) })
	}
	switch {
	case b.o.Restart:
		b.replaced = open
	case len(open) > 0:
		b.plan = open[0]
		b.summary.Resumed = true
		return b.plan.fits(b.run)
	case b.o.Resume:
		return &BackfillError{fmt.Sprintf("there is no unfinished backfill of job %s in %s to resume\nleave out --resume to begin one", b.c.Job, b.c.Output)}
	}
	b.plan = newPlan(b.run, &b.o, to, dates)
	return nil
}

// replacePlans ends the plans that this one takes the place of.
func (b *backfill) replacePlans(ctx context.Context) error {
	for _, p := range b.replaced {
		if err := p.end(ctx, b.output, "replaced", b.run.o.Now()); err != nil {
			return err
		}
	}
	return nil
}

// storePlan writes a new plan before anything is done.
func (b *backfill) storePlan(ctx context.Context) error {
	if b.summary.Resumed {
		return nil
	}
	return b.plan.store(ctx, b.output)
}

// endPlan says that a plan is carried out. One that had nothing to do is not stored.
func (b *backfill) endPlan(ctx context.Context) error {
	if !b.summary.Resumed && b.summary.Published == 0 {
		return nil
	}
	return b.plan.end(ctx, b.output, pipeline.Succeeded, b.run.o.Now())
}

// dateOf is a date of the plan as the tables name it.
func (b *backfill) dateOf(i int) string {
	return b.plan.Dates[i].In(b.c.Zone).Format(time.DateOnly)
}

// key says which run publishes a date.
func (b *backfill) key(i int) pipeline.RunKey {
	return pipeline.RunKey{ID: b.ids[i], Partition: "as_of=" + b.dateOf(i), Lease: b.o.Lease, Clock: b.run.o.Now}
}

// findPublished lists the dates that have not been published, in the order of work.
func (b *backfill) findPublished(ctx context.Context) error {
	all := ctx
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for i := range b.plan.Dates {
		g.Go(func() error {
			there, err := b.published(ctx, i)
			if there {
				b.summary.Dates[i].Status = DateUnchanged
			}
			return err
		})
	}
	err := g.Wait()
	if err != nil {
		return err
	}
	if b.partitions, err = pipeline.PublishedPartitions(all, b.output); err != nil {
		return err
	}
	for i := range b.plan.Dates {
		if b.summary.Dates[i].Status == DateMissing {
			b.todo = append(b.todo, i)
		}
	}
	b.dates, b.index = nil, map[int]int{}
	for k, i := range b.todo {
		b.dates = append(b.dates, b.plan.Dates[i].UnixMicro())
		b.index[i] = k
	}
	if b.o.Newest {
		slices.Reverse(b.todo)
	}
	b.work = len(b.todo)
	return nil
}

// published says whether the result of a date is there. Unless nothing is to be written it
// makes copies that are missing.
func (b *backfill) published(ctx context.Context, i int) (bool, error) {
	key := b.key(i)
	if !b.o.DryRun {
		m, err := pipeline.Published(ctx, b.output, key, b.c.Tables)
		return m != nil, err
	}
	m, err := pipeline.Current(ctx, b.output, key.Partition)
	return m != nil && m.WrittenBy(key.ID), err
}

// gather reads the inputs and makes the ledger of all dates that are to be published.
func (b *backfill) gather(ctx context.Context) error {
	b.settings = settingsAt(b.c, transforms.NewCalendar(b.c.Zone, b.c.WeekStart), time.UnixMicro(b.dates[len(b.dates)-1]))
	if err := b.land(ctx); err != nil {
		return err
	}
	if err := b.extract(ctx); err != nil {
		return err
	}
	if err := b.resolve(); err != nil {
		return err
	}
	return b.checkBudget()
}

// publishAll publishes one date first and, once one is, the others side by side. It
// returns what keeps any more dates from being published.
func (b *backfill) publishAll(ctx context.Context) error {
	b.began = b.run.o.Now()
	canary := true
	for len(b.todo) > 0 && ctx.Err() == nil && !b.tooMany() {
		if err := b.sweepFrom(ctx, b.index[b.todo[0]]); err != nil {
			return err
		}
		n := slices.IndexFunc(b.todo, func(i int) bool { return !b.sweep.Covers(b.index[i]) })
		if n < 0 {
			n = len(b.todo)
		}
		var err error
		if canary, err = b.publishCovered(ctx, n, canary); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// sweepFrom makes the sweep of as many dates as memory has room for, beginning with one.
func (b *backfill) sweepFrom(ctx context.Context, date int) error {
	if n := b.ledger.Counts().Orders; n > transforms.MaxSweepOrders {
		return &BackfillError{fmt.Sprintf("%d orders are more than a backfill can count (%d)\npublish the dates by `cohortline run --as-of`, one by one", n, transforms.MaxSweepOrders)}
	}
	done := b.run.o.Observe.Stage("transform", "customers and what changes by date")
	r := transforms.SweepRange{First: date, End: len(b.dates), Memory: b.memory.sweep()}
	if b.o.sweepMemory > 0 {
		r.Memory = b.o.sweepMemory
	}
	if b.o.Newest {
		r.First, r.End, r.FromEnd = 0, date+1, true
	}
	b.sweep = nil // what it has taken is free again
	var err error
	if b.sweep, err = b.ledger.Sweep(b.computed(), r); err != nil {
		return b.largePartition(err)
	}
	state := b.sweep.State()
	state.Move(date)
	b.states = make(chan *transforms.SweepState, b.jobs())
	b.states <- state
	for n := 1; n < min(b.jobs(), b.run.o.Threads/2) && (r.Memory == 0 || int64(n+1)*state.Bytes() < r.Memory); n++ {
		b.states <- b.sweep.State()
	}
	done(state.Counts().Customers, "customers")
	return ctx.Err()
}

// publishCovered publishes the first n of the dates to do. As long as none is published it
// takes one at a time; it says whether that is still so.
func (b *backfill) publishCovered(ctx context.Context, n int, canary bool) (bool, error) {
	covered := b.todo[:n]
	b.todo = b.todo[n:]
	for canary && len(covered) > 0 {
		err := b.publishDate(ctx, covered[0])
		covered = covered[1:]
		canary = err != nil
		if err != nil && (!errors.Is(err, pipeline.ErrLocked) || ctx.Err() != nil || b.tooMany()) {
			return canary, err // what befalls the first date would befall the others
		}
	}
	next := make(chan int)
	var workers sync.WaitGroup
	for range b.jobs() {
		workers.Go(func() {
			for i := range next {
				if ctx.Err() == nil && !b.tooMany() {
					_ = b.publishDate(ctx, i) // noted with the date
				}
			}
		})
	}
	for _, i := range covered {
		next <- i
	}
	close(next)
	workers.Wait()
	return canary, nil
}

// jobs is how many dates are at work at the same time. Most of the time of a date is spent
// waiting for the output to have written safely.
func (b *backfill) jobs() int {
	if b.o.Jobs > 0 {
		return b.o.Jobs
	}
	return 4 * b.run.o.Threads
}

// tooMany says whether as many dates have failed as may.
func (b *backfill) tooMany() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.o.MaxFailures > 0 && b.summary.Failed >= b.o.MaxFailures
}

// end completes the summary.
func (b *backfill) end(status string) *BackfillSummary {
	s := &b.summary
	s.PlanID, s.Status, s.Output, s.From, s.To, s.Every = b.plan.ID, status, b.c.Output, b.dateOf(0), b.dateOf(len(b.plan.Dates)-1), b.plan.Every
	s.Published, s.Unchanged, s.Missing = 0, 0, 0
	for i := range s.Dates {
		switch s.Dates[i].Status {
		case DatePublished:
			s.Published++
		case DateUnchanged:
			s.Unchanged++
		case DateMissing:
			s.Missing++
		}
	}
	if s.Warnings = b.run.summary.Warnings; s.Warnings == nil {
		s.Warnings = []string{}
	}
	s.Seconds = b.run.o.Now().Sub(b.start).Seconds()
	return s
}

// unfinished is the summary and the error of a backfill that has not published every date.
func (b *backfill) unfinished(failed error) (*BackfillSummary, error) {
	const again = "the same command goes on with what is missing"
	s := b.end("failed")
	if errors.Is(failed, context.Canceled) {
		s.Status = "stopped"
		return s, &StoppedError{fmt.Sprintf("stopped; %d of %d dates are published; %s", s.Published+s.Unchanged, len(s.Dates), again)}
	}
	if failed != nil && s.Published+s.Unchanged == 0 {
		return s, failed // nothing has been published: the first date says why
	}
	var dates []string
	for _, d := range s.Dates {
		if d.Status == DateFailed {
			dates = append(dates, d.Date)
		}
	}
	more := ""
	if len(dates) > 5 {
		dates, more = dates[:5], ", …"
	}
	return s, &PartError{fmt.Sprintf("%d of %d dates could not be published (%s%s), %d were not come to\n%s", s.Failed, len(s.Dates), strings.Join(dates, ", "), more, s.Missing, again)}
}

// StoppedError is a backfill that was stopped by a signal.
type StoppedError struct{ Message string }

func (e *StoppedError) Error() string { return e.Message }

// Unwrap says that it is the end of a context.
func (e *StoppedError) Unwrap() error { return context.Canceled }
