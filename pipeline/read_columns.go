package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/cohortline/cohortline/pipeline/source"
)

// Line is one row of a file that is read by the names of its columns. It is valid until
// the next one.
type Line struct {
	Row  int64 // from 1, the header not counted
	file string
	cols []source.Column
	i    int
}

// Wanted is the number of wanted columns.
func (l *Line) Wanted() int { return len(l.cols) }

// Text is the value of the kth wanted column as text; ok is false when it is null or empty.
func (l *Line) Text(k int) (text string, ok bool) {
	v := at(&l.cols[k], l.i)
	if v.null {
		return "", false
	}
	text = shown(v)
	return text, text != ""
}

// Number is the value of the kth wanted column; ok is false when it is null or empty.
func (l *Line) Number(k int) (n float64, ok bool, err error) {
	v := at(&l.cols[k], l.i)
	switch {
	case v.null:
		return 0, false, nil
	case v.big:
		return 0, false, l.Wrong(k, "a number too large to be read", "")
	}
	switch v.kind {
	case source.Text:
		text := strings.TrimSpace(string(v.text))
		if text == "" {
			return 0, false, nil
		}
		if n, err = strconv.ParseFloat(text, 64); err != nil {
			return 0, false, l.Wrong(k, fmt.Sprintf("%q is no number", text), "write numbers with a point and without groups, such as 38.86")
		}
	case source.Float:
		n = v.f
	case source.Int, source.Decimal:
		n = float64(v.i) / math.Pow10(v.sc)
	default:
		return 0, false, l.Wrong(k, fmt.Sprintf("%q is no number", shown(v)), "")
	}
	if math.IsNaN(n) { // how pandas writes that there is none
		return 0, false, nil
	}
	return n, true, nil
}

// Day is the value of the kth wanted column, a date, in days since 1970-01-01.
func (l *Line) Day(k int) (int32, error) {
	v := at(&l.cols[k], l.i)
	if v.null || v.kind != source.Date {
		return 0, l.Wrong(k, "is no date", "")
	}
	return int32(v.i), nil
}

// Wrong is the mistake of the row in the kth wanted column, or with k below 0 of all of it.
func (l *Line) Wrong(k int, what, hint string) error {
	e := &source.FileError{File: l.file, Row: l.Row, What: what, Hint: hint}
	if k >= 0 {
		e.Column = l.cols[k].Name
	}
	return e
}

// ReadColumns reads a file row by row. choose is told the columns and says which are
// wanted, visit is called for every row.
func ReadColumns(ctx context.Context, path string, choose func([]source.Field) ([]int, error), visit func(*Line) error) (err error) {
	var stores source.Stores
	defer func() { err = errors.Join(err, stores.Close()) }()
	objects, err := stores.List(ctx, "", []string{path})
	if err != nil {
		var fe *source.FileError
		if errors.As(err, &fe) && errors.Is(err, source.ErrMissing) {
			fe.Hint = "check the path"
		}
		return err
	}
	if len(objects) != 1 {
		return &source.FileError{File: path, What: fmt.Sprintf("%d files, one is needed", len(objects)), Err: source.ErrOptions}
	}
	f, err := source.Open(ctx, objects[0], source.Options{})
	if err != nil {
		return err
	}
	defer f.Close()
	want, err := choose(f.Fields())
	if err != nil {
		return err
	}
	for unit := range f.Units() {
		for b, err := range f.Read(ctx, unit, want) {
			if err != nil {
				return err
			}
			if len(b.Bad) > 0 {
				bad := b.Bad[0]
				return &source.FileError{File: path, Row: b.Row + int64(bad.Index), Column: bad.Column, What: strings.TrimSpace(bad.Reason + " " + bad.Detail)}
			}
			l := Line{file: path, cols: b.Cols}
			for l.i = range b.N {
				l.Row = b.Row + int64(l.i)
				if err := visit(&l); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
