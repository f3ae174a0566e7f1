package reconciler

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
)

// writeSeries carries out the plan. Outlook goes first: what it refuses is not to
// stand in NightPOS alone.
func (w *seriesWork) writeSeries(ctx context.Context, subject *seriesSubject) (*SeriesCopyResult, *SeriesRecordResult) {
	var outlook *SeriesCopyResult
	var nightpos *SeriesRecordResult
	if write := subject.plan.Copy; write != nil {
		sent := *write
		sent.Current = subject.original
		sent.Event.People = w.diversifySeries(subject.original, write.Event.People)
		sent.Occurrences = slices.Clone(write.Occurrences)
		for index := range sent.Occurrences {
			change := &sent.Occurrences[index]
			change.Event.People = w.diversifySeries(subject.original, change.Event.People)
			if subject.original != nil && change.Current != nil {
				if exception, there := subject.original.Exceptions[change.Slot]; there {
					change.Current = &exception
				}
			}
		}
		result := w.outlook.WriteSeries(ctx, w.member, sent)
		if result.Copy != nil {
			result.Copy = w.unifySeries(*result.Copy)
		}
		outlook = &result
	}
	if write := subject.plan.Record; write != nil {
		result := w.nightpos.WriteSeries(ctx, *write)
		nightpos = &result
	}
	return outlook, nightpos
}

// diversifySeries is diversify for series.
func (w *seriesWork) diversifySeries(original *SeriesCopy, people []Person) []Person {
	known := &subject{}
	if original != nil {
		master := original.Copy
		master.Event.People = slices.Clone(master.Event.People)
		for _, exception := range original.Exceptions {
			master.Event.People = append(master.Event.People, exception.Event.People...)
		}
		known.original = &master
	}
	return w.diversify(known, people)
}

// settleSeries records what became of one series and of its hints.
func (w *seriesWork) settleSeries(subject *seriesSubject, settled SeriesSettled) {
	now := w.engine.Now()
	if settled.Link != nil {
		if subject.link.noted() && settled.DropID == 0 && subject.link.RecordID != settled.Link.RecordID {
			settled.DropID = subject.link.RecordID
		}
		if settled.Drop {
			w.drop(settled.Link.RecordID)
		} else if subject.link == nil || !sameLink(*subject.link, *settled.Link) {
			settled.Link.Updated = now
			w.commit.Links = append(w.commit.Links, *settled.Link)
		}
		w.release(subject, settled)
		if settled.Link.ICalUID != "" && !settled.Link.Ended &&
			(subject.link == nil || subject.link.ICalUID != settled.Link.ICalUID || subject.link.RecordID != settled.Link.RecordID) {
			if w.meetings == nil {
				w.meetings = map[string]int64{}
			}
			w.meetings[settled.Link.ICalUID] = settled.Link.RecordID
		}
	}
	for record, series := range settled.Occurrences {
		if series == 0 && w.standsIn(record) != 0 {
			// Another series of this round has it now.
			continue
		}
		w.gone(record)
		w.commit.Occurrences[record] = series
	}
	if settled.Err == nil {
		for _, record := range subject.plan.Apart {
			apart := Link{RecordID: record, Role: subject.plan.Role, Apart: true, Updated: now}
			if subject.link != nil && subject.link.RecordID == record {
				apart.Generation = subject.link.Generation + 1
			}
			w.commit.Links = append(w.commit.Links, apart)
			w.also = append(w.also, Item{Key: NightPOSKey(record), First: now})
		}
	}
	w.reportSeries(subject, settled)
	for _, item := range subject.items {
		w.concludeSeries(subject, settled, item)
	}
}

// drop removes the link of a record, which may stand in another series by now: that is
// recorded only where it has no link of its own.
func (w *seriesWork) drop(record int64) {
	w.commit.Drop = append(w.commit.Drop, record)
	if series := w.standsIn(record); series != 0 {
		w.gone(record)
		w.commit.Occurrences[record] = series
	}
}

// release gives up the record that a series was known by, if it is known by another
// one now. What was made for the record once must not be taken for what is made for it
// later, so that the number of the next copy is remembered.
func (w *seriesWork) release(subject *seriesSubject, settled SeriesSettled) {
	role := settled.Link.Role
	makes := role == RoleOrganizer || role == RoleStandIn
	switch {
	case settled.DropID == 0 || slices.Contains(subject.plan.Apart, settled.DropID),
		w.relinked(settled.DropID):
		// It has another link from now on.
	case subject.link != nil && subject.link.RecordID == settled.DropID && subject.link.Generation > 0 && makes:
		w.commit.Links = append(w.commit.Links, Link{
			RecordID: settled.DropID, Role: role, Generation: subject.link.Generation + 1, Ended: true, Updated: w.engine.Now(),
		})
	default:
		w.drop(settled.DropID)
	}
}

// concludeSeries decides what becomes of one hint.
func (w *seriesWork) concludeSeries(subject *seriesSubject, settled SeriesSettled, item Item) {
	switch {
	case isRefusal(settled.Err):
		w.refused(item, settled.Err, subject.plan.deletes())
	case settled.Err != nil:
		w.fail(item, settled.Err)
	case settled.Again:
		w.retry(item, 0, "")
	case settled.undeleted != nil:
		w.refused(item, settled.undeleted, true)
	case subject.plan.Wait && w.engine.awaitsSeries(item):
		w.await(item, subject.plan.Plan)
	case subject.unsettled(item) && item.Attempts < len(settleSteps):
		w.retry(item, settleSteps[item.Attempts], "")
	case subject.behind(item) && w.engine.Now().Sub(item.First) < staleTime:
		// Not by attempts: told again, it is looked at again before its time.
		w.retry(item, staleTime, "")
	default:
		w.done(item.Key)
	}
}

