package reconciler

import "time"

// Activity is one line of a lane's log: what was seen, what was written, why.
// It holds no event text.
type Activity struct {
	Time time.Time
	// Lane is the member whose calendar it was.
	Lane string
	// RecordID and GraphID name the meeting; either may be empty.
	RecordID int64
	GraphID  string
	// From is the side on which the change was made; empty for failures.
	From Side
	// Action is what was done to the other side; empty when nothing was.
	Action Action
	// Fields are the fields concerned.
	Fields []Field
	// Lag is how long after the earliest hint the write was accepted.
	Lag time.Duration
	// Mails is how many mails Outlook is expected to send for it.
	Mails int
	// Conflicts are fields changed on both sides, with the side that lost.
	Conflicts []Conflict
	// Reason is in words: why nothing was done, or what failed and what to do.
	Reason string
}

// Conflict is a field that both sides changed to different values.
type Conflict struct {
	Field Field
	// Entry names the person or category within the field, as a digest.
	Entry string
	// Loser is the side whose value was replaced.
	Loser Side
	// Lost is the value that was replaced, readable by the person it belongs to.
	// The store encrypts it and lets it expire.
	Lost string
	// Value is the same, alone in an event, so that it can be put back; nil where it
	// cannot.
	Value *Event
	// ID names the value in the store; empty before it is stored, and when it
	// cannot be put back any more.
	ID string
	// Restored says that the loser's value was put back: what is kept is the
	// winner's since.
	Restored bool
}
