package jobs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/schemas"
)

// moneyMarks counts how amounts are written.
type moneyMarks struct {
	commaLast, pointLast int // a comma or point before the last one or two digits
	grouped              int // the other mark stands before it
}

func (m *moneyMarks) add(v string) {
	comma, point := strings.LastIndexByte(v, ','), strings.LastIndexByte(v, '.')
	last := max(comma, point)
	if last < 0 || len(v)-last-1 < 1 || len(v)-last-1 > 2 || v[len(v)-1] < '0' || v[len(v)-1] > '9' {
		return
	}
	if comma > point {
		m.commaLast++
	} else {
		m.pointLast++
	}
	if comma >= 0 && point >= 0 {
		m.grouped++
	}
}

// writeForm writes grain, decimal mark and filter, where they are not the default.
func (e *exports) writeForm(b *strings.Builder) {
	if e.table != "orders" {
		return
	}
	r := e.repeats
	switch {
	case r.lines > r.versions:
		fmt.Fprintf(b, "    grain: line # order ids come again in %s with other values: one row per product line\n", counted(r.lines, "row"))
	case r.versions > 0:
		fmt.Fprintf(b, "    # order ids come again in %s with another updated_at: versions, of which the latest counts\n", counted(r.versions, "row"))
	}
	amount := e.stats["gross_amount"]
	if amount == nil {
		amount = e.stats["price"]
	}
	if amount != nil && amount.money.commaLast > amount.money.pointLast {
		fmt.Fprintf(b, "    decimal: \",\" # %s amounts end in a comma and digits, %s in a point and digits\n", number(amount.money.commaLast), number(amount.money.pointLast))
	} else if amount != nil && amount.money.grouped > 0 {
		fmt.Fprintf(b, "    decimal: \".\" # commas group the thousands of %s amounts\n", number(amount.money.grouped))
	}
	var keep, why []string
	for _, what := range []string{"quantity", "price", "gross_amount"} {
		if s := e.stats[what]; s != nil && s.negative > 0 && (what != "gross_amount" || e.quantity == "") {
			keep = append(keep, operand(s.name)+" >= 0")
			why = append(why, fmt.Sprintf("%s is below 0 in %s", s.name, counted(s.negative, "row")))
		}
	}
	if len(keep) > 0 {
		fmt.Fprintf(b, "    filter: '%s' # %s: returns or corrections; TODO: keep them out, or map them to refund_amount\n", strings.ReplaceAll(strings.Join(keep, " and "), "'", "''"), comment(strings.Join(why, ", ")))
	}
}

// timeForms are the formats that are tried on timestamps.
var timeForms = func() []string {
	forms := []string{"iso", "unix", "unix_ms"}
	for _, day := range []string{"%Y%m%d", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d %b %Y", "%d-%b-%Y", "%b %d, %Y"} {
		for _, clock := range []string{"", " %H:%M", " %H:%M:%S", "T%H:%M:%S", " %I:%M %p", " %I:%M:%S %p", ", %H:%M"} {
			forms = append(forms, day+clock)
		}
	}
	return forms
}()

// timeMarks counts which formats can read the values of a column.
type timeMarks struct {
	values  int
	forms   []timeForm // that have read one of the first values
	instant int        // values with an offset from UTC
}

// timeForm is a format on trial.
type timeForm struct {
	format string
	reads  int
	fails  string // the first value that it does not read
}

// firstValues is the number of values on which all formats are tried.
const firstValues = 20

func (m *timeMarks) add(v string) {
	m.values++
	if m.values <= firstValues {
		for _, f := range timeForms {
			if reads(f, v) && !slices.ContainsFunc(m.forms, func(x timeForm) bool { return x.format == f }) {
				m.forms = append(m.forms, timeForm{format: f})
			}
		}
	}
	for i := range m.forms {
		x := &m.forms[i]
		if reads(x.format, v) {
			x.reads++
			if _, instant := pipeline.ReadsTime(x.format, v); instant && x.format == "iso" {
				m.instant++
			}
		} else if x.fails == "" {
			x.fails = v
		}
	}
}

// reads is pipeline.ReadsTime for a guess: a number of seconds has ten digits.
func reads(format, v string) bool {
	if format == "unix" && len(v) != 10 || format == "unix_ms" && len(v) != 13 {
		return false
	}
	ok, _ := pipeline.ReadsTime(format, v)
	return ok
}

