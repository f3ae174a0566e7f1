package reconciler

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// Cursor is where a round of a mailbox's changes left off.
type Cursor struct {
	// Token is the adapter's own; empty before the first round. It is no secret,
	// but tells one mailbox from another.
	Token string
	// Window is what the rounds look at. It is frozen in the token: what lies
	// beyond its end is told by no round that goes on from there.
	Window Window
}

// Change is one copy that a round of changes spoke of. Like a notification it
// only says where to look.
type Change struct {
	// ID is the Graph id of the copy.
	ID string
	// ChangeKey is the version that was saved; empty for removed ones.
	ChangeKey string
	// Removed copies were deleted, or moved out of the window, or lie outside it
	// and were changed in any way.
	Removed bool
	// Recurring copies belong to a series (master, occurrence or exception), whose
	// master is MasterID: their own ID for masters. Of removed ones it is not told.
	Recurring bool
	MasterID  string
}

// Changes is what a round of changes found.
type Changes struct {
	// Found are the copies spoken of, each once and as it was told last. A first
	// round tells every copy in the window.
	Found []Change
	// Next is where the next round goes on; without a token that is a first
	// round.
	Next Cursor
	// Lost says, as a short stable name, why the mailbox can no longer tell what
	// changed since the cursor; empty when all is well. Then nothing was found,
	// and only listing the calendar as a whole shows what changed.
	Lost string
}

// Sweeps is what a lane remembers of its sweeps.
type Sweeps struct {
	// Mailbox is the one that all of it is about.
	Mailbox string
	// Since is when the lane's first full sweep began.
	Since time.Time
	// Cursor is where the next round of Outlook's changes goes on.
	Cursor Cursor
	// Rebased is when a first round was made, or tried in vain, last.
	Rebased time.Time
	// Heard is when NightPOS was asked for changes last.
	Heard time.Time
	// First is how the first sync goes, as the last full sweep saw it.
	First Progress
	// Ambiguous are the items of events that may be one of several, each in a line;
	// see ambiguities.
	Ambiguous string
}

const (
	// rebaseEvery is by how much the window of a first round reaches further
	// than that of a full sweep, and so how long it lasts before the frozen
	// window has to be moved on.
	rebaseEvery = 30 * 24 * time.Hour
	// tellingTime is how long a change that a round found is left to the
	// notification that may still be on its way: Microsoft sends most within a
	// minute and all within three. What comes in time is synced at once, and the
	// round's own hint is then an echo that costs no call.
	tellingTime = 3 * time.Minute
	// overlap is how far a round of NightPOS's changes reaches back behind the
	// one before: records carry the time at which their transaction began, on
	// another clock.
	overlap = 15 * time.Minute
	// firstRoundAfter is about how long after a first sweep the first round
	// begins: it reads the calendar as a whole, and what people wait for is done
	// by then.
	firstRoundAfter = 15 * time.Minute
	// linkStep is how many copies' links are read at once.
	linkStep = 500
)

