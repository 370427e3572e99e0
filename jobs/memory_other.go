//go:build !linux

package jobs

// machineMemory is 0: not known.
func machineMemory() int64 { return 0 }
