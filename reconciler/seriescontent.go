package reconciler

import (
	"maps"
	"slices"
	"strings"
)

// seriesMerge brings together a series that both sides show.
type seriesMerge struct {
	*SeriesState
	plan SeriesPlan
	// before is what Outlook shows, after what it will show once the master is
	// written.
	before, after seriesView
	// rewrites says that NightPOS's occurrences are put on Outlook's schedule.
	rewrites bool
	writes   []RecordWrite
	policy   Policy
	// edited says that somebody changed in NightPOS what a guest cannot change, and
	// lone are the slots whose occurrence somebody deleted there.
	edited bool
	lone   []Date
	// singly says that Outlook is told of content occurrence by occurrence, not at
	// its master.
	singly bool
}

// planSeriesContent merges the content of a series, the schedule first, then what
// all occurrences have in common, then occurrence by occurrence.
func (s *SeriesState) planSeriesContent(plan SeriesPlan) SeriesPlan {
	plan = s.cheaper(plan, s.merge(plan, false))
	if plan.Role == RoleGuest && plan.keep == fateLive {
		s.answers(&plan)
	}
	return plan
}

// merge works out the writes; singly is as in seriesMerge.
func (s *SeriesState) merge(plan SeriesPlan, singly bool) *seriesMerge {
	m := &seriesMerge{SeriesState: s, plan: plan, policy: s.Policy, singly: singly}
	m.plan.Plan = Plan{Role: plan.Role, keep: fateLive}
	m.plan.known = map[Date]int64{}
	switch plan.Role {
	case RoleGuest:
		m.policy = PolicyOutlook
	case RoleStandIn:
		m.policy = PolicyNightPOS
	}
	if len(s.nightpos.occurrences) == 0 {
		m.plan.Reason = "NightPOS shows occurrences of this series that no rule explains"
		m.plan.keep = fateNone
		return m
	}
	m.schedule()
	m.master()
	if m.rewrites {
		m.rewrite()
	} else {
		m.compare()
	}
	m.report()
	m.finish()
	return m
}

// schedule decides when the series takes place, as a whole: its rule, its time of
// day and its zone are one field.
func (m *seriesMerge) schedule() {
	outlook := schedule{rule: m.Series.Rule, first: m.Series.Event.When}
	view := &m.nightpos
	agreed, there := m.agreed()
	byOutlook := there && !outlook.equal(agreed)
	byNightPOS := there && (!view.kept || view.moved)
	if !there {
		byOutlook, byNightPOS = m.singleChanged(outlook)
	}
	if m.plan.Role == RoleGuest && byNightPOS && m.linked() {
		byNightPOS = false
		m.stays(view.rule.Repeats() != outlook.rule.Repeats())
	}
	from := Side("")
	switch {
	case byOutlook && byNightPOS:
		if !m.sameMeetings(outlook) {
			from = m.winner()
		}
	case byOutlook:
		from = SideOutlook
	case byNightPOS:
		from = SideNightPOS
	}
	switch {
	case m.plan.Role == RoleStandIn && from == SideOutlook:
		from = ""
	}
	m.plan.agreed, m.plan.from, m.plan.to = outlook, view.from, view.to
	if held := m.held(); m.plan.Role == RoleGuest && held.After(m.plan.to) {
		// Nothing that somebody deletes in NightPOS shortens the series.
		m.plan.to = held
	}
	switch from {
	case SideNightPOS:
		m.plan.agreed = view.schedule
		if m.keepsEnd() {
			m.plan.agreed.rule.Count, m.plan.agreed.rule.Until = outlook.rule.Count, outlook.rule.Until
		}
	case SideOutlook:
		m.plan.from, m.plan.to = m.holds(outlook)
		m.rewrites = true
	default:
		m.extend()
	}
	if from == SideNightPOS && !m.plan.agreed.equal(outlook) {
		m.plan.Copy = &SeriesCopyWrite{
			Action: ActionUpdate, ID: m.Series.ID, ChangeKey: m.Series.ChangeKey, Current: m.Series,
			Event: m.Series.Event, Fields: NewFieldSet(FieldWhen), Rule: m.plan.agreed.rule,
		}
		m.plan.Copy.Event.When = m.plan.agreed.first
		m.plan.From = SideNightPOS
		m.shorten()
	}
	if byOutlook && byNightPOS && from != "" {
		lost := map[Side]string{SideOutlook: outlook.text(), SideNightPOS: view.text()}
		m.plan.Conflicts = append(m.plan.Conflicts, Conflict{Field: FieldWhen, Loser: from.Other(), Lost: lost[from.Other()]})
	}
}

