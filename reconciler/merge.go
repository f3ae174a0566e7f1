package reconciler

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/k3a/html2text"
)

// Policy decides who wins when both sides changed the same field.
type Policy string

// The policies; the loser's value is kept in the activity log in any case.
const (
	PolicyNewest   Policy = "newest"
	PolicyOutlook  Policy = "outlook"
	PolicyNightPOS Policy = "nightpos"
)

// shown is one side of a merge: what it shows now, when it was last saved, and
// what it showed when the sides last agreed.
type shown struct {
	event    Event
	now      Base
	agreed   Base
	modified time.Time
	project  func(Event) Event
}

func newShown(event Event, agreed Base, modified time.Time, projector Projector) *shown {
	return &shown{event: event, now: NewBase(event), agreed: agreed, modified: modified, project: projector.Project}
}

// changed says whether the side shows something else under the key than when
// the sides last agreed. Without agreement, everything counts as changed.
func (s *shown) changed(key string) bool {
	return len(s.agreed) == 0 || s.now[key] != s.agreed[key]
}

// delta is what has to be written to one side.
type delta struct {
	event  Event
	fields FieldSet
}

func (d *delta) set(field Field) {
	if d.fields == nil {
		d.fields = FieldSet{}
	}
	d.fields[field] = true
}

// merge compares two sides field by field and collects what each has to be told.
type merge struct {
	sides     map[Side]*shown
	deltas    map[Side]*delta
	policy    Policy
	conflicts []Conflict
	// holders are people whom Outlook need not be told of; see State.
	holders map[string]bool
}

func newMerge(outlook, nightpos *shown, policy Policy) *merge {
	return &merge{
		sides:  map[Side]*shown{SideOutlook: outlook, SideNightPOS: nightpos},
		deltas: map[Side]*delta{SideOutlook: {event: outlook.event}, SideNightPOS: {event: nightpos.event}},
		policy: policy,
	}
}

// winner is the side whose value stays when both changed the same thing.
func (m *merge) winner() Side {
	switch m.policy {
	case PolicyOutlook:
		return SideOutlook
	case PolicyNightPOS:
		return SideNightPOS
	}
	if m.sides[SideNightPOS].modified.After(m.sides[SideOutlook].modified) {
		return SideNightPOS
	}
	return SideOutlook
}

// scalar is a field that is merged as a whole.
type scalar struct {
	field Field
	take  func(to *Event, from Event)
	text  func(Event) string
}

// alone is an event with nothing but the field.
func (s scalar) alone(event Event) *Event {
	alone := new(Event)
	s.take(alone, event)
	return alone
}

var scalars = []scalar{
	{FieldTitle, func(to *Event, from Event) { to.Title = from.Title }, func(e Event) string { return e.Title }},
	{FieldWhen, func(to *Event, from Event) { to.When = from.When }, func(e Event) string { return e.When.String() }},
	{FieldPlace, func(to *Event, from Event) { to.Place = from.Place }, func(e Event) string { return e.Place }},
	{FieldBody, func(to *Event, from Event) { to.Body = from.Body }, func(e Event) string { return e.Body }},
	{FieldPrivacy, func(to *Event, from Event) { to.Privacy = from.Privacy }, func(e Event) string { return string(e.Privacy) }},
	{FieldShowAs, func(to *Event, from Event) { to.ShowAs = from.ShowAs }, func(e Event) string { return string(e.ShowAs) }},
	{
		FieldReminders, func(to *Event, from Event) { to.Reminders = from.Reminders },
		func(e Event) string { return strings.Trim(fmt.Sprint(e.Reminders), "[]") },
	},
	{FieldMeetingLink, func(to *Event, from Event) { to.MeetingLink = from.MeetingLink }, func(e Event) string { return e.MeetingLink }},
}

// String shows the time for a person: dates for whole days (the last one
// included), otherwise instants in UTC.
func (w When) String() string {
	if w.AllDay {
		return w.Start.Format(time.DateOnly) + " to " + w.End.AddDate(0, 0, -1).Format(time.DateOnly)
	}
	return w.Start.UTC().Format("2006-01-02 15:04:05Z") + " to " + w.End.UTC().Format("2006-01-02 15:04:05Z")
}

// invisible says that writing from's value of the field to the other side would
// make no difference there, or that from could not tell the other side's
// present value from its own: working elsewhere is busy to NightPOS, so
// NightPOS being busy must not undo working elsewhere; and what is personal in
// Outlook is public to NightPOS, which also calls that its default.
func (m *merge) invisible(from Side, field Field) bool {
	source, target := m.sides[from], m.sides[from.Other()]
	key := string(field)
	if NewBase(target.project(source.event))[key] == NewBase(target.project(target.event))[key] {
		return true
	}
	return NewBase(source.project(target.event))[key] == NewBase(source.project(source.event))[key]
}

