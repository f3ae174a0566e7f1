package meetings_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/test/world"

	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// The complaints of this file are those that users have about other syncs, under
// the numbers of our list of them. Those about series are in test/series.

// versions runs a test against each version of NightPOS.
func versions(t *testing.T, options world.Options, run func(*scene)) {
	for _, version := range staged {
		t.Run(fmt.Sprintf("NightPOS %d", version), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				chosen := options
				chosen.Version, chosen.Seed, chosen.Colleagues = version, uint64(version), colleagues
				w := world.New(t, chosen)
				defer w.Close()
				s := &scene{World: w, T: t}
				s.Quiet()
				run(s)
				s.wantNoMailOfTheGateway()
			})
		})
	}
}

// at is ten o'clock so many days after the world began.
func at(days int) time.Time { return time.Date(2000, 1, 1+days, 10, 0, 0, 0, time.UTC) }

// meet makes a meeting in somebody's mailbox and returns its id.
func (s *scene) meet(organizer, title string, days int, people ...string) string {
	s.Helper()
	content := inOutlookAt(at(days), time.Hour)
	content["subject"], content["attendees"] = title, attendees(people...)
	made, err := s.Outlook.Mailbox(organizer).Create(s.Context(), content)
	s.must(err)
	return text(made, "id")
}

// plan makes a meeting of somebody's in NightPOS and returns its id.
func (s *scene) plan(login, title string, days int, more map[string]any, people ...string) int {
	s.Helper()
	values := inNightPOSAt(at(days), time.Hour)
	values["name"], values["partner_ids"] = title, s.partners(append([]string{world.Address(login)}, people...)...)
	maps.Copy(values, more)
	id, err := s.NightPOS.Member(login).Create(s.Context(), values)
	s.must(err)
	return id
}

func (s *scene) write(login string, id int, values map[string]any) {
	s.Helper()
	s.must(s.NightPOS.Member(login).Write(s.Context(), []int{id}, values))
}

func (s *scene) update(address, id string, patch map[string]any) {
	s.Helper()
	_, err := s.Outlook.Mailbox(address).Update(s.Context(), id, patch)
	s.must(err)
}

func (s *scene) release(login string, classes string) {
	s.Helper()
	s.Ask(http.MethodPost, "/users/"+login+"/first-sync", `{"send":[`+classes+`]}`)
	s.Quiet()
}

// record is a record of NightPOS by its id.
func (s *scene) record(id int) map[string]any {
	s.Helper()
	for _, shown := range s.NightPOS.Events() {
		if shown["id"] == id {
			return shown
		}
	}
	s.Fatalf("NightPOS has no record %d", id)
	return nil
}

// event is an event of a mailbox by its tag.
func (s *scene) event(address, tag string) map[string]any {
	s.Helper()
	shown, err := s.Outlook.Mailbox(address).Event(s.copyOf(address, tag))
	s.must(err)
	return shown
}

// wantShown says how often meetings with a tag are to be seen.
func (s *scene) wantShown(tag string, inNightPOS int, inMailboxes map[string]int) {
	s.Helper()
	if list := s.inNightPOS(tag); len(list) != inNightPOS {
		s.Errorf("NightPOS shows %s %d times, want %d:%s\n%s", tag, len(list), inNightPOS, list, s.Log())
	}
	for _, address := range slices.Sorted(maps.Keys(inMailboxes)) {
		if list := s.inMailbox(address, tag); len(list) != inMailboxes[address] {
			s.Errorf("%s shows %s %d times, want %d:%s\n%s", address, tag, len(list), inMailboxes[address], list, s.Log())
		}
	}
}

// spent measures what the gateway writes and mails while something is done.
func (s *scene) spent(do func()) (inOutlook, inNightPOS int, mails map[string]int) {
	s.Helper()
	sent, outlook, nightpos := len(s.Outlook.Mails()), s.Writes(), s.transactions()
	do()
	s.Quiet()
	return s.Writes() - outlook, s.transactions() - nightpos, s.mailed(sent)
}

// wantMails says whom the gateway mails while something is done: each of these
// once, and nobody else.
func (s *scene) wantMails(do func(), mails ...string) {
	s.Helper()
	want := map[string]int{}
	for _, mail := range mails {
		want[mail]++
	}
	if _, _, got := s.spent(do); !maps.Equal(got, want) {
		s.Errorf("mails: %v, want %v\n%s", got, want, s.Log())
	}
}

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

