package outlook

import (
	"maps"
	"slices"
	"time"
)

// maximumPatience bounds how often a message about an occurrence waits for the
// one about its series, which is always under way when it has to wait.
const maximumPatience = 20

// modifiedInstances are the occurrences of a changed series that were updated on
// their own, for each of which another mail goes out (8.7).
func modifiedInstances(before, after *event) []*event {
	if before == nil || before.recurrence == nil || after.recurrence == nil {
		return nil
	}
	var modified []*event
	for _, slot := range sortedDays(after.exceptions) {
		if one := after.occurrence(slot); one != nil && one.differs() {
			modified = append(modified, one)
		}
	}
	return modified
}

// tellGuestsOfInstances tells those who are invited to single occurrences only
// about a change of the series, and of those occurrences that it has undone.
func (s *Server) tellGuestsOfInstances(before, after *event, modified []*event, attendeesOnly bool, actor string) {
	if before == nil || before.recurrence == nil {
		return
	}
	for _, slot := range sortedDays(before.exceptions) {
		if after.exceptions[slot] == nil {
			s.tellCancelled(before.occurrence(slot), guestsOfInstance(before.occurrence(slot), after), actor)
		}
	}
	if attendeesOnly {
		return
	}
	for _, one := range modified {
		for _, guest := range guestsOfInstance(one, after) {
			s.mail("update", one.organizer.address, guest.person.address, one, one.subject, actor)
			if box := s.find(guest.person.address); box != nil {
				s.after(s.pick(s.config.Switches.meetingDelay()), func() { s.deliverCopy(box, one, false, actor) })
			}
		}
	}
}

// guestsOfInstance are invited to an occurrence but not to its series.
func guestsOfInstance(one, series *event) []attendee {
	return slices.DeleteFunc(one.invited(), func(a attendee) bool { return findAttendee(series.attendees, a.person.address) >= 0 })
}

// tellExtras cancels the occurrences of a series that is deleted for those who
// are invited to nothing else of it.
func (s *Server) tellExtras(e *event, actor string) {
	for _, slot := range sortedDays(e.exceptions) {
		if one := e.occurrence(slot); one != nil {
			s.tellCancelled(one, guestsOfInstance(one, e), actor)
		}
	}
}

// byICalUID finds an event by its iCalUId, an occurrence of a series too.
func (m *mailbox) byICalUID(uid string) *event {
	if found := m.events[m.byUID[uid]]; found != nil {
		return found
	}
	series, slot := splitUID(uid)
	if master := m.events[m.byUID[series]]; master != nil && !slot.IsZero() {
		return master.occurrence(slot)
	}
	return nil
}

// tooEarly tells whether a message is about an occurrence of a series whose own
// message is still under way.
func (m *mailbox) tooEarly(from *event) bool {
	if from.series == nil {
		return false
	}
	series := m.events[m.byUID[from.series.iCalUID]]
	if series == nil {
		return m.followed[from.series.iCalUID] == 0 && findAttendee(from.series.attendees, m.person.Address) >= 0
	}
	return series.recurrence == nil || !series.recurrence.has(from.slot) || series.resets < from.series.resets
}

// deliverOccurrence brings the organizer's state of one occurrence into an
// attendee's mailbox. Who is not invited to the series, or has deleted it, gets
// the occurrence as a single event.
func (s *Server) deliverOccurrence(m *mailbox, from *event, actor string, patience int) {
	if m.followed[from.iCalUID] >= from.version || m.followed[from.series.iCalUID] >= from.version {
		return // a later message was faster
	}
	if m.tooEarly(from) {
		if patience > 0 {
			s.after(s.pick(s.config.Switches.meetingDelay()), func() { s.deliverOccurrence(m, from, actor, patience-1) })
		}
		return
	}
	m.follow(from)
	if series := m.events[m.byUID[from.series.iCalUID]]; series != nil {
		next := s.mirrorOccurrence(m, series, from, series.exceptions[from.slot])
		next.series = series
		s.saveOccurrence(m, next, actor)
		return
	}
	var next *event
	if existing := m.events[m.byUID[from.iCalUID]]; existing != nil {
		next = existing.clone()
	} else {
		next = s.newCopy(m, from)
	}
	next.adopt(m, from)
	s.save(m, next, actor)
}

