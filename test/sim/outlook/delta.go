package outlook

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
)

// deltaState is what a delta token holds. Tokens are sealed but kept nowhere, so
// that any of them may be used again and gives the same answer as long as
// nothing has changed (6.9).
type deltaState struct {
	Mailbox    string    `json:"m"`
	Calendar   uint64    `json:"c"`
	Generation int       `json:"g"`
	From       time.Time `json:"f"` // the window, frozen (6.3)
	To         time.Time `json:"t"`
	Position   uint64    `json:"p"` // saves up to here have been told
	Within     int       `json:"w"` // of the save after Position, so many items have been told already
	Start      uint64    `json:"s"` // deletions up to here are older than the first call
	Skip       bool      `json:"k"` // a skiptoken: the round is not finished
	Turn       uint64    `json:"n"` // makes the tokens of a wedged round differ
}

// Wedge is a way in which delta rounds do not end (6.10).
type Wedge int

// The ways in which rounds do not end.
const (
	WedgeNone Wedge = iota
	// WedgeSameLink answers every page with the nextLink that led to it.
	WedgeSameLink
	// WedgeFreshLinks answers the same page under ever new nextLinks.
	WedgeFreshLinks
)

// WedgeDelta makes the delta rounds of a mailbox never end, or end again. It
// tells whether the mailbox exists.
func (s *Server) WedgeDelta(address string, wedge Wedge) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	m := s.find(address)
	if m == nil {
		return false
	}
	m.wedge = wedge
	return true
}

// getDelta serves a round of changes to a window of one calendar, to which a move
// to another one is a deletion and a move into it a creation. A round ends
// when nothing newer than its position is left, so what changes while a client
// pages comes up again on a later page: the last one wins.
func (s *Server) getDelta(_ context.Context, q *request) (*answer, error) {
	var token string
	for name, values := range q.query {
		switch strings.ToLower(name) {
		case "$deltatoken", "$skiptoken":
			token = values[0]
			if token == "" {
				return nil, badRequest("BadRequest", "Badly formed token.")
			}
		case "startdatetime", "enddatetime":
		case "$select", "$expand", "$filter", "$orderby", "$search", "$top", "$skip", "$count":
			return nil, errorInvalid("The following parameters are not supported with change tracking over the 'CalendarView' resource: '%s'.", name)
		}
	}
	s.mutex.Lock()
	defer s.unlock()
	within, err := q.calendar()
	if err != nil {
		return nil, err
	}
	var state deltaState
	if token == "" {
		from, to, err := q.window()
		if err != nil {
			return nil, err
		}
		state = deltaState{Mailbox: q.box.objectID, Calendar: within.folder, Generation: q.box.generation, From: from, To: to, Start: q.box.version}
	} else {
		if state, err = s.openToken(token); err != nil {
			return nil, err
		}
		// In the first round positions are old by nature, and deletions before
		// Start do not matter; later every deletion since the position does.
		since := max(state.Position, state.Start)
		if state.Mailbox != q.box.objectID || state.Calendar != within.folder || state.Generation != q.box.generation || since < q.box.forgotten || state.Position > q.box.version {
			return nil, s.errorGone(q)
		}
	}
	return s.deltaPage(q, state), nil
}

// deltaItem is a save of an event (the latest only) or a deletion. A series is
// one save of several items: the master and then its occurrences.
type deltaItem struct {
	version uint64
	within  int
	key     key
	event   *event // nil when deleted
}

// deltaItems are the items that a round has yet to tell, in order.
func (s *Server) deltaItems(m *mailbox, state deltaState) []deltaItem {
	var items []deltaItem
	for _, e := range m.events {
		if e.reported <= state.Position || e.folder != state.Calendar {
			continue
		}
		items = append(items, m.deltaOf(e, state)...)
	}
	for _, t := range m.tombstones {
		if t.version > max(state.Position, state.Start) && !t.untold && t.folder == state.Calendar {
			items = append(items, deltaItem{version: t.version, within: math.MaxInt, key: t.key})
		}
	}
	slices.SortFunc(items, func(a, b deltaItem) int {
		return cmp.Or(cmp.Compare(a.version, b.version), cmp.Compare(a.within, b.within))
	})
	told := 0
	for told < min(state.Within, len(items)) && items[told].version == state.Position+1 {
		told++
	}
	return items[told:]
}

// deltaOf are the items of one event.
func (m *mailbox) deltaOf(e *event, state deltaState) []deltaItem {
	var items []deltaItem
	add := func(k key, shown *event) {
		items = append(items, deltaItem{version: e.reported, within: len(items), key: k, event: shown})
	}
	outside := e.reported > state.Start // 6.4: told as removed, known or not
	if e.recurrence == nil {
		if e.overlaps(state.From, state.To) {
			add(e.key(), e)
		} else if outside {
			add(e.key(), nil)
		}
		return items
	}
	found := e.occurrences(state.From, state.To)
	if len(found) > 0 {
		add(e.key(), e)
	} else if outside {
		add(e.key(), nil)
	}
	for _, one := range found {
		add(one.key(), one)
	}
	for _, slot := range sortedDays(e.exceptions) {
		if one := e.occurrence(slot); one != nil && outside && !one.overlaps(state.From, state.To) {
			add(one.key(), nil) // moved out of the window
		}
	}
	return items
}

