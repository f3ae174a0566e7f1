package reconciler_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// errUpstream stands for any failure of a server.
var errUpstream = errors.New("upstream failed")

// fault is what happens to one write.
type fault int

const (
	faultNone   fault = iota
	faultBefore       // the server failed and did nothing
	faultAfter        // the server did it and the answer was lost
)

// world is the time that both fake calendars live in.
type world struct{ now time.Time }

// calendar is what each fake has for itself, since the engine writes both at
// once: when it was last changed, the hints that its changes cause, and the
// faults of its next writes. Nothing in it depends on the other side, so that a
// history repeats from its seed.
type calendar struct {
	*world
	changed time.Time
	hints   []reconciler.Item
	faults  []fault
	rounds  int // how often changes were asked for
	lists   int // how often all was listed
	reads   int // how many events were read
	begun   int // how many of the rounds were first ones
}

// tick gives the time of a change, later than any before it on this side.
func (c *calendar) tick() time.Time {
	if c.changed.Before(c.now) {
		c.changed = c.now
	}
	c.changed = c.changed.Add(time.Millisecond)
	return c.changed
}

func (c *calendar) nextFault() fault {
	if len(c.faults) == 0 {
		return faultNone
	}
	next := c.faults[0]
	c.faults = c.faults[1:]
	return next
}

func (c *calendar) hint(key, version string) {
	c.hints = append(c.hints, reconciler.Item{Key: key, Version: version, First: c.changed})
}

// fakeOutlook is one mailbox with the habits that matter to a plan: it rewrites
// bodies, keeps one reminder, cannot take meeting links, sees all shades of
// show-as, and counts the mails it would send.
type fakeOutlook struct {
	calendar
	copies map[string]*reconciler.Copy
	keys   map[string]string
	sent   map[string]reconciler.Event
	serial int
	writes int
	mails  int
	// told is what a round of changes tells, oldest first; forgotten is how much
	// of it is older than the mailbox remembers, and wedged says that rounds do
	// not end.
	told      []reconciler.Change
	forgotten int
	wedged    bool
	failures  int // of the next rounds
	// unseen is how often copies are not found that are there, and refusals how often
	// deletions are refused.
	unseen   map[string]int
	refusals int
}

func outlookShows(event reconciler.Event) reconciler.Event {
	event.Body = "<p>" + strings.TrimSuffix(strings.TrimPrefix(event.Body, "<p>"), "</p>") + "</p>"
	if len(event.Reminders) > 1 {
		event.Reminders = event.Reminders[:1]
	}
	if event.Privacy == reconciler.PrivacyDefault {
		event.Privacy = reconciler.PrivacyPublic
	}
	event.People = slices.Clone(event.People)
	for index, person := range event.People {
		if person.Type == reconciler.TypeUnknown {
			event.People[index].Type = reconciler.TypeRequired
		}
	}
	return event
}

func (o *fakeOutlook) Project(event reconciler.Event) reconciler.Event {
	event.MeetingLink = ""
	return outlookShows(event)
}

func (o *fakeOutlook) Read(_ context.Context, _ reconciler.Member, ids []string) (map[string]reconciler.Copy, map[string]error, error) {
	found := map[string]reconciler.Copy{}
	o.reads += len(ids)
	for _, id := range ids {
		if o.unseen[id] > 0 {
			o.unseen[id]--
		} else if copied, there := o.copies[id]; there {
			found[id] = *copied
		}
	}
	return found, nil, nil
}

func (o *fakeOutlook) List(_ context.Context, _ reconciler.Member, window reconciler.Window) ([]reconciler.Copy, error) {
	o.lists++
	var all []reconciler.Copy
	for _, copied := range o.copies {
		if overlaps(copied.Event.When, window) {
			all = append(all, *copied)
		}
	}
	return all, nil
}

func overlaps(when reconciler.When, window reconciler.Window) bool {
	return when.Start.Before(window.End) && when.End.After(window.Start)
}

