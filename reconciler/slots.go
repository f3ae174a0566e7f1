package reconciler

import (
	"time"

	"github.com/teambition/rrule-go"
)

// Slots returns the slots from one date to another, both included, in order and
// at most limit of them. The zero Date as from means the beginning, as to the end.
// It is empty for a rule that Validate refuses.
func (r Rule) Slots(from, to Date, limit int) []Date {
	var found []Date
	r.walk(from, func(slot Date) bool {
		if len(found) >= limit || !to.IsZero() && slot.After(to) {
			return false
		}
		found = append(found, slot)
		return true
	})
	return found
}

// Includes says whether the rule has a slot on that date.
func (r Rule) Includes(date Date) bool {
	return !date.IsZero() && len(r.Slots(date, date, 1)) == 1
}

// Last is the last slot. It is false for rules without an end.
func (r Rule) Last() (Date, bool) {
	if r.Endless() {
		return Date{}, false
	}
	from := Date{}
	if !r.Until.IsZero() {
		// One whole step, and for days that not every month or year has the
		// longest gap that there is, before the end.
		for _, back := range []int{r.stepDays(), longestGap * r.Interval} {
			if last, ok := r.lastFrom(r.Until.Add(-back)); ok {
				return last, true
			}
		}
	}
	return r.lastFrom(from)
}

func (r Rule) lastFrom(from Date) (last Date, found bool) {
	r.walk(from, func(slot Date) bool {
		last, found = slot, true
		return true
	})
	return last, found
}

// longestGap, in days per interval, is the eight years between two 29th of
// February around a century.
const longestGap = 8*366 + 1

// stepDays is how many days a step spans at most, and a month more.
func (r Rule) stepDays() int {
	unit := map[Frequency]int{Daily: 1, Weekly: 7, Monthly: 31, Yearly: 366}[r.Frequency]
	return unit*r.Interval + 31
}

// first is the first slot.
func (r Rule) first() (Date, bool) {
	if slots := r.Slots(Date{}, Date{}, 1); len(slots) == 1 {
		return slots[0], true
	}
	return Date{}, false
}

// walk calls yield for each slot from a date on until it returns false.
func (r Rule) walk(from Date, yield func(Date) bool) {
	if r.wellFormed() != nil {
		return
	}
	start := r.Start
	if r.Count == 0 && from.After(start) {
		start = r.anchor(from)
	}
	expansion, err := rrule.NewRRule(r.options(start))
	if err != nil {
		return
	}
	next := expansion.Iterator()
	for {
		instant, ok := next()
		if !ok {
			return
		}
		slot := DateOf(instant)
		if !from.IsZero() && slot.Before(from) {
			continue
		}
		if !yield(slot) {
			return
		}
	}
}

// anchor is a date from which the rule repeats exactly as from its Start,
// at or before the given date and at most two steps away: so that a far window
// needs no walk through all years before it.
func (r Rule) anchor(near Date) Date {
	back := func(distance int) int { return max(distance/r.Interval-1, 0) * r.Interval }
	switch r.Frequency {
	case Daily:
		return r.Start.Add(back(near.Since(r.Start)))
	case Weekly:
		return r.Start.Add(7 * back(near.Since(r.Start)/7))
	case Monthly:
		months := back(12*(near.Year-r.Start.Year) + int(near.Month-r.Start.Month))
		if months == 0 {
			return r.Start
		}
		return DateOf(time.Date(r.Start.Year, r.Start.Month+time.Month(months), 1, 0, 0, 0, 0, time.UTC))
	default:
		years := back(near.Year - r.Start.Year)
		if years == 0 {
			return r.Start
		}
		return Date{Year: r.Start.Year + years, Month: time.January, Day: 1}
	}
}

