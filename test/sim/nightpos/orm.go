package nightpos

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// value is what a field holds, computed ones included.
func (t *transaction) value(r *record, name string) any {
	if name == "id" {
		return r.id
	}
	if computed := t.server.schema[r.model][name].computed; computed != nil {
		return computed(t, r)
	}
	return r.values[name]
}

func (t *transaction) displayName(r *record) any {
	switch {
	case r.model == "calendar.event" && t.masked(r):
		return maskedName
	case r.model == "calendar.attendee":
		return t.value(r, "common_name")
	case r.model == "ir.model.fields":
		return textOf(r.values["name"]) + " (" + textOf(r.values["model"]) + ")"
	}
	return r.values["name"]
}

// maskedName is shown of a private event in place of its name.
const maskedName = "Busy"

// unmasked fields of private events are readable by everybody.
var unmasked = []string{
	"id", "active", "allday", "start", "stop", "start_date", "stop_date", "duration", "privacy", "show_as", "user_id", "partner_id",
	"recurrency", "recurrence_id", "follow_recurrence", "videocall_source", "effective_privacy", "byday", "until", "rrule_type",
	"month_by", "event_tz", "rrule", "interval", "count", "end_type", "mon", "tue", "wed", "thu", "fri", "sat", "sun", "day", "weekday",
}

// privacy is who may see an event: without a word on it, what its owner's default
// is. What holds where nobody owns it was not recorded; it is taken for public.
func (t *transaction) privacy(r *record) any {
	if truth(r.values["privacy"]) {
		return r.values["privacy"]
	}
	if owner := t.get("res.users", intOf(r.values["user_id"])); owner != nil && t.server.config.Version >= 18 {
		return t.value(owner, "calendar_default_privacy")
	}
	return "public"
}

// masked says that the reader may not see what an event is about.
func (t *transaction) masked(r *record) bool {
	if t.sudo || t.privacy(r) != "private" {
		return false
	}
	if intOf(r.values["user_id"]) == t.uid {
		return false
	}
	partners, _ := intsOf(r.values["partner_ids"])
	return !slices.Contains(partners, t.partner())
}

// partner is the acting user's contact.
func (t *transaction) partner() int {
	if user := t.get("res.users", t.uid); user != nil {
		return intOf(user.values["partner_id"])
	}
	return 0
}

func (t *transaction) administrator() bool {
	return t.inGroup(t.get("res.users", t.uid), groupSettings)
}

