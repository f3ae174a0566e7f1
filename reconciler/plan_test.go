package reconciler_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/reconciler"
)

var (
	bob  = reconciler.Member{ID: "7", UserID: 7, PartnerID: 8, Address: "bob@nightpos.example", Mailbox: "bob@nightpos.example", Name: "Bob"}
	noon = time.Date(2027, 1, 11, 12, 0, 0, 0, time.UTC)
)

// meeting is one that Alice organises and Bob and Carol are invited to.
func meeting() reconciler.Event {
	return reconciler.Event{
		Title: "Plan", When: reconciler.When{Start: noon, End: noon.Add(time.Hour)},
		ShowAs: reconciler.ShowAsBusy, Privacy: reconciler.PrivacyPublic,
		Organizer: reconciler.Person{Address: alice.Address},
		People:    []reconciler.Person{{Address: bob.Address}, {Address: "carol@customer.example"}},
	}
}

// state is the meeting as it stands in a member's mailbox and in NightPOS.
func state(member reconciler.Member, copied *reconciler.Copy, record *reconciler.Record, link *reconciler.Link) reconciler.State {
	connected := map[string]reconciler.Member{
		reconciler.Person{Address: alice.Address}.Key(): alice, reconciler.Person{Address: alice.Mailbox}.Key(): alice,
		reconciler.Person{Address: bob.Address}.Key(): bob,
	}
	return reconciler.State{
		Member: member, Database: "night", Copy: copied, Record: record, Link: link, Policy: reconciler.PolicyNewest, Now: noon.Add(-time.Hour),
		ByAddress: func(person reconciler.Person) (reconciler.Member, bool) {
			found, is := connected[person.Key()]
			return found, is
		},
		ByUser: func(id int64) (reconciler.Member, bool) {
			found, is := map[int64]reconciler.Member{6: alice, 7: bob}[id]
			return found, is
		},
		Outlook: &fakeOutlook{}, NightPOS: &fakeNightPOS{},
	}
}

func copyFor(member reconciler.Member, answer reconciler.Answer) *reconciler.Copy {
	event := meeting()
	return &reconciler.Copy{
		ID: "copy-" + member.ID, ICalUID: "uid", ChangeKey: "k1", IsOrganizer: member.ID == alice.ID, OwnAnswer: answer,
		Event: outlookShows(event), Modified: noon.Add(-2 * time.Hour),
	}
}

func recordWith(answer reconciler.Answer) *reconciler.Record {
	event := meeting()
	event.People[0].Answer = answer
	return &reconciler.Record{ID: 42, OrganizerUserID: 6, Stamp: "2027-01-11 10:00:00", Event: nightposShows(event), Modified: noon.Add(-2 * time.Hour)}
}

// agreed is the link that a plan without writes leaves behind.
func agreed(t *testing.T, s reconciler.State) *reconciler.Link {
	t.Helper()
	plan := s.Plan()
	if !plan.Idle() {
		t.Fatalf("the sides do not agree to begin with: %+v", plan)
	}
	link := s.Settle(plan, nil, nil).Link
	if link == nil {
		t.Fatal("agreeing sides were not linked")
	}
	return link
}

