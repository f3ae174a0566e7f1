package nightpos

import (
	"maps"
	"slices"
	"time"
)

// recurrenceModel is calendar.recurrence.
func recurrenceModel(version int) model {
	recurrence := model{
		"name": {kind: kindText}, "active": {kind: kindBool}, "need_sync_m": {kind: kindBool},
		"microsoft_id": {kind: kindText}, "ms_universal_event_id": {kind: kindText},
		"base_event_id": {kind: kindOne, relation: "calendar.event"},
		"calendar_event_ids": {kind: kindLines, relation: "calendar.event", computed: func(t *transaction, r *record) any {
			return t.identities(t.followers(r.id))
		}},
		"dtstart": {kind: kindDatetime, computed: func(t *transaction, r *record) any {
			if start := t.firstStart(r.id); !start.IsZero() {
				return start
			}
			return nil
		}},
	}
	maps.Copy(recurrence, ruleSchema())
	if version < 18 {
		recurrence["ms_organizer_event_id"] = field{kind: kindText}
	}
	return recurrence.log()
}

// ruleSchema are the fields of a rule.
func ruleSchema() model {
	fields := model{
		"rrule_type": {kind: kindSelection, selection: []string{"daily", "weekly", "monthly", "yearly"}},
		"end_type":   {kind: kindSelection, selection: []string{"count", "end_date", "forever"}},
		"month_by":   {kind: kindSelection, selection: []string{"date", "day"}},
		"weekday":    {kind: kindSelection, selection: []string{"MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"}},
		"byday":      {kind: kindSelection, selection: []string{"1", "2", "3", "4", "-1"}},
		"interval":   {kind: kindInt}, "count": {kind: kindInt}, "day": {kind: kindInt}, "until": {kind: kindDate},
		"rrule": {kind: kindText}, "event_tz": {kind: kindText},
	}
	for _, name := range weekdays {
		fields[name] = field{kind: kindBool}
	}
	return fields
}

// eventRules are the fields by which an event shows the rule that it follows.
// One that should recur and does not shows what a new rule would begin with.
func eventRules() model {
	fields := ruleSchema()
	for name, defined := range fields {
		defined.computed = func(t *transaction, r *record) any {
			if !truth(r.values["recurrency"]) {
				return nil
			}
			if followed := t.get("calendar.recurrence", intOf(r.values["recurrence_id"])); followed != nil && truth(followed.values[name]) {
				return followed.values[name]
			}
			if value, there := dayParameters(t.startDay(r.values))[name]; there {
				return value
			}
			return t.ruleDefaults()[name]
		}
		fields[name] = defined
	}
	return fields
}

// ruleDefaults are what a new recurrence has of which nothing is said.
func (t *transaction) ruleDefaults() map[string]any {
	values := map[string]any{
		"rrule_type": "weekly", "end_type": "count", "interval": 1, "count": 1, "month_by": "date", "day": 1, "event_tz": nil,
	}
	if zone := textOf(t.context["tz"]); zone != "" {
		values["event_tz"] = zone
	} else if user := t.get("res.users", t.uid); user != nil {
		values["event_tz"] = user.values["tz"]
	}
	return values
}

// startDay is the day on which an event begins, in its zone if it recurs.
func (t *transaction) startDay(values map[string]any) time.Time {
	start, _ := values["start"].(time.Time)
	zone := ""
	if truth(values["recurrency"]) {
		zone = textOf(t.ruleDefaults()["event_tz"])
		if followed := t.get("calendar.recurrence", intOf(values["recurrence_id"])); followed != nil {
			zone = textOf(followed.values["event_tz"])
		}
	}
	if truth(values["allday"]) {
		start = time.Date(start.Year(), start.Month(), start.Day(), 12, 0, 0, 0, time.UTC)
	}
	return start.In(ruleZone(map[string]any{"event_tz": zone}))
}

// followers are the events of a recurrence that are not archived, the latest
// first.
func (t *transaction) followers(recurrence int) []*record {
	found := slices.DeleteFunc(t.children("calendar.event", recurrence), func(r *record) bool { return !truth(r.values["active"]) })
	slices.SortFunc(found, func(a, b *record) int {
		if order := startOf(b).Compare(startOf(a)); order != 0 {
			return order
		}
		return b.id - a.id
	})
	return found
}

