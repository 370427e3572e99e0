// Package realdata finds the public data sets that some tests compare against. They
// are not part of the repository: COHORTLINE_REALDATA names the folder that holds
// them, by default ../shared/data beside the checkout. Without it those tests are
// skipped and say so; with COHORTLINE_REALDATA_REQUIRED=1 they fail instead.
package realdata

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Path returns the path of a file or folder below the data folder, or skips the test.
func Path(t testing.TB, parts ...string) string {
	t.Helper()
	root := os.Getenv("COHORTLINE_REALDATA")
	if root == "" {
		_, here, _, _ := runtime.Caller(0)
		root = filepath.Join(filepath.Dir(here), "..", "..", "..", "shared", "data")
	}
	p := filepath.Join(append([]string{root}, parts...)...)
	if _, err := os.Stat(p); err != nil {
		if os.Getenv("COHORTLINE_REALDATA_REQUIRED") != "" {
			t.Fatalf("real data required but absent: %v", err)
		}
		t.Skipf("real data absent (%v): set COHORTLINE_REALDATA to the folder that holds it", err)
	}
	return p
}
