package nightpos

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maximumBody bounds what is read of a request.
const maximumBody = 64 << 20

func itoa(number int) string { return strconv.Itoa(number) }

func atoi(text string) int {
	number, _ := strconv.Atoi(strings.TrimSpace(text))
	return number
}

// localTime reads an imported time in the zone of the context, or the user's.
func (t *transaction) localTime(text string) (string, error) {
	instant, err := time.ParseInLocation(datetimeFormat, text, t.zone())
	return instant.UTC().Format(datetimeFormat), err
}

// Handler serves the external API and web sessions.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /jsonrpc", s.jsonRPC(s.service))
	mux.HandleFunc("POST /web/session/authenticate", s.jsonRPC(s.sessionAuthenticate))
	mux.HandleFunc("POST /web/session/get_session_info", s.jsonRPC(s.sessionInfo))
	mux.HandleFunc("POST /web/session/destroy", s.jsonRPC(s.sessionDestroy))
	mux.HandleFunc("POST /web/webclient/version_info", s.jsonRPC(func(*http.Request, map[string]any, http.Header) (any, error) { return s.versionInfo(), nil }))
	mux.HandleFunc("POST /web/dataset/call_kw", s.jsonRPC(s.callKW))
	mux.HandleFunc("POST /web/dataset/call_kw/", s.jsonRPC(s.callKW))
	if s.config.Version >= 19 {
		mux.HandleFunc("/json/2", s.json2)
		mux.HandleFunc("/json/2/", s.json2)
		mux.HandleFunc("GET /web/version", s.tellVersion)
		mux.HandleFunc("GET /json/version", s.tellVersion)
		mux.HandleFunc("GET /web/health", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Connection", "close")
			_, _ = io.WriteString(w, `{"status": "pass"}`)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/jsonrpc" {
			badRequest(w)
			return
		}
		http.NotFound(w, r)
	})
	return mux
}

// badRequest is the page that what is not JSON-RPC gets.
func badRequest(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Connection", "close")
	w.WriteHeader(http.StatusBadRequest)
	_, _ = io.WriteString(w, "<!doctype html>\n<html lang=en>\n<title>400 Bad Request</title>\n<h1>Bad Request</h1>\n<p>Invalid JSON data</p>\n")
}

// refuseType is the page that other than JSON gets from 19 on.
func refuseType(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Connection", "close")
	w.WriteHeader(http.StatusUnsupportedMediaType)
	_, _ = io.WriteString(w, "<!doctype html>\n<html lang=en>\n<title>415 Unsupported Media Type</title>\n<h1>Unsupported Media Type</h1>\n<p>Please verify the Content-Type request header and try again.</p>\n")
}

// errDropped closes the connection without an answer.
var errDropped = errors.New("the connection is to be closed")

// statusFault answers with a bare HTTP status, as a proxy in front would.
type statusFault int

func (statusFault) Error() string { return "a bare status" }

// jsonRPC is the frame of every call: always 200, errors included.
func (s *Server) jsonRPC(call func(*http.Request, map[string]any, http.Header) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		body, readErr := io.ReadAll(http.MaxBytesReader(w, r.Body, maximumBody))
		var request struct {
			ID     any            `json:"id"`
			Params map[string]any `json:"params"`
		}
		if s.config.Version >= 19 && kind != "application/json" {
			refuseType(w)
			return
		}
		if err != nil || kind != "application/json" || readErr != nil || json.Unmarshal(body, &request) != nil {
			badRequest(w)
			return
		}
		parameters, _ := plain(request.Params).(map[string]any)
		result, err := call(r, parameters, w.Header())
		answer := map[string]any{"jsonrpc": "2.0", "id": request.ID}
		var failed *fault
		var status statusFault
		switch {
		case errors.Is(err, errDropped):
			panic(http.ErrAbortHandler)
		case errors.As(err, &status):
			w.WriteHeader(int(status))
			return
		case errors.As(err, &failed):
			message := "Odoo Server Error"
			code := failed.code
			switch {
			case code == 100:
				message, answer["id"] = "Odoo Session Expired", nil
			case s.config.Version >= 19:
				code = 0
			}
			more := failed.context
			if more == nil {
				more = map[string]any{}
			}
			answer["error"] = map[string]any{"code": code, "message": message, "data": map[string]any{
				"name": failed.name, "debug": "", "message": failed.message, "arguments": []any{failed.message}, "context": more,
			}}
		case err != nil:
			code := 200
			if s.config.Version >= 19 {
				code = 0
			}
			answer["error"] = map[string]any{"code": code, "message": "Odoo Server Error", "data": map[string]any{
				"name": "builtins.Exception", "debug": "", "message": err.Error(), "arguments": []any{}, "context": map[string]any{},
			}}
		default:
			if _, none := result.(nothing); !none {
				answer["result"] = result
			}
		}
		content, err := json.Marshal(answer)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		// A threaded server closes after each answer.
		w.Header().Set("Connection", "close")
		_, _ = w.Write(content)
	}
}

