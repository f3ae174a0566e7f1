package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// VersionDeleted is the Version of a hint that speaks of a deletion.
const VersionDeleted = "deleted"

// subject is one meeting of a round, with every hint that spoke of it.
type subject struct {
	items    []Item
	link     *Link
	graphID  string
	recordID int64
	original *Copy // as the mailbox shows it, before addresses were unified
	state    State
	plan     Plan
	withheld Withheld
	skip     bool // its outcome is settled already
	replaced bool // see State.Replaced

	outlook  *OutlookResult
	nightpos *RecordResult
}

// round is one batch of work on one lane.
type round struct {
	engine    *Engine
	member    Member
	directory *directory
	lease     Lease
	held      *heldLease // nil where nothing is written
	events    []Item
	outcomes  []Outcome
	// settled is how many outcomes stand, whatever becomes of the rest: what they rest
	// on is recorded.
	settled  int
	subjects []*subject
	series   []*seriesSubject
	commit   Commit
	recorded recorded
	// also is work that this round found out about.
	also     []Item
	meetings map[string]int64
	// pairs are what a sweep has found to be one and not in agreement: records with
	// their copies.
	pairs map[int64]string
	// asks says that this batch asks for changes anyway.
	asks bool
	// since is when the lane was first swept; see untold.
	since  time.Time
	claims claims
	// making are the copies that records are being made for; see noteMaking.
	making map[string]string
}

func (r *round) done(key string) { r.outcomes = append(r.outcomes, Outcome{Key: key}) }

func (r *round) retry(item Item, after time.Duration, reason string) {
	r.outcomes = append(r.outcomes, Outcome{Key: item.Key, Retry: true, After: after, Reason: reason})
}

// fail puts an item back because of an error, sooner or later depending on what
// the server said.
func (r *round) fail(item Item, err error) {
	after, cause := r.engine.backoff(item.Attempts), "other"
	var retry *RetryError
	switch {
	case errors.As(err, &retry):
		after, cause = max(retry.After, after), retry.Cause
		if retry.After > 0 {
			after = retry.After
		}
	case errors.Is(err, ErrReconnect):
		// Nothing that is tried again brings the person back.
		r.engine.Observer.Failed("reconnect")
		r.outcomes = append(r.outcomes, Outcome{Key: item.Key, Park: true, After: parkTime, Reason: err.Error()})
		return
	case errors.Is(err, ErrStale):
		after, cause = after/20, "stale"
	case errors.Is(err, ErrGone):
		after, cause = after/20, "gone"
	case errors.Is(err, context.DeadlineExceeded):
		cause = "timeout"
	}
	r.engine.Observer.Failed(cause)
	r.retry(item, after, err.Error())
}

func (r *round) chore(ctx context.Context, item Item, chore Chore) {
	next, err := chore(ctx, r.member, item)
	switch {
	case err != nil:
		r.fail(item, err)
	case next.IsZero():
		r.done(item.Key)
	default:
		r.outcomes = append(r.outcomes, Outcome{Key: item.Key, Repeat: true, After: max(next.Sub(r.engine.Now()), 0)})
	}
}

// run looks at every event of the batch and brings its sides together.
func (r *round) run(ctx context.Context) error {
	if err := r.gather(ctx); err != nil {
		return err
	}
	if err := r.read(ctx); err != nil {
		return err
	}
	r.dismiss()
	r.divert()
	if err := r.unrecorded(ctx); err != nil {
		return err
	}
	if err := r.identify(ctx); err != nil {
		return err
	}
	r.divert()
	if err := r.replaced(ctx); err != nil {
		return err
	}
	for _, subject := range r.subjects {
		if subject.skip {
			continue
		}
		if subject.skip = !r.confirmed(subject); !subject.skip {
			r.consider(subject)
		}
	}
	if err := r.awaitListing(ctx); err != nil {
		return err
	}
	if err := r.spareHolders(ctx); err != nil {
		return err
	}
	if err := r.claimCreates(ctx); err != nil {
		return err
	}
	if err := r.announce(ctx); err != nil {
		return err
	}
	if err := r.recall(ctx); err != nil {
		return err
	}
	if err := r.write(ctx); err != nil {
		return err
	}
	for _, subject := range r.subjects {
		if !subject.skip {
			r.settle(subject)
		}
	}
	// Series may take long, and what was written is to be known before anybody
	// deletes it again.
	if err := r.record(ctx); err != nil {
		return err
	}
	if err := r.made(ctx); err != nil {
		return err
	}
	if err := r.runSeries(ctx); err != nil {
		return err
	}
	if err := r.record(ctx); err != nil {
		return err
	}
	return r.unclaim(ctx)
}

