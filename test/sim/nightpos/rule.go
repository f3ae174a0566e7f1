package nightpos

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

// maximumOccurrences is what a rule that counts, or never ends, is cut to. One
// that ends on a date is not cut.
const maximumOccurrences = 720

// weekdays are the fields of a week's days, Monday first.
var weekdays = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// ruleDays are the days of package rrule in the same order.
var ruleDays = []rrule.Weekday{rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA, rrule.SU}

// ruleFields are the fields of an event that belong to its recurrence.
var ruleFields = []string{
	"byday", "until", "rrule_type", "month_by", "event_tz", "rrule", "interval", "count", "end_type", "mon", "tue", "wed", "thu",
	"fri", "sat", "sun", "day", "weekday",
}

// timeFields are the fields of an event that say when it is.
var timeFields = []string{"start", "stop", "start_date", "stop_date"}

// weekdayOf counts from Monday.
func weekdayOf(day time.Time) int { return (int(day.Weekday()) + 6) % 7 }

// ruleOption is a recurrence's rule, without where it begins.
func ruleOption(values map[string]any) (rrule.ROption, error) {
	option := rrule.ROption{Interval: intOf(values["interval"]), Wkst: rrule.MO}
	if option.Interval <= 0 {
		return option, userError("The interval cannot be negative.")
	}
	switch values["end_type"] {
	case "count":
		if intOf(values["count"]) <= 0 {
			return option, userError("The number of repetitions cannot be negative.")
		}
		option.Count = min(intOf(values["count"]), maximumOccurrences)
	case "forever":
		option.Count = maximumOccurrences
	default:
		until, err := time.Parse(dateFormat, textOf(values["until"]))
		if err != nil {
			return option, newFault("builtins.TypeError", "combine() argument 1 must be datetime.date, not bool")
		}
		option.Until = until.Add(24*time.Hour - time.Second)
	}
	switch values["rrule_type"] {
	case "daily":
		option.Freq = rrule.DAILY
	case "yearly":
		option.Freq = rrule.YEARLY
	case "monthly":
		option.Freq = rrule.MONTHLY
		if values["month_by"] == "day" {
			day := slices.Index(weekdays, strings.ToLower(textOf(values["weekday"])))
			if day < 0 || !truth(values["byday"]) {
				return option, validationError("The day must be between 1 and 31")
			}
			option.Byweekday = []rrule.Weekday{ruleDays[day].Nth(atoi(textOf(values["byday"])))}
		} else {
			option.Bymonthday = []int{intOf(values["day"])}
		}
	default:
		option.Freq, option.Wkst = rrule.WEEKLY, rrule.SU
		for index, name := range weekdays {
			if truth(values[name]) {
				option.Byweekday = append(option.Byweekday, ruleDays[index])
			}
		}
		if len(option.Byweekday) == 0 {
			return option, userError("You have to choose at least one day in the week")
		}
	}
	return option, nil
}

// ruleText writes a rule as python-dateutil does.
func ruleText(option rrule.ROption, start time.Time) string {
	parts := []string{"FREQ=" + option.Freq.String()}
	if option.Interval != 1 {
		parts = append(parts, fmt.Sprintf("INTERVAL=%d", option.Interval))
	}
	if option.Wkst != rrule.MO {
		parts = append(parts, "WKST="+option.Wkst.String())
	}
	if option.Count > 0 {
		parts = append(parts, fmt.Sprintf("COUNT=%d", option.Count))
	}
	if !option.Until.IsZero() {
		parts = append(parts, "UNTIL="+option.Until.Format("20060102T150405"))
	}
	for _, day := range option.Bymonthday {
		parts = append(parts, fmt.Sprintf("BYMONTHDAY=%d", day))
	}
	if len(option.Byweekday) > 0 {
		var days []string
		for _, day := range option.Byweekday {
			days = append(days, day.String())
		}
		parts = append(parts, "BYDAY="+strings.Join(days, ","))
	}
	return "DTSTART:" + start.Format("20060102T150405") + "\nRRULE:" + strings.Join(parts, ";")
}

// parseRule turns a rule's text into fields, with what NightPOS loses on the
// way: positions in a set, and more than one weekday of a month. 17 makes months
// of years.
func (t *transaction) parseRule(text string, start time.Time) (map[string]any, error) {
	if _, rule, found := strings.Cut(text, "RRULE:"); found {
		text = rule
	}
	option, err := rrule.StrToROption(text)
	if err != nil {
		return nil, valueError("unknown parameter in %s", text)
	}
	kinds := map[rrule.Frequency]string{rrule.DAILY: "daily", rrule.WEEKLY: "weekly", rrule.MONTHLY: "monthly", rrule.YEARLY: "yearly"}
	if kinds[option.Freq] == "" {
		return nil, newFault("builtins.KeyError", "%d", option.Freq)
	}
	values := map[string]any{"rrule_type": kinds[option.Freq], "count": option.Count, "interval": max(option.Interval, 1), "until": nil, "end_type": "forever"}
	switch {
	case !option.Until.IsZero():
		values["until"], values["end_type"] = option.Until.Format(dateFormat), "end_date"
	case option.Count > 0:
		values["end_type"] = "count"
	}
	if len(option.Byweekday) == 0 && len(option.Bymonthday) == 0 {
		switch option.Freq {
		case rrule.WEEKLY:
			option.Byweekday = []rrule.Weekday{ruleDays[weekdayOf(start)]}
		case rrule.MONTHLY, rrule.YEARLY:
			option.Bymonthday = []int{start.Day()}
		}
	}
	for _, day := range option.Byweekday {
		if day.N() != 0 && values["weekday"] == nil {
			values["weekday"], values["byday"] = strings.ToUpper(weekdays[day.Day()]), itoa(day.N())
			values["month_by"], values["rrule_type"] = "day", "monthly"
		}
	}
	if len(option.Byweekday) > 0 && option.Byweekday[0].N() == 0 {
		for _, name := range weekdays {
			values[name] = false
		}
		for _, day := range option.Byweekday {
			values[weekdays[day.Day()]] = true
		}
		values["rrule_type"] = "weekly"
	}
	if len(option.Bymonthday) > 0 {
		values["day"], values["month_by"], values["rrule_type"] = option.Bymonthday[0], "date", "monthly"
	}
	if option.Freq == rrule.YEARLY {
		if t.server.config.Version < 18 {
			values["interval"] = intOf(values["interval"]) * 12
		} else {
			values["rrule_type"] = "yearly"
		}
	}
	return values, nil
}

