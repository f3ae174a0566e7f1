package meetings_test

import (
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/test/world"

	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// TestTwoGuestsOfOneOrganizer: several people are invited from outside, all are
// connected, and their mailboxes tell of it at once. Whoever is first makes the
// meeting in NightPOS, and nobody makes it again.
func TestTwoGuestsOfOneOrganizer(t *testing.T) {
	for seed := range uint64(guestSeeds) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				spread := time.Duration(seed%3) * 3 * time.Millisecond
				w := world.New(t, world.Options{
					Version: 17 + int(seed%3), Seed: seed, Colleagues: colleagues, Connect: []string{"alice", "bob", "dave", "erin"},
					Switches: simoutlook.Switches{
						MeetingDelay: &simoutlook.Span{Most: spread}, NotificationDelay: &simoutlook.Span{Most: spread},
					},
				})
				defer w.Close()
				s := &scene{World: w, T: t}
				s.Quiet()
				guests := []string{alice, bob, dave, erin}
				s.meet(carol, "one meeting", 5, guests...)
				series := inOutlookAt(at(6), time.Hour)
				series["subject"], series["attendees"] = "many meetings", attendees(guests...)
				series["recurrence"] = map[string]any{
					"pattern": map[string]any{"type": "daily", "interval": 1},
					"range":   map[string]any{"type": "numbered", "startDate": at(6).Format(time.DateOnly), "numberOfOccurrences": 3, "recurrenceTimeZone": "UTC"},
				}
				_, err := s.Outlook.Mailbox(carol).Create(s.Context(), series)
				s.must(err)
				s.Quiet()
				s.wantOnce(guests, "one", 1)
				s.wantOnce(guests, "many", 3)
				s.Sweep()
				s.wantOnce(guests, "one", 1)
				s.wantOnce(guests, "many", 3)
				// Each of them is linked to it: their answers arrive.
				for _, tag := range []string{"one", "many"} {
					for _, address := range guests {
						s.must(s.Outlook.Mailbox(address).Respond(s.Context(), s.copyOf(address, tag), "accept"))
					}
				}
				s.Quiet()
				for _, tag := range []string{"one", "many"} {
					for _, shown := range s.inNightPOS(tag) {
						want := map[string]string{alice: "accepted", bob: "accepted", dave: "accepted", erin: "accepted", carol: "accepted"}
						if !maps.Equal(shown.People, want) {
							t.Errorf("%s: the answers are %v, want %v\n%s", tag, shown.People, want, s.Log())
						}
					}
				}
			})
		})
	}
}

// wantOnce says that NightPOS and each mailbox show a meeting as often as it takes
// place.
func (s *scene) wantOnce(guests []string, tag string, times int) {
	s.Helper()
	boxes := map[string]int{}
	for _, address := range guests {
		boxes[address] = times
	}
	s.wantShown(tag, times, boxes)
}
