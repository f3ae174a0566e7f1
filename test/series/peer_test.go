package series_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/test/world"
)

// The scenarios of this file are those of the tests of NightPOS's own sync, under
// their names, those included that it has switched off. Mike, the organizer, is
// alice here, and John bob; carol, who has neither a user nor the gateway, is
// invited too, so that there are mails to count.

// sevenTimes are those of the series of these tests: every other day, seven times.
var sevenTimes = []string{
	"2000-01-10T10:00", "2000-01-12T10:00", "2000-01-14T10:00", "2000-01-16T10:00", "2000-01-18T10:00", "2000-01-20T10:00", "2000-01-22T10:00",
}

// everyOtherDay is that series as a person makes it in Outlook.
func everyOtherDay(title string, people ...string) map[string]any {
	series := weekly(title, people...)
	series["start"] = instant("2000-01-10T10:00")
	series["end"] = instant("2000-01-10T11:00")
	series["recurrence"] = daily("2000-01-10", "2000-01-22")
	return series
}

func daily(first, last string) map[string]any {
	return map[string]any{
		"pattern": map[string]any{"type": "daily", "interval": 2},
		"range":   map[string]any{"type": "endDate", "startDate": first, "endDate": last, "recurrenceTimeZone": "UTC"},
	}
}

func instant(at string) map[string]any {
	return map[string]any{"dateTime": at + ":00", "timeZone": "UTC"}
}

// inOutlookAt and inNightPOSAt are when a meeting of an hour begins and ends.
func inOutlookAt(start string) map[string]any {
	return map[string]any{"start": instant(start), "end": instant(later(start, time.Hour))}
}

func inNightPOSAt(start, scope string) map[string]any {
	stamp := func(at string) string { return strings.Replace(at, "T", " ", 1) + ":00" }
	values := map[string]any{"start": stamp(start), "stop": stamp(later(start, time.Hour))}
	if scope != "" {
		values["recurrence_update"] = scope
	}
	return values
}

func later(start string, by time.Duration) string {
	at, err := time.Parse("2006-01-02T15:04", start)
	if err != nil {
		panic(err)
	}
	return at.Add(by).Format("2006-01-02T15:04")
}

// events are meetings under one title, from one of the seven on.
func events(title string, times ...string) []string {
	var shown []string
	for _, at := range times {
		shown = append(shown, at+" "+title)
	}
	return shown
}

// moved are times, all later by the same.
func moved(by time.Duration, times ...string) []string {
	var result []string
	for _, at := range times {
		result = append(result, later(at, by))
	}
	return result
}

func sorted(lists ...[]string) []string { return slices.Sorted(slices.Values(slices.Concat(lists...))) }

// nobody and the like say how many mails each of carol and bob may get from the
// gateway.
const (
	nobody = 0
	once   = 1
	twice  = 2
)

// wantEach says that bob and carol have got mails of the gateway since the last
// time: at least one and at most so many each, and nobody else any.
func (s *scene) wantEach(most int) {
	s.Helper()
	counts := map[string]int{}
	sent := s.Outlook.Mails()
	for _, mail := range sent[s.mails:] {
		if strings.HasPrefix(mail.Actor, "app:") {
			counts[mail.To]++
		}
	}
	for _, address := range []string{world.Bob, world.Carol} {
		if count := counts[address]; count > most || most > 0 && count == 0 {
			s.Errorf("%s got %d mails, want 1 to %d: %+v\n%s", address, count, most, sent[s.mails:], s.Log())
		}
		delete(counts, address)
	}
	if len(counts) > 0 {
		s.Errorf("others got mails: %v", counts)
	}
	account := s.NightPOS.Member("gateway").ID
	for _, mail := range s.NightPOS.Mails() {
		if mail.User == account {
			s.Errorf("NightPOS mailed %s for the gateway: %s", mail.To, mail.Subject)
		}
	}
	s.mails = len(sent)
}

// wantInvited says that bob's mailbox shows what alice's does.
func (s *scene) wantInvited() {
	s.Helper()
	if organizer, invited := s.shownIn(world.Alice), s.shownIn(world.Bob); !slices.Equal(organizer, invited) {
		s.Errorf("alice's mailbox shows\n%q\nbob's\n%q\n%s", organizer, invited, s.Log())
	}
}

// shownIn is what a mailbox shows that is not cancelled.
func (s *scene) shownIn(address string) []string {
	var shown []string
	for _, event := range s.Outlook.Mailbox(address).View(from, until) {
		if event["isCancelled"] != true {
			shown = append(shown, fmt.Sprintf("%.16s %s", event["start"].(map[string]any)["dateTime"], event["subject"]))
		}
	}
	slices.Sort(shown)
	return shown
}

