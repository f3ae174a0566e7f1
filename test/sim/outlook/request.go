package outlook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maximumBody is the size of a request body that Graph takes.
const maximumBody = 4 << 20

// request is one Graph call: an HTTP request or an item of a batch.
type request struct {
	method   string
	path     string            // below /v1.0, unescaped, for the log
	segments []string          // of the path, unescaped
	params   map[string]string // what stood for the braces of the route
	query    url.Values
	header   http.Header
	body     []byte
	batch    bool // an item of a batch

	grant *grant
	box   *mailbox // the signed-in person's
	view  view
	page  int // Prefer: odata.maxpagesize; 0 when absent
}

// answer is what a call gets back. A nil body means none.
type answer struct {
	status int
	header http.Header
	body   any
	drop   bool // close the connection instead
	// transient: a 412 for no reason (7.6).
	transient bool
}

func newRequest(method, target string, header http.Header, body []byte) (*request, error) {
	parsed, err := url.Parse(target)
	if err != nil {
		return nil, badRequest("BadRequest", "The request target is malformed.")
	}
	query, err := url.ParseQuery(parsed.RawQuery)
	if err != nil {
		return nil, badRequest("BadRequest", "The query of the request is malformed.")
	}
	q := &request{method: method, query: query, header: header, body: body, params: map[string]string{}}
	for segment := range strings.SplitSeq(strings.Trim(parsed.EscapedPath(), "/"), "/") {
		plain, err := url.PathUnescape(segment)
		if err != nil {
			return nil, badRequest("BadRequest", "The path of the request is malformed.")
		}
		q.segments = append(q.segments, plain)
	}
	q.path = "/" + strings.Join(q.segments, "/")
	return q, nil
}

// readPreferences understands the Prefer header (7.21) and returns what was
// applied.
func (s *Server) readPreferences(q *request) ([]string, error) {
	q.view.zone = utc
	var applied []string
	for _, line := range q.header.Values("Prefer") {
		for _, preference := range splitQuoted(line) {
			name, value, _ := strings.Cut(preference, "=")
			value = strings.Trim(strings.TrimSpace(value), `"`)
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "idtype":
				if !strings.EqualFold(value, "ImmutableId") {
					continue
				}
				q.view.immutable = true
			case "outlook.timezone":
				in, err := parseZone(value, s.config.Switches.AcceptEveryZone)
				if err != nil {
					return nil, err
				}
				in.name = value
				q.view.zone = in
			case "outlook.body-content-type":
				q.view.text = strings.EqualFold(value, "text")
			case "odata.maxpagesize":
				size, err := strconv.Atoi(value)
				if err != nil || size < 1 {
					return nil, badRequest("ErrorInvalidRequest", "The preference odata.maxpagesize must be a positive number.")
				}
				q.page = min(size, maximumPage)
			default:
				continue
			}
			applied = append(applied, strings.TrimSpace(preference))
		}
	}
	return applied, nil
}

// splitQuoted splits at commas outside of quotes.
func splitQuoted(line string) []string {
	var parts []string
	quoted, from := false, 0
	for i, r := range line {
		switch {
		case r == '"':
			quoted = !quoted
		case r == ',' && !quoted:
			parts = append(parts, strings.TrimSpace(line[from:i]))
			from = i + 1
		}
	}
	return append(parts, strings.TrimSpace(line[from:]))
}

// content decodes a JSON object from the body.
func (q *request) content() (map[string]any, error) {
	if len(strings.TrimSpace(string(q.body))) == 0 {
		return nil, badRequest("BadRequest", "Empty Payload. JSON content expected.")
	}
	var content map[string]any
	if err := json.Unmarshal(q.body, &content); err != nil || content == nil {
		return nil, badRequest("BadRequest", "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")
	}
	return content, nil
}

// optionalContent is content for the actions whose body may be empty.
func (q *request) optionalContent() (map[string]any, error) {
	if len(strings.TrimSpace(string(q.body))) == 0 {
		return map[string]any{}, nil
	}
	return q.content()
}

// Handler serves sign-in and Graph, on any host and with or without TLS.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if below, ok := strings.CutPrefix(r.URL.EscapedPath(), "/v1.0/"); ok {
			s.serveGraph(w, r, below)
			return
		}
		s.serveSignIn(w, r)
	})
}

