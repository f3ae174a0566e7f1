package reconciler

import (
	"maps"
	"strings"
)

// Settled is what a carried-out plan leaves to be recorded.
type Settled struct {
	// Link is to be saved, or its RecordID dropped; nil when nothing changes.
	Link *Link
	Drop bool
	// Again asks for another look at once: the answers showed something that
	// the plan did not know.
	Again bool
	// Err is the first error of the plan's writes.
	Err error
}

// Settle turns a plan and the answers to its writes into the new link. What was
// not written, or could not be, keeps counting as changed. The results may be
// nil when the plan has no such write.
func (s State) Settle(plan Plan, outlook *OutlookResult, nightpos *RecordResult) Settled {
	var settled Settled
	if outlook != nil && outlook.Err != nil {
		settled.Err = outlook.Err
	}
	if nightpos != nil && nightpos.Err != nil && settled.Err == nil {
		settled.Err = nightpos.Err
	}
	switch plan.keep {
	case fateNone:
		return settled
	case fateAside:
		if settled.Err == nil {
			settled.Link = s.settleAside(plan.Role, nightpos != nil)
		}
		return settled
	}
	link := s.nextLink(plan)
	switch plan.keep {
	case fateDrop, fateEnd:
		if settled.Err != nil {
			return settled
		}
		link.Ended = true
		s.settleRefusal(link, plan)
		if plan.keep == fateDrop {
			settled.Drop = s.Link != nil
		}
		settled.Link = link
		return settled
	}
	s.settleIdentity(link, outlook, nightpos)
	if settled.Err != nil && (outlook == nil || outlook.Err != nil) {
		// What was to be done about this version of the copy has yet to be done: a
		// hint that speaks of it, told twice, is no echo.
		link.ChangeKey = ""
	}
	if link.RecordID == 0 || link.GraphID == "" {
		return settled
	}
	link.Ended = false
	created := plan.creates()
	if created && settled.Err != nil {
		return settled
	}
	if (outlook != nil && outlook.Existed) || (nightpos != nil && nightpos.Existed) {
		// An earlier attempt made it, and it may have been edited since: the
		// sides have yet to agree.
		link.Outlook, link.NightPOS = s.basesOfExisting(plan, nightpos)
		settled.Again = true
	} else if plan.NightPOS != nil && plan.NightPOS.Action == ActionUnarchive {
		settled.Again = settled.Err == nil
	} else {
		s.settleBases(link, plan, outlook, nightpos)
		if write := plan.NightPOS; write != nil && write.Action == ActionCreate && nightpos != nil && nightpos.Record != nil &&
			s.hiddenByDefault(plan.Role, write.Event, nightpos.Record.Event) {
			delete(link.NightPOS, string(FieldPrivacy))
			settled.Again = true
		}
		settled.Again = settled.Again || s.repeatedCreate(plan, outlook) && s.settleRepeatedCreate(link, plan, *outlook.Copy)
		if write := plan.Outlook; write != nil && outlook != nil && outlook.Copy != nil && answeredOnline(write.Fields, write.Event, outlook.Copy.Event) {
			delete(link.Outlook, string(FieldMeetingLink))
			settled.Again = settled.Err == nil
		}
	}
	if settled.Again {
		// The same hint, told twice, must not be taken for an echo meanwhile.
		link.ChangeKey = ""
	}
	settled.Link = link
	return settled
}

// repeatedCreate says that a copy was made before and the answer was lost: Graph
// answers a repeated create with the copy as it is now.
func (s State) repeatedCreate(plan Plan, outlook *OutlookResult) bool {
	return plan.Outlook != nil && plan.Outlook.Action == ActionCreate && s.Link != nil && s.Link.GraphID == "" &&
		outlook != nil && outlook.Err == nil && outlook.Copy != nil
}

// settleRepeatedCreate takes what was sent for what the sides agreed on, since a
// person may have edited the copy by now, and says whether one did.
func (s State) settleRepeatedCreate(link *Link, plan Plan, copied Copy) bool {
	sent := s.Outlook.Project(plan.Outlook.Event)
	people := make([]Person, 0, len(sent.People))
	for _, person := range sent.People {
		person.Answer = AnswerNone
		people = append(people, person)
	}
	sent.People = people
	// What Outlook always writes differently is no edit.
	if sameText(sent.Body, copied.Event.Body) {
		sent.Body = copied.Event.Body
	}
	sent.When.Zone = copied.Event.When.Zone
	sent.MeetingLink = copied.Event.MeetingLink
	link.Outlook = NewBase(sent)
	return !maps.Equal(link.Outlook, NewBase(copied.Event))
}

