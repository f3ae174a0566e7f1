package nightpos_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// bodies are those that were sent, but not kept.
var bodies = map[string]string{"malformed JSON": "{not json"}

// badKeys are what was given in place of a key.
var badKeys = map[string]string{"bad key": strings.Repeat("0", 40), "short bad key": "0", "password instead of key": "alice"}

// recordedKey stands for every key that was recorded.
const recordedKey = "0000000000000000000000000000000000000000"

// holder is whose key a call was made with.
func holder(recording, label string) string {
	for _, login := range []string{"alice", "bob", "admin"} {
		if strings.HasPrefix(label, login+" ") || label == "doc index" && login == "admin" {
			return login
		}
	}
	if recording == "651-server-action-json2" {
		return "gateway"
	}
	return "alice"
}

// key is a person's, made when it is first needed.
func (r *replay) key(login string) string {
	if r.keys[login] == "" {
		member := r.server.Member(login)
		if member == nil {
			r.t.Errorf("there is no %s to have a key", login)
			return ""
		}
		r.keys[login] = member.APIKey(0)
	}
	return r.keys[login]
}

// webRequest is a recorded call that was not sent to /jsonrpc, ready to be sent.
func (r *replay) webRequest(recorded exchange) (*http.Request, call) {
	words := strings.Fields(recorded.Line)
	called := call{}
	body := recorded.Body
	if path := strings.Split(strings.Trim(words[1], "/"), "/"); len(path) == 4 && path[0] == "json" {
		called.model, called.method = path[2], path[3]
	}
	if named, ok := body.(map[string]any); ok && called.model != "" {
		called.named = named
		body = r.translator.named(called)
	}
	if parameters := rpcParameters(body); parameters["model"] != nil {
		called.model, _ = parameters["model"].(string)
		called.method, _ = parameters["method"].(string)
		parameters["args"] = r.own(called, parameters["args"])
	}
	content := bodies[recorded.Label]
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			r.t.Fatal(err)
		}
		content = string(encoded)
	}
	request, err := http.NewRequestWithContext(context.Background(), words[0], "http://"+nightposHost+words[1], strings.NewReader(content))
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for _, header := range recorded.Headers {
		name, value, _ := strings.Cut(header, ": ")
		if scheme, found := strings.CutSuffix(value, " <key>"); found {
			key, bad := badKeys[recorded.Label]
			if !bad {
				key = r.key(holder(r.current.Name, recorded.Label))
			}
			value = scheme + " " + key
		}
		request.Header.Set(name, value)
	}
	if r.cookie != nil && browses(r.current.Name, words[1], recorded.Label) {
		request.AddCookie(r.cookie)
	}
	return request, called
}

// browses says that a call was made with the cookie of the session before.
func browses(recording, path, label string) bool {
	if recording == "802-json2-authentication" {
		return strings.HasPrefix(label, "bob's session cookie")
	}
	return strings.HasPrefix(path, "/web/dataset/") || label == "get_session_info"
}

func rpcParameters(body any) map[string]any {
	request, _ := body.(map[string]any)
	parameters, _ := request["params"].(map[string]any)
	return parameters
}

// own puts the id that the browser was told before in place of the recorded one.
func (r *replay) own(called call, given any) any {
	list, _ := given.([]any)
	if len(list) == 0 {
		return given
	}
	return append([]any{r.translator.references(called.model, list[0])}, list[1:]...)
}

// webExchange sends one recorded call that was not sent to /jsonrpc, and compares
// the answer.
func (r *replay) webExchange(c *comparison, recorded exchange) {
	request, called := r.webRequest(recorded)
	response, err := r.client.Do(request)
	if err != nil {
		c.differ("answer", "none: %v", err)
		return
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		c.differ("answer", "none: %v", err)
		return
	}
	if response.StatusCode != recorded.Status {
		c.differ("status", "got %d, recorded %d: %s", response.StatusCode, recorded.Status, content)
	}
	wanted := map[string]string{"Content-Type": "application/json; charset=utf-8", "Www-Authenticate": ""}
	for _, header := range recorded.ResponseHeaders {
		name, value, _ := strings.Cut(header, ":")
		wanted[http.CanonicalHeaderKey(name)] = strings.TrimSpace(value)
	}
	for _, name := range []string{"Content-Type", "Www-Authenticate"} {
		if got := response.Header.Get(name); got != wanted[name] {
			c.differ(name, "got %q, recorded %q", got, wanted[name])
		}
	}
	if !response.Close {
		c.differ("Connection", "kept, but a real server closes it")
	}
	for _, cookie := range response.Cookies() {
		r.cookie = cookie
	}
	if recorded.Answer == nil {
		if text := string(bytes.TrimSpace(content)); strings.HasPrefix(wanted["Content-Type"], "application/json") && text != "null" {
			c.differ("answer", "got %s, recorded null", text)
		}
		return
	}
	var answer any
	if err := json.Unmarshal(content, &answer); err != nil {
		c.differ("answer", "%v: %s", err, content)
		return
	}
	r.compareWeb(c, recorded, called, answer)
}

func (r *replay) compareWeb(c *comparison, recorded exchange, called call, answer any) {
	want, isObject := recorded.Answer.(map[string]any)
	got, _ := answer.(map[string]any)
	switch {
	case want["jsonrpc"] != nil && want["result"] != nil && strings.Contains(recorded.Line, "/web/session/"):
		result, _ := got["result"].(map[string]any)
		c.sessionInfo(want["result"].(map[string]any), result)
	case want["jsonrpc"] != nil:
		c.answer(called, want, got)
	case isObject && want["debug"] != nil:
		c.refusal(want, got)
	default:
		c.result("answer", called, recorded.Answer, answer)
	}
}

// refusal compares the bodies of errors of JSON-2.
func (c *comparison) refusal(recorded, simulated map[string]any) {
	want, got := maps.Clone(recorded), maps.Clone(simulated)
	c.ignored.use("error.data.debug")
	delete(want, "debug")
	delete(got, "debug")
	if strings.HasPrefix(textOf(want["name"]), "psycopg2.") {
		c.ignored.use("text of database errors")
		for _, name := range []string{"message", "arguments"} {
			delete(want, name)
			delete(got, name)
		}
	}
	c.equal("error", want, got)
}

func textOf(value any) string {
	text, _ := value.(string)
	return text
}

// sessionInfo compares what is simulated of what a browser is told.
func (c *comparison) sessionInfo(recorded, simulated map[string]any) {
	c.ignored.use("rest of the session info")
	for _, name := range slices.Sorted(maps.Keys(simulated)) {
		want, there := recorded[name]
		path := "session." + name
		switch {
		case !there:
			c.differ(path, "%#v, but was not recorded", simulated[name])
		case name == "uid":
			c.reference(path, "res.users", want, simulated[name])
		case name == "partner_id":
			c.reference(path, "res.partner", want, simulated[name])
		case name == "partner_write_date":
			c.ignored.use("session.partner_write_date")
		case name == "web.base.url":
			c.ignored.use("session.web.base.url")
		case name == "user_context":
			c.equal(path, c.userContext(want), simulated[name])
		default:
			c.equal(path, want, simulated[name])
		}
	}
}

// userContext is a recorded one with the id that the user has here.
func (c *comparison) userContext(recorded any) any {
	known, _ := recorded.(map[string]any)
	translated := maps.Clone(known)
	translated["uid"] = float64(c.id("res.users", number(known["uid"])))
	return translated
}
