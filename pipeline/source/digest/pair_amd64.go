package digest

import "golang.org/x/sys/cpu"

// hasPairs says whether the processor has the SHA extensions (leaf 7 of CPUID, bit 29 of
// EBX), and the shuffles that go with them.
var hasPairs = cpu.X86.HasSSSE3 && cpu.X86.HasSSE41 && highestLeaf() >= 7 && features(7)&(1<<29) != 0

// sumPair takes the same number of whole blocks of two texts into their states.
func sumPair(a, b *state, textA, textB []byte) {
	n := len(textA) / blockSize
	if n == 0 {
		return
	}
	_ = textB[n*blockSize-1]
	sumBlocks((*[8]uint32)(a), (*[8]uint32)(b), &textA[0], &textB[0], n)
}

// sumBlocks is written in assembly.
//
//go:noescape
func sumBlocks(a, b *[8]uint32, textA, textB *byte, blocks int)

func features(leaf uint32) (b uint32)

func highestLeaf() uint32