// mirror lets the occurrences of a copy follow the organizer's series. What the
// attendee has decided for single occurrences (an answer, a deletion, a
// reminder) stays, unless the organizer's were dropped too.
func (s *Server) mirror(m *mailbox, existing, next, from *event) {
	next.exceptions, next.gone = nil, nil
	if from.recurrence == nil {
		return
	}
	next.exceptions, next.gone = map[time.Time]*event{}, map[time.Time]bool{}
	kept := &event{}
	if existing != nil && existing.recurrence != nil && !existing.cancelled && existing.resets == from.resets {
		kept = existing
	}
	// stay keeps an occurrence that was cancelled in sight, and others away.
	stay := func(slot time.Time) {
		if shown := kept.exceptions[slot]; shown != nil && shown.cancelled {
			next.exceptions[slot] = next.unmodified(slot).overlaid(shown)
			return
		}
		next.gone[slot] = true
	}
	for slot := range from.gone {
		stay(slot)
	}
	for slot := range kept.gone {
		if next.recurrence.has(slot) {
			next.gone[slot] = true
		}
	}
	different := maps.Clone(kept.exceptions)
	if different == nil {
		different = map[time.Time]*event{}
	}
	for slot, stored := range from.exceptions {
		if different[slot] == nil && stored.differs() {
			different[slot] = stored
		}
	}
	for _, slot := range sortedDays(different) {
		one := from.occurrence(slot)
		previous := kept.exceptions[slot]
		switch {
		case one == nil || next.gone[slot] || next.exceptions[slot] != nil:
		case previous != nil && m.followed[one.iCalUID] >= from.version: // a later message about it was faster
			next.exceptions[slot] = next.unmodified(slot).overlaid(previous)
		case findAttendee(one.attendees, m.person.Address) < 0:
			stay(slot)
		default:
			next.exceptions[slot] = s.mirrorOccurrence(m, next, one, previous)
		}
	}
}

// mirrorOccurrence makes the exception that an attendee's series stores for an
// occurrence of the organizer's. previous is the one it stored before, or nil.
func (s *Server) mirrorOccurrence(m *mailbox, series, from, previous *event) *event {
	made := series.unmodified(from.slot)
	before := made
	own := map[string]bool{}
	if previous != nil {
		personal := previous.clone()
		maps.DeleteFunc(personal.own, func(name string, _ bool) bool { return !ofCopy(name) })
		made, before = made.overlaid(personal), previous
		maps.Copy(own, personal.own)
	}
	for name := range from.own {
		if !ofCopy(name) {
			own[name] = true
		}
	}
	made = made.clone()
	made.own, made.series, made.version = own, nil, m.version+1
	if s.config.Switches.AnswersReset && (!before.start.Equal(from.start) || !before.end.Equal(from.end)) {
		made.answer, made.answered = "notResponded", time.Time{}
		delete(made.own, answeredAlone)
	}
	made.adopt(m, from)
	return made
}

// ofCopy tells the properties that every copy of a meeting has for itself.
func ofCopy(name string) bool {
	return name == answeredAlone || slices.Contains(personalProperties, name)
}

// strays are the single events that occurrences of a series were to somebody who had
// nothing else of it, the earliest first, but for those that are off. That they go or
// are off with the series is what an attendee sees; how Graph tells of it is not
// established.
func (m *mailbox) strays(of *event) []*event {
	var found []*event
	for _, e := range m.events {
		if series, slot := splitUID(e.iCalUID); !slot.IsZero() && series == of.iCalUID && !e.cancelled {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b *event) int { return a.start.Compare(b.start) })
	return found
}

// dropStrays removes them, now that the series itself has come, or what it became.
func (s *Server) dropStrays(m *mailbox, from *event, actor string) {
	for _, stray := range m.strays(from) {
		s.remove(m, stray, actor)
	}
}

// cancelStrays shows that they are off, as all of the series is.
func (s *Server) cancelStrays(m *mailbox, from *event, actor string) {
	if from.recurrence == nil {
		return
	}
	for _, stray := range m.strays(from) {
		next := stray.clone()
		next.showCancelled()
		s.save(m, next, actor)
	}
}
