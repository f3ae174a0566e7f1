package life_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
)

// dispute has a meeting of Alice's renamed on both sides at once, Outlook last, and
// returns the conflict that the activity tells of.
func (w *world) dispute(graphID string, record int) gateway.ConflictLine {
	w.Helper()
	w.call(http.MethodPost, "/users/alice/pause", "", http.StatusNoContent, nil)
	w.must(w.nightpos.Member("alice").Write(w.Context(), []int{record}, map[string]any{"name": "Named in NightPOS", "recurrence_update": "all_events"}))
	time.Sleep(time.Minute)
	_, err := w.outlook.Mailbox(alice).Update(w.Context(), graphID, map[string]any{"subject": "Named in Outlook"})
	w.must(err)
	w.call(http.MethodPost, "/users/alice/resume", "", http.StatusNoContent, nil)
	w.settle("alice", "connected")
	return w.conflict()
}

// conflict is the newest one that the activity tells of.
func (w *world) conflict() gateway.ConflictLine {
	w.Helper()
	var lines []gateway.ActivityLine
	w.call(http.MethodGet, "/activity?user=alice&limit=200", "", http.StatusOK, &lines)
	for _, line := range lines {
		for _, one := range line.Conflict {
			return one
		}
	}
	w.Fatalf("the activity tells of no conflict: %+v", lines)
	return gateway.ConflictLine{}
}

// TestTheOtherVersion: one call puts back what lost a conflict, on both sides, and
// the next one turns it round.
func TestTheOtherVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.connect("alice", "")
		w.settle("alice", "connected")
		graphID := w.outlookEvent(alice, "Before", 2, guest)
		w.settle("alice", "connected")
		record := w.nightpos.Events()[0]["id"].(int)
		conflict := w.dispute(graphID, record)
		if conflict.Field != "title" || conflict.Loser != "nightpos" || conflict.Value != "Named in NightPOS" || conflict.ID == "" || conflict.Restored {
			t.Fatalf("the conflict is %+v", conflict)
		}
		w.shows("Named in Outlook", 1, 1)
		other := "/users/alice/conflicts/" + conflict.ID + "/use-other"
		for index, want := range []string{"Named in NightPOS", "Named in Outlook", "Named in NightPOS"} {
			mails := len(w.outlook.Mails())
			w.call(http.MethodPost, other, "", http.StatusAccepted, nil)
			w.settle("alice", "connected")
			time.Sleep(time.Minute)
			w.shows(want, 1, 1)
			if got := len(w.outlook.Mails()) - mails; got != 1 {
				t.Errorf("turning it to %q has Outlook send %d mails to one attendee, want 1", want, got)
			}
			after := w.conflict()
			if kept := map[string]string{"Named in NightPOS": "Named in Outlook", "Named in Outlook": "Named in NightPOS"}[want]; after.Value != kept || after.Restored != (index%2 == 0) || after.ID != conflict.ID {
				t.Errorf("with %q in use, the conflict is %+v, want %q kept", want, after, kept)
			}
		}
		var lines []gateway.ActivityLine
		w.call(http.MethodGet, "/activity?user=alice&limit=200", "", http.StatusOK, &lines)
		deeds := 0
		for _, line := range lines {
			if line.Action == "use other version" && line.By == "admin token" {
				deeds++
			}
		}
		if deeds != 3 {
			t.Errorf("%d deeds are noted, want 3", deeds)
		}

		w.call(http.MethodPost, "/users/alice/conflicts/unknown/use-other", "", http.StatusNotFound, nil)
		w.call(http.MethodPost, "/users/alice/pause", "", http.StatusNoContent, nil)
		w.call(http.MethodPost, other, "", http.StatusConflict, nil)
		w.call(http.MethodPost, "/users/alice/resume", "", http.StatusNoContent, nil)
		w.call(http.MethodPut, "/settings", `{"outlook_sync":false}`, http.StatusOK, nil)
		w.call(http.MethodPost, other, "", http.StatusConflict, nil)
		w.call(http.MethodPut, "/settings", `{"outlook_sync":true}`, http.StatusOK, nil)
		w.settle("alice", "connected")
		// Somebody has turned it by hand meanwhile: there is nothing to put back.
		w.must(w.nightpos.Member("alice").Write(t.Context(), []int{record}, map[string]any{"name": "Named in Outlook"}))
		w.settle("alice", "connected")
		w.call(http.MethodPost, other, "", http.StatusConflict, nil)
		w.must(w.outlook.Mailbox(alice).Delete(t.Context(), graphID))
		w.settle("alice", "connected")
		time.Sleep(time.Minute)
		w.call(http.MethodPost, other, "", http.StatusConflict, nil)
		w.shows("Named in Outlook", 0, 0)
	})
}

// TestTheOtherVersionOfASeries: all of it, but for the occurrence that differs, in
// one write to Outlook.
func TestTheOtherVersionOfASeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.connect("alice", "")
		w.settle("alice", "connected")
		graphID := w.outlookSeries(alice, "Before", 2)
		w.settle("alice", "connected")
		conflict := w.dispute(graphID, w.inOrder("Before")[0]["id"].(int))
		if got := w.seenSeries("Named in Outlook"); got != (count{1, 1, 0}) {
			t.Fatalf("after the conflict the series is seen %+v", got)
		}
		writes := w.writes()
		w.call(http.MethodPost, "/users/alice/conflicts/"+conflict.ID+"/use-other", "", http.StatusAccepted, nil)
		w.settle("alice", "connected")
		time.Sleep(time.Minute)
		if got := w.seenSeries("Named in NightPOS"); got != (count{1, 1, 0}) {
			t.Errorf("the other version of the series is seen %+v, want once on each side", got)
		}
		if got := w.writes() - writes; got != 1 {
			t.Errorf("it took %d writes to Outlook, want 1", got)
		}
		if after := w.conflict(); after.Value != "Named in Outlook" || !after.Restored {
			t.Errorf("the conflict is %+v", after)
		}
	})
}
