package series_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/test/world"
)

// following changes an occurrence of alice's and all later ones.
func (s *scene) following(start string, patch map[string]any) {
	s.Helper()
	if _, err := s.Outlook.Mailbox(world.Alice).UpdateFollowing(s.Context(), s.instance(start), patch); err != nil {
		s.Fatal(err)
	}
}

// reschedule changes when the whole series takes place.
func (s *scene) reschedule(first, last string) {
	s.Helper()
	patch := inOutlookAt(first)
	patch["recurrence"] = daily(first[:10], last)
	s.patch(s.master(), patch)
}

func TestPeerUpdatesSeriesInOutlook(t *testing.T) {
	dayEarlier := moved(-24*time.Hour, sevenTimes...)
	play(t, (*scene).makeInOutlook, map[string]step{
		"U17 update_name_of_one_event_of_recurrence_from_outlook": {
			func(s *scene) { s.patch(s.instance(sevenTimes[3]), map[string]any{"subject": "special"}) },
			sorted(events("event", sevenTimes[:3]...), events("special", sevenTimes[3]), events("event", sevenTimes[4:]...)), nobody,
		},
		"U18 update_start_of_one_event_of_recurrence_from_outlook": {
			func(s *scene) { s.patch(s.instance(sevenTimes[3]), inOutlookAt("2000-01-17T08:00")) },
			sorted(events("event", sevenTimes[:3]...), events("event", "2000-01-17T08:00"), events("event", sevenTimes[4:]...)), nobody,
		},
		"U19 update_start_of_one_event_of_recurrence_from_outlook_with_overlap": {
			func(s *scene) { s.patch(s.instance(sevenTimes[3]), inOutlookAt("2000-01-15T10:30")) },
			sorted(events("event", sevenTimes[:3]...), events("event", "2000-01-15T10:30"), events("event", sevenTimes[4:]...)), nobody,
		},
		"U20 update_name_of_one_event_and_future_from_outlook": {
			func(s *scene) {
				for _, at := range sevenTimes[3:] {
					s.patch(s.instance(at), map[string]any{"subject": "special " + at[8:10]})
				}
			},
			sorted(events("event", sevenTimes[:3]...), events("special 16", sevenTimes[3]), events("special 18", sevenTimes[4]), events("special 20", sevenTimes[5]), events("special 22", sevenTimes[6])), nobody,
		},
		"U21 update_start_of_one_event_and_future_from_outlook": {
			func(s *scene) { s.following(sevenTimes[2], inOutlookAt("2000-01-14T13:00")) },
			followingMoved(3 * time.Hour), nobody,
		},
		"U22 update_start_of_one_event_and_future_from_outlook_with_overlap": {
			func(s *scene) {
				patch := inOutlookAt("2000-01-12T13:00")
				patch["recurrence"] = daily("2000-01-12", "2000-01-22")
				s.following(sevenTimes[2], patch)
			},
			sorted(events("event", sevenTimes[:2]...), events("event", moved(3*time.Hour, sevenTimes[1:]...)...)), nobody,
		},
		"U23 update_name_of_all_events_of_recurrence_from_outlook": {
			func(s *scene) { s.patch(s.master(), map[string]any{"subject": "special"}) },
			events("special", sevenTimes...), nobody,
		},
		"U24 update_start_of_all_events_of_recurrence_from_outlook": {
			func(s *scene) { s.reschedule(dayEarlier[0], "2000-01-21") },
			events("event", dayEarlier...), nobody,
		},
		"U25 update_start_of_all_events_of_recurrence_with_more_events": {
			func(s *scene) { s.reschedule(dayEarlier[0], "2000-01-25") },
			events("event", append(dayEarlier, "2000-01-23T10:00", "2000-01-25T10:00")...), nobody,
		},
		"U26 update_start_of_all_events_of_recurrence_with_less_events": {
			func(s *scene) { s.reschedule(dayEarlier[0], "2000-01-17") },
			events("event", dayEarlier[:5]...), nobody,
		},
		"U27 update_start_of_all_events_of_recurrence_with_exceptions": {
			func(s *scene) {
				s.reschedule(dayEarlier[0], "2000-01-21")
				s.patch(s.instance(dayEarlier[3]), inOutlookAt("2000-01-16T08:00"))
			},
			sorted(events("event", dayEarlier[:3]...), events("event", "2000-01-16T08:00"), events("event", dayEarlier[4:]...)), nobody,
		},
		"D10 delete_one_event_from_recurrence_from_outlook": {
			func(s *scene) { s.delete(s.instance(sevenTimes[2])) },
			sorted(events("event", sevenTimes[:2]...), events("event", sevenTimes[3:]...)), nobody,
		},
		"D11 delete_first_event_from_recurrence_from_outlook": {
			func(s *scene) { s.delete(s.instance(sevenTimes[0])) },
			events("event", sevenTimes[1:]...), nobody,
		},
		"D12 delete_one_event_and_future_from_outlook": {
			func(s *scene) {
				if err := s.Outlook.Mailbox(world.Alice).DeleteFollowing(s.Context(), s.instance(sevenTimes[3])); err != nil {
					s.Fatal(err)
				}
			},
			events("event", sevenTimes[:3]...), nobody,
		},
		"D13 delete_first_event_and_future_from_outlook": {
			func(s *scene) {
				if err := s.Outlook.Mailbox(world.Alice).DeleteFollowing(s.Context(), s.instance(sevenTimes[0])); err != nil {
					s.Fatal(err)
				}
			},
			nil, nobody,
		},
		"D14 delete_all_events_from_recurrence_from_outlook": {
			func(s *scene) { s.delete(s.master()) },
			nil, nobody,
		},
	})
}