// scalarFields merges every field that is merged as a whole, but for those that
// somebody else merges.
func (m *merge) scalarFields(except ...Field) {
	outlook, nightpos := m.sides[SideOutlook], m.sides[SideNightPOS]
	for _, scalar := range scalars {
		if slices.Contains(except, scalar.field) {
			continue
		}
		key := string(scalar.field)
		byOutlook, byNightPOS := outlook.changed(key), nightpos.changed(key)
		var from Side
		switch {
		case !byOutlook && !byNightPOS:
			continue
		case byOutlook && byNightPOS:
			from = m.winner()
		case byOutlook:
			from = SideOutlook
		default:
			from = SideNightPOS
		}
		if m.invisible(from, scalar.field) {
			continue
		}
		firstMeeting := len(outlook.agreed) == 0 || len(nightpos.agreed) == 0
		if firstMeeting && scalar.field == FieldMeetingLink && m.sides[from].event.MeetingLink == "" {
			// Whoever knows a link tells it.
			if from = from.Other(); m.invisible(from, scalar.field) {
				continue
			}
		}
		if (firstMeeting || byOutlook && byNightPOS) && scalar.field == FieldBody && sameText(outlook.event.Body, nightpos.event.Body) {
			continue
		}
		target := m.deltas[from.Other()]
		scalar.take(&target.event, m.sides[from].event)
		target.set(scalar.field)
		if byOutlook && byNightPOS && !firstMeeting {
			replaced := m.sides[from.Other()].event
			m.conflicts = append(m.conflicts, Conflict{
				Field: scalar.field, Loser: from.Other(), Lost: scalar.text(replaced), Value: scalar.alone(replaced),
			})
		}
	}
}

// veiledFields merges every field that is merged as a whole of an appointment that
// shows its time alone: in all else, what it
// does not show goes.
func (m *merge) veiledFields(except ...Field) {
	policy, open, rest := m.policy, append([]Field{FieldWhen, FieldShowAs}, except...), slices.Clone(except)
	for _, scalar := range scalars {
		if scalar.field != FieldWhen && scalar.field != FieldShowAs {
			rest = append(rest, scalar.field)
		}
	}
	m.scalarFields(rest...)
	m.policy = PolicyOutlook
	m.scalarFields(open...)
	m.policy = policy
}

// sameText says that two bodies read the same once markup is taken away. Two
// servers wrap the same words differently. Without a base, or when both sides
// changed, as they seem to when the answer to a write was lost, that is all there
// is to go by: writing one's markup over the other's would mail everybody about
// nothing that a person can read.
func sameText(a, b string) bool {
	plain := func(html string) string { return strings.Join(strings.Fields(html2text.HTML2Text(html)), " ") }
	return plain(a) == plain(b)
}

// presence merges one entry of a set (a person, a category): it returns the
// side that must gain it and the side that must lose it, at most one of them.
func (m *merge) presence(key string) (gain, lose Side) {
	_, inOutlook := m.sides[SideOutlook].now[key]
	_, inNightPOS := m.sides[SideNightPOS].now[key]
	if inOutlook == inNightPOS {
		return "", ""
	}
	has, lacks := SideOutlook, SideNightPOS
	if inNightPOS {
		has, lacks = SideNightPOS, SideOutlook
	}
	_, had := m.sides[has].agreed[key]
	_, lacked := m.sides[lacks].agreed[key]
	switch {
	case !had:
		// New where it is; whether or not the other side once had it, adding
		// loses nobody.
		return lacks, ""
	case lacked:
		return "", has
	}
	// Known to be on one side only, and accepted as such.
	return "", ""
}

// people merges who is invited, person by person.
func (m *merge) people() {
	for _, side := range []Side{SideOutlook, SideNightPOS} {
		for _, person := range m.sides[side].event.People {
			if person.Key() == "" {
				continue
			}
			gain, lose := m.presence(entryKey(FieldPeople, person.Key()))
			switch {
			case gain == SideOutlook && m.holders[person.Key()]:
			case gain == side.Other():
				target := m.deltas[gain]
				target.event.People = append(slices.Clone(target.event.People), person)
				target.set(FieldPeople)
			case lose == side:
				target := m.deltas[lose]
				target.event.People = slices.DeleteFunc(slices.Clone(target.event.People), func(p Person) bool { return p.Key() == person.Key() })
				target.set(FieldPeople)
			}
		}
	}
}

// answers carries replies from Outlook to NightPOS, for the people that speaks
// allows. The other way is not for an organizer: only a person's own mailbox
// can reply.
func (m *merge) answers(speaks func(Person) bool) {
	outlook, target := m.sides[SideOutlook], m.deltas[SideNightPOS]
	for _, person := range outlook.event.People {
		key := entryKey(FieldAnswers, person.Key())
		if person.Key() == "" || !speaks(person) || !outlook.changed(key) {
			continue
		}
		if len(outlook.agreed) == 0 && person.Answer == AnswerNone {
			continue
		}
		index := slices.IndexFunc(target.event.People, func(p Person) bool { return p.Key() == person.Key() })
		if index < 0 || target.event.People[index].Answer == person.Answer {
			continue
		}
		target.event.People = slices.Clone(target.event.People)
		target.event.People[index].Answer = person.Answer
		target.set(FieldAnswers)
	}
}

// categories merges the names, one by one.
func (m *merge) categories() {
	for _, side := range []Side{SideOutlook, SideNightPOS} {
		for _, name := range m.sides[side].event.Categories {
			gain, lose := m.presence(entryKey(FieldCategories, name))
			switch {
			case gain == side.Other():
				target := m.deltas[gain]
				target.event.Categories = append(slices.Clone(target.event.Categories), name)
				slices.Sort(target.event.Categories)
				target.set(FieldCategories)
			case lose == side:
				target := m.deltas[lose]
				target.event.Categories = slices.DeleteFunc(slices.Clone(target.event.Categories), func(c string) bool { return c == name })
				target.set(FieldCategories)
			}
		}
	}
}