// gather folds the hints into subjects, by their links, and drops echoes.
func (r *round) gather(ctx context.Context) error {
	var graphIDs []string
	var recordIDs []int64
	for _, item := range r.events {
		if side, graphID, recordID := ParseKey(item.Key); side == SideOutlook {
			graphIDs = append(graphIDs, graphID)
		} else {
			recordIDs = append(recordIDs, recordID)
		}
	}
	links, err := r.engine.Store.Links(ctx, r.lease.Lane, graphIDs, recordIDs)
	if err != nil {
		return fmt.Errorf("reading links: %w", err)
	}
	byGraph, byRecord := map[string]*Link{}, map[int64]*Link{}
	for _, link := range links {
		if link.GraphID != "" {
			byGraph[link.GraphID] = &link
		}
		byRecord[link.RecordID] = &link
	}
	for _, link := range links {
		if link.Series == nil {
			continue
		}
		for _, record := range link.Series.Occurrences {
			if byRecord[record] == nil {
				byRecord[record] = &link
			}
		}
	}
	subjects := map[string]*subject{}
	for _, item := range r.events {
		side, graphID, recordID := ParseKey(item.Key)
		link := byRecord[recordID]
		if side == SideOutlook {
			link = byGraph[graphID]
			if link != nil && item.Attempts == 0 && item.Version != "" && item.Version == link.ChangeKey {
				r.engine.Observer.Echo(SideOutlook, 1)
				r.done(item.Key)
				continue
			}
		}
		name := item.Key
		if link != nil {
			name, graphID, recordID = NightPOSKey(link.RecordID), link.GraphID, link.RecordID
		}
		found := subjects[name]
		if found == nil {
			found = &subject{link: link, graphID: graphID, recordID: recordID}
			subjects[name] = found
			r.subjects = append(r.subjects, found)
		}
		found.items = append(found.items, item)
	}
	return nil
}

