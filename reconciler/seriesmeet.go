package reconciler

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// candidate is what would be done about a series, without doing it.
func (w *seriesWork) candidate(one seriesHalves) *seriesSubject {
	subject := &seriesSubject{items: []Item{{Attempts: 1}}}
	if one.copied != nil {
		subject.masterID = one.copied.ID
		w.seeSeries(subject, *one.copied)
	}
	if one.record != nil {
		subject.recurrenceID = one.record.ID
		subject.state.Recurrence = one.record
	}
	subject.state.Apart = map[int64]bool{}
	w.considerSeries(subject)
	return subject
}

// keyOfSeries is the item that has a series looked at.
func keyOfSeries(one seriesHalves) string {
	if one.copied != nil {
		return OutlookKey(one.copied.ID)
	}
	return NightPOSKey(one.record.first())
}

// first is the lowest id among the occurrences, which names the series among items.
func (s *SeriesRecord) first() int64 {
	return slices.MinFunc(s.Occurrences, func(a, b Record) int { return int(a.ID - b.ID) }).ID
}

// meetSeries is meet for series. A series counts as one event.
func (r *round) meetSeries(ctx context.Context, listed *listedSeries, apart *elsewheres, add func(key string), first bool) (Progress, []string, error) {
	if len(listed.copies)+len(listed.records) == 0 {
		return Progress{}, nil, nil
	}
	work, err := r.seriesAside()
	if err != nil {
		return Progress{}, nil, err
	}
	found, failed, err := work.unlinked(ctx, listed)
	if err != nil {
		return Progress{}, nil, err
	}
	for _, master := range failed {
		add(OutlookKey(master))
	}
	if found, err = work.unlinkedElsewhere(ctx, listed, apart, found); err != nil {
		return Progress{}, nil, err
	}
	var progress Progress
	var ambiguous []string
	commit, meetings := Commit{Occurrences: map[int64]int64{}}, map[string]int64{}
	for _, one := range found {
		subject := work.candidate(one)
		if one.ambiguous {
			ambiguous = append(ambiguous, keyOfSeries(one))
		}
		switch {
		case one.ambiguous:
			progress.Ambiguous++
		case subject.withheld.Class != "":
			progress.Held.add(subject.withheld.Class)
		case subject.withheld.Why != "":
			progress.Older++
		}
		// Of a pair, what mails nobody is done all the same.
		if !one.ambiguous && (!subject.plan.Idle() || subject.plan.Wait) && (one.record != nil || !one.copied.Copy.Cancelled) {
			if one.match != MatchNone {
				r.pair(one.record.first(), one.copied.ID)
				meetings[one.copied.meeting()] = one.record.first()
			}
			add(keyOfSeries(one))
		}
		if first && (one.ambiguous || subject.withheld.Why != "") && len(commit.Activities) < heldLines {
			commit.Activities = append(commit.Activities, r.heldSeries(subject, one))
		}
		noted := subject.plan.keep == fateAside && subject.state.elsewhere()
		if one.ambiguous || !subject.plan.Idle() || subject.plan.Wait || subject.plan.keep != fateLive && !noted {
			continue
		}
		settled := subject.state.Settle(subject.plan, nil, nil)
		if settled.Link == nil || settled.Err != nil || settled.Again {
			continue
		}
		settled.Link.Updated = r.engine.Now()
		commit.Links = append(commit.Links, *settled.Link)
		for record, series := range settled.Occurrences {
			commit.Occurrences[record] = series
		}
		if settled.Link.ICalUID != "" {
			meetings[settled.Link.ICalUID] = settled.Link.RecordID
		}
		if !noted {
			progress.Linked++
		} else if first && len(commit.Activities) < heldLines {
			line := r.heldSeries(subject, one)
			line.Reason = subject.plan.Reason
			commit.Activities = append(commit.Activities, line)
		}
	}
	if len(meetings) > 0 {
		if err := r.engine.Store.SetMeetings(ctx, meetings); err != nil {
			return progress, nil, fmt.Errorf("recording meetings: %w", err)
		}
	}
	if len(commit.Links)+len(commit.Activities) > 0 {
		if err := r.engine.Store.Commit(ctx, r.lease, commit); err != nil {
			return progress, nil, fmt.Errorf("recording links: %w", err)
		}
	}
	return progress, ambiguous, nil
}

// heldSeries says in the log why a series is kept back.
func (r *round) heldSeries(subject *seriesSubject, one seriesHalves) Activity {
	line := Activity{Time: r.engine.Now(), Lane: r.lease.Lane, GraphID: subject.masterID, Reason: subject.withheld.Why}
	if subject.state.Record != nil {
		line.RecordID = subject.state.Record.ID
	}
	if one.ambiguous {
		line.Reason = ambiguousReason
	}
	return line
}

// plus adds what was found of series to what was found of single events.
func (p Progress) plus(other Progress) Progress {
	p.Total, p.Linked = p.Total+other.Total, p.Linked+other.Linked
	p.Older, p.Ambiguous = p.Older+other.Older, p.Ambiguous+other.Ambiguous
	p.Held.WithAttendees += other.Held.WithAttendees
	p.Held.Alone += other.Held.Alone
	p.Held.Past += other.Held.Past
	return p
}

// creates says that the plan makes another half of the series.
func (p SeriesPlan) creates() bool {
	return p.makesSeries()
}

