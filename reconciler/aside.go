package reconciler

import (
	"slices"
	"time"
)

// What a person's choices keep from being synced stays as it is on both sides, and so
// does what stands in another calendar of the mailbox than its main one. A pair that
// was synced before keeps its link, which is then Aside: its bases stand still, so
// that once it is synced again, what either side changed meanwhile is a change, and
// nothing is made twice.

const (
	asidePrivate   = "it is private in Outlook, and private events of this person are not synced"
	asideCategory  = "its categories are not among those of this person that are synced"
	asideElsewhere = "it is in another calendar of the mailbox, and only the main calendar is synced"
	asideDeleted   = "it was deleted on one side while it was not synced; the other side keeps it"
)

// veiledTitle is what a private appointment is called where only its time is shown,
// as NightPOS itself calls what it hides.
const veiledTitle = "Busy"

// veiled is what is left of a private appointment where only its time is shown.
func veiled(event Event) Event {
	return Event{Title: veiledTitle, When: event.When, Organizer: event.Organizer, Privacy: event.Privacy, ShowAs: event.ShowAs}
}

// concealed says that an event is private in Outlook and that NightPOS knows of it
// from there. What was made in NightPOS, or by somebody else's sync, is known there
// anyway.
func concealed(copied *Copy, record *Record) bool {
	if copied == nil || copied.Event.Privacy != PrivacyPrivate && copied.Event.Privacy != PrivacyConfidential {
		return false
	}
	return record == nil || record.ExternalKey != ""
}

// veil shows the time alone of a private appointment, if that is what the person
// has chosen.
func (s State) veil() State {
	if s.Choices.Private != PrivateBusyOnly || s.hidden != nil || !concealed(s.Copy, s.Record) {
		return s
	}
	copied, hidden := *s.Copy, s.Copy.Event
	copied.Event, s.hidden = veiled(hidden), &hidden
	s.Copy = &copied
	return s
}

// inOutlook is the whole content of the copy, also where only its time is shown.
func (s State) inOutlook() Event {
	if s.hidden != nil {
		return *s.hidden
	}
	return s.Copy.Event
}

// openly keeps of a change to what is shown what may be written over a private
// appointment of which NightPOS holds the time alone.
func (s State) openly(change *delta, shown Event) (kept *delta, stays bool) {
	if s.hidden == nil {
		return change, false
	}
	kept = &delta{event: shown}
	for _, scalar := range scalars {
		if (scalar.field == FieldWhen || scalar.field == FieldShowAs) && change.fields.Has(scalar.field) {
			scalar.take(&kept.event, change.event)
			kept.set(scalar.field)
		}
	}
	return kept, len(kept.fields) < len(change.fields)
}

// setAside says in words why the meeting is not synced; empty when it is.
func (s State) setAside(role Role) string {
	if s.Link != nil && s.Link.Aside && (!s.there() || !s.active()) {
		return asideDeleted
	}
	if s.Choices.Private == PrivateSkip && (role == RoleOrganizer || role == RoleGuest) && concealed(s.Copy, s.Record) {
		return asidePrivate
	}
	if len(s.Choices.Skip)+len(s.Choices.Only) > 0 && !s.Choices.allow(s.categories()) {
		return asideCategory
	}
	if s.elsewhere() {
		return asideElsewhere
	}
	return ""
}

// elsewhere says that the copy stands in another calendar of the mailbox.
func (s State) elsewhere() bool { return s.Copy != nil && s.Copy.Elsewhere }

// organizerSkips says that the organizer has chosen not to have such a meeting synced,
// so that there is nothing to wait for.
func (s State) organizerSkips() bool {
	organizer, connected := s.ByAddress(s.Copy.Event.Organizer)
	return connected && organizer.Choices.Private == PrivateSkip && concealed(s.Copy, s.Record)
}

// organizerIsSilent says that the organizer's lane has had all the time it can need to
// bring the meeting as it now stands, so that waiting on is in vain. Only a change of
// the copy, or a sweep that finds the meeting in NightPOS, is news then.
func (s State) organizerIsSilent() bool {
	organizer, connected := s.ByAddress(s.Copy.Event.Organizer)
	if s.OrganizerTime <= 0 || !connected || organizer.Parked != "" {
		return false
	}
	since := s.Copy.Modified
	for _, began := range []time.Time{s.Member.First.Began, organizer.First.Began} {
		if began.After(since) {
			since = began
		}
	}
	return s.Now.Sub(since) >= s.OrganizerTime
}

// allow says whether events with these categories are synced.
func (c Choices) allow(names []string) bool {
	among := func(list []string) bool {
		return slices.ContainsFunc(names, func(name string) bool {
			return slices.ContainsFunc(list, func(other string) bool { return categoryKey(other) == categoryKey(name) })
		})
	}
	return !among(c.Skip) && (len(c.Only) == 0 || among(c.Only))
}

