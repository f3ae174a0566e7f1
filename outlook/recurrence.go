package outlook

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nightpos/outlook-gateway/outlook/zones"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// Recurrence is Graph's patternedRecurrence. Answers fill what a type does not
// use with defaults, which are not read; requests leave it out, since Graph
// checks even what it ignores.
type Recurrence struct {
	Pattern RecurrencePattern `json:"pattern"`
	Range   RecurrenceRange   `json:"range"`
}

// RecurrencePattern says on which days.
type RecurrencePattern struct {
	Type           string   `json:"type"`
	Interval       int      `json:"interval"`
	Month          int      `json:"month,omitempty"`
	DayOfMonth     int      `json:"dayOfMonth,omitempty"`
	DaysOfWeek     []string `json:"daysOfWeek,omitempty"`
	FirstDayOfWeek string   `json:"firstDayOfWeek,omitempty"`
	Index          string   `json:"index,omitempty"`
}

// RecurrenceRange says from when and how long. StartDate must be the date of
// the master's start in its own zone, which is RecurrenceTimeZone.
type RecurrenceRange struct {
	Type                string `json:"type"`
	StartDate           string `json:"startDate"`
	EndDate             string `json:"endDate,omitempty"`
	NumberOfOccurrences int    `json:"numberOfOccurrences,omitempty"`
	RecurrenceTimeZone  string `json:"recurrenceTimeZone,omitempty"`
}

// Graph's words, lower-cased: requests take any case, answers use camel case.
const (
	patternDaily           = "daily"
	patternWeekly          = "weekly"
	patternAbsoluteMonthly = "absolutemonthly"
	patternRelativeMonthly = "relativemonthly"
	patternAbsoluteYearly  = "absoluteyearly"
	patternRelativeYearly  = "relativeyearly"
)

var (
	dayNames = map[string]time.Weekday{
		"sunday": time.Sunday, "monday": time.Monday, "tuesday": time.Tuesday, "wednesday": time.Wednesday,
		"thursday": time.Thursday, "friday": time.Friday, "saturday": time.Saturday,
	}
	indexes = map[string]int{"first": 1, "second": 2, "third": 3, "fourth": 4, "last": reconciler.LastPosition}
)

// RecurrenceOf says a rule as Graph does, for a series whose first occurrence
// takes place then; first.Zone must be set unless it lasts whole days. A rule
// that Outlook would show on other dates or at other times is refused with a
// reconciler.InexpressibleError; an invalid one with an ordinary error.
func RecurrenceOf(rule reconciler.Rule, first reconciler.When) (Recurrence, error) {
	if err := rule.Validate(); err != nil {
		return Recurrence{}, err
	}
	zoneName, err := recurrenceZone(rule, first)
	if err != nil {
		return Recurrence{}, err
	}
	normal := rule.Normal()
	shown := rule
	shown.Start = normal.Start
	if rule.Frequency == reconciler.Monthly || rule.Frequency == reconciler.Yearly {
		// A person finds "every year" where the other side says twelve months.
		normal.Count, normal.Until = rule.Count, rule.Until
		shown = normal
	}
	if shown.MonthDay != 0 {
		shown.Clamp = true
		if !shown.Same(rule) {
			return Recurrence{}, inexpressible(fmt.Sprintf("it leaves out months without a day %d, where Outlook takes the month's last day", rule.MonthDay))
		}
	}
	return Recurrence{Pattern: patternOf(shown), Range: rangeOf(shown, zoneName)}, nil
}

func inexpressible(reason string) error {
	return &reconciler.InexpressibleError{Side: "Outlook", Reason: reason}
}

func patternOf(rule reconciler.Rule) RecurrencePattern {
	pattern := RecurrencePattern{Interval: rule.Interval}
	for _, day := range rule.Weekdays {
		pattern.DaysOfWeek = append(pattern.DaysOfWeek, nameOf(dayNames, day, ""))
	}
	if len(pattern.DaysOfWeek) > 0 {
		// Graph's default is Sunday, that of RFC 5545 Monday: never rely on one.
		pattern.FirstDayOfWeek = nameOf(dayNames, rule.FirstWeekday, "sunday")
	}
	if rule.Position != 0 {
		pattern.Index = nameOf(indexes, rule.Position, "")
	}
	pattern.DayOfMonth = rule.MonthDay
	if rule.MonthDay == reconciler.LastDay {
		pattern.DayOfMonth = 31
		if rule.Month != 0 {
			pattern.DayOfMonth = reconciler.LongestMonth(rule.Month)
		}
	}
	pattern.Month = int(rule.Month)
	switch {
	case rule.Frequency == reconciler.Daily:
		pattern.Type = "daily"
	case rule.Frequency == reconciler.Weekly:
		pattern.Type = "weekly"
	case rule.Frequency == reconciler.Monthly && rule.Position == 0:
		pattern.Type = "absoluteMonthly"
	case rule.Frequency == reconciler.Monthly:
		pattern.Type = "relativeMonthly"
	case rule.Position == 0:
		pattern.Type = "absoluteYearly"
	default:
		pattern.Type = "relativeYearly"
	}
	return pattern
}

