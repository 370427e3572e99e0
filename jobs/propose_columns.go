package jobs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cohortline/cohortline/pipeline/source"
)

// word is a name under which exports carry a canonical column, in lower case without
// anything but letters and digits, and what is to be known about it.
type word struct{ name, note string }

// words splits "name, name: note, …".
func words(text string) []word {
	var w []word
	for _, part := range strings.Split(text, ", ") {
		name, note, _ := strings.Cut(part, ": ")
		w = append(w, word{name, note})
	}
	return w
}

const (
	afterDiscounts = "after discounts; so no discount is subtracted"
	withAll        = "TODO: this total may hold tax and shipping, which stay out of revenue"
)

// vocabulary is what the columns are called, the best name first.
var vocabulary = []struct {
	column string
	words  []word
}{
	{"order_id", words("orderid, ordernumber, orderno, invoiceno, invoicenumber, amazonorderid, orderreference, receiptid, transactionid, invoiceid, id, name")},
	{"customer_id", words("customerid, customerno, customernumber, userid, clientid, buyeruserid, buyerid, accountid, customer, buyer")},
	{"email", words("email, customeremail, emailaddress, billingemail, buyeremail, receiptemail")},
	{"ordered_at", words("orderedat, orderdate, invoicedate, purchasedate, purchasedat, saledate, dateordered, createdat, createddate, createddateutc, createdutc, datecreated, created, effectivedate, processedat, transactiondate, date, paiddate")},
	{"updated_at", words("updatedat, lastupdateddate, lastmodifieddate, datemodified, modifiedat, systemmodstamp")},
	{"status", words("status, financialstatus, displayfinancialstatus, orderstatus, paymentstatus, state")},
	{"currency", words("currency, currencycode, ordercurrency")},
	{"gross_amount", []word{{"grossamount", ""}, {"totallineitemsprice", "the goods before discounts"}, {"itemprice", ""}, {"ordervalue", ""}, {"ordersubtotal", ""}, {"cartbaseamount", ""},
		{"subtotalprice", afterDiscounts}, {"subtotalpricesetshopamount", afterDiscounts}, {"subtotal", afterDiscounts}, {"amount", ""}, {"revenue", ""}, {"dollarvalue", ""}, {"ordertotal", withAll}, {"grandtotalpurchased", withAll},
		{"totalprice", withAll}, {"totalamount", withAll}, {"orderamount", ""}, {"total", withAll}, {"price", ""}, {"value", ""}}},
	{"discount_amount", words("discountamount, totaldiscounts, totaldiscount, discounttotal, itempromotiondiscount, discount, discounts")},
	{"refund_amount", words("refundamount, refundedamount, amountrefunded, totalrefunded, refunds")},
	{"cost_amount", words("costamount, cogs, costofgoods, unitcost")},
	{"channel", words("channel, saleschannel, source, sourcename, purchasepoint")},
	{"country", words("country, shippingcountry, shipcountry, shippingaddresscountrycode, shippingcountrycode, billingcountry")},
	{"campaign", words("campaign, utmcampaign")},
	{"coupon", words("coupon, couponcode, discountcode")},
	{"is_test", words("istest, test")},
	{"date", words("date, day")},
	{"rate", words("rate, exchangerate, fxrate")},
}

func normal(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(name))
}

