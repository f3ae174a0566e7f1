package reconciler

import (
	"context"
	"fmt"
	"slices"
)

// Whoever holds an invitation without being named in it was invited through a
// distribution list, or had it passed on. Holding it is attending: NightPOS, which
// knows no lists, is told so, and the organizer's mailbox, which has invited them
// already, is not.

// byList says that the member holds an invitation that does not name them, and that
// NightPOS has yet to be told.
func (s State) byList() bool {
	if s.Copy == nil || s.Copy.IsOrganizer || s.Member.Address == "" || s.Member.Is(s.Copy.Event.Organizer) {
		return false
	}
	if s.Link != nil && (!s.Link.Listed || s.Link.Ended || len(s.Link.NightPOS) > 0) {
		return false
	}
	return !slices.ContainsFunc(s.inOutlook().People, s.Member.Is)
}

// asAttendee is the member as NightPOS is to list them.
func (s State) asAttendee() Person {
	return Person{Address: s.Member.Address, Name: s.Member.Name, Answer: s.Copy.OwnAnswer}
}

// planJoin lists the member as an attendee in NightPOS.
func (s State) planJoin() Plan {
	event := s.Record.Event
	event.People = append(slices.Clone(event.People), s.asAttendee())
	return Plan{
		Role: RoleAttendee, From: SideOutlook, keep: fateLive, listed: true,
		NightPOS: &RecordWrite{
			Action: ActionUpdate, ID: s.Record.ID, Stamp: s.Record.Stamp, Current: s.Record, Event: event, Fields: NewFieldSet(FieldPeople),
		},
	}
}

// joinAll is planJoin for every occurrence.
func (s *SeriesState) joinAll() *SeriesRecordWrite {
	all := &SeriesRecordWrite{ID: s.Recurrence.ID, Current: s.Recurrence}
	for _, record := range s.live {
		if slices.ContainsFunc(record.Event.People, s.Member.Is) {
			continue
		}
		event := record.Event
		event.People = append(slices.Clone(event.People), s.asAttendee())
		all.Writes = append(all.Writes, RecordWrite{
			Action: ActionUpdate, ID: record.ID, Stamp: record.Stamp, Current: record, Event: event, Fields: NewFieldSet(FieldPeople),
		})
	}
	if len(all.Writes) == 0 {
		return nil
	}
	return all
}

// listedIntent is the link to be recorded before NightPOS is told: the organizer's
// lane may hear of the new attendee before this one is done.
func (s State) listedIntent() *Link {
	return &Link{RecordID: s.Record.ID, GraphID: s.Copy.ID, ICalUID: s.Copy.ICalUID, Role: RoleAttendee, Generation: 1, Listed: true}
}

// holders are those of the people newly listed in NightPOS who hold the invitation
// through a list.
func (r *round) holders(ctx context.Context, recordID int64, invited, known []Person) (map[string]bool, error) {
	found := map[string]bool{}
	for _, person := range invited {
		member, connected := r.directory.byAddress[person.Key()]
		if !connected || member.ID == r.member.ID || slices.ContainsFunc(known, func(other Person) bool { return other.Key() == person.Key() }) {
			continue
		}
		links, err := r.engine.Store.Links(ctx, member.ID, nil, []int64{recordID})
		if err != nil {
			return nil, fmt.Errorf("reading who holds an invitation: %w", err)
		}
		if slices.ContainsFunc(links, func(link Link) bool { return link.Listed && !link.Ended }) {
			found[person.Key()] = true
		}
	}
	return found, nil
}

// spareHolders takes out of the plans whom Outlook would invite a second time.
func (r *round) spareHolders(ctx context.Context) error {
	for _, subject := range r.subjects {
		write := subject.plan.Outlook
		if subject.skip || write == nil || write.Action != ActionUpdate || !write.Fields.Has(FieldPeople) {
			continue
		}
		state := &subject.state
		holders, err := r.holders(ctx, subject.recordID, write.Event.People, state.Copy.Event.People)
		if err != nil {
			return err
		}
		if len(holders) > 0 {
			state.holders = holders
			subject.plan, subject.withheld = state.Withhold(state.Plan())
		}
	}
	return nil
}

// spareSeriesHolders is spareHolders for one series.
func (w *seriesWork) spareSeriesHolders(ctx context.Context, subject *seriesSubject) error {
	write, state := subject.plan.Copy, &subject.state
	if write == nil || state.Series == nil || state.Record == nil || !write.fields().Has(FieldPeople) {
		return nil
	}
	invited := slices.Clone(write.Event.People)
	for _, change := range write.Occurrences {
		invited = append(invited, change.Event.People...)
	}
	holders, err := w.holders(ctx, state.Record.ID, invited, state.Series.Event.People)
	if err != nil || len(holders) == 0 {
		return err
	}
	state.holders = holders
	subject.plan, subject.withheld = state.Withhold(state.Plan())
	return nil
}
