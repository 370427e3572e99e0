//go:build !linux

package source

import "testing"

func limitAddressSpace(*testing.T, uint64) {}

func peakMemory(*testing.T) int64 { return 0 }
