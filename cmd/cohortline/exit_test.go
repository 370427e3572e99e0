package main

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/store"
	"github.com/urfave/cli/v2"
)

// TestSignal stops a run in its first stage: exit code 128+n, nothing has changed, and the
// next run completes.
func TestSignal(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	many := t.TempDir()
	var said strings.Builder
	if code := run(context.Background(), []string{"cohortline", "generate", "--orders", "200000", "--dir", many}, strings.NewReader(""), &said, &said); code != 0 {
		t.Fatal(said.String())
	}
	for signal, code := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		t.Run(signal.String(), func(t *testing.T) {
			s := newScene(t)
			s.configure(", path: '"+filepath.Join(many, "orders-000.csv")+"'", "")
			before := s.tree()
			cmd := exec.Command(exe, "run", "--config", filepath.Join(s.dir, "c.yaml"), "--as-of", "2025-01-01", "--threads", "1", "--log-format", "json", "--output", "json")
			cmd.Args[0] = "cohortline"
			said, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			var document strings.Builder
			cmd.Stdout = &document
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(said)
			for lines.Scan() && strings.Contains(lines.Text(), `"level":"warning"`) { // good.csv is no input any more
			}
			if !strings.Contains(lines.Text(), `"stage":"extract"`) {
				t.Fatalf("first message %q", lines.Text())
			}
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			last := ""
			for lines.Scan() {
				last = lines.Text()
			}
			err = cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != code || !strings.Contains(last, "stopped; nothing was published") || !strings.Contains(document.String(), `"status": "stopped"`) {
				t.Errorf("%v, exit code %d, want %d; %s %s", err, got, code, last, &document)
			}
			if !maps.Equal(before, s.tree()) {
				t.Error("the output has changed")
			}
			if code, said := s.run("run", "--as-of", "2025-01-01", "--quiet"); code != 0 {
				t.Errorf("the next run ends with %d\n%s", code, said)
			}
		})
	}
}

// TestLocked runs while another process works on the output.
func TestLocked(t *testing.T) {
	s := newScene(t)
	s.write("orders.csv", row("2,b,2024-01-02T00:00:00Z,5"))
	s.configure("", "")
	out, err := store.Open(t.Context(), filepath.Join(s.dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := pipeline.OpenPublication(t.Context(), out, pipeline.RunKey{ID: "other", Partition: "as_of=2025-01-01"})
	if err != nil {
		t.Fatal(err)
	}
	before := s.tree()
	if code, said := s.run("run", "--as-of", "2025-01-01"); code != exitLocked || !strings.Contains(said, "another run holds the lock") || !strings.Contains(said, "wait until it has ended") {
		t.Errorf("exit code %d\n%s", code, said)
	}
	if !maps.Equal(before, s.tree()) {
		t.Error("the output has changed")
	}
	if code, said := s.run("inspect", "customers"); code != exitDone {
		t.Errorf("inspect ends with %d while a run works\n%s", code, said)
	}
	if code, said := s.run("run", "--as-of", "2025-01-02"); code != exitDone {
		t.Errorf("another date ends with %d\n%s", code, said)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if code, said := s.run("run", "--as-of", "2025-01-01"); code != exitDone {
		t.Errorf("exit code %d once the lock is free\n%s", code, said)
	}
}

// TestLittleMemory allows less memory than any run needs.
func TestLittleMemory(t *testing.T) {
	s := newScene(t)
	s.write("orders.csv", row("2,b,2024-01-02T00:00:00Z,5"))
	s.configure("", "")
	before := s.tree()
	code, said := s.run("run", "--as-of", "2025-01-01", "--memory", "1MiB")
	if code != exitMemory || !strings.Contains(said, "--memory") {
		t.Errorf("exit code %d\n%s", code, said)
	}
	if !maps.Equal(before, s.tree()) {
		t.Error("the output has changed")
	}
	if code, said := s.run("run", "--as-of", "2025-01-01", "--memory", "lots"); code != exitUsage || !strings.Contains(said, "--memory") {
		t.Errorf("exit code %d\n%s", code, said)
	}
}

// TestUnwritableOutput names the folder that cannot be made.
func TestUnwritableOutput(t *testing.T) {
	s := newScene(t)
	s.write("file", "no folder")
	s.write("orders.csv", row())
	s.configure("", "")
	s.write("c.yaml", "version: 1\nreporting: {timezone: UTC, currency: EUR}\nsources: [{table: orders, path: orders.csv}]\noutput: {path: file/out}\n")
	if code, said := s.run("run", "--as-of", "2025-01-01"); code != exitFailed || !strings.Contains(said, "file/out cannot be made") {
		t.Errorf("exit code %d\n%s", code, said)
	}
}

// TestBug turns a panic into exit code 70 and a request to report it.
func TestBug(t *testing.T) {
	var said strings.Builder
	p := &program{err: &said, out: &said}
	code := func() (code int) {
		defer func() { code = p.reportBug(recover()) }()
		var nothing *cli.App
		return len(nothing.Commands)
	}()
	if code != exitBug || !strings.Contains(said.String(), "a bug") || !strings.Contains(said.String(), "please report it") || !strings.Contains(said.String(), "exit_test.go") {
		t.Errorf("%d: %s", code, said.String())
	}
}

// TestExitsAreDocumented holds the README against the codes.
func TestExitsAreDocumented(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range exits {
		if !strings.Contains(string(readme), fmt.Sprintf("| %d |", e.code)) || !strings.Contains(exitHelp(), fmt.Sprintf("  %d ", e.code)) {
			t.Errorf("code %d is not in the README or the help", e.code)
		}
	}
}