// singleChanged says which sides changed when the event takes place since the
// sides agreed on a single event, or never agreed.
func (m *seriesMerge) singleChanged(outlook schedule) (byOutlook, byNightPOS bool) {
	view := &m.nightpos
	if m.Link == nil || len(m.Link.Outlook) == 0 {
		different := !m.sameMeetings(outlook)
		return different, different
	}
	shown := NewBase(Event{When: outlook.first})[string(FieldWhen)]
	byOutlook = outlook.rule.Repeats() || shown != m.Link.Outlook[string(FieldWhen)]
	byNightPOS = view.rule.Repeats()
	if !byNightPOS {
		byNightPOS = NewBase(Event{When: plainTime(view.first)})[string(FieldWhen)] != m.Link.NightPOS[string(FieldWhen)]
	}
	return byOutlook, byNightPOS
}

// sameMeetings says that NightPOS shows the slots of a schedule, as far as it
// holds them.
func (m *seriesMerge) sameMeetings(outlook schedule) bool {
	view := &m.nightpos
	if view.rule.Repeats() != outlook.rule.Repeats() || !sameClock(view.first, outlook.first) {
		return false
	}
	if !outlook.rule.Repeats() {
		return view.first.Start.Equal(outlook.first.Start)
	}
	if view.kept && !view.moved {
		return true
	}
	return slices.Equal(view.slots(view.from, view.to, maxSlots), outlook.slots(view.from, view.to, maxSlots)) &&
		(outlook.rule.Endless() || m.sameEnd(outlook))
}

func (m *seriesMerge) sameEnd(outlook schedule) bool {
	last, _ := outlook.rule.Last()
	return !last.After(m.nightpos.to)
}

func (m *seriesMerge) winner() Side {
	decide := merge{policy: m.policy, sides: map[Side]*shown{
		SideOutlook: {modified: m.Series.Modified}, SideNightPOS: {modified: m.nightpos.modified},
	}}
	return decide.winner()
}

// keepsEnd says that only the rest of the schedule was changed in NightPOS, which
// could not hold Outlook's end and states another.
func (m *seriesMerge) keepsEnd() bool {
	agreed, there := m.agreed()
	return there && !m.nightpos.moved && agreed.rule.Endless() && m.nightpos.rule.Repeats() &&
		m.Link.NightPOS[endKey] == endDigest(m.Recurrence.Rule)
}

// extend has NightPOS hold more of a series without end, in time.
func (m *seriesMerge) extend() {
	if !m.plan.agreed.rule.Repeats() || m.plan.Role == RoleStandIn {
		return
	}
	if end, ends := m.plan.agreed.rule.Last(); ends && !end.After(m.plan.to) {
		return
	}
	today := DateOf(m.Now)
	if m.plan.from.After(today) {
		today = m.plan.from
	}
	ahead := m.plan.agreed.slots(today, Date{}, seriesLimit)
	if len(ahead) == 0 {
		return
	}
	held := 0
	for _, slot := range ahead {
		if !slot.After(m.plan.to) {
			held++
		}
	}
	if last := ahead[len(ahead)-1]; held < seriesLimit/2 && last.After(m.plan.to) {
		m.plan.to = last
	}
}

