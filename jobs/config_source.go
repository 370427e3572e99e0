package jobs

import (
	"slices"
	"strings"

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
		"name":      func(n *yaml.Node) { s.Name = w.text(n, "name", false) },
		"namespace": func(n *yaml.Node) { s.Namespace = w.text(n, "namespace", false) },
		"path":      func(n *yaml.Node) { s.Paths = w.texts(n, "path") },
		"format":    func(n *yaml.Node) { s.Format.Format = w.oneOf(n, "format", "csv", "jsonl", "parquet") },
		"delimiter": func(n *yaml.Node) {
			s.Format.Delimiter = w.text(n, "delimiter", false)
			if d := s.Format.Delimiter; d == "\t" {
				s.Format.Delimiter = "tab"
			} else if len(d) != 1 && d != "tab" && d != "whitespace" || d == "\"" || d == "\n" {
				w.wrong(n, "delimiter must be one character, tab or whitespace")
			}
		},
		"encoding": func(n *yaml.Node) {
			s.Format.Encoding = w.oneOf(n, "encoding", "utf-8", "utf-16", "latin-1", "windows-1252")
		},
		"header": func(n *yaml.Node) { s.Format.NoHeader = w.texts(n, "header") },
		"decimal": func(n *yaml.Node) {
			if d := w.oneOf(n, "decimal", ".", ","); d != "" {
				s.Decimal = d[0]
			}
		},
		"grain":  func(n *yaml.Node) { s.Grain = w.oneOf(n, "grain", "order", "line") },
		"filter": func(n *yaml.Node) { s.Filter = w.text(n, "filter", false) },
		"landing": func(n *yaml.Node) {
			s.Landing = w.oneOf(n, "landing", "reference")
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
	w.wrong(key, "%s: %s has no column %q%s", where, table, key.Value, suggest(key.Value, names))
	return false
}

func columns(w *walk, n *yaml.Node, table string) map[string]pipeline.ColumnSpec {
	if n.Kind != yaml.MappingNode {
		w.wrong(n, "columns must map canonical columns to columns of the file")
		return nil
	}
	m := map[string]pipeline.ColumnSpec{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if !canonicalColumn(w, key, "columns", table) {
			continue
		}
		if value.Kind == yaml.MappingNode {
			w.fields(value, "columns."+key.Value, map[string]func(*yaml.Node){
				"const": func(v *yaml.Node) {
					text := w.text(v, "columns."+key.Value+".const", false)
					m[key.Value] = pipeline.ColumnSpec{Const: &text}
				},
			})
			continue
		}
		if from := w.text(value, "columns."+key.Value, false); from != "" {
			m[key.Value] = pipeline.ColumnSpec{From: from}
		}
	}
	return m
}

func values(w *walk, n *yaml.Node, table string) map[string]map[string]string {
	if n.Kind != yaml.MappingNode {
		w.wrong(n, "values must map canonical columns to {raw value: canonical value}")
		return nil
	}
	m := map[string]map[string]string{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if !canonicalColumn(w, key, "values", table) {
			continue
		}
		if value.Kind != yaml.MappingNode {
			w.wrong(value, "values.%s must map raw values to canonical ones", key.Value)
			continue
		}
		m[key.Value] = map[string]string{}
		for j := 0; j+1 < len(value.Content); j += 2 {
			to := w.text(value.Content[j+1], "values."+key.Value, false)
			if key.Value == "status" && !slices.Contains(schemas.Statuses[:], to) {
				w.wrong(value.Content[j+1], "values.status: %q is no status%s", to, suggest(to, schemas.Statuses[:]))
			}
			m[key.Value][value.Content[j].Value] = to
		}
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
				t.Format = w.text(n, where+".format", false)
				if t.Format != "iso" && t.Format != "unix" && t.Format != "unix_ms" && !strings.Contains(t.Format, "%") {
					w.wrong(n, "%s.format: %q is no format; write iso, unix, unix_ms or one such as %%d/%%m/%%Y %%H:%%M", where, t.Format)
				}
			},
			"timezone": func(n *yaml.Node) { t.Timezone = w.text(n, where+".timezone", false) },
		})
		return t
	}
	perColumn := len(n.Content) > 1 && n.Content[1].Kind == yaml.MappingNode
	if !perColumn {
		m[""] = entry(n, "timestamp")
		return m
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if canonicalColumn(w, n.Content[i], "timestamp", table) {
			m[n.Content[i].Value] = entry(n.Content[i+1], "timestamp."+n.Content[i].Value)
		}
	}
	return m
}
