package life_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/service"
)

// moveAway moves an event to another calendar of its mailbox.
func (w *world) moveAway(address, id string) string {
	w.Helper()
	club, err := w.outlook.Mailbox(address).CreateCalendar(w.Context(), "Club")
	w.must(err)
	shown, err := w.outlook.Mailbox(address).Move(w.Context(), id, fmt.Sprint(club["id"]))
	w.must(err)
	return fmt.Sprint(shown["id"])
}

// The answer to an invitation reaches NightPOS also where a stand-in is elsewhere.
func TestAStandInInAnotherCalendar(t *testing.T) {
	for _, moved := range []bool{false, true} {
		t.Run(fmt.Sprint(moved), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(config *service.Config) { config.Settings.QuietFirstSync = false })
				w.connect("alice", "")
				w.settle("alice", "connected")
				w.nightposEvent("bob", "Meeting", 5, nil, alice)
				time.Sleep(time.Hour)
				if moved {
					w.moveAway(alice, w.idOf(alice, "Meeting"))
				}
				time.Sleep(time.Hour)
				w.connect("bob", "")
				time.Sleep(3 * time.Hour)
				w.must(w.outlook.Mailbox(alice).Respond(t.Context(), w.idOf(alice, "Meeting"), "accept"))
				time.Sleep(3 * time.Hour)
				if shown := fmt.Sprint(w.nightpos.Events()[0]["attendees"]); strings.Contains(shown, "needsAction") {
					t.Errorf("Alice has accepted the invitation, NightPOS lists %s", shown)
				}
			})
		})
	}
}

// A meeting that is handed over while the former organizer keeps it elsewhere.
func TestAHandOverFromAnotherCalendar(t *testing.T) {
	for _, moved := range []bool{false, true} {
		t.Run(fmt.Sprint(moved), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(config *service.Config) { config.Settings.QuietFirstSync = false })
				w.connect("alice", "")
				w.connect("bob", "")
				w.settle("alice", "connected")
				record := w.nightposEvent("alice", "Meeting", 5, nil, bob, guest)
				time.Sleep(time.Hour)
				if moved {
					w.moveAway(alice, w.idOf(alice, "Meeting"))
				}
				time.Sleep(time.Hour)
				mails := len(w.outlook.Mails())
				w.must(w.nightpos.Member("alice").Write(t.Context(), []int{record}, map[string]any{"user_id": w.nightpos.Member("bob").ID}))
				time.Sleep(3 * time.Hour)
				if got := w.inOutlook(bob, "Meeting"); got != 1 {
					t.Errorf("Bob's calendar has the meeting %d times; %d mails", got, len(w.outlook.Mails())-mails)
				}
			})
		})
	}
}

// Putting back what a conflict replaced leaves what is elsewhere alone.
func TestTheOtherVersionOfWhatIsInAnotherCalendar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.connect("alice", "")
		w.settle("alice", "connected")
		graphID := w.outlookEvent(alice, "Before", 2, guest)
		w.settle("alice", "connected")
		record := w.nightpos.Events()[0]["id"].(int)
		w.call(http.MethodPost, "/users/alice/pause", "", http.StatusNoContent, nil)
		_, err := w.outlook.Mailbox(alice).Update(t.Context(), graphID, map[string]any{"subject": "Named in Outlook"})
		w.must(err)
		time.Sleep(time.Minute)
		w.must(w.nightpos.Member("alice").Write(t.Context(), []int{record}, map[string]any{"name": "Named in NightPOS"}))
		w.call(http.MethodPost, "/users/alice/resume", "", http.StatusNoContent, nil)
		w.settle("alice", "connected")
		conflict := w.conflict()
		w.moveAway(alice, graphID)
		time.Sleep(time.Hour)
		mails := len(w.outlook.Mails())
		w.call(http.MethodPost, "/users/alice/conflicts/"+conflict.ID+"/use-other", "", http.StatusConflict, nil)
		time.Sleep(time.Hour)
		if got := len(w.outlook.Mails()) - mails; got != 0 {
			t.Errorf("%d mails about a meeting that is not synced", got)
		}
	})
}

