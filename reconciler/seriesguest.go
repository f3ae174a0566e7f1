package reconciler

import (
	"slices"
	"strconv"
	"strings"
)

// What is special about a series that somebody else organises whose calendar the
// gateway does not keep: a guest's, whose content is Outlook's, and a stand-in,
// whose content is NightPOS's. In either, one side may do without an occurrence that
// the other one shows.

// invited says that the series is one that somebody outside NightPOS organises.
// Whatever is done to it in NightPOS, its slots are Outlook's.
func (s *SeriesState) invited() bool {
	return s.Link != nil && s.Link.Role == RoleGuest && s.Link.Series != nil
}

// withOwnAnswers is withOwnAnswer for the master and every exception.
func (s *SeriesState) withOwnAnswers() *SeriesCopy {
	series := *s.Series
	put := func(copied Copy) Copy {
		local := s.State
		local.Copy = &copied
		copied.Event = local.withOwnAnswer(copied.Event)
		return copied
	}
	series.Copy = put(series.Copy)
	series.Exceptions = make(map[Date]Copy, len(s.Series.Exceptions))
	for slot, exception := range s.Series.Exceptions {
		series.Exceptions[slot] = put(exception)
	}
	return &series
}

// attends says that the member is invited to an occurrence and has not declined.
func (s *SeriesState) attends(record *Record) bool {
	index := slices.IndexFunc(record.Event.People, s.Member.Is)
	return index >= 0 && record.Event.People[index].Answer != AnswerDeclined
}

// formerly is the record that stood for a slot when the sides last agreed; zero for
// none.
func (s *SeriesState) formerly(slot Date) int64 {
	if s.Link == nil || s.Link.Series == nil {
		return 0
	}
	return s.Link.Series.Occurrences[slot]
}

// linked says that the sides have agreed before.
func (m *seriesMerge) linked() bool { return m.Link != nil && len(m.Link.Outlook) > 0 }

// held is the last slot that NightPOS held when the sides last agreed.
func (m *seriesMerge) held() Date {
	if m.Link == nil || m.Link.Series == nil {
		return Date{}
	}
	return m.Link.Series.To
}

// stays notes that somebody changed in NightPOS what a guest cannot change.
func (m *seriesMerge) stays(edited bool) { m.edited = m.edited || edited && m.linked() }

// staysAway says that somebody deleted the slot's occurrence in NightPOS, where
// Outlook's organizer is not to be told of it.
func (m *seriesMerge) staysAway(slot Date) bool {
	exception, _ := m.exception(slot)
	return exception.Lone == SideOutlook
}

// guestLone is about an occurrence of a guest's series that one side alone shows.
func (m *seriesMerge) guestLone(slot Date, outlook, nightpos occurrence) {
	exception, _ := m.exception(slot)
	switch {
	case nightpos.record != nil && m.Series.Exceptions[slot].Cancelled:
		// Its organizer called it off.
		m.archive(nightpos.record)
	case nightpos.record != nil, exception.Lone == SideOutlook:
		// The owner of the mailbox took it out there, which is a reply; or
		// somebody in NightPOS did here.
	case exception.Cancelled || !m.knew(slot):
		if m.Recurrence.ID != 0 {
			m.bring(slot, outlook)
		}
	default:
		m.lone = append(m.lone, slot)
	}
}

// mostTold is how many dates a line of the log names.
const mostTold = 5

// report says why the sides are left to differ.
func (m *seriesMerge) report() {
	if len(m.lone) > 0 {
		var dates []string
		for _, slot := range m.lone[:min(len(m.lone), mostTold)] {
			dates = append(dates, slot.String())
		}
		if more := len(m.lone) - len(dates); more > 0 {
			dates = append(dates, strconv.Itoa(more)+" more")
		}
		m.plan.Refused = append(m.plan.Refused, "occurrences ("+strings.Join(dates, ", ")+
			") were deleted in NightPOS; the invitation stays, since its organizer is outside NightPOS")
	}
	if m.edited {
		m.plan.Refused = append(m.plan.Refused, "the organizer is outside NightPOS: a change made in NightPOS stays there")
	}
}

// standInOccurrence brings together one occurrence of a stand-in. It stands for the
// member's part in it: where that is declined there is none, and taking it out
// declines.
func (m *seriesMerge) standInOccurrence(slot Date, outlook, nightpos occurrence) {
	inOutlook := m.showsSlot(slot)
	exception, known := m.exception(slot)
	without := known && (exception.Cancelled || exception.Lone == SideNightPOS)
	switch {
	case nightpos.record == nil:
		m.write(OccurrenceWrite{Slot: slot, When: m.after.at(slot), Action: ActionDelete}, outlook)
	case inOutlook && m.attends(nightpos.record):
		m.occurrence(slot, outlook, nightpos)
	case inOutlook && without:
		// Its owner put it back.
		m.reply(nightpos.record, AnswerNone)
	case inOutlook:
		m.write(OccurrenceWrite{Slot: slot, When: m.after.at(slot), Action: ActionDelete}, outlook)
	case !m.attends(nightpos.record):
	case !without, m.rebuilt() && exception.Lone == SideNightPOS:
		// Its owner took it out, once more where NightPOS has forgotten that.
		m.reply(nightpos.record, AnswerDeclined)
	default:
		// Attended after all; Outlook cannot bring it back in its place.
		m.plan.Apart = append(m.plan.Apart, nightpos.record.ID)
	}
}

func (m *seriesMerge) showsSlot(slot Date) bool {
	_, there := m.after.occurrences[slot]
	return there
}

// reply gives the member's answer to one occurrence in NightPOS.
func (m *seriesMerge) reply(record *Record, answer Answer) {
	index := slices.IndexFunc(record.Event.People, m.Member.Is)
	if index < 0 {
		return
	}
	m.writes = append(m.writes, RecordWrite{
		Action: ActionAnswer, ID: record.ID, Current: record, Attendee: record.Event.People[index], Answer: answer,
	})
}
