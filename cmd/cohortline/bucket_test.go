package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cohortline/cohortline/internal/objectstore"
	"github.com/cohortline/cohortline/pipeline/store"
)

// TestBucketOutput publishes to object stores: once, again, with a correction, and looks at
// the tables there.
func TestBucketOutput(t *testing.T) {
	for name, open := range map[string]func(*testing.T, string) objectstore.Store{"S3": objectstore.S3, "GCS": objectstore.GCS} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			if err := os.MkdirAll(filepath.Join(root, "exports"), 0o755); err != nil {
				t.Fatal(err)
			}
			server := open(t, root)
			s := newScene(t)
			s.write("orders.csv", row("2,b,2024-01-02T00:00:00Z,5"))
			s.write("c.yaml", "version: 1\nreporting: {timezone: UTC, currency: EUR}\nsources: [{table: orders, path: orders.csv}]\noutput: {path: '"+server.Address+"/warehouse"+server.Options+"'}\n")
			for _, x := range []struct {
				args []string
				says string
			}{
				{[]string{"run", "--as-of", "2025-01-01"}, "2 purchases of 2 customers"},
				{[]string{"run", "--as-of", "2025-01-01"}, "Nothing to do"},
				{[]string{"inspect", "customers", "--output", "csv"}, "b,2024-01-02T00:00:00Z"},
				{[]string{"runs"}, "2025-01-01#1"},
			} {
				if code, said := s.run(x.args[0], x.args[1:]...); code != 0 || !strings.Contains(said, x.says) {
					t.Fatalf("%v: exit code %d, does not say %q\n%s", x.args, code, x.says, said)
				}
			}
			s.write("orders.csv", row("2,b,2024-01-02T00:00:00Z,5", "3,c,2024-01-03T00:00:00Z,5"))
			if code, said := s.run("run", "--as-of", "2025-01-01"); code != 0 || !strings.Contains(said, "3 purchases of 3 customers") {
				t.Fatalf("exit code %d\n%s", code, said)
			}
			if code, said := s.run("inspect", "customers", "--output", "csv"); code != 0 || !strings.Contains(said, "c,2024-01-03T00:00:00Z") {
				t.Fatalf("exit code %d\n%s", code, said)
			}
		})
	}
}

// TestBucketLanding reads exports from a bucket that are overwritten there: by reference
// their old content is gone, and said to be; of copies it is there for --known-at and verify.
func TestBucketLanding(t *testing.T) {
	for name, open := range map[string]func(*testing.T, string) objectstore.Store{"S3": objectstore.S3, "GCS": objectstore.GCS} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			if err := os.MkdirAll(filepath.Join(root, "exports"), 0o755); err != nil {
				t.Fatal(err)
			}
			server := open(t, root)
			in, err := store.Open(t.Context(), server.Address+"/in"+server.Options)
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			put := func(rows string) {
				t.Helper()
				if err := in.Put(t.Context(), "orders.csv", []byte(rows)); err != nil {
					t.Fatal(err)
				}
			}
			s := newScene(t)
			configure := func(landing string) {
				s.write("c.yaml", "version: 1\nreporting: {timezone: UTC, currency: EUR}\nsources: [{table: orders, path: '"+server.Address+"/in/orders.csv"+server.Options+"', landing: "+landing+"}]\noutput: {path: '"+server.Address+"/"+landing+server.Options+"'}\n")
			}
			expect := func(code int, says string, args ...string) {
				t.Helper()
				if got, said := s.run(args[0], args[1:]...); got != code || !strings.Contains(said, says) {
					t.Fatalf("%v: exit code %d, want %d and %q\n%s", args, got, code, says, said)
				}
			}
			put(row("2,b,2024-01-02T00:00:00Z,5"))
			for _, landing := range []string{"reference", "copy"} {
				configure(landing)
				expect(0, "2 purchases", "run", "--as-of", "2025-01-01")
				expect(0, "same", "verify", "--quiet")
			}
			known := time.Now().UTC().Format(time.RFC3339Nano)
			time.Sleep(1100 * time.Millisecond) // a store may count in seconds
			put(row("2,b,2024-01-02T00:00:00Z,5", "3,c,2024-01-03T00:00:00Z,5"))
			expect(0, "same", "verify", "--quiet")
			expect(0, "orders.csv has changed", "run", "--as-of", "2025-01-01")
			expect(0, "2 purchases", "run", "--as-of", "2025-01-01", "--known-at", known)
			expect(0, "same", "verify", "--quiet")
			configure("reference")
			expect(5, "has been replaced by another version", "verify", "--quiet")
			expect(0, "`landing: copy` keeps what is overwritten", "run", "--as-of", "2025-01-01")
			expect(5, "has been replaced by another version", "run", "--as-of", "2025-01-01", "--known-at", known)
		})
	}
}
