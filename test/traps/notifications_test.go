package traps_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
	"github.com/nightpos/outlook-gateway/test/world"
)

// TestTrap13_1StormsOfNotifications: however often one change is told, it is read
// a few times and written once.
func TestTrap13_1StormsOfNotifications(t *testing.T) {
	in(t, simoutlook.Switches{Duplicates: 1, VaryShapes: true}, func(s *scene) {
		id := s.create(world.Alice, meeting("storm", world.Carol))
		delivered, reads, writes := s.Outlook.Delivery().Delivered, s.calls("GET /me/events/{event}"), s.NightPOS.Counts()["door writing"]
		for number := range 20 {
			s.update(world.Alice, id, map[string]any{"subject": "storm " + string(rune('a'+number))})
		}
		told, read, written := s.Outlook.Delivery().Delivered-delivered, s.calls("GET /me/events/{event}")-reads, s.NightPOS.Counts()["door writing"]-writes
		if told < 60 {
			s.Fatalf("only %d notifications came, want a storm", told)
		}
		if read > 20 || written != 20 {
			s.Errorf("%d notifications of 20 changes: %d reads and %d writes, want at most 20 and 20", told, read, written)
		}
		s.shows(alone, "2000-01-10 10:00:00 storm t")
	})
}

// TestTrap13_2CopiesUnderOtherIDs: one meeting has another id in each mailbox, and
// stays one meeting.
func TestTrap13_2CopiesUnderOtherIDs(t *testing.T) {
	in(t, simoutlook.Switches{}, func(s *scene) {
		single := s.create(world.Alice, meeting("single", world.Bob))
		s.create(world.Bob, daily(meeting("daily", world.Alice)))
		s.update(world.Alice, single, map[string]any{"subject": "only"})
		want := []string{
			"2000-01-10 10:00:00 daily", "2000-01-10 10:00:00 only", "2000-01-11 10:00:00 daily",
			"2000-01-12 10:00:00 daily", "2000-01-13 10:00:00 daily", "2000-01-14 10:00:00 daily",
		}
		s.shows(both, want...)
		s.Sweep()
		s.shows(both, want...)
	})
}

// TestTrap13_3DaysWithoutNotifications: what happens during an outage that nobody
// tells of is found all the same.
func TestTrap13_3DaysWithoutNotifications(t *testing.T) {
	in(t, simoutlook.Switches{}, func(s *scene) {
		kept, gone := s.create(world.Alice, meeting("kept")), s.create(world.Alice, meeting("gone"))
		s.Outlook.Silence(true)
		s.update(world.Alice, kept, map[string]any{"subject": "changed"})
		s.must(s.Outlook.Mailbox(world.Alice).Delete(s.Context(), gone))
		s.create(world.Alice, meeting("new"))
		time.Sleep(26 * time.Hour) // the outages that were reported lasted for more than a day
		s.Quiet()
		s.shows(alone, "2000-01-10 10:00:00 changed", "2000-01-10 10:00:00 new")
	})
}

// TestTrap13_5ASubscriptionThatReachesNobody: Microsoft has taken an address that
// it cannot reach. Nothing is ever told, and nothing says so.
func TestTrap13_5ASubscriptionThatReachesNobody(t *testing.T) {
	unreachable := world.Options{
		Switches: simoutlook.Switches{UnvalidatedTaken: true, NoLifecycle: true},
		Outlook: func(config *simoutlook.Config) {
			config.Transport = noRoute{config.Transport}
		},
	}
	with(t, unreachable, func(s *scene) {
		made, err := s.Outlook.Mailbox(world.Alice).Create(s.Context(), meeting("kept"))
		s.must(err)
		time.Sleep(8 * time.Hour)
		s.shows(alone, "2000-01-10 10:00:00 kept")
		_, err = s.Outlook.Mailbox(world.Alice).Update(s.Context(), made["id"].(string), map[string]any{"subject": "changed"})
		s.must(err)
		time.Sleep(8 * time.Hour)
		s.shows(alone, "2000-01-10 10:00:00 changed")
		if got := s.Outlook.Delivery().Delivered; got != 0 {
			s.Errorf("%d notifications arrived, want none", got)
		}
	})
}

// noRoute is a network without a way to the gateway.
type noRoute struct{ next http.RoundTripper }

func (n noRoute) RoundTrip(request *http.Request) (*http.Response, error) {
	if strings.HasPrefix(request.URL.Host, "gateway.") {
		return nil, errors.New("no route to host")
	}
	return n.next.RoundTrip(request)
}

// TestTrap13_17PersonalAccounts: an alias for the organizer, no lifecycle
// notifications, no online meetings.
func TestTrap13_17PersonalAccounts(t *testing.T) {
	in(t, simoutlook.Switches{OrganizerAlias: true, NoLifecycle: true, NoOnlineMeetings: true, MailNull: true}, func(s *scene) {
		content := meeting("met", world.Bob)
		content["isOnlineMeeting"] = true
		id := s.create(world.Alice, content)
		s.shows(both, "2000-01-10 10:00:00 met")
		record := s.NightPOS.Events()[0]
		if alice := s.NightPOS.Member("alice"); record["user_id"] != alice.ID {
			s.Errorf("the organizer in NightPOS is %v, want alice, %d\n%s", record["user_id"], alice.ID, s.Log())
		}
		if attendees := record["attendees"].([]map[string]any); len(attendees) != 2 {
			s.Errorf("NightPOS invites %v, want alice and bob", attendees)
		}
		s.plan(map[string]any{"name": "planned"}, world.Bob)
		s.Quiet()
		// Tokens end, and nobody asks for new ones to deliver with.
		time.Sleep(30 * time.Hour)
		s.Quiet()
		began := time.Now()
		s.update(world.Alice, id, map[string]any{"subject": "changed"})
		s.shows(both, "2000-01-10 10:00:00 changed", "2000-01-10 10:00:00 planned")
		if took := time.Since(began); took > time.Minute {
			s.Errorf("the change took %s to arrive, want it told", took)
		}
	})
}
