package life_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// count is how often an event is to be seen in Outlook and, active and archived, in
// NightPOS.
type count struct{ outlook, active, archived int }

// kind is a kind of event that a reset may meet.
type kind struct {
	title string
	// make makes it, on both sides by the time everything is quiet.
	make func(*world)
	// after is what a reset leaves, then what the next sync makes of it, and last
	// what that becomes once everything is released.
	after, next, released func(reset gateway.Reset) count
	// seen counts it.
	seen func(*world, string) count
}

func deletes(reset gateway.Reset, side string) bool {
	return reset.Events == side || reset.Events == "both"
}

// own is what becomes of an event that is the person's on both sides.
func own(reset gateway.Reset) count {
	left := count{1, 1, 0}
	if deletes(reset, "outlook") {
		left.outlook = 0
	}
	if deletes(reset, "nightpos") {
		left.active = 0
	}
	return left
}

// synced is what the next sync makes of it: what is left on one side comes back,
// unless only what is new crosses.
func synced(reset gateway.Reset) count {
	left := own(reset)
	if reset.NextSync == "all" && left.outlook+left.active > 0 {
		return count{1, 1, 0}
	}
	return left
}

func always(left count) func(gateway.Reset) count {
	return func(gateway.Reset) count { return left }
}

var kinds = []kind{
	{"Single here", func(w *world) { w.nightposEvent("alice", "Single here", 5, nil) }, own, synced, synced, (*world).seen},
	{"Single there", func(w *world) { w.outlookEvent(alice, "Single there", 6) }, own, synced, synced, (*world).seen},
	{"Organized", func(w *world) { w.nightposEvent("alice", "Organized", 7, nil, bob) }, own, waits, synced, (*world).seen},
	{"Attended", func(w *world) { w.nightposEvent("bob", "Attended", 8, nil, alice) }, always(both), always(both), always(both), (*world).seen},
	{"Private", func(w *world) { w.nightposEvent("alice", "Private", 9, map[string]any{"privacy": "private"}) }, own, synced, synced, (*world).seen},
	{"Archived", func(w *world) {
		id := w.nightposEvent("alice", "Archived", 10, nil)
		w.settle("alice", "connected")
		w.must(w.nightpos.Member("alice").Archive(w.Context(), id))
	}, always(count{0, 0, 1}), always(count{0, 0, 1}), always(count{0, 0, 1}), (*world).seen},
	{"Over", func(w *world) { w.nightposEvent("alice", "Over", -4, nil, bob) }, own, synced, synced, (*world).seen},
	{"Series here", func(w *world) { w.nightposSeries("alice", "Series here", 15) }, own, synced, synced, (*world).seenSeries},
	{"Series there", func(w *world) { w.outlookSeries(alice, "Series there", 16) }, own, synced, synced, (*world).seenSeries},
	{"Series organized", func(w *world) { w.outlookSeries(alice, "Series organized", 17, bob) }, own, waits, synced, (*world).seenSeries},
	{"Series attended", func(w *world) { w.nightposSeries("bob", "Series attended", 18, alice) }, always(both), always(both), always(both), (*world).seenSeries},
}

// both is what is on both sides.
var both = count{1, 1, 0}

// seen counts an event as it is now.
func (w *world) seen(title string) count {
	active, archived := w.inNightPOS(title)
	return count{w.inOutlook(alice, title), active, archived}
}

// resets are all there are.
func resets() []gateway.Reset {
	var all []gateway.Reset
	for _, events := range []string{"leave", "outlook", "nightpos", "both"} {
		for _, next := range []string{"new", "all"} {
			all = append(all, gateway.Reset{Events: events, NextSync: next})
		}
	}
	var tried []gateway.Reset
	for index := 0; index < len(all); index += everyNthReset {
		tried = append(tried, all[index])
	}
	return tried
}

// TestResets: each of the eight resets, on every kind of event, leaves what it says
// on both sides, mails whom it says, and has the next sync do what it says.
func TestResets(t *testing.T) {
	for _, reset := range resets() {
		t.Run(reset.Events+" "+reset.NextSync, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { resetOnce(t, reset) })
		})
	}
}

