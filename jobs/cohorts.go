package jobs

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/landing"
	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/pipeline/store"
	"github.com/cohortline/cohortline/schemas"
	"github.com/cohortline/cohortline/transforms"
	"golang.org/x/sync/errgroup"
)

// Options say which run to do.
type Options struct {
	AsOf          time.Time // exclusive instant
	IntervalStart *time.Time
	KnownAt       *time.Time             // only read what was received by then; nil: what there is
	Inputs        []pipeline.InputRecord // read exactly these, as Past says; nil: what the sources list
	Landing       store.Store            // where Inputs were recorded; nil: Store
	Bases         []string               // folders where relative paths of Inputs may begin, before the configuration's
	Threads       int                    // 0: one per processor
	Memory        int64                  // bytes that the run may use; 0: a quarter of the machine's or control group's
	TempDir       string                 // for rows that memory has no room for; empty: the system's
	AllowShrink   bool                   // publish even if far fewer customers or orders are left than before
	Lease         time.Duration          // how long a dead run keeps others away; 0: pipeline.DefaultLease
	Store         store.Store            // where to publish; nil: what the configuration names
	CodeVersion   string
	Observe       pipeline.Observer
	Now           func() time.Time // clock of started_at, ended_at, leases and landing; it enters no result

	trustLanding bool // tests: checksums of what was landed are not looked at
}

// Summary is what a run has to say once it has ended.
type Summary struct {
	RunID           string                  `json:"run_id"`
	Status          string                  `json:"status"` // succeeded, or unchanged when the same result was already published
	AsOf            time.Time               `json:"as_of"`
	KnownAt         *time.Time              `json:"known_at,omitempty"`
	Output          string                  `json:"output"`
	RowsIn          int64                   `json:"rows_in"`
	RowsRejected    int64                   `json:"rows_rejected"`
	RowsSuperseded  int64                   `json:"rows_superseded"`
	RowsFiltered    int64                   `json:"rows_filtered"`
	Orders          int64                   `json:"orders"`
	Purchases       int64                   `json:"purchases"`
	Customers       int64                   `json:"customers"`
	AnonymousOrders int64                   `json:"anonymous_orders"`
	NetRevenue      string                  `json:"net_revenue"`
	Rejects         map[string]int64        `json:"rejects"` // by reason
	Warnings        []string                `json:"warnings"`
	Tables          []pipeline.OutputRecord `json:"tables"`
	Seconds         float64                 `json:"seconds"`
}

// run is one run on its way through the stages.
type run struct {
	c       *Config
	o       Options
	start   time.Time
	memory  memory
	stores  source.Stores
	output  store.Store
	orders  []pipeline.Input
	fx      []pipeline.Input
	records []pipeline.InputRecord
	copies  *landing.Copies
	listing landing.Listing // what the sources have now
	index   *landing.Index  // which has observed the listing, where that was needed to list the inputs
	changes landing.Changes // that the index has observed
	id      string

	rates        []schemas.Rate
	fxRows       int64
	conflicts    int64 // days for which a currency came with two rates
	rejects      []schemas.Reject
	extracted    *pipeline.Extracted
	ledger       *transforms.Ledger
	dates        []int64                                               // as-of instants of a backfill; nil: there is only that of the options
	dated        *transforms.Counts                                    // of a date of a backfill
	date         int                                                   // its index among dates
	known        func() []string                                       // of a date of a backfill: the partitions that have been published
	rowsMade     func()                                                // of a date of a backfill: the rows of all tables are made
	recordShared func(context.Context) ([]pipeline.InputRecord, error) // of a date of a backfill: record for all of them
	settings     transforms.Settings
	metrics      *transforms.Metrics
	streamed     errgroup.Group    // what goes on beside the steps after the fold: tables are written to their ends, rows given back
	histories    *spool            // of the customers, for customer_ltv
	gathered     []*transforms.RFM // by worker of the fold
	forecasts    *transforms.Forecasts
	ahead        chan []transforms.CheckRow // of the metrics, where these are checked and written beside the models; else nil
	checks       []transforms.CheckRow
	summary      Summary
}

