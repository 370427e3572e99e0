package jobs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cohortline/cohortline/internal/realdata"
	"github.com/parquet-go/parquet-go"
)

// proposed writes files into a folder, proposes a configuration for them and writes it
// beside them.
func proposed(t *testing.T, files map[string]string, args ...string) (text, path string) {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	text, err := Propose(context.Background(), args)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "cohortline.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return text, path
}

// runProposed runs a proposed configuration as it is.
func runProposed(t *testing.T, path string) (*Summary, error) {
	t.Helper()
	c, err := LoadConfig(path, os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	return Cohorts(context.Background(), c, Options{AsOf: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), CodeVersion: "test"})
}

// TestPropose looks at small exports: the evidence is right, and the proposal validates
// and runs as it is.
func TestPropose(t *testing.T) {
	const line = "order_id,customer_id,ordered_at,gross_amount\n"
	for _, c := range []struct {
		name      string
		files     map[string]string
		args      string
		says      []string
		not       []string
		purchases int64
	}{
		{"canonical", map[string]string{"orders.csv": line + "1,a,2024-01-01T00:00:00Z,5\n"}, "orders.csv",
			[]string{`path: "orders.csv"`, `order_id: "order_id" # by its name; filled in 1 of 1 row; 1 different; e.g. 1`, "currency: EUR # TODO"}, []string{"timestamp", "grain: line", "filter", "a,"}, 1},
		{"German spreadsheet", map[string]string{"o.csv": "Order ID;Customer ID;Order Date;Subtotal;Status;E-Mail\n1;7;23.04.2024;1.019,90;completed;x@y.z\n2;8;02.05.2024;5,00;geliefert;\n"}, "o.csv",
			[]string{`delimiter: ";"`, `decimal: "," # 2 amounts end in a comma and digits`, `timestamp: {format: "%d.%m.%Y", timezone: UTC}`, "2 of 2 values read as %d.%m.%Y",
				`"completed": paid # 1 row; check`, `"geliefert": pending # 1 row; TODO: this word is not known`, "after discounts"}, []string{"x@y.z"}, 1},
		{"month first, known by the second row", map[string]string{"o.csv": "order_id,email,date,amount\n1,a@b.c,03/04/2011,5\n2,a@b.c,03/14/2011,5\n"}, "o.csv",
			[]string{`timestamp: {format: "%m/%d/%Y", timezone: UTC}`, "%d/%m/%Y does not fit 03/14/2011"}, []string{"a@b.c"}, 2},
		{"files of one export", map[string]string{"in/orders-2024-01.csv": line + "1,a,2024-01-01T00:00:00Z,5\n", "in/orders-2024-02.csv": "country," + line + "FR,1,a,2024-01-01T00:00:00Z,5\nDE,2,a,2024-02-01T00:00:00Z,5\n"}, "in/orders-2024-01.csv in/orders-2024-02.csv",
			[]string{`name: "orders"`, `path: "in/*.csv" # 2 files with the same columns`, `country: "country"`, "dimensions: [country]"}, nil, 2},
		{"some files of a folder", map[string]string{"a-1.csv": line + "1,a,2024-01-01T00:00:00Z,5\n", "a-2.csv": line + "2,a,2024-01-01T00:00:00Z,5\n", "b.csv": "x\n"}, "a-1.csv a-2.csv",
			[]string{`path: "a-*.csv"`}, nil, 2},
		{"lines", map[string]string{"o.csv": "InvoiceNo,CustomerID,InvoiceDate,Quantity,Unit Price\n1,7,2024-01-01 10:00,2,1.5\n1,7,2024-01-01 10:00,1,1\n2,7,2024-01-02 10:00,-1,1\n"}, "o.csv",
			[]string{"grain: line # order ids come again in 1 row", `gross_amount: "Quantity * row(\"Unit Price\")"`, "filter: 'Quantity >= 0' # Quantity is below 0 in 1 row", "they have no offset: TODO: the zone"}, nil, 1},
		{"versions are no lines", map[string]string{"o.csv": line[:len(line)-1] + ",updated_at\n1,a,2024-01-01T00:00:00Z,5,2024-01-01T00:00:00Z\n1,a,2024-01-01T00:00:00Z,6,2024-01-02T00:00:00Z\n"}, "o.csv",
			[]string{"order ids come again in 1 row with another updated_at: versions"}, []string{"grain: line"}, 1},
		{"deliveries twice are no lines", map[string]string{"o.csv": line + "1,a,2024-01-01T00:00:00Z,5\n1,a,2024-01-01T00:00:00Z,5\n"}, "o.csv", nil, []string{"grain: line"}, 1},
		{"lines that repeat the name only", map[string]string{"o.csv": "Name,Email,Financial Status,Currency,Subtotal,Discount Amount,Created at,Lineitem quantity,Lineitem price,Id\n#1,a@b.c,paid,USD,9.00,1.00,2024-05-01 09:58:12 +0000,1,5,77\n#1,,,,,,,1,5,\n"}, "o.csv",
			[]string{`order_id: "Name"`, "grain: line", "currency: USD # the only one in the files", "so no discount is subtracted"}, []string{"discount_amount:"}, 1},
		{"cents", map[string]string{"c.csv": "id,amount,amount_refunded,balance_transaction_id,created,currency,customer_id,invoice_id,status\nch_1,1999,0,x,2024-01-01T00:00:00Z,usd,c1,,succeeded\n"}, "c.csv",
			[]string{`order_id: "id"`, `gross_amount: "amount / 100" # Stripe's API counts cents`, `"succeeded": paid`}, nil, 1},
		{"no order number, columns set by blanks", map[string]string{"c.txt": " customer_id  date number_of_cds  dollar_value\n 00001 19970101  1   11.77\n 00001 19970102  1   12.00\n"}, "c.txt",
			[]string{`delimiter: "whitespace"`, "order_id: row() # no column looks like an order number", `format: "%Y%m%d"`}, nil, 2},
		{"two currencies", map[string]string{"o.csv": line[:len(line)-1] + ",currency\n1,a,2024-01-05T00:00:00Z,5,USD\n2,a,2024-01-05T00:00:00Z,5,USD\n3,b,2024-01-05T00:00:00Z,5,GBP\n", "fx.csv": "Date,Currency,Rate\n04.01.2024,GBP,1.2\n13.01.2024,GBP,1.3\n"}, "o.csv fx.csv",
			[]string{"currency: USD # the commonest; there are also GBP\n", "- table: fx", `rate: "Rate"`, `timestamp: {format: "%d.%m.%Y"}`}, []string{"add exchange rates"}, 3},
		{"file that holds something else", map[string]string{"o.csv": line + "1,a,2024-01-01T00:00:00Z,5\n", "people.csv": "Record ID,First Name,Email\n1,x,a@b.c\n"}, "o.csv people.csv",
			[]string{"# people.csv is left out: no columns look like the time and the amount of an order; it has Record ID, First Name, Email"}, []string{"a@b.c"}, 1},
		{"Windows-1252", map[string]string{"o.csv": line[:len(line)-1] + ",country\n1,a,2024-01-01T00:00:00Z,5,\x80sterreich\n2,a,2024-01-01T00:00:00Z,5,FR\n"}, "o.csv",
			[]string{"encoding: windows-1252 # 1 row with bytes that are no UTF-8", "dimensions: [country]"}, nil, 2},
		{"nobody", map[string]string{"o.csv": "order_id,ordered_at,amount\n1,2024-01-01T00:00:00Z,5\n"}, "o.csv", []string{"# TODO: customer_id or email: no column names the customer"}, nil, 0},
		{"a header alone", map[string]string{"o.csv": line}, "o.csv", []string{"by its name; there are no rows to look at"}, nil, 0},
		{"names that YAML would misread", map[string]string{"no: 1.csv": "order id,customer id,date,#amount: total\n1,a,2024-01-01T00:00:00Z,5\n"}, "no: 1.csv", []string{`path: "no: 1.csv"`, `gross_amount: TODO`}, nil, -1},
		{"control characters", map[string]string{"o.csv": line[:len(line)-1] + ",channel\n1,a,2024-01-01T00:00:00Z,5,\"x\x1b[31m\ny\"\n"}, "o.csv", []string{"e.g. x [31m y"}, nil, 1},
		{"seconds", map[string]string{"o.csv": line + "1,a,1704067200,5\n"}, "o.csv", []string{"timestamp: {format: unix}"}, nil, 1},
		{"instants in two forms", map[string]string{"o.csv": line[:len(line)-1] + ",updated_at\n1,a,2024-01-01 10:00,5,31/12/2024\n"}, "o.csv", []string{"timestamp:\n      ordered_at: {timezone: UTC}\n      updated_at: {format: \"%d/%m/%Y\", timezone: UTC}"}, nil, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := strings.Fields(c.args)
			if c.args == "no: 1.csv" {
				args = []string{c.args}
			}
			text, path := proposed(t, c.files, args...)
			for _, want := range c.says {
				if !strings.Contains(text, want) {
					t.Errorf("does not say %q:\n%s", want, text)
				}
			}
			for _, no := range c.not {
				if strings.Contains(text, no) {
					t.Errorf("says %q:\n%s", no, text)
				}
			}
			if err := compileSchema(t).Validate(asJSON(t, []byte(text))); err != nil {
				t.Errorf("%v\n%s", err, text)
			}
			s, err := runProposed(t, path)
			if c.purchases < 0 {
				if err == nil {
					t.Error("a proposal with an open question runs")
				}
				return
			}
			if err != nil || s.Purchases+s.AnonymousOrders < c.purchases || s.Purchases > c.purchases {
				t.Errorf("%v, %+v\n%s", err, s, text)
			}
		})
	}
}

