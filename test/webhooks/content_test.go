package webhooks_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/service"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
	"github.com/nightpos/outlook-gateway/test/switches"
	"github.com/nightpos/outlook-gateway/test/world"
)

// edits is a morning of changes in Outlook, most of them of the kind that people
// make most often. It returns how often the gateway read an event for them.
func edits(t *testing.T, w *world.World) int {
	t.Helper()
	read := func() int { return w.Outlook.Counts()["GET /me/events/{event}"] }
	change := func(address, id string, content map[string]any) {
		t.Helper()
		if _, err := w.Outlook.Mailbox(address).Update(t.Context(), id, content); err != nil {
			t.Fatal(err)
		}
		w.Quiet()
	}
	made := func(title, body string, people ...string) string {
		t.Helper()
		attendees := []any{}
		for _, address := range people {
			attendees = append(attendees, map[string]any{"type": "required", "emailAddress": map[string]any{"address": address}})
		}
		shown, err := w.Outlook.Mailbox(world.Alice).Create(t.Context(), map[string]any{
			"subject": title, "body": map[string]any{"contentType": "html", "content": body}, "attendees": attendees,
			"start": map[string]any{"dateTime": "2000-01-10T10:00:00", "timeZone": "UTC"}, "end": map[string]any{"dateTime": "2000-01-10T11:00:00", "timeZone": "UTC"},
		})
		if err != nil {
			t.Fatal(err)
		}
		w.Quiet()
		return shown["id"].(string)
	}
	alone, met := made("alone", ""), made("met", "<p>Bring the plan.</p>", world.Bob, world.Carol)
	before := read()
	for number := range 5 {
		change(world.Alice, alone, map[string]any{"subject": fmt.Sprint("alone ", number)})
		change(world.Alice, met, map[string]any{"location": map[string]any{"displayName": fmt.Sprint("Room ", number)}})
		start := time.Date(2000, 1, 11+number, 10, 0, 0, 0, time.UTC)
		change(world.Alice, met, map[string]any{
			"start": map[string]any{"dateTime": start.Format("2006-01-02T15:04:05"), "timeZone": "UTC"},
			"end":   map[string]any{"dateTime": start.Add(time.Hour).Format("2006-01-02T15:04:05"), "timeZone": "UTC"},
		})
	}
	for _, shown := range w.Outlook.Mailbox(world.Bob).Events() {
		if err := w.Outlook.Mailbox(world.Bob).Respond(t.Context(), shown["id"].(string), "accept"); err != nil {
			t.Fatal(err)
		}
	}
	w.Quiet()
	for _, shown := range w.Outlook.Mailbox(world.Carol).Events() {
		if err := w.Outlook.Mailbox(world.Carol).Respond(t.Context(), shown["id"].(string), "decline"); err != nil {
			t.Fatal(err)
		}
	}
	w.Quiet()
	reads := read() - before
	// What looks the same in its beginning, or only looks different, is read.
	change(world.Alice, met, map[string]any{"body": map[string]any{"contentType": "html", "content": "<p>Bring <b>the</b> plan.</p>"}})
	change(world.Alice, met, map[string]any{"subject": "met at last", "body": map[string]any{"contentType": "html", "content": "<p>Bring the plans.</p>"}})
	for _, login := range []string{"alice", "bob"} {
		if difference := cmp.Diff(inNightPOS(w, login), inOutlook(w, login)); difference != "" {
			t.Errorf("%s's calendars differ (-NightPOS +Outlook):\n%s\n%s", login, difference, w.Log())
		}
	}
	for _, event := range w.NightPOS.Events() {
		if event["active"] == true && event["name"] == "met at last" && event["description"] != "<p>Bring the plans.</p>" {
			t.Errorf("the text in NightPOS is %v", event["description"])
		}
	}
	return reads
}

// vouched says that the setting under which all tests run leaves Outlook its validation
// tokens, without which content is not believed.
func vouched() bool { return switches.Now().Name != "Content,NoValidationTokens" }

// TestContentSavesReads: with content in the notifications, most changes in Outlook
// cost no read there, and arrive just the same.
func TestContentSavesReads(t *testing.T) {
	reads := map[string]int{}
	for name, habits := range map[string]simoutlook.Switches{
		"": {}, "2.0": {VaryShapes: true}, "1.0": {OldValidationTokens: true}, "untrusted": {NoValidationTokens: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			habits.OneNotification = true
			w := world.New(t, world.Options{Seed: 5, Switches: habits, Gateway: func(config *service.Config) {
				config.Settings.RichNotifications = name != ""
			}})
			defer w.Close()
			w.Quiet()
			reads[name] = edits(t, w)
			if failed := w.Outlook.Delivery().Failed; failed != 0 {
				t.Errorf("%d notifications were not taken", failed)
			}
			writes := w.Writes()
			w.Sweep()
			if more := w.Writes() - writes; more != 0 {
				t.Errorf("a sweep made %d writes", more)
			}
		})
	}
	if !vouched() {
		if reads["2.0"] != reads[""] || reads["1.0"] != reads[""] {
			t.Errorf("reads are %v where nobody vouches for content, want the same number everywhere", reads)
		}
		return
	}
	if reads["2.0"] > reads[""]/4 || reads["1.0"] != reads["2.0"] {
		t.Errorf("%d reads without content, %d and %d with it, want a quarter at most", reads[""], reads["2.0"], reads["1.0"])
	}
	if reads["untrusted"] != reads[""] {
		t.Errorf("%d reads without content, %d with content that nobody vouches for, want the same", reads[""], reads["untrusted"])
	}
	t.Log(reads)
}

