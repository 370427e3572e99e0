package pipeline

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cohortline/cohortline/pipeline/sink"
	"github.com/cohortline/cohortline/pipeline/store"
	"github.com/cohortline/cohortline/schemas"
)

// ErrCommitUnknown says that the answer to the one write that publishes a result was lost
// and that the store cannot be asked: the result may be published or not.
var ErrCommitUnknown = errors.New("it is not known whether the result was published")

// Publication is the work of one run on the tables of one as-of date:
//
//	results/as_of=…/<number>/<table>.parquet   while the run works; never changed afterwards
//	runs/as_of=…/<number>.json                 the manifest: the one write that publishes
//	tables/<table>/as_of=…/part-00000.parquet  copies for readers who know no manifests
//	runs/<run_id>.json                         a copy of the manifest
//
// A run that is killed before the manifest has changed nothing that anybody reads. After
// it, the copies are made by the run or by the next one.
type Publication struct {
	s         store.Store
	run       RunKey
	lease     *lease
	before    *Manifest // what was published last, nil: nothing
	mu        sync.Mutex
	outputs   []OutputRecord
	committed bool
	unknown   bool // whether the manifest is there
}

// RunKey says which run a publication is of.
type RunKey struct {
	ID        string
	Partition string           // as_of=YYYY-MM-DD
	Lease     time.Duration    // see DefaultLease; 0: that
	Clock     func() time.Time // for leases; nil: the machine's
}

