//go:build !amd64

package digest

// hasPairs is false: there are only the texts of crypto/sha256, one at a time.
const hasPairs = false

func sumPair(_, _ *state, _, _ []byte) { panic("digest: pairs of texts are for other processors") }
