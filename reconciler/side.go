package reconciler

import (
	"context"
	"time"
)

// Side is one of the two calendars.
type Side string

// The two sides.
const (
	SideOutlook  Side = "outlook"
	SideNightPOS Side = "nightpos"
)

// Other is the side across.
func (s Side) Other() Side {
	if s == SideOutlook {
		return SideNightPOS
	}
	return SideOutlook
}

// Member is a NightPOS user whose calendar is kept in step with a mailbox.
type Member struct {
	// ID is the NightPOS user id in decimal; it names the person's lane.
	ID string
	// UserID and PartnerID are the NightPOS user and contact.
	UserID, PartnerID int64
	Login, Name       string
	// Address is the person's mail address in NightPOS.
	Address string
	// Mailbox is the address of the connected Outlook mailbox, which may differ
	// from Address.
	Mailbox string
	// Zone is the IANA name of the person's own time zone, empty if unknown.
	Zone string
	// Parked says why nothing can be done for this member for now, for an
	// administrator; empty when all is well. What comes for a parked member waits.
	Parked string
	// First says what may cross of what was there before the member connected.
	First FirstSync
	// Halt is a sweep that stopped because it would have deleted too much.
	Halt Halt
	// Choices are what the person has chosen about which events are synced.
	Choices Choices `json:",omitzero"`
}

// Is says whether an address is one of this member's.
func (m Member) Is(p Person) bool {
	key := p.Key()
	return key != "" && (key == Person{Address: m.Address}.Key() || key == Person{Address: m.Mailbox}.Key())
}

// Copy is one meeting as it stands in one Outlook mailbox.
type Copy struct {
	// ID is the Graph id in immutable form.
	ID string
	// ICalUID is equal in all copies of a meeting; it may be empty.
	ICalUID string
	// ChangeKey is the version of the copy; it changes on every save, also on
	// invisible ones.
	ChangeKey string
	// RecordID is the NightPOS record this copy was made for, from the mark our
	// own creates leave in it; zero when unknown. Only listings and recovery
	// look-ups fill it in.
	RecordID int64
	// IsOrganizer says that the mailbox's owner organises the meeting.
	IsOrganizer bool
	// Aliased copies name their organizer by an address that nobody else knows: it
	// may be a member all the same.
	Aliased bool
	// OwnAnswer is what the owner of the mailbox replied.
	OwnAnswer Answer
	// Cancelled copies stand for a meeting that its organizer called off.
	Cancelled bool
	// Recurring copies belong to a series (master, occurrence or exception), whose
	// master is MasterID: their own ID for masters.
	Recurring bool
	MasterID  string
	// Elsewhere copies are in another calendar of the mailbox than its main one, which
	// alone is synced.
	Elsewhere bool
	// Modified is when the copy was last saved, by the server's clock.
	Modified time.Time
	// Created is when it was made; zero where a listing does not tell.
	Created time.Time
	// Told copies are what a notification showed, without the body; the others were
	// read.
	Told bool
	// Preview is DigestPreview of the text's beginning, or PreviewOpen when more may
	// follow; empty when it is not known.
	Preview string
	// Event is the content.
	Event Event
	// Online copies are online meetings, whose link is Outlook's own.
	Online bool
	// Raw is whatever the adapter wants to see again on a write to this copy,
	// such as the meeting block inside the body. Nobody else looks at it.
	Raw any
}

// Record is one meeting as it stands in NightPOS.
type Record struct {
	ID int64
	// OrganizerUserID is the NightPOS user who organises it; zero for nobody.
	OrganizerUserID int64
	// Archived records are hidden but kept (active = false).
	Archived bool
	// Masked records were read as "Busy" without rights; they must never be
	// written anywhere.
	Masked bool
	// Recurring records belong to a recurrence, RecurrenceID; zero for those that
	// NightPOS calls recurring without one.
	Recurring    bool
	RecurrenceID int64
	// Stamp is write_date with microseconds. Attendees' answers do not move it.
	Stamp string
	// Modified is Stamp, or the newest answer, as a time in UTC.
	Modified time.Time
	// ExternalKey is the key that a create by the gateway left; empty for others.
	ExternalKey string
	// Untouched says that nothing was written to the record since the transaction
	// that made it. Attendees' answers do not count.
	Untouched bool
	// Created is when the transaction began that made the record, by NightPOS's
	// clock, in microseconds or in whole seconds.
	Created time.Time
	// ICalUID and GraphID are what NightPOS's built-in sync left: the meeting's
	// iCalUId, and its id in whichever mailbox synced it; empty for others. Of an
	// occurrence, MasterID is the id of the series' master there.
	ICalUID, GraphID, MasterID string
	// Event is the content. Answers of people are those of the attendee rows;
	// the organizer's own answer is in Organizer.Answer.
	Event Event
	// Raw is whatever the adapter wants to see again on a write to this record.
	Raw any
}

// Window is a span of time, Start inclusive, End exclusive, in UTC.
type Window struct{ Start, End time.Time }

// Projector tells how a side would show an event written to it, as far as that
// is known: values it lacks become their nearest neighbours, fields it does not
// have become empty. It is pure, and idempotent: Project(Project(e)) equals
// Project(e). The planner uses it to see that a change on one side makes no
// difference on the other, and then does not write.
type Projector interface {
	Project(Event) Event
}

