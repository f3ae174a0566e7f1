package reconciler

import "slices"

// selfKey is where an attendee's link keeps the one thing it speaks for.
const selfKey = string(FieldAnswers) + "/self"

// ownRow is the member's attendee row in NightPOS.
func (s State) ownRow() (Person, bool) {
	if s.Record == nil {
		return Person{}, false
	}
	index := slices.IndexFunc(s.Record.Event.People, s.Member.Is)
	if index < 0 {
		return Person{}, false
	}
	return s.Record.Event.People[index], true
}

// planAttendee keeps one person's reply equal: that is all an attendee's copy
// speaks for.
func (s State) planAttendee() Plan {
	plan := Plan{Role: s.attendeeRole()}
	row, invited := s.ownRow()
	live := s.Link != nil && !s.ended()
	agreed := live && s.Link.agreed()
	switch {
	case s.Record == nil && s.there() && s.Link == nil && s.organizerKeepsAlone():
		plan.Reason = "the organizer's calendar keeps this meeting to itself: only what is new crosses"
	case s.Record == nil && s.there() && s.Link == nil && s.organizerSkips():
		plan.Reason = "the organizer's calendar keeps this meeting to itself: it is private in Outlook"
	case s.Record == nil && s.there() && s.Link == nil && s.Late && s.organizerIsSilent():
		plan.Reason = "the organizer's calendar has not brought this meeting to NightPOS: it may be in another calendar of the organizer's, and only the main calendar is synced"
	case s.Record == nil && s.there() && s.Link == nil:
		plan.late = s.organizerIsSilent()
		plan.Wait, plan.Reason = true, "waiting for the organizer's calendar to bring this meeting to NightPOS"
	case s.Record == nil && s.Link != nil:
		plan.keep = fateDrop
	case s.there() && s.active() && invited:
		return s.planAnswer(row)
	case s.there() && s.active() && s.byList():
		return s.planJoin()
	case s.there() && s.active():
		// The organizer's lane lists who is invited: it may not have got to that yet.
		plan.Wait = !agreed && s.organizerConnected() && s.Told
		plan.Reason = "NightPOS does not list this person as an attendee"
	case live && s.Copy == nil && s.Replaced:
		plan.keep = fateDrop
	case live && s.Copy == nil && s.active() && invited:
		// Removing the invitation from one's own calendar is a refusal; it
		// never touches the meeting.
		plan.keep = fateEnd
		if row.Answer != AnswerDeclined {
			plan.From = SideOutlook
			plan.NightPOS = &RecordWrite{Action: ActionAnswer, ID: s.Record.ID, Current: s.Record, Attendee: row, Answer: AnswerDeclined}
		}
	case live && s.Copy == nil && s.active() && s.Link.Apart && !agreed:
		plan.Wait = s.organizerConnected() && s.Told
		plan.Reason = "the invitation is gone, which NightPOS is told once it lists this person"
	case live && !s.there():
		plan.keep = fateEnd
	}
	return plan
}

// attendeeRole is the link's, but for a guest whose organizer has connected since.
func (s State) attendeeRole() Role {
	if s.Link == nil || s.Link.Role == RoleGuest && s.organizerConnected() {
		return RoleAttendee
	}
	return s.Link.Role
}

// planAnswer merges the reply of a meeting that both sides show.
func (s State) planAnswer(row Person) Plan {
	plan := Plan{Role: s.attendeeRole(), keep: fateLive}
	if answer, ok := s.answerForOutlook(); ok {
		plan.Outlook, plan.From = answer, SideNightPOS
		if !answer.Quiet {
			plan.Mails = 1
		}
		return plan
	}
	own := s.Copy.OwnAnswer
	byOutlook, _ := s.answerChanged(row)
	if byOutlook && own != row.Answer && (own != AnswerNone || (s.Link != nil && len(s.Link.Outlook) > 0)) {
		plan.NightPOS = &RecordWrite{Action: ActionAnswer, ID: s.Record.ID, Current: s.Record, Attendee: row, Answer: own}
		plan.From = SideOutlook
	}
	return plan
}

// answerChanged says on which sides the member's reply changed.
func (s State) answerChanged(row Person) (byOutlook, byNightPOS bool) {
	if s.Link == nil || s.Link.Outlook[selfKey] == "" {
		return true, true
	}
	return s.Link.Outlook[selfKey] != digest(string(s.Copy.OwnAnswer)), s.Link.NightPOS[selfKey] != digest(string(row.Answer))
}

// answerForOutlook is the reply that Outlook has to be told, if any. An open
// reply cannot be told: Outlook has no call to take an answer back.
func (s State) answerForOutlook() (*OutlookWrite, bool) {
	row, invited := s.ownRow()
	if !invited || row.Answer == AnswerNone || row.Answer == s.Copy.OwnAnswer {
		return nil, false
	}
	byOutlook, byNightPOS := s.answerChanged(row)
	if !byNightPOS {
		return nil, false
	}
	if byOutlook && s.Copy.OwnAnswer != AnswerNone && !s.nightposWins() {
		return nil, false
	}
	// An answer that was there before this copy was known is old news to the
	// organizer. An old refusal is not repeated at all: Outlook would take the
	// invitation away that the organizer has just sent again.
	first := s.Link == nil || s.Link.Outlook[selfKey] == ""
	if first && row.Answer == AnswerDeclined {
		return nil, false
	}
	return &OutlookWrite{Action: ActionAnswer, ID: s.Copy.ID, Current: s.Copy, Answer: row.Answer, Quiet: first}, true
}

func (s State) nightposWins() bool {
	decide := merge{policy: s.Policy, sides: map[Side]*shown{
		SideOutlook: {modified: s.Copy.Modified}, SideNightPOS: {modified: s.Record.Modified},
	}}
	return decide.winner() == SideNightPOS
}
