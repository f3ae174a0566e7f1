package series_test

import (
	"time"

	"github.com/nightpos/outlook-gateway/test/world"
)

// seriesEdit is one thing that people do to a series, at the occurrence that starts
// then, or to the series that it is of.
type seriesEdit struct {
	name string
	// mails is how many mails anybody may get from the gateway for it, and whole says
	// that Outlook's master is written, which tells of every exception again.
	mails int
	whole bool
	make  func(h *historian, start, title string)
}

// alone are edits of a series that nobody else has a say in. Their order decides
// what a seed does.
var alone = [...]seriesEdit{
	{"renamed one in Outlook", 0, false, func(h *historian, start, title string) {
		h.patch(h.instance(start), map[string]any{"subject": title})
	}},
	{"renamed all in Outlook", 0, false, func(h *historian, start, title string) {
		h.patch(h.seriesAt(start), map[string]any{"subject": title})
	}},
	{"moved one by an hour in Outlook", 0, false, func(h *historian, start, _ string) {
		at := h.instant(start)
		h.patch(h.instance(start), map[string]any{"start": utc(at.Add(time.Hour)), "end": utc(at.Add(2 * time.Hour))})
	}},
	{"deleted one in Outlook", 0, false, func(h *historian, start, _ string) {
		h.deleted++
		h.attempt(h.Outlook.Mailbox(world.Alice).Delete(h.Context(), h.instance(start)))
	}},
	{"shifted all in Outlook", 0, false, func(h *historian, start, _ string) {
		_, err := h.Outlook.Mailbox(world.Alice).Shift(h.Context(), h.seriesAt(start), h.random.IntN(2), time.Hour)
		h.attempt(err)
	}},
	{"renamed this and following in Outlook", 0, false, func(h *historian, start, title string) {
		h.cut += len(h.inOutlook())
		_, err := h.Outlook.Mailbox(world.Alice).UpdateFollowing(h.Context(), h.instance(start), map[string]any{"subject": title})
		h.attempt(err)
	}},
	{"deleted this and following in Outlook", 0, false, func(h *historian, start, _ string) {
		h.cut += len(h.inOutlook())
		h.attempt(h.Outlook.Mailbox(world.Alice).DeleteFollowing(h.Context(), h.instance(start)))
	}},
	{"renamed one in NightPOS", 1, false, func(h *historian, start, title string) {
		h.write(h.at(start), map[string]any{"name": title})
	}},
	{"renamed all in NightPOS", 1, true, func(h *historian, start, title string) {
		h.write(h.at(start), map[string]any{"name": title, "recurrence_update": "all_events"})
	}},
	{"moved one by an hour in NightPOS", 1, true, func(h *historian, start, _ string) { h.moveInNightPOS(start, "self_only") }},
	{"moved all by an hour in NightPOS", 1, true, func(h *historian, start, _ string) { h.moveInNightPOS(start, "all_events") }},
	{"deleted one in NightPOS", 1, false, func(h *historian, start, _ string) {
		h.deleted++
		h.attempt(h.NightPOS.Member("alice").Unlink(h.Context(), h.at(start)))
	}},
	{"archived one in NightPOS", 1, false, func(h *historian, start, _ string) {
		h.deleted++
		h.attempt(h.NightPOS.Member("alice").Archive(h.Context(), h.at(start)))
	}},
	{"renamed this and following in NightPOS", 2, true, func(h *historian, start, title string) {
		h.deleted++ // which is all that it is, if nothing follows
		h.change(start, map[string]any{"name": title, "recurrence_update": "future_events"})
	}},
	{"deleted this and following in NightPOS", 1, true, func(h *historian, start, _ string) {
		h.deleted++
		h.attempt(h.NightPOS.Member("alice").MassDelete(h.Context(), h.at(start), "future_events"))
	}},
	{"archived this and following in NightPOS", 1, true, func(h *historian, start, _ string) {
		h.deleted++
		h.attempt(h.NightPOS.Member("alice").MassArchive(h.Context(), h.at(start), "future_events"))
	}},
}

// broughtBack may have the series go on past where it was cut, for one occurrence.
const broughtBack = "brought one back in NightPOS"

