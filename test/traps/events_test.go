package traps_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
	"github.com/nightpos/outlook-gateway/test/world"
)

// TestTrap13_6OccurrencesThatChangeUnseen: of a changed or deleted occurrence only
// the series is told, or nothing at all.
func TestTrap13_6OccurrencesThatChangeUnseen(t *testing.T) {
	for _, silent := range []bool{false, true} {
		t.Run(fmt.Sprintf("silent=%v", silent), func(t *testing.T) {
			in(t, simoutlook.Switches{OccurrenceDeletesSilent: silent}, func(s *scene) {
				s.create(world.Alice, daily(meeting("daily")))
				s.update(world.Alice, s.occurrence(world.Alice, 1), map[string]any{"subject": "changed"})
				s.must(s.Outlook.Mailbox(world.Alice).Delete(s.Context(), s.occurrence(world.Alice, 3)))
				if silent {
					time.Sleep(25 * time.Hour)
				}
				s.Quiet()
				s.shows(alone, "2000-01-10 10:00:00 daily", "2000-01-11 10:00:00 changed", "2000-01-12 10:00:00 daily", "2000-01-14 10:00:00 daily")
			})
		})
	}
}

// occurrence is the id of the so many-th of what a mailbox shows.
func (s *scene) occurrence(address string, number int) string {
	s.Helper()
	shown := s.Outlook.Mailbox(address).View(day, day.AddDate(0, 0, 30))
	if number >= len(shown) {
		s.Fatalf("%s shows %d events, want more than %d", address, len(shown), number)
	}
	return shown[number]["id"].(string)
}

// TestTrap13_9AStaleReadAfterAnException: what was just written to an occurrence
// is not taken back because a read still shows the state before it.
func TestTrap13_9AStaleReadAfterAnException(t *testing.T) {
	in(t, simoutlook.Switches{StaleExceptions: true, VaryShapes: true, Duplicates: 0.5}, func(s *scene) {
		s.create(world.Alice, daily(meeting("daily", world.Carol)))
		record := s.NightPOS.Events()
		slices.SortFunc(record, func(a, b map[string]any) int { return strings.Compare(fmt.Sprint(a["start"]), fmt.Sprint(b["start"])) })
		mails := len(s.Outlook.Mails())
		s.write(record[2]["id"].(int), map[string]any{"name": "special"})
		// A sweep in the middle of it looks again.
		s.Sweep()
		s.update(world.Alice, s.occurrence(world.Alice, 1), map[string]any{"location": map[string]any{"displayName": "Room 1"}, "subject": "other"})
		s.shows(alone, "2000-01-10 10:00:00 daily", "2000-01-11 10:00:00 other", "2000-01-12 10:00:00 special", "2000-01-13 10:00:00 daily", "2000-01-14 10:00:00 daily")
		if sent := len(s.Outlook.Mails()) - mails; sent != 2 {
			s.Errorf("%d mails for two edits of a meeting with one guest, want 2", sent)
		}
	})
}

// TestTrap13_11TheLinkOfAnOnlineMeeting: a new text keeps it.
func TestTrap13_11TheLinkOfAnOnlineMeeting(t *testing.T) {
	in(t, simoutlook.Switches{}, func(s *scene) {
		content := meeting("online", world.Bob)
		content["isOnlineMeeting"], content["onlineMeetingProvider"] = true, "teamsForBusiness"
		content["body"] = map[string]any{"contentType": "html", "content": "<p>Bring the plan.</p>"}
		id := s.create(world.Alice, content)
		link := func() any {
			shown, err := s.Outlook.Mailbox(world.Alice).Event(id)
			s.must(err)
			return shown["onlineMeeting"]
		}
		before := fmt.Sprint(link())
		record := s.NightPOS.Events()[0]["id"].(int)
		for number := range 3 {
			s.write(record, map[string]any{"description": fmt.Sprintf("<p>Bring plan %d.</p>", number)})
		}
		shown, err := s.Outlook.Mailbox(world.Alice).Event(id)
		s.must(err)
		body := shown["body"].(map[string]any)["content"].(string)
		if now := fmt.Sprint(link()); now != before || !strings.Contains(now, "teams.microsoft.com") || shown["isOnlineMeeting"] != true {
			s.Errorf("the meeting is at %s, was at %s", now, before)
		}
		if !strings.Contains(body, "Bring plan 2.") || strings.Count(body, "Join the meeting now") != 1 {
			s.Errorf("the text is %s\n%s", body, s.Log())
		}
	})
}

