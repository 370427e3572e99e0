package jobs

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/store"
)

// chronicle is a random history of exports, and the output of a job that is run after every
// step of it.
type chronicle struct {
	t         *testing.T
	r         *rand.Rand
	dir       string
	s         store.Store
	files     map[string]string // what lies there now, by name
	config    chronicleConfig
	orders    []chronicleOrder
	step      int
	days      int          // that gc believes to have passed
	collected bool         // gc has removed a copy
	moments   []chronicled // the files after each step
}

type chronicleConfig struct {
	copy, drop, channels bool
	zone                 string
}

// chronicled is what lay there at an hour of the clock.
type chronicled struct {
	hour  int
	files map[string]string
	copy  bool // every file of it was landed
}

type chronicleOrder struct {
	id             int
	customer, mail string
	at             time.Time
	gross, refund  int
	version        int
	currency       string
}

const chronicleHeader = "order_id,customer_id,email,ordered_at,updated_at,gross_amount,refund_amount,currency,channel\n"

func (o chronicleOrder) row() string {
	return fmt.Sprintf("%d,%s,%s,%s,%s,%d,%d,%s,%s\n", o.id, o.customer, o.mail, o.at.Format(time.RFC3339), o.at.AddDate(0, 0, o.version).Format(time.RFC3339), o.gross, o.refund, o.currency, []string{"web", "shop", ""}[o.id%3])
}

// order is a new order; now and then of a customer known by another id or e-mail.
func (h *chronicle) order() chronicleOrder {
	o := chronicleOrder{id: len(h.orders) + 1, customer: fmt.Sprintf("c%d", h.r.IntN(25)), at: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(h.r.IntN(200*24*60)) * time.Minute),
		gross: 1 + h.r.IntN(90), currency: []string{"EUR", "EUR", "USD"}[h.r.IntN(3)]}
	switch h.r.IntN(6) {
	case 0:
		o.mail = fmt.Sprintf("M%d@example.com", h.r.IntN(12))
	case 1:
		o.customer, o.mail = "", fmt.Sprintf("m%d@example.com", h.r.IntN(12))
	}
	h.orders = append(h.orders, o)
	return o
}

// changed is a later version of some order: corrected or refunded.
func (h *chronicle) changed() chronicleOrder {
	o := &h.orders[h.r.IntN(len(h.orders))]
	o.version++
	if h.r.IntN(2) == 0 {
		o.refund = min(o.gross, o.refund+1+h.r.IntN(o.gross))
	} else {
		o.gross += h.r.IntN(9)
	}
	return *o
}

func (h *chronicle) put(name, text string) { h.files[name] = text }

// some is the name of one of the files with orders.
func (h *chronicle) some() string {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(h.files)), func(n string) bool { return n == "fx.csv" })
	return names[h.r.IntN(len(names))]
}

func (h *chronicle) rates() {
	text := "date,currency,rate\n"
	for day := range 30 {
		text += fmt.Sprintf("%s,USD,0.%d\n", time.Date(2023, 12, 28, 0, 0, 0, 0, time.UTC).AddDate(0, 0, 7*day).Format(time.DateOnly), 80+h.r.IntN(19))
	}
	h.put("fx.csv", text)
}

// events are the steps of a history.
var events = map[string]func(h *chronicle){
	"late orders": func(h *chronicle) {
		text := chronicleHeader
		for range 1 + h.r.IntN(12) {
			text += h.order().row()
		}
		h.put(fmt.Sprintf("orders-%02d.csv", h.r.IntN(90)), text)
	},
	"corrections and refunds": func(h *chronicle) {
		text := chronicleHeader
		for range 1 + h.r.IntN(8) {
			text += h.changed().row()
		}
		h.put(fmt.Sprintf("changes-%02d.csv", h.r.IntN(90)), text)
	},
	"an export is overwritten": func(h *chronicle) { h.put(h.some(), chronicleHeader+h.changed().row()+h.order().row()) },
	"a file comes twice":       func(h *chronicle) { h.put("again-"+strconv.Itoa(h.r.IntN(9))+".csv", h.files[h.some()]) },
	"a file is renamed": func(h *chronicle) {
		name := h.some()
		text := h.files[name]
		delete(h.files, name)
		h.put("orders-x"+strconv.Itoa(h.r.IntN(9))+".csv", text)
	},
	"a file is deleted": func(h *chronicle) {
		if len(h.files) > 3 {
			delete(h.files, h.some())
		}
	},
	"rows in another order": func(h *chronicle) {
		name := h.some()
		rows := strings.SplitAfter(strings.TrimSuffix(h.files[name], "\n"), "\n")[1:]
		rows[len(rows)-1] += "\n"
		h.r.Shuffle(len(rows), func(i, k int) {
			rows[i], rows[k] = strings.TrimSuffix(rows[k], "\n")+"\n", strings.TrimSuffix(rows[i], "\n")+"\n"
		})
		h.put(name, chronicleHeader+strings.Join(rows, ""))
	},
	"a rejected row": func(h *chronicle) { h.put(h.some(), h.files[h.some()]+"bad,c1,,yesterday,,1,0,EUR,web\n") },
	"other rates":    func(h *chronicle) { h.rates() },
	"a merge": func(h *chronicle) {
		a, b := h.order(), h.order()
		a.customer, b.customer, a.mail, b.mail = "c1", "c2", "one@example.com", "ONE@example.com "
		h.put(fmt.Sprintf("orders-%02d.csv", h.r.IntN(90)), chronicleHeader+a.row()+b.row())
	},
	"another configuration": func(h *chronicle) {
		h.config.drop, h.config.channels = h.r.IntN(2) == 0, h.r.IntN(2) == 0
		h.config.zone = []string{"UTC", "Europe/Berlin", "America/New_York"}[h.r.IntN(3)]
	},
	"nothing": func(*chronicle) {},
}

