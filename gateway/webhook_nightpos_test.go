package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/test/network"
)

const saved = `{"_action":"Send Webhook Notification(#181)","_id":42,"_model":"calendar.event","id":42,"partner_ids":[7,9],"user_id":6,"write_date":"2026-11-22 17:15:59.341675"}`

func TestNightPOSChanges(t *testing.T) {
	const both = "6 nightpos:42 "
	for name, post := range map[string]struct {
		trigger, body string
		code          int
		want          []string
	}{
		"the organizer's":           {"save", saved, 202, []string{"6 nightpos:42 2026-11-22 17:15:59.341675"}},
		"an attendee's":             {"save", `{"_id":42,"_model":"calendar.event","partner_ids":[8],"user_id":99}`, 202, []string{"7 nightpos:42 "}},
		"several people's":          {"save", `{"_id":42,"_model":"calendar.event","partner_ids":[7,8],"user_id":false}`, 202, []string{both, "7 nightpos:42 "}},
		"nobody's who is connected": {"save", `{"_id":42,"_model":"calendar.event","partner_ids":[9],"user_id":99}`, 202, []string{}},
		"nobody is named":           {"save", `{"_id":42,"_model":"calendar.event"}`, 202, []string{both, "7 nightpos:42 "}},
		"deleted":                   {"unlink", saved, 202, []string{"6 nightpos:42 deleted"}},
		"an answer":                 {"save", `{"_id":7,"_model":"calendar.attendee","event_id":42,"id":7,"partner_id":8}`, 202, []string{"7 nightpos:42 "}},
		"an invitation removed":     {"unlink", `{"_id":7,"_model":"calendar.attendee","event_id":[42,"Review"],"partner_id":[8,"Bob"]}`, 202, []string{"7 nightpos:42 "}},
		"a strange write date":      {"save", `{"_id":42,"_model":"calendar.event","user_id":6,"write_date":"tomorrow"}`, 202, []string{both}},
		"without trigger":           {"", saved, 400, []string{}},
		"without id":                {"save", `{"_model":"calendar.event"}`, 400, []string{}},
		"with a negative id":        {"save", `{"_id":-1,"_model":"calendar.event"}`, 400, []string{}},
		"of another model":          {"save", `{"_id":1,"_model":"res.partner"}`, 400, []string{}},
		"a rule":                    {"save", `{"_id":7,"_model":"calendar.recurrence","base_event_id":42,"calendar_event_ids":[44,43,42],"id":7}`, 202, []string{"6 nightpos:42 ", "7 nightpos:42 "}},
		"a rule without events":     {"unlink", `{"_id":7,"_model":"calendar.recurrence","base_event_id":false,"calendar_event_ids":[],"id":7}`, 202, []string{}},
		"an answer to nothing":      {"save", `{"_id":7,"_model":"calendar.attendee","event_id":false,"partner_id":8}`, 400, []string{}},
		"not JSON":                  {"save", `<html>`, 400, []string{}},
		"two in one":                {"save", saved + saved, 400, []string{}},
		"too many people":           {"save", `{"_id":1,"_model":"calendar.event","partner_ids":[` + strings.Repeat("1,", 10_000) + `1]}`, 400, []string{}},
		"too large":                 {"save", strings.Repeat(" ", 3<<20), 413, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			if answer := w.post(w.nightpos(post.trigger), post.body); answer.Code != post.code {
				t.Errorf("answered %d %s, want %d", answer.Code, answer.Body, post.code)
			}
			if diff := cmp.Diff(post.want, w.store.kept()); diff != "" {
				t.Errorf("in the store (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWrongTokenIsNoAddress(t *testing.T) {
	w := newWorld(t, nil)
	nowhere := w.post("/webhooks/elsewhere", "")
	for _, token := range []string{"guess", w.senders.Token() + "x", w.senders.Token()[1:], "%00", "%2e%2e", strings.Repeat("x", 10_000)} {
		answer := w.post("/webhooks/nightpos/"+token+"?on=save", saved)
		if answer.Code != http.StatusNotFound || answer.Body.String() != nowhere.Body.String() {
			t.Errorf("the token %.20q was answered %d %s, want what any wrong address gets: %s", token, answer.Code, answer.Body, nowhere.Body)
		}
	}
	if got := w.store.kept(); len(got) > 0 {
		t.Errorf("the store has %v", got)
	}
	for _, entry := range w.logs.All() {
		if strings.Contains(fmt.Sprint(entry.Message, entry.ContextMap()), w.senders.Token()) {
			t.Errorf("the log shows the token: %s", entry.Message)
		}
	}
}

// running is a server that listens, until stop.
func (w *world) running(memory *network.Network) (stop func() error) {
	w.Helper()
	listener, err := memory.Listen("gateway.test")
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.server.Serve(ctx, listener) }()
	return func() error {
		cancel()
		return <-ended
	}
}

// runningBehind has hosts serve in memory, and the server behind them.
func (w *world) runningBehind(hosts *gateway.Hosts) func(*network.Network) (stop func() error) {
	return func(memory *network.Network) func() error {
		w.Helper()
		listener, err := memory.Listen("gateway.test")
		if err != nil {
			w.Fatal(err)
		}
		ctx, cancel := context.WithCancel(w.Context())
		ended := make(chan error, 2)
		go func() { ended <- hosts.Serve(ctx, listener) }()
		go func() { ended <- w.server.ServeBehind(ctx, hosts, "http://gateway.test") }()
		return func() error {
			cancel()
			return errors.Join(<-ended, <-ended)
		}
	}
}

// patience is NightPOS's: it waits for one second, with its user waiting for it.
const patience = time.Second

func TestNightPOSIsAnsweredWhileTheStoreIsAway(t *testing.T) {
	for name, change := range map[string]func(*store){
		"away": func(s *store) { s.away = true },
		"slow": func(s *store) { s.slow = time.Hour },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				stop := w.running(&network.Network{})
				// Who is connected has been seen once.
				if got := w.post(w.nightpos("save"), saved).Code; got != http.StatusAccepted {
					t.Fatalf("answered %d, want 202", got)
				}
				w.store.set(change)
				later := strings.ReplaceAll(saved, "341675", "999999")
				for _, body := range []string{saved, later, strings.ReplaceAll(saved, "42", "43")} {
					began := time.Now()
					answer := w.post(w.nightpos("save"), body)
					if took := time.Since(began); answer.Code != http.StatusAccepted || took >= patience {
						t.Errorf("answered %d after %s, want 202 within %s", answer.Code, took, patience)
					}
				}
				if got := w.metric(`outlook_gateway_webhooks_rejected_total{reason="kept_in_memory",route="/webhooks/nightpos"}`); got != "3" {
					t.Errorf("kept in memory: %q, want 3", got)
				}
				time.Sleep(time.Minute)
				w.store.set(func(s *store) { s.away, s.slow, s.hints = false, 0, nil })
				time.Sleep(10 * time.Second)
				want := []string{"6 nightpos:42 2026-11-22 17:15:59.999999", "6 nightpos:43 2026-11-22 17:15:59.341675"}
				got := w.store.kept()
				if len(got) == 2 && got[0] > got[1] {
					got[0], got[1] = got[1], got[0]
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("once the store is back (-want +got):\n%s", diff)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// What only memory holds reaches the store when the process is told to end.
func TestMemoryIsFlushedAtTheEnd(t *testing.T) {
	for _, back := range []bool{true, false} {
		t.Run(fmt.Sprint("store is back: ", back), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				stop := w.running(&network.Network{})
				w.post(w.nightpos("save"), saved)
				w.store.set(func(s *store) { s.away, s.hints = true, nil })
				w.post(w.nightpos("save"), saved)
				// The flusher is in the middle of an attempt when the end comes.
				w.store.set(func(s *store) { s.slow = 100 * time.Millisecond })
				time.Sleep(550 * time.Millisecond)
				w.store.set(func(s *store) { s.away = !back })
				began := time.Now()
				if err := stop(); err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("stopping took %s, want at most 10 s", took)
				}
				left := w.logs.FilterMessageSnippet("left in memory").Len()
				if got := len(w.store.kept()); (got == 1) != back || (left == 0) != back {
					t.Errorf("the store has %d hints and the log says %d times that some were left, want them kept: %t", got, left, back)
				}
			})
		})
	}
}

func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(config *gateway.Config) { config.Spill = 2 })
		w.post(w.nightpos("save"), saved)
		w.store.set(func(s *store) { s.away = true })
		for id, want := range map[int]int{41: 202, 42: 202} {
			if got := w.post(w.nightpos("save"), strings.ReplaceAll(saved, "42", fmt.Sprint(id))).Code; got != want {
				t.Errorf("event %d was answered %d, want %d", id, got, want)
			}
		}
		if got := w.post(w.nightpos("save"), strings.ReplaceAll(saved, "42", "43")).Code; got != http.StatusServiceUnavailable {
			t.Errorf("one too many was answered %d, want 503", got)
		}
		// What waits already takes no further room.
		if got := w.post(w.nightpos("save"), saved).Code; got != http.StatusAccepted {
			t.Errorf("the same again was answered %d, want 202", got)
		}
	})
}