// TestTrap13_12WholeDaysAreDates: wherever the mailbox is, and whatever an hour of
// the day it is there, they stay on their days; and one of a daily row cannot
// change places with its neighbour.
func TestTrap13_12WholeDaysAreDates(t *testing.T) {
	for _, zone := range []string{"Samoa Standard Time", "Line Islands Standard Time", "Romance Standard Time"} {
		t.Run(zone, func(t *testing.T) {
			in(t, simoutlook.Switches{}, func(s *scene) {
				content := meeting("away")
				content["isAllDay"] = true
				content["start"] = map[string]any{"dateTime": "2000-01-10T00:00:00", "timeZone": zone}
				content["end"] = map[string]any{"dateTime": "2000-01-12T00:00:00", "timeZone": zone}
				id := s.create(world.Alice, content)
				record := s.plan(map[string]any{"name": "fair", "allday": true, "start_date": "2000-01-20", "stop_date": "2000-01-20"})
				s.Quiet()
				s.shows(alone, "2000-01-10*2000-01-11 away", "2000-01-20*2000-01-20 fair")
				s.update(world.Alice, id, map[string]any{"subject": "far"})
				s.write(record, map[string]any{"name": "trade fair"})
				s.Sweep()
				s.shows(alone, "2000-01-10*2000-01-11 far", "2000-01-20*2000-01-20 trade fair")
			})
		})
	}
	t.Run("in a row", func(t *testing.T) {
		in(t, simoutlook.Switches{}, func(s *scene) {
			content := daily(meeting("shift"))
			content["isAllDay"] = true
			content["start"] = map[string]any{"dateTime": "2000-01-10T00:00:00", "timeZone": "UTC"}
			content["end"] = map[string]any{"dateTime": "2000-01-11T00:00:00", "timeZone": "UTC"}
			s.create(world.Alice, content)
			for _, record := range s.NightPOS.Events() {
				if record["start_date"] == "2000-01-12" {
					s.write(record["id"].(int), map[string]any{"start_date": "2000-01-14", "stop_date": "2000-01-14"})
				}
			}
			if log := s.Log(); !strings.Contains(log, "cannot be moved to 2000-01-14") {
				s.Errorf("the log does not say that it cannot be moved:\n%s", log)
			}
		})
	})
}

// TestTrap13_13TheDateAndZoneOfASeries: where the day in the series' zone is not
// the day in UTC, all three zones and the first date must agree for Graph to take
// it.
func TestTrap13_13TheDateAndZoneOfASeries(t *testing.T) {
	for _, zone := range []string{"Asia/Tokyo", "America/Los_Angeles", "Pacific/Auckland", "Europe/Prague"} {
		for _, hour := range []int{1, 23} {
			t.Run(fmt.Sprint(zone, " ", hour), func(t *testing.T) {
				in(t, simoutlook.Switches{}, func(s *scene) {
					start := day.Add(time.Duration(hour)*time.Hour + 30*time.Minute)
					s.plan(map[string]any{
						"name": "daily", "start": start.Format(time.DateTime), "stop": start.Add(15 * time.Minute).Format(time.DateTime),
						"recurrency": true, "rrule_type": "daily", "interval": 1, "end_type": "count", "count": 4, "event_tz": zone,
					})
					s.Quiet()
					var want []string
					for number := range 4 {
						want = append(want, start.AddDate(0, 0, number).Format(time.DateTime)+" daily")
					}
					s.shows(alone, want...)
				})
			})
		}
	}
}

// TestTrap13_14TwinsOfOneMoment: two events that are made with the same content
// one after the other are two events.
func TestTrap13_14TwinsOfOneMoment(t *testing.T) {
	in(t, simoutlook.Switches{TwinsMerged: true}, func(s *scene) {
		s.plan(map[string]any{"name": "twin"})
		s.plan(map[string]any{"name": "twin"})
		s.Quiet()
		s.shows(alone, "2000-01-10 10:00:00 twin", "2000-01-10 10:00:00 twin")
	})
}

