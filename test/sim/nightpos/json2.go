package nightpos

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// refusal is an answer of JSON-2 that the web server gives, not the database.
type refusal struct {
	status  int
	name    string
	message string
}

func (r *refusal) Error() string { return r.name + ": " + r.message }

func notFound(message string) error {
	return &refusal{http.StatusNotFound, "NotFound", message}
}

func unprocessable(message string) error {
	return &refusal{http.StatusUnprocessableEntity, "UnprocessableEntity", message}
}

func unauthorized(message string) error {
	return &refusal{http.StatusUnauthorized, "Unauthorized", message}
}

// signature is what a method takes by name over JSON-2.
type signature struct {
	// ofModel methods take no ids.
	ofModel  bool
	required []string
	optional []string
	// open methods take further arguments.
	open bool
}

var signatures = map[string]signature{
	"search":                 {ofModel: true, required: []string{"domain"}, optional: []string{"offset", "limit", "order"}},
	"search_count":           {ofModel: true, required: []string{"domain"}, optional: []string{"limit"}},
	"search_read":            {ofModel: true, optional: []string{"domain", "fields", "offset", "limit", "order"}, open: true},
	"web_search_read":        {ofModel: true, required: []string{"domain", "specification"}, optional: []string{"offset", "limit", "order", "count_limit"}},
	"create":                 {ofModel: true, required: []string{"vals_list"}},
	"load":                   {ofModel: true, required: []string{"fields", "data"}},
	"fields_get":             {ofModel: true, optional: []string{"allfields", "attributes"}},
	"context_get":            {ofModel: true},
	"find_or_create":         {ofModel: true, required: []string{"email"}, optional: []string{"assert_valid_email"}},
	"get_param":              {ofModel: true, required: []string{"key"}, optional: []string{"default"}},
	"set_param":              {ofModel: true, required: []string{"key", "value"}},
	"read":                   {optional: []string{"fields", "load"}},
	"web_read":               {required: []string{"specification"}},
	"web_save":               {required: []string{"vals", "specification"}, optional: []string{"next_id"}},
	"write":                  {required: []string{"vals"}},
	"unlink":                 {},
	"get_external_id":        {},
	"run":                    {},
	"action_archive":         {},
	"action_unarchive":       {},
	"action_mass_archive":    {required: []string{"recurrence_update_setting"}},
	"action_mass_deletion":   {required: []string{"recurrence_update_setting"}},
	"change_attendee_status": {required: []string{"status", "recurrence_update_setting"}},
	"do_accept":              {},
	"do_decline":             {},
	"do_tentative":           {},
	"has_group":              {required: []string{"group_ext_id"}},
	"make_key":               {},
	"run_check":              {},
}

// check holds the named arguments against the signature, as Python would.
func (g signature) check(name string, given map[string]any) error {
	if _, ids := given["ids"]; ids && g.ofModel {
		return unprocessable("cannot call " + name + " with ids")
	}
	for _, required := range g.required {
		if _, there := given[required]; !there {
			return unprocessable("missing a required argument: '" + required + "'")
		}
	}
	for _, argument := range slices.Sorted(maps.Keys(given)) {
		known := argument == "ids" || argument == "context" || slices.Contains(g.required, argument) || slices.Contains(g.optional, argument)
		if !known && !g.open {
			return unprocessable("got an unexpected keyword argument '" + argument + "'")
		}
	}
	return nil
}

// json2 serves POST /json/2/MODEL/METHOD, which 19 brought.
func (s *Server) json2(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	database := r.Header.Get("X-Odoo-Database")
	_, cookieErr := r.Cookie("session_id")
	switch {
	case database != "" && cookieErr == nil:
		page(w, http.StatusForbidden, "Forbidden", "Cannot use both the session_id cookie and the x-odoo-database header.")
		return
	case database != "" && database != s.config.Database:
		page(w, http.StatusNotFound, "Not Found", "No database is selected and the requested URL was not found in the server-wide controllers.")
		return
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); r.Method == http.MethodPost && (err != nil || kind != "application/json") {
		refuseType(w)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maximumBody))
	if err != nil {
		page(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large", "The data value transmitted exceeds the capacity limit.")
		return
	}
	result, err := s.callJSON2(r, body)
	var status statusFault
	switch {
	case errors.Is(err, errDropped):
		panic(http.ErrAbortHandler)
	case errors.As(err, &status):
		w.WriteHeader(int(status))
	case err != nil:
		s.refuseJSON2(w, err)
	default:
		if _, none := result.(nothing); none {
			result = nil
		}
		writeJSON(w, http.StatusOK, result)
	}
}

