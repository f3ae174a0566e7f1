package nightpos_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/nightpos"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// recordedRecurrence is one line of testdata/recurrences.jsonl: a series as it
// was created in a real NightPOS, and what was there afterwards.
type recordedRecurrence struct {
	Version    string          `json:"version"`
	Scenario   string          `json:"scenario"`
	AllDay     bool            `json:"allday"`
	Given      map[string]any  `json:"given"`
	Recurrence json.RawMessage `json:"recurrence"`
	// Starts are the first ones, in UTC; Events counts all; Last is the last one's.
	Starts []string `json:"starts"`
	Events int      `json:"events"`
	Last   string   `json:"last"`
}

func recordedRecurrences(t *testing.T) []recordedRecurrence {
	t.Helper()
	data, err := os.ReadFile("testdata/recurrences.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var list []recordedRecurrence
	for line := range bytes.Lines(data) {
		var recorded recordedRecurrence
		if err := json.Unmarshal(line, &recorded); err != nil {
			t.Fatal(err)
		}
		list = append(list, recorded)
	}
	if len(list) < 60 {
		t.Fatalf("%d recorded series", len(list))
	}
	return list
}

// TestRecordedRecurrences reads the rules of recorded series, finds the events
// that NightPOS made, and says the rules in the fields that they were made of.
func TestRecordedRecurrences(t *testing.T) {
	for _, recorded := range recordedRecurrences(t) {
		t.Run(recorded.Version+"/"+recorded.Scenario, func(t *testing.T) {
			var row nightpos.Recurrence
			if err := json.Unmarshal(recorded.Recurrence, &row); err != nil {
				t.Fatal(err)
			}
			rule, err := row.Rule(recorded.AllDay)
			if err != nil {
				t.Fatal(err)
			}
			start, err := time.Parse(time.DateTime, recorded.Starts[0])
			if err != nil {
				t.Fatal(err)
			}
			first := reconciler.When{AllDay: recorded.AllDay, Start: start, End: start.Add(time.Hour), Zone: string(row.Zone)}
			var starts []string
			for _, slot := range rule.Slots(reconciler.Date{}, reconciler.Date{}, 2000) {
				starts = append(starts, nightpos.SlotTime(slot, first).Start.Format(time.DateTime))
			}
			if len(starts) != recorded.Events || starts[len(starts)-1] != recorded.Last {
				t.Fatalf("%s has %d occurrences up to %s, not %d up to %s", rule.Describe(), len(starts), starts[len(starts)-1], recorded.Events, recorded.Last)
			}
			if difference := cmp.Diff(recorded.Starts, starts[:len(recorded.Starts)]); difference != "" {
				t.Fatal(difference)
			}
			values, err := nightpos.RecurrenceValues(rule, string(row.Zone), nightpos.Dialect{WeekStart: time.Sunday, Years: recorded.Version != "17"})
			if err != nil {
				t.Fatal(err)
			}
			if _, byText := recorded.Given["rrule"]; byText {
				return
			}
			given := maps.Clone(recorded.Given)
			// What was left out there, or is cut by NightPOS to what it then shows.
			for field, value := range map[string]any{"interval": 1.0, "event_tz": "Europe/Brussels"} {
				if _, ok := given[field]; !ok {
					given[field] = value
				}
			}
			if given["end_type"] == "forever" || given["count"] == 1000.0 {
				given["end_type"], given["count"] = "count", float64(nightpos.MostOccurrences)
			}
			if recorded.Version == "17" && given["rrule_type"] == "yearly" {
				given["rrule_type"], given["interval"], given["month_by"], given["day"] = "monthly", 12.0, "date", 1.0
			}
			wire, err := json.Marshal(values)
			if err != nil {
				t.Fatal(err)
			}
			var said map[string]any
			if err := json.Unmarshal(wire, &said); err != nil {
				t.Fatal(err)
			}
			maps.DeleteFunc(said, func(_ string, value any) bool { return value == false })
			if difference := cmp.Diff(given, said); difference != "" {
				t.Errorf("said as (-recorded +said):\n%s", difference)
			}
		})
	}
}

func recurrence(t *testing.T, fields string) nightpos.Recurrence {
	t.Helper()
	var row nightpos.Recurrence
	if err := json.Unmarshal([]byte(fields), &row); err != nil {
		t.Fatal(err)
	}
	return row
}

// TestYearsByTheLocalDate reads what 17 shows of a yearly series late in the
// evening, whose day it takes from UTC.
func TestYearsByTheLocalDate(t *testing.T) {
	rule, err := recurrence(t, `{"rrule_type": "monthly", "interval": 12, "month_by": "date", "day": 2, "end_type": "count", "count": 3,
		"event_tz": "America/New_York", "dtstart": "2027-02-02 02:00:00", "rrule": "DTSTART:20270202T020000\nRRULE:FREQ=YEARLY;COUNT=3"}`).Rule(false)
	if err != nil || rule.Describe() != "every year on day 1 of February from 2027-02-01, 3 times" {
		t.Errorf("%s: %v", rule.Describe(), err)
	}
}

// TestStartOfADeletedFirst keeps the first slot of a series whose first event
// was deleted (recording 218): the count still counts it.
func TestStartOfADeletedFirst(t *testing.T) {
	rule, err := recurrence(t, `{"rrule_type": "weekly", "interval": 1, "mon": true, "end_type": "count", "count": 6, "event_tz": "Europe/Brussels",
		"dtstart": "2027-01-18 09:00:00", "rrule": "DTSTART:20270111T090000\nRRULE:FREQ=WEEKLY;WKST=SU;COUNT=6;BYDAY=MO"}`).Rule(false)
	last, _ := rule.Last()
	if err != nil || rule.Start.String() != "2027-01-11" || last.String() != "2027-02-15" {
		t.Errorf("%s: %v", rule.Describe(), err)
	}
}

func TestUnreadableRecurrences(t *testing.T) {
	for name, fields := range map[string]string{
		"no start":        `{"rrule_type": "daily", "interval": 1, "end_type": "count", "count": 3, "dtstart": false, "rrule": false}`,
		"no type":         `{"rrule_type": false, "interval": 1, "end_type": "count", "count": 3, "dtstart": "2027-01-11 09:00:00"}`,
		"no end type":     `{"rrule_type": "daily", "interval": 1, "end_type": false, "dtstart": "2027-01-11 09:00:00"}`,
		"no count":        `{"rrule_type": "daily", "interval": 1, "end_type": "count", "count": 0, "dtstart": "2027-01-11 09:00:00"}`,
		"no last date":    `{"rrule_type": "daily", "interval": 1, "end_type": "end_date", "until": false, "dtstart": "2027-01-11 09:00:00"}`,
		"no weekday":      `{"rrule_type": "weekly", "interval": 1, "end_type": "count", "count": 3, "dtstart": "2027-01-11 09:00:00"}`,
		"no position":     `{"rrule_type": "monthly", "month_by": "day", "weekday": "MON", "byday": false, "interval": 1, "end_type": "count", "count": 3, "dtstart": "2027-01-11 09:00:00"}`,
		"no day in month": `{"rrule_type": "monthly", "month_by": "date", "day": 0, "interval": 1, "end_type": "count", "count": 3, "dtstart": "2027-01-11 09:00:00"}`,
	} {
		t.Run(name, func(t *testing.T) {
			if rule, err := recurrence(t, fields).Rule(false); err == nil {
				t.Errorf("read as %s", rule.Describe())
			}
		})
	}
}

func TestRulesNightPOSCannotSay(t *testing.T) {
	start := reconciler.Date{Year: 2027, Month: time.January, Day: 11}
	both := []time.Weekday{time.Sunday, time.Monday}
	monthly := reconciler.Rule{Frequency: reconciler.Monthly, Interval: 1, Start: start}
	clamped, last, several := monthly, monthly, monthly
	clamped.MonthDay, clamped.Clamp = 30, true
	last.MonthDay = reconciler.LastDay
	several.Position, several.Weekdays = 1, both
	for want, rule := range map[string]reconciler.Rule{
		"NightPOS cannot repeat an event like this: it takes the last day of months without a day 30, and NightPOS leaves those months out":    clamped,
		"NightPOS cannot repeat an event like this: it takes the last day of each month, which NightPOS cannot say":                            last,
		"NightPOS cannot repeat an event like this: it takes the first of several weekdays of the month, and NightPOS counts one weekday only": several,
		"NightPOS cannot repeat an event like this: its weeks begin on Sunday, those of NightPOS on Monday":                                    {Frequency: reconciler.Weekly, Interval: 2, Weekdays: both, Start: start},
		"NightPOS cannot repeat an event like this: it has more than 5000 occurrences, each of which is an event of its own in NightPOS": {
			Frequency: reconciler.Daily, Interval: 1, Start: start, Until: start.Add(5000),
		},
	} {
		_, err := nightpos.RecurrenceValues(rule, "Europe/Brussels", nightpos.Dialect{WeekStart: time.Monday})
		var cannot *reconciler.InexpressibleError
		if !errors.As(err, &cannot) || err.Error() != want {
			t.Errorf("%v, not %s", err, want)
		}
	}
	_, err := nightpos.RecurrenceValues(reconciler.Rule{}, "Europe/Brussels", nightpos.Dialect{})
	var cannot *reconciler.InexpressibleError
	if err == nil || errors.As(err, &cannot) {
		t.Errorf("an invalid rule is refused with %v", err)
	}
}

// TestLongCounts says a count above NightPOS's limit as a last date, which is
// not cut, and no end as no end.
func TestLongCounts(t *testing.T) {
	rule := reconciler.Rule{Frequency: reconciler.Daily, Interval: 1, Count: 721, Start: reconciler.Date{Year: 2027, Month: time.January, Day: 11}}
	said := func() []any {
		values, err := nightpos.RecurrenceValues(rule, "", nightpos.Dialect{})
		if err != nil {
			t.Fatal(err)
		}
		return []any{values["end_type"], values["count"], values["until"], values["event_tz"]}
	}
	if got := said(); !slices.Equal(got, []any{"end_date", nil, "2028-12-31", "UTC"}) {
		t.Errorf("721 times: %v", got)
	}
	rule.Count = 720
	if got := said(); !slices.Equal(got, []any{"count", 720, nil, "UTC"}) {
		t.Errorf("720 times: %v", got)
	}
	rule.Count = 0
	if got := said(); !slices.Equal(got, []any{"forever", nil, nil, "UTC"}) {
		t.Errorf("without an end: %v", got)
	}
}

// TestSlotTimeFarAway reckons as NightPOS does where it no longer knows when
// clocks are changed. Recording 111 has the first of these.
func TestSlotTimeFarAway(t *testing.T) {
	for name, test := range map[string]struct{ zone, first, date, want string }{
		"summer, north":        {"Europe/Brussels", "2027-01-11T09:00:00Z", "2040-10-22", "2040-10-22T09:00:00Z"},
		"the last year known":  {"Europe/Brussels", "2027-01-11T09:00:00Z", "2037-06-15", "2037-06-15T08:00:00Z"},
		"winter, south":        {"Australia/Sydney", "2027-01-11T09:00:00Z", "2040-07-02", "2040-07-02T09:00:00Z"},
		"first after all that": {"Europe/Brussels", "2039-01-10T09:00:00Z", "2039-07-11", "2039-07-11T09:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			start, err := time.Parse(time.RFC3339, test.first)
			if err != nil {
				t.Fatal(err)
			}
			slot, err := reconciler.ParseDate(test.date)
			if err != nil {
				t.Fatal(err)
			}
			got := nightpos.SlotTime(slot, reconciler.When{Start: start, End: start.Add(time.Hour), Zone: test.zone})
			if got.Start.Format(time.RFC3339) != test.want || got.End.Sub(got.Start) != time.Hour {
				t.Errorf("%+v", got)
			}
		})
	}
}