// writeAs is an edit of somebody's in NightPOS.
func (s *scene) writeAs(login, start string, values map[string]any) {
	s.Helper()
	if err := s.NightPOS.Member(login).Write(s.Context(), []int{s.at(start)}, values); err != nil {
		s.Fatal(err)
	}
}

func (s *scene) makeInNightPOS() {
	s.Helper()
	values := map[string]any{
		"name": "event", "start": "2000-01-10 10:00:00", "stop": "2000-01-10 11:00:00",
		"recurrency": true, "rrule_type": "daily", "interval": 2, "end_type": "end_date", "until": "2000-01-22", "event_tz": "UTC",
		"partner_ids": []any{[]any{6, 0, []any{s.partner("alice"), s.partner("bob"), s.NightPOS.Contact(world.Carol)}}},
	}
	if _, err := s.NightPOS.Member("alice").Create(s.Context(), values); err != nil {
		s.Fatal(err)
	}
}

func (s *scene) makeInOutlook() {
	s.Helper()
	if _, err := s.Outlook.Mailbox(world.Alice).Create(s.Context(), everyOtherDay("event", world.Bob, world.Carol)); err != nil {
		s.Fatal(err)
	}
}

// step is one scenario: what somebody does to the seven, what both sides show
// then, and how many mails of the gateway's each attendee gets for it.
type step struct {
	do   func(*scene)
	want []string
	most int
}

// play runs scenarios, each on a series made on one side.
func play(t *testing.T, begin func(*scene), steps map[string]step) {
	for _, name := range slices.Sorted(maps.Keys(steps)) {
		t.Run(name, func(t *testing.T) {
			stages(t, world.Options{}, func(s *scene) {
				begin(s)
				s.settle(events("event", sevenTimes...)...)
				s.wantInvited()
				s.mails = len(s.Outlook.Mails())
				one := steps[name]
				one.do(s)
				s.settle(one.want...)
				if shown := s.inNightPOS(); len(one.want) == 0 && len(shown) > 0 {
					s.Errorf("NightPOS still shows %q", shown)
				}
				s.wantInvited()
				s.wantEach(one.most)
			})
		})
	}
}

// stages runs a test against each version of NightPOS, side by side.
func stages(t *testing.T, options world.Options, run func(*scene)) {
	for _, version := range usualVersions {
		t.Run(fmt.Sprintf("NightPOS %d", version), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				chosen := options
				chosen.Version, chosen.Seed = version, uint64(version)
				w := world.New(t, chosen)
				defer w.Close()
				w.Quiet()
				run(&scene{World: w, T: t})
			})
		})
	}
}

func (s *scene) unlink(login, start string) {
	s.Helper()
	if err := s.NightPOS.Member(login).Unlink(s.Context(), s.at(start)); err != nil {
		s.Fatal(err)
	}
}

// followingMoved are the seven after those from the third on were moved.
func followingMoved(by time.Duration) []string {
	return sorted(events("event", sevenTimes[:2]...), events("event", moved(by, sevenTimes[2:]...)...))
}

