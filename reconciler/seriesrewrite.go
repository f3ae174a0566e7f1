package reconciler

import (
	"maps"
	"slices"
)

// rewrite puts NightPOS's records on Outlook's schedule: the same records as far
// as they go, so that their ids, notes and links last.
func (m *seriesMerge) rewrite() {
	write := m.record()
	rule, first := ruleFor(m.plan.agreed, m.plan.from, m.plan.to)
	write.Rule, write.First, write.Zone = &rule, first, first.Zone
	if m.Recurrence.ID == 0 && rule.Repeats() {
		write.BaseID = m.base().ID
	}
	slots := m.plan.agreed.slots(m.plan.from, m.plan.to, maxSlots)
	placed := m.reuse(slots)
	for _, slot := range slots {
		record := placed[slot]
		if record != nil {
			m.plan.known[slot] = record.ID
		}
		outlook, there := m.after.occurrences[slot]
		switch {
		case there && m.plan.Role == RoleGuest && m.staysAway(slot) && (record == nil || record.Archived):
		case there && record != nil && record.Archived:
			m.unarchive(record, outlook)
		case there && record != nil:
			event, fields := m.replies(record, outlook.event, m.differing(m.NightPOS, plain(record.Event), outlook.event))
			if len(fields) > 0 {
				m.writes = append(m.writes, RecordWrite{
					Action: ActionUpdate, ID: record.ID, Stamp: record.Stamp, Current: record, Event: event, Fields: fields,
				})
			}
		case there:
			m.create(outlook)
		case record != nil && !record.Archived:
			m.writes = append(m.writes, RecordWrite{Action: ActionArchive, ID: record.ID, Stamp: record.Stamp, Current: record})
		}
		if record != nil && m.Recurrence.ID == 0 && rule.Repeats() {
			write.Join = append(write.Join, record.ID)
		}
	}
	m.plan.From = SideOutlook
}

// reuse gives each slot a record: the one that stands there, and then those that
// are left, in order. What no slot needs leaves the series.
func (m *seriesMerge) reuse(slots []Date) map[Date]*Record {
	placed := map[Date]*Record{}
	wanted := map[Date]bool{}
	for _, slot := range slots {
		wanted[slot] = true
	}
	var left []*Record
	for _, slot := range slices.SortedFunc(maps.Keys(m.nightpos.occurrences), Date.Compare) {
		record := m.nightpos.occurrences[slot].record
		if wanted[slot] && m.nightpos.rule.Repeats() {
			placed[slot] = record
		} else {
			left = append(left, record)
		}
	}
	for slot, record := range m.nightpos.archived {
		if wanted[slot] && placed[slot] == nil {
			placed[slot] = record
		} else {
			m.record().Leave = append(m.record().Leave, record.ID)
		}
	}
	left = append(left, m.nightpos.extra...)
	for _, slot := range slots {
		if _, there := m.after.occurrences[slot]; there && placed[slot] == nil && len(left) > 0 {
			placed[slot], left = left[0], left[1:]
		}
	}
	for _, record := range left {
		m.record().Leave = append(m.record().Leave, record.ID)
	}
	return placed
}

// dropCrossing takes out moves that Outlook forbids: an occurrence stays between
// the days of its neighbours. It returns why, for each.
func dropCrossing(write *SeriesCopyWrite, view seriesView) []string {
	dates := map[Date]Date{}
	for slot, shown := range view.occurrences {
		dates[slot] = dateIn(shown.event.When, view.first.Zone)
	}
	for _, change := range write.Occurrences {
		switch {
		case change.Action == ActionDelete:
			delete(dates, change.Slot)
		case change.Fields.Has(FieldWhen):
			dates[change.Slot] = SlotDate(change.Event.When)
		}
	}
	order := slices.SortedFunc(maps.Keys(dates), Date.Compare)
	var reasons []string
	write.Occurrences = slices.DeleteFunc(write.Occurrences, func(change OccurrenceWrite) bool {
		if change.Action != ActionUpdate || !change.Fields.Has(FieldWhen) {
			return false
		}
		index, _ := slices.BinarySearchFunc(order, change.Slot, Date.Compare)
		date := dates[change.Slot]
		if (index == 0 || dates[order[index-1]].Before(date)) && (index+1 >= len(order) || dates[order[index+1]].After(date)) {
			return false
		}
		reasons = append(reasons, "the occurrence of "+change.Slot.String()+
			" cannot be moved to "+date.String()+": Outlook keeps occurrences of a series in order, each on a day of its own; move it to a day between its neighbours")
		return true
	})
	return reasons
}

func dateIn(when When, zone string) Date {
	when.Zone = zone
	return SlotDate(when)
}
