package reconciler

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// Item is one keyed piece of work in a lane. Items are hints: they say where to
// look, never what is there.
type Item struct {
	// Key names the work within its lane; see OutlookKey, NightPOSKey and the
	// Key constants.
	Key string
	// Priority decides between items that are due.
	Priority Priority
	// Due is when the item may be taken; the zero time means at once.
	Due time.Time
	// First is when the earliest hint that is folded into this item arrived;
	// the lag of a change is counted from it.
	First time.Time
	// Version is the version of the event that the hint spoke of: a change key
	// (Outlook) or a write_date with microseconds (NightPOS); may be empty. Of
	// NightPOS's hints the one added last wins; two versions of a copy make none,
	// since Outlook's come in no order.
	Version string
	// Attempts counts how often the item was taken and put back.
	Attempts int
	// Reason is why it was put back last, in words for an administrator.
	Reason string
}

// Priority orders items that are due; lower goes first.
type Priority int

// What a person waits for goes before backfill.
const (
	PriorityPerson   Priority = 0
	PriorityBackfill Priority = 1
)

// Keys of work that is not about one event.
const (
	// KeySweep compares everything in the window on both sides.
	KeySweep = "sweep"
	// KeyChanges asks both sides what changed since they were asked last.
	KeyChanges = "changes"
	// KeySubscription looks after the mailbox's subscription.
	KeySubscription = "subscription"
	// KeyFirstSync sees whether the first sync is done.
	KeyFirstSync = "first_sync"
	// KeyReset goes on with a reset; its Version is the job.
	KeyReset = "reset"
)

// Signals are what the Version of a KeySubscription item says: why somebody
// looks after the subscription before its time. The id of the subscription that
// was spoken of may follow, behind a blank.
const (
	SignalNone = ""
	// SignalConnected: the person has signed in, for the first time or again.
	SignalConnected = "connected"
	// SignalStarted: a gateway has started.
	SignalStarted = "started"
	// SignalReauthorize: Microsoft wants the subscription authorized anew.
	SignalReauthorize = "reauthorize"
	// SignalRemoved: Microsoft says that the subscription is gone.
	SignalRemoved = "removed"
	// SignalSilent: a change in the mailbox was found that no notification had told
	// of, so that there may be no subscription any more.
	SignalSilent = "silent"
)

const (
	outlookPrefix  = "outlook:"
	nightposPrefix = "nightpos:"
)

// Hint is an item for a lane, from a webhook.
type Hint struct {
	// Lane is the member's ID.
	Lane string
	Item Item
	// GraphID is set on Outlook's hints: when the lane's link to that copy has
	// the ChangeKey Item.Version, the hint is an echo and is dropped.
	GraphID string
}

// Content is what a notification told of a copy, in a form that only the adapter of
// that side understands.
type Content struct {
	// Lane is the member's ID.
	Lane    string
	GraphID string
	Sealed  []byte
}

// Lease is the right to work on a lane. Its fence grows with every lease of
// that lane; whatever is written under a lease is refused once a newer one
// exists.
type Lease struct {
	Lane  string
	Fence int64
}

// Batch is everything that was due in a lane, most urgent first, held under a
// lease.
type Batch struct {
	Lease
	Items []Item
}

// Outcome says what becomes of an item of a batch.
type Outcome struct {
	Key string
	// Retry puts the item back, due After from now, with Attempts one higher.
	// Otherwise it is done and goes, unless it was added again meanwhile: then
	// it stays, due at once.
	Retry bool
	// Repeat puts it back as if it had just been added, due After from now:
	// work that is done and comes round again.
	Repeat bool
	// Park puts it back as it is, due After from now, without counting an
	// attempt: nothing was tried, since nothing can be done in this lane.
	Park  bool
	After time.Duration
	// Reason is kept with an item that is put back.
	Reason string
}

// Queue holds the lanes. All methods are safe for concurrent use by any number
// of processes.
//
// What it guarantees: an added item is taken at least once after its Add
// returned; adding an item that waits changes nothing but its version, an
// earlier due time and a more urgent priority; adding one that is being worked
// on makes it run again afterwards; two workers never hold a lane at once; a
// lease that is neither extended nor finished ends by itself and its items are
// due again.
type Queue interface {
	// Add puts items into a lane. They are durable, as far as the store is,
	// when it returns.
	Add(ctx context.Context, lane string, items ...Item) error
	// AddHints adds hints to their lanes and drops echoes, in one round trip to
	// the store. It returns how many were dropped.
	AddHints(ctx context.Context, hints []Hint) (echoes int, err error)
	// Take waits until a lane that nobody holds has items due, and leases it
	// with at most limit of them. A waiting Take is woken at once by an Add. It
	// returns the context's error when that ends.
	Take(ctx context.Context, limit int) (Batch, error)
	// Extend keeps the lease for another full term, or returns ErrLeaseLost.
	Extend(ctx context.Context, lease Lease) error
	// Finish records the outcomes and gives the lane back, or returns
	// ErrLeaseLost. Items of the batch without outcome are due again at once.
	Finish(ctx context.Context, lease Lease, outcomes []Outcome) error
}