// basesOfExisting are the bases of a record that an earlier create had made
// already. As long as nobody has touched it, it shows what the copy showed then,
// so that whatever differs was changed in the copy since: somebody taken off the
// meeting in Outlook must not be invited to it again. Otherwise the sides have
// never agreed.
func (s State) basesOfExisting(plan Plan, nightpos *RecordResult) (outlook, record Base) {
	if plan.Role != RoleOrganizer || s.Copy == nil || nightpos == nil || !nightpos.Existed || !nightpos.Record.Untouched {
		return nil, nil
	}
	sent, now := nightpos.Record.Event, s.Copy.Event
	outlook, record = NewBase(now), NewBase(sent)
	would := NewBase(s.NightPOS.Project(now))
	for _, scalar := range scalars {
		key := string(scalar.field)
		same := would[key] == record[key] || scalar.field == FieldBody && sameText(sent.Body, now.Body)
		switch {
		case same:
		case scalar.field == FieldPrivacy && s.hiddenByDefault(plan.Role, now, sent):
			delete(record, key)
		default:
			delete(outlook, key)
		}
	}
	// Answers are given on both sides while a record stays untouched: an open one
	// of the copy's is no news.
	for _, person := range now.People {
		key := entryKey(FieldAnswers, person.Key())
		if person.Answer != AnswerNone && outlook[key] != record[key] {
			delete(outlook, key)
		}
	}
	entries := func(key string) bool {
		field, entry, _ := strings.Cut(key, "/")
		return entry != "" && Field(field) != FieldAnswers
	}
	overlay(outlook, record, entries)
	return outlook, record
}

// hiddenByDefault says that NightPOS made something private of what Outlook shows to
// everybody, since its owner's default there is that. It is news from NightPOS then: the
// sides are to show the same, and nothing is to be published that was not meant to be.
func (s State) hiddenByDefault(role Role, asked, made Event) bool {
	open := func(event Event) bool { return s.NightPOS.Project(event).Privacy == PrivacyPublic }
	return role == RoleOrganizer && open(asked) && !open(made)
}

// settleRefusal ends an attendee's link. Somebody who removed the invitation has
// refused: Outlook sends it again with the organizer's next update, open, and
// then neither that nor the refusal that NightPOS shows must look like a new
// answer, which Outlook would mail to the organizer. Where the meeting itself
// went, or the person was uninvited, the next invitation starts afresh: the copy
// that comes with it never heard of the answer that NightPOS kept.
func (s State) settleRefusal(link *Link, plan Plan) {
	if plan.Role != RoleAttendee {
		return
	}
	row, invited := s.ownRow()
	if s.Copy != nil || !invited || !s.active() {
		link.Outlook, link.NightPOS = nil, nil
		return
	}
	answer := row.Answer
	if plan.NightPOS != nil {
		answer = plan.NightPOS.Answer
	}
	link.Outlook = Base{selfKey: digest(string(AnswerNone))}
	link.NightPOS = Base{selfKey: digest(string(answer))}
}

func (p Plan) creates() bool {
	return (p.Outlook != nil && p.Outlook.Action == ActionCreate) || (p.NightPOS != nil && p.NightPOS.Action == ActionCreate)
}

func (s State) nextLink(plan Plan) *Link {
	link := &Link{Role: plan.Role, Generation: 1}
	if s.Link != nil {
		*link = *s.Link
	}
	if plan.Outlook != nil && plan.Outlook.Action == ActionCreate {
		link.Generation = s.generation()
	}
	link.Role = plan.Role
	link.Held, link.Alone, link.Aside = link.Held || plan.held, plan.alone, false
	link.Listed = link.Listed || plan.listed
	if s.Copy != nil {
		link.GraphID, link.ICalUID = s.Copy.ID, s.Copy.ICalUID
		link.saw(*s.Copy)
	}
	if s.Record != nil {
		link.RecordID = s.Record.ID
	}
	return link
}

func (s State) settleIdentity(link *Link, outlook *OutlookResult, nightpos *RecordResult) {
	if outlook != nil && outlook.Err == nil && outlook.Copy != nil {
		link.GraphID = outlook.Copy.ID
		link.saw(*outlook.Copy)
		if outlook.Copy.ICalUID != "" {
			link.ICalUID = outlook.Copy.ICalUID
		}
	}
	if nightpos != nil && nightpos.Err == nil && nightpos.Record != nil {
		link.RecordID = nightpos.Record.ID
	}
}

