package command_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/nightpos/outlook-gateway/command"
)

const adminToken = "0123456789abcdef0123456789abcdef"

// adminAPI answers as the contract says, and notes what it was asked.
type adminAPI struct {
	mutex sync.Mutex
	asked []string
	// looks is how often the job was looked at; outage how many of the first looks
	// fail.
	looks, outage int
	failing       bool
}

func (a *adminAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.mutex.Lock()
	defer a.mutex.Unlock()
	asked := r.Method + " " + r.URL.RequestURI() + " " + string(body)
	a.asked = append(a.asked, strings.TrimSpace(asked))
	problem := func(status int, detail string) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"type": "about:blank", "title": http.StatusText(status), "status": status, "detail": detail})
	}
	if r.Header.Get("Authorization") != "Bearer "+adminToken {
		problem(http.StatusUnauthorized, "the admin token is wrong; it is the value of GATEWAY_ADMIN_TOKEN")
		return
	}
	answer := func(status int, text string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
	switch strings.TrimSpace(r.Method + " " + r.URL.RequestURI()) {
	case "GET /api/v1/users?limit=1000":
		w.Header().Set("Link", `</api/v1/users?limit=1000&after=6>; rel="next"`)
		answer(http.StatusOK, `[{"id":6,"login":"alice","name":"Alice","mailbox":"alice@example.com","state":"connected","last_sync":"2026-11-22T10:00:00Z","pending":0,"subscription":{"id":"s","expires":"2026-11-28T10:00:00Z"},"last_error":null}]`)
	case "GET /api/v1/users?limit=1000&after=6":
		answer(http.StatusOK, `[{"id":7,"login":"bob","name":"Bob\u001b[2J","mailbox":"bob@example.com","state":"needs_reconnect","last_sync":null,"pending":3,"subscription":null,"last_error":"the consent was withdrawn: connect again"}]`)
	case "GET /api/v1/users/alice/preview":
		answer(http.StatusOK, `{"events":[{"action":"create","side":"outlook","why":"only in NightPOS","title":"Lunch","start":"2026-11-22T10:00:00Z","mails":["carol@example.com"]},{"action":"match","why":"same iCalUId","title":"Dinner","start":"2026-11-23T10:00:00Z","mails":[]}],"counts":{"create":1,"match":1},"mails":1,"mails_held":2}`)
	case "GET /api/v1/users/alice/validate":
		answer(http.StatusOK, `{"equal":true,"pairs":3,"counts":{"held_back":1},"differences":[{"cause":"held_back","drift":false,"why":"it waits","title":"Lunch","start":"2026-11-22T10:00:00Z"}]}`)
	case "GET /api/v1/users/bob/validate":
		answer(http.StatusOK, `{"equal":false,"pairs":3,"counts":{"differs":1},"differences":[{"cause":"differs","drift":true,"why":"it is not the same","title":"Dinner","start":"2026-11-22T10:00:00Z","fields":["place"]}]}`)
	case "POST /api/v1/users/a%2Fb@example.com/sync":
		answer(http.StatusAccepted, `{"status":"accepted"}`)
	case "POST /api/v1/users/alice/pause", "POST /api/v1/users/alice/resume", "DELETE /api/v1/users/alice":
		w.WriteHeader(http.StatusNoContent)
	case "POST /api/v1/users/alice/reset", "POST /api/v1/jobs/job-1/undo":
		answer(http.StatusAccepted, `{"job":"job-1"}`)
	case "GET /api/v1/users/alice/reset?events=both&next_sync=all":
		answer(http.StatusOK, `{"synced":5,"outlook":4,"nightpos":5,"mails":{"carol@example.com":2,"dora@example.com":1}}`)
	case "GET /api/v1/jobs/job-1":
		a.looks++
		switch {
		case a.looks <= a.outage:
			problem(http.StatusServiceUnavailable, "the store cannot be reached")
		case a.looks < a.outage+3:
			answer(http.StatusOK, fmt.Sprintf(`{"id":"job-1","state":"running","done":%d,"total":4,"error":""}`, a.looks))
		case a.failing:
			answer(http.StatusOK, `{"id":"job-1","state":"failed","done":2,"total":4,"error":"Outlook refused a deletion"}`)
		default:
			answer(http.StatusOK, `{"id":"job-1","state":"done","done":4,"total":4,"error":"","restorable":4,"restorable_until":"2026-12-22T10:00:00Z"}`)
		}
	case "POST /api/v1/users/crash/pause":
		answer(http.StatusBadGateway, "<html>")
	default:
		problem(http.StatusNotFound, "nobody with this id or login is connected; GET /api/v1/users shows who is")
	}
}

