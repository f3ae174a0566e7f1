package life_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/service"
)

// seed is what stands on both sides before anybody connects.
func (w *world) seed() {
	w.nightposEvent("alice", "Meeting here", 5, nil, bob)
	w.nightposEvent("alice", "Alone here", 6, nil)
	w.nightposEvent("alice", "Over here", -5, nil, bob)
	w.nightposEvent("bob", "Of Bob", 7, nil, alice)
	w.outlookEvent(alice, "Meeting there", 8, guest)
	w.outlookEvent(alice, "Over there", -8)
	// Somebody has kept both by hand.
	w.nightposEvent("alice", "On both", 9, nil)
	w.outlookEvent(alice, "On both", 9)
	// Which is which nobody can tell.
	w.nightposEvent("alice", "Twice", 10, nil)
	w.nightposEvent("alice", "Twice", 10, nil)
	w.outlookEvent(alice, "Twice", 10)
}

func (w *world) preview(login string) map[string]gateway.PreviewEvent {
	w.Helper()
	var preview gateway.Preview
	w.call(http.MethodGet, "/users/"+login+"/preview", "", http.StatusOK, &preview)
	events := map[string]gateway.PreviewEvent{}
	for _, event := range preview.Events {
		events[event.Title] = event
	}
	return events
}

// TestQuietFirstSync: nothing mails anyone, at once or later; what would waits for
// a word; what is new crosses as ever.
func TestQuietFirstSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.seed()
		time.Sleep(time.Hour)
		w.connect("alice", "")
		user := w.settle("alice", "connected")
		if got := w.mails(); got != 0 {
			t.Errorf("the first sync mailed %d people: %+v", got, w.outlook.Mails())
		}
		for title, want := range map[string][2]int{
			"Meeting here": {0, 1}, "Alone here": {1, 1}, "Over here": {1, 1}, "Of Bob": {1, 1}, "Meeting there": {1, 1}, "Over there": {1, 1},
			"On both": {1, 1}, "Twice": {1, 2},
		} {
			w.shows(title, want[0], want[1])
		}
		if first := user.FirstSync; first == nil || !first.Finished || first.Held["mine_with_attendees"] != 1 || first.Ambiguous != 3 || first.Done != first.Total || first.Total != 6 {
			t.Errorf("progress: got %+v", user.FirstSync)
		}
		held := w.preview("alice")["Meeting here"]
		if held.Action != "skip" || held.Class != "mine_with_attendees" || !slices.Equal(held.Mails, []string{bob}) {
			t.Errorf("the preview shows what is kept back as %+v", held)
		}
		var lines []gateway.ActivityLine
		w.call(http.MethodGet, fmt.Sprintf("/activity?user=alice&event=%d", held.RecordID), "", http.StatusOK, &lines)
		if len(lines) != 1 || lines[0].Reason != held.Why {
			t.Errorf("the activity says %+v about what is kept back, want %q", lines, held.Why)
		}

		// Neither an edit nor another sweep sends it.
		w.must(w.nightpos.Member("alice").Write(t.Context(), []int{int(held.RecordID)}, map[string]any{"location": "Bar"}))
		w.call(http.MethodPost, "/users/alice/sync", "", http.StatusAccepted, nil)
		w.settle("alice", "connected")
		w.shows("Meeting here", 0, 1)
		// What is new is sent at once.
		w.nightposEvent("alice", "New", 11, nil, bob)
		w.settle("alice", "connected")
		w.shows("New", 1, 1)
		if got := w.mails(); got != 1 {
			t.Errorf("a new meeting mailed %d people, want Bob", got)
		}

		w.call(http.MethodPost, "/users/alice/first-sync", `{"send":[]}`, http.StatusUnprocessableEntity, nil)
		w.call(http.MethodPost, "/users/alice/first-sync", `{"send":["mine_with_attendees"]}`, http.StatusAccepted, nil)
		w.settle("alice", "connected")
		w.shows("Meeting here", 1, 1)
		if got := w.mails(); got != 2 {
			t.Errorf("after the release %d people were mailed in all, want 2", got)
		}
		before := w.outlook.Counts()
		w.call(http.MethodPost, "/users/alice/sync", "", http.StatusAccepted, nil)
		w.settle("alice", "connected")
		for _, call := range []string{"POST /me/events", "PATCH /me/events/{event}", "DELETE /me/events/{event}"} {
			if got := w.outlook.Counts()[call]; got != before[call] {
				t.Errorf("another sweep made %d calls of %s", got-before[call], call)
			}
		}
	})
}

