package transforms

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"strings"
)

// identityGroups are the customers that ids and guests' e-mails make up between the dates
// of a sweep: as the dates go on, groups join. Ids whose group is the same at every date are
// not among them.
type identityGroups struct {
	dates  []int64
	roots  map[string]string // key → root of its group at the first date, where that is another key
	firsts map[string]int32  // root at the first date → that group
	groups []identityGroup
	linked []int64 // by date, how many more ids are part of another customer than at the date before
}

// identityGroup is a customer from a date until, at another one, it becomes part of the next.
type identityGroup struct {
	root     string // smallest key
	from, to int32  // dates by index; equal where it was joined with another one at once
	next     int32  // the group that it becomes part of; noGroup: it stays
	ids      bool   // an id is part of it, not only the e-mail of guests
}

const noGroup = -1

// join says that two keys are one customer from a date on.
type join struct {
	date int32
	a, b string
}

// identifyByDate is identify for a sweep. Links older than the first date hold at all of
// them; the others make groups.
func (l *Ledger) identifyByDate() error {
	unions := unionFind{parent: make(map[string]string)}
	l.largest = make([]int64, len(l.rules.Dates))
	l.largest[0] = l.counts.LargestIDsPerKey
	var joins []join
	err := l.parallel(len(l.links.parts), func(next func() (int, bool)) error {
		w := datedLinker{l: l, unions: &unions, rows: l.rows.writer(), largest: make([]int64, len(l.rules.Dates))}
		if err := l.links.drain(next, w.partition); err != nil {
			return err
		}
		w.rows.close()
		l.mu.Lock()
		defer l.mu.Unlock()
		joins = append(joins, w.joins...)
		for date, n := range w.largest {
			l.largest[date] = max(l.largest[date], n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for date := range l.largest[1:] {
		l.largest[date+1] = max(l.largest[date+1], l.largest[date])
	}
	l.linked = unions.roots()
	l.groups = newIdentityGroups(l.rules.Dates, l.linked, joins)
	l.mark(l.linked)
	for root := range l.groups.firsts {
		l.mark(map[string]string{root: root})
	}
	if len(l.linkedBy) == 0 {
		return nil
	}
	return l.moveLinked()
}

// datedLinker is one worker of identifyByDate.
type datedLinker struct {
	l       *Ledger
	unions  *unionFind
	rows    *rowWriter
	joins   []join
	largest []int64 // by date, most ids of an e-mail that the date is the first to see
	row     []byte
}

// datedKey is the key of an id that uses an e-mail, from the first date that knows.
type datedKey struct {
	date int32
	key  []byte
}

func (w *datedLinker) partition(p int) {
	mails, guests := map[string][]datedKey{}, map[string][]byte{}
	w.l.links.each(p, func(_ uint64, row []byte) {
		if row[0] == linkPair {
			mail, ordered, key := pairOf(row)
			mails[string(mail)] = addDatedKey(mails[string(mail)], datedKey{int32(dateIndex(w.l.rules.Dates, ordered)), key})
		}
	})
	for _, keys := range mails {
		slices.SortFunc(keys, func(a, b datedKey) int { return cmp.Or(cmp.Compare(a.date, b.date), bytes.Compare(a.key, b.key)) })
		for i, k := range keys {
			w.largest[k.date] = max(w.largest[k.date], int64(i+1))
			if i > 0 {
				w.join(k.date, keys[0].key, k.key)
			}
		}
	}
	w.l.links.each(p, func(_ uint64, row []byte) {
		if row[0] != linkGuest {
			return
		}
		r := reader(row[1:])
		mail := r.text()
		key, seen := guests[string(mail)]
		if !seen {
			key = w.guest(mail, mails[string(mail)])
			guests[string(mail)] = key
		}
		hash := hashKey(key)
		w.row = appendWithKey(w.row[:0], r, key, tail(hash, w.l.shift), len(w.l.rules.Dimensions))
		w.rows.put(w.l.partition(hash), w.row)
	})
}

// addDatedKey adds the key of an id, of which the earliest date counts.
func addDatedKey(list []datedKey, k datedKey) []datedKey {
	if i := slices.IndexFunc(list, func(x datedKey) bool { return bytes.Equal(x.key, k.key) }); i >= 0 {
		list[i].date = min(list[i].date, k.date)
		return list
	}
	return append(list, k)
}

// guest is the key under which the purchases of guests with an e-mail go; keys are the ids
// that use it. Until one of them does, the guests are a customer of their own.
func (w *datedLinker) guest(mail []byte, keys []datedKey) []byte {
	if len(keys) > 0 && keys[0].date == 0 {
		return keys[0].key
	}
	key := w.l.mailKey(mail)
	if len(keys) > 0 {
		w.join(keys[0].date, keys[0].key, key)
	}
	return key
}

func (w *datedLinker) join(date int32, a, b []byte) {
	if date == 0 {
		w.unions.union(a, b)
		return
	}
	w.joins = append(w.joins, join{date, string(a), string(b)})
}

// newIdentityGroups makes the groups of joins; roots are those at the first date.
func newIdentityGroups(dates []int64, roots map[string]string, joins []join) *identityGroups {
	g := &identityGroups{dates: dates, roots: roots, firsts: map[string]int32{}, linked: make([]int64, len(dates))}
	g.linked[0] = int64(len(roots))
	slices.SortFunc(joins, func(a, b join) int {
		return cmp.Or(cmp.Compare(a.date, b.date), strings.Compare(a.a, b.a), strings.Compare(a.b, b.b))
	})
	parent := []int32{} // of the groups, towards the one that holds them now
	now := func(key string) int32 {
		if root, ok := roots[key]; ok {
			key = root
		}
		i, ok := g.firsts[key]
		if !ok {
			i = int32(len(g.groups))
			g.firsts[key] = i
			g.groups = append(g.groups, identityGroup{root: key, to: math.MaxInt32, next: noGroup, ids: key[0] != mailRank})
			parent = append(parent, i)
		}
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	for _, x := range joins {
		a, b := now(x.a), now(x.b)
		if a == b {
			continue
		}
		if g.groups[a].ids && g.groups[b].ids {
			g.linked[x.date]++
		}
		if g.groups[b].from == x.date {
			a, b = b, a
		}
		if g.groups[a].from != x.date { // neither has begun at this date
			c := int32(len(g.groups))
			g.groups = append(g.groups, identityGroup{root: g.groups[a].root, from: x.date, to: math.MaxInt32, next: noGroup, ids: g.groups[a].ids})
			parent = append(parent, c)
			g.end(a, c, x.date)
			parent[a] = c
			a = c
		}
		g.end(b, a, x.date)
		parent[b] = a
	}
	return g
}

// end makes a group part of another one.
func (g *identityGroups) end(i, next, date int32) {
	x, n := &g.groups[i], &g.groups[next]
	x.to, x.next = date, next
	n.root, n.ids = min(n.root, x.root), n.ids || x.ids
}

// linkedIDs is how many ids are part of another customer at a date.
func (g *identityGroups) linkedIDs(date int) (n int64) {
	for _, more := range g.linked[:date+1] {
		n += more
	}
	return n
}

// first is the group of a row's customer at the first date, noGroup where no group changes.
func (g *identityGroups) first(l *Ledger, row []byte) int32 {
	if _, ok := l.linkedBy[ownerTail(row)]; !ok {
		return noGroup
	}
	key := keyOf(row)
	root, ok := g.roots[string(key)]
	if !ok {
		root = string(key)
	}
	if i, ok := g.firsts[root]; ok {
		return i
	}
	return noGroup
}

// copyRow writes the row of a purchase once for each group that it is part of, if it is part
// of groups. The key of a copy is the root of the group and, behind it, its number.
func (g *identityGroups) copyRow(l *Ledger, row []byte, to *rowWriter) bool {
	i := g.first(l, row)
	if i == noGroup {
		return false
	}
	seen := int32(dateIndex(g.dates, orderedAt(row)))
	var key, buf []byte
	for ; i != noGroup; i = g.groups[i].next {
		x := &g.groups[i]
		if x.from == x.to || seen >= x.to {
			continue
		}
		hash := hashKey([]byte(x.root))
		key = binary.LittleEndian.AppendUint32(append(key[:0], x.root...), uint32(i))
		buf = appendWithKey(buf[:0], row, key, tail(hash, l.shift), len(l.rules.Dimensions))
		to.put(l.partition(hash), buf)
	}
	return true
}

// seeGroups counts the purchases of groups among the rows of a partition.
func (f *folder) seeGroups(p int) {
	if f.l.groups == nil {
		return
	}
	f.byGroup = map[int32]int32{}
	f.of.grouped.each(p, func(ref uint64, row []byte) {
		key := keyOf(row)
		at := len(key) - 4
		f.whose = append(f.whose, f.seeGroup(int32(binary.LittleEndian.Uint32(key[at:])), ref|groupedRef, row, key[:at]))
	})
}

// seeGroup counts a purchase of a group and returns its person, nobody where the view does
// not see it.
func (f *folder) seeGroup(group int32, ref uint64, row, key []byte) int32 {
	x := &f.l.groups.groups[group]
	if v := &f.view; orderedAt(row) >= v.until || v.date != allDates && (v.date < x.from || v.date >= x.to) {
		return nobody
	}
	if i, ok := f.byGroup[group]; ok {
		f.places[i]++
		return i
	}
	i := int32(len(f.people))
	f.byGroup[group] = i
	f.meet(ref, row, key, group+1)
	return i
}

// dates are the dates at which a person is a customer.
func (f *folder) dates(i int32) (from, to int32) {
	if group := f.people[i].group; group > 0 {
		x := &f.l.groups.groups[group-1]
		return x.from, x.to
	}
	return 0, math.MaxInt32
}
