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
	// Saved is when that version was saved and Preview the beginning of its text, as
	// Copy.Modified and Copy.Preview; both are zero where notifications have no
	// content.
	Saved   time.Time
	Preview string
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
	// Listed links are of invitations that came through a distribution list.
	Listed bool
	// Aside links are of pairs that the person's choices keep from being synced.
	Aside bool
	// Outlook and NightPOS are what each side showed when they last agreed.
	Outlook, NightPOS Base
	// Series is set on the link of a series. RecordID is then the occurrence that
	// was the base when the link was made, and GraphID the master.
	Series *LinkedSeries
	// Apart says that the record, an occurrence of a series in NightPOS, has a
	// single event of its own in Outlook, which can show it in no other way.
	Apart bool
	// Updated is when the link was last saved.
	Updated time.Time
}

// agreed says that the sides have agreed on anything yet.
func (l *Link) agreed() bool { return len(l.Outlook)+len(l.NightPOS) > 0 }

// LinkedSeries is what the sides last agreed on about a series as a whole. The
// bases of its Link are about what every occurrence shows that is no exception.
type LinkedSeries struct {
	// RecurrenceID is the NightPOS recurrence; zero while both sides show a single
	// event.
	RecurrenceID int64
	// Rule and First, the time of its first slot, are as Outlook shows them.
	Rule  Rule
	First When
	// From and To are the first and the last slot that NightPOS holds: it cannot
	// hold a series without end, nor one that began long ago as a whole.
	From, To Date
	// Occurrences are the records of the slots, archived ones included.
	Occurrences map[Date]int64
	// Exceptions are what the sides showed of those slots that differ from the rest.
	Exceptions map[Date]LinkedException
}

// LinkedException is what the sides last agreed on about one occurrence.
type LinkedException struct {
	// Cancelled slots have no occurrence on either side.
	Cancelled bool
	// Lone is the side that shows the occurrence while the other one is to do
	// without it; empty when both show it, or neither. An organizer's link has none.
	Lone Side
	// Outlook and NightPOS are what each side showed.
	Outlook, NightPOS Base
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
