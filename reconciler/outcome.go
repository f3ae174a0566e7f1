package reconciler

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"
)

// settleSteps are the waits between looks at a record that a webhook spoke of
// but that shows nothing new: NightPOS 17 and 18 send webhooks before the
// change can be read, and also for transactions that are then rolled back. The
// usual commit follows within milliseconds; after about five seconds the
// webhook counts as a phantom.
var settleSteps = []time.Duration{
	50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond,
	800 * time.Millisecond, 1600 * time.Millisecond, 2 * time.Second,
}

// FirstLook is how long after a webhook of NightPOS its record is looked at.
// The usual commit follows its webhook within milliseconds, and one transaction
// often sends several: a look at once would find nothing, and cost a call.
const FirstLook = 15 * time.Millisecond

// waitSteps are the waits for the organizer's lane to bring a meeting. The last
// one is repeated until the organizer's next round of changes has been made, since
// the notification to that lane may have been lost; see Engine.organizerTime.
var waitSteps = []time.Duration{
	100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond,
	1600 * time.Millisecond, 3 * time.Second, 6 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute,
}

// lateSteps are the waits for the organizer's lane where a sweep alone speaks of a
// meeting.
var lateSteps = []time.Duration{10 * time.Second, 2 * time.Minute, 15 * time.Minute}

// late says that an item was looked at often enough to be given up once the
// organizer's lane has had its time.
func late(item Item) bool {
	return item.Attempts >= len(waitSteps) || item.Priority == PriorityBackfill && item.Attempts >= len(lateSteps)
}

// waitStep is how long an item waits next. Every further hint is an attempt as well:
// a meeting that is told of many times while the organizer's lane is held up must
// not wait for minutes because of that, so that its age counts and not its attempts
// alone.
func waitStep(item Item, now time.Time) time.Duration {
	waited := time.Duration(0)
	for index, step := range waitSteps {
		waited += step
		if index >= item.Attempts || waited > now.Sub(item.First) {
			return step
		}
	}
	return waitSteps[len(waitSteps)-1]
}

// write carries out all plans, one call per side. Its error is that the lane may be
// another worker's.
func (r *round) write(ctx context.Context) error {
	var outlook, nightpos []*subject
	var copies []OutlookWrite
	var records []RecordWrite
	for _, subject := range r.subjects {
		if subject.skip {
			continue
		}
		if write := subject.plan.Outlook; write != nil {
			sent := *write
			sent.Event.People = r.diversify(subject, write.Event.People)
			sent.Current = subject.original
			outlook, copies = append(outlook, subject), append(copies, sent)
		}
		if write := subject.plan.NightPOS; write != nil {
			nightpos, records = append(nightpos, subject), append(records, *write)
		}
	}
	if len(copies)+len(records) == 0 {
		return nil
	}
	if err := r.held.confirm(ctx); err != nil {
		return err
	}
	var group sync.WaitGroup
	if len(copies) > 0 {
		group.Go(func() {
			for position, result := range r.engine.Outlook.Write(ctx, r.member, copies) {
				if result.Copy != nil {
					unified := &subject{}
					r.see(unified, *result.Copy)
					result.Copy = unified.state.Copy
				}
				outlook[position].outlook = &result
			}
		})
	}
	if len(records) > 0 {
		group.Go(func() {
			for position, result := range r.engine.NightPOS.Write(ctx, records) {
				nightpos[position].nightpos = &result
			}
		})
	}
	group.Wait()
	return nil
}

// settle turns the answers into what is to be recorded and the outcomes of the
// hints.
func (r *round) settle(subject *subject) {
	settled := subject.state.Settle(subject.plan, subject.outlook, subject.nightpos)
	if settled.Link != nil {
		if settled.Drop {
			r.commit.Drop = append(r.commit.Drop, settled.Link.RecordID)
		} else if subject.link == nil || !sameLink(*subject.link, *settled.Link) {
			settled.Link.Updated = r.engine.Now()
			r.commit.Links = append(r.commit.Links, *settled.Link)
		}
		if settled.Link.ICalUID != "" && !settled.Link.Ended && (subject.link == nil || subject.link.ICalUID != settled.Link.ICalUID) {
			if r.meetings == nil {
				r.meetings = map[string]int64{}
			}
			r.meetings[settled.Link.ICalUID] = settled.Link.RecordID
		}
	}
	r.report(subject, settled)
	for _, item := range subject.items {
		r.conclude(subject, settled, item)
	}
}

