package nightpos_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/test/network"
	"github.com/nightpos/outlook-gateway/test/sim/nightpos"
)

const (
	nightposHost = "nightpos.sim:8069"
	listenerHost = "127.0.0.1:9099"
)

// TestRecordings has the simulator go through the recorded conversations with
// real servers, one after the other as they were held, and compares every answer
// and every webhook.
func TestRecordings(t *testing.T) {
	met := map[string]bool{}
	for _, version := range []int{17, 18, 19} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			recordings := readRecordings(t, version)
			ignored := newIgnoredFields()
			differences := map[string][]string{}
			synctest.Test(t, func(t *testing.T) {
				r := newReplay(t, version, recordings, ignored)
				defer r.close()
				for _, one := range recordings {
					if excludedRecordings[one.Name] == "" {
						differences[one.Name] = r.play(one)
					}
				}
			})
			for _, one := range recordings {
				t.Run(one.Name, func(t *testing.T) {
					if reason := excludedRecordings[one.Name]; reason != "" {
						t.Skip(reason)
					}
					for _, difference := range differences[one.Name] {
						t.Error(difference)
					}
				})
			}
			t.Logf("ignored:%s", ignored)
			for name := range ignored.used {
				met[name] = true
			}
			for _, one := range recordings {
				met[one.Name] = true
				for _, exchange := range one.Exchanges {
					met[one.Name+" / "+exchange.Label] = true
				}
			}
		})
	}
	// What is ignored or left out without need would hide what comes later.
	for _, name := range slices.Concat(slices.Collect(maps.Keys(ignoredReasons)), slices.Collect(maps.Keys(excludedRecordings)), slices.Collect(maps.Keys(excludedExchanges)), tidied, disorderly[17], disorderly[18], tied) {
		if !met[name] {
			t.Errorf("%s is in a table, but in no recording", name)
		}
	}
}

// replay is a simulator, a listener for its webhooks, and a client.
type replay struct {
	t          *testing.T
	network    network.Network
	client     *http.Client
	transport  *http.Transport
	translator *translator
	ignored    *ignoredFields
	server     *nightpos.Server
	serving    *http.Server
	listening  *http.Server
	version    int
	// drawn is the order in which occurrences were made.
	drawn drawnOrder
	// keys are people's API keys by login, and cookie the latest session's.
	keys   map[string]string
	cookie *http.Cookie

	mutex sync.Mutex
	// current is being replayed, and heard what came during it.
	current recording
	heard   []heard
	// compared of them were compared already; listens says that they are taken
	// down at all.
	compared int
	listens  bool
}

// listensFrom are the recordings in which the listener took down what came after
// the first calls only, and how many these were.
var listensFrom = map[string]int{
	"334-hook-series-edit-all-time": 3, "335-hook-series-delete-one": 3, "338-hook-series-mass-archive-all": 3,
	"339-hook-unlink-recurrence-record": 4, "340-hook-listener-slow-3s": 1,
}

// disorderly are the recordings of a version in which attendees came as they
// happened to lie in PostgreSQL's pages.
var disorderly = map[int][]string{
	17: {
		"031-create-variants-partners", "312-hook-write-name", "313-hook-write-noop", "314-hook-write-empty", "315-hook-write-start-only",
		"316-hook-partner-add-remove", "650-server-action", "228-bob-accepts-all-via-change_attendee_status", "229-add-attendee-all",
	},
	18: {"205-edit-future-time", "208-edit-all-time-from-base", "228-bob-accepts-all-via-change_attendee_status"},
}

// tied are the recordings in which events that begin together came in no order
// that we know of.
var tied = []string{"204-edit-future-name", "210-edit-all-rule-count-and-days", "212-edit-future-rule"}

// shortened are the recordings that kept the first webhooks only without saying
// how many came, and how many these must be.
// 358 kept the first call's five alone, in a form of their own.
var shortened = map[string]int{"300-webhook-fields-refused-and-full-payload": 5, "358-hook-postcommit-savepoint-and-second-writer": 20}

// alice is her id in each version's recordings.
var alice = map[int]int{17: 6, 18: 6, 19: 5}

