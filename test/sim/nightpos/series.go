package nightpos

import (
	"errors"
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
	var refused *fault
	if !errors.As(err, &refused) {
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
