package reconciler

import "slices"

// A meeting whose organizer has not connected Outlook, or that nobody
// organises, cannot be a meeting in Outlook: the mailbox that makes it becomes
// its organizer. Its connected attendees get a stand-in instead, an appointment
// without attendees that mails nobody. Content flows from NightPOS to it only.
// Once the organizer connects, the real meeting comes by invitation and the
// stand-in goes.

// standIn says whether the copy, or the lack of one, is for a stand-in. The
// member is not the organizer.
func (s State) standIn() bool {
	if s.Link != nil && s.Link.GraphID != "" && s.Link.Role != RoleOrganizer {
		return s.Link.Role == RoleStandIn
	}
	if s.Copy == nil {
		return !s.organizerConnected() && !s.brought()
	}
	// Without a link, our own mark on an appointment tells a stand-in.
	return s.Copy.IsOrganizer && s.Copy.RecordID == s.Record.ID && len(s.Copy.Event.People) == 0
}

// brought says that the record was made from an invitation by somebody who was
// nobody's user or had not connected Outlook. Whoever is invited has an invitation
// too, or gets it, and needs no stand-in besides.
func (s State) brought() bool {
	return s.Record != nil && s.Record.OrganizerUserID == 0 && s.Record.ExternalKey != ""
}

// claims says that the member is the organizer of a meeting that an invitation
// brought to NightPOS before the member connected Outlook.
func (s State) claims() bool {
	return s.brought() && s.Copy != nil && s.Copy.IsOrganizer && s.Copy.RecordID == 0 &&
		(s.Link == nil || s.Link.Role != RoleOrganizer)
}

// claimed is the state in which the record's organizer is no attendee any more.
func (s State) claimed() State {
	record := *s.Record
	record.Event.People = slices.DeleteFunc(slices.Clone(record.Event.People), s.Member.Is)
	s.Record = &record
	return s
}

// planClaim brings the two sides of such a meeting together and says in NightPOS
// who organises it.
func (s State) planClaim() Plan {
	plan := s.claimed().planOrganizer()
	if plan.keep != fateLive {
		return plan
	}
	if plan.NightPOS == nil {
		plan.NightPOS = &RecordWrite{
			Action: ActionUpdate, ID: s.Record.ID, Stamp: s.Record.Stamp, Event: s.Record.Event, Fields: FieldSet{},
		}
		plan.From = SideOutlook
	}
	plan.NightPOS.Current, plan.NightPOS.OrganizerUserID = s.Record, s.Member.UserID
	return plan
}

func (s State) organizerConnected() bool {
	if s.Record == nil || s.Record.OrganizerUserID == 0 {
		return false
	}
	_, connected := s.ByUser(s.Record.OrganizerUserID)
	return connected
}

func (s State) planStandIn() Plan {
	plan := Plan{Role: RoleStandIn}
	row, invited := s.ownRow()
	// One that is there stays until the organizer's calendar brings the meeting.
	away := !s.organizerConnected() || s.Copy != nil && s.organizerKeepsBack()
	wanted := s.active() && invited && row.Answer != AnswerDeclined && away
	switch {
	case wanted && s.Copy != nil:
		return s.planStandInContent()
	case wanted && (s.Link == nil || s.ended() || s.Link.GraphID == ""):
		event := offline(s.Record.Event)
		event.People = nil
		plan.Outlook = &OutlookWrite{
			Action: ActionCreate, Event: event, Fields: NewFieldSet(Fields()...), RecordID: s.Record.ID,
			Key: CopyKey(s.Database, s.Member, s.Record.ID, s.generation()),
		}
		plan.From, plan.keep = SideNightPOS, fateLive
	case wanted:
		// As with an invitation, removing it is a refusal.
		plan.NightPOS = &RecordWrite{Action: ActionAnswer, ID: s.Record.ID, Current: s.Record, Attendee: row, Answer: AnswerDeclined}
		plan.From, plan.keep = SideOutlook, fateEnd
	case s.Copy != nil:
		plan.Outlook = &OutlookWrite{Action: ActionDelete, ID: s.Copy.ID, ChangeKey: s.Copy.ChangeKey, Current: s.Copy}
		plan.From, plan.keep = SideNightPOS, fateEnd
		if s.Record == nil || s.organizerConnected() {
			plan.keep = fateDrop
		}
	case s.Link == nil:
	case s.Record == nil || s.organizerConnected():
		plan.keep = fateDrop
	case !s.ended():
		plan.keep = fateEnd
	}
	return plan
}

// planStandInContent brings a stand-in up to date. What its owner changed in it
// stays until NightPOS changes the same field.
func (s State) planStandInContent() Plan {
	plan := Plan{Role: RoleStandIn, keep: fateLive}
	merged := newMerge(s.shown(SideOutlook), s.shown(SideNightPOS), PolicyNightPOS)
	merged.scalarFields()
	merged.categories()
	s.linkable(merged.deltas[SideOutlook], false)
	if change := merged.deltas[SideOutlook]; len(change.fields) > 0 {
		plan.Outlook = &OutlookWrite{
			Action: ActionUpdate, ID: s.Copy.ID, ChangeKey: s.Copy.ChangeKey, Current: s.Copy,
			Event: change.event, Fields: change.fields,
		}
		plan.From = SideNightPOS
	} else if len(merged.deltas[SideNightPOS].fields) > 0 {
		plan.Reason = "this stands in for a meeting whose organizer has not connected Outlook: a change made here stays here"
	}
	return plan
}

// formerOrganizer says that the member's copy is the meeting itself, which
// somebody else organises in NightPOS now.
func (s State) formerOrganizer() bool {
	return s.Link != nil && s.Link.Role == RoleOrganizer && s.Link.GraphID != "" && !s.ended() && s.Copy != nil && s.Copy.IsOrganizer
}

// planHandOver takes the meeting out of the former organizer's mailbox; the new
// organizer's lane makes it anew. Attendees get one cancellation and one
// invitation: Outlook knows no other way, since an organizer cannot be changed.
func (s State) planHandOver() Plan {
	return Plan{
		Role: RoleOrganizer, From: SideNightPOS, keep: fateDrop, Mails: s.mails(s.inOutlook()),
		Outlook: &OutlookWrite{Action: ActionDelete, ID: s.Copy.ID, ChangeKey: s.Copy.ChangeKey, Current: s.Copy},
		Reason:  "the meeting has another organizer now",
	}
}

// takenOver is the state of a member who has become the organizer: what the
// mailbox held as an attendee is no copy of the meeting any more, and what it
// held as a stand-in has yet to get its attendees.
func (s State) takenOver() State {
	if s.Link == nil || (s.Link.Role != RoleAttendee && s.Link.Role != RoleStandIn) {
		return s
	}
	link := *s.Link
	link.Outlook, link.NightPOS = nil, nil
	if link.Role == RoleAttendee {
		link.Ended = true
		if s.Copy != nil && !s.Copy.IsOrganizer {
			s.Copy = nil
		}
	}
	s.Link = &link
	return s
}
