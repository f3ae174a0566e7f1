package outlook_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// series is a request for a series: a pattern, a range without its first day,
// and start and end by the clock of a zone.
func series(pattern, limits map[string]any, start, end, zone string, attendees ...string) map[string]any {
	content := meeting("Series", attendees...)
	content["start"], content["end"] = at(start, zone), at(end, zone)
	limits = with(limits, "startDate", start[:10])
	content["recurrence"] = map[string]any{"pattern": pattern, "range": limits}
	return content
}

// with copies an object and sets one member.
func with(object map[string]any, name string, value any) map[string]any {
	copied := map[string]any{name: value}
	for other, member := range object {
		if other != name {
			copied[other] = member
		}
	}
	return copied
}

func rule(kind string, interval int, more ...any) map[string]any {
	pattern := map[string]any{"type": kind, "interval": interval}
	for i := 0; i < len(more); i += 2 {
		pattern[more[i].(string)] = more[i+1]
	}
	return pattern
}

func times(count int) map[string]any {
	return map[string]any{"type": "numbered", "numberOfOccurrences": count}
}

func until(day string) map[string]any { return map[string]any{"type": "endDate", "endDate": day} }

func forever() map[string]any { return map[string]any{"type": "noEnd"} }

func windowOf(from, to string) string {
	return "startDateTime=" + url.QueryEscape(from) + "&endDateTime=" + url.QueryEscape(to)
}

// instances lists a series in a window, by start.
func (w *world) instances(as, id, from, to string) []map[string]any {
	w.t.Helper()
	return w.want(w.call(as, "GET", "/me/events/"+id+"/instances?$top=1000&$orderby=start/dateTime&"+windowOf(from, to), nil), 200, "").values()
}

// startsOf are the starts in UTC, to the minute.
func startsOf(events []map[string]any) []string {
	var starts []string
	for _, e := range events {
		starts = append(starts, dig(e["start"], "dateTime").(string)[:16])
	}
	return starts
}

func spansOf(events []map[string]any) []string {
	var spans []string
	for _, e := range events {
		spans = append(spans, dig(e["start"], "dateTime").(string)[:16]+" "+dig(e["end"], "dateTime").(string)[11:16])
	}
	return spans
}

