package nightpos_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
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

// What the recordings of single events do not show, or not by itself.

// versions are those that are simulated.
var versions = []int{17, 18, 19}

// office is a simulator with a listener that remembers.
type office struct {
	t       *testing.T
	version int
	server  *nightpos.Server
	handler http.Handler
	mutex   sync.Mutex
	came    []map[string]any
	// during, if set, is called while a webhook waits for its answer.
	during func()
}

func newOffice(t *testing.T, config nightpos.Config) *office {
	t.Helper()
	o := &office{t: t, version: config.Version}
	config.Transport = o
	config.CommitDelay = func() time.Duration { return time.Millisecond }
	var err error
	if o.server, err = nightpos.New(config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.server.Close)
	o.handler = o.server.Handler()
	return o
}

// uid is the id of the user of a login, as in the recordings.
func (o *office) uid(login string) int {
	ids := map[string]int{"admin": 2, "alice": 6, "bob": 7}
	if o.version >= 19 {
		ids = map[string]int{"admin": 2, "alice": 5, "bob": 6}
	}
	return ids[login]
}

// contacts are the ids of the contacts alice, bob, carol and dave.
func (o *office) contacts() []any {
	if o.version >= 19 {
		return []any{6, 7, 8, 9}
	}
	return []any{7, 8, 9, 10}
}

// groups is the field that lists groups.
func (o *office) groups() string {
	if o.version >= 19 {
		return "group_ids"
	}
	return "groups_id"
}

// RoundTrip takes a webhook.
func (o *office) RoundTrip(request *http.Request) (*http.Response, error) {
	var body map[string]any
	if err := json.NewDecoder(request.Body).Decode(&body); err != nil {
		return nil, err
	}
	o.mutex.Lock()
	o.came = append(o.came, body)
	during := o.during
	o.mutex.Unlock()
	if during != nil {
		during()
	}
	if err := request.Context().Err(); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("")), Request: request}, nil
}

// heard empties the listener's memory.
func (o *office) heard() []map[string]any {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	came := o.came
	o.came = nil
	return came
}

// post sends JSON and returns the answer.
func (o *office) post(path string, body any, cookies ...*http.Cookie) (*http.Response, map[string]any) {
	o.t.Helper()
	content, err := json.Marshal(body)
	if err != nil {
		o.t.Fatal(err)
	}
	request := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(content))
	request.Header.Set("Content-Type", "application/json")
	for _, cookie := range cookies {
		request.AddCookie(cookie)
	}
	recorder := httptest.NewRecorder()
	o.handler.ServeHTTP(recorder, request)
	var answer map[string]any
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
		o.t.Fatalf("%s answered %q: %v", path, recorder.Body, err)
	}
	return recorder.Result(), answer
}

// try calls a method of a model and returns its result, or the name of the error.
func (o *office) try(who, model, method string, list []any, context map[string]any) (any, string) {
	o.t.Helper()
	_, answer := o.post("/jsonrpc", map[string]any{"jsonrpc": "2.0", "method": "call", "id": 1, "params": map[string]any{
		"service": "object", "method": "execute_kw",
		"args": []any{"night", o.uid(who), who, model, method, list, map[string]any{"context": context}},
	}})
	if failed, ok := answer["error"].(map[string]any); ok {
		data, _ := failed["data"].(map[string]any)
		return nil, fmt.Sprint(data["name"])
	}
	return answer["result"], ""
}

func (o *office) call(who, model, method string, list ...any) any {
	o.t.Helper()
	result, failed := o.try(who, model, method, list, nil)
	if failed != "" {
		o.t.Fatalf("%s: %s.%s%v: %s", who, model, method, list, failed)
	}
	return result
}

func (o *office) id(who, model, method string, list ...any) int {
	o.t.Helper()
	id, ok := o.call(who, model, method, list...).(float64)
	if !ok {
		o.t.Fatalf("%s.%s: got no id", model, method)
	}
	return int(id)
}

