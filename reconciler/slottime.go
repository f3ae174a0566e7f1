package reconciler

import (
	"sync"
	"time"
	_ "time/tzdata" // containers have no zone database of their own
)

// SlotDate is the slot that an occurrence with that time lies on: the date in
// its own zone, UTC where it names none that is known, and the first date of a
// meeting of whole days.
func SlotDate(when When) Date {
	if when.AllDay {
		return DateOf(when.Start.UTC())
	}
	return DateOf(when.Start.In(zoneOf(when.Zone)))
}

// SlotTime is the time of the occurrence on a date, given that of the series'
// first one. Whole days are dates and stay so many days long. Otherwise the
// clock of first.Zone shows the same time on every date, and the length is the
// time that passes.
//
// Where the clock is put forward over that time, the occurrence is as much later
// as the clock was put forward; where it is put back and shows the time twice,
// the second one is meant. So do NightPOS (pytz with is_dst=False) and Windows.
// On the date of the first occurrence itself the time is exactly the given one.
func SlotTime(date Date, first When) When {
	length := first.End.Sub(first.Start)
	when := first
	switch {
	case date == SlotDate(first):
		return first
	case first.AllDay:
		when.Start = date.Midnight()
	default:
		zone := zoneOf(first.Zone)
		hour, minute, second := first.Start.In(zone).Clock()
		when.Start = resolve(date, time.Duration(hour)*time.Hour+time.Duration(minute)*time.Minute+time.Duration(second)*time.Second, zone)
	}
	when.End = when.Start.Add(length)
	return when
}

// resolve finds the instant at which the zone's clock shows a time of day.
func resolve(date Date, clock time.Duration, zone *time.Location) time.Time {
	wall := date.Midnight().Add(clock)
	offset := func(instant time.Time) time.Duration {
		_, seconds := instant.In(zone).Zone()
		return time.Duration(seconds) * time.Second
	}
	// No zone changes twice within the two days around a time.
	before, after := offset(wall.Add(-24*time.Hour)), offset(wall.Add(24*time.Hour))
	if late := wall.Add(-after); offset(late) == after {
		return late
	}
	// Either the change is still to come, or the clock skips the time and goes
	// on from the offset before.
	return wall.Add(-before)
}

var zoneCache sync.Map

// zoneOf loads a zone, UTC where the name is not known. Only names that exist
// are kept, so that there are never more than the database has.
func zoneOf(name string) *time.Location {
	if name == "" || name == "Local" {
		return time.UTC
	}
	if known, ok := zoneCache.Load(name); ok {
		return known.(*time.Location)
	}
	location, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	zoneCache.Store(name, location)
	return location
}