func TestComplaint17AttendeeWithoutAddress(t *testing.T) {
	versions(t, world.Options{}, func(s *scene) {
		// The contact after carol's has no address.
		nameless := s.NightPOS.Contact(carol) + 1
		people := s.partners(alice, bob)
		people[0].([]any)[2] = append(people[0].([]any)[2].([]any), nameless)
		s.wantMails(func() { s.plan("alice", "planned", 5, map[string]any{"partner_ids": people}) }, "invitation "+bob)
		s.wantShown("planned", 1, map[string]int{alice: 1, bob: 1})
		s.wantMails(func() { s.plan("alice", "another", 6, nil, carol) }, "invitation "+carol)
		s.update(alice, s.copyOf(alice, "planned"), map[string]any{"subject": "planned again"})
		s.Quiet()
		if list, _ := s.records("planned", false), 0; len(list) == 1 && !slices.Contains(s.record(list[0])["partner_ids"].([]int), nameless) {
			s.Errorf("NightPOS has lost the attendee without an address: %v", s.record(list[0])["partner_ids"])
		}
	})
}

func TestComplaint18OddAddresses(t *testing.T) {
	versions(t, world.Options{}, func(s *scene) {
		odd := []string{"o'neil+tag@customer.example", "IMCEAEX-_O=EXCHANGELABS_OU=FIRST+20GROUP_CN=RECIPIENTS_CN=X@eurprd.prod.example", "gateway@nightpos.example"}
		s.wantMails(func() { s.meet(alice, "met", 5, append([]string{bob}, odd...)...) })
		s.wantShown("met", 1, map[string]int{alice: 1, bob: 1})
		s.meet(alice, "another", 6, bob)
		s.Quiet()
		s.wantShown("another", 1, map[string]int{alice: 1, bob: 1})
		id := s.records("met", false)[0]
		_, _, mails := s.spent(func() { s.write("alice", id, map[string]any{"name": "met again"}) })
		for mail, count := range mails {
			if count != 1 || !strings.HasPrefix(mail, "update ") {
				s.Errorf("%d times %s", count, mail)
			}
		}
		if got, want := s.event(alice, "met")["attendees"].([]any), 4; len(got) != want {
			s.Errorf("Outlook has %d attendees, want %d: %v", len(got), want, got)
		}
	})
}

// TestComplaint19InvitedThroughAList: whoever holds an invitation attends, though it
// names a list alone; nobody is invited twice, and the list becomes no contact.
func TestComplaint19InvitedThroughAList(t *testing.T) {
	const list = "all-night@nightpos.example"
	lists := map[string][]string{list: {alice, bob, dave, erin}}
	for name, connect := range map[string][]string{"before": {"alice", "bob", "dave"}, "after": {"alice"}} {
		t.Run(name, func(t *testing.T) {
			versions(t, world.Options{Connect: connect, Lists: lists}, func(s *scene) {
				s.wantMails(func() {
					s.meet(alice, "met", 5, carol, list)
					s.Quiet()
					for _, login := range []string{"bob", "dave"} {
						s.Connect(login)
						s.Quiet()
					}
				})
				s.wantShown("met", 1, map[string]int{alice: 1, bob: 1, dave: 1, carol: 1})
				if people := s.inNightPOS("met")[0].People; !maps.Equal(people, map[string]string{bob: "open", dave: "open", carol: "open"}) {
					s.Errorf("NightPOS lists %v\n%s", people, s.Log())
				}
				s.wantMails(func() { s.must(s.Outlook.Mailbox(bob).Respond(s.Context(), s.copyOf(bob, "met"), "accept")) })
				id := s.records("met", false)[0]
				s.wantMails(func() { s.must(s.NightPOS.Member("dave").Answer(s.Context(), id, "tentative")) }, "response "+alice)
				if people := s.inNightPOS("met")[0].People; !maps.Equal(people, map[string]string{bob: "accepted", dave: "tentative", carol: "open"}) {
					s.Errorf("NightPOS has the answers %v\n%s", people, s.Log())
				}
				// An edit mails those whom the meeting names, and loses neither list nor
				// attendees.
				s.wantMails(func() { s.write("alice", id, map[string]any{"name": "met again"}) }, "update "+carol, "update "+list)
				s.wantShown("met", 1, map[string]int{alice: 1, bob: 1, dave: 1, carol: 1})
				if named := s.event(alice, "met")["attendees"].([]any); len(named) != 2 {
					s.Errorf("Outlook names %v", named)
				}
				if s.NightPOS.Contact(list) != 0 {
					s.Error("the list has become a contact")
				}
			})
		})
	}
}

