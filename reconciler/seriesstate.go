package reconciler

import (
	"slices"
	"strconv"
	"time"
)

// SeriesState is everything a plan for a series looks at, as it stands in one
// member's mailbox and in NightPOS.
type SeriesState struct {
	// State is what all occurrences have in common; Copy and Record are filled in
	// from the series itself.
	State
	// Series is the series in the mailbox, nil when it is certainly not there.
	Series *SeriesCopy
	// Recurrence is the series in NightPOS, nil when it certainly does not exist.
	Recurrence *SeriesRecord
	// Apart are occurrences in NightPOS that have an event of their own in Outlook.
	Apart map[int64]bool
	// Earliest is how far back a series that NightPOS cannot hold as a whole is
	// brought there.
	Earliest time.Time

	// settled says that both sides have just been brought to the schedule of the
	// link.
	settled bool
	// special are the records whose content was just taken from an occurrence that
	// Outlook shows by itself.
	special map[int64]bool
	// What prepare finds out.
	live     []*Record
	nightpos recurrenceView
}

// patternKey and endKey are where a NightPOS base keeps what NightPOS states of the
// rule: how it repeats, and where it ends.
const (
	patternKey = "rule"
	endKey     = "rule/end"
)

// patternDigest is about how a rule repeats, wherever it begins and ends.
func patternDigest(rule Rule) string {
	rule.Start, rule.Count, rule.Until = Date{}, 0, Date{}
	return digest(rule.Describe(), strconv.FormatBool(rule.Clamp), rule.FirstWeekday.String())
}

func endDigest(rule Rule) string { return digest(strconv.Itoa(rule.Count), rule.Until.String()) }

// prepare puts both sides in common terms.
func (s *SeriesState) prepare() {
	s.veilSeries()
	if s.Series != nil {
		if !s.Series.IsOrganizer {
			s.Series = s.withOwnAnswers()
		}
		master := s.Series.Copy
		master.Recurring, master.Event.When = false, s.lastOf(schedule{rule: s.Series.Rule, first: s.Series.Event.When})
		s.Copy = &master
	}
	if s.Recurrence == nil || len(s.Recurrence.Occurrences) == 0 {
		return
	}
	s.live = s.liveRecords()
	s.nightpos = s.viewRecurrence()
	base := s.base()
	master := *base
	master.Recurring, master.RecurrenceID, master.Archived = false, 0, len(s.live) == 0
	if s.Link != nil {
		master.ID = s.Link.RecordID
	}
	if s.Recurrence.ExternalKey != "" {
		master.ExternalKey = s.Recurrence.ExternalKey
	}
	master.Stamp, master.Modified = "", s.nightpos.modified
	master.Masked = slices.ContainsFunc(s.Recurrence.Occurrences, func(record Record) bool { return record.Masked })
	if len(s.live) > 0 {
		master.Event = s.nightpos.event
		master.Event.Organizer = base.Event.Organizer
		master.Event.When = s.lastOf(s.nightpos.schedule)
	}
	s.Record = &master
}

// lastOf is when the last occurrence takes place, which decides whether a series
// is past: one without end never is.
func (s *SeriesState) lastOf(of schedule) When {
	if !of.rule.Repeats() {
		return of.first
	}
	last, ends := of.rule.Last()
	if !ends {
		last = DateOf(s.Now.AddDate(1, 0, 0))
	}
	return of.at(last)
}

// base is the record that speaks for the series: NightPOS's own base, or the
// first one. Those that have an event of their own in Outlook speak for nothing else.
func (s *SeriesState) base() *Record {
	records := s.Recurrence.Occurrences
	speaks := func(record Record) bool { return !record.Archived && !s.Apart[record.ID] }
	index := slices.IndexFunc(records, func(record Record) bool { return record.ID == s.Recurrence.BaseID && speaks(record) })
	if index < 0 {
		index = slices.IndexFunc(records, speaks)
	}
	if index < 0 {
		index = slices.IndexFunc(records, func(record Record) bool { return !s.Apart[record.ID] })
	}
	return &records[max(index, 0)]
}

