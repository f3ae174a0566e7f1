package life_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// seedSeries is what stands on both sides before Alice connects.
func (w *world) seedSeries() {
	w.nightposSeries("alice", "Series here", 3)
	w.nightposSeries("alice", "Invited here", 4, guest)
	w.outlookSeries(alice, "Series there", 5)
	w.outlookSeries(alice, "Invited there", 6, guest)
	// Somebody has kept both by hand.
	w.nightposSeries("alice", "On both", 7)
	w.outlookSeries(alice, "On both", 7)
	// Which is which nobody can tell.
	w.nightposSeries("alice", "Twice", 8)
	w.outlookSeries(alice, "Twice", 8)
	w.outlookSeries(alice, "Twice", 8)
	time.Sleep(time.Hour)
}

func (w *world) sees(when string, want map[string]count) {
	w.Helper()
	for title, wanted := range want {
		if got := w.seenSeries(title); got != wanted {
			w.Errorf("%s, %q is seen %+v, want %+v", when, title, got, wanted)
		}
	}
}

// writes is how many requests have written to mailboxes.
func (w *world) writes() int {
	total := 0
	for call, made := range w.outlook.Counts() {
		if method, path, _ := strings.Cut(call, " "); method != http.MethodGet && strings.HasPrefix(path, "/me/events") {
			total += made
		}
	}
	return total
}

// TestQuietFirstSyncOfSeries: a series is one event in the preview, in what is kept
// back and in the progress; what has people in it waits for a word.
func TestQuietFirstSyncOfSeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.seedSeries()
		w.call(http.MethodPut, "/settings", `{"outlook_sync":false}`, http.StatusOK, nil)
		w.connect("alice", "")
		time.Sleep(time.Minute)
		var preview gateway.Preview
		w.call(http.MethodGet, "/users/alice/preview", "", http.StatusOK, &preview)
		var got []string
		for _, event := range preview.Events {
			got = append(got, fmt.Sprintf("%s: %s %s %s %v", event.Title, event.Action, event.Side, event.Class, event.Mails))
			if event.Why == "" {
				t.Errorf("%s: nobody knows why", event.Title)
			}
		}
		want := []string{
			"Series here: create outlook  []", "Invited here: skip  mine_with_attendees [" + guest + "]", "Series there: create nightpos  []",
			"Invited there: create nightpos  []", "On both: update nightpos  []", "Twice: skip   []", "Twice: skip   []", "Twice: skip   []",
		}
		if !slices.Equal(got, want) {
			t.Errorf("the preview says\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if got := w.writes(); got != 0 {
			t.Errorf("a look has made %d writes", got)
		}
		w.call(http.MethodPut, "/settings", `{"outlook_sync":true}`, http.StatusOK, nil)
		user := w.settle("alice", "connected")
		after := map[string]count{
			"Series here": {1, 1, 0}, "Invited here": {0, 1, 0}, "Series there": {1, 1, 0}, "Invited there": {1, 1, 0}, "On both": {1, 1, 0},
		}
		w.sees("after the first sync", after)
		if first := user.FirstSync; first.Held["mine_with_attendees"] != 1 || first.Ambiguous != 3 || first.Total != 4 || first.Done != 4 {
			t.Errorf("progress: got %+v", first)
		}
		held := w.preview("alice")["Invited here"]
		var lines []gateway.ActivityLine
		w.call(http.MethodGet, fmt.Sprintf("/activity?user=alice&event=%d", held.RecordID), "", http.StatusOK, &lines)
		if len(lines) != 1 || lines[0].Reason != held.Why {
			t.Errorf("the activity says %+v about what is kept back, want %q", lines, held.Why)
		}

		// Neither another sweep nor an edit sends it, or writes anything.
		before := w.writes()
		w.call(http.MethodPost, "/users/alice/sync", "", http.StatusAccepted, nil)
		w.settle("alice", "connected")
		for _, shown := range w.nightpos.Events() {
			if shown["name"] == "Invited here" || shown["name"] == "Twice" {
				id, _ := shown["id"].(int)
				w.must(w.nightpos.Member("alice").Write(t.Context(), []int{id}, map[string]any{"description": "<p>Edited</p>"}))
			}
		}
		time.Sleep(10 * time.Minute)
		w.settle("alice", "connected")
		if got := w.writes(); got != before {
			t.Errorf("%d writes came after the first sync", got-before)
		}
		w.sees("after edits", after)
		if got := w.mails(); got != 0 {
			t.Errorf("%d people were mailed: %+v", got, w.outlook.Mails())
		}

		w.call(http.MethodPost, "/users/alice/first-sync", `{"send":["mine_with_attendees"]}`, http.StatusAccepted, nil)
		w.settle("alice", "connected")
		after["Invited here"] = count{1, 1, 0}
		w.sees("after the release", after)
		if got := w.mails(); got == 0 {
			t.Error("nobody was invited")
		}
	})
}