func TestComplaint20InviteesConnectFirst(t *testing.T) {
	versions(t, world.Options{Connect: []string{"bob"}}, func(s *scene) {
		s.wantMails(func() { s.plan("alice", "planned", 5, nil, bob, carol) })
		s.wantShown("planned", 1, map[string]int{alice: 0, bob: 1, carol: 0})
		s.wantMails(func() { s.Connect("alice") })
		s.wantMails(func() { s.release("alice", `"mine_with_attendees"`) }, "invitation "+bob, "invitation "+carol)
		s.wantShown("planned", 1, map[string]int{alice: 1, bob: 1, carol: 1})
		if organizer := text(s.event(bob, "planned"), "organizer", "emailAddress", "address"); organizer != alice {
			s.Errorf("bob's copy is organised by %s\n%s", organizer, s.Log())
		}
	})
}

func TestComplaint21BookedForAColleague(t *testing.T) {
	for name, connect := range map[string][]string{"both connected": {"alice", "bob"}, "the organizer only": {"alice"}} {
		t.Run(name, func(t *testing.T) {
			versions(t, world.Options{Connect: connect}, func(s *scene) {
				s.wantMails(func() {
					s.plan("bob", "planned", 5, map[string]any{"user_id": s.NightPOS.Member("alice").ID}, alice, carol)
				}, "invitation "+bob, "invitation "+carol)
				s.wantShown("planned", 1, map[string]int{alice: 1, bob: 1, carol: 1})
				if organizer := text(s.event(carol, "planned"), "organizer", "emailAddress", "address"); organizer != alice {
					s.Errorf("it is organised by %s", organizer)
				}
			})
		})
	}
}

func TestComplaint22AnotherOrganizer(t *testing.T) {
	versions(t, world.Options{}, func(s *scene) {
		planned := s.plan("alice", "planned", 5, nil, bob, carol)
		s.Quiet()
		_, _, mails := s.spent(func() { s.write("alice", planned, map[string]any{"user_id": s.NightPOS.Member("bob").ID}) })
		want := map[string]int{"cancellation " + bob: 1, "cancellation " + carol: 1, "invitation " + alice: 1, "invitation " + carol: 1}
		if difference := cmp.Diff(want, mails); difference != "" {
			s.Errorf("mails: want -, got +\n%s\n%s", difference, s.Log())
		}
		if s.record(planned)["active"] != true {
			s.Error("the record is archived")
		}
		s.wantShown("planned", 1, map[string]int{alice: 1, bob: 1, carol: 1})
		if organizer := text(s.event(carol, "planned"), "organizer", "emailAddress", "address"); organizer != bob {
			s.Errorf("it is organised by %s", organizer)
		}
	})
}

func TestComplaint23NobodyOrganises(t *testing.T) {
	versions(t, world.Options{}, func(s *scene) {
		s.wantMails(func() {
			s.plan("alice", "nobody", 5, map[string]any{"user_id": false}, bob, carol)
			s.plan("alice", "planned", 6, nil, bob)
		}, "invitation "+bob)
		s.wantShown("nobody", 1, map[string]int{alice: 1, bob: 1, carol: 0})
		s.wantShown("planned", 1, map[string]int{alice: 1, bob: 1})
	})
}

func TestComplaint24RemovedInOutlookStays(t *testing.T) {
	versions(t, world.Options{}, func(s *scene) {
		id := s.meet(alice, "met", 5, bob, carol)
		s.Quiet()
		s.wantMails(func() { s.update(alice, id, map[string]any{"attendees": attendees(bob)}) })
		if people := s.inNightPOS("met")[0].People; !maps.Equal(people, map[string]string{bob: "open"}) {
			s.Errorf("NightPOS lists %v\n%s", people, s.Log())
		}
	})
}

func TestComplaint25CapitalLetters(t *testing.T) {
	versions(t, world.Options{}, func(s *scene) {
		s.wantMails(func() { s.meet(alice, "met", 5, "BOB@NightPOS.example", "Carol@Customer.Example") })
		if people := s.inNightPOS("met")[0].People; !maps.Equal(people, map[string]string{bob: "open", carol: "open"}) {
			s.Errorf("NightPOS lists %v\n%s", people, s.Log())
		}
		id := s.records("met", false)[0]
		if partners := s.record(id)["partner_ids"].([]int); len(partners) != 3 {
			s.Errorf("NightPOS has the contacts %v", partners)
		}
		s.wantMails(func() { s.write("alice", id, map[string]any{"name": "met again"}) }, "update "+bob, "update "+carol)
	})
}