// Changes tells, from a token that is a number of changes, like the real one:
// the window is frozen in the cursor, and what lies outside is told as removed.
func (o *fakeOutlook) Changes(_ context.Context, _ reconciler.Member, cursor reconciler.Cursor) (reconciler.Changes, error) {
	o.rounds++
	next := reconciler.Cursor{Token: strconv.Itoa(len(o.told)), Window: cursor.Window}
	if o.failures > 0 {
		o.failures--
		return reconciler.Changes{}, errUpstream
	}
	if cursor.Token == "" {
		o.begun++
	}
	if o.wedged {
		return reconciler.Changes{Lost: "delta_endless"}, nil
	}
	var found []reconciler.Change
	inside := func(when reconciler.When) bool { return overlaps(when, cursor.Window) }
	if cursor.Token == "" {
		for _, id := range slices.Sorted(maps.Keys(o.copies)) {
			if copied := o.copies[id]; inside(copied.Event.When) {
				found = append(found, reconciler.Change{ID: id, ChangeKey: copied.ChangeKey, Recurring: copied.Recurring})
			}
		}
		return reconciler.Changes{Found: found, Next: next}, nil
	}
	since, err := strconv.Atoi(cursor.Token)
	if err != nil {
		return reconciler.Changes{}, fmt.Errorf("a token of somebody else's: %w", err)
	}
	if since < o.forgotten {
		return reconciler.Changes{Lost: "delta_gone"}, nil
	}
	seen := map[string]bool{}
	for _, change := range slices.Backward(o.told[since:]) {
		if copied := o.copies[change.ID]; copied == nil || !inside(copied.Event.When) {
			change.ChangeKey, change.Removed = "", true
		}
		if !seen[change.ID] {
			found = append(found, change)
		}
		seen[change.ID] = true
	}
	return reconciler.Changes{Found: found, Next: next}, nil
}

func (o *fakeOutlook) save(copied *reconciler.Copy) {
	o.serial++
	copied.ChangeKey = "key" + strconv.Itoa(o.serial)
	copied.Modified = o.tick()
	o.copies[copied.ID] = copied
	o.told = append(o.told, reconciler.Change{ID: copied.ID, ChangeKey: copied.ChangeKey, Recurring: copied.Recurring})
	o.hint(reconciler.OutlookKey(copied.ID), copied.ChangeKey)
}

func (o *fakeOutlook) create(event reconciler.Event, recordID int64) *reconciler.Copy {
	o.serial++
	copied := &reconciler.Copy{
		ID: "copy" + strconv.Itoa(o.serial), ICalUID: "uid" + strconv.Itoa(o.serial), IsOrganizer: true,
		RecordID: recordID, Event: outlookShows(event),
	}
	o.save(copied)
	return copied
}

func (o *fakeOutlook) remove(id string) {
	delete(o.copies, id)
	o.told = append(o.told, reconciler.Change{ID: id, Removed: true})
	o.tick()
	o.hint(reconciler.OutlookKey(id), reconciler.VersionDeleted)
}

func (o *fakeOutlook) Write(_ context.Context, _ reconciler.Member, writes []reconciler.OutlookWrite) []reconciler.OutlookResult {
	results := make([]reconciler.OutlookResult, len(writes))
	for index, write := range writes {
		next := o.nextFault()
		if next == faultBefore {
			results[index].Err = errUpstream
			continue
		}
		results[index] = o.apply(write)
		if next == faultAfter && results[index].Err == nil {
			results[index] = reconciler.OutlookResult{Err: errUpstream}
		}
	}
	return results
}

