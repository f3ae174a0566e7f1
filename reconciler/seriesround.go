package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// seriesSubject is one series of a round, with every hint that spoke of it.
type seriesSubject struct {
	items        []Item
	link         *Link
	masterID     string
	recurrenceID int64
	// records are those that hints spoke of.
	records []int64
	// original is the series as the mailbox shows it, before addresses were
	// unified.
	original *SeriesCopy
	state    SeriesState
	plan     SeriesPlan
	withheld Withheld
	skip     bool
	// err is why it was abandoned.
	err error
}

// divert takes the subjects that turned out to be series, or whose link is a
// series', out of the round's single events.
func (r *round) divert() {
	r.subjects = slices.DeleteFunc(r.subjects, func(subject *subject) bool {
		if subject.skip || !subject.isSeries() {
			return false
		}
		found := &seriesSubject{items: subject.items, masterID: subject.graphID, link: subject.link}
		if copied := subject.state.Copy; copied != nil && copied.Recurring {
			found.masterID = copied.MasterID
		}
		if record := subject.state.Record; record != nil {
			found.recurrenceID = record.RecurrenceID
		}
		for _, item := range subject.items {
			if _, _, recordID := ParseKey(item.Key); recordID != 0 {
				found.records = append(found.records, recordID)
			}
		}
		if subject.recordID != 0 && subject.link == nil {
			found.records = append(found.records, subject.recordID)
		}
		r.join(found)
		return true
	})
}

// isSeries says whether a subject is to be looked at as a series: either side
// shows one, or its link is one's.
func (s *subject) isSeries() bool {
	if s.link != nil && s.link.Apart {
		return false
	}
	return s.link != nil && s.link.Series != nil || s.state.Copy != nil && s.state.Copy.Recurring && s.state.Copy.MasterID != "" ||
		s.state.Record != nil && s.state.Record.RecurrenceID != 0
}

// join puts a series among the others of the round, or into the one that it is.
func (r *round) join(found *seriesSubject) {
	for _, other := range r.series {
		same := other.link != nil && found.link != nil && other.link.RecordID == found.link.RecordID ||
			other.masterID != "" && other.masterID == found.masterID ||
			other.link == nil && found.link == nil && other.recurrenceID != 0 && other.recurrenceID == found.recurrenceID
		if !same {
			continue
		}
		other.items = append(other.items, found.items...)
		other.records = append(other.records, found.records...)
		if other.link == nil {
			other.link = found.link
		}
		if other.masterID == "" {
			other.masterID = found.masterID
		}
		if other.recurrenceID == 0 {
			other.recurrenceID = found.recurrenceID
		}
		return
	}
	r.series = append(r.series, found)
}

// runSeries brings every series of the round together, each on its own: there are
// few, and one write to a series may be many.
func (r *round) runSeries(ctx context.Context) error {
	if len(r.series) == 0 {
		return nil
	}
	outlook, nightpos, known := r.seriesCalendars()
	if !known {
		return errNoSeries
	}
	work := &seriesWork{round: r, outlook: outlook, nightpos: nightpos}
	if err := work.links(ctx); err != nil {
		return err
	}
	if err := work.read(ctx); err != nil {
		return err
	}
	if err := work.claim(ctx); err != nil {
		return err
	}
	for _, subject := range r.series {
		if subject.skip {
			continue
		}
		if err := work.bring(ctx, subject); err != nil {
			return err
		}
	}
	return nil
}

var errNoSeries = errors.New("a calendar of this engine knows no series")

// seriesWork is the part of a round that is about series.
type seriesWork struct {
	*round
	outlook  SeriesOutlook
	nightpos SeriesNightPOS
}

// links finds the links of masters that hints spoke of by an occurrence.
func (w *seriesWork) links(ctx context.Context) error {
	var masters []string
	for _, subject := range w.series {
		if subject.link == nil && subject.masterID != "" {
			masters = append(masters, subject.masterID)
		}
	}
	if len(masters) == 0 {
		return nil
	}
	links, err := w.engine.Store.Links(ctx, w.lease.Lane, masters, nil)
	if err != nil {
		return fmt.Errorf("reading links: %w", err)
	}
	for _, subject := range w.series {
		for index := range links {
			if subject.link == nil && links[index].GraphID == subject.masterID {
				subject.link = &links[index]
			}
		}
	}
	joined := w.series
	w.series = nil
	for _, subject := range joined {
		w.join(subject)
	}
	return nil
}

