package nightpos

import (
	"maps"
	"math"
	"slices"
	"time"
)

// errSeries refuses what this simulator does not hold.
func errSeries() error { return userError("This simulated NightPOS holds single events only.") }

func (t *transaction) createEvent(given map[string]any) (int, error) {
	given = maps.Clone(given)
	if truth(given["recurrency"]) && (truth(given["rrule"]) || truth(given["rrule_type"])) {
		return 0, errSeries()
	}
	lines, people := given["attendee_ids"], given["partner_ids"]
	_, peopleGiven := given["partner_ids"]
	delete(given, "attendee_ids")
	delete(given, "partner_ids")
	values, err := t.assign("calendar.event", given, nil)
	if err != nil {
		return 0, err
	}
	t.defaults(values, given)
	if err := t.setTimes(values, given); err != nil {
		return 0, err
	}
	invited := []int{}
	switch {
	case peopleGiven:
		if invited, err = t.commands("res.partner", nil, people); err != nil {
			return 0, err
		}
	case lines == nil:
		invited = []int{t.partner()}
	}
	states, err := attendeeStates(lines)
	if err != nil {
		return 0, err
	}
	for partner := range states {
		if !slices.Contains(invited, partner) {
			invited = append(invited, partner)
		}
	}
	values["partner_ids"] = slices.Sorted(slices.Values(invited))
	if err := t.checkRequired("calendar.event", values); err != nil {
		return 0, err
	}
	if err := checkTimes(values); err != nil {
		return 0, err
	}
	made := t.insert("calendar.event", values)
	t.changed[made.id] = false
	for _, partner := range t.attendeeOrder(invited, lines) {
		state := states[partner]
		if state == "" && partner == t.partner() {
			state = "accepted"
		}
		if err := t.invite(made.id, partner, state); err != nil {
			return 0, err
		}
	}
	if err := t.fire(made, "create", nil, 5); err != nil {
		return 0, err
	}
	t.mail(made, "invitation", invited)
	return made.id, nil
}

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

func (t *transaction) invite(event, partner int, state string) error {
	values := map[string]any{"event_id": event, "partner_id": partner}
	if state != "" {
		values["state"] = state
	}
	_, err := t.create("calendar.attendee", values)
	return err
}

func (t *transaction) defaults(values, given map[string]any) {
	fallback := func(name string, value any) {
		if _, there := given[name]; !there {
			values[name] = value
		}
	}
	fallback("active", true)
	fallback("show_as", "busy")
	fallback("user_id", t.uid)
	fallback("need_sync_m", true)
	fallback("videocall_source", "custom")
	fallback("access_token", t.server.token())
	fallback("alarm_ids", []int{})
	fallback("categ_ids", []int{})
	if t.server.config.Version < 18 {
		fallback("privacy", "public")
	}
	for _, name := range []string{"allday", "recurrency", "follow_recurrence"} {
		fallback(name, false)
	}
}

// setTimes works out dates, instants and duration from each other, as the
// form's computed fields do.
func (t *transaction) setTimes(values, given map[string]any) error {
	has := func(name string) bool { return truth(given[name]) }
	date := func(name string, hour int) (time.Time, bool) {
		day, err := time.Parse(dateFormat, textOf(values[name]))
		return day.Add(time.Duration(hour) * time.Hour), err == nil
	}
	if truth(values["allday"]) && has("start_date") && has("stop_date") {
		start, okStart := date("start_date", 8)
		stop, okStop := date("stop_date", 18)
		if okStart && okStop {
			values["start"], values["stop"] = start, stop
		}
	}
	// Without a stop, NightPOS means an hour from now, whatever the start.
	if values["start"] == nil {
		values["start"] = t.started.Truncate(time.Second)
	}
	if values["stop"] == nil {
		values["stop"] = t.started.Truncate(30 * time.Minute).Add(90 * time.Minute)
	}
	derive(values)
	return nil
}

// derive sets what follows from start, stop and allday.
func derive(values map[string]any) {
	start, _ := values["start"].(time.Time)
	stop, _ := values["stop"].(time.Time)
	values["duration"] = math.Round(stop.Sub(start).Hours()*100) / 100
	values["start_date"], values["stop_date"] = nil, nil
	if truth(values["allday"]) {
		values["start_date"], values["stop_date"] = start.Format(dateFormat), stop.Format(dateFormat)
	}
}

func checkTimes(values map[string]any) error {
	start, _ := values["start"].(time.Time)
	stop, _ := values["stop"].(time.Time)
	if !stop.Before(start) {
		return nil
	}
	return validationError("The ending date and time cannot be earlier than the starting date and time.\nMeeting “%s” starts at %s and ends at %s",
		textOf(values["name"]), start.Format(datetimeFormat), stop.Format(datetimeFormat))
}

