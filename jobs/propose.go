package jobs

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/schemas"
)

// Propose looks at exports and writes a configuration for them, with the evidence for each
// guess as comments. Files with the same columns become one source. What cannot be guessed
// is marked TODO; files that hold neither orders nor exchange rates are named and left out.
func Propose(ctx context.Context, files []string) (string, error) {
	var stores source.Stores
	defer stores.Close()
	objects, err := stores.List(ctx, ".", files)
	if err != nil {
		return "", err
	}
	var groups []*exports
	var out []string // comments on files that are left out
	for _, o := range objects {
		e, err := recognise(ctx, o)
		if err != nil {
			return "", err
		}
		if e.table == "" {
			out = append(out, fmt.Sprintf("# %s is left out: no columns look like the time and the amount of an order; it has %s\n", comment(o.Path), comment(list(e.names, 12))))
			continue
		}
		if i := slices.IndexFunc(groups, e.sameAs); i >= 0 {
			groups[i].add(e)
		} else {
			groups = append(groups, e)
		}
	}
	if len(groups) == 0 {
		return "", &ConfigError{strings.Join(files, " "), []string{"no file looks like orders\n" + strings.TrimSuffix(strings.Join(out, ""), "\n")}}
	}
	for _, g := range groups {
		if err := g.sample(ctx); err != nil {
			return "", err
		}
	}
	return document(groups, out), nil
}

func document(groups []*exports, out []string) string {
	var b strings.Builder
	b.WriteString("# Proposed by cohortline init. Read every line: the comments give the evidence, TODO marks what only you know.\n")
	for _, o := range out {
		b.WriteString(o)
	}
	currency, why := reportingCurrency(groups)
	fmt.Fprintf(&b, "version: 1\nreporting:\n  timezone: UTC # TODO: the zone whose days and months your reports count, e.g. Europe/Berlin\n  currency: %s # %s\n", currency, why)
	b.WriteString("  grains: [month]\n  week_start: monday\nsources:\n")
	taken := map[string]bool{}
	dimensions := map[string]bool{}
	for _, g := range groups {
		g.write(&b, taken, dimensions)
	}
	var split []string
	for _, d := range schemas.DimensionColumns {
		if dimensions[d] {
			split = append(split, d)
		}
	}
	if len(split) > 0 {
		fmt.Fprintf(&b, "dimensions: [%s] # columns with 2 to %d values; leave out what you do not need\n", strings.Join(split, ", "), maxSegments)
	}
	b.WriteString("output: {path: warehouse}\n")
	return b.String()
}

// maxSegments is the number of values up to which a column is proposed as a dimension.
const maxSegments = 50

// reportingCurrency is the commonest currency of the orders, and why.
func reportingCurrency(groups []*exports) (currency, why string) {
	counts := map[string]int{}
	for _, g := range groups {
		if s := g.stats["currency"]; s != nil && g.table == "orders" {
			for v, n := range s.distinct {
				if v = strings.ToUpper(strings.TrimSpace(v)); len(v) == 3 {
					counts[v] += n
				}
			}
		}
	}
	if len(counts) == 0 {
		return "EUR", "TODO: the currency of the amounts; no column says it"
	}
	names := make([]string, 0, len(counts))
	for v := range counts {
		names = append(names, v)
	}
	slices.SortFunc(names, func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(a, b)
	})
	if len(names) == 1 {
		return names[0], "the only one in the files"
	}
	why = "the commonest; there are also " + comment(list(names[1:], 8))
	if !slices.ContainsFunc(groups, func(g *exports) bool { return g.table == "fx" }) {
		why += ": TODO, add exchange rates as a source of table fx, or those orders are rejected"
	}
	return names[0], why
}

