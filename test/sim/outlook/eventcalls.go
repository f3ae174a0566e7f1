package outlook

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

func (s *Server) contextURL(of string) string {
	return s.config.BaseURL + "/v1.0/$metadata#" + of
}

// event finds the event that the path names: below a calendar only one of that
// calendar, otherwise one of any (11.2). The caller holds the mutex.
func (q *request) event() (*event, error) {
	within, err := q.calendar()
	if err != nil {
		return nil, err
	}
	found, err := q.box.lookup(q.params["event"], q.view.immutable)
	if err == nil && found.folder != within.folder && !q.everywhere() {
		return nil, errorItemNotFound()
	}
	return found, err
}

func (m *mailbox) lookup(id string, immutable bool) (*event, error) {
	wanted, err := m.parseID(id, immutable)
	if err != nil {
		return nil, err
	}
	found := m.events[wanted.item]
	if found != nil && !immutable && (found.folder != wanted.folder || found.entry != wanted.entry) {
		return nil, errorItemNotFound() // it was moved, and the id was another place's
	}
	return among(found, wanted)
}

// shownOf is the event that the path names as reads show it: for a moment perhaps
// as it was (13.9). The caller holds the mutex.
func (s *Server) shownOf(q *request) (*event, error) {
	found, err := q.event()
	if err != nil {
		return nil, err
	}
	stale, there := q.box.stale[found.item]
	if !there || q.box.events[found.item] == nil || !s.now().Before(stale.until) {
		return found, nil
	}
	return among(stale.shown, found.key())
}

// among finds what an id names in an event, which may be a series.
func among(found *event, wanted key) (*event, error) {
	if found != nil && !wanted.slot.IsZero() {
		found = found.occurrence(wanted.slot)
	}
	if found == nil {
		return nil, errorItemNotFound()
	}
	return found, nil
}

// shown is the answer that carries one event.
func (s *Server) shown(q *request, status int, e *event, options listOptions) *answer {
	body := s.shape(q, options, e)
	body["@odata.context"] = s.contextURL("users('" + q.box.objectID + "')/events/$entity")
	return &answer{status: status, header: http.Header{"Etag": {e.etag()}}, body: body}
}

func (s *Server) getEvent(_ context.Context, q *request) (*answer, error) {
	options, err := s.readListOptions(q, "$select", "$expand")
	if err != nil {
		return nil, err
	}
	s.mutex.Lock()
	defer s.unlock()
	found, err := s.shownOf(q)
	if err != nil {
		return nil, err
	}
	return s.shown(q, http.StatusOK, found, options), nil
}

func (s *Server) postEvent(_ context.Context, q *request) (*answer, error) {
	content, err := q.content()
	if err != nil {
		return nil, err
	}
	s.mutex.Lock()
	defer s.unlock()
	within, err := q.calendar()
	if err != nil {
		return nil, err
	}
	made, err := s.create(q.box, q.grant.actor(), within.folder, content)
	if err != nil {
		return nil, inMode(err, q)
	}
	given := s.shown(q, http.StatusCreated, made, listOptions{})
	given.header.Set("Location", s.config.BaseURL+"/v1.0/users('"+q.box.objectID+"')/events('"+q.box.idOf(made.key(), q.view.immutable)+"')")
	return given, nil
}

// inMode shows the id inside a duplicate error in the mode of the request.
func inMode(err error, q *request) error {
	var refused *graphError
	if !errors.As(err, &refused) || !q.view.immutable {
		return err
	}
	if id, ok := refused.extra["@event.existingEventId"].(string); ok {
		if existing, parseErr := q.box.parseID(id, false); parseErr == nil {
			refused.extra["@event.existingEventId"] = q.box.immutableID(existing)
		}
	}
	return refused
}

// guard honours If-Match (7.6).
func (s *Server) guard(q *request, e *event) error {
	wanted := q.header.Get("If-Match")
	if wanted == "" || wanted == "*" || s.config.Switches.IgnoreIfMatch {
		return nil
	}
	if strings.TrimPrefix(wanted, "W/") != `"`+e.changeKey+`"` {
		return failure(http.StatusPreconditionFailed, "ErrorIrresolvableConflict", conflictMessage)
	}
	return nil
}

func (s *Server) patchEvent(_ context.Context, q *request) (*answer, error) {
	content, err := q.content()
	if err != nil {
		return nil, err
	}
	s.mutex.Lock()
	defer s.unlock()
	found, err := q.event()
	if err != nil {
		return nil, err
	}
	if err := s.guard(q, found); err != nil {
		return nil, err
	}
	if len(content) > 0 { // an empty patch writes nothing
		if found, err = s.patch(q.box, q.grant.actor(), found, content); err != nil {
			return nil, err
		}
	}
	return s.shown(q, http.StatusOK, found, listOptions{}), nil
}

func (s *Server) deleteEvent(_ context.Context, q *request) (*answer, error) {
	s.mutex.Lock()
	defer s.unlock()
	found, err := q.event()
	if err != nil {
		return nil, err
	}
	if err := s.guard(q, found); err != nil {
		return nil, err
	}
	s.drop(q.box, q.grant.actor(), found)
	return &answer{status: http.StatusNoContent}, nil
}

func (s *Server) cancelEvent(_ context.Context, q *request) (*answer, error) {
	content, err := q.optionalContent()
	if err != nil {
		return nil, err
	}
	for name, value := range content {
		if !strings.EqualFold(name, "comment") {
			return nil, errorUnknownProperty(name, "Event")
		}
		if _, err := textOrNull(value); err != nil {
			return nil, err
		}
	}
	s.mutex.Lock()
	defer s.unlock()
	found, err := q.event()
	if err != nil {
		return nil, err
	}
	if err := s.cancel(q.box, q.grant.actor(), found); err != nil {
		return nil, err
	}
	return &answer{status: http.StatusAccepted}, nil
}

func (s *Server) answerEvent(_ context.Context, q *request) (*answer, error) {
	content, err := q.optionalContent()
	if err != nil {
		return nil, err
	}
	send, comment, proposes := true, "", false
	for name, value := range content {
		switch strings.ToLower(name) { // parameters of actions are taken in any case
		case "sendresponse":
			if value != nil {
				err = boolean(value, &send)
			}
		case "comment":
			comment, err = textOrNull(value)
		case "proposednewtime":
			proposes = value != nil
		default:
			err = errorUnknownProperty(name, "Event")
		}
		if err != nil {
			return nil, err
		}
	}
	s.mutex.Lock()
	defer s.unlock()
	found, err := q.event()
	if err != nil {
		return nil, err
	}
	action := q.segments[len(q.segments)-1]
	for name := range answers {
		if strings.EqualFold(name, action) {
			action = name
		}
	}
	if err := s.respond(q.box, q.grant.actor(), found, action, send, comment, proposes); err != nil {
		return nil, err
	}
	return &answer{status: http.StatusAccepted}, nil
}
