package transforms

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"sync"
)

// A customer key is what identity works with: one byte for the rank of the id's
// namespace, then the id, so that comparing keys compares (namespace, id). Customers
// known by e-mail only have mailRank and the published id.
const mailRank = 0xff

// MaxNamespaces is the number of namespaces a run can hold.
const MaxNamespaces = mailRank

// Kinds of rows in the links store; the e-mail follows.
const (
	linkPair  = 'p' // then the instant of the order that says so, and a customer key: this id and this e-mail are one customer
	linkGuest = 'g' // then a row with an empty key
)

// appendPair appends a row of the links store: an order of an instant says that this e-mail
// and this key are one customer.
func appendPair(d, mail, key []byte, ordered int64) []byte {
	d = appendText(append(d, linkPair), mail)
	d = binary.LittleEndian.AppendUint64(d, uint64(ordered))
	return append(d, key...)
}

// pairOf are the e-mail, instant and key of a row that appendPair has made.
func pairOf(row []byte) (mail []byte, ordered int64, key []byte) {
	r := reader(row[1:])
	mail = r.text()
	return mail, int64(binary.LittleEndian.Uint64(r)), r[8:]
}

// namespaceRanks gives each source the rank of its namespace among all, bytewise.
func namespaceRanks(namespaces []string) []byte {
	sorted := slices.Compact(slices.Sorted(slices.Values(namespaces)))
	ranks := make([]byte, len(namespaces))
	for i, n := range namespaces {
		k, _ := slices.BinarySearch(sorted, n)
		ranks[i] = byte(k)
	}
	return ranks
}

// publishedID is the customer_id of a key.
func (l *Ledger) publishedID(key []byte, buf []byte) []byte {
	if key[0] == mailRank || !l.several {
		return append(buf, key[1:]...)
	}
	buf = append(buf, l.namespaces[key[0]]...)
	buf = append(buf, ':')
	return append(buf, key[1:]...)
}

// mailKey is the key of a customer known by this e-mail only. The address itself is
// never kept.
func (l *Ledger) mailKey(mail []byte) []byte {
	var sum []byte
	if len(l.rules.PrivacyKey) > 0 {
		h := hmac.New(sha256.New, l.rules.PrivacyKey)
		h.Write(mail)
		sum = h.Sum(nil)
	} else {
		s := sha256.Sum256(mail)
		sum = s[:]
	}
	return append([]byte{mailRank, 'e', '-'}, hex.EncodeToString(sum[:16])...)
}

// identify connects ids that share an e-mail, gives guests to the customer of their
// e-mail, and moves the purchases of ids that turned out to be part of another
// customer. Only ids that share an e-mail with another id are ever held together in
// memory; all others stay in their partitions.
func (l *Ledger) identify() error {
	if len(l.rules.Dates) > 0 {
		return l.identifyByDate()
	}
	unions := unionFind{parent: make(map[string]string)}
	err := l.parallel(len(l.links.parts), func(next func() (int, bool)) error {
		w := linker{l: l, unions: &unions, rows: l.rows.writer()}
		if err := l.links.drain(next, w.partition); err != nil {
			return err
		}
		w.rows.close()
		l.mu.Lock()
		defer l.mu.Unlock()
		l.counts.LargestIDsPerKey = max(l.counts.LargestIDsPerKey, w.largest)
		return nil
	})
	if err != nil {
		return err
	}
	l.linked = unions.roots()
	l.counts.LinkedIDs = int64(len(l.linked))
	if len(l.linked) == 0 {
		return nil
	}
	l.mark(l.linked)
	return l.moveLinked()
}

// mark notes the keys of a map as those whose rows may count for another customer.
func (l *Ledger) mark(keys map[string]string) {
	if l.linkedBy == nil {
		l.linkedBy = make(map[uint32]struct{}, len(keys))
	}
	for k := range keys {
		l.linkedBy[tail(hashKey([]byte(k)), l.shift)] = struct{}{}
	}
}

// owner is the key of the customer that the key of a row is part of, and whether that is
// another one.
func (l *Ledger) owner(row []byte) (string, bool) {
	if len(l.linkedBy) == 0 {
		return "", false
	}
	if _, ok := l.linkedBy[ownerTail(row)]; !ok {
		return "", false
	}
	root, ok := l.linked[string(keyOf(row))]
	return root, ok
}

// isMoved says whether a row counts for another customer than its key says.
func (l *Ledger) isMoved(row []byte) bool {
	if _, moved := l.owner(row); moved {
		return true
	}
	return l.groups != nil && l.groups.first(l, row) != noGroup
}

