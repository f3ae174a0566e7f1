package nightpos

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// made is an event just created, before anybody was told.
type made struct {
	*record
	attendees []written
	invited   []int
	// chosen says that the people were given, not filled in.
	chosen bool
}

// createEvents makes events of one call, those that recur after the others.
func (t *transaction) createEvents(list []map[string]any) ([]int, error) {
	if t.syncing() && slices.ContainsFunc(list, func(given map[string]any) bool { return truth(given["recurrency"]) }) {
		return nil, userError(seriesCreationRefused)
	}
	ids := make([]int, len(list))
	var single []map[string]any
	var places []int
	for index, given := range list {
		// One that is given its recurrence, as one of its events, makes no others.
		if rule, _ := takeRule(given); !truth(given["recurrency"]) || len(rule) == 0 || truth(given["recurrence_id"]) {
			single, places = append(single, given), append(places, index)
		}
	}
	made, err := t.createSingles(single)
	if err != nil {
		return nil, err
	}
	for index, id := range made {
		ids[places[index]] = id
	}
	for index, given := range list {
		if ids[index] == 0 {
			if ids[index], err = t.createSeries(given); err != nil {
				return nil, err
			}
		}
	}
	return ids, nil
}

// createSeries makes an event and the others of its rule.
func (t *transaction) createSeries(given map[string]any) (int, error) {
	rule, rest := takeRule(given)
	base, err := t.createEvent(rest)
	if err != nil {
		return 0, err
	}
	if err := t.fire("create", 1, base.attendees...); err != nil {
		return 0, err
	}
	if err := t.fire("create", 1, written{record: base.record}); err != nil {
		return 0, err
	}
	if err := t.repeat(base.record, rule, repetition{created: true, attendees: base.attendees}); err != nil {
		return 0, err
	}
	t.mail(base.record, "invitation", base.invited)
	return base.id, nil
}

// createSingles makes events without a rule. Rules of automation go off for all
// of them together.
func (t *transaction) createSingles(list []map[string]any) ([]int, error) {
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

func (t *transaction) createEvent(given map[string]any) (made, error) {
	// Fields of a rule mean nothing to an event without one.
	_, given = takeRule(given)
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
	if truth(given["recurrency"]) {
		// A series is not to be sent event by event.
		values["need_sync_m"], values["follow_recurrence"] = false, true
	}
	fallback("videocall_source", "custom")
	fallback("alarm_ids", []int{})
	fallback("categ_ids", []int{})
	if t.server.config.Version < 18 {
		fallback("privacy", "public")
	}
	fallback("allday", false)
	fallback("recurrency", false)
	if !truth(given["recurrency"]) {
		fallback("follow_recurrence", false)
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

// writeEvents changes events of one call, and the recurrence of a single one as
// far as recurrence_update says.
func (t *transaction) writeEvents(found []*record, given map[string]any) error {
	scope := textOf(given["recurrence_update"])
	rule, given := takeRule(given)
	delete(given, "recurrence_update")
	whole := len(found) == 1 && (scope == "all_events" || scope == "future_events") && intOf(found[0].values["recurrence_id"]) != 0
	_, recurrencyGiven := given["recurrency"]
	_, activeGiven := given["active"]
	if t.syncing() && !activeGiven && (scope != "" || recurrencyGiven || slices.ContainsFunc(found, func(one *record) bool { return truth(one.values["recurrency"]) })) {
		return refuseUpdate(found)
	}
	if len(rule) > 0 && !whole && !truth(given["recurrency"]) {
		return userError("Unable to save the recurrence with \"This Event\"")
	}
	if start, moves := given["start"]; moves && scope == "self_only" && len(found) == 1 {
		if err := t.checkNeighbours(found[0], start); err != nil {
			return err
		}
	}
	if whole {
		return t.writeSeries(found[0], scope, given, rule)
	}
	if _, said := given["follow_recurrence"]; !said && (scope == "" || scope == "self_only" && len(found) == 1) {
		if slices.ContainsFunc(timeFields, func(name string) bool { return truth(given[name]) }) {
			given["follow_recurrence"] = false
		}
	}
	if err := t.writeSingles(found, given); err != nil {
		return err
	}
	if len(rule) == 0 || scope == "self_only" || scope == "all_events" {
		return nil
	}
	for _, one := range found {
		if event := t.get("calendar.event", one.id); intOf(event.values["recurrence_id"]) == 0 {
			if err := t.repeat(event, rule, repetition{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeSeries writes a recurrence by one of its events: from it on, or all.
func (t *transaction) writeSeries(event *record, scope string, given, rule map[string]any) error {
	if err := t.checkEventAccess(event, "write"); err != nil {
		return err
	}
	recurrence := t.get("calendar.recurrence", intOf(event.values["recurrence_id"]))
	if given["recurrency"] == false {
		return t.breakSeries(event, scope == "future_events")
	}
	times, values := map[string]any{}, map[string]any{}
	for name, value := range given {
		if slices.Contains(timeFields, name) {
			times[name] = value
		} else {
			values[name] = value
		}
	}
	delete(values, "access_token")
	if scope == "all_events" || intOf(recurrence.values["base_event_id"]) == event.id {
		return t.rewriteSeries(event, scope, values, times, rule)
	}
	return t.splitSeries(event, values, times, rule)
}

// writeSingles changes events of one call, each for itself. Rules of automation
// go off for all of them together.
func (t *transaction) writeSingles(found []*record, given map[string]any) error {
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
		t.mailChange(one)
	}
	if active, there := given["active"]; !there || truth(active) {
		return nil
	}
	bases, err := t.selectBases(t.identities(found))
	if err != nil {
		return err
	}
	return t.fire("write", 1, bases...)
}

// mailChange invites whom a change added, and tells the others of a new time.
func (t *transaction) mailChange(one written) {
	old, _ := intsOf(one.before["partner_ids"])
	current, _ := intsOf(one.values["partner_ids"])
	t.mail(one.record, "invitation", slices.DeleteFunc(slices.Clone(current), func(id int) bool { return slices.Contains(old, id) }))
	if moved(one) {
		t.mail(one.record, "update", slices.DeleteFunc(slices.Clone(current), func(id int) bool { return !slices.Contains(old, id) }))
	}
}

// syncedFields are those whose writing makes the built-in Outlook sync want the
// event again.
var syncedFields = []string{
	"name", "description", "allday", "start", "stop", "user_id", "privacy", "attendee_ids", "alarm_ids", "location",
	"show_as", "active", "videocall_location", "partner_ids",
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
	t.index(changed)
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
