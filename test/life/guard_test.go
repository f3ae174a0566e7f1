package life_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/service"
	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// lose makes a number of pairs, and then some of them go from one side without a
// word: nobody listens.
func (w *world) lose(pairs, lost int, side string) {
	w.Helper()
	for index := range pairs {
		w.nightposEvent("alice", fmt.Sprintf("Event %02d", index), 3+index, nil)
	}
	w.settle("alice", "connected")
	time.Sleep(time.Hour)
	w.settle("alice", "connected")
	w.must(w.service.Close())
	w.outlook.Silence(true)
	for index, shown := range w.nightpos.Events() {
		if index >= lost {
			break
		}
		title, _ := shown["name"].(string)
		if side == "nightpos" {
			id, _ := shown["id"].(int)
			w.must(w.nightpos.Member("alice").Unlink(w.Context(), id))
			continue
		}
		for _, copied := range w.outlook.Mailbox(alice).Events() {
			if copied["subject"] == title {
				w.must(w.outlook.Mailbox(alice).Delete(w.Context(), fmt.Sprint(copied["id"])))
			}
		}
	}
	w.outlook.Silence(false)
	w.start()
	time.Sleep(10 * time.Minute)
}

// TestASweepThatWouldDeleteTooMuchAsks: nothing is deleted until an administrator
// has said so; less than that is nobody's business.
func TestASweepThatWouldDeleteTooMuchAsks(t *testing.T) {
	for _, one := range []struct {
		side        string
		pairs, lost int
		asks        bool
		answer      string
	}{
		{"outlook", 44, 21, true, "apply"},
		{"nightpos", 44, 21, true, "keep"},
		{"outlook", 8, 5, true, "keep"},
		{"nightpos", 8, 8, true, "apply"},
		{"outlook", 42, 20, false, ""},
		{"nightpos", 8, 4, false, ""},
	} {
		t.Run(fmt.Sprintf("%d of %d gone from %s, %s", one.lost, one.pairs, one.side, one.answer), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				w.connect("alice", "")
				w.settle("alice", "connected")
				w.lose(one.pairs, one.lost, one.side)
				user := w.settle("alice", "connected")
				left := func() (there, here int) {
					for index := range one.pairs {
						title := fmt.Sprintf("Event %02d", index)
						active, _ := w.inNightPOS(title)
						there += w.inOutlook(alice, title)
						here += active
					}
					return there, here
				}
				check := func(when string, wantThere, wantHere int) {
					t.Helper()
					if there, here := left(); there != wantThere || here != wantHere {
						t.Errorf("%s %d events are in Outlook and %d in NightPOS, want %d and %d", when, there, here, wantThere, wantHere)
					}
				}
				rest := one.pairs - one.lost
				if !one.asks {
					check("afterwards", rest, rest)
					if user.Question != nil || user.LastError != nil {
						t.Errorf("it asks %+v, %v", user.Question, user.LastError)
					}
					return
				}
				there, here := rest, one.pairs
				if one.side == "nightpos" {
					there, here = one.pairs, rest
				}
				check("before an answer", there, here)
				if user.Question == nil || user.Question.Count != one.lost || string(user.Question.Side) != one.side || user.LastError == nil || !strings.Contains(*user.LastError, "/answer") {
					t.Fatalf("it asks %+v, %v", user.Question, user.LastError)
				}
				// Days later it still waits, and everything else goes on.
				time.Sleep(50 * time.Hour)
				w.nightposEvent("alice", "Another", 2, nil)
				w.settle("alice", "connected")
				w.shows("Another", 1, 1)
				check("days later", there, here)
				w.call(http.MethodPost, "/users/alice/answer", `{"deletions":"perhaps"}`, http.StatusUnprocessableEntity, nil)
				w.call(http.MethodPost, "/users/alice/answer", fmt.Sprintf(`{"deletions":%q}`, one.answer), http.StatusAccepted, nil)
				w.settle("alice", "connected")
				if one.answer == "apply" {
					there, here = rest, rest
				}
				check("after the answer", there, here)
				w.call(http.MethodPost, "/users/alice/sync", "", http.StatusAccepted, nil)
				if user = w.settle("alice", "connected"); user.Question != nil || user.LastError != nil {
					t.Errorf("after the answer it asks %+v, %v", user.Question, user.LastError)
				}
				check("after another sweep", there, here)
				w.call(http.MethodPost, "/users/alice/answer", `{"deletions":"apply"}`, http.StatusConflict, nil)
			})
		})
	}
}

// TestAnotherDatabase: a copy of the database behind the same address stops
// everything until somebody has confirmed it.
func TestAnotherDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.connect("alice", "")
		w.settle("alice", "connected")
		w.nightposEvent("alice", "Before", 3, nil)
		w.settle("alice", "connected")
		w.must(w.nightpos.Member("admin").SetParameter(t.Context(), "database.uuid", "another"))
		w.nightposEvent("alice", "In the copy", 4, nil)
		w.outlookEvent(alice, "In Outlook", 5)
		time.Sleep(30 * time.Minute)
		var status gateway.Status
		w.call(http.MethodGet, "/status", "", http.StatusOK, &status)
		if !strings.Contains(status.Stopped, "/database/confirm") {
			t.Errorf("it is stopped because of %q", status.Stopped)
		}
		w.restart()
		time.Sleep(30 * time.Minute)
		w.shows("In the copy", 0, 1)
		w.shows("In Outlook", 1, 0)
		w.call(http.MethodPost, "/database/confirm", "", http.StatusNoContent, nil)
		w.settle("alice", "connected")
		w.shows("In the copy", 1, 1)
		w.shows("In Outlook", 1, 1)
	})
}

