package outlook_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// batch posts a batch and returns the items by id.
func (w *world) batch(as string, items ...map[string]any) map[string]map[string]any {
	w.t.Helper()
	given := w.want(w.call(as, "POST", "/$batch", map[string]any{"requests": items}), 200, "")
	found := map[string]map[string]any{}
	for _, item := range given.body["responses"].([]any) {
		response := item.(map[string]any)
		found[response["id"].(string)] = response
	}
	return found
}

func statuses(items map[string]map[string]any) map[string]float64 {
	found := map[string]float64{}
	for id, item := range items {
		found[id] = item["status"].(float64)
	}
	return found
}

func TestBatch(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		kind := map[string]string{"Content-Type": "application/json"}
		got := statuses(w.batch(alice,
			map[string]any{"id": "make", "method": "POST", "url": "/me/events", "headers": kind, "body": meeting("x")},
			map[string]any{"id": "then", "method": "GET", "url": "/me/events?$top=5", "dependsOn": []string{"make"}},
			map[string]any{"id": "bad", "method": "GET", "url": "/me/events/42"},
			map[string]any{"id": "after", "method": "GET", "url": "/me", "dependsOn": []string{"bad"}},
			map[string]any{"id": "later", "method": "GET", "url": "/me", "dependsOn": []string{"after"}},
			map[string]any{"id": "untyped", "method": "POST", "url": "/me/events", "body": meeting("y")},
			map[string]any{"id": "nested", "method": "POST", "url": "/$batch", "headers": kind, "body": map[string]any{"requests": []any{}}},
		))
		want := map[string]float64{"make": 201, "then": 200, "bad": 400, "after": 424, "later": 424, "untyped": 400, "nested": 400}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("10.3 (-want +got):\n%s", diff)
		}
		counts := w.server.Counts()
		for route, want := range map[string]int{"POST /$batch": 2, "POST /me/events": 1, "GET /me/events": 1, "GET /me/events/{event}": 1, "GET /me": 0} {
			if counts[route] != want {
				t.Errorf("10.4: %s counted %d times, want %d", route, counts[route], want)
			}
		}
		item := func(id string) map[string]any { return map[string]any{"id": id, "method": "GET", "url": "/me"} }
		many := []map[string]any{}
		for i := range 21 {
			many = append(many, item(fmt.Sprint(i)))
		}
		for name, items := range map[string][]map[string]any{
			"more than 20":            many,
			"ids differ by case only": {item("a"), item("A")},
			"unknown dependency":      {{"id": "1", "method": "GET", "url": "/me", "dependsOn": []string{"2"}}},
			"no method":               {{"id": "1", "url": "/me"}},
		} {
			if given := w.call(alice, "POST", "/$batch", map[string]any{"requests": items}); given.status != 400 {
				t.Errorf("10.3 %s: got %d, want 400", name, given.status)
			}
		}
		if got := len(w.batch(alice, many[:20]...)); got != 20 {
			t.Errorf("20 items: got %d responses", got)
		}
	})
}

func TestConcurrency(t *testing.T) {
	inBubble(t, func(c *outlook.Config) { c.Latency = func(string, string) time.Duration { return time.Second } }, func(t *testing.T, w *world) {
		items := []map[string]any{}
		for i := range 10 {
			items = append(items, map[string]any{"id": fmt.Sprint(i), "method": "GET", "url": "/me/events"})
		}
		started := time.Now()
		for id, status := range statuses(w.batch(alice, items...)) {
			if status != 200 {
				t.Errorf("10.4: item %s of a lone batch got %v", id, status)
			}
		}
		if got := time.Since(started); got != 4*time.Second { // the batch itself, then 4 + 4 + 2
			t.Errorf("10.4: ten items took %v, want 4s", got)
		}
		w.token(alice)
		w.token(bob)
		var mutex sync.Mutex
		var refused []reply
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				as := alice
				if i >= 6 {
					as = bob
				}
				given := w.call(as, "GET", "/me/events", nil)
				if given.status != 200 {
					mutex.Lock()
					refused = append(refused, given)
					mutex.Unlock()
				}
			})
		}
		group.Wait()
		if len(refused) != 2 {
			t.Fatalf("10.1: %d of 6 + 2 concurrent calls refused, want 2", len(refused))
		}
		got := refused[0]
		if got.status != 429 || got.code() != "ApplicationThrottled" || got.message() != "Application is over its MailboxConcurrency limit." || got.header.Get("Retry-After") != "1" {
			t.Errorf("10.2: got %d %q %q, Retry-After %q", got.status, got.code(), got.message(), got.header.Get("Retry-After"))
		}
	})
}

