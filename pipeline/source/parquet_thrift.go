package source

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
)

// guardThrift walks a value of the compact protocol and refuses a list that claims more
// items than there are bytes, and a value that takes more memory than there is: the
// library would make room for them first.
func guardThrift(b []byte) error {
	w := thriftWalk{room: metadataRoom()}
	_, err := w.skipStruct(b, 0)
	return err
}

// What the library needs for a value: its structures are wide, whatever they hold.
const (
	structBytes = 256
	itemBytes   = 24
)

// metadataRoom is how much memory the description of one file may take.
func metadataRoom() int64 { return min(maxMetadata, debug.SetMemoryLimit(-1)/2) }

// thriftWalk skips values of the compact protocol.
type thriftWalk struct {
	room int64 // bytes of memory left for them
}

var errThrift = errors.New("it is cut off or damaged")

// take accounts for memory.
func (w *thriftWalk) take(n int64) error {
	if w.room -= n; w.room < 0 {
		return &memoryError{fmt.Sprintf("to describe so many columns and row groups takes more than %d MiB of memory", metadataRoom()>>20)}
	}
	return nil
}

func (w *thriftWalk) skipStruct(b []byte, depth int) ([]byte, error) {
	if depth > 32 {
		return nil, errThrift
	}
	if err := w.take(structBytes); err != nil {
		return nil, err
	}
	for {
		if len(b) == 0 {
			return nil, errThrift
		}
		field := b[0]
		b = b[1:]
		if field == 0 {
			return b, nil
		}
		if field>>4 == 0 { // the field's number follows
			_, n := binary.Uvarint(b)
			if n <= 0 {
				return nil, errThrift
			}
			b = b[n:]
		}
		if kind := field & 15; kind > 2 { // the values of booleans are in their kind
			var err error
			if b, err = w.skipThrift(b, kind, depth); err != nil {
				return nil, err
			}
		}
	}
}

// skipThrift skips one value that is not a boolean field.
func (w *thriftWalk) skipThrift(b []byte, kind byte, depth int) ([]byte, error) {
	uvarint := func() (uint64, bool) {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return 0, false
		}
		b = b[n:]
		return v, true
	}
	items := func(n uint64, kinds ...byte) (_ []byte, err error) {
		if n > uint64(len(b)) {
			return nil, fmt.Errorf("a list claims %d items, %d bytes are left", n, len(b))
		}
		for range n {
			for _, k := range kinds {
				if err = w.take(itemBytes); err != nil {
					return nil, err
				}
				if b, err = w.skipThrift(b, k, depth+1); err != nil {
					return nil, err
				}
			}
		}
		return b, nil
	}
	size := uint64(0)
	switch kind {
	case 1, 2, 3: // a boolean in a list, a byte
		size = 1
	case 4, 5, 6: // integers
		if _, ok := uvarint(); !ok {
			return nil, errThrift
		}
	case 7: // double
		size = 8
	case 8: // bytes
		n, ok := uvarint()
		if !ok {
			return nil, errThrift
		}
		size = n
	case 9, 10: // list, set
		if len(b) == 0 || depth > 32 {
			return nil, errThrift
		}
		n, item := uint64(b[0]>>4), b[0]&15
		b = b[1:]
		if n == 15 {
			var ok bool
			if n, ok = uvarint(); !ok {
				return nil, errThrift
			}
		}
		return items(n, item)
	case 11: // map
		n, ok := uvarint()
		if !ok || depth > 32 {
			return nil, errThrift
		}
		if n == 0 {
			return b, nil
		}
		if len(b) == 0 {
			return nil, errThrift
		}
		kinds := b[0]
		b = b[1:]
		return items(n, kinds>>4, kinds&15)
	case 12:
		return w.skipStruct(b, depth+1)
	default:
		return nil, errThrift
	}
	if size > uint64(len(b)) {
		return nil, errThrift
	}
	return b[size:], nil
}
