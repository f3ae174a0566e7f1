package series_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/test/world"
)

// The complaints of this file are those that users have about NightPOS's own sync
// and series, under the numbers of our list of them.

// TestComplaint04: editing a series mails each attendee once, whatever the number
// of its occurrences.
func TestComplaint04SeriesEditsFloodAttendees(t *testing.T) {
	play(t, (*scene).makeInNightPOS, map[string]step{
		"everything about all events": {
			func(s *scene) {
				s.writeAs("alice", sevenTimes[0], map[string]any{"name": "crew", "location": "Room 1", "description": "<p>All of it</p>", "recurrence_update": "all_events"})
			},
			events("crew", sevenTimes...), once,
		},
		"one, then all": {
			func(s *scene) {
				s.writeAs("alice", sevenTimes[3], map[string]any{"name": "special", "recurrence_update": "self_only"})
				s.settle()
				s.wantEach(once)
				s.writeAs("alice", sevenTimes[0], map[string]any{"location": "Room 1", "recurrence_update": "all_events"})
			},
			sorted(events("event", sevenTimes[:3]...), events("special", sevenTimes[3]), events("event", sevenTimes[4:]...)), twice,
		},
		"all by somebody who is invited": {
			func(s *scene) {
				s.writeAs("bob", sevenTimes[0], map[string]any{"name": "crew", "recurrence_update": "all_events"})
			},
			events("crew", sevenTimes...), once,
		},
		"a split": {
			func(s *scene) {
				s.writeAs("alice", sevenTimes[4], map[string]any{"location": "Room 1", "recurrence_update": "future_events"})
			},
			events("event", sevenTimes...), twice,
		},
		"each by hand, one after the other at once": {
			func(s *scene) {
				var ids []int
				for _, at := range sevenTimes {
					ids = append(ids, s.at(at))
				}
				if err := s.NightPOS.Member("alice").Write(s.Context(), ids, map[string]any{"name": "crew"}); err != nil {
					s.Fatal(err)
				}
			},
			events("crew", sevenTimes...), once,
		},
	})
}

// TestComplaint05: whatever people do to a series in NightPOS is allowed and
// arrives.
func TestComplaint05SeriesCannotBeEditedInNightPOS(t *testing.T) {
	stages(t, world.Options{}, func(s *scene) {
		s.makeInNightPOS()
		s.settle(events("event", sevenTimes...)...)
		s.wantEach(once)
		s.writeAs("alice", sevenTimes[1], map[string]any{"name": "special", "recurrence_update": "self_only"})
		s.settle(sorted(events("event", sevenTimes[0]), events("special", sevenTimes[1]), events("event", sevenTimes[2:]...))...)
		s.wantEach(once)
		s.writeAs("alice", sevenTimes[0], map[string]any{"location": "Room 1", "recurrence_update": "all_events"})
		s.settle()
		s.wantEach(twice)
		s.answer(sevenTimes[2], "accepted", "all_events")
		s.settle()
		for at, answer := range s.answersOf(s.partner("bob")) {
			if answer != "accepted" {
				s.Errorf("bob's answer for %s is %s\n%s", at, answer, s.Log())
			}
		}
		s.mails = len(s.Outlook.Mails())
		if err := s.NightPOS.Member("alice").MassDelete(s.Context(), s.at(sevenTimes[0]), "all_events"); err != nil {
			s.Fatal(err)
		}
		s.Quiet()
		if shown := slices.Concat(s.inOutlook(), s.inNightPOS()); len(shown) > 0 {
			s.Errorf("there still is %q", shown)
		}
		s.wantEach(twice)
	})
}

// TestComplaint11: a change of the first occurrence leaves the series its
// organizer's, whoever hears of it first.
func TestComplaint11FirstOccurrenceHijacksTheSeries(t *testing.T) {
	for name, connect := range map[string][]string{"both connected": {"alice", "bob"}, "the organizer only": {"alice"}} {
		t.Run(name, func(t *testing.T) {
			stages(t, world.Options{Connect: connect}, func(s *scene) {
				s.makeInOutlook()
				s.settle(events("event", sevenTimes...)...)
				s.patch(s.instance(sevenTimes[0]), map[string]any{"subject": "first"})
				shown := sorted(events("first", sevenTimes[0]), events("event", sevenTimes[1:]...))
				s.settle(shown...)
				s.patch(s.instance(sevenTimes[0]), inOutlookAt("2000-01-10T12:00"))
				shown = sorted(events("first", "2000-01-10T12:00"), events("event", sevenTimes[1:]...))
				s.settle(shown...)
				if len(connect) == 1 {
					s.Connect("bob")
					s.settle(shown...)
				}
				s.wantOwner("alice")
				s.wantSeries(7)
				s.wantMasters(world.Alice, 1)
				s.wantMasters(world.Bob, 1)
				s.wantInvited()
				s.wantEach(nobody)
			})
		})
	}
}