// What NightPOS did to a record while its copy was elsewhere, and the way back.
func TestTheWayBackFromAnotherCalendar(t *testing.T) {
	for _, what := range []string{"archive", "unlink", "archive and unarchive"} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(config *service.Config) { config.Settings.QuietFirstSync = false })
				w.connect("alice", "")
				w.settle("alice", "connected")
				record := w.nightposEvent("alice", "Meeting", 5, nil, guest)
				time.Sleep(time.Hour)
				moved := w.moveAway(alice, w.idOf(alice, "Meeting"))
				time.Sleep(time.Hour)
				mails := len(w.outlook.Mails())
				m := w.nightpos.Member("alice")
				switch what {
				case "archive":
					w.must(m.Archive(t.Context(), record))
				case "unlink":
					w.must(m.Unlink(t.Context(), record))
				default:
					w.must(m.Archive(t.Context(), record))
					time.Sleep(12 * time.Hour)
					w.must(m.Write(t.Context(), []int{record}, map[string]any{"active": true}))
				}
				time.Sleep(24 * time.Hour)
				_, err := w.outlook.Mailbox(alice).Move(t.Context(), moved, "")
				w.must(err)
				time.Sleep(24 * time.Hour)
				active, archived := w.inNightPOS("Meeting")
				want := map[string]string{"archive": "1 0 1 0", "unlink": "1 0 0 0", "archive and unarchive": "1 1 0 0"}[what]
				if got := fmt.Sprint(w.inOutlook(alice, "Meeting"), active, archived, len(w.outlook.Mails())-mails); got != want {
					t.Errorf("%s: %s, want %s", what, got, want)
				}
			})
		})
	}
}

// What has become private in Outlook is private in NightPOS, whichever calendar it is moved to.
func TestWhatBecomesPrivateAndIsMoved(t *testing.T) {
	for _, moved := range []bool{false, true} {
		t.Run(fmt.Sprint(moved), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(config *service.Config) { config.Settings.QuietFirstSync = false })
				w.connect("alice", "")
				w.settle("alice", "connected")
				w.call(http.MethodPut, "/users/alice/choices", `{"private_events":"skip"}`, http.StatusOK, nil)
				id := w.outlookEvent(alice, "Meeting", 5)
				w.settle("alice", "connected")
				_, err := w.outlook.Mailbox(alice).Update(t.Context(), id, map[string]any{"sensitivity": "private"})
				w.must(err)
				if moved {
					w.moveAway(alice, id)
				}
				time.Sleep(time.Hour)
				if got := w.nightpos.Events()[0]["privacy"]; got != "private" {
					t.Errorf("NightPOS shows its privacy as %v", got)
				}
			})
		})
	}
}

// idOf finds an event in somebody's main calendar.
func (w *world) idOf(address, title string) string {
	w.Helper()
	for _, shown := range w.outlook.Mailbox(address).Events() {
		if shown["subject"] == title {
			return fmt.Sprint(shown["id"])
		}
	}
	w.Fatalf("%s has no %q", address, title)
	return ""
}

// With the links lost, or after a reset that leaves everything, what stands in another
// calendar is not made a second time, and goes on once it is moved back.
func TestElsewhereWhileTheLinksAreLost(t *testing.T) {
	for _, lost := range []string{"store emptied", "reset"} {
		for _, from := range []string{"nightpos", "outlook"} {
			t.Run(lost+", from "+from, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, func(config *service.Config) { config.Settings.QuietFirstSync = false })
					w.connect("alice", "")
					w.connect("bob", "")
					w.settle("alice", "connected")
					if from == "nightpos" {
						w.nightposEvent("alice", "Meeting", 5, nil, bob)
					} else {
						w.outlookEvent(alice, "Meeting", 5, bob, guest)
					}
					time.Sleep(time.Minute)
					moved := w.moveAway(alice, w.idOf(alice, "Meeting"))
					time.Sleep(time.Minute)
					mails := len(w.outlook.Mails())
					if lost == "reset" {
						w.resetAlice(gateway.Reset{Events: "leave", NextSync: "all"})
					} else {
						w.renew()
						time.Sleep(time.Hour)
					}
					w.connect("alice", "")
					if lost != "reset" {
						w.connect("bob", "")
					}
					time.Sleep(time.Hour)
					record := w.nightpos.Events()[0]["id"].(int)
					w.must(w.nightpos.Member("alice").Write(t.Context(), []int{record}, map[string]any{"location": "Bar"}))
					time.Sleep(2 * time.Hour)
					if got := len(w.outlook.Mails()) - mails; got != 0 {
						t.Errorf("%d mails", got)
					}
					asked := w.outlook.Counts()["GET /me/calendars"]
					w.call(http.MethodPost, "/users/alice/sync", "", http.StatusAccepted, nil)
					time.Sleep(time.Minute)
					if asked == 0 || w.outlook.Counts()["GET /me/calendars"] != asked {
						t.Errorf("the calendars were listed %d times by first sweeps, %d times in all", asked, w.outlook.Counts()["GET /me/calendars"])
					}
					_, err := w.outlook.Mailbox(alice).Move(t.Context(), moved, "")
					w.must(err)
					time.Sleep(3 * time.Hour)
					active, _ := w.inNightPOS("Meeting")
					if a, b := w.inOutlook(alice, "Meeting"), w.inOutlook(bob, "Meeting"); a != 1 || b != 1 || active != 1 {
						t.Errorf("moved back, Alice has it %d times, Bob %d times, NightPOS %d times", a, b, active)
					}
				})
			})
		}
	}
}