// read looks at both sides, in one call each, at the same time.
func (r *round) read(ctx context.Context) error {
	listed, listingErr := r.fromListing(ctx)
	r.credit(ctx)
	var graphIDs []string
	var recordIDs []int64
	for _, subject := range r.subjects {
		if subject.link != nil && subject.link.Series != nil {
			// Series are read as a whole.
			continue
		}
		if _, known := listed[subject.graphID]; subject.graphID != "" && !known && !subject.told() && (listingErr == nil || !subject.untouched()) {
			graphIDs = append(graphIDs, subject.graphID)
		}
		if subject.recordID != 0 {
			recordIDs = append(recordIDs, subject.recordID)
		}
	}
	var copies map[string]Copy
	var itemErrors map[string]error
	var records map[int64]Record
	var outlookErr, nightposErr error
	var group errgroup.Group
	if len(graphIDs) > 0 {
		group.Go(func() error {
			copies, itemErrors, outlookErr = r.engine.Outlook.Read(ctx, r.member, graphIDs)
			return nil
		})
	}
	if len(recordIDs) > 0 {
		group.Go(func() error {
			records, nightposErr = r.engine.NightPOS.Read(ctx, recordIDs)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, subject := range r.subjects {
		if subject.link != nil && subject.link.Series != nil {
			continue
		}
		err := nightposErr
		if subject.graphID != "" && err == nil && !subject.told() {
			copied, known := listed[subject.graphID]
			switch {
			case known:
				r.see(subject, copied)
			case listingErr != nil && subject.untouched():
				err = listingErr
			case outlookErr != nil:
				err = outlookErr
			default:
				err = itemErrors[subject.graphID]
			}
		}
		if err != nil {
			r.abandon(subject, err)
			continue
		}
		if copied, there := copies[subject.graphID]; there {
			r.see(subject, copied)
		}
		if record, there := records[subject.recordID]; there && subject.recordID != 0 {
			subject.state.Record = &record
		}
	}
	r.reread(ctx)
	return nil
}

// dismiss is done with hints about what does not concern the member: a change of a
// rule names nobody, so that every lane is told of it. Reading the series, and waiting
// whether there is more to be seen, are for those that it concerns.
func (r *round) dismiss() {
	r.subjects = slices.DeleteFunc(r.subjects, func(subject *subject) bool {
		if subject.skip || !r.foreign(subject) {
			return false
		}
		for _, item := range subject.items {
			r.done(item.Key)
		}
		return true
	})
}

// foreign says that hints which name no version speak of a record that the member
// neither organises nor is invited to, and that the lane knows nothing of. Whoever is
// added to it by what cannot be read yet has hints of their own.
func (r *round) foreign(subject *subject) bool {
	record := subject.state.Record
	if record == nil || record.Masked || subject.link != nil || subject.graphID != "" {
		return false
	}
	if record.OrganizerUserID == r.member.UserID || r.member.Is(record.Event.Organizer) || slices.ContainsFunc(record.Event.People, r.member.Is) {
		return false
	}
	return !slices.ContainsFunc(subject.items, func(item Item) bool { return item.Version != "" || item.Priority == PriorityBackfill })
}

// see takes in a copy, with its people under the addresses by which NightPOS
// knows them.
func (r *round) see(subject *subject, copied Copy) {
	original := copied
	subject.original = &original
	copied.Event.Organizer = r.unify(copied.Event.Organizer)
	people := make([]Person, 0, len(copied.Event.People))
	for _, person := range copied.Event.People {
		people = append(people, r.unify(person))
	}
	copied.Event.People = people
	subject.state.Copy = &copied
}

// unify gives a connected member the address that NightPOS knows; mailboxes are
// often known by another.
func (r *round) unify(person Person) Person {
	if member, connected := r.directory.byAddress[person.Key()]; connected && member.Address != "" {
		person.Address = member.Address
	}
	return person
}

// diversify is the way back: the address that the copy itself used, else the
// member's mailbox.
func (r *round) diversify(subject *subject, people []Person) []Person {
	back := map[string]string{}
	if subject.original != nil {
		for _, person := range subject.original.Event.People {
			back[r.unify(person).Key()] = person.Address
		}
	}
	result := make([]Person, 0, len(people))
	for _, person := range people {
		if address, there := back[person.Key()]; there {
			person.Address = address
		} else if member, connected := r.directory.byAddress[person.Key()]; connected && member.Mailbox != "" {
			person.Address = member.Mailbox
		}
		result = append(result, person)
	}
	return result
}

// abandon puts all hints of a subject back because of an error.
func (r *round) abandon(subject *subject, err error) {
	subject.skip = true
	for _, item := range subject.items {
		r.fail(item, err)
	}
}

// identify finds the record of copies that have no link: by the mark that our
// own creates leave, or by the iCalUId that another lane has linked.
func (r *round) identify(ctx context.Context) error {
	var unknown []*subject
	var iCalUIDs []string
	for _, subject := range r.subjects {
		if !subject.skip && subject.link == nil && subject.recordID == 0 && subject.state.Copy != nil {
			unknown = append(unknown, subject)
			iCalUIDs = append(iCalUIDs, subject.state.Copy.meeting())
			if series, _, is := occurrenceOf(subject.state.Copy.ICalUID); is {
				iCalUIDs = append(iCalUIDs, series)
			}
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	meetings, err := r.engine.Store.Meetings(ctx, iCalUIDs)
	if err != nil {
		return fmt.Errorf("reading which meetings are known: %w", err)
	}
	for uid, id := range meetings {
		r.claims.see(uid, id)
	}
	recordIDs := map[int64][]*subject{}
	for _, subject := range unknown {
		id := subject.state.Copy.RecordID
		if id == 0 {
			if id, err = r.recordOfOccurrence(ctx, *subject.state.Copy, meetings); err != nil {
				return err
			}
		}
		if id == 0 {
			id = meetings[subject.state.Copy.meeting()]
		}
		if id != 0 {
			recordIDs[id] = append(recordIDs[id], subject)
		}
	}
	if len(recordIDs) == 0 {
		return nil
	}
	ids := slices.Sorted(maps.Keys(recordIDs))
	links, err := r.engine.Store.Links(ctx, r.lease.Lane, nil, ids)
	if err != nil {
		return fmt.Errorf("reading links: %w", err)
	}
	known, all := map[int64]*Link{}, map[int64][]*Link{}
	for _, link := range links {
		known[link.RecordID] = &link
		all[link.RecordID] = append(all[link.RecordID], &link)
		if link.Series != nil {
			for _, record := range link.Series.Occurrences {
				if record != link.RecordID {
					all[record] = append(all[record], &link)
				}
			}
		}
	}
	records, err := r.engine.NightPOS.Read(ctx, ids)
	for id, subjects := range recordIDs {
		for position, subject := range subjects {
			if err != nil {
				r.abandon(subject, err)
				continue
			}
			if position > 0 {
				continue
			}
			if record, there := records[id]; there {
				link, failed := r.invitedAgain(ctx, *subject.state.Copy, known[id])
				if failed != nil {
					return failed
				}
				apart, failed := r.standsApart(ctx, subject, record, all[id])
				if failed == nil && apart {
					link, failed = r.setApart(ctx, id, *subject.state.Copy, all[id])
				}
				if failed != nil {
					return failed
				}
				r.adopt(subject, &record, id, link)
			} else if known[id] != nil {
				r.adopt(subject, nil, id, known[id])
			}
		}
	}
	return nil
}

// adopt takes a record for an unlinked copy, unless the record has another copy
// in this mailbox: then the mark came along when a person duplicated the event,
// and the duplicate is an event of its own.
func (r *round) adopt(subject *subject, record *Record, recordID int64, link *Link) {
	if link != nil && !link.Ended && link.GraphID != "" && link.GraphID != subject.graphID {
		if !subject.state.Copy.IsOrganizer {
			// An invitation to what stands here as something else, a stand-in or
			// the meeting before it was handed over: it waits until that is gone,
			// and somebody has to look after that.
			item := Item{Key: NightPOSKey(recordID), First: r.engine.Now()}
			if subject.swept() {
				item.Priority = PriorityBackfill
			}
			r.also = append(r.also, item)
		}
		return
	}
	for _, other := range r.subjects {
		if other != subject && other.recordID == recordID && other.state.Copy != nil {
			return
		}
	}
	for _, other := range r.subjects {
		if other != subject && other.recordID == recordID && !other.skip {
			// A hint about the record itself waits in this very round: one
			// subject must speak for both.
			subject.items = append(subject.items, other.items...)
			other.skip = true
		}
	}
	subject.recordID, subject.link, subject.state.Record = recordID, link, record
}

// announce records which copies and records are about to be made, and who turned out
// to be invited.
func (r *round) announce(ctx context.Context) error {
	var intents []Link
	for _, subject := range r.subjects {
		if subject.skip {
			continue
		}
		if intent := subject.state.Intent(subject.plan); intent != nil && (subject.link == nil || subject.link.GraphID != "" && !subject.link.Listed) {
			intent.Updated = r.engine.Now()
			intents = append(intents, *intent)
		}
	}
	if len(intents) > 0 {
		if err := r.engine.Store.Commit(ctx, r.lease, Commit{Links: intents}); err != nil {
			return fmt.Errorf("recording which copies are about to be made: %w", err)
		}
	}
	return r.noteMaking(ctx)
}

// frame is what the states of a round have in common.
func (r *round) frame(items []Item) State {
	return State{
		Member: r.member, Database: r.engine.Database,
		ByAddress: func(person Person) (Member, bool) {
			member, connected := r.directory.byAddress[person.Key()]
			member.Choices = member.Choices.Or(r.engine.Choices)
			return member, connected
		},
		ByUser: func(userID int64) (Member, bool) {
			member, connected := r.directory.byUser[userID]
			member.Choices = member.Choices.Or(r.engine.Choices)
			return member, connected
		},
		Outlook: r.engine.Outlook, NightPOS: r.engine.NightPOS, Policy: r.engine.policy(), Now: r.engine.Now(),
		Choices: r.member.Choices.Or(r.engine.Choices), Online: r.engine.Online,
		OrganizerTime: r.engine.organizerTime(), Late: slices.ContainsFunc(items, late),
		Waited: slices.ContainsFunc(items, func(item Item) bool { return item.Attempts >= len(waitSteps) }),
		Told: slices.ContainsFunc(items, func(item Item) bool {
			return item.Attempts < len(waitSteps) && item.Priority < PriorityBackfill
		}),
	}
}

// consider plans one subject.
func (r *round) consider(subject *subject) {
	state := &subject.state
	copied, record := state.Copy, state.Record
	*state = r.frame(subject.items)
	state.Copy, state.Record, state.Link = copied, record, subject.link
	state.Replaced = subject.replaced
	*state = state.released().returned().veil()
	plan := state.Plan()
	if hinted(subject.items) {
		if healing, differs := state.drifted(plan); differs {
			plan = healing
		}
	}
	subject.plan, subject.withheld = state.Withhold(plan)
}
