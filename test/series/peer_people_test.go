package series_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/nightpos/outlook-gateway/test/world"
)

// wantOwner says who organises everything that NightPOS shows.
func (s *scene) wantOwner(login string) {
	s.Helper()
	for _, event := range s.NightPOS.Events() {
		if event["user_id"] != s.NightPOS.Member(login).ID {
			s.Errorf("%v of %v is %v's, want %s's", event["name"], event["start"], event["user_id"], login)
		}
	}
}

// wantMasters says how many series a mailbox holds.
func (s *scene) wantMasters(address string, count int) {
	s.Helper()
	masters := 0
	for _, event := range s.Outlook.Mailbox(address).Events() {
		if event["type"] == "seriesMaster" && event["isCancelled"] != true {
			masters++
		}
	}
	if masters != count {
		s.Errorf("%s holds %d series, want %d\n%s", address, masters, count, s.Log())
	}
}

func TestPeerCreatesSeries(t *testing.T) {
	for name, one := range map[string]struct {
		connect []string
		play    func(*scene)
	}{
		"C07 create_recurrent_event_without_sync": {[]string{}, func(s *scene) {
			s.makeInNightPOS()
			s.Quiet()
			s.wantMasters(world.Alice, 0)
			s.wantEach(nobody)
		}},
		"C08 create_recurrent_event_with_sync": {[]string{"alice", "bob"}, func(s *scene) {
			s.makeInNightPOS()
			s.settle(events("event", sevenTimes...)...)
			s.wantMasters(world.Alice, 1)
			s.wantInvited()
			s.wantEach(once)
			if writes := s.Writes(); writes != 1 {
				s.Errorf("%d writes, want the one that makes the series", writes)
			}
		}},
		"C09 create_recurrent_event_with_sync_by_another_user": {[]string{"bob"}, func(s *scene) {
			s.makeInNightPOS()
			s.Quiet()
			s.wantMasters(world.Alice, 0)
			s.wantEach(nobody)
		}},
		"C10 create_recurrent_event_from_outlook_organizer_calendar": {[]string{"alice"}, func(s *scene) {
			s.makeInOutlook()
			s.settle(events("event", sevenTimes...)...)
			s.wantSeries(7)
			s.wantOwner("alice")
			s.wantEach(nobody)
		}},
		"C11 create_recurrent_event_from_outlook_attendee_calendar": {[]string{"alice", "bob"}, func(s *scene) {
			s.makeInOutlook()
			s.settle(events("event", sevenTimes...)...)
			s.wantSeries(7)
			s.wantOwner("alice")
			s.wantInvited()
			s.wantEach(nobody)
		}},
		"C12 forbid_recurrences_creation_synced_outlook_calendar, here allowed": {[]string{"alice"}, func(s *scene) {
			s.makeInNightPOS()
			s.settle(events("event", sevenTimes...)...)
			s.wantMasters(world.Alice, 1)
			s.wantEach(once)
		}},
		"U28 forbid_simple_event_become_recurrence_sync_on, here allowed": {[]string{"alice", "bob"}, func(s *scene) {
			values := inNightPOSAt(sevenTimes[0], "")
			values["name"] = "event"
			values["partner_ids"] = []any{[]any{6, 0, []any{s.partner("alice"), s.partner("bob"), s.NightPOS.Contact(world.Carol)}}}
			if _, err := s.NightPOS.Member("alice").Create(s.Context(), values); err != nil {
				s.Fatal(err)
			}
			s.settle(events("event", sevenTimes[0])...)
			s.wantEach(once)
			s.writeAs("alice", sevenTimes[0], map[string]any{
				"recurrency": true, "rrule_type": "daily", "interval": 2, "end_type": "count", "count": 7, "event_tz": "UTC",
			})
			s.settle(events("event", sevenTimes...)...)
			s.wantMasters(world.Alice, 1)
			s.wantInvited()
			s.wantEach(once)
		}},
		"U31 restart_sync_with_synced_recurrence": {[]string{"alice", "bob"}, func(s *scene) {
			s.makeInOutlook()
			s.settle(events("event", sevenTimes...)...)
			for _, login := range []string{"alice", "bob"} {
				s.Ask(http.MethodPost, "/users/"+login+"/pause", "")
			}
			s.writeAs("alice", sevenTimes[3], map[string]any{"name": "special", "recurrence_update": "self_only"})
			s.Quiet()
			s.wantEach(nobody)
			for _, login := range []string{"alice", "bob"} {
				s.Ask(http.MethodPost, "/users/"+login+"/resume", "")
			}
			s.settle(sorted(events("event", sevenTimes[:3]...), events("special", sevenTimes[3]), events("event", sevenTimes[4:]...))...)
			s.wantInvited()
			s.wantEach(once)
		}},
		"D16 delete_synced_event_with_sync_config_paused": {[]string{"alice", "bob"}, func(s *scene) {
			s.makeInOutlook()
			s.settle(events("event", sevenTimes...)...)
			s.Ask(http.MethodPost, "/users/alice/pause", "")
			s.unlink("alice", sevenTimes[3])
			s.Quiet()
			if shown := s.inOutlook(); len(shown) != 7 {
				s.Errorf("while paused, Outlook shows %q", shown)
			}
			s.wantEach(nobody)
			s.Ask(http.MethodPost, "/users/alice/resume", "")
			s.settle(sorted(events("event", sevenTimes[:3]...), events("event", sevenTimes[4:]...))...)
			s.wantEach(once)
		}},
		"M06 single_turned_recurrent": {[]string{"alice", "bob"}, func(s *scene) {
			single := everyOtherDay("event", world.Bob, world.Carol)
			recurrence := single["recurrence"]
			delete(single, "recurrence")
			made, err := s.Outlook.Mailbox(world.Alice).Create(s.Context(), single)
			if err != nil {
				s.Fatal(err)
			}
			s.settle(events("event", sevenTimes[0])...)
			s.patch(made["id"].(string), map[string]any{"recurrence": recurrence})
			s.settle(events("event", sevenTimes...)...)
			s.wantSeries(7)
			s.wantInvited()
			s.wantEach(nobody)
		}},
		"M07 exception_of_a_new_series": {[]string{}, func(s *scene) {
			s.makeInOutlook()
			s.patch(s.instance(sevenTimes[3]), map[string]any{"subject": "special"})
			s.Connect("alice")
			s.Connect("bob")
			shown := sorted(events("event", sevenTimes[:3]...), events("special", sevenTimes[3]), events("event", sevenTimes[4:]...))
			s.settle(shown...)
			s.wantSeries(7)
			s.wantEach(nobody)
			// It has kept who it is: an edit on either side finds it.
			s.patch(s.instance(sevenTimes[3]), map[string]any{"subject": "more special"})
			s.Quiet()
			s.writeAs("alice", sevenTimes[3], map[string]any{"location": "Room 1", "recurrence_update": "self_only"})
			s.settle(sorted(events("event", sevenTimes[:3]...), events("more special", sevenTimes[3]), events("event", sevenTimes[4:]...))...)
			s.wantEach(once)
		}},
		"E06 map_a_recurrence_using_global_id": {[]string{"alice"}, func(s *scene) {
			s.makeInOutlook()
			s.settle(events("event", sevenTimes...)...)
			// Bob's copy has another id and the same iCalUId.
			s.Connect("bob")
			s.settle(events("event", sevenTimes...)...)
			s.wantSeries(7)
			s.respond(s.masterIn(world.Bob), "accept")
			s.settle(events("event", sevenTimes...)...)
			want := map[string]string{}
			for _, at := range sevenTimes {
				want[at] = "accepted"
			}
			if got := s.answersOf(s.partner("bob")); !maps.Equal(got, want) {
				s.Errorf("bob's answers are %v\n%s", got, s.Log())
			}
			s.wantEach(nobody)
		}},
		"E11 match_not_typed_recurrence": {[]string{"alice", "bob"}, func(s *scene) {
			s.makeInOutlook()
			s.settle(events("event", sevenTimes...)...)
			// What a round of changes says of a deleted series is its id, no more.
			s.Outlook.Silence(true)
			s.delete(s.master())
			s.Quiet()
			s.Outlook.Silence(false)
			s.Sweep()
			if shown := s.inNightPOS(); len(shown) > 0 {
				s.Errorf("NightPOS still shows %q\n%s", shown, s.Log())
			}
			s.wantEach(nobody)
		}},
		"E12 match_mix_of_events_and_recurrences": {[]string{"alice", "bob"}, func(s *scene) {
			s.makeInOutlook()
			single := everyOtherDay("single", world.Bob)
			delete(single, "recurrence")
			made, err := s.Outlook.Mailbox(world.Alice).Create(s.Context(), single)
			if err != nil {
				s.Fatal(err)
			}
			s.Quiet()
			s.Outlook.Silence(true)
			s.delete(s.master())
			s.patch(made["id"].(string), map[string]any{"subject": "alone"})
			s.Quiet()
			s.Outlook.Silence(false)
			s.Sweep()
			s.settle(events("alone", sevenTimes[0])...)
			s.wantEach(nobody)
		}},
		"S08 get_events_filter_out_occurrences": {[]string{}, func(s *scene) {
			s.makeInOutlook()
			s.Connect("alice")
			s.settle(events("event", sevenTimes...)...)
			s.wantSeries(7)
			s.wantEach(nobody)
		}},
		"S13 get_events_with_one_serie_master, in one call": {[]string{"alice"}, func(s *scene) {
			s.makeInOutlook()
			s.settle(events("event", sevenTimes...)...)
			s.wantSeries(7)
			instances := 0
			for call, count := range s.Outlook.Counts() {
				if call == "GET /me/events/{id}/instances" {
					instances += count
				}
			}
			if instances > 1 {
				s.Errorf("the occurrences were asked for %d times", instances)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			stages(t, world.Options{Connect: one.connect}, one.play)
		})
	}
}

// TestPeerAnswersSeries: the answers that the peer refuses for series.
func TestPeerAnswersSeries(t *testing.T) {
	for name, one := range map[string]struct {
		answer func(*scene)
		want   func(at string) string
	}{
		"A01 attendee_accepts_event_from_odoo_calendar, all of a series": {
			func(s *scene) { s.answer(sevenTimes[0], "accepted", "all_events") },
			func(string) string { return "accepted" },
		},
		"A02 attendee_declines_event_from_odoo_calendar, one of a series": {
			func(s *scene) { s.answer(sevenTimes[3], "declined", "") },
			func(at string) string {
				return map[bool]string{true: "declined", false: "needsAction"}[at == sevenTimes[3]]
			},
		},
		"A03 attendee_accepts_event_from_outlook_calendar, all of a series": {
			func(s *scene) { s.respond(s.masterIn(world.Bob), "accept") },
			func(string) string { return "accepted" },
		},
		"A05 attendee_declines_event_from_outlook_calendar, all of a series": {
			func(s *scene) { s.respond(s.masterIn(world.Bob), "decline") },
			func(string) string { return "declined" },
		},
		"D07 delete_simple_event_from_outlook_attendee_calendar, all of a series": {
			func(s *scene) { s.remove(s.masterIn(world.Bob)) },
			func(string) string { return "declined" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			stages(t, world.Options{}, func(s *scene) {
				s.makeInOutlook()
				s.settle(events("event", sevenTimes...)...)
				s.mails = len(s.Outlook.Mails())
				one.answer(s)
				s.settle(events("event", sevenTimes...)...)
				want := map[string]string{}
				for _, at := range sevenTimes {
					want[at] = one.want(at)
				}
				if got := s.answersOf(s.partner("bob")); !maps.Equal(got, want) {
					s.Errorf("bob's answers in NightPOS are %v, want %v\n%s", got, want, s.Log())
				}
				here := s.repliesOf(world.Bob)
				maps.DeleteFunc(here, func(_, answer string) bool { return answer == "declined" })
				maps.DeleteFunc(want, func(_, answer string) bool { return answer == "declined" })
				if !maps.Equal(here, want) {
					s.Errorf("bob's mailbox shows %v, want %v\n%s", here, want, s.Log())
				}
				// The organizer hears of it once, if at all, and nobody else does.
				var heard []string
				for _, mail := range s.Outlook.Mails()[s.mails:] {
					heard = append(heard, mail.Kind+" to "+mail.To)
				}
				if slices.Sort(heard); len(heard) > 1 || len(heard) == 1 && heard[0] != "response to "+world.Alice {
					s.Errorf("mails: %q", heard)
				}
			})
		})
	}
}