// TestClassesMayBeReleasedWithTheLink: what the connect link releases does not
// wait.
func TestClassesMayBeReleasedWithTheLink(t *testing.T) {
	for name, open := range map[string]struct {
		quiet bool
		body  string
		mails int
	}{
		"released": {true, `{"send":["mine_with_attendees"]}`, 1},
		"loud":     {false, "", 1},
		"others":   {true, `{"send":["past","mine_alone"]}`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(config *service.Config) { config.Settings.QuietFirstSync = open.quiet })
				w.seed()
				time.Sleep(time.Hour)
				w.connect("alice", open.body)
				w.settle("alice", "connected")
				w.shows("Meeting here", open.mails, 1)
				if got := w.mails(); got != open.mails {
					t.Errorf("got %d mails, want %d", got, open.mails)
				}
			})
		})
	}
}

// TestFirstSyncOfNewEventsOnly: nothing older crosses, pairs are linked.
func TestFirstSyncOfNewEventsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.seed()
		time.Sleep(time.Hour)
		w.connect("alice", `{"first_sync":"new"}`)
		if user := w.settle("alice", "connected"); user.FirstSync.Mode != "new" {
			t.Errorf("progress: got %+v", user.FirstSync)
		}
		for title, want := range map[string][2]int{
			"Meeting here": {0, 1}, "Alone here": {0, 1}, "Over here": {0, 1}, "Of Bob": {0, 1}, "Meeting there": {1, 0}, "Over there": {1, 0}, "On both": {1, 1},
		} {
			w.shows(title, want[0], want[1])
		}
		w.nightposEvent("alice", "New here", 11, nil)
		w.outlookEvent(alice, "New there", 12)
		// An old one stays where it is, even if somebody changes it; a pair goes on.
		events := w.preview("alice")
		w.must(w.nightpos.Member("alice").Write(t.Context(), []int{int(events["Alone here"].RecordID)}, map[string]any{"name": "Changed here"}))
		w.must(w.nightpos.Member("alice").Write(t.Context(), []int{int(events["On both"].RecordID)}, map[string]any{"name": "Changed on both"}))
		w.settle("alice", "connected")
		for title, want := range map[string][2]int{"New here": {1, 1}, "New there": {1, 1}, "Changed here": {0, 1}, "Changed on both": {1, 1}} {
			w.shows(title, want[0], want[1])
		}
		if got := w.mails(); got != 0 {
			t.Errorf("got %d mails, want none", got)
		}
	})
}

