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

// baseSpecial is what the record that NightPOS made the series anew after, the one that
// stays, showed by itself when the sides last agreed; nil if it was no exception.
func (s *SeriesState) baseSpecial() Base {
	if !s.rebuilt() || s.Link.Role != RoleOrganizer || len(s.Link.NightPOS) == 0 {
		return nil
	}
	for slot, exception := range s.Link.Series.Exceptions {
		if id := s.Link.Series.Occurrences[slot]; id != 0 && id == s.base().ID && len(exception.NightPOS) > 0 {
			return exception.NightPOS
		}
	}
	return nil
}

// spread is what NightPOS gave to all occurrences when it made the series anew after
// its base, though that was an exception in it. Somebody moved all, and meant to change
// nothing else of them.
func (s *SeriesState) spread(occurrences map[Date]occurrence) FieldSet {
	special := s.baseSpecial()
	if special == nil {
		return nil
	}
	fields := FieldSet{}
	for _, scalar := range scalars {
		key := string(scalar.field)
		if scalar.field != FieldWhen && special[key] != s.Link.NightPOS[key] {
			fields[scalar.field] = true
		}
	}
	for _, one := range occurrences {
		now := NewBase(one.event)
		maps.DeleteFunc(fields, func(field Field, _ bool) bool { return now[string(field)] != special[string(field)] })
	}
	return fields
}

// unspreadEntries takes out of what the series shows as a whole the entries that only
// its base had, and puts in those that only its base lacked.
func (s *SeriesState) unspreadEntries(base Base) {
	special := s.baseSpecial()
	if special == nil {
		return
	}
	for _, field := range entryFields {
		for key := range special {
			if _, there := s.Link.NightPOS[key]; field.holds(key) && !there {
				delete(base, key)
			}
		}
		for key, entry := range s.Link.NightPOS {
			if _, there := special[key]; field.holds(key) && !there {
				base[key] = entry
			}
		}
	}
}

// unspread has Outlook decide about what NightPOS spread.
func unspread(outlook, nightpos *shown, spread FieldSet) {
	if len(spread) == 0 || len(outlook.agreed) == 0 {
		return
	}
	outlook.agreed, nightpos.agreed = clone(outlook.agreed), clone(nightpos.agreed)
	for field := range spread {
		key := string(field)
		outlook.agreed[key], nightpos.agreed[key] = "", nightpos.now[key]
	}
}

// remade tells, of the entries of an occurrence that NightPOS made anew, those that it
// gave or took by that from those that somebody did: the latter cross like any edit, and
// about the former Outlook decides. agreedOutlook and agreedNightPOS are about the
// occurrence as it was before.
func (s *SeriesState) remade(outlook, nightpos *shown, agreedOutlook, agreedNightPOS Base) {
	if len(agreedNightPOS) == 0 {
		return
	}
	whole := s.Link.NightPOS
	special := s.baseSpecial()
	if special == nil {
		special = whole
	}
	entry := func(key string) bool {
		return slices.ContainsFunc(entryFields, func(field Field) bool { return field.holds(key) })
	}
	restored := map[*shown]Base{outlook: clone(agreedOutlook), nightpos: clone(agreedNightPOS)}
	for key, value := range nightpos.now {
		_, alone := agreedNightPOS[key]
		if _, here := outlook.now[key]; !entry(key) || here || alone {
			continue
		}
		_, inSpecial := special[key]
		if _, inWhole := whole[key]; inSpecial || inWhole {
			// Made anew like the base, or as the rest.
			restored[outlook][key], restored[nightpos][key] = value, value
		}
	}
	for key := range outlook.now {
		if _, here := nightpos.now[key]; !entry(key) || here {
			continue
		}
		_, agreed := agreedNightPOS[key]
		_, inSpecial := special[key]
		if _, inWhole := whole[key]; agreed && (!inWhole || !inSpecial) {
			// It was this one's alone, or the base had it not.
			delete(restored[outlook], key)
		}
	}
	for side, base := range restored {
		maps.DeleteFunc(side.agreed, func(key, _ string) bool { return entry(key) })
		for key, value := range base {
			if entry(key) {
				side.agreed[key] = value
			}
		}
	}
}
