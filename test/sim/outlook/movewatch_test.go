package outlook_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// round reads what a delta link tells, as "subject" or "-id", and returns the next.
func (w *world) round(as, link string, headers ...string) (told []string, next string) {
	w.t.Helper()
	page := w.want(w.call(as, "GET", link, nil, headers...), 200, "")
	for _, item := range page.values() {
		if item["@removed"] == nil {
			told = append(told, item["type"].(string)+" "+item["id"].(string))
			continue
		}
		if dig(item["@removed"], "reason") != "deleted" {
			w.t.Errorf("6.4: %v", item["@removed"])
		}
		told = append(told, "-"+item["id"].(string))
	}
	return told, page.text("@odata.deltaLink")
}

func TestDeltaOfMoves(t *testing.T) {
	for _, headers := range [][]string{nil, {immutable}} {
		inBubble(t, nil, func(t *testing.T, w *world) {
			m := w.moving(alice)
			shown := func(id any) string { // in the mode of the rounds
				if headers != nil {
					return m.stable(id)
				}
				return id.(string)
			}
			made := m.create("", meeting("Match"))
			m.create(m.other, meeting("There"))
			_, here := w.round(alice, "/me/calendarView/delta?"+window, headers...)
			first, there := w.round(alice, "/me/calendars/"+m.other+"/calendarView/delta?"+window, headers...)
			if len(first) != 1 {
				t.Errorf("6.1: the first round of another calendar tells %v", first)
			}
			expect := func(when string, link *string, want ...string) {
				t.Helper()
				told, next := w.round(alice, *link, headers...)
				if diff := cmp.Diff(want, told); diff != "" {
					t.Errorf("%s (-want +got):\n%s", when, diff)
				}
				*link = next
			}
			away := m.move(made["id"], m.other)
			expect("moved out", &here, "-"+shown(made["id"]))
			expect("moved in elsewhere", &there, "singleInstance "+shown(away["id"]))
			if _, err := m.box.Update(t.Context(), away["id"].(string), map[string]any{"subject": "Final"}); err != nil {
				t.Fatal(err)
			}
			expect("changed elsewhere", &here)
			expect("changed there", &there, "singleInstance "+shown(away["id"]))
			back := m.move(away["id"], "")
			expect("moved in", &here, "singleInstance "+shown(back["id"]))
			expect("moved out elsewhere", &there, "-"+shown(away["id"]))
			out := m.move(back["id"], m.other)
			home := m.move(out["id"], "")
			expect("out and back", &here, "-"+shown(back["id"]), "singleInstance "+shown(home["id"]))
			w.want(w.call(alice, "GET", "/me/calendars/"+m.other+"/calendarView/delta?"+here[len("http://outlook.sim/v1.0/me/calendarView/delta?"):], nil, headers...), 410, "syncStateNotFound")

			master := m.create("", tuesdays())
			lessons := w.instances(alice, master["id"].(string), "2026-12-01T00:00:00Z", "2026-12-11T00:00:00Z")
			expect("a series", &here, "seriesMaster "+shown(master["id"]), "occurrence "+shown(lessons[0]["id"]), "occurrence "+shown(lessons[1]["id"]))
			gone := m.move(master["id"], m.other)
			expect("a series moved out", &here, "-"+shown(master["id"]))
			w.want(w.call(alice, "DELETE", "/me/events/"+w.occurrences(alice, gone["id"].(string))[0], nil), 204, "")
			expect("changed elsewhere", &here)
			home = m.move(gone["id"], m.main)
			lessons = w.instances(alice, home["id"].(string), "2026-12-01T00:00:00Z", "2026-12-11T00:00:00Z")
			expect("a series moved in", &here, "seriesMaster "+shown(home["id"]), "occurrence "+shown(lessons[0]["id"]))

			m.gone()
			_, link := w.round(alice, here, headers...)
			if err := m.box.DeleteCalendar(t.Context(), m.other); err != nil {
				t.Fatal(err)
			}
			expect("another calendar deleted", &link)
		})
	}
}

