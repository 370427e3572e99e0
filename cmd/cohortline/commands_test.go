package main

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// modelOrder is one row of an export as the model sees it.
type modelOrder struct {
	id, customer, mail string
	day                time.Time
	gross, refund      int64
	updated            int
	dollars            bool // worth half a euro where the configuration has rates, else rejected
}

// world is everything that commands can change, and what must be published: a model of
// the program that knows nothing of files, manifests, partitions or commits.
type world struct {
	s         *scene
	r         *rand.Rand
	files     map[string][]modelOrder
	drop      bool // purchases.fully_refunded
	rates     bool
	orders    int
	versions  int
	copies    bool                 // landing: copy
	published map[string]modelDate // by date
}

// modelDate is what has been published for a date.
type modelDate struct {
	cohorts string
	rejects bool
}

var modelStart = time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)

// cohorts is what the table cohorts must say for a date, as lines.
func (w *world) cohorts(date string) string {
	asOf, err := time.Parse(time.DateOnly, date)
	if err != nil {
		w.s.t.Fatal(err)
	}
	latest := map[string]modelOrder{}
	for _, rows := range w.files {
		for _, o := range rows {
			if old, seen := latest[o.id]; !seen || o.updated > old.updated {
				latest[o.id] = o
			}
		}
	}
	group := map[string]string{} // id or e-mail → its group, by repeated relabelling
	var purchases []modelOrder
	for _, o := range latest {
		if !o.day.Before(asOf) || o.dollars && !w.rates {
			continue
		}
		a, b := cmp.Or(group[o.customer], o.customer), cmp.Or(group["@"+o.mail], "@"+o.mail)
		group[o.customer], group["@"+o.mail] = a, b
		for k, g := range group {
			if g == b {
				group[k] = a
			}
		}
		if !w.drop || o.gross > o.refund {
			purchases = append(purchases, o)
		}
	}
	first := map[string]time.Time{}
	for _, o := range purchases {
		g := group[o.customer]
		if t, seen := first[g]; !seen || o.day.Before(t) {
			first[g] = o.day
		}
	}
	type cohort struct{ customers, orders, net int64 }
	cohorts := map[string]cohort{}
	for _, t := range first {
		c := cohorts[t.Format("2006-01")]
		c.customers++
		cohorts[t.Format("2006-01")] = c
	}
	for _, o := range purchases {
		month := first[group[o.customer]].Format("2006-01")
		c := cohorts[month]
		c.orders++
		net := 100 * (o.gross - o.refund)
		if o.dollars {
			net /= 2
		}
		c.net += net
		cohorts[month] = c
	}
	var lines []string
	for _, m := range slices.Sorted(maps.Keys(cohorts)) {
		c := cohorts[m]
		lines = append(lines, fmt.Sprintf("%s-01 %d %d %d.%02d00", m, c.customers, c.orders, c.net/100, c.net%100))
	}
	return strings.Join(lines, "\n")
}

