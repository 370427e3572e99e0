package pipeline

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/schemas"
)

// OrderWriter takes the canonical orders of one worker.
type OrderWriter interface {
	Add(b *schemas.OrderBatch) error
	Close()
}

// Input is one object that a run reads, and the source it belongs to.
type Input struct {
	Spec   SourceSpec
	Source uint16 // index among the sources of the same table, sorted by name
	File   uint32 // index among the files of the same table, sorted by (source, path)
	Object source.Object
}

// Extracted says what extract and validate found.
type Extracted struct {
	RowsRead   int64            // rows of the files
	Filtered   int64            // rows that a filter left out
	Rejects    []schemas.Reject // rows that did not conform
	FloatMoney int64            // amounts that came as binary floats and were rounded
	Rows       map[string]int64 // rows read by object path
}

// ListInputs finds the objects of every source of a table, in the canonical order:
// sources by name, objects by path. Relative paths are taken from base.
func ListInputs(ctx context.Context, stores *source.Stores, base string, specs []SourceSpec, table string) ([]Input, error) {
	var of []SourceSpec
	for _, s := range specs {
		if s.Table == table {
			of = append(of, s)
		}
	}
	slices.SortFunc(of, func(a, b SourceSpec) int { return strings.Compare(a.Name, b.Name) })
	var inputs []Input
	for i, s := range of {
		objects, err := stores.List(ctx, base, s.Paths)
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			inputs = append(inputs, Input{Spec: s, Source: uint16(i), File: uint32(len(inputs)), Object: o})
		}
	}
	return inputs, nil
}

// MaxRejects bounds the rejected rows kept for the rejects table; all are counted.
const MaxRejects = 1_000_000

// ExtractOrders reads every input and hands the canonical orders to writers, one per
// worker. Units of files (row groups) are the work; their order does not matter to the
// ledger.
func ExtractOrders(ctx context.Context, inputs []Input, env MapEnv, threads int, writer func() OrderWriter, observe Observer) (*Extracted, error) {
	x := newExtraction(ctx, inputs, env, threads, observe)
	err := x.run(func() (func(*opened, int) error, func()) {
		w := writer()
		return func(o *opened, unit int) error { return x.read(o, unit, w) }, w.Close
	})
	if err == nil {
		err = x.columns.err()
	}
	if err != nil {
		return nil, err
	}
	return x.result, ctx.Err()
}

func newExtraction(ctx context.Context, inputs []Input, env MapEnv, threads int, observe Observer) *extraction {
	x := &extraction{ctx: ctx, inputs: inputs, env: env, observe: observe, threads: max(1, threads), start: time.Now(), result: &Extracted{Rows: make(map[string]int64)}}
	for _, in := range inputs {
		x.total += in.Object.Size
	}
	return x
}

// extraction is the state that the workers of one ExtractOrders share.
type extraction struct {
	ctx     context.Context
	inputs  []Input
	env     MapEnv
	observe Observer
	threads int
	start   time.Time
	total   int64
	columns mappedColumns

	mu     sync.Mutex
	next   int       // input to open next
	open   []*opened // inputs with units left
	result *Extracted

	rows, bytes atomic.Int64
}

// opened is an input whose units are being read.
type opened struct {
	Input
	file  source.File
	unit  int // unit to read next
	units int
	left  int          // units not finished
	told  atomic.Int64 // bytes that have been read so far, where the file tells
}

// take hands out the next unit of work: of an open file, else of the next one.
func (x *extraction) take() (*opened, int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.ctx.Err(); err != nil {
		return nil, 0, err
	}
	for {
		if n := len(x.open); n > 0 {
			o := x.open[n-1]
			u := o.unit
			if o.unit++; o.unit == o.units {
				x.open = x.open[:n-1]
			}
			return o, u, nil
		}
		if x.next == len(x.inputs) {
			return nil, 0, nil
		}
		in := x.inputs[x.next]
		x.next++
		format := in.Spec.Format
		format.Threads = x.threads
		o := &opened{Input: in}
		format.Read = func(n int64) {
			o.told.Add(n)
			x.progress(0, n)
		}
		file, err := source.Open(x.ctx, in.Object, format)
		if err != nil {
			return nil, 0, err
		}
		o.file, o.units, o.left = file, file.Units(), file.Units()
		if o.units == 0 {
			file.Close()
			continue
		}
		x.open = append(x.open, o)
	}
}

// run reads all units with as many workers as there are threads: worker makes what one of
// them reads units with and what ends its work. The first failure ends the work of all. What
// was read counts only if every input still is what was listed and identified, which also
// explains best why one could not be read.
func (x *extraction) run(worker func() (read func(*opened, int) error, done func())) error {
	ctx, cancel := context.WithCancel(x.ctx)
	defer cancel()
	x.ctx = ctx
	var wg sync.WaitGroup
	var once sync.Once
	var failed error
	for range x.threads {
		wg.Go(func() {
			read, done := worker()
			defer done()
			if err := x.work(read); err != nil {
				once.Do(func() { failed = err; cancel() })
			}
		})
	}
	wg.Wait()
	x.closeAll()
	for _, in := range x.inputs {
		if err := in.Object.Unchanged(); err != nil {
			return err
		}
	}
	return failed
}

func (x *extraction) work(read func(*opened, int) error) error {
	for {
		o, unit, err := x.take()
		if err != nil || o == nil {
			return err
		}
		if err := read(o, unit); err != nil {
			return err
		}
		x.mu.Lock()
		o.left--
		last := o.left == 0
		x.mu.Unlock()
		if last {
			o.file.Close()
		}
	}
}

// read maps one unit and adds its orders to the writer.
func (x *extraction) read(o *opened, unit int, w OrderWriter) error {
	if unit == 0 {
		x.columns.look(o.Spec, x.env.Dimensions, o.file, o.Object.Path)
	}
	m, err := NewOrderMapper(o.Spec, o.file, FileRef{Source: o.Source, SourceName: o.Spec.Name, File: o.File, Path: o.Object.Path}, x.env)
	if err != nil {
		return err
	}
	var rejects []schemas.Reject
	var rows int64
	for b, err := range o.file.Read(x.ctx, unit, m.Want()) {
		if err != nil {
			return err
		}
		orders, bad, err := m.Map(b)
		if err != nil {
			return err
		}
		rejects = append(rejects, bad...) // copied: the mapper uses its slice again
		if err := w.Add(orders); err != nil {
			return err
		}
		rows += int64(b.N)
		x.progress(int64(b.N), 0)
	}
	if o.told.Load() == 0 { // a text tells while it is read
		x.progress(0, o.Object.Size/int64(o.units))
	}
	stats := m.Stats()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.result.RowsRead += rows
	x.result.Rows[o.Object.Path] += rows
	x.result.Filtered += stats.Filtered
	x.result.FloatMoney += stats.FloatMoney
	x.result.Rejects = append(x.result.Rejects, rejects...)
	if len(x.result.Rejects) > MaxRejects {
		return errors.New("more than a million rows do not conform: look at the first rejects with a smaller input and correct the mapping")
	}
	return nil
}

func (x *extraction) progress(rows, bytes int64) {
	e := Event{Kind: StageProgress, Stage: "extract", Rows: x.rows.Add(rows), Bytes: x.bytes.Add(bytes), Total: x.total, Elapsed: time.Since(x.start)}
	x.observe.Tell(e)
}

// closeAll closes the files that a failed run leaves open.
func (x *extraction) closeAll() {
	for _, o := range x.open {
		o.file.Close()
	}
}
