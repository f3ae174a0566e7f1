package reconciler

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// meetStep is how many links are recorded at once.
	meetStep = 500
	// heldLines is how many events a first sync keeps back with a line each in the
	// log; the rest is counted.
	heldLines = 200
)

// meet looks at halves that are not linked: those in agreement are linked at
// once, those that are not are handed to add, and what is kept back is counted.
// The first time, it also says in the log why.
func (r *round) meet(ctx context.Context, found []halves, add func(key string), first bool) (Progress, error) {
	var progress Progress
	commit, meetings := Commit{}, map[string]int64{}
	flush := func() error {
		if len(meetings) > 0 {
			if err := r.engine.Store.SetMeetings(ctx, meetings); err != nil {
				return fmt.Errorf("recording meetings: %w", err)
			}
		}
		if len(commit.Links)+len(commit.Activities) > 0 {
			if err := r.engine.Store.Commit(ctx, r.lease, commit); err != nil {
				return fmt.Errorf("recording links: %w", err)
			}
		}
		commit, meetings = Commit{}, map[string]int64{}
		return nil
	}
	lines := 0
	var listed []Copy
	for _, one := range found {
		candidate := r.candidate(one)
		switch {
		case one.ambiguous:
			progress.Ambiguous++
		case candidate.withheld.Class != "":
			progress.Held.add(candidate.withheld.Class)
		case candidate.withheld.Why != "":
			progress.Older++
		}
		// Of a pair, what mails nobody is done all the same.
		if r.verdict(candidate, one) == verdictAct {
			if one.match != MatchNone {
				r.pair(one.record.ID, one.copied.ID)
				meetings[one.copied.meeting()] = one.record.ID
			}
			add(keyOf(one))
			if one.copied != nil {
				listed = append(listed, *one.copied)
			}
		}
		if first && (one.ambiguous || candidate.withheld.Why != "") && lines < heldLines {
			lines++
			commit.Activities = append(commit.Activities, r.heldLine(candidate, one))
		}
		noted := candidate.plan.keep == fateAside && candidate.state.elsewhere()
		if noted && first && lines < heldLines {
			lines++
			line := r.heldLine(candidate, one)
			line.Reason = candidate.plan.Reason
			commit.Activities = append(commit.Activities, line)
		}
		if !one.ambiguous && candidate.plan.Idle() && !candidate.plan.Wait && (candidate.plan.keep == fateLive || noted) {
			settled := candidate.state.Settle(candidate.plan, nil, nil)
			if settled.Link != nil && settled.Err == nil {
				settled.Link.Updated = r.engine.Now()
				commit.Links = append(commit.Links, *settled.Link)
				if settled.Link.ICalUID != "" {
					meetings[settled.Link.ICalUID] = settled.Link.RecordID
				}
				if !noted {
					progress.Linked++
				}
			}
		}
		if len(commit.Links) >= meetStep {
			if err := flush(); err != nil {
				return progress, err
			}
		}
	}
	r.engine.listings.keep(r.lease.Lane, r.engine.Now(), listed)
	return progress, flush()
}

// keyOf is the item that has halves looked at. A copy leads to its record by its
// mark or by its iCalUId, a record to no copy.
func keyOf(one halves) string {
	if one.copied != nil {
		return OutlookKey(one.copied.ID)
	}
	return NightPOSKey(one.record.ID)
}

// verdict is what is to be done about halves.
type verdict int

const (
	verdictNone verdict = iota
	verdictAct
)

// candidate is what would be done about halves, without doing it.
func (r *round) candidate(one halves) *subject {
	candidate := &subject{items: []Item{{Attempts: 1}}}
	if one.copied != nil {
		r.see(candidate, *one.copied)
		candidate.graphID = one.copied.ID
	}
	if one.record != nil {
		candidate.state.Record, candidate.recordID = one.record, one.record.ID
	}
	r.consider(candidate)
	return candidate
}

func (r *round) verdict(candidate *subject, one halves) verdict {
	switch {
	case one.ambiguous, candidate.skip:
		return verdictNone
	case one.record == nil && (one.copied.Recurring || one.copied.Cancelled):
		return verdictNone
	case !candidate.plan.Idle(), candidate.plan.Wait:
		return verdictAct
	}
	return verdictNone
}

// ambiguousReason is why an event that may be one of several is left alone.
const ambiguousReason = "several events on the two sides have the same time, title and organizer; change one of them, or delete what is too many"

// heldLine says in the log why an event is kept back.
func (r *round) heldLine(candidate *subject, one halves) Activity {
	line := Activity{Time: r.engine.Now(), Lane: r.lease.Lane, RecordID: candidate.recordID, GraphID: candidate.graphID, Reason: candidate.withheld.Why}
	if one.ambiguous {
		line.Reason = ambiguousReason
	}
	return line
}

// listingStep is how long what is old and not linked waits at a time for the
// first sweep.
const listingStep = time.Second

// mostAmbiguous bounds what is remembered of events that may be one of several.
const mostAmbiguous = 2_000

// ambiguities are the items of halves that may be one of several, to be left alone
// whoever speaks of them.
func ambiguities(found []halves, ofSeries []string) string {
	keys := slices.Clone(ofSeries[:min(len(ofSeries), mostAmbiguous)])
	for _, one := range found {
		if one.ambiguous && len(keys) < mostAmbiguous {
			keys = append(keys, keyOf(one))
		}
	}
	slices.Sort(keys)
	return strings.Join(keys, "\n")
}

// awaitListing puts off what would make another half of something old before a
// first sweep has looked whether there is one, and leaves alone what may be one of
// several: once a person has changed that, another sweep looks again. What is new,
// or linked, does not wait.
func (r *round) awaitListing(ctx context.Context) error {
	if err := r.leaveStrangers(ctx); err != nil {
		return err
	}
	if err := r.leaveElsewhere(ctx); err != nil {
		return err
	}
	var old []*subject
	for _, subject := range r.subjects {
		if !subject.skip && subject.plan.creates() && subject.state.old() {
			old = append(old, subject)
		}
	}
	if len(old) == 0 {
		return nil
	}
	known, err := r.sweeps(ctx)
	if err != nil {
		return err
	}
	if !known.Since.IsZero() {
		r.leaveAmbiguous(old, known)
		return r.leadToCopies(ctx, old)
	}
	for _, subject := range old {
		subject.skip = true
		for _, item := range subject.items {
			r.outcomes = append(r.outcomes, Outcome{Key: item.Key, Park: true, After: listingStep, Reason: "waiting for the first sweep"})
		}
	}
	return nil
}

// leaveAmbiguous is done with what may be one of several.
func (r *round) leaveAmbiguous(old []*subject, known Sweeps) {
	if known.Ambiguous == "" {
		return
	}
	ambiguous := strings.Split(known.Ambiguous, "\n")
	for _, subject := range old {
		if !slices.ContainsFunc(subject.items, func(item Item) bool { return slices.Contains(ambiguous, item.Key) }) {
			continue
		}
		subject.skip = true
		if !subject.swept() {
			r.also = append(r.also, SweepItem(PriorityBackfill, r.engine.Now()))
		}
		for _, item := range subject.items {
			r.done(item.Key)
		}
	}
}
