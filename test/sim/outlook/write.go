package outlook

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// create makes an event in a calendar, or finds the one that the same
// transactionId with the same content has made before, whichever calendar that is
// in now (7.14). The caller holds the mutex, here and below.
func (s *Server) create(m *mailbox, actor string, folder uint64, content map[string]any) (*event, error) {
	canonical, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("rendering the content: %w", err)
	}
	transactionID, err := textOrNull(content["transactionId"])
	if err != nil {
		return nil, err
	}
	if made, ok := m.transactions[transactionID]; ok && transactionID != "" {
		if made.content == string(canonical) {
			return m.events[made.item], nil
		}
		refused := badRequest("ErrorDuplicateTransactionId", "Your request can't be completed. The TransactionId specified in the request has already been used to create a different event.")
		refused.extra = map[string]any{"@event.existingEventId": m.defaultID(m.events[made.item].key())}
		return nil, refused
	}
	if twin := m.events[m.twins[string(canonical)]]; s.config.Switches.TwinsMerged && transactionID == "" && twin != nil && twin.folder == folder && s.now().Sub(twin.created) < time.Minute {
		return twin, nil
	}
	e := s.newEvent(m)
	e.folder = folder
	if err := s.apply(e, content, true); err != nil {
		return nil, err
	}
	if s.config.Switches.TwinsMerged {
		m.twins[string(canonical)] = e.item
	}
	s.counter++
	e.iCalUID = s.globalObjectID(e.created, s.counter)
	s.furnish(e)
	if transactionID != "" {
		m.transactions[transactionID] = transaction{item: e.item, content: string(canonical)}
	}
	s.save(m, e, actor)
	s.tellAttendees(m, nil, e, content, actor)
	return e, nil
}

// patch changes the given properties of an event, a series or one occurrence.
func (s *Server) patch(m *mailbox, actor string, e *event, content map[string]any) (*event, error) {
	next := e.clone()
	if err := s.apply(next, content, false); err != nil {
		return nil, err
	}
	if next.cancelled && s.config.Switches.PrefixRepeats {
		next.subject = cancelledPrefix + next.subject
	}
	if next.series != nil && s.config.Switches.StaleExceptions {
		m.stale[e.item] = staleness{shown: m.events[e.item], until: s.now().Add(staleFor)}
	}
	moved := !next.start.Equal(e.start) || !next.end.Equal(e.end) || !next.sameRule(e)
	if moved && next.series != nil {
		if err := next.crosses(); err != nil {
			return nil, err
		}
	}
	if next.online && (content["body"] != nil || next.joinURL == "") {
		s.furnish(next)
	}
	if s.config.Switches.AnswersReset && next.organized(m) && moved {
		for i := range next.attendees {
			next.attendees[i].response, next.attendees[i].time = "none", time.Time{}
		}
	}
	if next.series != nil {
		next.claim(content)
		next = s.saveOccurrence(m, next, actor)
	} else {
		s.carry(e, next, content)
		s.save(m, next, actor)
	}
	s.tellAttendees(m, e, next, content, actor)
	return next, nil
}

// drop deletes an event: the organizer's deletion cancels the meeting, an
// attendee's removes only the own copy (8.1).
func (s *Server) drop(m *mailbox, actor string, e *event) {
	if e.organized(m) {
		s.tellCancelled(e, e.invited(), actor)
		s.tellExtras(e, actor)
	}
	s.remove(m, e, actor)
}

// cancel is the organizer's way of deleting with a comment (8.3).
func (s *Server) cancel(m *mailbox, actor string, e *event) error {
	if !e.organized(m) {
		return errorInvalid("Your request can't be completed. You need to be an organizer to cancel a meeting.")
	}
	s.drop(m, actor, e)
	return nil
}

// personalProperties are those of one copy alone (8.8).
var personalProperties = []string{"showAs", "categories", "sensitivity", "isReminderOn", "reminderMinutesBeforeStart", "singleValueExtendedProperties"}

func personalOnly(content map[string]any) bool {
	for name := range maps.Keys(content) {
		if !slices.Contains(personalProperties, name) {
			return false
		}
	}
	return true
}