// TestFirstSyncOfNewSeriesOnly: nothing older crosses, pairs are linked.
func TestFirstSyncOfNewSeriesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.seedSeries()
		w.connect("alice", `{"first_sync":"new"}`)
		w.settle("alice", "connected")
		want := map[string]count{
			"Series here": {0, 1, 0}, "Invited here": {0, 1, 0}, "Series there": {1, 0, 0}, "Invited there": {1, 0, 0}, "On both": {1, 1, 0},
		}
		w.sees("after the first sync", want)
		w.outlookSeries(alice, "New there", 9)
		w.nightposSeries("alice", "New here", 10)
		for _, shown := range w.outlook.Mailbox(alice).Events() {
			if shown["subject"] == "On both" || shown["subject"] == "Series there" {
				_, err := w.outlook.Mailbox(alice).Update(t.Context(), fmt.Sprint(shown["id"]), map[string]any{"subject": fmt.Sprint(shown["subject"], "!")})
				w.must(err)
			}
		}
		w.settle("alice", "connected")
		w.sees("after edits", map[string]count{"New there": both, "New here": both, "On both!": both, "Series there!": {1, 0, 0}})
		if got := w.mails(); got != 0 {
			t.Errorf("%d people were mailed, want nobody", got)
		}
	})
}

// rpc calls NightPOS as its administrator.
func (w *world) rpc(model, method string, arguments ...any) {
	w.Helper()
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "call", "params": map[string]any{
		"service": "object", "method": "execute_kw", "args": []any{"night", w.nightpos.Member("admin").ID, "admin", model, method, arguments},
	}})
	w.must(err)
	request, err := http.NewRequestWithContext(w.Context(), http.MethodPost, nightposURL+"/jsonrpc", strings.NewReader(string(body)))
	w.must(err)
	request.Header.Set("Content-Type", "application/json")
	answer, err := (&http.Client{Transport: w.network.Transport()}).Do(request)
	w.must(err)
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	w.must(err)
	if !strings.Contains(string(content), `"result"`) {
		w.Fatalf("%s.%s answered %s", model, method, content)
	}
}