// row reads one record.
func (o *office) row(who, model string, id int, fields ...any) map[string]any {
	o.t.Helper()
	rows, _ := o.call(who, model, "read", []any{id}, fields).([]any)
	if len(rows) != 1 {
		o.t.Fatalf("%s: reading %s %d: got %v, want one", who, model, id, rows)
	}
	row, _ := rows[0].(map[string]any)
	return row
}

// rule has a webhook sent on every save, with the fields of these names.
func (o *office) rule(model string, fields ...any) int {
	o.t.Helper()
	about := o.call("admin", "ir.model", "search", []any{[]any{"model", "=", model}}).([]any)[0]
	chosen := o.call("admin", "ir.model.fields", "search", []any{[]any{"model", "=", model}, []any{"name", "in", fields}})
	return o.id("admin", "base.automation", "create", map[string]any{
		"name": "Rule", "model_id": about, "trigger": "on_create_or_write",
		"action_server_ids": []any{[]any{0, 0, map[string]any{
			"name": "Webhook", "model_id": about, "state": "webhook", "webhook_url": "http://listener.sim/", "webhook_field_ids": []any{[]any{6, 0, chosen}},
		}}},
	})
}

// door makes a server action that bob's group may run.
func (o *office) door() int {
	o.t.Helper()
	group := o.id("admin", "res.groups", "create", map[string]any{"name": "Gateway"})
	o.call("admin", "res.users", "write", []any{o.uid("bob")}, map[string]any{o.groups(): []any{[]any{4, group}}})
	about := o.call("admin", "ir.model", "search", []any{[]any{"model", "=", "calendar.event"}}).([]any)[0]
	return o.id("admin", "ir.actions.server", "create", map[string]any{
		"name": "Door", "model_id": about, "state": "code", "code": "…", o.groups(): []any{[]any{6, 0, []any{group}}},
	})
}

// run runs operations through a door as bob.
func (o *office) run(door int, operations ...map[string]any) ([]any, string) {
	o.t.Helper()
	answer, failed := o.try("bob", "ir.actions.server", "run", []any{[]any{door}}, map[string]any{"gw_ops": operations})
	result, _ := answer.(map[string]any)
	infos, _ := result["infos"].(map[string]any)
	results, _ := infos["results"].([]any)
	return results, failed
}

func meeting(more map[string]any) map[string]any {
	values := map[string]any{"name": "Meeting", "start": "2037-01-11 09:00:00", "stop": "2037-01-11 10:00:00"}
	for name, value := range more {
		values[name] = value
	}
	return values
}

func every(t *testing.T, test func(t *testing.T, version int)) {
	for _, version := range versions {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, version) })
		})
	}
}

func TestWebhooksOfBatch(t *testing.T) {
	every(t, func(t *testing.T, version int) {
		o := newOffice(t, nightpos.Config{Version: version})
		o.rule("calendar.event", "name")
		var list []any
		for index := range 50 {
			list = append(list, meeting(map[string]any{"name": fmt.Sprint("Meeting ", index)}))
		}
		made := o.call("alice", "calendar.event", "create", list)
		if got := len(o.heard()); got != 250 {
			t.Errorf("50 events made in one call, no trigger fields: got %d webhooks, want 250", got)
		}
		o.call("alice", "calendar.event", "write", made, map[string]any{"location": "Room"})
		if got := len(o.heard()); got != 50 {
			t.Errorf("50 events changed in one call: got %d webhooks, want 50", got)
		}
		o.call("alice", "calendar.event", "write", made, map[string]any{"start": "2037-01-12 09:00:00", "stop": "2037-01-12 10:00:00"})
		if got := len(o.heard()); got != 150 {
			t.Errorf("50 events moved in one call: got %d webhooks, want 150", got)
		}
	})
}

