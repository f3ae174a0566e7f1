package meetings_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
	"github.com/nightpos/outlook-gateway/test/world"
)

// The complaints of this file are those that users have about other syncs, under
// the numbers of our list of them. Those about series are in test/series.

var noColleagueConnected = world.Options{Connect: []string{}}

func TestComplaint01FirstSyncMailsEverybody(t *testing.T) {
	versions(t, noColleagueConnected, func(s *scene) {
		for index := range 5 {
			s.plan("alice", fmt.Sprintf("past%d", index), -20-index, nil, bob, carol)
			s.plan("alice", fmt.Sprintf("future%d", index), 5+index, nil, bob, carol)
			s.plan("alice", fmt.Sprintf("alone%d", index), 15+index, nil)
			// These are on both sides already.
			s.plan("alice", fmt.Sprintf("both%d", index), 25+index, nil, carol)
			s.meet(alice, fmt.Sprintf("both%d", index), 25+index, carol)
			s.meet(alice, fmt.Sprintf("outlook%d", index), 35+index, carol)
		}
		time.Sleep(time.Hour)
		s.wantMails(func() { s.Connect("alice") })
		for index := range 5 {
			s.wantShown(fmt.Sprintf("past%d", index), 1, map[string]int{alice: 1, bob: 0, carol: 0})
			s.wantShown(fmt.Sprintf("future%d", index), 1, map[string]int{alice: 0, bob: 0, carol: 0})
			s.wantShown(fmt.Sprintf("both%d", index), 1, map[string]int{alice: 1})
			s.wantShown(fmt.Sprintf("outlook%d", index), 1, map[string]int{alice: 1})
		}
		s.wantMails(func() { s.release("alice", `"mine_alone"`) })
		var invitations []string
		for range 5 {
			invitations = append(invitations, "invitation "+bob, "invitation "+carol)
		}
		s.wantMails(func() { s.release("alice", `"mine_alone","mine_with_attendees"`) }, invitations...)
		s.wantMails(func() { s.release("alice", `"mine_alone","mine_with_attendees","past"`) })
	})
}

func TestComplaint02SecondPersonMailsAgain(t *testing.T) {
	versions(t, world.Options{Connect: []string{"alice"}}, func(s *scene) {
		for index := range 5 {
			s.plan("alice", fmt.Sprintf("planned%d", index), 5+index, nil, bob, carol)
			s.meet(alice, fmt.Sprintf("met%d", index), 15+index, bob, carol)
		}
		s.Quiet()
		inOutlook, inNightPOS, mails := s.spent(func() { s.Connect("bob") })
		if inOutlook != 0 || inNightPOS != 0 || len(mails) != 0 {
			s.Errorf("the second person cost %d writes to Outlook, %d to NightPOS and mails %v\n%s", inOutlook, inNightPOS, mails, s.Log())
		}
		for index := range 5 {
			s.wantShown(fmt.Sprintf("planned%d", index), 1, map[string]int{alice: 1, bob: 1})
			s.wantShown(fmt.Sprintf("met%d", index), 1, map[string]int{alice: 1, bob: 1})
		}
	})
}

func TestComplaint03UnchangedMeetingsAreUpdated(t *testing.T) {
	versions(t, world.Options{}, func(s *scene) {
		planned := s.plan("alice", "planned", 5, map[string]any{"location": "Room 1"}, bob, carol)
		met := s.meet(alice, "met", 6, bob, carol)
		s.Quiet()
		inOutlook, inNightPOS, mails := s.spent(func() {
			for range 3 {
				time.Sleep(time.Hour)
				// Both are saved, later, as they are.
				s.write("alice", planned, map[string]any{"name": "planned", "location": "Room 1"})
				s.update(alice, met, map[string]any{"subject": "met"})
				s.Sweep()
			}
		})
		if inOutlook != 0 || inNightPOS != 0 || len(mails) != 0 {
			s.Errorf("saving what is there cost %d writes to Outlook, %d to NightPOS and mails %v\n%s", inOutlook, inNightPOS, mails, s.Log())
		}
	})
}

