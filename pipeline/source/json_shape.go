package source

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
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
	before []byte // with room for stepWord bytes
	slot   int    // of the scalar among those found
	mask   uint32 // a bit for each byte of before, 0 if they are more than stepWord
	last   uint32 // length of the text that was there in the last line
	length uint32 // that is expected: as in the last two lines
	closes bool   // before only ends objects and lists, and no scalar follows
	plain  bool   // before is a comma and a key: without the step a line has the same nesting
}

// noLength is that of no text.
const noLength = ^uint32(0)

// stepWord is how many bytes matchSteps compares.
const stepWord = 32

// begin starts a new shape.
func (h *jsonShape) begin() { h.steps, h.other = h.steps[:0], 0 }

// add adds a scalar that follows before.
func (h *jsonShape) add(before []byte, slot int) {
	if n := len(before) - len(bytes.TrimLeft(before, "}]")); n > 0 { // apart, so that the key behind may be missing
		h.step(before[:n], slot).closes = true
		before = before[n:]
	}
	step := h.step(before, slot)
	step.plain = len(before) > 0 && before[0] == ',' && bytes.Count(before, []byte{'"'}) == 2 && !bytes.ContainsAny(before, "{}[]")
}

func (h *jsonShape) step(before []byte, slot int) *jsonStep {
	n := len(h.steps)
	if n == cap(h.steps) {
		h.steps = append(h.steps, jsonStep{})
	}
	h.steps = h.steps[:n+1]
	step := &h.steps[n]
	*step = jsonStep{before: append(slices.Grow(step.before[:0], max(len(before), stepWord)), before...), slot: slot, last: noLength, length: noLength}
	if len(before) <= stepWord {
		step.mask = uint32(uint64(1)<<len(before) - 1)
	}
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

// scanShape reads the line that begins at a place into found, false where it has another
// shape, or something in it is for scan to judge. Keys may be missing.
func (s *jsonScanner) scanShape(i int) bool {
	steps := s.shape.steps
	fast := hasMatchSteps && cap(s.line)-len(s.line) >= stepsRoom
	for k := 0; k < len(steps); k++ {
		if fast {
			done, place, other := matchSteps(&s.line[0], i, len(s.line), &steps[k], len(steps)-k, &s.found[0])
			if other != 0 {
				s.other |= tops
			}
			if k, i = k+done, place; k == len(steps) {
				break
			}
		}
		var ok bool
		if i, ok = s.step(&steps[k], i); !ok {
			return false
		}
	}
	return string(s.line[i:]) == string(s.shape.tail)
}

// step reads what one step of the shape stands for.
func (s *jsonScanner) step(step *jsonStep, i int) (end int, ok bool) {
	line := s.line
	at := i + len(step.before)
	if at >= len(line) || string(line[i:at]) != string(step.before) {
		return i, step.plain
	}
	if step.closes {
		return at, true
	}
	v := jsonValue{from: uint32(at)}
	switch line[at] {
	case '"':
		end = s.textEnd(line, at+1)
		if end < len(line) && line[end] == '"' {
			v = jsonValue{uint32(at + 1), uint32(end)}
			end++
			break
		}
		var escaped bool
		if end, escaped, ok = s.text(at); !ok || escaped && step.slot < len(s.found)-1 {
			return at, false
		}
		s.other |= tops // nobody has looked
	case 'n':
		if !bytes.HasPrefix(line[at:], []byte("null")) {
			return at, false
		}
		v, end = jsonValue{}, at+4
	case 't', 'f':
		for _, word := range [...]string{"true", "false"} {
			if bytes.HasPrefix(line[at:], []byte(word)) {
				end = at + len(word)
			}
		}
		if v.to = uint32(end); end == 0 {
			return at, false
		}
	default:
		if end, ok = number(line, at); !ok {
			return at, false
		}
		v.to = uint32(end)
	}
	s.found[step.slot] = v
	return end, true
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
