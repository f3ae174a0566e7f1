package meetings_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/gateway"
	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	"github.com/nightpos/outlook-gateway/test/world"
)

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
	for name, options := range map[string]world.Options{
		"connected before": {Connect: []string{"alice", "bob", "dave"}},
		"connected after":  {Connect: []string{"alice"}},
		// Each lane reads the meeting before the other has listed its own person.
		"both at once": {Connect: []string{"alice", "bob", "dave"}, NightPOS: func(config *simnightpos.Config) {
			config.Latency = func(string, string) time.Duration { return time.Second }
		}},
	} {
		options.Lists = lists
		t.Run(name, func(t *testing.T) {
			versions(t, options, func(s *scene) {
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
