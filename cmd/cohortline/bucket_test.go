package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cohortline/cohortline/internal/objectstore"
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
				{[]string{"runs"}, "as_of=2025-01-01"},
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