// master merges what all occurrences have in common and writes it to Outlook's
// master. NightPOS has no master: its occurrences follow one by one.
func (m *seriesMerge) master() {
	var agreedOutlook, agreedNightPOS Base
	if m.Link != nil {
		agreedOutlook, agreedNightPOS = m.Link.Outlook, m.Link.NightPOS
	}
	nightpos := newShown(m.nightpos.event, agreedNightPOS, m.nightpos.modified, m.NightPOS)
	nightpos.now = m.nightpos.base
	merged := newMerge(newShown(plain(m.Copy.Event), agreedOutlook, m.Series.Modified, m.Outlook), nightpos, m.policy)
	merged.holders = m.holders
	if m.hidden != nil {
		merged.veiledFields(FieldWhen)
	} else {
		merged.scalarFields(FieldWhen)
	}
	merged.categories()
	if m.plan.Role != RoleStandIn {
		merged.people()
	}
	m.before = viewCopy(m.Series, m.plan.from, m.plan.to)
	m.after = viewCopy(m.Series, m.plan.from, m.plan.to)
	m.plan.takeFrom(merged.deltas[SideNightPOS], m.NightPOS)
	change, _ := m.openly(merged.deltas[SideOutlook], plain(m.Copy.Event))
	if m.plan.Role == RoleGuest {
		m.stays(len(change.fields) > 0)
		change = &delta{event: plain(m.Copy.Event)}
	}
	m.linkable(change, m.plan.Role == RoleOrganizer)
	if m.singly {
		m.plan.singly, change = change.fields, &delta{event: plain(m.Copy.Event)}
	}
	m.plan.Conflicts = append(m.plan.Conflicts, merged.conflicts...)
	if len(change.fields) > 0 {
		if m.plan.Copy == nil {
			m.plan.Copy = &SeriesCopyWrite{
				Action: ActionUpdate, ID: m.Series.ID, ChangeKey: m.Series.ChangeKey, Current: m.Series, Event: m.Series.Event, Fields: FieldSet{},
				Rule: m.Series.Rule,
			}
		}
		when := m.plan.Copy.Event.When
		m.plan.Copy.Event = change.event
		m.plan.Copy.Event.When = when
		for field := range change.fields {
			m.plan.Copy.Fields[field] = true
		}
		m.plan.From = SideNightPOS
	}
	if m.plan.Copy != nil {
		m.plan.Mails = m.mailsOfUpdate(m.Copy.Event, &delta{event: m.plan.Copy.Event, fields: m.plan.Copy.Fields}) + m.mailsOfExceptions()
		if m.plan.Role != RoleOrganizer {
			m.plan.Mails = 0
		}
	}
	m.foresee(change.event)
}

// foresee works out what Outlook shows once the master is written: occurrences
// follow it in all that they do not show differently themselves.
func (m *seriesMerge) foresee(event Event) {
	m.after.schedule = m.plan.agreed
	shown := map[Date]occurrence{}
	for _, slot := range m.after.slots(m.plan.from, m.plan.to, maxSlots) {
		if m.Series.gone(slot) {
			continue
		}
		next := event
		next.When = plainTime(m.after.at(slot))
		former, there := m.before.occurrences[slot]
		if there && former.copied != nil {
			last := m.before.event
			last.When = plainTime(m.before.at(slot))
			former.event = inherit(former.event, last, next)
			shown[slot] = former
			continue
		}
		shown[slot] = occurrence{event: next, answer: m.Series.OwnAnswer}
	}
	m.after.occurrences = shown
	if m.plan.Copy != nil && m.plan.Copy.Action == ActionUpdate {
		m.plan.expected = maps.Clone(shown)
	}
}

