package reconciler

import (
	"errors"
	"maps"
	"slices"
)

// SeriesSettled is what a carried-out plan for a series leaves to be recorded.
type SeriesSettled struct {
	Settled
	// DropID is a link that goes because the series stands under another record
	// now; zero for none.
	DropID int64
	// Occurrences are for Commit.Occurrences.
	Occurrences map[int64]int64
	// Refused are single occurrences that Outlook would not take, in words, and
	// undeleted is why one of them could not be deleted.
	Refused   []string
	undeleted error
}

// Settle turns a plan and the answers to its writes into the new link. The results
// are nil when the plan has no such write. Where anything failed, the sides agree
// on no more than before: what was written all the same shows the same on both
// sides next time, and costs no second write.
func (s *SeriesState) Settle(plan SeriesPlan, outlook *SeriesCopyResult, nightpos *SeriesRecordResult) SeriesSettled {
	settled := SeriesSettled{Refused: slices.Clone(plan.Refused)}
	if outlook != nil {
		settled.Err = outlook.Err
	}
	if nightpos != nil && settled.Err == nil {
		settled.Err = nightpos.Err
	}
	switch plan.keep {
	case fateNone:
		return settled
	case fateAside:
		switch {
		case settled.Err != nil:
		case s.Link == nil:
			settled.Link = s.noteSeries(plan.Role)
			settled.Occurrences = moved(nil, settled.Link)
		default:
			settled.Link = s.settleAside(plan.Role, nightpos != nil)
		}
		return settled
	}
	link := s.nextLink(plan.Plan)
	if plan.Copy != nil && plan.Copy.Action == ActionCreate {
		link.Generation = s.generation()
	}
	if plan.keep == fateDrop || plan.keep == fateEnd {
		if settled.Err == nil {
			link.Ended = true
			s.settleRefusal(link, plan.withAnswer())
			settled.Drop = plan.keep == fateDrop && s.Link != nil
			settled.Link = link
			settled.Occurrences = moved(s.Link, nil)
			if !settled.Drop {
				settled.Occurrences = nil
			}
		}
		return settled
	}
	after := s.afterwards(plan, outlook, nightpos)
	s.settleSeriesIdentity(link, after)
	if settled.Err != nil {
		if plan.makesSeries() || link.GraphID == "" || link.RecordID == 0 {
			return settled
		}
		link.ChangeKey = ""
		settled.Link = link
		return settled
	}
	if link.GraphID == "" || link.RecordID == 0 {
		return settled
	}
	link.Ended = false
	switch {
	case outlook != nil && outlook.Existed, nightpos != nil && nightpos.Existed:
		link.Outlook, link.NightPOS, link.Series, settled.Again = nil, nil, nil, true
	case plan.Record != nil && plan.Record.onlyUnarchives():
		settled.Again = true
	default:
		settled.Again = s.settleSeries(&settled, link, plan, after, outlook)
	}
	if settled.Again {
		link.ChangeKey = ""
	}
	settled.Link = link
	if s.Link != nil && s.Link.RecordID != link.RecordID {
		settled.DropID = s.Link.RecordID
	}
	settled.Occurrences = moved(s.Link, link)
	return settled
}

// withAnswer is the plan for the series as a whole, with the reply that it gives to
// every occurrence in NightPOS.
func (p SeriesPlan) withAnswer() Plan {
	whole := p.Plan
	if p.Record != nil {
		for _, write := range p.Record.Writes {
			if write.Action == ActionAnswer {
				whole.NightPOS = &write
			}
		}
	}
	return whole
}

func (p SeriesPlan) makesSeries() bool {
	return (p.Copy != nil && p.Copy.Action == ActionCreate) || (p.Record != nil && p.Record.ID == 0 && p.Record.BaseID == 0 && len(p.Record.Create) > 0)
}