// A change that is rolled back has sent its webhooks all the same, until 19, and
// the ids that it used are gone.
func TestPhantoms(t *testing.T) {
	every(t, func(t *testing.T, version int) {
		rollback := false
		o := newOffice(t, nightpos.Config{Version: version, Call: func(_, method string) nightpos.CallFate {
			return nightpos.CallFate{Rollback: rollback && method == "create"}
		}})
		o.rule("calendar.event", "name")
		rollback = true
		if _, failed := o.try("alice", "calendar.event", "create", []any{meeting(nil)}, nil); failed == "" {
			t.Error("a call that was rolled back succeeded")
		}
		came := o.heard()
		if version >= 19 {
			if len(came) != 0 {
				t.Errorf("got %d webhooks of what was rolled back, want none", len(came))
			}
			return
		}
		if len(came) != 5 {
			t.Fatalf("got %d webhooks of what was rolled back, want 5", len(came))
		}
		phantom := number(came[0]["_id"])
		if rows := o.call("alice", "calendar.event", "read", []any{phantom}, []any{"name"}); !reflect.DeepEqual(rows, []any{}) {
			t.Errorf("what was rolled back can be read: %v", rows)
		}
		rollback = false
		if next := o.id("alice", "calendar.event", "create", meeting(nil)); next != phantom+1 {
			t.Errorf("got id %d after the phantom %d, want the next", next, phantom)
		}
	})
}

// The operations of one run are one transaction, and a failing one undoes the
// others, webhooks apart until 19.
func TestActionIsOneTransaction(t *testing.T) {
	every(t, func(t *testing.T, version int) {
		o := newOffice(t, nightpos.Config{Version: version})
		door := o.door()
		o.rule("calendar.event", "location")
		event := o.id("alice", "calendar.event", "create", meeting(map[string]any{"location": "Before"}))
		o.heard()
		_, failed := o.run(door,
			map[string]any{"do": "write", "model": "calendar.event", "ids": []any{event}, "vals": map[string]any{"location": "After"}},
			map[string]any{"do": "create", "model": "calendar.event", "vals": []any{meeting(nil)}},
			map[string]any{"do": "write", "model": "calendar.event", "ids": []any{event}, "vals": map[string]any{"nope": 1}},
		)
		if failed != "builtins.ValueError" {
			t.Errorf("got error %q, want that of the failing operation, builtins.ValueError", failed)
		}
		if got := o.row("alice", "calendar.event", event, "location")["location"]; got != "Before" {
			t.Errorf("location: got %v, want it as before", got)
		}
		if all, _ := o.call("alice", "calendar.event", "search", []any{}).([]any); len(all) != 1 {
			t.Errorf("got events %v, want one", all)
		}
		want := 6 // 1 of the write and 5 of the create
		if version >= 19 {
			want = 0
		}
		if got := len(o.heard()); got != want {
			t.Errorf("got %d webhooks of what was undone, want %d", got, want)
		}
		if _, failed := o.try("alice", "ir.actions.server", "run", []any{[]any{door}}, nil); failed != "odoo.exceptions.AccessError" {
			t.Errorf("somebody outside the group ran it: got error %q, want odoo.exceptions.AccessError", failed)
		}
	})
}

