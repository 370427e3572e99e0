package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/store"
	"github.com/cohortline/cohortline/schemas"
	"github.com/cohortline/cohortline/transforms"
)

// mixState says which causes a recomputation has taken over from the later run.
type mixState struct {
	definition, calendar, asOf, rates bool
	classes                           [transforms.OrderClasses]bool // of orders that differ
	frozen                            bool                          // who is one customer is what it was before orders were switched
}

// side is the run that a part of the configuration is taken from.
func (x *mixture) side(later bool) *pastRun {
	if later {
		return x.after
	}
	return x.before
}

// config is the configuration of a state.
func (x *mixture) config(st mixState) *Config {
	of := x.side(st.definition)
	c, calendar := *of.c, x.side(st.calendar).c
	c.Zone, c.Timezone, c.WeekStart = calendar.Zone, calendar.Timezone, calendar.WeekStart
	c.Tables = nil
	for _, o := range of.m.Outputs {
		if slices.Contains(DiffTables(), o.Table) {
			c.Tables = append(c.Tables, o.Table)
		}
	}
	return &c
}

// recomputed is a result that nobody has published.
type recomputed struct {
	publishedTables
	publication *pipeline.Publication
}

// close removes the tables.
func (r *recomputed) close() error {
	if r.publication == nil {
		return nil
	}
	return r.publication.Close()
}

// compute computes the tables of a state into a store for temporary results.
func (x *mixture) compute(ctx context.Context, st mixState, temp store.Store, step int) (_ *recomputed, err error) {
	of := x.before.r
	r := &run{c: x.config(st), o: of.o, output: temp, orders: x.inputs(transforms.Before|transforms.After, false)}
	r.o.AsOf, r.o.Store, r.o.Observe = x.side(st.asOf).m.AsOf, temp, nil
	if r.memory, err = planMemory(of.o.Memory, r.expectRows(), of.o.Threads); err != nil {
		return nil, err
	}
	r.settle()
	defer func() { err = errors.Join(err, r.close()) }()
	env := r.mapEnv()
	rules := r.rules(ctx, env, transforms.NewRates(r.c.Currency, x.side(st.rates).r.rates))
	rules.Namespaces = x.namespaces(r.c)
	for _, f := range x.files {
		rules.Files = append(rules.Files, transforms.File{Source: f.record.Source, Path: f.record.Path})
	}
	r.ledger = transforms.NewLedger(rules)
	writer := func() pipeline.OrderWriter { return &sieve{x: x, st: st, to: r.ledger.Writer()} }
	if r.extracted, err = pipeline.ExtractOrders(ctx, r.orders, env, r.o.Threads, writer, nil); err != nil {
		return nil, err
	}
	if err := r.resolve(); err != nil {
		return nil, err
	}
	label := fmt.Sprintf("step-%d", step)
	p, err := pipeline.OpenPublication(ctx, temp, pipeline.RunKey{ID: label, Partition: "as_of=" + label})
	if err != nil {
		return nil, err
	}
	result := &recomputed{publication: p, publishedTables: publishedTables{store: temp}}
	if err := r.fold(ctx, p); err != nil {
		return nil, errors.Join(err, result.close())
	}
	if err := r.predict(); err != nil {
		return nil, errors.Join(err, result.close())
	}
	if err := r.write(ctx, p); err != nil {
		return nil, errors.Join(err, result.close())
	}
	result.tables = byTable(p.Outputs())
	return result, nil
}

// namespaces are those of the sources of the mixture, as a configuration says, and behind
// them once more for the rows that only tell who is one customer.
func (x *mixture) namespaces(c *Config) []string {
	list := make([]string, len(x.sources))
	for i, name := range x.sources {
		for _, s := range c.Sources {
			if s.Table == "orders" && (s.Name == name || list[i] == "") { // a source that is not named has no rows
				list[i] = s.Namespace
			}
		}
	}
	return slices.Concat(list, list)
}

// sieve lets those rows pass that a state counts: of orders that do not differ those of the
// earlier run, of others those of either run, as the state says.
//
// While identity is frozen, orders that have been switched must not change who is one
// customer: their rows keep their customer id and lose their e-mail, and the rows of the
// earlier run that they replace are added as tests of another source, which count for
// nothing and still tell which ids and e-mails belong together.
type sieve struct {
	x  *mixture
	st mixState
	to *transforms.Writer

	batch           schemas.OrderBatch
	normal, shadows []int32
	starts, ends    []uint32
	status          []schemas.Status
}

// Close implements pipeline.OrderWriter.
func (s *sieve) Close() { s.to.Close() }

// Add implements pipeline.OrderWriter.
func (s *sieve) Add(b *schemas.OrderBatch) error {
	sides := s.x.files[b.File].sides
	s.normal, s.shadows = s.normal[:0], s.shadows[:0]
	copied := false
	for _, i := range b.Sel {
		side, order := transforms.Before, s.x.classes[transforms.KeyOfOrder(b.Source, b.OrderID.At(int(i)))]
		switched := order.class != transforms.NoChange && s.st.classes[order.class]
		if switched {
			side = transforms.After
		}
		frozen := s.st.frozen && switched && order.class != transforms.Definition
		if sides&side != 0 {
			s.normal = append(s.normal, i)
			if frozen && order.identified && len(b.Email.Start) > 0 {
				if !copied {
					s.starts, s.ends, copied = append(s.starts[:0], b.Email.Start...), append(s.ends[:0], b.Email.End...), true
				}
				s.ends[i] = s.starts[i]
			}
		}
		if frozen && sides&transforms.Before != 0 {
			s.shadows = append(s.shadows, i)
		}
	}
	s.batch = *b
	s.batch.Sel = s.normal
	if copied {
		s.batch.Email.Start, s.batch.Email.End = s.starts, s.ends
	}
	if err := s.to.Add(&s.batch); err != nil || len(s.shadows) == 0 {
		return err
	}
	s.status = append(s.status[:0], b.Status...)
	for _, i := range s.shadows {
		if s.status[i] != schemas.NoStatus { // of a line that leaves it to the others
			s.status[i] = schemas.Test
		}
	}
	s.batch = *b
	s.batch.Sel, s.batch.Status, s.batch.Source = s.shadows, s.status, b.Source+uint16(len(s.x.sources))
	return s.to.Add(&s.batch)
}