// write puts the files and the configuration into a folder, with the times of the clock.
func (h *chronicle) write(dir string, files map[string]string) *Config {
	h.t.Helper()
	old, err := filepath.Glob(filepath.Join(dir, "*.csv"))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range old {
		if _, stays := files[filepath.Base(f)]; !stays {
			if err := os.Remove(f); err != nil {
				h.t.Fatal(err)
			}
		}
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if data, err := os.ReadFile(path); err == nil && string(data) == text {
			continue
		}
		now := h.clock(h.step)
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o644), os.Chtimes(path, now, now)); err != nil {
			h.t.Fatal(err)
		}
	}
	c := h.config
	text := fmt.Sprintf("version: 1\nreporting: {timezone: %s, currency: EUR, grains: [week, month]}\nchecks: {max_reject_share: 1, max_shrink: 1}\noutput: {path: unused}\n", c.zone)
	landing := ""
	if c.copy {
		landing = ", landing: copy"
	}
	text += "sources: [{table: orders, name: shop, path: '[oca]*.csv'" + landing + "}, {table: fx, path: fx.csv" + landing + "}]\n"
	if c.drop {
		text += "purchases: {fully_refunded: drop}\n"
	}
	if c.channels {
		text += "dimensions: [channel]\n"
	}
	config, err := ParseConfig(filepath.Join(dir, "c.yaml"), []byte(text), os.LookupEnv)
	if err != nil {
		h.t.Fatal(err)
	}
	return config
}

func (h *chronicle) clock(step int) time.Time {
	return time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(step) * time.Hour)
}

// run runs a date and returns its tables but runs.
func (h *chronicle) run(s store.Store, c *Config, date time.Time, known *time.Time) map[string]string {
	h.t.Helper()
	tables, err := h.try(s, c, date, known)
	if err != nil {
		h.t.Fatalf("step %d: %v", h.step, err)
	}
	return tables
}

func (h *chronicle) try(s store.Store, c *Config, date time.Time, known *time.Time) (map[string]string, error) {
	h.t.Helper()
	now := h.clock(h.step).Add(time.Minute)
	_, err := Cohorts(h.t.Context(), c, Options{AsOf: date.In(c.Zone), KnownAt: known, Threads: 1 + h.r.IntN(3), Memory: 256 << 20, CodeVersion: "test", Store: s, Now: func() time.Time { return now }})
	if err != nil {
		return nil, err
	}
	return h.tables(s, c, date), nil
}

// tables are the tables of the last result of a date, nil when there is none.
func (h *chronicle) tables(s store.Store, c *Config, date time.Time) map[string]string {
	h.t.Helper()
	m, err := pipeline.Current(h.t.Context(), s, "as_of="+date.In(c.Zone).Format(time.DateOnly))
	if err != nil {
		h.t.Fatal(err)
	}
	if m == nil {
		return nil
	}
	tables := map[string]string{}
	for _, o := range m.Outputs {
		if o.Table != "runs" {
			tables[o.Table] = o.SHA256
		}
	}
	return tables
}

// fresh is what a run publishes in an empty output from files in a folder of their own.
func (h *chronicle) fresh(files map[string]string, date time.Time) map[string]string {
	h.t.Helper()
	return h.run(stores["memory"](h.t), h.write(h.t.TempDir(), files), date, nil)
}

