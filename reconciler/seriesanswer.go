package reconciler

import "slices"

// planSeriesAnswers keeps one person's replies equal, to the series as a whole and
// to single occurrences: that is all an attendee's copy speaks for.
func (s *SeriesState) planSeriesAnswers(plan SeriesPlan) SeriesPlan {
	plan.Plan = Plan{Role: plan.Role, keep: fateLive}
	plan.agreed = schedule{rule: s.Series.Rule, first: s.Series.Event.When}
	plan.from, plan.to, plan.known = s.nightpos.from, s.nightpos.to, map[Date]int64{}
	for slot, nightpos := range s.nightpos.occurrences {
		plan.known[slot] = nightpos.record.ID
	}
	s.answers(&plan)
	return plan
}

// answers merges the member's replies into a plan that knows the records of the
// slots.
func (s *SeriesState) answers(plan *SeriesPlan) {
	s.answersOfSingle()
	view := viewCopy(s.Series, plan.from, plan.to)
	records := map[int64]*Record{}
	for _, record := range s.live {
		records[record.ID] = record
	}
	told := s.answerMaster(plan)
	for _, slot := range plan.agreed.slots(plan.from, plan.to, maxSlots) {
		shown, inOutlook := view.occurrences[slot]
		record := records[plan.known[slot]]
		if record == nil {
			if inOutlook && plan.Role == RoleAttendee {
				// It was brought back, or is about to go.
				plan.Wait, plan.Reason = true, "waiting for the organizer's calendar to bring an occurrence to NightPOS, or to take it away"
			}
			continue
		}
		index := slices.IndexFunc(record.Event.People, s.Member.Is)
		if index < 0 {
			continue
		}
		row := record.Event.People[index]
		if !inOutlook {
			// As with a single invitation, removing one occurrence refuses it.
			if s.Series.Cancelled[slot] && (!s.agreedGone(slot) || s.rebuilt()) && row.Answer != AnswerDeclined {
				s.answerRecord(plan, record, row, AnswerDeclined)
			}
			continue
		}
		if told != AnswerNone && (shown.copied == nil || shown.answer == s.Series.OwnAnswer) {
			// So does an exception that was not answered on its own; one that does
			// not is answered the next time.
			shown.answer = told
		}
		s.answerOccurrence(plan, slot, shown, record, row)
	}
}

// becomesSingle says that Outlook shows a single event by now, and NightPOS still the
// series: which of its records stays is the organizer's to decide.
func (s *SeriesState) becomesSingle() bool {
	return s.Link != nil && s.Link.Series != nil && !s.Series.Rule.Repeats() && s.Recurrence.ID != 0
}

// answersOfSingle has what was agreed on about the one occurrence that is left, where
// the series was made a single event, speak for that event.
func (s *SeriesState) answersOfSingle() {
	if s.Link == nil || s.Link.Series == nil || s.Series.Rule.Repeats() || len(s.live) != 1 {
		return
	}
	for slot, exception := range s.Link.Series.Exceptions {
		if s.Link.Series.Occurrences[slot] != s.live[0].ID {
			continue
		}
		// Of one that a side did without, and which came back, nothing was agreed on.
		link := *s.Link
		link.Outlook, link.NightPOS = clone(link.Outlook), clone(link.NightPOS)
		link.Outlook[selfKey], link.NightPOS[selfKey] = exception.Outlook[selfKey], exception.NightPOS[selfKey]
		s.Link = &link
	}
}

// firstAnswers says that the sides have yet to agree on replies.
func (s *SeriesState) firstAnswers() bool { return s.Link == nil || s.Link.Outlook[selfKey] == "" }

// commonAnswer is the member's reply to the series in NightPOS: what was agreed on
// as long as any occurrence shows it, else what most show. The base's entry for it is
// the one that was agreed on where only occurrences are left that were replied to by
// themselves, and show what they did, or that are new: of the rest that says nothing.
func (s *SeriesState) commonAnswer() (Answer, string) {
	known, apart := map[int64]bool{}, map[int64]string{}
	linked := s.Link != nil && s.Link.Series != nil
	if linked {
		for slot, record := range s.Link.Series.Occurrences {
			exception := s.Link.Series.Exceptions[slot]
			known[record], apart[record] = !exception.Cancelled && exception.Lone != SideOutlook, exception.NightPOS[selfKey]
		}
	}
	counts, most, best, unchanged := map[Answer]int{}, 0, AnswerNone, 0
	for _, record := range s.live {
		index := slices.IndexFunc(record.Event.People, s.Member.Is)
		if index < 0 {
			continue
		}
		answer := record.Event.People[index].Answer
		if !s.firstAnswers() && s.Link.NightPOS[selfKey] == digest(string(answer)) {
			return answer, digest(string(answer))
		}
		if linked && !known[record.ID] || apart[record.ID] == digest(string(answer)) {
			unchanged++
		}
		counts[answer]++
		if counts[answer] > most {
			most, best = counts[answer], answer
		}
	}
	if unchanged > 0 && unchanged == len(s.live) && !s.firstAnswers() {
		return best, s.Link.NightPOS[selfKey]
	}
	return best, digest(string(best))
}

