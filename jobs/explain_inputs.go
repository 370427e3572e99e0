package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/store"
	"github.com/cohortline/cohortline/schemas"
	"github.com/cohortline/cohortline/transforms"
)

// pastRun is a published run, ready to be computed again.
type pastRun struct {
	m *pipeline.Manifest
	c *Config
	r *run // lists its inputs
}

func openPast(ctx context.Context, s store.Store, m *pipeline.Manifest, o DiffOptions) (*pastRun, error) {
	c, options, err := Past(ctx, s, m, o.Env)
	if err != nil {
		return nil, err
	}
	options.Bases, options.Threads, options.Memory, options.TempDir, options.Store = o.Bases, o.Threads, o.Memory, o.TempDir, s
	r, err := prepare(ctx, c, options)
	if err != nil {
		return nil, err
	}
	return &pastRun{m, c, r}, nil
}

// mixedFile is an order file of either run, or one that both have read by the same rules.
type mixedFile struct {
	pipeline.Input
	record pipeline.InputRecord
	sides  transforms.Sides
}

// mixture is what two runs have read.
type mixture struct {
	before, after *pastRun
	sources       []string    // of orders, of both configurations; a file's Source counts them
	files         []mixedFile // by source, path and run; a file's File counts them
	classes       map[transforms.OrderKey]orderSwitch
	counts        [transforms.OrderClasses]int64
}

// orderSwitch is what is kept of an order that differs.
type orderSwitch struct {
	class      transforms.OrderClass
	identified bool // in the later run it has a customer id
}

// newMixture puts the files of two runs side by side.
func newMixture(before, after *pastRun) *mixture {
	x := &mixture{before: before, after: after, classes: map[transforms.OrderKey]orderSwitch{}}
	for _, p := range []*pastRun{before, after} {
		for _, s := range p.c.Sources {
			if s.Table == "orders" {
				x.sources = append(x.sources, s.Name)
			}
		}
	}
	slices.Sort(x.sources)
	x.sources = slices.Compact(x.sources)
	for i, in := range before.r.orders {
		x.files = append(x.files, mixedFile{in, before.r.records[i], transforms.Before})
	}
	for i, in := range after.r.orders {
		f := mixedFile{in, after.r.records[i], transforms.After}
		k := slices.IndexFunc(x.files, func(y mixedFile) bool { return y.sides == transforms.Before && y.samePlace(&f) })
		if k >= 0 && sameObject(x.files[k].record, f.record) && sameReading(x.files[k].Spec, f.Spec) {
			x.files[k].sides |= transforms.After
			continue
		}
		x.files = append(x.files, f)
	}
	slices.SortStableFunc(x.files, func(a, b mixedFile) int {
		return cmp.Or(strings.Compare(a.record.Source, b.record.Source), strings.Compare(a.record.Path, b.record.Path), cmp.Compare(a.sides, b.sides))
	})
	for i := range x.files {
		f := &x.files[i]
		at, _ := slices.BinarySearch(x.sources, f.record.Source)
		f.File, f.Source = uint32(i), uint16(at)
	}
	return x
}

func (f *mixedFile) samePlace(o *mixedFile) bool {
	return f.record.Source == o.record.Source && f.record.Path == o.record.Path
}

// sameReading says whether two sources make the same rows of the same file.
func sameReading(a, b pipeline.SourceSpec) bool {
	text := func(s pipeline.SourceSpec) string {
		s.Paths, s.Landing, s.Line, s.Namespace = nil, "", 0, ""
		data, err := json.Marshal(s)
		if err != nil {
			panic(err) // strings, numbers and maps of them always marshal
		}
		return string(data)
	}
	return text(a) == text(b)
}

// inputs are the files of some runs.
func (x *mixture) inputs(sides transforms.Sides, exactly bool) (list []pipeline.Input) {
	for _, f := range x.files {
		if exactly && f.sides == sides || !exactly && f.sides&sides != 0 {
			list = append(list, f.Input)
		}
	}
	return list
}

// changeFiles says of every file what deciding about its orders takes. rejects are the
// rejected rows of either run.
func (x *mixture) changeFiles() []transforms.ChangeFile {
	list := make([]transforms.ChangeFile, len(x.files))
	for i := range x.files {
		f := &x.files[i]
		list[i] = transforms.ChangeFile{Sides: f.sides, Twin: -1}
		other := x.before.c
		if f.sides == transforms.Before {
			other = x.after.c
		}
		list[i].Unnamed = !slices.ContainsFunc(other.Sources, func(s pipeline.SourceSpec) bool { return s.Table == "orders" && s.Name == f.record.Source })
		if k := x.counterpart(i); k >= 0 && sameObject(f.record, x.files[k].record) {
			list[i].Twin = k
		}
	}
	return list
}

