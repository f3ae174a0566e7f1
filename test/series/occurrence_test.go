package series_test

import (
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
	"github.com/nightpos/outlook-gateway/test/world"
)

// toOne runs a test of a series of alice's in Outlook, of which bob is invited to the
// third occurrence alone.
func toOne(t *testing.T, run func(*scene)) {
	invited(t, []string{"alice", "bob"}, inviteToOne, run)
}

func inviteToOne(s *scene) {
	s.Helper()
	if _, err := s.Outlook.Mailbox(world.Alice).Create(s.Context(), weekly("team", world.Carol)); err != nil {
		s.Fatal(err)
	}
	s.Quiet()
	s.patch(s.instance(sixTimes[2]), map[string]any{"attendees": guestsOf(world.Carol, world.Bob)})
}

// wantReplies says what bob's replies are in NightPOS.
func (s *scene) wantReplies(want map[string]string) {
	s.Helper()
	s.Quiet()
	if got := s.answersOf(s.partner("bob")); !maps.Equal(got, want) {
		s.Fatalf("bob's replies in NightPOS are\n%v, want\n%v\n%s", got, want, s.Log())
	}
}

func TestAReplyToTheOneOccurrenceThatSomebodyIsInvitedTo(t *testing.T) {
	toOne(t, func(s *scene) {
		third := s.instanceIn(world.Bob, sixTimes[2])
		s.respond(third, "tentativelyAccept")
		s.wantReplies(map[string]string{sixTimes[2]: "tentative"})
		s.answer(sixTimes[2], "accepted", "")
		s.wantReplies(map[string]string{sixTimes[2]: "accepted"})
		if got := s.repliesOf(world.Bob); !maps.Equal(got, map[string]string{sixTimes[2]: "accepted"}) {
			s.Fatalf("bob's mailbox shows %v\n%s", got, s.Log())
		}
		s.remove(third)
		s.wantReplies(map[string]string{sixTimes[2]: "declined"})
	})
}

// TestTheWholeSeriesAfterOneOccurrence: Outlook takes the invitation to the occurrence
// out when that to the series comes, which refuses nothing, whatever is heard of first.
func TestTheWholeSeriesAfterOneOccurrence(t *testing.T) {
	for name, first := range map[string]func(*scene){
		"accepted before":     func(s *scene) { s.respond(s.instanceIn(world.Bob, sixTimes[2]), "accept") },
		"not answered before": func(*scene) {},
		"refused before":      func(s *scene) { s.remove(s.instanceIn(world.Bob, sixTimes[2])) },
	} {
		play := func(s *scene) {
			first(s)
			s.Quiet()
			before := s.answersOf(s.partner("bob"))[sixTimes[2]]
			s.patch(s.master(), map[string]any{"attendees": guestsOf(world.Carol, world.Bob)})
			s.wantReplies(all("needsAction", map[int]string{2: before}))
			s.respond(s.masterIn(world.Bob), "accept")
			s.wantReplies(all("accepted", nil))
			s.respond(s.instanceIn(world.Bob, sixTimes[2]), "tentativelyAccept")
			s.wantReplies(all("accepted", map[int]string{2: "tentative"}))
		}
		t.Run(name, func(t *testing.T) { toOne(t, play) })
		// Bob's lane may hear of the invitation long before alice's lists him.
		slow := simoutlook.Switches{NotificationDelay: &simoutlook.Span{Most: 10 * time.Second}}
		t.Run(name+", told late", func(t *testing.T) {
			under(t, slow, func(s *scene) {
				inviteToOne(s)
				s.Quiet()
				play(s)
			})
		})
	}
}

// TestTheOrganizerLeavesAndAnotherGuestConnects: the invitation to the occurrence is
// still one to the record that everybody shares.
func TestTheOrganizerLeavesAndAnotherGuestConnects(t *testing.T) {
	invited(t, []string{"alice", "bob"}, func(s *scene) {
		inviteToOne(s)
		s.Quiet()
		s.patch(s.instance(sixTimes[2]), map[string]any{"attendees": guestsOf(world.Carol, world.Bob, dave)})
	}, func(s *scene) {
		before := s.inNightPOS()
		s.Ask("DELETE", "/users/alice", "")
		s.Connect("dave")
		s.Quiet()
		s.Sweep()
		if after := s.inNightPOS(); !slices.Equal(after, before) {
			s.Errorf("NightPOS shows %q, want %q\n%s", after, before, s.Log())
		}
	})
}

