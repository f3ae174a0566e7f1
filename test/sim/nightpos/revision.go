package nightpos

import (
	"maps"
	"slices"
	"time"
)

// archive hides events, those that follow a recurrence under a new base.
func (t *transaction) archive(events []*record) error {
	changed := make([]written, len(events))
	for index, event := range events {
		changed[index] = written{t.change(event), maps.Clone(event.values)}
		changed[index].values["active"], changed[index].values["need_sync_m"] = false, true
		t.touch(changed[index].record)
		t.changed[event.id] = false
	}
	bases, err := t.selectBases(t.identities(events))
	if err != nil {
		return err
	}
	if err := t.fire("write", 1, bases...); err != nil {
		return err
	}
	return t.fire("write", 1, changed...)
}

// stopAt ends a recurrence before an event: it and all later ones follow
// nothing. The end is that of the period before the event's, which may lie
// before events that stay.
func (t *transaction) stopAt(recurrence, event *record) ([]*record, error) {
	var detached []*record
	var changed []written
	from := startOf(event)
	for _, one := range t.followers(recurrence.id) {
		if startOf(one).Before(from) {
			continue
		}
		before := maps.Clone(one.values)
		one = t.follow(one, 0)
		detached, changed = append(detached, one), append(changed, written{one, before})
	}
	if err := t.fire("write", 1, changed...); err != nil {
		return nil, err
	}
	if len(t.followers(recurrence.id)) == 0 {
		return detached, t.unlinkRecurrence(recurrence)
	}
	until := startOfPeriod(recurrence.values, from)
	if !truth(event.values["allday"]) {
		until = until.In(ruleZone(recurrence.values))
	}
	before := maps.Clone(recurrence.values)
	recurrence = t.change(recurrence)
	recurrence.values["end_type"], recurrence.values["until"] = "end_date", until.AddDate(0, 0, -1).Format(dateFormat)
	count := recurrence.values["count"]
	if err := t.settle(recurrence, ""); err != nil {
		return nil, err
	}
	t.touch(recurrence)
	// The count goes when the rule is read back.
	recurrence.values["count"] = count
	if err := t.fire("write", 1, written{recurrence, before}); err != nil {
		return nil, err
	}
	recurrence.values["count"] = 0
	return detached, nil
}

// shift moves the times given for one event of a series to another, and returns
// what that one is to be written with.
func shift(times map[string]any, event, base *record) (map[string]any, error) {
	moved := map[string]any{}
	for name, value := range times {
		if !truth(value) || name != "start" && name != "stop" {
			moved[name] = value
			continue
		}
		instant, err := parseDatetime(value)
		if err != nil {
			return nil, err
		}
		moved[name] = instant
	}
	stop := func(r *record) time.Time {
		end, _ := r.values["stop"].(time.Time)
		return end
	}
	newStart, startGiven := moved["start"].(time.Time)
	newStop, stopGiven := moved["stop"].(time.Time)
	if !startGiven && !stopGiven {
		return moved, nil
	}
	start, end := startOf(base), stop(base)
	if startGiven {
		by := newStart.Sub(startOf(event))
		start, end = start.Add(by), end.Add(by)
	}
	if stopGiven {
		by := newStop.Sub(stop(event))
		if !startGiven {
			start = start.Add(by)
		}
		end = stop(base).Add(by)
	}
	moved["start"], moved["stop"] = start, end
	delete(moved, "start_date")
	delete(moved, "stop_date")
	return moved, nil
}

// inheritedRule is a recurrence's rule as another begins with it: without the
// weekday that its event leaves.
func inheritedRule(recurrence *record, from, to time.Time) map[string]any {
	rule := map[string]any{}
	for _, name := range ruleFields {
		if value, there := recurrence.values[name]; there {
			rule[name] = value
		}
	}
	delete(rule, "rrule")
	if from.Weekday() != to.Weekday() {
		delete(rule, weekdays[weekdayOf(from)])
	}
	return rule
}

// newStart is the day on which an event is to begin.
func newStart(event *record, times map[string]any) time.Time {
	if start, given := times["start"].(time.Time); given {
		return start
	}
	return startOf(event)
}

