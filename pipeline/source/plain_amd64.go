package source

import "golang.org/x/sys/cpu"

// hasCutBlocks says whether the processor has what cutBlocks needs.
var hasCutBlocks = cpu.X86.HasAVX2 && cpu.X86.HasBMI1 && cpu.X86.HasPOPCNT

// cutBlocks cuts blocks without quotes into fields and rows of two fields or more. It
// stops before a block with anything else. It is written in assembly: AVX2 compares 32
// bytes at a time.
//
//go:noescape
func cutBlocks(c *plainCut)
