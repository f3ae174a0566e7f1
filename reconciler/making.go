package reconciler

import (
	"context"
	"fmt"
	"time"
)

// Which record was made for a copy is known once the link is recorded. A worker that
// dies in between leaves a record that nobody knows: the copy's hint comes back and
// finds it by its key. But if a person has deleted the copy meanwhile, the record would
// be taken for one that Outlook lacks yet, and the meeting would come back. So it is
// noted beforehand which copy a record is about to be made for.

// makingLife is how long that is remembered: longer than a lane may be held up by
// workers that die one after the other.
const makingLife = time.Hour

// noteMaking remembers for which copies records are about to be made. What sweeps alone
// speak of nobody has just made, and is seldom deleted in that moment.
func (r *round) noteMaking(ctx context.Context) error {
	copies := map[string]string{}
	for _, subject := range r.subjects {
		if write := subject.plan.NightPOS; !subject.skip && write != nil && write.Action == ActionCreate && write.Key != "" &&
			subject.plan.Role == RoleOrganizer && !subject.swept() {
			copies[write.Key] = subject.state.Copy.ID
		}
	}
	if len(copies) == 0 {
		return nil
	}
	r.making = copies
	if err := r.engine.Store.SetMaking(ctx, r.lease.Lane, copies, makingLife); err != nil {
		return fmt.Errorf("noting which records are about to be made: %w", err)
	}
	return nil
}

// made takes back what was noted, once the links are recorded: a record whose link ends
// later, as by a reset, is nobody's because of that.
func (r *round) made(ctx context.Context) error {
	if len(r.making) == 0 {
		return nil
	}
	for key := range r.making {
		r.making[key] = ""
	}
	if err := r.engine.Store.SetMaking(ctx, r.lease.Lane, r.making, time.Second); err != nil {
		return fmt.Errorf("taking back which records were about to be made: %w", err)
	}
	r.making = nil
	return nil
}

// unrecorded finds records that were made for copies which are gone, and gives them the
// links that were never recorded: what becomes of them is decided as for any other
// pair of which one half is missing.
func (r *round) unrecorded(ctx context.Context) error {
	orphans := map[string]*subject{}
	var keys []string
	for _, subject := range r.subjects {
		record := subject.state.Record
		if subject.skip || subject.link != nil || subject.graphID != "" || record == nil || record.Archived || record.ExternalKey == "" ||
			record.OrganizerUserID != r.member.UserID {
			continue
		}
		if r.member.First.older(record.Created) {
			// It was made for a copy in the mailbox of a former connection.
			continue
		}
		orphans[record.ExternalKey] = subject
		keys = append(keys, record.ExternalKey)
	}
	if len(keys) == 0 {
		return nil
	}
	made, err := r.engine.Store.Making(ctx, r.lease.Lane, keys)
	if err != nil {
		return fmt.Errorf("reading what records were made for: %w", err)
	}
	if len(made) == 0 {
		return nil
	}
	var ids []string
	for _, id := range made {
		ids = append(ids, id)
	}
	copies, itemErrors, err := r.engine.Outlook.Read(ctx, r.member, ids)
	for key, id := range made {
		subject := orphans[key]
		failed := err
		if failed == nil {
			failed = itemErrors[id]
		}
		if failed != nil {
			r.abandon(subject, failed)
			continue
		}
		if _, there := copies[id]; !there {
			// One that is there is brought together by its own hint, or a sweep.
			subject.graphID, subject.link = id, &Link{RecordID: subject.recordID, GraphID: id, Role: RoleOrganizer}
		}
	}
	return nil
}