// moveLinked copies the purchases of linked ids to the partition of their customer;
// Fold passes over the originals.
func (l *Ledger) moveLinked() error {
	return l.parallel(len(l.rows.parts), func(next func() (int, bool)) error {
		w, grouped := l.moved.writer(), l.grouped.writer()
		var repeated keyFilter
		var buf []byte
		for {
			p, ok := next()
			if !ok {
				break
			}
			if err := repeated.fill(l.repeated, p); err != nil {
				return err
			}
			if err := l.rows.scan(p, func(row []byte) {
				if row[rowFlags]&flagCounts == 0 || void(row, &repeated) {
					return
				}
				if l.groups != nil && l.groups.copyRow(l, row, grouped) {
					return
				}
				if root, ok := l.owner(row); ok {
					hash := hashKey([]byte(root))
					buf = appendWithKey(buf[:0], row, []byte(root), tail(hash, l.shift), len(l.rules.Dimensions))
					w.put(l.partition(hash), buf)
				}
			}); err != nil {
				return err
			}
		}
		w.close()
		grouped.close()
		return nil
	})
}

// linker is one worker of identify.
type linker struct {
	l       *Ledger
	unions  *unionFind
	rows    *rowWriter
	largest int64

	table []uint32 // open addressing: index into mails + 1
	mails []mailbox
	row   []byte
}

// mailbox is one e-mail and the keys of the ids that use it.
type mailbox struct {
	hash uint64
	mail []byte
	key  []byte   // the first one seen
	more [][]byte // the others
}

func (w *linker) partition(p int) {
	w.mails = w.mails[:0]
	if len(w.table) == 0 {
		w.table = make([]uint32, 1<<10)
	}
	clear(w.table)
	guests := false
	w.l.links.each(p, func(_ uint64, row []byte) {
		if row[0] != linkPair {
			guests = true
			return
		}
		mail, _, key := pairOf(row)
		w.pair(mail, key)
	})
	for i := range w.mails {
		m := &w.mails[i]
		w.largest = max(w.largest, int64(1+len(m.more)))
		for _, k := range m.more {
			w.unions.union(m.key, k)
		}
	}
	if guests {
		w.guests(p)
	}
}

// find is the index of an e-mail in mails, or −1 and the free place of the table.
func (w *linker) find(mail []byte, hash uint64) (int, uint32) {
	mask := uint32(len(w.table) - 1)
	i := uint32(hash) & mask
	for w.table[i] != 0 {
		k := int(w.table[i] - 1)
		if m := &w.mails[k]; m.hash == hash && bytes.Equal(m.mail, mail) {
			return k, i
		}
		i = (i + 1) & mask
	}
	return -1, i
}

func (w *linker) pair(mail, key []byte) {
	hash := hashMail(mail)
	k, free := w.find(mail, hash)
	if k >= 0 {
		m := &w.mails[k]
		if bytes.Equal(m.key, key) || slices.ContainsFunc(m.more, func(x []byte) bool { return bytes.Equal(x, key) }) {
			return
		}
		m.more = append(m.more, key)
		return
	}
	w.mails = append(w.mails, mailbox{hash: hash, mail: mail, key: key})
	w.table[free] = uint32(len(w.mails))
	if 2*len(w.mails) > len(w.table) {
		w.table = rehash(w.table, len(w.mails), func(k int) uint64 { return w.mails[k].hash })
	}
}

// guests gives every guest purchase of the partition to the customer of its e-mail.
func (w *linker) guests(p int) {
	w.l.links.each(p, func(_ uint64, row []byte) {
		if row[0] != linkGuest {
			return
		}
		r := reader(row[1:])
		mail := r.text()
		k, _ := w.find(mail, hashMail(mail))
		var key []byte
		if k >= 0 {
			key = w.mails[k].key
		} else {
			key = w.l.mailKey(mail)
		}
		hash := hashKey(key)
		w.row = appendWithKey(w.row[:0], r, key, tail(hash, w.l.shift), len(w.l.rules.Dimensions))
		w.rows.put(w.l.partition(hash), w.row)
	})
}

// unionFind holds the ids that share an e-mail with another id. The root of a group is
// its smallest key, so the result does not depend on the order of the unions.
type unionFind struct {
	mu     sync.Mutex
	parent map[string]string
}

func (u *unionFind) union(a, b []byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	x, y := u.find(string(a)), u.find(string(b))
	if x == y {
		return
	}
	if y < x {
		x, y = y, x
	}
	u.parent[x], u.parent[y] = x, x
}

func (u *unionFind) find(k string) string {
	root := k
	for {
		p, ok := u.parent[root]
		if !ok || p == root {
			break
		}
		root = p
	}
	for k != root { // compress the path
		next := u.parent[k]
		u.parent[k] = root
		k = next
	}
	return root
}

// roots maps every key that is not the root of its group to the root.
func (u *unionFind) roots() map[string]string {
	m := make(map[string]string)
	for k := range u.parent {
		if r := u.find(k); r != k {
			m[k] = r
		}
	}
	return m
}
