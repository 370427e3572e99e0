package transforms

import "github.com/zeebo/xxh3"

// hashOrder is the hash of an order's key.
func hashOrder(source uint16, id []byte) uint64 { return xxh3.HashSeed(id, uint64(source)) }

// hashID is the hash of the customer key of a namespace's rank and an id.
func hashID(rank byte, id []byte) uint64 { return xxh3.HashSeed(id, uint64(rank)) }

// hashKey is the hash of a customer key.
func hashKey(key []byte) uint64 { return hashID(key[0], key[1:]) }

func hashMail(mail []byte) uint64 { return xxh3.Hash(mail) }

// tail is what is kept of a hash where its partition is known: the 32 bits behind those
// that name the partition, of which shift are left.
func tail(hash uint64, shift uint) uint32 { return uint32(hash >> (shift - 32)) }