func (o *fakeOutlook) apply(write reconciler.OutlookWrite) reconciler.OutlookResult {
	o.writes++
	if write.Action == reconciler.ActionCreate {
		if id, made := o.keys[write.Key]; made {
			if copied, there := o.copies[id]; there {
				if reflect.DeepEqual(o.sent[write.Key], write.Event) {
					answer := *copied // as it is now
					return reconciler.OutlookResult{Copy: &answer}
				}
				return reconciler.OutlookResult{Copy: &reconciler.Copy{ID: copied.ID}, Existed: true}
			}
		}
		event := write.Event
		event.MeetingLink = ""
		copied := o.create(event, write.RecordID)
		o.keys[write.Key], o.sent[write.Key] = copied.ID, write.Event
		o.mails += len(write.Event.People)
		answer := *copied
		return reconciler.OutlookResult{Copy: &answer}
	}
	copied, there := o.copies[write.ID]
	if !there {
		return reconciler.OutlookResult{Err: reconciler.ErrGone}
	}
	if write.ChangeKey != "" && write.ChangeKey != copied.ChangeKey {
		return reconciler.OutlookResult{Err: reconciler.ErrStale}
	}
	if write.Action == reconciler.ActionDelete && o.refusals > 0 {
		o.refusals--
		return reconciler.OutlookResult{Err: &reconciler.RefusedError{Reason: "Outlook: 403 ErrorAccessDenied"}}
	}
	o.mails += len(copied.Event.People)
	if write.Action == reconciler.ActionDelete {
		o.remove(write.ID)
		return reconciler.OutlookResult{}
	}
	next := *copied
	link, people := next.Event.MeetingLink, next.Event.People
	assign(&next.Event, write.Event, write.Fields)
	next.Event.MeetingLink = link
	if write.Fields.Has(reconciler.FieldPeople) {
		// Replies cannot be written: they stay with the people who gave them.
		for index, person := range next.Event.People {
			next.Event.People[index].Answer = answerOf(people, person)
		}
	}
	next.Event = outlookShows(next.Event)
	o.save(&next)
	answer := next
	return reconciler.OutlookResult{Copy: &answer}
}

func answerOf(people []reconciler.Person, wanted reconciler.Person) reconciler.Answer {
	for _, person := range people {
		if person.Key() == wanted.Key() {
			return person.Answer
		}
	}
	return reconciler.AnswerNone
}

// assign takes over the named fields.
func assign(to *reconciler.Event, from reconciler.Event, fields reconciler.FieldSet) {
	set := map[reconciler.Field]func(){
		reconciler.FieldTitle:       func() { to.Title = from.Title },
		reconciler.FieldBody:        func() { to.Body = from.Body },
		reconciler.FieldWhen:        func() { to.When = from.When },
		reconciler.FieldPlace:       func() { to.Place = from.Place },
		reconciler.FieldPrivacy:     func() { to.Privacy = from.Privacy },
		reconciler.FieldShowAs:      func() { to.ShowAs = from.ShowAs },
		reconciler.FieldReminders:   func() { to.Reminders = from.Reminders },
		reconciler.FieldMeetingLink: func() { to.MeetingLink = from.MeetingLink },
		reconciler.FieldPeople:      func() { to.People = slices.Clone(from.People) },
		reconciler.FieldAnswers: func() {
			to.People = slices.Clone(to.People)
			for index, person := range to.People {
				to.People[index].Answer = answerOf(from.People, person)
			}
		},
		reconciler.FieldCategories: func() { to.Categories = slices.Clone(from.Categories) },
	}
	for field := range fields {
		set[field]()
	}
}

// fakeNightPOS is a database with the habits that matter to a plan: it knows
// free and busy only, no zones and no attendee types, and it moves its stamp on
// every write but not for answers.
type fakeNightPOS struct {
	calendar
	records map[int64]*reconciler.Record
	keys    map[string]int64
	serial  int64
	writes  int
}

func nightposShows(event reconciler.Event) reconciler.Event {
	if event.ShowAs != reconciler.ShowAsFree {
		event.ShowAs = reconciler.ShowAsBusy
	}
	event.When.Zone = ""
	if event.Privacy == reconciler.PrivacyPersonal {
		event.Privacy = reconciler.PrivacyPublic
	}
	event.Body = strings.ReplaceAll(event.Body, "<p>", "<p class=\"n\">")
	event.Body = strings.ReplaceAll(event.Body, "<p class=\"n\"><p class=\"n\">", "<p class=\"n\">")
	event.People = slices.Clone(event.People)
	for index := range event.People {
		event.People[index].Type = reconciler.TypeUnknown
	}
	return event
}

// Project: which default NightPOS means by default it does not tell.
func (n *fakeNightPOS) Project(event reconciler.Event) reconciler.Event {
	event = nightposShows(event)
	if event.Privacy == reconciler.PrivacyDefault {
		event.Privacy = reconciler.PrivacyPublic
	}
	return event
}

