package jobs

import (
	"fmt"
	"slices"
	"time"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/schemas"
	"go.yaml.in/yaml/v4"
)

// source reads one entry of `sources:`.
func (c *Config) source(w *walk, n *yaml.Node) pipeline.SourceSpec {
	s := pipeline.SourceSpec{Grain: "order", Landing: "reference", Line: n.Line}
	var later []func()
	w.fields(n, "a source", map[string]func(*yaml.Node){
		"table":     func(n *yaml.Node) { s.Table = w.oneOf(n, "table", "orders", "fx") },
		"name":      func(n *yaml.Node) { s.Name = w.text(n, "name") },
		"namespace": func(n *yaml.Node) { s.Namespace = w.text(n, "namespace") },
		"path":      func(n *yaml.Node) { s.Paths = w.texts(n, "path") },
		"format":    func(n *yaml.Node) { s.Format.Format = w.oneOf(n, "format", "csv", "jsonl", "parquet") },
		"delimiter": func(n *yaml.Node) {
			s.Format.Delimiter = w.text(n, "delimiter")
			if d := s.Format.Delimiter; d == "\t" {
				s.Format.Delimiter = "tab"
			} else if len(d) != 1 && d != "tab" && d != "whitespace" || d == "\"" || d == "\n" {
				w.wrong(n, "delimiter must be one character, tab or whitespace")
			}
		},
		"encoding": func(n *yaml.Node) {
			s.Format.Encoding = w.oneOf(n, "encoding", "utf-8", "utf-16", "latin-1", "windows-1252")
		},
		"header": func(n *yaml.Node) {
			s.Format.NoHeader = w.texts(n, "header")
			for i, name := range s.Format.NoHeader {
				if name != "" && slices.Contains(s.Format.NoHeader[:i], name) {
					w.wrong(n, "header names %q twice", name)
				}
			}
		},
		"decimal": func(n *yaml.Node) {
			if d := w.oneOf(n, "decimal", ".", ","); d != "" {
				s.Decimal = d[0]
			}
		},
		"grain":  func(n *yaml.Node) { s.Grain = w.oneOf(n, "grain", "order", "line") },
		"filter": func(n *yaml.Node) { s.Filter = w.text(n, "filter") },
		"landing": func(n *yaml.Node) {
			s.Landing = w.oneOf(n, "landing", "reference", "copy")
		},
		"columns": func(n *yaml.Node) { later = append(later, func() { s.Columns = columns(w, n, s.Table) }) },
		"values":  func(n *yaml.Node) { later = append(later, func() { s.Values = values(w, n, s.Table) }) },
		"timestamp": func(n *yaml.Node) {
			later = append(later, func() { s.Time = times(w, n, s.Table) })
		},
	})
	if s.Table == "" || len(s.Paths) == 0 {
		w.wrong(n, "a source needs table and path")
		return s
	}
	for _, f := range later {
		f()
	}
	if s.Name == "" {
		s.Name = s.Table
	}
	if s.Namespace == "" {
		s.Namespace = s.Name
	}
	if s.Grain == "line" && s.Table != "orders" {
		w.wrong(n, "grain: line is for orders")
	}
	return s
}

// canonicalColumn says whether a key of a mapping is a column of the table.
func canonicalColumn(w *walk, key *yaml.Node, where, table string) bool {
	t, ok := schemas.ByName(table, nil)
	if !ok {
		return false
	}
	if _, ok := t.Column(key.Value); ok {
		return true
	}
	var names []string
	for _, c := range t.Columns {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	w.wrong(key, "%s: %s has no column %q%s", where, table, key.Value, Suggest(key.Value, names))
	return false
}

func columns(w *walk, n *yaml.Node, table string) map[string]pipeline.ColumnSpec {
	m := map[string]pipeline.ColumnSpec{}
	for key, value := range w.pairs(n, "columns") {
		if !canonicalColumn(w, key, "columns", table) {
			continue
		}
		where := "columns." + key.Value
		if value.Kind != yaml.MappingNode {
			from := w.text(value, where)
			if value.Kind == yaml.ScalarNode && value.Tag != "!!null" && from == "" {
				w.wrong(value, "%s is empty: name a column of the file, or leave the key out", where)
			}
			m[key.Value] = pipeline.ColumnSpec{From: from}
			continue
		}
		var constant *string
		w.fields(value, where, map[string]func(*yaml.Node){
			"const": func(v *yaml.Node) {
				text := w.text(v, where+".const")
				constant = &text
			},
		})
		if constant == nil {
			w.wrong(value, "%s must name a column of the file, or hold {const: value}", where)
		}
		m[key.Value] = pipeline.ColumnSpec{Const: constant}
	}
	return m
}

func values(w *walk, n *yaml.Node, table string) map[string]map[string]string {
	m := map[string]map[string]string{}
	for key, value := range w.pairs(n, "values") {
		if !canonicalColumn(w, key, "values", table) {
			continue
		}
		to := map[string]string{}
		for raw, v := range w.pairs(value, "values."+key.Value) {
			to[raw.Value] = w.text(v, "values."+key.Value)
			if key.Value == "status" && !slices.Contains(schemas.Statuses[:], to[raw.Value]) {
				w.wrong(v, "values.status: %q is no status%s", to[raw.Value], Suggest(to[raw.Value], schemas.Statuses[:]))
			}
		}
		m[key.Value] = to
	}
	return m
}

// times reads `timestamp:`: {format, timezone} for all columns, or one such entry per column.
func times(w *walk, n *yaml.Node, table string) map[string]pipeline.TimeSpec {
	m := map[string]pipeline.TimeSpec{}
	if n.Kind != yaml.MappingNode {
		w.wrong(n, "timestamp must be {format, timezone}")
		return m
	}
	entry := func(n *yaml.Node, where string) pipeline.TimeSpec {
		var t pipeline.TimeSpec
		w.fields(n, where, map[string]func(*yaml.Node){
			"format": func(n *yaml.Node) {
				t.Format = w.text(n, where+".format")
				if err := pipeline.CheckTimeFormat(t.Format); err != nil {
					w.wrong(n, "%s.format: %v; write iso, unix, unix_ms or one such as %%d/%%m/%%Y %%H:%%M", where, err)
				}
			},
			"timezone": func(n *yaml.Node) {
				t.Timezone = w.text(n, where+".timezone")
				if _, err := location(t.Timezone); err != nil {
					w.wrong(n, "%s.timezone: %v", where, err)
				}
			},
		})
		return t
	}
	perColumn := len(n.Content) > 1 && n.Content[1].Kind == yaml.MappingNode
	if !perColumn {
		m[""] = entry(n, "timestamp")
		return m
	}
	for key, value := range w.pairs(n, "timestamp") {
		if canonicalColumn(w, key, "timestamp", table) {
			m[key.Value] = entry(value, "timestamp."+key.Value)
		}
	}
	return m
}

// location is an IANA time zone; the zone of the machine is none, because it may change.
func location(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return nil, fmt.Errorf("%q is no IANA time zone such as Europe/Berlin", name)
	}
	return zone, nil
}
