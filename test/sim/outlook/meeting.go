package outlook

import (
	"slices"
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
	modified := modifiedInstances(before, after)
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
		for _, one := range modified { // 8.7: one mail for each instance that was updated on its own
			if findAttendee(one.attendees, guest.person.address) >= 0 {
				s.mail("update", one.organizer.address, guest.person.address, one, one.subject, actor)
			}
		}
		for _, box := range s.boxesOf(after, guest.person.address) {
			s.after(s.pick(s.config.Switches.meetingDelay()), func() { s.deliverCopy(box, after, at < 0, actor) })
		}
	}
	s.tellGuestsOfInstances(before, after, modified, attendeesOnly, actor)
}

// tellCancelled mails a cancellation and lets the copies show it (8.14).
func (s *Server) tellCancelled(e *event, guests []attendee, actor string) {
	for _, guest := range guests {
		s.mail("cancellation", e.organizer.address, guest.person.address, e, cancelledPrefix+e.subject, actor)
		for _, box := range s.boxesOf(e, guest.person.address) {
			s.after(s.pick(s.config.Switches.meetingDelay()), func() { s.deliverCancellation(box, e, actor, maximumPatience) })
		}
	}
}

// boxesOf are the mailboxes that a message about a meeting to an address reaches:
// that of the address, or of everybody on the list of that name who is not named
// besides.
func (s *Server) boxesOf(e *event, address string) []*mailbox {
	if box := s.find(address); box != nil {
		return []*mailbox{box}
	}
	var boxes []*mailbox
	for _, member := range s.config.Lists[strings.ToLower(address)] {
		named := findAttendee(e.attendees, member) >= 0 || strings.EqualFold(e.organizer.address, member)
		if box := s.find(member); box != nil && !named {
			boxes = append(boxes, box)
		}
	}
	return boxes
}

// deliverCopy brings the organizer's state into an attendee's mailbox. A copy
// that its owner has deleted comes back, as after a real update. Whoever was
// uninvited and is invited again has not answered yet, as the organizer's list
// says too (Microsoft's KB 2732379 sees an accepted meeting become tentative).
func (s *Server) deliverCopy(m *mailbox, from *event, invited bool, actor string) {
	if from.series != nil {
		s.deliverOccurrence(m, from, actor, maximumPatience)
		return
	}
	if m.followed[from.iCalUID] >= from.version {
		return // a later message was faster
	}
	m.follow(from)
	var next *event
	existing := m.events[m.byUID[from.iCalUID]]
	if existing != nil {
		next = existing.clone()
		if invited || existing.cancelled {
			next.answer, next.answered, next.showAs = "notResponded", time.Time{}, "tentative"
		}
		if s.config.Switches.AnswersReset && (!next.start.Equal(from.start) || !next.end.Equal(from.end) || !next.sameRule(from)) {
			next.answer, next.answered = "notResponded", time.Time{}
		}
	} else {
		next = s.newCopy(m, from)
	}
	next.adopt(m, from)
	next.recurrence, next.resets = from.recurrence, from.resets
	s.mirror(m, existing, next, from)
	s.dropStrays(m, from, actor)
	s.save(m, next, actor)
}

// newCopy starts an attendee's copy with what an invitation sets once.
func (s *Server) newCopy(m *mailbox, from *event) *event {
	next := s.newEvent(m)
	next.iCalUID, next.organizer = from.iCalUID, from.organizer
	next.answer, next.showAs = "notResponded", "tentative"
	next.sensitivity = from.sensitivity
	next.reminderOn, next.reminderMinutes = from.reminderOn, from.reminderMinutes
	return next
}

// adopt takes over what the organizer decides.
func (e *event) adopt(m *mailbox, from *event) {
	e.subject, e.body, e.importance = from.subject, from.body, from.importance
	e.start, e.end, e.allDay = from.start, from.end, from.allDay
	e.startZone, e.endZone = from.startZone, from.endZone
	e.locations = slices.Clone(from.locations)
	e.responseRequested, e.proposals, e.hideAttendees = from.responseRequested, from.proposals, from.hideAttendees
	e.online, e.onlineProvider, e.joinURL = from.online, from.onlineProvider, from.joinURL
	e.cancelled = false
	e.attendees = nil
	for _, a := range from.attendees {
		own := strings.EqualFold(a.person.address, m.person.Address)
		if from.hideAttendees && !own {
			continue
		}
		a.response, a.time, a.source, a.alone = "none", time.Time{}, 0, false // answers are the organizer's to see
		if own {
			a.response, a.time, a.alone = e.answer, e.answered, e.own[answeredAlone]
		}
		e.attendees = append(e.attendees, a)
	}
}