// callJSON2 makes the call that a request is.
func (s *Server) callJSON2(r *http.Request, body []byte) (any, error) {
	path := strings.Split(strings.Trim(strings.TrimPrefix(r.URL.Path, "/json/2"), "/"), "/")
	if r.Method != http.MethodPost || len(path) != 2 {
		return nil, notFound("Did you mean POST /json/2/<model>/<method>?")
	}
	uid, err := s.bearer(r)
	if err != nil {
		return nil, err
	}
	named, err := namedArguments(body)
	if err != nil {
		return nil, err
	}
	model, method := path[0], path[1]
	if _, known := s.schema[model]; !known {
		return nil, notFound("the model '" + model + "' does not exist")
	}
	expected, known := signatures[method]
	if !known {
		// Private methods have their own error.
		expected = signature{open: true}
	}
	if err := expected.check(model+"."+method, named); err != nil {
		return nil, err
	}
	if _, list := named["context"].([]any); list {
		return nil, newFault("builtins.TypeError", "cannot convert dictionary update sequence element #0 to a sequence")
	}
	if _, ids := named["ids"]; ids {
		if err := wholeIDs(named["ids"]); err != nil {
			return nil, err
		}
	}
	given := arguments{named: named, http: true}
	result, err := s.run(uid, model, method, given)
	var failed *fault
	if errors.As(err, &failed) && failed.name == "builtins.AttributeError" {
		return nil, notFound(failed.message)
	}
	if id, one := result.(int); one && method == "create" {
		return []int{id}, err
	}
	return result, err
}

// namedArguments reads a body. What is JSON but no object names nothing.
func namedArguments(body []byte) (map[string]any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return map[string]any{}, nil
	}
	var value any
	if json.Unmarshal(body, &value) != nil {
		reason := "Expecting value: line 1 column 1 (char 0)"
		if body[0] == '{' {
			reason = "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
		}
		return nil, &refusal{http.StatusBadRequest, "BadRequest", "could not parse the body as json: " + reason}
	}
	named, _ := plain(value).(map[string]any)
	if named == nil {
		named = map[string]any{}
	}
	return named, nil
}

// wholeIDs leaves it to the database to refuse ids that are no numbers.
func wholeIDs(value any) error {
	if _, whole := intsOf(value); whole {
		return nil
	}
	first := textOf(value)
	if list, many := value.([]any); many && len(list) > 0 {
		first = textOf(list[0])
	}
	if first == "" {
		return newFault("builtins.TypeError", "'%v' is not a list of ids", value)
	}
	return newFault("psycopg2.errors.InvalidTextRepresentation", "invalid input syntax for type integer: \"%s\"\n", first[:1])
}

// bearer finds out who calls. A password does not do in place of a key.
func (s *Server) bearer(r *http.Request) (int, error) {
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	session := s.sessionUser(r)
	if !strings.EqualFold(scheme, "bearer") {
		if session != nil {
			return 0, unauthorized(`Missing "Authorization" or Sec-headers for interactive usage.`)
		}
		return 0, unauthorized("User not authenticated, use an API Key with a Bearer Authorization header.")
	}
	uid := s.keyHolder(key)
	switch {
	case uid == 0:
		return 0, unauthorized("Invalid apikey")
	case session != nil && session.id != uid:
		return 0, newFault("odoo.exceptions.AccessDenied", "Session user does not match the used apikey.")
	}
	return uid, nil
}

// refuseJSON2 answers with an error; its status says what kind of error it is.
func (s *Server) refuseJSON2(w http.ResponseWriter, err error) {
	status, name, message, more := http.StatusInternalServerError, "builtins.Exception", err.Error(), map[string]any{}
	arguments := []any{message}
	var failed *fault
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		status, name, message = refused.status, "werkzeug.exceptions."+refused.name, refused.message
		arguments = []any{message, status}
		if status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", "Bearer ")
		}
	case errors.As(err, &failed):
		name, message = failed.name, failed.message
		arguments = []any{message}
		maps.Copy(more, failed.context)
		switch {
		case strings.HasSuffix(name, ".exceptions.AccessError"), strings.HasSuffix(name, ".exceptions.AccessDenied"):
			status = http.StatusForbidden
		case strings.HasSuffix(name, ".exceptions.MissingError"):
			status = http.StatusNotFound
		case strings.HasPrefix(name, "odoo.exceptions."):
			status = http.StatusUnprocessableEntity
		}
	}
	writeJSON(w, status, map[string]any{"name": name, "message": message, "arguments": arguments, "context": more, "debug": ""})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	content, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Connection", "close")
	w.WriteHeader(status)
	_, _ = w.Write(content)
}

// page is an error as a browser sees it.
func page(w http.ResponseWriter, status int, title, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Connection", "close")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<!doctype html>\n<html lang=en>\n<title>"+itoa(status)+" "+title+"</title>\n<h1>"+title+"</h1>\n<p>"+text+"</p>\n")
}

// tellVersion answers without a login.
func (s *Server) tellVersion(w http.ResponseWriter, _ *http.Request) {
	version := s.versionInfo()
	writeJSON(w, http.StatusOK, map[string]any{"version": version["server_version"], "version_info": version["server_version_info"]})
}
