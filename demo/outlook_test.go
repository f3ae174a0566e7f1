package demo_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nightpos/outlook-gateway/demo"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// inOutlook runs a test with the members in a simulated Outlook, in virtual time.
func inOutlook(t *testing.T, run func(*testing.T, demo.Calendar, *simoutlook.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		config := simoutlook.Config{BaseURL: "http://outlook.sim", Seed: 3}
		for _, member := range members {
			config.People = append(config.People, simoutlook.Person{Name: member.Name, Address: member.Address, TimeZone: member.OutlookZone})
		}
		server, err := simoutlook.New(config)
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		run(t, demo.NewOutlook(server, members), server)
	})
}

func pointer[T any](value T) *T { return &value }

var tasting = demo.When{
	Start: time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC), End: time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC),
}

// TestAnEventInOutlook makes, changes, answers and removes a meeting as its
// people do.
func TestAnEventInOutlook(t *testing.T) {
	inOutlook(t, func(t *testing.T, calendar demo.Calendar, _ *simoutlook.Server) {
		var mutex sync.Mutex
		var changes []demo.Change
		calendar.Watch(func(change demo.Change) {
			mutex.Lock()
			defer mutex.Unlock()
			changes = append(changes, change)
		})
		id, err := calendar.Create(t.Context(), "alice", demo.Edit{
			Title: pointer("Menu tasting"), When: &tasting, Place: pointer("Bar"), Description: pointer("Six dishes.\nBring <hunger>."),
			People: &[]string{"bob@nightpos.example"}, Private: pointer(true), Reminder: pointer(30), ShowAs: pointer("free"),
		})
		if err != nil {
			t.Fatalf("Create: %v", err)
		}
		time.Sleep(time.Second) // virtual: Bob's copy arrives
		got, err := calendar.Event(t.Context(), "alice", id)
		if err != nil {
			t.Fatalf("Event: %v", err)
		}
		want := demo.Event{
			ID: id, Title: "Menu tasting", When: tasting, Place: "Bar", Description: "Six dishes.\nBring <hunger>.",
			Organizer: demo.Person{Name: "Alice", Address: "alice@nightpos.example", Answer: demo.None}, Mine: true, Answer: demo.None,
			People: []demo.Person{{Name: "Bob", Address: "bob@nightpos.example", Answer: demo.None}},
			ShowAs: "free", Private: true, Reminder: 30,
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(demo.Event{}, "UID")); diff != "" {
			t.Errorf("the event (-want +got):\n%s", diff)
		}

		bobs, err := calendar.Events(t.Context(), "bob", tasting.Start.AddDate(0, 0, -1), tasting.Start.AddDate(0, 0, 1))
		if err != nil || len(bobs) != 1 || bobs[0].Mine || bobs[0].UID != got.UID {
			t.Fatalf("Bob's calendar: got %+v, %v; want the same meeting as a guest", bobs, err)
		}
		if err := calendar.Answer(t.Context(), "bob", bobs[0].ID, demo.One, demo.Tentative); err != nil {
			t.Fatalf("Answer: %v", err)
		}
		time.Sleep(time.Second) // virtual: the answer arrives
		if got, err = calendar.Event(t.Context(), "alice", id); err != nil {
			t.Fatal(err)
		}
		if answer, invited := got.AnswerOf("BOB@nightpos.example"); !invited || answer != demo.Tentative {
			t.Errorf("Bob's answer at Alice's: got %q, invited %t", answer, invited)
		}

		day := demo.When{AllDay: true, Start: time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)}
		if err := calendar.Update(t.Context(), "alice", id, demo.One, demo.Edit{When: &day, Reminder: pointer(-1), People: &[]string{"bob@nightpos.example", "carol@customer.example"}}); err != nil {
			t.Fatalf("Update: %v", err)
		}
		if got, err = calendar.Event(t.Context(), "alice", id); err != nil {
			t.Fatal(err)
		}
		if !demo.SameTime(got.When, day) || got.Reminder != -1 || len(got.People) != 2 || got.Title != "Menu tasting" {
			t.Errorf("after the update: got %+v", got)
		}
		if answer, _ := got.AnswerOf("bob@nightpos.example"); answer != demo.Tentative {
			t.Errorf("Bob's answer after Carol was invited: got %q, want tentative", answer)
		}
		if err := calendar.Delete(t.Context(), "alice", id, demo.One); err != nil {
			t.Fatalf("Delete: %v", err)
		}
		if _, err := calendar.Event(t.Context(), "alice", id); !errors.Is(err, demo.ErrGone) {
			t.Errorf("after the deletion: got %v, want ErrGone", err)
		}
		time.Sleep(time.Second)
		mutex.Lock()
		defer mutex.Unlock()
		var edits []string
		for _, change := range changes {
			if change.Actor != "" {
				edits = append(edits, change.Actor)
			}
			if change.ByGateway || change.Side != demo.Outlook {
				t.Errorf("change: got %+v, want it to be a person's in Outlook", change)
			}
		}
		if diff := cmp.Diff([]string{"Alice", "Bob", "Alice", "Alice"}, edits); diff != "" {
			t.Errorf("who edited, without what follows from it (-want +got):\n%s", diff)
		}
		for _, mail := range calendar.Mails() {
			if mail.ByGateway {
				t.Errorf("mail: got %+v, want it to be a person's", mail)
			}
		}
		if got := calendar.GatewayWrites(); got != 0 {
			t.Errorf("writes of the gateway: got %d, want 0", got)
		}
	})
}

