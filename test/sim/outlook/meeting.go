package outlook

import (
	"strings"
	"time"
)

const cancelledPrefix = "Canceled: "

// tellAttendees mails the attendees about the organizer's write and lets their
// copies follow (8.6, 8.7). before is nil for a new event.
func (s *Server) tellAttendees(m *mailbox, before, after *event, content map[string]any, actor string) {
	if !after.organized(m) {
		return
	}
	if s.config.Switches.QuietPersonal && personalOnly(content) {
		return
	}
	_, attendeesOnly := content["attendees"]
	attendeesOnly = attendeesOnly && len(content) == 1
	var known []attendee
	if before != nil {
		known = before.invited()
	}
	invited := after.invited()
	var removed []attendee
	for _, old := range known {
		if findAttendee(invited, old.person.address) < 0 {
			removed = append(removed, old)
		}
	}
	s.tellCancelled(after, removed, actor)
	for _, guest := range invited {
		at := findAttendee(known, guest.person.address)
		kind := "update"
		switch {
		case at < 0:
			kind = "invitation"
		case attendeesOnly && known[at].kind == guest.kind:
			continue // only those whom the change concerns
		}
		s.mail(kind, after.organizer.address, guest.person.address, after, after.subject, actor)
		if box := s.find(guest.person.address); box != nil {
			s.after(s.pick(s.config.Switches.meetingDelay()), func() { s.deliverCopy(box, after, at < 0, actor) })
		}
	}
}

// tellCancelled mails a cancellation and lets the copies show it (8.14).
func (s *Server) tellCancelled(e *event, guests []attendee, actor string) {
	for _, guest := range guests {
		s.mail("cancellation", e.organizer.address, guest.person.address, e, cancelledPrefix+e.subject, actor)
		if box := s.find(guest.person.address); box != nil {
			s.after(s.pick(s.config.Switches.meetingDelay()), func() { s.deliverCancellation(box, e, actor) })
		}
	}
}

// deliverCopy brings the organizer's state into an attendee's mailbox. A copy
// that its owner has deleted comes back, as after a real update. Whoever was
// uninvited and is invited again has not answered yet, as the organizer's list
// says too (Microsoft's KB 2732379 sees an accepted meeting become tentative).
func (s *Server) deliverCopy(m *mailbox, from *event, invited bool, actor string) {
	if m.followed[from.iCalUID] >= from.version {
		return // a later message was faster
	}
	m.follow(from)
	var next *event
	if existing := m.events[m.byUID[from.iCalUID]]; existing != nil {
		next = existing.clone()
		if invited || existing.cancelled {
			next.answer, next.answered, next.showAs = "notResponded", time.Time{}, "tentative"
		}
		if s.config.Switches.AnswersReset && (!next.start.Equal(from.start) || !next.end.Equal(from.end)) {
			next.answer, next.answered = "notResponded", time.Time{}
		}
	} else {
		next = s.newEvent(m)
		next.iCalUID, next.organizer = from.iCalUID, from.organizer
		next.answer, next.showAs = "notResponded", "tentative"
		next.sensitivity = from.sensitivity
		next.reminderOn, next.reminderMinutes = from.reminderOn, from.reminderMinutes
	}
	next.subject, next.body, next.importance = from.subject, from.body, from.importance
	next.start, next.end, next.allDay = from.start, from.end, from.allDay
	next.startZone, next.endZone = from.startZone, from.endZone
	next.locations = from.clone().locations
	next.responseRequested, next.proposals, next.hideAttendees = from.responseRequested, from.proposals, from.hideAttendees
	next.online, next.onlineProvider, next.joinURL = from.online, from.onlineProvider, from.joinURL
	next.cancelled = false
	next.attendees = nil
	for _, a := range from.attendees {
		own := strings.EqualFold(a.person.address, m.person.Address)
		if from.hideAttendees && !own {
			continue
		}
		a.response, a.time, a.source = "none", time.Time{}, 0 // answers are the organizer's to see
		if own {
			a.response, a.time = next.answer, next.answered
		}
		next.attendees = append(next.attendees, a)
	}
	s.save(m, next, actor)
}

func (s *Server) deliverCancellation(m *mailbox, from *event, actor string) {
	if m.followed[from.iCalUID] > from.version {
		return // invited again meanwhile
	}
	m.follow(from)
	existing := m.events[m.byUID[from.iCalUID]]
	if existing == nil {
		return
	}
	next := existing.clone()
	next.cancelled, next.showAs = true, "free"
	next.subject = cancelledPrefix + next.subject
	s.save(m, next, actor)
}

// follow remembers which version of the organizer's event has arrived. It only
// has to outlast the messages that are under way, so a full memory is emptied.
func (m *mailbox) follow(from *event) {
	if len(m.followed) >= maximumTombstones {
		clear(m.followed)
	}
	m.followed[from.iCalUID] = from.version
}

// answers maps the actions of 8.4 to what they make of a copy and of the
// subject of the mail.
var answers = map[string]struct{ response, prefix string }{
	"accept":            {"accepted", "Accepted: "},
	"tentativelyAccept": {"tentativelyAccepted", "Tentative: "},
	"decline":           {"declined", "Declined: "},
}

// respond answers an invitation (8.4, 8.5). It tells the organizer only if send
// is set.
func (s *Server) respond(m *mailbox, actor string, e *event, action string, send bool, comment string, proposes bool) error {
	answer, known := answers[action]
	switch {
	case !known:
		return errorUnknownRoute(action)
	case e.organized(m):
		return errorInvalid("Your request can't be completed. You can't respond to this meeting because you're the meeting organizer.")
	case comment != "" && !send:
		return badRequest("ErrorInvalidParameter", "'SendResponse' must be true when 'Comment' is not null")
	case proposes && (!send || !e.proposals || action == "accept"):
		return badRequest("ErrorInvalidParameter", "A new time can't be proposed: the meeting doesn't allow it, or no response is sent.")
	case send && !e.responseRequested:
		return errorInvalid("Your request can't be completed. The meeting organizer hasn't requested a response.")
	}
	next := e.clone()
	next.answer, next.answered = answer.response, s.now()
	if at := findAttendee(next.attendees, m.person.Address); at >= 0 {
		next.attendees[at].response, next.attendees[at].time = next.answer, next.answered
	}
	switch action {
	case "accept":
		if next.showAs == "tentative" {
			next.showAs = "busy"
		}
	case "tentativelyAccept":
		next.showAs = "tentative"
	}
	if action == "decline" {
		s.remove(m, e, actor)
	} else {
		s.save(m, next, actor)
	}
	if !send {
		return nil
	}
	s.mail("response", m.person.Address, e.organizer.address, e, answer.prefix+e.subject, actor)
	if box := s.find(e.organizer.address); box != nil {
		source := m.version
		s.after(s.pick(s.config.Switches.meetingDelay()), func() { s.tally(box, next, m, source, actor) })
	}
	return nil
}

// tally enters an answer into the organizer's copy; its change key moves, and
// nobody is mailed.
func (s *Server) tally(m *mailbox, answered *event, from *mailbox, source uint64, actor string) {
	existing := m.events[m.byUID[answered.iCalUID]]
	if existing == nil {
		return // cancelled meanwhile
	}
	at := findAttendee(existing.attendees, from.person.Address)
	if at < 0 || existing.attendees[at].source > source {
		return // no longer invited, or a later answer was faster
	}
	next := existing.clone()
	next.attendees[at].response, next.attendees[at].time, next.attendees[at].source = answered.answer, answered.answered, source
	s.save(m, next, actor)
}
