package transforms

import (
	"bytes"
	"cmp"
	"slices"
)

// sort sorts the purchases of one customer by (ordered_at, source, order_id). Most come in
// order already: the few that do not are taken out, sorted and merged in again.
func (f *folder) sort(p int, list []Purchase) {
	late := f.late[:0]
	n := 1
	for i := 1; i < len(list); i++ {
		switch {
		case list[n-1].At > list[i].At || list[n-1].At == list[i].At && f.compare(p, &list[n-1], &list[i]) > 0:
			late = append(late, list[i])
			continue
		case n < i:
			list[n] = list[i]
		}
		n++
	}
	f.late = late
	if len(late) == 0 {
		return
	}
	slices.SortFunc(late, func(a, b Purchase) int { return f.compare(p, &a, &b) })
	for k := len(list) - 1; len(late) > 0; k-- {
		if last := &late[len(late)-1]; n > 0 && f.compare(p, &list[n-1], last) > 0 {
			n--
			list[k] = list[n]
		} else {
			list[k] = *last
			late = late[:len(late)-1]
		}
	}
}

// compare compares the times of two purchases, then their orders.
func (f *folder) compare(p int, a, b *Purchase) int {
	if a.At != b.At {
		return cmp.Compare(a.At, b.At)
	}
	dims := len(f.l.rules.Dimensions)
	source, id := orderOf(f.row(p, a.ref), dims)
	other, otherID := orderOf(f.row(p, b.ref), dims)
	return cmp.Or(cmp.Compare(source, other), bytes.Compare(id, otherID))
}