// TestMovingOverSeriesFromTheBuiltInSync: series that NightPOS's own sync had paired
// stay paired, by whichever of its ids is left.
func TestMovingOverSeriesFromTheBuiltInSync(t *testing.T) {
	for _, version := range []int{17, 18} {
		for _, left := range []string{"recurrence", "occurrences"} {
			t.Run(fmt.Sprint(version, " ", left), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorldWith(t, simoutlook.Config{}, simnightpos.Config{Version: version}, nil)
					id := w.outlookSeries(alice, "There", 3, guest)
					master, err := w.outlook.Mailbox(alice).Event(id)
					w.must(err)
					w.nightposSeries("alice", "Here", 3)
					ids := func(of map[string]any) map[string]any {
						organizer, universal := fmt.Sprint(of["id"]), fmt.Sprint(of["iCalUId"])
						if version == 17 {
							return map[string]any{"microsoft_id": organizer + ":" + universal}
						}
						return map[string]any{"microsoft_id": organizer, "ms_universal_event_id": universal}
					}
					if left == "recurrence" {
						w.rpc("calendar.recurrence", "write", []any{w.nightpos.Events()[0]["recurrence_id"]}, ids(master))
					} else {
						instances, err := w.outlook.Mailbox(alice).Instances(id, day(0), day(365))
						w.must(err)
						for index, shown := range w.inOrder("Here") {
							values := ids(instances[index])
							values["microsoft_recurrence_master_id"] = id
							w.rpc("calendar.event", "write", []any{shown["id"]}, values)
						}
					}
					time.Sleep(time.Hour)
					records := len(w.nightpos.Events())
					w.connect("alice", "")
					w.settle("alice", "connected")
					calls := w.outlook.Counts()
					if got := len(w.nightpos.Events()); got != records || calls["POST /me/events"] != 0 || calls["DELETE /me/events/{event}"] != 0 || w.mails() != 0 {
						t.Errorf("moving over left %d records, want %d, made %d events, deleted %d and mailed %d people", got, records,
							calls["POST /me/events"], calls["DELETE /me/events/{event}"], w.mails())
					}
					w.must(w.outlook.Mailbox(alice).Delete(t.Context(), id))
					w.settle("alice", "connected")
					for _, shown := range w.nightpos.Events() {
						if shown["active"] == true {
							t.Errorf("%v was no half of a pair", shown["start"])
						}
					}
				})
			})
		}
	}
}

// TestSeriesCountOnceWhereASweepAsks: not their occurrences count, but they.
func TestSeriesCountOnceWhereASweepAsks(t *testing.T) {
	for _, one := range []struct {
		series, single int
		asks           bool
		answer         string
	}{{4, 12, false, ""}, {8, 0, true, "keep"}, {8, 0, true, "apply"}} {
		t.Run(fmt.Sprintf("%d series, %d others %s", one.series, one.single, one.answer), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				w.connect("alice", "")
				w.settle("alice", "connected")
				title := func(index int) string { return fmt.Sprintf("Series %d", index) }
				for index := range one.series {
					w.nightposSeries("alice", title(index), 3+index)
				}
				for index := range one.single {
					w.nightposEvent("alice", fmt.Sprintf("Event %d", index), 3+index, nil)
				}
				w.settle("alice", "connected")
				time.Sleep(time.Hour)
				w.settle("alice", "connected")
				w.must(w.service.Close())
				w.outlook.Silence(true)
				for _, shown := range w.outlook.Mailbox(alice).Events() {
					if strings.HasPrefix(fmt.Sprint(shown["subject"]), "Series") {
						w.must(w.outlook.Mailbox(alice).Delete(t.Context(), fmt.Sprint(shown["id"])))
					}
				}
				w.outlook.Silence(false)
				w.start()
				time.Sleep(10 * time.Minute)
				user := w.settle("alice", "connected")
				left := map[bool]count{true: {0, 1, 0}, false: {}}[one.asks]
				for index := range one.series {
					w.sees("afterwards", map[string]count{title(index): left})
				}
				if (user.Question != nil) != one.asks {
					t.Fatalf("it asks %+v", user.Question)
				}
				if !one.asks {
					return
				}
				if user.Question.Count != one.series || user.Question.Of != one.series+one.single {
					t.Errorf("it asks %+v", user.Question)
				}
				w.call(http.MethodPost, "/users/alice/answer", fmt.Sprintf(`{"deletions":%q}`, one.answer), http.StatusAccepted, nil)
				w.settle("alice", "connected")
				w.call(http.MethodPost, "/users/alice/sync", "", http.StatusAccepted, nil)
				w.settle("alice", "connected")
				for index := range one.series {
					w.sees("after the answer "+one.answer, map[string]count{title(index): map[string]count{"keep": {0, 1, 0}, "apply": {}}[one.answer]})
				}
			})
		})
	}
}
