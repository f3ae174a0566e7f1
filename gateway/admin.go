package gateway

import (
	"context"
	"time"

	"github.com/nightpos/outlook-gateway/gateway/findings"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// Admin does what the admin API asks for. People are named by their NightPOS
// user id in decimal. What a caller can do something about is a *Refusal; any
// other error is the gateway's own trouble.
type Admin interface {
	Status(ctx context.Context) (Status, error)
	// Find returns the id of a connected person by user id or login; the error
	// wraps ErrNobody when there is none.
	Find(ctx context.Context, user string) (id string, err error)
	// Users returns up to limit connected people whose ids come after one, in
	// the order of ids; more says that there are others behind them.
	Users(ctx context.Context, after string, limit int) (users []User, more bool, err error)
	User(ctx context.Context, id string) (User, error)
	// Search returns a page of the people that a filter matches.
	Search(ctx context.Context, filter PeopleFilter) (PeoplePage, error)
	// Troubles are what is wrong with connected people, the most frequent first.
	Troubles(ctx context.Context) ([]Trouble, error)
	// Titles names events of NightPOS for somebody who looks at a person's calendar:
	// what is private is named to the people of the event only. Viewer is the user id
	// of who looks, zero for nobody in particular. Events that are gone are absent.
	Titles(ctx context.Context, viewer int64, records []int64) (map[int64]EventTitle, error)

	// Preview says what a sweep of the person's calendar would do, and does
	// nothing.
	Preview(ctx context.Context, id string) (Preview, error)
	// Validate compares a calendar on both sides, and writes nothing.
	Validate(ctx context.Context, id string) (Validation, error)
	// Send releases classes of events that a quiet first sync keeps back.
	Send(ctx context.Context, id string, classes []reconciler.Class) error
	Sync(ctx context.Context, id string) error
	Pause(ctx context.Context, id string) error
	Resume(ctx context.Context, id string) error
	// Answer answers a sweep that stopped because it would have deleted too
	// much: to go through with it, or to keep what is left.
	Answer(ctx context.Context, id string, apply bool) error
	// UseOther puts the version of a field that lost a conflict back on both sides;
	// the next time, the one that it replaced. Conflict is the ConflictLine's ID.
	UseOther(ctx context.Context, id, conflict string) error
	// Choices are what a person has chosen about which events are synced. SaveChoices
	// replaces them and has the calendar compared as a whole; events that are not
	// synced any more stay as they are on both sides.
	Choices(ctx context.Context, id string) (ChoicesView, error)
	SaveChoices(ctx context.Context, id string, choices Choices) (ChoicesView, error)
	// Disconnect forgets the person and touches no event.
	Disconnect(ctx context.Context, id string) error

	// Reset begins a reset and returns its job; PreviewReset says what it would
	// do.
	Reset(ctx context.Context, id string, asked Reset) (job string, err error)
	PreviewReset(ctx context.Context, id string, asked Reset) (ResetPreview, error)
	Job(ctx context.Context, id string) (Job, error)
	// Undo begins to restore what a reset deleted and returns the job of that.
	Undo(ctx context.Context, job string) (string, error)

	// Activity returns lines newest first. Audit adds one about an
	// administrator's deed.
	Activity(ctx context.Context, filter ActivityFilter) ([]ActivityLine, error)
	Audit(ctx context.Context, deed Deed) error

	// Lag is how long changes took during the last day, in steps.
	Lag(step time.Duration) []LagPoint
	// Examine begins to check everything that the gateway needs; Examination tells
	// how far that is, or what it found last.
	Examine(ctx context.Context) error
	Examination(ctx context.Context) (Examination, error)

	Settings(ctx context.Context) (ConsoleSettings, error)
	SaveSettings(ctx context.Context, change SettingsChange) (ConsoleSettings, error)
	// ConfirmDatabase says that the NightPOS database, which is another than it
	// was, is the right one.
	ConfirmDatabase(ctx context.Context) error
	// BuiltInSync says whether NightPOS's own Outlook sync is on for a user of
	// NightPOS, connected or not; StopBuiltInSync stops it and touches no event.
	BuiltInSync(ctx context.Context, person Person) (bool, error)
	StopBuiltInSync(ctx context.Context, person Person) error
	// RotateSecret begins to have NightPOS's webhooks carry another secret; both are
	// taken meanwhile.
	RotateSecret(ctx context.Context) error
}

// Examination is a check of everything that the gateway needs.
type Examination struct {
	// Began is zero when there was none yet, Ended while it is under way.
	Began time.Time `json:"began,omitzero"`
	Ended time.Time `json:"ended,omitzero"`
	// Done of Total parts have ended.
	Done  int       `json:"done"`
	Total int       `json:"total"`
	Rows  []Finding `json:"rows"`
}

// Finding is how one check ended.
type Finding struct {
	// Check is its name, such as store.eviction; Status is ok, warning or failed.
	Check  string `json:"check"`
	Status string `json:"status"`
	// Detail is what was found, or what is wrong, and Remedy what to do; English.
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
	// Found and Advice are the same for readers of every language.
	Found  findings.Phrase `json:"found"`
	Advice findings.Phrase `json:"advice"`
}

// Refusal is an error that the caller of the API can do something about.
type Refusal struct {
	// Status is the HTTP status, Text what is wrong and what to do.
	Status int
	Text   string
}

func (r *Refusal) Error() string { return r.Text }

// Status is how the gateway is.
type Status struct {
	Version       string    `json:"version"`
	Started       time.Time `json:"started"`
	UptimeSeconds int64     `json:"uptime_seconds"`
	OutlookSync   bool      `json:"outlook_sync"`
	// Stopped is why nothing is synced at present, for anybody.
	Stopped      string             `json:"stopped,omitempty"`
	Store        DependencyStatus   `json:"store"`
	StoreKind    string             `json:"store_kind"`
	NightPOS     DependencyStatus   `json:"nightpos"`
	Microsoft    DependencyStatus   `json:"microsoft"`
	Dependencies []DependencyStatus `json:"dependencies"`
	Queue        QueueStatus        `json:"queue"`
	Users        map[string]int     `json:"users"`
	// SecretExpires is the last day of the client secret or certificate, if known.
	SecretExpires  *string `json:"client_secret_expires"`
	SecretDaysLeft *int    `json:"client_secret_days_left"`
}

// QueueStatus is what waits in all lanes together.
type QueueStatus struct {
	// Depth is how many lanes are due, at most a thousand.
	Depth int `json:"depth"`
	// Oldest is since when the oldest of them waits.
	Oldest        *time.Time `json:"oldest_waiting"`
	OldestSeconds float64    `json:"oldest_waiting_seconds"`
}

// User is a connected person.
type User struct {
	ID       int64            `json:"id"`
	Login    string           `json:"login"`
	Name     string           `json:"name"`
	Mailbox  string           `json:"mailbox"`
	State    reconciler.Phase `json:"state"`
	LastSync *time.Time       `json:"last_sync"`
	Pending  int              `json:"pending"`
	// Moving is how many of those that are pending are being worked on or are due
	// now, rather than put off.
	Moving       int               `json:"-"`
	Subscription *UserSubscription `json:"subscription"`
	// LastError is what happened and what to do, null when all is well.
	LastError *string        `json:"last_error"`
	FirstSync *FirstSyncView `json:"first_sync,omitempty"`
	// Question is a sweep that waits for an answer.
	Question *Question `json:"question,omitempty"`
	// Job is a reset under way.
	Job string `json:"job,omitempty"`
}

// Choices are what a person has chosen about which events are synced; what is null
// is as the gateway's settings say.
type Choices struct {
	// PrivateEvents is full, busy_only or skip.
	PrivateEvents *string `json:"private_events"`
	// SkipCategories are those whose events are not synced; events without one of
	// OnlyCategories are not either, where there are any.
	SkipCategories []string `json:"skip_categories"`
	OnlyCategories []string `json:"only_categories"`
}

// ChoicesView is what a person has chosen, and what holds with the settings.
type ChoicesView struct {
	Choices
	Effective Choices `json:"effective"`
}

// UserSubscription is the mailbox's subscription.
type UserSubscription struct {
	ID      string    `json:"id"`
	Expires time.Time `json:"expires"`
}

// FirstSyncView is how far a first sync is.
type FirstSyncView struct {
	// Mode is all or new.
	Mode  string    `json:"mode"`
	Quiet bool      `json:"quiet"`
	Began time.Time `json:"began"`
	// Listed says that both calendars have been read, so that Total is known.
	Listed bool `json:"listed"`
	Done   int  `json:"done"`
	Total  int  `json:"total"`
	// Rate is in events per second, SecondsLeft an estimate by it.
	Rate        float64 `json:"rate"`
	SecondsLeft float64 `json:"seconds_left"`
	Finished    bool    `json:"finished"`
	// Send are the classes released, Held how many events each class keeps back,
	// as the last sweep saw it.
	Send []reconciler.Class       `json:"send"`
	Held map[reconciler.Class]int `json:"held"`
	// Ambiguous is how many events may be one of several and are left alone.
	Ambiguous int `json:"ambiguous"`
}

// Question is what a sweep that stopped asks.
type Question struct {
	// Side is where events are gone; Count is how many of the Of pairs.
	Side  reconciler.Side `json:"side"`
	Count int             `json:"count"`
	Of    int             `json:"of"`
	Since time.Time       `json:"since"`
}

// PeopleFilter chooses people.
type PeopleFilter struct {
	// Text is part of a name, login or mailbox, empty for all.
	Text string
	// State is one of User's, or "question" for those who are asked something; empty
	// for all.
	State string
	// Sort is name, login, mailbox or state, with a minus before it for descending.
	Sort          string
	Offset, Limit int
}

// PeoplePage is a page of people.
type PeoplePage struct {
	Users []User
	// Total is how many match; Counts are all connected people by state, whether
	// their subscription lives being left out.
	Total  int
	Counts map[string]int
}

// Trouble is one cause, and whom it befell.
type Trouble struct {
	// Cause is what happened, without what differs from person to person.
	Cause string
	Count int
	// Users are some of them.
	Users []User
}

// EventTitle names an event.
type EventTitle struct {
	// Title is empty for private events of others.
	Title   string
	Private bool
	Start   time.Time
	AllDay  bool
}

// Readable says whether text of the event, such as what a conflict replaced, may be
// shown to somebody who is not one of its people. The zero EventTitle, of an event
// that is gone or that nobody could ask about, is not: without the event nobody can
// tell that it is not private.
func (t EventTitle) Readable() bool { return t.Title != "" && !t.Private }

// TitleTime is how long the names of events are waited for.
const TitleTime = 3 * time.Second

// Preview is what a sweep would do.
type Preview struct {
	Events []PreviewEvent `json:"events"`
	// Counts are the events of each action.
	Counts map[string]int `json:"counts"`
	// Mails is how many mails Outlook would send, Held how many it would send
	// for what is kept back.
	Mails int `json:"mails"`
	Held  int `json:"mails_held"`
}

// PreviewEvent is one event of a preview.
type PreviewEvent struct {
	// Action is create, update, match, skip, delete, archive, unarchive or answer.
	Action string `json:"action"`
	// Side is where it would be done; empty for match and skip.
	Side reconciler.Side `json:"side,omitempty"`
	Why  string          `json:"why"`
	// Class is what a quiet first sync keeps the event back for.
	Class reconciler.Class `json:"class,omitempty"`
	// Title is left out of private events.
	Title     string             `json:"title,omitempty"`
	Start     time.Time          `json:"start"`
	RecordID  int64              `json:"record_id,omitempty"`
	OutlookID string             `json:"outlook_id,omitempty"`
	Fields    []reconciler.Field `json:"fields,omitempty"`
	// Mails are the addresses that Outlook would write to.
	Mails []string `json:"mails"`
}

// Reset is what a reset is to do.
type Reset struct {
	// Events says what becomes of the person's synced events.
	Events string `json:"events"`
	// NextSync says what crosses once the person has connected again.
	NextSync string `json:"next_sync"`
}

// ResetPreview is what a reset would do.
type ResetPreview struct {
	Reset
	// Synced is how many events the person has on both sides.
	Synced int `json:"synced"`
	// Outlook and NightPOS are how many would be deleted there.
	Outlook  int `json:"outlook"`
	NightPOS int `json:"nightpos"`
	// Mails are the addresses that Outlook would write to, each with how many
	// cancellations.
	Mails map[string]int `json:"mails"`
}

// Job is how far a long piece of work is.
type Job struct {
	ID    string `json:"id"`
	Kind  string `json:"kind"`
	User  int64  `json:"user"`
	State string `json:"state"`
	Done  int    `json:"done"`
	Total int    `json:"total"`
	Error string `json:"error"`
	// Restorable is how many deleted events can be restored, and until when.
	Restorable int        `json:"restorable"`
	Until      *time.Time `json:"restorable_until,omitempty"`
}

// ActivityFilter chooses lines.
type ActivityFilter struct {
	// User is a person's id, empty for everybody.
	User string
	// Event is a record's id or a Graph id, empty for all.
	Event string
	// Before is a time that the lines are older than, zero for none.
	Before time.Time
	Limit  int
}

// ActivityLine is one line of the activity.
type ActivityLine struct {
	At   time.Time `json:"at"`
	User int64     `json:"user,omitempty"`
	// RecordID and OutlookID name the event.
	RecordID  int64  `json:"record_id,omitempty"`
	OutlookID string `json:"outlook_id,omitempty"`
	// From is the side that changed, To the one that was written.
	From   reconciler.Side    `json:"from,omitempty"`
	To     reconciler.Side    `json:"to,omitempty"`
	Action string             `json:"action,omitempty"`
	Fields []reconciler.Field `json:"fields,omitempty"`
	LagMS  int64              `json:"lag_ms"`
	Mails  int                `json:"mails"`
	// Conflict is what both sides had changed.
	Conflict []ConflictLine `json:"conflict,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	// By is who did it, for administrators' deeds.
	By string `json:"by,omitempty"`
}

// ConflictLine is a field that both sides had changed.
type ConflictLine struct {
	Field reconciler.Field `json:"field"`
	// Loser is the side whose value was replaced, Value that value while it is
	// kept. The API leaves Value and ID out where the event is not EventTitle.Readable.
	Loser reconciler.Side `json:"loser"`
	Value string          `json:"value,omitempty"`
	// Kept is the same as an event with this field alone; nil where it cannot be put
	// back.
	Kept *reconciler.Event `json:"-"`
	// ID is for UseOther, empty where that cannot be done.
	ID string `json:"id,omitempty"`
	// Restored says that the loser's value was put back: Value is the one that was
	// replaced then.
	Restored bool `json:"restored,omitempty"`
}

// Deed is what an administrator did.
type Deed struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	Action string    `json:"action"`
	// User is whom it was about, zero for nobody.
	User   int64  `json:"user,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// ConsoleSettings are the settings that can be changed while the gateway runs.
type ConsoleSettings struct {
	OutlookSync bool   `json:"outlook_sync"`
	ClientID    string `json:"client_id"`
	// SecretSet says that there is a client secret; it is never shown.
	SecretSet bool `json:"client_secret_set"`
	// SecretExpires is a date, empty when it is not known.
	SecretExpires string `json:"client_secret_expires"`
	// Entered are those of client_id, client_secret and client_secret_expires that
	// were entered while the gateway ran; they stand before what it was configured
	// with until they are given up.
	Entered []string `json:"entered"`
	// ConfiguredID is the application that the gateway was configured with, together
	// with its secret or certificate; empty for none.
	ConfiguredID string `json:"configured_client_id"`
	// Conflict is who wins: newest, outlook or nightpos.
	Conflict string `json:"conflict"`
}

// SettingsChange changes settings; nil leaves one as it is.
type SettingsChange struct {
	OutlookSync   *bool   `json:"outlook_sync"`
	ClientID      *string `json:"client_id"`
	ClientSecret  *Secret `json:"client_secret"`
	SecretExpires *string `json:"client_secret_expires"`
	// UseConfigured gives up what was entered about the application, for what the
	// gateway was configured with. If that is another application, everybody has to
	// connect again.
	UseConfigured bool    `json:"use_configured_application"`
	Conflict      *string `json:"conflict"`
}
