package jobs

import (
	"fmt"
	"math"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/cohortline/cohortline/transforms"
)

// MemoryError says that a run needs more memory than it may use.
type MemoryError struct{ Message string }

func (e *MemoryError) Error() string { return e.Message }

// MiB is 2^20 bytes.
const MiB = 1 << 20

// memory is how a run divides what it may use.
type memory struct {
	total int64 // bytes; 0: no limit
	rows  int64 // for the rows of the ledger, which live outside the heap
	need  int64 // the least that a run over these inputs can do with
}

// planMemory divides the memory of a run that expects so many rows.
func planMemory(total, rows int64, threads int) (memory, error) {
	if total == 0 {
		total = machineMemory() / 4
	}
	m := memory{total: total, rows: total * 3 / 8, need: transforms.LeastMemory(rows, threads)}
	if total > 0 && total < m.need {
		return m, &MemoryError{fmt.Sprintf("about %d rows on %d threads need %s of memory, --memory allows %s\nallow more, or use fewer --threads", rows, threads, FormatBytes(m.need), FormatBytes(total))}
	}
	return m, nil
}

// sweep is what a backfill may use of the heap for what changes between its dates, 0 where
// there is no limit.
func (m *memory) sweep() int64 { return (m.total - m.rows) / 2 }

// limitHeap lets the garbage collector keep the heap within its share; undo takes that back.
// Within it the collector works less often than it would: most of what a run holds lies
// outside the heap, which is small and soon full again.
func (m *memory) limitHeap() (undo func()) {
	limit, percent := int64(math.MaxInt64), 100
	if m.total > 0 {
		limit, percent = m.total-m.rows, 300
	}
	limitBefore, percentBefore := debug.SetMemoryLimit(limit), debug.SetGCPercent(percent)
	return func() {
		debug.SetMemoryLimit(limitBefore)
		debug.SetGCPercent(percentBefore)
	}
}

// ParseBytes reads a size such as 256MiB, 2GiB, 500MB or a number of bytes.
func ParseBytes(s string) (int64, error) {
	text := strings.TrimSpace(s)
	unit := int64(1)
	for _, u := range []struct {
		name string
		size int64
	}{{"KiB", 1 << 10}, {"MiB", MiB}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}} {
		if len(text) > len(u.name) && strings.EqualFold(text[len(text)-len(u.name):], u.name) {
			text, unit = strings.TrimSpace(text[:len(text)-len(u.name)]), u.size
			break
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	if v := n * float64(unit); err == nil && v >= 1 && v < math.MaxInt64 {
		return int64(v), nil
	}
	return 0, fmt.Errorf("%q is no size: write 256MiB, 2GiB or a number of bytes", s)
}

// FormatBytes writes a size in MiB, rounded up.
func FormatBytes(n int64) string { return fmt.Sprintf("%d MiB", (n+MiB-1)/MiB) }
