package nightpos

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"
)

// doorModels are the models that operations may be about.
var doorModels = []string{"calendar.event", "calendar.attendee", "calendar.alarm", "calendar.event.type", "calendar.recurrence"}

// keyModule is the namespace of the external ids that keyed creates leave.
const keyModule = "__outlook_gateway__"

// runAction runs a server action of state "code": the operations in the context,
// with the access checks lifted, for the members of the action's groups.
func (t *transaction) runAction(ids []int) (any, error) {
	if len(ids) != 1 {
		return nil, valueError("Expected singleton: ir.actions.server%v", ids)
	}
	action := t.get("ir.actions.server", ids[0])
	if action == nil {
		return nil, missing("ir.actions.server", ids, t.uid)
	}
	wanted := groupsOf(action)
	user := t.get("res.users", t.uid)
	if len(wanted) > 0 && !slices.ContainsFunc(wanted, func(id int) bool { return t.inGroup(user, id) }) {
		return nil, accessError("You don't have enough access rights to run this action.")
	}
	if action.values["state"] != "code" {
		return nil, nil
	}
	if _, listed := t.context["gw_ops"].([]any); !listed || t.server.config.Interpret {
		result, err := t.interpret(action)
		return result, t.evaluated(err, action)
	}
	if meant, given := t.context["gw_database"]; given && textOf(meant) != t.databaseID() {
		return nil, t.evaluated(userError("gateway: another database"), action)
	}
	operations, _ := t.context["gw_ops"].([]any)
	d := &door{transaction: t}
	if slices.ContainsFunc(operations, writes) {
		t.server.count("door writing")
	} else {
		t.server.count("door reading")
	}
	for _, item := range operations {
		result, err := d.run(objectOf(item))
		if err != nil {
			return nil, t.evaluated(err, action)
		}
		d.results = append(d.results, result)
	}
	if d.results == nil {
		d.results = []any{}
	}
	return map[string]any{"type": "ir.actions.act_window_close", "infos": map[string]any{"results": d.results}}, nil
}

// databaseID is what tells this database from its copies.
func (t *transaction) databaseID() string {
	identity, _ := t.as(true, map[string]any{}).parameter("database.uuid")
	return textOf(identity)
}

// evaluated is an error as it leaves the action: 19 quotes the whole code with a
// ValueError.
func (t *transaction) evaluated(err error, action *record) error {
	var failed *fault
	if t.nineteen() && errors.As(err, &failed) && failed.name == "builtins.ValueError" {
		return valueError("ValueError(\"%s\") while evaluating\n\"%s\"", failed.message, textOf(action.values["code"]))
	}
	return err
}

// writes says whether an operation changes anything.
func writes(operation any) bool {
	return slices.Contains([]string{"create", "write", "unlink"}, textOf(objectOf(operation)["do"]))
}

// door is one run of the operations.
type door struct {
	*transaction
	results []any
}