// renderDelta shows an item in a round: of an occurrence that is no exception
// only what says when it is (6.5).
func (s *Server) renderDelta(q *request, item deltaItem) map[string]any {
	if item.event == nil {
		return map[string]any{
			"@odata.type": "#microsoft.graph.event", "id": q.box.idOf(item.key, q.view.immutable),
			"@removed": map[string]any{"reason": "deleted"},
		}
	}
	shown := s.render(q.box, item.event, q.view)
	if item.event.kind() == "occurrence" {
		stripped := map[string]any{}
		for _, name := range []string{"@odata.etag", "id", "seriesMasterId", "type", "start", "end"} {
			stripped[name] = shown[name]
		}
		shown = stripped
	}
	shown["@odata.type"] = "#microsoft.graph.event"
	return shown
}

func (s *Server) deltaPage(q *request, state deltaState) *answer {
	m := q.box
	items := s.deltaItems(m, state)
	size := q.page
	if size == 0 {
		size = defaultPage
	}
	next := state
	next.Position, next.Within, next.Skip = m.version, 0, false
	if len(items) > size {
		next.Position, next.Skip = items[size-1].version, true
		if items[size].version == next.Position { // goes on with this save
			next.Position--
			if state.Position == next.Position {
				next.Within = state.Within
			}
			for _, item := range items[:size] {
				if item.version == next.Position+1 {
					next.Within++
				}
			}
		}
		items = items[:size]
	}
	empty := len(items) > 0 && s.chance(s.config.Switches.DeltaEmptyPages)
	switch {
	case m.wedge != WedgeNone:
		next.Position, next.Within, next.Skip = state.Position, state.Within, true
		if m.wedge == WedgeFreshLinks || !state.Skip {
			s.counter++
			next.Turn = s.counter
		}
	case empty:
		items, next.Position, next.Within, next.Skip = nil, state.Position, state.Within, true
		s.counter++
		next.Turn = s.counter
	}
	value := []any{}
	if !empty && s.chance(s.config.Switches.DeltaReplays) {
		for _, e := range m.listed(state.Calendar) {
			if e.reported <= state.Position && e.overlaps(state.From, state.To) && len(value) < maximumReplays {
				value = append(value, s.renderDelta(q, deltaItem{event: e}))
			}
		}
	}
	for _, item := range items {
		value = append(value, s.renderDelta(q, item))
	}
	link, parameter := "@odata.deltaLink", "$deltatoken"
	if next.Skip {
		link, parameter = "@odata.nextLink", "$skiptoken"
	}
	return &answer{status: http.StatusOK, body: map[string]any{
		"@odata.context": s.contextURL("Collection(event)"),
		link:             s.config.BaseURL + "/v1.0" + escapePath(q.path) + "?" + parameter + "=" + s.sealToken(next),
		"value":          value,
	}}
}

// maximumReplays bounds what a page tells once more.
const maximumReplays = 3

// errorGone asks for a new round (6.7).
func (s *Server) errorGone(q *request) *graphError {
	gone := failure(http.StatusGone, "syncStateNotFound", "The sync state generation is not found; synchronize from the start.")
	gone.header = http.Header{"Location": {s.config.BaseURL + "/v1.0" + escapePath(q.path) + "?$deltatoken="}}
	return gone
}

func (s *Server) sealToken(state deltaState) string {
	plain, err := json.Marshal(state)
	if err != nil {
		panic(err) // a struct of plain values always renders
	}
	return base64.RawURLEncoding.EncodeToString(append(s.tokenMAC(plain), plain...))
}

func (s *Server) tokenMAC(plain []byte) []byte {
	mac := hmac.New(sha256.New, s.hash("delta tokens"))
	mac.Write(plain)
	return mac.Sum(nil)[:16]
}

// openToken tells text that is no token at all (400) from a token that this
// server does not know (410).
func (s *Server) openToken(token string) (deltaState, error) {
	sealed, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(sealed) <= 16 {
		return deltaState{}, badRequest("BadRequest", "Badly formed token.")
	}
	var state deltaState
	if !hmac.Equal(s.tokenMAC(sealed[16:]), sealed[:16]) || json.Unmarshal(sealed[16:], &state) != nil {
		return deltaState{}, failure(http.StatusGone, "syncStateNotFound", "The sync state generation is not found; synchronize from the start.")
	}
	return state, nil
}