func (w *SeriesRecordWrite) onlyUnarchives() bool {
	return w.Rule == nil && len(w.Create) == 0 && len(w.Writes) > 0 &&
		!slices.ContainsFunc(w.Writes, func(write RecordWrite) bool {
			return write.Action != ActionUnarchive || len(write.Fields) > 0
		})
}

// moved is which records came to a series' link, or went from it.
func moved(before, after *Link) map[int64]int64 {
	changes := map[int64]int64{}
	if before != nil && before.Series != nil {
		for _, record := range before.Series.Occurrences {
			if record != 0 {
				changes[record] = 0
			}
		}
	}
	if after != nil && after.Series != nil {
		for _, record := range after.Series.Occurrences {
			switch _, had := changes[record]; {
			case record == 0:
			case record == after.RecordID:
				delete(changes, record)
			case had && before.RecordID == after.RecordID:
				delete(changes, record)
			default:
				changes[record] = after.RecordID
			}
		}
	}
	return changes
}

// afterwards is the state once the plan is carried out, as the answers show it.
func (s *SeriesState) afterwards(plan SeriesPlan, outlook *SeriesCopyResult, nightpos *SeriesRecordResult) *SeriesState {
	after := &SeriesState{State: s.State, Series: s.Series, Recurrence: s.Recurrence, Apart: maps.Clone(s.Apart), Earliest: s.Earliest}
	after.Copy, after.Record = nil, nil
	if after.Apart == nil {
		after.Apart = map[int64]bool{}
	}
	for _, record := range plan.Apart {
		after.Apart[record] = true
	}
	if outlook != nil && outlook.Err == nil && outlook.Copy != nil {
		after.Series = outlook.Copy
	}
	if nightpos != nil && nightpos.Err == nil && nightpos.Record != nil {
		after.Recurrence = nightpos.Record
	}
	if after.Series == nil || after.Recurrence == nil {
		return after
	}
	after.special = plan.special(after.Series)
	link := &Link{Role: plan.Role, NightPOS: Base{}}
	if s.Link != nil {
		*link = *s.Link
		link.NightPOS = clone(link.NightPOS)
	}
	plan.take(link.NightPOS)
	link.NightPOS[patternKey] = patternDigest(after.Recurrence.Rule)
	if plan.agreed.rule.Repeats() {
		exceptions := map[Date]LinkedException{}
		if link.Series != nil {
			exceptions = link.Series.Exceptions
		}
		link.Series = &LinkedSeries{
			RecurrenceID: after.Recurrence.ID, Rule: plan.agreed.rule, First: plan.agreed.first, From: plan.from, To: plan.to,
			Occurrences: plan.known, Exceptions: exceptions,
		}
	} else {
		link.Series = nil
	}
	after.Link, after.settled = link, true
	after.prepare()
	return after
}

// special are the records that were written for an occurrence which Outlook shows by
// itself: what they show now says nothing about the rest.
func (p SeriesPlan) special(series *SeriesCopy) map[int64]bool {
	found := map[int64]bool{}
	if p.Record == nil {
		return found
	}
	for slot, id := range p.known {
		if _, own := series.Exceptions[slot]; own {
			found[id] = slices.ContainsFunc(p.Record.Writes, func(write RecordWrite) bool { return write.ID == id })
		}
	}
	return found
}

func (s *SeriesState) settleSeriesIdentity(link *Link, after *SeriesState) {
	if after.Series != nil {
		link.GraphID = after.Series.ID
		link.saw(after.Series.Copy)
		if after.Series.ICalUID != "" {
			link.ICalUID = after.Series.ICalUID
		}
	}
	if after.Recurrence == nil || len(after.Recurrence.Occurrences) == 0 {
		return
	}
	if link.RecordID == 0 || after.Recurrence.ID == 0 {
		link.RecordID = after.base().ID
	}
	inside := slices.ContainsFunc(after.Recurrence.Occurrences, func(record Record) bool { return record.ID == link.RecordID })
	if (!inside || after.Apart[link.RecordID]) && len(after.live) > 0 {
		// The record has left, or has a link of its own from now on.
		link.RecordID = after.live[0].ID
	}
}