// counterpart is the file of the other run at the same place, −1 where there is none.
func (x *mixture) counterpart(i int) int {
	f := &x.files[i]
	return slices.IndexFunc(x.files, func(o mixedFile) bool { return o.sides != f.sides && o.samePlace(f) })
}

// reject notes the rows that one run has rejected with its files' counterparts. A file that
// was replaced by one with as many rows counts as the same rows, corrected in place.
func (x *mixture) reject(files []transforms.ChangeFile, side transforms.Sides, rejects []schemas.Reject) {
	for i := range x.files {
		f := &x.files[i]
		if f.sides != side {
			continue
		}
		k := x.counterpart(i)
		if k < 0 || files[i].Twin < 0 && f.record.Rows != x.files[k].record.Rows {
			continue
		}
		files[k].Rejected = map[int64]struct{}{}
		for _, r := range rejects {
			if r.Source == f.record.Source && r.File == f.record.Path {
				files[k].Rejected[r.Row] = struct{}{}
			}
		}
	}
}

// classified is an order that differs, with the names of what it refers to.
type classified struct {
	*transforms.OrderChange
	x          *mixture
	currencies []string
}

// classify finds the orders that differ. see is called with each, in an order that follows
// from the orders alone.
func (x *mixture) classify(ctx context.Context, o DiffOptions, see func(classified) error) (err error) {
	a, b := x.before, x.after
	files := x.changeFiles()
	expect := int64(0)
	for _, f := range x.files {
		if f.sides != transforms.Before|transforms.After {
			expect += f.Object.Size / 40
		}
	}
	mem := a.r.memory
	changes := transforms.NewOrderChanges(files, a.m.AsOf.UnixMicro(), expect, mem.rows, a.r.o.Threads, a.r.scratch)
	defer func() { err = errors.Join(err, changes.Close()) }()
	env := a.r.mapEnv()
	for _, d := range b.c.Dimensions {
		if !slices.Contains(env.Dimensions, d) {
			env.Dimensions = append(slices.Clone(env.Dimensions), d)
			env.Interns.Dims = append(env.Interns.Dims, schemas.NewIntern())
		}
	}
	other := b.r.mapEnv()
	env.NeedEmail, env.NeedCost = env.NeedEmail || other.NeedEmail, env.NeedCost || other.NeedCost
	for _, side := range []transforms.Sides{transforms.Before, transforms.After, transforms.Before | transforms.After} {
		if side == transforms.Before|transforms.After {
			if changes.Rows() == 0 {
				return nil
			}
			if err := changes.Narrow(); err != nil {
				return err
			}
		}
		inputs := x.inputs(side, true)
		if len(inputs) == 0 {
			continue
		}
		found, err := pipeline.ExtractOrders(ctx, inputs, env, a.r.o.Threads, func() pipeline.OrderWriter { return changes.Writer() }, o.Observe)
		if err != nil {
			return err
		}
		x.reject(files, side, found.Rejects)
	}
	currencies := env.Interns.Currency.Values()
	return changes.Find(func(c *transforms.OrderChange) error {
		x.counts[c.Class]++
		x.classes[c.Key] = orderSwitch{c.Class, c.After != nil && c.After.Identified}
		if n := int64(len(x.classes)); mem.total > 0 && n*orderSwitchBytes > mem.total/4 {
			return &MemoryError{fmt.Sprintf("more than %d orders differ, which take a quarter of the %s that --memory allows\nallow more, or compare results that are nearer to each other", n, FormatBytes(mem.total))}
		}
		return see(classified{c, x, currencies})
	})
}

// orderSwitchBytes is about what an entry of mixture.classes takes.
const orderSwitchBytes = 48

// changedOrderRow is a row of changed_orders.
type changedOrderRow struct {
	Cause        string                       `col:"cause" json:"cause"`
	Source       string                       `col:"source" json:"source"`
	OrderID      string                       `col:"order_id" json:"order_id"`
	OrderedAt    schemas.Opt[schemas.Instant] `col:"ordered_at"`
	Currency     schemas.Opt[string]          `col:"currency"`
	BeforeStatus schemas.Opt[string]          `col:"before_status"`
	AfterStatus  schemas.Opt[string]          `col:"after_status"`
	BeforeNet    schemas.Opt[schemas.Sum]     `col:"before_net"`
	AfterNet     schemas.Opt[schemas.Sum]     `col:"after_net"`
	BeforeFile   schemas.Opt[string]          `col:"before_file"`
	BeforeRow    schemas.Opt[int64]           `col:"before_row"`
	AfterFile    schemas.Opt[string]          `col:"after_file"`
	AfterRow     schemas.Opt[int64]           `col:"after_row"`
}
