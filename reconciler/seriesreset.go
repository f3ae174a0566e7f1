package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"github.com/google/uuid"
)

// DeletedSeries is what a Deleted that is a series shows besides its Event, which
// is what most occurrences show, at the time of the rule's first slot.
type DeletedSeries struct {
	// RecurrenceID is the NightPOS recurrence that it was linked to.
	RecurrenceID int64
	Rule         Rule
	// From and To are the first and the last slot that NightPOS held.
	From, To Date
	// Occurrences are those that differ from the rest.
	Occurrences []DeletedOccurrence
}

// DeletedOccurrence is an occurrence that differs from the rest of its series: it
// shows something else, or was deleted before. One without a Slot stood outside
// the rule.
type DeletedOccurrence struct {
	Slot      Date
	Cancelled bool
	Event     Event
}

// withoutSeries takes the links of series out of a list.
func withoutSeries(links []Link) (single, series []Link) {
	for _, link := range links {
		if link.Series != nil {
			series = append(series, link)
		} else {
			single = append(single, link)
		}
	}
	return single, series
}

// seriesCalendars are the two calendars as far as they know series.
func (r *round) seriesCalendars() (outlook SeriesOutlook, nightpos SeriesNightPOS, known bool) {
	outlook, inOutlook := r.engine.Outlook.(SeriesOutlook)
	nightpos, inNightPOS := r.engine.NightPOS.(SeriesNightPOS)
	return outlook, nightpos, inOutlook && inNightPOS
}

// seriesAside is work on series of a round of its own, so that looking at them
// leaves no trace in this one.
func (r *round) seriesAside() (*seriesWork, error) {
	outlook, nightpos, known := r.seriesCalendars()
	if !known {
		return nil, errNoSeries
	}
	aside := &round{engine: r.engine, member: r.member, directory: r.directory, lease: r.lease}
	return &seriesWork{round: aside, outlook: outlook, nightpos: nightpos}, nil
}

// seriesStates reads both halves of linked series.
func (r *round) seriesStates(ctx context.Context, links []Link) ([]*seriesSubject, error) {
	if len(links) == 0 {
		return nil, nil
	}
	work, err := r.seriesAside()
	if err != nil {
		return nil, err
	}
	for _, link := range links {
		work.series = append(work.series, &seriesSubject{link: &link})
	}
	if err := work.read(ctx); err != nil {
		return nil, err
	}
	for _, subject := range work.series {
		if subject.err != nil {
			return nil, fmt.Errorf("reading series: %w", subject.err)
		}
		if err := work.apartOf(ctx, subject); err != nil {
			return nil, err
		}
		subject.state.State = r.frame(nil)
		subject.state.Link, subject.state.Earliest = subject.link, r.engine.window().Start
		subject.state.prepare()
	}
	return work.series, nil
}

// resetSeries deletes what is to be deleted of one series: its master in one write,
// which calls all of it off with one mail to each attendee, and all its records.
func (r *round) resetSeries(ctx context.Context, subject *seriesSubject, inOutlook, inNightPOS bool) error {
	outlook, nightpos, _ := r.seriesCalendars()
	if inOutlook {
		result := outlook.WriteSeries(ctx, r.member, SeriesCopyWrite{Action: ActionDelete, ID: subject.state.Series.ID, Current: subject.original})
		if result.Err != nil && !errors.Is(result.Err, ErrGone) {
			return fmt.Errorf("deleting in Outlook: %w", result.Err)
		}
	}
	if inNightPOS {
		write := SeriesRecordWrite{ID: subject.state.Recurrence.ID}
		for _, record := range subject.state.Recurrence.Occurrences {
			if !subject.state.Apart[record.ID] {
				write.Delete = append(write.Delete, record.ID)
			}
		}
		if result := nightpos.WriteSeries(ctx, write); result.Err != nil && !errors.Is(result.Err, ErrGone) {
			return fmt.Errorf("deleting in NightPOS: %w", result.Err)
		}
	}
	return nil
}

