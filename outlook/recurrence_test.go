package outlook_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/reconciler"
)

func recurrence(t *testing.T, wire string) outlook.Recurrence {
	t.Helper()
	var read outlook.Recurrence
	if err := json.Unmarshal([]byte(wire), &read); err != nil {
		t.Fatal(err)
	}
	return read
}

// TestRecurrencesOnTheWire says each of Graph's patterns and ranges, and reads
// it as Graph answers, with its defaults in what the pattern does not use.
func TestRecurrencesOnTheWire(t *testing.T) {
	first := reconciler.When{Start: time.Date(2027, time.January, 11, 9, 0, 0, 0, time.UTC), End: time.Date(2027, time.January, 11, 10, 0, 0, 0, time.UTC), Zone: "Europe/Brussels"}
	start := reconciler.SlotDate(first)
	const defaults = `"numberOfOccurrences": 0, "recurrenceTimeZone": "Romance Standard Time"`
	for name, test := range map[string]struct {
		rule         reconciler.Rule
		said, answer string
	}{
		"daily": {
			reconciler.Rule{Frequency: reconciler.Daily, Interval: 3, Start: start, Count: 5},
			`{"pattern":{"type":"daily","interval":3},"range":{"type":"numbered","startDate":"2027-01-11","numberOfOccurrences":5,"recurrenceTimeZone":"Romance Standard Time"}}`,
			`{"pattern":{"type":"daily","interval":3,"month":0,"dayOfMonth":0,"firstDayOfWeek":"sunday","index":"first"},
			  "range":{"type":"numbered","startDate":"2027-01-11","endDate":"0001-01-01","numberOfOccurrences":5,"recurrenceTimeZone":"Romance Standard Time"}}`,
		},
		"weekly": {
			reconciler.Rule{Frequency: reconciler.Weekly, Interval: 2, Weekdays: []time.Weekday{time.Sunday, time.Monday}, FirstWeekday: time.Monday, Start: start},
			`{"pattern":{"type":"weekly","interval":2,"daysOfWeek":["sunday","monday"],"firstDayOfWeek":"monday"},"range":{"type":"noEnd","startDate":"2027-01-11","recurrenceTimeZone":"Romance Standard Time"}}`,
			`{"pattern":{"type":"weekly","interval":2,"month":0,"dayOfMonth":0,"daysOfWeek":["Monday","Sunday"],"firstDayOfWeek":"Monday","index":"first"},
			  "range":{"type":"noEnd","startDate":"2027-01-11","endDate":"0001-01-01",` + defaults + `}}`,
		},
		"absoluteMonthly": {
			reconciler.Rule{Frequency: reconciler.Monthly, Interval: 1, MonthDay: reconciler.LastDay, Start: start, Until: start.Add(90)},
			`{"pattern":{"type":"absoluteMonthly","interval":1,"dayOfMonth":31},"range":{"type":"endDate","startDate":"2027-01-31","endDate":"2027-04-11","recurrenceTimeZone":"Romance Standard Time"}}`,
			`{"pattern":{"type":"absoluteMonthly","interval":1,"month":0,"dayOfMonth":31,"firstDayOfWeek":"sunday","index":"first"},
			  "range":{"type":"endDate","startDate":"2027-01-31","endDate":"2027-04-11",` + defaults + `}}`,
		},
		"relativeMonthly": {
			reconciler.Rule{Frequency: reconciler.Monthly, Interval: 1, Position: reconciler.LastPosition, Weekdays: []time.Weekday{1, 2, 3, 4, 5}, Start: start},
			`{"pattern":{"type":"relativeMonthly","interval":1,"daysOfWeek":["monday","tuesday","wednesday","thursday","friday"],"firstDayOfWeek":"sunday","index":"last"},"range":{"type":"noEnd","startDate":"2027-01-29","recurrenceTimeZone":"Romance Standard Time"}}`,
			`{"pattern":{"type":"relativeMonthly","interval":1,"month":0,"dayOfMonth":0,"daysOfWeek":["monday","tuesday","wednesday","thursday","friday"],"firstDayOfWeek":"sunday","index":"last"},
			  "range":{"type":"noEnd","startDate":"2027-01-29","endDate":"0001-01-01",` + defaults + `}}`,
		},
		"absoluteYearly": {
			reconciler.Rule{Frequency: reconciler.Monthly, Interval: 12, MonthDay: 11, Start: start},
			`{"pattern":{"type":"absoluteYearly","interval":1,"month":1,"dayOfMonth":11},"range":{"type":"noEnd","startDate":"2027-01-11","recurrenceTimeZone":"Romance Standard Time"}}`,
			`{"pattern":{"type":"absoluteYearly","interval":1,"month":1,"dayOfMonth":11,"firstDayOfWeek":"sunday","index":"first"},
			  "range":{"type":"noEnd","startDate":"2027-01-11","endDate":"0001-01-01",` + defaults + `}}`,
		},
		"relativeYearly": {
			reconciler.Rule{Frequency: reconciler.Yearly, Interval: 2, Month: time.March, Position: 1, Weekdays: []time.Weekday{time.Tuesday}, Start: start},
			`{"pattern":{"type":"relativeYearly","interval":2,"month":3,"daysOfWeek":["tuesday"],"firstDayOfWeek":"sunday","index":"first"},"range":{"type":"noEnd","startDate":"2027-03-02","recurrenceTimeZone":"Romance Standard Time"}}`,
			`{"pattern":{"type":"relativeYearly","interval":2,"month":3,"dayOfMonth":0,"daysOfWeek":["tuesday"]},
			  "range":{"type":"noEnd","startDate":"2027-03-02","endDate":"0001-01-01",` + defaults + `}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			said, err := outlook.RecurrenceOf(test.rule, first)
			if err != nil {
				t.Fatal(err)
			}
			wire, err := json.Marshal(said)
			if err != nil {
				t.Fatal(err)
			}
			if difference := cmp.Diff(test.said, string(wire)); difference != "" {
				t.Error(difference)
			}
			rule, zone, err := recurrence(t, test.answer).Rule()
			if err != nil || !rule.Same(test.rule) || zone != "Europe/Paris" {
				t.Errorf("read as %s in %s: %v", rule.Describe(), zone, err)
			}
		})
	}
}

func TestUnreadableRecurrences(t *testing.T) {
	for name, wire := range map[string]string{
		"no type":        `{"pattern":{"interval":1},"range":{"type":"noEnd","startDate":"2027-01-11"}}`,
		"no interval":    `{"pattern":{"type":"daily"},"range":{"type":"noEnd","startDate":"2027-01-11"}}`,
		"no range":       `{"pattern":{"type":"daily","interval":1},"range":{"startDate":"2027-01-11"}}`,
		"no start":       `{"pattern":{"type":"daily","interval":1},"range":{"type":"noEnd"}}`,
		"no count":       `{"pattern":{"type":"daily","interval":1},"range":{"type":"numbered","startDate":"2027-01-11"}}`,
		"no end":         `{"pattern":{"type":"daily","interval":1},"range":{"type":"endDate","startDate":"2027-01-11"}}`,
		"no days":        `{"pattern":{"type":"weekly","interval":1},"range":{"type":"noEnd","startDate":"2027-01-11"}}`,
		"unknown day":    `{"pattern":{"type":"weekly","interval":1,"daysOfWeek":["someday"]},"range":{"type":"noEnd","startDate":"2027-01-11"}}`,
		"unknown index":  `{"pattern":{"type":"relativeMonthly","interval":1,"index":"fifth","daysOfWeek":["monday"]},"range":{"type":"noEnd","startDate":"2027-01-11"}}`,
		"no month":       `{"pattern":{"type":"absoluteYearly","interval":1,"dayOfMonth":3},"range":{"type":"noEnd","startDate":"2027-01-11"}}`,
		"nothing occurs": `{"pattern":{"type":"daily","interval":1},"range":{"type":"endDate","startDate":"2027-01-11","endDate":"2027-01-10"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if rule, _, err := recurrence(t, wire).Rule(); err == nil {
				t.Errorf("read as %s", rule.Describe())
			}
		})
	}
}

func TestRulesOutlookCannotSay(t *testing.T) {
	at := func(zone string) reconciler.When {
		start := time.Date(2027, time.January, 31, 9, 0, 0, 0, time.UTC)
		return reconciler.When{Start: start, End: start.Add(time.Hour), Zone: zone}
	}
	start := reconciler.SlotDate(at("UTC"))
	daily := reconciler.Rule{Frequency: reconciler.Daily, Interval: 1, Start: start}
	fortNelson := at("America/Fort_Nelson")
	fortNelson.Start, fortNelson.End = fortNelson.Start.AddDate(-12, 0, 0), fortNelson.End.AddDate(-12, 0, 0)
	for want, test := range map[string]struct {
		rule  reconciler.Rule
		first reconciler.When
	}{
		"Outlook cannot repeat an event like this: it leaves out months without a day 31, where Outlook takes the month's last day": {
			reconciler.Rule{Frequency: reconciler.Monthly, Interval: 1, MonthDay: 31, Start: start}, at("UTC"),
		},
		"Outlook cannot repeat an event like this: it knows no time zone Mars/Olympus": {daily, at("Mars/Olympus")},
		// Fort Nelson stopped putting its clocks back in 2015.
		"Outlook cannot repeat an event like this: the clocks of America/Fort_Nelson and of Outlook's US Mountain Standard Time differ on some of its dates": {
			reconciler.Rule{Frequency: reconciler.Daily, Interval: 1, Start: reconciler.SlotDate(fortNelson)}, fortNelson,
		},
	} {
		_, err := outlook.RecurrenceOf(test.rule, test.first)
		var cannot *reconciler.InexpressibleError
		if !errors.As(err, &cannot) || err.Error() != want {
			t.Errorf("%v, not %s", err, want)
		}
	}
	_, err := outlook.RecurrenceOf(reconciler.Rule{}, at("UTC"))
	var cannot *reconciler.InexpressibleError
	if err == nil || errors.As(err, &cannot) {
		t.Errorf("an invalid rule is refused with %v", err)
	}
}
