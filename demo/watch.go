package demo

import (
	"context"
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
	// Of series: how many occurrences it concerns, of how many.
	Occurrences int `json:"occurrences"`
	Of          int `json:"of"`
	// SourceID and TargetID are the event's ids where it was edited and where it arrived.
	SourceID string `json:"source_id"`
	TargetID string `json:"target_id"`
	// Meeting is that of Event; empty until the two sides are linked.
	Meeting string `json:"meeting"`

	uid  string
	keys []string // of its subject
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
	// linger is how soon the changes of one commit follow each other.
	linger = 2 * time.Millisecond
)

// Watch follows the changes of both sides and pairs what a person did on one
// with what the gateway did on the other.
type Watch struct {
	calendars map[Side]Calendar
	log       *zap.Logger
	changes   chan Change
	done      chan struct{}

	// What there was to see of each subject, never nothing, and which subject an
	// event belongs to. Touched by the goroutine of Run only.
	snapshots map[snapshotKey][]Event
	belongs   map[snapshotKey]string

	mutex      sync.Mutex
	records    map[string]string // identity in Outlook to subject in NightPOS
	identities map[string]string // and back
	activities []Activity        // oldest first
	number     int
	followers  map[chan Message]bool
}

type snapshotKey struct {
	side      Side
	login, id string // of a subject, or of an event
}

// NewWatch registers with both sides. Nothing is followed until Run.
func NewWatch(outlook, nightpos Calendar, log *zap.Logger) *Watch {
	w := &Watch{
		calendars: map[Side]Calendar{Outlook: outlook, NightPOS: nightpos},
		log:       log,
		changes:   make(chan Change, 1024),
		done:      make(chan struct{}),
		snapshots: map[snapshotKey][]Event{}, belongs: map[snapshotKey]string{},
		records: map[string]string{}, identities: map[string]string{},
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
			for _, changes := range commits(w.together(ctx, change)) {
				w.take(ctx, changes)
			}
		}
	}
}

// together is a change and those that follow it at once: one commit may change
// many occurrences of a series.
func (w *Watch) together(ctx context.Context, first Change) []Change {
	changes := []Change{first}
	for len(changes) < cap(w.changes) {
		pause := time.NewTimer(linger)
		select {
		case <-ctx.Done():
			pause.Stop()
			return changes
		case change := <-w.changes:
			changes = append(changes, change)
			pause.Stop()
		case <-pause.C:
			return changes
		}
	}
	return changes
}

