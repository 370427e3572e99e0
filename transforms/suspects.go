package transforms

import (
	"encoding/binary"
	"sync"
)

// A keyIndex tells which keys occur more than once among many millions, in a few bytes a
// key: keys are 64-bit hashes, the partition of a hash is its upper bits, and the next 32
// bits are what the partition keeps. Two different keys that agree in all those bits are
// taken for one: the keys found are suspects, to be compared by whoever asked.
type keyIndex struct {
	store *rowStore
	shift uint
	kind  indexKind
}

// indexKind says what comes with a key; it is the number of bytes of an entry.
type indexKind int

const (
	bareKeys  indexKind = 4  // nothing
	homeKeys  indexKind = 6  // the home of the row that has the key: the partition of another store
	ownerKeys indexKind = 14 // its home and the hash of its owner; it is suspect when it has several owners
)

// noHome is the home of keys whose rows are not in the other store.
const noHome = 0xffff

// Layout of an entry.
const (
	entryKey   = 0 // uint32
	entryHome  = 4 // uint16
	entryOwner = 6 // uint64
)

// keyWriter is one worker's way into a keyIndex. What it is given comes in no order of
// partitions, so entries without owners gather by the cache line first: a line for each
// partition, side by side, which stay in the cache while the chunks need not.
type keyWriter struct {
	x     *keyIndex
	w     *rowWriter
	lines []keyLine // of keys without owners
}

// keyLine holds entries, and in its last byte how many bytes they take: 60 at most.
type keyLine [64]byte

const fullLine = 60

func newKeyIndex(parts int, shift uint, kind indexKind, pool *chunkPool) *keyIndex {
	return &keyIndex{store: newRowStore(parts, pool), shift: shift, kind: kind}
}

func (x *keyIndex) writer() *keyWriter {
	w := &keyWriter{x: x, w: x.store.writer()}
	if x.kind != ownerKeys {
		w.lines = make([]keyLine, len(x.store.parts))
	}
	return w
}

// put adds a key with its home.
func (w *keyWriter) put(hash uint64, home uint32) {
	w.add(hash, uint64(tail(hash, w.x.shift))|uint64(home&0xffff)<<32, uint(homeKeys))
}

// putBare adds a key alone.
func (w *keyWriter) putBare(hash uint64) {
	w.add(hash, uint64(tail(hash, w.x.shift)), uint(bareKeys))
}

func (w *keyWriter) add(hash, entry uint64, size uint) {
	p := uint32(hash >> w.x.shift)
	line := &w.lines[p]
	n := uint(line[63]) % 64
	if n < 56 {
		binary.LittleEndian.PutUint64(line[n:n+8:64], entry)
	} else {
		binary.LittleEndian.PutUint32(line[56:], uint32(entry)) // the last of those that are bare
	}
	if n += size; n == fullLine {
		copy(w.w.fixed(p, fullLine), line[:])
		n = 0
	}
	line[63] = byte(n)
}

// close hands everything over to the index.
func (w *keyWriter) close() {
	for p := range w.lines {
		if line := &w.lines[p]; line[63] > 0 {
			n := int(line[63])
			copy(w.w.fixed(uint32(p), n), line[:n])
		}
	}
	w.lines = nil
	w.w.close()
}

// putPair adds a key with its home and the hash of its owner.
func (w *keyWriter) putPair(hash uint64, home uint32, owner uint64) {
	d := w.w.fixed(uint32(hash>>w.x.shift), 14)
	binary.LittleEndian.PutUint32(d[entryKey:], tail(hash, w.x.shift))
	binary.LittleEndian.PutUint16(d[entryHome:], uint16(home))
	binary.LittleEndian.PutUint64(d[entryOwner:], owner)
}

// suspects finds the keys that occur more than once, or with more than one owner, and
// writes them to the partition of their home in to. The index is empty afterwards. any says
// whether there are suspects, found whether the index held a key at all.
func (x *keyIndex) suspects(to *rowStore, parallel func(n int, work func(next func() (int, bool)) error) error) (any, found bool, err error) {
	var anyMu sync.Mutex
	for p := range x.store.parts {
		found = found || x.store.size(p) > 0
	}
	err = parallel(len(x.store.parts), func(next func() (int, bool)) error {
		var t keyTable
		w := to.writer()
		defer w.close()
		return x.store.drain(next, func(p int) {
			if x.repeated(p, &t) {
				x.report(p, &t, w)
				anyMu.Lock()
				any = true
				anyMu.Unlock()
			}
		})
	})
	return any, found, err
}

