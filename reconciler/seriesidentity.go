package reconciler

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// settleOn finds which of NightPOS's recurrences is the subject's: the one that
// was linked as long as it has occurrences, else the one that took over. A part
// that was split off is a series of its own.
func (w *seriesWork) settleOn(ctx context.Context, subject *seriesSubject, records map[int64]SeriesRecord) error {
	if subject.link == nil || subject.link.Series == nil {
		if found, there := records[subject.recurrenceID]; there {
			subject.state.Recurrence = &found
			return nil
		}
		return w.lookUp(ctx, subject)
	}
	linked, there := records[subject.link.Series.RecurrenceID]
	if there && slices.ContainsFunc(linked.Occurrences, func(record Record) bool { return !record.Archived }) {
		subject.state.Recurrence = &linked
		return w.splitOff(ctx, subject)
	}
	if found, isThere := records[subject.recurrenceID]; isThere && subject.recurrenceID != subject.link.Series.RecurrenceID {
		subject.state.Recurrence = &found
		return nil
	}
	if err := w.lookUp(ctx, subject); err != nil || subject.state.Recurrence != nil {
		return err
	}
	if there {
		subject.state.Recurrence = &linked
	}
	return nil
}

// splitOff gives those records that left for another recurrence a look of their
// own, away from this link.
func (w *seriesWork) splitOff(ctx context.Context, subject *seriesSubject) error {
	inside := map[int64]bool{}
	for _, record := range subject.state.Recurrence.Occurrences {
		inside[record.ID] = true
	}
	var outside []int64
	for _, id := range subject.records {
		if !inside[id] {
			outside = append(outside, id)
		}
	}
	if len(outside) == 0 || subject.link.Role == RoleGuest {
		// A guest's series is not split by what somebody does to it in NightPOS.
		return nil
	}
	found, err := w.engine.NightPOS.Read(ctx, unique(outside))
	if err != nil {
		return err
	}
	others := map[int64]int64{}
	for id, record := range found {
		if record.RecurrenceID != 0 && record.RecurrenceID != subject.state.Recurrence.ID {
			others[record.RecurrenceID] = id
		}
	}
	for _, id := range others {
		w.gone(id)
		w.also = append(w.also, Item{Key: NightPOSKey(id), First: w.engine.Now()})
	}
	return nil
}

// gone takes a record out of the series that it stood in.
func (w *seriesWork) gone(id int64) {
	if w.commit.Occurrences == nil {
		w.commit.Occurrences = map[int64]int64{}
	}
	w.commit.Occurrences[id] = 0
}

// lookUp finds a series in NightPOS by the records that are known of it.
func (w *seriesWork) lookUp(ctx context.Context, subject *seriesSubject) error {
	ids := slices.Clone(subject.records)
	if link := subject.link; link != nil {
		ids = append(ids, link.RecordID)
		if link.Series != nil {
			ids = append(ids, slices.Collect(maps.Values(link.Series.Occurrences))...)
		}
	} else if series := subject.state.Series; series != nil {
		ids = append(ids, series.RecordID)
		uid := series.meeting()
		meetings, err := w.engine.Store.Meetings(ctx, []string{uid})
		if err != nil {
			return fmt.Errorf("reading which meetings are known: %w", err)
		}
		w.claims.see(uid, meetings[uid])
		ids = append(ids, meetings[uid])
	}
	ids = slices.DeleteFunc(unique(ids), func(id int64) bool { return id == 0 })
	if len(ids) == 0 {
		return nil
	}
	found, err := w.engine.NightPOS.Read(ctx, ids)
	if err != nil {
		return err
	}
	recurrence, archived, single := int64(0), false, (*Record)(nil)
	for _, id := range ids {
		record, there := found[id]
		switch {
		case !there:
		case record.RecurrenceID != 0 && (recurrence == 0 || archived && !record.Archived || subject.link != nil && id == subject.link.RecordID):
			recurrence, archived = record.RecurrenceID, record.Archived
		case record.RecurrenceID == 0 && (single == nil || single.Archived && !record.Archived):
			single = &record
		}
	}
	if recurrence != 0 {
		records, err := w.nightpos.ReadSeries(ctx, []int64{recurrence})
		if err != nil {
			return err
		}
		if record, there := records[recurrence]; there {
			subject.state.Recurrence = &record
			return w.linkOf(ctx, subject, ids)
		}
	}
	if single != nil {
		subject.state.Recurrence = &SeriesRecord{BaseID: single.ID, ExternalKey: single.ExternalKey, Occurrences: []Record{*single}}
		return w.linkOf(ctx, subject, ids)
	}
	return nil
}

// linkOf finds the link of a series that was recognised by its records.
func (w *seriesWork) linkOf(ctx context.Context, subject *seriesSubject, ids []int64) error {
	if subject.link != nil || subject.state.Series == nil {
		return nil
	}
	for _, record := range subject.state.Recurrence.Occurrences {
		ids = append(ids, record.ID)
	}
	links, err := w.engine.Store.Links(ctx, w.lease.Lane, nil, unique(ids))
	if err != nil {
		return fmt.Errorf("reading links: %w", err)
	}
	for index := range links {
		switch link := &links[index]; {
		case link.Apart:
		case link.GraphID == "" || link.GraphID == subject.masterID || link.Ended:
			subject.link = link
			return nil
		default:
			// The mark came along when a person duplicated the series, or the
			// invitation came to what stands here as something else.
			subject.state.Recurrence = nil
			if !subject.state.Series.IsOrganizer {
				w.also = append(w.also, Item{Key: NightPOSKey(link.RecordID), First: w.engine.Now()})
			}
			return nil
		}
	}
	return nil
}

