package transforms

import (
	"encoding/binary"
	"slices"
)

// A keyIndex tells which keys occur more than once among many millions, in four bytes a
// key: keys are 64-bit hashes, the partition of a hash is its upper bits, and the next 32
// bits are what the partition keeps. Two different keys that agree in all those bits are
// taken for one: the keys found are suspects, to be compared by whoever asked.
type keyIndex struct {
	store *rowStore
	shift uint
	pairs bool // a key comes with the hash of its owner and is suspect when it has several
}

// size is the number of bytes that the index keeps of a key.
func (x *keyIndex) size() int {
	if x.pairs {
		return 12
	}
	return 4
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

func (w *keyWriter) put(hash uint64) {
	binary.LittleEndian.PutUint32(w.w.fixed(uint32(hash>>w.x.shift), 4), uint32(hash>>(w.x.shift-32)))
}

func (w *keyWriter) putPair(hash, owner uint64) {
	d := w.w.fixed(uint32(hash>>w.x.shift), 12)
	binary.LittleEndian.PutUint32(d, uint32(hash>>(w.x.shift-32)))
	binary.LittleEndian.PutUint64(d[4:], owner)
}

// suspects finds the keys that occur more than once, or with more than one owner. The
// index is empty afterwards. found says whether it held a key at all.
func (x *keyIndex) suspects(parallel func(n int, work func(next func() (int, bool)) error) error) (f *keyFilter, found bool, err error) {
	parts := make([][]uint64, len(x.store.parts))
	any := make([]bool, len(x.store.parts))
	err = parallel(len(parts), func(next func() (int, bool)) error {
		var t keyTable
		for {
			p, ok := next()
			if !ok {
				return nil
			}
			parts[p], any[p] = x.repeated(p, &t), len(x.store.parts[p].chunks) > 0
			x.store.drop(p)
		}
	})
	if err != nil {
		return nil, false, err
	}
	n := 0
	for _, list := range parts {
		n += len(list)
	}
	if n > 0 {
		f = newKeyFilter(n, x.shift-32)
		for _, list := range parts {
			for _, k := range list {
				f.add(k)
			}
		}
	}
	return f, slices.Contains(any, true), nil
}

// keyTable is an open-addressing table of the keys of one partition.
type keyTable struct {
	keys   []uint32 // 0 is free
	owners []uint64 // of pairs
}

// repeated lists the suspects of a partition, some of them more than once.
func (x *keyIndex) repeated(p int, t *keyTable) (list []uint64) {
	size := x.size()
	n := 0
	for _, c := range x.store.parts[p].chunks {
		n += len(c) / size
	}
	t.reset(n, x.pairs)
	for _, c := range x.store.parts[p].chunks {
		for ; len(c) > 0; c = c[size:] {
			key := binary.LittleEndian.Uint32(c)
			i, seen := t.see(key)
			if x.pairs {
				owner := binary.LittleEndian.Uint64(c[4:])
				if !seen {
					t.owners[i] = owner
				}
				seen = t.owners[i] != owner
			}
			if seen {
				list = append(list, uint64(p)<<32|uint64(key))
			}
		}
	}
	return list
}

// reset empties the table and makes room for n keys.
func (t *keyTable) reset(n int, pairs bool) {
	slots := 1 << 8
	for slots < 2*n {
		slots *= 2
	}
	if cap(t.keys) < slots {
		t.keys = make([]uint32, slots)
		if pairs {
			t.owners = make([]uint64, slots)
		}
	}
	t.keys = t.keys[:slots]
	clear(t.keys)
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

// keyFilter is a Bloom filter of the suspects of a keyIndex: three bits of one word a key.
type keyFilter struct {
	words []uint64
	shift uint // a hash without its lower shift bits is the key of the index
}

// newKeyFilter makes room for n keys, 32 bits each.
func newKeyFilter(n int, shift uint) *keyFilter {
	size := 64
	for size < n/2 {
		size *= 2
	}
	return &keyFilter{words: make([]uint64, size), shift: shift}
}

// spot is the word of a key and the bits that it sets there.
func (f *keyFilter) spot(key uint64) (word, bits uint64) {
	h := key * 0x9e3779b97f4a7c15
	return h >> 24 & uint64(len(f.words)-1), 1<<(h>>58) | 1<<(h>>52&63) | 1<<(h>>46&63)
}

func (f *keyFilter) add(key uint64) {
	word, bits := f.spot(key)
	f.words[word] |= bits
}

// has says whether a hash is suspect. A nil filter has none.
func (f *keyFilter) has(hash uint64) bool {
	if f == nil {
		return false
	}
	word, bits := f.spot(hash >> f.shift)
	return f.words[word]&bits == bits
}
