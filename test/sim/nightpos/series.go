package nightpos

import (
	"maps"
	"slices"
	"time"
)

// uncopied are the fields of an event that its occurrences do not inherit.
var uncopied = []string{"microsoft_id", "ms_universal_event_id", "microsoft_recurrence_master_id", "access_token", "recurrence_update"}

// takeRule parts the fields of a rule from what an event is given.
func takeRule(given map[string]any) (rule, rest map[string]any) {
	rule, rest = map[string]any{}, map[string]any{}
	for name, value := range given {
		if slices.Contains(ruleFields, name) {
			rule[name] = value
		} else {
			rest[name] = value
		}
	}
	return rule, rest
}

// repetition is how the webhooks differ between a series that is created and one
// that is made anew by an edit.
type repetition struct {
	created bool
	// attendees are the base event's.
	attendees []written
	// moved says that the base event was given another time, for which 19 sends the
	// event once more, but later.
	moved bool
	// shortened is the recurrence that ends where this one begins.
	shortened *record
}

// again is a change of records that sets off no rule with trigger fields.
func again(records ...*record) []written {
	list := make([]written, len(records))
	for index, one := range records {
		list[index] = written{one, one.values}
	}
	return list
}

// repeat has an event that follows no recurrence begin one, and makes its
// occurrences. Rules go off in the recorded order (330, 333, 334, 349f).
func (t *transaction) repeat(base *record, rule map[string]any, how repetition) error {
	before := maps.Clone(base.values)
	given := maps.Clone(rule)
	given["base_event_id"] = base.id
	base = t.change(base)
	base.values["recurrency"], base.values["follow_recurrence"] = true, true
	base.values["need_sync_m"] = false
	t.touch(base)
	recurrence, err := t.addRecurrence(given)
	if err != nil {
		return t.blame(err)
	}
	base = t.follow(base, recurrence.id)
	if err := t.fire("write", 1, again(base)...); err != nil {
		return err
	}
	if err := t.settle(recurrence, textOf(recurrence.values["rrule"])); err != nil {
		return t.blame(err)
	}
	t.fresh[recurrence.id] = []int{base.id}
	passes := 0
	switch {
	case how.created:
		passes = 2
	case how.moved && t.nineteen():
		passes = 1
	}
	for _, step := range []func() error{
		func() error { return t.fire("create", 1, written{record: recurrence}) },
		func() error { return t.fire("write", 1, again(base)...) },
		func() error { return t.fire("write", 1, again(recurrence)...) },
		func() error { return t.fire("write", passes, again(base)...) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	added, attendees, off, err := t.occur(recurrence, base, how.created)
	if err != nil {
		return err
	}
	return t.announce(recurrence, written{base, before}, added, attendees, off, how)
}

// announce sets off the rules for the occurrences that were made.
func (t *transaction) announce(recurrence *record, base written, added []*record, attendees []written, off []*record, how repetition) error {
	all := append([]*record{base.record}, added...)
	records := func(list []written) []*record {
		var found []*record
		for _, one := range list {
			found = append(found, one.record)
		}
		return found
	}
	made := make([]written, len(added))
	for index, one := range added {
		made[index] = written{record: one}
	}
	// What is written last has lost the context of the call (355).
	late := t.as(t.sudo, map[string]any{})
	steps := []func() error{
		func() error { return t.fire("create", 1, attendees...) },
		func() error { return t.fire("create", 1, made...) },
		func() error { return t.fire("write", 1, again(all...)...) },
	}
	if how.created {
		first := records(how.attendees)
		if t.nineteen() {
			slices.Reverse(first)
		}
		steps = append(steps,
			func() error { return t.fire("write", 1, again(append(first, records(attendees)...)...)...) },
			func() error { return t.fire("write", 1, base) },
			func() error { return late.fire("write", 1, again(all...)...) },
			func() error { return late.fire("write", 1, again(all...)...) },
			func() error { return t.fire("write", 1, again(recurrence)...) },
			func() error { return late.fire("write", 1, again(added...)...) },
		)
	} else {
		steps = append(steps, func() error { return t.fire("write", 1, base) })
		if how.shortened != nil {
			steps = append(steps, func() error { return t.fire("write", 1, again(how.shortened)...) })
		}
		steps = append(steps,
			func() error { return t.fire("write", 1, again(recurrence)...) },
			func() error { return late.fire("write", 3, again(added...)...) },
			func() error { return t.fire("write", 1, again(records(attendees)...)...) },
		)
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	if len(off) > 0 {
		return t.archive(off)
	}
	return nil
}

// blame names the automation rule that watches recurrences in an error of
// theirs, as its part in the call makes NightPOS do.
func (t *transaction) blame(err error) error {
	refused, ok := err.(*fault)
	if !ok {
		return err
	}
	for _, rule := range t.all("base.automation") {
		model := t.get("ir.model", intOf(rule.values["model_id"]))
		if truth(rule.values["active"]) && model != nil && model.values["model"] == "calendar.recurrence" && triggered(textOf(rule.values["trigger"]), "create") {
			refused.context = map[string]any{
				"exception_class": "base_automation", "base_automation": map[string]any{"id": rule.id, "name": rule.values["name"]},
			}
			break
		}
	}
	return refused
}

// occur makes the events of a recurrence that are missing, and lets go of those
// that do not follow its rule, which it returns last.
func (t *transaction) occur(recurrence, base *record, created bool) (added []*record, attendees []written, off []*record, err error) {
	stop, _ := base.values["stop"].(time.Time)
	duration := stop.Sub(startOf(base))
	starts, raised, err := t.ranges(recurrence, startOf(base), duration)
	if err != nil {
		return nil, nil, nil, err
	}
	wanted := map[time.Time]bool{}
	for _, start := range starts {
		wanted[start.UTC()] = true
	}
	for _, event := range t.followers(recurrence.id) {
		end, _ := event.values["stop"].(time.Time)
		if start := startOf(event).UTC(); wanted[start] && end.Sub(start) == duration {
			delete(wanted, start)
			continue
		}
		off = append(off, event)
	}
	starts = slices.DeleteFunc(starts, func(start time.Time) bool { return !wanted[start.UTC()] })
	t.server.shuffle(starts)
	partners, _ := intsOf(base.values["partner_ids"])
	order := t.attendeeOrder(partners, nil)
	for _, start := range starts {
		values := maps.Clone(base.values)
		for _, name := range uncopied {
			delete(values, name)
		}
		values["start"], values["stop"], values["recurrence_id"], values["follow_recurrence"] = start.UTC(), start.Add(duration).UTC(), recurrence.id, true
		values["need_sync_m"] = false
		derive(values)
		if t.nineteen() && !created && !truth(t.context["skip_contact_description"]) {
			values["description"] = t.describePeople(map[string]any{
				"description": values["description"], "user_id": values["user_id"], "partner_ids": []any{[]any{6, 0, partners}},
			})
		}
		event := t.insert("calendar.event", values)
		t.changed[event.id] = false
		added = append(added, event)
		t.fresh[recurrence.id] = append(t.fresh[recurrence.id], event.id)
	}
	for _, event := range added {
		for _, partner := range order {
			state := ""
			if partner == t.partner() {
				state = "accepted"
			}
			attendee, err := t.invite(event.id, partner, state)
			if err != nil {
				return nil, nil, nil, err
			}
			attendees = append(attendees, written{record: attendee})
		}
	}
	for index, event := range off {
		off[index] = t.follow(event, 0)
	}
	if raised {
		// The count was written meanwhile, so the rule is written anew, from the
		// first event that is left (125, 423).
		if err := t.settle(recurrence, ""); err != nil {
			return nil, nil, nil, err
		}
	}
	return added, attendees, off, nil
}

// ranges are the beginnings of a recurrence whose first event begins at a start.
// Counting begins with the period, so a count is raised by what comes too early,
// of which the second result tells; what exceeds the limit is lost.
func (t *transaction) ranges(recurrence *record, start time.Time, duration time.Duration) ([]time.Time, bool, error) {
	allday := t.mostlyAllday(recurrence.id)
	first := start.UTC().Truncate(24 * time.Hour)
	late := func(values map[string]any) ([]time.Time, error) {
		found, err := occurrences(values, start, allday)
		return slices.DeleteFunc(found, func(one time.Time) bool { return one.Before(first) || one.Add(duration).Before(first) }), err
	}
	found, err := late(recurrence.values)
	count := intOf(recurrence.values["count"])
	if err != nil || recurrence.values["end_type"] != "count" || len(found) >= count {
		return found, false, err
	}
	raised := maps.Clone(recurrence.values)
	raised["count"] = 2*count - len(found)
	found, err = late(raised)
	return found, true, err
}

// shuffle puts occurrences in the order in which they are made: a Python set's,
// whose hashes are drawn when a server starts.
func (s *Server) shuffle(starts []time.Time) {
	if s.config.Occurrences != nil {
		s.config.Occurrences(starts)
		return
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.random.Shuffle(len(starts), func(a, b int) { starts[a], starts[b] = starts[b], starts[a] })
}

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

// checkNeighbours refuses, as the built-in sync has it, to move an occurrence
// to or over the day of another.
func (t *transaction) checkNeighbours(event *record, start any) error {
	instant, err := parseDatetime(start)
	if err != nil {
		return err
	}
	moved, given := instant.(time.Time)
	if !given || intOf(event.values["recurrence_id"]) == 0 {
		return nil
	}
	day := func(instant time.Time) time.Time { return instant.UTC().Truncate(24 * time.Hour) }
	old, target := day(startOf(event)), day(moved)
	for _, other := range t.followers(intOf(event.values["recurrence_id"])) {
		on := day(startOf(other))
		if other.id != event.id && (on.Equal(target) || on.Before(old) != on.Before(target)) {
			return userError("Outlook limitation: in a recurrence, an event cannot be moved to or before the day of the previous event, and cannot be moved to or after the day of the following event.")
		}
	}
	return nil
}

// syncing says that the acting user has the built-in Outlook sync connected,
// which refuses series unless the context says dont_notify.
func (t *transaction) syncing() bool {
	user := t.get("res.users", t.uid)
	return user != nil && !truth(t.context["dont_notify"]) && truth(user.values["microsoft_calendar_rtoken"]) && !truth(user.values["microsoft_synchronization_stopped"])
}

const (
	seriesCreationRefused = "Due to an Outlook Calendar limitation, recurrent events must be created directly in Outlook Calendar."
	seriesUpdateRefused   = "Due to an Outlook Calendar limitation, recurrence updates must be done directly in Outlook Calendar."
	seriesUnknownRefused  = seriesUpdateRefused + "\nIf this recurrence is not shown in Outlook Calendar, you must delete it in Odoo Calendar and recreate it in Outlook Calendar."
)

// refuseUpdate is the refusal of the built-in sync; it has more to say when an
// event is not in Outlook yet.
func refuseUpdate(events []*record) error {
	if slices.ContainsFunc(events, func(event *record) bool { return !truth(event.values["microsoft_id"]) }) {
		return userError(seriesUnknownRefused)
	}
	return userError(seriesUpdateRefused)
}
