package series_test

import (
	"maps"
	"testing"

	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
	"github.com/nightpos/outlook-gateway/test/world"
)

// TestASeriesThatNightPOSMakesAnewStaysOne moves all of a weekly series there,
// which gives it another id and most of its occurrences too: what is new must not
// be taken for another series.
func TestASeriesThatNightPOSMakesAnewStaysOne(t *testing.T) {
	for name, times := range map[string]map[string]any{
		"another day":             {"start": "2000-01-11 09:00:00", "stop": "2000-01-11 10:00:00"},
		"another day, and longer": {"start": "2000-01-11 09:00:00", "stop": "2000-01-11 10:30:00"},
		"longer":                  {"start": "2000-01-10 09:00:00", "stop": "2000-01-10 10:30:00"},
		"three hours later":       {"start": "2000-01-10 12:00:00", "stop": "2000-01-10 13:00:00"},
	} {
		for _, side := range []string{"Outlook", "NightPOS"} {
			t.Run(name+", made in "+side, func(t *testing.T) {
				versions(t, func(s *scene) {
					if side == "Outlook" {
						series := weekly("team", world.Carol)
						series["recurrence"].(map[string]any)["pattern"].(map[string]any)["daysOfWeek"] = []any{"monday"}
						if _, err := s.Outlook.Mailbox(world.Alice).Create(s.Context(), series); err != nil {
							s.Fatal(err)
						}
					} else {
						s.createInNightPOS(map[string]any{"wed": false})
					}
					s.settle()
					s.mails = len(s.Outlook.Mails())
					values := maps.Clone(times)
					values["recurrence_update"] = "all_events"
					s.write(s.at("2000-01-10T09:00"), values)
					s.settle()
					if shown := s.inOutlook(); len(shown) != 6 {
						s.Errorf("Outlook shows %q, want 6 occurrences\n%s", shown, s.Log())
					}
					s.wantMails(1)
				})
			})
		}
	}
}

// TestWhatTheBaseShowsByItselfIsNotSpread: NightPOS makes all occurrences of a series
// that is moved after its base. If that was renamed by itself, nobody meant the others
// to be, and nobody is told so.
func TestWhatTheBaseShowsByItselfIsNotSpread(t *testing.T) {
	for name, rename := range map[string]func(*scene){
		"renamed in Outlook": func(s *scene) {
			s.patch(s.instance(sixTimes[0]), map[string]any{"subject": "special"})
		},
		"renamed in NightPOS": func(s *scene) {
			s.write(s.at(sixTimes[0]), map[string]any{"name": "special"})
		},
		"left behind when all others were renamed": func(s *scene) {
			s.patch(s.instance(sixTimes[0]), map[string]any{"subject": "first"})
			s.settle(titled("team", map[int]string{0: "first"})...)
			s.write(s.at(sixTimes[0]), map[string]any{"name": "special", "recurrence_update": "all_events"})
			s.settle(titled("special", nil)...)
			s.patch(s.master(), map[string]any{"subject": "team"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			under(t, simoutlook.Switches{Exceptions: simoutlook.ExceptionsKeep}, func(s *scene) {
				if _, err := s.Outlook.Mailbox(world.Alice).Create(s.Context(), weekly("team", world.Carol)); err != nil {
					s.Fatal(err)
				}
				s.settle(titled("team", nil)...)
				rename(s)
				s.settle(titled("team", map[int]string{0: "special"})...)
				s.mails = len(s.Outlook.Mails())
				s.write(s.at(sixTimes[2]), map[string]any{"start": "2000-01-17 10:00:00", "stop": "2000-01-17 11:00:00", "recurrence_update": "all_events"})
				s.settle(
					"2000-01-10T10:00 special", "2000-01-12T10:00 team", "2000-01-17T10:00 team",
					"2000-01-19T10:00 team", "2000-01-24T10:00 team", "2000-01-26T10:00 team",
				)
				// One about all, one that Outlook sends besides about the first.
				s.wantMails(2)
			})
		})
	}
}

// TestASeriesOfExceptionsIsMoved: each occurrence was renamed by itself, so that none
// shows what the series does; on other days all are new, and show it again.
func TestASeriesOfExceptionsIsMoved(t *testing.T) {
	versions(t, func(s *scene) {
		s.renameEach()
		s.mails = len(s.Outlook.Mails())
		s.write(s.at("2000-01-10T09:00"), map[string]any{"start": "2000-01-11 09:00:00", "stop": "2000-01-11 10:00:00", "recurrence_update": "all_events"})
		s.settle()
		if shown := s.inOutlook(); len(shown) != 3 {
			s.Errorf("Outlook shows %q, want 3 occurrences\n%s", shown, s.Log())
		}
		s.wantMails(1)
	})
}

// renameEach makes a series of three Mondays and renames each by itself.
func (s *scene) renameEach() {
	s.Helper()
	series := weekly("team", world.Carol)
	series["recurrence"].(map[string]any)["pattern"].(map[string]any)["daysOfWeek"] = []any{"monday"}
	series["recurrence"].(map[string]any)["range"].(map[string]any)["numberOfOccurrences"] = 3
	if _, err := s.Outlook.Mailbox(world.Alice).Create(s.Context(), series); err != nil {
		s.Fatal(err)
	}
	s.settle()
	for _, time := range []string{"2000-01-17T09:00", "2000-01-24T09:00", "2000-01-10T09:00"} {
		s.patch(s.instance(time), map[string]any{"subject": "special on " + time[:10]})
		s.settle()
	}
}

// TestACategoryOfASeriesOfExceptions: all of them take it from the master, and so it is
// one of the series as a whole; taken off all in NightPOS, it goes from all in Outlook.
func TestACategoryOfASeriesOfExceptions(t *testing.T) {
	versions(t, func(s *scene) {
		s.renameEach()
		s.patch(s.master(), map[string]any{"categories": []any{"Red category"}})
		s.settle()
		first := s.at("2000-01-10T09:00")
		for _, event := range s.NightPOS.Events() {
			if tags := event["categ_ids"].([]int); len(tags) != 1 {
				s.Fatalf("%v has the categories %v in NightPOS, want one\n%s", event["name"], tags, s.Log())
			}
		}
		s.write(first, map[string]any{"categ_ids": []any{[]any{5}}, "recurrence_update": "all_events"})
		s.settle()
		for _, event := range s.Outlook.Mailbox(world.Alice).View(from, until) {
			if left := event["categories"].([]string); len(left) != 0 {
				s.Errorf("%v has the categories %v in Outlook, want none\n%s", event["subject"], left, s.Log())
			}
		}
	})
}