// awaitsSeries says that a hint waits on for the organizer's lane: by its age too,
// since the hints about one invitation to a series may be more than there are steps.
func (e *Engine) awaitsSeries(item Item) bool {
	return item.Attempts < len(waitSteps) || e.Now().Sub(item.First) < seriesWaitTime
}

// seriesWaitTime is how long all waitSteps take, some six minutes.
var seriesWaitTime = func() (all time.Duration) {
	for _, step := range waitSteps {
		all += step
	}
	return all
}()

// staleTime is for how long Graph may show a series as it was before one of its
// occurrences changed.
const staleTime = 3 * time.Second

// behind says that a hint named a version of the series that is not known, and that
// the series showed another one: either the hint is late, or what was read. So may it
// be where several hints are one, which then name none.
func (s *seriesSubject) behind(item Item) bool {
	side, _, _ := ParseKey(item.Key)
	return side == SideOutlook && (item.Version != "" || item.Priority < PriorityBackfill) && item.Version != VersionDeleted &&
		s.state.Series != nil && s.state.Series.ChangeKey != item.Version
}

// unsettled says that a hint from NightPOS may speak of something that cannot be
// read yet.
func (s *seriesSubject) unsettled(item Item) bool {
	side, _, id := ParseKey(item.Key)
	if side != SideNightPOS || item.Priority == PriorityBackfill || s.state.Recurrence == nil {
		return false
	}
	index := slices.IndexFunc(s.state.Recurrence.Occurrences, func(record Record) bool { return record.ID == id })
	switch {
	case item.Version == VersionDeleted:
		return index >= 0
	case index < 0:
		// It belongs to another series by now, or to none.
		return false
	case item.Version != "":
		return s.state.Recurrence.Occurrences[index].Stamp < item.Version
	}
	return s.plan.Idle()
}

// reportSeries writes the activity log and tells the observer.
func (w *seriesWork) reportSeries(subject *seriesSubject, settled SeriesSettled) {
	now := w.engine.Now()
	activity := Activity{Time: now, Lane: w.lease.Lane, GraphID: subject.masterID}
	if settled.Link != nil {
		activity.RecordID, activity.GraphID = settled.Link.RecordID, settled.Link.GraphID
	} else if subject.link != nil {
		activity.RecordID = subject.link.RecordID
	} else if len(subject.records) > 0 {
		activity.RecordID = subject.records[0]
	}
	plan := subject.plan
	switch {
	case settled.Err != nil:
		activity.Reason = failure(settled.Err, plan.deletes())
		w.commit.Activities = append(w.commit.Activities, activity)
		return
	case len(settled.Refused) > 0:
		refusal := activity
		refusal.Reason = strings.Join(settled.Refused, "; ")
		w.commit.Activities = append(w.commit.Activities, refusal)
	case plan.Idle() && plan.Reason != "" && !plan.Wait:
		activity.Reason = plan.Reason
		w.commit.Activities = append(w.commit.Activities, activity)
	}
	activity.Lag = lag(subject.items, now)
	for _, conflict := range plan.Conflicts {
		w.engine.Observer.Conflict(conflict.Field)
	}
	if write := plan.Record; write != nil {
		line := activity
		line.From, line.Action, line.Fields = SideOutlook, write.action(), write.fields().Sorted()
		line.Conflicts = lost(plan.Conflicts, SideNightPOS)
		w.engine.Observer.Synced(SideOutlook, line.Action, line.Lag)
		w.commit.Activities = append(w.commit.Activities, line)
	}
	if write := plan.Copy; write != nil {
		line := activity
		line.From, line.Action, line.Fields, line.Mails = SideNightPOS, write.action(), write.fields().Sorted(), plan.Mails
		line.Conflicts = lost(plan.Conflicts, SideOutlook)
		w.engine.Observer.Synced(SideNightPOS, line.Action, line.Lag)
		w.commit.Activities = append(w.commit.Activities, line)
	}
}

// action is what the write does to the series, for the log.
func (w *SeriesRecordWrite) action() Action {
	switch {
	case w.ID == 0 && w.BaseID == 0 && len(w.Create) > 0:
		return ActionCreate
	case w.Rule == nil && len(w.Create) == 0 && len(w.Writes) > 0:
		return w.Writes[0].Action
	}
	return ActionUpdate
}

func (w *SeriesRecordWrite) fields() FieldSet {
	fields := FieldSet{}
	if w.Rule != nil {
		fields[FieldWhen] = true
	}
	for _, write := range w.Writes {
		maps.Copy(fields, write.Fields)
	}
	return fields
}

func (w *SeriesCopyWrite) action() Action {
	if w.Action == "" && len(w.Occurrences) > 0 {
		return w.Occurrences[0].Action
	}
	return w.Action
}

func (w *SeriesCopyWrite) fields() FieldSet {
	fields := maps.Clone(w.Fields)
	if fields == nil {
		fields = FieldSet{}
	}
	for _, write := range w.Occurrences {
		maps.Copy(fields, write.Fields)
	}
	return fields
}
