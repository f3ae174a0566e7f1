package outlook_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// moving is a person with two calendars.
type moving struct {
	*world
	box         *outlook.Mailbox
	main, other string
}

func (w *world) moving(as string) *moving {
	w.t.Helper()
	box := w.server.Mailbox(as)
	made, err := box.CreateCalendar(context.Background(), "Football")
	if err != nil {
		w.t.Fatal(err)
	}
	return &moving{world: w, box: box, main: box.Calendars()[0]["id"].(string), other: made["id"].(string)}
}

// create makes an event in a calendar and returns it.
func (m *moving) create(calendar string, content map[string]any) map[string]any {
	m.t.Helper()
	made, err := m.box.CreateIn(context.Background(), calendar, content)
	if err != nil {
		m.t.Fatal(err)
	}
	return made
}

// move takes an event to a calendar and returns it.
func (m *moving) move(id any, calendar string) map[string]any {
	m.t.Helper()
	moved, err := m.box.Move(context.Background(), id.(string), calendar)
	if err != nil {
		m.t.Fatal(err)
	}
	return moved
}

// stable is the immutable id of an event.
func (m *moving) stable(id any) string {
	m.t.Helper()
	return m.want(m.call(alice, "POST", "/me/translateExchangeIds", map[string]any{
		"inputIds": []any{id}, "sourceIdType": "restId", "targetIdType": "restImmutableEntryId",
	}), 200, "").values()[0]["targetId"].(string)
}

func TestMove(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		m := w.moving(alice)
		made := m.create("", meeting("Match", bob))
		settle()
		copied, since := w.only(bob), len(w.server.Mails())
		stable := m.stable(made["id"])
		seen := []any{made["id"]}
		at := made
		for _, calendar := range []string{m.other, m.main, m.other, ""} {
			next := m.move(at["id"], calendar)
			for _, old := range seen {
				if next["id"] == old {
					t.Fatalf("7.3: the id of an earlier place came back")
				}
				w.want(w.call(alice, "GET", "/me/events/"+old.(string), nil), 404, "ErrorItemNotFound")
			}
			if next["changeKey"] == at["changeKey"] || next["iCalUId"] != made["iCalUId"] {
				t.Errorf("7.4, 7.5: change key %v, iCalUId %v", next["changeKey"], next["iCalUId"])
			}
			read := w.want(w.call(alice, "GET", "/me/events/"+stable, nil, immutable), 200, "")
			if read.body["changeKey"] != next["changeKey"] || m.stable(next["id"]) != stable {
				t.Errorf("7.3: the immutable id shows %v, want %v", read.body["changeKey"], next["changeKey"])
			}
			back := w.want(w.call(alice, "POST", "/me/translateExchangeIds", map[string]any{
				"inputIds": []any{stable}, "sourceIdType": "restImmutableEntryId", "targetIdType": "restId",
			}), 200, "")
			if got := back.values()[0]["targetId"]; got != next["id"] {
				t.Errorf("7.3: the immutable id is translated into %v, want %v", got, next["id"])
			}
			held, err := m.box.CalendarOf(next["id"].(string))
			if want := calendar; err != nil || want != "" && held["id"] != want || want == "" && held["id"] != m.main {
				t.Errorf("moved to %q: it is in %v, %v", calendar, held["id"], err)
			}
			seen, at = append(seen, next["id"]), next
		}
		for _, name := range []string{"id", "changeKey", "@odata.etag", "lastModifiedDateTime", "webLink"} {
			delete(made, name)
			delete(at, name)
		}
		if diff := cmp.Diff(made, at); diff != "" {
			t.Errorf("moving changed more than where it is (-before +after):\n%s", diff)
		}
		settle()
		if diff := cmp.Diff(copied, w.only(bob)); diff != "" || len(w.mails(since)) != 0 {
			t.Errorf("mails %v, copy (-before +after):\n%s", w.mails(since), diff)
		}
	})
}

func TestMoveOfNothing(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		m := w.moving(alice)
		made := m.create(m.other, meeting("Match"))
		if diff := cmp.Diff(made, m.move(made["id"], m.other)); diff != "" {
			t.Errorf("to where it is (-before +after):\n%s", diff)
		}
		series := m.create("", tuesdays())
		for name, c := range map[string][2]string{
			"an occurrence":          {w.occurrences(alice, series["id"].(string))[1], m.other},
			"no such calendar":       {made["id"].(string), "42"},
			"no such event":          {"42", m.other},
			"an event is not one":    {series["id"].(string), made["id"].(string)},
			"another mailbox's":      {made["id"].(string), w.calendar(bob, "x")},
			"an event that is gone ": {m.gone(), m.other},
		} {
			if _, err := m.box.Move(t.Context(), c[0], c[1]); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		if _, err := m.box.CreateIn(t.Context(), "42", meeting("x")); err == nil {
			t.Error("an event in no calendar was made")
		}
		if err := m.box.DeleteCalendar(t.Context(), ""); err == nil {
			t.Error("the default calendar was deleted")
		}
		if err := m.box.DeleteCalendar(t.Context(), m.other); err != nil || len(m.box.Calendars()) != 1 {
			t.Errorf("deleting a calendar: %v; left %v", err, m.box.Calendars())
		}
		if _, err := m.box.EventsIn(m.other); err == nil {
			t.Error("a deleted calendar has events")
		}
	})
}

