package jobs

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cohortline/cohortline/pipeline"
)

// TestProgressOfOneFile reads a single text: how much of it has been read is told on the
// way, so that the time left can be guessed, and is all of it at the end.
func TestProgressOfOneFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := Generate(GenerateOptions{Orders: 30_000, Seed: 5, Files: 1, Dir: filepath.Join(dir, "orders")}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"truth.csv", "truth.json"} {
		if err := os.Remove(filepath.Join(dir, "orders", name)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := ParseConfig(filepath.Join(dir, "cohortline.yaml"), []byte(generatedConfig), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	between, last, total := 0, int64(0), int64(0)
	observe := func(e pipeline.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Kind == pipeline.StageProgress && e.Stage == "extract" {
			last, total = max(last, e.Bytes), e.Total
			if e.Bytes > 0 && e.Bytes < e.Total {
				between++
			}
		}
	}
	if _, err := Cohorts(t.Context(), c, Options{AsOf: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), CodeVersion: "test", Observe: observe}); err != nil {
		t.Fatal(err)
	}
	if between < 3 || last < total || total == 0 {
		t.Errorf("%d events on the way, %d of %d bytes at the end", between, last, total)
	}
}
