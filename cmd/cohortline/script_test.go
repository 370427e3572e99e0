package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"cohortline": func() { os.Exit(run(context.Background(), os.Args, os.Stdin, os.Stdout, os.Stderr)) },
	})
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
			// big FILE writes an order whose id is 100 MB long.
			"big": func(ts *testscript.TestScript, neg bool, args []string) {
				f, err := os.Create(ts.MkAbs(args[0]))
				ts.Check(err)
				defer f.Close()
				_, err = f.WriteString("order_id,customer_id,ordered_at,gross_amount\n1,a,2024-01-01T00:00:00Z,5\n")
				ts.Check(err)
				for range 100 {
					_, err = f.WriteString(strings.Repeat("x", 1<<20))
					ts.Check(err)
				}
				_, err = f.WriteString(",a,2024-01-01T00:00:00Z,5\n2,b,2024-01-02T00:00:00Z,5\n")
				ts.Check(err)
			},
			// wide FILE writes orders of 10,000 columns.
			"wide": func(ts *testscript.TestScript, neg bool, args []string) {
				var b strings.Builder
				b.WriteString("order_id,customer_id,ordered_at,gross_amount")
				for i := range 9996 {
					b.WriteString(",c" + strings.Repeat("x", i%7))
					b.WriteString(itoa(i))
				}
				b.WriteString("\n1,a,2024-01-01T00:00:00Z,5" + strings.Repeat(",v", 9996) + "\n")
				ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o644))
			},
			// bytes FILE TEXT writes TEXT with Go escapes.
			"bytes": func(ts *testscript.TestScript, neg bool, args []string) {
				text := strings.NewReplacer(`\n`, "\n", `\0`, "\x00", `\xff`, "\xff", `\t`, "\t").Replace(args[1])
				ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
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

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}