// TestDeltaFoldsToBothCalendars moves events to and fro at random, with delta rounds
// of both calendars in between, and compares the fold of the rounds with the views.
func TestDeltaFoldsToBothCalendars(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.SampledFrom([]string{"create", "move", "move", "edit", "delete", "sync"}), 1, 40).Draw(rt, "steps")
		numbers := rapid.SliceOfN(rapid.IntRange(0, 1000), len(steps), len(steps)).Draw(rt, "numbers")
		stable := rapid.Bool().Draw(rt, "immutable")
		inBubble(t, nil, func(_ *testing.T, w *world) {
			m := w.moving(alice)
			parents := []string{"/me", "/me/calendars/" + m.other}
			links := []string{parents[0] + "/calendarView/delta?" + window, parents[1] + "/calendarView/delta?" + window}
			known := []map[string]string{{}, {}}
			var headers []string
			if stable {
				headers = []string{immutable}
			}
			sync := func(side, page int) {
				links[side] = w.follow(alice, links[side], known[side], append(headers, fmt.Sprint("Prefer: odata.maxpagesize=", page))...)
			}
			place := func(number int) string { return []string{m.main, m.other}[number%2] }
			var ids []string
			for index, step := range steps {
				number := numbers[index]
				at := 0
				if len(ids) > 0 {
					at = number / 2 % len(ids)
				}
				switch {
				case step == "sync":
					sync(number%2, number%7+1)
				case step == "create":
					ids = append(ids, m.create(place(number), meeting("x"))["id"].(string))
				case len(ids) == 0:
				case step == "move":
					ids[at] = m.move(ids[at], place(number))["id"].(string)
				case step == "edit":
					w.want(w.call(alice, "PATCH", "/me/events/"+ids[at], map[string]any{"subject": fmt.Sprint(number)}), 200, "")
				case step == "delete":
					w.want(w.call(alice, "DELETE", "/me/events/"+ids[at], nil), 204, "")
					ids = slices.Delete(ids, at, at+1)
				}
			}
			shown := 0
			for side, parent := range parents {
				sync(side, 3)
				listed := map[string]string{}
				for _, e := range w.want(w.call(alice, "GET", parent+"/calendarView?$top=1000&"+window, nil, headers...), 200, "").values() {
					listed[e["id"].(string)] = e["@odata.etag"].(string)
				}
				if diff := cmp.Diff(listed, known[side]); diff != "" {
					rt.Errorf("%s (-view +delta):\n%s", parent, diff)
				}
				shown += len(listed)
			}
			if shown != len(ids) {
				rt.Errorf("both calendars show %d events, want %d", shown, len(ids))
			}
		})
	})
}

// notes reads what arrived as "changeType id".
func (l *listener) notes() []string {
	settle()
	var lines []string
	for _, item := range l.take() {
		lines = append(lines, item["changeType"].(string)+" "+dig(item["resourceData"], "id").(string))
	}
	return lines
}