func (s *Server) deliverCancellation(m *mailbox, from *event, actor string, patience int) {
	if from.series != nil && m.followed[from.series.iCalUID] > from.version {
		return // a later message about the series has said so
	}
	if m.tooEarly(from) && patience > 0 {
		s.after(s.pick(s.config.Switches.meetingDelay()), func() { s.deliverCancellation(m, from, actor, patience-1) })
		return
	}
	if m.followed[from.iCalUID] > from.version {
		return // invited again meanwhile
	}
	m.follow(from)
	s.cancelStrays(m, from, actor)
	existing := m.byICalUID(from.iCalUID)
	if existing == nil {
		return
	}
	next := existing.clone()
	next.showCancelled()
	for slot, stored := range next.exceptions {
		if !stored.cancelled {
			one := stored.clone()
			one.showCancelled()
			next.exceptions[slot] = one
		}
	}
	if next.series == nil {
		s.save(m, next, actor)
		return
	}
	next.claim(nil)
	next.own[cancelledAlone] = true
	s.saveOccurrence(m, next, actor)
}

// showCancelled makes a copy one of a cancelled meeting (8.14).
func (e *event) showCancelled() {
	e.cancelled, e.showAs = true, "free"
	e.subject = cancelledPrefix + e.subject
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
	next.showAnswer(m, answer.response, s.now())
	for slot, stored := range next.exceptions { // an answer to one occurrence outlives one to all
		if !stored.own[answeredAlone] && !stored.cancelled {
			one := stored.clone()
			one.showAnswer(m, answer.response, next.answered)
			next.exceptions[slot] = one
		}
	}
	switch {
	case action == "decline":
		s.remove(m, e, actor)
	case next.series != nil:
		next.claim(nil)
		next.own[answeredAlone] = true
		if next.showAs != e.showAs {
			next.own["showAs"] = true
		}
		s.saveOccurrence(m, next, actor)
	default:
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

// showAnswer enters the owner's answer into a copy.
func (e *event) showAnswer(m *mailbox, answer string, at time.Time) {
	e.answer, e.answered = answer, at
	if own := findAttendee(e.attendees, m.person.Address); own >= 0 {
		e.attendees[own].response, e.attendees[own].time, e.attendees[own].alone = answer, at, e.series != nil
	}
	switch {
	case answer == "accepted" && e.showAs == "tentative":
		e.showAs = "busy"
	case answer == "tentativelyAccepted":
		e.showAs = "tentative"
	}
}

// tally enters an answer into the organizer's copy; its change key moves, and
// nobody is mailed.
func (s *Server) tally(m *mailbox, answered *event, from *mailbox, source uint64, actor string) {
	existing := m.byICalUID(answered.iCalUID)
	if existing == nil {
		return // cancelled meanwhile
	}
	next := existing.clone()
	if !next.enter(from, answered, source, existing.series != nil) {
		return
	}
	if next.series != nil {
		next.claim(nil)
		next.own[answeredAlone] = true
		s.saveOccurrence(m, next, actor)
		return
	}
	for slot, stored := range next.exceptions {
		at := findAttendee(stored.attendees, from.person.Address)
		if one := stored.clone(); at >= 0 && !stored.attendees[at].alone && one.enter(from, answered, source, false) {
			next.exceptions[slot] = one
		}
	}
	s.save(m, next, actor)
}

// enter notes an answer in the list of attendees. It tells false if the person
// is no longer invited or a later answer was faster.
func (e *event) enter(from *mailbox, answered *event, source uint64, alone bool) bool {
	at := findAttendee(e.attendees, from.person.Address)
	if at < 0 || e.attendees[at].source > source {
		return false
	}
	guest := &e.attendees[at]
	guest.response, guest.time, guest.source, guest.alone = answered.answer, answered.answered, source, alone
	return true
}
