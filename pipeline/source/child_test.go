package source

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What a hostile file could take is the memory and the time of the whole process, so it
// is read in a child process that can be measured and killed.

const (
	childVariable = "COHORTLINE_TEST_CHILD"
	childMemory   = 192 << 20 // the memory limit of a child, as --memory sets it
	childPeak     = 400 << 20 // what it may use at most
)

// TestChild is the work of a child process; run by itself it has none.
func TestChild(t *testing.T) {
	name, input, ok := strings.Cut(os.Getenv(childVariable), " ")
	if !ok {
		t.Skip("only in a child process")
	}
	debug.SetMemoryLimit(childMemory)
	limitAddressSpace(t, 4<<30)
	work, ok := map[string]func(*testing.T, string){"read": childRead, "mutations": childMutations}[name]
	if !ok {
		t.Fatalf("no work is called %q", name)
	}
	work(t, input)
	fmt.Printf("peak %d\n", peakMemory(t))
}

// inChild runs work in a child process and returns the last value that it printed behind
// each name.
func inChild(t *testing.T, work, input string, timeout time.Duration) map[string]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	c := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestChild$", "-test.v")
	c.Env = append(os.Environ(), childVariable+"="+work+" "+input, "GOMEMLIMIT=", "GOMAXPROCS=2")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v, %v\n%s", work, input, err, ctx.Err(), firstLast(out))
	}
	said := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), " "); ok {
			said[name] = value
		}
	}
	peak, err := strconv.ParseInt(said["peak"], 10, 64)
	if err != nil {
		t.Fatalf("no peak in %q", out)
	}
	if peak > childPeak {
		t.Errorf("%s %s: %d MiB were used, %s", work, input, peak>>20, out)
	}
	return said
}

// childRead reads a file and says how it went.
func childRead(_ *testing.T, path string) {
	start := time.Now()
	rows, err := drain(path)
	fmt.Printf("rows %d\nseconds %.1f\n", rows, time.Since(start).Seconds())
	if err != nil {
		fmt.Printf("error %s\n", strings.ReplaceAll(err.Error(), "\n", " "))
	}
}

// drain reads every column of a file.
func drain(path string) (rows int64, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	f, err := Open(context.Background(), Object{URL: path, Path: path, Size: info.Size()}, Options{})
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return drainFile(f, 1<<40)
}

// drainFile reads every column of a file up to a number of rows, and looks at each value.
func drainFile(f File, most int64) (rows int64, err error) {
	var want []int
	for i, x := range f.Fields() {
		if x.Kind != Other {
			want = append(want, i)
		}
	}
	sum := 0
	for unit := range f.Units() {
		for b, err := range f.Read(context.Background(), unit, want) {
			if err != nil {
				return rows, err
			}
			for k := range b.Cols {
				for i := range b.N {
					sum += touch(&b.Cols[k], i)
				}
			}
			if rows += int64(b.N); rows > most {
				return rows, nil
			}
		}
	}
	return rows, nil
}

// touch looks at a value, without a copy.
func touch(c *Column, i int) int {
	switch {
	case c.Null != nil && c.Null[i]:
		return 0
	case c.Codes != nil:
		return touch(c.Dict, int(c.Codes[i]))
	case c.Kind == Text:
		if v := c.Data[c.Start[i]:c.End[i]]; len(v) > 0 {
			return int(v[0]) + int(v[len(v)-1])
		}
		return 0
	case c.Kind == Float:
		return int(int64(c.Floats[i]))
	}
	return int(c.Ints[i])
}

// firstLast is the part of a long output that says what happened.
func firstLast(out []byte) []byte {
	if len(out) < 6000 {
		return out
	}
	return append(append(bytes.Clone(out[:3000]), "\n…\n"...), out[len(out)-1000:]...)
}
