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
	prefix := string(field) + "/"
	for _, key := range slices.Sorted(maps.Keys(base)) {
		if len(key) > len(prefix) && key[:len(prefix)] == prefix && key != selfKey {
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
