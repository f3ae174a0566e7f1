package reconciler_test

import (
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// invite is the copy of a meeting of Bob's that Outlook delivers to Alice, and
// the record that Bob's lane has made for it.
func (l *life) invite(event reconciler.Event) (*reconciler.Copy, *reconciler.Record) {
	event.Organizer, event.People = reconciler.Person{Address: bob.Address}, []reconciler.Person{{Address: alice.Address}}
	copied := l.outlook.create(event, 0)
	copied.IsOrganizer, copied.Event.Organizer = false, event.Organizer
	record := l.nightpos.create(event, bob.UserID, reconciler.RecordKey(bob, *copied), false)
	return copied, record
}

func TestAnInvitationWaitsForTheOrganizersRoundOfChanges(t *testing.T) {
	l := newLife(t, func(l *life) { l.memory.members = append(l.memory.members, bob) })
	copied, record := l.invite(at("Bob's", noon))
	delete(l.nightpos.records, record.ID) // Bob's lane was not told of it
	l.tell(&l.outlook.calendar)
	l.pass(68 * time.Minute)
	if len(l.memory.links) != 0 {
		t.Fatalf("linked to %+v before there was a record", l.memory.links)
	}
	l.nightpos.records[record.ID] = record
	l.memory.meetings[copied.ICalUID] = record.ID
	l.pass(6 * time.Minute)
	if got := l.linkOf(copied.ID); got.RecordID != record.ID || got.Role != reconciler.RoleAttendee {
		t.Errorf("the invitation is linked as %+v", got)
	}
}

// Many hints about an invitation are many attempts, and do not have it wait for
// minutes when the organizer's lane is held up for seconds.
func TestAnInvitationThatIsToldOfOftenIsNotForgotten(t *testing.T) {
	l := newLife(t, func(l *life) { l.memory.members = append(l.memory.members, bob) })
	copied, record := l.invite(at("Bob's", noon))
	delete(l.nightpos.records, record.ID)
	l.tell(&l.outlook.calendar)
	for range 20 {
		l.add(reconciler.Item{Key: reconciler.OutlookKey(copied.ID), First: l.now})
		l.pass(time.Second)
	}
	l.nightpos.records[record.ID] = record
	l.memory.meetings[copied.ICalUID] = record.ID
	l.pass(20 * time.Second)
	if got := l.linkOf(copied.ID); got.RecordID != record.ID {
		t.Errorf("the invitation is linked as %+v", got)
	}
}

func TestAnInvitationThatNobodyBringsToNightPOSIsLetGo(t *testing.T) {
	l := newLife(t, func(l *life) { l.memory.members = append(l.memory.members, bob) })
	copied, record := l.invite(at("Bob's", noon))
	delete(l.nightpos.records, record.ID)
	l.tell(&l.outlook.calendar)
	l.pass(80 * time.Minute)
	if item, waits := l.memory.items[reconciler.OutlookKey(copied.ID)]; waits {
		t.Errorf("still waiting: %+v", item)
	}
}

func TestARefusalThatOnlyARoundOfChangesFindsIsUntold(t *testing.T) {
	var old *reconciler.Copy
	var record *reconciler.Record
	l := newLife(t, func(l *life) {
		l.memory.members = append(l.memory.members, bob)
		old, record = l.invite(at("Bob's", noon))
		l.memory.meetings[old.ICalUID] = record.ID
	})
	l.linkOf(old.ID)
	l.outlook.hints = nil
	// Alice refuses, and Bob's next update brings the invitation back as another
	// copy, which the round of changes tells first.
	l.outlook.remove(old.ID)
	again := *old
	again.ID = "again"
	l.outlook.save(&again)
	l.pass(90 * time.Minute)
	if got := l.nightpos.records[record.ID].Event.People[0].Answer; got != reconciler.AnswerDeclined {
		t.Errorf("the answer in NightPOS is %q, want a refusal", got)
	}
	if got := l.linkOf(again.ID); got.Ended {
		t.Errorf("the new copy is not linked: %+v", got)
	}
	l.wantUntold(1, 0)
}

// unlisted is an invitation to a meeting of Bob's in which NightPOS does not list
// Alice yet: somebody invited her in Outlook, and Bob's lane has not got to that.
func (l *life) unlisted() (*reconciler.Copy, *reconciler.Record) {
	copied, record := l.invite(at("Bob's", noon))
	l.memory.meetings[copied.ICalUID] = record.ID
	record.Event.People = nil
	return copied, record
}

// list has Bob's lane list Alice.
func (l *life) list(record *reconciler.Record) {
	listed := *l.nightpos.records[record.ID]
	listed.Event.People = []reconciler.Person{{Address: alice.Address}}
	l.nightpos.save(&listed, false)
}

func TestAnInvitationWaitsUntilTheOrganizersLaneListsThePerson(t *testing.T) {
	for name, after := range map[string]time.Duration{"in a moment": 2 * time.Second, "when it is held up": 20 * time.Second} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t, func(l *life) { l.memory.members = append(l.memory.members, bob) })
			copied, record := l.unlisted()
			l.tell(&l.outlook.calendar)
			l.pass(after)
			if len(l.memory.links) != 0 || len(l.memory.lines) != 0 {
				t.Fatalf("linked to %+v before the person was listed; the log says %+v", l.memory.links, l.memory.lines)
			}
			l.list(record)
			l.pass(after + time.Second)
			if got := l.linkOf(copied.ID); got.RecordID != record.ID || got.Role != reconciler.RoleAttendee {
				t.Errorf("the invitation is linked as %+v", got)
			}
		})
	}
}

func TestAnInvitationOfSomebodyWhoIsNeverListedIsLetGoAndToldOf(t *testing.T) {
	l := newLife(t, func(l *life) { l.memory.members = append(l.memory.members, bob) })
	copied, _ := l.unlisted()
	l.tell(&l.outlook.calendar)
	l.pass(30 * time.Minute)
	if item, waits := l.memory.items[reconciler.OutlookKey(copied.ID)]; waits {
		t.Errorf("still waiting: %+v", item)
	}
	if len(l.memory.lines) != 1 || l.memory.lines[0].Reason != "NightPOS does not list this person as an attendee" {
		t.Errorf("the log says %+v", l.memory.lines)
	}
}