func TestComplaint26ContactsMultiply(t *testing.T) {
	versions(t, world.Options{}, func(s *scene) {
		for index := range 3 {
			s.meet(alice, fmt.Sprintf("met%d", index), 5+index, "new@customer.example")
			s.meet(bob, fmt.Sprintf("also%d", index), 5+index, "New@customer.example")
		}
		s.Quiet()
		contacts := map[any]bool{}
		for _, shown := range s.NightPOS.Events() {
			for _, attendee := range shown["attendees"].([]map[string]any) {
				if strings.EqualFold(text(attendee, "email"), "new@customer.example") {
					contacts[attendee["partner_id"]] = true
				}
			}
		}
		if len(contacts) > 1 {
			s.Errorf("one person has the contacts %v", contacts)
		}
	})
}

// TestComplaint26ContactsPollute: who becomes a contact is a setting; whoever does not
// stays in Outlook, whatever is edited in NightPOS.
func TestComplaint26ContactsPollute(t *testing.T) {
	const (
		colleague = "new@customer.example"
		stranger  = "somebody@elsewhere.example"
		private   = "someone@gmail.com"
		room      = "room1@customer.example"
		staff     = "sales-team@customer.example"
	)
	for policy, contacts := range map[string][]string{"never": {}, "known_domains": {colleague}, "always": {colleague, stranger, private}} {
		t.Run(policy, func(t *testing.T) {
			versions(t, world.Options{Settings: func(s *gateway.Settings) { s.CreateContacts = policy }}, func(s *scene) {
				everybody := attendees(bob, carol, colleague, stranger, private, staff)
				for _, entry := range everybody {
					named := entry.(map[string]any)["emailAddress"].(map[string]any)
					if named["address"] != staff {
						named["name"] = "The name of " + strings.Split(named["address"].(string), "@")[0]
					}
				}
				everybody = append(everybody, map[string]any{"type": "resource", "emailAddress": map[string]any{"address": room, "name": "Room 1"}})
				content := inOutlookAt(at(5), time.Hour)
				content["subject"], content["attendees"] = "met", everybody
				s.wantMails(func() {
					_, err := s.Outlook.Mailbox(alice).Create(s.Context(), content)
					s.must(err)
				})
				want := map[string]string{bob: "open", carol: "open"}
				for _, address := range contacts {
					want[address] = "open"
				}
				if people := s.inNightPOS("met")[0].People; !maps.Equal(people, want) {
					s.Errorf("NightPOS lists %v, want %v\n%s", people, want, s.Log())
				}
				for _, address := range []string{colleague, stranger, private, room, staff} {
					if made := s.NightPOS.Contact(address) != 0; made != slices.Contains(contacts, address) {
						s.Errorf("that %s is a contact: %v", address, made)
					}
				}
				id := s.records("met", false)[0]
				for _, edit := range []map[string]any{
					{"name": "met again"}, {"partner_ids": s.partners(alice, bob, carol, dave)}, {"partner_ids": s.partners(alice, bob, dave)},
				} {
					if edit["partner_ids"] != nil && len(contacts) > 0 {
						continue // the list of all would take the contacts off
					}
					s.write("alice", id, edit)
					s.Quiet()
				}
				for _, address := range []string{colleague, stranger, private, room, staff} {
					if !slices.ContainsFunc(s.event(alice, "met")["attendees"].([]any), func(entry any) bool {
						return text(entry.(map[string]any), "emailAddress", "address") == address
					}) {
						s.Errorf("%s was taken off the meeting in Outlook\n%s", address, s.Log())
					}
				}
				if inOutlook, inNightPOS, mails := s.spent(s.Sweep); inOutlook+inNightPOS+len(mails) > 0 {
					s.Errorf("a sweep then cost %d writes to Outlook, %d to NightPOS and mails %v\n%s", inOutlook, inNightPOS, mails, s.Log())
				}
			})
		})
	}
}