// liveRecords are the occurrences that are neither archived nor apart, in order.
func (s *SeriesState) liveRecords() []*Record {
	var found []*Record
	for index := range s.Recurrence.Occurrences {
		record := &s.Recurrence.Occurrences[index]
		if !record.Archived && !s.Apart[record.ID] {
			found = append(found, record)
		}
	}
	return found
}

// zone is the one in which NightPOS keeps the time of day.
func (s *SeriesState) zone() string {
	switch {
	case s.Recurrence.Zone != "":
		return s.Recurrence.Zone
	case s.Series != nil && s.Series.Event.When.Zone != "":
		return s.Series.Event.When.Zone
	case s.Member.Zone != "":
		return s.Member.Zone
	}
	return "UTC"
}

// agreed is the schedule that the sides last agreed on; false when they never
// did, or agreed on a single event.
func (s *SeriesState) agreed() (schedule, bool) {
	if s.Link == nil || s.Link.Series == nil {
		return schedule{}, false
	}
	return schedule{rule: s.Link.Series.Rule, first: s.Link.Series.First}, true
}

// rebuilt says that NightPOS has made the series anew: it archives all
// occurrences but the base and makes others whenever somebody moves all of them
// or changes the rule. Exceptions, deleted occurrences and answers are lost by
// that, which nobody meant.
func (s *SeriesState) rebuilt() bool {
	return s.Link != nil && s.Link.Series != nil && s.Link.Series.RecurrenceID != 0 &&
		s.Recurrence != nil && s.Recurrence.ID != 0 && s.Recurrence.ID != s.Link.Series.RecurrenceID
}

// recurrenceView is what NightPOS shows of a series.
type recurrenceView struct {
	seriesView
	// base is what is shown by the series as a whole.
	base Base
	// spread are the fields that every occurrence took from an exception.
	spread FieldSet
	// kept says that it is the schedule of the reference, as far as it reaches.
	kept bool
	// moved says that kept or not, the series now ends elsewhere.
	moved bool
	// from and to are the first and the last slot that NightPOS holds.
	from, to Date
	// archived are records that keep the place of a deleted occurrence.
	archived map[Date]*Record
	// extra are records that no slot is found for.
	extra []*Record
}

// reference is the schedule to hold NightPOS's records against: the one agreed
// on, else Outlook's.
func (s *SeriesState) reference() (reference schedule, found bool) {
	if agreed, there := s.agreed(); there {
		return agreed, agreed.rule.Repeats()
	}
	if s.Link == nil && s.Series != nil && s.Series.Rule.Repeats() {
		return schedule{rule: s.Series.Rule, first: s.Series.Event.When}, true
	}
	return schedule{}, false
}

// viewRecurrence puts NightPOS's records in terms of slots.
func (s *SeriesState) viewRecurrence() recurrenceView {
	view := recurrenceView{seriesView: seriesView{occurrences: map[Date]occurrence{}}, archived: map[Date]*Record{}}
	for _, record := range s.Recurrence.Occurrences {
		if record.Modified.After(view.modified) {
			view.modified = record.Modified
		}
	}
	if len(s.live) == 0 {
		return view
	}
	usual := s.usual()
	reference, there := s.reference()
	switch {
	case s.Recurrence.ID == 0:
		view.schedule = schedule{first: usual}
		view.from, view.to = SlotDate(usual), SlotDate(usual)
		s.place(&view, []Date{view.from}, nil)
	case there && s.keeps(reference, usual):
		s.viewKept(&view, reference)
	default:
		s.viewAnew(&view, usual)
	}
	view.spread = s.spread(view.occurrences)
	view.event, view.base = s.commonEvent(view.occurrences, view.spread)
	return view
}

