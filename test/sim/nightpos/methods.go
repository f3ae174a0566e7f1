package nightpos

import (
	"errors"
	"maps"
	"net/mail"
	"slices"
	"strings"
)

// arguments are what a method was called with.
type arguments struct {
	list  []any
	named map[string]any
	// http says that the call came in a way that knows the browser's request.
	http bool
}

// at is a positional argument, or the named one.
func (a arguments) at(index int, name string) any {
	if index < len(a.list) {
		return a.list[index]
	}
	return a.named[name]
}

// ids are the records a method is about, which come first.
func (a arguments) ids() []int {
	ids, _ := intsOf(a.at(0, "ids"))
	return ids
}

// names says whether references are to be read with the names of what they refer
// to.
func (a arguments) names() bool {
	load, given := a.named["load"]
	return !given || truth(load)
}

// nothing is the answer of methods that return None: neither result nor error.
type nothing struct{}

// method runs one method of a model inside a transaction.
func (t *transaction) method(model, name string, given arguments) (any, error) {
	if _, known := t.server.schema[model]; !known {
		return nil, userError("Object %s doesn't exist", model)
	}
	if strings.HasPrefix(name, "_") || name == "exists" && t.nineteen() {
		if t.nineteen() {
			name = "'" + model + "." + name + "'"
		}
		return nil, accessError("Private methods (such as %s) cannot be called remotely.", name)
	}
	switch name {
	case "create":
		return t.createMethod(model, given.at(0, "vals_list"))
	case "read":
		rows, err := t.read(model, given.ids(), stringsOf(given.at(1, "fields")), given.names())
		return rows, err
	case "write":
		return true, t.write(model, given.ids(), objectOf(given.at(1, "vals")))
	case "unlink":
		return true, t.unlink(model, given.ids())
	case "exists":
		return t.existing(model, given.ids()), nil
	case "search", "search_count", "search_read":
		return t.searchMethod(model, name, given)
	case "fields_get":
		described := t.server.catalogue.describe(model, stringsOf(given.at(1, "attributes")))
		if described == nil {
			described = t.fieldsGet(model)
		}
		if wanted := stringsOf(given.at(0, "allfields")); len(wanted) > 0 {
			maps.DeleteFunc(described, func(name string, _ any) bool { return !slices.Contains(wanted, name) })
		}
		return described, nil
	case "web_read":
		return t.webRead(model, given.ids(), objectOf(given.at(1, "specification")))
	case "web_save":
		return t.webSave(model, given)
	case "web_search_read":
		return t.webSearchRead(model, given)
	}
	return t.special(model, name, given)
}

func (t *transaction) special(model, name string, given arguments) (any, error) {
	switch model + "." + name {
	case "calendar.event.action_archive":
		return nothing{}, t.write(model, given.ids(), map[string]any{"active": false})
	case "calendar.event.action_unarchive":
		return nothing{}, t.write(model, given.ids(), map[string]any{"active": true})
	case "calendar.event.action_mass_deletion":
		return nothing{}, t.massDeletion(given.ids(), textOf(given.at(1, "recurrence_update_setting")))
	case "calendar.event.action_mass_archive":
		return nothing{}, t.massArchive(given.ids(), textOf(given.at(1, "recurrence_update_setting")))
	case "calendar.event.change_attendee_status":
		return true, t.changeStatus(given.ids(), textOf(given.at(1, "status")), textOf(given.at(2, "recurrence_update_setting")))
	case "calendar.event.load":
		return t.load(model, stringsOf(given.at(0, "fields")), given.at(1, "data"))
	case "calendar.event.get_external_id":
		return t.externalIDs(model, given.ids()), nil
	case "calendar.attendee.do_accept":
		return true, t.answer(given.ids(), "accepted")
	case "calendar.attendee.do_decline":
		return true, t.answer(given.ids(), "declined")
	case "calendar.attendee.do_tentative":
		return true, t.answer(given.ids(), "tentative")
	case "res.partner.find_or_create":
		id, err := t.findOrCreate(textOf(given.at(0, "email")))
		if err == nil && t.nineteen() {
			return []any{id}, nil
		}
		return id, err
	case "res.users.context_get":
		return t.userContext(), nil
	case "res.users.apikeys.description.make_key":
		return t.makeKey(given.ids(), given)
	case "res.users.identitycheck.run_check":
		return t.runCheck(given.ids(), given)
	case "res.users.has_group":
		return t.hasGroup(textOf(given.at(0, "group_ext_id"))), nil
	case "ir.config_parameter.set_param":
		return t.setParameter(textOf(given.at(0, "key")), given.at(1, "value"))
	case "ir.config_parameter.get_param":
		return t.parameter(textOf(given.at(0, "key")))
	case "ir.actions.server.run":
		return t.runAction(given.ids())
	}
	if t.nineteen() {
		return nil, newFault("builtins.AttributeError", "The method '%s.%s' does not exist", model, name)
	}
	return nil, newFault("builtins.AttributeError", "The method '%s' does not exist on the model '%s'", name, model)
}

