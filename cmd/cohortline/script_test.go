package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cohortline": main})
}

// TestScripts runs the stories in testdata/script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// code N cohortline args…: the program ends with exit code N.
			"code": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) < 3 {
					ts.Fatalf("usage: code N cohortline args…")
				}
				exe, err := os.Executable()
				ts.Check(err)
				cmd := exec.Command(exe, args[2:]...)
				cmd.Args[0] = "cohortline"
				cmd.Path = filepath.Join(filepath.SplitList(ts.Getenv("PATH"))[0], "cohortline")
				cmd.Dir = ts.MkAbs(".")
				cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("WORK"), "NO_COLOR=1"}
				out, _ := cmd.CombinedOutput() // the exit code is looked at below
				ts.Logf("%s", out)
				if got := cmd.ProcessState.ExitCode(); got != atoi(args[0]) {
					ts.Fatalf("exit code %d, want %s\n%s", got, args[0], out)
				}
				ts.Check(os.WriteFile(filepath.Join(ts.Getenv("WORK"), "said"), out, 0o644))
			},
			// says TEXT: the last `code` printed it. ! says TEXT: it did not.
			"says": func(ts *testscript.TestScript, neg bool, args []string) {
				data, err := os.ReadFile(filepath.Join(ts.Getenv("WORK"), "said"))
				ts.Check(err)
				for _, a := range args {
					if strings.Contains(string(data), a) == neg {
						ts.Fatalf("says %q: %t, want %t in\n%s", a, neg, !neg, data)
					}
				}
			},
		},
	})
}

func atoi(s string) int {
	n := 0
	for _, c := range s {
		n = n*10 + int(c-'0')
	}
	return n
}
