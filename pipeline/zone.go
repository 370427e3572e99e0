package pipeline

import "time"

const (
	microsPerSecond = int64(1_000_000)
	microsPerDay    = 86_400 * microsPerSecond
)

// wallClock turns local wall time into instants. Where clocks go back the first of the
// two instants is taken; a wall time that clocks skip is read with the offset before.
type wallClock struct {
	zone *time.Location
	day  int64 // whose offset is known
	from int64 // offset of the day in microseconds, where plain
	ok   bool  // the offset does not change near the day
}

// instant is the instant at which the wall clock shows the given microseconds since
// 1970-01-01T00:00 local time.
func (w *wallClock) instant(wall int64) int64 {
	if w.zone == time.UTC {
		return wall
	}
	if d := floorDay(wall); d != w.day || !w.ok {
		w.day = d
		before, after := w.offset((d-2)*microsPerDay), w.offset((d+3)*microsPerDay)
		w.from, w.ok = before, before == after
	}
	if w.ok {
		return wall - w.from
	}
	before, after := w.offset(wall-microsPerDay), w.offset(wall+microsPerDay)
	first, second := wall-before, wall-after
	firstOK, secondOK := w.offset(first) == before, w.offset(second) == after
	switch {
	case firstOK && secondOK:
		return min(first, second)
	case secondOK:
		return second
	default:
		return first
	}
}

func (w *wallClock) offset(t int64) int64 {
	_, o := time.UnixMicro(t).In(w.zone).Zone()
	return int64(o) * microsPerSecond
}

func floorDay(t int64) int64 {
	d := t / microsPerDay
	if t%microsPerDay < 0 {
		d--
	}
	return d
}

// The years whose months are in monthStarts.
const firstYear, tableYears = 1970, 130

// monthStarts are the days since 1970-01-01 of the first of each month, and of the one
// that follows the last.
var monthStarts = func() (starts [12*tableYears + 1]int32) {
	for i := range starts {
		days, _ := countDays(firstYear+i/12, i%12+1, 1)
		starts[i] = int32(days)
	}
	return starts
}()

// daysOfDate is the days since 1970-01-01 of a date, and whether there is such a date.
func daysOfDate(y, m, d int) (int64, bool) {
	i := (y-firstYear)*12 + m - 1
	if uint(m-1) >= 12 || uint(i) >= 12*tableYears {
		return countDays(y, m, d)
	}
	first := monthStarts[i]
	return int64(first) + int64(d) - 1, uint(d-1) < uint(monthStarts[i+1]-first)
}

// countDays is daysOfDate for any year from 1 to 9999.
func countDays(y, m, d int) (int64, bool) {
	if m < 1 || m > 12 || d < 1 || y < 1 || y > 9999 || d > daysOfMonth(y, m) {
		return 0, false
	}
	if m <= 2 { // years begin in March here, so that the leap day is the last
		y, m = y-1, m+12
	}
	const epoch = 719_469 // the days from 1 March of year 0 to 1970-01-01, and the first of a month is day 1
	return int64(365*y+y/4-y/100+y/400+(153*m-457)/5+d) - epoch, true
}

// daysOfMonth is the number of days of a month.
func daysOfMonth(y, m int) int {
	if m == 2 {
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	}
	return 30 + (m+m/8)&1
}

func utcClock() *wallClock { return &wallClock{zone: time.UTC} }