func (d *door) run(operation map[string]any) (any, error) {
	if operation["do"] == "built_in_sync" {
		return d.builtInSync(operation), nil
	}
	if operation["do"] == "stop_built_in_sync" {
		ids, _ := intsOf(operation["ids"])
		stopped := []int{}
		t := d.as(true, nil)
		for _, id := range ids {
			user := t.get("res.users", id)
			if user == nil || truth(user.values["microsoft_synchronization_stopped"]) {
				continue
			}
			if err := t.stopBuiltInSync([]int{id}); err != nil {
				return nil, err
			}
			stopped = append(stopped, id)
		}
		return stopped, nil
	}
	if operation["do"] == "week_start" {
		return "7", nil // of English as it is spoken in the United States
	}
	if after, given := operation["after"].(int); given && d.results[after] != true {
		return "skipped", nil
	}
	if operation["do"] == "identity" {
		return d.databaseID(), nil
	}
	model := textOf(operation["model"])
	if !slices.Contains(doorModels, model) {
		return nil, userError("gateway: model not allowed: %s", model)
	}
	d.server.count("door " + model + "." + textOf(operation["do"]))
	t := d.as(true, objectOf(operation["context"]))
	if operation["context"] == nil {
		t.context = map[string]any{}
	}
	if user, given := operation["as"].(int); given {
		t.uid = user
	}
	ids, _ := intsOf(operation["ids"])
	ids = slices.Clone(ids)
	of, _ := intsOf(operation["of"])
	for _, index := range of {
		made, _ := d.results[index].([]int)
		ids = append(ids, made...)
		rows, _ := d.results[index].([]map[string]any)
		for _, row := range rows {
			ids = append(ids, intOf(row["id"]))
		}
	}
	var existing []int
	for _, id := range ids {
		if t.get(model, id) != nil && !slices.Contains(existing, id) {
			existing = append(existing, id)
		}
	}
	switch operation["do"] {
	case "read":
		return t.doorRead(model, existing, operation)
	case "search_read":
		domain, _ := operation["domain"].([]any)
		if by := textOf(operation["by"]); by != "" {
			domain = []any{[]any{by, "in", plain(ids)}}
		}
		found, err := t.search(model, domain, textOf(operation["order"]), 0, intOf(operation["limit"]))
		if err != nil {
			return nil, err
		}
		return t.doorRead(model, found, operation)
	case "exists":
		return append([]int{}, existing...), nil
	case "keys_of":
		return t.keysOf(model, ids, stringsOf(operation["keys"])), nil
	case "check":
		return t.doorCheck(model, ids, existing, operation)
	case "create":
		return t.doorCreate(model, operation)
	case "write":
		return t.doorWrite(model, ids, existing, operation)
	case "unlink":
		return true, t.unlink(model, existing)
	}
	return nil, userError("gateway: unknown operation: %s", textOf(operation["do"]))
}

// builtInSync tells how each user stands with the sync that NightPOS ships.
func (d *door) builtInSync(operation map[string]any) any {
	t := d.as(true, map[string]any{})
	paused, _ := t.parameter("microsoft_calendar_sync_paused")
	ids, _ := intsOf(operation["ids"])
	rows := []any{}
	for _, id := range ids {
		if user := t.get("res.users", id); user != nil {
			rows = append(rows, map[string]any{
				"id": id, "paused": truth(paused), "connected": truth(t.value(user, "microsoft_calendar_rtoken")),
				"stopped": truth(t.value(user, "microsoft_synchronization_stopped")),
			})
		}
	}
	return rows
}

func (t *transaction) doorRead(model string, ids []int, operation map[string]any) (any, error) {
	fields := slices.Clone(stringsOf(operation["fields"]))
	for _, name := range stringsOf(operation["maybe"]) {
		if _, there := t.server.schema[model][name]; there {
			fields = append(fields, name)
		}
	}
	rows, err := t.read(model, ids, fields, false)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		for _, name := range stringsOf(operation["micro"]) {
			row[name] = ""
			if instant, ok := t.value(t.get(model, intOf(row["id"])), name).(time.Time); ok {
				row[name] = micro(instant)
			}
		}
		for _, name := range stringsOf(operation["owner"]) {
			if _, there := t.server.schema["res.users"][name]; !there {
				continue
			}
			row[name] = false
			if owner := t.get("res.users", intOf(row["user_id"])); owner != nil {
				row[name] = t.show(owner, name, false)
			}
		}
	}
	return rows, nil
}

// keysOf pairs records with the keys they were made with.
func (t *transaction) keysOf(model string, ids []int, keys []string) any {
	pairs, near := []any{}, map[int]bool{}
	if len(keys) > 0 {
		for _, name := range keys {
			t.having(near, "ir.model.data", "name", name)
		}
	} else {
		t.having(near, "ir.model.data", "res_id", indexValues(ids)...)
	}
	for _, data := range t.records("ir.model.data", near) {
		if data.values["module"] != keyModule || data.values["model"] != model {
			continue
		}
		id, name := intOf(data.values["res_id"]), textOf(data.values["name"])
		if (len(keys) > 0 && slices.Contains(keys, name)) || (len(keys) == 0 && slices.Contains(ids, id)) {
			pairs = append(pairs, []any{id, name})
		}
	}
	return pairs
}