// TestAnInvitationThatTheOrganizersLaneHasYetToList: bob is invited to the third
// occurrence while alice's sync is paused, for so long that his lane no longer waits.
func TestAnInvitationThatTheOrganizersLaneHasYetToList(t *testing.T) {
	// Longer than a lane waits for the organizer's, in virtual time.
	later := func(*scene) { time.Sleep(10 * time.Minute) }
	resumed := func(s *scene) {
		s.Ask("POST", "/users/alice/resume", "")
		s.Quiet()
		s.Sweep()
	}
	accept := func(s *scene) { s.respond(s.instanceIn(world.Bob, sixTimes[2]), "accept") }
	refuse := func(s *scene) { s.remove(s.instanceIn(world.Bob, sixTimes[2])) }
	refuseInNightPOS := func(s *scene) { s.answer(sixTimes[2], "declined", "") }
	inviteAgain := func(s *scene) { s.patch(s.instance(sixTimes[2]), map[string]any{"subject": "changed"}) }
	for name, play := range map[string]struct {
		steps []func(*scene)
		want  string
	}{
		"accepted":                              {steps: []func(*scene){accept, later, resumed}, want: "accepted"},
		"refused":                               {steps: []func(*scene){refuse, later, resumed}, want: "declined"},
		"refused, and invited again":            {steps: []func(*scene){refuse, later, inviteAgain, later, resumed}, want: "needsAction"},
		"refused, invited again and accepted":   {steps: []func(*scene){refuse, later, inviteAgain, later, accept, later, resumed}, want: "accepted"},
		"not answered, and refused in NightPOS": {steps: []func(*scene){later, resumed, refuseInNightPOS}, want: "declined"},
		"accepted, and refused in NightPOS":     {steps: []func(*scene){accept, later, resumed, refuseInNightPOS}, want: "declined"},
	} {
		t.Run(name, func(t *testing.T) {
			invited(t, []string{"alice", "bob"}, func(s *scene) {
				if _, err := s.Outlook.Mailbox(world.Alice).Create(s.Context(), weekly("team", world.Carol)); err != nil {
					s.Fatal(err)
				}
			}, func(s *scene) {
				s.Ask("POST", "/users/alice/pause", "")
				s.patch(s.instance(sixTimes[2]), map[string]any{"attendees": guestsOf(world.Carol, world.Bob)})
				later(s)
				for _, step := range play.steps {
					step(s)
				}
				s.wantReplies(map[string]string{sixTimes[2]: play.want})
				shown := map[string]string{sixTimes[2]: play.want}
				if play.want == "declined" {
					shown = map[string]string{}
				}
				if got := s.repliesOf(world.Bob); !maps.Equal(got, shown) {
					s.Errorf("bob's mailbox shows %v, want %v\n%s", got, shown, s.Log())
				}
			})
		})
	}
}

// TestAnInvitationKeptElsewhereUntilItIsListed: bob moves it to another calendar of his
// while alice's sync is paused, and back once NightPOS lists him.
func TestAnInvitationKeptElsewhereUntilItIsListed(t *testing.T) {
	invited(t, []string{"alice", "bob"}, func(s *scene) {
		if _, err := s.Outlook.Mailbox(world.Alice).Create(s.Context(), weekly("team", world.Carol)); err != nil {
			s.Fatal(err)
		}
	}, func(s *scene) {
		s.Ask("POST", "/users/alice/pause", "")
		s.patch(s.instance(sixTimes[2]), map[string]any{"attendees": guestsOf(world.Carol, world.Bob)})
		time.Sleep(10 * time.Minute) // longer than a lane waits, in virtual time
		mailbox := s.Outlook.Mailbox(world.Bob)
		other, err := mailbox.CreateCalendar(s.Context(), "other")
		s.try(err)
		id := s.instanceIn(world.Bob, sixTimes[2])
		main, err := mailbox.CalendarOf(id)
		s.try(err)
		moved, err := mailbox.Move(s.Context(), id, other["id"].(string))
		s.try(err)
		time.Sleep(10 * time.Minute) // the same
		s.Sweep()
		s.Ask("POST", "/users/alice/resume", "")
		s.Quiet()
		moved, err = mailbox.Move(s.Context(), moved["id"].(string), main["id"].(string))
		s.try(err)
		s.Quiet()
		s.respond(moved["id"].(string), "accept")
		s.wantReplies(map[string]string{sixTimes[2]: "accepted"})
	})
}