// TestContentKeysTurn: the key is replaced several times, no former one is kept for
// longer than it is needed, and nothing is told that nobody can read.
func TestContentKeysTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := world.New(t, world.Options{Seed: 6, Switches: simoutlook.Switches{OneNotification: true, LongLivedTokens: true}, Gateway: func(config *service.Config) {
			config.Settings.RichNotifications, config.ContentKeyTurn = true, 4*24*time.Hour
			config.SweepEvery, config.ChangesEvery = 100*24*time.Hour, 100*24*time.Hour
		}})
		defer w.Close()
		w.Quiet()
		shown, err := w.Outlook.Mailbox(world.Alice).Create(t.Context(), map[string]any{
			"subject": "alone",
			"start":   map[string]any{"dateTime": "2001-01-10T10:00:00", "timeZone": "UTC"}, "end": map[string]any{"dateTime": "2001-01-10T11:00:00", "timeZone": "UTC"},
		})
		if err != nil {
			t.Fatal(err)
		}
		w.Quiet()
		before := w.Outlook.Counts()["GET /me/events/{event}"]
		names := map[string]bool{}
		for number := range 28 {
			time.Sleep(12 * time.Hour)
			if _, err := w.Outlook.Mailbox(world.Alice).Update(t.Context(), shown["id"].(string), map[string]any{"subject": fmt.Sprint("alone ", number)}); err != nil {
				t.Fatal(err)
			}
			w.Quiet()
			text, err := w.Gateway.Store().Setting(t.Context(), "content_keys")
			if err != nil {
				t.Fatal(err)
			}
			var keys []struct{ ID string }
			if err := json.Unmarshal(text, &keys); err != nil || len(keys) == 0 || len(keys) > 2 {
				t.Fatalf("%d keys are kept, %v; want the newest and at most the one before", len(keys), err)
			}
			names[keys[0].ID] = true
		}
		if len(names) != 4 {
			t.Errorf("%d keys in two weeks, want one every four days", len(names))
		}
		if difference := cmp.Diff(inNightPOS(w, "alice"), inOutlook(w, "alice")); difference != "" {
			t.Errorf("the calendars differ (-NightPOS +Outlook):\n%s\n%s", difference, w.Log())
		}
		if reads := w.Outlook.Counts()["GET /me/events/{event}"] - before; vouched() && reads != 0 || !vouched() && reads != 28 {
			t.Errorf("%d of 28 changes were read, want none, or all of them where nobody vouches for content", reads)
		}
	})
}

// recorder is a network that remembers what is posted to the gateway.
type recorder struct {
	next  http.RoundTripper
	mutex sync.Mutex
	posts [][]byte
}

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Path == "/webhooks/graph" && request.URL.RawQuery == "" {
		content, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, err
		}
		request.Body = io.NopCloser(bytes.NewReader(content))
		r.mutex.Lock()
		r.posts = append(r.posts, content)
		r.mutex.Unlock()
	}
	return r.next.RoundTrip(request)
}

// TestContentThatIsPostedAgain: whoever posts once more what Microsoft posted, with
// everything in it right, brings nothing of it back.
func TestContentThatIsPostedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		record := &recorder{}
		w := world.New(t, world.Options{
			Seed: 7, Switches: simoutlook.Switches{LongLivedTokens: true},
			Gateway: func(config *service.Config) { config.Settings.RichNotifications = true },
			Outlook: func(config *simoutlook.Config) { record.next, config.Transport = config.Transport, record },
		})
		defer w.Close()
		w.Quiet()
		edits(t, w)
		for _, shown := range w.Outlook.Mailbox(world.Alice).Events() {
			if shown["subject"] != "met at last" {
				if err := w.Outlook.Mailbox(world.Alice).Delete(t.Context(), shown["id"].(string)); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.Quiet()
		before, writes := inNightPOS(w, "alice"), w.NightPOS.Counts()["door writing"]+w.Writes()
		posts := slices.Clone(record.posts)
		slices.Reverse(posts)
		for _, body := range posts {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, world.GatewayURL+"/webhooks/graph", bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			answer, err := w.Transport().RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != http.StatusAccepted {
				t.Fatalf("answered %s", answer.Status)
			}
			time.Sleep(time.Second)
		}
		w.Quiet()
		if difference := cmp.Diff(before, inNightPOS(w, "alice")); difference != "" || len(posts) < 20 {
			t.Errorf("%d posts again changed NightPOS (-before +after):\n%s\n%s", len(posts), difference, w.Log())
		}
		if more := w.NightPOS.Counts()["door writing"] + w.Writes() - writes; more != 0 {
			t.Errorf("%d writes followed", more)
		}
	})
}