// TestBodiesOnTheirWayAreBounded: few large ones, and not any number of small ones,
// whoever sends them and however slowly.
func TestBodiesOnTheirWayAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(config *gateway.Config) { config.MaxConcurrency = 1 })
		body := w.filled(`{"value":[{"clientState":"STATE","changeType":"updated","resourceData":{"id":"e"}}]}`)
		large := body + strings.Repeat(" ", 100_000)
		codes := make(chan int, 8)
		stall := func(begun string) (end func()) {
			reader, writer := io.Pipe()
			go func() {
				codes <- w.serve(httptest.NewRequestWithContext(t.Context(), http.MethodPost, graph, reader)).Code
			}()
			if _, err := io.WriteString(writer, begun); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			return func() { _ = writer.Close() }
		}
		ends := []func(){stall(large)}
		for posted, want := range map[string]int{body: http.StatusAccepted, large: http.StatusServiceUnavailable} {
			if got := w.post(graph, posted).Code; got != want {
				t.Errorf("while a large body is on its way, one of %d bytes was answered %d, want %d", len(posted), got, want)
			}
		}
		for range 7 {
			ends = append(ends, stall(body))
		}
		if got := w.post(graph, body).Code; got != http.StatusServiceUnavailable {
			t.Errorf("one too many was answered %d, want 503", got)
		}
		for _, end := range ends {
			end()
			if got := <-codes; got != http.StatusAccepted {
				t.Errorf("a body that came in the end was answered %d, want 202", got)
			}
		}
		if got := w.post(graph, large).Code; got != http.StatusAccepted {
			t.Errorf("afterwards a large one was answered %d, want 202", got)
		}
	})
}