func TestRequestLimit(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		items := []map[string]any{}
		for i := range 20 {
			items = append(items, map[string]any{"id": fmt.Sprint(i), "method": "GET", "url": "/me/calendar"})
		}
		for range 500 {
			w.batch(alice, items...)
		}
		got := w.want(w.call(alice, "GET", "/me/calendar", nil), 429, "ApplicationThrottled")
		if got.header.Get("Retry-After") != "600" {
			t.Errorf("10.1: Retry-After %q, want 600", got.header.Get("Retry-After"))
		}
		w.want(w.call(bob, "GET", "/me/calendar", nil), 200, "")
		time.Sleep(10 * time.Minute)
		w.want(w.call(alice, "GET", "/me/calendar", nil), 200, "")
		if got := len(w.server.Calls()); got != 10000 {
			t.Errorf("the log holds %d calls, want its bound of 10000", got)
		}
	})
}

func TestFaults(t *testing.T) {
	var fault atomic.Pointer[outlook.Fault]
	strike := func(c *outlook.Config) {
		c.Faults = func(call outlook.CallInfo) *outlook.Fault {
			if call.Template != "/me/events" || call.Method != http.MethodPost {
				return nil
			}
			return fault.Load()
		}
	}
	for _, c := range []struct {
		name       string
		fault      outlook.Fault
		status     int
		code       string
		retryAfter string
		made       int
	}{
		{"none", outlook.Fault{}, 201, "", "", 1},
		{"429", outlook.Fault{Status: 429, RetryAfter: 1500 * time.Millisecond}, 429, "ApplicationThrottled", "2", 0},
		{"412", outlook.Fault{Status: 412}, 412, "ErrorIrresolvableConflict", "", 0},
		{"503 after commit", outlook.Fault{Status: 503, AfterCommit: true}, 503, "ServiceUnavailable", "", 1},
		{"own code", outlook.Fault{Status: 500, Code: "UnknownError", Message: "boo"}, 500, "UnknownError", "", 0},
		{"dropped", outlook.Fault{Drop: true}, 0, "", "", 0},
		{"dropped after commit", outlook.Fault{Drop: true, AfterCommit: true}, 0, "", "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, strike, func(t *testing.T, w *world) {
				fault.Store(&c.fault)
				given, err := w.try(w.token(alice), "POST", "/me/events", meeting("x"))
				if (err != nil) != c.fault.Drop {
					t.Fatalf("error %v, want one: %v", err, c.fault.Drop)
				}
				if given.status != c.status || given.code() != c.code || given.header.Get("Retry-After") != c.retryAfter {
					t.Errorf("got %d %q, Retry-After %q; want %d %q %q", given.status, given.code(), given.header.Get("Retry-After"), c.status, c.code, c.retryAfter)
				}
				if got := len(w.server.Mailbox(alice).Events()); got != c.made {
					t.Errorf("%d events were made, want %d", got, c.made)
				}
				calls := w.server.Calls()
				if last := calls[len(calls)-1]; last.Status != c.status || last.Injected != (c.status != 201) || last.Mailbox != alice {
					t.Errorf("logged as %+v", last)
				}
			})
		})
	}
}

