package demo

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Activity is one edit of a person and what became of it on the other side.
type Activity struct {
	Number int       `json:"number"`
	Time   time.Time `json:"time"`
	From   Side      `json:"from"`
	Person string    `json:"person"`
	// Action is created, edited, answered, deleted, archived or restored.
	Action string   `json:"action"`
	Title  string   `json:"title"`
	Fields []string `json:"fields"`
	// Arrived says that the gateway's write stands on the other side. Only then
	// Lag and Mails mean something.
	Arrived bool `json:"arrived"`
	// Lag is in milliseconds.
	Lag int64 `json:"lag_ms"`
	// Mails are those that the gateway made Outlook send for it.
	Mails int `json:"mails"`
	// SourceID and TargetID are the event's ids where it was edited and where it arrived.
	SourceID string `json:"source_id"`
	TargetID string `json:"target_id"`
	// Meeting is that of Event; empty until the two sides are linked.
	Meeting string `json:"meeting"`

	uid string
}

// Message is what followers are told: a calendar to be read again, or an
// activity that is new or has gone on.
type Message struct {
	Changed  Side      `json:"changed,omitempty"`
	Activity *Activity `json:"activity,omitempty"`
}

const (
	// keptActivities bounds the feed.
	keptActivities = 200
	// keptSnapshots bounds how many events are remembered for comparison.
	keptSnapshots = 5000
	// patience is how long an edit may wait for its other side.
	patience = time.Minute
)

// Watch follows the changes of both sides and pairs what a person did on one
// with what the gateway did on the other.
type Watch struct {
	calendars map[Side]Calendar
	log       *zap.Logger
	changes   chan Change
	done      chan struct{}

	// snapshots is touched by the goroutine of Run only.
	snapshots map[snapshotKey]Event

	mutex      sync.Mutex
	records    map[string]string // identity in Outlook to record in NightPOS
	identities map[string]string // and back
	activities []Activity        // oldest first
	number     int
	followers  map[chan Message]bool
}

type snapshotKey struct {
	side      Side
	login, id string
}

// NewWatch registers with both sides. Nothing is followed until Run.
func NewWatch(outlook, nightpos Calendar, log *zap.Logger) *Watch {
	w := &Watch{
		calendars: map[Side]Calendar{Outlook: outlook, NightPOS: nightpos},
		log:       log,
		changes:   make(chan Change, 1024),
		done:      make(chan struct{}),
		snapshots: map[snapshotKey]Event{},
		records:   map[string]string{}, identities: map[string]string{},
		followers: map[chan Message]bool{},
	}
	for _, calendar := range w.calendars {
		calendar.Watch(func(change Change) {
			select {
			case w.changes <- change:
			case <-w.done:
			}
		})
	}
	return w
}

// Run follows changes until the context ends; it is called once.
func (w *Watch) Run(ctx context.Context) {
	defer close(w.done)
	for {
		select {
		case <-ctx.Done():
			return
		case change := <-w.changes:
			w.take(ctx, change)
		}
	}
}

// Activities returns the feed, newest first.
func (w *Watch) Activities() []Activity {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	feed := slices.Clone(w.activities)
	slices.Reverse(feed)
	return feed
}

// Follow returns a channel of messages, which is closed when its reader is too
// slow or when stop is called.
func (w *Watch) Follow() (messages <-chan Message, stop func()) {
	channel := make(chan Message, 256)
	w.mutex.Lock()
	w.followers[channel] = true
	w.mutex.Unlock()
	return channel, func() {
		w.mutex.Lock()
		defer w.mutex.Unlock()
		w.unfollow(channel)
	}
}

func (w *Watch) unfollow(channel chan Message) {
	if w.followers[channel] {
		delete(w.followers, channel)
		close(channel)
	}
}

// tell is called with the mutex held.
func (w *Watch) tell(message Message) {
	for channel := range w.followers {
		select {
		case channel <- message:
		default:
			w.unfollow(channel)
		}
	}
}

// take compares an event with what it was and finds out what the change means.
func (w *Watch) take(ctx context.Context, change Change) {
	key := snapshotKey{change.Side, change.Login, change.EventID}
	before, known := w.snapshots[key]
	after := before
	if !change.Deleted {
		read, err := w.calendars[change.Side].Event(ctx, change.Login, change.EventID)
		switch {
		case errors.Is(err, ErrGone):
			// Deleted meanwhile; that change is on its way.
		case err != nil:
			w.log.Warn("an event of the demo cannot be read", zap.String("side", string(change.Side)), zap.Error(err))
		default:
			after = read
		}
	}
	if len(w.snapshots) >= keptSnapshots {
		clear(w.snapshots)
	}
	w.snapshots[key] = after

	w.mutex.Lock()
	defer w.mutex.Unlock()
	if change.ByGateway {
		w.pair(change.Side, after)
		w.arrived(change, after)
	} else if change.Actor != "" {
		w.edited(change, known, before, after)
	}
	if change.Deleted {
		delete(w.snapshots, key)
		w.part(change.Side, after)
	}
	w.tell(Message{Changed: change.Side})
}

