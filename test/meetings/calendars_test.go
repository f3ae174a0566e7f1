package meetings_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
	"github.com/nightpos/outlook-gateway/test/world"
)

// TestOtherCalendarsOfAMailbox: the main calendar is what is synced. What is made in
// another one stays there, and what is moved to another one stays in NightPOS as it
// was, mails nobody, and comes back with everything that was changed meanwhile. It is
// open whether Outlook tells of other calendars, and whether it says together with an
// event which calendar holds it.
func TestOtherCalendarsOfAMailbox(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		for _, expansion := range []simoutlook.CalendarExpansion{simoutlook.CalendarGiven, simoutlook.CalendarRefused, simoutlook.CalendarIgnored} {
			t.Run(fmt.Sprintf("quiet=%t, expansion %v", quiet, expansion), func(t *testing.T) {
				versions(t, world.Options{Switches: simoutlook.Switches{SecondaryQuiet: quiet, CalendarExpansion: expansion}}, otherCalendars)
			})
		}
	}
}

func otherCalendars(s *scene) {
	box := s.Outlook.Mailbox(alice)
	made, err := box.CreateCalendar(s.Context(), "Club")
	s.must(err)
	club := text(made, "id")
	move := func(id, calendar string) string {
		s.Helper()
		moved, err := box.Move(s.Context(), id, calendar)
		s.must(err)
		s.Quiet()
		return text(moved, "id")
	}
	quiet := func(what string, do func()) {
		s.Helper()
		inOutlook, inNightPOS, mails := s.spent(func() {
			do()
			s.Quiet()
			s.Sweep()
			s.Sweep()
		})
		if inOutlook+inNightPOS+len(mails) > 0 {
			s.Errorf("%s cost %d writes to Outlook, %d to NightPOS and mails %v\n%s", what, inOutlook, inNightPOS, mails, s.Log())
		}
	}

	// What is made in another calendar, single or a series, is nobody else's business.
	content := func(title string, days int) map[string]any {
		content := inOutlookAt(at(days), time.Hour)
		content["subject"] = title
		return content
	}
	var training string
	quiet("another calendar", func() {
		shown, err := box.CreateIn(s.Context(), club, content("Training", 5))
		s.must(err)
		training = text(shown, "id")
		series := content("Weekly", 6)
		series["recurrence"] = weekly(at(6))
		_, err = box.CreateIn(s.Context(), club, series)
		s.must(err)
		s.Quiet()
		s.update(alice, training, map[string]any{"subject": "Training again"})
	})
	s.wantShown("Training", 0, nil)
	s.wantShown("Weekly", 0, nil)

	// Into the main calendar and out of it again.
	s.wantMails(func() { training = move(training, "") })
	s.wantShown("Training", 1, map[string]int{alice: 1})
	quiet("a move to another calendar", func() {
		training = move(training, club)
		s.update(alice, training, map[string]any{"location": map[string]any{"displayName": "Gym"}})
	})
	s.wantShown("Training", 1, map[string]int{alice: 0})
	id := s.records("Training", false)[0]
	s.write("alice", id, map[string]any{"description": "Bring water"})
	quiet("what NightPOS changes meanwhile", func() { s.Quiet() })
	s.wantMails(func() { training = move(training, "") })
	if shown := s.record(id); shown["location"] != "Gym" {
		s.Errorf("back again, NightPOS shows it at %v\n%s", shown["location"], s.Log())
	}
	if body := text(s.event(alice, "Training"), "body", "content"); !strings.Contains(body, "Bring water") {
		s.Errorf("back again, Outlook shows %q\n%s", body, s.Log())
	}

	// A meeting with guests, made on either side, and a series: nobody is told, and
	// everybody's copies stay.
	s.meet(alice, "Board", 10, bob, carol)
	planned := s.plan("alice", "Review", 11, nil, bob, carol)
	s.Quiet()
	s.appoint("Choir", 12, map[string]any{"recurrence": weekly(at(12)), "attendees": attendees(bob)})
	s.Quiet()
	var away []string
	quiet("moving meetings away", func() {
		for _, title := range []string{"Board", "Review", "Choir"} {
			away = append(away, move(s.titled(alice, title), club))
		}
	})
	s.wantShown("Board", 1, map[string]int{alice: 0, bob: 1, carol: 1})
	s.wantShown("Review", 1, map[string]int{alice: 0, bob: 1, carol: 1})
	s.wantShown("Choir", 4, map[string]int{alice: 0, bob: 4})
	s.wantMails(func() {
		for _, id := range away {
			move(id, "")
		}
	})
	s.wantShown("Board", 1, map[string]int{alice: 1, bob: 1, carol: 1})
	s.wantShown("Review", 1, map[string]int{alice: 1, bob: 1, carol: 1})
	s.wantShown("Choir", 4, map[string]int{alice: 4, bob: 4})
	// A guest's copy in another calendar is still a copy: nobody has declined.
	guest := s.Outlook.Mailbox(bob)
	own, err := guest.CreateCalendar(s.Context(), "Own")
	s.must(err)
	var copied string
	quiet("a guest's move", func() {
		shown, err := guest.Move(s.Context(), s.titled(bob, "Board"), text(own, "id"))
		s.must(err)
		copied = text(shown, "id")
	})
	if people := s.inNightPOS("Board")[0].People; people[bob] != "open" {
		s.Errorf("NightPOS lists %v\n%s", people, s.Log())
	}
	_, err = guest.Move(s.Context(), copied, "")
	s.must(err)
	s.Quiet()
	s.wantShown("Board", 1, map[string]int{alice: 1, bob: 1, carol: 1})
	// Deleted in NightPOS while it is away, it stays in the person's other calendar.
	review := move(s.titled(alice, "Review"), club)
	_, _, mails := s.spent(func() {
		s.must(s.NightPOS.Member("alice").Archive(s.Context(), planned))
		s.Quiet()
		s.Sweep()
	})
	if len(mails) > 0 {
		s.Errorf("a meeting that is not synced, archived in NightPOS, mailed %v\n%s", mails, s.Log())
	}
	if _, err := box.Event(review); err != nil {
		s.Errorf("what was archived in NightPOS is gone from the other calendar: %v\n%s", err, s.Log())
	}
}