// TestEmptiedStore: with Redis gone people connect again, and every pair is found:
// nothing is created, deleted, changed or mailed, in whichever order they come.
func TestEmptiedStore(t *testing.T) {
	for _, order := range [][]string{{"alice", "bob"}, {"bob", "alice"}} {
		t.Run(order[0]+" first", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(config *service.Config) { config.Settings.QuietFirstSync = false })
				w.connect("alice", "")
				w.connect("bob", "")
				w.settle("alice", "connected")
				w.nightposEvent("alice", "Meeting here", 5, nil, bob)
				w.outlookEvent(alice, "Meeting there", 6, bob, guest)
				w.nightposEvent("alice", "Alone here", 7, nil)
				w.outlookEvent(bob, "Alone there", 8)
				w.nightposEvent("alice", "Over", -3, nil, bob)
				w.nightposEvent("alice", "Secret", 9, map[string]any{"privacy": "private"}, bob)
				w.nightposSeries("alice", "Series here", 10, bob)
				w.outlookSeries(alice, "Series there", 11, bob, guest)
				w.outlookSeries(bob, "Series of Bob", 12)
				time.Sleep(time.Minute)
				w.settle("alice", "connected")
				w.settle("bob", "connected")
				w.config.Settings.QuietFirstSync = true
				calls, mails, records := w.outlook.Counts(), len(w.outlook.Mails()), len(w.nightpos.Events())
				stood := w.standing()
				w.renew()
				time.Sleep(time.Hour)
				w.call(http.MethodGet, "/users/alice", "", http.StatusNotFound, nil)
				for _, login := range order {
					w.connect(login, "")
					w.settle(login, "connected")
				}
				w.settle("alice", "connected")
				for _, call := range []string{"POST /me/events", "PATCH /me/events/{event}", "DELETE /me/events/{event}"} {
					if got := w.outlook.Counts()[call]; got != calls[call] {
						t.Errorf("connecting again made %d calls of %s", got-calls[call], call)
					}
				}
				if got := len(w.outlook.Mails()); got != mails {
					t.Errorf("connecting again mailed %+v", w.outlook.Mails()[mails:])
				}
				if got := len(w.nightpos.Events()); got != records {
					t.Errorf("connecting again left %d records, want %d", got, records)
				}
				if got := w.standing(); got != stood {
					t.Errorf("connecting again changed what stands:\n%s\nwant\n%s", got, stood)
				}
				w.sees("connected again", map[string]count{"Series here": both, "Series there": both})
				w.call(http.MethodPost, "/users/alice/sync", "", http.StatusAccepted, nil)
				w.settle("alice", "connected")
				if got := w.standing(); got != stood {
					t.Errorf("another sweep changed what stands:\n%s\nwant\n%s", got, stood)
				}
				// And the pairs are pairs again.
				for _, shown := range w.nightpos.Events() {
					if shown["name"] == "Meeting here" {
						id, _ := shown["id"].(int)
						w.must(w.nightpos.Member("alice").Write(t.Context(), []int{id}, map[string]any{"name": "Meeting renamed"}))
					}
				}
				for _, shown := range w.outlook.Mailbox(alice).Events() {
					if shown["subject"] == "Series here" {
						_, err := w.outlook.Mailbox(alice).Update(t.Context(), fmt.Sprint(shown["id"]), map[string]any{"subject": "Series renamed"})
						w.must(err)
					}
				}
				w.settle("alice", "connected")
				w.shows("Meeting renamed", 1, 1)
				w.sees("renamed", map[string]count{"Series renamed": both})
			})
		})
	}
}

// standing is everything that both sides show, as text.
func (w *world) standing() string {
	var lines []string
	for _, address := range []string{alice, bob} {
		for _, shown := range w.outlook.Mailbox(address).Events() {
			lines = append(lines, fmt.Sprint(address, shown["subject"], shown["start"], shown["attendees"], shown["isCancelled"], shown["responseStatus"]))
		}
	}
	for _, shown := range w.nightpos.Events() {
		lines = append(lines, fmt.Sprint(shown["id"], shown["name"], shown["start"], shown["active"], shown["attendees"]))
	}
	slices.Sort(lines)
	text := ""
	for _, line := range lines {
		text += line + "\n"
	}
	return text
}

// TestAStandInStaysUntilTheMeetingComes: who stood in for an organizer's meeting
// is not left without it while the organizer's first sync keeps it back.
func TestAStandInStaysUntilTheMeetingComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.nightposEvent("alice", "Meeting here", 5, nil, bob)
		time.Sleep(time.Hour)
		w.connect("bob", "")
		w.settle("bob", "connected")
		inBobs := func(when string, want int) {
			t.Helper()
			if got := w.inOutlook(bob, "Meeting here"); got != want {
				t.Errorf("%s it is %d times in Bob's Outlook, want %d", when, got, want)
			}
		}
		inBobs("while Alice is away", 1)
		w.connect("alice", "")
		w.settle("alice", "connected")
		w.call(http.MethodPost, "/users/bob/sync", "", http.StatusAccepted, nil)
		w.settle("bob", "connected")
		inBobs("while it is kept back", 1)
		if got := w.mails(); got != 0 {
			t.Errorf("%d people were mailed, want nobody", got)
		}
		w.call(http.MethodPost, "/users/alice/first-sync", `{"send":["mine_with_attendees"]}`, http.StatusAccepted, nil)
		w.settle("alice", "connected")
		w.settle("bob", "connected")
		time.Sleep(time.Minute)
		w.settle("bob", "connected")
		inBobs("once it was sent", 1)
		if got := w.mails(); got != 1 {
			t.Errorf("%d people were mailed, want Bob alone", got)
		}
	})
}

