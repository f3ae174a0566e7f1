package reconciler

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// What a sweep finds to be one meeting on both sides, and not in agreement, is no
// link yet: its item waits behind what people wait for. A copy leads to its record,
// by its mark or its iCalUId. A record leads to no copy, so that the sweep writes
// down which one is its: whoever changes the record before its item's turn comes
// would get another copy otherwise.

// pair notes that a record and a copy are one.
func (r *round) pair(recordID int64, graphID string) {
	if r.pairs == nil {
		r.pairs = map[int64]string{}
	}
	r.pairs[recordID] = graphID
}

// meeting names the meeting of a copy where it is kept which record stands for it: by
// the iCalUId, or, where Outlook shows none (13.15), by the copy itself.
func (c Copy) meeting() string {
	if c.ICalUID == "" {
		return "copy " + c.ID
	}
	return c.ICalUID
}

// leadToCopies has the copies looked at of records that the sweep has found to be
// one with them, in place of the records.
func (r *round) leadToCopies(ctx context.Context, old []*subject) error {
	var recordIDs []int64
	for _, subject := range old {
		if !subject.skip && subject.state.Record != nil && subject.state.Copy == nil {
			recordIDs = append(recordIDs, subject.recordID)
		}
	}
	pairs, err := r.copiesOf(ctx, recordIDs)
	if err != nil {
		return err
	}
	for _, subject := range old {
		if graphID := pairs[subject.recordID]; graphID != "" && !subject.skip && subject.state.Copy == nil {
			subject.skip = true
			r.leadTo(graphID, subject.items)
		}
	}
	return nil
}

// copiesOf returns what the sweep has written down.
func (r *round) copiesOf(ctx context.Context, recordIDs []int64) (map[int64]string, error) {
	if len(recordIDs) == 0 {
		return nil, nil
	}
	pairs, err := r.engine.Store.Pairs(ctx, r.lease.Lane, recordIDs)
	if err != nil {
		return nil, fmt.Errorf("reading which copies records are one with: %w", err)
	}
	return pairs, nil
}

// leadTo has a copy looked at as urgently as a record was to be.
func (r *round) leadTo(graphID string, items []Item) {
	led := Item{Key: OutlookKey(graphID), Priority: items[0].Priority, First: items[0].First}
	for _, item := range items {
		led.Priority = min(led.Priority, item.Priority)
		if item.First.Before(led.First) {
			led.First = item.First
		}
		r.done(item.Key)
	}
	r.also = append(r.also, led)
}

// membershipStep is how long an item waits for the list of members to tell of
// somebody who connected anew.
const membershipStep = 2 * time.Second

// membership says whether the round's member is still the one that it was begun
// for. The list of members may be a moment old; and where the store was emptied or a
// person was disconnected meanwhile, no link is no sign of anything being new.
func (r *round) membership(ctx context.Context) (connected, same bool, err error) {
	now, connected, err := r.engine.Store.MemberNow(ctx, r.lease.Lane)
	if err != nil {
		return false, false, fmt.Errorf("reading whether a member is still connected: %w", err)
	}
	return connected, connected && now.First == r.member.First && now.Mailbox == r.member.Mailbox, nil
}

// leave settles the items of somebody who is not the round's member any more.
func (r *round) leave(items []Item, connected bool) {
	for _, item := range items {
		if connected {
			r.outcomes = append(r.outcomes, Outcome{Key: item.Key, Park: true, After: membershipStep, Reason: "the calendar was connected anew"})
		} else {
			r.done(item.Key)
		}
	}
}

// leaveStrangers leaves alone what has no link and would be written, unless the
// member is still the same.
func (r *round) leaveStrangers(ctx context.Context) error {
	strange := func(subject *subject) bool {
		return !subject.skip && subject.link == nil && (subject.plan.Outlook != nil || subject.plan.NightPOS != nil)
	}
	if !slices.ContainsFunc(r.subjects, strange) {
		return nil
	}
	connected, same, err := r.membership(ctx)
	if err != nil || same {
		return err
	}
	for _, subject := range r.subjects {
		if strange(subject) {
			subject.skip = true
			r.leave(subject.items, connected)
		}
	}
	return nil
}