// TestTrap13_15WhatIsToldOfICalUIDs: the occurrences of a series may have that of
// their master, and all may have none.
func TestTrap13_15WhatIsToldOfICalUIDs(t *testing.T) {
	for name, switches := range map[string]simoutlook.Switches{
		"shared": {OccurrencesShareUID: true}, "null": {UIDNull: true},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, switches, func(s *scene) {
				s.create(world.Alice, daily(meeting("daily")))
				single := s.create(world.Alice, meeting("met", world.Bob))
				s.plan(map[string]any{"name": "planned"}, world.Bob)
				s.Quiet()
				s.update(world.Alice, s.occurrence(world.Alice, 4), map[string]any{"subject": "special"})
				s.update(world.Alice, single, map[string]any{"subject": "met again"})
				s.Sweep()
				if got := s.inNightPOS(); !slices.Equal(got, s.inOutlook(world.Alice)) || len(got) != 7 {
					s.Errorf("NightPOS shows %q\nand alice's mailbox %q, want the same seven\n%s", got, s.inOutlook(world.Alice), s.Log())
				}
				if got := s.inOutlook(world.Bob); len(got) != 2 {
					s.Errorf("bob's mailbox shows %q, want what he is invited to, once each\n%s", got, s.Log())
				}
			})
		})
	}
}

// TestTrap13_18CancelledMeetings: what stays in the attendees' mailboxes is no
// meeting any more, and its title nothing to bring back, however often it grows.
func TestTrap13_18CancelledMeetings(t *testing.T) {
	in(t, simoutlook.Switches{PrefixRepeats: true}, func(s *scene) {
		id := s.create(world.Carol, meeting("visit", world.Bob))
		s.shows([]string{world.Bob}, "2000-01-10 10:00:00 visit")
		s.must(s.Outlook.Mailbox(world.Carol).Cancel(s.Context(), id))
		s.Quiet()
		for range 2 {
			s.update(world.Bob, s.Outlook.Mailbox(world.Bob).Events()[0]["id"].(string), map[string]any{"isReminderOn": false})
		}
		s.Sweep()
		s.shows([]string{world.Bob})
		if left := s.Outlook.Mailbox(world.Bob).Events()[0]["subject"]; left != "Canceled: Canceled: Canceled: visit" {
			s.Fatalf("bob's mailbox shows %q, want the prefix over and over", left)
		}
		if title := s.NightPOS.Events()[0]["name"]; title != "visit" {
			s.Errorf("NightPOS calls the archived meeting %q, want %q", title, "visit")
		}
	})
}

// TestTrap13_20NoListIsNull: the last guest and the last tag are taken away with an
// empty list. The simulator refuses null as Graph does.
func TestTrap13_20NoListIsNull(t *testing.T) {
	in(t, simoutlook.Switches{}, func(s *scene) {
		record := s.plan(map[string]any{"name": "small"}, world.Carol)
		s.Quiet()
		s.write(record, map[string]any{"partner_ids": []any{[]any{6, 0, []any{s.NightPOS.Contact(world.Alice)}}}})
		s.write(record, map[string]any{"location": "Room 1"})
		s.write(record, map[string]any{"location": false, "description": false, "alarm_ids": []any{[]any{6, 0, []any{}}}})
		s.plan(map[string]any{"name": "bare", "partner_ids": []any{[]any{6, 0, []any{s.NightPOS.Contact(world.Alice)}}}})
		s.Quiet()
		s.shows(alone, "2000-01-10 10:00:00 bare", "2000-01-10 10:00:00 small")
		for _, event := range s.Outlook.Mailbox(world.Alice).Events() {
			if attendees := event["attendees"].([]any); len(attendees) != 0 {
				s.Errorf("%v still invites %v", event["subject"], attendees)
			}
		}
		for _, call := range s.Outlook.Calls() {
			if call.Status == 400 {
				s.Errorf("%s %s was answered 400", call.Method, call.Path)
			}
		}
	})
}