func TestNotificationsOfMoves(t *testing.T) {
	for _, c := range []struct {
		name, resource string // %s stands for the other calendar
		quiet          bool
		here, there    bool // of which calendars it tells
	}{
		{"the mailbox", "me/events", false, true, true},
		{"the mailbox, secondary calendars quiet", "me/events", true, true, false},
		{"the default calendar", "me/calendar/events", false, true, false},
		{"the default calendar by its id", "main", false, true, false},
		{"another calendar", "other", false, false, true},
		{"another calendar, secondary calendars quiet", "other", true, false, true},
	} {
		for _, headers := range [][]string{nil, {immutable}} {
			adjust := func(config *outlook.Config) {
				one(config)
				config.Switches.SecondaryQuiet = c.quiet
			}
			withListener(t, adjust, func(t *testing.T, w *world, l *listener) {
				m := w.moving(alice)
				wanted := subscribing(time.Hour)
				switch wanted["resource"] = c.resource; c.resource {
				case "main":
					wanted["resource"] = "me/calendars/" + m.main + "/events"
				case "other":
					wanted["resource"] = "/users/" + alice + "/calendars/" + m.other + "/events"
				}
				w.want(w.call(alice, "POST", "/subscriptions", wanted, headers...), 201, "")
				shown := func(id any) string {
					if headers != nil {
						return m.stable(id)
					}
					return id.(string)
				}
				expect := func(when string, told bool, want ...string) {
					t.Helper()
					if !told {
						want = nil
					}
					received := l.notes()
					if len(received) > 1 && received[0] > received[1] { // they come in any order
						received[0], received[1] = received[1], received[0]
					}
					if diff := cmp.Diff(want, received); diff != "" {
						t.Errorf("11.2 %s, %s (-want +got):\n%s", c.name, when, diff)
					}
				}
				// moved is what is told of a move from one calendar to the other.
				moved := func(when string, before, after map[string]any, from, to bool) {
					t.Helper()
					gone, come := "deleted "+shown(before["id"]), "created "+shown(after["id"])
					switch {
					case from && to && headers != nil:
						expect(when, true, "updated "+shown(after["id"]))
					case from && to:
						expect(when, true, come, gone)
					case from:
						expect(when, true, gone)
					case to:
						expect(when, true, come)
					}
				}
				for _, content := range []map[string]any{meeting("Match"), tuesdays()} {
					made := m.create("", content)
					expect("made here", c.here, "created "+shown(made["id"]))
					away := m.move(made["id"], m.other)
					moved("moved away", made, away, c.here, c.there)
					if _, err := m.box.Update(t.Context(), away["id"].(string), map[string]any{"subject": "Final"}); err != nil {
						t.Fatal(err)
					}
					expect("changed there", c.there, "updated "+shown(away["id"]))
					back := m.move(away["id"], "")
					moved("moved back", away, back, c.there, c.here)
					m.move(back["id"], m.main)
					expect("moved nowhere", false)
					if err := m.box.Delete(t.Context(), back["id"].(string)); err != nil {
						t.Fatal(err)
					}
					expect("deleted here", c.here, "deleted "+shown(back["id"]))
					there := m.create(m.other, content)
					expect("made there", c.there, "created "+shown(there["id"]))
					if err := m.box.Delete(t.Context(), there["id"].(string)); err != nil {
						t.Fatal(err)
					}
					expect("deleted there", c.there, "deleted "+shown(there["id"]))
				}
			})
		}
	}
}

func TestMovesInSilenceAndInOneWord(t *testing.T) {
	withListener(t, one, func(t *testing.T, w *world, l *listener) {
		m := w.moving(alice)
		wanted := subscribing(time.Hour)
		wanted["changeType"] = "deleted"
		w.want(w.call(alice, "POST", "/subscriptions", wanted), 201, "")
		made := m.create("", meeting("Match"))
		away := m.move(made["id"], m.other)
		if diff := cmp.Diff([]string{"deleted " + made["id"].(string)}, l.notes()); diff != "" {
			t.Errorf("2.9: of one kind only (-want +got):\n%s", diff)
		}
		var changes []outlook.Change
		w.server.OnChange(func(change outlook.Change) { changes = append(changes, change) })
		w.server.Silence(true)
		back := m.move(away["id"], "")
		if got := l.notes(); len(got) != 0 || w.server.Delivery().Lost != 1 {
			t.Errorf("13.3: told %v in silence, lost %d", got, w.server.Delivery().Lost)
		}
		if len(changes) != 1 || changes[0].Kind != "updated" || changes[0].EventID != back["id"] || changes[0].Actor != "person:"+alice {
			t.Errorf("observed %+v", changes)
		}
	})
}

func TestSubscriptionToNoCalendar(t *testing.T) {
	withListener(t, one, func(t *testing.T, w *world, _ *listener) {
		theirs := w.calendar(bob, "Football")
		own := w.calendar(alice, "Football")
		gone := w.calendar(alice, "Gone")
		w.want(w.call(alice, "DELETE", "/me/calendars/"+gone, nil), 204, "")
		event := w.want(w.call(alice, "POST", "/me/calendars/"+own+"/events", meeting("x")), 201, "").text("id")
		for _, resource := range []string{
			"me/calendars/" + theirs + "/events", "me/calendars/" + gone + "/events", "me/calendars/42/events", "me/calendars//events",
			"me/calendars/" + own, "me/calendars/" + own + "/events/" + event, "me/calendars",
		} {
			wanted := subscribing(time.Hour)
			wanted["resource"] = resource
			w.want(w.call(alice, "POST", "/subscriptions", wanted), 400, "ExtensionError") // 2.5
		}
	})
}