// TestComplaint12: shifting a whole series doubles nothing.
func TestComplaint12ShiftDuplicatesTheSeries(t *testing.T) {
	for name, shift := range map[string]struct {
		days int
		by   time.Duration
	}{"later that day": {0, 3 * time.Hour}, "a day later": {1, 0}, "a day earlier, and earlier that day": {-1, -2 * time.Hour}, "a week later": {7, 0}} {
		t.Run(name, func(t *testing.T) {
			stages(t, world.Options{}, func(s *scene) {
				s.makeInOutlook()
				s.settle(events("event", sevenTimes...)...)
				if _, err := s.Outlook.Mailbox(world.Alice).Shift(s.Context(), s.master(), shift.days, shift.by); err != nil {
					s.Fatal(err)
				}
				s.settle(events("event", moved(time.Duration(shift.days)*24*time.Hour+shift.by, sevenTimes...)...)...)
				s.wantSeries(7)
				s.wantMasters(world.Alice, 1)
				s.wantInvited()
				s.wantEach(nobody)
			})
		})
	}
}

// TestComplaint13: a single event that becomes a series in Outlook is that series,
// and nothing is left over.
func TestComplaint13SingleBecomesSeries(t *testing.T) {
	for _, side := range []string{"Outlook", "NightPOS"} {
		t.Run("first made in "+side, func(t *testing.T) {
			stages(t, world.Options{}, func(s *scene) {
				if side == "Outlook" {
					single := everyOtherDay("event", world.Bob, world.Carol)
					delete(single, "recurrence")
					if _, err := s.Outlook.Mailbox(world.Alice).Create(s.Context(), single); err != nil {
						s.Fatal(err)
					}
				} else {
					values := inNightPOSAt(sevenTimes[0], "")
					values["name"] = "event"
					values["partner_ids"] = []any{[]any{6, 0, []any{s.partner("alice"), s.partner("bob"), s.NightPOS.Contact(world.Carol)}}}
					if _, err := s.NightPOS.Member("alice").Create(s.Context(), values); err != nil {
						s.Fatal(err)
					}
				}
				s.settle(events("event", sevenTimes[0])...)
				s.mails = len(s.Outlook.Mails())
				recurrence := daily("2000-01-10", "2000-01-22")
				single, err := s.Outlook.Mailbox(world.Alice).Event(s.instance(sevenTimes[0]))
				if err != nil {
					s.Fatal(err)
				}
				recurrence["range"].(map[string]any)["recurrenceTimeZone"] = single["originalStartTimeZone"]
				s.patch(single["id"].(string), map[string]any{"recurrence": recurrence})
				s.settle(events("event", sevenTimes...)...)
				s.wantSeries(7)
				s.wantMasters(world.Alice, 1)
				s.wantInvited()
				s.wantEach(nobody)
			})
		})
	}
}

// TestComplaint14: exceptions that come in with their series are known as what
// they are, and bringing them in mails nobody, on either side.
func TestComplaint14ImportedExceptionsMailEverybody(t *testing.T) {
	stages(t, world.Options{Connect: []string{}}, func(s *scene) {
		s.makeInOutlook()
		for index, at := range sevenTimes[:4] {
			s.patch(s.instance(at), map[string]any{"subject": fmt.Sprintf("special %d", index)})
		}
		s.patch(s.instance(sevenTimes[5]), inOutlookAt("2000-01-20T15:00"))
		s.mails = len(s.Outlook.Mails())
		s.Connect("bob")
		s.Connect("alice")
		s.settle()
		if shown := s.inNightPOS(); len(shown) != 7 {
			s.Errorf("NightPOS shows %q", shown)
		}
		s.wantSeries(7)
		s.wantEach(nobody)
		if mails := s.NightPOS.Mails(); len(mails) > 0 {
			s.Errorf("NightPOS mailed: %+v", mails)
		}
		s.patch(s.instance(sevenTimes[1]), map[string]any{"subject": "renamed"})
		s.Quiet()
		if s.settle(); !slices.Contains(s.inNightPOS(), sevenTimes[1]+" renamed") {
			s.Errorf("NightPOS shows %q", s.inNightPOS())
		}
	})
}

