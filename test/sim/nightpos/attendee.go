package nightpos

import (
	"maps"
	"slices"
)

// attendeeOrder: rows that are given come first, the others in the order of a
// Python set.
func (t *transaction) attendeeOrder(invited []int, lines any) []int {
	var ordered []int
	list, _ := lines.([]any)
	for _, item := range list {
		if command, ok := item.([]any); ok && len(command) == 3 && command[0] == 0 {
			ordered = append(ordered, intOf(objectOf(command[2])["partner_id"]))
		}
	}
	for _, partner := range setOrder(invited) {
		if !slices.Contains(ordered, partner) {
			ordered = append(ordered, partner)
		}
	}
	return ordered
}

// attendeeStates reads [[0, 0, {partner_id, state}], …].
func attendeeStates(lines any) (map[int]string, error) {
	states := map[int]string{}
	list, _ := lines.([]any)
	for _, item := range list {
		command, ok := item.([]any)
		if !ok || len(command) < 3 || command[0] != 0 {
			return nil, valueError("Wrong value for calendar.event.attendee_ids: %v", item)
		}
		values := objectOf(command[2])
		if intOf(values["partner_id"]) == 0 {
			return nil, validationError("The operation cannot be completed:\n- Create/update: a mandatory field is not set.\n- Delete: another model requires the record being deleted. If possible, archive it instead.\n\nModel: Calendar Attendee Information (calendar.attendee)\nField: Attendee (partner_id)\n")
		}
		states[intOf(values["partner_id"])] = textOf(values["state"])
	}
	return states, nil
}

// invite adds an attendee, before any rule goes off.
func (t *transaction) invite(event, partner int, state string) (*record, error) {
	values := map[string]any{"event_id": event, "partner_id": partner}
	if state != "" {
		values["state"] = state
	}
	return t.addAttendee(values)
}

func (t *transaction) addAttendee(given map[string]any) (*record, error) {
	values, err := t.assign("calendar.attendee", given, nil)
	if err != nil {
		return nil, err
	}
	if values["state"] == nil {
		values["state"] = "needsAction"
	}
	values["access_token"] = t.server.token()
	if err := t.checkRequired("calendar.attendee", values); err != nil {
		return nil, err
	}
	if event := t.get("calendar.event", intOf(values["event_id"])); event != nil && t.nineteen() {
		if err := t.checkEventAccess(event, "write"); err != nil {
			return nil, err
		}
	}
	t.changed[intOf(values["event_id"])] = false
	return t.insert("calendar.attendee", values), nil
}

// writeLines carries out [[1, id, values], [2, id, 0], …].
func (t *transaction) writeLines(lines any) error {
	list, _ := lines.([]any)
	for _, item := range list {
		command, ok := item.([]any)
		if !ok || len(command) < 2 {
			return valueError("Wrong value for calendar.event.attendee_ids: %v", item)
		}
		var err error
		switch {
		case command[0] == 1 && len(command) > 2:
			err = t.write("calendar.attendee", []int{intOf(command[1])}, objectOf(command[2]))
		case command[0] == 2:
			err = t.unlink("calendar.attendee", []int{intOf(command[1])})
		default:
			err = valueError("Wrong value for calendar.event.attendee_ids: %v", item)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// replacePeople makes the attendees follow partner_ids.
func (t *transaction) replacePeople(event int, old, current []int) error {
	for _, attendee := range t.attendees(event) {
		partner := intOf(attendee.values["partner_id"])
		if slices.Contains(old, partner) && !slices.Contains(current, partner) {
			if err := t.unlink("calendar.attendee", []int{attendee.id}); err != nil {
				return err
			}
		}
	}
	var added []written
	for _, partner := range setOrder(current) {
		if slices.Contains(old, partner) {
			continue
		}
		attendee, err := t.invite(event, partner, "")
		if err != nil {
			return err
		}
		added = append(added, written{record: attendee})
	}
	return t.fire("create", 2, added...)
}

// forgetOrganizer: when somebody else moves an event, its organizer has to
// answer anew.
func (t *transaction) forgetOrganizer(event *record) error {
	organizer := intOf(t.value(event, "partner_id"))
	if organizer == 0 || organizer == t.partner() {
		return nil
	}
	for _, attendee := range t.attendees(event.id) {
		if intOf(attendee.values["partner_id"]) == organizer && attendee.values["state"] != "needsAction" {
			return t.writeAttendee(attendee, map[string]any{"state": "needsAction"})
		}
	}
	return nil
}

// writeAttendee does not touch the event.
func (t *transaction) writeAttendee(found *record, given map[string]any) error {
	values, err := t.assign("calendar.attendee", given, found.values)
	if err != nil {
		return err
	}
	if event := t.get("calendar.event", intOf(found.values["event_id"])); event != nil && t.nineteen() {
		if err := t.checkEventAccess(event, "write"); err != nil {
			return err
		}
	}
	before := maps.Clone(found.values)
	changed := t.change(found)
	maps.Copy(changed.values, values)
	t.touch(changed)
	t.index(changed)
	t.changed[intOf(changed.values["event_id"])] = false
	return t.fire("write", 1, written{changed, before})
}

// answer is what the buttons of an invitation do.
func (t *transaction) answer(ids []int, state string) error {
	for _, id := range ids {
		if attendee := t.get("calendar.attendee", id); attendee != nil {
			t.note(intOf(attendee.values["event_id"]), textOf(t.value(attendee, "common_name"))+": "+state)
		}
	}
	return t.write("calendar.attendee", ids, map[string]any{"state": state})
}

// changeStatus is what the buttons of the acting user's own event do, for it, for
// it and the later ones, or for all of its recurrence.
func (t *transaction) changeStatus(ids []int, state, setting string) error {
	if setting == "all_events" || setting == "future_events" {
		event, recurrence, err := t.inSeries(ids)
		if err != nil {
			return err
		}
		if recurrence != nil {
			followers := t.followers(recurrence.id)
			if setting == "future_events" {
				followers = slices.DeleteFunc(followers, func(one *record) bool { return startOf(one).Before(startOf(event)) })
			}
			ids = t.identities(followers)
		}
	}
	for _, id := range ids {
		for _, attendee := range t.attendees(id) {
			if intOf(attendee.values["partner_id"]) == t.partner() {
				if err := t.writeAttendee(attendee, map[string]any{"state": state}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
