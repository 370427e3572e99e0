package jobs

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/schemas"
)

// headers are the names under which exports carry the canonical columns, in lower case
// without anything but letters and digits; the first that a file has is taken.
var headers = []struct {
	column string
	names  []string
}{
	{"order_id", []string{"orderid", "invoiceno", "invoiceid", "ordernumber", "orderno", "receiptid", "transactionid", "id", "name"}},
	{"customer_id", []string{"customerid", "customerno", "customernumber", "userid", "clientid", "buyerid", "customer"}},
	{"email", []string{"email", "customeremail", "emailaddress", "billingemail", "buyeremail"}},
	{"ordered_at", []string{"orderedat", "invoicedate", "orderdate", "createdat", "purchasedate", "purchasedat", "datecreated", "saledate", "date", "created"}},
	{"updated_at", []string{"updatedat", "modifiedat", "lastupdateddate", "datemodified"}},
	{"status", []string{"status", "financialstatus", "orderstatus", "paymentstatus"}},
	{"currency", []string{"currency", "currencycode"}},
	{"gross_amount", []string{"grossamount", "subtotal", "amount", "orderamount", "revenue", "total", "price"}},
	{"discount_amount", []string{"discountamount", "discount", "discounts", "totaldiscount"}},
	{"refund_amount", []string{"refundamount", "refundedamount", "amountrefunded", "refunds"}},
	{"cost_amount", []string{"costamount", "cost", "cogs"}},
	{"channel", []string{"channel", "source", "saleschannel"}},
	{"country", []string{"country", "shippingcountry", "billingcountry"}},
	{"is_test", []string{"istest", "test"}},
}

// Propose looks at exports of orders and writes a configuration for them, with the
// evidence for each guess as comments. What cannot be guessed is marked TODO.
func Propose(ctx context.Context, files []string) (string, error) {
	var stores source.Stores
	defer stores.Close()
	objects, err := stores.List(ctx, ".", files)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("# Proposed from the files named below. Read every line; comments give the evidence.\nversion: 1\n")
	b.WriteString("reporting: {timezone: UTC, currency: EUR, grains: [month], week_start: monday} # TODO: your zone and currency\nsources:\n")
	dimensions := map[string]bool{}
	seen := map[string]bool{}
	for _, o := range objects {
		p := proposal{object: o}
		if err := p.look(ctx); err != nil {
			return "", err
		}
		text := p.source(dimensions)
		if seen[text] {
			continue
		}
		seen[text] = true
		b.WriteString(text)
	}
	if len(dimensions) > 0 {
		var list []string
		for _, d := range schemas.DimensionColumns {
			if dimensions[d] {
				list = append(list, d)
			}
		}
		fmt.Fprintf(&b, "dimensions: [%s] # columns found to split by; leave out what you do not need\n", strings.Join(list, ", "))
	}
	b.WriteString("output: {path: warehouse}\n")
	return b.String(), nil
}

// proposal is what is known of one file.
type proposal struct {
	object    source.Object
	options   source.Options
	fields    []source.Field
	sample    [][]string // per field, some values
	delimiter string
}

// look opens the file, trying other delimiters when the header is one column, and takes
// a sample of its rows.
func (p *proposal) look(ctx context.Context) error {
	var f source.File
	var err error
	for _, d := range []string{"", ";", "tab", "|"} {
		p.options.Delimiter = d
		if f, err = source.Open(ctx, p.object, p.options); err == nil {
			p.delimiter = d
			break
		}
	}
	if err != nil {
		return err
	}
	defer f.Close()
	p.fields = f.Fields()
	p.sample = make([][]string, len(p.fields))
	var want []int
	for i, x := range p.fields {
		if x.Kind == source.Text {
			want = append(want, i)
		}
	}
	for b, err := range f.Read(ctx, 0, want) {
		if err != nil {
			return err
		}
		for k, w := range want {
			for i := range min(b.N, 500) {
				if v := textAt(&b.Cols[k], i); v != "" {
					p.sample[w] = append(p.sample[w], v)
				}
			}
		}
		break
	}
	return nil
}

func textAt(c *source.Column, i int) string {
	if c.Null != nil && c.Null[i] {
		return ""
	}
	if c.Codes != nil {
		c, i = c.Dict, int(c.Codes[i])
	}
	return string(c.Data[c.Start[i]:c.End[i]])
}

func normal(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(name))
}

