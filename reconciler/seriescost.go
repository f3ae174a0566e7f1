package reconciler

import "maps"

// cheaper says which of two ways of telling Outlook of the same changes mails
// attendees less: at the master, which is one mail and another about each occurrence
// that was changed by itself, or occurrence by occurrence. Where few are left that
// are no exceptions, the master says to everybody what was meant for one.
func (s *SeriesState) cheaper(plan SeriesPlan, whole *seriesMerge) SeriesPlan {
	if whole.plan.Mails == 0 || !whole.divisible() {
		return whole.plan
	}
	single := s.merge(plan, true)
	if single.plan.Mails < whole.plan.Mails {
		return single.plan
	}
	return whole.plan
}

// divisible says that the write to the master can be told occurrence by occurrence
// instead: nothing but content that both sides hold of each, and of all of them. Guests
// are not: who is told occurrence by occurrence has as many events, and whom the master
// invites stays invited to what comes later.
func (m *seriesMerge) divisible() bool {
	write := m.plan.Copy
	if write == nil || write.Action != ActionUpdate || m.rebuilt() || m.hidden != nil || len(m.plan.Conflicts) > 0 || !m.linked() {
		return false
	}
	if end, ends := m.plan.agreed.rule.Last(); !ends || end.After(m.plan.to) {
		return false
	}
	for field := range write.Fields {
		switch field {
		case FieldTitle, FieldPlace, FieldBody, FieldPrivacy, FieldShowAs, FieldReminders:
		default:
			return false
		}
	}
	return true
}

// mailsOfOccurrence is how many people Outlook writes to for a write to an occurrence.
func (m *seriesMerge) mailsOfOccurrence(write OccurrenceWrite, shown Event) int {
	if write.Action == ActionUpdate {
		return m.mailsOfUpdate(shown, &delta{event: write.Event, fields: write.Fields})
	}
	return m.mailsAgain(shown)
}

// mailsAgain is how many people Outlook writes to when it tells of an occurrence, or
// calls it off.
func (m *seriesMerge) mailsAgain(shown Event) int {
	if m.hidden != nil {
		return m.mails(*m.hidden)
	}
	return m.mails(shown)
}

// mailsOfExceptions is how many mails Outlook sends besides when a master is written:
// it tells again of each occurrence that was changed by itself, though nothing of it
// changes now.
func (m *seriesMerge) mailsOfExceptions() int {
	count := 0
	for slot, exception := range m.Series.Exceptions {
		if m.plan.agreed.rule.Includes(slot) && m.changedAlone(slot, exception) {
			count += m.mailsAgain(exception.Event)
		}
	}
	return count
}

// changedAlone says that an exception is one by more than a reply. One that shows
// the same as the rest has been different once.
func (m *seriesMerge) changedAlone(slot Date, exception Copy) bool {
	regular := m.Series.Event
	regular.When = schedule{rule: m.Series.Rule, first: m.Series.Event.When}.at(slot)
	shows, like := NewBase(plain(exception.Event)), NewBase(plain(regular))
	return !maps.Equal(withoutAnswers(shows), withoutAnswers(like)) || maps.Equal(shows, like)
}

// singleFields puts back, in what NightPOS shows of the series as a whole, the fields
// that Outlook was told of occurrence by occurrence: for the series they are what
// they were.
func (p SeriesPlan) singleFields(nightpos, agreed Base) {
	restoreFields(nightpos, agreed, p.singly)
}

// shorten has a series that is put on another schedule end with the last occurrence
// that was not deleted, where both sides may bring back what was: Outlook forgets
// deletions, and each costs another mail; NightPOS makes its records anew, which are
// archived again, and states the same end from now on.
func (m *seriesMerge) shorten() {
	if m.plan.Role != RoleOrganizer || !m.rebuilt() || !m.plan.agreed.rule.Repeats() {
		return
	}
	if end, ends := m.plan.agreed.rule.Last(); !ends || end.After(m.plan.to) {
		return
	}
	slots := m.plan.agreed.slots(m.plan.from, m.plan.to, maxSlots)
	last := len(slots) - 1
	for last >= 0 {
		exception, _ := m.exception(slots[last])
		if !exception.Cancelled || m.Series.Rule.Includes(slots[last]) && !m.Series.gone(slots[last]) {
			break
		}
		last--
	}
	if last < 0 || last == len(slots)-1 {
		return
	}
	for _, slot := range slots[last+1:] {
		if revived, there := m.nightpos.occurrences[slot]; there {
			m.archive(revived.record)
		}
	}
	m.plan.agreed.rule, m.plan.to = endAt(m.plan.agreed.rule, slots[last]), slots[last]
	m.plan.Copy.Rule = m.plan.agreed.rule
	write := m.record()
	rule, first := ruleFor(m.plan.agreed, m.plan.from, m.plan.to)
	write.Rule, write.First, write.Zone = &rule, first, first.Zone
}