// OpenPublication takes the next number of the date, abandons the one before if its run has
// died, and clears what that has left. It fails with ErrLocked while another run works on
// the date.
func OpenPublication(ctx context.Context, s store.Store, run RunKey) (*Publication, error) {
	if run.Lease == 0 {
		run.Lease = DefaultLease
	}
	if run.Clock == nil {
		run.Clock = time.Now
	}
	l, before, err := takeNumber(ctx, s, run.Partition, run.ID, run.Lease, run.Clock)
	if err != nil {
		return nil, err
	}
	p := &Publication{s: s, run: run, lease: l, before: before}
	if err := p.clear(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Published is the function Published for the run of this publication, as things stood when
// it took its number.
func (p *Publication) Published(ctx context.Context, tables []string) (*Manifest, error) {
	return publishedBy(ctx, p.s, p.before, p.run, tables)
}

// Before is the manifest of what was published last for the date, nil when nothing was.
func (p *Publication) Before() *Manifest { return p.before }

// clear removes the tables of runs that were abandoned.
func (p *Publication) clear(ctx context.Context) error {
	objects, err := p.s.List(ctx, "results/"+p.run.Partition+"/")
	if err != nil {
		return err
	}
	abandoned := map[string]bool{}
	for _, o := range objects {
		dir := path.Dir(o.Name)
		is, seen := abandoned[dir]
		if !seen {
			m, err := readManifest(ctx, p.s, "runs/"+p.run.Partition+"/"+path.Base(dir)+".json")
			if err != nil && !errors.Is(err, store.ErrNotExist) {
				return err
			}
			is = err != nil || m.Status == Abandoned
			abandoned[dir] = is
		}
		if is {
			if err := p.s.Remove(ctx, o.Name); err != nil {
				return fmt.Errorf("what an abandoned run has left cannot be removed: %w", err)
			}
		}
	}
	return nil
}

// Write writes a table, which nobody reads before Commit. Several tables may be written at
// the same time.
func (p *Publication) Write(ctx context.Context, d schemas.Data) (rows int64, err error) {
	name := resultDir(p.run.Partition, p.lease.record.Number) + d.Table.Name + ".parquet"
	h, n := sha256.New(), &counter{}
	err = store.Write(ctx, p.s, name, func(w io.Writer) (err error) {
		b := bufio.NewWriterSize(io.MultiWriter(w, h, n), 64<<10)
		if rows, err = sink.Parquet(b, d); err != nil {
			return err
		}
		return b.Flush()
	})
	if err != nil {
		return 0, fmt.Errorf("table %s cannot be written: %w", d.Table.Name, err)
	}
	o := OutputRecord{Table: d.Table.Name, Path: tableName(d.Table.Name, p.run.Partition), Result: name, RunID: p.run.ID,
		Rows: rows, Bytes: n.n, SHA256: hex.EncodeToString(h.Sum(nil))}
	p.mu.Lock()
	p.outputs = append(p.outputs, o)
	p.mu.Unlock()
	return rows, nil
}

// tableName is where plain readers find a table.
func tableName(table, partition string) string {
	return strings.Join([]string{"tables", table, partition, "part-00000.parquet"}, "/")
}

// counter counts the bytes written to it.
type counter struct{ n int64 }

func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return len(b), nil
}

// Outputs lists the tables written so far, by name.
func (p *Publication) Outputs() []OutputRecord {
	p.mu.Lock()
	defer p.mu.Unlock()
	return sortedOutputs(slices.Clone(p.outputs))
}

func sortedOutputs(list []OutputRecord) []OutputRecord {
	slices.SortFunc(list, func(a, b OutputRecord) int { return strings.Compare(a.Table, b.Table) })
	return list
}

// Commit creates the manifest, which publishes everything written, and makes the copies.
// Tables of the date that this run has not written stay as they were published last.
func (p *Publication) Commit(ctx context.Context, m *Manifest) error {
	m.Number, m.Partition = p.lease.record.Number, p.run.Partition
	m.Inherited = nil
	if p.before != nil {
		for _, o := range p.before.tables() {
			if !slices.ContainsFunc(m.Outputs, func(x OutputRecord) bool { return x.Table == o.Table }) {
				m.Inherited = append(m.Inherited, o)
			}
		}
	}
	sortedOutputs(m.Inherited)
	data, err := m.encode()
	if err != nil {
		return err
	}
	p.unknown = true
	if err := p.create(ctx, commitName(p.run.Partition, m.Number), data); err != nil {
		return err
	}
	p.committed, p.unknown = true, false
	return Copies(ctx, p.s, p.run.Partition)
}

// attempts is how often the manifest is created when the store answers with an error, or
// not at all.
const attempts = 4

// create creates the manifest. Whether it is there is asked after every error, because the
// write may have happened and its answer been lost.
func (p *Publication) create(ctx context.Context, name string, data []byte) error {
	var failed error
	for i := range attempts {
		if i > 0 {
			select {
			case <-ctx.Done():
				return errors.Join(failed, ctx.Err())
			case <-time.After(50 * time.Millisecond << i):
			}
		}
		err := p.s.PutNew(ctx, name, data)
		if err == nil {
			return nil
		}
		there, seen := store.Read(ctx, p.s, name)
		switch {
		case seen == nil && bytes.Equal(there, data):
			return nil
		case seen == nil:
			p.unknown = false
			return fmt.Errorf("%s, %s: %w\nnothing was published by this run; look at `cohortline runs` for what was", p.s.Path(""), p.run.Partition, ErrFenced)
		case errors.Is(seen, store.ErrNotExist):
			failed = fmt.Errorf("manifest %s cannot be written: %w", name, err)
		default:
			failed = fmt.Errorf("%s, %s: %w: %w\nrun the same again: it finds out and finishes", p.s.Path(""), p.run.Partition, ErrCommitUnknown, errors.Join(err, seen))
		}
	}
	return failed
}

// Close ends the lease and removes what was not published.
func (p *Publication) Close() error {
	var failed error
	if !p.committed && !p.unknown {
		ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
		defer cancel()
		failed = p.withdraw(ctx)
	}
	p.lease.release(p.unknown)
	return failed
}

// withdraw removes the tables of a run that has not tried to publish them.
func (p *Publication) withdraw(ctx context.Context) error {
	objects, err := p.s.List(ctx, resultDir(p.run.Partition, p.lease.record.Number))
	for i := 0; err == nil && i < len(objects); i++ {
		err = p.s.Remove(ctx, objects[i].Name)
	}
	if err != nil {
		return fmt.Errorf("the tables of a run without result cannot be removed; `cohortline gc` will: %w", err)
	}
	return nil
}
