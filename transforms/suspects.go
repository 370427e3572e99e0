package transforms

import "encoding/binary"

// A keyIndex tells which keys occur more than once among many millions, in a few bytes a
// key: keys are 64-bit hashes, the partition of a hash is its upper bits, and the next 32
// bits are what the partition keeps, with the home of the row that has the key: the
// partition of another store. Two different keys that agree in all those bits are taken
// for one: the keys found are suspects, to be compared by whoever asked.
type keyIndex struct {
	store *rowStore
	shift uint
	pairs bool // a key comes with the hash of its owner and is suspect when it has several
}

// noHome is the home of keys whose rows are not in the other store.
const noHome = 0xffff

// Layout of an entry.
const (
	entryKey   = 0 // uint32
	entryHome  = 4 // uint16
	entryOwner = 6 // uint64, of pairs
)

// size is the number of bytes of an entry.
func (x *keyIndex) size() int {
	if x.pairs {
		return 14
	}
	return 6
}

// keyWriter is one worker's way into a keyIndex.
type keyWriter struct {
	x *keyIndex
	w *rowWriter
}

func newKeyIndex(parts int, shift uint, pairs bool, pool *chunkPool) *keyIndex {
	return &keyIndex{store: newRowStore(parts, pool), shift: shift, pairs: pairs}
}

func (x *keyIndex) writer() keyWriter { return keyWriter{x, x.store.writer()} }

func (w *keyWriter) put(hash uint64, home uint32) {
	d := w.w.fixed(uint32(hash>>w.x.shift), 6)
	binary.LittleEndian.PutUint32(d[entryKey:], uint32(hash>>(w.x.shift-32)))
	binary.LittleEndian.PutUint16(d[entryHome:], uint16(home))
}

func (w *keyWriter) putPair(hash uint64, home uint32, owner uint64) {
	d := w.w.fixed(uint32(hash>>w.x.shift), 14)
	binary.LittleEndian.PutUint32(d[entryKey:], uint32(hash>>(w.x.shift-32)))
	binary.LittleEndian.PutUint16(d[entryHome:], uint16(home))
	binary.LittleEndian.PutUint64(d[entryOwner:], owner)
}

// suspects finds the keys that occur more than once, or with more than one owner: a filter
// for each home, nil where nothing is suspect at all. The index is empty afterwards. found
// says whether it held a key.
func (x *keyIndex) suspects(homes int, parallel func(n int, work func(next func() (int, bool)) error) error) (filters []keyFilter, found bool, err error) {
	lists := make([][]suspect, len(x.store.parts)) // by partition of the index
	for p := range x.store.parts {
		found = found || len(x.store.parts[p].chunks) > 0
	}
	err = parallel(len(lists), func(next func() (int, bool)) error {
		var t keyTable
		for {
			p, ok := next()
			if !ok {
				return nil
			}
			lists[p] = x.repeated(p, &t)
			x.store.drop(p)
		}
	})
	if err != nil {
		return nil, found, err
	}
	count := make([]int, homes)
	total := 0
	for _, list := range lists {
		total += len(list)
		for _, s := range list {
			count[s.home]++
		}
	}
	if total == 0 {
		return nil, found, nil
	}
	filters = make([]keyFilter, homes)
	for h, n := range count {
		filters[h] = newKeyFilter(n, x.shift-32)
	}
	for _, list := range lists {
		for _, s := range list {
			filters[s.home].add(s.key)
		}
	}
	return filters, found, nil
}

// suspect is a row that has a suspect key.
type suspect struct {
	key  uint64 // the hash without its lower bits
	home uint16
}

// repeated lists the suspects of a partition.
func (x *keyIndex) repeated(p int, t *keyTable) (list []suspect) {
	size := x.size()
	n := 0
	for _, c := range x.store.parts[p].chunks {
		n += len(c) / size
	}
	t.reset(n, x.pairs)
	again := false
	for _, c := range x.store.parts[p].chunks {
		for ; len(c) > 0; c = c[size:] {
			i, seen := t.see(binary.LittleEndian.Uint32(c[entryKey:]))
			if x.pairs {
				owner := binary.LittleEndian.Uint64(c[entryOwner:])
				if !seen {
					t.owners[i] = owner
				}
				seen = t.owners[i] != owner
			}
			if seen {
				t.again[i] = true
				again = true
			}
		}
	}
	if !again {
		return nil
	}
	for _, c := range x.store.parts[p].chunks {
		for ; len(c) > 0; c = c[size:] {
			key, home := binary.LittleEndian.Uint32(c[entryKey:]), binary.LittleEndian.Uint16(c[entryHome:])
			if i, _ := t.see(key); t.again[i] && home != noHome {
				list = append(list, suspect{uint64(p)<<32 | uint64(key), home})
			}
		}
	}
	return list
}

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
	words []uint64
	shift uint // a hash without its lower shift bits is the key of the index
}

// newKeyFilter makes room for n keys, at least 32 bits each.
func newKeyFilter(n int, shift uint) keyFilter {
	size := 1
	for size < n/2 {
		size *= 2
	}
	return keyFilter{words: make([]uint64, size), shift: shift}
}

// spot is the word of a key and the bits that it sets there.
func (f *keyFilter) spot(key uint64) (word, bits uint64) {
	h := key * 0x9e3779b97f4a7c15
	return h >> 24 & uint64(len(f.words)-1), 1<<(h>>58) | 1<<(h>>52&63)
}

func (f *keyFilter) add(key uint64) {
	word, bits := f.spot(key)
	f.words[word] |= bits
}

// has says whether a hash is suspect.
func (f *keyFilter) has(hash uint64) bool {
	word, bits := f.spot(hash >> f.shift)
	return f.words[word]&bits == bits
}
