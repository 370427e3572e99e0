package jobs

import (
	"encoding/csv"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cohortline/cohortline/internal/objectstore"
	"github.com/cohortline/cohortline/internal/realdata"
	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/store"
	"github.com/parquet-go/parquet-go"
)

// runIn runs a configuration in a folder and returns its summary.
func runIn(t *testing.T, dir, config, asOf string, threads int) *Summary {
	t.Helper()
	c, err := ParseConfig(filepath.Join(dir, "cohortline.yaml"), []byte(config), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	a, err := time.ParseInLocation(time.DateOnly, asOf, c.Zone)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Cohorts(t.Context(), c, Options{AsOf: a, Threads: threads, CodeVersion: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// table reads a published table as maps by column.
func table(t *testing.T, output, name string) []map[string]string {
	t.Helper()
	s, err := store.Open(t.Context(), output)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := pipeline.ReadTable(t.Context(), s, name, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	var list []map[string]string
	for _, r := range rows.Rows {
		m := map[string]string{}
		for i, v := range r {
			if v != nil {
				m[rows.Columns[i]] = *v
			} else {
				m[rows.Columns[i]] = ""
			}
		}
		list = append(list, m)
	}
	return list
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestWorkedExample compares every row of nine tables with the ones an independent
// program computed.
func TestWorkedExample(t *testing.T) {
	from := realdata.Path(t, "worked-example")
	dir := t.TempDir()
	copyTree(t, from, dir)
	s := runIn(t, dir, read(t, filepath.Join(dir, "cohortline.yaml")), "2025-11-17", 2)
	if s.Customers != 13 || s.AnonymousOrders != 16 || s.RowsRejected != 9 {
		t.Errorf("customers %d, anonymous %d, rejected %d; want 13, 16, 9", s.Customers, s.AnonymousOrders, s.RowsRejected)
	}
	keys := map[string]int{"customers": 1, "customer_periods": 3, "cohorts": 4, "cohort_retention": 6, "retention_curves": 5, "survival_curves": 4, "cohort_ltv": 5, "lifecycle": 4, "repeat_purchases": 3}
	for name, n := range keys {
		records, err := csv.NewReader(strings.NewReader(read(t, filepath.Join(dir, "expected", name+".csv")))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		header := records[0]
		want := map[string][]string{}
		for _, r := range records[1:] {
			want[strings.Join(r[:n], "|")] = r
		}
		rows := table(t, s.Output, name)
		if len(rows) != len(want) {
			t.Errorf("%s: %d rows, want %d", name, len(rows), len(want))
		}
		for _, row := range rows {
			var key []string
			for _, k := range header[:n] {
				key = append(key, row[k])
			}
			w, ok := want[strings.Join(key, "|")]
			if !ok {
				t.Errorf("%s: unexpected row %v", name, key)
				continue
			}
			for i, column := range header {
				if !sameValue(row[column], w[i]) {
					t.Errorf("%s %v: %s = %q, want %q", name, key, column, row[column], w[i])
				}
			}
		}
	}
}

// sameValue compares texts exactly, and doubles to 12 significant digits.
func sameValue(a, b string) bool {
	if a == b {
		return true
	}
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	return err1 == nil && err2 == nil && (strings.ContainsAny(b, ".e")) && math.Abs(x-y) <= 1e-12*math.Max(1, math.Abs(y))
}

func TestSameValueTellsValuesApart(t *testing.T) {
	for _, p := range [][2]string{{"1", "2"}, {"0.5", "0.50000001"}, {"", "0.0"}, {"13", "12"}, {"a", "b"}} {
		if sameValue(p[0], p[1]) {
			t.Errorf("%q and %q are taken for the same", p[0], p[1])
		}
	}
}

// triangle is the active customers of a grain by cohort, calendar ages in order.
func triangle(t *testing.T, output, column string) map[string][]string {
	t.Helper()
	m := map[string][]string{}
	for _, r := range table(t, output, "cohort_retention") {
		if r["grain"] == "month" && r["dimension"] == "all" && r["index_kind"] == "calendar" {
			m[r["cohort"]] = append(m[r["cohort"]], r[column])
		}
	}
	return m
}

const onlineRetail = `2010-12: 885 324 286 340 321 352 321 309 313 350 331 445 235
2011-01: 417 92 111 96 134 120 103 101 125 136 152 49
2011-02: 380 71 71 108 103 94 96 106 94 116 26
2011-03: 452 68 114 90 101 76 121 104 126 39
2011-04: 300 64 61 63 59 68 65 78 22
2011-05: 284 54 49 49 59 66 75 27
2011-06: 242 42 38 64 56 81 23
2011-07: 188 34 39 42 51 21
2011-08: 169 35 42 41 21
2011-09: 299 70 90 34
2011-10: 358 86 41
2011-11: 323 36
2011-12: 41`

// TestOnlineRetail compares the 91 published cells, from CSV and from Parquet.
func TestOnlineRetail(t *testing.T) {
	config := read(t, "examples/online-retail.yaml")
	files := map[string]string{"OnlineRetail.csv.gz": config,
		"online_retail.parquet": strings.NewReplacer("OnlineRetail.csv.gz", "online_retail.parquet", "    encoding: latin-1\n", "", `format: "%m/%d/%Y %H:%M", `, "").Replace(config)}
	for file, config := range files {
		dir := t.TempDir()
		if err := os.Symlink(realdata.Path(t, "online-retail", file), filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
		s := runIn(t, dir, config, "2011-12-10", 2)
		if s.RowsIn != 397_884 || s.Orders != 18_532 || s.Customers != 4_338 || s.NetRevenue != "8911407.9040" {
			t.Errorf("%s: %d rows, %d orders, %d customers, net %s", file, s.RowsIn, s.Orders, s.Customers, s.NetRevenue)
		}
		got := triangle(t, s.Output, "active_customers")
		cells := 0
		for _, line := range strings.Split(onlineRetail, "\n") {
			cohort, want, _ := strings.Cut(line, ": ")
			if g := strings.Join(got[cohort+"-01"], " "); g != want {
				t.Errorf("%s %s: %s, want %s", file, cohort, g, want)
			}
			cells += len(strings.Fields(want))
		}
		if cells != 91 {
			t.Errorf("%d cells", cells)
		}
	}
}

// TestCDNOWMaster compares the counts of the whole CDNOW file.
func TestCDNOWMaster(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(realdata.Path(t, "cdnow", "CDNOW_master.txt"), filepath.Join(dir, "CDNOW_master.txt")); err != nil {
		t.Fatal(err)
	}
	s := runIn(t, dir, read(t, "examples/cdnow.yaml"), "1998-07-01", 2)
	if s.Purchases != 69_659 || s.Customers != 23_570 || s.NetRevenue != "2500315.6300" {
		t.Errorf("%d purchases, %d customers, %s", s.Purchases, s.Customers, s.NetRevenue)
	}
	got := triangle(t, s.Output, "cohort_customers")
	for cohort, want := range map[string]string{"1997-01-01": "7846", "1997-02-01": "8476", "1997-03-01": "7248"} {
		if len(got[cohort]) == 0 || got[cohort][0] != want {
			t.Errorf("%s: %v, want %s", cohort, got[cohort], want)
		}
	}
}

// TestCDNOWSample compares cohorts, value, lifecycle and survival of the built-in
// example with the published and computed references.
func TestCDNOWSample(t *testing.T) {
	dir := t.TempDir()
	if err := WriteDemo(dir); err != nil {
		t.Fatal(err)
	}
	s := runIn(t, dir, read(t, filepath.Join(dir, "cohortline.yaml")), "1998-07-01", 2)
	active, returned := triangle(t, s.Output, "active_customers"), triangle(t, s.Output, "returned_customers")
	for cohort, want := range map[string]string{"1997-01-01": "781 124 95 70 65 77 65 53 52 45 62 59", "1997-02-01": "857 134 110 75 77 75 61 61 74 70 59 57", "1997-03-01": "719 87 84 78 63 64 55 57 73 65 47 51"} {
		if g := strings.Join(active[cohort][:12], " "); g != want {
			t.Errorf("active %s: %s, want %s", cohort, g, want)
		}
	}
	for cohort, want := range map[string]string{"1997-01-01": "355 323 300 284 273 251", "1997-02-01": "378 343 318 300 284 260", "1997-03-01": "333 316 297 277 264 251"} {
		if g := strings.Join(returned[cohort][1:7], " "); g != want {
			t.Errorf("returned %s: %s, want %s", cohort, g, want)
		}
	}
	ltv := map[string]string{}
	for _, r := range table(t, s.Output, "cohort_ltv") {
		v, err := strconv.ParseFloat(r["ltv"], 64)
		if err != nil {
			t.Fatal(err)
		}
		ltv[r["cohort"]+" "+r["age"]] = fmt.Sprintf("%.4f", v)
	}
	for cohort, values := range map[string]string{"1997-01-01": "36.6104 45.5780 55.8175 69.3297 89.0556", "1997-02-01": "39.0083 46.4976 56.5024 69.7184 91.5372", "1997-03-01": "45.6357 51.3423 60.5499 71.8374 96.9082"} {
		for i, age := range []int{0, 1, 3, 6, 12} {
			if want := strings.Fields(values)[i]; ltv[fmt.Sprint(cohort, " ", age)] != want {
				t.Errorf("ltv %s at %d: %s, want %s", cohort, age, ltv[fmt.Sprint(cohort, " ", age)], want)
			}
		}
	}
	for _, r := range table(t, s.Output, "lifecycle") {
		want, ok := map[string]string{"1997-02-01": "857 124 0 657", "1997-03-01": "719 168 61 813", "1997-04-01": "0 171 96 777", "1998-06-01": "0 41 97 93"}[r["period"]]
		if g := strings.Join([]string{r["new_customers"], r["returning_customers"], r["resurrected_customers"], r["dormant_customers"]}, " "); ok && g != want {
			t.Errorf("lifecycle %s: %s, want %s", r["period"], g, want)
		}
	}
	want := map[string]string{"30": ".826050 .810136 .840764", "90": ".708528 .689729 .726424", "180": ".623674 .603776 .642887", "365": ".544336 .523997 .564197"}
	for _, r := range table(t, s.Output, "survival_curves") {
		if w, ok := want[r["day"]]; ok {
			var g []string
			for _, c := range []string{"survival", "survival_low", "survival_high"} {
				v, err := strconv.ParseFloat(r[c], 64)
				if err != nil {
					t.Fatal(err)
				}
				g = append(g, strings.TrimPrefix(fmt.Sprintf("%.6f", v), "0"))
			}
			if strings.Join(g, " ") != w {
				t.Errorf("survival on day %s: %v, want %s", r["day"], g, w)
			}
		}
	}
	age := []string{}
	for _, r := range table(t, s.Output, "retention_curves") {
		if r["index_kind"] == "age" && r["age"] != "0" && len(age) < 12 {
			age = append(age, r["active_customers"])
			if r["eligible_customers"] != "2357" {
				t.Errorf("age %s: %s eligible", r["age"], r["eligible_customers"])
			}
		}
	}
	if g := strings.Join(age, " "); g != "322 228 208 209 206 183 181 191 174 164 160 174" {
		t.Errorf("30-day windows: %s", g)
	}
}

const generatedConfig = `version: 1
reporting: {timezone: America/New_York, currency: EUR, grains: [week, month, quarter, year], week_start: sunday}
sources: [{table: orders, name: shop, path: orders}]
dimensions: [channel]
ltv: {holdout: 13 weeks, by: [channel], contract: quarter}
output: {path: warehouse}
`

// TestSameBytes runs the same orders in other order, other files, other formats and
// with other numbers of threads: every metric table has the same bytes.
func TestSameBytes(t *testing.T) {
	base := t.TempDir()
	if _, err := Generate(GenerateOptions{Orders: 4000, Seed: 7, Files: 1, Dir: base}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(read(t, filepath.Join(base, "orders-000.csv"))), "\n")
	header, lines := lines[0], lines[1:]
	variant := func(name string, threads int, write func(dir string)) map[string]string {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "orders"), 0o755); err != nil {
			t.Fatal(err)
		}
		write(filepath.Join(dir, "orders"))
		sums := map[string]string{}
		for _, o := range runIn(t, dir, generatedConfig, "2024-11-03", threads).Tables {
			if !slices.Contains([]string{"runs", "rejects"}, o.Table) {
				sums[o.Table] = o.SHA256
			}
		}
		return sums
	}
	inFiles := func(lines []string, n int) func(string) {
		return func(dir string) {
			for k := range n {
				text := header + "\n"
				for i := k; i < len(lines); i += n {
					text += lines[i] + "\n"
				}
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("part-%d.csv", k)), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	shuffled := slices.Clone(lines)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	want := variant("as generated", 1, inFiles(lines, 1))
	if len(want) != 15 {
		t.Fatalf("%d tables", len(want))
	}
	for name, got := range map[string]map[string]string{
		"8 threads":          variant("8 threads", 8, inFiles(lines, 1)),
		"shuffled":           variant("shuffled", 2, inFiles(shuffled, 1)),
		"17 files":           variant("17 files", 8, inFiles(lines, 17)),
		"17 shuffled files":  variant("17 shuffled files", 1, inFiles(shuffled, 17)),
		"Parquet, 8 threads": variant("Parquet", 8, func(dir string) { writeParquet(t, header, shuffled, filepath.Join(dir, "orders.parquet")) }),
	} {
		for table, sum := range want {
			if got[table] != sum {
				t.Errorf("%s: table %s has other bytes", name, table)
			}
		}
	}
	other := variant("one order less", 2, inFiles(lines[1:], 1))
	if other["cohort_retention"] == want["cohort_retention"] {
		t.Error("one order less gives the same bytes: the comparison sees nothing")
	}
}

// writeParquet writes lines of orders as Parquet with typed columns.
// TestObjectStores runs the worked example's kind of data from S3 and Google Cloud
// Storage: the tables are those of the local folder, and a second run knows its own work.
func TestObjectStores(t *testing.T) {
	root := t.TempDir()
	base := filepath.Join(root, "exports")
	if err := os.Mkdir(base, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Generate(GenerateOptions{Orders: 4000, Seed: 7, Files: 3, Dir: base}); err != nil {
		t.Fatal(err)
	}
	config := func(place, options string) string {
		c := strings.ReplaceAll(generatedConfig, "path: orders", "path: '"+place+"orders-*.csv"+options+"'")
		return strings.ReplaceAll(c, "path: fx.csv", "path: '"+place+"fx.csv"+options+"'")
	}
	sums := func(s *Summary) map[string]string {
		m := map[string]string{}
		for _, o := range s.Tables {
			if !slices.Contains([]string{"runs", "rejects"}, o.Table) {
				m[o.Table] = o.SHA256
			}
		}
		return m
	}
	want := sums(runIn(t, t.TempDir(), config(base+"/", ""), "2024-11-03", 2))
	if len(want) != 15 {
		t.Fatalf("%d tables", len(want))
	}
	for name, start := range map[string]func(*testing.T, string) objectstore.Store{"S3": objectstore.S3, "Google Cloud Storage": objectstore.GCS} {
		t.Run(name, func(t *testing.T) {
			store := start(t, root)
			dir := t.TempDir()
			c := config(store.Address+"/", store.Options)
			s := runIn(t, dir, c, "2024-11-03", 2)
			if got := sums(s); !maps.Equal(got, want) {
				t.Errorf("other bytes than from the local folder: %v, want %v", got, want)
			}
			if again := runIn(t, dir, c, "2024-11-03", 2); again.Status != "unchanged" || again.RunID != s.RunID {
				t.Errorf("a second run is %s as %s, want unchanged as %s", again.Status, again.RunID, s.RunID)
			}
		})
	}
}

func writeParquet(t *testing.T, header string, lines []string, path string) {
	t.Helper()
	type order struct {
		ID       string    `parquet:"order_id"`
		Customer string    `parquet:"customer_id,dict"`
		At       time.Time `parquet:"ordered_at,timestamp(microsecond)"`
		Updated  time.Time `parquet:"updated_at,timestamp(microsecond)"`
		Status   string    `parquet:"status,dict"`
		Currency string    `parquet:"currency,dict"`
		Gross    int64     `parquet:"gross_amount,decimal(2:18)"`
		Discount int64     `parquet:"discount_amount,decimal(2:18)"`
		Refund   *int64    `parquet:"refund_amount,optional,decimal(2:18)"`
		Cost     int64     `parquet:"cost_amount,decimal(2:18)"`
		Channel  string    `parquet:"channel,dict"`
		Country  *string   `parquet:"country,optional,dict"`
	}
	if header != "order_id,customer_id,ordered_at,updated_at,status,currency,gross_amount,discount_amount,refund_amount,cost_amount,channel,country" {
		t.Fatalf("unexpected header %s", header)
	}
	cents := func(s string) int64 {
		n, err := strconv.ParseInt(strings.ReplaceAll(s, ".", ""), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	instant := func(s string) time.Time {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	var orders []order
	for _, l := range lines {
		f := strings.Split(l, ",")
		o := order{ID: f[0], Customer: f[1], At: instant(f[2]), Updated: instant(f[3]), Status: f[4], Currency: f[5], Gross: cents(f[6]), Discount: cents(f[7]), Cost: cents(f[9]), Channel: f[10]}
		if n := cents(f[8]); n != 0 {
			o.Refund = &n
		}
		if f[11] != "" {
			o.Country = &f[11]
		}
		orders = append(orders, o)
	}
	if err := parquet.WriteFile(path, orders, parquet.MaxRowsPerRowGroup(1000), parquet.PageBufferSize(2000)); err != nil {
		t.Fatal(err)
	}
}

// TestGeneratedTruth compares what was computed with what the orders were drawn from.
func TestGeneratedTruth(t *testing.T) {
	dir := t.TempDir()
	truth, err := Generate(GenerateOptions{Orders: 5000, Seed: 3, Files: 3, Dir: filepath.Join(dir, "orders")})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"truth.csv", "truth.json"} {
		if err := os.Rename(filepath.Join(dir, "orders", f), filepath.Join(dir, f)); err != nil {
			t.Fatal(err)
		}
	}
	s := runIn(t, dir, generatedConfig, "2026-01-01", 2)
	if s.Purchases != truth.Orders || s.Customers != truth.Customers || strings.TrimSuffix(s.NetRevenue, "00") != truth.Net {
		t.Errorf("%d purchases, %d customers, net %s; truth %d, %d, %s", s.Purchases, s.Customers, s.NetRevenue, truth.Orders, truth.Customers, truth.Net)
	}
}