// TestComplaint15: a cancelled occurrence stops nothing, whoever hears of it.
func TestComplaint15CancelledOccurrenceStopsTheSync(t *testing.T) {
	stages(t, world.Options{}, func(s *scene) {
		s.makeInOutlook()
		s.settle(events("event", sevenTimes...)...)
		cancelled := s.instance(sevenTimes[3])
		if err := s.Outlook.Mailbox(world.Alice).Cancel(s.Context(), cancelled); err != nil {
			s.Fatal(err)
		}
		left := sorted(events("event", sevenTimes[:3]...), events("event", sevenTimes[4:]...))
		s.settle(left...)
		s.wantInvited()
		// Both people's calendars go on.
		for _, address := range []string{world.Alice, world.Bob} {
			single := everyOtherDay("of "+address, world.Carol)
			delete(single, "recurrence")
			maps.Copy(single, inOutlookAt("2000-02-01T10:00"))
			if _, err := s.Outlook.Mailbox(address).Create(s.Context(), single); err != nil {
				s.Fatal(err)
			}
		}
		s.patch(s.master(), map[string]any{"subject": "crew"})
		s.Quiet()
		want := sorted(events("crew", sevenTimes[:3]...), events("crew", sevenTimes[4:]...), events("of "+world.Alice, "2000-02-01T10:00"), events("of "+world.Bob, "2000-02-01T10:00"))
		if shown := s.inNightPOS(); !slices.Equal(shown, want) {
			s.Errorf("NightPOS shows\n%q, want\n%q\n%s", shown, want, s.Log())
		}
		s.wantEach(nobody)
	})
}

// TestComplaint29: series keep the time of day of their zone over a change of the
// clocks, and Outlook shows that zone.
func TestComplaint29ZonesOfSeries(t *testing.T) {
	for _, one := range []struct{ zone, windows string }{
		{"Europe/Brussels", "Romance Standard Time"}, {"America/New_York", "Eastern Standard Time"}, {"Asia/Kolkata", "India Standard Time"},
	} {
		for _, side := range []string{"Outlook", "NightPOS"} {
			t.Run(one.zone+" made in "+side, func(t *testing.T) {
				stages(t, world.Options{}, func(s *scene) {
					zone, err := time.LoadLocation(one.zone)
					if err != nil {
						s.Fatal(err)
					}
					first := time.Date(2000, 3, 15, 10, 0, 0, 0, zone)
					if side == "Outlook" {
						series := weekly("event", world.Bob, world.Carol)
						series["start"] = map[string]any{"dateTime": "2000-03-15T10:00:00", "timeZone": one.windows}
						series["end"] = map[string]any{"dateTime": "2000-03-15T11:00:00", "timeZone": one.windows}
						series["recurrence"] = map[string]any{
							"pattern": map[string]any{"type": "weekly", "interval": 1, "daysOfWeek": []any{"wednesday"}, "firstDayOfWeek": "monday"},
							"range":   map[string]any{"type": "numbered", "startDate": "2000-03-15", "numberOfOccurrences": 6, "recurrenceTimeZone": one.windows},
						}
						_, err = s.Outlook.Mailbox(world.Alice).Create(s.Context(), series)
					} else {
						_, err = s.NightPOS.Member("alice").Create(s.Context(), map[string]any{
							"name": "event", "start": first.UTC().Format(time.DateTime), "stop": first.Add(time.Hour).UTC().Format(time.DateTime),
							"recurrency": true, "rrule_type": "weekly", "interval": 1, "wed": true, "end_type": "count", "count": 6, "event_tz": one.zone,
							"partner_ids": []any{[]any{6, 0, []any{s.partner("alice"), s.partner("bob"), s.NightPOS.Contact(world.Carol)}}},
						})
					}
					if err != nil {
						s.Fatal(err)
					}
					var want []string
					for week := range 6 {
						want = append(want, first.AddDate(0, 0, 7*week).UTC().Format("2006-01-02T15:04")+" event")
					}
					s.settle(want...)
					s.wantInvited()
					s.wantEach(map[string]int{"Outlook": nobody, "NightPOS": once}[side])
					master, err := s.Outlook.Mailbox(world.Alice).Event(s.master())
					if err != nil {
						s.Fatal(err)
					}
					if shown := master["originalStartTimeZone"]; shown != one.windows {
						s.Errorf("Outlook shows it in %v, want %s", shown, one.windows)
					}
					for _, recurrence := range s.NightPOS.Recurrences() {
						// A zone has several names.
						kept, err := time.LoadLocation(recurrence["event_tz"].(string))
						if err != nil {
							s.Fatal(err)
						}
						for month := range 12 {
							noon := time.Date(2000, time.Month(month+1), 1, 12, 0, 0, 0, zone)
							if clock := noon.In(kept).Format(time.TimeOnly); clock != "12:00:00" {
								s.Errorf("NightPOS has it in %s, where it is %s at %s", kept, clock, noon)
							}
						}
					}
				})
			})
		}
	}
}