// source writes the entry of the file.
func (p *proposal) source(dimensions map[string]bool) string {
	var b strings.Builder
	name := strings.SplitN(filepath.Base(p.object.Path), ".", 2)[0]
	fmt.Fprintf(&b, "  - table: orders\n    name: %s # part of the identity of an order: choose one name per shop\n    path: %s\n", name, p.object.Path)
	if p.delimiter != "" {
		fmt.Fprintf(&b, "    delimiter: %q # the header is one column with a comma\n", p.delimiter)
	}
	taken := map[int]bool{}
	found := map[string]int{}
	for _, h := range headers {
		for _, want := range h.names {
			i := slices.IndexFunc(p.fields, func(f source.Field) bool { return normal(f.Name) == want })
			if i >= 0 && !taken[i] {
				taken[i], found[h.column] = true, i
				break
			}
		}
	}
	b.WriteString("    columns:\n")
	for _, h := range headers {
		i, ok := found[h.column]
		switch {
		case ok:
			example := ""
			if len(p.sample[i]) > 0 {
				example = fmt.Sprintf(" # e.g. %s", strings.NewReplacer("\n", " ", "\r", " ").Replace(p.sample[i][0]))
				if h.column == "email" || h.column == "customer_id" {
					example = ""
				}
			}
			fmt.Fprintf(&b, "      %s: %q%s\n", h.column, p.fields[i].Name, example)
			if slices.Contains(schemas.DimensionColumns, h.column) && h.column != "currency" {
				dimensions[h.column] = true
			}
		case h.column == "gross_amount" && p.has("quantity") >= 0 && p.has("unitprice") >= 0:
			fmt.Fprintf(&b, "      gross_amount: %s * %s # both columns are there; so rows look like order lines\n", p.fields[p.has("quantity")].Name, p.fields[p.has("unitprice")].Name)
		case h.column == "order_id" || h.column == "ordered_at" || h.column == "gross_amount":
			fmt.Fprintf(&b, "      %s: TODO # not found; the file has %s\n", h.column, p.names())
		}
	}
	if i, ok := found["order_id"]; ok && repeated(p.sample[i]) {
		b.WriteString("    grain: line # order ids repeat in the first rows\n")
	}
	if i, ok := found["gross_amount"]; ok && commaDecimals(p.sample[i]) {
		b.WriteString("    decimal: \",\" # amounts end in a comma and digits\n")
	}
	if i, ok := found["ordered_at"]; ok && p.fields[i].Kind != source.Timestamp {
		b.WriteString(timeProposal(p.sample[i]))
	} else if ok && !p.fields[i].UTC {
		b.WriteString("    timestamp: {timezone: UTC} # TODO: the zone in which the times were written\n")
	}
	if i, ok := found["status"]; ok {
		b.WriteString(statusProposal(p.sample[i]))
	}
	return b.String()
}

func (p *proposal) has(want string) int {
	return slices.IndexFunc(p.fields, func(f source.Field) bool { return normal(f.Name) == want })
}

func (p *proposal) names() string {
	var list []string
	for _, f := range p.fields {
		list = append(list, f.Name)
	}
	return strings.Join(list, ", ")
}

func repeated(values []string) bool {
	seen := map[string]bool{}
	for _, v := range values {
		if seen[v] {
			return true
		}
		seen[v] = true
	}
	return false
}

func commaDecimals(values []string) bool {
	return slices.ContainsFunc(values, func(v string) bool {
		i := strings.LastIndexByte(v, ',')
		return i >= 0 && len(v)-i-1 <= 2 && strings.LastIndexByte(v, '.') < i
	})
}

// timeProposal guesses how timestamps are written.
func timeProposal(values []string) string {
	if len(values) == 0 {
		return "    timestamp: {timezone: UTC} # TODO: no value was there to look at\n"
	}
	v := values[0]
	if len(v) >= 10 && v[4] == '-' && v[7] == '-' {
		if strings.HasSuffix(v, "Z") || len(v) > 19 && strings.ContainsAny(v[19:], "+-") {
			return ""
		}
		return fmt.Sprintf("    timestamp: {timezone: UTC} # TODO: the zone; values such as %s have no offset\n", v)
	}
	separator := strings.IndexAny(v, "/.-")
	if separator < 0 {
		return fmt.Sprintf("    timestamp: {format: unix, timezone: UTC} # TODO: values look like %s\n", v)
	}
	s := v[separator : separator+1]
	clock := ""
	if parts := strings.SplitN(v, " ", 2); len(parts) == 2 {
		clock = map[int]string{1: " %H:%M", 2: " %H:%M:%S"}[strings.Count(parts[1], ":")]
	}
	first, second := 0, 0
	year := "%Y"
	for _, v := range values {
		parts := strings.Split(strings.SplitN(v, " ", 2)[0], s)
		if len(parts) != 3 {
			continue
		}
		first, second = max(first, number(parts[0])), max(second, number(parts[1]))
		if len(parts[2]) == 2 {
			year = "%y"
		}
	}
	day, month := "%d"+s+"%m"+s+year+clock, "%m"+s+"%d"+s+year+clock
	switch {
	case first > 12:
		return fmt.Sprintf("    timestamp: {format: %q, timezone: UTC} # the first number reaches %d, so it is the day; TODO: the zone\n", day, first)
	case second > 12:
		return fmt.Sprintf("    timestamp: {format: %q, timezone: UTC} # the second number reaches %d, so it is the day; TODO: the zone\n", month, second)
	}
	return fmt.Sprintf("    # TODO: %s can be read in two ways; take one of these lines\n    # timestamp: {format: %q, timezone: UTC}\n    # timestamp: {format: %q, timezone: UTC}\n", v, day, month)
}

func number(s string) int {
	n := 0
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// statusWords are the words that exports use, by canonical status.
var statusWords = map[string]string{"complete": "paid", "completed": "paid", "shipped": "paid", "processing": "paid", "fulfilled": "paid", "delivered": "paid",
	"succeeded": "paid", "partially_refunded": "paid", "canceled": "cancelled", "voided": "cancelled", "on-hold": "pending", "authorized": "pending", "unpaid": "pending", "expired": "failed"}

// statusProposal maps the statuses seen that are not canonical.
func statusProposal(values []string) string {
	var pairs []string
	seen := map[string]bool{}
	for _, v := range values {
		l := strings.ToLower(v)
		if seen[l] || slices.Contains(schemas.Statuses[:], l) {
			continue
		}
		seen[l] = true
		to, ok := statusWords[l]
		if !ok {
			to = "TODO"
		}
		pairs = append(pairs, fmt.Sprintf("%q: %s", v, to))
	}
	if len(pairs) == 0 {
		return ""
	}
	return fmt.Sprintf("    values: {status: {%s}} # statuses seen in the first rows; check what counts as a purchase\n", strings.Join(pairs, ", "))
}
