package outlook

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// location is where the times of an event belong.
func (e *event) location() *time.Location {
	in, err := parseZone(e.startZone, true)
	if e.allDay || err != nil { // only zones that were found once are stored
		return time.UTC
	}
	return in.location
}

// day is the date of the start in the zone of the event.
func (e *event) day() time.Time {
	return clock(e.start, e.location()).Truncate(24 * time.Hour)
}

// timesOn are start and end of the occurrence that the rule gives a day, by the
// clock of the zone of the event: an occurrence may be longer or shorter when
// the clocks change meanwhile.
func (e *event) timesOn(slot time.Time) (start, end time.Time) {
	in, day := e.location(), e.day()
	return instantOf(slot.Add(clock(e.start, in).Sub(day)), in), instantOf(slot.Add(clock(e.end, in).Sub(day)), in)
}

// occurrence makes one occurrence of a series, or returns nil if the rule has
// none on that day or it was deleted. Occurrences have the change key of their
// series (7.5).
func (e *event) occurrence(slot time.Time) *event {
	if e.recurrence == nil || e.gone[slot] || !e.recurrence.has(slot) {
		return nil
	}
	if stored := e.exceptions[slot]; stored != nil {
		made := *stored
		made.series, made.version, made.changeKey = e, e.version, e.changeKey
		made.folder, made.entry = e.folder, e.entry
		return &made
	}
	return e.unmodified(slot)
}

// unmodified makes an occurrence as the rule has it.
func (e *event) unmodified(slot time.Time) *event {
	made := *e
	made.recurrence, made.exceptions, made.gone, made.transactionID = nil, nil, nil, ""
	made.start, made.end = e.timesOn(slot)
	made.iCalUID = occurrenceUID(e.iCalUID, slot)
	made.series, made.slot = e, slot
	return &made
}

// occurrences are those that overlap a window, by start.
func (e *event) occurrences(from, to time.Time) []*event {
	var found []*event
	length := e.end.Sub(e.start) + 48*time.Hour // a day for the zone, a day for the clock
	number, _ := e.recurrence.find(from.UTC().Truncate(24 * time.Hour).Add(-length).Truncate(24 * time.Hour))
	for {
		slot, ok := e.recurrence.slot(number)
		if !ok || slot.After(to.Add(48*time.Hour)) {
			break
		}
		number++
		if e.gone[slot] || e.exceptions[slot] != nil {
			continue
		}
		if made := e.unmodified(slot); made.overlaps(from, to) {
			found = append(found, made)
		}
	}
	for _, slot := range sortedDays(e.exceptions) { // wherever they were moved
		if made := e.occurrence(slot); made != nil && made.overlaps(from, to) {
			found = append(found, made)
		}
	}
	slices.SortStableFunc(found, func(a, b *event) int { return cmp.Or(a.start.Compare(b.start), a.slot.Compare(b.slot)) })
	return found
}

func sortedDays[V any](of map[time.Time]V) []time.Time {
	return slices.SortedFunc(maps.Keys(of), time.Time.Compare)
}

// neighbour is the nearest occurrence that is left before (step -1) or after
// (step 1) one, or nil.
func (e *event) neighbour(step int) *event {
	number, _ := e.series.recurrence.find(e.slot)
	for {
		number += step
		slot, ok := e.series.recurrence.slot(number)
		if !ok {
			return nil
		}
		if found := e.series.occurrence(slot); found != nil {
			return found
		}
	}
}

// crosses refuses an occurrence that has been moved to the day of a neighbour,
// past it, or into it (8.10).
func (e *event) crosses() error {
	refused := badRequest("ErrorOccurrenceCrossingBoundary", "Modified occurrence is crossing or overlapping adjacent occurrence.")
	if before := e.neighbour(-1); before != nil && (!e.day().After(before.day()) || e.start.Before(before.end)) {
		return refused
	}
	if after := e.neighbour(1); after != nil && (!e.day().Before(after.day()) || e.end.After(after.start)) {
		return refused
	}
	return nil
}

// claim notes the properties that an exception does not take from its master any
// more.
func (e *event) claim(content map[string]any) {
	own := maps.Clone(e.own)
	if own == nil {
		own = map[string]bool{}
	}
	for name := range content {
		switch {
		case ignoredProperties[name]:
		case name == "start" || name == "end" || name == "isAllDay":
			own["start"] = true
		case name == "location" || name == "locations":
			own["location"] = true
		default:
			own[name] = true
		}
	}
	e.own = own
}

// answeredAlone marks an exception whose owner has answered it, or of which an
// answer came in. cancelledAlone marks one that the organizer has cancelled.
const (
	answeredAlone  = "responseStatus"
	cancelledAlone = "isCancelled"
)

// differs tells whether an exception differs in more than answers.
func (e *event) differs() bool {
	for name := range e.own {
		if name != answeredAlone {
			return true
		}
	}
	return false
}

