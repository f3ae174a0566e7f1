package demo_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/demo"
)

func inNightPOS(t *testing.T) (demo.Archiver, *orm) {
	t.Helper()
	server := newORM(time.Now)
	listening := httptest.NewServer(server.Handler())
	t.Cleanup(listening.Close)
	signed := []demo.Member{}
	for _, member := range members {
		member.Password = member.Login
		signed = append(signed, member)
	}
	return demo.NewNightPOS(demo.NightPOSCalendar{
		URL: listening.URL, Database: "night", Transport: http.DefaultTransport, Members: signed,
		Mails: func() []demo.Mail { return nil }, GatewayWrites: func() int { return 0 }, Watch: func(func(demo.Change)) {},
	}), server
}

// TestAnEventInNightPOS makes, changes, answers, archives and removes a meeting
// as its people do.
func TestAnEventInNightPOS(t *testing.T) {
	calendar, _ := inNightPOS(t)
	id, err := calendar.Create(t.Context(), "alice", demo.Edit{
		Title: pointer("Menu tasting"), When: &tasting, Place: pointer("Bar"), Description: pointer("Six dishes.\nBring <hunger>."),
		People: &[]string{"bob@nightpos.example"}, Private: pointer(true), Reminder: pointer(30), ShowAs: pointer("free"),
	})
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	got, err := calendar.Event(t.Context(), "alice", id)
	if err != nil {
		t.Fatalf("Event: %v", err)
	}
	want := demo.Event{
		ID: id, Title: "Menu tasting", When: tasting, Place: "Bar", Description: "Six dishes.\nBring <hunger>.",
		Organizer: demo.Person{Name: "Alice", Address: "alice@nightpos.example", Answer: demo.None}, Mine: true, Answer: demo.None,
		People: []demo.Person{{Name: "bob", Address: "bob@nightpos.example", Answer: demo.None}},
		ShowAs: "free", Private: true, Reminder: 30,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the event (-want +got):\n%s", diff)
	}

	if err := calendar.Answer(t.Context(), "bob", id, demo.One, demo.Accepted); err != nil {
		t.Fatalf("Answer: %v", err)
	}
	day := demo.When{AllDay: true, Start: time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)}
	if err := calendar.Update(t.Context(), "alice", id, demo.One, demo.Edit{When: &day, Reminder: pointer(-1), People: &[]string{"Bob@nightpos.example", "carol@customer.example"}}); err != nil {
		t.Fatalf("Update: %v", err)
	}
	bobs, err := calendar.Events(t.Context(), "bob", day.Start.AddDate(0, 0, 1), day.End)
	if err != nil || len(bobs) != 1 {
		t.Fatalf("Bob's second day: got %+v, %v; want the all-day event", bobs, err)
	}
	if got := bobs[0]; got.Mine || got.Answer != demo.Accepted || !demo.SameTime(got.When, day) || got.Reminder != -1 || len(got.People) != 2 {
		t.Errorf("at Bob's: got %+v", got)
	}
	if past, err := calendar.Events(t.Context(), "bob", day.End, day.End.AddDate(0, 0, 1)); err != nil || len(past) != 0 {
		t.Errorf("the day after: got %+v, %v; want nothing", past, err)
	}

	if err := calendar.SetArchived(t.Context(), "alice", id, true); err != nil {
		t.Fatalf("SetArchived: %v", err)
	}
	if list, err := calendar.Events(t.Context(), "alice", day.Start, day.End); err != nil || len(list) != 0 {
		t.Errorf("archived: got %+v, %v; want it out of the list", list, err)
	}
	if got, err = calendar.Event(t.Context(), "alice", id); err != nil || !got.Archived {
		t.Errorf("archived: got %+v, %v; want it to be readable", got, err)
	}
	if err := calendar.Delete(t.Context(), "alice", id, demo.One); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	if err := calendar.Update(t.Context(), "alice", id, demo.One, demo.Edit{Title: pointer("x")}); !errors.Is(err, demo.ErrGone) {
		t.Errorf("after the deletion: got %v, want ErrGone", err)
	}
}

// TestSomebodySeesPrivateEvents: without a login, it is read with the eyes of
// whoever is not shown "Busy".
func TestSomebodySeesPrivateEvents(t *testing.T) {
	calendar, _ := inNightPOS(t)
	id, err := calendar.Create(t.Context(), "bob", demo.Edit{Title: pointer("Dentist"), When: &tasting, Private: pointer(true)})
	if err != nil {
		t.Fatal(err)
	}
	for login, want := range map[string]string{"alice": "Busy", "bob": "Dentist", "": "Dentist"} {
		if got, err := calendar.Event(t.Context(), login, id); err != nil || got.Title != want {
			t.Errorf("as %q: got %q, %v; want %q", login, got.Title, err, want)
		}
	}
}

func TestAWrongPasswordIsToldInWords(t *testing.T) {
	server := httptest.NewServer(newORM(time.Now).Handler())
	defer server.Close()
	calendar := demo.NewNightPOS(demo.NightPOSCalendar{URL: server.URL, Database: "night", Members: members})
	_, err := calendar.Event(t.Context(), "alice", "1")
	if err == nil || !strings.Contains(err.Error(), "does not let alice in") {
		t.Errorf("got %v, want to be told that alice is not let in", err)
	}
}