// check runs a date and holds its result against a fresh one, and against verify.
func (h *chronicle) check(c *Config, date time.Time) (stale bool) {
	h.t.Helper()
	before := h.tables(h.s, c, date)
	got, want := h.run(h.s, c, date, nil), h.fresh(h.files, date)
	if !maps.Equal(got, want) {
		h.t.Fatalf("step %d: the run of %s is not what a fresh one publishes", h.step, date.Format(time.DateOnly))
	}
	v, err := verify(h.t, h.s, func(o *VerifyOptions) { o.Run = date.In(c.Zone).Format(time.DateOnly) })
	if err != nil || v.Status != Same {
		h.t.Fatalf("step %d: verify says %+v %v", h.step, v, err)
	}
	return before != nil && !maps.Equal(before, want)
}

// lookBack verifies some past run: it is the same, or, if it was read by reference, gone.
func (h *chronicle) lookBack() {
	h.t.Helper()
	list, err := pipeline.Manifests(h.t.Context(), h.s)
	if err != nil {
		h.t.Fatal(err)
	}
	m := list[h.r.IntN(len(list))]
	copied := !slices.ContainsFunc(m.Inputs, func(in pipeline.InputRecord) bool { return !in.Copied })
	var gone *pipeline.GoneError
	v, err := verify(h.t, h.s, func(o *VerifyOptions) { o.Run = m.Label() })
	if errors.As(err, &gone) && !copied {
		return
	}
	if err != nil || v.Status != Same {
		h.t.Fatalf("step %d: %s, copied: %t: %+v %v", h.step, m.Label(), copied, v, err)
	}
}

// knownAt asks for a result with the files of an earlier moment.
func (h *chronicle) knownAt(c *Config, date time.Time) {
	h.t.Helper()
	then := h.moments[h.r.IntN(len(h.moments))]
	if !then.copy {
		return
	}
	at := h.clock(then.hour).Add(30 * time.Minute)
	if then.hour == 1 {
		at = h.clock(then.hour).Add(time.Minute)
	}
	got, err := h.try(h.s, c, date, &at)
	var gone *pipeline.GoneError
	if errors.As(err, &gone) && h.collected {
		return
	}
	if err != nil {
		h.t.Fatalf("step %d: known at step %d: %v", h.step, then.hour, err)
	}
	if want := h.fresh(then.files, date); !maps.Equal(got, want) {
		h.t.Fatalf("step %d: known at step %d is not what a fresh run publishes from the files of then", h.step, then.hour)
	}
}

// TestRandomHistories lets exports change at random. After every step the run publishes,
// byte for byte, what a run in an empty output does; verify finds past results the same;
// and what had been received by an earlier instant can be asked for. The twin: what was
// published before a step is often not what must be published after it.
func TestRandomHistories(t *testing.T) {
	n, seed := 3, uint64(1)
	if k, err := strconv.Atoi(os.Getenv("COHORTLINE_HISTORIES")); err == nil {
		n, seed = k, uint64(time.Now().UnixNano())
	}
	stale, steps := 0, 0
	for k := range n {
		seed := seed + uint64(k)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			h := &chronicle{t: t, r: r, dir: t.TempDir(), files: map[string]string{}, config: chronicleConfig{copy: r.IntN(3) > 0, zone: "UTC"}}
			h.s = stores[[]string{"memory", "folder"}[k%2]](t)
			h.rates()
			events["late orders"](h)
			for h.step = 1; h.step <= 10; h.step++ {
				if h.step > 1 {
					names := slices.Sorted(maps.Keys(events))
					events[names[r.IntN(len(names))]](h)
				}
				c := h.write(h.dir, h.files)
				h.moments = append(h.moments, chronicled{h.step, maps.Clone(h.files), h.config.copy})
				date := time.Date(2024, time.Month(4+r.IntN(3)), 1, 12, 0, 0, 0, time.UTC)
				if h.check(c, date) {
					stale++
				}
				steps++
				h.lookBack()
				if r.IntN(3) == 0 {
					h.knownAt(c, date)
				}
				if r.IntN(4) == 0 {
					h.days++
					for _, name := range collect(t, h.s, h.days, false).Objects {
						h.collected = h.collected || strings.HasPrefix(name, "landing/objects/")
					}
				}
			}
		})
	}
	t.Logf("%d steps, %d of which made a published result stale", steps, stale)
	if stale*10 < steps {
		t.Errorf("the twin: only %d of %d steps change a published result, so this test shows little", stale, steps)
	}
}