// read shows records; those that do not exist are silently left out. Without
// names every reference is a bare id.
func (t *transaction) read(model string, ids []int, fields []string, names bool) ([]map[string]any, error) {
	defined, known := t.server.schema[model]
	if !known {
		return nil, userError("Object %s doesn't exist", model)
	}
	if err := t.checkModelAccess(model, "read"); err != nil {
		return nil, err
	}
	if len(fields) == 0 {
		for name := range defined {
			if !defined[name].admin || t.sudo || t.administrator() {
				fields = append(fields, name)
			}
		}
	}
	var forbidden []string
	for _, name := range fields {
		one, known := defined[name]
		if !known {
			return nil, t.noField(model, name, "on")
		}
		own := model == "res.users" && slices.Equal(ids, []int{t.uid}) && t.ownField(name)
		if one.admin && !t.sudo && !t.administrator() && !own {
			forbidden = append(forbidden, name)
		}
	}
	if len(forbidden) > 0 {
		return nil, t.forbiddenFields(model, forbidden)
	}
	rows := []map[string]any{}
	for _, id := range ids {
		found := t.get(model, id)
		if found == nil {
			continue
		}
		masked := model == "calendar.event" && t.masked(found)
		row := map[string]any{"id": id}
		for _, name := range fields {
			row[name] = t.show(found, name, names)
			if !masked || slices.Contains(unmasked, name) {
				continue
			}
			switch defined[name].kind {
			case kindMany, kindLines:
				row[name] = []int{}
			case kindInt:
				row[name] = 0
			default:
				row[name] = false
			}
			if name == "name" || name == "display_name" {
				row[name] = maskedName
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// noField is the error of naming a field that there is not; 19 words it by what
// was to be done.
func (t *transaction) noField(model, name, preposition string) error {
	if t.nineteen() {
		return valueError("Invalid field '%s' %s '%s'", name, preposition, model)
	}
	return valueError("Invalid field '%s' on model '%s'", name, model)
}

// ownField says whether a user may read a field of administrators of oneself:
// in 17 what the built-in sync does, in 18 none of its.
func (t *transaction) ownField(name string) bool {
	if name == "microsoft_synchronization_stopped" || name == "microsoft_last_sync_date" {
		return t.server.config.Version < 18
	}
	return !strings.HasPrefix(name, "microsoft_")
}

func (t *transaction) forbiddenFields(model string, names []string) error {
	if t.nineteen() {
		// It names the first only.
		return accessError("You do not have enough rights to access the field \"%s\" on %s (%s). Please contact your system administrator.\n\nOperation: read\nUser: %d\nGroups: allowed for groups 'Role / Administrator'",
			names[0], titles[model], model, t.uid)
	}
	text := fmt.Sprintf("You do not have enough rights to access the fields \"%s\" on %s (%s). Please contact your system administrator.\n\n", strings.Join(names, ","), titles[model], model)
	if t.server.config.Version < 18 {
		text = fmt.Sprintf("The requested operation can not be completed due to security restrictions.\n\nDocument type: %s (%s)\n", titles[model], model)
	}
	text += fmt.Sprintf("Operation: read\nUser: %d\nFields:", t.uid)
	for _, name := range slices.Sorted(slices.Values(names)) {
		text += "\n- " + name + " (allowed for groups 'Administration / Settings')"
	}
	return accessError("%s", text)
}

// show is a field as read answers it.
func (t *transaction) show(r *record, name string, names bool) any {
	value := t.value(r, name)
	defined := t.server.schema[r.model][name]
	switch shown := value.(type) {
	case nil:
		switch defined.kind {
		case kindMany, kindLines:
			return []int{}
		case kindInt:
			return 0
		case kindFloat:
			return 0.0
		}
		return false
	case time.Time:
		return shown.UTC().Format(datetimeFormat)
	case []int:
		if defined.relation != "" {
			return t.natural(defined.relation, shown)
		}
	case string:
		if shown == "" {
			return false
		}
	case int:
		if defined.kind == kindOne {
			if !names {
				return shown
			}
			target := t.get(defined.relation, shown)
			if target == nil {
				return false
			}
			return []any{shown, t.displayName(target)}
		}
	}
	return value
}

// assign checks the values of a create or write and turns them into what is
// stored. Lists of records are given as commands; current are the record's lists.
func (t *transaction) assign(model string, given map[string]any, current map[string]any) (map[string]any, error) {
	defined := t.server.schema[model]
	assigned := map[string]any{}
	for name, value := range given {
		one, known := defined[name]
		if !known {
			return nil, t.noField(model, name, "in")
		}
		converted, err := t.convert(model, name, one, value, current[name])
		if err != nil {
			return nil, err
		}
		assigned[name] = converted
	}
	return assigned, nil
}

func (t *transaction) convert(model, name string, defined field, value, current any) (any, error) {
	switch defined.kind {
	case kindMany:
		before, _ := current.([]int)
		return t.commands(defined.relation, before, value)
	case kindLines:
		return value, nil
	case kindBool:
		return truth(value), nil
	case kindOne, kindInt, kindFloat:
		if !truth(value) {
			if defined.kind == kindOne {
				return nil, nil
			}
			return 0, nil
		}
		if pair, ok := value.([]any); ok && len(pair) > 0 {
			value = pair[0]
		}
		if _, number := value.(int); !number && defined.kind == kindOne {
			return nil, valueError("Wrong value for %s.%s: %v", model, name, value)
		}
		return value, nil
	}
	if !truth(value) {
		return nil, nil
	}
	switch defined.kind {
	case kindDatetime:
		return parseDatetime(value)
	case kindDate:
		text, _ := value.(string)
		if len(text) > len(dateFormat) {
			text = text[:len(dateFormat)]
		}
		if _, err := time.Parse(dateFormat, text); err != nil {
			return nil, valueError("time data '%v' does not match format '%%Y-%%m-%%d'", value)
		}
		return text, nil
	case kindSelection:
		if !slices.Contains(defined.selection, textOf(value)) {
			return nil, valueError("Wrong value for %s.%s: '%v'", model, name, value)
		}
	case kindHTML:
		return sanitise(fmt.Sprint(value)), nil
	}
	return fmt.Sprint(value), nil
}

// parseDatetime takes "2006-01-02 15:04:05" and "2006-01-02" and nothing else.
func parseDatetime(value any) (any, error) {
	if instant, ok := value.(time.Time); ok {
		return instant.UTC().Truncate(time.Second), nil
	}
	text, _ := value.(string)
	format := datetimeFormat
	if len(text) == len(dateFormat) {
		format = dateFormat
	}
	if len(text) > len(datetimeFormat) {
		if _, err := time.Parse(datetimeFormat, text[:len(datetimeFormat)]); err == nil {
			return nil, valueError("unconverted data remains: %s", text[len(datetimeFormat):])
		}
	}
	instant, err := time.Parse(format, text)
	if err != nil {
		return nil, valueError("time data '%v' does not match format '%%Y-%%m-%%d %%H:%%M:%%S'", value)
	}
	return instant, nil
}

// commands carries out the commands that a list of records is written with.
func (t *transaction) commands(relation string, before []int, value any) ([]int, error) {
	after := slices.Clone(before)
	if !truth(value) {
		if value == nil || value == false {
			return []int{}, nil
		}
	}
	list, ok := value.([]any)
	if !ok {
		return nil, valueError("Wrong value for a list of %s: %v", relation, value)
	}
	if ids, bare := intsOf(list); bare && len(ids) > 0 {
		return slices.Compact(slices.Sorted(slices.Values(ids))), nil
	}
	for _, item := range list {
		command, ok := item.([]any)
		if !ok || len(command) == 0 {
			return nil, valueError("Wrong value for a list of %s: %v", relation, item)
		}
		target := 0
		if len(command) > 1 {
			target = intOf(command[1])
		}
		switch command[0] {
		case 0:
			if len(command) < 3 {
				return nil, valueError("Wrong command %v", command)
			}
			made, err := t.create(relation, objectOf(command[2]))
			if err != nil {
				return nil, err
			}
			after = append(after, made)
		case 2, 3:
			after = slices.DeleteFunc(after, func(id int) bool { return id == target })
		case 4:
			if !slices.Contains(after, target) {
				after = append(after, target)
			}
		case 5:
			after = nil
		case 6:
			if len(command) < 3 {
				return nil, valueError("Wrong command %v", command)
			}
			ids, ok := intsOf(command[2])
			if !ok {
				return nil, valueError("Wrong command %v", command)
			}
			after = slices.Clone(ids)
		default:
			return nil, valueError("Wrong command %v", command)
		}
	}
	for _, id := range after {
		if t.get(relation, id) == nil {
			return nil, missing(relation, []int{id}, t.uid)
		}
	}
	slices.Sort(after)
	return slices.Compact(after), nil
}

// checkRequired refuses records without what they must have.
func (t *transaction) checkRequired(model string, values map[string]any) error {
	for name, defined := range t.server.schema[model] {
		if defined.required && !truth(values[name]) && values[name] != 0 {
			if t.nineteen() {
				return validationError("The operation cannot be completed: Missing required value for the field '%s' (%s).\nModel: '%s' (%s)\n- create/update: a mandatory field is not set\n- delete: another model requires the record being deleted, you can archive it instead\n",
					defined.label, name, titles[model], model)
			}
			return validationError("The operation cannot be completed:\n- Create/update: a mandatory field is not set.\n- Delete: another model requires the record being deleted. If possible, archive it instead.\n\nModel: %s (%s)\nField: %s (%s)\n",
				titles[model], model, defined.label, name)
		}
	}
	return nil
}

// create makes one record.
func (t *transaction) create(model string, given map[string]any) (int, error) {
	if _, known := t.server.schema[model]; !known {
		return 0, userError("Object %s doesn't exist", model)
	}
	if err := t.checkModelAccess(model, "create"); err != nil {
		return 0, err
	}
	switch model {
	case "calendar.event":
		ids, err := t.createEvents([]map[string]any{given})
		if err != nil {
			return 0, err
		}
		return ids[0], nil
	case "calendar.attendee":
		attendee, err := t.addAttendee(given)
		if err != nil {
			return 0, err
		}
		return attendee.id, t.fire("create", 2, written{record: attendee})
	case "calendar.recurrence":
		return t.createRecurrence(given)
	case "res.users":
		return t.createUser(given)
	case "base.automation":
		return t.createRule(given)
	}
	values, err := t.assign(model, given, nil)
	if err != nil {
		return 0, err
	}
	if _, archives := t.server.schema[model]["active"]; archives && values["active"] == nil {
		values["active"] = true
	}
	if err := t.checkRequired(model, values); err != nil {
		return 0, err
	}
	return t.insert(model, values).id, nil
}

// write changes records that must all exist.
func (t *transaction) write(model string, ids []int, given map[string]any) error {
	if _, known := t.server.schema[model]; !known {
		return userError("Object %s doesn't exist", model)
	}
	if t.nineteen() && !t.sudo && !t.administrator() {
		for _, name := range slices.Sorted(maps.Keys(given)) {
			if t.server.schema[model][name].admin {
				return t.forbiddenFields(model, []string{name})
			}
		}
	}
	if err := t.checkModelAccess(model, "write"); err != nil {
		return err
	}
	found := make([]*record, 0, len(ids))
	for _, id := range ids {
		one := t.get(model, id)
		if one == nil {
			return missing(model, []int{id}, t.uid)
		}
		found = append(found, one)
	}
	if model == "calendar.event" {
		return t.writeEvents(found, given)
	}
	for _, one := range found {
		var err error
		switch model {
		case "calendar.attendee":
			err = t.writeAttendee(one, given)
		case "calendar.recurrence":
			err = t.writeRecurrence(one, given)
		default:
			err = t.writePlain(one, given)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *transaction) writePlain(found *record, given map[string]any) error {
	values, err := t.assign(found.model, given, found.values)
	if err != nil {
		return err
	}
	changed := t.change(found)
	for name, value := range values {
		changed.values[name] = value
	}
	t.touch(changed)
	// In 18 a rule that loses its trigger fields loses its trigger with them.
	if _, said := given["trigger"]; found.model == "base.automation" && t.server.config.Version == 18 && !said {
		if triggers, there := values["trigger_field_ids"]; there && !truth(triggers) {
			changed.values["trigger"] = nil
		}
	}
	return t.checkRequired(found.model, changed.values)
}

// unlink deletes records that must all exist.
func (t *transaction) unlink(model string, ids []int) error {
	if err := t.checkModelAccess(model, "unlink"); err != nil {
		return err
	}
	for _, id := range ids {
		found := t.get(model, id)
		if found == nil {
			return missing(model, []int{id}, t.uid)
		}
		switch model {
		case "calendar.event":
			if err := t.unlinkEvent(found); err != nil {
				return err
			}
		case "calendar.attendee":
			t.changed[intOf(found.values["event_id"])] = false
			if err := t.fire("unlink", 1, written{record: found}); err != nil {
				return err
			}
		case "calendar.recurrence":
			if err := t.unlinkRecurrence(found); err != nil {
				return err
			}
		case "base.automation":
			for _, action := range t.all("ir.actions.server") {
				if intOf(action.values["base_automation_id"]) == id {
					t.remove(action)
				}
			}
		}
		t.remove(found)
		t.unlist(model, id)
		// External ids go with their record.
		near := map[int]bool{}
		t.having(near, "ir.model.data", "res_id", id)
		for _, data := range t.records("ir.model.data", near) {
			if data.values["model"] == model && intOf(data.values["res_id"]) == id {
				t.remove(data)
			}
		}
	}
	if model != "calendar.event" {
		return nil
	}
	bases, err := t.selectBases(ids)
	if err != nil {
		return err
	}
	return t.fire("write", 1, bases...)
}

// unlist takes a removed record out of every list of such records, which the
// database does by itself and without touching the records that had it.
func (t *transaction) unlist(model string, id int) {
	for holder, fields := range t.server.schema {
		for name, defined := range fields {
			if defined.kind != kindMany || defined.relation != model {
				continue
			}
			for _, found := range t.all(holder) {
				if ids, _ := intsOf(found.values[name]); slices.Contains(ids, id) {
					t.change(found).values[name] = slices.DeleteFunc(slices.Clone(ids), func(other int) bool { return other == id })
				}
			}
		}
	}
}
