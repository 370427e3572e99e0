package jobs

import (
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// plan is one way to run a job: how the orders lie in files, and what the run may use.
type plan struct {
	format  string // csv, csv.gz, jsonl, parquet, or mixed: Parquet and CSV in turn
	files   int
	shuffle bool
	threads int
	memory  int64 // bytes; 0: the default
}

func (p plan) String() string {
	return fmt.Sprintf("%d files of %s, shuffled %t, %d threads, %s", p.files, p.format, p.shuffle, p.threads, FormatBytes(p.memory))
}

// TestPlans runs random orders by random plans: every metric table has the same bytes.
// COHORTLINE_PLANS is how many plans to try, on enough orders that the smaller memory
// limits spill; without it a few are tried on few orders.
func TestPlans(t *testing.T) {
	orders, plans, seed := int64(30_000), 4, uint64(11)
	config := strings.ReplaceAll(generatedConfig, "\nltv:", "\n# ltv:") // the models take most of the time; TestSameBytes has them
	if n, err := strconv.Atoi(os.Getenv("COHORTLINE_PLANS")); err == nil {
		orders, plans, seed, config = 400_000, n, uint64(time.Now().UnixNano()), generatedConfig
	}
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 6))
	dir := t.TempDir()
	if _, err := Generate(GenerateOptions{Orders: orders, Seed: seed, Files: 1, Dir: dir}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(read(t, filepath.Join(dir, "orders-000.csv"))), "\n")
	header, lines := lines[0], withNuisances(lines[1:], r)
	want := runPlan(t, config, plan{"csv", 1, false, 1, 0}, header, lines)
	for k := range plans {
		p := plan{[]string{"csv", "csv.gz", "jsonl", "parquet", "parquet", "mixed"}[r.IntN(6)], []int{1, 2, 17}[r.IntN(3)], r.IntN(2) > 0, []int{1, 2, 8}[r.IntN(3)], []int64{0, 64 * MiB, 96 * MiB, 256 * MiB}[r.IntN(4)]}
		if k == 0 { // with many orders, one plan that spills for certain
			p.threads, p.memory = 2, 64*MiB
		}
		if k < 2 { // and both ways to find repeated orders
			p.format = []string{"parquet", "mixed"}[k]
		}
		got := runPlan(t, config, p, header, lines)
		if got == nil { // so little memory for so many threads is refused
			continue
		}
		if !maps.Equal(got, want) {
			t.Errorf("seed %d, %s: other bytes", seed, p)
		}
	}
	if other := runPlan(t, config, plan{"csv", 2, true, 2, 0}, header, lines[1:]); maps.Equal(other, want) {
		t.Error("one row less gives the same bytes: the comparison sees nothing")
	}
}

// withNuisances makes some orders come again: as they are, or with a later version of
// another customer, status and amount.
func withNuisances(lines []string, r *rand.Rand) []string {
	list := slices.Clone(lines)
	for _, l := range lines {
		switch r.IntN(40) {
		case 0:
			list = append(list, l)
		case 1:
			f := strings.Split(l, ",")
			f[1], f[3], f[4], f[6] = fmt.Sprintf("moved-%d", r.IntN(500)), f[3][:4]+"-12-31T23:59:59Z", "cancelled", "1.00"
			list = append(list, strings.Join(f, ","))
		}
	}
	return list
}

// runPlan runs the lines by a plan and returns the checksums of the metric tables, nil if
// the memory is refused as too little.
func runPlan(t *testing.T, config string, p plan, header string, lines []string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	orders := filepath.Join(dir, "orders")
	if err := os.Mkdir(orders, 0o755); err != nil {
		t.Fatal(err)
	}
	if p.shuffle {
		lines = slices.Clone(lines)
		rand.New(rand.NewPCG(uint64(p.files), 1)).Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	}
	for k := range p.files {
		format := p.format
		if format == "mixed" {
			format = []string{"parquet", "csv"}[k%2]
		}
		writePart(t, format, header, lines[len(lines)*k/p.files:len(lines)*(k+1)/p.files], filepath.Join(orders, fmt.Sprintf("part-%d.%s", k, format)))
	}
	c, err := ParseConfig(filepath.Join(dir, "cohortline.yaml"), []byte(config), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Cohorts(t.Context(), c, Options{AsOf: time.Date(2024, 11, 3, 4, 0, 0, 0, time.UTC), Threads: p.threads, Memory: p.memory, CodeVersion: "test", TempDir: dir})
	var little *MemoryError
	if errors.As(err, &little) && p.memory > 0 {
		return nil
	}
	if err != nil {
		t.Fatalf("%s: %v", p, err)
	}
	sums := map[string]string{}
	for _, o := range s.Tables {
		if !slices.Contains([]string{"runs", "rejects"}, o.Table) { // they name files and rows
			sums[o.Table] = o.SHA256
		}
	}
	return sums
}

func writePart(t *testing.T, format, header string, lines []string, path string) {
	t.Helper()
	if format == "parquet" {
		writeParquet(t, header, lines, path)
		return
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	w := io.Writer(f)
	if format == "csv.gz" {
		z := gzip.NewWriter(f)
		defer func() {
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
		}()
		w = z
	}
	text := header + "\n" + strings.Join(lines, "\n") + "\n"
	if format == "jsonl" {
		text = jsonLines(t, text)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

// jsonLines writes CSV as one object a line; an empty value is no member.
func jsonLines(t *testing.T, text string) string {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, r := range records[1:] {
		o := map[string]string{}
		for i, v := range r {
			if v != "" {
				o[records[0][i]] = v
			}
		}
		line, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(line)
		b.WriteByte('\n')
	}
	return b.String()
}
