package source

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// limitAddressSpace makes a process that asks for absurd amounts of memory fail at once.
func limitAddressSpace(t *testing.T, bytes uint64) {
	if err := unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: bytes, Max: bytes}); err != nil {
		t.Fatal(err)
	}
}

// peakMemory is the most resident memory that this process has had.
func peakMemory(t *testing.T) int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	var kilobytes int64
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			for _, c := range rest {
				if c >= '0' && c <= '9' {
					kilobytes = kilobytes*10 + int64(c-'0')
				}
			}
		}
	}
	return kilobytes << 10
}
