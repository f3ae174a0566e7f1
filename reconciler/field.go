package reconciler

import (
	"slices"
	"strings"
)

// Field is one independently merged part of an event.
type Field string

// The fields. People and categories are merged entry by entry; all others as a
// whole. Start, end, all-day and zone are one field: half a time is no time.
const (
	FieldTitle       Field = "title"
	FieldBody        Field = "body"
	FieldWhen        Field = "when"
	FieldPlace       Field = "place"
	FieldPrivacy     Field = "privacy"
	FieldShowAs      Field = "show_as"
	FieldReminders   Field = "reminders"
	FieldMeetingLink Field = "meeting_link"
	FieldPeople      Field = "people"
	FieldAnswers     Field = "answers"
	FieldCategories  Field = "categories"
)

// Fields lists every field, in the order in which they are shown.
func Fields() []Field {
	return []Field{
		FieldTitle, FieldWhen, FieldPlace, FieldBody, FieldPeople, FieldAnswers, FieldPrivacy,
		FieldShowAs, FieldReminders, FieldMeetingLink, FieldCategories,
	}
}

// FieldSet is a set of fields; the nil set is empty and may be read.
type FieldSet map[Field]bool

// NewFieldSet makes a set.
func NewFieldSet(fields ...Field) FieldSet {
	set := make(FieldSet, len(fields))
	for _, field := range fields {
		set[field] = true
	}
	return set
}

// Has says whether the set holds the field.
func (s FieldSet) Has(field Field) bool { return s[field] }

// Sorted returns the fields in the order of Fields.
func (s FieldSet) Sorted() []Field {
	var fields []Field
	for _, field := range Fields() {
		if s[field] {
			fields = append(fields, field)
		}
	}
	return fields
}

// String lists the fields, separated by commas.
func (s FieldSet) String() string {
	names := make([]string, 0, len(s))
	for _, field := range s.Sorted() {
		names = append(names, string(field))
	}
	return strings.Join(slices.Clip(names), ",")
}
