package outlook_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/test/sim/outlook"
)

const immutable = `Prefer: IdType="ImmutableId"`

// calendar makes a calendar as a person with an application and returns its id.
func (w *world) calendar(as, name string) string {
	w.t.Helper()
	return w.want(w.call(as, "POST", "/me/calendars", map[string]any{"name": name}), 201, "").text("id")
}

// named lists a property of what a list holds.
func named(list []map[string]any, property string) []any {
	found := []any{}
	for _, item := range list {
		found = append(found, item[property])
	}
	return found
}

// subjects lists the subjects that a path answers with.
func (w *world) subjects(as, path string) []any {
	w.t.Helper()
	return named(w.want(w.call(as, "GET", path, nil), 200, "").values(), "subject")
}

func TestCalendars(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		first := w.want(w.call(alice, "GET", "/me/calendar", nil), 200, "")
		made := w.want(w.call(alice, "POST", "/me/calendars", map[string]any{"name": "Football"}), 201, "")
		if made.body["isDefaultCalendar"] != false || made.body["isRemovable"] != true || made.body["isTallyingResponses"] != false || made.text("id") == first.text("id") {
			t.Errorf("11.1: made %v", made.body)
		}
		if dig(made.body, "owner", "address") != alice {
			t.Errorf("11.1: owner %v", made.body["owner"])
		}
		seen := w.want(w.call(alice, "GET", "/me/calendars/"+made.text("id"), nil, immutable), 200, "")
		if diff := cmp.Diff(made.body, seen.body); diff != "" {
			t.Errorf("made and read, in whatever mode of ids (-made +read):\n%s", diff)
		}
		list := w.want(w.call(alice, "GET", "/me/calendars?$select=name,isDefaultCalendar", nil), 200, "").values()
		want := []map[string]any{
			{"id": first.text("id"), "name": "Calendar", "isDefaultCalendar": true},
			{"id": made.text("id"), "name": "Football", "isDefaultCalendar": false},
		}
		if diff := cmp.Diff(want, list); diff != "" {
			t.Errorf("11.2 (-want +got):\n%s", diff)
		}
		if got := w.want(w.call(bob, "GET", "/me/calendars", nil), 200, "").values(); len(got) != 1 {
			t.Errorf("another person has %d calendars, want 1", len(got))
		}
		for _, c := range []struct {
			name, method, path string
			body               any
			status             int
			code               string
		}{
			{"a name that is taken", "POST", "/me/calendars", map[string]any{"name": "football"}, 409, "ErrorFolderExists"},
			{"the name of the default one", "POST", "/me/calendars", map[string]any{"name": "Calendar"}, 409, "ErrorFolderExists"},
			{"no name", "POST", "/me/calendars", map[string]any{}, 400, "ErrorInvalidRequest"},
			{"a property that there is not", "POST", "/me/calendars", map[string]any{"name": "x", "zone": "x"}, 400, "RequestBodyRead"},
			{"a property that there is not", "GET", "/me/calendars?$select=subject", nil, 400, "RequestBroker--ParseUri"},
			{"an option that is not taken", "GET", "/me/calendars?$expand=events", nil, 400, "ErrorInvalidUrlQuery"},
			{"nonsense for an id", "GET", "/me/calendars/42", nil, 400, "ErrorInvalidIdMalformed"},
			{"nonsense for an id of a calendar with events", "GET", "/me/calendars/42/events", nil, 400, "ErrorInvalidIdMalformed"},
			{"an id of another mailbox", "GET", "/me/calendars/" + w.calendar(bob, "x"), nil, 400, "ErrorInvalidIdMalformed"},
			{"the default one", "DELETE", "/me/calendars/" + first.text("id"), nil, 400, "ErrorDeleteDistinguishedFolder"},
			{"the default one by its path", "DELETE", "/me/calendar", nil, 405, "Request_BadRequest"},
		} {
			if got := w.call(alice, c.method, c.path, c.body); got.status != c.status || got.code() != c.code {
				t.Errorf("%s: got %d %q, want %d %q", c.name, got.status, got.code(), c.status, c.code)
			}
		}
	})
}

func TestCalendarPages(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		for number := range 11 {
			w.calendar(alice, fmt.Sprint("Number ", number))
		}
		page := w.want(w.call(alice, "GET", "/me/calendars", nil), 200, "")
		rest := w.want(w.call(alice, "GET", page.text("@odata.nextLink"), nil), 200, "")
		if len(page.values()) != 10 || len(rest.values()) != 2 || rest.text("@odata.nextLink") != "" {
			t.Errorf("pages of %d and %d, want 10 and 2", len(page.values()), len(rest.values()))
		}
		if got := rest.values()[1]["name"]; got != "Number 10" {
			t.Errorf("the last one is %v", got)
		}
		if got := w.want(w.call(alice, "GET", "/me/calendars?$top=3&$skip=10", nil), 200, "").values(); len(got) != 2 {
			t.Errorf("10 skipped of 12: got %d", len(got))
		}
	})
}