// gone is the id of an event that was deleted in another calendar.
func (m *moving) gone() string {
	m.t.Helper()
	id := m.move(m.create("", meeting("x"))["id"], m.other)["id"].(string)
	if err := m.box.Delete(context.Background(), id); err != nil {
		m.t.Fatal(err)
	}
	return id
}

func TestMoveOfSeries(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		m := w.moving(alice)
		master, lessons := w.made(tuesdays(bob))
		w.want(w.call(alice, "PATCH", "/me/events/"+lessons[1], map[string]any{"subject": "Exception"}), 200, "")
		w.want(w.call(alice, "DELETE", "/me/events/"+lessons[2], nil), 204, "")
		settle()
		path := "/me/calendars/" + m.other + "/calendarView?" + windowOf(december, january)
		before := w.instances(alice, master, december, january)
		lasting := "/me/events/" + m.stable(master) + "/instances?" + windowOf(december, january)
		steady := w.want(w.call(alice, "GET", lasting, nil, immutable), 200, "").values()
		copied, since := w.only(bob), len(w.server.Mails())
		moved := m.move(master, m.other)
		settle()
		w.shows(alice)
		after := w.want(w.call(alice, "GET", path, nil), 200, "").values()
		if diff := cmp.Diff([]any{"Series", "Exception", "Series"}, named(after, "subject")); diff != "" {
			t.Errorf("where it is now (-want +got):\n%s", diff)
		}
		now := w.want(w.call(alice, "GET", lasting, nil, immutable), 200, "").values()
		if diff := cmp.Diff(named(steady, "id"), named(now, "id")); diff != "" || m.stable(moved["id"]) != m.stable(master) {
			t.Errorf("7.3: immutable ids of occurrences (-before +after):\n%s", diff)
		}
		for index, one := range after {
			if one["seriesMasterId"] != moved["id"] || one["iCalUId"] != before[index]["iCalUId"] {
				t.Errorf("occurrence %d: series %v, iCalUId %v", index, one["seriesMasterId"], one["iCalUId"])
			}
			w.want(w.call(alice, "GET", "/me/events/"+before[index]["id"].(string), nil), 404, "ErrorItemNotFound")
			w.want(w.call(alice, "GET", "/me/calendars/"+m.other+"/events/"+one["id"].(string), nil), 200, "")
		}
		if diff := cmp.Diff(copied, w.only(bob)); diff != "" || len(w.mails(since)) != 0 {
			t.Errorf("mails %v, copy (-before +after):\n%s", w.mails(since), diff)
		}
		w.want(w.call(alice, "PATCH", "/me/events/"+after[0]["id"].(string), map[string]any{"subject": "First"}), 200, "")
		followed, err := m.box.UpdateFollowing(t.Context(), after[1]["id"].(string), map[string]any{"subject": "Second half"})
		if err != nil {
			t.Fatal(err)
		}
		held, err := m.box.CalendarOf(followed["id"].(string))
		if err != nil || held["id"] != m.other {
			t.Errorf("a series that was divided goes on in %v, %v", held["name"], err)
		}
		settle()
		home := m.move(moved["id"], "")
		w.shows(alice, "01 09 exception First")
		if home["id"] == master || home["id"] == moved["id"] {
			t.Error("7.3: a former id came back")
		}
	})
}

func TestTransactionsOfMovedEvents(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		m := w.moving(alice)
		content := meeting("x")
		content["transactionId"] = "t-1"
		made := w.want(w.call(alice, "POST", "/me/events", content), 201, "")
		stable := m.stable(made.text("id"))
		moved := m.move(made.text("id"), m.other)
		if again := w.want(w.call(alice, "POST", "/me/events", content), 201, ""); again.body["id"] != moved["id"] {
			t.Errorf("7.14: a repeat made %v, want %v", again.body["id"], moved["id"])
		}
		content["subject"] = "y"
		refused := w.want(w.call(alice, "POST", "/me/events", content), 400, "ErrorDuplicateTransactionId")
		if got := dig(refused.body, "error", "@event.existingEventId"); got != moved["id"] {
			t.Errorf("7.14: existing event %v, want %v", got, moved["id"])
		}
		refused = w.want(w.call(alice, "POST", "/me/events", content, immutable), 400, "ErrorDuplicateTransactionId")
		if got := dig(refused.body, "error", "@event.existingEventId"); got != stable {
			t.Errorf("7.14: existing event %v, want %v", got, stable)
		}
	})
}

// TestMoveEndsStaleness: what reads show for a moment (13.9) is never a place that
// the series has left.
func TestMoveEndsStaleness(t *testing.T) {
	inBubble(t, func(c *outlook.Config) { c.Switches.StaleExceptions = true }, func(t *testing.T, w *world) {
		m := w.moving(alice)
		master, lessons := w.made(tuesdays())
		w.want(w.call(alice, "PATCH", "/me/events/"+lessons[1], map[string]any{"subject": "Exception"}), 200, "")
		if got := w.want(w.call(alice, "GET", "/me/events/"+lessons[1], nil), 200, "").text("subject"); got != "Series" {
			t.Fatalf("13.9: the exception shows %q at once", got)
		}
		moved := m.move(master, m.other)
		read := w.want(w.call(alice, "GET", "/me/events/"+moved["id"].(string), nil), 200, "")
		if read.body["id"] != moved["id"] || read.body["changeKey"] != moved["changeKey"] {
			t.Errorf("moved to %v, read %v", moved["id"], read.body["id"])
		}
	})
}