// changes asks both sides what changed since they were asked last, and puts what
// is not known yet into the lane, as hints. Nothing is concluded from an answer:
// what was removed is looked for by its id, so that what only left the window,
// or was never in it, stays. Where the rounds left off is saved once the hints
// are safely in the lane; a round that fails is made again from the same place.
func (r *round) changes(ctx context.Context) error {
	now := r.engine.Now()
	known, err := r.sweeps(ctx)
	if err != nil {
		return err
	}
	next := known
	next.Heard = now
	var inOutlook, inNightPOS []Item
	group, asking := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		inOutlook, err = r.changesInOutlook(asking, known, &next)
		return err
	})
	if !known.Heard.IsZero() {
		group.Go(func() (err error) {
			inNightPOS, err = r.changesInNightPOS(asking, known.Heard.Add(-overlap))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("asking both calendars for changes: %w", err)
	}
	if items := append(inOutlook, inNightPOS...); len(items) > 0 {
		if err := r.engine.Queue.Add(ctx, r.lease.Lane, items...); err != nil {
			return fmt.Errorf("queueing what changed: %w", err)
		}
	}
	if err := r.engine.Store.SaveSweeps(ctx, r.lease.Lane, next); err != nil {
		return fmt.Errorf("recording how far changes are known: %w", err)
	}
	return nil
}

// sweeps reads what the lane remembers; what it remembers of another mailbox is
// worth nothing.
func (r *round) sweeps(ctx context.Context) (Sweeps, error) {
	known, err := r.engine.Store.Sweeps(ctx, r.lease.Lane)
	if err != nil {
		return Sweeps{}, fmt.Errorf("reading how far changes are known: %w", err)
	}
	if known.Mailbox != r.member.Mailbox {
		return Sweeps{Mailbox: r.member.Mailbox}, nil
	}
	return known, nil
}

// changesInOutlook goes on from the cursor, and begins anew, in a window that
// has moved on, before the frozen one runs out. When the mailbox cannot tell
// what changed, a full sweep has to.
func (r *round) changesInOutlook(ctx context.Context, known Sweeps, next *Sweeps) ([]Item, error) {
	now := r.engine.Now()
	var items []Item
	lost := ""
	if known.Cursor.Token != "" {
		changes, err := r.engine.Outlook.Changes(ctx, r.member, known.Cursor)
		if err != nil {
			return nil, err
		}
		next.Cursor, lost = changes.Next, changes.Lost
		if lost != "" {
			next.Cursor = Cursor{}
		}
		if items, err = r.unknown(ctx, changes.Found); err != nil {
			return nil, err
		}
	}
	// A mailbox whose rounds do not end is not asked to begin one every time.
	rested := now.Sub(known.Rebased) >= r.engine.SweepEvery
	if begins := known.Cursor.Token == "" || !r.engine.covers(known.Cursor.Window); lost != "" || begins && rested {
		window := r.engine.window()
		window.End = window.End.Add(rebaseEvery)
		changes, err := r.engine.Outlook.Changes(ctx, r.member, Cursor{Window: window})
		if err != nil {
			return nil, err
		}
		next.Rebased = now
		if changes.Lost == "" {
			next.Cursor = changes.Next
		} else {
			// Where the window only had to be moved on, the old one still serves.
			r.engine.Observer.Failed(changes.Lost)
		}
		more, err := r.unknown(ctx, changes.Found)
		if err != nil {
			return nil, err
		}
		items = append(items, more...)
	}
	if lost != "" {
		r.engine.Observer.Failed(lost)
	}
	if lost != "" || next.Cursor.Token == "" {
		items = append(items, SweepItem(PriorityBackfill, now))
	}
	return items, nil
}

// window is what a full sweep covers now.
func (e *Engine) window() Window {
	now := e.Now()
	return Window{Start: now.AddDate(0, 0, -e.PastDays), End: now.AddDate(0, 0, e.FutureDays)}
}

// covers says whether a frozen window still holds all that a full sweep would
// look at.
func (e *Engine) covers(frozen Window) bool {
	window := e.window()
	return !frozen.Start.After(window.Start) && !frozen.End.Before(window.End)
}

// unknown turns what a round spoke of into hints, as far as the links do not
// know it already. Removed copies that were never linked are none of our
// business: most of them lie outside the window. Of a series it is the master that
// is looked at, once, whichever occurrence was spoken of.
func (r *round) unknown(ctx context.Context, found []Change) ([]Item, error) {
	now := r.engine.Now()
	var items []Item
	found = masters(found)
	var removed []Link
	for part := range slices.Chunk(found, linkStep) {
		ids := make([]string, len(part))
		for index, change := range part {
			ids[index] = change.ID
		}
		links, err := r.engine.Store.Links(ctx, r.lease.Lane, ids, nil)
		if err != nil {
			return nil, fmt.Errorf("reading links: %w", err)
		}
		byGraph := map[string]Link{}
		for _, link := range links {
			byGraph[link.GraphID] = link
		}
		for _, change := range part {
			link, linked := byGraph[change.ID]
			switch {
			case change.Removed && (!linked || link.Ended):
			case !change.Removed && linked && link.ChangeKey == change.ChangeKey:
			case change.Removed:
				removed = append(removed, link)
			default:
				items = append(items, Item{
					Key: OutlookKey(change.ID), Priority: PriorityBackfill, Due: now.Add(tellingTime), First: now, Version: change.ChangeKey,
				})
			}
		}
	}
	removed, err := r.removals(ctx, removed)
	for _, link := range removed {
		// Without VersionDeleted, a removed copy has to be missed twice.
		items = append(items, Item{Key: OutlookKey(link.GraphID), Priority: PriorityBackfill, Due: now.Add(tellingTime), First: now})
	}
	return items, err
}

// masters names the master in place of its occurrences, once, with the version
// that was told of the master itself, if it was told. An occurrence's own version
// says nothing about the master's.
func masters(found []Change) []Change {
	place := map[string]int{}
	kept := make([]Change, 0, len(found))
	for _, change := range found {
		if change.MasterID != "" && change.MasterID != change.ID {
			change = Change{ID: change.MasterID, Recurring: true, MasterID: change.MasterID}
		}
		index, twice := place[change.ID]
		switch {
		case !twice:
			place[change.ID] = len(kept)
			kept = append(kept, change)
		case change.ChangeKey != "" || change.Removed:
			kept[index] = change
		}
	}
	return kept
}

// changesInNightPOS looks for records that show something else than when the
// sides last agreed.
func (r *round) changesInNightPOS(ctx context.Context, since time.Time) ([]Item, error) {
	now := r.engine.Now()
	records, err := r.engine.NightPOS.Changes(ctx, r.member, since)
	if err != nil || len(records) == 0 {
		return nil, err
	}
	ids := make([]int64, len(records))
	for index, record := range records {
		ids[index] = record.ID
	}
	links, err := r.engine.Store.Links(ctx, r.lease.Lane, nil, ids)
	if err != nil {
		return nil, fmt.Errorf("reading links: %w", err)
	}
	byRecord := map[int64]*Link{}
	for _, link := range links {
		byRecord[link.RecordID] = &link
	}
	for _, link := range links {
		if link.Series != nil {
			for _, id := range link.Series.Occurrences {
				if byRecord[id] == nil {
					byRecord[id] = &link
				}
			}
		}
	}
	var items []Item
	told := map[int64]bool{}
	for _, record := range records {
		if !r.familiar(byRecord[record.ID], record) {
			if record.RecurrenceID != 0 && told[record.RecurrenceID] {
				// One look at the series is enough.
				continue
			}
			told[record.RecurrenceID] = true
			items = append(items, Item{Key: NightPOSKey(record.ID), Priority: PriorityBackfill, Due: now.Add(tellingTime), First: now})
		}
	}
	return items, nil
}

// familiar says that a record shows nothing that its link does not know, or
// nothing that concerns this lane.
func (r *round) familiar(link *Link, record Record) bool {
	switch {
	case link == nil && record.RecurrenceID != 0:
		return record.Archived
	case link == nil:
		return r.agreed(nil, nil, &record)
	case link.Series != nil || record.RecurrenceID != 0 && !link.Apart:
		return link.Series != nil && link.knowsRecord(&record)
	case link.Ended || record.Archived:
		return link.Ended && record.Archived
	}
	state := State{Member: r.member, Link: link, Record: &record}
	shown := state.baseOfRecord(record, link.Role)
	if link.Role == RoleAttendee {
		shown = Base{selfKey: shown[selfKey]}
	}
	return maps.Equal(shown, link.NightPOS)
}

// recall reads since when a lane is swept, if something may have to be counted
// as untold.
func (r *round) recall(ctx context.Context) error {
	if !slices.ContainsFunc(r.subjects, func(s *subject) bool { return !s.skip && !s.plan.Idle() && s.swept() }) {
		return nil
	}
	known, err := r.sweeps(ctx)
	r.since = known.Since
	return err
}

// swept says that only sweeps spoke of the subject: whatever people wait for
// goes before them.
func (s *subject) swept() bool {
	return !slices.ContainsFunc(s.items, func(item Item) bool { return item.Priority < PriorityBackfill })
}

// untold says that a sweep alone found the change that was just written. What
// was there before the lane was swept for the first time, nobody was to tell.
func (r *round) untold(subject *subject) bool {
	if !subject.swept() || r.since.IsZero() {
		return false
	}
	state := subject.state
	switch {
	case subject.link != nil && subject.link.GraphID != "":
		return true
	case subject.plan.NightPOS != nil && state.Copy != nil:
		return !state.Copy.Modified.Before(r.since)
	case subject.plan.Outlook != nil && state.Record != nil:
		return !state.Record.Modified.Before(r.since)
	}
	return false
}
