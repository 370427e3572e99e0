package transforms

import (
	"math/bits"

	"github.com/cohortline/cohortline/schemas"
)

// repeats are the orders that may come more than once, known before any of their rows is
// read: a filter for each partition of the hashes of orders. An order that it does not
// suspect comes once, and what has to be decided of it can be decided at once.
type repeats struct {
	filters []keyFilter
	shift   uint
	bytes   int64
}

func (r *repeats) has(hash uint64) bool {
	return r.filters[hash>>r.shift].has(tail(hash, r.shift))
}

// IDWriter takes the ids of orders on behalf of one worker, for a ledger that sees them
// before their rows.
type IDWriter struct{ keys *keyWriter }

// IDWriter returns a writer of order ids; every worker has its own. Whoever uses one gives
// the ids of all rows to come, but for lines of orders, which need not be known. Then
// FindRepeated is called, and only then may there be a Writer.
func (l *Ledger) IDWriter() *IDWriter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ids == nil {
		l.ids = newKeyIndex(len(l.rows.parts), l.shift, bareKeys, l.pools.rows)
	}
	return &IDWriter{l.ids.writer()}
}

// Add takes the order ids of some rows of a source. It fails when the scratch file has.
func (w *IDWriter) Add(source uint16, ids *schemas.Strings) error {
	for i := range ids.Start {
		w.keys.putBare(hashOrder(source, ids.At(i)))
	}
	return w.keys.x.store.pool.err()
}

// Close hands over what the writer has gathered; it must be called before FindRepeated.
func (w *IDWriter) Close() { w.keys.close() }

// FindRepeated finds the orders that may come more than once among the ids that have been
// written.
func (l *Ledger) FindRepeated() error {
	r := &repeats{filters: make([]keyFilter, len(l.rows.parts)), shift: l.shift}
	if l.ids == nil { // there are only lines
		l.repeats = r
		return nil
	}
	most := 0
	if l.rules.Memory > 0 { // an eighth of it for the words of all filters
		most = max(1, 1<<bits.Len64(uint64(l.rules.Memory/64))>>1/len(r.filters))
	}
	err := l.parallel(len(r.filters), func(next func() (int, bool)) error {
		var t keyTable
		return l.ids.store.drain(next, func(p int) {
			if !l.ids.repeated(p, &t) {
				return
			}
			f := &r.filters[p]
			f.reset(t.suspects(), most)
			for i, again := range t.again {
				if again {
					f.add(t.keys[i])
					if t.keys[i] == 1 { // the place of 0, too
						f.add(0)
					}
				}
			}
		})
	})
	if err != nil {
		return err
	}
	for i := range r.filters {
		r.bytes += int64(8 * len(r.filters[i].words))
	}
	l.pools.rows.used.Add(r.bytes)
	l.repeats, l.ids = r, nil
	return nil
}

// forgetRepeats gives the memory of the filters back.
func (l *Ledger) forgetRepeats() {
	if l.repeats != nil {
		l.pools.rows.used.Add(-l.repeats.bytes)
		l.repeats = nil
	}
}
