package source

import "golang.org/x/sys/cpu"

// stepsRoom is how many bytes behind the text matchSteps may read.
const stepsRoom = 32

// hasMatchSteps says whether the processor has what matchSteps needs.
var hasMatchSteps = cpu.X86.HasAVX2

// matchSteps reads text[at:end] by the first of n steps, as far as their values are texts
// without escapes, nulls and numbers without exponent, and stands before them what should.
// It returns how many steps it has done and the place behind them, and other than 0 if a
// byte of the texts is not ASCII. It is written in assembly: AVX2 compares 32 bytes at a time.
//
//go:noescape
func matchSteps(text *byte, at, end int, steps *jsonStep, n int, found *jsonValue) (done, place int, other uint32)