// said is what the warehouse holds for a date.
func (w *world) said(date string) string {
	code, text := w.s.run("inspect", "cohorts", "--as-of", date, "--grain", "month", "--dimension", "all", "--output", "csv", "--limit", "0")
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if code != 0 || err != nil {
		w.s.t.Fatalf("%s: exit code %d, %v\n%s", date, code, err, text)
	}
	at := func(r []string, name string) string { return r[slices.Index(records[0], name)] }
	var lines []string
	for _, r := range records[1:] {
		lines = append(lines, strings.Join([]string{at(r, "cohort"), at(r, "customers"), at(r, "orders"), at(r, "net_revenue")}, " "))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// publish notes that a date holds what the files say now.
func (w *world) publish(date string) {
	w.published[date] = modelDate{w.cohorts(date), !w.rates && slices.ContainsFunc(slices.Concat(slices.Collect(maps.Values(w.files))...), func(o modelOrder) bool { return o.dollars })}
}

// died looks at a date after a run of it was killed: it must hold what it held or what the
// files say now. before is what it held.
func (w *world) died(date string, before map[string]string) {
	if now := w.s.whole(date); now != nil && !maps.Equal(now, before) {
		w.publish(date)
	}
}

// order makes an order that has not been seen before.
func (w *world) order() modelOrder {
	w.orders++
	c := w.r.IntN(30)
	return modelOrder{id: fmt.Sprintf("o%d", w.orders), customer: fmt.Sprintf("c%d", c), mail: fmt.Sprintf("m%d", []int{c, c, c, w.r.IntN(30)}[w.r.IntN(4)]),
		day: modelStart.AddDate(0, 0, w.r.IntN(360)), gross: 1 + w.r.Int64N(500), updated: w.version(), dollars: w.r.IntN(12) == 0}
}

func (w *world) version() int {
	w.versions++
	return w.versions
}

// any is one of the orders that have been delivered.
func (w *world) any() modelOrder {
	rows := w.files[w.anyFile()]
	return rows[w.r.IntN(len(rows))]
}

func (w *world) anyFile() string {
	names := slices.Sorted(maps.Keys(w.files))
	return names[w.r.IntN(len(names))]
}

func (w *world) date() string {
	return modelStart.AddDate(0, 3+w.r.IntN(10), 0).Format(time.DateOnly)
}

// deliver writes an export file.
func (w *world) deliver(name string, rows []modelOrder) {
	w.files[name] = rows
	text := "order_id,customer_id,email,ordered_at,updated_at,currency,gross_amount,refund_amount,status\n"
	for _, o := range rows {
		currency := "EUR"
		if o.dollars {
			currency = "USD"
		}
		text += fmt.Sprintf("%s,%s,%s@example.com,%s,%s,%s,%d,%d,paid\n", o.id, o.customer, o.mail, o.day.Format(time.RFC3339),
			modelStart.Add(time.Duration(o.updated)*time.Second).Format(time.RFC3339), currency, o.gross, o.refund)
	}
	w.s.write("exports/"+name, text)
}

func (w *world) configure() {
	policy, rates, landing := "keep", "", ""
	if w.copies {
		landing = ", landing: copy"
	}
	if w.drop {
		policy = "drop"
	}
	if w.rates {
		rates = ", {table: fx, name: ecb, path: fx.csv}"
	}
	w.s.write("c.yaml", "version: 1\nreporting: {timezone: UTC, currency: EUR, grains: [month, week]}\nsources: [{table: orders, path: exports/*.csv"+landing+"}"+rates+
		"]\npurchases: {fully_refunded: "+policy+"}\nchecks: {max_shrink: 1, max_reject_share: 1}\noutput: {path: night}\n")
}

// commands are what can happen between two looks at the warehouse.
var commands = []struct {
	name string
	do   func(w *world) (what string)
}{
	{"late orders", func(w *world) string {
		var rows []modelOrder
		for range 1 + w.r.IntN(20) {
			rows = append(rows, w.order())
		}
		w.deliver(fmt.Sprintf("late-%d.csv", w.version()), rows)
		return fmt.Sprint(len(rows))
	}},
	{"corrections", func(w *world) string {
		var rows []modelOrder
		for range 1 + w.r.IntN(5) {
			o := w.any()
			switch o.updated = w.version(); w.r.IntN(4) {
			case 0:
				o.refund = o.gross
			case 1:
				o.gross, o.refund = o.gross+w.r.Int64N(9), 0
			case 2:
				o.mail = fmt.Sprintf("m%d", w.r.IntN(30))
			case 3:
				o.day = o.day.AddDate(0, 0, w.r.IntN(40)-20)
			}
			rows = append(rows, o)
		}
		w.deliver(fmt.Sprintf("corrected-%d.csv", w.version()), rows)
		return fmt.Sprint(len(rows))
	}},
	{"a file again", func(w *world) string {
		name := w.anyFile()
		w.deliver("again-"+name, w.files[name])
		return name
	}},
	{"a file less", func(w *world) string {
		if len(w.files) == 1 {
			return "not the last"
		}
		name := w.anyFile()
		delete(w.files, name)
		if err := os.Remove(filepath.Join(w.s.dir, "exports", name)); err != nil {
			w.s.t.Fatal(err)
		}
		return name
	}},
	{"configuration", func(w *world) string {
		if w.r.IntN(2) == 0 {
			w.drop = !w.drop
		} else {
			w.rates = !w.rates
		}
		w.configure()
		return fmt.Sprintf("drop %v, rates %v", w.drop, w.rates)
	}},
	{"run", func(w *world) string {
		date := w.date()
		w.good("run", "--as-of", date, "--quiet")
		w.publish(date)
		return date
	}},
	{"run, killed", func(w *world) string {
		date := w.date()
		before := w.s.whole(date)
		w.kill("run", "--as-of", date, "--quiet")
		w.died(date, before)
		return date
	}},
	{"backfill", func(w *world) string {
		from, to := w.dates()
		w.good("backfill", "--from", from, "--to", to, "--every", "month", "--restart", "--quiet")
		for _, date := range months(from, to) {
			w.publish(date)
		}
		return from + " to " + to
	}},
	{"backfill, killed and resumed", func(w *world) string {
		from, to := w.dates()
		before := map[string]map[string]string{}
		for _, date := range months(from, to) {
			before[date] = w.s.whole(date)
		}
		args := []string{"--from", from, "--to", to, "--every", "month", "--quiet"}
		w.kill("backfill", append(args, "--restart")...)
		code, said := w.s.run("backfill", append(args, "--resume")...)
		if code != 0 && !strings.Contains(said, "resume") {
			w.s.t.Fatalf("resumed: exit code %d\n%s", code, said)
		}
		for date, b := range before {
			if code == 0 {
				w.publish(date)
			} else { // it had ended, or not begun
				w.died(date, b)
			}
		}
		return from + " to " + to
	}},
	{"replay", func(w *world) string {
		w.rates = true
		w.configure()
		w.good("quarantine replay", "--quiet")
		for date, p := range w.published {
			if p.rejects {
				w.publish(date)
			}
		}
		return ""
	}},
	{"verify", func(w *world) string {
		if len(w.published) == 0 {
			return "nothing"
		}
		date := slices.Sorted(maps.Keys(w.published))[w.r.IntN(len(w.published))]
		if code, said := w.s.run("verify", "--against", "full", "--as-of", date); code != 0 && (w.copies || code != exitMissing) {
			w.s.t.Fatalf("%s: exit code %d\n%s", date, code, said)
		}
		return date
	}},
	{"gc", func(w *world) string {
		w.good("gc", "--keep", "0s", "--keep-runs", fmt.Sprint(1+w.r.IntN(2)))
		return ""
	}},
}

// dates are the ends of a backfill.
func (w *world) dates() (from, to string) {
	first := 3 + w.r.IntN(8)
	return modelStart.AddDate(0, first, 0).Format(time.DateOnly), modelStart.AddDate(0, first+w.r.IntN(4), 0).Format(time.DateOnly)
}

// months lists the first days of months from one date to another.
func months(from, to string) (dates []string) {
	for month := 0; ; month++ {
		date := modelStart.AddDate(0, month, 0).Format(time.DateOnly)
		if date > to {
			return dates
		}
		if date >= from {
			dates = append(dates, date)
		}
	}
}

// kill starts a verb and kills it after a while.
func (w *world) kill(verb string, args ...string) {
	cmd := w.s.process(append([]string{verb}, args...)...)
	if err := cmd.Start(); err != nil {
		w.s.t.Fatal(err)
	}
	time.Sleep(time.Duration(w.r.IntN(120)) * time.Millisecond)
	if err := cmd.Process.Kill(); err != nil {
		w.s.t.Log(err)
	}
	_ = cmd.Wait() // killed: its error is the signal
}

// good runs a verb that must succeed.
func (w *world) good(verb string, args ...string) {
	w.s.t.Helper()
	if code, said := w.s.run(verb, args...); code != 0 {
		w.s.t.Fatalf("%s %v ends with %d\n%s", verb, args, code, said)
	}
}

// differs is the first date whose published result is not the model's.
func (w *world) differs() string {
	for _, date := range slices.Sorted(maps.Keys(w.published)) {
		w.s.whole(date) // every table is what its manifest says
		if got := w.said(date); got != w.published[date].cohorts {
			return fmt.Sprintf("%s: published is\n%s\nthe model has\n%s", date, got, w.published[date].cohorts)
		}
	}
	return ""
}

// TestRandomCommands does random commands and compares what is published for every date
// with a simple model after each of them. COHORTLINE_COMMANDS says how many.
func TestRandomCommands(t *testing.T) {
	const histories = 4
	n := times(t, "COHORTLINE_COMMANDS", 60)
	for history := range histories {
		s := newScene(t)
		w := &world{s: s, r: rand.New(rand.NewPCG(uint64(history), 7)), files: map[string][]modelOrder{}, published: map[string]modelDate{}, copies: history%2 == 1}
		fx := "date,currency,rate\n"
		for week := range 70 {
			fx += modelStart.AddDate(0, 0, 7*(week-4)).Format(time.DateOnly) + ",USD,0.5\n"
		}
		s.write("fx.csv", fx)
		w.configure()
		commands[0].do(w)
		var story []string
		for range n / histories {
			c := commands[w.r.IntN(len(commands))]
			story = append(story, c.name+" "+c.do(w))
			if d := w.differs(); d != "" {
				t.Fatalf("history %d\n%s\n%s", history, strings.Join(story, "\n"), d)
			}
		}
		if len(w.published) == 0 {
			t.Errorf("history %d has published nothing", history)
		}
		// The failing twin: with an order that the program has not seen, a model differs.
		w.files["unseen"] = []modelOrder{{id: "unseen", customer: "unseen", mail: "unseen", day: modelStart, gross: 1, updated: w.version()}}
		for date := range w.published {
			w.publish(date)
		}
		if w.differs() == "" {
			t.Errorf("history %d: an order more is not noticed", history)
		}
	}
}