// Commit is what a worker records after a round, at once or not at all.
type Commit struct {
	// Links are saved under their RecordID.
	Links []Link
	// Drop removes the links of these records.
	Drop []int64
	// Occurrences says in which series' link a record stands, by the RecordID of
	// that link; zero for in none any more. A link of the record's own goes before.
	Occurrences map[int64]int64
	// Activities are appended to the lane's log.
	Activities []Activity
}

// Store keeps what the calendars themselves do not: links and their bases,
// and the log. Everything in it can be found again from the two calendars.
type Store interface {
	// Links returns the lane's links to any of these copies or records, or to the
	// series that have such a record among their occurrences.
	Links(ctx context.Context, lane string, graphIDs []string, recordIDs []int64) ([]Link, error)
	// AllLinks calls visit for each link of the lane, in no order, until visit
	// returns an error, which it returns.
	AllLinks(ctx context.Context, lane string, visit func(Link) error) error
	// Commit records under a lease, or returns ErrLeaseLost and records nothing.
	Commit(ctx context.Context, lease Lease, commit Commit) error
	// Meetings returns which record stands for each of these iCalUIds,
	// whichever lane knows it; unknown ones are absent.
	Meetings(ctx context.Context, iCalUIDs []string) (map[string]int64, error)
	// SetMeetings remembers which record stands for each iCalUId.
	SetMeetings(ctx context.Context, records map[string]int64) error
	// SetPairs remembers which copy in the lane's mailbox each of these records is one
	// with, and forgets what it remembered before.
	SetPairs(ctx context.Context, lane string, copies map[int64]string) error
	// Pairs returns the copies that SetPairs remembers of these records.
	Pairs(ctx context.Context, lane string, recordIDs []int64) (map[int64]string, error)
	// ClaimMeetings has a lane be the only one that may make the records of these
	// meetings, for at most so long, and returns those that another lane has claimed.
	// A lane that claims a meeting again keeps it anew.
	ClaimMeetings(ctx context.Context, lane string, iCalUIDs []string, life time.Duration) (others map[string]bool, err error)
	// UnclaimMeetings gives up the lane's own claims.
	UnclaimMeetings(ctx context.Context, lane string, iCalUIDs []string) error
	// SetMaking notes for that long which copies records are about to be made for, by
	// the keys of the records; no copy takes back what was noted for a key.
	SetMaking(ctx context.Context, lane string, copies map[string]string, life time.Duration) error
	// Making returns the copies that were noted for these keys.
	Making(ctx context.Context, lane string, keys []string) (map[string]string, error)
	// Sweeps returns what SaveSweeps kept for the lane last, the zero value when
	// there is nothing. An old value makes changes found again, and does no harm.
	Sweeps(ctx context.Context, lane string) (Sweeps, error)
	SaveSweeps(ctx context.Context, lane string, sweeps Sweeps) error
	// Members returns every member whose calendar is to be kept in step, in any
	// state. It may be up to a few seconds old. The list is shared: it is never
	// changed, and being the same one means that nobody has changed.
	Members(ctx context.Context) ([]Member, error)
	// MembersNow is the same, as of now.
	MembersNow(ctx context.Context) ([]Member, error)
	// MemberNow returns one member, as of now; false when there is none.
	MemberNow(ctx context.Context, id string) (Member, bool, error)
}

// OutlookKey names the work of looking at a copy.
func OutlookKey(graphID string) string { return outlookPrefix + graphID }

// NightPOSKey names the work of looking at a record.
func NightPOSKey(recordID int64) string {
	return nightposPrefix + strconv.FormatInt(recordID, 10)
}

// ParseKey is the reverse of OutlookKey and NightPOSKey; other keys give an
// empty side.
func ParseKey(key string) (side Side, graphID string, recordID int64) {
	if id, ok := strings.CutPrefix(key, outlookPrefix); ok && id != "" {
		return SideOutlook, id, 0
	}
	if id, ok := strings.CutPrefix(key, nightposPrefix); ok {
		if number, err := strconv.ParseInt(id, 10, 64); err == nil && number > 0 {
			return SideNightPOS, "", number
		}
	}
	return "", "", 0
}
