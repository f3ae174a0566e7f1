package life_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
)

// seriesTimes is how often the series of these tests take place; one of them is
// cancelled, and another one is elsewhere.
const (
	seriesTimes = 6
	seriesLeft  = seriesTimes - 1
	elsewhere   = "Bar"
)

// nightposSeries makes a series of somebody's in NightPOS, weekly from so many days
// from now, and differs two of its occurrences.
func (w *world) nightposSeries(login, title string, days int, people ...string) {
	w.Helper()
	start := day(days)
	w.nightposEvent(login, title, days, map[string]any{
		"recurrency": true, "rrule_type": "weekly", "interval": 1, strings.ToLower(start.Format("Mon")): true, "end_type": "count", "count": seriesTimes, "event_tz": "UTC",
	}, people...)
	w.differ(login, title)
}

// differ cancels the third occurrence of a series, and has the fifth elsewhere.
func (w *world) differ(login, title string) {
	w.Helper()
	found := w.inOrder(title)
	if len(found) != seriesTimes {
		w.Fatalf("%q has %d occurrences in NightPOS", title, len(found))
	}
	w.must(w.nightpos.Member(login).Unlink(w.Context(), found[2]["id"].(int)))
	w.must(w.nightpos.Member(login).Write(w.Context(), []int{found[4]["id"].(int)}, map[string]any{"location": elsewhere, "recurrence_update": "self_only"}))
}

// inOrder are the records of a title by their start.
func (w *world) inOrder(title string) []map[string]any {
	var found []map[string]any
	for _, shown := range w.nightpos.Events() {
		if shown["name"] == title {
			found = append(found, shown)
		}
	}
	slices.SortFunc(found, func(a, b map[string]any) int { return strings.Compare(a["start"].(string), b["start"].(string)) })
	return found
}

// outlookSeries makes such a series in somebody's mailbox.
func (w *world) outlookSeries(address, title string, days int, people ...string) string {
	w.Helper()
	attendees := []any{}
	for _, person := range people {
		attendees = append(attendees, map[string]any{"type": "required", "emailAddress": map[string]any{"address": person, "name": person}})
	}
	start := day(days)
	made, err := w.outlook.Mailbox(address).Create(w.Context(), map[string]any{
		"subject": title, "attendees": attendees,
		"start": map[string]any{"dateTime": start.Format("2006-01-02T15:04:05"), "timeZone": "UTC"},
		"end":   map[string]any{"dateTime": start.Add(time.Hour).Format("2006-01-02T15:04:05"), "timeZone": "UTC"},
		"recurrence": map[string]any{
			"pattern": map[string]any{"type": "weekly", "interval": 1, "daysOfWeek": []any{strings.ToLower(start.Format("Monday"))}, "firstDayOfWeek": "monday"},
			"range":   map[string]any{"type": "numbered", "startDate": start.Format(time.DateOnly), "numberOfOccurrences": seriesTimes, "recurrenceTimeZone": "UTC"},
		},
	})
	w.must(err)
	id := fmt.Sprint(made["id"])
	instances, err := w.outlook.Mailbox(address).Instances(id, start.AddDate(0, 0, -1), start.AddDate(1, 0, 0))
	w.must(err)
	w.must(w.outlook.Mailbox(address).Delete(w.Context(), fmt.Sprint(instances[2]["id"])))
	_, err = w.outlook.Mailbox(address).Update(w.Context(), fmt.Sprint(instances[4]["id"]), map[string]any{"location": map[string]any{"displayName": elsewhere}})
	w.must(err)
	return id
}

// seenSeries counts a series as one on each side where it is to be seen as a whole,
// with what differs; anything else is a number that nobody wants.
func (w *world) seenSeries(title string) count {
	w.Helper()
	const wrong = 1000
	whole := func(shown, differ, series int) int {
		switch {
		case shown == 0:
			return 0
		case shown == seriesLeft && differ == 1 && series == 1:
			return 1
		}
		return wrong + shown
	}
	shown, differ, masters := 0, 0, map[any]bool{}
	for _, event := range w.outlook.Mailbox(alice).View(time.Now().AddDate(-1, 0, 0), time.Now().AddDate(1, 0, 0)) {
		if event["subject"] != title || event["isCancelled"] == true {
			continue
		}
		shown++
		masters[event["seriesMasterId"]] = true
		if place, _ := event["location"].(map[string]any); place["displayName"] == elsewhere {
			differ++
		}
	}
	inOutlook := whole(shown, differ, len(masters))
	shown, differ = 0, 0
	recurrences := map[any]bool{}
	for _, event := range w.nightpos.Events() {
		if event["name"] != title || event["active"] != true {
			continue
		}
		shown++
		recurrences[event["recurrence_id"]] = true
		if event["location"] == elsewhere {
			differ++
		}
	}
	return count{outlook: inOutlook, active: whole(shown, differ, len(recurrences))}
}

// waits is what the next sync makes of a meeting of one's own: Outlook would invite
// people again to what is left in NightPOS alone.
func waits(reset gateway.Reset) count {
	if reset.NextSync == "all" && reset.Events == "outlook" {
		return count{0, 1, 0}
	}
	return synced(reset)
}
