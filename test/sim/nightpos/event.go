package nightpos

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// errSeries refuses what this simulator does not hold.
func errSeries() error { return userError("This simulated NightPOS holds single events only.") }

// made is an event just created, before anybody was told.
type made struct {
	*record
	attendees []written
	invited   []int
	// chosen says that the people were given, not filled in.
	chosen bool
}

// createEvents makes events of one call. Rules go off for all of them together.
func (t *transaction) createEvents(list []map[string]any) ([]int, error) {
	ids, events, early, late := []int{}, []written{}, []written{}, []written{}
	var created []made
	for _, given := range list {
		one, err := t.createEvent(given)
		if err != nil {
			return nil, err
		}
		created = append(created, one)
		ids, events = append(ids, one.id), append(events, written{record: one.record})
		early = append(early, one.attendees...)
		if !one.chosen {
			late = append(late, one.attendees...)
		}
	}
	for index, given := range list {
		if ruled(given) {
			return nil, t.refuseSeries(created[index], given)
		}
	}
	if err := t.fire("create", 1, early...); err != nil {
		return nil, err
	}
	// The second pass over attendees comes before the events' passes when people
	// were given, and after them when they were filled in.
	again := slices.DeleteFunc(slices.Clone(early), func(one written) bool {
		return slices.ContainsFunc(late, func(other written) bool { return other.record == one.record })
	})
	if err := t.fire("create", 1, again...); err != nil {
		return nil, err
	}
	if err := t.fire("create", 5, events...); err != nil {
		return nil, err
	}
	if err := t.fire("create", 1, late...); err != nil {
		return nil, err
	}
	for _, one := range created {
		t.mail(one.record, "invitation", one.invited)
	}
	return ids, nil
}

// ruled says that an event is to be repeated by a rule.
func ruled(given map[string]any) bool {
	return truth(given["recurrency"]) && (truth(given["rrule"]) || truth(given["rrule_type"]))
}

