package reconciler

import (
	"maps"
	"slices"
	"time"
)

// seriesLimit is how many occurrences of a series NightPOS holds, which makes no
// more than that of a rule either.
const seriesLimit = 720

// schedule is when the occurrences of a series take place. A rule that does not
// Repeat has its Start as its only slot.
type schedule struct {
	rule  Rule
	first When
}

// Repeats says whether there is a rule at all; without one it is about a single
// event.
func (r Rule) Repeats() bool { return r.Frequency != "" }

// slots are the dates from one to another, both included; the zero Date bounds
// nothing.
func (s schedule) slots(from, to Date, limit int) []Date {
	if s.rule.Repeats() {
		return s.rule.Slots(from, to, limit)
	}
	slot := localDate(s.first)
	if (!from.IsZero() && slot.Before(from)) || (!to.IsZero() && slot.After(to)) {
		return nil
	}
	return []Date{slot}
}

// at is when the occurrence of a slot takes place.
func (s schedule) at(slot Date) When {
	if !s.rule.Repeats() {
		return s.first
	}
	return SlotTime(slot, s.first)
}

func (s schedule) equal(other schedule) bool {
	if s.rule.Repeats() != other.rule.Repeats() || !sameClock(s.first, other.first) {
		return false
	}
	if !s.rule.Repeats() {
		return s.first.Start.Equal(other.first.Start)
	}
	return s.rule.Normal().Equal(other.rule.Normal()) || !s.rule.Endless() && !other.rule.Endless() && s.rule.Same(other.rule)
}

// sameClock says whether two times begin at the same time of day in the same
// zone and last equally long, whatever their dates.
func sameClock(a, b When) bool {
	if a.AllDay != b.AllDay {
		return false
	}
	if a.AllDay {
		return a.End.Sub(a.Start) == b.End.Sub(b.Start)
	}
	return clock(a) == clock(b) && a.End.Sub(a.Start) == b.End.Sub(b.Start) && sameZone(a, b)
}

// sameZone says whether two zones show the same clock at both times: Etc/UTC and
// UTC are one, and so are the many names of most zones.
func sameZone(a, b When) bool {
	if a.Zone == b.Zone {
		return true
	}
	for _, at := range []time.Time{a.Start, b.Start, a.Start.AddDate(0, 6, 0), a.Start.AddDate(1, 3, 0)} {
		_, here := at.In(location(a.Zone)).Zone()
		_, there := at.In(location(b.Zone)).Zone()
		if here != there {
			return false
		}
	}
	return true
}

func location(zone string) *time.Location {
	if loaded, err := time.LoadLocation(zone); err == nil {
		return loaded
	}
	return time.UTC
}

// clock is the time of day, in seconds, that the event's own zone shows.
func clock(when When) int {
	hour, minute, second := when.Start.In(location(when.Zone)).Clock()
	return hour*3600 + minute*60 + second
}

// localDate is the date on which the time begins in its own zone.
func localDate(when When) Date {
	if when.AllDay {
		return DateOf(when.Start.UTC())
	}
	return DateOf(when.Start.In(location(when.Zone)))
}

// occurrence is one meeting of a series as a side shows it.
type occurrence struct {
	event Event
	// answer is the mailbox owner's own, in Outlook.
	answer Answer
	// copied is the exception in Outlook, if it is one.
	copied *Copy
	record *Record
}

// seriesView is a series as one side shows it, in terms that both share.
type seriesView struct {
	schedule
	// event is what every occurrence shows that is no exception; its When is not
	// to be looked at.
	event Event
	// occurrences are by slot, deleted ones left out.
	occurrences map[Date]occurrence
	modified    time.Time
}

// plain is an event without the zone, which single occurrences do not have.
func plain(event Event) Event {
	event.When.Zone = ""
	return event
}