func (n *fakeNightPOS) Read(_ context.Context, ids []int64) (map[int64]reconciler.Record, error) {
	found := map[int64]reconciler.Record{}
	for _, id := range ids {
		if record, there := n.records[id]; there {
			found[id] = *record
		}
	}
	return found, nil
}

func (n *fakeNightPOS) List(_ context.Context, _ reconciler.Member, window reconciler.Window) ([]reconciler.Record, error) {
	var all []reconciler.Record
	for _, record := range n.records {
		if overlaps(record.Event.When, window) {
			all = append(all, *record)
		}
	}
	return all, nil
}

func (n *fakeNightPOS) Changes(_ context.Context, _ reconciler.Member, since time.Time) ([]reconciler.Record, error) {
	n.rounds++
	var changed []reconciler.Record
	for _, record := range n.records {
		if !record.Modified.Before(since) {
			changed = append(changed, *record)
		}
	}
	return changed, nil
}

func (n *fakeNightPOS) stamp(record *reconciler.Record) {
	record.Modified = n.tick()
	record.Stamp = record.Modified.Format("2006-01-02 15:04:05.000000")
}

func (n *fakeNightPOS) save(record *reconciler.Record, byPerson bool) {
	n.stamp(record)
	record.Untouched = false
	n.records[record.ID] = record
	if byPerson {
		n.hint(reconciler.NightPOSKey(record.ID), record.Stamp)
	}
}

func (n *fakeNightPOS) create(event reconciler.Event, organizer int64, key string, byPerson bool) *reconciler.Record {
	n.serial++
	record := &reconciler.Record{ID: n.serial, OrganizerUserID: organizer, ExternalKey: key, Created: n.now, Event: nightposShows(event)}
	n.save(record, byPerson)
	record.Untouched = true
	return record
}

func (n *fakeNightPOS) remove(id int64) {
	delete(n.records, id)
	n.tick()
	n.hint(reconciler.NightPOSKey(id), reconciler.VersionDeleted)
}

func (n *fakeNightPOS) Write(_ context.Context, writes []reconciler.RecordWrite) []reconciler.RecordResult {
	results := make([]reconciler.RecordResult, len(writes))
	for index, write := range writes {
		next := n.nextFault()
		if next == faultBefore {
			results[index].Err = errUpstream
			continue
		}
		results[index] = n.apply(write)
		if next == faultAfter && results[index].Err == nil {
			results[index] = reconciler.RecordResult{Err: errUpstream}
		}
	}
	return results
}

func (n *fakeNightPOS) apply(write reconciler.RecordWrite) reconciler.RecordResult {
	n.writes++
	if write.Action == reconciler.ActionCreate {
		if id, made := n.keys[write.Key]; made {
			if record, there := n.records[id]; there {
				answer := *record
				return reconciler.RecordResult{Record: &answer, Existed: true}
			}
		}
		record := n.create(write.Event, write.OrganizerUserID, write.Key, false)
		n.keys[write.Key] = record.ID
		answer := *record
		return reconciler.RecordResult{Record: &answer}
	}
	record, there := n.records[write.ID]
	if !there {
		return reconciler.RecordResult{Err: reconciler.ErrGone}
	}
	if write.Stamp != "" && write.Stamp != record.Stamp {
		return reconciler.RecordResult{Err: reconciler.ErrStale}
	}
	next := *record
	switch write.Action {
	case reconciler.ActionArchive:
		next.Archived = true
	case reconciler.ActionUnarchive:
		next.Archived = false
		assign(&next.Event, write.Event, write.Fields)
	case reconciler.ActionUpdate:
		assign(&next.Event, write.Event, write.Fields)
	case reconciler.ActionAnswer:
		next.Event.People = slices.Clone(next.Event.People)
		for index, person := range next.Event.People {
			if person.Key() == write.Attendee.Key() {
				next.Event.People[index].Answer = write.Answer
			}
		}
	default:
		return reconciler.RecordResult{Err: fmt.Errorf("unexpected action %q", write.Action)}
	}
	next.Event = nightposShows(next.Event)
	n.save(&next, false)
	answer := next
	return reconciler.RecordResult{Record: &answer}
}