// Outlook is Microsoft's side: one mailbox per connected member.
//
// Errors of whole calls mean that nothing is known about any item. They may
// wrap *RetryError (come back later), ErrReconnect (the person must sign in
// again) or a context error.
type Outlook interface {
	Projector
	// Read returns the copies that exist among ids. An id that is absent from
	// the result is certainly not in the mailbox; if that cannot be told the
	// whole call fails, or the item stands in the second result.
	Read(ctx context.Context, member Member, ids []string) (map[string]Copy, map[string]error, error)
	// List returns every copy in the window with RecordID filled in. A partial
	// listing is an error, never a result.
	List(ctx context.Context, member Member, window Window) ([]Copy, error)
	// Changes tells what was saved or removed since the cursor. A cursor without
	// a token begins with everything in its window, which the adapter may widen.
	// A round that fails in the middle is an error, never a result. Changes that
	// a server forgets to tell are found by List.
	Changes(ctx context.Context, member Member, cursor Cursor) (Changes, error)
	// Write carries out the writes, in order of the slice for equal ids and in
	// any order otherwise, and answers each in its place.
	Write(ctx context.Context, member Member, writes []OutlookWrite) []OutlookResult
}

// ElsewhereOutlook is implemented by an Outlook whose mailboxes have other calendars
// than the main one, which alone is synced.
type ElsewhereOutlook interface {
	// ListElsewhere is List for those calendars; all its copies are Elsewhere.
	ListElsewhere(ctx context.Context, member Member, window Window) ([]Copy, error)
}

// OutlookWrite is one write to a mailbox.
type OutlookWrite struct {
	Action Action
	// ID is the copy to change; empty for creates.
	ID string
	// ChangeKey guards updates and deletes: if the copy has moved on, the
	// result is ErrStale. Empty means no guard.
	ChangeKey string
	// Event holds the values and Fields says which of them to write.
	Event  Event
	Fields FieldSet
	// Current is the copy as it was read; the adapter keeps from it what must
	// survive (the zone, the meeting block in the body, other people's rows).
	Current *Copy
	// Key makes creates repeatable: a second create with the same key returns
	// the same copy, as it is by then; so the adapter does not repeat one whose
	// answer was lost. Lower case UUID form.
	Key string
	// RecordID is left in a created copy as its mark.
	RecordID int64
	// Answer is for ActionAnswer; a quiet one stays in this mailbox and is not
	// mailed to the organizer.
	Answer Answer
	Quiet  bool
}

// OutlookResult answers an OutlookWrite.
type OutlookResult struct {
	// Copy is what the mailbox shows after the write; nil after deletes and
	// when Err is set. After ActionAnswer it may be nil: read again.
	Copy *Copy
	// Existed says that a create found what an earlier create with the same key
	// had made, with other content: Copy.ID is set and the rest must be read.
	Existed bool
	// Err may wrap ErrStale, ErrGone, *RefusedError, *RetryError.
	Err error
}

// NightPOS is the business suite's side: one database for all members.
//
// Errors of whole calls follow the rules of Outlook's.
type NightPOS interface {
	Projector
	// Read returns the records that exist among ids, archived ones included.
	// An id that is absent certainly does not exist.
	Read(ctx context.Context, ids []int64) (map[int64]Record, error)
	// List returns every record, archived ones included, in which the member is
	// organizer or attendee and which overlaps the window.
	List(ctx context.Context, member Member, window Window) ([]Record, error)
	// Changes returns every record, archived ones included, in which the member
	// is organizer or attendee and which was written, or answered by an attendee,
	// since an instant of NightPOS's clock. Records that no longer exist, or no
	// longer concern the member, are not told.
	Changes(ctx context.Context, member Member, since time.Time) ([]Record, error)
	// Write carries out the writes and answers each in its place. One failing
	// write does not fail the others.
	Write(ctx context.Context, writes []RecordWrite) []RecordResult
}

// RecordWrite is one write to NightPOS. It never makes NightPOS send mail.
type RecordWrite struct {
	Action Action
	// ID is the record to change; zero for creates.
	ID int64
	// Stamp guards updates and archiving: if the record's write_date has moved
	// on, the result is ErrStale. Empty means no guard.
	Stamp  string
	Event  Event
	Fields FieldSet
	// Current is the record as it was read.
	Current *Record
	// Key makes creates repeatable, as an external id of the record.
	Key string
	// OrganizerUserID is who organises: for creates zero for nobody, for updates
	// zero to leave it as it is.
	OrganizerUserID int64
	// Attendee and Answer are for ActionAnswer: whose answer it is.
	Attendee Person
	Answer   Answer
}

// RecordResult answers a RecordWrite.
type RecordResult struct {
	// Record is what NightPOS shows after the write; nil when Err is set.
	Record *Record
	// Existed says that a create found the record of an earlier create with the
	// same key; nothing was written and Record is that record.
	Existed bool
	// Err may wrap ErrStale, ErrGone, *RefusedError, *RetryError.
	Err error
}

// Action is what a write does.
type Action string

// The actions. Archive and Unarchive exist in NightPOS only. Delete is for Outlook:
// what is deleted there is archived in NightPOS, and nothing but a reset that asks
// for it deletes a record.
const (
	ActionCreate  Action = "create"
	ActionUpdate  Action = "update"
	ActionDelete  Action = "delete"
	ActionArchive Action = "archive"
	// ActionUnarchive brings an archived record back, with the fields given.
	ActionUnarchive Action = "unarchive"
	ActionAnswer    Action = "answer"
)
