package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/store"
)

// times is how often a test repeats itself: a few times by default, as often as an
// environment variable says for the figures of docs/guarantees.md.
func times(t *testing.T, variable string, otherwise int) int {
	n, err := strconv.Atoi(os.Getenv(variable))
	if err != nil {
		return otherwise
	}
	t.Logf("%s=%d", variable, n)
	return n
}

// process is the program itself, not yet started.
func (s *scene) process(args ...string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(exe, append([]string{args[0], "--config", filepath.Join(s.dir, "c.yaml")}, args[1:]...)...)
	cmd.Args[0] = "cohortline"
	return cmd
}

func (s *scene) read(name string) string {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}

// night is a scene with enough orders for a run to be caught at work.
func night(t *testing.T, orders int) *scene {
	s := newScene(t)
	var said strings.Builder
	dir := t.TempDir()
	if code := run(context.Background(), []string{"cohortline", "generate", "--orders", fmt.Sprint(orders), "--dir", dir}, strings.NewReader(""), &said, &said); code != 0 {
		t.Fatal(said.String())
	}
	data, err := os.ReadFile(filepath.Join(dir, "orders-000.csv"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("orders.csv", string(data))
	s.write("c.yaml", "version: 1\nreporting: {timezone: UTC, currency: EUR}\nsources: [{table: orders, path: orders.csv}]\ndimensions: [channel]\nchecks: {max_shrink: 1}\noutput: {path: night}\n")
	return s
}

// whole reads the result of a date by its manifest: a hash of every table but runs. It
// fails the test when a table is not what the manifest says. Nil: nothing is published.
func (s *scene) whole(date string) map[string]string {
	s.t.Helper()
	out, err := store.Open(s.t.Context(), filepath.Join(s.dir, "night"))
	if err != nil {
		s.t.Fatal(err)
	}
	m, err := pipeline.Current(s.t.Context(), out, "as_of="+date)
	if err != nil {
		s.t.Fatal(err)
	}
	if m == nil {
		return nil
	}
	tables := map[string]string{}
	for _, o := range m.Outputs {
		data, err := store.Read(s.t.Context(), out, o.Result)
		if err != nil {
			s.t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		if hex.EncodeToString(sum[:]) != o.SHA256 {
			s.t.Fatalf("%s is torn", o.Result)
		}
		if o.Table != "runs" {
			tables[o.Table] = o.SHA256
		}
	}
	return tables
}

// results counts the published results of a date.
func (s *scene) results(date string) int {
	s.t.Helper()
	out, err := store.Open(s.t.Context(), filepath.Join(s.dir, "night"))
	if err != nil {
		s.t.Fatal(err)
	}
	list, err := pipeline.Manifests(s.t.Context(), out)
	if err != nil {
		s.t.Fatal(err)
	}
	n := 0
	for _, m := range list {
		if m.Partition == "as_of="+date {
			n++
		}
	}
	return n
}

// TestKilled kills the program at random instants: a reader sees the old result or the new
// one, and the next run ends with the bytes of an undisturbed one.
func TestKilled(t *testing.T) {
	s := night(t, 30_000)
	kills := times(t, "COHORTLINE_KILLS", 6)
	if code, said := s.run("run", "--as-of", "2024-06-01", "--quiet"); code != 0 {
		t.Fatal(said)
	}
	started := time.Now()
	if code, said := s.run("run", "--as-of", "2024-07-01", "--quiet"); code != 0 {
		t.Fatal(said)
	}
	takes := time.Since(started)
	want := s.whole("2024-07-01")
	atWork, published := 0, 0
	for i := range kills {
		if err := os.RemoveAll(filepath.Join(s.dir, "night")); err != nil {
			t.Fatal(err)
		}
		cmd := s.process("run", "--as-of", "2024-07-01", "--quiet")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.Int64N(int64(takes) * 3 / 2)))
		if err := cmd.Process.Kill(); err == nil {
			atWork++
		}
		_ = cmd.Wait() // killed: its error is the signal
		switch seen := s.whole("2024-07-01"); {
		case maps.Equal(seen, want):
			published++
		case seen != nil:
			t.Fatalf("kill %d: another result is published", i)
		}
		if code, said := s.run("run", "--as-of", "2024-07-01", "--quiet"); code != 0 {
			t.Fatalf("kill %d: the next run ends with %d\n%s", i, code, said)
		}
		if !maps.Equal(s.whole("2024-07-01"), want) {
			t.Fatalf("kill %d: the next run has another result", i)
		}
		if code, said := s.run("gc"); code != 0 {
			t.Fatalf("kill %d: gc ends with %d\n%s", i, code, said)
		}
		for name := range s.tree() {
			if strings.Contains(name, ".writing-") {
				t.Errorf("kill %d: left behind: %s", i, name)
			}
		}
	}
	t.Logf("%d kills, %d of them before the result was published; 0 lost, 0 torn", atWork, kills-published)
}

// TestManyCopies starts the same run many times at once: one publishes, the others say that
// it is at work or has published, and nothing is mixed.
func TestManyCopies(t *testing.T) {
	s := night(t, 2_000)
	rounds, copies := times(t, "COHORTLINE_ROUNDS", 1), times(t, "COHORTLINE_COPIES", 12)
	codes := map[int]int{}
	var want map[string]string
	for round := range rounds {
		if err := os.RemoveAll(filepath.Join(s.dir, "night")); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var all sync.WaitGroup
		for range copies {
			all.Go(func() {
				said, err := s.process("run", "--as-of", "2024-07-01", "--quiet").CombinedOutput()
				code := 0
				if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // as exec.Cmd returns it
					code = exit.ExitCode()
				}
				mu.Lock()
				defer mu.Unlock()
				if codes[code]++; code != exitDone && code != exitLocked {
					t.Errorf("round %d: exit code %d\n%s", round, code, said)
				}
			})
		}
		all.Wait()
		if n := s.results("2024-07-01"); n != 1 {
			t.Fatalf("round %d: %d results are published", round, n)
		}
		got := s.whole("2024-07-01")
		if want == nil {
			want = got
		}
		if !maps.Equal(got, want) {
			t.Fatalf("round %d: another result", round)
		}
	}
	t.Logf("%d rounds of %d copies: exit codes %v; one result each", rounds, copies, codes)
}