// TestComplaint50: yearly series, last weekdays and series of whole years go both
// ways.
func TestComplaint50YearlySeries(t *testing.T) {
	for name, one := range map[string]struct {
		// pattern is Outlook's, rule NightPOS's.
		pattern map[string]any
		rule    map[string]any
		want    []string
	}{
		"on a date": {
			map[string]any{"type": "absoluteYearly", "interval": 1, "month": 3, "dayOfMonth": 15},
			map[string]any{"rrule_type": "yearly", "interval": 1},
			[]string{"2000-03-15", "2001-03-15"},
		},
		"first wednesday of a month, monthly": {
			map[string]any{"type": "relativeMonthly", "interval": 1, "index": "third", "daysOfWeek": []any{"wednesday"}},
			map[string]any{"rrule_type": "monthly", "interval": 1, "month_by": "day", "weekday": "WED", "byday": "3"},
			[]string{"2000-03-15", "2000-04-19"},
		},
		"every sixth month": {
			map[string]any{"type": "absoluteMonthly", "interval": 6, "dayOfMonth": 15},
			map[string]any{"rrule_type": "monthly", "interval": 6, "month_by": "date", "day": 15},
			[]string{"2000-03-15", "2000-09-15"},
		},
	} {
		for _, side := range []string{"Outlook", "NightPOS"} {
			t.Run(name+" made in "+side, func(t *testing.T) {
				stages(t, world.Options{}, func(s *scene) {
					var err error
					if side == "Outlook" {
						series := weekly("event", world.Bob, world.Carol)
						maps.Copy(series, inOutlookAt("2000-03-15T10:00"))
						series["recurrence"] = map[string]any{
							"pattern": one.pattern,
							"range":   map[string]any{"type": "numbered", "startDate": "2000-03-15", "numberOfOccurrences": 2, "recurrenceTimeZone": "UTC"},
						}
						_, err = s.Outlook.Mailbox(world.Alice).Create(s.Context(), series)
					} else {
						values := map[string]any{
							"name": "event", "start": "2000-03-15 10:00:00", "stop": "2000-03-15 11:00:00", "recurrency": true, "end_type": "count", "count": 2, "event_tz": "UTC",
							"partner_ids": []any{[]any{6, 0, []any{s.partner("alice"), s.partner("bob"), s.NightPOS.Contact(world.Carol)}}},
						}
						maps.Copy(values, one.rule)
						_, err = s.NightPOS.Member("alice").Create(s.Context(), values)
					}
					if err != nil {
						s.Fatal(err)
					}
					s.Quiet()
					var want []string
					for _, day := range one.want {
						want = append(want, day+"T10:00 event")
					}
					shown := s.Outlook.Mailbox(world.Alice).View(from, from.AddDate(3, 0, 0))
					var here []string
					for _, event := range shown {
						here = append(here, fmt.Sprintf("%.16s %s", event["start"].(map[string]any)["dateTime"], event["subject"]))
					}
					if there := s.inNightPOS(); !slices.Equal(here, want) || !slices.Equal(there, want) {
						s.Errorf("Outlook shows %q, NightPOS %q, want %q\n%s", here, there, want, s.Log())
					}
					s.wantEach(map[string]int{"Outlook": nobody, "NightPOS": once}[side])
					master, err := s.Outlook.Mailbox(world.Alice).Event(s.master())
					if err != nil {
						s.Fatal(err)
					}
					if end := fmt.Sprint(master["recurrence"]); strings.Contains(end, "numberOfOccurrences:0") {
						s.Errorf("the rule is %s", end)
					}
				})
			})
		}
	}
}
