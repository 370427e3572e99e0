package jobs

import (
	"fmt"
	"time"
)

// Bounds of the number of dates of a backfill.
const (
	manyDates    = 1_000
	tooManyDates = 10_000
)

// BackfillError is a backfill that cannot be asked for like this.
type BackfillError struct{ Message string }

func (e *BackfillError) Error() string { return e.Message }

// Midnight is the first instant of a date, such as 2026-11-01, in a zone: midnight, or where
// the clocks skip it the instant after the gap.
func Midnight(date string, zone *time.Location) (time.Time, error) {
	t, err := time.ParseInLocation(time.DateOnly, date, zone)
	if err != nil {
		return t, err
	}
	if h, m, s := t.Clock(); h|m|s == 0 && t.Format(time.DateOnly) == date {
		return t, nil
	}
	// The clocks skip midnight: t is read with the offset before the gap or after it.
	start, end := t.ZoneBounds()
	if t.Format(time.DateOnly) < date {
		return end.In(zone), nil
	}
	return start.In(zone), nil
}

// Cadences are the distances between the dates of a backfill.
var Cadences = []string{"day", "week", "month"}

// backfillDates lists the dates from the first to the last, both included, and the instants
// that they mean. Months are counted from the first date; where a month is too short its
// last day is taken.
func backfillDates(from, to, every string, zone *time.Location) ([]time.Time, error) {
	first, err := time.Parse(time.DateOnly, from)
	if err != nil {
		return nil, &BackfillError{fmt.Sprintf("--from %q is no date: write 2026-01-01", from)}
	}
	last, err := time.Parse(time.DateOnly, to)
	if err != nil {
		return nil, &BackfillError{fmt.Sprintf("--to %q is no date: write 2026-12-31", to)}
	}
	if last.Before(first) {
		return nil, &BackfillError{fmt.Sprintf("--to %s is before --from %s", to, from)}
	}
	var list []time.Time
	for i := 0; ; i++ {
		day := first
		switch every {
		case "day":
			day = first.AddDate(0, 0, i)
		case "week":
			day = first.AddDate(0, 0, 7*i)
		case "month":
			day = monthsAfter(first, i)
		default:
			return nil, &BackfillError{fmt.Sprintf("--every %q: use day, week or month", every)}
		}
		if day.After(last) {
			return list, nil
		}
		t, err := Midnight(day.Format(time.DateOnly), zone)
		if err != nil {
			return nil, err
		}
		if n := len(list); n > 0 && !list[n-1].Before(t) { // a date that the zone has skipped is the next one
			continue
		}
		if list = append(list, t); len(list) > tooManyDates {
			return nil, &BackfillError{fmt.Sprintf("more than %d dates from %s to %s by %s: take a longer --every, or several backfills", tooManyDates, from, to, every)}
		}
	}
}

// monthsAfter is the same day of a later month, or its last day if it has no such.
func monthsAfter(first time.Time, n int) time.Time {
	month := time.Date(first.Year(), first.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	end := month.AddDate(0, 1, -1)
	return month.AddDate(0, 0, min(first.Day(), end.Day())-1)
}