// usual is the time of the occurrences that show the time of day and length that
// was agreed on, else of those that show what most of them do. Exceptions that
// stand where they stood say nothing about the rest.
func (s *SeriesState) usual() When {
	agreed, there := s.agreed()
	if there && s.settled {
		return agreed.first
	}
	counts, most, best := map[string]int{}, 0, When{}
	for _, record := range s.live {
		when := record.Event.When
		when.Zone = s.zone()
		if when.AllDay {
			when.Zone = ""
		}
		if s.Recurrence.ID == 0 {
			return when
		}
		if there && sameClock(when, agreed.first) {
			return when
		}
		if s.stands(record) && !sameClock(when, agreed.first) {
			continue
		}
		key := when.End.Sub(when.Start).String()
		if !when.AllDay {
			key += "/" + strconv.Itoa(clock(when))
		}
		counts[key]++
		if counts[key] > most {
			most, best = counts[key], when
		}
	}
	if there && (most == 0 || most == 1 && len(s.live) > 1 && !s.rebuilt()) {
		// Who moves all has NightPOS make them anew: one that moved is one exception more.
		return agreed.first
	}
	return best
}

// keeps says that NightPOS still follows a schedule: its rule repeats as before,
// most occurrences stand on its slots, and the time of day is the same.
func (s *SeriesState) keeps(reference schedule, usual When) bool {
	if s.invited() {
		return true
	}
	if !sameClock(usual, reference.first) {
		return false
	}
	if s.settled {
		return true
	}
	known := s.Link != nil && s.Link.NightPOS[patternKey] == patternDigest(s.Recurrence.Rule)
	if !known && (s.Recurrence.Refused != "" || patternDigest(s.Recurrence.Rule.Normal()) != patternDigest(reference.rule.Normal())) {
		return false
	}
	pattern := reference.rule
	pattern.Count, pattern.Until = 0, Date{}
	first, last := s.span()
	on := map[Date]bool{}
	for _, slot := range pattern.Slots(first, last, maxSlots) {
		on[slot] = true
	}
	hits := 0
	for _, record := range s.live {
		if on[s.recordDate(record)] || s.stands(record) {
			hits++
		}
	}
	return 2*hits > len(s.live)
}

// stands says that a record is an exception that stands where it stood.
func (s *SeriesState) stands(record *Record) bool {
	if s.Link == nil || s.Link.Series == nil {
		return false
	}
	for slot, exception := range s.Link.Series.Exceptions {
		if s.Link.Series.Occurrences[slot] == record.ID {
			return exception.NightPOS[string(FieldWhen)] == whenDigest(plainTime(record.Event.When))
		}
	}
	return false
}

// span is from the first date that has an occurrence to the last.
func (s *SeriesState) span() (first, last Date) {
	for _, record := range s.live {
		date := s.recordDate(record)
		if first.IsZero() || date.Before(first) {
			first = date
		}
		if last.IsZero() || date.After(last) {
			last = date
		}
	}
	return first, last
}

// recordDate is the date of a record in the series' zone.
func (s *SeriesState) recordDate(record *Record) Date {
	when := record.Event.When
	when.Zone = s.zone()
	return SlotDate(when)
}

// viewCopy is what Outlook shows of a series between two slots.
func viewCopy(series *SeriesCopy, from, to Date) seriesView {
	view := seriesView{
		schedule: schedule{rule: series.Rule, first: series.Event.When}, event: plain(series.Event),
		occurrences: map[Date]occurrence{}, modified: series.Modified,
	}
	for _, slot := range view.slots(from, to, maxSlots) {
		if series.gone(slot) {
			continue
		}
		if exception, there := series.Exceptions[slot]; there {
			view.occurrences[slot] = occurrence{event: plain(exception.Event), answer: exception.OwnAnswer, copied: &exception}
			continue
		}
		event := series.Event
		event.When = view.at(slot)
		view.occurrences[slot] = occurrence{event: plain(event), answer: series.OwnAnswer}
	}
	return view
}

// maxSlots bounds every expansion: more than NightPOS holds of a series whose end
// was put off again and again.
const maxSlots = 10 * seriesLimit