func (s *Server) serveGraph(w http.ResponseWriter, r *http.Request, below string) {
	s.mutex.Lock()
	s.counter++
	requestID := s.guid(fmt.Sprintf("request %d", s.counter))
	s.mutex.Unlock()
	client := r.Header.Get("client-request-id")
	if client == "" {
		client = requestID
	}
	w.Header().Set("request-id", requestID)
	w.Header().Set("client-request-id", client)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maximumBody))
	var given *answer
	if err != nil {
		given = refusal(failure(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The request is larger than %d bytes.", maximumBody))
	} else if q, err := newRequest(r.Method, below+"?"+r.URL.RawQuery, r.Header, body); err != nil {
		given = refusal(err)
	} else {
		given = s.perform(r.Context(), q)
	}
	if given.drop {
		panic(http.ErrAbortHandler) // net/http's way of closing the connection unanswered
	}
	for name, values := range given.header {
		w.Header()[name] = values
	}
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	if given.body == nil {
		w.WriteHeader(given.status)
		return
	}
	s.complete(given, requestID, client)
	w.Header().Set("Content-Type", "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8")
	writeJSON(w, given.status, given.body)
}

// complete puts the request's identity into an error envelope (8.15).
func (s *Server) complete(given *answer, requestID, client string) {
	envelope, ok := given.body.(map[string]any)
	if !ok {
		return
	}
	if body, ok := envelope["error"].(map[string]any); ok {
		body["innerError"] = map[string]any{
			"date": s.now().UTC().Format("2006-01-02T15:04:05"), "request-id": requestID, "client-request-id": client,
		}
	}
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	rendered, err := json.Marshal(body)
	if err != nil {
		http.Error(w, "rendering the answer failed", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(status)
	// The client may be gone; there is nobody left to tell.
	_, _ = w.Write(rendered)
}

// refusal renders an error as an answer.
func refusal(err error) *answer {
	var refused *graphError
	if !errors.As(err, &refused) {
		refused = failure(http.StatusInternalServerError, "ErrorInternalServerError", "%s", err.Error())
	}
	body := map[string]any{"code": refused.code, "message": refused.message}
	for name, value := range refused.extra {
		body[name] = value
	}
	return &answer{status: refused.status, header: refused.header.Clone(), body: map[string]any{"error": body}}
}

// perform carries out one call: counted, authenticated, limited, delayed and
// possibly spoilt.
func (s *Server) perform(ctx context.Context, q *request) *answer {
	found, template := q.route(s.routes)
	call := Call{Method: q.method, Path: q.path, Template: template, BatchItem: q.batch}
	given, injected := s.admit(ctx, q, found, &call)
	call.Time, call.Status, call.Injected, call.Transient = s.now(), given.status, injected, given.transient
	if given.drop {
		call.Status = 0
	}
	s.mutex.Lock()
	s.calls.add(call)
	s.mutex.Unlock()
	return given
}

func (s *Server) admit(ctx context.Context, q *request, found *route, call *Call) (given *answer, injected bool) {
	if err := s.authenticate(q); err != nil {
		return refusal(err), false
	}
	call.Mailbox, call.Application = q.box.person.Address, q.grant.application
	var fault *Fault
	if s.config.Faults != nil {
		fault = s.config.Faults(CallInfo{
			Method: q.method, Path: q.path, Template: call.Template,
			Mailbox: call.Mailbox, Application: call.Application, BatchItem: q.batch,
		})
	}
	if fault != nil && !sleep(ctx, fault.Delay) {
		return &answer{drop: true}, true
	}
	if fault.strikes() && !fault.AfterCommit {
		return spoilt(fault, q.batch), true
	}
	given = s.limited(ctx, q, found)
	if fault.strikes() {
		return spoilt(fault, q.batch), true
	}
	return given, false
}

func spoilt(fault *Fault, batch bool) *answer {
	if fault.Drop && !batch {
		return &answer{drop: true}
	}
	return refusal(fault.answer())
}

// limited runs a call under the limits of its mailbox; calls that concern no
// mailbox data (subscriptions, the batch itself) have none.
func (s *Server) limited(ctx context.Context, q *request, found *route) *answer {
	if found == nil {
		return refusal(errorUnknownRoute(q.segments[len(q.segments)-1]))
	}
	if found.handle == nil {
		return refusal(errorMethod(q.method))
	}
	if found.scope != "" && !q.grant.allows(found.scope) {
		return refusal(errorAccessDenied())
	}
	if !found.unlimited {
		key := limitKey{q.grant.application, q.box.objectID}
		s.mutex.Lock()
		err := s.enter(key, len(q.body))
		s.mutex.Unlock()
		if err != nil {
			return refusal(err)
		}
		defer s.leave(key)
	}
	if s.config.Latency != nil && !sleep(ctx, s.config.Latency(q.method, q.path)) {
		return &answer{drop: true}
	}
	if s.conflicts(q) {
		given := refusal(failure(http.StatusPreconditionFailed, "ErrorIrresolvableConflict", conflictMessage))
		given.transient = true
		return given
	}
	applied, err := s.readPreferences(q)
	if err != nil {
		return refusal(err)
	}
	given, err := found.handle(s, ctx, q)
	if err != nil {
		return refusal(err)
	}
	if len(applied) > 0 {
		if given.header == nil {
			given.header = http.Header{}
		}
		given.header.Set("Preference-Applied", strings.Join(applied, ", "))
	}
	return given
}

// conflicts draws whether a call about one event meets the 412 that comes for no
// reason (7.6).
func (s *Server) conflicts(q *request) bool {
	if s.config.Switches.TransientConflicts <= 0 || q.params["event"] == "" {
		return false
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.random.Float64() < s.config.Switches.TransientConflicts
}

// sleep waits and tells whether the caller is still there.
func sleep(ctx context.Context, pause time.Duration) bool {
	if pause <= 0 {
		return true
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