// TestMovingOverFromTheBuiltInSync: what NightPOS's own sync had paired stays
// paired, whatever has become of its looks.
func TestMovingOverFromTheBuiltInSync(t *testing.T) {
	for _, version := range []int{17, 18} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorldWith(t, simoutlook.Config{}, simnightpos.Config{Version: version}, nil)
				for index := range 5 {
					id := w.outlookEvent(alice, fmt.Sprintf("There %d", index), 3+index, guest)
					uid := ""
					for _, shown := range w.outlook.Mailbox(alice).Events() {
						if shown["id"] == id {
							uid, _ = shown["iCalUId"].(string)
						}
					}
					more := map[string]any{"microsoft_id": id, "ms_universal_event_id": uid}
					if version == 17 {
						more = map[string]any{"microsoft_id": id + ":" + uid}
					}
					w.nightposEvent("alice", fmt.Sprintf("Here %d", index), 3+index, more)
				}
				time.Sleep(time.Hour)
				records := len(w.nightpos.Events())
				// It is still on, and an administrator stops it through the gateway.
				user := w.nightpos.Member("alice").ID
				w.must(w.nightpos.Member("admin").WriteUser(t.Context(), user, map[string]any{"microsoft_calendar_rtoken": "rt"}))
				if _, err := w.service.Connect(t.Context(), "alice", outlook.Token{}); !errors.Is(err, service.ErrBuiltInSync) {
					t.Errorf("connecting while the built-in sync is on: got %v, want ErrBuiltInSync", err)
				}
				// Encoded, as the @ of most logins is.
				w.call(http.MethodPost, "/users/%61lice/stop-built-in-sync", "", http.StatusNoContent, nil)
				w.call(http.MethodPost, "/users/nobody/stop-built-in-sync", "", http.StatusNotFound, nil)
				w.connect("alice", "")
				w.settle("alice", "connected")
				calls := w.outlook.Counts()
				if got := len(w.nightpos.Events()); got != records || calls["POST /me/events"] != 0 || calls["DELETE /me/events/{event}"] != 0 || w.mails() != 0 {
					t.Errorf("moving over left %d records, want %d, made %d events, deleted %d and mailed %d people", got, records,
						calls["POST /me/events"], calls["DELETE /me/events/{event}"], w.mails())
				}
				for _, shown := range w.outlook.Mailbox(alice).Events() {
					w.must(w.outlook.Mailbox(alice).Delete(t.Context(), fmt.Sprint(shown["id"])))
				}
				w.settle("alice", "connected")
				for _, shown := range w.nightpos.Events() {
					if shown["active"] == true {
						t.Errorf("%v was no half of a pair", shown["name"])
					}
				}
			})
		})
	}
}

// TestARoundOfChangesAsksToo: what Outlook tells as removed, hours before a sweep,
// is not believed in masses either.
func TestARoundOfChangesAsksToo(t *testing.T) {
	for _, lost := range []int{21, 20} {
		t.Run(fmt.Sprint(lost), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const pairs = 45
				w := newWorld(t, nil)
				w.connect("alice", "")
				w.settle("alice", "connected")
				for index := range pairs {
					w.nightposEvent("alice", fmt.Sprintf("Event %02d", index), 3+index, nil)
				}
				time.Sleep(3 * time.Hour) // the first round has told everything
				w.settle("alice", "connected")
				w.outlook.Silence(true)
				for index, shown := range w.outlook.Mailbox(alice).Events() {
					if index < lost {
						w.must(w.outlook.Mailbox(alice).Delete(t.Context(), fmt.Sprint(shown["id"])))
					}
				}
				w.outlook.Silence(false)
				sweeps := w.outlook.Counts()["GET /me/calendarView"]
				time.Sleep(2 * time.Hour)
				user := w.settle("alice", "connected")
				if got := w.outlook.Counts()["GET /me/calendarView"]; got != sweeps {
					t.Fatalf("%d sweeps came in between", got-sweeps)
				}
				left := 0
				for index := range pairs {
					active, _ := w.inNightPOS(fmt.Sprintf("Event %02d", index))
					left += active
				}
				asks := lost > 20
				if (user.Question != nil) != asks || asks && left != pairs || !asks && left != pairs-lost {
					t.Errorf("%d gone, %d left, it asks %+v", lost, left, user.Question)
				}
				if asks {
					w.call(http.MethodPost, "/users/alice/answer", `{"deletions":"apply"}`, http.StatusAccepted, nil)
					w.settle("alice", "connected")
					time.Sleep(time.Minute)
					if _, archived := w.inNightPOS("Event 00"); archived != 1 {
						t.Errorf("after the answer the first event is archived %d times, want once", archived)
					}
				}
			})
		})
	}
}
