package nightpos

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// Recurrence is a row of calendar.recurrence. Its fields follow the rule string
// and not the events: a count stays when the first event is deleted, and the
// last date after a series was cut can be before its last event. See
// reconciler.FitRule.
type Recurrence struct {
	ID        int64 `json:"id"`
	Frequency text  `json:"rrule_type"`
	Interval  int   `json:"interval"`
	Monday    bool  `json:"mon"`
	Tuesday   bool  `json:"tue"`
	Wednesday bool  `json:"wed"`
	Thursday  bool  `json:"thu"`
	Friday    bool  `json:"fri"`
	Saturday  bool  `json:"sat"`
	Sunday    bool  `json:"sun"`
	MonthBy   text  `json:"month_by"`
	Day       int   `json:"day"`
	Position  text  `json:"byday"`
	Weekday   text  `json:"weekday"`
	EndType   text  `json:"end_type"`
	Count     int   `json:"count"`
	Until     text  `json:"until"`
	Zone      text  `json:"event_tz"`
	// Start is the earliest event's, in UTC; it moves when that one does or is
	// deleted.
	Start text `json:"dtstart"`
	// Text is the rule string that NightPOS made of the fields when the series
	// was made; its DTSTART, the series' first start in UTC, stays.
	Text text `json:"rrule"`
}

// RecurrenceFields are the fields that a Recurrence is read from.
var RecurrenceFields = []string{
	"rrule_type", "interval", "mon", "tue", "wed", "thu", "fri", "sat", "sun", "month_by", "day", "byday", "weekday",
	"end_type", "count", "until", "event_tz", "dtstart", "rrule",
}

// MostOccurrences is how many occurrences NightPOS makes at most of a series
// without an end or with a count: a larger count becomes this one, and a series
// without an end reads back as one with it. A last date is not cut.
const MostOccurrences = 720

// mostUntil is how many occurrences the gateway lets NightPOS make by a last
// date. Each is an event of its own: these take NightPOS some seconds.
const mostUntil = 5000

var (
	weekdayFields = map[time.Weekday]string{
		time.Monday: "mon", time.Tuesday: "tue", time.Wednesday: "wed", time.Thursday: "thu",
		time.Friday: "fri", time.Saturday: "sat", time.Sunday: "sun",
	}
	// weekStarts are the days of the week in rule strings.
	weekStarts = map[string]time.Weekday{
		"MO": time.Monday, "TU": time.Tuesday, "WE": time.Wednesday, "TH": time.Thursday,
		"FR": time.Friday, "SA": time.Saturday, "SU": time.Sunday,
	}
)

// Dialect is what differs between databases in how they keep rules.
type Dialect struct {
	// WeekStart is the first day of the week in the language of the account that
	// writes. NightPOS counts weeks by it and has no field for it in a rule.
	WeekStart time.Weekday
	// Years says that yearly rules stay yearly: from version 18 on. 17 turns them
	// into months, and reads the day of the month off the start in UTC.
	Years bool
}

// RecurrenceValues says a rule in NightPOS's fields, for a create or a write of
// calendar.event together with its time. The zone is the IANA name of the series'
// zone, empty for whole days. The event written must take place on the first
// slot, rule.Normal().Start: NightPOS archives one that does not, and begins at
// the next slot with another record.
//
// A rule without an end becomes MostOccurrences occurrences, as NightPOS makes of
// its own. A rule that NightPOS would show on other dates is refused with a
// reconciler.InexpressibleError, an invalid one with an ordinary error.
func RecurrenceValues(rule reconciler.Rule, zone string, dialect Dialect) (map[string]any, error) {
	if err := rule.Validate(); err != nil {
		return nil, err
	}
	into := values{"recurrency": true, "interval": rule.Interval, "event_tz": zone}
	if zone == "" {
		into["event_tz"] = "UTC"
	}
	var err error
	switch rule.Frequency {
	case reconciler.Daily:
		into["rrule_type"] = "daily"
	case reconciler.Weekly:
		err = weekValues(rule, dialect.WeekStart, into)
	default:
		err = monthValues(rule, dialect.Years, into)
	}
	if err == nil {
		err = endValues(rule, into)
	}
	if err != nil {
		return nil, err
	}
	return into, nil
}

// ProjectRule says how NightPOS would show a rule that it can show: one without
// an end as MostOccurrences occurrences.
func ProjectRule(rule reconciler.Rule) reconciler.Rule {
	if rule.Endless() {
		rule.Count = MostOccurrences
	}
	return rule
}

