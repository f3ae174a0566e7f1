package outlook

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

// recurrence is the rule of a series (9.1). Its days are dates: midnights in
// UTC that stand for days in the zone of the event. The rule itself is never
// changed; only its expansion grows as far as somebody has asked, under the
// server's mutex.
type recurrence struct {
	pattern
	bounds

	further func() (time.Time, bool)
	slots   []time.Time
	ended   bool
}

type pattern struct {
	kind       string
	interval   int
	month      int
	dayOfMonth int
	days       []string
	firstDay   string
	index      string
}

type bounds struct {
	kind  string
	start time.Time
	end   time.Time // inclusive; zero unless kind is endDate
	count int       // 0 unless kind is numbered; deleted occurrences count too (9.7)
	zone  string    // recurrenceTimeZone as it was given
}

var (
	patternValues = []string{"daily", "weekly", "absoluteMonthly", "relativeMonthly", "absoluteYearly", "relativeYearly"}
	rangeValues   = []string{"endDate", "noEnd", "numbered"}
	indexValues   = []string{"first", "second", "third", "fourth", "last"}
	dayValues     = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}
)

const (
	dateLayout = "2006-01-02"
	noDate     = "0001-01-01" // what answers show for an end that there is not (9.1)
	// maximumInterval and maximumCount are Outlook's own ceilings; those of
	// Graph are not documented. Months stop at 99 (9.5).
	maximumInterval      = 999
	maximumMonthInterval = 99
	maximumCount         = 999
)

// errorValidation answers for values that contradict each other (8.15).
func errorValidation() *graphError {
	return badRequest("ErrorPropertyValidationFailure", "At least one property failed validation.")
}

// errorRange answers for numbers that no rule can hold (8.15).
func errorRange() *graphError {
	return badRequest("ErrorCalendarOutOfRange", "The specified property of the recurrence is out of range.")
}

// parseRecurrence reads the rule of a request. Whether it fits the event is
// checked with the times of the event.
func parseRecurrence(value any, everyZone bool) (*recurrence, error) {
	given, err := object(value, "PatternedRecurrence", "pattern", "range")
	if err != nil {
		return nil, err
	}
	if given["pattern"] == nil || given["range"] == nil {
		return nil, errorValidation()
	}
	repeats, err := parsePattern(given["pattern"])
	if err != nil {
		return nil, err
	}
	limits, err := parseRange(given["range"], everyZone)
	if err != nil {
		return nil, err
	}
	return &recurrence{pattern: repeats, bounds: limits}, nil
}

// parsePattern validates also the fields that the type ignores, and then
// forgets them (9.1).
func parsePattern(value any) (pattern, error) {
	p := pattern{firstDay: "sunday", index: "first"}
	given, err := object(value, "RecurrencePattern", "type", "interval", "month", "dayOfMonth", "daysOfWeek", "firstDayOfWeek", "index")
	if err != nil {
		return p, err
	}
	if given["type"] == nil {
		return p, errorValidation()
	}
	if p.kind, err = enumeration(given["type"], patternValues, "RecurrencePatternType"); err != nil {
		return p, err
	}
	for name, into := range map[string]*int{"interval": &p.interval, "month": &p.month, "dayOfMonth": &p.dayOfMonth} {
		if err := integer(given[name], into); err != nil {
			return p, err
		}
	}
	if given["firstDayOfWeek"] != nil {
		if p.firstDay, err = enumeration(given["firstDayOfWeek"], dayValues, "DayOfWeek"); err != nil {
			return p, err
		}
	}
	if given["index"] != nil {
		if p.index, err = enumeration(given["index"], indexValues, "WeekIndex"); err != nil {
			return p, err
		}
	}
	if listed, ok := given["daysOfWeek"]; ok {
		names, err := texts(listed)
		if err != nil {
			return p, err
		}
		for _, name := range names {
			day, err := enumeration(name, dayValues, "DayOfWeek")
			if err != nil {
				return p, err
			}
			if !slices.Contains(p.days, day) {
				p.days = append(p.days, day)
			}
		}
	}
	most := maximumInterval
	if p.monthly() {
		most = maximumMonthInterval
	}
	switch {
	case given["interval"] == nil:
		return p, errorValidation()
	case p.interval < 1 || p.interval > most || p.month < 0 || p.month > 12 || p.dayOfMonth < 0 || p.dayOfMonth > 31:
		return p, errorRange()
	case p.ofWeekdays() && len(p.days) == 0, p.absolute() && p.dayOfMonth == 0, p.yearly() && p.month == 0:
		return p, errorValidation()
	}
	if !p.ofWeekdays() {
		p.days = nil
	}
	if !p.absolute() {
		p.dayOfMonth = 0
	}
	if !p.yearly() {
		p.month = 0
	}
	if !p.relative() {
		p.index = "first"
	}
	if p.kind != "weekly" {
		p.firstDay = "sunday"
	}
	return p, nil
}