func TestAttendeeCopySpeaksForItsOwnerOnly(t *testing.T) {
	t.Parallel()
	link := agreed(t, state(bob, copyFor(bob, reconciler.AnswerNone), recordWith(reconciler.AnswerNone), nil))
	if link.Role != reconciler.RoleAttendee {
		t.Fatalf("role %q, want %q", link.Role, reconciler.RoleAttendee)
	}
	tests := []struct {
		name   string
		copied *reconciler.Copy
		record *reconciler.Record
		change func(*reconciler.State)
		want   string
	}{
		{name: "accepted in Outlook", copied: copyFor(bob, reconciler.AnswerAccepted), record: recordWith(reconciler.AnswerNone), want: "nightpos answer accepted"},
		{name: "declined in NightPOS", copied: copyFor(bob, reconciler.AnswerNone), record: recordWith(reconciler.AnswerDeclined), want: "outlook answer declined"},
		{name: "same answer on both sides", copied: copyFor(bob, reconciler.AnswerTentative), record: recordWith(reconciler.AnswerTentative), want: "nothing"},
		{name: "deleted from Outlook is a refusal", record: recordWith(reconciler.AnswerNone), want: "nightpos answer declined"},
		{
			name: "cancelled by the organizer is not", copied: copyFor(bob, reconciler.AnswerNone), record: recordWith(reconciler.AnswerNone), want: "nothing",
			change: func(s *reconciler.State) { s.Copy.Cancelled = true },
		},
		{
			name: "title changed in the own copy", copied: copyFor(bob, reconciler.AnswerNone), record: recordWith(reconciler.AnswerNone), want: "nothing",
			change: func(s *reconciler.State) { s.Copy.Event.Title = "mine" },
		},
		{
			name: "archived in NightPOS is the organizer's business", copied: copyFor(bob, reconciler.AnswerNone), record: recordWith(reconciler.AnswerNone), want: "nothing",
			change: func(s *reconciler.State) { s.Record.Archived = true },
		},
		{
			name: "answered on both sides, NightPOS later", copied: copyFor(bob, reconciler.AnswerAccepted), record: recordWith(reconciler.AnswerDeclined), want: "outlook answer declined",
			change: func(s *reconciler.State) { s.Record.Modified = noon },
		},
		{
			name: "answered on both sides, Outlook later", copied: copyFor(bob, reconciler.AnswerAccepted), record: recordWith(reconciler.AnswerDeclined), want: "nightpos answer accepted",
			change: func(s *reconciler.State) { s.Copy.Modified = noon },
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := state(bob, test.copied, test.record, link)
			if test.change != nil {
				test.change(&s)
			}
			if got := describe(s.Plan()); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// describe puts a plan into a few words.
func describe(plan reconciler.Plan) string {
	text := ""
	if plan.Outlook != nil {
		text += "outlook " + string(plan.Outlook.Action) + " " + string(plan.Outlook.Answer) + plan.Outlook.Fields.String()
	}
	if plan.NightPOS != nil {
		if text != "" {
			text += ", "
		}
		text += "nightpos " + string(plan.NightPOS.Action) + " " + string(plan.NightPOS.Answer) + plan.NightPOS.Fields.String()
	}
	if text == "" {
		return "nothing"
	}
	return text
}

func TestOrganizerCopy(t *testing.T) {
	t.Parallel()
	link := agreed(t, state(alice, copyFor(alice, reconciler.AnswerNone), recordWith(reconciler.AnswerNone), nil))
	tests := []struct {
		name   string
		change func(*reconciler.State)
		want   string
		mails  int
	}{
		{name: "nothing changed", change: func(*reconciler.State) {}, want: "nothing"},
		{name: "renamed in Outlook", change: func(s *reconciler.State) { s.Copy.Event.Title = "New" }, want: "nightpos update title"},
		{name: "renamed in NightPOS", change: func(s *reconciler.State) { s.Record.Event.Title = "New" }, want: "outlook update title", mails: 2},
		{
			name: "different fields on both sides", want: "outlook update place, nightpos update title", mails: 2,
			change: func(s *reconciler.State) { s.Copy.Event.Title, s.Record.Event.Place = "New", "Room 1" },
		},
		{
			name: "working elsewhere is busy to NightPOS", want: "nothing",
			change: func(s *reconciler.State) { s.Copy.Event.ShowAs = reconciler.ShowAsWorkingElsewhere },
		},
		{
			name: "somebody invited in NightPOS is the only one written to", want: "outlook update people", mails: 1,
			change: func(s *reconciler.State) {
				s.Record.Event.People = append(s.Record.Event.People, reconciler.Person{Address: "dave@customer.example"})
			},
		},
		{
			name: "a person without address cannot be shown in Outlook", want: "nothing",
			change: func(s *reconciler.State) {
				s.Record.Event.People = append(s.Record.Event.People, reconciler.Person{Name: "Eve"})
			},
		},
		{
			name: "the order of people does not matter", want: "nothing",
			change: func(s *reconciler.State) {
				people := s.Copy.Event.People
				people[0], people[1] = people[1], people[0]
			},
		},
		{
			name: "an outsider's answer arrives with the organizer's copy", want: "nightpos update answers",
			change: func(s *reconciler.State) { s.Copy.Event.People[1].Answer = reconciler.AnswerAccepted },
		},
		{
			name: "a connected attendee's answer comes from that person's own copy", want: "nothing",
			change: func(s *reconciler.State) { s.Copy.Event.People[0].Answer = reconciler.AnswerAccepted },
		},
		{name: "deleted in Outlook archives", change: func(s *reconciler.State) { s.Copy = nil }, want: "nightpos archive "},
		{name: "archived in NightPOS deletes", change: func(s *reconciler.State) { s.Record.Archived = true }, want: "outlook delete ", mails: 2},
		{name: "unlinked in NightPOS deletes", change: func(s *reconciler.State) { s.Record = nil }, want: "outlook delete ", mails: 2},
		{
			name: "deletion wins over an edit", want: "nightpos archive ",
			change: func(s *reconciler.State) { s.Copy, s.Record.Event.Title = nil, "New" },
		},
		{
			name: "a masked private event is never pushed", want: "nothing",
			change: func(s *reconciler.State) {
				s.Record.Masked, s.Record.Event = true, reconciler.Event{Title: "Busy", When: meeting().When}
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := state(alice, copyFor(alice, reconciler.AnswerNone), recordWith(reconciler.AnswerNone), link)
			test.change(&s)
			plan := s.Plan()
			if got := describe(plan); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if plan.Mails != test.mails {
				t.Errorf("expects %d mails, want %d", plan.Mails, test.mails)
			}
		})
	}
}

func TestConflictKeepsTheLosersValue(t *testing.T) {
	t.Parallel()
	link := agreed(t, state(alice, copyFor(alice, reconciler.AnswerNone), recordWith(reconciler.AnswerNone), nil))
	for policy, want := range map[reconciler.Policy]reconciler.Conflict{
		reconciler.PolicyOutlook:  {Field: reconciler.FieldTitle, Loser: reconciler.SideNightPOS, Lost: "by NightPOS", Value: &reconciler.Event{Title: "by NightPOS"}},
		reconciler.PolicyNightPOS: {Field: reconciler.FieldTitle, Loser: reconciler.SideOutlook, Lost: "by Outlook", Value: &reconciler.Event{Title: "by Outlook"}},
		reconciler.PolicyNewest:   {Field: reconciler.FieldTitle, Loser: reconciler.SideOutlook, Lost: "by Outlook", Value: &reconciler.Event{Title: "by Outlook"}},
	} {
		s := state(alice, copyFor(alice, reconciler.AnswerNone), recordWith(reconciler.AnswerNone), link)
		s.Policy, s.Copy.Event.Title, s.Record.Event.Title = policy, "by Outlook", "by NightPOS"
		s.Record.Modified = s.Copy.Modified.Add(time.Second)
		if difference := cmp.Diff([]reconciler.Conflict{want}, s.Plan().Conflicts); difference != "" {
			t.Errorf("policy %s (-want +got):\n%s", policy, difference)
		}
	}
}

// TestDefaultPrivacyLeavesPersonalAlone: with no base, after a lost answer, the
// two must not look like a change that mails everybody.
func TestDefaultPrivacyLeavesPersonalAlone(t *testing.T) {
	t.Parallel()
	s := state(alice, copyFor(alice, reconciler.AnswerNone), recordWith(reconciler.AnswerNone), nil)
	s.Copy.Event.Privacy, s.Record.Event.Privacy = reconciler.PrivacyPersonal, reconciler.PrivacyDefault
	s.Record.Modified = s.Copy.Modified.Add(time.Second)
	if plan := s.Plan(); !plan.Idle() {
		t.Errorf("got %q with %d mails, want nothing", describe(plan), plan.Mails)
	}
}

// TestMeetingComesBackWithItsAnswers: bob had accepted when the meeting was
// archived and his copy went. Brought back, it invites him anew, and his mailbox
// takes the answer over from NightPOS without telling anybody.
func TestMeetingComesBackWithItsAnswers(t *testing.T) {
	t.Parallel()
	link := agreed(t, state(bob, copyFor(bob, reconciler.AnswerAccepted), recordWith(reconciler.AnswerAccepted), nil))
	archived := recordWith(reconciler.AnswerAccepted)
	archived.Archived = true
	cancelled := copyFor(bob, reconciler.AnswerAccepted)
	cancelled.Cancelled = true
	for name, copied := range map[string]*reconciler.Copy{"gone": nil, "cancelled": cancelled} {
		s := state(bob, copied, archived, link)
		ended := s.Settle(s.Plan(), nil, nil).Link
		if ended == nil || !ended.Ended {
			t.Fatalf("%s: got link %+v, want an ended one", name, ended)
		}
		again := copyFor(bob, reconciler.AnswerNone)
		again.ID = "invited again"
		plan := state(bob, again, recordWith(reconciler.AnswerAccepted), ended).Plan()
		if got, want := describe(plan), "outlook answer accepted"; got != want || plan.Mails != 0 {
			t.Errorf("%s: got %q with %d mails, want %q with none", name, got, plan.Mails, want)
		}
	}
}

// TestRefusalStands: bob removed the invitation, and Outlook sends it again with
// the next update.
func TestRefusalStands(t *testing.T) {
	t.Parallel()
	link := agreed(t, state(bob, copyFor(bob, reconciler.AnswerAccepted), recordWith(reconciler.AnswerAccepted), nil))
	s := state(bob, nil, recordWith(reconciler.AnswerAccepted), link)
	plan := s.Plan()
	if got, want := describe(plan), "nightpos answer declined"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	ended := s.Settle(plan, nil, &reconciler.RecordResult{Record: recordWith(reconciler.AnswerDeclined)}).Link
	again := copyFor(bob, reconciler.AnswerNone)
	again.ID = "invited again"
	if got := describe(state(bob, again, recordWith(reconciler.AnswerDeclined), ended).Plan()); got != "nothing" {
		t.Errorf("invited again: got %q, want nothing", got)
	}
	again.OwnAnswer = reconciler.AnswerAccepted
	if got, want := describe(state(bob, again, recordWith(reconciler.AnswerDeclined), ended).Plan()), "nightpos answer accepted"; got != want {
		t.Errorf("accepted after all: got %q, want %q", got, want)
	}
}

// TestInvitedAgain: bob accepted, was uninvited, and is invited again in
// NightPOS, which makes him a new row. His copy, which stayed as a cancelled one,
// comes back and has yet to be answered; should it still show the old answer, then
// that goes to NightPOS and nobody is mailed.
func TestInvitedAgain(t *testing.T) {
	t.Parallel()
	link := agreed(t, state(bob, copyFor(bob, reconciler.AnswerAccepted), recordWith(reconciler.AnswerAccepted), nil))
	uninvited, without := copyFor(bob, reconciler.AnswerAccepted), recordWith(reconciler.AnswerNone)
	uninvited.Cancelled, without.Event.People = true, without.Event.People[1:]
	s := state(bob, uninvited, without, link)
	plan := s.Plan()
	if got := describe(plan); got != "nothing" {
		t.Fatalf("uninvited: got %q, want nothing", got)
	}
	ended := s.Settle(plan, nil, nil).Link
	for answer, want := range map[reconciler.Answer]string{reconciler.AnswerNone: "nothing", reconciler.AnswerAccepted: "nightpos answer accepted"} {
		if got := describe(state(bob, copyFor(bob, answer), recordWith(reconciler.AnswerNone), ended).Plan()); got != want {
			t.Errorf("invited again with the answer %q: got %q, want %q", answer, got, want)
		}
	}
}

// TestRecordMadeBefore: the answer to a create in NightPOS was lost, and the copy
// was edited before the create was repeated. What differs is that edit, as long as
// nobody has written to the record.
func TestRecordMadeBefore(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(copied *reconciler.Copy, record *reconciler.Record)
		want   string
	}{
		{name: "nothing", want: "nothing", change: func(*reconciler.Copy, *reconciler.Record) {}},
		{name: "taken off in Outlook", want: "nightpos update people", change: func(copied *reconciler.Copy, _ *reconciler.Record) {
			copied.Event.People = copied.Event.People[:1]
		}},
		{name: "added in Outlook", want: "nightpos update people", change: func(copied *reconciler.Copy, _ *reconciler.Record) {
			copied.Event.People = append(copied.Event.People, reconciler.Person{Address: "dave@customer.example"})
		}},
		{name: "renamed and moved", want: "nightpos update title,when", change: func(copied *reconciler.Copy, _ *reconciler.Record) {
			copied.Event.Title, copied.Event.When.Start = "New", noon.Add(-time.Hour)
		}},
		{name: "text", want: "nightpos update body", change: func(copied *reconciler.Copy, _ *reconciler.Record) {
			copied.Event.Body = "<p>New</p>"
		}},
		{name: "category removed", want: "nightpos update categories", change: func(_ *reconciler.Copy, record *reconciler.Record) {
			record.Event.Categories = []string{"Green"}
		}},
		{name: "made private in Outlook", want: "nightpos update privacy", change: func(copied *reconciler.Copy, _ *reconciler.Record) {
			copied.Event.Privacy = reconciler.PrivacyPrivate
		}},
		{name: "private by its owner's default", want: "outlook update privacy", change: func(_ *reconciler.Copy, record *reconciler.Record) {
			record.Event.Privacy = reconciler.PrivacyPrivate
		}},
		{name: "answered in Outlook", want: "nightpos update answers", change: func(copied *reconciler.Copy, _ *reconciler.Record) {
			copied.Event.People[1].Answer = reconciler.AnswerAccepted
		}},
		{name: "answered in NightPOS", want: "nothing", change: func(_ *reconciler.Copy, record *reconciler.Record) {
			record.Event.People[1].Answer = reconciler.AnswerAccepted
		}},
		{
			name: "taken off in Outlook, and somebody wrote to the record", want: "outlook update people",
			change: func(copied *reconciler.Copy, record *reconciler.Record) {
				copied.Event.People, record.Untouched = copied.Event.People[:1], false
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			copied, record := copyFor(alice, reconciler.AnswerNone), recordWith(reconciler.AnswerNone)
			record.Untouched = true
			test.change(copied, record)
			s := state(alice, copied, nil, nil)
			settled := s.Settle(s.Plan(), nil, &reconciler.RecordResult{Record: record, Existed: true})
			if !settled.Again || settled.Link == nil {
				t.Fatalf("got %+v, want another look", settled)
			}
			next := state(alice, copied, record, settled.Link)
			if got := describe(next.Plan()); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestFailedWriteLeavesNoEcho: while a write is yet to be repeated, a second
// notification of the same version must not end the work as an echo.
func TestFailedWriteLeavesNoEcho(t *testing.T) {
	t.Parallel()
	link := agreed(t, state(bob, copyFor(bob, reconciler.AnswerNone), recordWith(reconciler.AnswerNone), nil))
	failed := &reconciler.RetryError{Cause: "outlook_unavailable", Err: errors.New("503")}
	answering := state(bob, copyFor(bob, reconciler.AnswerNone), recordWith(reconciler.AnswerAccepted), link)
	answered := state(bob, copyFor(bob, reconciler.AnswerAccepted), recordWith(reconciler.AnswerNone), link)
	for name, settled := range map[string]reconciler.Settled{
		"outlook":  answering.Settle(answering.Plan(), &reconciler.OutlookResult{Err: failed}, nil),
		"nightpos": answered.Settle(answered.Plan(), nil, &reconciler.RecordResult{Err: failed}),
	} {
		if settled.Link == nil || settled.Link.ChangeKey != "" {
			t.Errorf("%s failed: got link %+v, want one that knows no version", name, settled.Link)
		}
	}
}

// TestLostAnswerAboutABodyMailsNobody: NightPOS took a body over from Outlook and
// the answer was lost. What it shows now is the same text in markup of its own,
// saved later than Outlook's.
func TestLostAnswerAboutABodyMailsNobody(t *testing.T) {
	t.Parallel()
	link := agreed(t, state(alice, copyFor(alice, reconciler.AnswerNone), recordWith(reconciler.AnswerNone), nil))
	s := state(alice, copyFor(alice, reconciler.AnswerNone), recordWith(reconciler.AnswerNone), link)
	s.Copy.Event.Body, s.Record.Event.Body = "<div><p>Agenda</p><p>Budget</p></div>", "<p style=\"margin:0\">Agenda</p>\n<p>Budget</p>"
	s.Record.Modified = s.Copy.Modified.Add(time.Second)
	if plan := s.Plan(); !plan.Idle() {
		t.Errorf("got %q with %d mails, want nothing", describe(plan), plan.Mails)
	}
	s.Record.Event.Body = "<p>Another agenda</p>"
	if got, want := describe(s.Plan()), "outlook update body"; got != want {
		t.Errorf("another text: got %q, want %q", got, want)
	}
}

// TestQuietAnswerStaysQuiet: the answer that a new copy takes over from NightPOS
// mails nobody, also when it takes two attempts.
func TestQuietAnswerStaysQuiet(t *testing.T) {
	t.Parallel()
	s := state(bob, copyFor(bob, reconciler.AnswerNone), recordWith(reconciler.AnswerAccepted), nil)
	failed := &reconciler.OutlookResult{Err: &reconciler.RetryError{Cause: "outlook_unavailable", Err: errors.New("503")}}
	for attempt := range 3 {
		plan := s.Plan()
		if got, want := describe(plan), "outlook answer accepted"; got != want || plan.Mails != 0 || !plan.Outlook.Quiet {
			t.Fatalf("attempt %d: got %q with %d mails, want %q with none", attempt, got, plan.Mails, want)
		}
		s.Link = s.Settle(plan, failed, nil).Link
	}
	s.Record = recordWith(reconciler.AnswerDeclined)
	if plan := s.Plan(); !plan.Idle() {
		t.Errorf("declined in NightPOS meanwhile: got %q, want nothing", describe(plan))
	}
}

func TestPastMeetingsInviteNobody(t *testing.T) {
	t.Parallel()
	s := state(alice, nil, recordWith(reconciler.AnswerNone), nil)
	s.Now = noon.AddDate(0, 0, 1)
	plan := s.Plan()
	if plan.Outlook == nil || plan.Outlook.Action != reconciler.ActionCreate {
		t.Fatalf("got %q, want a create in Outlook", describe(plan))
	}
	if len(plan.Outlook.Event.People) != 0 || plan.Mails != 0 {
		t.Errorf("invites %v with %d mails, want nobody", plan.Outlook.Event.People, plan.Mails)
	}
}

func TestGuestOfAnOutsider(t *testing.T) {
	t.Parallel()
	event := meeting()
	event.Organizer = reconciler.Person{Address: "zoe@customer.example"}
	copied := &reconciler.Copy{ID: "copy", ICalUID: "uid", ChangeKey: "k1", OwnAnswer: reconciler.AnswerTentative, Event: event}
	plan := state(bob, copied, nil, nil).Plan()
	if plan.Role != reconciler.RoleGuest || plan.NightPOS == nil || plan.NightPOS.Action != reconciler.ActionCreate || plan.NightPOS.OrganizerUserID != 0 {
		t.Fatalf("got role %q and %q, want a record that nobody in NightPOS organises", plan.Role, describe(plan))
	}
	record := &reconciler.Record{ID: 9, Stamp: "s", Event: nightposShows(plan.NightPOS.Event), ExternalKey: plan.NightPOS.Key}
	if got := record.Event.People[0].Answer; got != reconciler.AnswerTentative {
		t.Errorf("Bob's answer in NightPOS is %q, want %q", got, reconciler.AnswerTentative)
	}
	first := state(bob, copied, nil, nil)
	link := first.Settle(plan, nil, &reconciler.RecordResult{Record: record}).Link

	edited := *record
	edited.Event.Title = "renamed in NightPOS"
	plan = state(bob, copied, &edited, link).Plan()
	if !plan.Idle() || plan.Reason == "" {
		t.Errorf("an edit in NightPOS gave %q with reason %q, want nothing and a reason", describe(plan), plan.Reason)
	}
	moved := *copied
	moved.Event.Place = "Room 2"
	if got, want := describe(state(bob, &moved, record, link).Plan()), "nightpos update place"; got != want {
		t.Errorf("an edit in Outlook gave %q, want %q", got, want)
	}
	cancelled := *copied
	cancelled.Cancelled = true
	if got, want := describe(state(bob, &cancelled, record, link).Plan()), "nightpos archive "; got != want {
		t.Errorf("a cancellation gave %q, want %q", got, want)
	}
}

func TestAttendeeWaitsForTheOrganizersLane(t *testing.T) {
	t.Parallel()
	plan := state(bob, copyFor(bob, reconciler.AnswerNone), nil, nil).Plan()
	if !plan.Idle() || !plan.Wait {
		t.Errorf("got %q, waiting %v; want to wait for Alice's lane to make the record", describe(plan), plan.Wait)
	}
}
