package reconciler

import (
	"context"
	"errors"
	"fmt"
	"slices"

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

// bring plans one series, carries the plan out and records it.
func (w *seriesWork) bring(ctx context.Context, subject *seriesSubject) error {
	if err := w.apartOf(ctx, subject); err != nil {
		return err
	}
	if !w.confirmedSeries(subject) || !w.considerSeries(subject) {
		return nil
	}
	if left, err := w.leaveSeriesElsewhere(ctx, subject); err != nil || left {
		return err
	}
	if awaits, err := w.awaitSeries(ctx, subject); err != nil || awaits {
		return err
	}
	if err := w.spareSeriesHolders(ctx, subject); err != nil {
		return err
	}
	if claimed, err := w.claimSeries(ctx, subject); err != nil || claimed {
		return err
	}
	plan := subject.plan
	if plan.listed && subject.link == nil {
		intent := subject.state.listedIntent()
		intent.Updated = w.engine.Now()
		if err := w.engine.Store.Commit(ctx, w.lease, Commit{Links: []Link{*intent}}); err != nil {
			return fmt.Errorf("recording who turned out to be invited: %w", err)
		}
	}
	if plan.Copy != nil && plan.Copy.Action == ActionCreate && (subject.link == nil || subject.link.GraphID != "") {
		intent := Link{RecordID: subject.state.Record.ID, Role: plan.Role, Generation: subject.state.generation(), Updated: w.engine.Now()}
		if err := w.engine.Store.Commit(ctx, w.lease, Commit{Links: []Link{intent}}); err != nil {
			return fmt.Errorf("recording which series is about to be made: %w", err)
		}
	}
	if plan.Copy != nil || plan.Record != nil {
		if err := w.held.confirm(ctx); err != nil {
			return err
		}
	}
	outlook, nightpos := w.writeSeries(ctx, subject)
	settled := subject.state.Settle(plan, outlook, nightpos)
	w.settleSeries(subject, settled)
	if plan.Copy == nil && plan.Record == nil {
		return nil
	}
	return w.record(ctx)
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
	if released := state.released(); released.Link != subject.link {
		// It may now be brought together, as if the sides had never agreed.
		released.Link.Series = nil
		state.State = released
	}
	state.returnSeries()
	plan := state.Plan()
	if hinted(subject.items) {
		if healing, _, differs := state.drifted(plan); differs {
			state.Link, plan = state.Link.unagreed(), healing
			state.prepare()
		}
	}
	subject.plan, subject.withheld = state.Withhold(plan)
	return true
}
