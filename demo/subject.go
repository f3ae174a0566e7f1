package demo

import (
	"context"
	"errors"
	"slices"
	"strings"

	"go.uber.org/zap"
)

// subject is what a change is about: a single event, or a series with all its
// occurrences. A commit that divides a series, or makes it anew under another
// id, is about all of its parts at once.
type subject struct {
	// keys name the parts, see subjectOf.
	keys []string
	// before and after are what there was and is to see of them, by start.
	before, after []Event
	// archived says that something of it was put away and not deleted.
	archived bool
}

// subjectOf names what an event belongs to: its series, or itself. In NightPOS
// it is what both halves of a meeting are known by.
func subjectOf(event Event) string {
	if event.Series != "" {
		return seriesPrefix + event.Series
	}
	return event.ID
}

const seriesPrefix = "series "

// seriesIn is the series that a subject's name names.
func seriesIn(name string) (string, bool) { return strings.CutPrefix(name, seriesPrefix) }

// series says whether more than one event is meant.
func (s subject) series() bool {
	several := func(e Event) bool { return e.Series != "" }
	return slices.ContainsFunc(s.before, several) || slices.ContainsFunc(s.after, several)
}

// shown is the event that stands for it.
func (s subject) shown() Event {
	for _, list := range [][]Event{s.after, s.before} {
		if len(list) > 0 {
			return list[0]
		}
	}
	return Event{}
}

// commit reads what the changes of one commit are about, each thing once.
func (w *Watch) commit(ctx context.Context, changes []Change) []subject {
	at := changes[0]
	key := func(id string) snapshotKey { return snapshotKey{at.Side, at.Login, id} }
	lists := map[string][]Event{}  // by the key of a subject, what there is to see of it
	covered := map[string]string{} // records that a list holds
	var subjects []subject
	list := func(name string) {
		if _, read := lists[name]; read {
			return
		}
		lists[name] = nil
		series, is := seriesIn(name)
		if !is {
			return
		}
		events, err := w.calendars[at.Side].Series(ctx, at.Login, series)
		if err != nil {
			w.log.Warn("a series of the demo cannot be read", zap.String("side", string(at.Side)), zap.Error(err))
			events = w.snapshots[key(name)]
		}
		for index := range events {
			covered[events[index].ID] = name
		}
		lists[name] = events
	}
	for _, change := range changes {
		old, now, archived := w.belongs[key(change.EventID)], covered[change.EventID], false
		if !change.Deleted && now == "" {
			event, err := w.calendars[at.Side].Event(ctx, change.Login, change.EventID)
			if errors.Is(err, ErrGone) {
				continue // deleted meanwhile; that change is on its way
			}
			if err != nil {
				w.log.Warn("an event of the demo cannot be read", zap.String("side", string(at.Side)), zap.Error(err))
				continue
			}
			archived = event.Archived
			_, left := seriesIn(old)
			if name := subjectOf(event); event.Series != "" {
				now = name
				list(name)
			} else if !left || !archived { // else it is what a series has left behind
				now = name
				lists[name] = []Event{event}
			}
		}
		if old != "" {
			list(old)
		}
		subjects = join(subjects, old, now, archived)
		delete(w.belongs, key(change.EventID))
		if now != "" {
			w.belongs[key(change.EventID)] = now
		}
	}
	for index := range subjects {
		one := &subjects[index]
		for _, name := range one.keys {
			one.before = append(one.before, w.snapshots[key(name)]...)
			one.after = append(one.after, lists[name]...)
			delete(w.snapshots, key(name))
			if len(lists[name]) > 0 {
				w.snapshots[key(name)] = lists[name]
			}
		}
		byStart := func(a, b Event) int { return a.Start.Compare(b.Start) }
		slices.SortStableFunc(one.before, byStart)
		slices.SortStableFunc(one.after, byStart)
	}
	for id, name := range covered {
		w.belongs[key(id)] = name
	}
	return subjects
}

// join adds a change to the subject that it shares a key with, which may make
// two subjects one.
func join(subjects []subject, old, now string, archived bool) []subject {
	made := subject{archived: archived}
	for _, name := range []string{old, now} {
		if name != "" && !slices.Contains(made.keys, name) {
			made.keys = append(made.keys, name)
		}
	}
	if made.keys == nil {
		return subjects
	}
	return append(slices.DeleteFunc(subjects, func(other subject) bool {
		if !slices.ContainsFunc(other.keys, func(name string) bool { return slices.Contains(made.keys, name) }) {
			return false
		}
		made.archived = made.archived || other.archived
		for _, name := range other.keys {
			if !slices.Contains(made.keys, name) {
				made.keys = append(made.keys, name)
			}
		}
		return true
	}), made)
}

// changed names what differs in a subject, and counts the occurrences that do.
func (s subject) changed() (fields []string, count int) {
	after := slices.Clone(s.after)
	take := func(index int) Event {
		found := after[index]
		after = slices.Delete(after, index, index+1)
		return found
	}
	found := map[string]bool{}
	compare := func(before, now Event) {
		names := differences(before, now)
		for _, name := range names {
			found[name] = true
		}
		if len(names) > 0 {
			count++
		}
	}
	var rest []Event
	for _, before := range s.before {
		if index := slices.IndexFunc(after, func(e Event) bool { return e.ID == before.ID }); index >= 0 {
			compare(before, take(index))
		} else {
			rest = append(rest, before)
		}
	}
	// What was made anew under other ids stands in the same order.
	for len(rest) > 0 && len(after) > 0 {
		compare(rest[0], take(0))
		rest = rest[1:]
	}
	if extra := len(rest) + len(after); extra > 0 {
		found["occurrences"] = true
		count += extra
	}
	for _, name := range append([]string{"occurrences"}, fieldNames...) {
		if found[name] {
			fields = append(fields, name)
		}
	}
	return fields, count
}
