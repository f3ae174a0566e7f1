package reconciler

import (
	"strings"
	"time"
)

// Event is one meeting as one side shows it. The value set of each field is the
// union of what both sides can show; Projector says what a side makes of it.
type Event struct {
	// Title is one line of plain text.
	Title string
	// Body is HTML as that side shows it, without the frame (html, head, body
	// elements) that a server wraps around it; empty when there is none.
	Body string
	// When is the time of the meeting.
	When When
	// Place is where it takes place, as plain text.
	Place string
	// Organizer is who owns the meeting; the zero Person when nobody does.
	Organizer Person
	// People are those invited besides the organizer, in no particular order,
	// at most one entry per Person.Key.
	People []Person
	// Privacy says who may see the content.
	Privacy Privacy
	// ShowAs says how the time appears to others.
	ShowAs ShowAs
	// Reminders are how long before the start a person is reminded, in
	// ascending order without repeats.
	Reminders []time.Duration
	// MeetingLink is the address of the online meeting, empty when there is none.
	MeetingLink string
	// Categories are the names of categories (Outlook) or tags (NightPOS), in
	// ascending order without repeats.
	Categories []string
}

// When is the time of a meeting.
type When struct {
	// AllDay meetings span whole days: Start and End are midnight UTC of the
	// first day and of the day after the last one. They are dates, not
	// instants, and are never shifted between zones.
	AllDay bool
	// Start and End are instants in UTC with a precision of seconds, End not
	// before Start.
	Start, End time.Time
	// Zone is the IANA name of the zone the meeting was set in; empty where a
	// side does not show one.
	Zone string
}

// Person is somebody at a meeting.
type Person struct {
	// Address is the mail address as that side shows it; it may be empty in
	// NightPOS, where such a person cannot be shown in Outlook.
	Address string
	// Name is for display only and never compared.
	Name string
	// Type is how the person was invited; empty where a side does not show it.
	Type AttendeeType
	// Answer is what the person replied.
	Answer Answer
}

// Key identifies a person across both sides: the address without surrounding
// space, in lower case.
func (p Person) Key() string { return strings.ToLower(strings.TrimSpace(p.Address)) }

// AttendeeType is how somebody is invited.
type AttendeeType string

// The attendee types that Outlook knows. NightPOS shows none of them.
const (
	TypeUnknown  AttendeeType = ""
	TypeRequired AttendeeType = "required"
	TypeOptional AttendeeType = "optional"
	TypeResource AttendeeType = "resource"
)

// Answer is a reply to an invitation.
type Answer string

// The answers both sides can show.
const (
	AnswerNone      Answer = ""
	AnswerAccepted  Answer = "accepted"
	AnswerTentative Answer = "tentative"
	AnswerDeclined  Answer = "declined"
)

// Privacy says who may see what an event is about.
type Privacy string

// PrivacyDefault is NightPOS's "whatever the owner's default is" (18 and later)
// where that is public, and is shown by Outlook as normal; another default reads as
// itself. PrivacyPersonal exists in Outlook only.
const (
	PrivacyDefault      Privacy = ""
	PrivacyPublic       Privacy = "public"
	PrivacyPersonal     Privacy = "personal"
	PrivacyPrivate      Privacy = "private"
	PrivacyConfidential Privacy = "confidential"
)

// ShowAs says how an event's time appears to others.
type ShowAs string

// NightPOS shows free and busy only.
const (
	ShowAsFree             ShowAs = "free"
	ShowAsTentative        ShowAs = "tentative"
	ShowAsBusy             ShowAs = "busy"
	ShowAsOutOfOffice      ShowAs = "outOfOffice"
	ShowAsWorkingElsewhere ShowAs = "workingElsewhere"
	ShowAsUnknown          ShowAs = "unknown"
)