func resetOnce(t *testing.T, reset gateway.Reset) {
	w := newWorld(t, nil)
	w.connect("alice", "")
	w.connect("bob", "")
	w.settle("alice", "connected")
	w.settle("bob", "connected")
	for _, kind := range kinds {
		kind.make(w)
	}
	w.settle("alice", "connected")
	w.settle("bob", "connected")
	time.Sleep(time.Hour)
	for _, kind := range kinds {
		if got, want := kind.seen(w, kind.title), kind.after(gateway.Reset{Events: "leave"}); got != want {
			t.Fatalf("before, %q is seen %+v, want %+v", kind.title, got, want)
		}
	}

	expected := map[string]int{}
	if deletes(reset, "outlook") {
		expected[bob] = 2 // a meeting, and a series as one
	}
	var foreseen gateway.ResetPreview
	w.call(http.MethodGet, "/users/alice/reset?events="+reset.Events+"&next_sync="+reset.NextSync, "", http.StatusOK, &foreseen)
	if fmt.Sprint(foreseen.Mails) != fmt.Sprint(expected) || foreseen.Synced != 10 ||
		foreseen.Outlook != map[bool]int{true: 8}[deletes(reset, "outlook")] || foreseen.NightPOS != map[bool]int{true: 8}[deletes(reset, "nightpos")] {
		t.Errorf("the preview says %+v", foreseen)
	}
	mails := w.mails()
	job := w.resetAlice(reset)
	if job.State != "done" || job.Error != "" || job.Done != job.Total || job.Restorable != foreseen.Outlook+foreseen.NightPOS {
		t.Errorf("the job ended as %+v", job)
	}
	user := w.settle("alice", "needs_reconnect")
	if user.Subscription != nil || user.LastError == nil {
		t.Errorf("after the reset Alice is %+v", user)
	}
	if got := w.mails() - mails; got != expected[bob] {
		t.Errorf("the reset sent %d mails, want %d", got, expected[bob])
	}
	w.check("after the reset", func(kind kind) count { return kind.after(reset) })
	// Bob is none the worse for it.
	for _, shown := range w.nightpos.Events() {
		for _, attendee := range shown["attendees"].([]map[string]any) {
			if attendee["state"] == "declined" {
				t.Errorf("somebody has declined %v", shown["name"])
			}
		}
	}

	w.nightposEvent("alice", "Between here", 11, nil)
	w.outlookEvent(alice, "Between there", 12)
	time.Sleep(time.Hour)
	mails = w.mails()
	w.connect("alice", "")
	w.settle("alice", "connected")
	w.settle("bob", "connected")
	w.check("after the next sync", func(kind kind) count { return kind.next(reset) })
	across := map[string]int{"all": 1}[reset.NextSync]
	w.shows("Between here", across, 1)
	w.shows("Between there", 1, across)
	if got := w.mails() - mails; got != 0 {
		t.Errorf("the next sync mailed %d people, want none", got)
	}
	w.nightposEvent("alice", "Afterwards here", 13, nil)
	w.outlookEvent(alice, "Afterwards there", 14)
	w.call(http.MethodPost, "/users/alice/first-sync", `{"send":["mine_with_attendees","past"]}`, http.StatusAccepted, nil)
	w.settle("alice", "connected")
	w.shows("Afterwards here", 1, 1)
	w.shows("Afterwards there", 1, 1)
	w.check("once everything is released", func(kind kind) count { return kind.released(reset) })
}

func (w *world) check(when string, want func(kind) count) {
	w.Helper()
	for _, kind := range kinds {
		if got := kind.seen(w, kind.title); got != want(kind) {
			w.Errorf("%s, %q is seen %+v, want %+v", when, kind.title, got, want(kind))
		}
	}
}

// resetAlice resets her account and waits for the end.
func (w *world) resetAlice(reset gateway.Reset) gateway.Job {
	w.Helper()
	var begun struct{ Job string }
	w.call(http.MethodPost, "/users/alice/reset", fmt.Sprintf(`{"events":%q,"next_sync":%q}`, reset.Events, reset.NextSync), http.StatusAccepted, &begun)
	return w.job(begun.Job)
}

// TestUndoOfAReset: what was deleted comes back, once, and nobody is mailed.
func TestUndoOfAReset(t *testing.T) {
	for _, reset := range resets() {
		t.Run(reset.Events+" "+reset.NextSync, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				w.connect("alice", "")
				w.connect("bob", "")
				w.settle("alice", "connected")
				for _, kind := range kinds {
					kind.make(w)
				}
				w.settle("alice", "connected")
				w.settle("bob", "connected")
				job := w.resetAlice(reset)
				if job.Restorable == 0 {
					w.call(http.MethodPost, "/jobs/"+job.ID+"/undo", "", http.StatusConflict, nil)
					return
				}
				w.call(http.MethodPost, "/jobs/"+job.ID+"/undo", "", http.StatusConflict, nil) // not connected
				w.connect("alice", "")
				w.settle("alice", "connected")
				mails := w.mails()
				var begun struct{ Job string }
				w.call(http.MethodPost, "/jobs/"+job.ID+"/undo", "", http.StatusAccepted, &begun)
				if undone := w.job(begun.Job); undone.State != "done" || undone.Error != "" {
					t.Errorf("the undoing ended as %+v", undone)
				}
				w.settle("alice", "connected")
				w.check("restored", func(kind kind) count { return kind.after(gateway.Reset{Events: "leave"}) })
				w.call(http.MethodPost, "/users/alice/sync", "", http.StatusAccepted, nil)
				w.settle("alice", "connected")
				w.check("restored and swept", func(kind kind) count { return kind.after(gateway.Reset{Events: "leave"}) })
				if got := w.mails() - mails; got != 0 {
					t.Errorf("restoring mailed %d people, want none", got)
				}
				w.call(http.MethodPost, "/jobs/"+job.ID+"/undo", "", http.StatusConflict, nil)
			})
		})
	}
}