// write writes the entry of one source.
func (e *exports) write(b *strings.Builder, taken, dimensions map[string]bool) {
	paths, why := e.paths()
	fmt.Fprintf(b, "  - table: %s\n", e.table)
	note := ""
	if e.table == "orders" {
		note = " # part of the identity of an order: one name per shop"
	}
	fmt.Fprintf(b, "    name: %q%s\n    path: %s%s\n", e.name(taken), note, paths, why)
	if e.options.Delimiter != "" {
		fmt.Fprintf(b, "    delimiter: %q # the header is one column with the default\n", e.options.Delimiter)
	}
	if e.options.Encoding != "" {
		fmt.Fprintf(b, "    encoding: %s # %s\n", e.options.Encoding, comment(e.encodingWhy))
	}
	e.writeForm(b)
	b.WriteString("    columns:\n")
	for _, c := range e.columns() {
		if c.note != "" {
			c.note = " # " + comment(c.note)
		}
		fmt.Fprintf(b, "      %s: %s%s\n", c.column, c.from, c.note)
	}
	if e.table == "orders" && e.found["customer_id"] == "" && e.found["email"] == "" {
		b.WriteString("      # TODO: customer_id or email: no column names the customer; without one every order is anonymous\n")
	}
	b.WriteString(e.timestamps())
	if e.table == "orders" {
		b.WriteString(e.statuses())
		for _, d := range schemas.DimensionColumns {
			if s := e.stats[d]; s != nil && d != "currency" && len(s.distinct) > 1 && len(s.distinct) <= maxSegments {
				dimensions[d] = true
			}
		}
	}
}

// paths is the value of `path:`: a pattern where one fits exactly the files, else a list.
func (e *exports) paths() (value, why string) {
	var names []string
	for _, o := range e.objects {
		names = append(names, o.Path)
	}
	if len(names) == 1 {
		return fmt.Sprintf("%q", names[0]), ""
	}
	why = fmt.Sprintf(" # %d files with the same columns", len(names))
	dir := path.Dir(names[0])
	prefix := commonPrefix(names)
	if !strings.Contains(dir, "://") && strings.HasPrefix(prefix, strings.TrimPrefix(dir+"/", "./")) {
		ending := path.Ext(names[0])
		if i := strings.IndexByte(path.Base(names[0]), '.'); i >= 0 {
			ending = path.Base(names[0])[i:]
		}
		for _, pattern := range []string{path.Join(dir, "*"+ending), strings.TrimRight(prefix, "0123456789") + "*" + ending, strings.TrimSuffix(prefix, ending) + "*" + ending} {
			if found, err := filepath.Glob(pattern); err == nil {
				slices.Sort(found)
				if slices.Equal(found, names) {
					return fmt.Sprintf("%q", pattern), why
				}
			}
		}
	}
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = fmt.Sprintf("%q", n)
	}
	return "[" + strings.Join(quoted, ", ") + "]", why
}

func commonPrefix(names []string) string {
	prefix := names[0]
	for _, n := range names[1:] {
		for !strings.HasPrefix(n, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	return prefix
}

// name is a name for the source that no other has.
func (e *exports) name(taken map[string]bool) string {
	var names []string
	for _, o := range e.objects {
		names = append(names, strings.SplitN(path.Base(o.Path), ".", 2)[0])
	}
	name := strings.TrimRight(commonPrefix(names), "0123456789-_ .")
	if name == "" || name == "part" {
		name = path.Base(path.Dir(e.objects[0].Path))
	}
	if name == "." || name == "/" || name == "" {
		name = e.table
	}
	free := name
	for i := 2; taken[free]; i++ {
		free = fmt.Sprintf("%s-%d", name, i)
	}
	taken[free] = true
	return free
}

// comment makes a text fit for a comment of one line.
func comment(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029' || r == '\ufeff' {
			return ' '
		}
		return r
	}, s)
}

func list(names []string, n int) string {
	if len(names) > n {
		return strings.Join(names[:n], ", ") + fmt.Sprintf(", … %d more", len(names)-n)
	}
	return strings.Join(names, ", ")
}

// errNotOptions says whether an error is not about how the file is written.
func errNotOptions(err error) bool { return err != nil && !errors.Is(err, source.ErrOptions) }
