package series_test

import (
	"maps"
	"testing"

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
