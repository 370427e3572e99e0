package jobs

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ltvRun runs lines of customer, date and amount with a section ltv.
func ltvRun(t *testing.T, section, asOf string, lines []string) *Summary {
	t.Helper()
	dir := t.TempDir()
	text := "order_id,customer_id,ordered_at,gross_amount,refund_amount,cost_amount,channel\n" + strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(filepath.Join(dir, "orders.csv"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return runIn(t, dir, "version: 1\nreporting: {timezone: UTC, currency: EUR, grains: [month, week]}\nsources: [{table: orders, name: shop, path: orders.csv, timestamp: {timezone: UTC}}]\ndimensions: [channel]\nltv: "+section+"\noutput: {path: out}\n", asOf, 2)
}

// line is an order of a customer so many days after the start of 2024.
func line(n int, customer string, day int, gross, refund, cost, channel string) string {
	return fmt.Sprintf("%d,%s,%s,%s,%s,%s,%s", n, customer, time.Date(2024, 1, 1+day, 12, 0, 0, 0, time.UTC).Format("2006-01-02T15:04:05"), gross, refund, cost, channel)
}

// regulars are so many customers who buy again at gaps of their own, until they stop.
func regulars(customers int, channel func(i int) string, cost bool) []string {
	var lines []string
	for i := range customers {
		gap := 5 + (i*7919)%60
		spend := fmt.Sprintf("%d.50", 10+(i*31)%90)
		last := 30 + (i*104729)%430
		price := ""
		if cost {
			price = "4.00"
		}
		for day := (i * 13) % 120; day < last || day == (i*13)%120; day += gap + (day*day+i)%11 {
			lines = append(lines, line(len(lines), fmt.Sprintf("c%d", i), day, spend, "0", price, channel(i)))
		}
	}
	return lines
}

func double(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatalf("%q is no number", s)
	}
	return v
}

// fits are the rows of model_fits by segment and model.
func fits(t *testing.T, s *Summary) map[[2]string]map[string]string {
	t.Helper()
	list := map[[2]string]map[string]string{}
	for _, r := range table(t, s.Output, "model_fits") {
		list[[2]string{r["segment"], r["model"]}] = r
	}
	return list
}

// What the tables say of the customers and what the whole is: the same customers, the same
// past, and the same future in customer_ltv and, cohort by cohort, in cohort_ltv_forecast.
func TestForecastsAddUp(t *testing.T) {
	s := ltvRun(t, "{horizon: 12 months, holdout: 8 weeks, by: [channel]}", "2025-06-01", regulars(1500, func(i int) string { return []string{"search", "social", "mail"}[min(i%7, 2)] }, false))
	customers := map[string]map[string]string{}
	for _, r := range table(t, s.Output, "customers") {
		customers[r["customer_id"]] = r
	}
	rows := table(t, s.Output, "customer_ltv")
	if len(rows) != len(customers) || len(rows) != 1500 {
		t.Fatalf("%d rows of %d customers", len(rows), len(customers))
	}
	orders := map[string]float64{}
	value, percentiles := map[string]float64{}, 0.0
	for _, r := range rows {
		c := customers[r["customer_id"]]
		if r["frequency"] != c["frequency"] || r["historic_ltv"] != c["net_revenue"] || r["segment"] != "channel="+c["first_channel"] || r["value_basis"] != "net_revenue" {
			t.Fatalf("%v is not %v", r, c)
		}
		if got, want := double(t, r["age"])*7, double(t, c["age_days"]); math.Abs(got-want) > 1e-9 {
			t.Errorf("age %v days, want %v", got, want)
		}
		if got, want := double(t, r["total_ltv"]), double(t, r["historic_ltv"])+double(t, r["predicted_ltv"]); math.Abs(got-want) > 1e-9*want {
			t.Errorf("%s: total %v, want %v", r["customer_id"], got, want)
		}
		low, high := double(t, r["predicted_ltv_low"]), double(t, r["predicted_ltv_high"])
		if p := double(t, r["probability_alive"]); p < 0 || p > 1 || low > high || double(t, r["expected_orders_low"]) > double(t, r["expected_orders_high"]) {
			t.Errorf("%v", r)
		}
		orders[c["first_channel"]] += double(t, r["expected_orders"])
		value[c["first_channel"]] += double(t, r["expected_orders"]) * double(t, r["expected_spend"])
		percentiles += double(t, r["percentile"])
	}
	if mean := percentiles / 1500; math.Abs(mean-50) > 1e-9 {
		t.Errorf("mean percentile %v", mean)
	}
	orders["all"], value["all"] = orders["search"]+orders["social"]+orders["mail"], value["search"]+value["social"]+value["mail"]
	futureOrders, futureValue := map[string]float64{}, map[string]float64{}
	for _, r := range table(t, s.Output, "cohort_ltv_forecast") {
		if r["grain"] != "month" {
			continue
		}
		switch cohort, err := time.Parse(time.DateOnly, r["cohort"]); {
		case err != nil:
			t.Fatal(err)
		case r["kind"] == "observed":
			futureOrders[r["segment"]] -= double(t, r["cumulative_order_days"])
			futureValue[r["segment"]] -= double(t, r["cumulative_value"])
		case cohort.AddDate(0, int(double(t, r["age"])), 0).Equal(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)):
			futureOrders[r["segment"]] += double(t, r["cumulative_order_days"])
			futureValue[r["segment"]] += double(t, r["cumulative_value"])
			if l, m, h := double(t, r["ltv_low"]), double(t, r["ltv"]), double(t, r["ltv_high"]); !(l < m && m < h) {
				t.Errorf("%v", r)
			}
		}
	}
	// Twelve months of the calendar are 365 days here, those of a horizon 365.25.
	for segment, want := range orders {
		if got := futureOrders[segment]; math.Abs(got/want-1) > 0.002 {
			t.Errorf("%s: cohorts will buy %v times, customers %v", segment, got, want)
		}
		if got, want := futureValue[segment], value[segment]; math.Abs(got/want-1) > 0.002 {
			t.Errorf("%s: cohorts will spend %v, customers %v", segment, got, want)
		}
	}
	list := fits(t, s)
	if own := list[[2]string{"channel=mail", "gamma_gamma"}]; own["fitted_on"] != "segment" || own["chosen"] != "true" {
		t.Errorf("mail has repeaters enough for a fit of its own: %v", own)
	}
	if few := list[[2]string{"channel=search", "gamma_gamma"}]; few["fitted_on"] != "all" || few["verdict"] != "pooled" || !strings.Contains(few["reason"], "repeaters, a fit of its own needs 500") {
		t.Errorf("search has few repeaters: %v", few)
	}
}

