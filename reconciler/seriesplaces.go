package reconciler

// viewKept reads the records as occurrences of the schedule that was agreed on,
// with another end where the last ones went or more came.
func (s *SeriesState) viewKept(view *recurrenceView, reference schedule) {
	view.kept, view.schedule = true, reference
	var known map[Date]int64
	if s.Link != nil && s.Link.Series != nil {
		view.from, view.to = s.Link.Series.From, s.Link.Series.To
		if !s.rebuilt() || s.settled || s.invited() {
			// A series that NightPOS made anew has put its base on another slot.
			known = s.Link.Series.Occurrences
		}
	} else {
		view.from, view.to = s.span()
	}
	pattern := reference
	pattern.rule.Count, pattern.rule.Until = 0, Date{}
	_, last := s.span()
	further := view.to
	if last.After(further) {
		further = last
	}
	s.place(view, pattern.slots(view.from, further, maxSlots), known)
	latest := Date{}
	for slot := range view.occurrences {
		if slot.After(latest) {
			latest = slot
		}
	}
	switch gone := s.goneAfter(latest, view); {
	case latest.After(view.to):
		// Somebody made it longer, or NightPOS now holds more of it.
		view.to = latest
		if end, ends := reference.rule.Last(); ends && latest.After(end) {
			view.rule, view.moved = endAt(reference.rule, latest), true
		}
	case gone > 1:
		// One deletion is that of an occurrence; more at the end cut the series.
		view.rule, view.moved, view.to = endAt(reference.rule, latest), true, latest
	}
}

// goneAfter is how many occurrences that were there when the sides last agreed
// are missing behind a slot.
func (s *SeriesState) goneAfter(latest Date, view *recurrenceView) int {
	if s.Link == nil || s.Link.Series == nil || latest.IsZero() {
		return 0
	}
	gone := 0
	for slot := range s.Link.Series.Occurrences {
		if slot.After(latest) && !s.Link.Series.Exceptions[slot].Cancelled && !slot.After(view.to) {
			gone++
		}
	}
	return gone
}

// endAt gives a rule another last slot, in the way in which its end was given.
func endAt(rule Rule, last Date) Rule {
	counted := rule.Count > 0
	rule.Count, rule.Until = 0, last
	if counted {
		rule.Count, rule.Until = len(rule.Slots(Date{}, last, maxSlots)), Date{}
	}
	return rule
}

// viewAnew reads the schedule from what NightPOS states and shows.
func (s *SeriesState) viewAnew(view *recurrenceView, usual When) {
	dates := make([]Date, 0, len(s.live))
	for _, record := range s.live {
		dates = append(dates, s.recordDate(record))
	}
	rule, _, _ := FitRule(s.Recurrence.Rule, dates)
	first := rule.Slots(Date{}, Date{}, 1)
	if len(first) == 0 {
		view.first = usual
		view.extra = s.live
		return
	}
	rule.Start = first[0]
	view.schedule = schedule{rule: rule, first: SlotTime(first[0], usual)}
	view.from = first[0]
	_, view.to = s.span()
	if last, ends := rule.Last(); ends {
		view.to = last
	}
	slots := view.slots(view.from, view.to, maxSlots)
	if len(slots) > 0 {
		view.to = slots[len(slots)-1]
	}
	s.place(view, slots, nil)
}

// maxDrift is how many days an occurrence may stand from a slot to be taken for
// that slot's.
const maxDrift = 31

// place finds the slot of each record: the one it is known to have, the date it
// stands on, or the nearest one that is free. Deleted occurrences keep their
// place in archived records.
func (s *SeriesState) place(view *recurrenceView, slots []Date, known map[Date]int64) {
	free := make(map[Date]bool, len(slots))
	for _, slot := range slots {
		free[slot] = true
	}
	knownSlot := make(map[int64]Date, len(known))
	for slot, record := range known {
		knownSlot[record] = slot
	}
	take := func(record *Record, slot Date) bool {
		if !free[slot] {
			return false
		}
		delete(free, slot)
		if record.Archived {
			view.archived[slot] = record
		} else {
			view.occurrences[slot] = occurrence{event: plain(record.Event), record: record}
		}
		return true
	}
	var rest, left, archived []*Record
	for index := range s.Recurrence.Occurrences {
		record := &s.Recurrence.Occurrences[index]
		slot, there := knownSlot[record.ID]
		switch {
		case s.Apart[record.ID]:
		case there && !record.Archived && take(record, slot):
		case record.Archived:
			archived = append(archived, record)
		default:
			rest = append(rest, record)
		}
	}
	for _, record := range rest {
		if !take(record, s.recordDate(record)) {
			left = append(left, record)
		}
	}
	for _, record := range left {
		if slot, near := nearest(free, s.recordDate(record)); !near || !take(record, slot) {
			view.extra = append(view.extra, record)
		}
	}
	for _, record := range archived {
		if slot, there := knownSlot[record.ID]; !there || !take(record, slot) {
			take(record, s.recordDate(record))
		}
	}
}

func nearest(free map[Date]bool, date Date) (Date, bool) {
	found, distance := Date{}, maxDrift+1
	for slot := range free {
		away := slot.Since(date)
		away = max(away, -away)
		if away < distance || away == distance && slot.Before(found) {
			found, distance = slot, away
		}
	}
	return found, distance <= maxDrift
}