// Cohorts is the job: from the configured exports to published tables. Read it from top
// to bottom; every stage takes what those before it have made.
func Cohorts(ctx context.Context, c *Config, o Options) (_ *Summary, err error) {
	r, err := prepare(ctx, c, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	defer r.memory.limitHeap()()
	key := pipeline.RunKey{ID: r.id, Partition: r.partition(), Lease: o.Lease, Clock: r.o.Now}
	if m, err := pipeline.Published(ctx, r.output, key, c.Tables); err != nil {
		return nil, err
	} else if m != nil {
		if err := r.record(ctx); err != nil {
			return nil, err
		}
		return r.unchanged(m), nil
	}
	publication, err := pipeline.OpenPublication(ctx, r.output, key)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, publication.Close()) }()
	if m, err := publication.Published(ctx, c.Tables); err != nil { // by another copy of this run, meanwhile
		return nil, err
	} else if m != nil {
		return r.unchanged(m), nil
	}
	if err := r.land(ctx); err != nil { // inputs that are to be kept are copied
		return nil, err
	}
	if err := r.extract(ctx); err != nil { // files → canonical orders, rejects
		return nil, err
	}
	if err := r.resolve(); err != nil { // versions, currencies, identity → purchases by customer
		return nil, err
	}
	if err := r.checkBudget(); err != nil {
		return nil, err
	}
	defer func() { _ = r.streamed.Wait() }()         // its error has been returned, or another one
	if err := r.fold(ctx, publication); err != nil { // customers → accumulators, streamed tables
		return nil, err
	}
	r.metricsAhead(ctx, publication)
	if err := r.predict(); err != nil { // models of lifetime value → forecasts
		return nil, err
	}
	if err := r.check(); err != nil { // accounting identities
		return nil, err
	}
	if err := r.write(ctx, publication); err != nil { // accumulators → tables
		return nil, err
	}
	if err := r.checkShrink(ctx, publication); err != nil { // far fewer customers than before?
		return nil, err
	}
	if err := r.publish(ctx, publication); err != nil { // manifest, then copies of the tables
		return nil, err
	}
	return &r.summary, nil
}

func (r *run) close() error {
	err := r.stores.Close()
	if r.output != nil && r.o.Store == nil {
		err = errors.Join(err, r.output.Close())
	}
	if r.ledger != nil {
		err = errors.Join(err, r.ledger.Close())
	}
	return errors.Join(err, r.histories.close())
}

// prepare lists the inputs and derives the id of the run. The caller closes its stores.
func prepare(ctx context.Context, c *Config, o Options) (*run, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	r := &run{c: c, o: o, start: o.Now(), output: o.Store}
	var err error
	if r.output == nil {
		if r.output, err = store.Open(ctx, c.Output); err != nil {
			return nil, errors.Join(err, r.close())
		}
	}
	if err := r.list(ctx); err != nil {
		return nil, errors.Join(err, r.close())
	}
	if r.memory, err = planMemory(o.Memory, r.expectRows(), o.Threads); err != nil {
		return nil, errors.Join(err, r.close())
	}
	r.id = pipeline.RunID(c.Job, o.CodeVersion, c.Fingerprint(), o.AsOf, o.IntervalStart, o.KnownAt, r.records)
	r.settle()
	return r, nil
}

// settingsAt are the parameters of the metrics of a date.
func settingsAt(c *Config, calendar *transforms.Calendar, at time.Time) transforms.Settings {
	asOf := at.UnixMicro()
	return transforms.Settings{Calendar: calendar, AsOf: asOf, Grains: c.Grains, Dimensions: c.Dimensions, LTV: c.LTV,
		LastDay: calendar.LastDay(asOf), AsOfDay: calendar.LocalDay(asOf)}
}

// partition is the folder of the result below each table.
func (r *run) partition() string {
	return "as_of=" + r.o.AsOf.In(r.c.Zone).Format(time.DateOnly)
}