func TestComplaint27AnswersAreLostOrInvented(t *testing.T) {
	versions(t, world.Options{}, func(s *scene) {
		s.meet(alice, "met", 5, bob, carol)
		planned := s.plan("alice", "planned", 6, nil, bob, carol)
		s.Quiet()
		for _, tag := range []string{"met", "planned"} {
			if people := s.inNightPOS(tag)[0].People; !maps.Equal(people, map[string]string{bob: "open", carol: "open"}) {
				s.Errorf("%s: NightPOS has the answers %v", tag, people)
			}
			s.wantMails(func() {
				s.must(s.Outlook.Mailbox(carol).Respond(s.Context(), s.copyOf(carol, tag), "accept"))
				s.must(s.Outlook.Mailbox(bob).Respond(s.Context(), s.copyOf(bob, tag), "tentativelyAccept"))
			})
			if people := s.inNightPOS(tag)[0].People; !maps.Equal(people, map[string]string{bob: "tentative", carol: "accepted"}) {
				s.Errorf("%s: NightPOS has the answers %v\n%s", tag, people, s.Log())
			}
		}
		// An edit loses none of them.
		s.write("alice", planned, map[string]any{"name": "planned again"})
		s.Quiet()
		if people := s.inNightPOS("planned")[0].People; !maps.Equal(people, map[string]string{bob: "tentative", carol: "accepted"}) {
			s.Errorf("after an edit NightPOS has the answers %v\n%s", people, s.Log())
		}
	})
}

func TestComplaint28DeclineDeletesTheMeeting(t *testing.T) {
	versions(t, world.Options{}, func(s *scene) {
		for index, do := range []func(string){
			func(tag string) { s.must(s.Outlook.Mailbox(bob).Respond(s.Context(), s.copyOf(bob, tag), "decline")) },
			func(tag string) { s.must(s.Outlook.Mailbox(bob).Delete(s.Context(), s.copyOf(bob, tag))) },
		} {
			tag := fmt.Sprintf("met%d", index)
			s.meet(alice, tag, 5+index, bob, carol)
			s.Quiet()
			s.wantMails(func() { do(tag) })
			s.wantShown(tag, 1, map[string]int{alice: 1, bob: 0, carol: 1})
			if answer := s.inNightPOS(tag)[0].People[bob]; answer != "declined" {
				s.Errorf("%s: bob's answer is %s\n%s", tag, answer, s.Log())
			}
		}
		outside := s.meet(carol, "outside", 8, bob)
		s.Quiet()
		s.wantShown("outside", 1, map[string]int{bob: 1})
		s.wantMails(func() { s.must(s.Outlook.Mailbox(carol).Cancel(s.Context(), outside)) })
		s.wantShown("outside", 0, map[string]int{bob: 0})
	})
}

func TestComplaint29Zones(t *testing.T) {
	versions(t, world.Options{}, func(s *scene) {
		s.plan("alice", "winter", 5, nil, bob)
		s.plan("alice", "summer", 200, nil, bob)
		s.Quiet()
		for _, tag := range []string{"winter", "summer"} {
			if zone := text(s.event(alice, tag), "originalStartTimeZone"); zone != "Romance Standard Time" {
				s.Errorf("%s is shown in %s", tag, zone)
			}
			if here, there := s.inMailbox(alice, tag)[0].Start, s.inNightPOS(tag)[0].Start; here != there {
				s.Errorf("%s is at %s in Outlook and at %s in NightPOS", tag, here, there)
			}
		}
	})
}

func TestComplaint43DescriptionsDegrade(t *testing.T) {
	versions(t, world.Options{}, func(s *scene) {
		body := `<p>` + strings.Repeat("A long text that nobody may cut short. ", 40) + `</p><p>See <a href="https://example.com/a?b=1&amp;c=2">the plan</a></p>`
		planned := s.plan("alice", "planned", 5, map[string]any{"description": body}, bob)
		s.Quiet()
		first, kept := text(s.event(alice, "planned"), "body", "content"), text(s.record(planned), "description")
		for round := range 5 {
			s.write("alice", planned, map[string]any{"name": fmt.Sprintf("planned %d", round)})
			s.Quiet()
			s.update(alice, s.copyOf(alice, "planned"), map[string]any{"subject": fmt.Sprintf("planned in Outlook %d", round)})
			s.Quiet()
		}
		if now := text(s.event(alice, "planned"), "body", "content"); now != first || strings.Count(now, "<a ") != 1 || !strings.Contains(now, "the plan") {
			s.Errorf("in Outlook the text was\n%s\nand is\n%s", first, now)
		}
		if now := text(s.record(planned), "description"); now != kept {
			s.Errorf("in NightPOS the text was\n%s\nand is\n%s", kept, now)
		}
	})
}