// part frees a record for another half when the last copy of its meeting has
// left Outlook. What is known of the old half stays, for edits under way.
func (w *Watch) part(side Side, deleted Event) {
	if side != Outlook {
		return
	}
	for key, event := range w.snapshots {
		if key.side == Outlook && event.UID == deleted.UID {
			return
		}
	}
	if record := w.records[deleted.UID]; w.identities[record] == deleted.UID {
		delete(w.identities, record)
	}
}

func (w *Watch) edited(change Change, known bool, before, after Event) {
	activity := Activity{
		Time: change.Time, From: change.Side, Person: change.Actor, Title: after.Title, SourceID: change.EventID,
		uid: after.UID, Fields: []string{},
	}
	switch {
	case change.Deleted:
		activity.Action = "deleted"
	case !known:
		activity.Action = "created"
	default:
		activity.Fields = differences(before, after)
		switch {
		case len(activity.Fields) == 0:
			return
		case before.Archived != after.Archived && after.Archived:
			activity.Action = "archived"
		case before.Archived != after.Archived:
			activity.Action = "restored"
		case activity.Fields[0] == "answers": // how the time shows follows from it
			activity.Action = "answered"
		default:
			activity.Action = "edited"
		}
	}
	w.number++
	activity.Number = w.number
	w.activities = append(w.activities, activity)
	if extra := len(w.activities) - keptActivities; extra > 0 {
		w.activities = slices.Delete(w.activities, 0, extra)
	}
	w.tell(Message{Activity: &activity})
}

// arrived settles every edit of the other side that this write answers: the
// gateway may bring several edits of one meeting in one write.
func (w *Watch) arrived(change Change, after Event) {
	for index := range w.activities {
		activity := &w.activities[index]
		if activity.Arrived || activity.From == change.Side || change.Time.Before(activity.Time) || change.Time.Sub(activity.Time) > patience {
			continue
		}
		meeting := w.meeting(activity.From, activity.SourceID, activity.uid)
		if meeting == "" || meeting != w.meeting(change.Side, after.ID, after.UID) {
			continue
		}
		activity.Arrived = true
		activity.Lag = change.Time.Sub(activity.Time).Milliseconds()
		activity.TargetID = change.EventID
		activity.Meeting = meeting
		identity := after.UID
		if change.Side == NightPOS {
			identity = activity.uid
		}
		activity.Mails = w.mails(activity.Time, identity)
		told := *activity
		w.tell(Message{Activity: &told})
	}
}

// pair notices which two events belong together, from nothing but what can be
// seen: the first time the gateway writes an event, its other half looks alike.
func (w *Watch) pair(side Side, written Event) {
	if w.meeting(side, written.ID, written.UID) != "" && (side == Outlook || w.identities[written.ID] != "") {
		return
	}
	var found []Event
	for key, event := range w.snapshots {
		alike := key.side != side && strings.TrimSpace(event.Title) == strings.TrimSpace(written.Title) && SameTime(event.When, written.When)
		if alike && (key.side == Outlook && w.records[event.UID] == "" || key.side == NightPOS && w.identities[event.ID] == "") {
			found = append(found, event)
		}
	}
	if len(found) == 0 {
		return
	}
	other := slices.MinFunc(found, func(a, b Event) int { return strings.Compare(a.ID, b.ID) })
	identity, record := written.UID, other.ID
	if side == NightPOS {
		identity, record = other.UID, written.ID
	}
	if len(w.records) >= keptSnapshots {
		clear(w.records)
		clear(w.identities)
	}
	w.records[identity], w.identities[record] = record, identity
}

// meeting is what an event has in common with its other half, once that is
// known: the record's id.
func (w *Watch) meeting(side Side, id, uid string) string {
	if side == NightPOS {
		return id
	}
	return w.records[uid]
}

// Paired fills in which events of a side belong together with one of the other.
func (w *Watch) Paired(side Side, events []Event) []Event {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for index := range events {
		event := &events[index]
		event.Meeting = w.meeting(side, event.ID, event.UID)
		if w.identities[event.Meeting] == "" {
			event.Meeting = ""
		}
	}
	return events
}

func (w *Watch) mails(since time.Time, identity string) int {
	count := 0
	mails := w.calendars[Outlook].Mails()
	for index := len(mails) - 1; index >= 0 && !mails[index].Time.Before(since); index-- {
		if mail := mails[index]; mail.ByGateway && mail.UID == identity {
			count++
		}
	}
	return count
}