// at runs a command against an admin API.
func (a *adminAPI) at(t *testing.T, args ...string) (code int, out, err string) {
	t.Helper()
	server := httptest.NewServer(a)
	defer server.Close()
	return run(t, map[string]string{"GATEWAY_PUBLIC_URL": server.URL + "/", "GATEWAY_ADMIN_TOKEN": adminToken}, args...)
}

func TestCommandsOfTheAdminAPI(t *testing.T) {
	for _, one := range []struct {
		args  []string
		asked string // the last call
		out   []string
	}{
		{[]string{"users"}, "GET /api/v1/users?limit=1000&after=6", []string{"LOGIN", "alice@example.com", "needs_reconnect", "the consent was withdrawn: connect again", "Bob [2J"}},
		{[]string{"validate", "alice"}, "GET /api/v1/users/alice/validate", []string{"held_back", "Lunch", "it waits", "3 meeting(s)", "1 left", "0 differ"}},
		{[]string{"preview", "alice"}, "GET /api/v1/users/alice/preview", []string{"only in NightPOS", "carol@example.com", "1 create, 1 match", "1 mail(s); 2 more"}},
		{[]string{"sync", "a/b@example.com"}, "POST /api/v1/users/a%2Fb@example.com/sync", []string{"a/b@example.com: both calendars"}},
		{[]string{"pause", "alice"}, "POST /api/v1/users/alice/pause", []string{"alice is paused"}},
		{[]string{"resume", "alice"}, "POST /api/v1/users/alice/resume", []string{"alice is resumed"}},
		{[]string{"disconnect", "alice"}, "DELETE /api/v1/users/alice", []string{"no event was touched"}},
		{[]string{"reset", "alice", "--events", "both", "--next", "all", "--dry-run"}, "GET /api/v1/users/alice/reset?events=both&next_sync=all", []string{"4 would be deleted in Outlook and 5 in NightPOS", "3 cancellation(s) to 2 address(es)", "Nothing was done"}},
		{[]string{"reset", "alice", "--events", "both", "--next", "all"}, "GET /api/v1/jobs/job-1", []string{"the reset of alice is done: 4 of 4", "outlook-gateway undo job-1"}},
		{[]string{"undo", "job-1"}, "GET /api/v1/jobs/job-1", []string{"is done"}},
	} {
		api := &adminAPI{}
		code, out, failed := api.at(t, one.args...)
		if code != 0 || failed != "" || strings.Contains(out, "\x1b") {
			t.Errorf("%q: got %d, %q, %q", one.args, code, out, failed)
		}
		if last := api.asked[len(api.asked)-1]; last != one.asked {
			t.Errorf("%q: the last call was %q, want %q", one.args, last, one.asked)
		}
		for _, text := range one.out {
			if !strings.Contains(out, text) {
				t.Errorf("%q: got %q, want it to say %q", one.args, out, text)
			}
		}
		code, out, failed = (&adminAPI{}).at(t, append(one.args, "--json")...)
		if code != 0 || failed != "" || !json.Valid([]byte(out)) {
			t.Errorf("%q --json: got %d, %q, %q, want JSON", one.args, code, out, failed)
		}
	}
	api := &adminAPI{}
	if _, _, failed := api.at(t, "reset", "alice", "--events", "outlook", "--next", "new"); failed != "" {
		t.Error(failed)
	}
	if want := `POST /api/v1/users/alice/reset {"events":"outlook","next_sync":"new"}`; api.asked[0] != want {
		t.Errorf("the reset was asked for as %q, want %q", api.asked[0], want)
	}
}

// What ought to be equal and is not fails, for scripts, once it is shown.
func TestValidateFailsOnDrift(t *testing.T) {
	code, out, failed := (&adminAPI{}).at(t, "validate", "bob")
	if code != 1 || !strings.Contains(out, "differs") || !strings.Contains(out, "place") || !strings.Contains(failed, "bob: 1 meeting(s) differ") {
		t.Errorf("got %d, %q, %q; want 1, the difference and an error", code, out, failed)
	}
}