func TestEventsOfCalendars(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		main := w.want(w.call(alice, "GET", "/me/calendar", nil), 200, "").text("id")
		other := w.calendar(alice, "Football")
		here := w.want(w.call(alice, "POST", "/me/events", meeting("Here")), 201, "").text("id")
		there := w.want(w.call(alice, "POST", "/me/calendars/"+other+"/events", meeting("There", bob)), 201, "").text("id")
		training := w.want(w.call(alice, "POST", "/me/calendars/"+other+"/events", tuesdays()), 201, "").text("id")
		window := windowOf(december, january)
		for path, want := range map[string][]any{
			"/me/events":                                         {"Here"},
			"/me/calendar/events":                                {"Here"},
			"/me/calendars/" + main + "/events":                  {"Here"},
			"/me/calendars/" + other + "/events":                 {"There", "Series"},
			"/me/calendarView?" + window:                         {"Here"},
			"/me/calendar/calendarView?" + window:                {"Here"},
			"/me/calendars/" + other + "/calendarView?" + window: {"There", "Series", "Series", "Series", "Series"},
		} {
			if diff := cmp.Diff(want, w.subjects(alice, path)); diff != "" {
				t.Errorf("11.2 %s (-want +got):\n%s", path, diff)
			}
		}
		lesson := w.occurrences(alice, training)[1]
		for _, c := range []struct {
			parent, id string
			status     int
		}{
			{"/me", here, 200},
			{"/me", there, 200},
			{"/me", training, 200},
			{"/me", lesson, 200},
			{"/me/calendar", here, 200},
			{"/me/calendar", there, 404},
			{"/me/calendar", lesson, 404},
			{"/me/calendars/" + main, here, 200},
			{"/me/calendars/" + main, there, 404},
			{"/me/calendars/" + other, here, 404},
			{"/me/calendars/" + other, there, 200},
			{"/me/calendars/" + other, training, 200},
			{"/me/calendars/" + other, lesson, 200},
		} {
			code := ""
			if c.status == 404 {
				code = "ErrorItemNotFound"
			}
			w.want(w.call(alice, "GET", c.parent+"/events/"+c.id, nil), c.status, code)
		}
		w.want(w.call(alice, "PATCH", "/me/calendar/events/"+there, map[string]any{"subject": "x"}), 404, "ErrorItemNotFound")
		if got := w.want(w.call(alice, "PATCH", "/me/events/"+there, map[string]any{"subject": "Away"}), 200, "").text("id"); got != there {
			t.Errorf("a change made the id %q of %q", got, there)
		}
		w.want(w.call(alice, "PATCH", "/me/events/"+lesson, hours("09", "09", "10")), 200, "")
		if diff := cmp.Diff([]any{"Away", "Series"}, w.subjects(alice, "/me/calendars/"+other+"/events")); diff != "" {
			t.Errorf("11.2: changed by /me/events (-want +got):\n%s", diff)
		}
		if got := w.occurrences(alice, training); len(got) != 4 {
			t.Errorf("a series in another calendar has %d instances, want 4", len(got))
		}
		settle()
		if diff := cmp.Diff([]string{"invitation bob", "update bob"}, w.mails(0)); diff != "" {
			t.Errorf("8.6: mails about a meeting in another calendar (-want +got):\n%s", diff)
		}
		w.want(w.call(alice, "DELETE", "/me/events/"+there, nil), 204, "")
		if diff := cmp.Diff([]any{"Series"}, w.subjects(alice, "/me/calendars/"+other+"/events")); diff != "" {
			t.Errorf("deleted (-want +got):\n%s", diff)
		}
	})
}