// settleSeries takes down what each side showed. What was written counts as that
// side answered, everything else as it was read, so that an edit made in between
// is found: then the sides are to be looked at again.
func (s *SeriesState) settleSeries(settled *SeriesSettled, link *Link, plan SeriesPlan, after *SeriesState, outlook *SeriesCopyResult) (again bool) {
	if !plan.agreed.rule.Repeats() {
		link.Series, link.Apart = nil, false
		link.Outlook, link.NightPOS = NewBase(after.Series.Event), Base{}
		if len(after.live) > 0 {
			link.RecordID = after.live[0].ID
			link.NightPOS = NewBase(after.live[0].Event)
		}
		if plan.Role != RoleOrganizer {
			link.Outlook[selfKey] = digest(string(after.Series.OwnAnswer))
			_, link.NightPOS[selfKey] = after.commonAnswer()
			return false
		}
		// Outlook shows the replies to all again, where there was one to the occurrence.
		for _, person := range after.Series.Event.People {
			if key := entryKey(FieldAnswers, person.Key()); person.Answer != AnswerNone && link.Outlook[key] != link.NightPOS[key] {
				link.Outlook[key], again = "", true
			}
		}
		return again
	}
	keeper := &seriesKeeper{
		before: s, after: after, plan: plan, link: link,
		was: viewOf(s.Series, plan), is: viewOf(after.Series, plan), failed: map[Date]error{},
	}
	if outlook != nil {
		for index, err := range outlook.Occurrences {
			if err != nil {
				write := plan.Copy.Occurrences[index]
				keeper.failed[write.Slot] = err
				settled.fail(err, write.Action == ActionDelete)
			}
		}
	}
	series := &LinkedSeries{
		RecurrenceID: after.Recurrence.ID, Rule: plan.agreed.rule, First: plan.agreed.first, From: plan.from, To: plan.to,
		Occurrences: map[Date]int64{}, Exceptions: map[Date]LinkedException{},
	}
	again = keeper.master()
	for _, slot := range plan.agreed.slots(plan.from, plan.to, maxSlots) {
		if shown, there := after.nightpos.occurrences[slot]; there {
			series.Occurrences[slot] = shown.record.ID
		} else if record, there := after.nightpos.archived[slot]; there {
			series.Occurrences[slot] = record.ID
		} else if record, there := plan.known[slot]; there {
			series.Occurrences[slot] = record
		}
		if _, there := series.Occurrences[slot]; !there && (plan.Role == RoleGuest || keeper.failed[slot] != nil) {
			// Its place is remembered, and the record, which may stand elsewhere now, or
			// whose deletion is yet to be done in Outlook.
			series.Occurrences[slot] = s.formerly(slot)
		}
		if keeper.forgotten(slot) {
			// Deleted in NightPOS, as far as the next look is concerned.
			if _, there := series.Occurrences[slot]; !there {
				series.Occurrences[slot] = 0
			}
			again = true
		}
		exception, differs, moved := keeper.slot(slot)
		again = again || moved
		if differs {
			series.Exceptions[slot] = exception
		}
	}
	link.Series = series
	if write := plan.Copy; write != nil && answeredOnline(write.Fields, write.Event, after.Series.Event) {
		delete(link.Outlook, string(FieldMeetingLink))
		for _, exception := range series.Exceptions {
			delete(exception.Outlook, string(FieldMeetingLink))
		}
		again = true
	}
	return again
}

// fail notes the error of one occurrence. What Outlook refuses is told and left, but
// for deletions; anything else is tried again.
func (s *SeriesSettled) fail(err error, deletes bool) {
	var refused *RefusedError
	if errors.As(err, &refused) {
		reason := refused.Reason
		if deletes {
			reason += triedAgain
			s.undeleted = err
		}
		s.Refused = append(s.Refused, reason)
		return
	}
	if s.Err == nil {
		s.Err = err
	}
}

