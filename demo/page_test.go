package demo_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zaptest"

	"github.com/nightpos/outlook-gateway/demo"
)

// served is the page of a mirrored world on a real listener.
func served(t *testing.T) (*httptest.Server, *memory, *memory) {
	t.Helper()
	world, outlook, nightpos := mirrored(t)
	page, err := demo.NewPage(world, zaptest.NewLogger(t))
	if err != nil {
		t.Fatalf("NewPage: %v", err)
	}
	server := httptest.NewServer(page)
	t.Cleanup(server.Close)
	return server, outlook, nightpos
}

func ask(t *testing.T, method, address, body string, headers ...string) (int, string, http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for index := 0; index+1 < len(headers); index += 2 {
		if headers[index] == "Host" {
			request.Host = headers[index+1]
		}
		request.Header.Set(headers[index], headers[index+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(content)), response.Header
}

func TestThePageNeedsNothingFromElsewhere(t *testing.T) {
	server, _, _ := served(t)
	status, content, headers := ask(t, http.MethodGet, server.URL+"/", "")
	if status != http.StatusOK {
		t.Fatalf("GET /: got %d %s", status, content)
	}
	if got, want := headers.Get("Content-Security-Policy"), "default-src 'self'"; !strings.HasPrefix(got, want) {
		t.Errorf("policy: got %q, want it to start with %q", got, want)
	}
	for _, foreign := range []string{"http://", "https://", "<style", "style=", "onclick", "<script>"} {
		if strings.Contains(content, foreign) {
			t.Errorf("the page holds %q", foreign)
		}
	}
	for _, member := range members {
		if !strings.Contains(content, member.Name) {
			t.Errorf("the page does not name %s", member.Name)
		}
	}
	for _, name := range []string{"base.css", "calendar.css", "feed.css", "main.js", "api.js", "pane.js", "drag.js", "editor.js", "feed.js", "layout.js", "time.js", "dom.js", "icon.svg", "series.svg", "exception.svg"} {
		if status, _, _ := ask(t, http.MethodGet, server.URL+"/static/"+name, ""); status != http.StatusOK {
			t.Errorf("GET /static/%s: got %d, want 200", name, status)
		}
	}
}

func TestPeopleActThroughTheAPI(t *testing.T) {
	server, outlook, nightpos := served(t)
	stream := follow(t, server.URL)
	status, content, _ := ask(t, http.MethodPost, server.URL+"/api/outlook/events?person=alice",
		`{"title":"Menu tasting","when":{"start":"2026-11-24T10:00:00Z","end":"2026-11-24T11:00:00Z","all_day":false},"place":"Bar","people":["bob@nightpos.example"]}`)
	if status != http.StatusOK {
		t.Fatalf("creating: got %d %s", status, content)
	}
	created := stream.arrival(t)
	if created.From != demo.Outlook || created.Action != "created" || created.Title != "Menu tasting" {
		t.Errorf("activity: got %+v, want the creation of “Menu tasting” in Outlook", created)
	}

	status, content, _ = ask(t, http.MethodGet, server.URL+"/api/nightpos/events?person=alice&from=2026-11-23T00:00:00Z&to=2026-11-30T00:00:00Z", "")
	var listed []demo.Event
	if err := json.Unmarshal([]byte(content), &listed); err != nil || status != http.StatusOK || len(listed) != 1 {
		t.Fatalf("NightPOS's week: got %d %s (%v), want one event", status, content, err)
	}
	if got := listed[0]; got.Title != "Menu tasting" || got.Place != "Bar" || len(got.People) != 1 || got.ID != created.TargetID {
		t.Errorf("the event in NightPOS: got %+v", got)
	}

	if status, content, _ := ask(t, http.MethodPatch, server.URL+"/api/nightpos/events/"+listed[0].ID+"?person=alice", `{"title":"Tasting"}`); status != http.StatusOK {
		t.Fatalf("editing: got %d %s", status, content)
	}
	edited := stream.arrival(t)
	if diff := cmp.Diff([]string{"title"}, edited.Fields); diff != "" || edited.From != demo.NightPOS || edited.Action != "edited" {
		t.Errorf("activity: got %+v, fields (-want +got):\n%s", edited, diff)
	}
	if status, content, _ := ask(t, http.MethodDelete, server.URL+"/api/outlook/events/"+edited.TargetID+"?person=alice", ""); status != http.StatusOK {
		t.Fatalf("deleting: got %d %s", status, content)
	}
	if deleted := stream.arrival(t); deleted.Action != "deleted" {
		t.Errorf("activity: got %+v, want a deletion", deleted)
	}
	record, err := nightpos.Event(t.Context(), "alice", listed[0].ID)
	if err != nil || !record.Archived {
		t.Errorf("the record after the deletion in Outlook: got %+v, %v; want it archived", record, err)
	}
	if left, _ := outlook.Events(t.Context(), "alice", time.Unix(0, 0), time.Now().AddDate(5, 0, 0)); len(left) != 0 {
		t.Errorf("Outlook: got %d events, want none", len(left))
	}
}

func TestWhatIsRefused(t *testing.T) {
	server, _, _ := served(t)
	when := `"when":{"start":"2026-11-24T10:00:00Z","end":"2026-11-24T11:00:00Z"}`
	for name, test := range map[string]struct {
		method, path, body string
		headers            []string
		want               int
		says               string
	}{
		"another host's name": {method: "GET", path: "/", headers: []string{"Host", "calendar.example"}, want: 421},
		"another site":        {method: "POST", path: "/api/outlook/events?person=alice", body: "{}", headers: []string{"Sec-Fetch-Site", "cross-site"}, want: 403},
		"nobody":              {method: "GET", path: "/api/outlook/events?person=mallory", want: 404, says: "mallory"},
		"no such side":        {method: "POST", path: "/api/caldav/events?person=alice", body: "{}", want: 404},
		"not JSON":            {method: "POST", path: "/api/outlook/events?person=alice", body: "title=x", headers: []string{"Content-Type", "text/plain"}, want: 415},
		"an unknown field":    {method: "POST", path: "/api/outlook/events?person=alice", body: `{"colour":"red"}`, want: 400, says: "colour"},
		"no time":             {method: "POST", path: "/api/outlook/events?person=alice", body: `{"title":"x"}`, want: 400, says: "time"},
		"no title":            {method: "POST", path: "/api/outlook/events?person=alice", body: `{"title":" ",` + when + `}`, want: 400, says: "title"},
		"end before start":    {method: "PATCH", path: "/api/outlook/events/1?person=alice", body: `{"when":{"start":"2026-11-24T10:00:00Z","end":"2026-11-24T09:00:00Z"}}`, want: 400, says: "after the start"},
		"part of a day":       {method: "PATCH", path: "/api/outlook/events/1?person=alice", body: `{"when":{"start":"2026-11-24T10:00:00Z","end":"2026-11-25T10:00:00Z","all_day":true}}`, want: 400, says: "midnight"},
		"not an address":      {method: "PATCH", path: "/api/outlook/events/1?person=alice", body: `{"people":["bob"]}`, want: 400, says: "bob"},
		"an event that left":  {method: "PATCH", path: "/api/outlook/events/1?person=alice", body: `{"title":"x"}`, want: 410},
		"far too long a view": {method: "GET", path: "/api/outlook/events?person=alice&from=2026-01-01T00:00:00Z&to=2027-01-01T00:00:00Z", want: 400},
		"no such preset":      {method: "POST", path: "/api/presets/chaos/run?person=alice", body: `{"from":"2026-11-23T00:00:00Z"}`, want: 404},
		"nothing to conflict": {method: "POST", path: "/api/presets/conflict/run?person=alice", body: `{"from":"2026-11-23T00:00:00Z"}`, want: 409, says: "create one first"},
	} {
		t.Run(name, func(t *testing.T) {
			status, content, _ := ask(t, test.method, server.URL+test.path, test.body, test.headers...)
			if status != test.want || !strings.Contains(content, test.says) {
				t.Errorf("got %d %s, want %d and %q", status, content, test.want, test.says)
			}
		})
	}
}

func TestPresets(t *testing.T) {
	server, outlook, nightpos := served(t)
	stream := follow(t, server.URL)
	body := `{"from":"2026-11-23T00:00:00Z"}`
	if status, content, _ := ask(t, http.MethodPost, server.URL+"/api/presets/burst/run?person=bob", body); status != http.StatusOK {
		t.Fatalf("burst: got %d %s", status, content)
	}
	for range 20 {
		stream.arrival(t)
	}
	from := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	for _, side := range []*memory{outlook, nightpos} {
		if list, _ := side.Events(t.Context(), "bob", from, from.AddDate(0, 0, 7)); len(list) != 20 {
			t.Errorf("%s: got %d events, want 20", side.side, len(list))
		}
	}
	if status, content, _ := ask(t, http.MethodPost, server.URL+"/api/presets/conflict/run?person=bob", body); status != http.StatusOK {
		t.Fatalf("conflict: got %d %s", status, content)
	}
	if first, second := stream.arrival(t), stream.arrival(t); first.From == second.From {
		t.Errorf("conflict: got two edits in %s, want one on each side", first.From)
	}
}

// stream reads the server-sent events of a page.
type stream struct{ lines *bufio.Scanner }

func follow(t *testing.T, address string) *stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/api/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); response.Body.Close() })
	if got, want := response.Header.Get("Content-Type"), "text/event-stream"; got != want {
		t.Fatalf("content type: got %q, want %q", got, want)
	}
	s := &stream{lines: bufio.NewScanner(response.Body)}
	if event, _ := s.next(t); event != "ready" {
		t.Fatalf("first event: got %q, want ready", event)
	}
	return s
}

func (s *stream) next(t *testing.T) (event, data string) {
	t.Helper()
	for s.lines.Scan() {
		name, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch name {
		case "event":
			event = value
		case "data":
			return event, value
		}
	}
	t.Fatalf("the stream ended: %v", s.lines.Err())
	return "", ""
}

// arrival is the next edit that reached the other side.
func (s *stream) arrival(t *testing.T) demo.Activity {
	t.Helper()
	for {
		event, data := s.next(t)
		if event != "activity" {
			continue
		}
		var activity demo.Activity
		if err := json.Unmarshal([]byte(data), &activity); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if activity.Arrived {
			return activity
		}
	}
}