// TestWrongResets are refused with a word on what is right.
func TestWrongResets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.connect("alice", "")
		w.settle("alice", "connected")
		for _, body := range []string{`{}`, `{"events":"all","next_sync":"new"}`, `{"events":"leave"}`, `{"events":"leave","next_sync":"old"}`} {
			w.call(http.MethodPost, "/users/alice/reset", body, http.StatusUnprocessableEntity, nil)
		}
		w.call(http.MethodGet, "/users/alice/reset", "", http.StatusUnprocessableEntity, nil)
		w.call(http.MethodPost, "/users/bob/reset", `{"events":"leave","next_sync":"new"}`, http.StatusNotFound, nil)
		w.resetAlice(gateway.Reset{Events: "leave", NextSync: "new"})
		w.call(http.MethodPost, "/users/alice/reset", `{"events":"leave","next_sync":"new"}`, http.StatusConflict, nil)
		var lines []gateway.ActivityLine
		w.call(http.MethodGet, "/activity", "", http.StatusOK, &lines)
		if !slices.ContainsFunc(lines, func(line gateway.ActivityLine) bool {
			return line.Action == "reset" && line.By != "" && line.Reason == "events leave, next sync new"
		}) {
			t.Errorf("nobody can tell who reset Alice: %+v", lines)
		}
	})
}

// newWorldOfAHundred has slow calendars in which alice has a hundred events, so that a
// reset takes a while.
func newWorldOfAHundred(t *testing.T) *world {
	w := newWorldSlow(t, func() time.Duration { return latency })
	w.connect("alice", "")
	w.settle("alice", "connected")
	for index := range 100 {
		w.nightposEvent("alice", fmt.Sprintf("Event %02d", index), 3+index, nil)
	}
	w.settle("alice", "connected")
	return w
}

// TestAResetGoesOnAfterARestart: nothing is left half done, and nothing is deleted
// by anything but the reset.
func TestAResetGoesOnAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOfAHundred(t)
		time.Sleep(time.Hour)
		var begun struct{ Job string }
		w.call(http.MethodPost, "/users/alice/reset", `{"events":"outlook","next_sync":"new"}`, http.StatusAccepted, &begun)
		for job := (gateway.Job{}); job.Done == 0 || job.State != "running"; time.Sleep(50 * time.Millisecond) {
			w.call(http.MethodGet, "/jobs/"+begun.Job, "", http.StatusOK, &job)
			if job.State != "running" {
				t.Fatalf("it was over too soon: %+v", job)
			}
		}
		w.restart()
		if job := w.job(begun.Job); job.State != "done" || job.Done != 100 || job.Total != 100 || job.Restorable != 100 {
			t.Errorf("the job ended as %+v", job)
		}
		w.settle("alice", "needs_reconnect")
		if got := len(w.outlook.Mailbox(alice).Events()); got != 0 {
			t.Errorf("%d events are left in Outlook, want none", got)
		}
		for index := range 100 {
			if active, _ := w.inNightPOS(fmt.Sprintf("Event %02d", index)); active != 1 {
				t.Errorf("event %d is %d times in NightPOS, want once", index, active)
			}
		}
	})
}

// TestASignInDuringAResetIsRefused: it would end with the reset.
func TestASignInDuringAResetIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOfAHundred(t)
		var begun struct{ Job string }
		w.call(http.MethodPost, "/users/alice/reset", `{"events":"outlook","next_sync":"new"}`, http.StatusAccepted, &begun)
		if status, page := w.signIn("alice", `{"first_sync":"all"}`); status != http.StatusConflict || !strings.Contains(page, "is being reset") {
			t.Errorf("a sign-in during the reset ended with %d:\n%s", status, page)
		}
		if job := w.job(begun.Job); job.State != "done" {
			t.Errorf("the job ended as %+v", job)
		}
		w.connect("alice", "")
		w.settle("alice", "connected")
	})
}

// TestAResetWhoseBeginningWasCutOff: the gateway died after it had kept that a reset is
// to be, and before there was any work for it.
func TestAResetWhoseBeginningWasCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.connect("alice", "")
		w.settle("alice", "connected")
		lane := ""
		store := w.service.Store()
		states, err := store.MemberStates(t.Context())
		w.must(err)
		for _, state := range states {
			lane = state.ID
		}
		w.must(store.SaveJob(t.Context(), "cut-off", []byte(`{"id":"cut-off","kind":"reset","lane":"`+lane+`","state":"running","reset":{"events":"leave","next_sync":"new"},"began":"2027-01-01T00:00:00Z"}`)))
		w.must(store.UpdateMember(t.Context(), lane, func(state *redis.MemberState) (bool, error) {
			state.Standing = state.After(reconciler.TurnReset, "cut-off")
			return true, nil
		}))
		w.restart()
		if job := w.job("cut-off"); job.State != "done" {
			t.Errorf("the job ended as %+v", job)
		}
		w.settle("alice", "needs_reconnect")
	})
}