func TestComplaint44EverythingBecomesATeamsMeeting(t *testing.T) {
	versions(t, world.Options{}, func(s *scene) {
		s.plan("alice", "planned", 5, nil, bob)
		content := inOutlookAt(at(6), time.Hour)
		content["subject"], content["attendees"], content["isOnlineMeeting"], content["onlineMeetingProvider"] = "online", attendees(bob), true, "teamsForBusiness"
		_, err := s.Outlook.Mailbox(alice).Create(s.Context(), content)
		s.must(err)
		s.Quiet()
		if s.event(alice, "planned")["isOnlineMeeting"] == true {
			s.Error("a meeting without a place has become a Teams meeting")
		}
		link := text(s.event(alice, "online"), "onlineMeeting", "joinUrl")
		id := s.records("online", false)[0]
		if link == "" || s.record(id)["videocall_location"] != link {
			s.Errorf("Outlook's link is %q, NightPOS's %v", link, s.record(id)["videocall_location"])
		}
		s.write("alice", id, map[string]any{"name": "online still"})
		s.Quiet()
		if now := text(s.event(alice, "online"), "onlineMeeting", "joinUrl"); now != link || text(s.event(alice, "online"), "subject") != "online still" {
			s.Errorf("after an edit in NightPOS the link is %q, was %q", now, link)
		}
	})
}

// TestComplaint44LinksOfNightPOS: a link of NightPOS's is to be seen in Outlook and
// survives edits on both sides; an event becomes a Teams meeting when somebody asks
// for that, or everywhere where that is the setting.
func TestComplaint44LinksOfNightPOS(t *testing.T) {
	const discuss = "https://nightpos.example/calendar/join_videocall/aBc-123?x=1&y=2"
	for policy, wanted := range map[string]struct{ asked, plain bool }{"never": {false, false}, "when_asked": {true, false}, "always": {true, true}} {
		t.Run(policy, func(t *testing.T) {
			versions(t, world.Options{Settings: func(s *gateway.Settings) { s.OnlineMeetings = policy }}, func(s *scene) {
				linked := s.plan("alice", "linked", 5, map[string]any{"videocall_location": discuss, "description": "<p>Agenda</p>"}, bob)
				asked := s.plan("alice", "asked", 6, map[string]any{"videocall_location": " Teams", "description": "<p>Agenda</p>"}, bob)
				series := s.plan("alice", "series", 7, map[string]any{
					"videocall_location": "teams", "recurrency": true, "rrule_type": "weekly", "interval": 1, "end_type": "count", "count": 3,
					strings.ToLower(at(7).Weekday().String()[:3]): true, "event_tz": "UTC",
				}, bob)
				plain := s.plan("alice", "plain", 8, nil, bob)
				s.Quiet()
				for tag, record := range map[string]int{"asked": asked, "series": series, "plain": plain} {
					want := wanted.asked
					if tag == "plain" {
						want = wanted.plain
					}
					shown := s.event(alice, tag)
					if shown["isOnlineMeeting"] != want {
						s.Errorf("that %s is a Teams meeting: %v\n%s", tag, shown["isOnlineMeeting"], s.Log())
					}
					if link := text(shown, "onlineMeeting", "joinUrl"); want && (link == "" || s.record(record)["videocall_location"] != link) {
						s.Errorf("%s: Outlook's link is %q, NightPOS's %v\n%s", tag, link, s.record(record)["videocall_location"], s.Log())
					}
				}
				body := func() string { return text(s.event(alice, "linked"), "body", "content") }
				if s.event(alice, "linked")["isOnlineMeeting"] == true || strings.Count(body(), `title="NightPOS meeting link"`) != 1 {
					s.Errorf("Outlook shows the link as\n%s", body())
				}
				for round := range 3 {
					s.write("alice", linked, map[string]any{"description": fmt.Sprintf("<p>Agenda %d</p>", round)})
					s.Quiet()
					now := strings.Replace(body(), fmt.Sprintf("Agenda %d", round), fmt.Sprintf("Plan %d", round), 1)
					s.update(alice, s.copyOf(alice, "linked"), map[string]any{"body": map[string]any{"contentType": "html", "content": now}})
					s.Quiet()
					if shown := s.record(linked); shown["videocall_location"] != discuss || text(shown, "description") != fmt.Sprintf("<p>Plan %d</p>", round) {
						s.Errorf("NightPOS shows %v and %v", shown["videocall_location"], shown["description"])
					}
					if strings.Count(body(), "<a ") != 1 || !strings.Contains(body(), fmt.Sprintf("Plan %d", round)) {
						s.Errorf("Outlook shows\n%s", body())
					}
				}
				s.wantMails(func() { s.write("alice", linked, map[string]any{"videocall_location": "https://meet.example/2"}) }, "update "+bob)
				if strings.Count(body(), "<a ") != 1 || !strings.Contains(body(), "https://meet.example/2") {
					s.Errorf("with another link Outlook shows\n%s", body())
				}
				s.write("alice", linked, map[string]any{"videocall_location": false})
				s.Quiet()
				if strings.Contains(body(), "<a ") {
					s.Errorf("without a link Outlook shows\n%s", body())
				}
				if inOutlook, inNightPOS, mails := s.spent(s.Sweep); inOutlook+inNightPOS+len(mails) > 0 {
					s.Errorf("a sweep then cost %d writes to Outlook, %d to NightPOS and mails %v\n%s", inOutlook, inNightPOS, mails, s.Log())
				}
				if !wanted.asked {
					return
				}
				// Teams needs its block back with every text, and its link is Outlook's own.
				link := text(s.event(alice, "asked"), "onlineMeeting", "joinUrl")
				s.wantMails(func() { s.write("alice", asked, map[string]any{"description": "<p>Another agenda</p>"}) }, "update "+bob)
				s.wantMails(func() { s.write("alice", asked, map[string]any{"videocall_location": discuss}) })
				shown := s.event(alice, "asked")
				if text(shown, "onlineMeeting", "joinUrl") != link || !strings.Contains(text(shown, "body", "content"), "Another agenda") || strings.Contains(text(shown, "body", "content"), "join_videocall") {
					s.Errorf("after edits in NightPOS the link is %q, was %q, in\n%s", text(shown, "onlineMeeting", "joinUrl"), link, text(shown, "body", "content"))
				}
			})
		})
	}
}

