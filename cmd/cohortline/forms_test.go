package main

import (
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// form is one way in which the same three orders may be written.
type form struct {
	name   string
	files  map[string]string
	source string
}

const formBase = "order_id,customer_id,ordered_at,gross_amount,status,country\n" +
	"1,Zoë,2024-01-01T11:00:00Z,1234.50,paid,FR\n2,b,2024-02-02T11:00:00Z,7.25,refunded,\n3,b,2024-02-03T11:00:00Z,8.00,paid,DE\n"

// german writes the orders as a German spreadsheet does.
var german = strings.NewReplacer(",", ";", "1234.50", "1.234,50", "7.25", "7,25", "8.00", "8",
	"2024-01-01T11:00:00Z", "01.01.2024 12:00", "2024-02-02T11:00:00Z", "02.02.2024 12:00", "2024-02-03T11:00:00Z", "03.02.2024 12:00").Replace(formBase)

func encoded(e interface{ String(string) (string, error) }, s string) string {
	out, err := e.String(s)
	if err != nil {
		panic(err)
	}
	return out
}

var forms = []form{
	{"plain", map[string]string{"orders.csv": formBase}, ""},
	{"CRLF and byte order mark", map[string]string{"orders.csv": "\ufeff" + strings.ReplaceAll(formBase, "\n", "\r\n")}, ""},
	{"semicolon and decimal comma", map[string]string{"orders.csv": german}, `, delimiter: ";", decimal: ",", timestamp: {format: "%d.%m.%Y %H:%M", timezone: Europe/Berlin}`},
	{"TSV", map[string]string{"o.tsv": strings.ReplaceAll(formBase, ",", "\t")}, ", path: o.tsv"},
	{"pipe", map[string]string{"orders.csv": strings.ReplaceAll(formBase, ",", "|")}, `, delimiter: "|"`},
	{"UTF-16 with mark", map[string]string{"orders.csv": encoded(unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewEncoder(), formBase)}, ""},
	{"UTF-16 without mark", map[string]string{"orders.csv": encoded(unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewEncoder(), formBase)}, ", encoding: utf-16"},
	{"Latin-1", map[string]string{"orders.csv": encoded(charmap.ISO8859_1.NewEncoder(), formBase)}, ", encoding: latin-1"},
	{"Windows-1252", map[string]string{"orders.csv": encoded(charmap.Windows1252.NewEncoder(), formBase)}, ", encoding: windows-1252"},
	{"gzip", map[string]string{"orders.csv.gz": gzipped(formBase)}, ", path: orders.csv.gz"},
	{"zstd", map[string]string{"orders.csv.zst": zstandard(formBase)}, ", path: orders.csv.zst"},
	{"folder", map[string]string{"in/x/a.csv": lines(0, 1), "in/b.csv": lines(0, 2), "in/_c.csv": "no order", "in/.d.csv": "nor here", "in/e.log": "nor here", "in/f.csv.gz": gzipped(lines(0, 3))}, ", path: in"},
	{"glob", map[string]string{"in/a-1.csv": lines(0, 1), "in/a-2.csv": lines(0, 2), "in/a-3.csv": lines(0, 3), "in/b.csv": "no order"}, ", path: 'in/a-*.csv'"},
	{"list of paths", map[string]string{"1.csv": lines(0, 1), "2.csv": lines(0, 2, 3)}, ", path: [1.csv, 2.csv]"},
	{"JSON Lines with nested fields", map[string]string{"o.jsonl": `{"no": 1, "buyer": {"id": "Zoë", "home": "FR"}, "t": 1704106800, "sum": "1234.50", "state": "paid"}
{"no": 2, "buyer": {"id": "b"}, "t": 1706871600, "sum": 7.25, "state": "refunded"}
{"no": 3, "buyer": {"id": "b", "home": "DE"}, "t": 1706958000, "sum": 8, "state": "paid"}
`}, ", path: o.jsonl, columns: {order_id: no, customer_id: buyer.id, country: buyer.home, ordered_at: t, gross_amount: sum, status: state}, timestamp: {format: unix}"},
	{"other order of columns, extra columns, optional ones missing", map[string]string{"in/a.csv": lines(0, 1, 2),
		"in/b.csv": "note,country,gross_amount,ordered_at,customer_id,order_id\nhello,DE,8.00,2024-02-03T11:00:00Z,b,3\n"}, ", path: in"},
	{"names and values of a shop", map[string]string{"orders.csv": "Invoice No,Kunde,Am,Betrag,Zustand,Land\n1,Zoë,2024-01-01T11:00:00Z,1234.50,Bezahlt,FR\n2,b,2024-02-02T11:00:00Z,7.25,ERSTATTET,\n3,b,2024-02-03T11:00:00Z,8.00,bezahlt,DE\n"},
		", columns: {order_id: Invoice No, customer_id: Kunde, ordered_at: Am, gross_amount: Betrag, status: Zustand, country: Land}, values: {status: {Bezahlt: paid, Erstattet: refunded}}"},
	{"filter", map[string]string{"orders.csv": formBase + "4,c,2024-02-03T11:00:00Z,8.00,paid,XX\n5,,2024-02-03T11:00:00Z,8.00,paid,DE\n"}, `, filter: 'customer_id != "" and country != "XX"'`},
	{"constants", map[string]string{"fr.csv": lines(0, 1), "orders.csv": lines(0, 2, 3)}, ", columns: {currency: {const: EUR}}, path: [orders.csv, fr.csv]"},
	{"expressions, exact in decimals", map[string]string{"orders.csv": "order_id,customer_id,ordered_at,Unit Price,n,status,country\n1,Zoë,2024-01-01T11:00:00Z,411.5,3,paid,FR\n2,b,2024-02-02T11:00:00Z,0.00725,1000,refunded,\n3,b,2024-02-03T11:00:00Z,0.1,80,paid,DE\n"},
		`, columns: {gross_amount: 'row("Unit Price") * n'}`},
	{"lines of orders", map[string]string{"orders.csv": formBase[:len(formBase)-1] + "\n1,Zoë,2024-01-01T11:00:00Z,-0.10,paid,FR\n1,Zoë,2024-01-01T11:00:00Z,0.1,paid,FR\n"}, ", grain: line"},
	{"no header line", map[string]string{"orders.csv": lines(1, 2, 3)}, ", header: [order_id, customer_id, ordered_at, gross_amount, status, country]"},
	{"times of the wall", map[string]string{"orders.csv": strings.NewReplacer("T11:00:00Z", " 12:00:00").Replace(formBase)}, ", timestamp: {timezone: Europe/Berlin}"},
	{"times in milliseconds", map[string]string{"orders.csv": strings.NewReplacer("2024-01-01T11:00:00Z", "1704106800000", "2024-02-02T11:00:00Z", "1706871600000", "2024-02-03T11:00:00Z", "1706958000000").Replace(formBase)}, ", timestamp: {ordered_at: {format: unix_ms}}"},
}

// lines picks lines of the base; 0 is its header.
func lines(of ...int) string {
	all := strings.SplitAfter(formBase, "\n")
	var b strings.Builder
	for _, i := range of {
		b.WriteString(all[i])
	}
	return b.String()
}

// TestForms runs the same orders in every form: the tables show the same customers.
func TestForms(t *testing.T) {
	const want = `customer_id,first_order_at,last_order_at,orders,net_revenue,first_country
Zoë,2024-01-01T11:00:00Z,2024-01-01T11:00:00Z,1,1234.5000,FR
b,2024-02-02T11:00:00Z,2024-02-03T11:00:00Z,2,15.2500,(none)
`
	for _, c := range forms {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &scene{t, t.TempDir()}
			for name, data := range c.files {
				s.write(name, data)
			}
			s.configure(c.source, "dimensions: [country]")
			if code, said := s.run("run", "--as-of", "2025-01-01", "--quiet"); code != 0 {
				t.Fatalf("exit code %d\n%s", code, said)
			}
			if got := s.columns("customers", "customer_id", "first_order_at", "last_order_at", "orders", "net_revenue", "first_country"); got != want {
				t.Errorf("customers:\n%swant:\n%s", got, want)
			}
		})
	}
}