// timestamps writes how the instants are written.
func (e *exports) timestamps() string {
	var b strings.Builder
	entries := map[string]string{}
	var order []string
	for _, column := range []string{"ordered_at", "updated_at", "date"} {
		if e.found[column] == "" {
			continue
		}
		entry, note := e.timestamp(column)
		if note != "" {
			fmt.Fprintf(&b, "    # %s: %s\n", column, comment(note))
		}
		if entry != "" {
			order = append(order, column)
			entries[column] = entry
		}
	}
	switch {
	case len(order) == 0:
		return b.String()
	case len(order) == 1 && order[0] != "updated_at", len(order) == 2 && entries[order[0]] == entries[order[1]]:
		fmt.Fprintf(&b, "    timestamp: %s\n", entries[order[0]])
	default:
		b.WriteString("    timestamp:\n")
		for _, column := range order {
			fmt.Fprintf(&b, "      %s: %s\n", column, entries[column])
		}
	}
	return b.String()
}

// timestamp is how one column is written, and the evidence.
func (e *exports) timestamp(column string) (entry, note string) {
	const zone = "TODO: the zone in which they were written, where it is not UTC"
	if kind := e.kinds[e.found[column]]; kind.Kind == source.Timestamp && kind.UTC || kind.Kind == source.Date && column == "date" {
		return "", ""
	} else if kind.Kind == source.Timestamp || kind.Kind == source.Date {
		return "{timezone: UTC}", "the file has no zone; " + zone
	}
	s := e.stats[column]
	if s == nil || s.filled == 0 {
		return "{timezone: UTC}", "there are no values to look at; TODO: the format and the zone"
	}
	forms := slices.Clone(s.times.forms)
	slices.SortStableFunc(forms, func(a, b timeForm) int { return cmp.Compare(b.reads, a.reads) })
	if len(forms) == 0 {
		return "{timezone: UTC}", fmt.Sprintf("TODO: no known format reads %q; declare one such as %%d/%%m/%%Y %%H:%%M", clip(s.first, 40))
	}
	best := forms[0]
	share := fmt.Sprintf("%s of %s values read as %s, e.g. %s", number(best.reads), number(s.filled), best.format, clip(s.first, 30))
	if len(forms) > 1 && forms[1].reads == best.reads {
		return "", fmt.Sprintf("TODO: %s can be read in two ways, and so can every other value: take `timestamp: {format: %q, timezone: UTC}` or `timestamp: {format: %q, timezone: UTC}`", clip(s.first, 30), best.format, forms[1].format)
	}
	if len(forms) > 1 && forms[1].fails != "" {
		share += fmt.Sprintf("; %s does not fit %s", forms[1].format, clip(forms[1].fails, 30))
	}
	switch {
	case best.format == "iso" && (s.times.instant >= best.reads || column == "date"):
		return "", ""
	case column == "date": // a day is no instant: it needs no zone
		return fmt.Sprintf("{format: %q}", best.format), share
	case best.format == "iso":
		return "{timezone: UTC}", share + "; they have no offset: " + zone
	case strings.HasPrefix(best.format, "unix"):
		return fmt.Sprintf("{format: %s}", best.format), share
	}
	return fmt.Sprintf("{format: %q, timezone: UTC}", best.format), share + "; " + zone
}

// statusWords are the words that exports use, by canonical status.
var statusWords = map[string]string{"complete": "paid", "completed": "paid", "wc-completed": "paid", "shipped": "paid", "processing": "paid", "wc-processing": "paid", "fulfilled": "paid", "delivered": "paid",
	"succeeded": "paid", "partially_refunded": "paid", "wc-refunded": "refunded", "canceled": "cancelled", "wc-cancelled": "cancelled", "voided": "cancelled", "on-hold": "pending", "wc-on-hold": "pending",
	"authorized": "pending", "partially_paid": "pending", "unpaid": "pending", "expired": "failed", "wc-failed": "failed", "activated": "paid", "draft": "pending", "closed": "paid"}

// statuses maps the statuses seen that are not canonical. An unknown one counts for nothing
// until somebody says what it is.
func (e *exports) statuses() string {
	s := e.stats["status"]
	if s == nil || e.found["status"] == "" {
		return ""
	}
	var b strings.Builder
	seen := map[string]bool{}
	values := make([]string, 0, len(s.distinct))
	for v := range s.distinct {
		values = append(values, v)
	}
	slices.Sort(values)
	for _, v := range values {
		l := strings.ToLower(strings.TrimSpace(v))
		if seen[l] || slices.Contains(schemas.Statuses[:], l) {
			continue
		}
		seen[l] = true
		to, known := statusWords[l]
		why := "check that it is a purchase, or none"
		if !known {
			to, why = "pending", "TODO: this word is not known; pending counts for nothing"
		}
		fmt.Fprintf(&b, "        %q: %s # %s; %s\n", strings.TrimSpace(v), to, counted(s.distinct[v], "row"), why)
	}
	if b.Len() == 0 {
		return ""
	}
	return "    values:\n      status:\n" + b.String()
}
