package reconciler

import "time"

// Link ties one NightPOS record to its copy in one member's mailbox. Each
// member's lane holds its own link to a meeting, so lanes never share state:
// the organizer's link carries the content, an attendee's link that attendee's
// answer only.
type Link struct {
	// RecordID is the NightPOS record; it names the link within a lane.
	RecordID int64
	// GraphID is the copy in this member's mailbox; empty while one is being
	// made and nobody knows yet whether it was.
	GraphID string
	// ICalUID is shared by all copies of the meeting; it may be empty.
	ICalUID string
	// ChangeKey is the version of the copy that was last read or written. A
	// notification that names it is an echo.
	ChangeKey string
	// Role is what this mailbox's copy speaks for.
	Role Role
	// Generation counts the copies that were made for this record, so that a
	// copy made after a deletion is a new one and not a repeat of the old.
	Generation int
	// Ended links remember a meeting that is gone on one side (deleted in
	// Outlook, or archived in NightPOS) so that it can come back.
	Ended bool
	// Held links were made in a quiet first sync between halves that differ, since
	// bringing them together would have mailed people.
	Held bool
	// Alone links are ended ones whose other half is to stay as it is, alone.
	Alone bool
	// Outlook and NightPOS are what each side showed when they last agreed.
	Outlook, NightPOS Base
	// Updated is when the link was last saved.
	Updated time.Time
}

// Role is what a mailbox's copy of a meeting may speak for.
type Role string

const (
	// RoleOrganizer copies own the content: it flows both ways.
	RoleOrganizer Role = "organizer"
	// RoleAttendee copies speak for their owner's answer alone.
	RoleAttendee Role = "attendee"
	// RoleGuest copies belong to a meeting whose organizer is outside NightPOS:
	// Outlook owns the content, which flows to NightPOS only, and the owner's
	// answer flows both ways.
	RoleGuest Role = "guest"
	// RoleStandIn copies are appointments without attendees, in place of a
	// meeting whose organizer has not connected Outlook.
	RoleStandIn Role = "stand_in"
)