func (t *transaction) createMethod(model string, given any) (any, error) {
	list, many := given.([]any)
	if !many {
		return t.create(model, objectOf(given))
	}
	if model == "calendar.event" && t.checkModelAccess(model, "create") == nil {
		values := make([]map[string]any, len(list))
		for index, item := range list {
			values[index] = objectOf(item)
		}
		return t.createEvents(values)
	}
	ids := []int{}
	for _, item := range list {
		id, err := t.create(model, objectOf(item))
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (t *transaction) existing(model string, ids []int) []int {
	left := []int{}
	for _, id := range ids {
		if t.get(model, id) != nil {
			left = append(left, id)
		}
	}
	return left
}

func (t *transaction) searchMethod(model, name string, given arguments) (any, error) {
	if err := t.checkModelAccess(model, "read"); err != nil {
		return nil, err
	}
	domain, _ := given.at(0, "domain").([]any)
	if model == "mail.mail" {
		if name != "search_count" || len(domain) > 0 {
			return nil, userError("This simulated NightPOS counts its mails only.")
		}
		return t.countMails(), nil
	}
	first := 1
	if name == "search_read" {
		first = 2
	}
	offset, limit := intOf(given.at(first, "offset")), intOf(given.at(first+1, "limit"))
	ids, err := t.search(model, domain, textOf(given.at(first+2, "order")), offset, limit)
	switch {
	case err != nil:
		return nil, err
	case name == "search":
		return ids, nil
	case name == "search_count":
		return len(ids), nil
	}
	return t.read(model, ids, stringsOf(given.at(1, "fields")), given.names())
}

// fieldsGet describes the fields of a model that are simulated.
func (t *transaction) fieldsGet(model string) map[string]any {
	described := map[string]any{}
	for name, defined := range t.server.schema[model] {
		one := map[string]any{"type": string(defined.kind), "required": defined.required, "string": defined.label}
		if defined.relation != "" {
			one["relation"] = defined.relation
		}
		described[name] = one
	}
	return described
}

// findOrCreate finds the contact of an address, in any case, or makes it from
// "Name <address>".
func (t *transaction) findOrCreate(text string) (any, error) {
	address, name := strings.TrimSpace(text), ""
	if parsed, err := mail.ParseAddress(text); err == nil {
		address, name = parsed.Address, parsed.Name
	}
	if address == "" {
		return nil, valueError("An email is required for find_or_create to work")
	}
	for _, partner := range t.all("res.partner") {
		if truth(partner.values["active"]) && strings.EqualFold(textOf(partner.values["email"]), address) {
			return partner.id, nil
		}
	}
	if name == "" {
		name = address
	}
	return t.create("res.partner", map[string]any{"name": name, "email": strings.ToLower(address)})
}

// hasGroup says whether the acting user is in a group, named by its external id.
func (t *transaction) hasGroup(external string) bool {
	module, name, _ := strings.Cut(external, ".")
	data, group := t.externalID(module, name)
	user := t.get("res.users", t.uid)
	return data != nil && user != nil && data.values["model"] == "res.groups" && t.inGroup(user, group)
}

// setParameter answers with the value before, or false (600, 601). A value of
// false removes the parameter.
func (t *transaction) setParameter(name string, value any) (any, error) {
	before, err := t.parameter(name)
	if err != nil {
		return nil, err
	}
	for _, parameter := range t.all("ir.config_parameter") {
		if parameter.values["key"] != name {
			continue
		}
		if !truth(value) {
			return before, t.unlink("ir.config_parameter", []int{parameter.id})
		}
		return before, t.write("ir.config_parameter", []int{parameter.id}, map[string]any{"value": value})
	}
	if truth(value) {
		_, err = t.create("ir.config_parameter", map[string]any{"key": name, "value": value})
	}
	return before, err
}

func (t *transaction) parameter(name string) (any, error) {
	if err := t.checkModelAccess("ir.config_parameter", "read"); err != nil {
		return nil, err
	}
	for _, parameter := range t.all("ir.config_parameter") {
		if parameter.values["key"] == name {
			return t.show(parameter, "value", false), nil
		}
	}
	return false, nil
}

func (t *transaction) externalIDs(model string, ids []int) map[string]any {
	found := map[string]any{}
	for _, id := range ids {
		found[itoa(id)] = ""
		for _, data := range t.all("ir.model.data") {
			if data.values["model"] == model && intOf(data.values["res_id"]) == id {
				found[itoa(id)] = textOf(data.values["module"]) + "." + textOf(data.values["name"])
			}
		}
	}
	return found
}

// load imports rows under external ids: a second load of the same id updates.
// Errors come inside the result, and undo everything.
func (t *transaction) load(model string, fields []string, data any) (any, error) {
	rows, _ := data.([]any)
	ids := []int{}
	refuse := func(index int, err error, more map[string]any) (any, error) {
		message := map[string]any{"rows": map[string]any{"from": index, "to": index}, "record": index, "type": "error", "message": err.Error()}
		var failed *fault
		if errors.As(err, &failed) {
			message["message"] = failed.message
		}
		for name, value := range more {
			message[name] = value
		}
		clear(t.written)
		messages := []any{message}
		if t.nineteen() && more == nil {
			// A row that cannot be made fails its whole batch.
			messages = nil
			for other := range rows {
				same := maps.Clone(message)
				same["rows"], same["record"] = map[string]any{"from": other, "to": other}, other
				messages = append(messages, same)
			}
		}
		return map[string]any{"ids": false, "messages": messages, "nextrow": 0}, nil
	}
	for index, item := range rows {
		cells, _ := item.([]any)
		values, external := map[string]any{}, ""
		for column, name := range fields {
			if column >= len(cells) {
				continue
			}
			cell := cells[column]
			switch {
			case name == "id":
				external = textOf(cell)
			case name == "partner_ids/.id":
				var partners []any
				for _, part := range strings.Split(textOf(cell), ",") {
					partners = append(partners, atoi(part))
				}
				values["partner_ids"] = []any{[]any{6, 0, partners}}
			case t.server.schema[model][name].kind == kindDatetime && truth(cell):
				instant, err := t.localTime(textOf(cell))
				if err != nil {
					return refuse(index, userError("'%s' does not seem to be a valid datetime for field '%s'", textOf(cell), t.server.schema[model][name].label),
						map[string]any{"field": name, "field_name": t.server.schema[model][name].label, "moreinfo": "Use the format '2012-12-31 23:59:59'"})
				}
				values[name] = instant
			default:
				values[name] = cell
			}
		}
		module, name, _ := strings.Cut(external, ".")
		known, id := t.externalID(module, name)
		var err error
		if known != nil && t.get(model, id) != nil {
			err = t.write(model, []int{id}, values)
		} else if id, err = t.create(model, values); err == nil && name != "" {
			t.insert("ir.model.data", map[string]any{"module": module, "name": name, "model": model, "res_id": id, "noupdate": false})
		}
		if err != nil {
			return refuse(index, err, nil)
		}
		ids = append(ids, id)
	}
	return map[string]any{"ids": ids, "messages": []any{}, "nextrow": 0}, nil
}

// inGroup says whether a user is in a group, or in one that implies it.
func (t *transaction) inGroup(user *record, group int) bool {
	if user == nil {
		return false
	}
	seen := slices.Clone(groupsOf(user))
	for index := 0; index < len(seen); index++ {
		if seen[index] == group {
			return true
		}
		if found := t.get("res.groups", seen[index]); found != nil {
			implied, _ := intsOf(found.values["implied_ids"])
			for _, one := range implied {
				if !slices.Contains(seen, one) {
					seen = append(seen, one)
				}
			}
		}
	}
	return false
}