// heard is a webhook that came.
type heard struct {
	raw    string
	body   map[string]any
	target string
	probe  []any
}

func newReplay(t *testing.T, version int, recordings []recording, ignored *ignoredFields) *replay {
	r := &replay{t: t, version: version, translator: newTranslator(relations(recordings)), ignored: ignored, keys: map[string]string{}}
	r.transport = &http.Transport{DialContext: r.network.DialContext, DisableCompression: true}
	r.client = &http.Client{Transport: r.transport}
	// The bubble's clock starts long before the meetings of the recordings.
	first, err := time.Parse(datetime, map[bool]string{false: "2026-11-22 17:04:00", true: "2026-11-22 18:08:44"}[version >= 19])
	if err != nil {
		t.Fatal(err)
	}
	offset := time.Until(first.Add(341675 * time.Microsecond))
	r.server, err = nightpos.New(nightpos.Config{
		Version: version, Database: fmt.Sprintf("night%d", version), BaseURL: map[int]string{17: "http://localhost:8069", 18: "http://localhost:8070", 19: "http://localhost:8071"}[version],
		Now: func() time.Time { return time.Now().Add(offset) }, Transport: r.transport,
		RetryDelay: func(int) time.Duration {
			return map[bool]time.Duration{false: 900 * time.Millisecond, true: 1800 * time.Millisecond}[version >= 19]
		},
		CommitDelay: func() time.Duration { return time.Millisecond },
		Occurrences: func(starts []time.Time) { r.drawn.order(starts) },
	})
	if err != nil {
		t.Fatal(err)
	}
	r.serving = r.serve(nightposHost, r.server.Handler())
	r.listen()
	return r
}