// TestProposeParquet knows versions by their instants, which need no guess.
func TestProposeParquet(t *testing.T) {
	type order struct {
		ID      string    `parquet:"order_id"`
		Buyer   string    `parquet:"customer_id"`
		At      time.Time `parquet:"ordered_at,timestamp(microsecond)"`
		Version time.Time `parquet:"updated_at,timestamp(microsecond)"`
		Gross   int64     `parquet:"gross_amount,decimal(2:18)"`
	}
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, second := range map[string]time.Time{"# order ids come again in 1 row with another updated_at: versions": at.Add(time.Hour), "grain: line # order ids come again in 1 row with other values": at} {
		var b bytes.Buffer
		if err := parquet.Write(&b, []order{{"1", "a", at, at, 500}, {"1", "a", at, second, 600}}); err != nil {
			t.Fatal(err)
		}
		text, path := proposed(t, map[string]string{"o.parquet": b.String()}, "o.parquet")
		if !strings.Contains(text, name) || strings.Contains(text, "timestamp:") {
			t.Errorf("want %q in\n%s", name, text)
		}
		if s, err := runProposed(t, path); err != nil || s.Orders != 1 {
			t.Errorf("%v %+v", err, s)
		}
	}
}

// TestProposeDoesNotGuess leaves a date with two readings to people: the run says both.
func TestProposeDoesNotGuess(t *testing.T) {
	text, path := proposed(t, map[string]string{"o.csv": "order_id,customer_id,date,amount\n1,a,03/04/2011,5\n"}, "o.csv")
	if !strings.Contains(text, "TODO: 03/04/2011 can be read in two ways") || strings.Contains(text, "\n    timestamp:") {
		t.Error(text)
	}
	if _, err := runProposed(t, path); err == nil || !strings.Contains(err.Error(), "3 April 2011") || !strings.Contains(err.Error(), "4 March 2011") {
		t.Error(err)
	}
	if _, err := Propose(context.Background(), []string{"cohortline.yaml"}); err == nil || !strings.Contains(err.Error(), "no file looks like orders") {
		t.Errorf("a configuration is taken for orders: %v", err)
	}
}