// deletedSeries is a series as it has to be kept to be restored.
func deletedSeries(side Side, state *SeriesState) Deleted {
	one := deletedOf(side, state.State)
	kept := &DeletedSeries{RecurrenceID: state.Link.Series.RecurrenceID}
	if side == SideOutlook {
		kept.Rule = state.Series.Rule
		one.Event = state.Series.Event
		for _, slot := range slices.SortedFunc(maps.Keys(state.Series.Cancelled), Date.Compare) {
			kept.Occurrences = append(kept.Occurrences, DeletedOccurrence{Slot: slot, Cancelled: true})
		}
		for _, slot := range slices.SortedFunc(maps.Keys(state.Series.Exceptions), Date.Compare) {
			kept.Occurrences = append(kept.Occurrences, DeletedOccurrence{Slot: slot, Event: state.Series.Exceptions[slot].Event})
		}
	} else {
		view := state.nightpos
		if !view.rule.Repeats() && state.Recurrence.ID != 0 {
			view.schedule = schedule{rule: state.Link.Series.Rule, first: state.Link.Series.First}
		}
		kept.Rule, kept.From, kept.To = view.rule, view.from, view.to
		one.Event = view.event
		one.Event.When = view.first
		for _, slot := range view.slots(view.from, view.to, maxSlots) {
			shown, there := view.occurrences[slot]
			switch {
			case !there:
				kept.Occurrences = append(kept.Occurrences, DeletedOccurrence{Slot: slot, Cancelled: true})
			case !reflect.DeepEqual(shown.event, regularAt(view.event, view.schedule, slot)):
				kept.Occurrences = append(kept.Occurrences, DeletedOccurrence{Slot: slot, Event: shown.event})
			}
		}
		for _, record := range view.extra {
			kept.Occurrences = append(kept.Occurrences, DeletedOccurrence{Event: plain(record.Event)})
		}
	}
	if kept.Rule.Repeats() {
		one.Series = kept
	}
	return one
}

// regularAt is what an occurrence shows that is no exception.
func regularAt(event Event, of schedule, slot Date) Event {
	event.When = of.at(slot)
	return plain(event)
}

// restoreSeries brings back what was deleted of one series, with its rule, its
// exceptions and without the occurrences that had been deleted before. See
// restoreStep.
func (r *round) restoreSeries(ctx context.Context, reset Reset, deleted []Deleted) error {
	pair := deleted[0]
	linked := &LinkedSeries{RecurrenceID: pair.Series.RecurrenceID}
	subjects, err := r.seriesStates(ctx, []Link{{RecordID: pair.RecordID, GraphID: pair.GraphID, Role: pair.Role, Series: linked}})
	if err != nil {
		return err
	}
	state := subjects[0].state
	again := &SeriesState{State: r.frame(nil), Series: state.Series, Recurrence: state.Recurrence, Apart: state.Apart, Earliest: state.Earliest}
	commit := Commit{}
	for _, side := range []Side{SideNightPOS, SideOutlook} {
		index := slices.IndexFunc(deleted, func(one Deleted) bool { return one.Side == side })
		if index < 0 {
			continue
		}
		if err := r.remakeSeries(ctx, reset, deleted[index], again); err != nil {
			return err
		}
		line := Activity{Time: r.engine.Now(), Lane: r.lease.Lane, From: side.Other(), Action: ActionCreate, Reason: "undo " + reset.Restore}
		if again.Series != nil {
			line.GraphID = again.Series.ID
		}
		if again.Recurrence != nil {
			line.RecordID = again.base().ID
		}
		commit.Activities = append(commit.Activities, line)
	}
	if again.Series != nil && again.Recurrence != nil {
		plan := again.Plan()
		plan.Copy, plan.Record, plan.Apart, plan.expected, plan.held = nil, nil, nil, nil, true
		settled := again.Settle(plan, nil, nil)
		if settled.Link != nil && settled.Err == nil {
			settled.Link.Updated = r.engine.Now()
			commit.Links, commit.Occurrences = append(commit.Links, *settled.Link), settled.Occurrences
		}
	}
	return r.restored(ctx, commit)
}