func TestComplaint04BurstsFloodAttendees(t *testing.T) {
	versions(t, world.Options{}, func(s *scene) {
		planned := s.plan("alice", "planned", 5, nil, bob, carol)
		s.Quiet()
		_, _, mails := s.spent(func() {
			for _, values := range []map[string]any{{"location": "Room 1"}, {"location": "Room 2"}, {"name": "planned well"}, {"privacy": "public"}, {"location": "Room 3"}} {
				s.write("alice", planned, values)
			}
		})
		if mails["update "+bob] > 5 || mails["update "+carol] > 5 || mails["update "+bob] == 0 || len(mails) != 2 {
			s.Errorf("five edits at once caused the mails %v", mails)
		}
		if text(s.event(bob, "planned"), "location", "displayName") != "Room 3" {
			s.Errorf("bob's copy is %v", s.event(bob, "planned"))
		}
	})
}

func TestComplaint06PeopleWithoutSyncEditAndMail(t *testing.T) {
	versions(t, world.Options{Connect: []string{"alice"}}, func(s *scene) {
		planned := s.plan("alice", "planned", 5, nil, bob, carol)
		s.Quiet()
		s.wantMails(func() { s.write("bob", planned, map[string]any{"name": "planned by bob"}) }, "update "+bob, "update "+carol)
		s.wantMails(func() { s.write("bob", planned, map[string]any{"name": "planned by bob"}) })
		s.wantShown("planned", 1, map[string]int{alice: 1, bob: 1, carol: 1})
		if title := text(s.event(alice, "planned"), "subject"); title != "planned by bob" {
			s.Errorf("alice's copy is called %q", title)
		}
	})
}

func TestComplaint07OneMoreCopyForEachInvited(t *testing.T) {
	for _, order := range [][]string{{"alice", "bob", "dave", "erin"}, {"erin", "bob", "alice", "dave"}} {
		t.Run(strings.Join(order, " then "), func(t *testing.T) {
			versions(t, world.Options{Connect: []string{"alice"}}, func(s *scene) {
				s.meet(alice, "met", 5, bob, dave, erin)
				s.plan("alice", "planned", 6, nil, bob, dave, erin)
				s.Quiet()
				everywhere := map[string]int{alice: 1, bob: 1, dave: 1, erin: 1}
				for _, login := range order {
					if login != "alice" {
						s.wantMails(func() { s.Connect(login) })
					}
					for range 2 {
						s.Sweep()
					}
					s.wantShown("met", 1, everywhere)
					s.wantShown("planned", 1, everywhere)
				}
			})
		})
	}
}

func TestComplaint08DuplicateAfterTimeout(t *testing.T) {
	for _, version := range staged {
		t.Run(fmt.Sprintf("NightPOS %d", version), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var lost atomic.Int32
				w := world.New(t, world.Options{Version: version, Seed: 8, Colleagues: colleagues, Faults: func(call simoutlook.CallInfo) *simoutlook.Fault {
					// Outlook makes it, and the answer is lost.
					if call.Method == http.MethodPost && call.Template == "/me/events" && lost.Add(1) == 1 {
						return &simoutlook.Fault{AfterCommit: true, Drop: true}
					}
					return nil
				}})
				defer w.Close()
				s := &scene{World: w, T: t}
				s.Quiet()
				s.wantMails(func() { s.plan("alice", "planned", 5, nil, bob, carol) }, "invitation "+bob, "invitation "+carol)
				s.wantShown("planned", 1, map[string]int{alice: 1, bob: 1, carol: 1})
				if lost.Load() == 0 {
					t.Error("no answer was lost")
				}
			})
		})
	}
}