func startOf(event *record) time.Time {
	start, _ := event.values["start"].(time.Time)
	return start
}

func (t *transaction) identities(records []*record) []int {
	ids := make([]int, len(records))
	for index, one := range records {
		ids[index] = one.id
	}
	return ids
}

// firstStart is when the first event of a recurrence begins.
func (t *transaction) firstStart(recurrence int) time.Time {
	found := t.followers(recurrence)
	if len(found) == 0 {
		return time.Time{}
	}
	return startOf(found[len(found)-1])
}

// mostlyAllday says whether most events of a recurrence take whole days.
func (t *transaction) mostlyAllday(recurrence int) bool {
	score := 0
	for _, event := range t.followers(recurrence) {
		if truth(event.values["allday"]) {
			score++
		} else {
			score--
		}
	}
	return score >= 0
}

// settle makes a recurrence's text and fields agree: from a given text, or
// from the fields, which then are read back out of the text.
func (t *transaction) settle(recurrence *record, given string) error {
	start := t.firstStart(recurrence.id)
	if start.IsZero() {
		start = t.started.Truncate(time.Second)
	}
	text := given
	if text == "" {
		option, err := ruleOption(recurrence.values)
		if err != nil {
			return err
		}
		text = ruleText(option, start)
	}
	values, err := t.parseRule(text, start)
	if err != nil {
		return err
	}
	maps.Copy(recurrence.values, values)
	recurrence.values["rrule"] = text
	recurrence.values["name"] = ruleName(recurrence.values)
	return nil
}

