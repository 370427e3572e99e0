package jobs

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/store"
)

// overwrite replaces a published manifest, as nobody but a test may.
func overwrite(t *testing.T, s store.Store, m *pipeline.Manifest) {
	t.Helper()
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), fmt.Sprintf("runs/%s/%06d.json", m.Partition, m.Number), data); err != nil {
		t.Fatal(err)
	}
}

// randomOrder is an order of a random history.
type randomOrder struct {
	id, customer, mail, at, updated, status, currency string
	gross, refund                                     int
	channel, country, cost                            string
	broken                                            bool
	file                                              int
}

// randomHistory is a job whose inputs and configuration change at random.
type randomHistory struct {
	r      *rand.Rand
	orders []randomOrder
	rates  string
	config string
	asOf   string
	lines  bool
}

func newRandomHistory(r *rand.Rand) *randomHistory {
	h := &randomHistory{r: r, config: explainConfig, asOf: "2024-06-01", lines: r.IntN(4) == 0}
	if h.lines {
		h.config = strings.Replace(h.config, "in/orders*.csv,", "in/orders*.csv, grain: line,", 1)
	}
	h.rates = "date,currency,rate\n"
	for m := 1; m < 7; m++ {
		for d := 1; d < 28; d += 1 + r.IntN(6) {
			h.rates += fmt.Sprintf("2024-%02d-%02d,USD,0.%d\n", m, d, 80+r.IntN(15))
		}
	}
	for i := range 40 + r.IntN(60) {
		h.orders = append(h.orders, h.order(fmt.Sprint(i), 1+r.IntN(6)))
	}
	return h
}

func (h *randomHistory) one(list ...string) string { return list[h.r.IntN(len(list))] }

func (h *randomHistory) order(id string, month int) randomOrder {
	r := h.r
	o := randomOrder{id: id, at: fmt.Sprintf("2024-%02d-%02dT%02d:30:00Z", month, 1+r.IntN(28), r.IntN(24)), status: h.one("paid", "paid", "paid", "refunded", "cancelled"),
		currency: h.one("EUR", "EUR", "USD"), gross: 1 + r.IntN(99), channel: h.one("web", "shop", ""), country: h.one("DE", "FR"), cost: h.one("", "1", "2.5"), broken: r.IntN(15) == 0, file: r.IntN(3)}
	h.whose(&o)
	if r.IntN(5) == 0 {
		o.refund = r.IntN(o.gross + 1)
	}
	return o
}

// whose gives an order to somebody: an id, an e-mail, both or neither.
func (h *randomHistory) whose(o *randomOrder) {
	o.customer, o.mail = "", ""
	if h.r.IntN(6) > 0 {
		o.customer = fmt.Sprintf("c%d", h.r.IntN(14))
	}
	if h.r.IntN(3) > 0 {
		o.mail = fmt.Sprintf("m%d@x", h.r.IntN(14))
	}
}

// change changes the history in some ways at once, and says how.
func (h *randomHistory) change() string {
	ways := []struct {
		name string
		f    func()
	}{
		{"orders gone", func() { h.some(func(i int) { h.orders[i].file = -1 }) }},
		{"orders corrected", func() {
			h.some(func(i int) {
				h.correct(i, func(o *randomOrder) {
					o.gross, o.channel, o.cost = 1+h.r.IntN(99), h.one("web", "shop"), h.one("", "3")
				})
			})
		}},
		{"refunds", func() {
			h.some(func(i int) { h.correct(i, func(o *randomOrder) { o.refund = h.r.IntN(o.gross + 1) }) })
		}},
		{"customers corrected", func() { h.some(func(i int) { h.correct(i, h.whose) }) }},
		{"late orders", func() { h.some(func(int) { h.orders = append(h.orders, h.late(1+h.r.IntN(5))) }) }},
		{"rows broken or repaired", func() { h.some(func(i int) { h.orders[i].broken = !h.orders[i].broken }) }},
		{"rates", func() { h.rates = strings.Replace(h.rates, ",0.8", ",0.7", 3) }},
		{"rates gone", func() { h.rates = h.rates[:len(h.rates)/2/20*20+19] }},
		{"zone", func() {
			h.config = strings.Replace(h.config, "timezone: UTC", "timezone: "+h.one("Asia/Tokyo", "America/New_York"), 1)
		}},
		{"dimensions", func() {
			h.config = strings.Replace(h.config, "[channel]", h.one("[country]", "[channel, country]", "[]"), 1)
		}},
		{"dropped refunds", func() {
			h.config = strings.Replace(h.config, "checks:", "purchases: {fully_refunded: drop}\nchecks:", 1)
		}},
		{"ids only", func() { h.config = strings.Replace(h.config, "checks:", "identity: {match: [id]}\nchecks:", 1) }},
		{"another column", func() {
			h.config = strings.Replace(h.config, "in/orders*.csv,", "in/orders*.csv, columns: {gross_amount: net_amount},", 1)
		}},
		{"tables", func() {
			h.config = strings.Replace(h.config, "output: {path: unused}", "output: {path: unused, tables: [customers, cohorts, cohort_ltv]}", 1)
		}},
		{"as-of date", func() {
			h.asOf = "2024-07-01"
			h.some(func(int) { h.orders = append(h.orders, h.late(6)) })
		}},
		{"files", func() { h.some(func(i int) { h.orders[i].file = h.r.IntN(5) }) }},
	}
	var said []string
	for _, k := range h.r.Perm(len(ways))[:1+h.r.IntN(5)] {
		ways[k].f()
		said = append(said, ways[k].name)
	}
	return strings.Join(said, ", ")
}

func (h *randomHistory) some(f func(i int)) {
	for range 1 + h.r.IntN(6) {
		f(h.r.IntN(len(h.orders)))
	}
}

func (h *randomHistory) late(month int) randomOrder {
	o := h.order(fmt.Sprintf("late-%d", len(h.orders)), month)
	o.file = 3
	return o
}

// correct changes an order where it stands, or by a later version in another file.
func (h *randomHistory) correct(i int, f func(*randomOrder)) {
	if h.r.IntN(2) == 0 {
		f(&h.orders[i])
		return
	}
	o := h.orders[i]
	f(&o)
	o.updated, o.file = fmt.Sprintf("2025-01-01T00:00:%02dZ", h.r.IntN(60)), 4
	h.orders = append(h.orders, o)
}

func (h *randomHistory) delivery() delivery {
	files := map[string]string{"fx.csv": h.rates, "orders0.csv": explainHeader}
	for _, o := range h.orders {
		if o.file < 0 {
			continue
		}
		name := fmt.Sprintf("orders%d.csv", o.file)
		if files[name] == "" {
			files[name] = explainHeader
		}
		line := func(gross, refund int, customer, mail string) {
			amount := fmt.Sprint(gross)
			if o.broken {
				amount = "broken"
			}
			files[name] += strings.Join([]string{o.id, customer, mail, o.at, o.updated, o.status, o.currency, amount, fmt.Sprint(gross * 9 / 10), fmt.Sprint(refund), o.cost, o.channel, o.country}, ",") + "\n"
		}
		if h.lines && o.gross > 50 { // two lines, of which one says who and the other by which e-mail
			line(50, 0, o.customer, "")
			line(o.gross-50, o.refund, "", o.mail)
			continue
		}
		line(o.gross, o.refund, o.customer, o.mail)
	}
	return delivery{files, h.config, h.asOf}
}
