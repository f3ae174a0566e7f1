package nightpos_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/test/sim/nightpos"
)

// nineteen runs a test against the simulated NightPOS 19.
func nineteen(t *testing.T, test func(t *testing.T, o *office)) {
	synctest.Test(t, func(t *testing.T) { test(t, newOffice(t, nightpos.Config{Version: 19})) })
}

// An import that fails answers within a call that commits: its webhooks leave,
// for a record that never was (358).
func TestPhantomsOfSavepoint(t *testing.T) {
	nineteen(t, func(t *testing.T, o *office) {
		o.rule("calendar.event", "name")
		o.call("alice", "calendar.event", "load", []any{"id", "name", "start", "stop"}, []any{
			[]any{"__t__.good", "Good", "2037-01-11 09:00:00", "2037-01-11 10:00:00"},
			[]any{"__t__.bad", "Bad", "2037-01-11 09:00:00", "2037-01-11 08:00:00"},
		})
		came := o.heard()
		if len(came) != 5 {
			t.Fatalf("got %d webhooks, want 5", len(came))
		}
		if rows := o.call("alice", "calendar.event", "read", []any{came[0]["_id"]}, []any{"name"}); !reflect.DeepEqual(rows, []any{}) {
			t.Errorf("the phantom can be read: %v", rows)
		}
	})
}

// While one writer's webhooks are under way another one's for the same record may
// overtake them: the last to arrive may carry old values (358).
func TestWebhooksOvertake(t *testing.T) {
	nineteen(t, func(t *testing.T, o *office) {
		o.rule("calendar.event", "location")
		ids := o.call("alice", "calendar.event", "create", []any{meeting(nil), meeting(nil)}).([]any)
		o.heard()
		o.during = func() { time.Sleep(500 * time.Millisecond) }
		var group sync.WaitGroup
		group.Go(func() { o.call("alice", "calendar.event", "write", ids, map[string]any{"location": "First"}) })
		group.Go(func() {
			time.Sleep(100 * time.Millisecond)
			o.call("bob", "calendar.event", "write", ids[1:], map[string]any{"location": "Second"})
		})
		group.Wait()
		var order []string
		for _, body := range o.heard() {
			order = append(order, fmt.Sprint(body["_id"], " ", body["location"]))
		}
		want := []string{fmt.Sprint(ids[0], " First"), fmt.Sprint(ids[1], " Second"), fmt.Sprint(ids[1], " First")}
		if !reflect.DeepEqual(order, want) {
			t.Errorf("webhooks came as %q, want %q", order, want)
		}
		if got := o.row("alice", "calendar.event", number(ids[1]), "location")["location"]; got != "Second" {
			t.Errorf("got the location %v, want Second", got)
		}
	})
}

// An API key opens both protocols until it ends or its user is archived, but no
// web session.
func TestAPIKeys(t *testing.T) {
	every(t, func(t *testing.T, version int) {
		o := newOffice(t, nightpos.Config{Version: version})
		key := o.server.Member("bob").APIKey(24 * time.Hour)
		open := func(want bool) {
			t.Helper()
			_, answer := o.post("/jsonrpc", map[string]any{"params": map[string]any{
				"service": "common", "method": "authenticate", "args": []any{"night", "bob", key, map[string]any{}},
			}})
			if got := answer["result"] == float64(o.uid("bob")); got != want {
				t.Errorf("authenticate: got %v, want success: %v", answer, want)
			}
			if status, _ := o.json2(key, "res.users/context_get", `{}`); version >= 19 && (status == http.StatusOK) != want {
				t.Errorf("JSON-2: got status %d, want success: %v", status, want)
			}
		}
		open(true)
		_, answer := o.post("/web/session/authenticate", map[string]any{"params": map[string]any{"db": "night", "login": "bob", "password": key}})
		if answer["error"] == nil {
			t.Errorf("a key opened a web session: %v", answer)
		}
		o.call("admin", "res.users", "write", []any{o.uid("bob")}, map[string]any{"active": false})
		open(false)
		o.call("admin", "res.users", "write", []any{o.uid("bob")}, map[string]any{"active": true})
		open(true)
		time.Sleep(24 * time.Hour)
		open(false)
	})
}

