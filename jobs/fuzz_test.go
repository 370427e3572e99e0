package jobs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzParseConfig reads any text: a configuration or a ConfigError.
func FuzzParseConfig(f *testing.F) {
	f.Add(minimal)
	f.Add(strings.Replace(minimal, "path: orders.csv", "path: [a, b], columns: {order_id: {const: 1}}, values: {status: {x: paid}}, timestamp: {ordered_at: {format: \"%d/%m/%Y\"}}", 1))
	f.Add("version: &a 1\njob: *a\n<<: {x: y}\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseConfig("c.yaml", []byte(text), func(string) (string, bool) { return "", false })
		var mistakes *ConfigError
		if err != nil && !errors.As(err, &mistakes) {
			t.Fatal(err)
		}
		if err == nil && (c.Zone == nil || c.Currency == "" || len(c.Sources) == 0 || len(c.Tables) == 0 || len(c.Fingerprint()) != 64) {
			t.Errorf("incomplete: %+v", c)
		}
	})
}

// FuzzPropose looks at any text: what it proposes is a configuration, whatever the names
// and values are.
func FuzzPropose(f *testing.F) {
	for _, text := range []string{"order_id,customer_id,ordered_at,gross_amount\n1,a,2024-01-01T00:00:00Z,5\n", "Order ID;Date;Subtotal;Status\n1;03/04/2011;1.234,50;\"a\"\"b: #\"\n1;13/04/2011;-2;x\n",
		"id,date,quantity,unit price,country\n1,20240101,-1,2,\xff\n1,20240102,1,2,DE\n", "date,currency,rate\n2024-01-01,USD,1\n", " customer_id date amount\n 1 19970101 5\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "o.csv")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		proposal, err := Propose(context.Background(), []string{path})
		if err != nil {
			return // it says why; what it says is tested elsewhere
		}
		if _, err := ParseConfig("c.yaml", []byte(proposal), os.LookupEnv); err != nil && !strings.Contains(err.Error(), "no source of table orders") {
			t.Errorf("%v\n%s", err, proposal)
		}
	})
}