// remakeSeries makes again what was deleted of a series on one side.
func (r *round) remakeSeries(ctx context.Context, reset Reset, one Deleted, state *SeriesState) error {
	if err := r.held.confirm(ctx); err != nil {
		return err
	}
	outlook, nightpos, _ := r.seriesCalendars()
	of := schedule{rule: one.Series.Rule, first: one.Event.When}
	if one.Side == SideNightPOS {
		if state.Recurrence != nil {
			return nil
		}
		rule, first := ruleFor(of, one.Series.From, one.Series.To)
		result := nightpos.WriteSeries(ctx, SeriesRecordWrite{
			Key: "undo_" + reset.Restore + "_" + strconv.FormatInt(one.RecordID, 10), Rule: &rule, First: first, Zone: first.Zone,
			OrganizerUserID: one.OrganizerUserID, Create: one.occurrences(of),
		})
		if result.Err != nil {
			return fmt.Errorf("restoring in NightPOS: %w", result.Err)
		}
		state.Recurrence = result.Record
		return nil
	}
	if state.Series != nil {
		return nil
	}
	write := SeriesCopyWrite{
		Action: ActionCreate, Event: one.Event, Fields: NewFieldSet(Fields()...), Rule: one.Series.Rule, RecordID: one.RecordID,
		Key: uuid.NewSHA1(uuid.NameSpaceOID, []byte("nightpos-outlook-gateway/undo/"+reset.Restore+"/"+one.Name())).String(),
	}
	write.Event.People = nil
	if state.Recurrence != nil {
		write.RecordID = state.base().ID
	}
	for _, differs := range one.Series.Occurrences {
		change := OccurrenceWrite{Slot: differs.Slot, When: of.at(differs.Slot), Action: ActionDelete}
		if !differs.Cancelled {
			change.Action, change.Event = ActionUpdate, differs.Event
			change.Event.People = nil
			change.Fields = state.differing(r.engine.Outlook, regularAt(write.Event, of, differs.Slot), plain(change.Event))
		}
		if differs.Cancelled || len(change.Fields) > 0 {
			write.Occurrences = append(write.Occurrences, change)
		}
	}
	result := outlook.WriteSeries(ctx, r.member, write)
	if result.Err == nil && result.Existed && len(write.Occurrences) > 0 {
		// It was made before, and perhaps not all of it.
		result = outlook.WriteSeries(ctx, r.member, SeriesCopyWrite{ID: result.Copy.ID, Current: result.Copy, Occurrences: write.Occurrences})
	}
	if result.Err != nil {
		return fmt.Errorf("restoring in Outlook: %w", result.Err)
	}
	for _, err := range result.Occurrences {
		if err != nil {
			return fmt.Errorf("restoring in Outlook: %w", err)
		}
	}
	state.Series = r.unifySeries(*result.Copy)
	return nil
}

// occurrences are what NightPOS showed of a series, in the order of their slots.
func (d Deleted) occurrences(of schedule) []Event {
	differ := map[Date]DeletedOccurrence{}
	var outside []Event
	for _, one := range d.Series.Occurrences {
		if one.Slot.IsZero() {
			outside = append(outside, one.Event)
		} else {
			differ[one.Slot] = one
		}
	}
	var events []Event
	for _, slot := range of.slots(d.Series.From, d.Series.To, maxSlots) {
		one, differs := differ[slot]
		switch {
		case !differs:
			events = append(events, regularAt(d.Event, of, slot))
		case !one.Cancelled:
			events = append(events, one.Event)
		}
	}
	return append(events, outside...)
}

// addresses are whom Outlook writes to when it is called off, each once.
func (d Deleted) addresses(member Member) []string {
	state := State{Member: member, Copy: &Copy{Event: d.Event}}
	found := state.addressees()
	if d.Series == nil {
		return found
	}
	for _, one := range d.Series.Occurrences {
		state.Copy = &Copy{Event: one.Event}
		found = append(found, state.addressees()...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}