// commits parts changes into those that were made at once, in their order.
func commits(changes []Change) [][]Change {
	var parts [][]Change
	for _, change := range changes {
		index := slices.IndexFunc(parts, func(part []Change) bool {
			first := part[0]
			return first.Side == change.Side && first.Login == change.Login && first.Actor == change.Actor &&
				first.ByGateway == change.ByGateway && first.Time.Equal(change.Time)
		})
		if index < 0 {
			parts = append(parts, []Change{change})
		} else {
			parts[index] = append(parts[index], change)
		}
	}
	return parts
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

// take compares what a commit is about with what it was and finds out what that
// means.
func (w *Watch) take(ctx context.Context, changes []Change) {
	if len(w.snapshots) >= keptSnapshots || len(w.belongs) >= 4*keptSnapshots {
		clear(w.snapshots)
		clear(w.belongs)
	}
	subjects := w.commit(ctx, changes)
	change := changes[0]
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for _, about := range subjects {
		w.rename(change, about)
		if change.ByGateway {
			for _, name := range about.keys {
				if list := w.snapshots[snapshotKey{change.Side, change.Login, name}]; len(list) > 0 {
					w.pair(change.Side, list[0])
				}
			}
			w.arrived(change, about)
		} else if change.Actor != "" {
			w.edited(change, about)
		}
		if change.Side == Outlook && len(about.after) == 0 && len(about.before) > 0 {
			w.part(about.before[0])
		}
	}
	w.tell(Message{Changed: change.Side})
}

// rename follows a series that NightPOS has made anew under another id.
func (w *Watch) rename(change Change, about subject) {
	if change.Side != NightPOS || len(about.after) == 0 {
		return
	}
	heir := subjectOf(about.after[0])
	for _, name := range about.keys {
		uid := w.identities[name]
		if uid == "" || len(w.snapshots[snapshotKey{change.Side, change.Login, name}]) > 0 || w.identities[heir] != "" {
			continue
		}
		delete(w.identities, name)
		w.records[uid], w.identities[heir] = heir, uid
	}
}

// part frees a record for another half when the last copy of its meeting has
// left Outlook. What is known of the old half stays, for edits under way.
func (w *Watch) part(deleted Event) {
	for key, list := range w.snapshots {
		if key.side == Outlook && list[0].UID == deleted.UID {
			return
		}
	}
	if record := w.records[deleted.UID]; w.identities[record] == deleted.UID {
		delete(w.identities, record)
	}
}

func (w *Watch) edited(change Change, about subject) {
	shown := about.shown()
	activity := Activity{
		Time: change.Time, From: change.Side, Person: change.Actor, Title: shown.Title, SourceID: change.EventID,
		uid: shown.UID, keys: about.keys, Fields: []string{},
	}
	if about.series() {
		activity.Of = max(len(about.before), len(about.after))
		activity.Occurrences = activity.Of
	}
	switch {
	case len(about.before) == 0 && len(about.after) == 0:
		return
	case len(about.after) == 0 && about.archived:
		activity.Action = "archived"
	case len(about.after) == 0:
		activity.Action = "deleted"
	case len(about.before) == 0:
		activity.Action = "created"
	default:
		fields, count := about.changed()
		if len(fields) == 0 {
			return
		}
		activity.Fields = fields
		if about.series() {
			activity.Occurrences = count
		}
		before, after := about.before[0], about.after[0]
		switch {
		case before.Archived != after.Archived && after.Archived:
			activity.Action = "archived"
		case before.Archived != after.Archived:
			activity.Action = "restored"
		case fields[0] == "answers": // how the time shows follows from it
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
func (w *Watch) arrived(change Change, about subject) {
	shown := about.shown()
	for index := range w.activities {
		activity := &w.activities[index]
		if activity.Arrived || activity.From == change.Side || change.Time.Before(activity.Time) || change.Time.Sub(activity.Time) > patience {
			continue
		}
		meeting := w.records[activity.uid]
		identity := activity.uid
		if change.Side == NightPOS {
			if !slices.Contains(about.keys, meeting) {
				continue
			}
		} else {
			meeting, identity = w.records[shown.UID], shown.UID
			if !slices.Contains(activity.keys, meeting) {
				continue
			}
		}
		activity.Arrived = true
		activity.Lag = change.Time.Sub(activity.Time).Milliseconds()
		activity.TargetID = change.EventID
		activity.Meeting = meeting
		activity.Mails = w.mails(activity.Time, identity)
		told := *activity
		w.tell(Message{Activity: &told})
	}
}

// pair notices which two events belong together, from nothing but what can be
// seen: the first time the gateway writes an event, its other half looks alike.
func (w *Watch) pair(side Side, written Event) {
	if side == Outlook && w.records[written.UID] != "" || side == NightPOS && w.identities[subjectOf(written)] != "" {
		return
	}
	var found []Event
	for key, list := range w.snapshots {
		event := list[0]
		alike := key.side != side && strings.TrimSpace(event.Title) == strings.TrimSpace(written.Title) && SameTime(event.When, written.When)
		if alike && (key.side == Outlook && w.records[event.UID] == "" || key.side == NightPOS && w.identities[subjectOf(event)] == "") {
			found = append(found, event)
		}
	}
	if len(found) == 0 {
		return
	}
	other := slices.MinFunc(found, func(a, b Event) int { return strings.Compare(a.ID, b.ID) })
	identity, record := written.UID, subjectOf(other)
	if side == NightPOS {
		identity, record = other.UID, subjectOf(written)
	}
	if len(w.records) >= keptSnapshots {
		clear(w.records)
		clear(w.identities)
	}
	w.records[identity], w.identities[record] = record, identity
}

// Paired fills in which events of a side belong together with one of the other:
// what a meeting is known by is the record's id, or the recurrence.
func (w *Watch) Paired(side Side, events []Event) []Event {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for index := range events {
		event := &events[index]
		event.Meeting = subjectOf(*event)
		if side == Outlook {
			event.Meeting = w.records[event.UID]
		}
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
