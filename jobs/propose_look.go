package jobs

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/schemas"
)

// Limits of a look at exports.
const (
	lookRows     = 1_000_000 // of one file
	lookIDs      = 250_000   // order ids that are told apart
	lookFiles    = 12        // of one source
	lookDistinct = 1_000     // values of one column that are told apart
)

// exports are files with the same columns and what is known of them.
type exports struct {
	table       string // orders, fx, or empty
	objects     []source.Object
	options     source.Options
	encodingWhy string
	names       []string // of the columns, in file order
	kinds       map[string]source.Field
	found       map[string]string // canonical column → column of the file
	quantity    string            // with price: the columns whose product is the amount of a line
	price       string
	stats       map[string]*stat // by canonical column, quantity and price
	rows        int
	all         bool // every row of every file was looked at
	repeats     repeats
}

// recognise opens a file and looks at its header, trying other delimiters and encodings
// when it does not fit.
func recognise(ctx context.Context, o source.Object) (*exports, error) {
	var f source.File
	var err error
	e := &exports{objects: []source.Object{o}}
tries:
	for _, encoding := range []string{"", "utf-16", "windows-1252"} {
		for _, delimiter := range []string{"", ";", "tab", "|"} {
			e.options = source.Options{Encoding: encoding, Delimiter: delimiter}
			if f, err = source.Open(ctx, o, e.options); err == nil || errNotOptions(err) {
				break tries
			}
		}
	}
	if err != nil {
		return nil, err
	}
	if fields := f.Fields(); len(fields) == 1 && len(strings.Fields(fields[0].Name)) > 1 {
		f.Close()
		e.options.Delimiter = "whitespace"
		if f, err = source.Open(ctx, o, e.options); err != nil {
			return nil, err
		}
	}
	defer f.Close()
	if e.options.Encoding != "" {
		e.encodingWhy = "the header is no UTF-8 text"
	}
	e.kinds = map[string]source.Field{}
	for _, x := range f.Fields() {
		if x.Kind != source.Other && x.Name != "" {
			e.names = append(e.names, x.Name)
			e.kinds[x.Name] = x
		}
	}
	e.match()
	return e, nil
}

// sameAs says whether files belong to one source: written alike, with the same names for
// what every order needs.
func (e *exports) sameAs(other *exports) bool {
	same := e.table == other.table && e.options.Delimiter == other.options.Delimiter && e.options.Encoding == other.options.Encoding && e.quantity == other.quantity
	for _, c := range []string{"order_id", "ordered_at", "gross_amount", "customer_id", "date", "currency", "rate"} {
		same = same && e.found[c] == other.found[c]
	}
	return same
}

func (e *exports) add(other *exports) {
	e.objects = append(e.objects, other.objects...)
	for _, n := range other.names {
		if _, ok := e.kinds[n]; !ok {
			e.names, e.kinds[n] = append(e.names, n), other.kinds[n]
		}
	}
	for column, from := range other.found {
		if e.found[column] == "" {
			e.found[column] = from
		}
	}
}

// sample reads rows of the files and gathers what the guesses rest on.
func (e *exports) sample(ctx context.Context) error {
	err := e.read(ctx)
	if e.options.Encoding == "" && err == nil && e.invalid() > 0 { // once more, now that the encoding is known
		e.options.Encoding = "windows-1252"
		e.encodingWhy = fmt.Sprintf("%s with bytes that are no UTF-8; so western Windows programs write, latin-1 differs in a few signs such as €", counted(e.invalid(), "row"))
		err = e.read(ctx)
	}
	e.choose()
	return err
}

func (e *exports) invalid() int {
	n := 0
	for _, s := range e.stats {
		n = max(n, s.invalid)
	}
	return n
}

