package jobs

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/store"
	"github.com/cohortline/cohortline/schemas"
)

// history is a random job for a backfill: a configuration, orders, and dates.
type history struct {
	dir, config     string
	header          string
	orders          []string
	from, to, every string
	first           time.Time // of the orders
	zeros           string    // behind the digits of gross amounts
	days            int
}

// pick is one of the values.
func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// newHistory makes a random job in a folder.
func newHistory(t *testing.T, seed uint64) *history {
	r := rand.New(rand.NewPCG(seed, 3))
	h := &history{dir: t.TempDir(), first: time.Date(2017, 9, 1, 12, 0, 0, 0, time.UTC), days: pick(r, 40, 150, 500)}
	zone := pick(r, "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "America/St_Johns", "Asia/Kolkata", "UTC")
	if zone == "America/St_Johns" {
		h.first = time.Date(2010, 9, 10, 12, 0, 0, 0, time.UTC) // a night on which a date comes twice lies ahead
	}
	grains := pick(r, "[month]", "[day, week]", "[week, month, quarter, year]", "[day, week, month, quarter, year]", "[quarter]")
	dimensions := pick(r, "[]", "[channel]", "[channel, country]")
	match := pick(r, "[id, email]", "[id, email]", "[id, email]", "[email]", "[id]")
	refunded := pick(r, "keep", "drop")
	tables := pick(r, "", "", "", ", tables: [cohort_retention, checks, runs]", ", tables: [cohort_ltv, lifecycle, repeat_purchases, survival_curves, retention_curves, cohorts]")
	if tables == "" {
		refunded += "}\nltv: {model: " + pick(r, "auto", "bg_nbd", "pareto_nbd") + ", horizon: 12 months, discount: 0.10 per year, contract: month"
	}
	second := pick(r, "", "  - {table: orders, name: store, path: store*.csv}\n")
	h.config = fmt.Sprintf("version: 1\nreporting: {timezone: %s, currency: EUR, grains: %s, week_start: %s}\nsources:\n  - {table: orders, name: shop, path: shop*.csv}\n%s  - {table: fx, name: ecb, path: fx.csv}\ndimensions: %s\nidentity: {match: %s}\npurchases: {fully_refunded: %s}\nchecks: {max_reject_share: 1, max_shrink: 1}\noutput: {path: unused%s}\n",
		zone, grains, pick(r, "monday", "sunday"), second, dimensions, match, refunded, tables)
	h.header = "order_id,customer_id,email,ordered_at,updated_at,status,currency,gross_amount,discount_amount,refund_amount,cost_amount,channel,country"
	n := pick(r, 60, 400, 1500)
	h.zeros = pick(r, "", "", "", "00000000000") // or amounts whose sums take more than 64 bits
	for i := range n {
		h.orders = append(h.orders, h.order(r, i, n))
	}
	fx := "date,currency,rate\n"
	for d := range h.days + 30 {
		if r.IntN(12) > 0 {
			fx += fmt.Sprintf("%s,USD,0.%d\n", h.first.AddDate(0, 0, d-15).Format(time.DateOnly), 8000+r.IntN(1500))
		}
	}
	h.write(t, "fx.csv", fx)
	if second != "" {
		h.write(t, "store.csv", h.header+"\n"+strings.Join(h.orders[n/2:], "\n")+"\n")
	}
	h.deliver(t, h.orders)
	h.every = pick(r, "day", "day", "week", "month")
	at := r.IntN(h.days)
	h.from = h.first.AddDate(0, 0, at-5).Format(time.DateOnly)
	h.to = h.first.AddDate(0, 0, at+map[string]int{"day": r.IntN(12), "week": r.IntN(60), "month": r.IntN(200)}[h.every]).Format(time.DateOnly)
	if r.IntN(3) == 0 { // over all of it, so that ids are linked between two dates
		h.every, h.from, h.to = pick(r, "week", "month"), h.first.Format(time.DateOnly), h.first.AddDate(0, 0, h.days).Format(time.DateOnly)
	}
	if r.IntN(4) == 0 { // over the nights on which the clocks change
		h.every = "day"
		h.from, h.to = h.first.AddDate(0, 0, 50).Format(time.DateOnly), h.first.AddDate(0, 0, 68).Format(time.DateOnly)
	}
	return h
}

// order is a random order row. Customers are few, so that they come again; e-mails are used
// by several ids and by guests; some orders come twice, some at the same instant.
func (h *history) order(r *rand.Rand, i, n int) string {
	people := max(3, n/6)
	who := r.IntN(people)
	id, mail := fmt.Sprintf("c%d", who), ""
	switch r.IntN(12) {
	case 0, 1:
		id, mail = "", fmt.Sprintf("M%d@x.example", r.IntN(2*people)) // a guest
	case 2:
		mail = fmt.Sprintf("m%d@x.example", r.IntN(2*people)) // that of somebody, perhaps
	case 3, 4, 5:
		mail = fmt.Sprintf("m%d@x.example", who)
	case 6:
		id = "" // nobody known
	}
	at := h.first.Add(time.Duration(r.Int64N(int64(h.days)*24*60)) * time.Minute)
	if r.IntN(5) == 0 { // around midnight, in several zones
		at = at.Truncate(24 * time.Hour).Add(pick[time.Duration](r, 0, 2, 3, 4, 5, 22, 23)*time.Hour + pick(r, 0, 30*time.Minute, time.Second, -time.Second, -time.Microsecond, 90*time.Second))
	}
	gross := 1 + r.IntN(200)
	discount, refund, cost := 0, 0, strconv.Itoa(gross/2)
	if r.IntN(4) == 0 {
		discount = r.IntN(gross + 1)
	}
	switch r.IntN(10) {
	case 0:
		refund = gross - discount
	case 1:
		refund = r.IntN(gross + 20)
	}
	if r.IntN(15) == 0 {
		cost = ""
	}
	order := i
	if r.IntN(15) == 0 {
		order = r.IntN(i + 1) // another version of an earlier one
	}
	updated := at.Add(time.Duration(r.IntN(100)) * 24 * time.Hour)
	return fmt.Sprintf("o%d,%s,%s,%s,%s,%s,%s,%d%s.%02d,%d,%d,%s,%s,%s", order, id, mail, at.Format("2006-01-02T15:04:05.999999Z"), updated.Format(time.RFC3339),
		pick(r, "paid", "paid", "paid", "paid", "refunded", "cancelled", "test"), pick(r, "EUR", "EUR", "EUR", "USD", "CHF"), gross, h.zeros, r.IntN(100), discount, refund, cost,
		pick(r, "web", "shop", "", "phone"), pick(r, "DE", "FR", "US", ""))
}

func (h *history) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// deliver writes orders to files, for which the order of the rows does not matter.
func (h *history) deliver(t *testing.T, orders []string) {
	t.Helper()
	half := len(orders) / 2
	h.write(t, "shop1.csv", h.header+"\n"+strings.Join(orders[:half], "\n")+"\n")
	h.write(t, "shop2.csv", h.header+"\n"+strings.Join(orders[half:], "\n")+"\n")
}

func (h *history) parse(t *testing.T) *Config {
	t.Helper()
	c, err := ParseConfig(filepath.Join(h.dir, "c.yaml"), []byte(h.config), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// stopped is a clock that stands still, so that manifests can be compared.
func stopped() time.Time { return time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC) }

// backfill publishes the dates and returns what readers see: every table and manifest.
func (h *history) backfill(t *testing.T, s store.Store, change func(*BackfillOptions)) map[string][]byte {
	t.Helper()
	o := BackfillOptions{Options: Options{Threads: 2, CodeVersion: "test", Store: s, Now: stopped, TempDir: h.dir}, From: h.from, To: h.to, Every: h.every}
	if change != nil {
		change(&o)
	}
	b, err := Backfill(t.Context(), h.parse(t), o)
	if err != nil {
		t.Fatal(err)
	}
	if b.Failed+b.Missing > 0 || b.Published+b.Unchanged != len(b.Dates) {
		t.Fatalf("%d published, %d unchanged, %d failed, %d missing of %d", b.Published, b.Unchanged, b.Failed, b.Missing, len(b.Dates))
	}
	return seen(t, s)
}

// runs publishes the same dates one by one.
func (h *history) runs(t *testing.T, s store.Store) map[string][]byte {
	t.Helper()
	c := h.parse(t)
	dates, err := backfillDates(h.from, h.to, h.every, c.Zone)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dates {
		if _, err := Cohorts(t.Context(), c, Options{AsOf: d, Threads: 2, CodeVersion: "test", Store: s, Now: stopped}); err != nil {
			t.Fatal(err)
		}
	}
	return seen(t, s)
}

// seen are the tables and manifests of a store.
func seen(t *testing.T, s store.Store) map[string][]byte {
	t.Helper()
	all, err := s.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string][]byte{}
	for _, o := range all {
		if strings.HasPrefix(o.Name, planFolder) || strings.HasPrefix(o.Name, "landing/") { // which runs share

			continue
		}
		if objects[o.Name], err = store.Read(t.Context(), s, o.Name); err != nil {
			t.Fatal(err)
		}
	}
	return objects
}

// differences names objects that are not the same.
func differences(a, b map[string][]byte) (names []string) {
	for name := range a {
		if !bytes.Equal(a[name], b[name]) {
			names = append(names, name)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// TestBackfillEqualsRuns compares every byte that a backfill publishes with what runs of its
// dates publish, for random orders, configurations and dates. COHORTLINE_BACKFILLS is how
// many to try.
func TestBackfillEqualsRuns(t *testing.T) {
	n, seed := 8, uint64(1)
	if k, err := strconv.Atoi(os.Getenv("COHORTLINE_BACKFILLS")); err == nil {
		n, seed = k, uint64(time.Now().UnixNano())
	}
	tables := map[string]int{}
	for k := range n {
		seed := seed + uint64(k)
		h := newHistory(t, seed)
		want := h.runs(t, stores["memory"](t))
		var how BackfillOptions
		got := h.backfill(t, stores["memory"](t), func(o *BackfillOptions) {
			r := rand.New(rand.NewPCG(seed, 4))
			o.Threads, o.Jobs, o.Newest, o.Memory = pick(r, 1, 2, 3), pick(r, 0, 1, 3), r.IntN(2) > 0, pick[int64](r, 0, 72*MiB)
			o.sweepMemory = pick[int64](r, 0, 1, 1<<18, 1<<20) // far too little: more than one sweep
			how = *o
		})
		if d := differences(want, got); len(d) > 0 {
			t.Errorf("seed %d, %s to %s by %s, %d threads, %d jobs, newest first %t\n%s%d objects differ: %v", seed, h.from, h.to, h.every, how.Threads, how.Jobs, how.Newest, h.config, len(d), d[:min(12, len(d))])
			continue
		}
		for name := range want {
			if f := strings.Split(name, "/"); f[0] == "tables" {
				tables[f[1]]++
			}
		}
	}
	t.Log(tables)
	if len(tables) < len(tableNames()) {
		t.Errorf("only the tables %v were compared", slices.Sorted(maps.Keys(tables)))
	}
}

// TestBackfillOverRepeatedMidnight sweeps the night on which clocks in St. John's went from
// 00:01 back to 23:01: a purchase of the new date comes before one of the old.
func TestBackfillOverRepeatedMidnight(t *testing.T) {
	h := newHistory(t, 3)
	h.config = "version: 1\nreporting: {timezone: America/St_Johns, currency: EUR, grains: [day, week, month]}\nsources: [{table: orders, name: shop, path: shop*.csv}]\nidentity: {match: [id]}\noutput: {path: unused}\n"
	h.orders = nil
	for i, at := range []string{"2010-11-01T12:00:00Z", "2010-11-07T02:29:59Z", "2010-11-07T02:30:30Z", "2010-11-07T02:45:00Z", "2010-11-07T03:30:00Z", "2010-11-07T15:00:00Z", "2010-11-09T15:00:00Z"} {
		for k := range i + 1 { // c0 has bought at each of them, c1 from the second on, …
			h.orders = append(h.orders, fmt.Sprintf("o%d-%d,c%d,,%s,,paid,EUR,%d,0,0,1,web,DE", i, k, k, at, 1+i))
		}
	}
	h.deliver(t, h.orders)
	h.from, h.to, h.every = "2010-11-03", "2010-11-12", "day"
	if d := differences(h.runs(t, stores["memory"](t)), h.backfill(t, stores["memory"](t), nil)); len(d) > 0 {
		t.Errorf("%d objects differ: %v", len(d), d[:min(12, len(d))])
	}
}

// TestRunInRepeatedHour takes an as-of instant in the hour that came twice in that night: the
// clocks show the old date again when there are purchases of the new one already.
func TestRunInRepeatedHour(t *testing.T) {
	h := newHistory(t, 3)
	h.config = "version: 1\nreporting: {timezone: America/St_Johns, currency: EUR, grains: [day, week, month]}\nsources: [{table: orders, name: shop, path: shop*.csv}]\nidentity: {match: [id]}\noutput: {path: unused}\n"
	h.deliver(t, []string{"o1,c1,,2010-11-07T02:30:30Z,,paid,EUR,5,0,0,1,web,DE", "o2,c2,,2010-11-06T12:00:00Z,,paid,EUR,5,0,0,1,web,DE"})
	s := stores["memory"](t)
	x, err := Cohorts(t.Context(), h.parse(t), Options{AsOf: time.Date(2010, 11, 7, 2, 45, 0, 0, time.UTC), Threads: 2, CodeVersion: "test", Store: s, Now: stopped})
	if err != nil {
		t.Fatal(err)
	}
	for table, want := range map[string]string{
		"customers":       "c1 0, c2 1",   // age_days
		"survival_curves": "all 1, all 2", // at_risk of two days
		"lifecycle":       "day 1, day 1, month 2, week 2",
	} {
		columns := map[string][2]string{"customers": {"customer_id", "age_days"}, "survival_curves": {"segment", "at_risk"}, "lifecycle": {"grain", "new_customers"}}[table]
		if got := pairs(t, s, x, table, columns); got != want {
			t.Errorf("%s: %s, want %s", table, got, want)
		}
	}
}

// pairs are two columns of a table that a run has published.
func pairs(t *testing.T, s store.Store, x *Summary, table string, columns [2]string) string {
	t.Helper()
	i := slices.IndexFunc(x.Tables, func(o pipeline.OutputRecord) bool { return o.Table == table })
	r, err := pipeline.OpenResult(t.Context(), s, x.Tables[i], t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	var list []string
	for row, err := range r.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		var pair []string
		for _, name := range columns {
			k := slices.IndexFunc(r.Table.Columns, func(c schemas.Column) bool { return c.Name == name })
			pair = append(pair, string(row[k].Append(nil, r.Table.Columns[k].Type)))
		}
		list = append(list, strings.Join(pair, " "))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// TestBackfillComparisonSees is the twin of TestBackfillEqualsRuns: with one purchase less,
// or one e-mail changed, the bytes differ.
func TestBackfillComparisonSees(t *testing.T) {
	h := newHistory(t, 7)
	h.config = regexp.MustCompile(`\nltv: .*`).ReplaceAllString(h.config, "") // the models take most of the time and are not what is looked at
	h.config = strings.NewReplacer("match: [id]", "match: [id, email]", "match: [email]", "match: [id, email]").Replace(h.config)
	h.every, h.from, h.to = "day", h.first.AddDate(0, 0, h.days-3).Format(time.DateOnly), h.first.AddDate(0, 0, h.days).Format(time.DateOnly)
	for what, line := range map[string]string{
		"purchase": "oX,cX,,%s,,paid,EUR,1,0,0,0,web,DE",
		"link":     "oX,c1,m2@x.example,%s,,cancelled,EUR,1,0,0,0,web,DE\noY,c2,m2@x.example,%[1]s,,cancelled,EUR,1,0,0,0,web,DE",
	} {
		h.deliver(t, h.orders)
		want := h.runs(t, stores["memory"](t))
		h.deliver(t, append(slices.Clone(h.orders), fmt.Sprintf(line, h.first.Format(time.RFC3339))))
		d := differences(want, h.backfill(t, stores["memory"](t), nil))
		if !slices.ContainsFunc(d, func(name string) bool {
			return strings.HasPrefix(name, "tables/customers/") || strings.HasPrefix(name, "tables/cohort_")
		}) {
			t.Errorf("one %s more changes no table: %v", what, d)
		}
	}
}