func (t *transaction) doorCreate(model string, operation map[string]any) (any, error) {
	keys := stringsOf(operation["keys"])
	list, _ := operation["vals"].([]any)
	made := []int{}
	for index, item := range list {
		name := ""
		if index < len(keys) {
			name = keys[index]
		}
		known, id := t.externalID(keyModule, name)
		if known != nil && t.get(model, id) != nil {
			made = append(made, id)
			continue
		}
		if known != nil {
			t.remove(known)
		}
		values := objectOf(item)
		lines := eventLines(operation)
		if len(lines) > 0 {
			values = maps.Clone(values)
			given, _ := values["calendar_event_ids"].([]any)
			values["calendar_event_ids"] = append(slices.Clone(given), lines...)
		}
		id, err := t.create(model, values)
		if err != nil {
			return nil, err
		}
		if len(lines) > 0 && !truth(values["base_event_id"]) {
			events := t.followers(id)
			if err := t.write(model, []int{id}, map[string]any{"base_event_id": events[len(events)-1].id}); err != nil {
				return nil, err
			}
		}
		if name != "" {
			t.insert("ir.model.data", map[string]any{"module": keyModule, "name": name, "model": model, "res_id": id, "noupdate": true})
		}
		made = append(made, id)
	}
	return made, nil
}

// externalID finds an external id and the record it names.
func (t *transaction) externalID(module, name string) (*record, int) {
	if name == "" {
		return nil, 0
	}
	near := map[int]bool{}
	t.having(near, "ir.model.data", "name", name)
	for _, data := range t.records("ir.model.data", near) {
		if data.values["module"] == module && data.values["name"] == name {
			return data, intOf(data.values["res_id"])
		}
	}
	return nil, 0
}

func (t *transaction) doorWrite(model string, ids, existing []int, operation map[string]any) (any, error) {
	if len(existing) < len(ids) {
		return "missing", nil
	}
	for name, value := range objectOf(operation["guard"]) {
		for _, id := range existing {
			shown := ""
			if instant, ok := t.value(t.get(model, id), name).(time.Time); ok {
				shown = micro(instant)
			}
			if shown != value {
				return "stale", nil
			}
		}
	}
	values := objectOf(operation["vals"])
	if lines := eventLines(operation); len(lines) > 0 {
		values = maps.Clone(values)
		values["calendar_event_ids"] = lines
	}
	return true, t.write(model, existing, values)
}

// eventLines are the events that an operation makes in a recurrence.
func eventLines(operation map[string]any) []any {
	var lines []any
	list, _ := operation["lines"].([]any)
	for _, item := range list {
		line := map[string]any{}
		maps.Copy(line, objectOf(operation["common"]))
		maps.Copy(line, objectOf(item))
		lines = append(lines, []any{0, 0, line})
	}
	return lines
}

// doorCheck says whether records are still what they were.
func (t *transaction) doorCheck(model string, ids, existing []int, operation map[string]any) (any, error) {
	answer := any(true)
	domain, bound := operation["domain"].([]any)
	if len(existing) < len(ids) {
		answer = "missing"
	} else if bound {
		found, err := t.search(model, domain, "", 0, 0)
		if err != nil {
			return nil, err
		}
		slices.Sort(found)
		if !slices.Equal(found, slices.Sorted(slices.Values(existing))) {
			answer = "stale"
		}
	}
	stamps := objectOf(operation["stamps"])
	for _, id := range existing {
		wanted, guarded := stamps[strconv.Itoa(id)]
		if shown, ok := t.value(t.get(model, id), "write_date").(time.Time); answer == true && guarded && ok && micro(shown) != wanted {
			answer = "stale"
		}
	}
	for _, key := range stringsOf(operation["keys"]) {
		if known, id := t.externalID(keyModule, key); known != nil && known.values["model"] == model && t.get(model, id) != nil {
			answer = "made"
		}
	}
	return answer, nil
}
