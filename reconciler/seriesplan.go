package reconciler

import "slices"

// SeriesPlan is the smallest set of writes that brings a series together: one to
// its master in Outlook and as many to occurrences as really differ, and one
// transaction in NightPOS.
type SeriesPlan struct {
	// Plan is about the series as a whole; its own writes are translated into the
	// two below.
	Plan
	Copy   *SeriesCopyWrite
	Record *SeriesRecordWrite
	// Apart are occurrences in NightPOS that Outlook can show only as events of
	// their own.
	Apart []int64
	// Refused says in words why single occurrences cannot be brought together.
	Refused []string

	// agreed is the schedule that both sides have once the plan is carried out,
	// from and to what NightPOS then holds of it.
	agreed   schedule
	from, to Date
	// known are the records that stand for slots.
	known map[Date]int64
	// expected is what Outlook should show once its master is written: Outlook may
	// forget exceptions by that, and deletions of occurrences.
	expected map[Date]occurrence
	// singly are the fields that changed in NightPOS for the series as a whole, of
	// which Outlook is told occurrence by occurrence.
	singly FieldSet
	// taken is what NightPOS should show of the series as a whole, of what changed at
	// the master: an exception that shows what it did is one from then on.
	taken Base
	// takenFields are those of taken that changed.
	takenFields FieldSet
}

// Idle says that the plan writes nothing.
func (p SeriesPlan) Idle() bool { return p.Copy == nil && p.Record == nil && len(p.Apart) == 0 }

// Withhold takes out of a plan what a first sync keeps back, as State.Withhold
// does.
func (s *SeriesState) Withhold(plan SeriesPlan) (SeriesPlan, Withheld) {
	shadow := plan.Plan
	if plan.Copy != nil {
		shadow.Outlook = &OutlookWrite{Action: plan.Copy.Action}
	}
	if plan.Record != nil {
		shadow.NightPOS = &RecordWrite{Action: plan.Record.action()}
	}
	left, withheld := s.State.Withhold(shadow)
	if withheld.Why == "" {
		return plan, withheld
	}
	if left.Outlook == nil {
		plan.Copy, plan.Apart, plan.expected = nil, nil, nil
	}
	if left.NightPOS == nil {
		plan.Record = nil
	}
	left.Outlook, left.NightPOS = nil, nil
	plan.Plan = left
	return plan, withheld
}

// Plan decides. It is a pure function, as State.Plan is.
func (s *SeriesState) Plan() SeriesPlan {
	s.prepare()
	if s.emptied() {
		s.Series, s.Copy = nil, nil
	}
	if s.claims() {
		s.claimSeries()
	}
	switch {
	case s.Series != nil && s.Series.Refused != "":
		return SeriesPlan{Plan: Plan{Reason: s.Series.Refused}}
	case s.Recurrence != nil && s.Recurrence.Refused != "" && !s.nightpos.kept:
		return SeriesPlan{Plan: Plan{Reason: s.Recurrence.Refused}}
	}
	fate := s.State.Plan()
	outlook, nightpos := fate.Outlook, fate.NightPOS
	fate.Outlook, fate.NightPOS = nil, nil
	plan := SeriesPlan{Plan: fate}
	switch {
	case outlook != nil && outlook.Action == ActionCreate:
		return s.planCreateSeriesCopy(plan, *outlook)
	case nightpos != nil && nightpos.Action == ActionCreate:
		return s.planCreateSeriesRecord(plan, *nightpos)
	case outlook != nil && outlook.Action == ActionDelete:
		plan.Copy = &SeriesCopyWrite{Action: ActionDelete, ID: s.Series.ID, ChangeKey: s.Series.ChangeKey, Current: s.Series}
		return plan
	case nightpos != nil && (nightpos.Action == ActionArchive || nightpos.Action == ActionUnarchive):
		plan.Record = s.forAll(*nightpos)
		return plan
	case fate.keep == fateAside && nightpos != nil:
		plan.Record = s.conceal(nightpos.Event.Privacy)
		return plan
	case fate.keep == fateEnd && nightpos != nil && nightpos.Action == ActionAnswer:
		plan.Record = s.answerAll(*nightpos)
		return plan
	case fate.keep != fateLive || s.Series == nil || s.Recurrence == nil:
		return plan
	}
	switch fate.Role {
	case RoleAttendee:
		if s.becomesSingle() {
			return SeriesPlan{Plan: Plan{
				Role: plan.Role, Wait: true, Reason: "waiting for the organizer's calendar to make this series a single event in NightPOS",
			}}
		}
		plan = s.planSeriesAnswers(plan)
		if fate.listed {
			plan.listed, plan.From, plan.Record = true, SideOutlook, s.joinAll()
		}
		return plan
	default:
		plan = s.planSeriesContent(plan)
		if nightpos != nil && nightpos.OrganizerUserID != 0 {
			plan.Record = s.organizedBy(plan.Record, nightpos.OrganizerUserID)
		}
		return plan
	}
}