// read looks at both sides of every series, in one call each.
func (w *seriesWork) read(ctx context.Context) error {
	var masters []string
	var recurrences []int64
	for _, subject := range w.series {
		if subject.link != nil && subject.link.GraphID != "" {
			subject.masterID = subject.link.GraphID
		}
		if subject.masterID != "" {
			masters = append(masters, subject.masterID)
		}
		if subject.recurrenceID != 0 {
			recurrences = append(recurrences, subject.recurrenceID)
		}
		if subject.link != nil && subject.link.Series != nil && subject.link.Series.RecurrenceID != 0 {
			recurrences = append(recurrences, subject.link.Series.RecurrenceID)
		}
	}
	var copies map[string]SeriesCopy
	var itemErrors map[string]error
	var records map[int64]SeriesRecord
	var outlookErr, nightposErr error
	var group errgroup.Group
	if len(masters) > 0 {
		group.Go(func() error {
			copies, itemErrors, outlookErr = w.outlook.ReadSeries(ctx, w.member, masters)
			return nil
		})
	}
	if len(recurrences) > 0 {
		group.Go(func() error {
			records, nightposErr = w.nightpos.ReadSeries(ctx, unique(recurrences))
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, subject := range w.series {
		err := nightposErr
		if subject.masterID != "" && err == nil {
			if err = outlookErr; err == nil {
				err = itemErrors[subject.masterID]
			}
		}
		if err != nil {
			w.abandonSeries(subject, err)
			continue
		}
		if copied, there := copies[subject.masterID]; there {
			w.seeSeries(subject, copied)
		}
		if err := w.settleOn(ctx, subject, records); err != nil {
			w.abandonSeries(subject, err)
		}
	}
	return nil
}

func unique(ids []int64) []int64 {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return slices.Compact(ids)
}

func (r *round) abandonSeries(subject *seriesSubject, err error) {
	subject.skip, subject.err = true, err
	for _, item := range subject.items {
		r.fail(item, err)
	}
}

// seeSeries takes in a series of the mailbox, with its people under the addresses
// by which NightPOS knows them.
func (w *seriesWork) seeSeries(subject *seriesSubject, copied SeriesCopy) {
	subject.original = &copied
	subject.state.Series = w.unifySeries(copied)
}

func (r *round) unifySeries(copied SeriesCopy) *SeriesCopy {
	unified := copied
	unified.Event = r.unifyEvent(copied.Event)
	unified.Exceptions = make(map[Date]Copy, len(copied.Exceptions))
	for slot, exception := range copied.Exceptions {
		exception.Event = r.unifyEvent(exception.Event)
		unified.Exceptions[slot] = exception
	}
	return &unified
}

func (r *round) unifyEvent(event Event) Event {
	event.Organizer = r.unify(event.Organizer)
	people := make([]Person, 0, len(event.People))
	for _, person := range event.People {
		people = append(people, r.unify(person))
	}
	event.People = people
	return event
}

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
	if len(outside) == 0 {
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
		if series.ICalUID != "" {
			meetings, err := w.engine.Store.Meetings(ctx, []string{series.ICalUID})
			if err != nil {
				return fmt.Errorf("reading which meetings are known: %w", err)
			}
			ids = append(ids, meetings[series.ICalUID])
		}
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

// bring plans one series, carries the plan out and records it.
func (w *seriesWork) bring(ctx context.Context, subject *seriesSubject) error {
	if err := w.apartOf(ctx, subject); err != nil {
		return err
	}
	if !w.considerSeries(subject) {
		return nil
	}
	if awaits, err := w.awaitSeries(ctx, subject); err != nil || awaits {
		return err
	}
	plan := subject.plan
	if plan.Copy != nil && plan.Copy.Action == ActionCreate && (subject.link == nil || subject.link.GraphID != "") {
		intent := Link{RecordID: subject.state.Record.ID, Role: plan.Role, Generation: subject.state.generation(), Updated: w.engine.Now()}
		if err := w.engine.Store.Commit(ctx, w.lease, Commit{Links: []Link{intent}}); err != nil {
			return fmt.Errorf("recording which series is about to be made: %w", err)
		}
	}
	outlook, nightpos := w.writeSeries(ctx, subject)
	settled := subject.state.Settle(plan, outlook, nightpos)
	w.settleSeries(subject, settled)
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

// isOf says whether a link that knows one of a recurrence's records is the link of
// that recurrence.
func (w *seriesWork) isOf(ctx context.Context, link *Link, subject *seriesSubject) (bool, error) {
	series := subject.state.Series
	switch recurrence := subject.state.Recurrence.ID; {
	case link.Apart, recurrence == 0:
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
		if link.Apart {
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

// considerSeries plans one series; false when its hints are settled already.
func (w *seriesWork) considerSeries(subject *seriesSubject) bool {
	if subject.skip {
		return false
	}
	state := &subject.state
	frame := w.frame(subject.items)
	state.State = frame
	state.Link = subject.link
	state.Earliest = w.engine.window().Start
	if !w.confirmedSeries(subject) {
		for _, item := range subject.items {
			w.retry(item, confirmAfter, "")
		}
		return false
	}
	if released := state.released(); released.Link != subject.link {
		// It may now be brought together, as if the sides had never agreed.
		released.Link.Series = nil
		state.State = released
	}
	plan := state.Plan()
	subject.plan, subject.withheld = state.Withhold(plan)
	return true
}

// confirmedSeries is confirmed for series.
func (w *seriesWork) confirmedSeries(subject *seriesSubject) bool {
	link := subject.link
	if link == nil || link.Ended || link.GraphID == "" || subject.state.Series != nil && subject.state.Recurrence != nil {
		return true
	}
	return slices.ContainsFunc(subject.items, func(item Item) bool {
		return item.Attempts > 0 || item.Version == VersionDeleted
	})
}

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
		if settled.Drop {
			w.commit.Drop = append(w.commit.Drop, settled.Link.RecordID)
		} else if subject.link == nil || !sameLink(*subject.link, *settled.Link) {
			settled.Link.Updated = now
			w.commit.Links = append(w.commit.Links, *settled.Link)
		}
		if settled.DropID != 0 {
			w.commit.Drop = append(w.commit.Drop, settled.DropID)
		}
		if settled.Link.ICalUID != "" && !settled.Link.Ended && (subject.link == nil || subject.link.ICalUID != settled.Link.ICalUID) {
			if w.meetings == nil {
				w.meetings = map[string]int64{}
			}
			w.meetings[settled.Link.ICalUID] = settled.Link.RecordID
		}
	}
	for record, series := range settled.Occurrences {
		if known := w.commit.Occurrences[record]; series == 0 && known != 0 {
			// Another series of this round has it now.
			continue
		}
		w.gone(record)
		w.commit.Occurrences[record] = series
	}
	if settled.Err == nil {
		for _, record := range subject.plan.Apart {
			w.commit.Links = append(w.commit.Links, Link{RecordID: record, Role: subject.plan.Role, Apart: true, Updated: now})
			w.also = append(w.also, Item{Key: NightPOSKey(record), First: now})
		}
	}
	w.reportSeries(subject, settled)
	for _, item := range subject.items {
		w.concludeSeries(subject, settled, item)
	}
}

// concludeSeries decides what becomes of one hint.
func (w *seriesWork) concludeSeries(subject *seriesSubject, settled SeriesSettled, item Item) {
	var refused *RefusedError
	switch {
	case settled.Err != nil && errors.As(settled.Err, &refused):
		w.engine.Observer.Failed("refused")
		w.done(item.Key)
	case settled.Err != nil:
		w.fail(item, settled.Err)
	case settled.Again:
		w.retry(item, 0, "")
	case subject.plan.Wait && item.Attempts < len(waitSteps):
		w.retry(item, waitSteps[item.Attempts], subject.plan.Reason)
	case subject.unsettled(item) && item.Attempts < len(settleSteps):
		w.retry(item, settleSteps[item.Attempts], "")
	default:
		w.done(item.Key)
	}
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
		activity.Reason = settled.Err.Error()
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