// claim finds the links of recurrences that no hint led to a link of: by any of
// their records. A recurrence that took over from the linked one, which NightPOS
// made anew, is the same series; one that was split off is another.
func (w *seriesWork) claim(ctx context.Context) error {
	for _, subject := range w.series {
		if subject.skip || subject.link != nil || subject.state.Recurrence == nil {
			continue
		}
		ids := make([]int64, 0, len(subject.state.Recurrence.Occurrences))
		for _, record := range subject.state.Recurrence.Occurrences {
			ids = append(ids, record.ID)
		}
		links, err := w.engine.Store.Links(ctx, w.lease.Lane, nil, ids)
		if err != nil {
			return fmt.Errorf("reading links: %w", err)
		}
		for index := range links {
			link := &links[index]
			mine, err := w.isOf(ctx, link, subject)
			if err != nil {
				w.abandonSeries(subject, err)
				break
			}
			if !mine {
				if link.Role == RoleGuest && !link.Apart && subject.state.Series == nil {
					w.leaveSplit(subject)
					break
				}
				continue
			}
			subject.link = link
			if link.GraphID != "" && subject.masterID != link.GraphID {
				w.readAgain(ctx, subject, link.GraphID)
			}
			break
		}
	}
	w.unite()
	return nil
}

// leaveSplit is done with what somebody split off a guest's series in NightPOS: its
// occurrences stand in the mailbox already, in the invitation.
func (w *seriesWork) leaveSplit(subject *seriesSubject) {
	subject.skip = true
	for _, item := range subject.items {
		w.done(item.Key)
	}
}

// isOf says whether a link that knows one of a recurrence's records is the link of
// that recurrence.
func (w *seriesWork) isOf(ctx context.Context, link *Link, subject *seriesSubject) (bool, error) {
	series := subject.state.Series
	switch recurrence := subject.state.Recurrence.ID; {
	case link.Apart, recurrence == 0, link.Ended && link.GraphID == "":
		return false, nil
	case series != nil && link.GraphID != "" && link.GraphID != series.ID:
		return false, nil
	case link.Series == nil, link.Series.RecurrenceID == recurrence, link.Series.RecurrenceID == 0:
		return true, nil
	}
	former, err := w.nightpos.ReadSeries(ctx, []int64{link.Series.RecurrenceID})
	if err != nil {
		return false, err
	}
	live := slices.ContainsFunc(former[link.Series.RecurrenceID].Occurrences, func(record Record) bool { return !record.Archived })
	return !live, nil
}

// unite leaves one subject for each series, the one that has the link.
func (w *seriesWork) unite() {
	for _, subject := range w.series {
		for _, other := range w.series {
			if subject == other || subject.skip || other.skip || !subject.same(other) || subject.link == nil && other.link != nil {
				continue
			}
			subject.items = append(subject.items, other.items...)
			subject.records = append(subject.records, other.records...)
			if subject.state.Series == nil {
				subject.original, subject.state.Series, subject.masterID = other.original, other.state.Series, other.masterID
			}
			if subject.state.Recurrence == nil {
				subject.state.Recurrence = other.state.Recurrence
			}
			other.skip = true
		}
	}
}

// same says that two subjects turned out to be one series.
func (s *seriesSubject) same(other *seriesSubject) bool {
	if s.link != nil && other.link != nil {
		return s.link.RecordID == other.link.RecordID
	}
	mine, others := s.state.Recurrence, other.state.Recurrence
	return mine != nil && others != nil && mine.ID != 0 && mine.ID == others.ID
}

// apartOf finds which occurrences have an event of their own in Outlook.
func (w *seriesWork) apartOf(ctx context.Context, subject *seriesSubject) error {
	subject.state.Apart = map[int64]bool{}
	if subject.state.Recurrence == nil || subject.state.Recurrence.ID == 0 {
		return nil
	}
	ids := make([]int64, 0, len(subject.state.Recurrence.Occurrences))
	for _, record := range subject.state.Recurrence.Occurrences {
		ids = append(ids, record.ID)
	}
	links, err := w.engine.Store.Links(ctx, w.lease.Lane, nil, ids)
	if err != nil {
		return fmt.Errorf("reading links: %w", err)
	}
	for _, link := range links {
		// An invitation to an occurrence that was refused says nothing about the series
		// that came later.
		if link.Apart && (!link.Ended || link.Role != RoleAttendee) {
			subject.state.Apart[link.RecordID] = true
		}
	}
	return nil
}

// readAgain reads the series of a mailbox once its link has told which it is.
func (w *seriesWork) readAgain(ctx context.Context, subject *seriesSubject, masterID string) {
	subject.masterID = masterID
	copies, itemErrors, err := w.outlook.ReadSeries(ctx, w.member, []string{masterID})
	if err == nil {
		err = itemErrors[masterID]
	}
	if err != nil {
		w.abandonSeries(subject, err)
		return
	}
	if copied, there := copies[masterID]; there {
		w.seeSeries(subject, copied)
	}
}