// checkEventAccess is the record rule of private events.
func (t *transaction) checkEventAccess(found *record, operation string) error {
	if !t.masked(found) {
		return nil
	}
	name := ""
	if user := t.get("res.users", t.uid); user != nil {
		name = textOf(user.values["name"])
	}
	return accessError("Uh-oh! Looks like you have stumbled upon some top-secret records.\n\nSorry, %s (id=%d) doesn't have '%s' access to:\n- Calendar Event (calendar.event)\n\nIf you really, really need access, perhaps you can win over your friendly administrator with a batch of freshly baked cookies.",
		name, t.uid, operation)
}

func (t *transaction) writeEvent(found *record, given map[string]any) error {
	if err := t.checkEventAccess(found, "write"); err != nil {
		return err
	}
	if truth(given["recurrency"]) && (truth(given["rrule"]) || truth(given["rrule_type"])) {
		return errSeries()
	}
	lines := given["attendee_ids"]
	given = maps.Clone(given)
	delete(given, "attendee_ids")
	values, err := t.assign("calendar.event", given, found.values)
	if err != nil {
		return err
	}
	before := maps.Clone(found.values)
	changed := t.change(found)
	maps.Copy(changed.values, values)
	if err := t.moveTimes(changed.values, before, given); err != nil {
		return err
	}
	t.touch(changed)
	t.changed[found.id] = false
	if err := t.checkRequired("calendar.event", changed.values); err != nil {
		return err
	}
	if err := checkTimes(changed.values); err != nil {
		return err
	}
	old, _ := intsOf(before["partner_ids"])
	current, _ := intsOf(changed.values["partner_ids"])
	if err := t.writeLines(lines); err != nil {
		return err
	}
	if err := t.replacePeople(found.id, old, current); err != nil {
		return err
	}
	moved := before["start"] != changed.values["start"] || before["stop"] != changed.values["stop"]
	if moved {
		if err := t.forgetOrganizer(changed); err != nil {
			return err
		}
	}
	firings := 1
	for _, name := range []string{"start", "stop", "allday", "start_date", "stop_date"} {
		if _, there := given[name]; there {
			firings = 3
		}
	}
	if err := t.fire(changed, "write", before, firings); err != nil {
		return err
	}
	added := slices.DeleteFunc(slices.Clone(current), func(id int) bool { return slices.Contains(old, id) })
	t.mail(changed, "invitation", added)
	if moved {
		t.mail(changed, "update", slices.DeleteFunc(slices.Clone(current), func(id int) bool { return !slices.Contains(old, id) }))
	}
	return nil
}

// moveTimes: a new start alone keeps the duration; new dates of a whole day come
// with office hours.
func (t *transaction) moveTimes(values, before, given map[string]any) error {
	_, stopGiven := given["stop"]
	_, durationGiven := given["duration"]
	start, _ := values["start"].(time.Time)
	oldStart, _ := before["start"].(time.Time)
	oldStop, _ := before["stop"].(time.Time)
	switch {
	case truth(given["start_date"]) || truth(given["stop_date"]):
		return t.setTimes(values, given)
	case durationGiven && !stopGiven:
		hours, _ := values["duration"].(float64)
		if whole, ok := values["duration"].(int); ok {
			hours = float64(whole)
		}
		values["stop"] = start.Add(time.Duration(hours * float64(time.Hour)))
	case !stopGiven && !start.Equal(oldStart):
		values["stop"] = start.Add(oldStop.Sub(oldStart))
	}
	derive(values)
	return nil
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
	for _, partner := range setOrder(current) {
		if !slices.Contains(old, partner) {
			if err := t.invite(event, partner, ""); err != nil {
				return err
			}
		}
	}
	return nil
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

func (t *transaction) unlinkEvent(found *record) error {
	if err := t.checkEventAccess(found, "unlink"); err != nil {
		return err
	}
	if err := t.fire(found, "unlink", nil, 1); err != nil {
		return err
	}
	// Attendees go by the database's cascade, which no rule sees.
	for _, attendee := range t.attendees(found.id) {
		t.remove(attendee)
	}
	t.changed[found.id] = true
	return nil
}

// writeAttendee does not touch the event.
func (t *transaction) writeAttendee(found *record, given map[string]any) error {
	values, err := t.assign("calendar.attendee", given, found.values)
	if err != nil {
		return err
	}
	before := maps.Clone(found.values)
	changed := t.change(found)
	maps.Copy(changed.values, values)
	t.touch(changed)
	t.changed[intOf(changed.values["event_id"])] = false
	return t.fire(changed, "write", before, 1)
}

// answer is what the buttons of an invitation do.
func (t *transaction) answer(ids []int, state string) error {
	return t.write("calendar.attendee", ids, map[string]any{"state": state})
}

// changeStatus is what the buttons of the acting user's own event do.
func (t *transaction) changeStatus(ids []int, state string) error {
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
