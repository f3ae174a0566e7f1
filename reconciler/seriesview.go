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

// slots are the dates from one to another, both included; the zero Date bounds
// nothing.
func (s schedule) slots(from, to Date, limit int) []Date {
	if s.rule.Repeats() {
		return s.rule.Slots(from, to, limit)
	}
	slot := SlotDate(s.first)
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

// text shows a schedule for a person.
func (s schedule) text() string {
	if !s.rule.Repeats() {
		return s.first.String()
	}
	return s.first.String() + ", " + s.rule.Describe()
}

// equal says whether two schedules put the same meetings at the same times.
func (s schedule) equal(other schedule) bool {
	switch {
	case s.rule.Repeats() != other.rule.Repeats() || !sameClock(s.first, other.first):
		return false
	case !s.rule.Repeats():
		return s.first.Start.Equal(other.first.Start)
	}
	return s.rule.Same(other.rule)
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
		_, here := at.In(zoneOf(a.Zone)).Zone()
		_, there := at.In(zoneOf(b.Zone)).Zone()
		if here != there {
			return false
		}
	}
	return true
}

// clock is the time of day, in seconds, that the event's own zone shows.
func clock(when When) int {
	hour, minute, second := when.Start.In(zoneOf(when.Zone)).Clock()
	return hour*3600 + minute*60 + second
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

// candidate is one occurrence that may show what the series as a whole does.
type candidate struct {
	event Event
	now   Base
	// special is what it showed when the sides last agreed, if it was an exception.
	special Base
}

// commonEvent picks what the series as a whole shows in NightPOS, field by field:
// what was agreed on as long as any occurrence shows it that is no exception in
// that field, else what most show. One occurrence that differs is an exception;
// once all differ, the series does.
//
// Where only exceptions are left that show what they did before, the series is
// still what it was, although none shows it: the base says so. So it does of what
// NightPOS spread; see spread.
func (s *SeriesState) commonEvent(occurrences map[Date]occurrence, spread FieldSet) (Event, Base) {
	var agreed Base
	if s.Link != nil {
		agreed = s.Link.NightPOS
	}
	candidates := make([]candidate, 0, len(occurrences))
	for _, slot := range slices.SortedFunc(maps.Keys(occurrences), Date.Compare) {
		one := candidate{event: occurrences[slot].event, now: NewBase(occurrences[slot].event)}
		if s.Link != nil && s.Link.Series != nil && s.Recurrence.ID != 0 {
			one.special = s.Link.Series.Exceptions[slot].NightPOS
		}
		if s.special[occurrences[slot].record.ID] {
			one.special = one.now
		}
		candidates = append(candidates, one)
	}
	if len(candidates) == 0 {
		return Event{}, nil
	}
	result := candidates[0].event
	var still []func(Base) string
	choose := func(value func(Base) string) Event {
		chosen, shown := pick(candidates, agreed, value)
		if !shown {
			still = append(still, value)
		}
		return chosen
	}
	for _, scalar := range scalars {
		scalar.take(&result, choose(valueOf(string(scalar.field))))
	}
	people := choose(entriesOf(FieldPeople)).People
	result.People = make([]Person, 0, len(people))
	for _, person := range people {
		chosen, _ := pick(candidates, agreed, valueOf(entryKey(FieldAnswers, person.Key())))
		for _, other := range chosen.People {
			if other.Key() == person.Key() {
				person.Answer = other.Answer
			}
		}
		result.People = append(result.People, person)
	}
	result.Categories = choose(entriesOf(FieldCategories)).Categories
	base := NewBase(result)
	for _, value := range still {
		asAgreed(base, agreed, value)
	}
	restoreFields(base, agreed, spread)
	s.unspreadEntries(base)
	return result, base
}

func valueOf(key string) func(Base) string { return func(base Base) string { return base[key] } }

// asAgreed gives a base those keys of another one that make up a value.
func asAgreed(base, agreed Base, value func(Base) string) {
	for _, from := range []Base{base, agreed} {
		for key := range from {
			if value(Base{key: from[key]}) == value(Base{}) {
				continue
			}
			if known, there := agreed[key]; there {
				base[key] = known
			} else {
				delete(base, key)
			}
		}
	}
}

// pick returns the event that shows the value that was agreed on, else that which
// most show; false when none but unchanged exceptions are left.
func pick(candidates []candidate, agreed Base, value func(Base) string) (chosen Event, shown bool) {
	regular := candidates
	if len(agreed) > 0 {
		wanted := value(agreed)
		regular = slices.DeleteFunc(slices.Clone(candidates), func(one candidate) bool {
			return len(one.special) > 0 && value(one.special) != wanted
		})
		if len(regular) == 0 {
			changed := slices.IndexFunc(candidates, func(one candidate) bool { return value(one.now) != value(one.special) })
			if changed < 0 {
				return candidates[0].event, false
			}
			regular = candidates
		}
		if index := slices.IndexFunc(regular, func(one candidate) bool { return value(one.now) == wanted }); index >= 0 {
			return regular[index].event, true
		}
	}
	counts, most, best := map[string]int{}, 0, 0
	for index, one := range regular {
		value := value(one.now)
		counts[value]++
		if counts[value] > most {
			most, best = counts[value], index
		}
	}
	return regular[best].event, true
}

// entriesOf is what a base holds of a field that is merged entry by entry.
func entriesOf(field Field) func(Base) string {
	return func(base Base) string {
		text := ""
		for _, key := range slices.Sorted(maps.Keys(base)) {
			if field.holds(key) {
				text += key + "=" + base[key] + ";"
			}
		}
		return text
	}
}

// plainTime is a time without its zone.
func plainTime(when When) When {
	when.Zone = ""
	return when
}
