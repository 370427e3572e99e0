package transforms

import (
	"encoding/binary"
	"math/bits"

	"github.com/cohortline/cohortline/schemas"
)

// repeats are the orders that may come more than once, known before any of their rows is
// read, as a Bloom filter of the hashes of orders: two bits of one word a key, the word by the
// upper bits of the hash. An order that it does not suspect comes once, and what has to be
// decided of it can be decided at once.
type repeats struct {
	words []uint64
	shift uint // hash >> shift is the word
	rest  uint // hash >> rest is what an index keeps of a hash
}

// newRepeats has room for n orders: 32 bits for each at least, or most bytes together, unless
// that is 0. A filter that is short of bits suspects more orders without need. Every partition,
// for which hashes are shifted as told, has words of its own.
func newRepeats(n int, most int64, shift uint) *repeats {
	size := 1 << (64 - shift)
	for size < n/2 && (most == 0 || int64(16*size) <= most) {
		size *= 2
	}
	return &repeats{make([]uint64, size), uint(64 - bits.Len(uint(size-1))), shift - 32}
}

func (r *repeats) spot(hash uint64) (word, bits uint64) {
	_, bits = bloom(hash >> r.rest)
	return hash >> r.shift, bits
}

// look says of some orders whether they are suspect. All are looked up in one loop, in which
// the processor waits for many words at a time: they lie anywhere in some megabytes.
func (r *repeats) look(hashes []uint64, suspect []bool) {
	for i, hash := range hashes {
		word, bits := r.spot(hash)
		suspect[i] = r.words[word]&bits == bits
	}
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
	if l.ids == nil { // there are only lines
		l.repeats = newRepeats(0, 0, l.shift)
		return nil
	}
	parts := len(l.rows.parts)
	found := newRowStore(parts, l.pools.keys)
	err := l.parallel(parts, func(next func() (int, bool)) error {
		var t keyTable
		w := found.writer()
		defer w.close()
		return l.ids.store.drain(next, func(p int) {
			if l.ids.repeated(p, &t) {
				t.suspects(func(key uint32) { binary.LittleEndian.PutUint32(w.fixed(uint32(p), suspectSize), key) })
			}
		})
	})
	if err != nil {
		return err
	}
	n := int64(0)
	for p := range parts {
		n += found.size(p) / suspectSize
	}
	r := newRepeats(int(n), l.rules.Memory/8, l.shift)
	err = l.parallel(parts, func(next func() (int, bool)) error {
		return found.drain(next, func(p int) {
			for _, c := range found.parts[p].chunks {
				for ; len(c) > 0; c = c[suspectSize:] {
					r.add(uint64(p)<<l.shift | uint64(binary.LittleEndian.Uint32(c))<<r.rest)
				}
			}
		})
	})
	l.pools.rows.used.Add(r.size())
	l.repeats, l.ids = r, nil
	return err
}

func (r *repeats) add(hash uint64) {
	word, bits := r.spot(hash)
	r.words[word] |= bits
}

func (r *repeats) size() int64 { return int64(8 * len(r.words)) }

// forgetRepeats gives the memory of the filter back.
func (l *Ledger) forgetRepeats() {
	if l.repeats != nil {
		l.pools.rows.used.Add(-l.repeats.size())
		l.repeats = nil
	}
}
