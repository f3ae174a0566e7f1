package reconciler_test

import (
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// A reset leaves alone what stands in another calendar, also where the link does not
// tell that yet, as after a pause.
func TestAResetLeavesWhatIsElsewhere(t *testing.T) {
	state := reconciler.State{
		Member: reconciler.Member{ID: "6", UserID: 6},
		Link:   &reconciler.Link{RecordID: 1, GraphID: "a", Role: reconciler.RoleOrganizer},
		Copy:   &reconciler.Copy{ID: "a", IsOrganizer: true, Elsewhere: true},
		Record: &reconciler.Record{ID: 1, OrganizerUserID: 6},
	}
	if there, here := state.Deletes(reconciler.Reset{Outlook: true, NightPOS: true}); there || here {
		t.Errorf("it deletes it in Outlook %t, in NightPOS %t", there, here)
	}
}

// What is one with a record and stands elsewhere without a link is noted, whatever it
// is written with, and meets its record anew once it is back.
func TestWhatIsElsewhereIsNoted(t *testing.T) {
	state := reconciler.State{
		Member:    reconciler.Member{ID: "6", UserID: 6, Address: "a@example.com"},
		Copy:      &reconciler.Copy{ID: "a", ICalUID: "u", ChangeKey: "1", IsOrganizer: true, Elsewhere: true, Event: reconciler.Event{Title: "Outlook"}},
		Record:    &reconciler.Record{ID: 1, OrganizerUserID: 6, Event: reconciler.Event{Title: "NightPOS"}},
		ByAddress: func(reconciler.Person) (reconciler.Member, bool) { return reconciler.Member{}, false },
		ByUser:    func(int64) (reconciler.Member, bool) { return reconciler.Member{}, false },
	}
	plan := state.Plan()
	if !plan.Idle() || plan.Reason == "" {
		t.Fatalf("the plan is %+v", plan)
	}
	link := state.Settle(plan, nil, nil).Link
	if link == nil || !link.Aside || link.GraphID != "a" || link.RecordID != 1 || link.ICalUID != "u" || link.ChangeKey != "" || len(link.Outlook)+len(link.NightPOS) > 0 {
		t.Fatalf("the link is %+v", link)
	}
	state.Copy = nil
	state.Link = link
	if plan := state.Plan(); !plan.Idle() {
		t.Errorf("gone from there, the plan writes %+v %+v", plan.Outlook, plan.NightPOS)
	}
	stranger := reconciler.State{Member: state.Member, Copy: &reconciler.Copy{ID: "b", IsOrganizer: true, Elsewhere: true}}
	stranger.ByAddress, stranger.ByUser = state.ByAddress, state.ByUser
	plan = stranger.Plan()
	if settled := stranger.Settle(plan, nil, nil); !plan.Idle() || settled.Link != nil {
		t.Errorf("what is nobody's: %+v, link %+v", plan, settled.Link)
	}
}

// An invitation waits for the organizer's calendar for as long as that can need.
func TestTheWaitForTheOrganizerEnds(t *testing.T) {
	now := time.Date(2027, 1, 12, 9, 0, 0, 0, time.UTC)
	organizer := reconciler.Member{ID: "7", UserID: 7, Address: "o@example.com"}
	state := reconciler.State{
		Member:    reconciler.Member{ID: "6", UserID: 6, Address: "a@example.com"},
		Copy:      &reconciler.Copy{ID: "a", ICalUID: "u", Event: reconciler.Event{Organizer: reconciler.Person{Address: organizer.Address}}},
		ByAddress: func(reconciler.Person) (reconciler.Member, bool) { return organizer, true },
		ByUser:    func(int64) (reconciler.Member, bool) { return organizer, true },
		Now:       now, OrganizerTime: time.Hour, Late: true,
	}
	for _, one := range []struct {
		name   string
		change func()
		waits  bool
	}{
		{"just changed", func() { state.Copy.Modified = now.Add(-59 * time.Minute) }, true},
		{"unchanged for long", func() { state.Copy.Modified = now.Add(-time.Hour) }, false},
		{"the organizer has just connected", func() { organizer.First.Began = now.Add(-time.Minute) }, true},
		{"the organizer connected long ago", func() { organizer.First.Began = now.Add(-time.Hour) }, false},
		{"the guest has just connected", func() { state.Member.First.Began = now.Add(-time.Minute) }, true},
		{"the guest connected long ago", func() { state.Member.First.Began = now.Add(-time.Hour) }, false},
		{"it is only now looked at", func() { state.Late = false }, true},
		{"it was looked at often", func() { state.Late = true }, false},
		{"nothing is done for the organizer", func() { organizer.Parked = "paused" }, true},
	} {
		one.change()
		if plan := state.Plan(); plan.Wait != one.waits || plan.Reason == "" || !plan.Idle() {
			t.Errorf("%s: it waits %t, %q", one.name, plan.Wait, plan.Reason)
		}
	}
}
