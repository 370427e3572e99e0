package pipeline

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/pipeline/store"
)

// FindRun is the manifest of a published run: by its id, by a date (its latest result), or
// by date#number. Of several publications of one run the latest is meant.
func FindRun(ctx context.Context, s store.Store, name string) (*Manifest, error) {
	date, number, numbered := strings.Cut(name, "#")
	if numbered {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 {
			return nil, missingRun(s, name, fmt.Sprintf("%q is no number of a publication; write %s#1", number, date))
		}
		committed, _, err := numbers(ctx, s, "as_of="+date)
		if err != nil {
			return nil, err
		}
		if committed[n] {
			m, err := readManifest(ctx, s, commitName("as_of="+date, n))
			if err != nil || m.Status != Abandoned {
				return m, err
			}
		}
		return nil, missingRun(s, name, "`cohortline runs` lists what has been published")
	}
	if m, err := Current(ctx, s, "as_of="+date); err != nil || m != nil {
		return m, err
	}
	list, err := Manifests(ctx, s)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].RunID == name {
			return &list[i], nil
		}
	}
	return nil, missingRun(s, name, "name a run id, a date, or date#number; `cohortline runs` lists them")
}

func missingRun(s store.Store, name, hint string) error {
	return &source.FileError{File: s.Path(""), What: fmt.Sprintf("no run %q has been published", name), Err: source.ErrMissing, Hint: hint}
}

// Date is the as-of date of the result.
func (m *Manifest) Date() string { return strings.TrimPrefix(path.Base(m.Partition), "as_of=") }

// Label names the publication: date#number.
func (m *Manifest) Label() string { return fmt.Sprintf("%s#%d", m.Date(), m.Number) }