func TestComplaint45PrivateAppointmentsAreShownToAll(t *testing.T) {
	versions(t, world.Options{}, func(s *scene) {
		for index, sensitivity := range []string{"private", "confidential"} {
			content := inOutlookAt(at(5+index), time.Hour)
			content["subject"], content["sensitivity"] = sensitivity+" matter", sensitivity
			_, err := s.Outlook.Mailbox(alice).Create(s.Context(), content)
			s.must(err)
			s.Quiet()
			id := s.records(sensitivity, false)[0]
			if privacy := s.record(id)["privacy"]; privacy != sensitivity {
				s.Errorf("what is %s in Outlook is %v in NightPOS", sensitivity, privacy)
			}
			// And an edit leaves it so.
			s.write("alice", id, map[string]any{"location": "Room 1"})
			s.Quiet()
			if now := s.event(alice, sensitivity); text(now, "sensitivity") != sensitivity || text(now, "subject") != sensitivity+" matter" {
				s.Errorf("after an edit Outlook shows %v as %v", now["subject"], now["sensitivity"])
			}
		}
	})
}

func TestComplaint52ImportEchoes(t *testing.T) {
	versions(t, world.Options{}, func(s *scene) {
		inOutlook, inNightPOS, mails := s.spent(func() { s.meet(alice, "met", 5, bob, carol) })
		if inOutlook != 0 || inNightPOS != 1 || len(mails) != 0 {
			s.Errorf("a meeting of Outlook's cost %d writes there, %d in NightPOS and mails %v\n%s", inOutlook, inNightPOS, mails, s.Log())
		}
		inOutlook, inNightPOS, _ = s.spent(func() { s.plan("alice", "planned", 6, nil, bob, carol) })
		if inOutlook != 1 || inNightPOS != 0 {
			s.Errorf("a meeting of NightPOS's cost %d writes to Outlook and %d there\n%s", inOutlook, inNightPOS, s.Log())
		}
		inOutlook, inNightPOS, _ = s.spent(func() { s.Sweep() })
		if inOutlook != 0 || inNightPOS != 0 {
			s.Errorf("a sweep then cost %d writes to Outlook and %d to NightPOS\n%s", inOutlook, inNightPOS, s.Log())
		}
	})
}