// emptied says that every occurrence of an organizer's series was deleted, which for
// all who look at the calendar is as if the series were. Its master stays, and to
// delete that too would call off once more what everybody was told is off.
func (s *SeriesState) emptied() bool {
	if s.Series == nil || s.Link == nil || s.Link.Role != RoleOrganizer || !s.Series.IsOrganizer || s.Series.Refused != "" || !s.Series.Rule.Repeats() {
		return false
	}
	if len(s.live) > 0 && !s.ended() && s.agreedOnNone() {
		return false // somebody has brought one back in NightPOS
	}
	slots := s.Series.Rule.Slots(Date{}, Date{}, len(s.Series.Cancelled)+1)
	return len(slots) > 0 && !slices.ContainsFunc(slots, func(slot Date) bool { return !s.Series.gone(slot) })
}

// agreedOnNone says that every occurrence was deleted when the sides last agreed.
func (s *SeriesState) agreedOnNone() bool {
	agreed, there := s.agreed()
	return there && !slices.ContainsFunc(agreed.slots(s.Link.Series.From, s.Link.Series.To, maxSlots), func(slot Date) bool {
		return !s.Link.Series.Exceptions[slot].Cancelled
	})
}

// claimSeries is State.claimed for every occurrence.
func (s *SeriesState) claimSeries() {
	series := *s.Recurrence
	series.Occurrences = slices.Clone(series.Occurrences)
	for index := range series.Occurrences {
		event := &series.Occurrences[index].Event
		event.People = slices.DeleteFunc(slices.Clone(event.People), s.Member.Is)
	}
	s.Recurrence = &series
	s.prepare()
}

// organizedBy has a write say of every occurrence who organises it.
func (s *SeriesState) organizedBy(write *SeriesRecordWrite, userID int64) *SeriesRecordWrite {
	if write == nil {
		write = &SeriesRecordWrite{ID: s.Recurrence.ID, Current: s.Recurrence}
	}
	write.OrganizerUserID = userID
	for _, record := range s.live {
		index := slices.IndexFunc(write.Writes, func(one RecordWrite) bool { return one.ID == record.ID })
		if index < 0 {
			write.Writes = append(write.Writes, RecordWrite{
				Action: ActionUpdate, ID: record.ID, Stamp: record.Stamp, Current: record, Event: record.Event, Fields: FieldSet{},
			})
			index = len(write.Writes) - 1
		}
		write.Writes[index].OrganizerUserID = userID
	}
	return write
}

// forAll does the same to every record: archives those that are there, or brings
// back those that were not deleted one by one.
func (s *SeriesState) forAll(write RecordWrite) *SeriesRecordWrite {
	all := &SeriesRecordWrite{ID: s.Recurrence.ID, Current: s.Recurrence}
	cancelled := map[int64]bool{}
	if s.Link != nil && s.Link.Series != nil {
		for slot, exception := range s.Link.Series.Exceptions {
			cancelled[s.Link.Series.Occurrences[slot]] = exception.Cancelled
		}
	}
	for index := range s.Recurrence.Occurrences {
		record := &s.Recurrence.Occurrences[index]
		if s.Apart[record.ID] || record.Archived == (write.Action == ActionArchive) || cancelled[record.ID] {
			continue
		}
		all.Writes = append(all.Writes, RecordWrite{
			Action: write.Action, ID: record.ID, Stamp: record.Stamp, Current: record, Event: record.Event, Fields: FieldSet{},
		})
	}
	return all
}

