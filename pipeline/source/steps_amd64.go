package source

// stepsRoom is how many bytes behind the text matchSteps may read.
const stepsRoom = 32

// matchSteps reads text[at:end] by the first of n steps, as far as their values are texts
// without escapes and nulls, and stands before them what should. It returns how many
// steps it has done and the place behind them, and other than 0 if a byte of the texts is
// not ASCII. It is written in assembly: SSE2 compares sixteen bytes at a time.
//
//go:noescape
func matchSteps(text *byte, at, end int, steps *jsonStep, n int, found *jsonValue) (done, place int, other uint32)
