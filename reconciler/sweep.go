package reconciler

import (
	"context"
	"fmt"
	"maps"
	"time"

	"golang.org/x/sync/errgroup"
)

// sweep compares everything in the window on both sides and puts what differs
// into the lane, behind what people wait for. It writes to neither calendar
// itself, and a failed or partial listing of either side ends it without any
// effect. What is missing from a listing is looked for by its id before
// anything is concluded, since it may only lie outside the window.
func (r *round) sweep(ctx context.Context) error {
	began := r.engine.Now()
	known, err := r.sweeps(ctx)
	if err != nil {
		return err
	}
	window := r.engine.window()
	var copies, elsewhere []Copy
	var records []Record
	group, listing := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		copies, err = r.engine.Outlook.List(listing, r.member, window)
		return err
	})
	group.Go(func() (err error) {
		elsewhere, err = r.listElsewhere(listing, known)
		return err
	})
	group.Go(func() (err error) {
		records, err = r.engine.NightPOS.List(listing, r.member, window)
		return err
	})
	if err := group.Wait(); err != nil {
		return fmt.Errorf("listing both calendars: %w", err)
	}
	items, err := r.differences(ctx, copies, elsewhere, records, &known)
	if err != nil {
		return err
	}
	if r.engine.ChangesEvery > 0 && !r.asks {
		item := ChangesItem(PriorityBackfill, began)
		item.Due = began.Add(r.engine.pace(r.engine.ChangesEvery))
		if known.Rebased.IsZero() {
			// Until a first round is made, deletions are told by nobody else.
			item.Due = began.Add(r.engine.pace(min(r.engine.ChangesEvery, firstRoundAfter)))
		}
		items = append(items, item)
	}
	if err := r.engine.Store.SetPairs(ctx, r.lease.Lane, r.pairs); err != nil {
		return fmt.Errorf("recording which copies records are one with: %w", err)
	}
	if len(items) > 0 {
		if err := r.engine.Queue.Add(ctx, r.lease.Lane, items...); err != nil {
			return fmt.Errorf("queueing what a sweep found: %w", err)
		}
	}
	known.Heard = began
	if known.Since.IsZero() {
		known.Since = began
	}
	if err := r.engine.Store.SaveSweeps(ctx, r.lease.Lane, known); err != nil {
		return fmt.Errorf("recording that all was swept: %w", err)
	}
	return nil
}

// differences pairs the two listings and returns an item for each pair that is
// not in agreement. Halves that are found to be in agreement are linked at once. Of
// the copies elsewhere those count that are one with a record.
func (r *round) differences(ctx context.Context, copies, elsewhere []Copy, records []Record, known *Sweeps) ([]Item, error) {
	copyByID, recordByID := map[string]*Copy{}, map[int64]*Record{}
	for index := range copies {
		copyByID[copies[index].ID] = &copies[index]
	}
	for index := range records {
		recordByID[records[index].ID] = &records[index]
	}
	var items []Item
	now := r.engine.Now()
	add := func(key string) {
		items = append(items, Item{Key: key, Priority: PriorityBackfill, First: now})
	}
	apart := gatherElsewhere(elsewhere, copyByID)
	series := gatherSeries(copies, records)
	gone := &missing{}
	err := r.engine.Store.AllLinks(ctx, r.lease.Lane, func(link Link) error {
		apart.forget(&link)
		if link.Series != nil {
			// Known to the link, whether it stands in its recurrence or not.
			for _, id := range link.Series.Occurrences {
				delete(recordByID, id)
			}
			switch side := series.missing(&link); {
			case side != "":
				gone.add(side, link)
			case link.Aside && !series.both(&link):
				// Whatever keeps it from being synced keeps its other half out of sight.
			default:
				gone.pairs++
				if !series.agreed(&link, r.engine.window()) || !r.seriesAsideTold(&link, series) {
					add(NightPOSKey(link.RecordID))
				}
			}
			series.forget(&link)
			return nil
		}
		copied, record := copyByID[link.GraphID], recordByID[link.RecordID]
		delete(copyByID, link.GraphID)
		delete(recordByID, link.RecordID)
		if series.became(&link, record) {
			add(NightPOSKey(link.RecordID))
			return nil
		}
		switch {
		case copied == nil && record == nil:
		case link.Aside && (copied == nil || record == nil):
			// Whatever keeps it from being synced keeps its other half out of sight.
		case copied == nil && !link.Ended && !link.Aside:
			gone.add(SideOutlook, link)
		case record == nil && !link.Ended && !link.Aside:
			gone.add(SideNightPOS, link)
		default:
			gone.pairs++
			if !r.agreed(&link, copied, record) {
				add(NightPOSKey(link.RecordID))
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading links: %w", err)
	}
	withoutOccurrences(copyByID, recordByID)
	deletions, err := r.deletions(ctx, gone)
	if err != nil {
		return nil, err
	}
	for _, link := range deletions {
		add(NightPOSKey(link.RecordID))
	}
	found, err := r.match(ctx, copyByID, recordByID)
	if err != nil {
		return nil, err
	}
	if found, err = r.matchElsewhere(ctx, apart, found); err != nil {
		return nil, err
	}
	progress, err := r.meet(ctx, found, add, known.Since.IsZero())
	if err != nil {
		return nil, err
	}
	ofSeries, ambiguous, err := r.meetSeries(ctx, series, apart, add, known.Since.IsZero())
	if err != nil {
		return nil, err
	}
	progress = progress.plus(ofSeries)
	known.Ambiguous = ambiguities(found, ambiguous)
	if known.Since.IsZero() {
		progress.Total = progress.Linked + len(items)
	} else {
		progress.Total, progress.Linked = known.First.Total, known.First.Linked
	}
	known.First = progress
	return items, nil
}

// withoutOccurrences leaves single events alone in what was listed.
func withoutOccurrences(copies map[string]*Copy, records map[int64]*Record) {
	maps.DeleteFunc(copies, func(_ string, copied *Copy) bool { return copied.Recurring })
	maps.DeleteFunc(records, func(_ int64, record *Record) bool { return record.RecurrenceID != 0 })
}

// agreed says that looking at a pair as it was listed would change nothing.
func (r *round) agreed(link *Link, copied *Copy, record *Record) bool {
	candidate := &subject{link: link}
	if copied != nil {
		r.see(candidate, *copied)
	}
	candidate.state.Record = record
	candidate.items = []Item{{Attempts: 1}}
	r.consider(candidate)
	if !candidate.plan.Idle() || candidate.plan.Wait || !candidate.state.asideTold(candidate.plan) {
		return false
	}
	if candidate.plan.keep == fateLive && link != nil && !link.agreed() {
		return false // nothing to write, and still to be taken down
	}
	return candidate.plan.keep == fateNone || link != nil
}

// ChangesItem is the item that has both sides of a lane asked for changes.
func ChangesItem(priority Priority, first time.Time) Item {
	return Item{Key: KeyChanges, Priority: priority, First: first}
}

// SweepItem is the item that has a lane swept.
func SweepItem(priority Priority, first time.Time) Item {
	return Item{Key: KeySweep, Priority: priority, First: first}
}