// A series that stands in another calendar while the links are lost is not made a second
// time either.
func TestASeriesElsewhereWhileTheLinksAreLost(t *testing.T) {
	for _, from := range []string{"nightpos", "outlook"} {
		t.Run("from "+from, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(config *service.Config) { config.Settings.QuietFirstSync = false })
				w.connect("alice", "")
				w.settle("alice", "connected")
				if from == "nightpos" {
					w.nightposSeries("alice", "Series", 10, guest)
				} else {
					w.outlookSeries(alice, "Series", 10, guest)
				}
				time.Sleep(time.Hour)
				before := w.times("Series")
				moved := w.moveAway(alice, w.masterOf(alice, "Series"))
				time.Sleep(time.Hour)
				mails := len(w.outlook.Mails())
				w.renew()
				time.Sleep(time.Hour)
				w.connect("alice", "")
				time.Sleep(time.Hour)
				record := w.inOrder("Series")[2]["id"].(int)
				w.must(w.nightpos.Member("alice").Write(t.Context(), []int{record}, map[string]any{"location": "Bar"}))
				time.Sleep(3 * time.Hour)
				if got := w.times("Series"); got.inOutlook != 0 || got.active != before.active {
					t.Errorf("the series is seen %+v, it was %+v", got, before)
				}
				if got := len(w.outlook.Mails()) - mails; got != 0 {
					t.Errorf("%d mails", got)
				}
				reads := w.outlook.Counts()["GET /me/events/{event}"]
				for range 3 {
					w.call(http.MethodPost, "/users/alice/sync", "", http.StatusAccepted, nil)
					time.Sleep(time.Minute)
				}
				if got := w.outlook.Counts()["GET /me/events/{event}"] - reads; got > 0 {
					t.Errorf("3 sweeps read events %d times", got)
				}
				_, err := w.outlook.Mailbox(alice).Move(t.Context(), moved, "")
				w.must(err)
				time.Sleep(3 * time.Hour)
				if got := w.times("Series"); got != before || got.masters != 1 {
					t.Errorf("moved back, the series is seen %+v, it was %+v", got, before)
				}
				w.must(w.nightpos.Member("alice").Write(t.Context(), []int{record}, map[string]any{"location": "Bar 2"}))
				time.Sleep(time.Hour)
				if shown := fmt.Sprint(w.outlook.Mailbox(alice).View(day(0), day(90))); !strings.Contains(shown, "Bar 2") {
					t.Error("a change of an occurrence in NightPOS does not reach Outlook")
				}
			})
		})
	}
}

// times is how often a series shows in Alice's main calendar and in NightPOS.
type times struct{ inOutlook, masters, active int }

func (w *world) times(title string) times {
	w.Helper()
	found, masters := times{}, map[any]bool{}
	for _, shown := range w.outlook.Mailbox(alice).View(day(0), day(90)) {
		if shown["subject"] == title {
			found.inOutlook++
			masters[shown["seriesMasterId"]] = true
		}
	}
	found.masters = len(masters)
	found.active, _ = w.inNightPOS(title)
	return found
}

func (w *world) masterOf(address, title string) string {
	w.Helper()
	for _, shown := range w.outlook.Mailbox(address).Events() {
		if shown["subject"] == title && shown["type"] == "seriesMaster" {
			return fmt.Sprint(shown["id"])
		}
	}
	w.Fatalf("%s has no series %q", address, title)
	return ""
}

