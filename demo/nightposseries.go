package demo

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What NightPOS calls the occurrences that an edit is meant for.
var nightposScopes = map[Scope]string{"": "self_only", One: "self_only", Following: "future_events", All: "all_events"}

// scopeWord checks a scope.
func scopeWord(scope Scope) (string, error) {
	word, known := nightposScopes[scope]
	if !known {
		return "", fmt.Errorf("%q is not a part of a series", scope)
	}
	return word, nil
}

// Series implements Calendar.
func (c *nightposCalendar) Series(ctx context.Context, login, series string) ([]Event, error) {
	number, err := strconv.Atoi(series)
	if err != nil {
		return nil, fmt.Errorf("%q is not a series of NightPOS: %w", series, err)
	}
	var events []Event
	for _, member := range c.members {
		if login != "" && member.Login != login {
			continue
		}
		as, err := c.account(ctx, member.Login)
		if err != nil {
			return nil, err
		}
		records, err := c.occurrences(ctx, as, []int{number})
		if err != nil {
			return nil, err
		}
		if events, err = c.shown(ctx, as, records); err != nil {
			return nil, err
		}
		if len(events) > 0 && (events[0].Mine || slices.Contains(records[0].Partners, as.partner)) {
			break // who is not invited may be shown a private one as busy only
		}
	}
	slices.SortFunc(events, func(a, b Event) int { return a.Start.Compare(b.Start) })
	return events, nil
}

// occurrences are the records of recurrences that are not archived.
func (c *nightposCalendar) occurrences(ctx context.Context, as account, recurrences []int) ([]nightposEvent, error) {
	var records []nightposEvent
	domain := []any{[]any{"recurrence_id", "in", recurrences}}
	err := c.calls.call(ctx, as, &records, "calendar.event", "search_read", []any{domain, eventFields}, nil)
	return records, err
}

// look is what an occurrence shows, but for its day.
func (e nightposEvent) look() string {
	partners := slices.Sorted(slices.Values(e.Partners))
	return fmt.Sprint(e.Name, "\n", e.Location, "\n", e.Description, "\n", e.AllDay, partners, e.Privacy, e.ShowAs, e.Alarms)
}

// markExceptions finds the occurrences that were moved, or that show something
// else than most of their series: NightPOS does not keep what the series was.
func (c *nightposCalendar) markExceptions(ctx context.Context, as account, records []nightposEvent, events []Event) error {
	var recurrences []int
	for _, record := range records {
		if id := record.Recurrence.id; id != 0 && !slices.Contains(recurrences, id) {
			recurrences = append(recurrences, id)
		}
	}
	if recurrences == nil {
		return nil
	}
	all, err := c.occurrences(ctx, as, recurrences)
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b nightposEvent) int { return strings.Compare(string(a.Start), string(b.Start)) })
	counts, usual := map[int]map[string]int{}, map[int]string{}
	for _, one := range all {
		id, look := one.Recurrence.id, one.look()
		if counts[id] == nil {
			counts[id] = map[string]int{}
		}
		counts[id][look]++
		if counts[id][look] > counts[id][usual[id]] {
			usual[id] = look
		}
	}
	for index, record := range records {
		if id := record.Recurrence.id; id != 0 {
			events[index].Exception = !record.Follows || record.look() != usual[id]
		}
	}
	return nil
}

// repeatValues are those of a new weekly series.
func repeatValues(when When, repeat Repeat, member Member) (map[string]any, error) {
	zone, err := time.LoadLocation(member.Zone)
	if err != nil {
		return nil, fmt.Errorf("the time zone of %s: %w", member.Name, err)
	}
	day := strings.ToLower(localDay(when, zone).Weekday().String()[:3])
	return map[string]any{
		"recurrency": true, "rrule_type": "weekly", "interval": 1, day: true, "end_type": "count", "count": repeat.Times, "event_tz": member.Zone,
	}, nil
}