func inexpressible(reason string) error {
	return &reconciler.InexpressibleError{Side: "NightPOS", Reason: reason}
}

func weekValues(rule reconciler.Rule, weekStart time.Weekday, into values) error {
	here := rule
	here.Start, here.FirstWeekday = rule.Normal().Start, weekStart
	if !here.Same(rule) {
		return inexpressible(fmt.Sprintf("its weeks begin on %s, those of NightPOS on %s", rule.FirstWeekday, weekStart))
	}
	into["rrule_type"] = "weekly"
	for day, field := range weekdayFields {
		into[field] = slices.Contains(rule.Weekdays, day)
	}
	return nil
}

// monthValues writes monthly and yearly rules. A position in a month cannot be
// said of a year in any version, but of every twelfth month.
func monthValues(rule reconciler.Rule, years bool, into values) error {
	normal := rule.Normal()
	into["rrule_type"], into["interval"] = "monthly", normal.Interval
	if normal.Frequency == reconciler.Yearly {
		into["interval"] = 12 * normal.Interval
	}
	if normal.Position != 0 {
		if len(normal.Weekdays) > 1 {
			return inexpressible("it takes the " + positionWords[normal.Position] + " of several weekdays of the month, and NightPOS counts one weekday only")
		}
		into["month_by"] = "day"
		into["byday"] = strconv.Itoa(normal.Position)
		into["weekday"] = strings.ToUpper(weekdayFields[normal.Weekdays[0]])
		return nil
	}
	unclamped := normal
	if normal.MonthDay == reconciler.LastDay {
		// Finite rules may never meet a month of another length.
		unclamped.MonthDay = reconciler.LongestMonth(normal.Start.Month)
	}
	unclamped.Clamp = false
	switch {
	case unclamped.Same(rule):
	case normal.MonthDay == reconciler.LastDay:
		return inexpressible("it takes the last day of each month, which NightPOS cannot say")
	default:
		return inexpressible(fmt.Sprintf("it takes the last day of months without a day %d, and NightPOS leaves those months out", normal.MonthDay))
	}
	if years && normal.Frequency == reconciler.Yearly {
		// The date is that of the event.
		into["rrule_type"], into["interval"] = "yearly", normal.Interval
		return nil
	}
	into["month_by"], into["day"] = "date", unclamped.MonthDay
	return nil
}

var positionWords = map[int]string{1: "first", 2: "second", 3: "third", 4: "fourth", reconciler.LastPosition: "last"}

func endValues(rule reconciler.Rule, into values) error {
	last, ends := rule.Last()
	switch {
	case !ends:
		into["end_type"] = "forever"
		return nil
	case rule.Count > 0 && rule.Count <= MostOccurrences:
		into["end_type"], into["count"] = "count", rule.Count
		return nil
	case len(rule.Slots(reconciler.Date{}, reconciler.Date{}, mostUntil+1)) > mostUntil:
		return inexpressible(fmt.Sprintf("it has more than %d occurrences, each of which is an event of its own in NightPOS", mostUntil))
	}
	into["end_type"], into["until"] = "end_date", last.String()
	if !rule.Until.IsZero() {
		into["until"] = rule.Until.String()
	}
	return nil
}

// lastYear is the last one in which NightPOS knows when clocks are changed
// (pytz's tables end there; recorded in a series that goes on until 2040).
const lastYear = 2037

// SlotTime is the time at which NightPOS makes the occurrence on a date, given
// that of the series' first one: reconciler.SlotTime up to 2037. From 2038 on the
// clocks of NightPOS stay as they were at the end of 2037, so that an occurrence
// half a year from then stands an hour off what Outlook shows. Nobody moved it.
func SlotTime(date reconciler.Date, first reconciler.When) reconciler.When {
	when := reconciler.SlotTime(date, first)
	known := reconciler.SlotDate(first)
	if first.AllDay || date.Year <= lastYear || date == known {
		return when
	}
	if known.Year <= lastYear {
		known = reconciler.Date{Year: lastYear, Month: time.December, Day: 31}
	}
	when.Start = reconciler.SlotTime(known, first).Start.AddDate(0, 0, date.Since(known))
	when.End = when.Start.Add(first.End.Sub(first.Start))
	return when
}