func viewOf(series *SeriesCopy, plan SeriesPlan) seriesView {
	if series == nil {
		return seriesView{occurrences: map[Date]occurrence{}}
	}
	return viewCopy(series, plan.from, plan.to)
}

// seriesKeeper works out the bases of a series.
type seriesKeeper struct {
	before, after *SeriesState
	plan          SeriesPlan
	link          *Link
	was, is       seriesView
	failed        map[Date]error
	// written are the fields that were written to an occurrence in Outlook by itself.
	written    map[Date]FieldSet
	writtenIDs map[int64]bool
	// hidden says that NightPOS made the series private; see hiddenByDefault.
	hidden bool
}

// own adds the member's own reply, which an attendee's copy speaks for.
func (k *seriesKeeper) own(base Base, answer Answer) Base {
	if k.plan.Role != RoleOrganizer {
		base[selfKey] = digest(string(answer))
	}
	if k.plan.Role == RoleAttendee {
		return answerBase(base)
	}
	return base
}

// master sets the bases of what all occurrences have in common.
func (k *seriesKeeper) master() (again bool) {
	k.written, k.writtenIDs = map[Date]FieldSet{}, map[int64]bool{}
	outlook := k.own(NewBase(plain(k.after.Series.Event)), k.after.Series.OwnAnswer)
	if write := k.plan.Copy; k.before.Series != nil && (write == nil || write.Action != ActionCreate) {
		read := k.own(NewBase(plain(k.before.Series.Event)), k.before.Series.OwnAnswer)
		answered := outlook
		outlook = clone(read)
		if write != nil && write.Action != "" {
			overlay(outlook, answered, writtenKeys(write.Action, write.Fields))
		}
		again = !maps.Equal(withoutAnswers(outlook), withoutAnswers(answered))
	}
	for _, write := range writesOf(k.plan.Copy) {
		k.written[write.Slot] = write.Fields
	}
	shown := k.after
	if k.plan.Record == nil && k.before.Recurrence != nil {
		shown = k.before
	} else if k.plan.Record != nil {
		for _, write := range k.plan.Record.Writes {
			k.writtenIDs[write.ID] = true
		}
	}
	answer, now := shown.commonAnswer()
	nightpos := k.own(clone(shown.nightpos.base), answer)
	if k.plan.Record == nil && k.plan.Role == RoleOrganizer {
		// Every occurrence shows something else by itself.
		k.plan.take(nightpos)
	}
	if k.plan.Role != RoleOrganizer {
		nightpos[selfKey] = now
	}
	if k.before.Link != nil {
		k.plan.singleFields(nightpos, k.before.Link.NightPOS)
	}
	if write := k.plan.Record; write != nil && k.plan.makesSeries() && k.before.Series != nil && len(k.after.live) > 0 {
		k.hidden = k.after.hiddenByDefault(k.plan.Role, k.before.Series.Event, k.after.live[0].Event)
	}
	if k.hidden {
		delete(nightpos, string(FieldPrivacy))
		again = true
	}
	nightpos[patternKey], nightpos[endKey] = patternDigest(k.after.Recurrence.Rule), endDigest(k.after.Recurrence.Rule)
	k.link.Outlook, k.link.NightPOS = outlook, nightpos
	return again
}

func writesOf(write *SeriesCopyWrite) []OccurrenceWrite {
	if write == nil {
		return nil
	}
	return write.Occurrences
}

// withoutAnswers leaves out the replies, which come in at any time and are looked
// at in their own time.
func withoutAnswers(base Base) Base {
	rest := Base{}
	for key, value := range base {
		if len(key) < len(FieldAnswers) || key[:len(FieldAnswers)] != string(FieldAnswers) {
			rest[key] = value
		}
	}
	return rest
}

