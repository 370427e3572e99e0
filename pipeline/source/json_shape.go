package source

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// jsonShape is what the lines of an export have in common: everything but the scalars. A
// line of the same shape is read by comparing what stands between its scalars, without
// looking at keys and nesting again.
type jsonShape struct {
	steps []jsonStep
	tail  []byte // behind the last scalar
	other byte   // all bytes of the above, to know whether one is not ASCII
}

// jsonStep is a scalar of a shape and what stands before it.
type jsonStep struct {
	before []byte
	column int  // wanted, -1: none
	closes bool // before only ends objects and lists, and no scalar follows
	plain  bool // before is a comma and a key: without the step a line has the same nesting
}

// begin starts a new shape.
func (h *jsonShape) begin() { h.steps, h.other = h.steps[:0], 0 }

// add adds a scalar that follows before.
func (h *jsonShape) add(before []byte, column int) {
	if n := len(before) - len(bytes.TrimLeft(before, "}]")); n > 0 { // apart, so that the key behind may be missing
		h.step(before[:n], -1).closes = true
		before = before[n:]
	}
	step := h.step(before, column)
	step.plain = len(before) > 0 && before[0] == ',' && bytes.Count(before, []byte{'"'}) == 2 && !bytes.ContainsAny(before, "{}[]")
}

func (h *jsonShape) step(before []byte, column int) *jsonStep {
	n := len(h.steps)
	if n == cap(h.steps) {
		h.steps = append(h.steps, jsonStep{})
	}
	h.steps = h.steps[:n+1]
	step := &h.steps[n]
	*step = jsonStep{before: append(step.before[:0], before...), column: column}
	for _, c := range before {
		h.other |= c
	}
	return step
}

// end adds what follows the last scalar.
func (h *jsonShape) end(tail []byte) {
	h.tail = append(h.tail[:0], tail...)
	for _, c := range tail {
		h.other |= c
	}
}

// scanShape reads a line of the shape into found, false where it has another one, or
// something in it is for scan to judge. Keys may be missing.
func (s *jsonScanner) scanShape(line []byte) bool {
	i := 0
	steps := s.shape.steps
	for k := range steps {
		step := &steps[k]
		end := i + len(step.before)
		if end >= len(line) || string(line[i:end]) != string(step.before) {
			if step.plain {
				continue
			}
			return false
		}
		if i = end; step.closes {
			continue
		}
		v := jsonValue{from: uint32(i), there: true}
		switch line[i] {
		case '"':
			i = s.textEnd(line, i+1)
			if i < len(line) && line[i] == '"' {
				v.from, v.to = v.from+1, uint32(i)
				i++
				break
			}
			var escaped, ok bool
			if i, escaped, ok = s.text(int(v.from)); !ok || escaped && step.column >= 0 {
				return false
			}
			s.other |= tops // nobody has looked
		case 'n':
			if !bytes.HasPrefix(line[i:], []byte("null")) {
				return false
			}
			i += 4
			v.there = false
		case 't', 'f':
			for _, word := range [...]string{"true", "false"} {
				if bytes.HasPrefix(line[i:], []byte(word)) {
					i += len(word)
				}
			}
			if v.to = uint32(i); v.to == v.from {
				return false
			}
		default:
			var ok bool
			if i, ok = number(line, i); !ok {
				return false
			}
			v.to = uint32(i)
		}
		if step.column >= 0 {
			s.found[step.column] = v
		}
	}
	return string(line[i:]) == string(s.shape.tail)
}

// textEnd is the place of the first quote, backslash or control character from i on, or
// the end; it notes bytes that are not ASCII.
func (s *jsonScanner) textEnd(b []byte, i int) int {
	other := uint64(0)
	for ; i+8 <= len(b); i += 8 {
		v := binary.LittleEndian.Uint64(b[i:])
		x, y := v^(ones*'"'), v^(ones*'\\')
		if found := ((x-ones)&^x | (y-ones)&^y | (v-ones*' ')&^v) & tops; found != 0 {
			at := bits.TrailingZeros64(found)
			s.other |= other | v&(1<<at-1)
			return i + at/8
		}
		other |= v
	}
	for ; i < len(b) && b[i] != '"' && b[i] != '\\' && b[i] >= ' '; i++ {
		other |= uint64(b[i])
	}
	s.other |= other
	return i
}