// The operations that make repeating safe.
func TestActionOperations(t *testing.T) {
	every(t, func(t *testing.T, version int) {
		o := newOffice(t, nightpos.Config{Version: version})
		door := o.door()
		create := map[string]any{"do": "create", "model": "calendar.event", "keys": []any{"one"}, "vals": []any{meeting(nil)}}
		read := func(field string) map[string]any {
			return map[string]any{"do": "read", "model": "calendar.event", "of": []any{0}, "fields": []any{"location"}, "micro": []any{field}}
		}
		results := func(operations ...map[string]any) []any {
			t.Helper()
			got, failed := o.run(door, operations...)
			if failed != "" || len(got) != len(operations) {
				t.Fatalf("got %d results and error %q, want %d", len(got), failed, len(operations))
			}
			return got
		}
		first := results(create, read("write_date"))
		again := results(create)
		if !reflect.DeepEqual(first[0], again[0]) {
			t.Errorf("a repeated create made %v, the first %v", again[0], first[0])
		}
		stamp := first[1].([]any)[0].(map[string]any)["write_date"]
		if text, _ := stamp.(string); !isInstant(text) {
			t.Errorf("write_date: got %v, want an instant with its fraction", stamp)
		}
		time.Sleep(time.Minute)
		write := func(location string) map[string]any {
			return map[string]any{
				"do": "write", "model": "calendar.event", "ids": first[0], "vals": map[string]any{"location": location}, "guard": map[string]any{"write_date": stamp},
			}
		}
		after := map[string]any{"do": "unlink", "model": "calendar.event", "ids": first[0], "after": 0}
		if got := results(write("Room"), write("Hall"), map[string]any{"do": "exists", "model": "calendar.event", "ids": first[0]}); got[0] != true || got[1] != "stale" {
			t.Errorf("a guarded write twice: got %v, want true and stale", got)
		}
		if got := results(write("Hall"), after); got[0] != "stale" || got[1] != "skipped" {
			t.Errorf("a stale write and what depends on it: got %v, want stale and skipped", got)
		}
		results(map[string]any{"do": "unlink", "model": "calendar.event", "ids": first[0]})
		if got := results(map[string]any{"do": "write", "model": "calendar.event", "ids": first[0], "vals": map[string]any{"location": "x"}}); got[0] != "missing" {
			t.Errorf("writing what is gone: got %v, want missing", got)
		}
		if got := results(create); reflect.DeepEqual(got[0], first[0]) {
			t.Errorf("a create under the key of what is gone: got %v again, want a new record", got[0])
		}
	})
}

// Other people's private events are masked, for administrators too, but for the
// leaks: a search by the true name, and the webhook, which is read by nobody.
func TestPrivateEvents(t *testing.T) {
	every(t, func(t *testing.T, version int) {
		o := newOffice(t, nightpos.Config{Version: version})
		door := o.door()
		o.rule("calendar.event", "name", "location")
		event := o.id("alice", "calendar.event", "create", meeting(map[string]any{"name": "Secret", "location": "Room", "privacy": "private"}))
		for _, who := range []string{"admin", "bob"} {
			got := o.row(who, "calendar.event", event, "name", "location", "partner_ids", "attendee_ids", "write_date", "start")
			want := map[string]any{
				"id": float64(event), "name": "Busy", "location": false, "partner_ids": []any{}, "attendee_ids": []any{}, "write_date": false, "start": "2037-01-11 09:00:00",
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s reads %v, want %v", who, got, want)
			}
			if _, failed := o.try(who, "calendar.event", "write", []any{[]any{event}, map[string]any{"name": "x"}}, nil); failed != "odoo.exceptions.AccessError" {
				t.Errorf("%s writes it: got error %q, want odoo.exceptions.AccessError", who, failed)
			}
			if found := o.call(who, "calendar.event", "search", []any{[]any{"name", "=", "Secret"}}); !reflect.DeepEqual(found, []any{float64(event)}) {
				t.Errorf("%s searches by its name: got %v, want it found", who, found)
			}
		}
		for _, body := range o.heard() {
			if body["name"] != "Secret" || body["location"] != "Room" {
				t.Errorf("webhook: got %v, want what is private in clear", body)
			}
		}
		results, failed := o.run(door,
			map[string]any{"do": "write", "model": "calendar.event", "ids": []any{event}, "vals": map[string]any{"location": "Hall"}},
			map[string]any{"do": "read", "model": "calendar.event", "ids": []any{event}, "fields": []any{"name", "location", "write_uid"}},
		)
		want := []any{true, []any{map[string]any{"id": float64(event), "name": "Secret", "location": "Hall", "write_uid": float64(o.uid("bob"))}}}
		if failed != "" || !reflect.DeepEqual(results, want) {
			t.Errorf("through the door: got %v and error %q, want %v", results, failed, want)
		}
	})
}