// candidates are the columns of the files that may be a canonical column, the best first.
func (e *exports) candidates(column string) []string {
	var names []string
	for _, v := range vocabulary {
		if v.column != column {
			continue
		}
		list := v.words
		if column == "order_id" && (e.has("lineitemquantity") != "" || e.has("paymentintentid") != "") {
			// exports of Shopify repeat the name in every line, and the id only in the first; a
			// payment of Stripe has an invoice only where there is a subscription
			list = slices.Concat(words("name, id"), list)
			if e.has("paymentintentid") != "" {
				list = list[1:]
			}
		}
		for _, w := range list {
			if name := e.has(w.name); name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// has is the column of the files with that normal name, empty where there is none.
func (e *exports) has(want string) string {
	if i := slices.IndexFunc(e.names, func(n string) bool { return normal(n) == want }); i >= 0 {
		return e.names[i]
	}
	return ""
}

// match decides by their names what the columns are, and what table the files hold.
func (e *exports) match() {
	e.found = map[string]string{}
	first := func(column string) string {
		for _, name := range e.candidates(column) {
			return name
		}
		return ""
	}
	if date, currency, rate := first("date"), first("currency"), first("rate"); date != "" && currency != "" && rate != "" && first("order_id") == "" {
		e.table = "fx"
		e.found["date"], e.found["currency"], e.found["rate"] = date, currency, rate
		return
	}
	for _, v := range vocabulary {
		if v.column != "date" && v.column != "rate" {
			e.found[v.column] = first(v.column)
		}
	}
	for _, price := range []string{"unitprice", "price", "itemprice"} {
		if q, p := e.has("quantity"), e.has(price); q != "" && p != "" && price != "itemprice" {
			switch e.found["gross_amount"] {
			case "", p:
				e.quantity, e.price, e.found["gross_amount"] = q, p, ""
			}
		}
	}
	if e.found["ordered_at"] != "" && (e.found["gross_amount"] != "" || e.quantity != "" || e.found["order_id"] != "") {
		e.table = "orders"
	}
}

// choose takes, of several columns that may hold the order id, the one with a value in most
// rows, and leaves out what holds nothing.
func (e *exports) choose() {
	if e.rows == 0 || e.table != "orders" {
		return
	}
	best, most := "", 0
	for _, name := range e.candidates("order_id") {
		what := "order_id/" + name
		if name == e.found["order_id"] {
			what = "order_id"
		}
		if s := e.stats[what]; s != nil && s.filled > most {
			best, most = what, s.filled
		}
	}
	if best != "order_id" && best != "" {
		e.stats["order_id"], e.found["order_id"] = e.stats[best], e.stats[best].name
		e.repeats = repeats{lines: most - len(e.stats[best].distinct)} // as far as they are told apart
		if len(e.stats[best].distinct) == lookDistinct {
			e.repeats.lines = 0
		}
	}
	for _, optional := range []string{"customer_id", "email", "updated_at", "currency", "discount_amount", "refund_amount", "cost_amount", "channel", "country", "campaign", "coupon", "is_test"} {
		if s := e.stats[optional]; s != nil && s.filled == 0 {
			e.found[optional] = ""
		}
	}
}

// proposal is one line of `columns:`.
type proposal struct{ column, from, note string }

// columns are the lines of `columns:`, each with its evidence.
func (e *exports) columns() []proposal {
	var list []proposal
	cents := e.has("balancetransactionid") != ""
	for _, v := range vocabulary {
		name := e.found[v.column]
		required := v.column == "order_id" || v.column == "ordered_at" || v.column == "gross_amount"
		switch {
		case v.column == "discount_amount" && strings.HasPrefix(note(e.found["gross_amount"]), afterDiscounts):
			continue
		case name != "":
			p := proposal{v.column, fmt.Sprintf("%q", name), e.evidence(v.column)}
			if cents && (v.column == "gross_amount" || v.column == "refund_amount") {
				p.from, p.note = fmt.Sprintf("%q", operand(name)+" / 100"), "Stripe's API counts cents; "+p.note
			}
			list = append(list, p)
		case v.column == "gross_amount" && e.quantity != "":
			list = append(list, proposal{v.column, fmt.Sprintf("%q", operand(e.quantity)+" * "+operand(e.price)), "both columns are there, and none with the sum of a row"})
		case v.column == "order_id" && e.table == "orders":
			list = append(list, proposal{v.column, "row()", "no column looks like an order number: every row is an order of its own"})
		case required && e.table == "orders":
			list = append(list, proposal{v.column, "TODO", "nothing looks like it; the file has " + listNames(e.names)})
		}
	}
	return list
}

func listNames(names []string) string { return list(names, 40) }

// note is what is to be known of a column that is taken as the amount of an order.
func note(name string) string {
	for _, v := range vocabulary {
		if v.column != "gross_amount" {
			continue
		}
		for _, w := range v.words {
			if w.name == normal(name) {
				return w.note
			}
		}
	}
	return ""
}

// evidence says on what the guess of a column rests. Values of people are not shown.
func (e *exports) evidence(column string) string {
	s := e.stats[column]
	if s == nil || s.filled+s.empty == 0 {
		return strings.TrimSuffix("by its name; there are no rows to look at; "+note(e.found[column]), "; ")
	}
	parts := []string{fmt.Sprintf("by its name; filled in %s of %s", number(s.filled), counted(s.filled+s.empty, "row"))}
	clock := e.kinds[s.name].Kind == source.Timestamp || e.kinds[s.name].Kind == source.Date
	if len(s.distinct) < lookDistinct && !clock {
		parts = append(parts, number(len(s.distinct))+" different")
	}
	if column != "email" && column != "customer_id" && !clock && s.first != "" {
		parts = append(parts, "e.g. "+clip(strings.TrimSpace(s.first), 40))
	}
	if column == "gross_amount" && note(s.name) != "" {
		parts = append(parts, note(s.name))
	}
	return strings.Join(parts, "; ")
}

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

// operand is how an expression names a column.
func operand(name string) string {
	for i, r := range name {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return fmt.Sprintf("row(%q)", name)
		}
	}
	return name
}