var (
	frequencies = map[Frequency]rrule.Frequency{Daily: rrule.DAILY, Weekly: rrule.WEEKLY, Monthly: rrule.MONTHLY, Yearly: rrule.MONTHLY}
	weekdays    = map[time.Weekday]rrule.Weekday{
		time.Monday: rrule.MO, time.Tuesday: rrule.TU, time.Wednesday: rrule.WE, time.Thursday: rrule.TH,
		time.Friday: rrule.FR, time.Saturday: rrule.SA, time.Sunday: rrule.SU,
	}
)

// shortestMonth is how many days every month has.
const shortestMonth = 28

// options says the rule as RFC 5545 does, on floating dates. Years are counted
// in months from the rule's own: a year's days are not all looked at then.
func (r Rule) options(start Date) rrule.ROption {
	if r.Frequency == Yearly {
		if start.Month > r.Month {
			start.Year += r.Interval
		}
		if start.Month != r.Month {
			start.Month, start.Day = r.Month, 1
		}
		r.Interval *= 12
	}
	options := rrule.ROption{
		Freq: frequencies[r.Frequency], Interval: r.Interval, Wkst: weekdays[r.FirstWeekday],
		Dtstart: start.Midnight(), Count: r.Count,
		// Left out, it would be 292 years after the start.
		Until: Date{Year: lastYear, Month: time.December, Day: 31}.Midnight(),
	}
	if !r.Until.IsZero() {
		options.Until = r.Until.Midnight()
	}
	for _, day := range r.Weekdays {
		options.Byweekday = append(options.Byweekday, weekdays[day])
	}
	switch {
	case r.Position != 0:
		options.Bysetpos = []int{r.Position}
	case r.Clamp && r.MonthDay > shortestMonth:
		// The last of those days that the month has.
		for day := shortestMonth; day <= r.MonthDay; day++ {
			options.Bymonthday = append(options.Bymonthday, day)
		}
		options.Bysetpos = []int{-1}
	case r.MonthDay != 0:
		options.Bymonthday = []int{r.MonthDay}
	}
	return options
}

// EndingAt is the rule without its slots after a date, with that date as its
// last one where it had gone on. It is false where no slot remains.
func (r Rule) EndingAt(date Date) (Rule, bool) {
	first, ok := r.first()
	if !ok || first.After(date) {
		return Rule{}, false
	}
	if last, ends := r.Last(); !ends || last.After(date) {
		r.Count, r.Until = 0, date
	}
	return r, true
}

// StartingAt is the rest of the rule from its first slot at or after a date,
// with as many fewer slots as come before it. It is false where none is left.
func (r Rule) StartingAt(date Date) (Rule, bool) {
	before := 0
	start, found := Date{}, false
	from := date
	if r.Count > 0 {
		from = Date{}
	}
	r.walk(from, func(slot Date) bool {
		if slot.Before(date) {
			before++
			return true
		}
		start, found = slot, true
		return false
	})
	if !found {
		return Rule{}, false
	}
	r.Start = start
	if r.Count > 0 {
		r.Count -= before
	}
	return r, true
}

// Shift is the rule with every slot so many days later, earlier where days is
// negative. It is false where no rule says that: positions in a month, and days
// of the month beyond the 28th.
func (r Rule) Shift(days int) (Rule, bool) {
	if days == 0 {
		return r, true
	}
	if r.Frequency == Monthly || r.Frequency == Yearly {
		moved := r.MonthDay + days
		if r.Position != 0 || r.MonthDay < 1 || r.MonthDay > shortestMonth || moved < 1 || moved > shortestMonth {
			return Rule{}, false
		}
		first, ok := r.first()
		if !ok {
			return Rule{}, false
		}
		r.Start, r.MonthDay = first, moved
	}
	r.Start = r.Start.Add(days)
	if !r.Until.IsZero() {
		r.Until = r.Until.Add(days)
	}
	shifted := make([]time.Weekday, 0, len(r.Weekdays))
	for _, day := range r.Weekdays {
		shifted = append(shifted, shiftWeekday(day, days))
	}
	r.Weekdays = sortedDays(shifted)
	r.FirstWeekday = shiftWeekday(r.FirstWeekday, days)
	return r, true
}