// An event that does not say who may see it is as its owner's default is, from 18
// on; users of 17 have none.
func TestDefaultPrivacy(t *testing.T) {
	every(t, func(t *testing.T, version int) {
		o := newOffice(t, nightpos.Config{Version: version})
		event := o.id("alice", "calendar.event", "create", meeting(map[string]any{"name": "Secret", "user_id": o.uid("alice")}))
		choose := []any{[]any{o.uid("alice")}, map[string]any{"calendar_default_privacy": "private"}}
		if version < 18 {
			if _, failed := o.try("admin", "res.users", "write", choose, nil); failed != "builtins.ValueError" {
				t.Errorf("choosing a default: got error %q, want builtins.ValueError", failed)
			}
			return
		}
		if got := o.row("bob", "calendar.event", event, "name", "privacy"); got["name"] != "Secret" || got["privacy"] != false {
			t.Errorf("before anybody chose: got %v, want it in clear, with nothing said", got)
		}
		o.call("admin", "res.users", "write", choose...)
		if got := o.row("bob", "calendar.event", event, "name", "privacy"); got["name"] != "Busy" || got["privacy"] != false {
			t.Errorf("private by default: got %v, want it masked, with nothing said", got)
		}
		if got := o.row("bob", "res.users", o.uid("alice"), "calendar_default_privacy"); got["calendar_default_privacy"] != "private" {
			t.Errorf("the default: got %v, want private", got)
		}
		if version >= 19 {
			if got := o.row("alice", "calendar.event", event, "effective_privacy"); got["effective_privacy"] != "private" {
				t.Errorf("in effect: got %v, want private", got)
			}
		}
	})
}

// write_date is when a transaction began, however long its webhooks took. Until
// 19 nothing of it can be read before they are through; from then on all of it.
func TestWriteDateIsTheBeginning(t *testing.T) {
	every(t, func(t *testing.T, version int) {
		o := newOffice(t, nightpos.Config{Version: version})
		o.rule("calendar.event", "name")
		ids := o.call("alice", "calendar.event", "create", []any{meeting(nil), meeting(nil), meeting(nil)}).([]any)
		o.heard()
		time.Sleep(time.Minute)
		o.during = func() {
			time.Sleep(700 * time.Millisecond)
			want := "Meeting"
			if version >= 19 {
				want = "Renamed"
			}
			if got := o.row("bob", "calendar.event", number(ids[0]), "name")["name"]; got != want {
				t.Errorf("while its webhooks were sent: got %v, want %v", got, want)
			}
		}
		began := time.Now()
		o.call("alice", "calendar.event", "write", ids, map[string]any{"name": "Renamed"})
		if took, want := time.Since(began), 3*700*time.Millisecond+time.Millisecond; took != want {
			t.Errorf("took %v, want one webhook after the other and the commit, %v", took, want)
		}
		for _, id := range ids {
			got := o.row("alice", "calendar.event", number(id), "name", "write_date")
			if want := began.UTC().Format(datetime); got["write_date"] != want || got["name"] != "Renamed" {
				t.Errorf("got %v, want it renamed at %s", got, want)
			}
		}
	})
}

// Who moves somebody else's event makes the organizer answer anew.
func TestMovingAsksTheOrganizer(t *testing.T) {
	every(t, func(t *testing.T, version int) {
		o := newOffice(t, nightpos.Config{Version: version})
		event := o.id("alice", "calendar.event", "create", meeting(map[string]any{"partner_ids": []any{[]any{6, 0, o.contacts()[:2]}}}))
		state := func() any {
			rows := o.call("alice", "calendar.attendee", "search_read", []any{[]any{"event_id", "=", event}, []any{"partner_id", "=", o.contacts()[0]}}, []any{"state"})
			return rows.([]any)[0].(map[string]any)["state"]
		}
		o.call("alice", "calendar.event", "write", []any{event}, map[string]any{"start": "2037-01-12 09:00:00"})
		if got := state(); got != "accepted" {
			t.Errorf("after the organizer moved it: got %v, want accepted", got)
		}
		o.call("bob", "calendar.event", "write", []any{event}, map[string]any{"start": "2037-01-13 09:00:00"})
		if got := state(); got != "needsAction" {
			t.Errorf("after another moved it: got %v, want needsAction", got)
		}
		if got := o.row("alice", "calendar.event", event, "stop")["stop"]; got != "2037-01-13 10:00:00" {
			t.Errorf("stop after a new start alone: got %v, want the duration kept", got)
		}
	})
}