// TestALookBeforeAnything: with Outlook sync off a person can connect and be shown
// what would happen, and it happens when it is switched on.
func TestALookBeforeAnything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.seed()
		time.Sleep(time.Hour)
		w.call(http.MethodPut, "/settings", `{"outlook_sync":false}`, http.StatusOK, nil)
		w.connect("alice", "")
		time.Sleep(time.Minute)
		events := w.preview("alice")
		for title, want := range map[string]struct{ action, side, class string }{
			"Meeting here": {"skip", "", "mine_with_attendees"}, "Alone here": {"create", "outlook", ""}, "Over here": {"create", "outlook", ""},
			"Of Bob": {"create", "outlook", ""}, "Meeting there": {"create", "nightpos", ""}, "Over there": {"create", "nightpos", ""},
			"On both": {"update", "nightpos", ""}, "Twice": {"skip", "", ""},
		} {
			got := events[title]
			if got.Action != want.action || string(got.Side) != want.side || string(got.Class) != want.class || got.Why == "" || got.Mails == nil {
				t.Errorf("%s: got %+v, want %+v", title, got, want)
			}
		}
		if calls := w.outlook.Counts(); calls["POST /me/events"]+calls["PATCH /me/events/{event}"] != 0 || len(w.nightpos.Events()) != 7 {
			t.Errorf("a look has done something: %v, %d records", calls, len(w.nightpos.Events()))
		}
		w.call(http.MethodPut, "/settings", `{"outlook_sync":true}`, http.StatusOK, nil)
		w.settle("alice", "connected")
		after := w.preview("alice")
		for title, event := range after {
			if want := map[string]string{"Meeting here": "skip", "Twice": "skip"}[title]; want == "" && event.Action != "match" || want != "" && event.Action != want {
				t.Errorf("afterwards, %s: got %+v", title, event)
			}
		}
	})
}

// TestTheInstantOfConnecting: what was made before somebody connected is old and
// what was made after is new, also within one second.
func TestTheInstantOfConnecting(t *testing.T) {
	for _, offset := range []time.Duration{time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond, 900 * time.Millisecond} {
		t.Run(offset.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(2*time.Second + offset)))
				w.nightposEvent("alice", "Before here", 5, nil, bob)
				w.outlookEvent(alice, "Before there", 6)
				w.nightposSeries("alice", "Series before here", 10, bob)
				w.outlookSeries(alice, "Series before there", 11)
				time.Sleep(10 * time.Millisecond)
				w.connect("alice", `{"first_sync":"new"}`)
				w.nightposEvent("alice", "After here", 7, nil, bob)
				w.outlookEvent(alice, "After there", 8)
				w.nightposSeries("alice", "Series after here", 12)
				w.outlookSeries(alice, "Series after there", 13)
				w.settle("alice", "connected")
				w.call(http.MethodPost, "/users/alice/sync", "", http.StatusAccepted, nil)
				w.settle("alice", "connected")
				for title, want := range map[string][2]int{
					"Before here": {0, 1}, "Before there": {1, 0}, "After here": {1, 1}, "After there": {1, 1},
				} {
					w.shows(title, want[0], want[1])
				}
				w.sees("connected", map[string]count{"Series before here": {0, 1, 0}, "Series before there": {1, 0, 0}, "Series after here": both, "Series after there": both})
				if got := w.mails(); got != 1 {
					t.Errorf("got %d mails, want one about the meeting made since: %+v", got, w.outlook.Mails())
				}
			})
		})
	}
}
