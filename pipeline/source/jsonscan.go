package source

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// jsonScanner reads the wanted scalars of plain JSON objects: what exports hold line by
// line. It accepts only what it understands entirely; lines with anything else (an escape
// in a wanted text or in a key, a wanted list, a mistake) are for encoding/json to judge.
type jsonScanner struct {
	root   *jsonNode
	wanted int         // columns
	found  []jsonValue // by wanted column, and one for all other scalars
	line   []byte      // ends with the line
	serial int         // of the line, to know which nodes it has visited
	shape  jsonShape   // of a line that has been read
	last   int         // the place behind the last scalar
	other  uint64      // of scanShape: all bytes of texts, to know whether one is not ASCII
}

// jsonNode is an object on the way to a wanted value.
type jsonNode struct {
	keys    []jsonKey
	next    int // the key that is likely to come next
	visited int // serial of the last line that has this object
}

// jsonKey is a key of an object that leads to wanted values.
type jsonKey struct {
	name   []byte
	column int // wanted, -1: none
	child  *jsonNode
}

// jsonValue is the place of a scalar in the text, behind its beginning; both are 0 where
// it is missing or null.
type jsonValue struct{ from, to uint32 }

func (v jsonValue) there() bool { return v.from > 0 }

func newJSONScanner(paths [][]string) *jsonScanner {
	s := &jsonScanner{wanted: len(paths), root: &jsonNode{}}
	for column, path := range paths {
		node := s.root
		for i, name := range path {
			k := node.index([]byte(name))
			if k < 0 {
				k = len(node.keys)
				node.keys = append(node.keys, jsonKey{name: []byte(name), column: -1})
			}
			key := &node.keys[k]
			if i == len(path)-1 {
				key.column = column
				break
			}
			if key.child == nil {
				key.child = &jsonNode{}
			}
			node = key.child
		}
	}
	return s
}

func (n *jsonNode) index(name []byte) int {
	for i := range n.keys {
		if bytes.Equal(n.keys[i].name, name) {
			return i
		}
	}
	return -1
}

// find is the key of that name, nil if nothing behind it is wanted. Lines tend to have
// their keys in the same order.
func (n *jsonNode) find(name []byte) *jsonKey {
	if n == nil || len(n.keys) == 0 {
		return nil
	}
	if k := n.next; k < len(n.keys) && bytes.Equal(n.keys[k].name, name) {
		n.next++
		return &n.keys[k]
	}
	k := n.index(name)
	if k < 0 {
		return nil
	}
	n.next = k + 1
	return &n.keys[k]
}

// maxJSONDepth is how deep objects may be nested to be read here.
const maxJSONDepth = 64

// scan reads the line text[from:to], false where it is not for this reader. found takes
// the places of the wanted scalars, and has one place more. ascii says that the texts of
// the line are ASCII, so that it is UTF-8 if it is one of those that are read.
func (s *jsonScanner) scan(text []byte, from, to int, found []jsonValue) (ascii, ok bool) {
	s.line, s.found, s.other = text[:to], found[:s.wanted+1], uint64(s.shape.other)
	clear(s.found)
	if len(s.shape.steps) > 0 && s.scanShape(from) {
		return s.other&tops == 0, true
	}
	return false, s.scanAny(from)
}

// scanAny reads the line of any shape that begins at a place. Its shape is the one to be
// expected from then on.
func (s *jsonScanner) scanAny(from int) bool {
	s.last = from
	s.serial++
	clear(s.found)
	s.shape.begin()
	i, ok := s.object(blank(s.line, from), s.root, 0)
	s.shape.end(s.line[s.last:])
	if ok = ok && blank(s.line, i) == len(s.line); !ok {
		s.shape.begin()
	}
	return ok
}

