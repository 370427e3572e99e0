package transforms

import (
	"sort"
	"time"
)

const (
	microsPerSecond = 1_000_000
	microsPerDay    = 86_400 * microsPerSecond
)

// Calendar turns instants into local dates of one time zone and dates into
// periods. Zones are a sorted list of offset changes, never a time.Time per row.
type Calendar struct {
	zone      *time.Location
	weekStart int32 // days from 1970-01-01 to the first day that starts a week, 0–6
	// changes[i] is the first instant (micros) at which offsets[i] (micros east of UTC) holds.
	changes []int64
	offsets []int64
	until   int64 // from here on the list is not complete and the zone is asked
	// slots[i] is the last change at or before the start of slot i, which is 2^slotBits
	// microseconds long: nearly always the one that holds throughout.
	slots []int32
	// months[d] is the month of the date firstListed + d: the fold asks for it at every order-day.
	months []int32
}

// The dates whose month is listed: 1970 to 2069.
const (
	firstListed = 0
	listedDays  = 36_525
)

// The instants between which offset changes are listed; others ask the zone.
var (
	listFrom  = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)
	listUntil = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

// NewCalendar returns the calendar of a zone with weeks that start on weekStart.
func NewCalendar(zone *time.Location, weekStart time.Weekday) *Calendar {
	// 1970-01-01 was a Thursday.
	c := &Calendar{zone: zone, weekStart: (int32(weekStart) - int32(time.Thursday) + 7) % 7, until: listUntil.UnixMicro(), months: make([]int32, listedDays)}
	for d := range c.months {
		year, month := civil(firstListed + int32(d))
		c.months[d] = year*12 + month - 1
	}
	t := listFrom.In(zone)
	for {
		_, seconds := t.Zone()
		if offset := int64(seconds) * microsPerSecond; len(c.offsets) == 0 || c.offsets[len(c.offsets)-1] != offset {
			c.changes = append(c.changes, t.UnixMicro())
			c.offsets = append(c.offsets, offset)
		}
		_, end := t.ZoneBounds()
		if end.IsZero() || !end.Before(listUntil) {
			break
		}
		if !end.After(t) { // on the last day of some leap years the zone names its own start as the end
			end = t.Add(time.Hour)
		}
		t = end
	}
	at := 0
	for from := c.changes[0]; from < c.until; from += 1 << slotBits {
		for at+1 < len(c.changes) && c.changes[at+1] <= from {
			at++
		}
		c.slots = append(c.slots, int32(at))
	}
	return c
}

// slotBits is the length of a slot as a power of two: 25 days.
const slotBits = 41

// LocalDay is the local date of an instant in microseconds UTC.
func (c *Calendar) LocalDay(t int64) int32 {
	return int32(floorDiv(t+c.offset(t), microsPerDay))
}

// LastDay is the latest local date before an instant: that of the last instant before it, or,
// where the clocks have just gone back over midnight, of the last before they did.
func (c *Calendar) LastDay(t int64) int32 {
	day := c.LocalDay(t - 1)
	if start, _ := time.UnixMicro(t - 1).In(c.zone).ZoneBounds(); !start.IsZero() {
		day = max(day, c.LocalDay(start.UnixMicro()-1))
	}
	return day
}

// offset is the zone's distance from UTC at an instant, both in microseconds.
func (c *Calendar) offset(t int64) int64 {
	if t < c.changes[0] || t >= c.until {
		_, o := time.UnixMicro(t).In(c.zone).Zone()
		return int64(o) * microsPerSecond
	}
	i := int(c.slots[uint64(t-c.changes[0])>>slotBits])
	for i+1 < len(c.changes) && c.changes[i+1] <= t {
		i++
	}
	return c.offsets[i]
}

// Midnight is the first instant of a local date, in microseconds UTC. Where clocks
// skip midnight it is the first instant after the gap.
func (c *Calendar) Midnight(day int32) int64 {
	guess := int64(day)*microsPerDay - 26*3600*microsPerSecond
	hours := sort.Search(60*60, func(i int) bool { // minutes: the first whose local date is not before day
		return c.LocalDay(guess+int64(i)*60*microsPerSecond) >= day
	})
	return guess + int64(hours)*60*microsPerSecond
}

// Period is the index of the calendar period of grain g that holds the local date:
// consecutive periods have consecutive indexes.
func (c *Calendar) Period(g Grain, day int32) int32 {
	switch g {
	case Day:
		return day
	case Week:
		return int32(floorDiv(int64(day)-int64(c.weekStart), 7))
	case Month:
		if d := day - firstListed; uint32(d) < listedDays {
			return c.months[d]
		}
	}
	year, month := civil(day)
	switch g {
	case Month:
		return year*12 + month - 1
	case Quarter:
		return year*4 + (month-1)/3
	default:
		return year
	}
}

// Start is the first local date of a period.
func (c *Calendar) Start(g Grain, period int32) int32 {
	switch g {
	case Day:
		return period
	case Week:
		return period*7 + c.weekStart
	case Month:
		y := int32(floorDiv(int64(period), 12))
		return daysOf(y, period-y*12+1)
	case Quarter:
		y := int32(floorDiv(int64(period), 4))
		return daysOf(y, (period-y*4)*3+1)
	default:
		return daysOf(period, 1)
	}
}

// civil is the year and month of a date in the proleptic Gregorian calendar,
// after Howard Hinnant's days-from-civil algorithms.
func civil(day int32) (year, month int32) {
	z := int64(day) + 719468
	era := floorDiv(z, 146097)
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	m := mp + 3
	if m > 12 {
		m -= 12
	}
	y := yoe + era*400
	if m <= 2 {
		y++
	}
	return int32(y), int32(m)
}

// daysOf is the first day of a month as days since 1970-01-01.
func daysOf(year, month int32) int32 {
	y, m := int64(year), int64(month)
	if m <= 2 {
		y--
	}
	era := floorDiv(y, 400)
	yoe := y - era*400
	mp := (m + 9) % 12
	doy := (153*mp + 2) / 5
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return int32(era*146097 + doe - 719468)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