// awaitSeries is awaitListing for one series; true when its hints are settled.
func (w *seriesWork) awaitSeries(ctx context.Context, subject *seriesSubject) (bool, error) {
	if subject.link == nil && !subject.plan.Idle() {
		if connected, same, err := w.membership(ctx); err != nil || !same {
			if err == nil {
				w.leave(subject.items, connected)
			}
			return true, err
		}
	}
	if !subject.plan.creates() || !subject.state.old() {
		return false, nil
	}
	known, err := w.sweeps(ctx)
	if err != nil {
		return false, err
	}
	if known.Since.IsZero() {
		for _, item := range subject.items {
			w.outcomes = append(w.outcomes, Outcome{Key: item.Key, Park: true, After: listingStep, Reason: "waiting for the first sweep"})
		}
		return true, nil
	}
	key := OutlookKey(subject.masterID)
	if subject.state.Recurrence != nil {
		key = NightPOSKey(subject.state.Recurrence.first())
	}
	if !slices.Contains(strings.Split(known.Ambiguous, "\n"), key) {
		return w.leadToMaster(ctx, subject)
	}
	if slices.ContainsFunc(subject.items, func(item Item) bool { return item.Priority < PriorityBackfill }) {
		w.also = append(w.also, SweepItem(PriorityBackfill, w.engine.Now()))
	}
	for _, item := range subject.items {
		w.done(item.Key)
	}
	return true, nil
}

// leadToMaster is leadToCopies for one series; true when its hints are settled.
func (w *seriesWork) leadToMaster(ctx context.Context, subject *seriesSubject) (bool, error) {
	if subject.state.Recurrence == nil || subject.state.Series != nil {
		return false, nil
	}
	first := subject.state.Recurrence.first()
	pairs, err := w.copiesOf(ctx, []int64{first})
	if err != nil || pairs[first] == "" {
		return false, err
	}
	w.leadTo(pairs[first], subject.items)
	return true, nil
}

// previewSeries says what a sweep would do about every series that the listings
// show.
func (r *round) previewSeries(ctx context.Context, listed *listedSeries, apart *elsewheres, links []Link) ([]Foreseen, error) {
	if len(listed.copies)+len(listed.records)+len(links) == 0 {
		return nil, nil
	}
	work, err := r.seriesAside()
	if err != nil {
		return nil, err
	}
	for _, link := range links {
		work.series = append(work.series, &seriesSubject{link: &link, items: []Item{{Attempts: 1}}})
	}
	if err := work.read(ctx); err != nil {
		return nil, err
	}
	var foreseen []Foreseen
	for _, subject := range work.series {
		if subject.err == nil {
			if err := work.apartOf(ctx, subject); err != nil {
				return nil, err
			}
		}
		if subject.err != nil {
			foreseen = append(foreseen, Foreseen{
				Action: ForesightSkip, Why: "it cannot be read just now: " + subject.err.Error(), Unreadable: true, Linked: true,
				RecordID: subject.link.RecordID, GraphID: subject.link.GraphID, Mails: []string{},
			})
			continue
		}
		work.considerSeries(subject)
		foreseen = append(foreseen, foreseeSeries(subject, MatchNone, false))
	}
	found, failed, err := work.unlinked(ctx, listed)
	if err != nil {
		return nil, err
	}
	for _, master := range failed {
		foreseen = append(foreseen, Foreseen{
			Action: ForesightSkip, Why: "it cannot be read just now", Unreadable: true, GraphID: master, Mails: []string{}, Event: listed.copies[master][0].Event,
		})
	}
	if found, err = work.unlinkedElsewhere(ctx, listed, apart, found); err != nil {
		return nil, err
	}
	for _, one := range found {
		foreseen = append(foreseen, foreseeSeries(work.candidate(one), one.match, one.ambiguous))
	}
	return foreseen, nil
}

// foreseeSeries says in words what a plan for a series is: one entry, whatever is
// done to single occurrences.
func foreseeSeries(series *seriesSubject, match Match, ambiguous bool) Foreseen {
	plan := series.plan.Plan
	if write := series.plan.Copy; write != nil {
		plan.Outlook = &OutlookWrite{Action: write.action(), Fields: write.fields()}
	}
	if write := series.plan.Record; write != nil {
		plan.NightPOS = &RecordWrite{Action: write.action(), Fields: write.fields()}
	}
	state := &series.state
	one := foresee(&subject{link: series.link, state: state.State, plan: plan, withheld: series.withheld}, match, ambiguous)
	one.Event.When = state.firstTime()
	if _, fields, differs := state.drifted(series.plan); differs {
		one.Differs = fields.Sorted()
	}
	if len(one.Mails) > 0 && (plan.Outlook == nil || plan.Outlook.Action != ActionAnswer) {
		one.Mails = state.addresseesOfAll()
	}
	return one
}

// firstTime is when the series first takes place.
func (s *SeriesState) firstTime() When {
	if s.Series != nil {
		return s.Series.Event.When
	}
	if s.Recurrence != nil && len(s.Recurrence.Occurrences) > 0 {
		return s.Recurrence.Occurrences[0].Event.When
	}
	return When{}
}

// addresseesOfAll are whom Outlook writes to about a series or any occurrence.
func (s *SeriesState) addresseesOfAll() []string {
	found := s.addressees()
	for _, exception := range s.exceptions() {
		found = append(found, State{Member: s.Member, Copy: &Copy{Event: exception}}.addressees()...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func (s *SeriesState) exceptions() []Event {
	var events []Event
	if s.Series != nil {
		for _, exception := range s.Series.Exceptions {
			events = append(events, exception.Event)
		}
	}
	for _, record := range s.live {
		events = append(events, record.Event)
	}
	return events
}