// refuseSeries refuses a rule. One that NightPOS itself refuses, a week without
// a day, comes with the webhooks that have left by then.
func (t *transaction) refuseSeries(event made, given map[string]any) error {
	days := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	if given["rrule_type"] != "weekly" || truth(given["rrule"]) || slices.ContainsFunc(days, func(day string) bool { return truth(given[day]) }) {
		return errSeries()
	}
	if err := t.fire("create", 1, event.attendees...); err != nil {
		return err
	}
	if err := t.fire("create", 1, written{record: event.record}); err != nil {
		return err
	}
	// The event belongs to a recurrence by then, which will never be.
	event.values["recurrence_id"] = t.insert("calendar.recurrence", map[string]any{}).id
	if err := t.fire("create", 1, written{record: event.record}); err != nil {
		return err
	}
	refused := newFault("odoo.exceptions.UserError", "You have to choose at least one day in the week")
	// A rule that watches recurrences is blamed for it.
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

func (t *transaction) createEvent(given map[string]any) (made, error) {
	given = maps.Clone(given)
	if t.nineteen() && !truth(t.context["skip_contact_description"]) {
		given["description"] = t.describePeople(given)
	}
	if organizer := intOf(given["user_id"]); organizer != 0 && t.nineteen() && t.get("res.users", organizer) == nil {
		return made{}, missing("res.users", []int{organizer}, organizer)
	}
	lines, people := given["attendee_ids"], given["partner_ids"]
	_, peopleGiven := given["partner_ids"]
	delete(given, "attendee_ids")
	delete(given, "partner_ids")
	values, err := t.assign("calendar.event", given, nil)
	if err != nil {
		return made{}, err
	}
	t.defaults(values, given)
	t.combine(values, given)
	t.setTimes(values, given)
	invited := []int{}
	switch {
	case peopleGiven:
		if invited, err = t.commands("res.partner", nil, people); err != nil {
			return made{}, err
		}
	case lines == nil:
		invited = []int{t.partner()}
	}
	states, err := attendeeStates(lines)
	if err != nil {
		return made{}, err
	}
	for partner := range states {
		if !slices.Contains(invited, partner) {
			invited = append(invited, partner)
		}
	}
	values["partner_ids"] = slices.Sorted(slices.Values(invited))
	if err := t.checkRequired("calendar.event", values); err != nil {
		return made{}, err
	}
	event := made{record: t.insert("calendar.event", values), invited: invited, chosen: peopleGiven || lines != nil}
	if err := t.checkTimes(values); err != nil {
		return made{}, err
	}
	t.changed[event.id] = false
	t.noteCreation(event.record)
	for _, partner := range t.attendeeOrder(invited, lines) {
		state := states[partner]
		if state == "" && partner == t.partner() {
			state = "accepted"
		}
		attendee, err := t.invite(event.id, partner, state)
		if err != nil {
			return made{}, err
		}
		event.attendees = append(event.attendees, written{record: attendee})
	}
	return event, nil
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
func (t *transaction) setTimes(values, given map[string]any) {
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

func (t *transaction) checkTimes(values map[string]any) error {
	start, _ := values["start"].(time.Time)
	stop, _ := values["stop"].(time.Time)
	if !stop.Before(start) {
		return nil
	}
	text := "The ending date and time cannot be earlier than the starting date and time.\nMeeting “%s” starts at %s and ends at %s"
	if t.server.config.Version < 18 {
		text = "The ending date and time cannot be earlier than the starting date and time.\nMeeting '%s' starts '%s' and ends '%s'"
	}
	return validationError(text, textOf(values["name"]), start.Format(datetimeFormat), stop.Format(datetimeFormat))
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

// writeEvents changes events of one call. Rules go off for all of them together.
func (t *transaction) writeEvents(found []*record, given map[string]any) error {
	if ruled(given) {
		return errSeries()
	}
	var changed []written
	for _, one := range found {
		before := maps.Clone(one.values)
		event, err := t.writeEvent(one, given)
		if err != nil {
			return err
		}
		changed = append(changed, written{event, before})
	}
	passes := 1
	for _, name := range []string{"start", "stop", "allday", "start_date", "stop_date"} {
		if _, there := given[name]; there {
			passes = 3
		}
	}
	if err := t.fire("write", passes, changed...); err != nil {
		return err
	}
	for _, one := range changed {
		t.noteChange(one)
		old, _ := intsOf(one.before["partner_ids"])
		current, _ := intsOf(one.values["partner_ids"])
		t.mail(one.record, "invitation", slices.DeleteFunc(slices.Clone(current), func(id int) bool { return slices.Contains(old, id) }))
		if moved(one) {
			t.mail(one.record, "update", slices.DeleteFunc(slices.Clone(current), func(id int) bool { return !slices.Contains(old, id) }))
		}
	}
	return nil
}

// syncedFields are those whose writing makes the built-in Outlook sync want the
// event again.
var syncedFields = []string{
	"name", "description", "allday", "start", "stop", "user_id", "privacy", "attendee_ids", "alarm_ids", "location",
	"show_as", "active", "videocall_location",
}

// combine makes the one id of the built-in sync out of its halves, which 17 shows
// besides and takes in writing.
func (t *transaction) combine(values, given map[string]any) {
	if t.server.config.Version >= 18 {
		return
	}
	organizer, universal, _ := strings.Cut(textOf(values["microsoft_id"]), ":")
	_, organizerGiven := given["ms_organizer_event_id"]
	_, universalGiven := given["ms_universal_event_id"]
	if organizerGiven {
		organizer = textOf(given["ms_organizer_event_id"])
	}
	if universalGiven {
		universal = textOf(given["ms_universal_event_id"])
	}
	switch {
	case !organizerGiven && !universalGiven:
	case organizer == "":
		values["microsoft_id"] = nil
	default:
		values["microsoft_id"] = organizer + ":" + universal
	}
}

func moved(one written) bool {
	return one.before["start"] != one.values["start"] || one.before["stop"] != one.values["stop"]
}

func (t *transaction) writeEvent(found *record, given map[string]any) (*record, error) {
	if err := t.checkEventAccess(found, "write"); err != nil {
		return nil, err
	}
	lines := given["attendee_ids"]
	given = maps.Clone(given)
	delete(given, "attendee_ids")
	values, err := t.assign("calendar.event", given, found.values)
	if err != nil {
		return nil, err
	}
	before := maps.Clone(found.values)
	changed := t.change(found)
	maps.Copy(changed.values, values)
	for _, name := range syncedFields {
		_, there := given[name]
		_, said := given["need_sync_m"]
		if there && !said {
			changed.values["need_sync_m"] = true
		}
	}
	t.combine(changed.values, given)
	t.moveTimes(changed.values, before, given)
	t.touch(changed)
	t.changed[found.id] = false
	if err := t.checkRequired("calendar.event", changed.values); err != nil {
		return nil, err
	}
	if err := t.checkTimes(changed.values); err != nil {
		return nil, err
	}
	old, _ := intsOf(before["partner_ids"])
	current, _ := intsOf(changed.values["partner_ids"])
	if err := t.writeLines(lines); err != nil {
		return nil, err
	}
	if err := t.replacePeople(found.id, old, current); err != nil {
		return nil, err
	}
	if moved(written{changed, before}) {
		return changed, t.forgetOrganizer(changed)
	}
	return changed, nil
}

// moveTimes: a new start alone keeps the duration; new dates of a whole day come
// with office hours.
func (t *transaction) moveTimes(values, before, given map[string]any) {
	_, stopGiven := given["stop"]
	_, durationGiven := given["duration"]
	start, _ := values["start"].(time.Time)
	oldStart, _ := before["start"].(time.Time)
	oldStop, _ := before["stop"].(time.Time)
	switch {
	case truth(given["start_date"]) || truth(given["stop_date"]):
		t.setTimes(values, given)
		return
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

func (t *transaction) unlinkEvent(found *record) error {
	if err := t.checkEventAccess(found, "unlink"); err != nil {
		return err
	}
	if err := t.fire("unlink", 1, written{record: found}); err != nil {
		return err
	}
	// Attendees go by the database's cascade, which no rule sees.
	for _, attendee := range t.attendees(found.id) {
		t.remove(attendee)
	}
	for _, message := range t.children("mail.message", found.id) {
		t.remove(message)
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
	if event := t.get("calendar.event", intOf(found.values["event_id"])); event != nil && t.nineteen() {
		if err := t.checkEventAccess(event, "write"); err != nil {
			return err
		}
	}
	before := maps.Clone(found.values)
	changed := t.change(found)
	maps.Copy(changed.values, values)
	t.touch(changed)
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