func (r *run) mapEnv() pipeline.MapEnv {
	interns := &schemas.Interns{Currency: schemas.NewIntern(r.c.Currency)}
	for range r.c.Dimensions {
		interns.Dims = append(interns.Dims, schemas.NewIntern())
	}
	needCost := slices.ContainsFunc(r.c.Tables, func(t string) bool { return t == "customers" || t == "customer_periods" || t == "cohort_ltv" }) || r.predicts()
	return pipeline.MapEnv{Interns: interns, Reporting: r.c.Currency, Dimensions: r.c.Dimensions, NeedEmail: r.c.MatchEmail, NeedCost: needCost}
}

// extract reads the inputs. Orders go to the ledger as they come.
func (r *run) extract(ctx context.Context) error {
	done := r.o.Observe.Stage("extract", fmt.Sprintf("%d files", len(r.records)))
	var fxRejects []schemas.Reject
	var err error
	if r.rates, fxRejects, r.fxRows, err = pipeline.ReadRates(ctx, r.fx); err != nil {
		return err
	}
	env := r.mapEnv()
	rates := transforms.NewRates(r.c.Currency, r.rates)
	r.conflicts = rates.Conflicts
	rules := r.rules(ctx, env, rates)
	for _, in := range r.orders {
		if int(in.Source) == len(rules.Namespaces) {
			rules.Namespaces = append(rules.Namespaces, in.Spec.Namespace)
		}
		rules.Files = append(rules.Files, transforms.File{Source: in.Spec.Name, Path: in.Object.Path})
	}
	r.ledger = transforms.NewLedger(rules)
	if err := r.findRepeated(ctx); err != nil {
		return err
	}
	r.extracted, err = pipeline.ExtractOrders(ctx, r.orders, env, r.o.Threads, func() pipeline.OrderWriter { return r.ledger.Writer() }, r.o.Observe)
	if err != nil {
		return err
	}
	r.rejects = append(r.extracted.Rejects, fxRejects...)
	if n := r.extracted.FloatMoney; n > 0 {
		r.warn(fmt.Sprintf("%d amounts came as binary floats and were read as the decimals they print as; export decimals to be exact", n))
	}
	done(r.extracted.RowsRead, "rows read")
	return nil
}

// findRepeated shows the ids of the orders to the ledger before their rows, where that is
// cheap: rows of orders that come once then need neither be kept apart nor be gone through.
func (r *run) findRepeated(ctx context.Context) error {
	known, err := pipeline.ExtractIDs(ctx, r.orders, r.o.Threads, func() pipeline.IDWriter { return r.ledger.IDWriter() })
	if !known || err != nil {
		return err
	}
	return r.ledger.FindRepeated()
}

// rules are the rules of the ledger, but for the sources and files that it is given.
func (r *run) rules(ctx context.Context, env pipeline.MapEnv, rates *transforms.Rates) transforms.Rules {
	return transforms.Rules{Settings: r.settings, DropFullyRefunded: r.c.DropFullyRefunded, MatchID: r.c.MatchID, MatchEmail: r.c.MatchEmail,
		PrivacyKey: r.c.PrivacyKey, Interns: env.Interns, Rates: rates, Threads: r.o.Threads, Stop: ctx.Err, Dates: r.dates,
		ExpectRows: r.expectRows(), Memory: r.memory.rows, Scratch: r.scratch}
}

// scratch opens a file for what memory has no room for.
func (r *run) scratch() (transforms.Scratch, error) { return pipeline.OpenScratch(r.o.TempDir) }

// settle fills in what the tables need to know of calendar and as-of instant.
func (r *run) settle() {
	r.settings = settingsAt(r.c, transforms.NewCalendar(r.c.Zone, r.c.WeekStart), r.o.AsOf)
}

// expectRows guesses the number of order rows from the size of the files.
func (r *run) expectRows() int64 {
	size := int64(0)
	for _, in := range r.orders {
		size += in.Object.Size
	}
	return size / 40
}

func (r *run) warn(message string) {
	r.summary.Warnings = append(r.summary.Warnings, message)
	r.o.Observe.Tell(pipeline.Event{Kind: pipeline.Warning, Message: message})
}