// blank is the place of the first byte from i on that is no white space.
func blank(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// object reads the object at i and returns the place behind it; node is nil where nothing
// of it is wanted.
func (s *jsonScanner) object(i int, node *jsonNode, depth int) (int, bool) {
	b := s.line
	if i >= len(b) || b[i] != '{' || depth > maxJSONDepth {
		return 0, false
	}
	if node != nil {
		if node.visited == s.serial { // the same key twice
			return 0, false
		}
		node.visited, node.next = s.serial, 0
	}
	if i = blank(b, i+1); i < len(b) && b[i] == '}' {
		return i + 1, true
	}
	for {
		end, escaped, ok := s.text(i)
		if !ok || escaped {
			return 0, false
		}
		key := node.find(b[i+1 : end-1])
		i = blank(b, end)
		if i >= len(b) || b[i] != ':' {
			return 0, false
		}
		if i, ok = s.value(blank(b, i+1), key, depth); !ok {
			return 0, false
		}
		if i = blank(b, i); i >= len(b) {
			return 0, false
		}
		switch b[i] {
		case '}':
			return i + 1, true
		case ',':
			i = blank(b, i+1)
		default:
			return 0, false
		}
	}
}

// value reads the value at i, of a key that leads to wanted values or nil.
func (s *jsonScanner) value(i int, key *jsonKey, depth int) (int, bool) {
	b := s.line
	if i >= len(b) {
		return 0, false
	}
	wanted := key != nil && key.column >= 0
	var v jsonValue
	var end int
	var ok bool
	switch c := b[i]; c {
	case '{', '[':
		if wanted || key != nil && c == '[' {
			return 0, false
		}
		if c == '[' {
			return s.list(i, depth+1)
		}
		var child *jsonNode
		if key != nil {
			child = key.child
		}
		return s.object(i, child, depth+1)
	case '"':
		var escaped bool
		if end, escaped, ok = s.text(i); !ok || escaped && wanted {
			return 0, false
		}
		v = jsonValue{uint32(i + 1), uint32(end - 1)}
	case 't', 'f', 'n':
		for _, word := range [...]string{"true", "false", "null"} {
			if bytes.HasPrefix(b[i:], []byte(word)) {
				end = i + len(word)
			}
		}
		if c != 'n' {
			v = jsonValue{uint32(i), uint32(end)}
		}
		ok = end > 0
	default:
		end, ok = number(b, i)
		v = jsonValue{uint32(i), uint32(end)}
	}
	if key != nil && key.child != nil && key.child.visited == s.serial { // it was an object before
		return 0, false
	}
	if !ok {
		return 0, false
	}
	slot := s.wanted
	if wanted {
		slot = key.column
	}
	s.found[slot] = v
	s.shape.add(b[s.last:i], slot)
	s.last = end
	return end, true
}

// list passes over the list at i.
func (s *jsonScanner) list(i, depth int) (int, bool) {
	b := s.line
	if depth > maxJSONDepth {
		return 0, false
	}
	if i = blank(b, i+1); i < len(b) && b[i] == ']' {
		return i + 1, true
	}
	for {
		var ok bool
		if i, ok = s.value(i, nil, depth); !ok {
			return 0, false
		}
		if i = blank(b, i); i >= len(b) {
			return 0, false
		}
		switch b[i] {
		case ']':
			return i + 1, true
		case ',':
			i = blank(b, i+1)
		default:
			return 0, false
		}
	}
}

// text passes over the text at i, which begins with a quote, and says whether it has
// escapes.
func (s *jsonScanner) text(i int) (end int, escaped, ok bool) {
	b := s.line
	if i >= len(b) || b[i] != '"' {
		return 0, false, false
	}
	for i++; ; i++ {
		i = plainEnd(b, i)
		if i == len(b) {
			return 0, false, false
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1, escaped, true
		case c < ' ':
			return 0, false, false
		case c == '\\':
			escaped = true
			if i++; i >= len(b) {
				return 0, false, false
			}
			switch b[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				for range 4 {
					if i++; i >= len(b) || !isHex(b[i]) {
						return 0, false, false
					}
				}
			default:
				return 0, false, false
			}
		}
	}
}

// plainEnd is the place of the first quote, backslash or control character from i on, or
// the end. It looks at eight bytes at a time, as fieldEnd does.
func plainEnd(b []byte, i int) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for i+8 <= len(b) {
		v := binary.LittleEndian.Uint64(b[i:])
		x, y := v^(ones*'"'), v^(ones*'\\')
		if found := ((x-ones)&^x | (y-ones)&^y | (v-ones*' ')&^v) & tops; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
		i += 8
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' && b[i] >= ' ' {
		i++
	}
	return i
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// number passes over the number at i.
func number(b []byte, i int) (int, bool) {
	digits := func() bool {
		from := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(b) && b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if !digits() {
		return 0, false
	}
	if i < len(b) && b[i] == '.' {
		if i++; !digits() {
			return 0, false
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return 0, false
		}
	}
	return i, true
}
