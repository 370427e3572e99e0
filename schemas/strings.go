package schemas

import (
	"slices"
	"sync"
)

// Strings is a column of byte strings: value i is Data[Start[i]:End[i]]. Several
// values may share bytes, and values need not lie in order.
type Strings struct {
	Data       []byte
	Start, End []uint32
}

// At returns value i; it aliases Data.
func (s *Strings) At(i int) []byte { return s.Data[s.Start[i]:s.End[i]:s.End[i]] }

// Append adds a copy of b as the next value.
func (s *Strings) Append(b []byte) {
	s.Start = append(s.Start, uint32(len(s.Data)))
	s.Data = append(s.Data, b...)
	s.End = append(s.End, uint32(len(s.Data)))
}

// Reset forgets all values and keeps the memory.
func (s *Strings) Reset() { s.Data, s.Start, s.End = s.Data[:0], s.Start[:0], s.End[:0] }

// Intern gives equal strings equal small codes. It is shared by all workers of a
// run; codes depend on arrival order and therefore never reach an output.
type Intern struct {
	mu     sync.RWMutex
	values []string
	index  map[string]uint32
}

// NewIntern returns a table that already holds the given values as codes 0, 1, …
func NewIntern(values ...string) *Intern {
	t := &Intern{index: make(map[string]uint32)}
	for _, v := range values {
		t.Code([]byte(v))
	}
	return t
}

// Code returns the code of b, giving it the next one if it is new.
func (t *Intern) Code(b []byte) uint32 {
	t.mu.RLock()
	c, ok := t.index[string(b)]
	t.mu.RUnlock()
	if ok {
		return c
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if c, ok := t.index[string(b)]; ok {
		return c
	}
	c = uint32(len(t.values))
	s := string(b)
	t.values = append(t.values, s)
	t.index[s] = c
	return c
}

// Values returns the strings so far, indexed by code. It is a snapshot.
func (t *Intern) Values() []string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Clone(t.values)
}
