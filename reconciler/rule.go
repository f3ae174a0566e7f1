package reconciler

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Frequency is the unit in which a rule repeats.
type Frequency string

// The frequencies that both sides know.
const (
	Daily   Frequency = "daily"
	Weekly  Frequency = "weekly"
	Monthly Frequency = "monthly"
	Yearly  Frequency = "yearly"
)

// LastPosition is the Position of the last of the days in a month.
const LastPosition = -1

// LastDay is the MonthDay of a month's last day.
const LastDay = -1

// MaxInterval is the longest step of a rule, in its unit.
const MaxInterval = 9999

// MaxCount is the largest count of a rule: ten times what people can choose in
// Outlook.
const MaxCount = 9999

// Rule says on which dates the occurrences of a series fall, its slots. Time of
// day, length and zone are not its business: they are in the Event.When of the
// first slot, see SlotTime. The value set is the union of what both sides can
// say; the packages of the sides refuse what theirs cannot, with an
// InexpressibleError.
type Rule struct {
	Frequency Frequency
	// Interval counts every how many days, weeks, months or years there are
	// slots, from the one that Start lies in. 1 to MaxInterval.
	Interval int
	// Weekdays, in ascending order from Sunday without repeats, are the days of
	// a weekly rule, or those that Position counts.
	Weekdays []time.Weekday
	// Position picks, of all days in the month that are among Weekdays, the
	// first to fourth or, with LastPosition, the last: one slot a month. Zero
	// for rules that go by MonthDay. Monthly and yearly rules only.
	Position int
	// MonthDay is the day of the month, 1 to 31 or LastDay. Monthly and yearly
	// rules without Position only.
	MonthDay int
	// Clamp makes a MonthDay that a month does not have mean that month's last
	// day, as in Outlook. Without it such a month has no slot, as in NightPOS.
	Clamp bool
	// Month is that of a yearly rule.
	Month time.Month
	// FirstWeekday is on which day weeks begin. It matters to weekly rules with
	// several days and an interval above 1 only.
	FirstWeekday time.Weekday
	// Start is the first slot, or a date before it from which the first one is
	// searched and the interval is counted.
	Start Date
	// Count is how many slots there are, those included whose occurrences were
	// cancelled; Until is a date after which there are none. At most one of them
	// is set, Count to at most MaxCount; without both, the rule has no end.
	Count int
	Until Date
}

// InexpressibleError says that a side cannot show a rule. Another way must be
// found (single events), or the person told.
type InexpressibleError struct {
	// Side is the calendar that cannot: Outlook or NightPOS.
	Side string
	// Reason says why, in words for a person and without event content.
	Reason string
}

func (e *InexpressibleError) Error() string {
	return e.Side + " cannot repeat an event like this: " + e.Reason
}

// Validate says what is wrong with a rule; nil when it has at least one slot.
func (r Rule) Validate() error {
	if err := r.wellFormed(); err != nil {
		return err
	}
	if _, ok := r.first(); !ok {
		return errors.New("the rule has no occurrence at all")
	}
	return nil
}

// wellFormed checks everything but that there are slots.
func (r Rule) wellFormed() error {
	switch {
	case r.Interval < 1 || r.Interval > MaxInterval:
		return fmt.Errorf("an interval of %d is not between 1 and %d", r.Interval, MaxInterval)
	case !r.Start.valid():
		return errors.New("the rule has no valid first date")
	case r.Count < 0 || r.Count > MaxCount:
		return fmt.Errorf("a count of %d is not between 0 and %d", r.Count, MaxCount)
	case r.Count > 0 && !r.Until.IsZero():
		return errors.New("the rule has both a count and a last date")
	case !r.Until.IsZero() && !r.Until.valid():
		return errors.New("the rule's last date is not in the calendar")
	case r.FirstWeekday < time.Sunday || r.FirstWeekday > time.Saturday:
		return fmt.Errorf("there is no weekday %d for weeks to begin on", r.FirstWeekday)
	}
	for i, day := range r.Weekdays {
		if day < time.Sunday || day > time.Saturday || i > 0 && day <= r.Weekdays[i-1] {
			return errors.New("the weekdays are not in order, each once")
		}
	}
	switch r.Frequency {
	case Daily:
		if len(r.Weekdays) > 0 || r.Position != 0 || r.MonthDay != 0 || r.Month != 0 {
			return errors.New("a daily rule has an interval only")
		}
		return nil
	case Weekly:
		if len(r.Weekdays) == 0 {
			return errors.New("a weekly rule needs at least one weekday")
		}
		if r.Position != 0 || r.MonthDay != 0 || r.Month != 0 {
			return errors.New("a weekly rule has weekdays only")
		}
		return nil
	case Monthly, Yearly:
		return r.monthWellFormed()
	}
	return fmt.Errorf("there is no frequency %q", r.Frequency)
}