func (r *replay) serve(host string, handler http.Handler) *http.Server {
	listener, err := r.network.Listen(host)
	if err != nil {
		r.t.Fatal(err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	return server
}

func (r *replay) listen() { r.listening = r.serve(listenerHost, http.HandlerFunc(r.listener)) }

func (r *replay) close() {
	r.server.Close()
	r.transport.CloseIdleConnections()
	_ = r.listening.Close()
	_ = r.serving.Close()
	// Its hands may still be in a handler that waits.
	time.Sleep(time.Minute)
}

// listener takes webhooks down and behaves as the one of the recording did.
func (r *replay) listener(w http.ResponseWriter, request *http.Request) {
	content, err := io.ReadAll(request.Body)
	one := heard{target: request.URL.RequestURI()}
	if err != nil || json.Unmarshal(content, &one.body) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	var raw strings.Builder
	fmt.Fprintf(&raw, "%s %s %s\r\nHost: %s\r\n", request.Method, one.target, request.Proto, request.Host)
	for _, name := range []string{"User-Agent", "Accept-Encoding", "Accept", "Connection", "Content-Type", "Content-Length", "Authorization"} {
		if value := request.Header.Get(name); value != "" {
			fmt.Fprintf(&raw, "%s: %s\r\n", name, value)
		}
	}
	one.raw = raw.String() + "\r\n" + string(content)
	r.mutex.Lock()
	index, current, listens := len(r.heard), r.current, r.listens
	if listens {
		r.heard = append(r.heard, one)
	}
	r.mutex.Unlock()
	if !listens {
		return
	}
	if len(current.Hits) == 0 {
		return
	}
	recorded := current.answer(index)
	if recorded.Probe != nil {
		seen := r.probe(one)
		r.mutex.Lock()
		r.heard[index].probe = seen
		r.mutex.Unlock()
	}
	switch current.Name {
	case "341-hook-listener-500":
		w.WriteHeader(http.StatusInternalServerError)
	case "343-hook-listener-closes-without-answer":
		panic(http.ErrAbortHandler)
	}
	if recorded.Probe == nil && recorded.Answered > 0 {
		time.Sleep(time.Duration(recorded.Answered * float64(time.Second)))
	}
}

// probe reads what a webhook is about over a second connection, as admin.
func (r *replay) probe(one heard) []any {
	model, _ := one.body["_model"].(string)
	second := "state"
	if model == "calendar.event" {
		second = "name"
	}
	_, answer := r.execute(2, "admin", model, "read", []any{[]any{one.body["_id"]}, []any{"write_date", second}})
	rows, _ := answer["result"].([]any)
	return rows
}

// post calls the simulator.
func (r *replay) post(path, kind string, body map[string]any) (*http.Response, map[string]any) {
	content, err := json.Marshal(body)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.send(http.MethodPost, path, kind, content)
}

func (r *replay) send(method, path, kind string, content []byte) (*http.Response, map[string]any) {
	request, err := http.NewRequestWithContext(context.Background(), method, "http://"+nightposHost+path, bytes.NewReader(content))
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Content-Type", kind)
	response, err := r.client.Do(request)
	if err != nil {
		r.t.Errorf("%s %s: %v", method, path, err)
		return nil, nil
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Errorf("%s %s: %v", method, path, err)
		return nil, nil
	}
	var decoded map[string]any
	if json.Unmarshal(answer, &decoded) != nil {
		return response, nil
	}
	return response, decoded
}

// play replays one recording and tells what differs.
func (r *replay) play(one recording) []string {
	r.mutex.Lock()
	r.current, r.heard, r.compared, r.listens = one, nil, 0, true
	r.mutex.Unlock()
	if one.Name == "344-hook-listener-down" {
		_ = r.listening.Close()
		defer r.listen()
	}
	r.drawn.read(one)
	c := &comparison{translator: r.translator, ignored: r.ignored, loose: slices.Contains(disorderly[r.version], one.Name), tied: slices.Contains(tied, one.Name)}
	r.ignored.counts = map[string]float64{}
	r.prepare(one)
	for index, exchange := range one.Exchanges {
		if excludedExchanges[one.Name+" / "+exchange.Label] != "" {
			continue
		}
		// Each transaction has a second of its own.
		time.Sleep(1200 * time.Millisecond)
		before := len(c.differences)
		r.mutex.Lock()
		r.listens = index >= listensFrom[one.Name]
		r.mutex.Unlock()
		started := time.Now()
		r.exchange(c, exchange)
		r.duration(c, exchange, time.Since(started))
		for index := before; index < len(c.differences); index++ {
			c.differences[index] = exchange.Label + ": " + c.differences[index]
		}
		// Later requests may name an instant that a webhook told.
		r.webhooks(c, one)
	}
	if one.Name == "346-hook-two-concurrent-writes-same-event" {
		time.Sleep(1200 * time.Millisecond)
		r.concurrently(one)
	}
	r.translator.overlapping = one.Name == "346-hook-two-concurrent-writes-same-event"
	if r.translator.overlapping {
		r.ignored.use("order of instants")
	}
	r.webhooks(c, one)
	r.translator.overlapping = false
	r.count(c, one)
	r.tidy(one)
	return c.differences
}

// unkept are events that were made in calls that were not recorded.
var unkept = map[string][]int{"063-none-results": {5579, 5580, 5581}}

func (r *replay) prepare(one recording) {
	if r.version < 19 {
		return
	}
	for _, id := range unkept[one.Name] {
		_, answer := r.execute(r.translator.id("res.users", alice[r.version]), "alice", "calendar.event", "create", []any{map[string]any{
			"name": "N", "start": "2027-01-11 09:00:00", "stop": "2027-01-11 10:00:00",
		}})
		if difference := r.translator.pair("calendar.event", id, number(answer["result"])); difference != "" {
			r.t.Errorf("%s: %s", one.Name, difference)
		}
	}
}

// withKey puts alice's key in place of the recorded one.
func (r *replay) withKey(request map[string]any) map[string]any {
	list, _ := rpcParameters(request)["args"].([]any)
	for index, item := range list {
		if item == recordedKey {
			list[index] = r.key("alice")
		}
	}
	return request
}

// exchange sends one recorded request and compares the answer.
func (r *replay) exchange(c *comparison, recorded exchange) {
	var response *http.Response
	var answer map[string]any
	if recorded.Line != "" {
		r.webExchange(c, recorded)
		return
	}
	switch recorded.Label {
	case "xmlrpc action_archive":
		// Over XML-RPC; what it does is the same.
		r.execute(r.translator.id("res.users", alice[r.version]), "alice", "calendar.event", "action_archive", []any{[]any{r.translator.id("calendar.event", 5582)}})
		return
	case "invalid JSON body":
		response, answer = r.send(http.MethodPost, "/jsonrpc", "application/json", []byte("{not json"))
	case "wrong content type":
		response, answer = r.post("/jsonrpc", "text/plain", recorded.Request)
	case "GET on /jsonrpc":
		response, answer = r.send(http.MethodGet, "/jsonrpc", "application/json", nil)
	case "GET /web/webclient/version_info as JSON":
		response, answer = r.post("/web/webclient/version_info", "application/json", recorded.Request)
	case "web session authenticate bad x1":
		response, answer = r.post("/web/session/authenticate", "application/json", recorded.Request)
	default:
		if recorded.Request == nil {
			c.differ("request", "it was not recorded")
			return
		}
		response, answer = r.post("/jsonrpc", "application/json", r.withKey(r.translator.request(recorded.Request)))
	}
	if response == nil {
		c.differ("answer", "none")
		return
	}
	if response.StatusCode != recorded.Status {
		c.differ("status", "got %d, recorded %d", response.StatusCode, recorded.Status)
	}
	wanted := "application/json; charset=utf-8"
	if recorded.Response == nil {
		wanted = "text/html; charset=utf-8"
	}
	if got := response.Header.Get("Content-Type"); got != wanted {
		c.differ("Content-Type", "got %s, want %s", got, wanted)
	}
	if !response.Close {
		c.differ("Connection", "kept, but a real server closes it")
	}
	if cookies := response.Header.Get("Set-Cookie"); cookies != "" {
		c.differ("Set-Cookie", "got %s, want none", cookies)
	}
	c.answer(callOf(recorded.Request), recorded.Response, answer)
}

// duration holds the virtual time that a call took between what its webhooks
// must have waited for their answers, each up to a second, and what the recorded
// one took.
func (r *replay) duration(c *comparison, recorded exchange, took time.Duration) {
	if limit := time.Duration(recorded.Elapsed * float64(time.Millisecond)); took > limit {
		c.differ("time", "took %v, recorded %v", took, limit)
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	least := time.Duration(0)
	for index := r.compared; index < len(r.heard) && len(r.current.Hits) > 0; index++ {
		if answered := r.current.answer(index); answered.Probe == nil {
			least += min(time.Second, time.Duration(answered.Answered*float64(time.Second)))
		}
	}
	if took < least {
		c.differ("time", "took %v, but its webhooks waited for %v", took, least)
	}
}

// concurrently has two writes of one event meet.
func (r *replay) concurrently(one recording) {
	var group sync.WaitGroup
	for _, index := range []int{0, 1} {
		group.Go(func() {
			// The second comes a little later: while the first one's webhook waits, or
			// in 19, where that is after the commit, before.
			later := 2 * time.Millisecond
			if r.version >= 19 {
				later = 500 * time.Microsecond
			}
			time.Sleep(time.Duration(index) * later)
			r.execute(r.translator.id("res.users", alice[r.version]), "alice", "calendar.event", "write", []any{
				[]any{r.translator.id("calendar.event", number(one.Hits[0].Body["_id"]))}, map[string]any{"name": fmt.Sprintf("H conc %d", index)},
			})
		})
	}
	group.Wait()
}

// webhooks compares those that came since it was last asked with the recorded
// ones.
func (r *replay) webhooks(c *comparison, one recording) {
	r.mutex.Lock()
	came := slices.Clone(r.heard)
	r.mutex.Unlock()
	for index := r.compared; index < len(came); index++ {
		path := fmt.Sprintf("webhook %d", index)
		switch {
		case index < len(one.Hits):
			r.webhook(c, path, one.Hits[index], came[index])
		case index < len(one.Order):
			r.brief(c, path, one.Order[index], came[index])
		}
	}
	r.compared = len(came)
}

// count compares how many webhooks came.
func (r *replay) count(c *comparison, one recording) {
	expected := max(len(one.Order), len(one.Hits), shortened[one.Name])
	if r.compared == expected {
		return
	}
	list := ""
	for _, got := range r.heard {
		list += "\n    " + got.target + " " + fmt.Sprint(got.body)
	}
	c.differ("webhooks", "%d came, %d recorded%s", r.compared, expected, list)
}

func (r *replay) webhook(c *comparison, path string, recorded hit, got heard) {
	body := recorded.Body
	if recorded.Raw != "" {
		head, rest := split(recorded.Raw)
		headers, content := split(got.raw)
		if body == nil {
			if err := json.Unmarshal([]byte(rest), &body); err != nil {
				c.differ(path, "the recording's body: %v", err)
			}
		}
		// The length differs with the ids.
		c.ignored.use("webhook Content-Length")
		c.equal(path+" headers", headersOf(head), headersOf(headers))
		if written := python(exactly(rest)); written != rest {
			c.differ(path, "the test writes %s for %s", written, rest)
		}
		if written := python(exactly(content)); written != content {
			c.differ(path, "came as %s, want it as Python writes it: %s", content, written)
		}
	} else {
		c.equal(path+" target", recorded.Path, got.target)
	}
	model, _ := body["_model"].(string)
	c.row(path, model, body, got.body)
	if recorded.Probe != nil {
		c.rows(path+" probe", model, recorded.Probe, got.probe)
	}
}

// brief compares a webhook of which the recording kept the gist only.
func (r *replay) brief(c *comparison, path string, recorded []any, got heard) {
	model, _ := got.body["_model"].(string)
	c.equal(path+" target", recorded[0], got.target)
	c.reference(path+" _id", model, recorded[1], got.body["_id"])
	c.equal(path+" name", recorded[2], got.body["name"])
	c.equal(path+" active", recorded[3], got.body["active"])
}

func split(raw string) (head, body string) {
	head, body, _ = strings.Cut(raw, "\r\n\r\n")
	return head, body
}

func headersOf(head string) map[string]any {
	headers := map[string]any{}
	lines := strings.Split(head, "\r\n")
	headers[""] = lines[0]
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		if name != "Content-Length" {
			headers[name] = value
		}
	}
	return headers
}

// tidied are the recordings after which the rules that they made were deleted
// again, in 17 and 18 unrecorded: their webhooks do not come in later recordings.
var tidied = []string{"300-webhook-fields-refused-and-full-payload", "408-write_date-microsecond-domain-and-webhook-basic-auth"}

func (r *replay) tidy(one recording) {
	if r.version >= 19 && one.Name == "650-server-action" {
		// One of the two events was deleted in a call that was not recorded.
		if _, answer := r.execute(r.translator.id("res.users", alice[r.version]), "alice", "calendar.event", "unlink", []any{[]any{r.translator.id("calendar.event", 5661)}}); answer["result"] != true {
			r.t.Errorf("%s: the event could not be deleted: %v", one.Name, answer)
		}
	}
	if r.version >= 19 || !slices.Contains(tidied, one.Name) {
		return
	}
	for _, exchange := range one.Exchanges {
		call := callOf(exchange.Request)
		rule, made := exchange.Response["result"].(float64)
		if call.model != "base.automation" || call.method != "create" || !made {
			continue
		}
		_, answer := r.execute(2, "admin", "base.automation", "unlink", []any{[]any{r.translator.id("base.automation", int(rule))}})
		if answer["result"] != true {
			r.t.Errorf("%s: the rule could not be deleted: %v", one.Name, answer)
		}
	}
}

// execute calls a method of a model.
func (r *replay) execute(uid int, password, model, method string, list []any) (*http.Response, map[string]any) {
	return r.post("/jsonrpc", "application/json", map[string]any{
		"jsonrpc": "2.0", "method": "call", "id": 1, "params": map[string]any{
			"service": "object", "method": "execute_kw",
			"args": []any{fmt.Sprintf("night%d", r.version), uid, password, model, method, list},
		},
	})
}

// exactly decodes JSON with its numbers as they were written.
func exactly(content string) any {
	decoder := json.NewDecoder(strings.NewReader(content))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return err.Error()
	}
	return value
}
