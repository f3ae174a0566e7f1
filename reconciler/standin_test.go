package reconciler_test

import (
	"testing"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// dave is a user of NightPOS who has not connected Outlook.
const dave = 12

// foreign is the meeting as a record that dave, or nobody, organises.
func foreign(organizer int64, answer reconciler.Answer) *reconciler.Record {
	record := recordWith(answer)
	record.OrganizerUserID = organizer
	return record
}

// standIn is bob's appointment in its place.
func standIn() *reconciler.Copy {
	copied := copyFor(bob, reconciler.AnswerNone)
	copied.IsOrganizer, copied.RecordID = true, 42
	copied.Event.People = nil
	return copied
}

// standInLink is the link after the stand-in was made.
func standInLink(t *testing.T, organizer int64) *reconciler.Link {
	t.Helper()
	s := state(bob, nil, foreign(organizer, reconciler.AnswerNone), nil)
	plan := s.Plan()
	if plan.Outlook == nil || plan.Outlook.Action != reconciler.ActionCreate || len(plan.Outlook.Event.People) != 0 || plan.Mails != 0 {
		t.Fatalf("got %q inviting %v with %d mails, want an appointment that mails nobody", describe(plan), plan.Outlook, plan.Mails)
	}
	return s.Settle(plan, &reconciler.OutlookResult{Copy: standIn()}, nil).Link
}

func TestStandInForAMeetingWhoseOrganizerHasNotConnected(t *testing.T) {
	t.Parallel()
	for _, organizer := range []int64{dave, 0} {
		link := standInLink(t, organizer)
		if link == nil || link.Role != reconciler.RoleStandIn {
			t.Fatalf("organizer %d: got link %+v, want a stand-in", organizer, link)
		}
		tests := []struct {
			name   string
			change func(*reconciler.State)
			want   string
		}{
			{name: "nothing changed", change: func(*reconciler.State) {}, want: "nothing"},
			{name: "renamed in NightPOS", change: func(s *reconciler.State) { s.Record.Event.Title = "New" }, want: "outlook update title"},
			{name: "renamed in Outlook stays there", change: func(s *reconciler.State) { s.Copy.Event.Title = "Mine" }, want: "nothing"},
			{
				name: "somebody else invited or answering changes nothing", want: "nothing",
				change: func(s *reconciler.State) {
					s.Record.Event.People[1].Answer = reconciler.AnswerAccepted
					s.Record.Event.People = append(s.Record.Event.People, reconciler.Person{Address: "erin@customer.example"})
				},
			},
			{name: "removed in Outlook is a refusal", change: func(s *reconciler.State) { s.Copy = nil }, want: "nightpos answer declined"},
			{name: "refused in NightPOS", change: func(s *reconciler.State) { s.Record.Event.People[0].Answer = reconciler.AnswerDeclined }, want: "outlook delete "},
			{name: "accepted in NightPOS", change: func(s *reconciler.State) { s.Record.Event.People[0].Answer = reconciler.AnswerAccepted }, want: "nothing"},
			{name: "no longer invited", change: func(s *reconciler.State) { s.Record.Event.People = s.Record.Event.People[1:] }, want: "outlook delete "},
			{name: "archived", change: func(s *reconciler.State) { s.Record.Archived = true }, want: "outlook delete "},
			{name: "unlinked", change: func(s *reconciler.State) { s.Record = nil }, want: "outlook delete "},
			{name: "the organizer connects", change: func(s *reconciler.State) { s.Record.OrganizerUserID = alice.UserID }, want: "outlook delete "},
			{
				name: "bob becomes the organizer", want: "outlook update people",
				change: func(s *reconciler.State) {
					s.Record.OrganizerUserID = bob.UserID
					s.Record.Event.People = s.Record.Event.People[1:]
				},
			},
			{name: "the store was emptied", change: func(s *reconciler.State) { s.Link = nil }, want: "nothing"},
		}
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				s := state(bob, standIn(), foreign(organizer, reconciler.AnswerNone), link)
				test.change(&s)
				plan := s.Plan()
				if got := describe(plan); got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
				if plan.Outlook != nil && plan.Outlook.Action == reconciler.ActionDelete && plan.Mails != 0 {
					t.Errorf("expects %d mails, want none", plan.Mails)
				}
			})
		}
	}
}

func TestStandInComesBackWithTheAnswer(t *testing.T) {
	t.Parallel()
	link := standInLink(t, dave)
	s := state(bob, standIn(), foreign(dave, reconciler.AnswerDeclined), link)
	ended := s.Settle(s.Plan(), &reconciler.OutlookResult{}, nil).Link
	if ended == nil || !ended.Ended {
		t.Fatalf("after a refusal: got link %+v, want an ended one", ended)
	}
	plan := state(bob, nil, foreign(dave, reconciler.AnswerAccepted), ended).Plan()
	if plan.Outlook == nil || plan.Outlook.Action != reconciler.ActionCreate {
		t.Errorf("got %q, want the stand-in again", describe(plan))
	}
}

func TestMeetingIsHandedOver(t *testing.T) {
	t.Parallel()
	link := agreed(t, state(alice, copyFor(alice, reconciler.AnswerNone), recordWith(reconciler.AnswerNone), nil))
	record := recordWith(reconciler.AnswerNone)
	record.OrganizerUserID = bob.UserID
	record.Event.People = []reconciler.Person{{Address: alice.Address}, {Address: "carol@customer.example"}}

	former := state(alice, copyFor(alice, reconciler.AnswerNone), record, link)
	plan := former.Plan()
	if got, want := describe(plan), "outlook delete "; got != want {
		t.Errorf("in the former organizer's mailbox: got %q, want %q", got, want)
	}
	if plan.Mails != 2 {
		t.Errorf("expects %d cancellations, want 2", plan.Mails)
	}
	if settled := former.Settle(plan, &reconciler.OutlookResult{}, nil); !settled.Drop {
		t.Errorf("the former organizer's link stays: %+v", settled.Link)
	}

	invited := agreed(t, state(bob, copyFor(bob, reconciler.AnswerNone), recordWith(reconciler.AnswerNone), nil))
	next := state(bob, copyFor(bob, reconciler.AnswerNone), record, invited)
	plan = next.Plan()
	if plan.Outlook == nil || plan.Outlook.Action != reconciler.ActionCreate || plan.Mails != 2 {
		t.Fatalf("in the new organizer's mailbox: got %q with %d mails, want a new meeting with 2 invitations", describe(plan), plan.Mails)
	}
	made := copyFor(bob, reconciler.AnswerNone)
	made.ID, made.ICalUID, made.IsOrganizer, made.Event.People = "made", "uid-2", true, record.Event.People
	kept := next.Settle(plan, &reconciler.OutlookResult{Copy: made}, nil).Link
	if kept == nil || kept.GraphID != "made" || kept.Role != reconciler.RoleOrganizer || kept.Ended {
		t.Fatalf("the new organizer's link is %+v", kept)
	}
	if got := describe(state(bob, made, record, kept).Plan()); got != "nothing" {
		t.Errorf("once handed over: got %q, want nothing", got)
	}
}
