package outlook

import "time"

// Span is a range of durations out of which the seed picks. The zero Span means
// at once.
type Span struct{ Least, Most time.Duration }

// ExceptionRule says what becomes of the exceptions and the deleted occurrences
// when the master of their series is changed (8.11, which is not established).
type ExceptionRule int

// The rules for exceptions. A change of the end of the range alone only drops
// those behind it, except under ExceptionsDropAlways.
const (
	// ExceptionsDropOnMove drops them when the pattern, the first day, the time
	// or the zone changes.
	ExceptionsDropOnMove ExceptionRule = iota
	// ExceptionsKeep keeps those whose day is still one of the rule's.
	ExceptionsKeep
	// ExceptionsDropAlways drops them whenever a PATCH names the recurrence.
	ExceptionsDropAlways
)

// CalendarExpansion says what becomes of $expand=calendar on events (11.2, which
// is not established).
type CalendarExpansion int

// What becomes of $expand=calendar. The calendar of an event can be asked for by
// itself under all of them.
const (
	// CalendarGiven answers with the calendar.
	CalendarGiven CalendarExpansion = iota
	// CalendarRefused answers 400, as for everything that cannot be expanded.
	CalendarRefused
	// CalendarIgnored answers without the calendar.
	CalendarIgnored
)

// Switches choose between the behaviours that sources disagree about or leave
// open. The zero value is the documented or most often observed behaviour; the
// numbers name the facts.
type Switches struct {
	// Sign-in.
	AccountPage        bool    // 1.3: prompt=select_account shows the accounts even when login_hint names one; by default that one signs in by itself
	ConsentPage        bool    // 1.20: whoever signs in is asked whether the application may; by default picking an account consents
	RefreshTokenOnce   bool    // 1.8: using a refresh token revokes it; by default the old one stays valid for its 90 days
	QualifiedScopes    bool    // 1.19: the token answer's scopes carry "https://graph.microsoft.com/"
	MailNull           bool    // 1.21: "mail" of /me is null, as for accounts without a mailbox address
	LongLivedTokens    bool    // access tokens live for a year, for tests that do not care about 1.10
	TokenLifetime      Span    // 1.10: how long access tokens live; zero: 60 to 90 minutes. A tenant's policy may make it up to a day
	AcceptEveryZone    bool    // 7.9: any IANA name is accepted, not only the documented list
	IgnoreIfMatch      bool    // 7.6: If-Match on events is not looked at; by default a stale one is 412
	TransientConflicts float64 // 7.6: the probability that a call about one event is answered with 412 for no reason, GET included
	AnswersReset       bool    // 8.8: a new time makes Outlook forget the answers given to the old one; by default they stand
	QuietPersonal      bool    // 8.6: an organizer's change of personal fields only (reminder, showAs, categories, sensitivity) mails nobody; by default every write to a meeting mails
	DuplicateConflict  bool    // 2.16: a second subscription to the same resource and changeType is 409; by default it is accepted
	AnyAddress         bool    // 2.18: notification addresses may be plain http anywhere; by default only on loopback and *.sim hosts
	PauseLoses         bool    // 3.9 against 4.3: changes while the subscription's token is expired are lost; by default they are sent once it is reauthorized, if within 4 h
	TokensIgnored      bool    // 2.17: an expired token does not pause delivery
	GoneOtherwise      bool    // 2.13, 15: a subscription that is gone is 404 in the words of the service behind Graph; by default in Graph's own
	UnvalidatedTaken   bool    // 13.5: a subscription is made though an address does not answer the validation
	TwinsMerged        bool    // 13.14: of two creates of the same content within a minute and without a transactionId the second is answered with the event of the first
	UIDNull            bool    // 7.4, 13.15: iCalUId is null
	OrganizerAlias     bool    // 13.17: answers show the organizer under the alias of a personal account
	NoOnlineMeetings   bool    // 7.15, 13.17: isOnlineMeeting is ignored without a word
	PrefixRepeats      bool    // 8.14, 13.18: every change of a cancelled copy puts "Canceled: " before its subject once more

	// Calendars besides the default one.
	SecondaryQuiet    bool              // 11.2, 15: a subscription to me/events tells of the default calendar only, and of moves out of it and into it as "deleted" and "created"; by default it tells of every calendar
	CalendarExpansion CalendarExpansion // 11.2: whether $expand=calendar works

	// Series.
	Exceptions              ExceptionRule // 8.11: when a PATCH of a master drops the exceptions and brings back what was deleted
	OccurrencesShareUID     bool          // 7.4: occurrences show the iCalUId of their master; by default one of their own, with their date in it
	ExceptionsNotExpanded   bool          // 7.13: $expand=exceptionOccurrences is ignored
	StaleExceptions         bool          // 13.9: for two seconds after an occurrence was changed, reads show its series as it was before
	StartMovesSeries        bool          // 9.2: a PATCH that moves the start of a master to another day, without a recurrence, moves the first day of the rule; by default it is refused, for startDate would not be the date of start any more
	OccurrenceDeletesSilent bool          // 13.6: the deletion of an occurrence is announced by nothing, neither a notification nor a delta round; by default the master is announced (3.12)
	DeltaTellsDeleted       bool          // 6.6: delta rounds tell a deleted occurrence as removed; by default they do not

	// Delivery of notifications.
	NoLifecycle       bool          // 4.9: lifecycle notifications never come, as reported for personal accounts
	NotificationDelay *Span         // nil: 10 to 50 ms after the change
	OneNotification   bool          // 3.11: one notification for each change; by default a create is followed by 1 to 3 "updated", an update by up to 2
	Duplicates        float64       // 3.7: the probability that a notification is delivered once more
	VaryShapes        bool          // 3.2: notifications vary in the ways that have been seen
	RetryBase         time.Duration // 3.5: first pause after a failed delivery, doubled each time; 0: 5 s

	// Content of notifications.
	NoValidationTokens  bool // 5.5: validationTokens is null, as with appRoleAssignmentRequired
	OldValidationTokens bool // 5.5: they are of version 1.0; by default of 2.0

	// Delta rounds; see also Server.ForgetDeltaTokens and Server.WedgeDelta. All
	// three are probabilities.
	DeltaReplays          float64 // 6.9: that a page also tells events again that were told before
	DeltaEmptyPages       float64 // 6.3: that a page comes empty, and its items only on the next one
	DeltaDeletionsMissing float64 // 6.11: that a deletion is never told

	// Copies of meetings in the attendees' mailboxes, and answers on their way back.
	MeetingDelay *Span // nil: 20 to 120 ms
}

func (s Switches) notificationDelay() Span { return orSpan(s.NotificationDelay, 10, 50) }

func (s Switches) meetingDelay() Span { return orSpan(s.MeetingDelay, 20, 120) }

func orSpan(chosen *Span, least, most int) Span {
	if chosen != nil {
		return *chosen
	}
	return Span{time.Duration(least) * time.Millisecond, time.Duration(most) * time.Millisecond}
}

func (s Switches) retryBase() time.Duration {
	if s.RetryBase > 0 {
		return s.RetryBase
	}
	return 5 * time.Second
}