// settleBases takes down what each side showed. A field written to a side
// counts as that side answered the write; a field that was not written counts
// as it was read, so that an edit made in between is found; and where a write
// failed, the side it came from keeps its old base, so that the change is still
// a change next time, and so does an edit that it was to overrule.
func (s State) settleBases(link *Link, plan Plan, outlook *OutlookResult, nightpos *RecordResult) {
	speaksForAnswerOnly := plan.Role == RoleAttendee
	readOutlook, readNightPOS := Base{}, Base{}
	if s.Copy != nil {
		readOutlook = s.baseOfCopy(*s.Copy, plan.Role)
	}
	if s.Record != nil {
		readNightPOS = s.baseOfRecord(*s.Record, plan.Role)
	}
	newOutlook, newNightPOS := clone(readOutlook), clone(readNightPOS)
	if write := plan.Outlook; write != nil && outlook != nil && outlook.Err == nil {
		switch {
		case write.Action == ActionAnswer:
			newOutlook[selfKey] = digest(string(write.Answer))
		case outlook.Copy != nil:
			overlay(newOutlook, s.baseOfCopy(*outlook.Copy, plan.Role), writtenKeys(write.Action, write.Fields))
		}
	}
	if write := plan.NightPOS; write != nil && nightpos != nil && nightpos.Err == nil {
		switch {
		case write.Action == ActionAnswer:
			newNightPOS[selfKey] = digest(string(write.Answer))
		case nightpos.Record != nil:
			overlay(newNightPOS, s.baseOfRecord(*nightpos.Record, plan.Role), writtenKeys(write.Action, write.Fields))
		}
	}
	// What failed comes last: the other side's answer shows its own change too, which
	// has yet to cross.
	if write := plan.Outlook; write != nil && outlook != nil && outlook.Err != nil {
		owed := owedKeys(write.Action, write.Fields, readOutlook, NewBase(write.Event))
		restore(newNightPOS, link.NightPOS, owed)
		restore(newOutlook, link.Outlook, overruled(write.Action, owed))
		if write.Quiet {
			// Repeated, it is still old news that nobody is mailed about.
			delete(newOutlook, selfKey)
		}
	}
	if write := plan.NightPOS; write != nil && nightpos != nil && nightpos.Err != nil {
		owed := owedKeys(write.Action, write.Fields, readNightPOS, s.baseOfRecord(Record{Event: write.Event}, plan.Role))
		restore(newOutlook, link.Outlook, owed)
		restore(newNightPOS, link.NightPOS, overruled(write.Action, owed))
		if plan.listed {
			// NightPOS has yet to be told; that it shows no reply is no agreement.
			delete(newNightPOS, selfKey)
		}
	}
	if speaksForAnswerOnly {
		newOutlook, newNightPOS = answerBase(newOutlook), answerBase(newNightPOS)
	}
	link.Outlook, link.NightPOS = newOutlook, newNightPOS
}

// answerBase is what an attendee's link keeps of a base: the own answer, if known.
func answerBase(base Base) Base {
	if base[selfKey] == "" {
		return nil
	}
	return Base{selfKey: base[selfKey]}
}

func (s State) baseOfCopy(copied Copy, role Role) Base {
	event := copied.Event
	if role == RoleGuest {
		local := s
		local.Copy = &copied
		event = local.withOwnAnswer(event)
	}
	base := NewBase(event)
	if copied.Told && s.Link != nil {
		base[string(FieldBody)] = s.Link.Outlook[string(FieldBody)]
	}
	if role != RoleOrganizer {
		base[selfKey] = digest(string(copied.OwnAnswer))
	}
	return base
}

func (s State) baseOfRecord(record Record, role Role) Base {
	base := NewBase(record.Event)
	if role != RoleOrganizer {
		local := s
		local.Record = &record
		row, _ := local.ownRow()
		base[selfKey] = digest(string(row.Answer))
	}
	return base
}

func clone(base Base) Base {
	copied := make(Base, len(base))
	for key, value := range base {
		copied[key] = value
	}
	return copied
}

// writtenKeys tells which keys of a base a write concerns.
func writtenKeys(action Action, fields FieldSet) func(key string) bool {
	return func(key string) bool {
		switch action {
		case ActionCreate:
			return true
		case ActionAnswer:
			return key == selfKey
		}
		field, _, _ := strings.Cut(key, "/")
		if Field(field) == FieldAnswers && fields.Has(FieldPeople) {
			return true
		}
		return fields.Has(Field(field))
	}
}

// owedKeys tells which keys of a base a write that failed leaves to be done. Of
// people, answers and categories those are the entries that it was to change and no
// others: what came from this side may have reached the other one meanwhile.
func owedKeys(action Action, fields FieldSet, shown, wanted Base) func(key string) bool {
	concerned := writtenKeys(action, fields)
	if action != ActionUpdate {
		return concerned
	}
	return func(key string) bool {
		_, _, entry := strings.Cut(key, "/")
		return concerned(key) && (!entry || shown[key] != wanted[key])
	}
}

// overruled tells which keys of the side that a failed write was for keep their old
// base as well: an edit there that was to be overruled is still one. Else, where the
// edit that overruled it is taken back before the next try, both sides would seem to be
// as they were when they agreed.
func overruled(action Action, owed func(key string) bool) func(key string) bool {
	return func(key string) bool {
		return action == ActionUpdate && !strings.Contains(key, "/") && owed(key)
	}
}

// overlay replaces the keys concerned by those of the other base.
func overlay(base, by Base, concerned func(string) bool) {
	for key := range base {
		if _, there := by[key]; !there && concerned(key) {
			delete(base, key)
		}
	}
	for key, value := range by {
		if concerned(key) {
			base[key] = value
		}
	}
}

// restore puts back the old values of the keys concerned.
func restore(base, old Base, concerned func(string) bool) {
	overlay(base, old, concerned)
}