// together are edits of a series with guests, and those that make it longer, shorter
// or no series.
var together = []seriesEdit{
	{broughtBack, 1, true, func(h *historian, _, _ string) {
		if id := h.archived(); id != 0 {
			h.attempt(h.NightPOS.Member("alice").Unarchive(h.Context(), id))
		}
	}},
	{"answered all in Outlook", 0, false, func(h *historian, start, _ string) { h.answerInOutlook(start, true) }},
	{"answered one in Outlook", 0, false, func(h *historian, start, _ string) { h.answerInOutlook(start, false) }},
	{"answered all in NightPOS", 1, true, func(h *historian, start, _ string) {
		if h.connected {
			recurrence := h.record(start)["recurrence_id"]
			h.attempt(h.NightPOS.Member("bob").AnswerSeries(h.Context(), h.at(start), h.reply(), "all_events"))
			for _, event := range h.NightPOS.Events() {
				if event["active"] == true && recurrence != false && event["recurrence_id"] == recurrence {
					h.answered = append(h.answered, startOf(event))
				}
			}
		}
	}},
	{"answered one in NightPOS", 1, false, func(h *historian, start, _ string) {
		if h.connected {
			h.attempt(h.NightPOS.Member("bob").Answer(h.Context(), h.at(start), h.reply()))
			h.answered = []string{start}
		}
	}},
	{"made longer in Outlook", 0, false, func(h *historian, start, _ string) { h.lengthenInOutlook(start, 1) }},
	{"made shorter in Outlook", 0, false, func(h *historian, start, _ string) { h.lengthenInOutlook(start, -1) }},
	{"made longer in NightPOS", 1, true, func(h *historian, start, _ string) { h.lengthenInNightPOS(start, 1) }},
	{"made shorter in NightPOS", 1, true, func(h *historian, start, _ string) { h.lengthenInNightPOS(start, -1) }},
	{"made single in Outlook", 0, false, func(h *historian, start, _ string) {
		h.patch(h.seriesAt(start), map[string]any{"recurrence": nil})
	}},
	{"made single in NightPOS", 1, true, func(h *historian, start, _ string) {
		h.change(start, map[string]any{"recurrency": false, "recurrence_update": "all_events"})
	}},
}

// repeat makes a series of a single event that is left, on either side; false if
// there is none.
func (h *historian) repeat() bool {
	for _, event := range h.Outlook.Mailbox(world.Alice).View(from, until) {
		if event["type"] != "singleInstance" {
			continue
		}
		start := event["start"].(map[string]any)["dateTime"].(string)[:16]
		if record := h.record(start); record["recurrency"] == true {
			continue
		}
		day := h.instant(start)
		if h.random.IntN(2) == 0 {
			h.told = append(h.told, "repeated in Outlook at "+start)
			h.patch(event["id"].(string), map[string]any{"recurrence": map[string]any{
				"pattern": map[string]any{"type": "daily", "interval": 2},
				"range": map[string]any{
					"type": "numbered", "startDate": day.Format(time.DateOnly), "numberOfOccurrences": 5, "recurrenceTimeZone": event["originalStartTimeZone"],
				},
			}})
			h.check(0)
			return true
		}
		h.told = append(h.told, "repeated in NightPOS at "+start)
		h.write(h.at(start), map[string]any{
			"recurrency": true, "rrule_type": "daily", "interval": 2, "end_type": "count", "count": 5, "event_tz": "Europe/Brussels",
		})
		h.check(1)
		return true
	}
	return false
}

// record is what NightPOS shows at a time.
func (h *historian) record(start string) map[string]any {
	h.Helper()
	id := h.at(start)
	for _, event := range h.NightPOS.Events() {
		if event["id"] == id {
			return event
		}
	}
	h.Fatalf("NightPOS shows nothing at %s", start)
	return nil
}

// archived is one of the events that were archived, by people or when NightPOS made a
// series anew; zero if there is none.
func (h *historian) archived() int {
	var found []int
	for _, event := range h.NightPOS.Events() {
		if event["active"] == false {
			found = append(found, event["id"].(int))
		}
	}
	if len(found) == 0 {
		return 0
	}
	return found[h.random.IntN(len(found))]
}

// change attempts a change in NightPOS.
func (h *historian) change(start string, values map[string]any) {
	h.attempt(h.NightPOS.Member("alice").Write(h.Context(), []int{h.at(start)}, values))
}