// slot is what the sides agree on about one occurrence, if it differs from the
// rest.
func (k *seriesKeeper) slot(slot Date) (exception LinkedException, differs, again bool) {
	shown, inOutlook := k.is.occurrences[slot]
	record, inNightPOS := k.after.nightpos.occurrences[slot]
	if err := k.failed[slot]; err != nil {
		return k.unwritten(slot, shown, inOutlook)
	}
	ownAnswer := k.after.rowAnswer(record.event)
	switch {
	case k.plan.Role == RoleOrganizer && (!inOutlook || !inNightPOS):
		return LinkedException{Cancelled: true}, !inOutlook, false
	case !inOutlook && !inNightPOS:
		return LinkedException{Cancelled: true}, true, false
	case !inOutlook:
		return LinkedException{Lone: SideNightPOS, NightPOS: k.own(NewBase(record.event), ownAnswer)}, true, false
	case !inNightPOS:
		return LinkedException{Lone: SideOutlook, Outlook: k.own(NewBase(shown.event), shown.answer)}, true, false
	case k.brought(record.record):
		return LinkedException{Lone: SideOutlook}, true, true
	}
	outlook := k.own(NewBase(shown.event), shown.answer)
	_, written := k.written[slot]
	if was, there := k.was.occurrences[slot]; there && !written && (k.plan.Copy == nil || k.plan.Copy.Action == "") {
		read := k.own(NewBase(was.event), was.answer)
		again = !maps.Equal(withoutAnswers(read), withoutAnswers(outlook))
		outlook = read
	}
	nightpos, edited := k.ofRecord(slot, record)
	again = again || edited
	if k.dropped(slot, shown, outlook, nightpos) {
		again = true
	}
	regularOutlook, regularNightPOS := k.regular(slot)
	differs = !maps.Equal(outlook, regularOutlook) || !maps.Equal(nightpos, regularNightPOS)
	return LinkedException{Outlook: outlook, NightPOS: nightpos}, differs, again
}

// brought says that a record was just brought back for a guest: whatever was
// replied to it before, the sides have yet to agree.
func (k *seriesKeeper) brought(record *Record) bool {
	if k.plan.Role != RoleGuest || k.plan.Record == nil {
		return false
	}
	return slices.ContainsFunc(k.plan.Record.Writes, func(write RecordWrite) bool {
		return write.ID == record.ID && write.Action == ActionUnarchive
	})
}

// forgotten says that Outlook shows an occurrence again that was deleted, since its
// master was written.
func (k *seriesKeeper) forgotten(slot Date) bool {
	_, inOutlook := k.is.occurrences[slot]
	_, inNightPOS := k.after.nightpos.occurrences[slot]
	_, expected := k.plan.expected[slot]
	return k.plan.expected != nil && !expected && inOutlook && (!inNightPOS || k.plan.Role == RoleStandIn)
}

// dropped says that Outlook forgot an exception, since its master was written, or
// that an exception did not follow the master where it had shown the same. What it
// shows of that is then to be taken from NightPOS, but for replies, of which Outlook
// speaks for itself.
func (k *seriesKeeper) dropped(slot Date, shown occurrence, outlook, nightpos Base) bool {
	expected, there := k.plan.expected[slot]
	if !there || expected.copied == nil {
		return false
	}
	fields, written := k.written[slot]
	if written && len(fields) == 0 {
		return false // it was deleted
	}
	lost := false
	wanted, now := NewBase(expected.event), NewBase(shown.event)
	for _, scalar := range scalars {
		if key := string(scalar.field); wanted[key] != now[key] && !fields.Has(scalar.field) {
			nightpos[key], lost = "", true
		}
	}
	for _, field := range entryFields {
		if !fields.Has(field) && dropEntries(field, outlook, nightpos, wanted, now, NewBase(k.is.event)) {
			lost = true
		}
	}
	for _, person := range shown.event.People {
		key := entryKey(FieldAnswers, person.Key())
		if _, compared := outlook[key]; compared && person.Answer != AnswerNone && wanted[key] != now[key] {
			outlook[key], lost = wanted[key], true
		}
	}
	return lost
}

