package series_test

import (
	"fmt"
	"testing"

	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
	"github.com/nightpos/outlook-gateway/test/world"
)

// TestAnExceptionIsToldAgainForNoOtherOccurrence: written at the master, a change
// has Outlook mail once more about each occurrence that was changed by itself (8.7).
// Where the master speaks for one occurrence or for none, the change goes to the
// occurrence.
func TestAnExceptionIsToldAgainForNoOtherOccurrence(t *testing.T) {
	for name, end := range map[string]struct {
		left  int
		moved []int
		want  []string
	}{
		"the last that was left was moved before":        {1, []int{0}, []string{"2000-01-10T10:00 special"}},
		"the other that was left was moved before":       {2, []int{1}, []string{"2000-01-10T09:00 special", "2000-01-12T10:00 team"}},
		"the two others that are left were moved":        {3, []int{1, 2}, []string{"2000-01-10T09:00 special", "2000-01-12T10:00 team", "2000-01-17T10:00 team"}},
		"it was moved before, and the other one was not": {2, []int{0}, []string{"2000-01-10T10:00 special", "2000-01-12T09:00 team"}},
	} {
		t.Run(name, func(t *testing.T) {
			versions(t, func(s *scene) {
				s.createInNightPOS(nil)
				s.settle(titled("team", nil)...)
				s.cut(end.left)
				for _, index := range end.moved {
					s.moveHour(sixTimes[index])
				}
				s.settle()
				s.mails = len(s.Outlook.Mails())
				s.write(s.at(end.want[0][:16]), map[string]any{"name": "special"})
				s.settle(end.want...)
				s.wantMails(1)

				// What all show now is still one change of all.
				s.write(s.at(end.want[0][:16]), map[string]any{"name": "crew", "recurrence_update": "all_events"})
				var want []string
				for _, shown := range end.want {
					want = append(want, shown[:17]+"crew")
				}
				s.settle(want...)
				s.wantMails(end.left)
			})
		})
	}
}

// TestASeriesWithoutOccurrencesIsCalledOffOnce: whoever deletes the last occurrence
// that is left in Outlook leaves a master there that nobody sees. To delete that too
// would tell everybody of it again.
func TestASeriesWithoutOccurrencesIsCalledOffOnce(t *testing.T) {
	versions(t, func(s *scene) {
		s.createInNightPOS(nil)
		s.settle(titled("team", nil)...)
		s.cut(2)
		kept := []int{s.at(sixTimes[0]), s.at(sixTimes[1])}
		for _, start := range sixTimes[:2] {
			s.try(s.Outlook.Mailbox(world.Alice).Delete(s.Context(), s.instance(start)))
		}
		s.mails = len(s.Outlook.Mails())
		s.settle()
		s.wantMails(0)
		if len(s.inNightPOS()) > 0 {
			s.Fatalf("NightPOS still shows %q\n%s", s.inNightPOS(), s.Log())
		}

		s.try(s.NightPOS.Member("alice").Write(s.Context(), kept, map[string]any{"active": true}))
		s.settle(sixTimes[0]+" team", sixTimes[1]+" team")
		s.wantMails(1)
	})
}

// TestAnOccurrenceOfASeriesWithoutAnyComesBack: one that somebody brings back is
// there again, though the last of the others was deleted in Outlook.
func TestAnOccurrenceOfASeriesWithoutAnyComesBack(t *testing.T) {
	versions(t, func(s *scene) {
		s.createInNightPOS(nil)
		s.settle(titled("team", nil)...)
		s.cut(2)
		second := s.at(sixTimes[1])
		s.try(s.Outlook.Mailbox(world.Alice).Delete(s.Context(), s.instance(sixTimes[0])))
		s.try(s.NightPOS.Member("alice").Archive(s.Context(), second))
		s.settle()
		if shown := s.inOutlook(); len(shown) > 0 {
			s.Fatalf("Outlook still shows %q\n%s", shown, s.Log())
		}
		s.write(second, map[string]any{"active": true})
		s.settle(sixTimes[1] + " team")
	})
}

// TestADeletedLastOccurrenceStaysDeletedWhenAllAreMoved: NightPOS makes it anew then,
// and Outlook may bring it back, which nobody is to be told of.
func TestADeletedLastOccurrenceStaysDeletedWhenAllAreMoved(t *testing.T) {
	for _, rule := range forgetting {
		for _, side := range []string{"Outlook", "NightPOS"} {
			t.Run(fmt.Sprintf("exceptions %d, deleted in %s", rule, side), func(t *testing.T) {
				under(t, simoutlook.Switches{Exceptions: rule}, func(s *scene) {
					s.createInNightPOS(nil)
					s.settle(titled("team", nil)...)
					if last := sixTimes[5]; side == "Outlook" {
						s.try(s.Outlook.Mailbox(world.Alice).Delete(s.Context(), s.instance(last)))
					} else {
						s.try(s.NightPOS.Member("alice").Unlink(s.Context(), s.at(last)))
					}
					s.settle(titled("team", map[int]string{5: ""})...)
					for hour := range 2 {
						s.mails = len(s.Outlook.Mails())
						s.write(s.at(fmt.Sprintf("2000-01-10T%02d", 9+hour)), map[string]any{
							"start": fmt.Sprintf("2000-01-10 %d:00:00", 10+hour), "stop": fmt.Sprintf("2000-01-10 %d:00:00", 11+hour),
							"recurrence_update": "all_events",
						})
						s.settle()
						s.wantMails(1)
						if shown := s.inOutlook(); len(shown) != 5 {
							s.Fatalf("Outlook shows %q, want 5 occurrences\n%s", shown, s.Log())
						}
					}
				})
			})
		}
	}
}

// try fails the test over what a calendar refuses its own people.
func (s *scene) try(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// cut leaves so many occurrences of the series, at its beginning.
func (s *scene) cut(left int) {
	s.Helper()
	s.try(s.NightPOS.Member("alice").MassDelete(s.Context(), s.at(sixTimes[left]), "future_events"))
	s.settle()
}

// moveHour moves an occurrence by an hour in Outlook.
func (s *scene) moveHour(start string) {
	s.Helper()
	at := start[:11]
	s.patch(s.instance(start), map[string]any{
		"start": map[string]any{"dateTime": at + "10:00:00", "timeZone": "UTC"},
		"end":   map[string]any{"dateTime": at + "11:00:00", "timeZone": "UTC"},
	})
	s.settle()
}
