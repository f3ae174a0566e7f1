package reconciler_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// TestRefusedOccurrenceOwesItsOwnChangeAlone: NightPOS renamed an occurrence, which
// Outlook refuses, and takes over the category that it has in Outlook. The name is tried
// again with the next change. The category has arrived: taken off in NightPOS, it goes
// from Outlook too.
func TestRefusedOccurrenceOwesItsOwnChangeAlone(t *testing.T) {
	t.Parallel()
	event := at("weekly", noon)
	event.When.Zone = "Europe/Brussels"
	rule := reconciler.Rule{Frequency: reconciler.Weekly, Interval: 1, Weekdays: []time.Weekday{noon.Weekday()}, Start: reconciler.DateOf(noon), Count: 3}
	slots := rule.Slots(reconciler.Date{}, reconciler.Date{}, 3)
	copied := reconciler.SeriesCopy{
		Copy: reconciler.Copy{ID: "master", ChangeKey: "k1", IsOrganizer: true, Event: outlookShows(event)}, Rule: rule,
	}
	recurrence := reconciler.SeriesRecord{ID: 1, BaseID: 1, Rule: rule, Zone: event.When.Zone}
	for index, slot := range slots {
		occurrence := event
		occurrence.When = reconciler.SlotTime(slot, event.When)
		recurrence.Occurrences = append(recurrence.Occurrences, reconciler.Record{
			ID: int64(index + 1), OrganizerUserID: alice.UserID, Recurring: true, RecurrenceID: 1, Stamp: "s", Event: nightposShows(occurrence),
		})
	}
	var link *reconciler.Link
	see := func() *reconciler.SeriesState {
		s := &reconciler.SeriesState{State: state(alice, nil, nil, link), Apart: map[int64]bool{}, Earliest: noon.AddDate(-1, 0, 0)}
		shown, held := copied, recurrence
		shown.Exceptions, held.Occurrences = maps.Clone(copied.Exceptions), slices.Clone(recurrence.Occurrences)
		s.Series, s.Recurrence = &shown, &held
		return s
	}
	s := see()
	plan := s.Plan()
	if link = s.Settle(plan, nil, nil).Link; !plan.Idle() || link == nil {
		t.Fatalf("the sides do not agree to begin with: %+v", plan)
	}

	special := reconciler.Copy{ID: "exception", Event: outlookShows(event)}
	special.Event.When = reconciler.SlotTime(slots[1], event.When)
	special.Event.Categories = []string{"Blue"}
	copied.Exceptions = map[reconciler.Date]reconciler.Copy{slots[1]: special}
	record := &recurrence.Occurrences[1]
	record.Event.Title = "special"
	s = see()
	plan = s.Plan()
	if plan.Copy == nil || len(plan.Copy.Occurrences) != 1 || plan.Copy.Occurrences[0].Fields.String() != "title" ||
		plan.Record == nil || len(plan.Record.Writes) != 1 || plan.Record.Writes[0].Fields.String() != "categories" {
		t.Fatalf("got %+v and %+v, want the title in Outlook and the category in NightPOS", plan.Copy, plan.Record)
	}
	record.Event.Categories = []string{"Blue"}
	answered := see()
	link = s.Settle(plan,
		&reconciler.SeriesCopyResult{Copy: answered.Series, Occurrences: []error{&reconciler.RefusedError{Reason: "Outlook: 400"}}},
		&reconciler.SeriesRecordResult{Record: answered.Recurrence}).Link

	record.Event.Categories = nil
	plan = see().Plan()
	if plan.Copy == nil || len(plan.Copy.Occurrences) != 1 || plan.Copy.Occurrences[0].Fields.String() != "title,categories" || plan.Record != nil {
		t.Errorf("got %+v and %+v, want the title and no category in Outlook", plan.Copy, plan.Record)
	}
}