func (r *run) resolve() error {
	done := r.o.Observe.Stage("resolve", "versions, currencies, identity")
	if err := r.ledger.Resolve(); err != nil {
		return err
	}
	r.rejects = append(r.rejects, r.ledger.Rejects()...)
	done(r.ledger.Counts().Orders, "orders")
	return nil
}

// fold walks the customers; the tables that list them are written on the way, and have been
// when streamed ends.
func (r *run) fold(ctx context.Context, p *pipeline.Publication) error {
	done := r.o.Observe.Stage("transform", "customers and metrics")
	workers, err := r.stream(ctx, p, r.computed(), r.ledger.Fold)
	if err != nil {
		return err
	}
	r.streamed.Go(r.ledger.Close)
	r.metrics = workers[0]
	for _, m := range workers[1:] {
		r.metrics.Merge(m)
	}
	for _, m := range workers {
		r.gathered = append(r.gathered, m.RFM)
	}
	done(r.counts().Customers, "customers")
	if r.counts().Purchases == 0 {
		r.warn(emptyWarning)
	}
	return nil
}

const emptyWarning = "no purchase lies before the as-of instant: the tables of this date are empty"

// stream walks the customers by a fold and writes the published tables that list them, which
// are whole when streamed has ended. It returns what every worker has gathered for the tables named.
func (r *run) stream(ctx context.Context, p *pipeline.Publication, tables []string, fold func(func() transforms.Visitor, func([]arrow.Record) error) error) ([]*transforms.Metrics, error) {
	tables = slices.DeleteFunc(slices.Clone(tables), func(t string) bool {
		return slices.Contains(transforms.StreamedTables, t) && !slices.Contains(r.c.Tables, t)
	})
	streams := make([]*stream, len(transforms.StreamedTables))
	for i, name := range transforms.StreamedTables {
		if !slices.Contains(tables, name) {
			continue
		}
		t, _ := schemas.ByName(name, r.c.Dimensions)
		s := newStream(t)
		streams[i] = s
		r.streamed.Go(func() error {
			defer s.leave() // also when the table cannot be begun
			_, err := p.Write(ctx, s.data())
			return err
		})
	}
	r.histories = newSpool(r.historyMemory(), r.o.TempDir)
	var workers []*transforms.Metrics
	err := fold(func() transforms.Visitor {
		m := transforms.NewMetrics(r.settings, tables, r.ledger.Segments)
		if m.RFM != nil {
			m.RFM.Worker = len(workers)
		}
		workers = append(workers, m)
		return m
	}, func(records []arrow.Record) error {
		for i, rec := range records {
			if rec == nil {
				continue
			}
			if i == transforms.HistoryStream {
				err := r.histories.add(transforms.HistoryBytes(rec))
				rec.Release()
				if err != nil {
					return err
				}
				continue
			}
			if err := streams[i].push(rec); err != nil {
				return err
			}
		}
		return nil
	})
	for _, s := range streams {
		if s != nil {
			s.close(err)
		}
	}
	if err != nil {
		if f := r.streamed.Wait(); f != nil { // why the fold could not go on
			err = f
		}
		return nil, r.largePartition(err)
	}
	return workers, nil
}

// largePartition says what to do where the orders of a customer do not fit the memory; other
// errors it returns as they are.
func (r *run) largePartition(err error) error {
	var large *transforms.PartitionError
	if errors.As(err, &large) {
		return &MemoryError{fmt.Sprintf("%s\nallow more --memory (now %s), or look whether a placeholder stands where ids should be", err, FormatBytes(r.memory.total))}
	}
	return err
}

// counts are what has been counted of the orders and customers of the run.
func (r *run) counts() transforms.Counts {
	if r.dated != nil {
		return *r.dated
	}
	return r.ledger.Counts()
}

// computed lists the tables whose accumulators are needed: the published ones and those
// that the checks look at.
func (r *run) computed() []string {
	return append(slices.Clone(r.c.Tables), "cohorts")
}
