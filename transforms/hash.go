package transforms

import (
	"encoding/binary"
	"math/bits"

	"github.com/zeebo/xxh3"
)

// Constants of wyhash (Wang Yi, final version 4): odd, with as many bits set as not.
const (
	wy0 = 0xa0761d6478bd642f
	wy1 = 0xe7037ed1a0b428db
)

// hashText is a 64-bit hash of a text. Nearly every id has 4 to 16 bytes: two loads and
// two multiplications, wyhash's way, take a third of the time that a call of xxh3 does.
func hashText(text []byte, seed uint64) uint64 {
	n := len(text)
	if n < 4 || n > 16 {
		return xxh3.HashSeed(text, seed)
	}
	step := n >> 3 << 2
	a := uint64(binary.LittleEndian.Uint32(text))<<32 | uint64(binary.LittleEndian.Uint32(text[step:]))
	b := uint64(binary.LittleEndian.Uint32(text[n-4:]))<<32 | uint64(binary.LittleEndian.Uint32(text[n-4-step:]))
	return mix(wy1^uint64(n), mix(a^wy1, b^seed^wy0))
}

// mix folds the product of two numbers.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// hashOrder is the hash of an order's key.
func hashOrder(source uint16, id []byte) uint64 { return hashText(id, uint64(source)) }

// hashKey is the hash of a customer key.
func hashKey(key []byte) uint64 { return hashText(key[1:], uint64(key[0])) }

func hashMail(mail []byte) uint64 { return hashText(mail, 0) }

// tail is what is kept of a hash where its partition is known: the 32 bits behind those
// that name the partition, of which shift are left.
func tail(hash uint64, shift uint) uint32 { return uint32(hash >> (shift - 32)) }