func TestUsersAsJSONAreAllPages(t *testing.T) {
	_, out, _ := (&adminAPI{}).at(t, "users", "--json")
	var users []map[string]any
	if err := json.Unmarshal([]byte(out), &users); err != nil || len(users) != 2 || users[1]["login"] != "bob" {
		t.Errorf("got %v, %v, want alice and bob", users, err)
	}
}

func TestFailingCommandsOfTheAdminAPI(t *testing.T) {
	oneLine := func(code, want int, out, said string, words ...string) {
		t.Helper()
		if code != want || out != "" || strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "outlook-gateway: ") {
			t.Errorf("got %d, %q, %q, want %d and one line", code, out, said, want)
		}
		for _, word := range words {
			if !strings.Contains(said, word) {
				t.Errorf("got %q, want it to say %q", said, word)
			}
		}
		if strings.Contains(said, adminToken) {
			t.Errorf("%q shows the token", said)
		}
	}
	code, out, said := (&adminAPI{}).at(t, "pause", "nobody")
	oneLine(code, 1, out, said, "nobody with this id or login")
	code, out, said = (&adminAPI{}).at(t, "pause", "crash")
	oneLine(code, 1, out, said, "something else than a gateway", "502")
	code, out, said = (&adminAPI{}).at(t, "users", "--token", strings.Repeat("x", 32))
	oneLine(code, 1, out, said, "the admin token is wrong")
	code, out, said = (&adminAPI{failing: true}).at(t, "reset", "alice", "--events", "leave", "--next", "new")
	oneLine(code, 1, out, said, "the reset of alice failed: Outlook refused a deletion")
	code, out, said = run(t, nil, "users", "--url", "http://127.0.0.1:1", "--token", adminToken)
	oneLine(code, 1, out, said, "cannot be reached")
	for _, environment := range []map[string]string{
		{"GATEWAY_ADMIN_TOKEN": adminToken},
		{"GATEWAY_PUBLIC_URL": "https://night.example.com"},
		{"GATEWAY_PUBLIC_URL": "night.example.com", "GATEWAY_ADMIN_TOKEN": adminToken},
		{"GATEWAY_PUBLIC_URL": "http://night.example.com", "GATEWAY_ADMIN_TOKEN": adminToken},
	} {
		code, out, said = run(t, environment, "users")
		oneLine(code, 2, out, said)
	}
	for _, args := range [][]string{
		{"pause"},
		{"reset", "alice"},
		{"reset", "alice", "--events", "all", "--next", "new"},
		{"reset", "alice", "--events", "both", "--next", "none"},
	} {
		code, out, said = run(t, nil, args...)
		oneLine(code, 2, out, said)
	}
}

// A job outlives a restart of the gateway, and whoever watches it waits for that.
func TestJobsAreFollowedThroughAnOutage(t *testing.T) {
	api := &adminAPI{outage: 3}
	if code, out, said := api.at(t, "reset", "alice", "--events", "leave", "--next", "new"); code != 0 || !strings.Contains(out, "is done") {
		t.Errorf("got %d, %q, %q", code, out, said)
	}
}

func TestProgressOnATerminal(t *testing.T) {
	server := httptest.NewServer(&adminAPI{})
	defer server.Close()
	var out, said bytes.Buffer
	code := command.Run(t.Context(), []string{"reset", "alice", "--events", "both", "--next", "all", "--url", server.URL, "--token", adminToken}, command.Surroundings{
		Out: &out, Err: &said, Terminal: true, Lookup: func(string) (string, bool) { return "", false },
	})
	if code != 0 || !strings.Contains(said.String(), "2 of 4") || !strings.Contains(said.String(), "####") || !strings.HasSuffix(said.String(), "\n") {
		t.Errorf("got %d and %q, want a bar", code, said.String())
	}
}

// Being interrupted is not being done.
func TestInterruptedWatching(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	api := &adminAPI{outage: 1_000}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		api.ServeHTTP(w, r)
		if strings.HasPrefix(r.URL.Path, "/api/v1/jobs/") {
			cancel()
		}
	}))
	defer server.Close()
	var out, said bytes.Buffer
	code := command.Run(ctx, []string{"reset", "alice", "--events", "both", "--next", "all", "--url", server.URL, "--token", adminToken}, command.Surroundings{
		Out: &out, Err: &said, Lookup: func(string) (string, bool) { return "", false },
	})
	if code != 1 || !strings.Contains(said.String(), "goes on as job job-1") {
		t.Errorf("got %d and %q, want 1 and which job goes on", code, said.String())
	}
}
