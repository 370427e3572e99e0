package jobs

import (
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/pipeline/store"
	"github.com/cohortline/cohortline/schemas"
	"github.com/cohortline/cohortline/transforms"
	"github.com/cohortline/cohortline/transforms/diff"
)

// delivery is what a job finds: files by name, a configuration, an as-of date.
type delivery struct {
	files  map[string]string
	config string
	asOf   string
}

func (d delivery) clone() delivery {
	d.files = maps.Clone(d.files)
	return d
}

// explainTest publishes deliveries into one output.
type explainTest struct {
	t   *testing.T
	dir string
	s   store.Store
	out store.Store
}

func newExplainTest(t *testing.T) *explainTest {
	return &explainTest{t: t, dir: t.TempDir(), s: stores["memory"](t), out: stores["memory"](t)}
}

// publish runs a delivery and returns the name of the result.
func (e *explainTest) publish(d delivery) string {
	e.t.Helper()
	if err := os.RemoveAll(filepath.Join(e.dir, "in")); err != nil {
		e.t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(e.dir, "in"), 0o755); err != nil {
		e.t.Fatal(err)
	}
	for name, text := range d.files {
		if err := os.WriteFile(filepath.Join(e.dir, "in", name), []byte(text), 0o644); err != nil {
			e.t.Fatal(err)
		}
	}
	c, err := ParseConfig(filepath.Join(e.dir, "cohortline.yaml"), []byte(d.config), os.LookupEnv)
	if err != nil {
		e.t.Fatal(err)
	}
	asOf, err := time.ParseInLocation(time.DateOnly, d.asOf, c.Zone)
	if err != nil {
		e.t.Fatal(err)
	}
	if _, err := Cohorts(e.t.Context(), c, Options{AsOf: asOf, Threads: 2, Memory: 256 * MiB, CodeVersion: "test", Store: e.s, AllowShrink: true}); err != nil {
		e.t.Fatal(err)
	}
	m, err := pipeline.FindRun(e.t.Context(), e.s, d.asOf)
	if err != nil {
		e.t.Fatal(err)
	}
	return m.Label()
}

func (e *explainTest) explain(before, after string, change func(*DiffOptions)) *Diff {
	e.t.Helper()
	o := DiffOptions{Before: before, After: after, Store: e.s, Out: e.out, Explain: true, Env: os.LookupEnv, Threads: 2, Memory: 256 * MiB}
	if change != nil {
		change(&o)
	}
	d, err := DiffRuns(e.t.Context(), o)
	if err != nil {
		e.t.Fatal(err)
	}
	return d
}

// records reads a table that diff has written, as maps by column.
func (e *explainTest) records(name string) []map[string]string {
	e.t.Helper()
	data, err := store.Read(e.t.Context(), e.out, name)
	if err != nil {
		e.t.Fatal(err)
	}
	r := strings.NewReader(string(data))
	f, err := source.OpenParquet(name, r, int64(r.Len()), nopCloser{})
	if err != nil {
		e.t.Fatal(err)
	}
	var want []int
	for i := range f.Fields() {
		want = append(want, i)
	}
	var list []map[string]string
	for unit := range f.Units() {
		for b, err := range f.Read(e.t.Context(), unit, want) {
			if err != nil {
				e.t.Fatal(err)
			}
			for i := range b.N {
				m := map[string]string{}
				for k := range want {
					if c := &b.Cols[k]; c.Null == nil || !c.Null[i] {
						m[c.Name] = textAt(c, i)
					}
				}
				list = append(list, m)
			}
		}
	}
	return list
}

type nopCloser struct{}

func (nopCloser) Close() error { return nil }

// textAt is a text or whole number of a column.
func textAt(c *source.Column, i int) string {
	switch {
	case c.Codes != nil:
		return textAt(c.Dict, int(c.Codes[i]))
	case c.Kind == source.Text:
		return string(c.Data[c.Start[i]:c.End[i]])
	case c.Kind == source.Float:
		return strconv.FormatFloat(c.Floats[i], 'g', -1, 64)
	}
	return strconv.FormatInt(c.Ints[i], 10)
}