func rangeOf(rule reconciler.Rule, zoneName string) RecurrenceRange {
	span := RecurrenceRange{Type: "noEnd", StartDate: rule.Start.String(), RecurrenceTimeZone: zoneName}
	switch {
	case rule.Count > 0:
		span.Type, span.NumberOfOccurrences = "numbered", rule.Count
	case !rule.Until.IsZero():
		span.Type, span.EndDate = "endDate", rule.Until.String()
	}
	return span
}

// comparedSlots is of how many occurrences the times are compared: as many as
// NightPOS ever makes of a series without an end.
const comparedSlots = 720

// recurrenceZone is Windows' name for the zone of a series. Several zones of
// IANA share one in Windows, and not all of them have always put their clocks
// forward on the same days.
func recurrenceZone(rule reconciler.Rule, first reconciler.When) (string, error) {
	if first.AllDay {
		return zones.UTC, nil
	}
	windows, known := zones.Windows(first.Zone)
	if !known {
		return "", inexpressible("it knows no time zone " + first.Zone)
	}
	iana, _ := zones.IANA(windows)
	if iana == first.Zone {
		return windows, nil
	}
	there := first
	there.Zone = iana
	same := reconciler.SlotDate(first) == reconciler.SlotDate(there)
	for _, slot := range rule.Slots(reconciler.Date{}, reconciler.Date{}, comparedSlots) {
		same = same && reconciler.SlotTime(slot, first).Start.Equal(reconciler.SlotTime(slot, there).Start)
	}
	if !same {
		return "", inexpressible(fmt.Sprintf("the clocks of %s and of Outlook's %s differ on some of its dates", first.Zone, windows))
	}
	return windows, nil
}

// Rule reads what Graph shows. The zone is the IANA name of the series' zone,
// empty where Graph names none or one of an old client.
func (r Recurrence) Rule() (rule reconciler.Rule, zone string, err error) {
	kind := strings.ToLower(r.Pattern.Type)
	rule = reconciler.Rule{Interval: r.Pattern.Interval}
	switch kind {
	case patternDaily:
		rule.Frequency = reconciler.Daily
	case patternWeekly:
		rule.Frequency = reconciler.Weekly
		rule.FirstWeekday = dayNames[strings.ToLower(r.Pattern.FirstDayOfWeek)]
	case patternAbsoluteMonthly, patternRelativeMonthly:
		rule.Frequency = reconciler.Monthly
	case patternAbsoluteYearly, patternRelativeYearly:
		rule.Frequency, rule.Month = reconciler.Yearly, time.Month(r.Pattern.Month)
	default:
		return rule, "", fmt.Errorf("the gateway knows no recurrence of type %q", r.Pattern.Type)
	}
	switch kind {
	case patternAbsoluteMonthly, patternAbsoluteYearly:
		rule.MonthDay, rule.Clamp = r.Pattern.DayOfMonth, true
	case patternRelativeMonthly, patternRelativeYearly:
		rule.Position = 1
		if r.Pattern.Index != "" {
			rule.Position = indexes[strings.ToLower(r.Pattern.Index)]
		}
		if rule.Position == 0 {
			return rule, "", fmt.Errorf("the gateway knows no position %q in a month", r.Pattern.Index)
		}
	}
	if kind == patternWeekly || rule.Position != 0 {
		if rule.Weekdays, err = daysOf(r.Pattern.DaysOfWeek); err != nil {
			return rule, "", err
		}
	}
	if err := r.Range.into(&rule); err != nil {
		return rule, "", err
	}
	zone, _ = zones.IANA(r.Range.RecurrenceTimeZone)
	return rule, zone, rule.Validate()
}

func daysOf(names []string) ([]time.Weekday, error) {
	var days []time.Weekday
	for _, name := range names {
		day, known := dayNames[strings.ToLower(name)]
		if !known {
			return nil, fmt.Errorf("the gateway knows no day of the week %q", name)
		}
		days = append(days, day)
	}
	slices.Sort(days)
	return slices.Compact(days), nil
}

// into reads the range.
func (r RecurrenceRange) into(rule *reconciler.Rule) (err error) {
	if rule.Start, err = reconciler.ParseDate(r.StartDate); err != nil {
		return fmt.Errorf("the start of a recurrence: %w", err)
	}
	switch strings.ToLower(r.Type) {
	case "noend":
	case "numbered":
		if rule.Count = r.NumberOfOccurrences; rule.Count < 1 {
			return fmt.Errorf("a recurrence of %d occurrences", rule.Count)
		}
	case "enddate":
		if rule.Until, err = reconciler.ParseDate(r.EndDate); err != nil {
			return fmt.Errorf("the end of a recurrence: %w", err)
		}
	default:
		return fmt.Errorf("the gateway knows no range of type %q", r.Type)
	}
	return nil
}