// Where the cost of every purchase is known value is margin.
func TestForecastOfMargin(t *testing.T) {
	lines := regulars(300, func(int) string { return "web" }, true)
	s := ltvRun(t, "{holdout: 8 weeks}", "2025-06-01", lines)
	for _, r := range table(t, s.Output, "customer_ltv") {
		if r["value_basis"] != "margin" {
			t.Fatalf("%v", r)
		}
	}
	margin := 0.0
	for _, r := range table(t, s.Output, "customers") {
		margin += double(t, r["margin"])
	}
	sum := 0.0
	for _, r := range table(t, s.Output, "customer_ltv") {
		sum += double(t, r["historic_ltv"])
	}
	if math.Abs(sum-margin) > 1e-6 {
		t.Errorf("historic value %v, margin %v", sum, margin)
	}
	lines[len(lines)-1] = strings.Replace(lines[len(lines)-1], ",4.00,", ",,", 1)
	if r := table(t, ltvRun(t, "{holdout: 8 weeks}", "2025-06-01", lines).Output, "customer_ltv")[0]; r["value_basis"] != "net_revenue" {
		t.Errorf("one cost is unknown: %v", r)
	}
}

// BG/NBD and NBD take customers for alive by assumption: no probability is published.
func TestAliveByAssumptionIsNotPublished(t *testing.T) {
	lines := regulars(300, func(int) string { return "web" }, false)
	for model, never := range map[string]func(frequency string) bool{
		"bg_nbd": func(x string) bool { return x == "0" }, "nbd": func(string) bool { return true }, "mbg_nbd": func(string) bool { return false },
	} {
		with, without := 0, 0
		for _, r := range table(t, ltvRun(t, "{holdout: 8 weeks, model: "+model+"}", "2025-06-01", lines).Output, "customer_ltv") {
			if r["model"] != model {
				t.Fatalf("%v", r)
			}
			if never(r["frequency"]) != (r["probability_alive"] == "") || never(r["frequency"]) != (r["note"] == "never_lost_by_assumption") {
				t.Errorf("%s: %v", model, r)
			}
			if r["probability_alive"] == "" {
				without++
			} else {
				with++
			}
		}
		if model != "nbd" && with == 0 || model != "mbg_nbd" && without == 0 {
			t.Errorf("%s: %d with and %d without a probability", model, with, without)
		}
	}
}