// TestManyDates runs different dates side by side: none is lost.
func TestManyDates(t *testing.T) {
	s := night(t, 2_000)
	var all sync.WaitGroup
	for day := range 8 {
		all.Go(func() {
			if said, err := s.process("run", "--as-of", fmt.Sprintf("2024-07-0%d", 1+day), "--quiet").CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, said)
			}
		})
	}
	all.Wait()
	for day := range 8 {
		if s.whole(fmt.Sprintf("2024-07-0%d", 1+day)) == nil {
			t.Errorf("day %d is lost", 1+day)
		}
	}
}

// TestStoppedPastItsLease stops a run, lets another one publish a correction, and wakes the
// first: it is fenced, and the correction stays.
func TestStoppedPastItsLease(t *testing.T) {
	for round := range times(t, "COHORTLINE_STOPS", 1) {
		s := night(t, 60_000)
		first := s.process("run", "--as-of", "2024-07-01", "--quiet", "--lease", "1s", "--threads", "1")
		var said strings.Builder
		first.Stderr = &said
		if err := first.Start(); err != nil {
			t.Fatal(err)
		}
		lease := filepath.Join(s.dir, "night", "runs", "as_of=2024-07-01", "000001.lease")
		for wait := 0; ; wait++ {
			if _, err := os.Stat(lease); err == nil {
				break
			}
			if wait > 2000 {
				t.Fatal("the run does not begin")
			}
			time.Sleep(time.Millisecond)
		}
		if err := first.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		if code, said := s.run("run", "--as-of", "2024-07-01", "--quiet"); code != exitLocked {
			t.Errorf("round %d: within the lease: exit code %d\n%s", round, code, said)
		}
		time.Sleep(1200 * time.Millisecond)
		s.write("corrected.csv", "order_id,customer_id,ordered_at,gross_amount,channel,currency,status\n1,a,2024-01-01T00:00:00Z,5,web,EUR,paid\n")
		s.write("c.yaml", strings.Replace(s.read("c.yaml"), "orders.csv", "corrected.csv", 1))
		if code, said := s.run("run", "--as-of", "2024-07-01", "--quiet"); code != 0 {
			t.Fatalf("round %d: past the lease: exit code %d\n%s", round, code, said)
		}
		want := s.whole("2024-07-01")
		if err := first.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		_ = first.Wait() // its exit code is looked at
		if code := first.ProcessState.ExitCode(); code != exitLocked || !strings.Contains(said.String(), "another run has taken over") {
			t.Errorf("round %d: the run that woke up ends with %d\n%s", round, code, &said)
		}
		if !maps.Equal(s.whole("2024-07-01"), want) || s.results("2024-07-01") != 1 {
			t.Errorf("round %d: the run that woke up has published", round)
		}
	}
}