func (p pattern) monthly() bool    { return strings.HasSuffix(p.kind, "Monthly") }
func (p pattern) yearly() bool     { return strings.HasSuffix(p.kind, "Yearly") }
func (p pattern) absolute() bool   { return strings.HasPrefix(p.kind, "absolute") }
func (p pattern) relative() bool   { return strings.HasPrefix(p.kind, "relative") }
func (p pattern) ofWeekdays() bool { return p.kind == "weekly" || p.relative() }

func (p pattern) equal(other pattern) bool {
	mine, theirs := slices.Sorted(slices.Values(p.days)), slices.Sorted(slices.Values(other.days))
	return p.kind == other.kind && p.interval == other.interval && p.month == other.month && p.dayOfMonth == other.dayOfMonth &&
		slices.Equal(mine, theirs) && p.firstDay == other.firstDay && p.index == other.index
}

func parseRange(value any, everyZone bool) (bounds, error) {
	var b bounds
	given, err := object(value, "RecurrenceRange", "type", "startDate", "endDate", "numberOfOccurrences", "recurrenceTimeZone")
	if err != nil {
		return b, err
	}
	if given["type"] == nil || given["startDate"] == nil {
		return b, errorValidation()
	}
	if b.kind, err = enumeration(given["type"], rangeValues, "RecurrenceRangeType"); err != nil {
		return b, err
	}
	if b.start, err = parseDate(given["startDate"]); err != nil {
		return b, err
	}
	if given["endDate"] != nil {
		if b.end, err = parseDate(given["endDate"]); err != nil {
			return b, err
		}
	}
	if err := integer(given["numberOfOccurrences"], &b.count); err != nil {
		return b, err
	}
	if b.zone, err = textOrNull(given["recurrenceTimeZone"]); err != nil {
		return b, err
	}
	if b.zone != "" {
		if _, err := parseZone(b.zone, everyZone); err != nil {
			return b, err
		}
	}
	switch {
	case b.count < 0 || b.count > maximumCount:
		return b, errorRange()
	case b.kind == "endDate" && (given["endDate"] == nil || b.end.Before(b.start)), b.kind == "numbered" && b.count == 0:
		return b, errorValidation()
	}
	if b.kind != "endDate" {
		b.end = time.Time{}
	}
	if b.kind != "numbered" {
		b.count = 0
	}
	return b, nil
}

// parseDate takes yyyy-MM-dd only (8.15).
func parseDate(value any) (time.Time, error) {
	text, err := textOrNull(value)
	if err != nil {
		return time.Time{}, err
	}
	day, err := time.Parse(dateLayout, text)
	if err != nil {
		return time.Time{}, errorBody()
	}
	return day, nil
}

// integer reads a whole number, if there is one.
func integer(value any, into *int) error {
	if value == nil {
		return nil
	}
	number, ok := value.(float64)
	if !ok || number != math.Trunc(number) || math.Abs(number) > math.MaxInt32 {
		return errorBody()
	}
	*into = int(number)
	return nil
}

// render shows the rule with the fields it does not use filled in (9.1).
func (r *recurrence) render() map[string]any {
	shown := map[string]any{
		"type": r.pattern.kind, "interval": r.interval, "month": r.month, "dayOfMonth": r.dayOfMonth,
		"firstDayOfWeek": r.firstDay, "index": r.index,
	}
	if len(r.days) > 0 {
		shown["daysOfWeek"] = append([]string{}, r.days...)
	}
	end := noDate
	if !r.end.IsZero() {
		end = r.end.Format(dateLayout)
	}
	return map[string]any{
		"pattern": shown,
		"range": map[string]any{
			"type": r.bounds.kind, "startDate": r.start.Format(dateLayout), "endDate": end,
			"recurrenceTimeZone": r.zone, "numberOfOccurrences": r.count,
		},
	}
}