func TestPeerUpdatesSeriesInNightPOS(t *testing.T) {
	play(t, (*scene).makeInNightPOS, map[string]step{
		"U04 update_name_of_one_event_of_recurrence_from_odoo": {
			func(s *scene) {
				s.writeAs("alice", sevenTimes[3], map[string]any{"name": "special", "recurrence_update": "self_only"})
			},
			sorted(events("event", sevenTimes[:3]...), events("special", sevenTimes[3]), events("event", sevenTimes[4:]...)), once,
		},
		"U05 update_start_of_one_event_of_recurrence_from_odoo": {
			func(s *scene) { s.writeAs("alice", sevenTimes[3], inNightPOSAt("2000-01-17T08:00", "self_only")) },
			sorted(events("event", sevenTimes[:3]...), events("event", "2000-01-17T08:00"), events("event", sevenTimes[4:]...)), once,
		},
		"U07 update_name_of_one_event_of_recurrence_from_odoo_attendee_calendar": {
			func(s *scene) {
				s.writeAs("bob", sevenTimes[3], map[string]any{"name": "special", "recurrence_update": "self_only"})
			},
			sorted(events("event", sevenTimes[:3]...), events("special", sevenTimes[3]), events("event", sevenTimes[4:]...)), once,
		},
		"U08 update_name_of_one_and_future_events_of_recurrence_from_odoo": {
			func(s *scene) {
				s.writeAs("alice", sevenTimes[2], map[string]any{"name": "special", "recurrence_update": "future_events"})
			},
			sorted(events("event", sevenTimes[:2]...), events("special", sevenTimes[2:]...)), twice,
		},
		"U09 update_start_of_one_and_future_events_of_recurrence_from_odoo": {
			func(s *scene) { s.writeAs("alice", sevenTimes[2], inNightPOSAt("2000-01-14T13:00", "future_events")) },
			followingMoved(3 * time.Hour), twice,
		},
		"U10 update_start_of_one_and_future_events_of_recurrence_from_odoo_with_overlap": {
			func(s *scene) { s.writeAs("alice", sevenTimes[2], inNightPOSAt("2000-01-12T10:00", "future_events")) },
			// NightPOS itself keeps the second one and lets the rest end when it did.
			sorted(events("event", sevenTimes...), events("event", sevenTimes[1])), twice,
		},
		"U11 update_one_and_future_events_of_recurrence_from_odoo_attendee_calendar": {
			func(s *scene) { s.writeAs("bob", sevenTimes[2], inNightPOSAt("2000-01-14T13:00", "future_events")) },
			followingMoved(3 * time.Hour), twice,
		},
		"U12 update_name_of_all_events_of_recurrence_from_odoo": {
			func(s *scene) {
				s.writeAs("alice", sevenTimes[0], map[string]any{"name": "special", "recurrence_update": "all_events"})
			},
			events("special", sevenTimes...), once,
		},
		"U13 update_start_of_all_events_of_recurrence_from_odoo": {
			func(s *scene) { s.writeAs("alice", sevenTimes[0], inNightPOSAt("2000-01-10T13:00", "all_events")) },
			events("event", moved(3*time.Hour, sevenTimes...)...), once,
		},
		"U14 update_all_events_of_recurrence_from_odoo_attendee_calendar": {
			func(s *scene) { s.writeAs("bob", sevenTimes[0], inNightPOSAt("2000-01-10T13:00", "all_events")) },
			events("event", moved(3*time.Hour, sevenTimes...)...), once,
		},
		"D08 delete_one_event_from_recurrence_from_odoo": {
			func(s *scene) { s.unlink("alice", sevenTimes[2]) },
			sorted(events("event", sevenTimes[:2]...), events("event", sevenTimes[3:]...)), once,
		},
		"D09 delete_first_event_from_recurrence_from_odoo": {
			func(s *scene) { s.unlink("alice", sevenTimes[0]) },
			events("event", sevenTimes[1:]...), once,
		},
		"D15 delete_single_event_from_recurrence_from_odoo": {
			func(s *scene) {
				if err := s.NightPOS.Member("alice").MassArchive(s.Context(), s.at(sevenTimes[0]), "self_only"); err != nil {
					s.Fatal(err)
				}
			},
			events("event", sevenTimes[1:]...), once,
		},
		"D17 delete_recurrence_previously_synced, here allowed": {
			func(s *scene) {
				if err := s.NightPOS.Member("alice").MassArchive(s.Context(), s.at(sevenTimes[0]), "all_events"); err != nil {
					s.Fatal(err)
				}
			},
			nil, once,
		},
		"D18 forbid_recurrence_unlinking_list_view, here allowed": {
			func(s *scene) {
				var ids []int
				for _, at := range sevenTimes {
					ids = append(ids, s.at(at))
				}
				if err := s.NightPOS.Member("alice").Unlink(s.Context(), ids...); err != nil {
					s.Fatal(err)
				}
			},
			nil, once,
		},
	})
}

// TestPeerUpdatesSeriesWithOverlap: NightPOS lets an occurrence pass its neighbour,
// Outlook does not; that is known before it is tried, and said.
func TestPeerUpdatesSeriesWithOverlap(t *testing.T) {
	for name, to := range map[string]string{"onto the neighbour's day": "2000-01-18T12:00", "past it": "2000-01-19T12:00"} {
		t.Run("U06 update_start_of_one_event_of_recurrence_from_odoo_with_overlap "+name, func(t *testing.T) {
			stages(t, world.Options{}, func(s *scene) {
				s.makeInNightPOS()
				s.settle(events("event", sevenTimes...)...)
				s.wantEach(once)
				s.writeAs("alice", sevenTimes[3], inNightPOSAt(to, ""))
				s.Quiet()
				if shown, want := s.inOutlook(), events("event", sevenTimes...); !slices.Equal(shown, want) {
					s.Errorf("Outlook shows %q, want %q", shown, want)
				}
				s.wantEach(nobody)
				if log := s.Log(); !strings.Contains(log, "cannot be moved to "+to[:10]) {
					s.Errorf("the log does not say why:\n%s", log)
				}
			})
		})
	}
}