// dropEntries has the bases of a slot differ by what Outlook dropped of a field, where it
// now shows what its master does: what it should show is new in NightPOS, and what it
// shows again was taken away there. Any other difference is news from Outlook, where a
// person was faster than the reading.
func dropEntries(field Field, outlook, nightpos, wanted, now, master Base) (differs bool) {
	dropped := present(field, now) == present(field, master)
	for key, entry := range wanted {
		if _, there := now[key]; field.holds(key) && !there {
			if dropped {
				delete(nightpos, key)
			} else {
				outlook[key] = entry
			}
			differs = true
		}
	}
	for key, entry := range now {
		if _, expected := wanted[key]; field.holds(key) && !expected {
			if _, there := master[key]; there && dropped {
				nightpos[key] = entry
			} else {
				delete(outlook, key)
			}
			differs = true
		}
	}
	return differs
}

// regular is what the sides show of a slot that is no exception.
func (k *seriesKeeper) regular(slot Date) (outlook, nightpos Base) {
	outlook, nightpos = clone(k.link.Outlook), clone(k.link.NightPOS)
	delete(nightpos, patternKey)
	delete(nightpos, endKey)
	if k.plan.Role == RoleAttendee {
		return outlook, nightpos
	}
	when := whenDigest(plainTime(k.plan.agreed.at(slot)))
	outlook[string(FieldWhen)], nightpos[string(FieldWhen)] = when, when
	return outlook, nightpos
}

// ofRecord is what NightPOS showed of an occurrence: as it answered, where it was
// written, else as it was read, and then whether it was edited since.
func (k *seriesKeeper) ofRecord(slot Date, record occurrence) (base Base, edited bool) {
	answered := k.own(NewBase(record.event), k.after.rowAnswer(record.event))
	if k.hidden {
		delete(answered, string(FieldPrivacy))
	}
	was, there := k.before.nightpos.occurrences[slot]
	if !there || was.record.ID != record.record.ID || k.writtenIDs[record.record.ID] {
		return answered, false
	}
	read := k.own(NewBase(was.event), k.before.rowAnswer(was.event))
	return read, !maps.Equal(withoutAnswers(read), withoutAnswers(answered))
}

// unwritten keeps a change in NightPOS a change where Outlook did not take it, and
// nothing else: what came from Outlook has arrived.
func (k *seriesKeeper) unwritten(slot Date, shown occurrence, inOutlook bool) (exception LinkedException, differs, again bool) {
	if !inOutlook {
		return LinkedException{}, false, false
	}
	outlook := k.own(NewBase(shown.event), shown.answer)
	former := &seriesMerge{SeriesState: k.before}
	_, agreed := former.agreedAt(slot)
	if agreed == nil {
		agreed = outlook
	}
	write := k.plan.Copy.Occurrences[slices.IndexFunc(k.plan.Copy.Occurrences, func(write OccurrenceWrite) bool { return write.Slot == slot })]
	record, inNightPOS := k.after.nightpos.occurrences[slot]
	if !inNightPOS || write.Action == ActionDelete {
		return LinkedException{Outlook: outlook, NightPOS: agreed}, true, false
	}
	nightpos, edited := k.ofRecord(slot, record)
	restore(nightpos, agreed, owedKeys(write.Action, write.Fields, outlook, NewBase(write.Event)))
	return LinkedException{Outlook: outlook, NightPOS: nightpos}, true, edited
}

// rowAnswer is the member's reply to one occurrence in NightPOS.
func (s *SeriesState) rowAnswer(event Event) Answer {
	index := slices.IndexFunc(event.People, s.Member.Is)
	if index < 0 {
		return AnswerNone
	}
	return event.People[index].Answer
}