func TestAnswerInACalendar(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		w.want(w.call(alice, "POST", "/me/events", meeting("Match", bob)), 201, "")
		settle()
		box := w.server.Mailbox(bob)
		other, err := box.CreateCalendar(t.Context(), "Football")
		if err != nil {
			t.Fatal(err)
		}
		moved, err := box.Move(t.Context(), w.only(bob)["id"].(string), other["id"].(string))
		if err != nil {
			t.Fatal(err)
		}
		w.want(w.call(bob, "POST", "/me/events/"+moved["id"].(string)+"/accept", nil), 202, "")
		settle()
		attendees, _ := w.only(alice)["attendees"].([]any)
		if got := dig(attendees[0], "status", "response"); got != "accepted" {
			t.Errorf("8.4: the organizer sees %v", got)
		}
		w.want(w.call(alice, "PATCH", "/me/events/"+w.only(alice)["id"].(string), map[string]any{"subject": "Final"}), 200, "")
		settle()
		held, err := box.EventsIn(other["id"].(string))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]any{"Final"}, named(held, "subject")); diff != "" || len(box.Events()) != 0 {
			t.Errorf("an update did not reach the copy where it is (-want +got):\n%s", diff)
		}
		if held[0]["id"] != moved["id"] {
			t.Error("an update gave the copy another id")
		}
	})
}

func TestCalendarOfEvent(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		other := w.calendar(alice, "Football")
		path := "/me/calendars/" + other + "/events"
		master := w.want(w.call(alice, "POST", path, tuesdays()), 201, "").text("id")
		lessons := w.occurrences(alice, master)
		w.want(w.call(alice, "PATCH", "/me/events/"+lessons[1], map[string]any{"subject": "Exception"}), 200, "")
		here := w.want(w.call(alice, "POST", "/me/events", meeting("Here")), 201, "").text("id")
		main := w.want(w.call(alice, "GET", "/me/calendar?$select=id", nil), 200, "").text("id")
		for id, want := range map[string]string{master: other, lessons[0]: other, lessons[1]: other, here: main} {
			got := w.want(w.call(alice, "GET", "/me/events/"+id+"/calendar", nil), 200, "")
			if got.text("id") != want || got.body["isDefaultCalendar"] != (want == main) || got.text("name") == "" {
				t.Errorf("calendar of %s: %v", id, got.body)
			}
		}
		few := w.want(w.call(alice, "GET", "/me/calendars/"+other+"/events/"+master+"/calendar?$select=isDefaultCalendar", nil), 200, "")
		delete(few.body, "@odata.context")
		if diff := cmp.Diff(map[string]any{"id": other, "isDefaultCalendar": false}, few.body); diff != "" {
			t.Errorf("$select (-want +got):\n%s", diff)
		}
		w.want(w.call(alice, "GET", "/me/events/"+here+"/calendar?$select=subject", nil), 400, "RequestBroker--ParseUri")
		w.want(w.call(alice, "GET", "/me/events/42/calendar", nil), 400, "ErrorInvalidIdMalformed")
		w.want(w.call(alice, "GET", "/me/calendar/events/"+master+"/calendar", nil), 404, "ErrorItemNotFound")
	})
}