func (h *historian) moveInNightPOS(start, scope string) {
	at := h.instant(start)
	h.change(start, map[string]any{
		"start": at.Add(time.Hour).Format(time.DateTime), "stop": at.Add(2 * time.Hour).Format(time.DateTime), "recurrence_update": scope,
	})
}

// startOf is when an event of NightPOS starts, as Outlook's view says it.
func startOf(event map[string]any) string {
	start := event["start"].(string)
	return start[:10] + "T" + start[11:16]
}

// reply is a guest's, as NightPOS calls it.
func (h *historian) reply() string {
	reply := []string{"accepted", "tentative", "declined"}[h.random.IntN(3)]
	h.told = append(h.told, reply)
	return reply
}

// answerInOutlook has a guest reply, who may have nothing to reply to any more.
func (h *historian) answerInOutlook(start string, all bool) {
	guest := []string{world.Bob, world.Carol}[h.random.IntN(2)]
	action := []string{"accept", "tentativelyAccept", "decline"}[h.random.IntN(3)]
	for _, event := range h.Outlook.Mailbox(guest).View(from, until) {
		if event["start"].(map[string]any)["dateTime"].(string)[:16] != start || event["isCancelled"] == true {
			continue
		}
		id := event["id"].(string)
		if master, ok := event["seriesMasterId"].(string); ok && all && master != "" {
			id = master
		}
		h.told = append(h.told, guest+": "+action)
		h.attempt(h.Outlook.Mailbox(guest).Respond(h.Context(), id, action))
		return
	}
}

// lengthenInOutlook moves the end of a series by so many weeks.
func (h *historian) lengthenInOutlook(start string, weeks int) {
	id := h.seriesAt(start)
	master, err := h.Outlook.Mailbox(world.Alice).Event(id)
	if err != nil {
		h.Fatal(err)
	}
	recurrence, repeats := master["recurrence"].(map[string]any)
	if !repeats {
		return
	}
	bounds := recurrence["range"].(map[string]any)
	if bounds["type"] == "numbered" {
		bounds["numberOfOccurrences"] = max(1, number(bounds["numberOfOccurrences"])+2*weeks)
	} else {
		bounds["endDate"] = days(bounds["endDate"].(string), 7*weeks)
	}
	_, err = h.Outlook.Mailbox(world.Alice).Update(h.Context(), id, map[string]any{"recurrence": recurrence})
	h.attempt(err)
}

func (h *historian) lengthenInNightPOS(start string, weeks int) {
	record := h.record(start)
	if record["recurrency"] != true {
		return
	}
	values := map[string]any{"recurrence_update": "all_events"}
	if record["end_type"] == "count" {
		values["count"] = max(1, number(record["count"])+2*weeks)
	} else {
		values["until"] = days(record["until"].(string), 7*weeks)
	}
	h.change(start, values)
}

func number(value any) int {
	switch value := value.(type) {
	case int:
		return value
	case float64:
		return int(value)
	}
	return 0
}

// days moves a date.
func days(date string, by int) string {
	at, _ := time.Parse(time.DateOnly, date)
	return at.AddDate(0, 0, by).Format(time.DateOnly)
}

// toldTo is what a mailbox shows of a guest's replies, by start.
func (h *historian) toldTo(address, guest string) map[string]string {
	words := map[string]string{"accepted": "accepted", "tentativelyAccepted": "tentative", "declined": "declined", "none": "needsAction", "notResponded": "needsAction"}
	found := map[string]string{}
	for _, event := range h.Outlook.Mailbox(address).View(from, until) {
		start := event["start"].(map[string]any)["dateTime"].(string)
		for _, each := range event["attendees"].([]any) {
			attendee := each.(map[string]any)
			if attendee["emailAddress"].(map[string]any)["address"] == guest {
				found[start[:16]] = words[attendee["status"].(map[string]any)["response"].(string)]
			}
		}
	}
	return found
}

func (h *historian) instant(start string) time.Time {
	at, err := time.Parse("2006-01-02T15:04", start)
	if err != nil {
		h.Fatal(err)
	}
	return at
}

func utc(at time.Time) map[string]any {
	return map[string]any{"dateTime": at.Format("2006-01-02T15:04:05"), "timeZone": "UTC"}
}