func (r Rule) monthWellFormed() error {
	switch {
	case r.Frequency == Yearly && (r.Month < time.January || r.Month > time.December):
		return errors.New("a yearly rule needs a month")
	case r.Frequency == Monthly && r.Month != 0:
		return errors.New("a monthly rule has no month")
	case r.Position == 0 && len(r.Weekdays) > 0:
		return errors.New("a rule by day of the month has no weekdays")
	case r.Position == 0 && r.MonthDay != LastDay && (r.MonthDay < 1 || r.MonthDay > 31):
		return fmt.Errorf("there is no day %d of the month", r.MonthDay)
	case r.Position != 0 && r.MonthDay != 0:
		return errors.New("the rule has both a day of the month and a position")
	case r.Position != 0 && len(r.Weekdays) == 0:
		return errors.New("a rule by position needs at least one weekday")
	case r.Position != 0 && r.Position != LastPosition && (r.Position < 1 || r.Position > 4):
		return fmt.Errorf("there is no position %d: first to fourth, or last", r.Position)
	}
	return nil
}

// Repeats says whether there is a rule at all: the zero Rule is that of a single
// event.
func (r Rule) Repeats() bool { return r.Frequency != "" }

// Endless says whether the rule has no end.
func (r Rule) Endless() bool { return r.Count == 0 && r.Until.IsZero() }

// Equal says whether two rules are written the same way. Same asks whether
// they mean the same.
func (r Rule) Equal(other Rule) bool {
	return slices.Equal(r.Weekdays, other.Weekdays) && r.withoutDays() == other.withoutDays()
}

// ruleKey is a Rule that == compares.
type ruleKey struct {
	frequency          Frequency
	interval, position int
	monthDay           int
	clamp              bool
	month              time.Month
	first              time.Weekday
	start, until       Date
	count              int
}

func (r Rule) withoutDays() ruleKey {
	return ruleKey{
		frequency: r.Frequency, interval: r.Interval, position: r.Position, monthDay: r.MonthDay, clamp: r.Clamp,
		month: r.Month, first: r.FirstWeekday, start: r.Start, until: r.Until, count: r.Count,
	}
}

// Describe says the rule in English, for logs and the console.
func (r Rule) Describe() string {
	var text strings.Builder
	unit := map[Frequency]string{Daily: "day", Weekly: "week", Monthly: "month", Yearly: "year"}[r.Frequency]
	if unit == "" {
		unit = "time of an unknown length"
	}
	if r.Interval == 1 {
		text.WriteString("every " + unit)
	} else {
		fmt.Fprintf(&text, "every %d %ss", r.Interval, unit)
	}
	switch {
	case r.Frequency == Weekly:
		text.WriteString(" on " + listed(r.Weekdays, "and"))
	case r.Position != 0:
		text.WriteString(" on the " + positions[r.Position] + " " + listed(r.Weekdays, "or"))
	case r.MonthDay == LastDay:
		text.WriteString(" on the last day")
	case r.MonthDay != 0:
		fmt.Fprintf(&text, " on day %d", r.MonthDay)
		if r.Clamp && r.MonthDay > shortestMonth {
			text.WriteString(" or the month's last")
		}
	}
	if r.Frequency == Yearly {
		text.WriteString(" of " + r.Month.String())
	}
	text.WriteString(" from " + r.Start.String())
	switch {
	case r.Count == 1:
		text.WriteString(", once")
	case r.Count > 1:
		fmt.Fprintf(&text, ", %d times", r.Count)
	case !r.Until.IsZero():
		text.WriteString(" until " + r.Until.String())
	}
	return text.String()
}

var positions = map[int]string{1: "first", 2: "second", 3: "third", 4: "fourth", LastPosition: "last"}

func listed(days []time.Weekday, word string) string {
	names := make([]string, len(days))
	for i, day := range days {
		names[i] = day.String()
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " " + word + " " + names[last]
}
