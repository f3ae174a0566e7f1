package series_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
	"github.com/nightpos/outlook-gateway/test/world"
)

// These are about guests and categories that single occurrences have besides those of
// the series.

const dave = "dave@nightpos.example"

// besides runs a test of a series of alice's with carol as its guest, which starts in
// Outlook, for either habit of Outlook's.
func besides(t *testing.T, run func(*scene)) {
	for name, rule := range map[string]simoutlook.ExceptionRule{"kept by Outlook": simoutlook.ExceptionsKeep, "dropped by Outlook": simoutlook.ExceptionsDropOnMove} {
		t.Run(name, func(t *testing.T) {
			besidesUnder(t, world.Options{Switches: simoutlook.Switches{Exceptions: rule}}, run)
		})
	}
}

func besidesUnder(t *testing.T, options world.Options, run func(*scene)) {
	for _, version := range usualVersions {
		t.Run(fmt.Sprintf("NightPOS %d", version), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				options := options
				options.Version, options.Seed, options.Colleagues = version, uint64(version), []string{"dave"}
				w := world.New(t, options)
				defer w.Close()
				w.Quiet()
				s := &scene{World: w, T: t}
				if _, err := s.Outlook.Mailbox(world.Alice).Create(s.Context(), weekly("team", world.Carol)); err != nil {
					s.Fatal(err)
				}
				s.settle()
				run(s)
			})
		})
	}
}

// giveBesides gives one occurrence a category and bob as another guest.
func (s *scene) giveBesides(index int) {
	s.Helper()
	s.patch(s.instance(sixTimes[index]), map[string]any{"categories": []any{"Red category"}, "attendees": guestsOf(world.Carol, world.Bob)})
	s.settle()
}

// anHourLaterInNightPOS moves all by an hour there.
func (s *scene) anHourLaterInNightPOS(values map[string]any) {
	s.Helper()
	all := map[string]any{"start": "2000-01-24 10:00:00", "stop": "2000-01-24 11:00:00", "recurrence_update": "all_events"}
	for name, value := range values {
		all[name] = value
	}
	s.write(s.at(sixTimes[4]), all)
}

// TestWhatOneOccurrenceHasBesidesSurvivesAMove: the series is moved in NightPOS, which
// forgets the others' exceptions and spreads its base's, and so may Outlook; the
// category and the guest stay with the one occurrence that has them.
func TestWhatOneOccurrenceHasBesidesSurvivesAMove(t *testing.T) {
	for _, index := range []int{0, 2} {
		t.Run(fmt.Sprintf("occurrence %d", index+1), func(t *testing.T) {
			besides(t, func(s *scene) {
				s.giveBesides(index)
				s.wantBesides(1, index)
				s.anHourLaterInNightPOS(nil)
				s.settle()
				s.wantBesides(1, index)
			})
		})
	}
}

// TestAGuestInvitedToAllAsTheyAreMoved is one edit in NightPOS: it goes to those, too,
// that have another guest besides.
func TestAGuestInvitedToAllAsTheyAreMoved(t *testing.T) {
	for _, index := range []int{0, 2} {
		t.Run(fmt.Sprintf("occurrence %d", index+1), func(t *testing.T) {
			besides(t, func(s *scene) {
				s.giveBesides(index)
				s.anHourLaterInNightPOS(map[string]any{"partner_ids": []any{[]any{4, s.partner("dave")}}})
				s.settle()
				s.wantBesides(2, index)
				for _, mail := range s.Outlook.Mails() {
					if mail.To == dave && mail.Kind == "cancellation" {
						s.Errorf("dave was invited, and got %+v\n%s", mail, s.Log())
					}
				}
			})
		})
	}
}

// TestAnotherGuestAfterAMoveBeforeItIsSeen: what NightPOS spreads is told from what
// somebody does to one occurrence before the move is looked at.
func TestAnotherGuestAfterAMoveBeforeItIsSeen(t *testing.T) {
	besidesUnder(t, world.Options{Switches: simoutlook.Switches{Exceptions: simoutlook.ExceptionsKeep}}, func(s *scene) {
		s.giveBesides(0)
		s.Ask("POST", "/users/alice/pause", "")
		s.anHourLaterInNightPOS(nil)
		s.write(s.at("2000-01-26T10:00"), map[string]any{"partner_ids": []any{[]any{4, s.partner("dave")}}})
		s.Ask("POST", "/users/alice/resume", "")
		s.settle()
		s.write(s.at("2000-01-26T10:00"), map[string]any{"partner_ids": []any{[]any{3, s.partner("dave")}}})
		s.settle()
		s.wantBesides(1, 0)
	})
}

// TestAGuestInvitedBetweenAWriteAndItsReading is not taken for one that NightPOS has
// taken off: alice invites dave to an occurrence after the gateway has written to the
// series, and before it has read what became of that.
func TestAGuestInvitedBetweenAWriteAndItsReading(t *testing.T) {
	var slow, patched atomic.Bool
	faults := func(call simoutlook.CallInfo) *simoutlook.Fault {
		switch {
		case !slow.Load():
		case call.Method == http.MethodPatch:
			patched.Store(true)
		case call.Method == http.MethodGet && patched.Load() && strings.Contains(call.Path, "/events/"):
			return &simoutlook.Fault{Delay: 3 * time.Second}
		}
		return nil
	}
	besidesUnder(t, world.Options{Faults: faults}, func(s *scene) {
		slow.Store(false)
		patched.Store(false)
		s.patch(s.instance(sixTimes[2]), map[string]any{"categories": []any{"Red category"}})
		s.settle()
		slow.Store(true)
		s.write(s.at(sixTimes[4]), map[string]any{"location": "room", "recurrence_update": "all_events"})
		// Virtual time, all of it: the reading takes three seconds, and alice is faster.
		for !patched.Load() {
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Second)
		s.patch(s.instance(sixTimes[2]), map[string]any{"attendees": guestsOf(world.Carol, dave)})
		time.Sleep(20 * time.Second)
		slow.Store(false)
		s.settle()
		s.wantBesides(1, 2)
	})
}

// wantBesides says how many guests all occurrences have, and that one alone has a
// category and another guest.
func (s *scene) wantBesides(guests, index int) {
	s.Helper()
	show := func(guests, categories int) string {
		return fmt.Sprintf("%d guests, %d categories", guests, categories)
	}
	var want, here, there []string
	for at := range sixTimes {
		if at == index {
			want = append(want, show(guests+1, 1))
		} else {
			want = append(want, show(guests, 0))
		}
	}
	view := s.Outlook.Mailbox(world.Alice).View(from, until)
	slices.SortFunc(view, func(a, b map[string]any) int {
		return strings.Compare(a["start"].(map[string]any)["dateTime"].(string), b["start"].(map[string]any)["dateTime"].(string))
	})
	for _, event := range view {
		here = append(here, show(len(event["attendees"].([]any)), len(event["categories"].([]string))))
	}
	records := slices.DeleteFunc(s.NightPOS.Events(), func(event map[string]any) bool { return event["active"] != true })
	slices.SortFunc(records, func(a, b map[string]any) int { return strings.Compare(a["start"].(string), b["start"].(string)) })
	for _, event := range records {
		// The organizer is one of the partners.
		there = append(there, show(len(event["partner_ids"].([]int))-1, len(event["categ_ids"].([]int))))
	}
	if !slices.Equal(here, want) || !slices.Equal(there, want) {
		s.Fatalf("Outlook shows\n%q\nNightPOS\n%q\nwant\n%q\n%s", here, there, want, s.Log())
	}
}