func TestExpansion(t *testing.T) {
	weekdays := []string{"monday", "tuesday", "wednesday", "thursday", "friday"}
	cases := []struct {
		name    string
		content map[string]any
		spans   []string
	}{
		{
			"9.1 daily, every third", series(rule("daily", 3), times(3), "2027-01-30T09:00:00", "2027-01-30T10:00:00", "UTC"),
			[]string{"2027-01-30T09:00 10:00", "2027-02-02T09:00 10:00", "2027-02-05T09:00 10:00"},
		},
		{
			"9.4 day 31", series(rule("absoluteMonthly", 1, "dayOfMonth", 31), times(5), "2027-01-31T09:00:00", "2027-01-31T10:00:00", "UTC"),
			[]string{"2027-01-31T09:00 10:00", "2027-02-28T09:00 10:00", "2027-03-31T09:00 10:00", "2027-04-30T09:00 10:00", "2027-05-31T09:00 10:00"},
		},
		{
			"9.4 day 30 with a leap day", series(rule("absoluteMonthly", 2, "dayOfMonth", 30), times(3), "2027-12-30T09:00:00", "2027-12-30T10:00:00", "UTC"),
			[]string{"2027-12-30T09:00 10:00", "2028-02-29T09:00 10:00", "2028-04-30T09:00 10:00"},
		},
		{
			"9.4 leap day yearly", series(rule("absoluteYearly", 1, "dayOfMonth", 29, "month", 2), times(5), "2028-02-29T09:00:00", "2028-02-29T10:00:00", "UTC"),
			[]string{"2028-02-29T09:00 10:00", "2029-02-28T09:00 10:00", "2030-02-28T09:00 10:00", "2031-02-28T09:00 10:00", "2032-02-29T09:00 10:00"},
		},
		{
			"9.3 last weekday", series(rule("relativeMonthly", 1, "daysOfWeek", weekdays, "index", "last"), times(3), "2027-01-29T09:00:00", "2027-01-29T10:00:00", "UTC"),
			[]string{"2027-01-29T09:00 10:00", "2027-02-26T09:00 10:00", "2027-03-31T09:00 10:00"},
		},
		{
			"9.3 first Thursday or Friday is one day", series(rule("relativeMonthly", 1, "daysOfWeek", []string{"thursday", "friday"}), times(4), "2027-01-01T09:00:00", "2027-01-01T10:00:00", "UTC"),
			[]string{"2027-01-01T09:00 10:00", "2027-02-04T09:00 10:00", "2027-03-04T09:00 10:00", "2027-04-01T09:00 10:00"},
		},
		{
			"9.1 second Sunday in March", series(rule("relativeYearly", 1, "daysOfWeek", []string{"sunday"}, "month", 3, "index", "second"), times(3), "2027-03-14T09:00:00", "2027-03-14T10:00:00", "UTC"),
			[]string{"2027-03-14T09:00 10:00", "2028-03-12T09:00 10:00", "2029-03-11T09:00 10:00"},
		},
		{ // the example of RFC 5545, 3.3.10
			"9.6 weeks from Monday", series(rule("weekly", 2, "daysOfWeek", []string{"tuesday", "sunday"}, "firstDayOfWeek", "monday"), times(4), "1997-08-05T09:00:00", "1997-08-05T10:00:00", "UTC"),
			[]string{"1997-08-05T09:00 10:00", "1997-08-10T09:00 10:00", "1997-08-19T09:00 10:00", "1997-08-24T09:00 10:00"},
		},
		{
			"9.6 weeks from Sunday by default", series(rule("weekly", 2, "daysOfWeek", []string{"tuesday", "sunday"}), times(4), "1997-08-05T09:00:00", "1997-08-05T10:00:00", "UTC"),
			[]string{"1997-08-05T09:00 10:00", "1997-08-17T09:00 10:00", "1997-08-19T09:00 10:00", "1997-08-31T09:00 10:00"},
		},
		{
			"7.10 the clock of the zone goes forward", series(rule("daily", 1), times(3), "2027-03-27T09:00:00", "2027-03-27T10:00:00", "W. Europe Standard Time"),
			[]string{"2027-03-27T08:00 09:00", "2027-03-28T07:00 08:00", "2027-03-29T07:00 08:00"},
		},
		{
			"7.10 the clock of the zone goes back", series(rule("weekly", 1, "daysOfWeek", []string{"sunday"}), times(2), "2027-10-31T09:00:00", "2027-10-31T10:00:00", "Europe/Berlin"),
			[]string{"2027-10-31T08:00 09:00", "2027-11-07T08:00 09:00"},
		},
		{
			"7.10 a time that is skipped", series(rule("daily", 1), times(3), "2027-03-27T02:30:00", "2027-03-27T02:45:00", "Europe/Berlin"),
			[]string{"2027-03-27T01:30 01:45", "2027-03-28T01:30 01:45", "2027-03-29T00:30 00:45"},
		},
		{
			"7.10 over the night of the change", series(rule("daily", 1), times(2), "2027-10-29T23:00:00", "2027-10-30T06:00:00", "Europe/Berlin"),
			[]string{"2027-10-29T21:00 04:00", "2027-10-30T21:00 05:00"},
		},
		{
			"7.10 an odd offset", series(rule("daily", 1), times(2), "2027-01-01T03:00:00", "2027-01-01T04:00:00", "Nepal Standard Time"),
			[]string{"2026-12-31T21:15 22:15", "2027-01-01T21:15 22:15"},
		},
		{
			"9.7 endDate is a date of the zone", series(rule("daily", 1), until("2027-01-07"), "2027-01-05T00:30:00", "2027-01-05T01:00:00", "Europe/Berlin"),
			[]string{"2027-01-04T23:30 00:00", "2027-01-05T23:30 00:00", "2027-01-06T23:30 00:00"},
		},
		{
			"9.2 the first day that fits", series(rule("weekly", 1, "daysOfWeek", []string{"Monday"}), times(2), "2027-01-06T09:00:00", "2027-01-06T10:00:00", "UTC"),
			[]string{"2027-01-11T09:00 10:00", "2027-01-18T09:00 10:00"},
		},
		{
			"7.11 all day", with(series(rule("weekly", 1, "daysOfWeek", []string{"saturday"}), times(2), "2027-03-27T00:00:00", "2027-03-29T00:00:00", "Europe/Berlin"), "isAllDay", true),
			[]string{"2027-03-27T00:00 00:00", "2027-04-03T00:00 00:00"},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, w *world) {
				made := w.want(w.call(alice, "POST", "/me/events", c.content), 201, "")
				from, to := c.spans[0][:10]+"T00:00:00Z", c.spans[len(c.spans)-1][:10]+"T23:59:59Z"
				found := w.instances(alice, made.text("id"), from, to)
				if diff := cmp.Diff(c.spans, spansOf(found)); diff != "" {
					t.Errorf("instances (-want +got):\n%s", diff)
				}
				if got := dig(made.body["start"], "dateTime").(string)[:16]; got != c.spans[0][:16] {
					t.Errorf("9.2: the master starts at %s, its first occurrence at %s", got, c.spans[0])
				}
				shown := w.want(w.call(alice, "GET", "/me/calendarView?$top=100&"+windowOf(from, to), nil), 200, "").values()
				if diff := cmp.Diff(c.spans, spansOf(shown)); diff != "" {
					t.Errorf("8.13 calendarView (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestForeverIsExpandedAsFarAsItIsAskedFor(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		made := w.want(w.call(alice, "POST", "/me/events", series(rule("daily", 1), forever(), "2027-01-01T09:00:00", "2027-01-01T10:00:00", "UTC")), 201, "")
		found := w.instances(alice, made.text("id"), "2039-12-30T00:00:00Z", "2040-01-02T00:00:00Z")
		if diff := cmp.Diff([]string{"2039-12-30T09:00", "2039-12-31T09:00", "2040-01-01T09:00"}, startsOf(found)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got := w.instances(alice, made.text("id"), "2026-01-01T00:00:00Z", "2027-01-01T09:00:00Z"); len(got) != 0 {
			t.Errorf("%d occurrences before the first", len(got))
		}
		w.want(w.call(alice, "GET", "/me/events/"+made.text("id")+"/instances?"+windowOf("2027-01-01T00:00:00Z", "2033-01-01T00:00:00Z"), nil), 400, "ErrorInvalidRequest")
		w.want(w.call(alice, "GET", "/me/events/"+made.text("id")+"/instances?startDateTime=2027-01-01", nil), 400, "ErrorInvalidRequest")
	})
}

// The sample of 9.1: answers fill the fields that the rule does not use.
func TestRuleInAnswers(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		content := series(rule("Weekly", 2, "daysOfWeek", []string{"Monday", "tuesday"}, "index", "third", "dayOfMonth", 4, "month", 7), forever(), "2017-09-04T09:00:00", "2017-09-04T10:00:00", "Pacific Standard Time")
		made := w.want(w.call(alice, "POST", "/me/events", content), 201, "")
		want := map[string]any{
			"pattern": map[string]any{
				"type": "weekly", "interval": 2.0, "month": 0.0, "dayOfMonth": 0.0, "daysOfWeek": []any{"monday", "tuesday"}, "firstDayOfWeek": "sunday", "index": "first",
			},
			"range": map[string]any{
				"type": "noEnd", "startDate": "2017-09-04", "endDate": "0001-01-01", "recurrenceTimeZone": "Pacific Standard Time", "numberOfOccurrences": 0.0,
			},
		}
		if diff := cmp.Diff(want, made.body["recurrence"]); diff != "" {
			t.Errorf("9.1 (-want +got):\n%s", diff)
		}
		if got := []any{made.body["type"], made.body["seriesMasterId"], made.body["originalStart"]}; !cmp.Equal(got, []any{"seriesMaster", nil, nil}) {
			t.Errorf("7.12: %v", got)
		}
		// What was read can be written back and changes nothing.
		again := w.want(w.call(alice, "PATCH", "/me/events/"+made.text("id"), map[string]any{"recurrence": made.body["recurrence"]}), 200, "")
		if diff := cmp.Diff(made.body["recurrence"], again.body["recurrence"]); diff != "" {
			t.Errorf("written back (-want +got):\n%s", diff)
		}
	})
}

func TestRefusedRules(t *testing.T) {
	weekly := rule("weekly", 1, "daysOfWeek", []string{"tuesday"})
	make := func(pattern, limits map[string]any) map[string]any {
		return series(pattern, limits, "2026-12-01T09:00:00", "2026-12-01T10:00:00", "Europe/Berlin")
	}
	adjust := func(change func(recurrence, limits map[string]any)) map[string]any {
		content := make(weekly, forever())
		recurrence := content["recurrence"].(map[string]any)
		change(recurrence, recurrence["range"].(map[string]any))
		return content
	}
	const validation, literal, unread = "ErrorPropertyValidationFailure", "RequestBodyRead", "UnableToDeserializePostBody"
	cases := []struct {
		name    string
		content map[string]any
		code    string
	}{
		{"9.1 no interval", make(map[string]any{"type": "daily"}, forever()), validation},
		{"9.1 no type", make(map[string]any{"interval": 1}, forever()), validation},
		{"9.1 weekly without days", make(rule("weekly", 1), forever()), validation},
		{"9.1 monthly without a day", make(rule("absoluteMonthly", 1), forever()), validation},
		{"9.1 monthly without weekdays", make(rule("relativeMonthly", 1), forever()), validation},
		{"9.1 yearly without a month", make(rule("absoluteYearly", 1, "dayOfMonth", 1), forever()), validation},
		{"9.1 yearly without weekdays", make(rule("relativeYearly", 1, "month", 12), forever()), validation},
		{"9.1 unknown type", make(rule("hourly", 1), forever()), literal},
		{"9.1 unknown weekday", make(rule("weekly", 1, "daysOfWeek", []string{"someday"}), forever()), literal},
		{"9.1 ignored fields are validated", make(rule("daily", 1, "index", "fifth"), forever()), literal},
		{"9.1 ignored numbers too", make(rule("daily", 1, "dayOfMonth", 32), forever()), "ErrorCalendarOutOfRange"},
		{"9.1 unknown member", make(rule("daily", 1, "count", 3), forever()), literal},
		{"interval 0", make(rule("daily", 0), forever()), "ErrorCalendarOutOfRange"},
		{"9.5 interval of months", make(rule("absoluteMonthly", 100, "dayOfMonth", 1), forever()), "ErrorCalendarOutOfRange"},
		{"8.15 days null", make(rule("weekly", 1, "daysOfWeek", nil), forever()), unread},
		{"interval as text", make(map[string]any{"type": "daily", "interval": "1"}, forever()), unread},
		{"numbered without a number", make(weekly, map[string]any{"type": "numbered"}), validation},
		{"endDate without a date", make(weekly, map[string]any{"type": "endDate"}), validation},
		{"endDate before startDate", make(weekly, until("2026-11-30")), validation},
		{"endDate before the first that fits", make(rule("weekly", 1, "daysOfWeek", []string{"friday"}), until("2026-12-03")), validation},
		{"unknown range", make(weekly, map[string]any{"type": "often"}), literal},
		{"8.15 not yyyy-MM-dd", make(weekly, until("2026-12-31T00:00:00Z")), unread},
		{"9.2 startDate of another day", adjust(func(_, limits map[string]any) { limits["startDate"] = "2026-12-08" }), validation},
		{"no startDate", adjust(func(_, limits map[string]any) { delete(limits, "startDate") }), validation},
		{"no range", adjust(func(recurrence, _ map[string]any) { delete(recurrence, "range") }), validation},
		{"9.8 another zone", adjust(func(_, limits map[string]any) { limits["recurrenceTimeZone"] = "Pacific Standard Time" }), validation},
		{"7.9 unknown zone", adjust(func(_, limits map[string]any) { limits["recurrenceTimeZone"] = "Nowhere" }), "TimeZoneNotSupportedException"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, w *world) {
				w.want(w.call(alice, "POST", "/me/events", c.content), 400, c.code)
				if got := len(w.server.Mailbox(alice).Events()); got != 0 {
					t.Errorf("%d events were made", got)
				}
			})
		})
	}
	inBubble(t, nil, func(_ *testing.T, w *world) { // 9.8: the same zone by its other name
		w.want(w.call(alice, "POST", "/me/events", adjust(func(_, limits map[string]any) { limits["recurrenceTimeZone"] = "W. Europe Standard Time" })), 201, "")
	})
}

