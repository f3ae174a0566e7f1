package reconciler

import (
	"context"
	"fmt"
	"time"
)

// A meeting has a copy in the mailbox of everybody who is invited, and each of
// their lanes hears of it. Whoever makes its record claims it first, by the iCalUId
// that all copies share: NightPOS would take two transactions at the same moment,
// neither of which sees the key of the other.

const (
	// claimTime is how long a lane keeps others from making a record, should it die
	// meanwhile. A record that took longer is found by its key.
	claimTime = time.Minute
	// claimStep is how long a lane waits for the one that makes the record.
	claimStep = 50 * time.Millisecond
)

// claims are what a round has claimed, by iCalUId, and which records it had seen to
// stand for meetings before.
type claims struct {
	held []string
	seen map[string]int64
}

// see notes which record stood for a meeting when the round looked, if any did.
func (c *claims) see(iCalUID string, recordID int64) {
	if c.seen == nil {
		c.seen = map[string]int64{}
	}
	c.seen[iCalUID] = recordID
}

// claim takes the right to make the records of meetings. It returns those that the
// round must leave alone for now: another lane is at them, or has just made them.
func (r *round) claim(ctx context.Context, iCalUIDs []string) (taken map[string]bool, err error) {
	taken = map[string]bool{}
	if len(iCalUIDs) == 0 || len(r.directory.members) < 2 {
		return taken, nil
	}
	others, err := r.engine.Store.ClaimMeetings(ctx, r.lease.Lane, iCalUIDs, claimTime)
	if err != nil {
		return nil, fmt.Errorf("claiming meetings: %w", err)
	}
	// What was made after this round had looked is known by now: it is made known
	// before it is given up.
	known, err := r.engine.Store.Meetings(ctx, iCalUIDs)
	if err != nil {
		return nil, fmt.Errorf("reading which meetings are known: %w", err)
	}
	for _, uid := range iCalUIDs {
		if !others[uid] {
			r.claims.held = append(r.claims.held, uid)
		}
		if others[uid] || known[uid] != r.claims.seen[uid] {
			taken[uid] = true
		}
	}
	return taken, nil
}

// claimCreates puts off the records that another lane is about to make.
func (r *round) claimCreates(ctx context.Context) error {
	var iCalUIDs []string
	for _, subject := range r.subjects {
		if uid := subject.makes(); uid != "" {
			iCalUIDs = append(iCalUIDs, uid)
		}
	}
	taken, err := r.claim(ctx, iCalUIDs)
	if err != nil {
		return err
	}
	for _, subject := range r.subjects {
		if taken[subject.makes()] {
			subject.skip = true
			r.awaitClaim(subject.items)
		}
	}
	return nil
}

// makes is the iCalUId of the meeting whose record the subject's plan makes; empty
// for none.
func (s *subject) makes() string {
	if s.skip || s.plan.NightPOS == nil || s.plan.NightPOS.Action != ActionCreate {
		return ""
	}
	return s.state.Copy.ICalUID
}

// awaitClaim has items looked at again in a moment. It is no failure of theirs.
func (r *round) awaitClaim(items []Item) {
	for _, item := range items {
		r.outcomes = append(r.outcomes, Outcome{Key: item.Key, Park: true, After: claimStep, Reason: "another person's calendar brings this meeting to NightPOS"})
	}
}

// claimSeries is claimCreates for one series; true when its hints are settled.
func (w *seriesWork) claimSeries(ctx context.Context, subject *seriesSubject) (bool, error) {
	write := subject.plan.Record
	if write == nil || write.ID != 0 || write.BaseID != 0 || len(write.Create) == 0 || subject.state.Series.ICalUID == "" {
		return false, nil
	}
	uid := subject.state.Series.ICalUID
	taken, err := w.round.claim(ctx, []string{uid})
	if err != nil || !taken[uid] {
		return false, err
	}
	w.awaitClaim(subject.items)
	return true, nil
}

// unclaim gives up what the round has claimed, once it is known which record stands
// for it. What could not be made is given up too: another lane may try.
func (r *round) unclaim(ctx context.Context) error {
	if len(r.claims.held) == 0 {
		return nil
	}
	held := r.claims.held
	r.claims.held = nil
	if err := r.engine.Store.UnclaimMeetings(ctx, r.lease.Lane, held); err != nil {
		return fmt.Errorf("giving up claims to meetings: %w", err)
	}
	return nil
}