var (
	ruleUnits     = map[string]string{"daily": "Days", "weekly": "Weeks", "monthly": "Months", "yearly": "Years"}
	rulePositions = map[string]string{"1": "First", "2": "Second", "3": "Third", "4": "Fourth", "-1": "Last"}
)

// ruleName says in words what a rule is.
func ruleName(values map[string]any) string {
	words := []string{fmt.Sprintf("Every %d %s", intOf(values["interval"]), ruleUnits[textOf(values["rrule_type"])])}
	names := func(chosen func(int) bool) string {
		var days []string
		for index := range weekdays {
			if chosen(index) {
				days = append(days, time.Weekday((index+1)%7).String())
			}
		}
		return strings.Join(days, ", ")
	}
	switch {
	case values["rrule_type"] == "weekly":
		words = append(words, "on "+names(func(index int) bool { return truth(values[weekdays[index]]) }))
	case values["rrule_type"] == "monthly" && values["month_by"] == "day":
		words = append(words, "on the "+rulePositions[textOf(values["byday"])]+" "+names(func(index int) bool {
			return weekdays[index] == strings.ToLower(textOf(values["weekday"]))
		}))
	case values["rrule_type"] == "monthly":
		words = append(words, fmt.Sprintf("day %d", intOf(values["day"])))
	}
	switch values["end_type"] {
	case "count":
		words = append(words, fmt.Sprintf("for %d events", intOf(values["count"])))
	case "end_date":
		words = append(words, "until "+textOf(values["until"]))
	}
	return strings.Join(words, " ")
}

// ruleZone is where a recurrence's clock hangs.
func ruleZone(values map[string]any) *time.Location {
	return location(textOf(values["event_tz"]))
}

// startOfPeriod is where the counting of a rule begins: the week's Sunday, or
// the first of the month.
func startOfPeriod(values map[string]any, start time.Time) time.Time {
	switch values["rrule_type"] {
	case "weekly":
		return start.AddDate(0, 0, -int(start.Weekday()))
	case "monthly":
		return start.AddDate(0, 0, 1-start.Day())
	}
	return start
}

// occurrences are the beginnings of a rule from the start of a period on, at the
// same time of the clock in its zone; those of whole days are dates.
func occurrences(values map[string]any, start time.Time, allday bool) ([]time.Time, error) {
	option, err := ruleOption(values)
	if err != nil {
		return nil, err
	}
	start, zone := startOfPeriod(values, start), ruleZone(values)
	option.Dtstart = start
	if !allday {
		option.Dtstart = start.Add(time.Duration(offset(start, zone)) * time.Second)
	}
	if option.Until.IsZero() {
		// The library's own end is near: 292 years on.
		option.Until = time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC)
	}
	rule, err := rrule.NewRRule(option)
	if err != nil {
		return nil, valueError("%v", err)
	}
	found := rule.All()
	if !allday {
		for index, wall := range found {
			found[index] = localized(wall, zone)
		}
	}
	return found, nil
}

// lastTransitions is the year after whose clock changes pytz knows no more: what
// holds then holds for ever (111).
const lastTransitions = 2037

// offset is by how many seconds the clock of a zone is ahead at an instant.
func offset(instant time.Time, zone *time.Location) int {
	if instant.Year() > lastTransitions {
		instant = time.Date(lastTransitions, time.December, 31, 12, 0, 0, 0, time.UTC)
	}
	_, seconds := instant.In(zone).Zone()
	return seconds
}

// localized is the instant at which the clock of a zone shows a time; winter's
// where there are two or none, as pytz has it with is_dst=False.
func localized(wall time.Time, zone *time.Location) time.Time {
	var near, exact []time.Time
	for _, around := range []time.Time{wall.Add(-24 * time.Hour), wall.Add(24 * time.Hour)} {
		ahead := offset(around, zone)
		candidate := wall.Add(-time.Duration(ahead) * time.Second)
		if offset(candidate, zone) == ahead {
			exact = append(exact, candidate)
		}
		near = append(near, candidate)
	}
	if len(exact) > 0 {
		near = exact
	}
	return slices.MaxFunc(near, time.Time.Compare)
}

// weekOfMonth is how NightPOS counts a day's weekday in its month: from the
// fourth on it is the last.
func weekOfMonth(day time.Time) string {
	if position := (day.Day() + 6) / 7; position < 4 {
		return itoa(position)
	}
	return "-1"
}

// dayParameters are the fields of a rule that follow from a day.
func dayParameters(day time.Time) map[string]any {
	name := weekdays[weekdayOf(day)]
	return map[string]any{name: true, "weekday": strings.ToUpper(name), "byday": weekOfMonth(day), "day": day.Day()}
}