// addRecurrence makes a recurrence, of events that are there or given, and
// tells nobody yet. It makes no occurrences.
func (t *transaction) addRecurrence(given map[string]any) (*record, error) {
	given = maps.Clone(given)
	lines, linked := given["calendar_event_ids"]
	delete(given, "calendar_event_ids")
	values := t.ruleDefaults()
	values["active"], values["need_sync_m"] = true, false
	assigned, err := t.assign("calendar.recurrence", given, nil)
	if err != nil {
		return nil, err
	}
	maps.Copy(values, assigned)
	made := t.insert("calendar.recurrence", values)
	if linked {
		if err := t.linkEvents(made, lines); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// linkEvents carries out the commands for a recurrence's events: [0, 0, values]
// makes one, [1, id, values] writes one, [2, id] deletes one, [3, id] lets one
// go, [4, id] takes one in, [5] lets all go, [6, 0, ids] has these and no others.
func (t *transaction) linkEvents(recurrence *record, lines any) error {
	list, ok := lines.([]any)
	if !ok {
		return valueError("Wrong value for calendar.recurrence.calendar_event_ids: %v", lines)
	}
	refer := func(event *record, to int) error {
		before := maps.Clone(event.values)
		return t.fire("write", 1, written{t.follow(event, to), before})
	}
	release := func(keep []int) error {
		for _, event := range t.followers(recurrence.id) {
			if slices.Contains(keep, event.id) {
				continue
			}
			if err := refer(event, 0); err != nil {
				return err
			}
		}
		return nil
	}
	take := func(ids []int) error {
		for _, id := range ids {
			event := t.get("calendar.event", id)
			if event == nil {
				return missing("calendar.event", []int{id}, t.uid)
			}
			if err := t.checkEventAccess(event, "write"); err != nil {
				return err
			}
			if err := refer(event, recurrence.id); err != nil {
				return err
			}
		}
		return nil
	}
	var created []map[string]any
	for _, item := range list {
		command, ok := item.([]any)
		if !ok || len(command) == 0 {
			return valueError("Wrong value for calendar.recurrence.calendar_event_ids: %v", item)
		}
		id, values := 0, map[string]any{}
		if len(command) > 1 {
			id = intOf(command[1])
		}
		if len(command) > 2 {
			values = objectOf(command[2])
		}
		var err error
		switch command[0] {
		case 0:
			values = maps.Clone(values)
			values["recurrence_id"] = recurrence.id
			created = append(created, values)
		case 1:
			err = t.write("calendar.event", []int{id}, values)
		case 2:
			err = t.unlink("calendar.event", []int{id})
		case 3:
			if event := t.get("calendar.event", id); event != nil {
				err = refer(event, 0)
			}
		case 4:
			err = take([]int{id})
		case 5:
			err = release(nil)
		case 6:
			ids := []int{}
			if len(command) > 2 {
				ids, _ = intsOf(command[2])
			}
			if err = release(ids); err == nil {
				err = take(ids)
			}
		default:
			err = valueError("Wrong command %v", command)
		}
		if err != nil {
			return err
		}
	}
	if len(created) == 0 {
		return nil
	}
	_, err := t.createEvents(created)
	return err
}

// follow has an event belong to a recurrence, or to none, and returns it.
func (t *transaction) follow(event *record, recurrence int) *record {
	changed := t.change(event)
	changed.values["recurrence_id"] = nil
	if recurrence != 0 {
		changed.values["recurrence_id"] = recurrence
	}
	t.touch(changed)
	t.index(changed)
	t.changed[event.id] = false
	return changed
}

// createRecurrence is calendar.recurrence.create.
func (t *transaction) createRecurrence(given map[string]any) (int, error) {
	made, err := t.addRecurrence(given)
	if err != nil {
		return 0, err
	}
	if err := t.settle(made, textOf(made.values["rrule"])); err != nil {
		return 0, err
	}
	return made.id, t.fire("create", 2, written{record: made})
}

// writeRecurrence changes a recurrence and none of its events but those given.
func (t *transaction) writeRecurrence(found *record, given map[string]any) error {
	given = maps.Clone(given)
	lines, linked := given["calendar_event_ids"]
	delete(given, "calendar_event_ids")
	values, err := t.assign("calendar.recurrence", given, found.values)
	if err != nil {
		return err
	}
	before := maps.Clone(found.values)
	changed := t.change(found)
	maps.Copy(changed.values, values)
	t.touch(changed)
	if linked {
		if err := t.linkEvents(changed, lines); err != nil {
			return err
		}
	}
	for name := range given {
		if slices.Contains(ruleFields, name) && name != "event_tz" {
			if err := t.settle(changed, textOf(given["rrule"])); err != nil {
				return err
			}
			break
		}
	}
	return t.fire("write", 1, written{changed, before})
}

// unlinkRecurrence deletes a recurrence; its events stay, untouched, and follow
// nothing.
func (t *transaction) unlinkRecurrence(found *record) error {
	if err := t.fire("unlink", 1, written{record: found}); err != nil {
		return err
	}
	for _, event := range t.children("calendar.event", found.id) {
		t.change(event).values["recurrence_id"] = nil
		t.changed[event.id] = false
	}
	t.remove(found)
	return nil
}

// selectBases gives recurrences whose base event is among some that went a new
// one: the first that follows the rule.
func (t *transaction) selectBases(gone []int) ([]written, error) {
	var changed []written
	for _, recurrence := range t.all("calendar.recurrence") {
		if !slices.Contains(gone, intOf(recurrence.values["base_event_id"])) {
			continue
		}
		first, err := t.firstEvent(recurrence)
		if err != nil {
			return nil, err
		}
		one := written{record: t.change(recurrence), before: maps.Clone(recurrence.values)}
		one.values["base_event_id"] = nil
		if first != nil {
			one.values["base_event_id"] = first.id
		}
		t.touch(one.record)
		changed = append(changed, one)
	}
	return changed, nil
}

// firstEvent is the first of a recurrence's events that follows the rule.
func (t *transaction) firstEvent(recurrence *record) (*record, error) {
	found := t.followers(recurrence.id)
	if len(found) == 0 {
		return nil, nil
	}
	starts, err := occurrences(recurrence.values, startOf(found[len(found)-1]), t.mostlyAllday(recurrence.id))
	if err != nil {
		return nil, err
	}
	regular := map[time.Time]bool{}
	for _, start := range starts {
		regular[start.UTC()] = true
	}
	for _, event := range slices.Backward(found) {
		if regular[startOf(event).UTC()] {
			return event, nil
		}
	}
	return nil, nil
}