// repeated fills the table with the keys of a partition and says whether one is suspect.
func (x *keyIndex) repeated(p int, t *keyTable) (any bool) {
	size, pairs := int(x.kind), x.kind == ownerKeys
	t.reset(int(x.store.size(p))/size, pairs)
	for _, c := range x.store.parts[p].chunks {
		for ; len(c) > 0; c = c[size:] {
			i, seen := t.see(binary.LittleEndian.Uint32(c[entryKey:]))
			if pairs {
				owner := binary.LittleEndian.Uint64(c[entryOwner:])
				if !seen {
					t.owners[i] = owner
				}
				seen = t.owners[i] != owner
			}
			if seen {
				t.again[i] = true
				any = true
			}
		}
	}
	return any
}

// report writes the suspects of a partition to their homes.
func (x *keyIndex) report(p int, t *keyTable, w *rowWriter) {
	size := int(x.kind)
	for _, c := range x.store.parts[p].chunks {
		for ; len(c) > 0; c = c[size:] {
			key, home := binary.LittleEndian.Uint32(c[entryKey:]), binary.LittleEndian.Uint16(c[entryHome:])
			if i, _ := t.see(key); t.again[i] && home != noHome {
				binary.LittleEndian.PutUint32(w.fixed(uint32(home), suspectSize), key)
			}
		}
	}
}

// suspectSize is the length of an entry in a store of suspects: the key as the index keeps
// it. Within one home that is enough to tell rows apart.
const suspectSize = 4

// keyTable is an open-addressing table of the keys of one partition.
type keyTable struct {
	keys   []uint32 // 0 is free
	again  []bool   // the key is suspect
	owners []uint64 // of pairs
}

// reset empties the table and makes room for n keys.
func (t *keyTable) reset(n int, pairs bool) {
	slots := 1 << 8
	for slots < 2*n {
		slots *= 2
	}
	if cap(t.keys) < slots {
		t.keys, t.again = make([]uint32, slots), make([]bool, slots)
		if pairs {
			t.owners = make([]uint64, slots)
		}
	}
	t.keys, t.again = t.keys[:slots], t.again[:slots]
	clear(t.keys)
	clear(t.again)
}

// suspects calls f with every key that is suspect.
func (t *keyTable) suspects(f func(key uint32)) {
	for i, again := range t.again {
		if again {
			f(t.keys[i])
			if t.keys[i] == 1 { // in the place of 0, too
				f(0)
			}
		}
	}
}

// see is the place of a key and whether it was there before. The key 0, which a slot
// cannot hold, shares the place of 1: either may become suspect without need.
func (t *keyTable) see(key uint32) (place uint32, seen bool) {
	key = max(key, 1)
	mask := uint32(len(t.keys) - 1)
	for i := key & mask; ; i = (i + 1) & mask {
		switch t.keys[i] {
		case key:
			return i, true
		case 0:
			t.keys[i] = key
			return i, false
		}
	}
}

// keyFilter is a Bloom filter of the suspects of one home: two bits of one word a key. It
// is small enough to stay in the cache while the rows of the home pass by.
type keyFilter struct {
	words []uint64 // none: nothing is suspect
}

// fill reads the suspects of a home from the store that suspects has filled.
func (f *keyFilter) fill(suspects *rowStore, home int) error {
	f.words = f.words[:0]
	n := int(suspects.size(home)) / suspectSize
	if n == 0 {
		return nil
	}
	size := 1
	for size < n/2 { // 32 bits a key at least
		size *= 2
	}
	if cap(f.words) < size {
		f.words = make([]uint64, size)
	}
	f.words = f.words[:size]
	clear(f.words)
	return suspects.scanChunks(home, func(c []byte) {
		for ; len(c) > 0; c = c[suspectSize:] {
			word, bits := f.spot(binary.LittleEndian.Uint32(c))
			f.words[word] |= bits
		}
	})
}

// spot is the word of a key and the bits that it sets there.
func (f *keyFilter) spot(key uint32) (word, bits uint64) {
	h, bits := bloom(uint64(key))
	return h >> 24 & uint64(len(f.words)-1), bits
}

// bloom mixes a key and gives the two bits that it sets in its word of a Bloom filter.
func bloom(key uint64) (mixed, bits uint64) {
	h := key * 0x9e3779b97f4a7c15
	return h, 1<<(h>>58) | 1<<(h>>52&63)
}

// has says whether the key with this tail is suspect.
func (f *keyFilter) has(tail uint32) bool {
	if len(f.words) == 0 {
		return false
	}
	word, bits := f.spot(tail)
	return f.words[word]&bits == bits
}
