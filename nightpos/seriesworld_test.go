package nightpos_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/nightpos"
	"github.com/nightpos/outlook-gateway/reconciler"
)

const brussels = "Europe/Brussels"

func first() reconciler.When { return reconciler.When{Start: day(9), End: day(10), Zone: brussels} }

func weekly(count int) reconciler.Rule {
	return reconciler.Rule{
		Frequency: reconciler.Weekly, Interval: 1, Weekdays: []time.Weekday{time.Tuesday},
		Start: reconciler.SlotDate(first()), Count: count,
	}
}

func occurrences(rule reconciler.Rule, first reconciler.When) []reconciler.Event {
	var events []reconciler.Event
	for _, slot := range rule.Slots(reconciler.Date{}, reconciler.Date{}, nightpos.MostOccurrences) {
		event := meeting()
		event.Privacy = reconciler.PrivacyPublic
		event.When = reconciler.SlotTime(slot, first)
		events = append(events, event)
	}
	return events
}

func (w *world) newSeries(key string, rule reconciler.Rule) reconciler.SeriesRecordWrite {
	return reconciler.SeriesRecordWrite{
		Key: key, Rule: &rule, Zone: brussels, First: first(), OrganizerUserID: w.alice.UserID, Create: occurrences(rule, first()),
	}
}

func (w *world) writeSeries(write reconciler.SeriesRecordWrite) reconciler.SeriesRecord {
	w.Helper()
	result := w.client.WriteSeries(w.Context(), write)
	if result.Err != nil {
		w.Fatalf("writing a series: %v", result.Err)
	}
	return *result.Record
}

func (w *world) readSeries(id int64) reconciler.SeriesRecord {
	w.Helper()
	found, err := w.client.ReadSeries(w.Context(), []int64{id})
	if err != nil {
		w.Fatal(err)
	}
	series, there := found[id]
	if !there {
		w.Fatalf("the series %d is not there", id)
	}
	return series
}

func (w *world) seriesCalls() map[string]int {
	runs := w.doorCalls()
	delete(runs, "catalogue")
	return runs
}

func ids(records []reconciler.Record) []int64 {
	var found []int64
	for _, record := range records {
		found = append(found, record.ID)
	}
	return found
}

func starts(series reconciler.SeriesRecord) []string {
	var found []string
	for _, record := range series.Occurrences {
		state := ""
		if record.Archived {
			state = " archived"
		}
		found = append(found, record.Event.When.Start.Format("2006-01-02 15:04")+state)
	}
	return found
}

func (w *world) following(series reconciler.SeriesRecord) []int64 {
	w.Helper()
	answer, err := w.rpc("calendar.event", "search", []any{[]any{"recurrence_id", "=", series.ID}, []any{"follow_recurrence", "=", true}})
	if err != nil {
		w.Fatal(err)
	}
	var found []int64
	for _, id := range answer.([]any) {
		found = append(found, int64(id.(float64)))
	}
	slices.Sort(found)
	return found
}

func inEveryVersion(t *testing.T, test func(*world)) {
	t.Helper()
	for _, version := range []int{17, 18, 19} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(newWorld(t, version)) })
		})
	}
}