// startingAt returns the rule with another first day. If the day does not fit
// the pattern, the next one that does is the first (9.2).
func (r *recurrence) startingAt(day time.Time) (*recurrence, error) {
	moved := &recurrence{pattern: r.pattern, bounds: r.bounds}
	moved.start = day
	search := &recurrence{pattern: r.pattern, bounds: bounds{kind: "noEnd", start: day}}
	search.interval = 1
	first, ok := search.slot(0)
	if !ok || !moved.end.IsZero() && first.After(moved.end) {
		return nil, errorValidation()
	}
	moved.start = first
	return moved, nil
}

// options maps the pattern onto RFC 5545. A day that a month does not have is
// its last day (9.4), and several weekdays of a relative pattern stand for one
// occurrence (9.3).
func (r *recurrence) options() rrule.ROption {
	options := rrule.ROption{Dtstart: r.start, Interval: r.interval, Wkst: weekday(r.firstDay), Count: r.count, Until: r.end}
	for _, day := range r.days {
		options.Byweekday = append(options.Byweekday, weekday(day))
	}
	switch {
	case r.pattern.kind == "daily":
		options.Freq = rrule.DAILY
	case r.pattern.kind == "weekly":
		options.Freq = rrule.WEEKLY
	case r.monthly():
		options.Freq = rrule.MONTHLY
	default:
		options.Freq, options.Bymonth = rrule.YEARLY, []int{r.month}
	}
	switch {
	case r.absolute():
		for day := min(r.dayOfMonth, 28); day <= r.dayOfMonth; day++ {
			options.Bymonthday = append(options.Bymonthday, day)
		}
		options.Bysetpos = []int{-1}
	case r.relative():
		options.Bysetpos = []int{slices.Index(indexValues, r.index) + 1}
		if r.index == "last" {
			options.Bysetpos = []int{-1}
		}
	}
	return options
}

func weekday(name string) rrule.Weekday {
	return []rrule.Weekday{rrule.SU, rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA}[slices.Index(dayValues, name)]
}

// extend expands until enough is known or the rule has ended.
func (r *recurrence) extend(enough func() bool) {
	if r.further == nil {
		rule, err := rrule.NewRRule(r.options())
		if err != nil { // every rule that parseRecurrence lets through is one
			r.ended = true
			return
		}
		r.further = rule.Iterator()
	}
	for !r.ended && !enough() {
		day, ok := r.further()
		if !ok {
			r.ended = true
			return
		}
		r.slots = append(r.slots, day)
	}
}

// slot returns the day of one occurrence, counted from 0.
func (r *recurrence) slot(number int) (time.Time, bool) {
	r.extend(func() bool { return len(r.slots) > number })
	if number < 0 || number >= len(r.slots) {
		return time.Time{}, false
	}
	return r.slots[number], true
}

// find returns the number of the first occurrence on or after a day, and whether
// it is on that day.
func (r *recurrence) find(day time.Time) (int, bool) {
	r.extend(func() bool { return len(r.slots) > 0 && !r.slots[len(r.slots)-1].Before(day) })
	return slices.BinarySearchFunc(r.slots, day, time.Time.Compare)
}

func (r *recurrence) has(day time.Time) bool {
	_, found := r.find(day)
	return found
}

// applyRecurrence checks the rule against the times of the event, which have
// been applied, and moves them to the first occurrence. before is the event as
// it was.
func (s *Server) applyRecurrence(before, e *event, content map[string]any) error {
	value, given := content["recurrence"]
	if e.series != nil {
		if value != nil {
			return errorValidation() // an occurrence has no rule of its own
		}
		return nil
	}
	if given && value == nil {
		e.recurrence = nil
		return nil
	}
	if given {
		parsed, err := parseRecurrence(value, s.config.Switches.AcceptEveryZone)
		if err != nil {
			return err
		}
		if parsed.zone == "" {
			parsed.zone = e.startZone
		}
		if !sameZone(parsed.zone, e.startZone) || !parsed.start.Equal(e.day()) { // 9.2, 9.8
			return errorValidation()
		}
		return e.follow(parsed)
	}
	if before.recurrence == nil {
		return nil
	}
	if !sameZone(before.startZone, e.startZone) {
		return errorValidation() // 8.15
	}
	if !e.day().Equal(before.recurrence.start) {
		if !s.config.Switches.StartMovesSeries {
			return errorValidation()
		}
		return e.follow(before.recurrence)
	}
	return nil
}

// follow gives the event a rule that starts on its day.
func (e *event) follow(rule *recurrence) error {
	moved, err := rule.startingAt(e.day())
	if err != nil {
		return err
	}
	e.start, e.end = e.timesOn(moved.start)
	e.recurrence = moved
	return nil
}