// Nobody can crowd NightPOS out by keeping Graph's route busy.
func TestEachWebhookHasPlacesOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(config *gateway.Config) { config.MaxConcurrency = 1 })
		w.post(w.nightpos("save"), saved)
		gate := make(chan struct{})
		w.store.set(func(s *store) { s.waiting = gate })
		body := w.filled(`{"value":[{"clientState":"STATE","changeType":"updated","resourceData":{"id":"e"}}]}`)
		first := make(chan int, 1)
		go func() { first <- w.post(graph, body).Code }()
		synctest.Wait()
		answer := w.post(graph, body)
		if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") == "" {
			t.Errorf("a second post was answered %d, Retry-After %q, want 503 and a time", answer.Code, answer.Header().Get("Retry-After"))
		}
		for _, route := range []string{w.nightpos("save"), lifecycle} {
			if got := w.post(route, strings.ReplaceAll(saved, "42", "44")).Code; got == http.StatusServiceUnavailable {
				t.Errorf("%.20s was answered 503 because another route is busy", route)
			}
		}
		close(gate)
		if got := <-first; got != http.StatusAccepted {
			t.Errorf("the first post was answered %d, want 202", got)
		}
		if got := w.post(graph, body).Code; got != http.StatusAccepted {
			t.Errorf("afterwards a post was answered %d, want 202", got)
		}
	})
}