// TestARefusalAndTheNextInvitationAtOnce: bob takes the invitation to the occurrence
// out, and alice changes it; his lane hears of both together.
func TestARefusalAndTheNextInvitationAtOnce(t *testing.T) {
	for _, version := range usualVersions {
		synctest.Test(t, func(t *testing.T) {
			var slow atomic.Bool
			w := world.New(t, world.Options{Version: version, Seed: 1, Faults: func(call simoutlook.CallInfo) *simoutlook.Fault {
				if slow.Load() && call.Mailbox == world.Bob {
					return &simoutlook.Fault{Delay: 2 * time.Second}
				}
				return nil
			}})
			defer w.Close()
			w.Quiet()
			s := &scene{World: w, T: t}
			if _, err := s.Outlook.Mailbox(world.Alice).Create(s.Context(), weekly("team", world.Carol)); err != nil {
				s.Fatal(err)
			}
			s.Quiet()
			s.patch(s.instance(sixTimes[2]), map[string]any{"attendees": guestsOf(world.Carol, world.Bob)})
			s.Quiet()
			third := s.instanceIn(world.Bob, sixTimes[2])
			s.respond(third, "accept")
			s.Quiet()
			// His lane is busy with something else while both happen.
			slow.Store(true)
			if _, err := s.Outlook.Mailbox(world.Bob).Create(s.Context(), map[string]any{
				"subject": "own", "start": utc(from.AddDate(0, 1, 0)), "end": utc(from.AddDate(0, 1, 0).Add(time.Hour)),
			}); err != nil {
				s.Fatal(err)
			}
			time.Sleep(500 * time.Millisecond)
			s.remove(third)
			s.patch(s.instance(sixTimes[2]), map[string]any{"subject": "changed"})
			time.Sleep(30 * time.Second)
			slow.Store(false)
			s.Quiet()
			if got := s.answersOf(s.partner("bob"))[sixTimes[2]]; got != "declined" {
				s.Errorf("bob refused, and NightPOS shows %q\n%s", got, s.Log())
			}
		})
	}
}

// TestAnOccurrenceBroughtBackHasRepliesOfItsOwn: Outlook shows it as an event of its
// own, whatever record the series is known by.
func TestAnOccurrenceBroughtBackHasRepliesOfItsOwn(t *testing.T) {
	for _, index := range []int{0, 3} {
		t.Run(sixTimes[index], func(t *testing.T) {
			withBob(t, func(s *scene) {
				record := s.at(sixTimes[index])
				s.try(s.NightPOS.Member("alice").Archive(s.Context(), record))
				s.settle()
				s.try(s.NightPOS.Member("alice").Unarchive(s.Context(), record))
				s.settle()
				s.respond(s.masterIn(world.Bob), "accept")
				s.wantReplies(all("accepted", map[int]string{index: "needsAction"}))
				s.respond(s.single(world.Bob), "tentativelyAccept")
				s.wantReplies(all("accepted", map[int]string{index: "tentative"}))
				s.remove(s.single(world.Bob))
				s.wantReplies(all("accepted", map[int]string{index: "declined"}))
			})
		})
	}
}

// single is the one event in a mailbox that is no series.
func (s *scene) single(address string) string {
	s.Helper()
	for _, event := range s.Outlook.Mailbox(address).View(from, until) {
		if event["type"] == "singleInstance" {
			return event["id"].(string)
		}
	}
	s.Fatalf("there is no single event in %s\n%s", address, s.Log())
	return ""
}
