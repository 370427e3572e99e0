package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestPeakMemory runs two million orders in a process that may use less than the rows take,
// inside a control group where the system lets the test make one: the peak stays within
// the limit and what the program itself is, and the tables are those of a run without one. Without a
// limit the same run takes more, or the test would prove nothing.
func TestPeakMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("two million orders take long under the race detector")
	}
	dir := t.TempDir()
	// in a process of its own: the peak of a child counts that of the process it was forked from
	start(t, own(t, "generate", "--orders", "2000000", "--seed", "3", "--files", "2", "--dir", dir))
	config := filepath.Join(dir, "cohortline.yaml")
	text := "version: 1\nreporting: {timezone: UTC, currency: EUR, grains: [month]}\nsources: [{table: orders, name: shop, path: 'orders-*.csv'}]\n" +
		"dimensions: [channel]\noutput: {path: out, tables: [customers, cohort_retention]}\n"
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	free, want := peakOf(t, dir, config, 0)
	const limit = 128 << 20
	peak, got := peakOf(t, dir, config, limit)
	t.Logf("peak %d MiB without a limit, %d MiB with one of %d MiB", free>>20, peak>>20, limit>>20)
	if peak > limit+besides {
		t.Errorf("peak %d MiB with --memory 128MiB", peak>>20)
	}
	if free <= limit+besides {
		t.Errorf("a run without a limit takes %d MiB: the test proves nothing", free>>20)
	}
	if got != want || got == "" {
		t.Errorf("tables differ:\n%s\n%s", want, got)
	}
}

// besides is what the program takes besides what --memory counts: its own code, and what
// the runtime has not given back yet.
const besides = 96 << 20

// peakOf runs the program with a memory limit, 0 for none, and returns its peak resident
// memory in bytes and what it has written.
func peakOf(t *testing.T, dir, config string, limit int64) (peak int64, tables string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	args := []string{"run", "--quiet", "--config", config, "--as-of", "2025-01-01", "--temp-dir", dir, "--threads", "2"}
	if limit > 0 {
		args = append(args, "--memory", strconv.FormatInt(limit, 10))
	}
	cmd := own(t, args...)
	if limit > 0 {
		if group := controlGroup(t, limit+besides); group != "" {
			shell := fmt.Sprintf("echo $$ > %s/cgroup.procs && exec -a cohortline %s \"$@\"", group, cmd.Path)
			cmd = exec.Command("bash", append([]string{"-c", shell, "bash"}, args...)...)
		}
	}
	start(t, cmd)
	for _, table := range []string{"customers", "cohort_retention"} {
		data, err := os.ReadFile(filepath.Join(dir, "out/tables", table, "as_of=2025-01-01/part-00000.parquet"))
		if err != nil {
			t.Fatal(err)
		}
		tables += fmt.Sprintf("%s %x\n", table, sha256.Sum256(data))
	}
	return cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10, tables
}

// own is this program as a process.
func own(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Args[0] = "cohortline"
	return cmd
}

func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// controlGroup makes a group whose processes may use so much memory; empty where the
// system does not let it. The kernel ends who uses more.
func controlGroup(t *testing.T, bytes int64) string {
	t.Helper()
	for _, g := range []struct{ root, file string }{{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "memory.max"}} {
		dir := filepath.Join(g.root, "cohortline-test-"+strconv.Itoa(os.Getpid()))
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		if os.WriteFile(filepath.Join(dir, g.file), []byte(strconv.FormatInt(bytes, 10)), 0o644) == nil {
			t.Cleanup(func() {
				if err := os.Remove(dir); err != nil {
					t.Error(err)
				}
			})
			return dir
		}
		if err := os.Remove(dir); err != nil && !strings.Contains(err.Error(), "busy") {
			t.Error(err)
		}
	}
	t.Log("no control group can be made here: the peak is measured, not enforced")
	return ""
}