func TestExpandCalendar(t *testing.T) {
	expanding := func(what string) string { return "$expand=" + url.QueryEscape(what) }
	properties := "singleValueExtendedProperties($filter=id eq '" + property + "')"
	for _, expansion := range []outlook.CalendarExpansion{outlook.CalendarGiven, outlook.CalendarRefused, outlook.CalendarIgnored} {
		inBubble(t, func(c *outlook.Config) { c.Switches.CalendarExpansion = expansion }, func(t *testing.T, w *world) {
			other := w.calendar(alice, "Football")
			content := tuesdays()
			content["singleValueExtendedProperties"] = []any{map[string]any{"id": property, "value": "42"}}
			master := w.want(w.call(alice, "POST", "/me/calendars/"+other+"/events", content), 201, "").text("id")
			lessons := w.occurrences(alice, master)
			w.want(w.call(alice, "PATCH", "/me/events/"+lessons[1], map[string]any{"subject": "Exception"}), 200, "")
			w.want(w.call(alice, "POST", "/me/events", meeting("Here")), 201, "")
			whole := w.want(w.call(alice, "GET", "/me/calendars/"+other, nil), 200, "").body
			delete(whole, "@odata.context")
			main := w.want(w.call(alice, "GET", "/me/calendar?$select=id", nil), 200, "").text("id")
			user := w.server.Mailbox(alice).Person().ObjectID
			for _, c := range []struct {
				name, path string
				want       any
			}{
				{"one event", "/me/events/" + master + "?" + expanding("calendar"), whole},
				{"an occurrence", "/me/events/" + lessons[0] + "?" + expanding("calendar($select=id)"), map[string]any{"id": other}},
				{"as notifications name it", "/Users/" + user + "/Events/" + lessons[1] + "?" + expanding("calendar($select=id, isDefaultCalendar)"), map[string]any{"id": other, "isDefaultCalendar": false}},
				{"after others", "/me/events/" + master + "?" + expanding(properties+",calendar"), whole},
				{"before others", "/me/events/" + master + "?$select=subject,exceptionOccurrences&" + expanding("calendar($select=id,name),exceptionOccurrences,"+properties), map[string]any{"id": other, "name": "Football"}},
				{"a list", "/me/events?" + expanding("calendar($select=id,isDefaultCalendar)"), map[string]any{"id": main, "isDefaultCalendar": true}},
				{"a view", "/me/calendarView?$select=subject&" + windowOf(december, january) + "&" + expanding("calendar($select=id)"), map[string]any{"id": main}},
				{"instances", "/me/events/" + master + "/instances?" + windowOf(december, january) + "&" + expanding("calendar($select=id)"), map[string]any{"id": other}},
			} {
				got := w.call(alice, "GET", c.path, nil)
				if expansion == outlook.CalendarRefused {
					w.want(got, 400, "ErrorInvalidUrlQuery")
					continue
				}
				shown := w.want(got, 200, "").body
				if list := got.values(); len(list) > 0 {
					shown = list[0]
				}
				if expansion == outlook.CalendarIgnored {
					if _, there := shown["calendar"]; there {
						t.Errorf("11.2 %s: %v, want none", c.name, shown["calendar"])
					}
				} else if diff := cmp.Diff(c.want, shown["calendar"]); diff != "" {
					t.Errorf("11.2 %s (-want +got):\n%s", c.name, diff)
				}
				if strings.Contains(c.path, "singleValue") && shown["singleValueExtendedProperties"] == nil {
					t.Errorf("7.18 %s: no property beside the calendar", c.name)
				}
				if exceptions, _ := shown["exceptionOccurrences"].([]any); strings.Contains(c.path, "exception") && len(exceptions) != 1 {
					t.Errorf("7.13 %s: exceptions %v beside the calendar", c.name, exceptions)
				}
			}
			if got := w.want(w.call(alice, "GET", "/me/events/"+master+"/calendar?$select=id", nil), 200, "").text("id"); got != other {
				t.Errorf("expansion %d: the event is in %q, want %q", expansion, got, other)
			}
			if got := w.want(w.call(alice, "GET", "/me/events/"+master, nil), 200, ""); got.body["calendar"] != nil {
				t.Error("a calendar that was not asked for")
			}
			for what, code := range map[string]string{"calendar($top=1)": "ErrorInvalidUrlQuery", "calendar($select=subject)": "RequestBroker--ParseUri", "calendars": "ErrorInvalidUrlQuery"} {
				if expansion == outlook.CalendarRefused {
					code = "ErrorInvalidUrlQuery"
				}
				w.want(w.call(alice, "GET", "/me/events?"+expanding(what), nil), 400, code)
			}
		})
	}
}

func TestDeleteCalendar(t *testing.T) {
	withListener(t, one, func(t *testing.T, w *world, l *listener) {
		other := w.calendar(alice, "Football")
		held := w.want(w.call(alice, "POST", "/me/calendars/"+other+"/events", meeting("Match", bob)), 201, "").text("id")
		w.want(w.call(alice, "POST", "/me/events", meeting("Here")), 201, "")
		w.want(w.call(alice, "POST", "/subscriptions", subscribing(time.Hour)), 201, "")
		settle()
		since := len(w.server.Mails())
		w.want(w.call(alice, "DELETE", "/me/calendars/"+other, nil), 204, "")
		settle()
		w.want(w.call(alice, "GET", "/me/calendars/"+other, nil), 404, "ErrorItemNotFound")
		w.want(w.call(alice, "GET", "/me/calendars/"+other+"/events", nil), 404, "ErrorItemNotFound")
		w.want(w.call(alice, "POST", "/me/calendars/"+other+"/events", meeting("x")), 404, "ErrorItemNotFound")
		w.want(w.call(alice, "GET", "/me/events/"+held, nil), 404, "ErrorItemNotFound")
		if received := l.take(); len(received) != 1 || received[0]["changeType"] != "deleted" || dig(received[0]["resourceData"], "id") != held {
			t.Errorf("told %v", received)
		}
		if diff := cmp.Diff([]any{"Here"}, w.subjects(alice, "/me/events")); diff != "" {
			t.Errorf("the default calendar (-want +got):\n%s", diff)
		}
		if got := w.mails(since); len(got) != 0 || w.only(bob)["isCancelled"] != false {
			t.Errorf("mails %v, copy %v", got, w.only(bob))
		}
		if again := w.calendar(alice, "Football"); again == other {
			t.Error("a new calendar has the id of a deleted one")
		}
	})
}