func (e *exports) read(ctx context.Context) error {
	e.stats, e.rows, e.all, e.repeats = map[string]*stat{}, 0, len(e.objects) <= lookFiles, repeats{}
	objects := e.objects
	if !e.all { // the first, and the last, which are the newest where names hold dates
		objects = slices.Concat(objects[:lookFiles/2], objects[len(objects)-lookFiles/2:])
	}
	for _, o := range objects {
		if err := e.readFile(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// wanted are the columns of a file to look at, by what they are for.
func (e *exports) wanted() iter.Seq2[string, string] {
	return func(yield func(what, name string) bool) {
		for _, v := range vocabulary {
			if fx := v.column == "date" || v.column == "rate"; v.column != "currency" && fx != (e.table == "fx") {
				continue
			}
			for i, name := range e.candidates(v.column) {
				what := v.column
				if i > 0 {
					what = v.column + "/" + name
				}
				if !yield(what, name) {
					return
				}
			}
		}
		if e.quantity != "" && yield("quantity", e.quantity) {
			yield("price", e.price)
		}
	}
}

func (e *exports) readFile(ctx context.Context, o source.Object) error {
	f, err := source.Open(ctx, o, e.options)
	if err != nil {
		return err
	}
	defer f.Close()
	var want []int
	var stats []*stat
	order, updated := -1, -1
	for what, name := range e.wanted() {
		i := slices.IndexFunc(f.Fields(), func(x source.Field) bool { return x.Name == name && x.Kind != source.Other })
		if i < 0 || slices.Contains(want, i) {
			continue
		}
		if e.stats[what] == nil {
			e.stats[what] = newStat(name)
		}
		switch what {
		case "order_id":
			order = len(want)
		case "updated_at":
			updated = len(want)
		}
		want, stats = append(want, i), append(stats, e.stats[what])
	}
	rows := 0
	for unit := range f.Units() {
		for b, err := range f.Read(ctx, unit, want) {
			if err != nil {
				return err
			}
			for _, bad := range b.Bad {
				if bad.Reason == schemas.ReasonInvalidUTF8 && len(stats) > 0 {
					stats[0].invalid++
				}
			}
			for i := range b.N {
				for k, s := range stats {
					s.add(textOf(&b.Cols[k], i))
				}
				if order >= 0 {
					e.repeats.add(&b.Cols[order], column(b, updated), b, i)
				}
			}
			if rows += b.N; rows >= lookRows {
				e.rows, e.all = e.rows+rows, false
				return nil
			}
		}
	}
	e.rows += rows
	return nil
}

func column(b *source.Batch, i int) *source.Column {
	if i < 0 {
		return nil
	}
	return &b.Cols[i]
}

// textOf is a value as a text; instants and dates, which need no guess, are numbers.
func textOf(c *source.Column, i int) string {
	if c.Null != nil && c.Null[i] {
		return ""
	}
	if c.Codes != nil {
		return textOf(c.Dict, int(c.Codes[i]))
	}
	switch c.Kind {
	case source.Text:
		return string(c.Data[c.Start[i]:c.End[i]])
	case source.Int, source.Bool, source.Timestamp, source.Date:
		return strconv.FormatInt(c.Ints[i], 10)
	case source.Decimal:
		return strconv.FormatFloat(float64(c.Ints[i])/pow10(c.Scale), 'f', c.Scale, 64)
	case source.Float:
		return strconv.FormatFloat(c.Floats[i], 'f', -1, 64)
	}
	return ""
}

func pow10(n int) float64 {
	f := 1.0
	for range n {
		f *= 10
	}
	return f
}

// repeats tells how order ids come again.
type repeats struct {
	seen     map[string]string // order id → updated_at of its first row
	lines    int               // rows of an order that has been seen, with the same updated_at
	versions int               // rows of an order that has been seen, with another updated_at
	same     int               // of the lines, rows that are equal in every column looked at
	rows     map[string]uint64 // order id → hash of its first row
}

func (r *repeats) add(order, updated *source.Column, b *source.Batch, i int) {
	id := textOf(order, i)
	if id == "" {
		return
	}
	if r.seen == nil {
		r.seen, r.rows = map[string]string{}, map[string]uint64{}
	}
	at := ""
	if updated != nil {
		at = textOf(updated, i)
	}
	sum := uint64(14695981039346656037) // FNV-1a over the whole row
	for k := range b.Cols {
		for _, c := range []byte(textOf(&b.Cols[k], i) + "\x00") {
			sum = (sum ^ uint64(c)) * 1099511628211
		}
	}
	first, ok := r.seen[id]
	switch {
	case !ok && len(r.seen) < lookIDs:
		r.seen[id], r.rows[id] = at, sum
	case !ok:
	case r.rows[id] == sum:
		r.same++
	case first != at:
		r.versions++
	default:
		r.lines++
	}
}

// stat is what one column holds.
type stat struct {
	name     string
	filled   int
	empty    int
	invalid  int
	distinct map[string]int // at most lookDistinct
	first    string
	negative int
	money    moneyMarks
	times    timeMarks
}

func newStat(name string) *stat { return &stat{name: name, distinct: map[string]int{}} }

func (s *stat) add(v string) {
	t := strings.TrimSpace(v)
	if t == "" {
		s.empty++
		return
	}
	s.filled++
	if s.first == "" {
		s.first = v
	}
	if _, ok := s.distinct[v]; ok || len(s.distinct) < lookDistinct {
		s.distinct[v]++
	}
	if t[0] == '-' {
		s.negative++
	}
	s.money.add(t)
	s.times.add(t)
}

func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + noun + "s"
}