// threeDays is the shorter series of the older tests.
func (s *scene) threeDays() {
	s.Helper()
	series := everyOtherDay("A")
	series["recurrence"] = map[string]any{
		"pattern": map[string]any{"type": "daily", "interval": 1},
		"range":   map[string]any{"type": "endDate", "startDate": "2000-01-10", "endDate": "2000-01-12", "recurrenceTimeZone": "UTC"},
	}
	if _, err := s.Outlook.Mailbox(world.Alice).Create(s.Context(), series); err != nil {
		s.Fatal(err)
	}
	s.settle(events("A", threeTimes...)...)
}

var threeTimes = []string{"2000-01-10T10:00", "2000-01-11T10:00", "2000-01-12T10:00"}

func TestPeerLegacySeries(t *testing.T) {
	for name, steps := range map[string][]struct {
		do   func(*scene)
		want []string
	}{
		"L01 new_microsoft_recurrence": {},
		"L02 microsoft_recurrence_delete_one_event": {
			{func(s *scene) { s.delete(s.instance(threeTimes[1])) }, events("A", threeTimes[0], threeTimes[2])},
		},
		"L03 microsoft_recurrence_change_name_one_event": {
			{
				func(s *scene) { s.patch(s.instance(threeTimes[1]), map[string]any{"subject": "A2"}) },
				sorted(events("A", threeTimes[0], threeTimes[2]), events("A2", threeTimes[1])),
			},
		},
		"L04 microsoft_recurrence_change_name_all_event": {
			{
				func(s *scene) {
					for index, at := range threeTimes {
						s.patch(s.instance(at), map[string]any{"subject": string(rune('B' + index))})
					}
				},
				sorted(events("B", threeTimes[0]), events("C", threeTimes[1]), events("D", threeTimes[2])),
			},
		},
		"L05 microsoft_recurrence_change_date_one_event": {
			{
				func(s *scene) {
					s.patch(s.instance(threeTimes[1]), map[string]any{"end": instant("2000-01-11T13:00")})
				}, events("A", threeTimes...),
			},
			{
				func(s *scene) {
					for _, at := range threeTimes {
						want := later(at, time.Hour)
						if at == threeTimes[1] {
							want = "2000-01-11T13:00"
						}
						if stop := s.stopOf(at); stop != want {
							s.Errorf("the meeting of %s ends at %s, want %s", at, stop, want)
						}
					}
				}, events("A", threeTimes...),
			},
		},
		"L06 microsoft_recurrence_delete_first_event": {
			{func(s *scene) { s.delete(s.instance(threeTimes[0])) }, events("A", threeTimes[1:]...)},
			{func(s *scene) { s.delete(s.instance(threeTimes[2])) }, events("A", threeTimes[1])},
			{func(s *scene) { s.patch(s.master(), map[string]any{"end": instant("2000-01-10T13:00")}) }, nil},
			{func(s *scene) {
				for _, shown := range s.inNightPOS() {
					if stop := s.stopOf(shown[:16]); stop != later(shown[:16], 3*time.Hour) {
						s.Errorf("the meeting of %s ends at %s", shown, stop)
					}
				}
			}, nil},
		},
		"L07 microsoft_recurrence_split_recurrence": {
			{func(s *scene) {
				s.following(threeTimes[1], map[string]any{"subject": "B"})
			}, sorted(events("A", threeTimes[0]), events("B", threeTimes[1:]...))},
			{
				func(s *scene) { s.patch(s.instance(threeTimes[2]), map[string]any{"subject": "C"}) },
				sorted(events("A", threeTimes[0]), events("B", threeTimes[1]), events("C", threeTimes[2])),
			},
		},
		"L08 microsoft_recurrence_delete": {
			{func(s *scene) { s.delete(s.master()) }, nil},
			{func(s *scene) {
				if shown := s.inNightPOS(); len(shown) > 0 {
					s.Errorf("NightPOS still shows %q", shown)
				}
			}, nil},
		},
		"L10 cancel_occurrence_of_recurrent_event": {
			{func(s *scene) { s.delete(s.instance(threeTimes[1])) }, events("A", threeTimes[0], threeTimes[2])},
		},
	} {
		t.Run(name, func(t *testing.T) {
			stages(t, world.Options{}, func(s *scene) {
				s.threeDays()
				for _, one := range steps {
					one.do(s)
					s.settle(one.want...)
				}
				s.wantMails(0)
			})
		})
	}
}

// stopOf is when the record ends that begins then.
func (s *scene) stopOf(start string) string {
	s.Helper()
	id := s.at(start)
	for _, event := range s.NightPOS.Events() {
		if event["id"] == id {
			return strings.Replace(event["stop"].(string), " ", "T", 1)[:16]
		}
	}
	return ""
}

// wantSeries says how many series with how many meetings NightPOS has.
func (s *scene) wantSeries(sizes ...int) {
	s.Helper()
	var got []int
	for _, recurrence := range s.NightPOS.Recurrences() {
		if count := len(recurrence["calendar_event_ids"].([]int)); count > 0 {
			got = append(got, count)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, sizes) {
		s.Errorf("NightPOS has series of %v meetings, want %v\n%s", got, sizes, s.Log())
	}
}