// Input from which nothing, or little, can be said: the descriptive tables are published,
// and model_fits says in words why there is no fit.
func TestLittleToFitTo(t *testing.T) {
	var once, equal, refunded []string
	for i := range 400 {
		once = append(once, line(i, fmt.Sprint("c", i), i%300, "20.00", "0", "", "web"))
		for k := range 3 {
			equal = append(equal, line(3*i+k, fmt.Sprint("c", i), 10*k, "20.00", "0", "", "web"))
		}
	}
	for _, l := range regulars(400, func(int) string { return "web" }, false) {
		refunded = append(refunded, strings.Replace(l, ".50,0,", ".50,500.00,", 1)) // more than was paid
	}
	for name, c := range map[string]struct {
		lines         []string
		model, reason string // of model_fits, of all customers
		note          string // of customer_ltv
		warning       string
	}{
		"all bought once":     {once, "mbg_nbd", "too few repeaters: 0, needs 10; pool segments or wait for more history", "no_fit", "ltv_fits_converged: all: no predictions, too few repeaters: 0"},
		"one customer":        {once[:1], "nbd", "too few repeaters: 0, needs 10", "no_fit", "ltv_fits_converged"},
		"all are equal":       {equal, "nbd", "on the ridge: r → ∞: all customers buy at about the same rate", "", "ltv_fits_converged"},
		"everything refunded": {refunded, "gamma_gamma", "too few customers with a repeat purchase of positive value: 0, needs 10", "no_spend_model", "ltv_spend_is_positive"},
	} {
		t.Run(name, func(t *testing.T) {
			s := ltvRun(t, "{holdout: 8 weeks}", "2025-06-01", c.lines)
			if r := fits(t, s)[[2]string{"all", c.model}]; !strings.Contains(r["reason"], c.reason) {
				t.Errorf("reason %q, want %q", r["reason"], c.reason)
			}
			rows := table(t, s.Output, "customer_ltv")
			if len(rows) != len(table(t, s.Output, "customers")) || len(rows) == 0 {
				t.Fatalf("%d customers", len(rows))
			}
			for _, r := range rows {
				if c.note != "" && r["note"] != c.note && r["note"] != "never_lost_by_assumption" || c.note == "no_fit" && (r["expected_orders"] != "" || r["predicted_ltv"] != "" || r["model"] != "none") || c.note == "no_spend_model" && r["predicted_ltv"] != "" {
					t.Fatalf("%v", r)
				}
			}
			if !slices.ContainsFunc(s.Warnings, func(w string) bool { return strings.Contains(w, c.warning) }) {
				t.Errorf("warnings %q, want %q", s.Warnings, c.warning)
			}
			if len(table(t, s.Output, "cohort_retention")) == 0 || len(table(t, s.Output, "cohort_ltv_forecast")) == 0 {
				t.Error("no retention, or no observed rows of the forecast")
			}
		})
	}
}

// A million purchases of one customer among others, and prices out of all proportion.
func TestOneCustomerBuysAMillionTimes(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 50_000
	}
	lines := regulars(300, func(int) string { return "web" }, false)
	for i := range n {
		lines = append(lines, fmt.Sprintf("m%d,reseller,%s,1000000.00,0,,web", i, time.Date(2024, 1, 1+i%517, 0, 0, i%86400, 0, time.UTC).Format("2006-01-02T15:04:05")))
	}
	s := ltvRun(t, "{holdout: 8 weeks}", "2025-06-01", lines)
	for _, r := range table(t, s.Output, "customer_ltv") {
		if r["customer_id"] == "reseller" && (r["frequency"] != "516" || double(t, r["expected_orders"]) < 100) {
			t.Errorf("%v", r)
		}
	}
	if !slices.ContainsFunc(s.Warnings, func(w string) bool { return strings.Contains(w, "ltv_spend_has_no_outliers: all: 1 customers from") }) {
		t.Errorf("warnings %q", s.Warnings)
	}
}