// categories are those that the meeting would have on both sides.
func (s State) categories() []string {
	switch {
	case s.Copy == nil && s.Record == nil:
		return nil
	case s.Copy == nil:
		return s.Record.Event.Categories
	case s.Record == nil:
		return s.inOutlook().Categories
	}
	open := s
	copied := *s.Copy
	copied.Event = s.inOutlook()
	open.Copy = &copied
	merged := newMerge(open.shown(SideOutlook), open.shown(SideNightPOS), s.Policy)
	merged.categories()
	return merged.deltas[SideOutlook].event.Categories
}

// planAside leaves the meeting as it is. What has become private is private in
// NightPOS too before it is left: its owner would not have it shown to everybody.
func (s State) planAside(role Role, why string) Plan {
	plan := Plan{Role: role, Reason: why}
	switch {
	case s.Link == nil && s.notes(role):
		plan.keep = fateAside
	case s.Link == nil || s.ended() || s.Link.GraphID == "":
	case role == RoleStandIn && s.organizerConnected() && s.elsewhere():
		// The real invitation takes its place.
		plan.keep = fateDrop
	case s.Copy == nil || s.Record == nil:
		plan.keep, plan.alone = fateEnd, true
	default:
		plan.keep = fateAside
		if why == asidePrivate && s.active() && s.Record.Event.Privacy != s.Copy.Event.Privacy {
			event := s.Record.Event
			event.Privacy = s.Copy.Event.Privacy
			plan.From = SideOutlook
			plan.NightPOS = &RecordWrite{
				Action: ActionUpdate, ID: s.Record.ID, Stamp: s.Record.Stamp, Current: s.Record, Event: event, Fields: NewFieldSet(FieldPrivacy),
			}
		}
	}
	return plan
}

// settleAside is the link of a meeting that is left as it is.
func (s State) settleAside(role Role, wrote bool) *Link {
	if s.Link == nil {
		return s.note(role)
	}
	link := *s.Link
	link.Aside = true
	if wrote && len(link.Outlook) > 0 && len(link.NightPOS) > 0 {
		link.Outlook, link.NightPOS = clone(link.Outlook), clone(link.NightPOS)
		shown := digest(string(s.Copy.Event.Privacy))
		link.Outlook[string(FieldPrivacy)], link.NightPOS[string(FieldPrivacy)] = shown, shown
	}
	return &link
}

// veilSeries is veil for all occurrences.
func (s *SeriesState) veilSeries() {
	if s.Series == nil || s.Choices.Private != PrivateBusyOnly {
		return
	}
	var record *Record
	if s.Recurrence != nil && len(s.Recurrence.Occurrences) > 0 {
		record = &Record{ExternalKey: s.Recurrence.ExternalKey}
		if record.ExternalKey == "" {
			record.ExternalKey = s.base().ExternalKey
		}
	}
	if !concealed(&s.Series.Copy, record) {
		return
	}
	if s.hidden == nil {
		hidden := s.Series.Event
		s.hidden = &hidden
	}
	series := *s.Series
	series.Event = veiled(series.Event)
	series.Exceptions = make(map[Date]Copy, len(s.Series.Exceptions))
	for slot, exception := range s.Series.Exceptions {
		exception.Event = veiled(exception.Event)
		series.Exceptions[slot] = exception
	}
	s.Series = &series
}

// conceal is what planAside writes, for every occurrence.
func (s *SeriesState) conceal(privacy Privacy) *SeriesRecordWrite {
	all := &SeriesRecordWrite{ID: s.Recurrence.ID, Current: s.Recurrence}
	for _, record := range s.live {
		event := record.Event
		event.Privacy = privacy
		all.Writes = append(all.Writes, RecordWrite{
			Action: ActionUpdate, ID: record.ID, Stamp: record.Stamp, Current: record, Event: event, Fields: NewFieldSet(FieldPrivacy),
		})
	}
	return all
}

// seriesAsideTold is asideTold for what a sweep lists of a series. Any doubt is a no.
func (r *round) seriesAsideTold(link *Link, listed *listedSeries) bool {
	state := r.frame(nil)
	state.Link = link
	copies, records := listed.copies[link.GraphID], listed.records[link.Series.RecurrenceID]
	if link.Ended || len(copies) == 0 || len(records) == 0 {
		return true
	}
	if state.Choices.Private != PrivateFull && slices.ContainsFunc(copies, func(copied *Copy) bool { return concealed(copied, nil) }) {
		// Where it was made is not listed.
		return false
	}
	state.Copy, state.Record = copies[0], records[0]
	if index := slices.IndexFunc(records, func(record *Record) bool { return !record.Archived }); index >= 0 {
		state.Record = records[index]
	}
	return (state.setAside(link.Role) != "") == link.Aside
}

// asideTold says that a link shows already whether its meeting is synced.
func (s State) asideTold(plan Plan) bool {
	return s.Link == nil || s.Link.Ended || s.Link.GraphID == "" || s.Link.Aside == (plan.keep == fateAside)
}