// json2 posts to JSON-2.
func (o *office) json2(key, path, body string) (int, string) {
	o.t.Helper()
	request := httptest.NewRequest(http.MethodPost, "/json/2/"+path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "bearer "+key)
	recorder := httptest.NewRecorder()
	o.handler.ServeHTTP(recorder, request)
	return recorder.Code, recorder.Body.String()
}

// A key is made at a browser, with the password once more (500, 651).
func TestKeysAreMadeInWebSessions(t *testing.T) {
	every(t, func(t *testing.T, version int) {
		o := newOffice(t, nightpos.Config{Version: version})
		response, _ := o.post("/web/session/authenticate", map[string]any{"params": map[string]any{"db": "night", "login": "alice", "password": "alice"}})
		cookies := response.Cookies()
		browse := func(model, method string, context map[string]any, list ...any) (any, string) {
			t.Helper()
			_, answer := o.post("/web/dataset/call_kw/"+model+"/"+method, map[string]any{"params": map[string]any{
				"model": model, "method": method, "args": list, "kwargs": map[string]any{"context": context},
			}}, cookies...)
			failed, _ := answer["error"].(map[string]any)
			data, _ := failed["data"].(map[string]any)
			return answer["result"], textOf(data["name"])
		}
		description, _ := browse("res.users.apikeys.description", "create", nil, map[string]any{"name": "gateway", "duration": "30"})
		if _, failed := o.try("alice", "res.users.apikeys.description", "make_key", []any{[]any{description}}, nil); failed != "odoo.exceptions.UserError" {
			t.Errorf("make_key over JSON-RPC: got error %q, want odoo.exceptions.UserError", failed)
		}
		dialog, _ := browse("res.users.apikeys.description", "make_key", nil, []any{description})
		check := dialog.(map[string]any)["res_id"]
		give := func(password string) (any, string) {
			t.Helper()
			if version >= 19 {
				return browse("res.users.identitycheck", "run_check", map[string]any{"password": password}, []any{check})
			}
			browse("res.users.identitycheck", "write", nil, []any{check}, map[string]any{"password": password})
			return browse("res.users.identitycheck", "run_check", nil, []any{check})
		}
		if _, failed := give("wrong"); failed != "odoo.exceptions.UserError" {
			t.Errorf("a wrong password: got error %q, want odoo.exceptions.UserError", failed)
		}
		ready, failed := give("alice")
		shown, _ := ready.(map[string]any)
		context, _ := shown["context"].(map[string]any)
		key := textOf(context["default_key"])
		if failed != "" || key == "" {
			t.Fatalf("got %v and error %q, want a key", ready, failed)
		}
		_, answer := o.post("/jsonrpc", map[string]any{"params": map[string]any{
			"service": "common", "method": "authenticate", "args": []any{"night", "alice", key, map[string]any{}},
		}})
		if answer["result"] != float64(o.uid("alice")) {
			t.Errorf("with the key: got %v, want alice's id", answer)
		}
	})
}

// Only from 19 on there is an address that tells the version, and JSON-2.
func TestNewAddresses(t *testing.T) {
	every(t, func(t *testing.T, version int) {
		o := newOffice(t, nightpos.Config{Version: version})
		want := http.StatusNotFound
		if version >= 19 {
			want = http.StatusOK
		}
		recorder := httptest.NewRecorder()
		o.handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/web/version", nil))
		if recorder.Code != want {
			t.Errorf("GET /web/version: got status %d, want %d", recorder.Code, want)
		}
		if got, body := o.json2(o.server.Member("alice").APIKey(0), "res.users/context_get", `{}`); got != want {
			t.Errorf("JSON-2: got status %d and %s, want %d", got, body, want)
		}
	})
}