// addUp says what is wrong with the parts of the changed cells: from the value in the earlier
// result every part must lead on from where the last one ended, to the value in the later
// result, and the parts of counts and sums must be exact.
func addUp(changes, parts []map[string]string) string {
	id := func(m map[string]string) [3]string { return [3]string{m["table"], m["key"], m["column"]} }
	value := func(m map[string]string, column string) string {
		if v, ok := m[column]; ok {
			return v
		}
		return "null"
	}
	chains := map[[3]string][]map[string]string{}
	for _, p := range parts {
		chains[id(p)] = append(chains[id(p)], p)
	}
	changed := map[[3]string]bool{}
	for _, c := range changes {
		chain := chains[id(c)]
		changed[id(c)] = true
		if len(chain) == 0 {
			return fmt.Sprintf("%v has changed without a cause", c)
		}
		if f, l := chain[0], chain[len(chain)-1]; value(f, "before") != value(c, "before") || value(l, "after") != value(c, "after") {
			return fmt.Sprintf("%v: the parts lead from %s to %s", c, value(f, "before"), value(l, "after"))
		}
		if delta, ok := c["delta"]; ok {
			sum, whole := new(big.Rat), true
			for _, p := range chain {
				x, ok := new(big.Rat).SetString(p["part"])
				if whole = whole && ok; ok {
					sum.Add(sum, x)
				}
			}
			want, _ := new(big.Rat).SetString(delta)
			if exact := schemaType(c["table"], c["column"]) != schemas.Double; whole && exact && sum.Cmp(want) != 0 {
				return fmt.Sprintf("%v: the parts add up to %s", c, sum.RatString())
			}
		}
	}
	for k, chain := range chains {
		for i, p := range chain {
			if i > 0 && value(p, "before") != value(chain[i-1], "after") {
				return fmt.Sprintf("%v: step %s begins at %s, the one before ended at %s", k, p["step"], value(p, "before"), value(chain[i-1], "after"))
			}
		}
		if f, l := chain[0], chain[len(chain)-1]; !changed[k] && value(f, "before") != value(l, "after") {
			return fmt.Sprintf("%v has not changed and its parts lead from %s to %s", k, value(f, "before"), value(l, "after"))
		}
	}
	return ""
}

func schemaType(table, column string) schemas.Type {
	t, _ := schemas.ByName(table, nil)
	c, _ := t.Column(column)
	return c.Type
}

// causesOf are the causes that have moved cells.
func causesOf(d *Diff) []string {
	var list []string
	for _, s := range d.Explanation.Steps {
		if s.Cells > 0 {
			list = append(list, s.Cause)
		}
	}
	return list
}

const explainHeader = "order_id,customer_id,email,ordered_at,updated_at,status,currency,gross_amount,net_amount,refund_amount,cost_amount,channel,country\n"

const explainConfig = `version: 1
reporting: {timezone: UTC, currency: EUR, grains: [month], week_start: monday}
sources:
  - {table: orders, name: shop, path: in/orders*.csv, landing: copy}
  - {table: fx, name: ecb, path: in/fx.csv, landing: copy}
dimensions: [channel]
checks: {max_reject_share: 1, max_shrink: 1}
output: {path: unused}
`

// firstDelivery is a small history: two currencies, ids and guests, refunds, a broken row.
func firstDelivery() delivery {
	return delivery{map[string]string{
		"orders.csv": explainHeader +
			"1,c1,a@x,2024-01-05T10:00:00Z,,paid,EUR,10,9,0,4,web,DE\n" +
			"2,c2,b@x,2024-01-31T23:30:00Z,,paid,USD,20,18,0,5,web,DE\n" +
			"3,c1,a@x,2024-02-05T10:00:00Z,,paid,EUR,30,27,0,6,shop,FR\n" +
			"4,c3,,2024-02-06T10:00:00Z,,paid,EUR,40,36,0,7,shop,FR\n" +
			"5,c2,b@x,2024-03-07T10:00:00Z,,paid,EUR,50,45,0,8,shop,DE\n" +
			"6,,g@x,2024-03-08T10:00:00Z,,paid,EUR,60,54,0,,web,DE\n" +
			"7,c4,d@x,2024-03-09T10:00:00Z,,refunded,EUR,70,63,70,9,web,FR\n" +
			"8,c5,e@x,2024-03-10T10:00:00Z,,paid,EUR,broken,63,0,9,web,FR\n" +
			"9,c3,,2024-06-15T10:00:00Z,,paid,EUR,11,10,0,1,web,FR\n",
		"fx.csv": "date,currency,rate\n2024-01-31,USD,0.9\n2024-03-01,USD,0.8\n",
	}, explainConfig, "2024-06-01"}
}