// answerAll gives one reply to every occurrence that shows another one.
func (s *SeriesState) answerAll(write RecordWrite) *SeriesRecordWrite {
	all := &SeriesRecordWrite{ID: s.Recurrence.ID, Current: s.Recurrence}
	for _, record := range s.live {
		index := slices.IndexFunc(record.Event.People, s.Member.Is)
		if index >= 0 && record.Event.People[index].Answer != write.Answer {
			all.Writes = append(all.Writes, RecordWrite{
				Action: ActionAnswer, ID: record.ID, Current: record, Attendee: record.Event.People[index], Answer: write.Answer,
			})
		}
	}
	if len(all.Writes) == 0 {
		return nil
	}
	return all
}

// holds is which slots of a schedule NightPOS is to hold: all of a short series,
// and of a long one those from the window's beginning on.
func (s *SeriesState) holds(of schedule) (from, to Date) {
	first := of.slots(Date{}, Date{}, 1)
	if len(first) == 0 {
		return Date{}, Date{}
	}
	from = first[0]
	whole := of.slots(from, Date{}, seriesLimit+1)
	if len(whole) <= seriesLimit {
		return from, whole[len(whole)-1]
	}
	if earliest := DateOf(s.Earliest); from.Before(earliest) {
		if s.Link != nil && s.Link.Series != nil && !s.Link.Series.From.IsZero() && s.Link.Series.From.Before(earliest) {
			earliest = s.Link.Series.From
		}
		if later := of.slots(earliest, Date{}, 1); len(later) > 0 {
			from = later[0]
		}
	}
	whole = of.slots(from, Date{}, seriesLimit)
	return from, whole[len(whole)-1]
}

// ruleFor is a schedule's rule between two slots, as NightPOS is to state it.
func ruleFor(of schedule, from, to Date) (Rule, When) {
	rule := of.rule
	if !rule.Repeats() {
		return rule, of.first
	}
	if rest, there := rule.StartingAt(from); there {
		rule = rest
	}
	if last, ends := rule.Last(); !ends || last.After(to) {
		rule.Until = Date{}
		rule.Count = len(of.slots(from, to, maxSlots))
	}
	return rule, of.at(from)
}

// planCreateSeriesRecord brings a series from Outlook into NightPOS.
func (s *SeriesState) planCreateSeriesRecord(plan SeriesPlan, create RecordWrite) SeriesPlan {
	plan.agreed = schedule{rule: s.Series.Rule, first: s.Series.Event.When}
	plan.from, plan.to = s.holds(plan.agreed)
	rule, first := ruleFor(plan.agreed, plan.from, plan.to)
	plan.Record = &SeriesRecordWrite{
		Key: create.Key, Rule: &rule, First: first, Zone: first.Zone, OrganizerUserID: create.OrganizerUserID,
	}
	view := viewCopy(s.Series, plan.from, plan.to)
	for _, slot := range view.slots(plan.from, plan.to, maxSlots) {
		if shown, there := view.occurrences[slot]; there {
			plan.Record.Create = append(plan.Record.Create, s.created(shown, create.Event))
		}
	}
	if len(plan.Record.Create) == 0 {
		return SeriesPlan{Plan: Plan{Role: plan.Role, Reason: "every occurrence of this series was deleted"}}
	}
	return plan
}

// created is an occurrence as NightPOS is to get it, with the organizer and the
// member's own answer put where NightPOS keeps them.
func (s *SeriesState) created(shown occurrence, like Event) Event {
	event := shown.event
	event.Organizer = like.Organizer
	if plan := s.Copy; plan != nil && !plan.IsOrganizer {
		local := s.State
		copied := *s.Copy
		copied.OwnAnswer = shown.answer
		local.Copy = &copied
		event = local.withOwnAnswer(event)
	}
	return event
}