// splitSeries writes an event and all later ones of its recurrence: that one
// ends, and the event begins another.
func (t *transaction) splitSeries(event *record, values, times, rule map[string]any) error {
	times, err := shift(times, event, event)
	if err != nil {
		return err
	}
	recurrence := t.get("calendar.recurrence", intOf(event.values["recurrence_id"]))
	day := newStart(event, times)
	inherited := inheritedRule(recurrence, startOf(event), day)
	detached, err := t.stopAt(recurrence, event)
	if err != nil {
		return err
	}
	later := slices.DeleteFunc(slices.Clone(detached), func(one *record) bool { return one.id == event.id })
	if len(later) > 0 {
		if err := t.archive(later); err != nil {
			return err
		}
	}
	event = t.get("calendar.event", event.id)
	if len(values)+len(times) > 0 {
		if event, err = t.writeBase(event, values, times); err != nil {
			return err
		}
	}
	maps.Copy(inherited, dayParameters(day))
	inherited["count"] = len(detached)
	maps.Copy(inherited, rule)
	if !truth(rule["count"]) {
		inherited["count"] = len(detached)
	}
	delete(inherited, "rrule")
	return t.repeat(event, inherited, repetition{moved: len(times) > 0, shortened: t.get("calendar.recurrence", recurrence.id)})
}

// writeBase writes the event that a series is made anew from.
func (t *transaction) writeBase(event *record, values, times map[string]any) (*record, error) {
	given := maps.Clone(values)
	maps.Copy(given, times)
	given["need_sync_m"] = false
	before := maps.Clone(event.values)
	event, err := t.writeEvent(event, given)
	if err != nil {
		return nil, err
	}
	event.values["recurrence_id"] = nil
	t.index(event)
	change := written{event, before}
	passes := 2
	if len(times) > 0 && t.nineteen() {
		passes = 1
	}
	if err := t.fire("write", passes, change); err != nil {
		return nil, err
	}
	t.noteChange(change)
	t.mailChange(change)
	if len(times) == 0 || t.server.config.Version < 18 {
		return event, nil
	}
	// Who moves a series accepts it, and the others have to answer anew.
	for _, attendee := range t.attendees(event.id) {
		state := "needsAction"
		if intOf(attendee.values["partner_id"]) == t.partner() {
			state = "accepted"
		}
		if err := t.writeAttendee(attendee, map[string]any{"state": state}); err != nil {
			return nil, err
		}
	}
	return event, nil
}

// rewriteSeries writes all events of a recurrence. Without another time or rule
// each is written; with one, the base event stays, all others are archived, and
// a new recurrence is made with new events.
func (t *transaction) rewriteSeries(event *record, scope string, values, times, rule map[string]any) error {
	recurrence := t.get("calendar.recurrence", intOf(event.values["recurrence_id"]))
	base := t.get("calendar.event", intOf(recurrence.values["base_event_id"]))
	if base == nil {
		var err error
		if base, err = t.firstEvent(recurrence); err != nil {
			return err
		}
	}
	if base == nil {
		return userError("You can't update a recurrence without base event.")
	}
	if len(times)+len(rule) == 0 {
		return t.writeFollowers(recurrence, base, event, scope, values)
	}
	day := startOf(event)
	moved, err := shift(times, event, base)
	if err != nil {
		return err
	}
	if len(times) > 0 {
		day = newStart(base, moved)
	}
	inherited := inheritedRule(recurrence, startOf(event), day)
	if err := t.archive(t.followers(recurrence.id)); err != nil {
		return err
	}
	if err := t.unlinkRecurrence(t.get("calendar.recurrence", recurrence.id)); err != nil {
		return err
	}
	values = maps.Clone(values)
	values["active"] = true
	if base, err = t.writeBase(t.get("calendar.event", base.id), values, moved); err != nil {
		return err
	}
	if err := t.fire("write", 1, again(base)...); err != nil {
		return err
	}
	maps.Copy(inherited, dayParameters(t.zonedDay(base, inherited)))
	maps.Copy(inherited, rule)
	delete(inherited, "rrule")
	return t.repeat(base, inherited, repetition{moved: len(times) > 0})
}

// zonedDay is the day on which an event begins in the zone of a rule.
func (t *transaction) zonedDay(event *record, rule map[string]any) time.Time {
	if truth(event.values["allday"]) {
		return startOf(event)
	}
	return startOf(event).In(ruleZone(rule))
}

