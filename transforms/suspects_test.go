package transforms

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// entry is a key of the test with its owner and its home.
type entry struct {
	hash, owner uint64
	home        uint32
}

// suspectsAtHome asks an index of n keys, whose homes are below 8 or none, for its suspects.
func suspectsAtHome(t *testing.T, l *Ledger, x *keyIndex, n int) func(e entry) bool {
	suspects := newRowStore(8, x.store.pool)
	any, found, err := x.suspects(suspects, l.parallel)
	if err != nil || found != (n > 0) {
		t.Fatalf("found %t of %d keys, error %v", found, n, err)
	}
	filters := make([]keyFilter, 8)
	for home := range filters {
		if err := filters[home].fill(suspects, home); err != nil {
			t.Fatal(err)
		}
	}
	return func(e entry) bool { return any && filters[e.home].has(tail(e.hash, l.shift)) }
}

// TestSuspects fills an index with random keys, some of them twice, and asks for every one
// of them: no repeated key may be missed, and hardly any other be suspect.
func TestSuspects(t *testing.T) {
	for _, kind := range []indexKind{bareKeys, homeKeys, ownerKeys} {
		for seed := range uint64(40) {
			r := rand.New(rand.NewPCG(seed, 2))
			bits := uint(4 + r.IntN(6))
			pools := newPools(minChunk, minChunk, r.Int64N(2)*8*minChunk, scratchFile(t))
			pool := pools.keys
			x := newKeyIndex(1<<bits, 64-bits, kind, pool)
			var entries []entry
			for range r.IntN(20_000) {
				e := entry{r.Uint64(), 1 + r.Uint64N(5), uint32(r.IntN(8))}
				switch n := len(entries); {
				case n > 0 && r.IntN(20) == 0:
					e.hash = entries[r.IntN(n)].hash
				case r.IntN(10) == 0: // the keys that share a place in the table
					e.hash = e.hash>>(64-bits)<<(64-bits) | uint64(r.IntN(3))<<(32-bits)
				}
				if r.IntN(30) == 0 {
					e.home = noHome
				}
				entries = append(entries, e)
			}
			writers := []*keyWriter{x.writer(), x.writer()}
			owners, times := map[uint64]map[uint64]bool{}, map[uint64]int{}
			for i, e := range entries {
				switch kind {
				case ownerKeys:
					writers[i%2].putPair(e.hash, e.home, e.owner)
				case homeKeys:
					writers[i%2].put(e.hash, e.home)
				default:
					writers[i%2].putBare(e.hash)
				}
				key := e.hash >> (32 - bits)
				if owners[key] == nil {
					owners[key] = map[uint64]bool{}
				}
				owners[key][e.owner] = true
				times[key]++
			}
			for _, w := range writers {
				w.close()
			}
			l := &Ledger{rules: Rules{Threads: 2}, pools: pools, rows: newRowStore(1<<bits, pool), shift: 64 - bits}
			var suspect func(e entry) bool
			if kind == bareKeys {
				l.ids = x
				if err := l.FindRepeated(); err != nil {
					t.Fatal(err)
				}
				suspect = func(e entry) bool {
					found := make([]bool, 1)
					l.repeats.look([]uint64{e.hash}, found)
					return found[0]
				}
			} else {
				suspect = suspectsAtHome(t, l, x, len(entries))
			}
			missed, needless := 0, 0
			for _, e := range entries {
				key := e.hash >> (32 - bits)
				repeated := times[key] > 1
				if kind == ownerKeys {
					repeated = len(owners[key]) > 1
				}
				if kind != bareKeys && e.home == noHome {
					continue
				}
				switch {
				case repeated && !suspect(e):
					missed++
				case !repeated && suspect(e) && uint32(key) > 2:
					needless++
				}
			}
			if err := pools.close(); err != nil {
				t.Fatal(err)
			}
			if missed > 0 || needless > len(entries)/20+8 {
				t.Fatalf("seed %d, entries of %d bytes: %d of %d keys missed, %d suspect without need", seed, kind, missed, len(entries), needless)
			}
		}
	}
}

// scratchFile makes the scratch of a test.
func scratchFile(t *testing.T) func() (Scratch, error) {
	return func() (Scratch, error) { return os.Create(filepath.Join(t.TempDir(), "scratch")) }
}