// Rule reads the rule as it stands in NightPOS. allDay says whether the events
// of the series last whole days, whose dates are not shifted to the zone.
func (r Recurrence) Rule(allDay bool) (reconciler.Rule, error) {
	start, err := r.start(allDay)
	if err != nil {
		return reconciler.Rule{}, err
	}
	rule := reconciler.Rule{Interval: r.Interval, Start: start}
	switch {
	case r.Frequency == "yearly" || r.part("FREQ") == "YEARLY" && r.part("BYDAY") == "" && r.part("BYMONTHDAY") == "":
		// Whatever the fields say: years go by the date of the start. 17 shows
		// them as months, by a day that it takes from UTC.
		rule.Frequency, rule.Month, rule.MonthDay = reconciler.Yearly, start.Month, start.Day
		if r.Frequency != "yearly" {
			rule.Interval = max(r.Interval/12, 1)
		}
	case r.Frequency == "daily":
		rule.Frequency = reconciler.Daily
	case r.Frequency == "weekly":
		rule.Frequency = reconciler.Weekly
		rule.Weekdays = r.weekdays()
		rule.FirstWeekday = r.weekStart()
	case r.Frequency == "monthly" && r.MonthBy == "day":
		rule.Frequency = reconciler.Monthly
		if rule.Position, err = strconv.Atoi(string(r.Position)); err != nil {
			return rule, fmt.Errorf("NightPOS shows no position %q in a month", r.Position)
		}
		for day, field := range weekdayFields {
			if strings.EqualFold(field, string(r.Weekday)) {
				rule.Weekdays = []time.Weekday{day}
			}
		}
	case r.Frequency == "monthly":
		rule.Frequency, rule.MonthDay = reconciler.Monthly, r.Day
	default:
		return rule, fmt.Errorf("the gateway knows no recurrence of type %q", r.Frequency)
	}
	switch r.EndType {
	case "count":
		if rule.Count = r.Count; rule.Count < 1 {
			return rule, fmt.Errorf("NightPOS shows a recurrence of %d occurrences", rule.Count)
		}
	case "end_date":
		if rule.Until, err = reconciler.ParseDate(string(r.Until)); err != nil {
			return rule, fmt.Errorf("the end of a recurrence: %w", err)
		}
		// What is cut within its first week NightPOS ends before it begins, with
		// its first occurrences still there (recording 223): they tell better.
		pattern := rule
		pattern.Until = reconciler.Date{}
		if first := pattern.Slots(reconciler.Date{}, reconciler.Date{}, 1); len(first) == 1 && rule.Until.Before(first[0]) {
			rule.Until = first[0]
		}
	case "forever":
		rule = ProjectRule(rule)
	default:
		return rule, fmt.Errorf("the gateway knows no end of type %q", r.EndType)
	}
	return rule, rule.Validate()
}

// start is the date of the first slot in the series' own zone. The rule
// string's is preferred: the count is counted from there.
func (r Recurrence) start(allDay bool) (reconciler.Date, error) {
	first := parseStamp(r.Start)
	if parsed, err := time.Parse("20060102T150405", r.dtstart()); err == nil {
		first = parsed
	}
	if first.IsZero() {
		return reconciler.Date{}, errors.New("NightPOS shows a recurrence without a start")
	}
	return reconciler.SlotDate(reconciler.When{AllDay: allDay, Start: first, Zone: string(r.Zone)}), nil
}

var dtstart = regexp.MustCompile(`DTSTART:(\d{8}T\d{6})`)

func (r Recurrence) dtstart() string {
	if found := dtstart.FindStringSubmatch(string(r.Text)); found != nil {
		return found[1]
	}
	return ""
}

// part is one part of the rule string, empty where it is not there.
func (r Recurrence) part(name string) string {
	_, rule, found := strings.Cut(string(r.Text), "RRULE:")
	if !found {
		rule = string(r.Text)
	}
	for part := range strings.SplitSeq(rule, ";") {
		if key, value, _ := strings.Cut(part, "="); strings.EqualFold(key, name) {
			return strings.ToUpper(value)
		}
	}
	return ""
}

// weekStart is the day that the weeks of the rule begin on, that of the language
// of whoever wrote it. A rule string that does not name it means Monday.
func (r Recurrence) weekStart() time.Weekday {
	if day, known := weekStarts[r.part("WKST")]; known {
		return day
	}
	return time.Monday
}

func (r Recurrence) weekdays() []time.Weekday {
	chosen := map[time.Weekday]bool{
		time.Sunday: r.Sunday, time.Monday: r.Monday, time.Tuesday: r.Tuesday, time.Wednesday: r.Wednesday,
		time.Thursday: r.Thursday, time.Friday: r.Friday, time.Saturday: r.Saturday,
	}
	var days []time.Weekday
	for day := time.Sunday; day <= time.Saturday; day++ {
		if chosen[day] {
			days = append(days, day)
		}
	}
	return days
}