func TestNobodyElseHasACalendar(t *testing.T) {
	inOutlook(t, func(t *testing.T, calendar demo.Calendar, _ *simoutlook.Server) {
		if _, err := calendar.Events(t.Context(), "mallory", tasting.Start, tasting.End); err == nil {
			t.Error("got a calendar of somebody who is not in the demo")
		}
		if err := calendar.Answer(t.Context(), "alice", "x", demo.One, "perhaps"); err == nil {
			t.Error("got an answer accepted that there is not")
		}
	})
}

// TestMailsOfPeoplesEdits holds the tour's expectations against the simulator:
// each of these edits mails one person, whoever else is invited.
func TestMailsOfPeoplesEdits(t *testing.T) {
	inOutlook(t, func(t *testing.T, calendar demo.Calendar, _ *simoutlook.Server) {
		var id string
		edit := func(change demo.Edit) func() error {
			return func() error { return calendar.Update(t.Context(), "alice", id, demo.One, change) }
		}
		bob, both := []string{"bob@nightpos.example"}, []string{"bob@nightpos.example", "carol@customer.example"}
		day := demo.When{AllDay: true, Start: time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)}
		for _, step := range []struct {
			name, kind string
			act        func() error
		}{
			{"create", "invitation", func() (err error) {
				id, err = calendar.Create(t.Context(), "alice", demo.Edit{Title: pointer("Tasting"), When: &tasting, People: &bob})
				return err
			}},
			{"rename", "update", edit(demo.Edit{Title: pointer("Wine tasting")})},
			{"move", "update", edit(demo.Edit{When: &demo.When{Start: tasting.Start.Add(time.Hour), End: tasting.End.Add(2 * time.Hour)}})},
			{"all day", "update", edit(demo.Edit{When: &day})},
			{"answer", "response", func() error {
				events, err := calendar.Events(t.Context(), "bob", day.Start, day.End)
				if err != nil || len(events) != 1 {
					return fmt.Errorf("Bob's day: %+v, %w", events, err)
				}
				return calendar.Answer(t.Context(), "bob", events[0].ID, demo.One, demo.Accepted)
			}},
			{"invite", "invitation", edit(demo.Edit{People: &both})},
			{"take out", "cancellation", edit(demo.Edit{People: &bob})},
			{"delete", "cancellation", func() error { return calendar.Delete(t.Context(), "alice", id, demo.One) }},
		} {
			before := len(calendar.Mails())
			if err := step.act(); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			time.Sleep(time.Second) // virtual: copies and answers arrive
			sent := calendar.Mails()[before:]
			if len(sent) != 1 || sent[0].Kind != step.kind {
				t.Errorf("%s: got %+v, want one %s", step.name, sent, step.kind)
			}
		}
	})
}