// edit replaces text in a file of a delivery.
func (d delivery) edit(t *testing.T, file, old, new string) delivery {
	t.Helper()
	if !strings.Contains(d.files[file], old) {
		t.Fatalf("%s has no %q", file, old)
	}
	d = d.clone()
	d.files[file] = strings.Replace(d.files[file], old, new, 1)
	return d
}

func (d delivery) with(file, text string) delivery {
	d = d.clone()
	d.files[file] = text
	return d
}

func (d delivery) configured(t *testing.T, old, new string) delivery {
	t.Helper()
	if !strings.Contains(d.config, old) {
		t.Fatalf("the configuration has no %q", old)
	}
	d.config = strings.Replace(d.config, old, new, 1)
	return d
}

// oneCause are changes for which one cause accounts alone; forget is the class of orders
// that the twin does not switch.
func oneCause(t *testing.T, first delivery) map[string]struct {
	before, after delivery
	cause         string
	forget        transforms.OrderClass
} {
	later := first.clone()
	later.asOf = "2024-07-01"
	repaired := first.edit(t, "orders.csv", "broken", "77")
	type entry = struct {
		before, after delivery
		cause         string
		forget        transforms.OrderClass
	}
	return map[string]entry{
		"a dimension more":      {first, first.configured(t, "[channel]", "[channel, country]"), "definition", 0},
		"a forecast":            {first, first.configured(t, "checks:", "ltv: {horizon: 12 months}\nchecks:"), "definition", 0},
		"forecasts of late":     {first.configured(t, "checks:", "ltv: {horizon: 12 months}\nchecks:"), first.configured(t, "checks:", "ltv: {horizon: 12 months}\nchecks:").with("orders2.csv", explainHeader+"20,c7,,2024-02-01T00:00:00Z,,paid,EUR,5,5,0,1,web,DE\n"), "late orders", transforms.Late},
		"dropped refunds":       {first, first.configured(t, "checks:", "purchases: {fully_refunded: drop}\nchecks:"), "definition", 0},
		"another column":        {repaired, repaired.configured(t, "in/orders*.csv,", "in/orders*.csv, columns: {gross_amount: net_amount},"), "definition", transforms.Definition},
		"a filter":              {first, first.configured(t, "in/orders*.csv,", `in/orders*.csv, filter: 'country == "DE"',`), "definition", transforms.Definition},
		"time goes on":          {first, later, "as-of instant", 0},
		"another zone":          {first, first.configured(t, "timezone: UTC", "timezone: Asia/Tokyo"), "calendar", 0},
		"another first weekday": {first.configured(t, "[month]", "[week]"), first.configured(t, "[month]", "[week]").configured(t, "monday", "sunday"), "calendar", 0},
		"other rates":           {first, first.edit(t, "fx.csv", "0.9", "0.95"), "rates", 0},
		"a rate is missing":     {first, first.edit(t, "fx.csv", "2024-01-31,USD,0.9\n", ""), "rates", 0},
		"an order gone":         {first, first.edit(t, "orders.csv", "4,c3,,2024-02-06T10:00:00Z,,paid,EUR,40,36,0,7,shop,FR\n", ""), "vanished orders", transforms.Vanished},
		"a new version":         {first, first.with("orders2.csv", explainHeader+"3,c1,a@x,2024-02-05T10:00:00Z,2024-05-01T00:00:00Z,paid,EUR,33,27,0,6,shop,FR\n"), "corrected orders", transforms.Corrected},
		"overwritten":           {first, first.edit(t, "orders.csv", "EUR,50,45,0,8,shop,DE", "EUR,51,45,0,8,web,DE"), "corrected orders", transforms.Corrected},
		"a refund":              {first, first.with("orders2.csv", explainHeader+"5,c2,b@x,2024-03-07T10:00:00Z,2024-05-01T00:00:00Z,refunded,EUR,50,45,20,8,shop,DE\n"), "refunds", transforms.Refund},
		"late":                  {first, first.with("orders2.csv", explainHeader+"20,c7,,2024-02-01T00:00:00Z,,paid,EUR,5,5,0,1,web,DE\n"), "late orders", transforms.Late},
		"row broken":            {repaired, first, "rejected rows", transforms.Rejected},
		"row repaired":          {first, repaired, "replayed rows", transforms.Replayed},
		"mapping repaired":      {first, first.configured(t, "in/orders*.csv,", `in/orders*.csv, values: {gross_amount: {broken: "77"}},`), "replayed rows", transforms.Replayed},
		"another customer":      {first, first.edit(t, "orders.csv", "4,c3,", "4,c1,"), "identity", transforms.Identity},
		"an e-mail merges":      {first, first.edit(t, "orders.csv", "4,c3,,", "4,c3,b@x,"), "identity", transforms.Identity},
	}
}

