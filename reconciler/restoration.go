package reconciler

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// ErrNotRestorable says that a value that a conflict replaced cannot be put back
// any more, or not by the gateway.
var ErrNotRestorable = errors.New("the value cannot be put back")

// Restoration is a value that a conflict replaced and that is to be put back.
type Restoration struct {
	// RecordID names the meeting, as the activity does.
	RecordID int64
	Field    Field
	// Side is where it is written, as if a person had edited it there. A series is
	// written in Outlook in any case: only there is it one meeting.
	Side Side
	// Value holds the field.
	Value Event
}

// restorationTries is how often a meeting is read that somebody is changing.
const restorationTries = 3

// Restore writes the value to its side, guarded like every write, and has the lane
// carry it to the other one. Before the write, keep is told what it replaces; an
// error of keep's stops it. A value that its side shows already is carried on and
// replaces nothing: Restore may be repeated.
//
// It writes to the meetings that the lane's member organises only, since others'
// would not carry it: those, and what is gone, are ErrNotRestorable.
func (e *Engine) Restore(ctx context.Context, lane string, wanted Restoration, keep func(before Event) error) error {
	index := slices.IndexFunc(scalars, func(scalar scalar) bool { return scalar.field == wanted.Field })
	if index < 0 {
		return fmt.Errorf("%w: %s is not a field that is replaced as a whole", ErrNotRestorable, wanted.Field)
	}
	r, err := e.onlooker(ctx, lane)
	if err != nil {
		return err
	}
	links, err := e.Store.Links(ctx, lane, nil, []int64{wanted.RecordID})
	if err != nil {
		return fmt.Errorf("reading links: %w", err)
	}
	if len(links) != 1 || links[0].Ended || links[0].GraphID == "" {
		return fmt.Errorf("%w: the event is gone on one side", ErrNotRestorable)
	}
	work := restoration{round: r, link: links[0], scalar: scalars[index], Restoration: wanted, keep: keep}
	if work.link.Role != RoleOrganizer {
		return fmt.Errorf("%w: the event has another organizer", ErrNotRestorable)
	}
	for range restorationTries {
		if err = work.write(ctx); !errors.Is(err, ErrStale) {
			break
		}
	}
	if errors.Is(err, ErrGone) {
		err = fmt.Errorf("%w: the event is gone on one side", ErrNotRestorable)
	}
	if err != nil {
		return err
	}
	if err := e.Queue.Add(ctx, lane, work.item); err != nil {
		return fmt.Errorf("queueing that the value is carried on: %w", err)
	}
	return nil
}

// restoration is one of them under way.
type restoration struct {
	Restoration
	round  *round
	link   Link
	scalar scalar
	keep   func(before Event) error
	// item is what the lane has to look at afterwards.
	item Item
}

func (w *restoration) write(ctx context.Context) error {
	w.item = Item{Key: OutlookKey(w.link.GraphID), First: w.round.engine.Now()}
	switch {
	case w.link.Series != nil && w.Field == FieldWhen:
		return fmt.Errorf("%w: when a series takes place is more than a time", ErrNotRestorable)
	case w.link.Series != nil:
		return w.writeSeries(ctx)
	case w.Side == SideOutlook:
		return w.writeCopy(ctx)
	}
	w.item.Key = NightPOSKey(w.link.RecordID)
	return w.writeRecord(ctx)
}

// replace puts the value into an event; false when it stands there already.
func (w *restoration) replace(event *Event) (bool, error) {
	key := string(w.Field)
	if NewBase(*event)[key] == NewBase(w.Value)[key] {
		return false, nil
	}
	if err := w.keep(*w.scalar.alone(*event)); err != nil {
		return false, err
	}
	w.scalar.take(event, w.Value)
	return true, nil
}

func (w *restoration) writeCopy(ctx context.Context) error {
	engine, member := w.round.engine, w.round.member
	copies, failed, err := engine.Outlook.Read(ctx, member, []string{w.link.GraphID})
	if err = errors.Join(err, failed[w.link.GraphID]); err != nil {
		return err
	}
	copied, there := copies[w.link.GraphID]
	if !there || copied.Cancelled {
		return ErrGone
	}
	if copied.Elsewhere {
		return fmt.Errorf("%w: %s", ErrNotRestorable, asideElsewhere)
	}
	write := OutlookWrite{
		Action: ActionUpdate, ID: copied.ID, ChangeKey: copied.ChangeKey, Event: copied.Event, Fields: NewFieldSet(w.Field), Current: &copied,
	}
	different, err := w.replace(&write.Event)
	if err != nil || !different {
		return err
	}
	return engine.Outlook.Write(ctx, member, []OutlookWrite{write})[0].Err
}

func (w *restoration) writeRecord(ctx context.Context) error {
	engine := w.round.engine
	records, err := engine.NightPOS.Read(ctx, []int64{w.link.RecordID})
	if err != nil {
		return err
	}
	record, there := records[w.link.RecordID]
	if !there || record.Archived || record.Masked {
		return ErrGone
	}
	write := RecordWrite{
		Action: ActionUpdate, ID: record.ID, Stamp: record.Stamp, Event: record.Event, Fields: NewFieldSet(w.Field), Current: &record,
	}
	different, err := w.replace(&write.Event)
	if err != nil || !different {
		return err
	}
	return engine.NightPOS.Write(ctx, []RecordWrite{write})[0].Err
}

// writeSeries writes to the master, which every occurrence follows that shows
// nothing else itself.
func (w *restoration) writeSeries(ctx context.Context) error {
	outlook, able := w.round.engine.Outlook.(SeriesOutlook)
	if !able {
		return fmt.Errorf("%w: series are not kept in step here", ErrNotRestorable)
	}
	found, failed, err := outlook.ReadSeries(ctx, w.round.member, []string{w.link.GraphID})
	if err = errors.Join(err, failed[w.link.GraphID]); err != nil {
		return err
	}
	series, there := found[w.link.GraphID]
	if !there || series.Copy.Cancelled {
		return ErrGone
	}
	if series.Elsewhere {
		return fmt.Errorf("%w: %s", ErrNotRestorable, asideElsewhere)
	}
	write := SeriesCopyWrite{
		Action: ActionUpdate, ID: series.ID, ChangeKey: series.ChangeKey, Event: series.Event, Fields: NewFieldSet(w.Field), Rule: series.Rule, Current: &series,
	}
	different, err := w.replace(&write.Event)
	if err != nil || !different {
		return err
	}
	return outlook.WriteSeries(ctx, w.round.member, write).Err
}

// FieldText shows a field of an event for a person, as conflicts do.
func FieldText(event Event, field Field) string {
	for _, scalar := range scalars {
		if scalar.field == field {
			return scalar.text(event)
		}
	}
	return ""
}