// TestProposeRealExports runs what is proposed for real exports.
func TestProposeRealExports(t *testing.T) {
	for file, want := range map[string]string{
		"online-retail/OnlineRetail.csv.gz":                     "18536 purchases of 4339 customers",
		"online-retail/online_retail.parquet":                   "18536 purchases of 4339 customers",
		"cdnow/CDNOW_master.txt":                                "69659 purchases of 23570 customers",
		"headers/shopify_orders_export.csv":                     "1 purchases of 1 customers",
		"headers/woocommerce_webtoffee_order_export.header.csv": "0 purchases of 0 customers",
		"headers/stripe_payments_export.header.csv":             "0 purchases of 0 customers",
		"headers/etsy_sold_orders.header.csv":                   "0 purchases of 0 customers",
		"headers/magento2_sales_order_grid_export.header.csv":   "0 purchases of 0 customers",
		"headers/bigcommerce_orders.header.UNVERIFIED.csv":      "0 purchases of 0 customers",
		"headers/amazon_all_orders_flat_file.tsv":               "0 purchases of 0 customers",
		"fivetran-seeds/salesforce/sf_order_data.csv":           "10 purchases of 5 customers",
		"synthetic-cac-ltv/orders_sample.csv":                   "10 purchases of 8 customers",
	} {
		t.Run(filepath.Base(file), func(t *testing.T) {
			path := realdata.Path(t, filepath.FromSlash(file))
			_, config := proposed(t, nil, path)
			s, err := runProposed(t, config)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("%d purchases of %d customers", s.Purchases, s.Customers); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}