// TestExplainOneCause makes one change at a time: all of it goes to its cause, and this
// program computes exactly what was published. The twin leaves the orders of the cause where
// they were: what is then left over is seen.
func TestExplainOneCause(t *testing.T) {
	for name, x := range oneCause(t, firstDelivery()) {
		t.Run(name, func(t *testing.T) {
			e := newExplainTest(t)
			before, after := e.publish(x.before), e.publish(x.after)
			d := e.explain(before, after, nil)
			if got := causesOf(d); !slices.Equal(got, []string{x.cause}) {
				t.Errorf("causes %q, want %q", got, x.cause)
			}
			if wrong := addUp(e.records("cell_changes.parquet"), e.records("cell_causes.parquet")); wrong != "" {
				t.Error(wrong)
			}
			if x.forget == transforms.NoChange {
				return
			}
			twin := e.explain(before, after, func(o *DiffOptions) { o.forget = x.forget })
			if got := causesOf(twin); !slices.Contains(got, causeCode) || len(twin.Explanation.Notes) == 0 {
				t.Errorf("the orders of the cause were left where they were, and nothing is left over: %q", got)
			}
		})
	}
}

// TestExplainCodeVersion lets the earlier result hold a table that this program does not
// compute.
func TestExplainCodeVersion(t *testing.T) {
	e := newExplainTest(t)
	first := firstDelivery()
	other := e.publish(first.edit(t, "orders.csv", "EUR,40,36", "EUR,41,36"))
	before := e.publish(first)
	from, err := pipeline.FindRun(t.Context(), e.s, other)
	if err != nil {
		t.Fatal(err)
	}
	m, err := pipeline.FindRun(t.Context(), e.s, before)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range m.Outputs {
		for _, y := range from.Outputs {
			if o.Table == "cohorts" && y.Table == "cohorts" {
				m.Outputs[i] = y
			}
		}
	}
	m.CodeVersion = "older"
	overwrite(t, e.s, m)
	after := e.publish(first.with("orders2.csv", explainHeader+"20,c7,,2024-02-01T00:00:00Z,,paid,EUR,5,5,0,1,web,DE\n"))
	d := e.explain(before, after, nil)
	if got := causesOf(d); !slices.Equal(got, []string{"code version", "late orders"}) {
		t.Errorf("causes %q", got)
	}
	if x := d.Explanation.Steps[0]; x.Cells != 2 || x.Tables[0].Table != "cohorts" {
		t.Errorf("the code version has moved %+v", x)
	}
	if wrong := addUp(e.records("cell_changes.parquet"), e.records("cell_causes.parquet")); wrong != "" {
		t.Error(wrong)
	}
}

