package reconciler

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

var errUnread = errors.New("a series in another calendar cannot be read just now")

// unlinkedElsewhere pairs the series that are alone in NightPOS with masters
// elsewhere. It needs all of those: what is taken for alone is made a second time.
func (w *seriesWork) unlinkedElsewhere(ctx context.Context, listed *listedSeries, apart *elsewheres, found []seriesHalves) ([]seriesHalves, error) {
	alone := func(one seriesHalves) bool { return one.copied == nil && !one.ambiguous }
	records := map[int64][]*Record{}
	for _, one := range found {
		if alone(one) {
			records[one.record.ID] = listed.records[one.record.ID]
		}
	}
	if len(apart.series) == 0 || len(records) == 0 {
		return found, nil
	}
	others, failed, err := w.unlinked(ctx, &listedSeries{copies: apart.series, records: records})
	if err != nil {
		return nil, fmt.Errorf("looking into other calendars: %w", err)
	}
	if len(failed) > 0 {
		return nil, &RetryError{Cause: "outlook_unreadable", Err: errUnread}
	}
	found = slices.DeleteFunc(found, alone)
	for _, one := range others {
		if one.record != nil {
			found = append(found, one)
		}
	}
	return found, nil
}

// noteSeries is note for a series; nil where NightPOS has no series.
func (s *SeriesState) noteSeries(role Role) *Link {
	if s.Series == nil || s.Recurrence == nil || s.Recurrence.ID == 0 {
		return nil
	}
	link := s.note(role)
	link.Series = &LinkedSeries{
		RecurrenceID: s.Recurrence.ID, Rule: s.Series.Rule, First: s.Series.Event.When, From: s.nightpos.from, To: s.nightpos.to,
		Occurrences: map[Date]int64{},
	}
	for _, record := range s.Recurrence.Occurrences {
		slot := SlotDate(record.Event.When)
		for link.Series.Occurrences[slot] != 0 {
			slot = slot.Add(1)
		}
		if !s.Apart[record.ID] {
			link.Series.Occurrences[slot] = record.ID
		}
	}
	return link
}

// returnSeries is State.returned for a series.
func (s *SeriesState) returnSeries() {
	if s.Link.noted() && s.Series != nil && !s.Series.Copy.Cancelled && !s.Series.Elsewhere && s.Recurrence != nil && s.Recurrence.live() {
		s.Link = nil
	}
}

// leaveSeriesElsewhere is leaveElsewhere for one series; true when its hints are
// settled.
func (w *seriesWork) leaveSeriesElsewhere(ctx context.Context, subject *seriesSubject) (bool, error) {
	if subject.link != nil || subject.plan.keep != fateAside || subject.state.Recurrence == nil {
		return false, nil
	}
	free, err := w.free(ctx, subject.state.Recurrence.first(), subject.masterID)
	if err != nil || free {
		return false, err
	}
	for _, item := range subject.items {
		w.done(item.Key)
	}
	return true, nil
}