// writeFollowers writes every event of a recurrence in its place. If all were
// meant, the built-in sync wants the recurrence again.
func (t *transaction) writeFollowers(recurrence, base, event *record, scope string, values map[string]any) error {
	quiet := maps.Clone(t.context)
	quiet["no_mail_to_attendees"], quiet["dont_notify"] = true, true
	inner := t.as(t.sudo, quiet)
	var changed []written
	for _, one := range t.followers(recurrence.id) {
		before := maps.Clone(one.values)
		follower, err := inner.writeEvent(one, values)
		if err != nil {
			return err
		}
		changed = append(changed, written{follower, before})
	}
	if err := t.fire("write", 1, changed...); err != nil {
		return err
	}
	for _, one := range changed {
		t.noteChange(one)
		if one.id == event.id {
			// Whom a series adds is invited once: to the event that was written.
			t.mailChange(one)
		}
	}
	if scope == "all_events" {
		recurrence = t.change(recurrence)
		recurrence.values["need_sync_m"] = true
		t.touch(recurrence)
	}
	if err := t.fire("write", 1, again(recurrence)...); err != nil {
		return err
	}
	if base = t.get("calendar.event", base.id); base == nil {
		return nil
	}
	return t.fire("write", 1, again(base)...)
}

// breakSeries ends a recurrence: at an event, whose later ones are deleted, or
// wholly, when the event alone is left. It keeps saying that it recurs.
func (t *transaction) breakSeries(event *record, future bool) error {
	recurrence := t.get("calendar.recurrence", intOf(event.values["recurrence_id"]))
	var detached []*record
	if future {
		var err error
		if detached, err = t.stopAt(recurrence, event); err != nil {
			return err
		}
	} else {
		for _, one := range t.followers(recurrence.id) {
			detached = append(detached, t.follow(one, 0))
		}
		if err := t.fire("write", 1, again(detached...)...); err != nil {
			return err
		}
		if err := t.unlinkRecurrence(recurrence); err != nil {
			return err
		}
	}
	var rest []int
	for _, one := range detached {
		if one.id != event.id {
			rest = append(rest, one.id)
		}
	}
	return t.unlink("calendar.event", rest)
}

// massDeletion is the button that deletes an event, it and the later ones, or
// all of its recurrence.
func (t *transaction) massDeletion(ids []int, setting string) error {
	event, recurrence, err := t.inSeries(ids)
	if err != nil || recurrence == nil {
		if err == nil && setting == "self_only" {
			err = t.unlink("calendar.event", ids)
		}
		return err
	}
	followers := t.followers(recurrence.id)
	switch setting {
	case "all_events":
		if err := t.unlinkRecurrence(recurrence); err != nil {
			return err
		}
		return t.unlink("calendar.event", t.identities(followers))
	case "future_events":
		followers = slices.DeleteFunc(followers, func(one *record) bool { return startOf(one).Before(startOf(event)) })
		return t.unlink("calendar.event", t.identities(followers))
	}
	return t.unlink("calendar.event", ids)
}

// massArchive is the button that archives.
func (t *transaction) massArchive(ids []int, setting string) error {
	event, recurrence, err := t.inSeries(ids)
	if err != nil || recurrence == nil {
		if err == nil && setting == "self_only" {
			err = t.write("calendar.event", ids, map[string]any{"active": false})
		}
		return err
	}
	switch setting {
	case "all_events":
		return t.archive(t.followers(recurrence.id))
	case "future_events":
		detached, err := t.stopAt(recurrence, event)
		if err != nil {
			return err
		}
		return t.archive(detached)
	}
	return t.write("calendar.event", ids, map[string]any{"active": false})
}

// inSeries is one event and its recurrence, nil for none.
func (t *transaction) inSeries(ids []int) (event, recurrence *record, err error) {
	if len(ids) != 1 {
		return nil, nil, valueError("Expected singleton: calendar.event%v", ids)
	}
	if event = t.get("calendar.event", ids[0]); event == nil {
		return nil, nil, missing("calendar.event", ids, t.uid)
	}
	return event, t.get("calendar.recurrence", intOf(event.values["recurrence_id"])), nil
}
