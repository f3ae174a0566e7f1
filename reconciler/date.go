package reconciler

import (
	"cmp"
	"fmt"
	"time"
)

// Date is a calendar date without a zone. It is the key of a slot of a series:
// every supported rule has at most one occurrence on a date of the series' own
// zone. The zero Date is no date.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// dateLayout is ISO 8601's calendar date.
const dateLayout = "2006-01-02"

// DateOf is the date that the clock of t's own location shows at t.
func DateOf(t time.Time) Date {
	year, month, day := t.Date()
	return Date{Year: year, Month: month, Day: day}
}

// ParseDate reads yyyy-mm-dd.
func ParseDate(text string) (Date, error) {
	parsed, err := time.Parse(dateLayout, text)
	if err != nil {
		return Date{}, fmt.Errorf("%q is no date of the form yyyy-mm-dd", text)
	}
	return DateOf(parsed), nil
}

// String is yyyy-mm-dd, empty for no date.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return d.Midnight().Format(dateLayout)
}

// IsZero says that there is no date.
func (d Date) IsZero() bool { return d == Date{} }

// Midnight is the start of the date in UTC, the form in which When keeps the
// dates of whole days.
func (d Date) Midnight() time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC) }

// Add is the date so many days later, earlier where days is negative.
func (d Date) Add(days int) Date { return DateOf(d.Midnight().AddDate(0, 0, days)) }

// Since counts the days from an earlier date to d.
func (d Date) Since(earlier Date) int {
	return int(d.Midnight().Unix()/daySeconds - earlier.Midnight().Unix()/daySeconds)
}

const daySeconds = 24 * 60 * 60

// Weekday is the day of the week.
func (d Date) Weekday() time.Weekday { return d.Midnight().Weekday() }

// Compare is negative where d is before other, positive where it is after.
func (d Date) Compare(other Date) int {
	return cmp.Or(cmp.Compare(d.Year, other.Year), cmp.Compare(d.Month, other.Month), cmp.Compare(d.Day, other.Day))
}

// Before says whether d is before other.
func (d Date) Before(other Date) bool { return d.Compare(other) < 0 }

// After says whether d is after other.
func (d Date) After(other Date) bool { return d.Compare(other) > 0 }

// valid says whether the calendar has the date.
func (d Date) valid() bool { return DateOf(d.Midnight()) == d && d.Year >= 1 && d.Year <= lastYear }

// lastYear is the last one with four digits, as far as any calendar goes.
const lastYear = 9999

// daysIn is how many days a month has.
func daysIn(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}