func (s *Server) versionInfo() map[string]any {
	version := itoa(s.config.Version) + ".0"
	return map[string]any{
		"server_version": version, "server_version_info": []any{s.config.Version, 0, 0, "final", 0, ""},
		"server_serie": version, "protocol_version": 1,
	}
}

func (s *Server) noDatabase(name string) error {
	return newFault("psycopg2.OperationalError", "connection to server at \"127.0.0.1\", port 5433 failed: FATAL:  database \"%s\" does not exist\n", name)
}

// service dispatches a call of /jsonrpc.
func (s *Server) service(_ *http.Request, parameters map[string]any, _ http.Header) (any, error) {
	list, _ := parameters["args"].([]any)
	method := textOf(parameters["method"])
	at := func(index int) string {
		if index < len(list) {
			return textOf(list[index])
		}
		return ""
	}
	switch parameters["service"] {
	case "common":
		switch method {
		case "version":
			return s.versionInfo(), nil
		case "authenticate", "login":
			if at(0) != s.config.Database {
				return nil, s.noDatabase(at(0))
			}
			if uid := s.signedIn(at(1), at(2)); uid != 0 {
				return uid, nil
			}
			if user := s.begin(0, nil).get("res.users", s.keyHolder(at(2))); user != nil && user.values["login"] == at(1) {
				return user.id, nil
			}
			return false, nil
		}
	case "db":
		if method == "list" {
			return []string{s.config.Database}, nil
		}
	case "object":
		if method == "execute_kw" || method == "execute" {
			return s.execute(method, list)
		}
	default:
		return nil, newFault("builtins.KeyError", "%s", textOf(parameters["service"]))
	}
	return nil, newFault("builtins.AttributeError", "%s", method)
}

// execute runs a method of a model as a user.
func (s *Server) execute(way string, list []any) (any, error) {
	if len(list) < 5 && s.config.Version >= 19 {
		return nil, valueError("not enough values to unpack (expected at least 5, got %d)", len(list))
	}
	if len(list) < 5 {
		return nil, newFault("builtins.IndexError", "list index out of range")
	}
	if textOf(list[0]) != s.config.Database {
		return nil, s.noDatabase(textOf(list[0]))
	}
	uid, model, method := intOf(list[1]), textOf(list[3]), textOf(list[4])
	if key := textOf(list[2]); !s.authentic(uid, key) && (uid == 0 || s.keyHolder(key) != uid) {
		return nil, accessDenied()
	}
	given := arguments{named: map[string]any{}}
	if way == "execute" {
		given.list = list[5:]
	} else if len(list) > 5 {
		given.list, _ = list[5].([]any)
		if len(list) > 6 {
			given.named = objectOf(list[6])
		}
	}
	return s.run(uid, model, method, given)
}

// run is one call and one transaction.
func (s *Server) run(uid int, model, method string, given arguments) (any, error) {
	if given.named == nil {
		given.named = map[string]any{}
	}
	s.count(model + "." + method)
	if s.config.Latency != nil {
		if delay := s.config.Latency(model, method); delay > 0 && !s.pause(delay) {
			return nil, errDropped
		}
	}
	if s.config.Work != nil && !s.work(s.config.Work(model, method, recordsOf(given))) {
		return nil, errDropped
	}
	var fate CallFate
	if s.config.Call != nil {
		fate = s.config.Call(model, method)
	}
	if fate.Status != 0 {
		return nil, statusFault(fate.Status)
	}
	context := objectOf(given.named["context"])
	result, err := s.transact(uid, context, fate.Rollback, func(t *transaction) (any, error) { return t.method(model, method, given) })
	if fate.Drop {
		return nil, errDropped
	}
	return result, err
}

// workStep is how finely calls share the workers.
const workStep = time.Millisecond

// work takes a worker's time, or a part of it where there are more calls than
// workers.
func (s *Server) work(left time.Duration) bool {
	s.mutex.Lock()
	s.working++
	s.mutex.Unlock()
	defer func() {
		s.mutex.Lock()
		s.working--
		s.mutex.Unlock()
	}()
	for left > 0 {
		if !s.pause(workStep) {
			return false
		}
		s.mutex.Lock()
		done := workStep
		if workers := max(s.config.Workers, 1); s.working > workers {
			done = workStep * time.Duration(workers) / time.Duration(s.working)
		}
		s.mutex.Unlock()
		left -= done
	}
	return true
}

// recordsOf is how many records a call names, or its operations do.
func recordsOf(given arguments) int {
	operations, listed := objectOf(given.named["context"])["gw_ops"].([]any)
	if !listed {
		return len(given.ids())
	}
	records := 0
	for _, item := range operations {
		operation := objectOf(item)
		ids, _ := intsOf(operation["ids"])
		vals, _ := operation["vals"].([]any)
		lines, _ := operation["lines"].([]any)
		records += len(ids) + len(vals) + len(lines)
	}
	return records
}
