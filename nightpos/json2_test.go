package nightpos_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/nightpos/outlook-gateway/nightpos"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// told is one answer, as a NightPOS 19 was recorded to give it.
type told struct {
	status int
	body   string
}

// nineteen answers like a NightPOS 19, or 18 where it has no address that tells
// its version. What was asked is kept.
type nineteen struct {
	mutex   sync.Mutex
	version told
	answers map[string]told
	asked   []string
	headers []http.Header
	bodies  []map[string]any
}

func (n *nineteen) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	content, _ := io.ReadAll(r.Body)
	var body map[string]any
	_ = json.Unmarshal(content, &body)
	n.asked, n.headers, n.bodies = append(n.asked, r.URL.Path), append(n.headers, r.Header.Clone()), append(n.bodies, body)
	answer, ok := n.answers[r.URL.Path]
	switch {
	case r.URL.Path == "/web/version":
		answer = n.version
	case !ok:
		answer = told{http.StatusNotFound, `<!doctype html><title>404 Not Found</title>`}
	}
	w.WriteHeader(answer.status)
	_, _ = io.WriteString(w, answer.body)
}

const (
	door      = "/json/2/ir.actions.server/run"
	whoAmI    = "/json/2/res.users/context_get"
	findDoor  = "/json/2/ir.actions.server/search"
	rpc       = "/jsonrpc"
	goodKey   = `{"lang": "en_US", "tz": "Europe/Brussels", "uid": 7}`
	badKey    = `{"name": "werkzeug.exceptions.Unauthorized", "message": "Invalid apikey", "arguments": ["Invalid apikey", 401], "context": {}, "debug": ""}`
	version19 = `{"version_info": [19, 0, 0, "final", 0, ""], "version": "19.0"}`
)

func newNineteen() *nineteen {
	return &nineteen{version: told{200, version19}, answers: map[string]told{
		whoAmI: {200, goodKey}, findDoor: {200, `[200]`},
		door: {200, `{"type": "ir.actions.act_window_close", "infos": {"results": [[]]}}`},
		rpc:  {200, `{"jsonrpc": "2.0", "id": 1, "result": 7}`},
	}}
}

func (n *nineteen) client(t *testing.T, protocol string) *nightpos.Client {
	t.Helper()
	server := httptest.NewServer(n)
	t.Cleanup(server.Close)
	client, err := nightpos.New(nightpos.Config{
		URL: server.URL, Database: "night19", Login: "gateway", APIKey: "the-key", Protocol: protocol, Retries: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestJSON2IsSpokenWhereTheVersionHasIt(t *testing.T) {
	server := newNineteen()
	client := server.client(t, nightpos.ProtocolAuto)
	if err := client.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(server.asked, " "), strings.Join([]string{"/web/version", whoAmI, findDoor, door}, " "); got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
	last := len(server.asked) - 1
	if got := server.headers[last].Get("Authorization"); got != "bearer the-key" {
		t.Errorf("Authorization is %q", got)
	}
	if got := server.headers[last].Get("X-Odoo-Database"); got != "night19" {
		t.Errorf("X-Odoo-Database is %q", got)
	}
	context, _ := server.bodies[last]["context"].(map[string]any)
	if ids, _ := server.bodies[last]["ids"].([]any); len(ids) != 1 || ids[0] != 200.0 || context["gw_ops"] == nil {
		t.Errorf("the door was run with %v, want the ids [200] and gw_ops in the context", server.bodies[last])
	}
}

func TestPasswordInPlaceOfAKeyIsTakenByJSONRPC(t *testing.T) {
	server := newNineteen()
	server.answers[whoAmI] = told{401, badKey}
	if uid, err := server.client(t, nightpos.ProtocolAuto).UserID(t.Context()); err != nil || uid != 7 {
		t.Fatalf("got %d, %v, want 7 from /jsonrpc; asked %v", uid, err, server.asked)
	}
	if got := server.asked[len(server.asked)-1]; got != rpc {
		t.Errorf("asked %s last, want %s", got, rpc)
	}
}

func TestJSON2AloneWithoutJSONRPC(t *testing.T) {
	server := newNineteen()
	server.version.body = `{"version_info": [22, 0, 0, "final", 0, ""], "version": "22.0"}`
	server.answers[whoAmI] = told{401, badKey}
	if _, err := server.client(t, "").UserID(t.Context()); !errors.Is(err, nightpos.ErrDenied) {
		t.Errorf("got %v, want ErrDenied", err)
	}
	for _, path := range server.asked {
		if path == rpc {
			t.Error("version 22 was asked at /jsonrpc")
		}
	}
}

func TestOlderVersionsAreAskedByJSONRPC(t *testing.T) {
	for _, missing := range []told{{404, "<!doctype html>"}, {303, ""}} {
		server := newNineteen()
		server.version = missing
		server.answers[rpc] = told{200, `{"jsonrpc": "2.0", "id": 1, "result": {"server_version": "18.0", "server_version_info": [18, 0, 0, "final", 0, ""]}}`}
		version, err := server.client(t, "").Version(t.Context())
		if err != nil || version.Major != 18 {
			t.Errorf("%d: got %+v, %v, want version 18", missing.status, version, err)
		}
	}
}

// TestJSON2Errors are the recordings 801, 802 and 803: the name decides, not the
// status.
func TestJSON2Errors(t *testing.T) {
	frame := func(name string) string {
		return `{"name": "` + name + `", "message": "secret text", "arguments": [], "context": {}, "debug": ""}`
	}
	var retry *reconciler.RetryError
	for name, one := range map[string]struct {
		answer told
		want   error
		again  bool
	}{
		"802 bad key":                {told{401, badKey}, nightpos.ErrDenied, false},
		"802 unknown database":       {told{404, "<!doctype html>"}, nil, false},
		"803 no access":              {told{403, frame("odoo.exceptions.AccessError")}, nightpos.ErrNotRegistered, false},
		"803 white label":            {told{403, frame("ecommerce.exceptions.AccessError")}, nightpos.ErrNotRegistered, false},
		"801 missing record":         {told{404, frame("odoo.exceptions.MissingError")}, nightpos.ErrMissing, false},
		"803 unknown method":         {told{404, frame("werkzeug.exceptions.NotFound")}, nil, false},
		"803 user error":             {told{422, frame("odoo.exceptions.UserError")}, nightpos.ErrInvalid, false},
		"803 unknown field":          {told{500, frame("builtins.ValueError")}, nightpos.ErrInvalid, false},
		"database busy":              {told{500, frame("psycopg2.errors.SerializationFailure")}, nil, true},
		"a proxy in between":         {told{502, "<html>Bad gateway</html>"}, nil, true},
		"too many calls":             {told{429, ""}, nil, true},
		"an answer that is not JSON": {told{200, "<html>"}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			server := newNineteen()
			server.answers[door] = one.answer
			err := server.client(t, nightpos.ProtocolJSON2).Check(t.Context())
			if err == nil || (one.want != nil && !errors.Is(err, one.want)) || errors.As(err, &retry) != one.again {
				t.Errorf("got %v, want %v, to be tried again: %v", err, one.want, one.again)
			}
			if err != nil && strings.Contains(err.Error(), "secret text") {
				t.Errorf("the error quotes NightPOS's text: %v", err)
			}
		})
	}
}