func sameLink(a, b Link) bool {
	a.Updated, b.Updated = time.Time{}, time.Time{}
	return reflect.DeepEqual(a, b)
}

// conclude decides what becomes of one hint.
func (r *round) conclude(subject *subject, settled Settled, item Item) {
	switch {
	case isRefusal(settled.Err):
		r.refused(item, settled.Err, subject.plan.deletes())
	case settled.Err != nil:
		r.fail(item, settled.Err)
	case settled.Again:
		r.retry(item, 0, "")
	case subject.plan.Wait && r.engine.awaits(item, subject.findable()):
		r.await(item, subject.plan)
	case subject.plan.Wait:
		r.done(item.Key)
	case r.unsettled(subject, item) && item.Attempts < len(settleSteps):
		r.retry(item, settleSteps[item.Attempts], "")
	default:
		r.done(item.Key)
	}
}

// await has a hint wait for the organizer's lane.
func (r *round) await(item Item, plan Plan) {
	step := waitStep(item, r.engine.Now())
	if plan.late && item.Priority == PriorityBackfill && !late(item) {
		step = lateSteps[item.Attempts]
	}
	r.retry(item, step, plan.Reason)
}

// awaits says that a hint waits on for the organizer's lane.
func (e *Engine) awaits(item Item, findable bool) bool {
	return item.Attempts < len(waitSteps) || findable && !e.overdue(item)
}

// overdue says that the organizer's lane has had all the time it can need.
func (e *Engine) overdue(item Item) bool { return e.Now().Sub(item.First) >= e.organizerTime() }

// findable says that a copy whose meeting is waited for would be recognised as that
// meeting's: without an iCalUId waiting longer finds nothing.
func (s *subject) findable() bool { return s.state.Copy == nil || s.state.Copy.ICalUID != "" }

// organizerTime is by when the organizer's lane has found a meeting that it was
// not told of: a round of changes is up to a tenth late, and leaves what it finds
// to the notifications for a while.
func (e *Engine) organizerTime() time.Duration {
	return e.ChangesEvery + e.ChangesEvery/10 + tellingTime
}

// unsettled says that a hint from NightPOS may speak of something that cannot be
// read yet.
func (r *round) unsettled(subject *subject, item Item) bool {
	side, _, _ := ParseKey(item.Key)
	if side != SideNightPOS || item.Priority == PriorityBackfill {
		return false
	}
	record := subject.state.Record
	switch {
	case item.Version == VersionDeleted:
		return record != nil
	case record == nil:
		return true
	case item.Version != "":
		return record.Stamp < item.Version
	}
	// An attendee's answer: nothing but the answer itself shows that it is in.
	return subject.plan.Idle()
}

// report writes the activity log and tells the observer.
func (r *round) report(subject *subject, settled Settled) {
	now := r.engine.Now()
	activity := Activity{Time: now, Lane: r.lease.Lane, RecordID: subject.recordID, GraphID: subject.graphID}
	if settled.Link != nil {
		activity.RecordID, activity.GraphID = settled.Link.RecordID, settled.Link.GraphID
	}
	if settled.Err != nil {
		activity.Reason = failure(settled.Err, subject.plan.deletes())
		r.commit.Activities = append(r.commit.Activities, activity)
		return
	}
	if subject.plan.Idle() {
		if subject.plan.Reason != "" && !subject.plan.Wait {
			activity.Reason = subject.plan.Reason
			r.commit.Activities = append(r.commit.Activities, activity)
		}
		return
	}
	activity.Lag = lag(subject.items, now)
	for _, conflict := range subject.plan.Conflicts {
		r.engine.Observer.Conflict(conflict.Field)
	}
	untold := r.untold(subject)
	if write := subject.plan.NightPOS; write != nil {
		line := activity
		line.From, line.Action, line.Fields = SideOutlook, write.Action, write.Fields.Sorted()
		line.Conflicts = lost(subject.plan.Conflicts, SideNightPOS)
		r.engine.Observer.Synced(SideOutlook, write.Action, line.Lag)
		if untold {
			r.engine.Observer.Untold(SideOutlook)
			r.doubt()
		}
		r.commit.Activities = append(r.commit.Activities, line)
	}
	if write := subject.plan.Outlook; write != nil {
		line := activity
		line.From, line.Action, line.Fields, line.Mails = SideNightPOS, write.Action, write.Fields.Sorted(), subject.plan.Mails
		line.Conflicts = lost(subject.plan.Conflicts, SideOutlook)
		r.engine.Observer.Synced(SideNightPOS, write.Action, line.Lag)
		if untold {
			r.engine.Observer.Untold(SideNightPOS)
		}
		r.commit.Activities = append(r.commit.Activities, line)
	}
}

