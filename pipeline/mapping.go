package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/schemas"
)

// MappingError is a mapping that does not fit the file: a mistake of the configuration.
type MappingError struct {
	Source, File, Column string
	What, Hint           string
}

func (e *MappingError) Error() string {
	s := fmt.Sprintf("source %q, file %s", e.Source, e.File)
	if e.Column != "" {
		s += ", column " + e.Column
	}
	s += ": " + e.What
	if e.Hint != "" {
		s += "\n" + e.Hint
	}
	return s
}

// MapEnv is what all mappers of a run share.
type MapEnv struct {
	Interns    *schemas.Interns
	Reporting  string // reporting currency
	Dimensions []string
	NeedEmail  bool // identity looks at e-mails
	NeedCost   bool // a table shows margins
}

// FileRef names the file a mapper works on.
type FileRef struct {
	Source     uint16
	SourceName string
	File       uint32
	Path       string
}

// MapStats counts what a mapper met besides orders and rejects.
type MapStats struct {
	Filtered   int64 // rows the filter left out
	FloatMoney int64 // amounts that came as binary floats
}

// input is where the values of one canonical column come from.
type input struct {
	name   string // canonical
	col    int    // index among the wanted columns, -1: none
	fixed  []byte // constant; nil: none
	expr   *expression
	row    bool              // the place of the row: path:number
	maybe  bool              // nobody has mapped it and the beginning of the file lacks it: a row without it is no mistake
	values map[string]string // raw → canonical
	time   TimeSpec
	clock  *wallClock

	dict   *source.Column // whose entries codes translates
	codes  []uint32
	why    []string
	faulty bool // an entry of why is not empty

	known *translations // of texts
}

func (in *input) present() bool { return in.col >= 0 || in.fixed != nil || in.expr != nil || in.row }

// binder resolves the columns of one source against the fields of one file.
type binder struct {
	spec   SourceSpec
	file   source.File
	fields []source.Field
	ref    FileRef
	want   []int
	exprs  []*expression
}

func (b *binder) wrong(column, what, hint string) error {
	return &MappingError{Source: b.spec.Name, File: b.ref.Path, Column: column, What: what, Hint: hint}
}

// index makes sure that a field is read and returns its place among the wanted columns.
func (b *binder) index(field int) int {
	if i := slices.Index(b.want, field); i >= 0 {
		return i
	}
	b.want = append(b.want, field)
	return len(b.want) - 1
}

func (b *binder) field(name string) int {
	return slices.IndexFunc(b.fields, func(f source.Field) bool { return f.Name == name })
}

func (b *binder) names() []string {
	var names []string
	for _, f := range b.fields {
		names = append(names, f.Name)
	}
	return names
}

func (b *binder) expression(column, text string) (*expression, error) {
	e, err := compile(text, b.names())
	if err != nil {
		hint := "the file has: " + clipList(b.names(), 12)
		return nil, b.wrong(column, err.Error(), hint)
	}
	for _, c := range e.columns {
		if f := b.field(c); b.fields[f].Kind != source.Other {
			b.index(f)
		}
	}
	b.exprs = append(b.exprs, e)
	return e, nil
}

func clipList(names []string, n int) string {
	if len(names) > n {
		return strings.Join(names[:n], ", ") + fmt.Sprintf(", … %d more", len(names)-n)
	}
	return strings.Join(names, ", ")
}

// bind finds the input of one canonical column.
func (b *binder) bind(name string, required bool) (input, error) {
	in := input{name: name, col: -1, values: b.spec.Values[name]}
	spec, mapped := b.spec.Columns[name]
	if !mapped {
		spec.From = name
	}
	if spec.Const != nil {
		in.fixed = []byte(*spec.Const)
		return in, nil
	}
	if mapped && spec.From == "row()" {
		in.row = true
		return in, nil
	}
	// A field that the mapper of another worker has asked for is not in the file for that.
	if f := b.field(spec.From); f >= 0 && !b.fields[f].Asked {
		if b.fields[f].Kind == source.Other {
			return in, b.wrong(name, fmt.Sprintf("%q cannot be read: %s", spec.From, b.fields[f].Why), "map another column")
		}
		in.col = b.index(f)
		return in, nil
	}
	if mapped && isFormula(spec.From) {
		e, err := b.expression(name, spec.From)
		in.expr = e
		return in, err
	}
	if required {
		what := fmt.Sprintf("the file has no column %q, which every order needs", spec.From)
		return in, b.wrong(name, what, fmt.Sprintf("map it under `columns: {%s: …}`; the file has: %s", name, clipList(b.names(), 12)))
	}
	if open, ok := b.file.(source.OpenEnded); ok { // it may come further down in the file
		i := open.Lookup(spec.From)
		b.fields = b.file.Fields()
		in.col, in.maybe = b.index(i), !mapped
	}
	return in, nil // else an optional column that this file does not have
}

// bindTime is bind for instants: it settles the format and the clock.
func (b *binder) bindTime(name string, required bool) (input, error) {
	in, err := b.bind(name, required)
	if err != nil {
		return in, err
	}
	spec, ok := b.spec.Time[name]
	if !ok {
		spec = b.spec.Time[""]
	}
	in.time = spec
	if spec.Timezone != "" {
		zone, err := time.LoadLocation(spec.Timezone)
		if err != nil {
			return in, b.wrong(name, fmt.Sprintf("time zone %q is unknown", spec.Timezone), "use an IANA name such as Europe/Berlin")
		}
		if spec.Timezone == "UTC" {
			zone = time.UTC
		}
		in.clock = &wallClock{zone: zone}
	}
	return in, nil
}

// cell is one value of a row, whatever its kind.
type cell struct {
	text []byte // Text
	kind source.Kind
	i    int64
	f    float64
	sc   int
	null bool
	big  bool
	utc  bool
}

// at looks at value i of a column.
func at(c *source.Column, i int) cell {
	if c.Null != nil && c.Null[i] {
		return cell{null: true}
	}
	if c.Codes != nil {
		return at(c.Dict, int(c.Codes[i]))
	}
	v := cell{kind: c.Kind, sc: c.Scale, utc: c.UTC}
	switch c.Kind {
	case source.Text:
		v.text = c.Data[c.Start[i]:c.End[i]]
	case source.Float:
		v.f = c.Floats[i]
	default:
		v.i = c.Ints[i]
		if len(c.TooBig) > 0 {
			_, v.big = slices.BinarySearch(c.TooBig, int32(i))
		}
	}
	return v
}
