package reconciler

import (
	"maps"
	"slices"
)

// inherit is an exception after its master changed.
func inherit(exception, before, after Event) Event {
	own, old := NewBase(exception), NewBase(before)
	for _, scalar := range scalars {
		if own[string(scalar.field)] == old[string(scalar.field)] {
			scalar.take(&exception, after)
		}
	}
	if present(FieldPeople, own) == present(FieldPeople, old) {
		exception.People = answeredAs(after.People, exception.People)
	}
	if present(FieldCategories, own) == present(FieldCategories, old) {
		exception.Categories = after.Categories
	}
	return exception
}

// answeredAs are people with the answers that they gave elsewhere.
func answeredAs(people, elsewhere []Person) []Person {
	result := slices.Clone(people)
	for index := range result {
		for _, person := range elsewhere {
			if person.Key() != "" && person.Key() == result[index].Key() {
				result[index].Answer = person.Answer
			}
		}
	}
	return result
}

// present names the entries that a base has of a field.
func present(field Field, base Base) string {
	names := ""
	for _, key := range slices.Sorted(maps.Keys(base)) {
		if field.holds(key) {
			names += key + ";"
		}
	}
	return names
}

// withoutReplies is a base that knows of no reply of those who have given one: then
// NightPOS, which forgets them, is told again.
func withoutReplies(agreed Base, people []Person) Base {
	if len(agreed) == 0 {
		return agreed
	}
	agreed = clone(agreed)
	for _, person := range people {
		if person.Answer != AnswerNone {
			delete(agreed, entryKey(FieldAnswers, person.Key()))
		}
	}
	return agreed
}

// followed has NightPOS decide wherever an occurrence in Outlook only follows what
// was just written to its master.
func followed(outlook, nightpos *shown, after Base) {
	if len(outlook.agreed) == 0 {
		return
	}
	outlook.agreed, nightpos.agreed = clone(outlook.agreed), clone(nightpos.agreed)
	for _, scalar := range scalars {
		if key := string(scalar.field); after[key] != outlook.now[key] {
			outlook.agreed[key], nightpos.agreed[key] = outlook.now[key], ""
		}
	}
}

// takeFrom notes what NightPOS is to show of the series as a whole, of what changed at
// the master.
func (p *SeriesPlan) takeFrom(change *delta, nightpos Projector) {
	p.taken = nil
	if len(change.fields) > 0 {
		p.taken, p.takenFields = NewBase(nightpos.Project(change.event)), change.fields
	}
}

// take has a base of NightPOS show what was taken from the master.
func (p *SeriesPlan) take(base Base) {
	if p.taken != nil {
		restoreFields(base, p.taken, p.takenFields)
	}
}

// spread is what NightPOS gave to all occurrences when it made the series anew after
// its base, the one record that stays, though that was an exception in it. Somebody
// moved all, and meant to change nothing else of them.
func (s *SeriesState) spread(occurrences map[Date]occurrence) FieldSet {
	if !s.rebuilt() || s.Link.Role != RoleOrganizer || len(s.Link.NightPOS) == 0 {
		return nil
	}
	var special Base
	for slot, exception := range s.Link.Series.Exceptions {
		if id := s.Link.Series.Occurrences[slot]; id != 0 && id == s.base().ID {
			special = exception.NightPOS
		}
	}
	if len(special) == 0 {
		return nil
	}
	fields := FieldSet{}
	for _, scalar := range scalars {
		key := string(scalar.field)
		if scalar.field != FieldWhen && special[key] != s.Link.NightPOS[key] {
			fields[scalar.field] = true
		}
	}
	for _, field := range entryFields {
		if present(field, special) != present(field, s.Link.NightPOS) {
			fields[field] = true
		}
	}
	for _, one := range occurrences {
		now := NewBase(one.event)
		maps.DeleteFunc(fields, func(field Field, _ bool) bool {
			return now[string(field)] != special[string(field)] || present(field, now) != present(field, special)
		})
	}
	return fields
}

// asOutlook has Outlook decide about the entries of a field: as if both had agreed on
// what NightPOS shows, but for what they agreed NightPOS to show alone.
func asOutlook(field Field, outlook, nightpos *shown, agreedOutlook, agreedNightPOS Base) {
	for key, entry := range nightpos.now {
		if !field.holds(key) {
			continue
		}
		_, here := agreedOutlook[key]
		_, there := agreedNightPOS[key]
		if nightpos.agreed[key] = entry; here || !there {
			outlook.agreed[key] = entry
		}
	}
	maps.DeleteFunc(outlook.agreed, func(key, _ string) bool {
		_, there := nightpos.now[key]
		return field.holds(key) && !there
	})
}

// unspread has Outlook decide about what NightPOS spread.
func unspread(outlook, nightpos *shown, spread FieldSet) {
	if len(spread) == 0 || len(outlook.agreed) == 0 {
		return
	}
	agreedOutlook, agreedNightPOS := outlook.agreed, nightpos.agreed
	outlook.agreed, nightpos.agreed = clone(outlook.agreed), clone(nightpos.agreed)
	for field := range spread {
		if slices.Contains(entryFields, field) {
			asOutlook(field, outlook, nightpos, agreedOutlook, agreedNightPOS)
			continue
		}
		key := string(field)
		outlook.agreed[key], nightpos.agreed[key] = "", nightpos.now[key]
	}
}