// answerMaster replies to the series as a whole in Outlook, when the replies in
// NightPOS changed as a whole, and returns that reply.
func (s *SeriesState) answerMaster(plan *SeriesPlan) Answer {
	answer, now := s.commonAnswer()
	shown, first := s.Series.OwnAnswer, s.firstAnswers()
	byOutlook, byNightPOS := true, true
	if !first {
		byOutlook = s.Link.Outlook[selfKey] != digest(string(shown))
		byNightPOS = s.Link.NightPOS[selfKey] != now && !s.rebuilt()
	}
	switch {
	case answer == AnswerNone || answer == shown || !byNightPOS, first && answer == AnswerDeclined,
		byOutlook && shown != AnswerNone && !s.nightposWins():
		return AnswerNone
	}
	plan.Copy = &SeriesCopyWrite{Action: ActionAnswer, ID: s.Series.ID, Current: s.Series, Answer: answer, Quiet: first}
	plan.From = SideNightPOS
	if !first {
		plan.Mails = 1
	}
	return answer
}

// agreedGone says that Outlook did without the slot's occurrence when the sides
// last agreed.
func (s *SeriesState) agreedGone(slot Date) bool {
	if s.Link == nil || s.Link.Series == nil {
		return false
	}
	exception := s.Link.Series.Exceptions[slot]
	return exception.Cancelled || exception.Lone == SideNightPOS
}

// firstAnswer says that the sides have yet to agree on the reply to one occurrence,
// which came back on a side that did without it, or came to NightPOS by itself.
func (s *SeriesState) firstAnswer(slot Date, record *Record) bool {
	if s.firstAnswers() {
		return true
	}
	if s.Link.Series == nil {
		// It was a single event.
		return s.Recurrence.ID != 0 && record.ID != s.Link.RecordID
	}
	exception := s.Link.Series.Exceptions[slot]
	return exception.Cancelled || exception.Lone != "" || !s.rebuilt() && s.Link.Series.Occurrences[slot] != record.ID
}

// answerOccurrence merges the reply to one occurrence.
func (s *SeriesState) answerOccurrence(plan *SeriesPlan, slot Date, shown occurrence, record *Record, row Person) {
	if shown.answer == row.Answer {
		return
	}
	first := s.firstAnswer(slot, record)
	byOutlook, byNightPOS := true, true
	switch {
	case first && !s.firstAnswers():
		// What came back may show in NightPOS what was replied long ago.
		byNightPOS = shown.answer == AnswerNone
	case !first:
		outlook, nightpos := s.Link.Outlook[selfKey], s.Link.NightPOS[selfKey]
		if s.Link.Series != nil && s.Link.Series.Exceptions[slot].Outlook != nil {
			outlook, nightpos = s.Link.Series.Exceptions[slot].Outlook[selfKey], s.Link.Series.Exceptions[slot].NightPOS[selfKey]
		}
		byOutlook, byNightPOS = outlook != digest(string(shown.answer)), nightpos != digest(string(row.Answer))
		if s.rebuilt() {
			// What NightPOS forgot is told it again, and what it made up is taken back.
			byOutlook, byNightPOS = true, false
		}
	}
	switch {
	case byOutlook && (shown.answer != AnswerNone || !first) && (!byNightPOS || row.Answer == AnswerNone || !s.nightposWins()):
		s.answerRecord(plan, record, row, shown.answer)
	case byNightPOS && row.Answer != AnswerNone && (!first || row.Answer != AnswerDeclined) && !s.Series.Rule.Repeats():
		plan.Copy = &SeriesCopyWrite{Action: ActionAnswer, ID: s.Series.ID, Current: s.Series, Answer: row.Answer, Quiet: first}
		plan.From = SideNightPOS
		if !first {
			plan.Mails = 1
		}
	case byNightPOS && row.Answer != AnswerNone && (!first || row.Answer != AnswerDeclined):
		if plan.Copy == nil {
			plan.Copy = &SeriesCopyWrite{ID: s.Series.ID, Current: s.Series}
		}
		write := OccurrenceWrite{Slot: slot, When: viewTime(plan.agreed, slot, shown), Action: ActionAnswer, Answer: row.Answer, Quiet: first}
		if shown.copied != nil {
			write.ID, write.Current = shown.copied.ID, shown.copied
		}
		plan.Copy.Occurrences = append(plan.Copy.Occurrences, write)
		plan.From = SideNightPOS
		if !first {
			plan.Mails++
		}
	}
}

// viewTime is where an occurrence stands in Outlook.
func viewTime(of schedule, slot Date, shown occurrence) When {
	if shown.copied != nil {
		return shown.copied.Event.When
	}
	return of.at(slot)
}

func (s *SeriesState) answerRecord(plan *SeriesPlan, record *Record, row Person, answer Answer) {
	if plan.Record == nil {
		plan.Record = &SeriesRecordWrite{ID: s.Recurrence.ID, Current: s.Recurrence}
	}
	plan.Record.Writes = append(plan.Record.Writes, RecordWrite{Action: ActionAnswer, ID: record.ID, Current: record, Attendee: row, Answer: answer})
	if plan.From == "" {
		plan.From = SideOutlook
	}
}