// compare merges occurrence by occurrence.
func (m *seriesMerge) compare() {
	for _, record := range m.nightpos.extra {
		if m.plan.Role == RoleGuest {
			m.stays(true)
			continue
		}
		m.plan.Apart = append(m.plan.Apart, record.ID)
	}
	for _, slot := range m.plan.agreed.slots(m.plan.from, m.plan.to, maxSlots) {
		outlook, inOutlook := m.after.occurrences[slot]
		nightpos, inNightPOS := m.nightpos.occurrences[slot]
		if inNightPOS {
			m.plan.known[slot] = nightpos.record.ID
		} else if record, there := m.nightpos.archived[slot]; there {
			m.plan.known[slot] = record.ID
		}
		exception, known := m.exception(slot)
		switch {
		case m.plan.Role == RoleGuest && inOutlook != inNightPOS:
			m.guestLone(slot, outlook, nightpos)
		case m.plan.Role == RoleStandIn && (inOutlook || inNightPOS):
			m.standInOccurrence(slot, outlook, nightpos)
		case inOutlook && inNightPOS:
			m.occurrence(slot, outlook, nightpos)
		case inOutlook && known && exception.Cancelled, inOutlook && !m.knew(slot):
			// It was brought back in Outlook, or NightPOS is to hold it now.
			m.bring(slot, outlook)
		case inOutlook:
			m.write(OccurrenceWrite{Slot: slot, When: m.after.at(slot), Action: ActionDelete}, outlook)
		case inNightPOS && known && exception.Cancelled && !m.rebuilt():
			// Brought back in NightPOS; Outlook cannot bring one back in its place.
			m.plan.Apart = append(m.plan.Apart, nightpos.record.ID)
		case inNightPOS:
			m.archive(nightpos.record)
		}
	}
}

// exception is what the sides agreed on about the occurrence of a slot by itself.
// A single event has none: what it shows is all there is.
func (m *seriesMerge) exception(slot Date) (LinkedException, bool) {
	if m.Link == nil || m.Link.Series == nil || !m.plan.agreed.rule.Repeats() {
		return LinkedException{}, false
	}
	exception, known := m.Link.Series.Exceptions[slot]
	return exception, known
}

// knew says that NightPOS had the slot's occurrence when the sides last agreed.
// Where they never did, what either side lacks was deleted there.
func (m *seriesMerge) knew(slot Date) bool {
	if m.Link == nil || m.Link.Series == nil {
		return m.Link == nil || len(m.Link.Outlook) == 0
	}
	_, there := m.Link.Series.Occurrences[slot]
	return there
}

// comesBack says that neither side had the slot's occurrence when the sides last agreed,
// so that NightPOS's record may know of no reply.
func (m *seriesMerge) comesBack(slot Date) bool {
	exception, known := m.exception(slot)
	return m.linked() && m.Link.Series != nil && (!m.knew(slot) || known && exception.Cancelled)
}

// occurrence merges one occurrence that both sides show.
func (m *seriesMerge) occurrence(slot Date, outlook, nightpos occurrence) {
	agreedOutlook, agreedNightPOS := m.agreedAt(slot)
	known := outlook.event
	if before, there := m.before.occurrences[slot]; there {
		known = before.event
	}
	sides := [2]*shown{
		newShown(outlook.event, agreedOutlook, m.before.modified, m.Outlook),
		newShown(nightpos.event, agreedNightPOS, m.nightpos.modified, m.NightPOS),
	}
	sides[0].now = NewBase(known)
	overlay(sides[0].now, NewBase(outlook.event), func(key string) bool {
		// Whom the master's write invites or removes, it does so everywhere.
		field, _, entry := strings.Cut(key, "/")
		return entry && (Field(field) == FieldPeople || Field(field) == FieldCategories)
	})
	followed(sides[0], sides[1], NewBase(outlook.event))
	if m.rebuilt() && m.plan.Role != RoleGuest {
		if exception, there := m.exception(slot); there && !exception.Cancelled && outlook.copied != nil {
			sides[0].agreed, sides[1].agreed = Base{patternKey: ""}, clone(sides[1].now)
		} else {
			sides[0].agreed, sides[1].agreed = clone(sides[0].agreed), clone(sides[1].agreed)
		}
		m.remade(sides[0], sides[1], agreedOutlook, agreedNightPOS)
		unspread(sides[0], sides[1], m.nightpos.spread)
	}
	if (m.rebuilt() || m.comesBack(slot)) && m.plan.Role != RoleGuest {
		sides[0].agreed = withoutReplies(sides[0].agreed, outlook.event.People)
	}
	merged := newMerge(sides[0], sides[1], m.policy)
	merged.holders = m.holders
	if m.hidden != nil {
		merged.veiledFields()
	} else {
		merged.scalarFields()
	}
	merged.categories()
	if m.plan.Role != RoleStandIn {
		merged.people()
		merged.answers(func(person Person) bool {
			_, connected := m.ByAddress(person)
			return !connected && m.plan.Role == RoleOrganizer
		})
	}
	if change := merged.deltas[SideNightPOS]; len(change.fields) > 0 && m.plan.Role != RoleStandIn {
		m.writes = append(m.writes, RecordWrite{
			Action: ActionUpdate, ID: nightpos.record.ID, Stamp: nightpos.record.Stamp, Current: nightpos.record,
			Event: change.event, Fields: change.fields,
		})
	}
	change, _ := m.openly(merged.deltas[SideOutlook], outlook.event)
	m.linkable(change, false)
	switch {
	case len(change.fields) == 0:
	case m.plan.Role == RoleGuest:
		m.stays(len(agreedOutlook) > 0)
	default:
		write := OccurrenceWrite{Slot: slot, When: m.after.at(slot), Action: ActionUpdate, Event: change.event, Fields: change.fields}
		write.Event.When.Zone = m.after.first.Zone
		m.write(write, outlook)
	}
}