func TestUnauthorized(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		access, _, expires := w.server.Token(context.Background(), alice, outlook.DefaultApplication.ID, everyScope)
		if lifetime := time.Until(expires); lifetime < time.Hour || lifetime > 90*time.Minute {
			t.Errorf("1.10: lifetime %v", lifetime)
		}
		read, refresh, _ := w.server.Token(context.Background(), alice, outlook.DefaultApplication.ID, []string{"Calendars.Read"})
		if refresh != "" {
			t.Errorf("1.6: refresh token %q without offline_access", refresh)
		}
		if got, _, _ := w.server.Token(context.Background(), "nobody@x.example", outlook.DefaultApplication.ID, everyScope); got != "" {
			t.Errorf("a token for nobody: %q", got)
		}
		refuse := func(token, method, path string, status int, code string) {
			t.Helper()
			given, err := w.try(token, method, path, meeting("x"), "client-request-id: mine")
			if err != nil {
				t.Fatal(err)
			}
			w.want(given, status, code)
			if given.header.Get("request-id") == "" || given.header.Get("client-request-id") != "mine" {
				t.Errorf("8.15: headers %v", given.header)
			}
			if got := dig(given.body, "error", "innerError", "client-request-id"); got != "mine" {
				t.Errorf("8.15: inner error has client-request-id %v", got)
			}
		}
		refuse("", "GET", "/me", 401, "InvalidAuthenticationToken")
		refuse("rubbish", "GET", "/me", 401, "InvalidAuthenticationToken")
		refuse(read, "POST", "/me/events", 403, "ErrorAccessDenied")
		refuse(read, "GET", "/me", 403, "ErrorAccessDenied")
		me, err := w.try(access, "GET", "/me", nil)
		if err != nil || me.text("userPrincipalName") != alice || me.text("id") != w.server.Mailbox(alice).Person().ObjectID {
			t.Errorf("1.21: %v, %v", me.body, err)
		}
		time.Sleep(90 * time.Minute)
		refuse(access, "GET", "/me", 401, "InvalidAuthenticationToken")
	})
}

func TestZonesAndCalendars(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		aliases := func(path string) []string {
			var names []string
			for _, zone := range w.want(w.call(alice, "GET", path, nil), 200, "").values() {
				names = append(names, zone["alias"].(string))
			}
			return names
		}
		windows := aliases("/me/outlook/supportedTimeZones")
		iana := aliases("/me/outlook/supportedTimeZones(TimeZoneStandard=microsoft.graph.timeZoneStandard'Iana')")
		if !slices.Contains(windows, "W. Europe Standard Time") || !slices.Contains(iana, "Europe/Berlin") || slices.Contains(iana, "Europe/Prague") {
			t.Errorf("7.9: %d Windows and %d IANA zones", len(windows), len(iana))
		}
		for _, name := range append(windows, iana...) { // every name that is offered is taken
			content := meeting("x")
			content["start"], content["end"] = at("2026-12-01T09:00:00", name), at("2026-12-01T10:00:00", strings.ToUpper(name))
			w.want(w.call(alice, "POST", "/me/events", content), 201, "")
		}
		calendar := w.want(w.call(alice, "GET", "/me/calendar", nil), 200, "")
		listed := w.want(w.call(alice, "GET", "/me/calendars", nil), 200, "").values()
		if len(listed) != 1 || listed[0]["id"] != calendar.text("id") || calendar.body["isDefaultCalendar"] != true {
			t.Errorf("11.1: %v", calendar.body)
		}
		events := w.want(w.call(alice, "GET", "/me/calendars/"+calendar.text("id")+"/events?$top=3&$expand=calendar", nil), 200, "").values()
		if len(events) != 3 || dig(events[0], "calendar", "id") != calendar.text("id") {
			t.Errorf("11.2: %v", events)
		}
		if given := w.call(alice, "GET", "/me/calendars/42/events", nil); given.status != http.StatusBadRequest {
			t.Errorf("unknown calendar: got %d", given.status)
		}
	})
}
