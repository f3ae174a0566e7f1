package reconciler

import (
	"maps"
	"slices"
)

// listedSeries is what the two listings of a sweep show of series, occurrence by
// occurrence.
type listedSeries struct {
	copies  map[string][]*Copy
	records map[int64][]*Record
}

func gatherSeries(copies []Copy, records []Record) *listedSeries {
	listed := &listedSeries{copies: map[string][]*Copy{}, records: map[int64][]*Record{}}
	for index := range copies {
		if copied := &copies[index]; copied.Recurring && copied.MasterID != "" {
			listed.copies[copied.MasterID] = append(listed.copies[copied.MasterID], copied)
		}
	}
	for index := range records {
		if record := &records[index]; record.RecurrenceID != 0 {
			listed.records[record.RecurrenceID] = append(listed.records[record.RecurrenceID], record)
		}
	}
	return listed
}

// agreed says that the listings show of a linked series what the sides agreed on.
// Any doubt is a no: then the series is looked at as a whole.
func (l *listedSeries) agreed(link *Link, window Window) bool {
	copies, records := l.copies[link.GraphID], l.records[link.Series.RecurrenceID]
	if link.Ended {
		active := func(record *Record) bool { return !record.Archived }
		if link.Alone && (len(copies) == 0 || !slices.ContainsFunc(records, active)) {
			return true
		}
		return len(copies) == 0 && !slices.ContainsFunc(records, active)
	}
	inOutlook, inNightPOS := 0, 0
	for _, copied := range copies {
		if !link.knowsCopy(copied) {
			return false
		}
		inOutlook++
	}
	for _, record := range records {
		if !link.knowsRecord(record) {
			return false
		}
		if !record.Archived {
			inNightPOS++
		}
	}
	expectedInOutlook, expectedInNightPOS := 0, 0
	agreed := schedule{rule: link.Series.Rule, first: link.Series.First}
	for _, slot := range agreed.slots(link.Series.From, link.Series.To, maxSlots) {
		exception, special := link.Series.Exceptions[slot]
		when := agreed.at(slot)
		switch within := when.Start.Before(window.End) && when.End.After(window.Start); {
		case special && exception.Cancelled:
		case special && !within:
			// It may have been moved into the window.
			return false
		case within:
			if exception.Lone != SideOutlook {
				expectedInNightPOS++
			}
			if exception.Lone != SideNightPOS {
				expectedInOutlook++
			}
		}
	}
	return inNightPOS == expectedInNightPOS && inOutlook >= expectedInOutlook
}

// forget takes a series out of those that are to be told yet.
func (l *listedSeries) forget(link *Link) {
	delete(l.copies, link.GraphID)
	delete(l.records, link.Series.RecurrenceID)
	if link.Role != RoleGuest {
		return
	}
	// What somebody split off in NightPOS stands in the invitation.
	known := map[int64]bool{}
	for slot, id := range link.Series.Occurrences {
		if link.Series.Exceptions[slot].Lone == SideOutlook {
			known[id] = true
		}
	}
	maps.DeleteFunc(l.records, func(_ int64, records []*Record) bool {
		return slices.ContainsFunc(records, func(record *Record) bool { return known[record.ID] })
	})
}

// missing is the side on which nothing of a linked series is listed any more, while
// the other one shows it.
func (l *listedSeries) missing(link *Link) Side {
	copies, records := len(l.copies[link.GraphID]), len(l.records[link.Series.RecurrenceID])
	switch {
	case link.Ended || link.Aside || (copies == 0) == (records == 0):
		return ""
	case copies == 0 && slices.ContainsFunc(l.records[link.Series.RecurrenceID], func(record *Record) bool { return !record.Archived }):
		return SideOutlook
	case records == 0:
		return SideNightPOS
	}
	return ""
}

// both says that something of a linked series is listed on either side.
func (l *listedSeries) both(link *Link) bool {
	return len(l.copies[link.GraphID]) > 0 && len(l.records[link.Series.RecurrenceID]) > 0
}

// without takes an occurrence out of its series, and the series away once none is
// left.
func (l *listedSeries) without(record *Record) {
	rest := slices.DeleteFunc(l.records[record.RecurrenceID], func(other *Record) bool { return other.ID == record.ID })
	if len(rest) == 0 {
		delete(l.records, record.RecurrenceID)
	} else {
		l.records[record.RecurrenceID] = rest
	}
}

// became says that either half of a single event's link is a series by now; it is
// no longer among those that are to be told yet.
func (l *listedSeries) became(link *Link, record *Record) bool {
	if link.Apart {
		// Its own link looks after it.
		if record != nil {
			l.without(record)
		}
		return false
	}
	found := false
	if record != nil && record.RecurrenceID != 0 {
		found = true
		delete(l.records, record.RecurrenceID)
	}
	if _, there := l.copies[link.GraphID]; there && link.GraphID != "" {
		found = true
		delete(l.copies, link.GraphID)
	}
	return found
}

// knowsRecord says that a record of a series shows what was agreed on.
func (l *Link) knowsRecord(record *Record) bool {
	for slot, id := range l.Series.Occurrences {
		if id != record.ID {
			continue
		}
		exception, special := l.Series.Exceptions[slot]
		if special && (exception.Cancelled || exception.Lone == SideOutlook) || record.Archived {
			return special && (exception.Cancelled || exception.Lone == SideOutlook) && record.Archived
		}
		return l.shows(slot, exception.NightPOS, l.NightPOS, record.Event)
	}
	return false
}

// knowsCopy says that an occurrence in Outlook shows what was agreed on. A listing
// does not tell its slot: it is the day that it stands on, or an exception's.
func (l *Link) knowsCopy(copied *Copy) bool {
	if copied.ID == l.GraphID {
		return copied.ChangeKey == l.ChangeKey
	}
	when := copied.Event.When
	when.Zone = l.Series.First.Zone
	slot := SlotDate(when)
	if exception, special := l.Series.Exceptions[slot]; !special && l.shows(slot, nil, l.Outlook, copied.Event) {
		return true
	} else if special && !exception.Cancelled && l.shows(slot, exception.Outlook, l.Outlook, copied.Event) {
		return true
	}
	for other, exception := range l.Series.Exceptions {
		if !exception.Cancelled && l.shows(other, exception.Outlook, l.Outlook, copied.Event) {
			return true
		}
	}
	return false
}

// shows compares an occurrence with what was agreed on about it or, without that,
// about all.
func (l *Link) shows(slot Date, special, regular Base, event Event) bool {
	now := NewBase(plain(event))
	if l.Role == RoleAttendee {
		// The owner's reply is all that counts, and a listing of occurrences tells
		// it too late.
		return true
	}
	agreed := special
	if agreed == nil {
		agreed = clone(regular)
		agreed[string(FieldWhen)] = whenDigest(plainTime(schedule{rule: l.Series.Rule, first: l.Series.First}.at(slot)))
	}
	return maps.Equal(contentOf(agreed), contentOf(now))
}

// contentOf is a base without replies and without what it says of the rule.
func contentOf(base Base) Base {
	content := withoutAnswers(base)
	delete(content, patternKey)
	delete(content, endKey)
	return content
}