// agreedAt is what each side showed of a slot when they last agreed.
func (m *seriesMerge) agreedAt(slot Date) (outlook, nightpos Base) {
	switch exception, known := m.exception(slot); {
	case known && exception.Lone != "":
		return nil, nil
	case known && !exception.Cancelled:
		return exception.Outlook, exception.NightPOS
	}
	agreed, there := m.agreed()
	if !there || len(m.Link.Outlook) == 0 {
		return nil, nil
	}
	when := whenDigest(plainTime(agreed.at(slot)))
	outlook, nightpos = clone(m.Link.Outlook), clone(m.Link.NightPOS)
	outlook[string(FieldWhen)], nightpos[string(FieldWhen)] = when, when
	return outlook, nightpos
}

// write adds a write to an occurrence in Outlook.
func (m *seriesMerge) write(write OccurrenceWrite, shown occurrence) {
	if m.plan.Copy == nil {
		m.plan.Copy = &SeriesCopyWrite{ID: m.Series.ID, ChangeKey: m.Series.ChangeKey, Current: m.Series, Event: m.Series.Event, Fields: FieldSet{}}
	}
	if shown.copied != nil {
		write.ID, write.Current = shown.copied.ID, shown.copied
	}
	m.plan.Copy.Occurrences = append(m.plan.Copy.Occurrences, write)
	m.plan.From = SideNightPOS
	if m.plan.Role == RoleOrganizer {
		m.plan.Mails += m.mailsOfOccurrence(write, shown.event)
	}
}

// finish puts the writes together.
func (m *seriesMerge) finish() {
	if len(m.writes) > 0 {
		m.record().Writes = append(m.record().Writes, m.writes...)
	}
	if m.plan.Record != nil {
		if m.plan.From == "" {
			m.plan.From = SideOutlook
		}
		if len(m.plan.Record.Create) > 0 && m.plan.Record.Rule == nil && m.Recurrence.ID != 0 {
			// Its end moves with the occurrences that were added.
			rule, first := ruleFor(m.plan.agreed, m.plan.from, m.plan.to)
			m.plan.Record.Rule, m.plan.Record.First, m.plan.Record.Zone = &rule, first, first.Zone
		}
	}
	if m.plan.Copy != nil {
		m.plan.Refused = append(m.plan.Refused, dropCrossing(m.plan.Copy, m.after)...)
		if m.plan.Copy.Action == "" && len(m.plan.Copy.Occurrences) == 0 {
			m.plan.Copy = nil
		}
	}
}