// Only meetings to come are mailed about, to others than who acts, and none when
// the context says so.
func TestMails(t *testing.T) {
	every(t, func(t *testing.T, version int) {
		o := newOffice(t, nightpos.Config{Version: version})
		for _, test := range []struct {
			name    string
			more    map[string]any
			context map[string]any
			want    int
		}{
			{"to come", nil, nil, 2},
			{"past", map[string]any{"start": "1999-01-11 09:00:00", "stop": "1999-01-11 10:00:00"}, nil, 0},
			{"quiet", nil, map[string]any{"no_mail_to_attendees": true}, 0},
		} {
			before := len(o.server.Mails())
			values := meeting(map[string]any{"partner_ids": []any{[]any{6, 0, o.contacts()}}})
			for name, value := range test.more {
				values[name] = value
			}
			if _, failed := o.try("alice", "calendar.event", "create", []any{values}, test.context); failed != "" {
				t.Fatal(failed)
			}
			if got := len(o.server.Mails()) - before; got != test.want {
				t.Errorf("%s: got %d mails, want %d", test.name, got, test.want)
			}
		}
	})
}

// A row that cannot be imported undoes the others, and says so in the result.
func TestLoadIsOneTransaction(t *testing.T) {
	every(t, func(t *testing.T, version int) {
		o := newOffice(t, nightpos.Config{Version: version})
		answer := o.call("alice", "calendar.event", "load", []any{"id", "name", "start", "stop"}, []any{
			[]any{"__t__.one", "One", "2037-01-11 09:00:00", "2037-01-11 10:00:00"},
			[]any{"__t__.two", "Two", "2037-01-11 09:00:00", "2037-01-11 08:00:00"},
		}).(map[string]any)
		if answer["ids"] != false {
			t.Errorf("ids: got %v, want false", answer["ids"])
		}
		if all := o.call("alice", "calendar.event", "search", []any{}); !reflect.DeepEqual(all, []any{}) {
			t.Errorf("got events %v, want none", all)
		}
	})
}

// A browser's session says who is there; without one the code is 100.
func TestWebSession(t *testing.T) {
	every(t, func(t *testing.T, version int) {
		o := newOffice(t, nightpos.Config{Version: version, BaseURL: "http://nightpos.sim"})
		for who, system := range map[string]bool{"alice": false, "admin": true} {
			response, _ := o.post("/web/session/authenticate", map[string]any{"params": map[string]any{"db": "night", "login": who, "password": who}})
			cookies := response.Cookies()
			if len(cookies) != 1 || cookies[0].Name != "session_id" {
				t.Fatalf("%s: got cookies %v, want session_id", who, cookies)
			}
			_, answer := o.post("/web/session/get_session_info", map[string]any{}, cookies...)
			info, _ := answer["result"].(map[string]any)
			if info["uid"] != float64(o.uid(who)) || info["username"] != who || info["is_system"] != system || info["web.base.url"] != "http://nightpos.sim" {
				t.Errorf("%s: got %v", who, info)
			}
		}
		_, answer := o.post("/web/session/get_session_info", map[string]any{})
		failed, _ := answer["error"].(map[string]any)
		if failed["code"] != 100.0 {
			t.Errorf("without a session: got %v, want code 100", answer)
		}
	})
}
