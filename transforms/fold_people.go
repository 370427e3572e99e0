package transforms

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
)

// nobody marks a row that is no purchase of a customer.
const nobody = -1

// slot is a place of the open-addressing table of people.
type slot struct {
	owner uint32 // tail of the hash of the person's key
	index uint32 // into people + 1; 0: free
}

// person is one customer of the partition.
type person struct {
	key   int    // where the key begins in keys
	size  int32  // of the key
	owner uint32 // tail of the hash of the key
	group int32  // of a sweep: the group that this is, and one; see identityGroups
}

// rankedPerson is a person's place in the order of the fold.
type rankedPerson struct {
	owner uint32 // tail of the hash of the key
	index int32
	end   int32 // of the person's range in purchases
}

// see counts a purchase, whose row has a reference, of the person with a key and returns
// the person's index.
func (f *folder) see(ref uint64, row, key []byte) int32 {
	owner := ownerTail(row)
	mask := uint32(len(f.table) - 1)
	i := owner & mask
	for ; ; i = (i + 1) & mask {
		s := f.table[i]
		if s.index == 0 {
			break
		}
		if s.owner == owner {
			if x := &f.people[s.index-1]; equalKeys(f.keys[x.key:x.key+int(x.size)], key) {
				f.places[s.index-1]++
				return int32(s.index - 1)
			}
		}
	}
	f.meet(ref, row, key, 0)
	f.table[i] = slot{owner, uint32(len(f.people))}
	if 2*len(f.people) > len(f.table) {
		f.grow()
	}
	return int32(len(f.people) - 1)
}

// equalKeys is bytes.Equal, for keys of the usual lengths without a call.
func equalKeys(a, b []byte) bool {
	if n := len(a); n == len(b) && n >= 8 && n <= 16 {
		return binary.LittleEndian.Uint64(a) == binary.LittleEndian.Uint64(b) && binary.LittleEndian.Uint64(a[n-8:]) == binary.LittleEndian.Uint64(b[n-8:])
	}
	return bytes.Equal(a, b)
}

// meet adds a person with one purchase, the row of which has a reference.
func (f *folder) meet(ref uint64, row, key []byte, group int32) {
	// copies of the keys are near one another, the rows that they come from are not
	f.people = append(f.people, person{key: len(f.keys), size: int32(len(key)), owner: ownerTail(row), group: group})
	f.places = append(f.places, 1)
	f.keys = append(f.keys, key...)
	f.firsts = append(f.firsts, ref)
	f.segments = f.l.appendDims(f.segments, row)
}

// keyOf is the customer key of a person.
func (f *folder) keyOf(i int32) []byte {
	x := &f.people[i]
	return f.keys[x.key : x.key+int(x.size)]
}

// grow doubles the table of people.
func (f *folder) grow() {
	f.table = make([]slot, 2*len(f.table))
	mask := uint32(len(f.table) - 1)
	for k := range f.people {
		i := f.people[k].owner & mask
		for f.table[i].index != 0 {
			i = (i + 1) & mask
		}
		f.table[i] = slot{f.people[k].owner, uint32(k + 1)}
	}
}

// group writes the purchases person by person, in the order of rank: a counting sort. It
// walks the rows as they lie, which is cheaper than to come to each of them by its person.
func (f *folder) group(p int) {
	at := int32(0)
	for i := range f.order {
		x := &f.order[i]
		place := &f.places[x.index]
		at, *place = at+*place, at
		x.end = at
	}
	if n := int(at); cap(f.purchases) < n {
		f.purchases = make([]Purchase, n+n/8)
	}
	f.purchases = f.purchases[:at]
	k := 0
	place := func(ref uint64, row []byte) {
		if who := f.whose[k]; who != nobody {
			place := &f.places[who]
			f.purchases[*place].read(ref, row)
			*place++
		}
		k++
	}
	f.of.rows.each(p, place)
	f.of.moved.each(p, func(ref uint64, row []byte) { place(ref|movedRef, row) })
	f.of.grouped.each(p, func(ref uint64, row []byte) { place(ref|groupedRef, row) })
}

// read takes a purchase from its row.
func (b *Purchase) read(ref uint64, row []byte) {
	b.At, b.ref, b.HasCost = orderedAt(row), ref, row[rowFlags]&flagCost != 0
	b.Gross, b.Discount, b.Refund, b.Cost = amountsOf(row)
}

// rank puts the people in the order of the hashes of their keys, then of the keys. The
// tails of the hashes are spread evenly, so that a bucket for each person nearly sorts them.
func (f *folder) rank() {
	width := bits.Len(uint(len(f.people)))
	shift := uint(32 - width)
	f.buckets = append(f.buckets[:0], make([]int32, 1<<width+1)...)
	for i := range f.people {
		f.buckets[f.people[i].owner<<f.split>>shift+1]++
	}
	for i := range f.buckets[1:] {
		f.buckets[i+1] += f.buckets[i]
	}
	f.order = slices.Grow(f.order[:0], len(f.people))[:len(f.people)]
	for i := range f.people {
		owner := f.people[i].owner
		at := &f.buckets[owner<<f.split>>shift]
		f.order[*at] = rankedPerson{owner: owner, index: int32(i)}
		*at++
	}
	for i := 1; i < len(f.order); i++ {
		x := f.order[i]
		k := i
		for ; k > 0 && f.after(f.order[k-1], x); k-- {
			f.order[k] = f.order[k-1]
		}
		f.order[k] = x
	}
}

// after says whether person a comes after b.
func (f *folder) after(a, b rankedPerson) bool {
	if a.owner != b.owner {
		return a.owner > b.owner
	}
	x, y := f.keyOf(a.index), f.keyOf(b.index)
	return cmp.Or(cmp.Compare(hashKey(x), hashKey(y)), bytes.Compare(x, y)) > 0
}