// overlaid brings the own properties of an exception over what its series gives
// it now, for the series to store.
func (e *event) overlaid(stored *event) *event {
	made := e.clone()
	made.series, made.own, made.version, made.modified = nil, maps.Clone(stored.own), stored.version, stored.modified
	kept := stored.clone()
	if !made.own["attendees"] {
		for i, a := range made.attendees {
			if at := findAttendee(kept.attendees, a.person.address); at >= 0 && kept.attendees[at].alone {
				made.attendees[i] = kept.attendees[at]
			}
		}
	}
	for name := range made.own {
		switch name {
		case "start":
			made.start, made.end, made.allDay = kept.start, kept.end, kept.allDay
			made.startZone, made.endZone = kept.startZone, kept.endZone
		case "subject":
			made.subject = kept.subject
		case "body", "isOnlineMeeting", "onlineMeetingProvider":
			made.body, made.online, made.onlineProvider, made.joinURL = kept.body, kept.online, kept.onlineProvider, kept.joinURL
		case "location":
			made.locations = kept.locations
		case "attendees":
			made.attendees = kept.attendees
		case "importance":
			made.importance = kept.importance
		case "sensitivity":
			made.sensitivity = kept.sensitivity
		case "showAs":
			made.showAs = kept.showAs
		case "categories":
			made.categories = kept.categories
		case "isReminderOn":
			made.reminderOn = kept.reminderOn
		case "reminderMinutesBeforeStart":
			made.reminderMinutes = kept.reminderMinutes
		case "responseRequested":
			made.responseRequested = kept.responseRequested
		case "allowNewTimeProposals":
			made.proposals = kept.proposals
		case "hideAttendees":
			made.hideAttendees = kept.hideAttendees
		case "singleValueExtendedProperties":
			made.extended = kept.extended
		case answeredAlone:
			made.answer, made.answered = kept.answer, kept.answered
		case cancelledAlone:
			made.cancelled, made.subject, made.showAs = kept.cancelled, kept.subject, kept.showAs
		}
	}
	return made
}

// carry brings exceptions and deletions of a series over a change of its master.
func (s *Server) carry(before, next *event, content map[string]any) {
	next.exceptions, next.gone = nil, nil
	if before.recurrence == nil {
		return
	}
	if next.recurrence == nil || s.dropsExceptions(before, next, content) {
		next.resets++
		return
	}
	next.exceptions, next.gone = map[time.Time]*event{}, map[time.Time]bool{}
	for slot := range before.gone {
		if next.recurrence.has(slot) {
			next.gone[slot] = true
		}
	}
	for slot, stored := range before.exceptions {
		if next.recurrence.has(slot) {
			next.exceptions[slot] = next.unmodified(slot).overlaid(stored)
		}
	}
}

func (s *Server) dropsExceptions(before, next *event, content map[string]any) bool {
	switch s.config.Switches.Exceptions {
	case ExceptionsKeep:
		return false
	case ExceptionsDropAlways:
		if content["recurrence"] != nil {
			return true
		}
	}
	return !before.sameRule(next)
}

// saveOccurrence stores an occurrence as an exception in its series, which is
// what those who watch the calendar hear about (3.12).
func (s *Server) saveOccurrence(m *mailbox, e *event, actor string) *event {
	next := m.events[e.item].clone()
	if next.exceptions == nil {
		next.exceptions = map[time.Time]*event{}
	}
	stored := e.clone()
	stored.series, stored.version, stored.modified = nil, m.version+1, s.now()
	next.exceptions[e.slot] = stored
	delete(next.gone, e.slot)
	s.save(m, next, actor)
	return next.occurrence(e.slot)
}

// removeOccurrence deletes one occurrence; the change is one of the series.
func (s *Server) removeOccurrence(m *mailbox, e *event, actor string) {
	master := m.events[e.item]
	next := master.clone()
	if next.gone == nil {
		next.gone = map[time.Time]bool{}
	}
	next.gone[e.slot] = true
	delete(next.exceptions, e.slot)
	s.store(m, next)
	silent := s.config.Switches.OccurrenceDeletesSilent
	untold := silent || !s.config.Switches.DeltaTellsDeleted || s.chance(s.config.Switches.DeltaDeletionsMissing)
	m.bury(tombstone{key: e.key(), version: m.version, untold: untold})
	s.changed(m, next, "updated", actor)
	if silent {
		s.delivery.Silent++
		next.reported = master.reported
		return
	}
	s.announce(m, next, "updated")
}

// sameRule tells whether two versions of an event recur alike, wherever they end.
func (e *event) sameRule(other *event) bool {
	if e.recurrence == nil || other.recurrence == nil {
		return e.recurrence == other.recurrence
	}
	return e.recurrence.equal(other.recurrence.pattern) && e.recurrence.start.Equal(other.recurrence.start) &&
		e.start.Equal(other.start) && e.end.Equal(other.end) && e.allDay == other.allDay && sameZone(e.startZone, other.startZone)
}
