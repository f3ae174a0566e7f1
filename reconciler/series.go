package reconciler

import "context"

// A series is one meeting that repeats. Outlook shows it as a master with a rule,
// exceptions and cancelled occurrences; NightPOS as a recurrence with one record
// for each occurrence, all alike until somebody edits one. In both, an occurrence
// has its place in the rule, the date on which the rule puts it: its slot. It
// keeps it when it is moved.

// SeriesCopy is a series as it stands in one Outlook mailbox. A single event is
// one with a zero Rule.
type SeriesCopy struct {
	// Copy is the master. Its Event is what every occurrence shows that is no
	// exception, and its When that of the rule's first slot. RecordID is the
	// record that stood first when the gateway made it.
	Copy
	// Rule says on which days it takes place, in the zone of Event.When.
	Rule Rule
	// Refused says in words why the rule cannot be understood; empty otherwise.
	Refused string
	// Exceptions are the occurrences that show something else, by slot.
	Exceptions map[Date]Copy
	// Cancelled are the slots whose occurrence was deleted.
	Cancelled map[Date]bool
}

// gone says that the occurrence of a slot was deleted, or called off by its
// organizer, which an attendee's mailbox goes on showing.
func (s *SeriesCopy) gone(slot Date) bool {
	return s.Cancelled[slot] || s.Exceptions[slot].Cancelled
}

// SeriesRecord is a series as it stands in NightPOS. A single record is one with
// a zero Rule and one occurrence.
type SeriesRecord struct {
	// ID is the recurrence; zero for a single record.
	ID int64
	// BaseID is the record that NightPOS calls the recurrence's base; zero when
	// it has none.
	BaseID int64
	// ExternalKey is the key that a create by the gateway left; empty for others.
	ExternalKey string
	// Rule is what NightPOS states, which may disagree with the occurrences: it
	// does not move with deletions.
	Rule Rule
	// Zone is the IANA name of the zone in which the rule keeps the time of day.
	Zone string
	// Refused says in words why the rule cannot be understood; empty otherwise.
	Refused string
	// GraphID and ICalUID are what NightPOS's built-in sync left of the master; empty
	// for others.
	GraphID, ICalUID string
	// Occurrences are its records, archived ones included, in order of start.
	Occurrences []Record
}

// SeriesOutlook is what Outlook has to do for series. Errors follow the rules of
// Outlook's other calls.
type SeriesOutlook interface {
	// Expresses returns an *InexpressibleError where Outlook has no such rule, for
	// a first slot at that time. It asks nobody.
	Expresses(rule Rule, first When) error
	// ReadSeries returns the masters, or single events, that exist among ids, with
	// all their exceptions and cancelled slots: one call for each series. An id
	// that is absent is certainly not in the mailbox.
	ReadSeries(ctx context.Context, member Member, ids []string) (map[string]SeriesCopy, map[string]error, error)
	// WriteSeries carries out a write to the master, then those to occurrences,
	// and reads the series back.
	WriteSeries(ctx context.Context, member Member, write SeriesCopyWrite) SeriesCopyResult
}

// SeriesCopyWrite is a write to a series in a mailbox.
type SeriesCopyWrite struct {
	// Action is what happens to the master: ActionCreate, ActionUpdate,
	// ActionDelete, ActionAnswer, or empty when only occurrences are written.
	Action Action
	// ID and ChangeKey are the master's; a master that has moved on is ErrStale.
	// ID is empty for creates.
	ID, ChangeKey string
	// Event and Fields say what to write to the master. FieldWhen stands for the
	// time of day, the zone and the Rule together; a zero Rule makes the series a
	// single event.
	Event  Event
	Fields FieldSet
	Rule   Rule
	// Current is the series as it was read.
	Current *SeriesCopy
	// Key makes creates repeatable; RecordID is left as the mark. See OutlookWrite.
	Key      string
	RecordID int64
	// Answer and Quiet are for ActionAnswer: a reply to every occurrence.
	Answer Answer
	Quiet  bool
	// Occurrences are written after the master, in the order given.
	Occurrences []OccurrenceWrite
}

// OccurrenceWrite is a write to one occurrence in a mailbox.
type OccurrenceWrite struct {
	// Slot is which occurrence, and When where it stands once the master is
	// written; an exception is known by its ID.
	Slot Date
	When When
	ID   string
	// Action is ActionUpdate, ActionDelete or ActionAnswer.
	Action Action
	Event  Event
	Fields FieldSet
	Answer Answer
	Quiet  bool
	// Current is the exception as it was read; nil for other occurrences.
	Current *Copy
}

// SeriesCopyResult answers a SeriesCopyWrite.
type SeriesCopyResult struct {
	// Copy is the series after the write; nil after ActionDelete and when Err is
	// set.
	Copy *SeriesCopy
	// Existed says that a create found what an earlier one with the same key made,
	// with other content.
	Existed bool
	// Err is about the master, or about reading back: nothing is known about the
	// occurrences. It may wrap ErrStale, ErrGone, *RefusedError, *RetryError.
	Err error
	// Occurrences are the errors of the writes to occurrences, in their places.
	Occurrences []error
}

// SeriesNightPOS is what NightPOS has to do for series. Errors follow the rules of
// NightPOS's other calls.
type SeriesNightPOS interface {
	// ReadSeries returns the recurrences that exist among ids, with all their
	// records, in one call. A recurrence without any record counts as absent.
	ReadSeries(ctx context.Context, ids []int64) (map[int64]SeriesRecord, error)
	// WriteSeries carries out a write in one call and one transaction: all of it
	// happens, or nothing.
	WriteSeries(ctx context.Context, write SeriesRecordWrite) SeriesRecordResult
}

// SeriesRecordWrite is a write to a series in NightPOS. It never makes NightPOS
// send mail, and never has NightPOS work out occurrences of its own: each is given.
type SeriesRecordWrite struct {
	// ID is the recurrence; zero makes one.
	ID int64
	// Key makes creates repeatable, as an external id of the recurrence.
	Key string
	// BaseID is the record that becomes the base of a recurrence that is made; zero
	// for the first of Create.
	BaseID int64
	// Rule, Zone and First (the time of the rule's first slot) are to be written;
	// a nil Rule leaves them as they are, a zero one dissolves the recurrence: the
	// records stay as single ones.
	Rule  *Rule
	Zone  string
	First When
	// OrganizerUserID is for the records created; zero for nobody.
	OrganizerUserID int64
	// Create are the occurrences to be made.
	Create []Event
	// Writes are to occurrences that exist: ActionUpdate, ActionArchive,
	// ActionUnarchive, ActionAnswer. A record that has moved on (Stamp) makes the
	// whole write ErrStale.
	Writes []RecordWrite
	// Join are single records that become occurrences, and Leave occurrences that
	// leave the series, archived; see also ActionArchive, which keeps the place.
	Join, Leave []int64
	// Delete are records that are deleted for good, and the recurrence with them.
	// Nothing else of the write counts then but ID; Record is nil in the answer.
	Delete []int64
	// Current is the series as it was read; nil for creates.
	Current *SeriesRecord
}

// SeriesRecordResult answers a SeriesRecordWrite.
type SeriesRecordResult struct {
	// Record is the series after the write; nil when Err is set.
	Record *SeriesRecord
	// Existed says that a create found the recurrence of an earlier one with the
	// same key; nothing was written.
	Existed bool
	// Err may wrap ErrStale, ErrGone, *RefusedError, *RetryError.
	Err error
}