// TestExplainMerge delivers a late order that makes a customer of two: the order is one
// cause, that they become one another.
func TestExplainMerge(t *testing.T) {
	e := newExplainTest(t)
	first := firstDelivery()
	before := e.publish(first)
	after := e.publish(first.with("orders2.csv", explainHeader+"20,c2,g@x,2024-04-01T00:00:00Z,,paid,EUR,5,5,0,1,web,DE\n"))
	d := e.explain(before, after, nil)
	if got := causesOf(d); !slices.Equal(got, []string{"late orders", "identity"}) {
		t.Fatalf("causes %q", got)
	}
	for _, x := range []struct {
		step  int
		delta string
	}{{0, ""}, {1, "-2"}} { // the guest is no customer of its own any more, in dimension all and in channel
		for _, t2 := range d.Explanation.Steps[x.step].Tables {
			for _, c := range t2.Columns {
				if t2.Table == "cohorts" && c.Column == "customers" && (x.delta == "" || *c.Delta != x.delta) {
					t.Errorf("step %d: customers of cohorts move by %s, want %q", x.step, *c.Delta, x.delta)
				}
			}
		}
	}
}

// TestAddUp is the twin of the check itself: parts that do not add up are found.
func TestAddUp(t *testing.T) {
	cell := func(column, before, after, key, value string) map[string]string {
		return map[string]string{"table": "cohorts", "key": "k", "column": column, "before": before, "after": after, key: value}
	}
	changes := []map[string]string{cell("orders", "1", "4", "delta", "3")}
	good := []map[string]string{cell("orders", "1", "6", "part", "5"), cell("orders", "6", "4", "part", "-2")}
	if wrong := addUp(changes, good); wrong != "" {
		t.Error(wrong)
	}
	for name, parts := range map[string][]map[string]string{
		"none":               nil,
		"one is left out":    good[:1],
		"the first is":       good[1:],
		"a gap":              {cell("orders", "1", "6", "part", "5"), cell("orders", "5", "4", "part", "-2")},
		"a wrong part":       {cell("orders", "1", "6", "part", "4"), good[1]},
		"a cell that stayed": append(slices.Clone(good), cell("customers", "1", "2", "part", "1")),
	} {
		if addUp(changes, parts) == "" {
			t.Errorf("%s: not found", name)
		}
	}
}

// TestExplainHistories explains pairs of random histories: every part adds up, and nothing
// is left over for the code version. COHORTLINE_HISTORIES is how many.
func TestExplainHistories(t *testing.T) {
	n, seed := 12, uint64(1)
	if k, err := strconv.Atoi(os.Getenv("COHORTLINE_HISTORIES")); err == nil {
		n, seed = k, uint64(time.Now().UnixNano())
	}
	for i := range n {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		t.Run(fmt.Sprintf("seed %d.%d", seed, i), func(t *testing.T) {
			e := newExplainTest(t)
			h := newRandomHistory(r)
			before := e.publish(h.delivery())
			said := h.change()
			after := e.publish(h.delivery())
			d := e.explain(before, after, nil)
			if slices.Contains(causesOf(d), causeCode) {
				t.Errorf("after %s the published result is not what is computed: %+v", said, d.Explanation)
			}
			if wrong := addUp(e.records("cell_changes.parquet"), e.records("cell_causes.parquet")); wrong != "" {
				t.Errorf("after %s: %s", said, wrong)
			}
		})
	}
}

// TestVerifySums is about the last check before an explanation is told.
func TestVerifySums(t *testing.T) {
	delta := func(n int64) diff.Delta {
		return diff.Delta{Valid: true, Type: schemas.Money, Sum: decimal128.FromI64(n)}
	}
	x := &explanation{d: &Diff{Tables: []TableDiff{{Table: "cohorts", Columns: []ColumnDiff{{Column: "net_revenue", summed: true, delta: delta(70_000)}}}}}, sums: map[[2]string]diff.Delta{}}
	x.sums[[2]string{"cohorts", "net_revenue"}] = delta(90_000).Plus(delta(-20_000))
	if err := x.verify(); err != nil {
		t.Error(err)
	}
	x.sums[[2]string{"cohorts", "net_revenue"}] = delta(90_000)
	if err := x.verify(); err == nil || !strings.Contains(err.Error(), "the parts add up to 9.0000 and not to 7.0000") {
		t.Errorf("a part is missing: %v", err)
	}
}
