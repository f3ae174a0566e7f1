package reconciler

import "slices"

// How a plan changes the records of a series.

// bring makes or brings back the occurrence of a slot in NightPOS.
func (m *seriesMerge) bring(slot Date, outlook occurrence) {
	if record, there := m.nightpos.archived[slot]; there {
		m.unarchive(record, outlook)
		return
	}
	m.create(outlook)
}

// unarchive brings a record back as Outlook shows its occurrence.
func (m *seriesMerge) unarchive(record *Record, outlook occurrence) {
	event, fields := m.replies(record, m.created(outlook, m.withOrganizer(record.Event)), m.differing(m.NightPOS, plain(record.Event), outlook.event))
	m.writes = append(m.writes, RecordWrite{
		Action: ActionUnarchive, ID: record.ID, Stamp: record.Stamp, Current: record, Event: event, Fields: fields,
	})
}

// replies has a record that is put in another place show the replies that Outlook
// speaks for: those of people whose own calendars are not known. One that Outlook
// forgot stays.
func (m *seriesMerge) replies(record *Record, event Event, fields FieldSet) (Event, FieldSet) {
	if m.plan.Role != RoleOrganizer {
		return event, fields
	}
	given := map[string]Answer{}
	for _, person := range record.Event.People {
		given[person.Key()] = person.Answer
	}
	event.People = slices.Clone(event.People)
	for index := range event.People {
		person := &event.People[index]
		if _, connected := m.ByAddress(*person); connected || person.Answer == AnswerNone {
			person.Answer = given[person.Key()]
		} else if person.Answer != given[person.Key()] {
			fields[FieldAnswers] = true
		}
	}
	return event, fields
}

func (m *seriesMerge) create(outlook occurrence) {
	m.record().Create = append(m.record().Create, m.created(outlook, m.withOrganizer(m.Copy.Event)))
}

func (m *seriesMerge) withOrganizer(event Event) Event {
	event.Organizer = m.Record.Event.Organizer
	return event
}

// record is the write to NightPOS.
func (m *seriesMerge) record() *SeriesRecordWrite {
	if m.plan.Record == nil {
		m.plan.Record = &SeriesRecordWrite{ID: m.Recurrence.ID, Current: m.Recurrence, OrganizerUserID: m.Record.OrganizerUserID}
	}
	return m.plan.Record
}

func (m *seriesMerge) archive(record *Record) {
	m.writes = append(m.writes, RecordWrite{Action: ActionArchive, ID: record.ID, Stamp: record.Stamp, Current: record})
}
