package meetings_test

import (
	"maps"
	"time"
)

// begin is when the meeting takes place first.
func (c *cell) begin() time.Time {
	day := time.Date(2000, 1, 10, 10, 0, 0, 0, time.UTC).AddDate(0, 0, 7*c.week)
	if c.shape == shapeAllDay {
		return day.Truncate(24 * time.Hour)
	}
	return day
}

func (c *cell) length() time.Duration {
	if c.shape == shapeAllDay {
		return 24 * time.Hour
	}
	return time.Hour
}

func (c *cell) repeats() bool { return c.shape == shapeSeries || c.shape == shapeOccurrence }

// shift is how far actMove moves.
func (c *cell) shift() time.Duration {
	if c.shape == shapeAllDay {
		return 24 * time.Hour
	}
	return 2 * time.Hour
}

func inOutlookAt(start time.Time, length time.Duration) map[string]any {
	at := func(at time.Time) map[string]any {
		return map[string]any{"dateTime": at.UTC().Format("2006-01-02T15:04:05"), "timeZone": "UTC"}
	}
	return map[string]any{"start": at(start), "end": at(start.Add(length))}
}

func inNightPOSAt(start time.Time, length time.Duration) map[string]any {
	if length == 24*time.Hour {
		// Whole days end on their last one.
		return map[string]any{"start": start.Format(time.DateTime), "stop": start.Format(time.DateTime), "allday": true}
	}
	return map[string]any{"start": start.UTC().Format(time.DateTime), "stop": start.Add(length).UTC().Format(time.DateTime)}
}

func attendees(addresses ...string) []any {
	list := []any{}
	for _, address := range addresses {
		list = append(list, map[string]any{"type": "required", "emailAddress": map[string]any{"address": address, "name": address}})
	}
	return list
}

// make makes the cell's meeting.
func (s *scene) make(c *cell) {
	s.Helper()
	if c.made == sideOutlook {
		content := inOutlookAt(c.begin(), c.length())
		content["subject"], content["isAllDay"] = c.tag+" meeting", c.shape == shapeAllDay
		content["attendees"] = attendees(s.invited(c)...)
		if c.repeats() {
			content["recurrence"] = map[string]any{
				"pattern": map[string]any{"type": "daily", "interval": 1},
				"range":   map[string]any{"type": "numbered", "startDate": c.begin().Format(time.DateOnly), "numberOfOccurrences": 3, "recurrenceTimeZone": "UTC"},
			}
		}
		_, err := s.Outlook.Mailbox(c.organizerAddress()).Create(s.Context(), content)
		s.must(err)
		return
	}
	values := inNightPOSAt(c.begin(), c.length())
	values["name"], values["partner_ids"] = c.tag+" meeting", s.partners(append([]string{alice}, s.invited(c)...)...)
	if c.organizer == organizerNobody {
		values["user_id"] = false
	}
	if c.repeats() {
		maps.Copy(values, map[string]any{"recurrency": true, "rrule_type": "daily", "interval": 1, "end_type": "count", "count": 3, "event_tz": "UTC"})
	}
	_, err := s.NightPOS.Member("alice").Create(s.Context(), values)
	s.must(err)
}

// invited are the addresses of those invited to begin with.
func (s *scene) invited(c *cell) []string {
	if c.organizer == organizerOutside {
		return []string{alice, bob, erin}
	}
	return []string{bob, c.third()}
}

func (s *scene) partners(addresses ...string) []any {
	var ids []any
	for _, address := range addresses {
		ids = append(ids, s.NightPOS.Contact(address))
	}
	return []any{[]any{6, 0, ids}}
}

// act does what the cell is about.
func (s *scene) act(c *cell) {
	s.Helper()
	if c.side == sideOutlook {
		s.actInOutlook(c)
		return
	}
	s.actInNightPOS(c)
}

func (s *scene) actInOutlook(c *cell) {
	s.Helper()
	address := c.organizerAddress()
	switch c.action {
	case actAccept, actMaybe, actDecline, actDrop:
		address = bob
	}
	if address == "" {
		address = bob // and the stand-in that is there
	}
	var id string
	if c.shape == shapeOccurrence {
		id = s.occurrenceOf(address, c.tag, 1)
	} else {
		id = s.copyOf(address, c.tag)
	}
	box := s.Outlook.Mailbox(address)
	update := func(patch map[string]any) {
		_, err := box.Update(s.Context(), id, patch)
		s.must(err)
	}
	switch c.action {
	case actRename:
		update(map[string]any{"subject": c.tag + " renamed"})
	case actMove:
		start := c.begin()
		if c.shape == shapeOccurrence {
			start = start.AddDate(0, 0, 1)
		}
		update(inOutlookAt(start.Add(c.shift()), c.length()))
	case actAccept:
		s.must(box.Respond(s.Context(), id, "accept"))
	case actMaybe:
		s.must(box.Respond(s.Context(), id, "tentativelyAccept"))
	case actDecline:
		s.must(box.Respond(s.Context(), id, "decline"))
	case actAdd:
		update(map[string]any{"attendees": attendees(append(s.invited(c), dave)...)})
	case actRemove:
		update(map[string]any{"attendees": attendees(without(s.invited(c), c.third())...)})
	case actDelete, actDrop:
		s.must(box.Delete(s.Context(), id))
	}
}

func without(addresses []string, one string) []string {
	var rest []string
	for _, address := range addresses {
		if address != one {
			rest = append(rest, address)
		}
	}
	return rest
}

func (s *scene) actInNightPOS(c *cell) {
	s.Helper()
	member, ids := s.NightPOS.Member("alice"), s.records(c.tag, false)
	if c.organizer == organizerOutside {
		member = s.NightPOS.Member("bob")
	}
	id, scope := ids[0], ""
	switch c.shape {
	case shapeSeries:
		scope = "all_events"
	case shapeOccurrence:
		id = ids[1]
	}
	write := func(values map[string]any) {
		if scope != "" {
			values["recurrence_update"] = scope
		}
		s.must(member.Write(s.Context(), []int{id}, values))
	}
	reply := func(state string) {
		if scope == "" {
			s.must(s.NightPOS.Member("bob").Answer(s.Context(), id, state))
			return
		}
		s.must(s.NightPOS.Member("bob").AnswerSeries(s.Context(), id, state, scope))
	}
	archive := func() {
		if scope == "" {
			s.must(member.Archive(s.Context(), id))
			return
		}
		s.must(member.MassArchive(s.Context(), id, scope))
	}
	switch c.action {
	case actRename:
		write(map[string]any{"name": c.tag + " renamed"})
	case actMove:
		start := c.begin()
		if c.shape == shapeOccurrence {
			start = start.AddDate(0, 0, 1)
		}
		write(inNightPOSAt(start.Add(c.shift()), c.length()))
	case actAccept:
		reply("accepted")
	case actMaybe:
		reply("tentative")
	case actDecline:
		reply("declined")
	case actAdd:
		write(map[string]any{"partner_ids": []any{[]any{4, s.NightPOS.Contact(dave), 0}}})
	case actRemove:
		write(map[string]any{"partner_ids": []any{[]any{3, s.NightPOS.Contact(c.third()), 0}}})
	case actDelete:
		if scope == "" {
			s.must(member.Unlink(s.Context(), id))
		} else {
			s.must(member.MassDelete(s.Context(), id, scope))
		}
	case actArchive:
		archive()
	case actRestore:
		archive()
		s.Quiet()
		if scope == "" {
			s.must(member.Unarchive(s.Context(), id))
		} else {
			s.must(member.Unarchive(s.Context(), ids...))
		}
	}
}
