package source

import "encoding/binary"

// blockBytes is the number of bytes that one set of marks describes.
const blockBytes = 64

// marks says which bytes of a block of text are of interest: bit i is byte i. Readers of
// text look at the bits, of which there are few, and not at the bytes.
type marks struct {
	a, b, c uint64 // bytes equal to a, b and c of the markers
	odd     uint64 // bytes below the limit, and bytes that are not ASCII
}

// markers are the bytes to be marked, each repeated eight times.
type markers struct{ a, b, c, limit uint64 }

const (
	ones = 0x0101010101010101
	tops = 0x8080808080808080
)

// newMarkers prepares the marking of three bytes, and of those below limit, which is at
// most 0x80.
func newMarkers(a, b, c, limit byte) markers {
	return markers{ones * uint64(a), ones * uint64(b), ones * uint64(c), ones * uint64(limit)}
}

// markPortably is mark for processors without an implementation of their own: eight
// bytes at a time. text holds len(to) blocks.
func markPortably(to []marks, text []byte, m *markers) {
	for i := range to {
		block := text[i*blockBytes : (i+1)*blockBytes]
		var x marks
		for k := 0; k < blockBytes; k += 8 {
			v := binary.LittleEndian.Uint64(block[k:])
			x.a |= gather(zeros(v^m.a)) << k
			x.b |= gather(zeros(v^m.b)) << k
			x.c |= gather(zeros(v^m.c)) << k
			low := v&^tops | tops // a byte keeps its upper bit when limit is subtracted and it is not below
			x.odd |= gather((^(low-m.limit)|v)&tops) << k
		}
		to[i] = x
	}
}

// zeros has the upper bit of every byte of v that is zero, and no other bit.
func zeros(v uint64) uint64 { return ^((v&^tops + ^uint64(tops)) | v | ^uint64(tops)) }

// gather moves the upper bits of the eight bytes together.
func gather(v uint64) uint64 { return (v >> 7) * 0x0102040810204080 >> 56 }