// A guest's calendar does not ask for ever for a meeting that its organizer keeps in
// another calendar, and has it once the organizer moves it to the main one.
func TestAMeetingThatItsOrganizerKeepsElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(config *service.Config) { config.Settings.QuietFirstSync = false })
		w.connect("alice", "")
		w.connect("bob", "")
		w.settle("alice", "connected")
		club, err := w.outlook.Mailbox(alice).CreateCalendar(t.Context(), "Club")
		w.must(err)
		start := day(5)
		made, err := w.outlook.Mailbox(alice).CreateIn(t.Context(), fmt.Sprint(club["id"]), map[string]any{
			"subject": "Tournament", "attendees": []any{map[string]any{"type": "required", "emailAddress": map[string]any{"address": bob, "name": "Bob"}}},
			"start": map[string]any{"dateTime": start.Format("2006-01-02T15:04:05"), "timeZone": "UTC"},
			"end":   map[string]any{"dateTime": start.Add(time.Hour).Format("2006-01-02T15:04:05"), "timeZone": "UTC"},
		})
		w.must(err)
		time.Sleep(2 * time.Hour)
		before := w.outlook.Counts()["GET /me/events/{event}"]
		for range 3 {
			w.call(http.MethodPost, "/users/bob/sync", "", http.StatusAccepted, nil)
			time.Sleep(20 * time.Minute)
		}
		reads := w.outlook.Counts()["GET /me/events/{event}"] - before
		if active, _ := w.inNightPOS("Tournament"); active != 0 || reads > 12 {
			t.Errorf("NightPOS has it %d times; 3 sweeps cost %d reads", active, reads)
		}
		var log []gateway.ActivityLine
		w.call(http.MethodGet, "/activity", "", http.StatusOK, &log)
		said := 0
		for _, line := range log {
			if strings.Contains(line.Reason, "another calendar of the organizer's") {
				said++
			}
		}
		if said < 1 || said > 4 {
			t.Errorf("the log says %d times why Bob's invitation is left alone", said)
		}
		_, err = w.outlook.Mailbox(alice).Move(t.Context(), fmt.Sprint(made["id"]), "")
		w.must(err)
		time.Sleep(time.Hour)
		w.call(http.MethodPost, "/users/bob/sync", "", http.StatusAccepted, nil)
		time.Sleep(time.Hour)
		w.must(w.outlook.Mailbox(bob).Respond(t.Context(), w.idOf(bob, "Tournament"), "accept"))
		time.Sleep(time.Hour)
		active, _ := w.inNightPOS("Tournament")
		if a, b := w.inOutlook(alice, "Tournament"), w.inOutlook(bob, "Tournament"); active != 1 || a != 1 || b != 1 {
			t.Errorf("moved to the main calendar, NightPOS has it %d times, Alice %d times, Bob %d times", active, a, b)
		}
		if shown := fmt.Sprint(w.nightpos.Events()[0]["attendees"]); strings.Contains(shown, "needsAction") {
			t.Errorf("Bob has accepted, NightPOS lists %s", shown)
		}
	})
}

// A preview says of what is elsewhere that it is elsewhere.
func TestAPreviewOfWhatIsElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.connect("alice", "")
		w.settle("alice", "connected")
		w.outlookEvent(alice, "Meeting", 5, guest)
		w.outlookEvent(alice, "Deleted", 6, guest)
		w.settle("alice", "connected")
		time.Sleep(time.Hour)
		id := w.idOf(alice, "Deleted")
		w.moveAway(alice, w.idOf(alice, "Meeting"))
		club, err := w.outlook.Mailbox(alice).CreateCalendar(t.Context(), "Music")
		w.must(err)
		shown, err := w.outlook.Mailbox(alice).Move(t.Context(), id, fmt.Sprint(club["id"]))
		w.must(err)
		time.Sleep(time.Hour)
		w.must(w.outlook.Mailbox(alice).Delete(t.Context(), fmt.Sprint(shown["id"])))
		time.Sleep(time.Hour)
		for title, want := range map[string]string{"Meeting": "another calendar", "Deleted": "alone"} {
			if got := w.preview("alice")[title]; !strings.Contains(got.Why, want) {
				t.Errorf("of what is %q the preview says %+v", want, got)
			}
		}
	})
}