// planCreateSeriesCopy brings a series from NightPOS into Outlook: its master, and
// then the occurrences that differ.
func (s *SeriesState) planCreateSeriesCopy(plan SeriesPlan, create OutlookWrite) SeriesPlan {
	view := s.nightpos
	for _, record := range view.extra {
		plan.Apart = append(plan.Apart, record.ID)
	}
	if len(view.occurrences) == 0 {
		plan.keep = fateNone
		return plan
	}
	if reason := s.inexpressible(view.schedule); reason != "" {
		return s.planSingles(plan, reason)
	}
	plan.agreed, plan.from, plan.to = view.schedule, view.from, view.to
	event := create.Event
	event.When = view.first
	if plan.Role == RoleOrganizer && s.seriesPast(view.seriesView, view.to) {
		event.People, plan.Mails = nil, 0
	}
	plan.Copy = &SeriesCopyWrite{
		Action: ActionCreate, Event: event, Fields: create.Fields, Rule: view.rule, Key: create.Key, RecordID: s.base().ID,
	}
	for _, slot := range view.slots(view.from, view.to, maxSlots) {
		shown, there := view.occurrences[slot]
		if !there || plan.Role == RoleStandIn && !s.attends(shown.record) {
			plan.Copy.Occurrences = append(plan.Copy.Occurrences, OccurrenceWrite{Slot: slot, When: view.at(slot), Action: ActionDelete})
			continue
		}
		regular := event
		regular.When = plainTime(view.at(slot))
		wanted := offline(shown.event)
		if wanted.MeetingLink == offline(view.event).MeetingLink {
			wanted.MeetingLink = event.MeetingLink
		}
		if len(event.People) == 0 {
			wanted.People = nil
		}
		if fields := s.differing(s.Outlook, regular, wanted); len(fields) > 0 {
			wanted.When.Zone = view.first.Zone
			plan.Copy.Occurrences = append(plan.Copy.Occurrences, OccurrenceWrite{
				Slot: slot, When: view.at(slot), Action: ActionUpdate, Event: wanted, Fields: fields,
			})
			plan.Mails += s.mails(wanted)
		}
	}
	plan.Refused = append(plan.Refused, dropCrossing(plan.Copy, view.seriesView)...)
	return plan
}

// mostSingles is how many occurrences of a series that Outlook has no rule for are
// brought there as single events. Each is an invitation of its own.
const mostSingles = 24

// inexpressible says why Outlook has no such rule; empty when it has.
func (s *SeriesState) inexpressible(of schedule) string {
	side, knows := s.Outlook.(interface {
		Expresses(rule Rule, first When) error
	})
	if !knows {
		return ""
	}
	if err := side.Expresses(of.rule, of.first); err != nil {
		return err.Error()
	}
	return ""
}

// planSingles has each occurrence of a short series brought to Outlook as an event
// of its own, and tells why a long one stays where it is.
func (s *SeriesState) planSingles(plan SeriesPlan, reason string) SeriesPlan {
	plan.Plan = Plan{Role: plan.Role}
	plan.Copy, plan.Apart = nil, nil
	if len(s.live) > mostSingles {
		plan.Reason = reason + "; it has more occurrences than are brought to Outlook as single events"
		return plan
	}
	for _, record := range s.live {
		plan.Apart = append(plan.Apart, record.ID)
	}
	plan.Refused = []string{reason + "; each occurrence stands in Outlook as a single event"}
	return plan
}

func (s *SeriesState) seriesPast(view seriesView, last Date) bool {
	return !view.at(last).End.After(s.Now)
}

// differing is which fields of an event a side would show differently if it were
// written over another one.
func (s *SeriesState) differing(side Projector, shown, wanted Event) FieldSet {
	now, then := NewBase(side.Project(shown)), NewBase(side.Project(wanted))
	fields := FieldSet{}
	for _, scalar := range scalars {
		if now[string(scalar.field)] != then[string(scalar.field)] {
			fields[scalar.field] = true
		}
	}
	if present(FieldPeople, now) != present(FieldPeople, then) {
		fields[FieldPeople] = true
	}
	if present(FieldCategories, now) != present(FieldCategories, then) {
		fields[FieldCategories] = true
	}
	return fields
}