// viewCopy is what Outlook shows of a series between two slots.
func viewCopy(series *SeriesCopy, from, to Date) seriesView {
	view := seriesView{
		schedule:    schedule{rule: series.Rule, first: series.Event.When},
		event:       plain(series.Event),
		occurrences: map[Date]occurrence{},
		modified:    series.Modified,
	}
	for _, slot := range view.slots(from, to, maxSlots) {
		if series.Cancelled[slot] {
			continue
		}
		if exception, there := series.Exceptions[slot]; there {
			if !exception.Cancelled {
				view.occurrences[slot] = occurrence{event: plain(exception.Event), answer: exception.OwnAnswer, copied: &exception}
			}
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

// live are the occurrences that are not archived and not apart, in order.
func (s *SeriesState) live() []*Record {
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
	case s.Recurrence != nil && s.Recurrence.Zone != "":
		return s.Recurrence.Zone
	case s.Series != nil && s.Series.Event.When.Zone != "":
		return s.Series.Event.When.Zone
	}
	return s.Member.Zone
}

// recordDate is the date of a record in the series' zone.
func (s *SeriesState) recordDate(record *Record) Date {
	when := record.Event.When
	when.Zone = s.zone()
	return localDate(when)
}

// usual is the time of day and length that most of the records have, as the time
// of one of them, with the zone. Those that a link knows are preferred as long as
// any record has them.
func (s *SeriesState) usual(records []*Record) When {
	counts, best := map[string]int{}, When{}
	most := 0
	for _, record := range records {
		when := record.Event.When
		when.Zone = s.zone()
		if agreed := s.agreed(); agreed != nil && sameClock(when, agreed.first) {
			return when
		}
		key := when.End.Sub(when.Start).String()
		if !when.AllDay {
			key += "/" + time.Duration(clock(when)).String()
		}
		counts[key]++
		if counts[key] > most {
			most, best = counts[key], when
		}
	}
	return best
}

// agreed is the schedule that the sides last agreed on, nil when they never did.
func (s *SeriesState) agreed() *schedule {
	if s.Link == nil || s.Link.Series == nil {
		return nil
	}
	return &schedule{rule: s.Link.Series.Rule, first: s.Link.Series.First}
}

// assign finds the slot of each record: the one it is known to have, the date it
// stands on, or the nearest one that is free. Records for which there is none are
// returned as extra.
func (s *SeriesState) assign(records []*Record, slots []Date, known map[int64]Date) (placed map[Date]*Record, extra []*Record) {
	free := make(map[Date]bool, len(slots))
	for _, slot := range slots {
		free[slot] = true
	}
	placed = map[Date]*Record{}
	take := func(record *Record, slot Date) bool {
		if !free[slot] {
			return false
		}
		delete(free, slot)
		placed[slot] = record
		return true
	}
	var rest, left []*Record
	for _, record := range records {
		if slot, there := known[record.ID]; !there || !take(record, slot) {
			rest = append(rest, record)
		}
	}
	for _, record := range rest {
		if !take(record, s.recordDate(record)) {
			left = append(left, record)
		}
	}
	for _, record := range left {
		date := s.recordDate(record)
		nearest, distance := Date{}, maxDrift+1
		for slot := range free {
			away := slot.Since(date)
			away = max(away, -away)
			if away < distance || away == distance && slot.Before(nearest) {
				nearest, distance = slot, away
			}
		}
		if distance > maxDrift || !take(record, nearest) {
			extra = append(extra, record)
		}
	}
	return placed, extra
}

// maxDrift is how many days an occurrence may stand from a slot to be taken for
// that slot's.
const maxDrift = 31

// common picks what the series as a whole shows, field by field: what was agreed
// on as long as any regular occurrence shows it, else what most show. One
// occurrence that differs is an exception; once all differ, the series does.
func common(events []Event, agreed Base) Event {
	if len(events) == 0 {
		return Event{}
	}
	bases := make([]Base, len(events))
	for index, event := range events {
		bases[index] = NewBase(event)
	}
	result := events[0]
	for _, scalar := range scalars {
		key := string(scalar.field)
		scalar.take(&result, events[pick(bases, agreed, func(base Base) string { return base[key] })])
	}
	people := events[pick(bases, agreed, entriesOf(FieldPeople))].People
	result.People = make([]Person, 0, len(people))
	for _, person := range people {
		key := entryKey(FieldAnswers, person.Key())
		for _, other := range events[pick(bases, agreed, func(base Base) string { return base[key] })].People {
			if other.Key() == person.Key() {
				person.Answer = other.Answer
			}
		}
		result.People = append(result.People, person)
	}
	result.Categories = events[pick(bases, agreed, entriesOf(FieldCategories))].Categories
	return result
}

// pick returns which of the bases shows what was agreed on, else what most show.
func pick(bases []Base, agreed Base, value func(Base) string) int {
	if len(agreed) > 0 {
		wanted := value(agreed)
		if index := slices.IndexFunc(bases, func(base Base) bool { return value(base) == wanted }); index >= 0 {
			return index
		}
	}
	counts, most, best := map[string]int{}, 0, 0
	for index, base := range bases {
		shown := value(base)
		counts[shown]++
		if counts[shown] > most {
			most, best = counts[shown], index
		}
	}
	return best
}

// entriesOf is what a base holds of a field that is merged entry by entry.
func entriesOf(field Field) func(Base) string {
	prefix := string(field) + "/"
	return func(base Base) string {
		text := ""
		for _, key := range slices.Sorted(maps.Keys(base)) {
			if len(key) > len(prefix) && key[:len(prefix)] == prefix && key != selfKey {
				text += key + "=" + base[key] + ";"
			}
		}
		return text
	}
}