func TestComplaint09MeetingsOfAnotherSyncMultiply(t *testing.T) {
	versions(t, noColleagueConnected, func(s *scene) {
		// Another sync has brought the same meetings to both sides.
		for index := range 4 {
			s.plan("alice", fmt.Sprintf("both%d", index), 5+index, nil, bob)
			s.meet(alice, fmt.Sprintf("both%d", index), 5+index, bob)
		}
		s.Quiet()
		s.wantMails(func() {
			s.Connect("alice")
			s.Quiet()
			s.Connect("bob")
			for range 3 {
				s.Quiet()
				s.Sweep()
			}
		})
		for index := range 4 {
			s.wantShown(fmt.Sprintf("both%d", index), 1, map[string]int{alice: 1, bob: 1})
		}
	})
}

// TestComplaint10FirstSyncedByAnAttendee: each mailbox is asked for its own id of a
// meeting, whoever brought it to NightPOS; a copy that is gone is looked for once.
func TestComplaint10FirstSyncedByAnAttendee(t *testing.T) {
	for name, connect := range map[string][]string{"the attendee first": {"bob"}, "the organizer first": {"alice"}} {
		t.Run(name, func(t *testing.T) {
			versions(t, world.Options{Connect: connect}, func(s *scene) {
				s.meet(alice, "met", 5, bob, carol)
				s.Quiet()
				s.wantMails(func() {
					s.Connect("alice")
					s.Connect("bob")
					s.Quiet()
					s.Sweep()
				})
				s.wantShown("met", 1, map[string]int{alice: 1, bob: 1, carol: 1})
				id := s.records("met", false)[0]
				s.wantMails(func() { s.write("alice", id, map[string]any{"name": "met again", "location": "Room 1"}) }, "update "+bob, "update "+carol)
				for _, address := range []string{alice, bob, carol} {
					if shown := s.event(address, "met"); text(shown, "subject") != "met again" || text(shown, "location", "displayName") != "Room 1" {
						s.Errorf("%s shows %v\n%s", address, shown["subject"], s.Log())
					}
				}
				s.wantMails(func() { s.must(s.NightPOS.Member("bob").Answer(s.Context(), id, "accepted")) }, "response "+alice)
				if answered := s.inMailbox(bob, "met")[0].Own; answered != "accepted" {
					s.Errorf("bob's answer is %s in Outlook\n%s", answered, s.Log())
				}
				// One that is gone from the mailbox is not asked for again and again.
				s.must(s.Outlook.Mailbox(bob).Delete(s.Context(), s.copyOf(bob, "met")))
				s.Quiet()
				before := s.Outlook.Counts()["GET /me/events/{event}"]
				time.Sleep(48 * time.Hour)
				s.Quiet()
				if asked := s.Outlook.Counts()["GET /me/events/{event}"] - before; asked > 4 {
					s.Errorf("in two quiet days single events were read %d times", asked)
				}
				if answered := s.inNightPOS("met")[0].People[bob]; answered != "declined" {
					s.Errorf("bob's answer is %s in NightPOS\n%s", answered, s.Log())
				}
			})
		})
	}
}

func TestComplaint11AttendeesChangeTheMeeting(t *testing.T) {
	versions(t, world.Options{}, func(s *scene) {
		s.meet(alice, "met", 5, bob, carol)
		s.Quiet()
		before := s.inNightPOS("met")
		inOutlook, inNightPOS, mails := s.spent(func() {
			s.update(bob, s.copyOf(bob, "met"), map[string]any{"categories": []any{"Red category"}, "showAs": "free", "isReminderOn": false})
		})
		if inOutlook != 0 || inNightPOS != 0 || len(mails) != 0 {
			s.Errorf("bob's own copy cost %d writes to Outlook, %d to NightPOS and mails %v\n%s", inOutlook, inNightPOS, mails, s.Log())
		}
		if difference := cmp.Diff(before, s.inNightPOS("met")); difference != "" {
			s.Errorf("the meeting changed:\n%s", difference)
		}
	})
}