func TestZoneAndDateOfASeries(t *testing.T) {
	content := series(rule("weekly", 1, "daysOfWeek", []string{"tuesday"}), times(3), "2026-12-01T09:00:00", "2026-12-01T10:00:00", "Europe/Berlin")
	inBubble(t, nil, func(t *testing.T, w *world) {
		made := w.want(w.call(alice, "POST", "/me/events", content), 201, "")
		path := "/me/events/" + made.text("id")
		utc := map[string]any{"start": at("2026-12-01T08:00:00", "UTC"), "end": at("2026-12-01T09:00:00", "UTC")}
		w.want(w.call(alice, "PATCH", path, utc), 400, "ErrorPropertyValidationFailure")
		day := map[string]any{"start": at("2026-12-02T09:00:00", "Europe/Berlin"), "end": at("2026-12-02T10:00:00", "Europe/Berlin")}
		w.want(w.call(alice, "PATCH", path, day), 400, "ErrorPropertyValidationFailure")
		hour := map[string]any{"start": at("2026-12-01T11:00:00", "Europe/Berlin"), "end": at("2026-12-01T12:30:00", "Europe/Berlin")}
		w.want(w.call(alice, "PATCH", path, hour), 200, "")
		want := []string{"2026-12-01T10:00 11:30", "2026-12-08T10:00 11:30", "2026-12-15T10:00 11:30"}
		if diff := cmp.Diff(want, spansOf(w.instances(alice, made.text("id"), "2026-12-01", "2027-01-01"))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	inBubble(t, func(c *outlook.Config) { c.Switches.StartMovesSeries = true }, func(t *testing.T, w *world) {
		made := w.want(w.call(alice, "POST", "/me/events", content), 201, "")
		moved := map[string]any{"start": at("2026-12-08T09:00:00", "Europe/Berlin"), "end": at("2026-12-08T10:00:00", "Europe/Berlin")}
		given := w.want(w.call(alice, "PATCH", "/me/events/"+made.text("id"), moved), 200, "")
		if got := dig(given.body["recurrence"], "range", "startDate"); got != "2026-12-08" {
			t.Errorf("9.2: startDate %v", got)
		}
	})
}

// The sample of 7.12 and 8.12: a series on Mondays of which the occurrence of
// 15 April was moved to the 16th. The ids hold the days of the rule.
func TestInstancesSample(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		made := w.want(w.call(alice, "POST", "/me/events", series(rule("weekly", 1, "daysOfWeek", []string{"monday"}), forever(), "2019-04-01T13:30:00", "2019-04-01T14:00:00", "Pacific Standard Time")), 201, "")
		const from, to = "2019-04-08T09:00:00.0000000", "2019-04-30T09:00:00.0000000"
		path := "/me/events/" + made.text("id") + "/instances?" + windowOf(from, to) + "&$select=seriesMasterId,type,recurrence,start,end"
		before := w.want(w.call(alice, "GET", path, nil), 200, "").values()
		w.want(w.call(alice, "PATCH", "/me/events/"+before[1]["id"].(string), map[string]any{
			"start": at("2019-04-16T13:30:00", "Pacific Standard Time"), "end": at("2019-04-16T14:00:00", "Pacific Standard Time"),
		}), 200, "")
		found := w.want(w.call(alice, "GET", path, nil), 200, "").values()
		var got []string
		for _, one := range found {
			ticks := map[string]string{"AgI1sE1TatAAEYAAAAA": "15", "AgI1ru1JMcAAEYAAAAA": "08", "AgI1sa1do_AAEYAAAAA": "22", "AgI1sw1n3PAAEYAAAAA": "29"}
			for part, day := range ticks {
				if strings.Contains(one["id"].(string), part) {
					got = append(got, fmt.Sprintf("%s %s %s", day, one["type"], dig(one["start"], "dateTime")))
				}
			}
			if one["@odata.etag"] != found[0]["@odata.etag"] || one["seriesMasterId"] != made.text("id") || one["recurrence"] != nil {
				t.Errorf("8.12: %v", one)
			}
		}
		want := []string{
			"15 exception 2019-04-16T20:30:00.0000000", "08 occurrence 2019-04-08T20:30:00.0000000",
			"22 occurrence 2019-04-22T20:30:00.0000000", "29 occurrence 2019-04-29T20:30:00.0000000",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("8.12 (-want +got):\n%s", diff)
		}
		if before[1]["id"] != found[0]["id"] {
			t.Error("8.9: the exception has another id than the occurrence had")
		}
	})
}

func TestShift(t *testing.T) {
	day := 24 * time.Hour
	cases := []struct {
		name    string
		pattern map[string]any
		days    int
		by      time.Duration
		starts  []string
	}{
		{"time of day", rule("weekly", 1, "daysOfWeek", []string{"tuesday"}), 0, 2 * time.Hour, []string{"2026-12-01T11:00", "2026-12-08T11:00"}},
		{"weekdays", rule("weekly", 1, "daysOfWeek", []string{"tuesday", "saturday"}), 1, 0, []string{"2026-12-02T09:00", "2026-12-06T09:00"}},
		{"backwards", rule("weekly", 1, "daysOfWeek", []string{"tuesday"}), -3, 0, []string{"2026-11-28T09:00", "2026-12-05T09:00"}},
		{"past midnight", rule("daily", 1), 0, -10 * time.Hour, []string{"2026-11-30T23:00", "2026-12-01T23:00"}},
		{"day of the month", rule("absoluteMonthly", 1, "dayOfMonth", 1), 30, 0, []string{"2026-12-31T09:00", "2027-01-31T09:00"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, w *world) {
				box := w.server.Mailbox(alice)
				made, err := box.Create(t.Context(), series(c.pattern, times(2), "2026-12-01T09:00:00", "2026-12-01T10:00:00", "UTC"))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := box.Shift(t.Context(), made["id"].(string), c.days, c.by); err != nil {
					t.Fatal(err)
				}
				all, err := box.Instances(made["id"].(string), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(1000*day))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.starts, startsOf(all)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}
