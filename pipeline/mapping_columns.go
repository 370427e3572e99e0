package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/cohortline/cohortline/pipeline/source"
)

// mappedColumns finds names of the configuration that no file has. One file may lack an
// optional column; when all files of a source do, the name is misspelt, and what it stands
// for would be missing from every table without a word.
type mappedColumns struct {
	mu      sync.Mutex
	found   map[wantedColumn]bool
	example map[wantedColumn]*MappingError // of the first file without it
}

// wantedColumn is a canonical column of one source, or a dimension of any where the source
// is empty.
type wantedColumn struct{ source, column string }

// look notes which columns one file has.
func (m *mappedColumns) look(spec SourceSpec, dimensions []string, file source.File, path string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.found == nil {
		m.found, m.example = map[wantedColumn]bool{}, map[wantedColumn]*MappingError{}
	}
	_, open := file.(source.OpenEnded)
	var names []string
	for _, f := range file.Fields() {
		names = append(names, f.Name)
	}
	has := func(column string) bool {
		c, mapped := spec.Columns[column]
		switch {
		case open || c.Const != nil:
			return true
		case !mapped:
			return slices.Contains(names, column)
		}
		return c.From == "row()" || slices.Contains(names, c.From) || isFormula(c.From)
	}
	note := func(w wantedColumn, what, hint string) {
		if m.found[w] = m.found[w] || has(w.column); !m.found[w] && m.example[w] == nil {
			m.example[w] = &MappingError{Source: spec.Name, File: path, Column: w.column, What: what, Hint: hint + "; the file has: " + clipList(names, 12)}
		}
	}
	for column, c := range spec.Columns {
		note(wantedColumn{spec.Name, column}, fmt.Sprintf("no file of the source has a column %q", c.From), "correct the name under `columns:`, or leave the line out")
	}
	for _, d := range dimensions {
		note(wantedColumn{"", d}, fmt.Sprintf("no file has a column for the dimension %q", d), "map it under `columns:` of a source, or leave it out of `dimensions:`")
	}
}

// err names the first column that no file has.
func (m *mappedColumns) err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var missing []wantedColumn
	for w, found := range m.found {
		if !found {
			missing = append(missing, w)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return m.example[slices.MinFunc(missing, func(a, b wantedColumn) int {
		return strings.Compare(a.source+"\x00"+a.column, b.source+"\x00"+b.column)
	})]
}

// isFormula says whether the text of a mapping that is no column's name is an expression.
func isFormula(text string) bool {
	return strings.ContainsAny(text, "+*/(<>=\"") || strings.Contains(text, " - ")
}
