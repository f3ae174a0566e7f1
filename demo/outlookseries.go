package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// seriesHorizon is how far from its start a series without an end is listed.
const seriesHorizon = 2 * 366 * 24 * time.Hour

// Where an iCalUId has the date of an occurrence (MS-OXOCAL 2.2.1.27); that of
// the series has zeros there.
const (
	uidDate    = 32
	uidDateEnd = 40
)

// seriesUID takes the date of an occurrence off an iCalUId.
func seriesUID(uid string) string {
	if len(uid) < uidDateEnd {
		return uid
	}
	return uid[:uidDate] + strings.Repeat("0", uidDateEnd-uidDate) + uid[uidDateEnd:]
}

// seriesOf is the id of the series that an event is, or is an occurrence of.
func seriesOf(shown map[string]any) string {
	if text(shown, "type") == "seriesMaster" {
		return text(shown, "id")
	}
	return text(shown, "seriesMasterId")
}

// Series implements Calendar.
func (c *outlookCalendar) Series(ctx context.Context, login, series string) ([]Event, error) {
	_, box, err := c.member(login)
	if err != nil {
		return nil, err
	}
	shown, err := box.Event(series)
	if err != nil || text(shown, "type") != "seriesMaster" {
		return nil, ctx.Err() // gone, or a single event by now
	}
	master, err := outlookEvent(shown)
	if err != nil {
		return nil, err
	}
	list, err := box.Instances(series, master.Start.AddDate(0, 0, -7), master.Start.Add(seriesHorizon))
	if err != nil {
		return nil, err
	}
	events := make([]Event, 0, len(list))
	for _, one := range list {
		event, err := outlookEvent(one)
		if err != nil {
			return nil, err
		}
		events = append(events, event)
	}
	return events, ctx.Err()
}

// exceptional says whether an occurrence shows something else than its series
// does, answers apart.
func exceptional(shown map[string]any, one, series Event) bool {
	if text(shown, "type") != "exception" {
		return false
	}
	original, err := time.Parse(time.RFC3339, text(shown, "originalStart"))
	if err != nil || !one.Start.Equal(original) || one.End.Sub(one.Start) != series.End.Sub(series.Start) {
		return true
	}
	series.When = one.When
	return slices.ContainsFunc(differences(series, one), func(field string) bool { return field != "answers" })
}

// whole is what a person's edit is written to: the event itself, or the series
// that it is an occurrence of.
func whole(box *simoutlook.Mailbox, shown map[string]any, scope Scope) (map[string]any, error) {
	series := text(shown, "seriesMasterId")
	if series == "" || scope != All && scope != Following {
		return shown, nil
	}
	master, err := box.Event(series)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGone, err)
	}
	return master, nil
}

// following says whether an edit divides a series.
func following(shown map[string]any, scope Scope) bool {
	return scope == Following && text(shown, "seriesMasterId") != ""
}

// repeatContent is a new weekly series in Graph's shape.
func repeatContent(when When, repeat Repeat, zone *time.Location, name string) map[string]any {
	first := localDay(when, zone)
	return map[string]any{
		"pattern": map[string]any{
			"type": "weekly", "interval": 1, "firstDayOfWeek": "monday",
			"daysOfWeek": []string{strings.ToLower(first.Weekday().String())},
		},
		"range": map[string]any{
			"type": "numbered", "startDate": first.Format(time.DateOnly), "numberOfOccurrences": repeat.Times, "recurrenceTimeZone": name,
		},
	}
}

// localDay is the date on which a meeting starts, as midnight in UTC.
func localDay(when When, zone *time.Location) time.Time {
	start := when.Start.UTC()
	if !when.AllDay {
		start = when.Start.In(zone)
	}
	return time.Date(start.Year(), start.Month(), start.Day(), 0, 0, 0, 0, time.UTC)
}

// errOtherPattern refuses what the page could not show to be right.
var errOtherPattern = errors.New("only a series that repeats weekly can be moved to another day here")

// moveSeries turns the new time of one occurrence into that of the series, or of
// the part that begins with it. It returns the time to write and, where the day
// changes, the new rule.
func moveSeries(shown, master map[string]any, to When, scope Scope, zone *time.Location) (When, map[string]any, error) {
	occurrence, err := outlookEvent(shown)
	if err != nil {
		return When{}, nil, err
	}
	series, err := outlookEvent(master)
	if err != nil {
		return When{}, nil, err
	}
	from := localDay(occurrence.When, zone)
	days := int(localDay(to, zone).Sub(from) / (24 * time.Hour))
	first := localDay(series.When, zone)
	moved := to
	if scope == All {
		back := int(first.Sub(from) / (24 * time.Hour)) // from the occurrence to the first one
		in := zone
		if to.AllDay {
			in = time.UTC
		}
		moved.Start, moved.End = to.Start.In(in).AddDate(0, 0, back), to.End.In(in).AddDate(0, 0, back)
	}
	if days == 0 {
		return moved, nil, nil
	}
	rule := object(master, "recurrence")
	pattern, bounds := object(rule, "pattern"), object(rule, "range")
	weekdays, _ := pattern["daysOfWeek"].([]string)
	if text(pattern, "type") != "weekly" {
		return When{}, nil, errOtherPattern
	}
	bounds["startDate"] = localDay(moved, zone).Format(time.DateOnly)
	switch text(bounds, "type") {
	case "endDate":
		last, err := time.Parse(time.DateOnly, text(bounds, "endDate"))
		if err != nil {
			return When{}, nil, fmt.Errorf("%w: %w", errShape, err)
		}
		bounds["endDate"] = last.AddDate(0, 0, days).Format(time.DateOnly)
	case "numbered":
		if scope == Following {
			count, _ := bounds["numberOfOccurrences"].(int)
			bounds["numberOfOccurrences"] = count - passed(pattern, weekdays, first, from)
		}
	}
	shifted := make([]string, 0, len(weekdays))
	for day := time.Sunday; day <= time.Saturday; day++ {
		if slices.Contains(weekdays, strings.ToLower(day.String())) {
			shifted = append(shifted, strings.ToLower(((day + time.Weekday(days%7) + 7) % 7).String()))
		}
	}
	pattern["daysOfWeek"] = shifted
	return moved, map[string]any{"pattern": pattern, "range": bounds}, nil
}

// passed counts the days that a weekly pattern gives from its first to before
// another one, deleted occurrences included.
func passed(pattern map[string]any, weekdays []string, first, before time.Time) int {
	interval, _ := pattern["interval"].(int)
	monday := first.AddDate(0, 0, -(int(first.Weekday())+6)%7)
	count := 0
	for day := first; day.Before(before); day = day.AddDate(0, 0, 1) {
		week := int(day.Sub(monday) / (7 * 24 * time.Hour))
		if week%max(1, interval) == 0 && slices.Contains(weekdays, strings.ToLower(day.Weekday().String())) {
			count++
		}
	}
	return count
}