// Customers with contracts: of those who could renew, how many did.
func TestContractRetention(t *testing.T) {
	var lines []string
	add := func(customer string, months ...int) {
		for _, m := range months {
			lines = append(lines, fmt.Sprintf("%d,%s,%s,9.00,0,,web", len(lines), customer, time.Date(2024, time.Month(1+m), 15, 0, 0, 0, 0, time.UTC).Format("2006-01-02T15:04:05")))
		}
	}
	for i := range 40 {
		add(fmt.Sprint("stays", i), 0, 1, 2, 3)
		add(fmt.Sprint("leaves", i), 0, 1)
	}
	for i := range 20 {
		add(fmt.Sprint("leaves at once", i), 0, 2, 3) // a month without: lost, whatever comes later
		add(fmt.Sprint("new", i), 3)
		add(fmt.Sprint("newest", i), 4) // the month is not over
	}
	s := ltvRun(t, "{holdout: 4 weeks, horizon: 3 months, contract: month}", "2024-05-20", lines)
	var got []string
	for _, r := range table(t, s.Output, "contract_retention") {
		if r["model"] == "sbg" {
			got = append(got, fmt.Sprintf("%s %s %s/%s", r["renewal"], r["kind"], r["renewed"], r["at_risk"]))
		}
		if r["kind"] == "observed" && math.Abs(double(t, r["retention_rate"])-double(t, r["observed_retention_rate"])) > 0.3 {
			t.Errorf("%v", r)
		}
	}
	if want := []string{"1 observed 80/100", "2 observed 40/80", "3 observed 40/40", "4 predicted 0/0", "5 predicted 0/0", "6 predicted 0/0"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if r := fits(t, s)[[2]string{"all", "sbg"}]; r["customers"] != "120" || r["alpha"] == "" || r["alpha_se"] == "" {
		t.Errorf("%v", r)
	}
}

// The run finds of CDNOW what the papers print, and what is expected for the 39 weeks after it
// (scipy).
func TestLifetimeValueOfCDNOW(t *testing.T) {
	dir := t.TempDir()
	if err := WriteDemo(dir); err != nil {
		t.Fatal(err)
	}
	config := read(t, filepath.Join(dir, "cohortline.yaml"))
	if i := strings.Index(config, "ltv:"); i >= 0 { // another one than the demonstration's
		end := strings.Index(config[i:], "\n")
		config = config[:i] + config[i+end+1:]
	}
	for model, want := range map[string]struct{ likelihood, orders float64 }{"bg_nbd": {-9582.4292, 1653.41}, "mbg_nbd": {-9582.14, 1576.73}, "pareto_nbd": {-9594.9762, 1665.51}} {
		s := runIn(t, dir, config+"ltv: {model: "+model+", horizon: 39 weeks}\n", "1997-10-01", 2)
		list := fits(t, s)
		if got := double(t, list[[2]string{"all", model}]["log_likelihood"]); math.Abs(got-want.likelihood) > 0.005 {
			t.Errorf("%s: log-likelihood %v, want %v", model, got, want.likelihood)
		}
		if g := list[[2]string{"all", "gamma_gamma"}]; math.Abs(double(t, g["p"])-6.25) > .005 || math.Abs(double(t, g["q"])-3.744) > .005 || math.Abs(double(t, g["v"])-15.44) > .01 {
			t.Errorf("p %s, q %s, v %s", g["p"], g["q"], g["v"])
		}
		sum := 0.0
		for _, r := range table(t, s.Output, "customer_ltv") {
			sum += double(t, r["expected_orders"])
		}
		if math.Abs(sum-want.orders) > .01 {
			t.Errorf("%s: %v order-days expected, want %v", model, sum, want.orders)
		}
	}
	s := runIn(t, dir, config+"ltv: {horizon: 39 weeks, holdout: 39 weeks}\n", "1998-07-01", 2)
	for _, r := range table(t, s.Output, "model_backtests") {
		if r["decile"] != "0" || r["measure"] != "orders" {
			continue
		}
		if r["origin"] != "1997-10-01" || r["actual"] != "1882" || r["model"] == "mbg_nbd" && math.Abs(double(t, r["predicted"])-1576.73) > .01 {
			t.Errorf("%v", r)
		}
	}
}