// doubt has the subscription looked at, once for a round.
func (r *round) doubt() {
	if !slices.ContainsFunc(r.also, func(item Item) bool { return item.Key == KeySubscription }) {
		r.also = append(r.also, Item{Key: KeySubscription, First: r.engine.Now(), Version: SignalSilent})
	}
}

// lost are the conflicts that a side lost; they belong to the write that
// replaced its value.
func lost(conflicts []Conflict, loser Side) []Conflict {
	var found []Conflict
	for _, conflict := range conflicts {
		if conflict.Loser == loser {
			found = append(found, conflict)
		}
	}
	return found
}

// lag counts from the earliest hint.
func lag(items []Item, now time.Time) time.Duration {
	var first time.Time
	for _, item := range items {
		if !item.First.IsZero() && (first.IsZero() || item.First.Before(first)) {
			first = item.First
		}
	}
	if first.IsZero() {
		return 0
	}
	return max(now.Sub(first), 0)
}

// recorded is what of a round's commits its later parts have to know.
type recorded struct {
	links       map[int64]bool
	occurrences map[int64]int64
}

// record saves what the round found out since it did so last. Which record stands for
// an iCalUId is saved first: a link without it would leave other lanes waiting.
func (r *round) record(ctx context.Context) error {
	return r.engine.persist(ctx, r.held, r.recordOnce)
}

func (r *round) recordOnce(ctx context.Context) error {
	if len(r.also) > 0 {
		if err := r.engine.Queue.Add(ctx, r.lease.Lane, r.also...); err != nil {
			return fmt.Errorf("queueing what else must be looked at: %w", err)
		}
	}
	if len(r.meetings) > 0 {
		if err := r.engine.Store.SetMeetings(ctx, r.meetings); err != nil {
			return fmt.Errorf("recording meetings: %w", err)
		}
	}
	if len(r.commit.Links)+len(r.commit.Drop)+len(r.commit.Activities)+len(r.commit.Occurrences) > 0 {
		if err := r.engine.Store.Commit(ctx, r.lease, r.commit); err != nil {
			return fmt.Errorf("recording links: %w", err)
		}
	}
	if r.recorded.links == nil {
		r.recorded = recorded{links: map[int64]bool{}, occurrences: map[int64]int64{}}
	}
	for _, link := range r.commit.Links {
		r.recorded.links[link.RecordID] = true
	}
	for _, id := range r.commit.Drop {
		delete(r.recorded.links, id)
	}
	maps.Copy(r.recorded.occurrences, r.commit.Occurrences)
	r.also, r.meetings, r.commit, r.settled = nil, nil, Commit{}, len(r.outcomes)
	return nil
}

// relinked says that a record has got a link in this round.
func (r *round) relinked(record int64) bool {
	return r.recorded.links[record] || slices.ContainsFunc(r.commit.Links, func(link Link) bool { return link.RecordID == record })
}

// standsIn is the series that a record was found to be an occurrence of in this round;
// zero for none.
func (r *round) standsIn(record int64) int64 {
	if series, known := r.commit.Occurrences[record]; known {
		return series
	}
	return r.recorded.occurrences[record]
}
