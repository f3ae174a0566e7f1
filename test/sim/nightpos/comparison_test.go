package nightpos_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// comparison compares what was recorded with what the simulation did, and
// collects the differences.
type comparison struct {
	*translator
	ignored *ignoredFields
	// loose compares attendees in any order.
	loose bool
	// tied compares events that begin together in any order.
	tied        bool
	differences []string
}

func (c *comparison) differ(path, format string, arguments ...any) {
	c.differences = append(c.differences, path+": "+fmt.Sprintf(format, arguments...))
}

// equal compares plain values.
func (c *comparison) equal(path string, recorded, simulated any) {
	if text, ok := recorded.(string); ok {
		recorded = c.text(text)
	}
	if want, ok := recorded.(map[string]any); ok {
		got, _ := simulated.(map[string]any)
		c.sameKeys(path, want, got)
		for _, name := range slices.Sorted(maps.Keys(want)) {
			if value, there := got[name]; there {
				c.equal(path+"."+name, want[name], value)
			}
		}
		return
	}
	if want, ok := recorded.([]any); ok {
		got, _ := simulated.([]any)
		if len(want) == len(got) && got != nil {
			for index := range want {
				c.equal(fmt.Sprintf("%s[%d]", path, index), want[index], got[index])
			}
			return
		}
	}
	if !reflect.DeepEqual(recorded, simulated) {
		c.differ(path, "got %#v, recorded %#v", simulated, recorded)
	}
}

func (c *comparison) sameKeys(path string, recorded, simulated map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(recorded)) {
		if _, there := simulated[name]; !there {
			c.differ(path, "%s is missing, recorded %#v", name, recorded[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(simulated)) {
		if _, there := recorded[name]; !there {
			c.differ(path, "%s is %#v, but was not recorded", name, simulated[name])
		}
	}
}

// answer compares the bodies of two answers of JSON-RPC.
func (c *comparison) answer(call call, recorded, simulated map[string]any) {
	c.sameKeys("", recorded, simulated)
	c.equal("id", recorded["id"], simulated["id"])
	if want, failed := recorded["error"].(map[string]any); failed {
		got, _ := simulated["error"].(map[string]any)
		c.failure(want, got)
		return
	}
	if result, succeeded := recorded["result"]; succeeded {
		if _, there := simulated["result"]; there {
			c.result("result", call, result, simulated["result"])
		} else if failed, there := simulated["error"].(map[string]any); there {
			data, _ := failed["data"].(map[string]any)
			c.differ("error", "%v: %v", data["name"], data["message"])
		}
	}
}

func (c *comparison) failure(recorded, simulated map[string]any) {
	if simulated == nil {
		return
	}
	want, got := maps.Clone(recorded), maps.Clone(simulated)
	wantData, _ := want["data"].(map[string]any)
	gotData, _ := got["data"].(map[string]any)
	wantData, gotData = maps.Clone(wantData), maps.Clone(gotData)
	if _, there := gotData["debug"].(string); there {
		c.ignored.use("error.data.debug")
		delete(wantData, "debug")
		delete(gotData, "debug")
	}
	c.blamed(wantData, gotData)
	want["data"], got["data"] = wantData, gotData
	c.equal("error", want, got)
}

// blamed compares the automation rule that an error names.
func (c *comparison) blamed(recorded, simulated map[string]any) {
	rule := func(data map[string]any) map[string]any {
		context, _ := data["context"].(map[string]any)
		found, _ := context["base_automation"].(map[string]any)
		return found
	}
	if want, got := rule(recorded), rule(simulated); want != nil && got != nil {
		c.row("error.data.context", "base.automation", want, got)
		recorded["context"] = without(recorded["context"].(map[string]any), "base_automation")
		simulated["context"] = without(simulated["context"].(map[string]any), "base_automation")
	}
}

// result compares what methods return.
func (c *comparison) result(path string, call call, recorded, simulated any) {
	switch call.method {
	case "search":
		c.reference(path, call.model, recorded, simulated)
	case "create", "exists":
		c.reference(path, call.model, recorded, simulated)
	case "find_or_create":
		c.reference(path, "res.partner", recorded, simulated)
	case "make_key", "run_check":
		want, _ := recorded.(map[string]any)
		got, _ := simulated.(map[string]any)
		if want["res_id"] != nil {
			c.reference(path+".res_id", "res.users.identitycheck", want["res_id"], got["res_id"])
		} else {
			c.ignored.use("default_key")
			key, _ := got["context"].(map[string]any)
			if text, _ := key["default_key"].(string); len(text) != len(recordedKey) {
				c.differ(path, "got the key %q, recorded one of %d characters", text, len(recordedKey))
			}
			want, got = without(want, "context"), without(got, "context")
		}
		c.equal(path, without(want, "res_id"), without(got, "res_id"))
	case "web_search_read":
		want, _ := recorded.(map[string]any)
		got, _ := simulated.(map[string]any)
		c.equal(path, without(want, "records"), without(got, "records"))
		c.rows(path+".records", call.model, want["records"], got["records"])
	case "read", "search_read", "web_read", "web_save":
		c.rows(path, call.model, recorded, simulated)
	case "load":
		want, _ := recorded.(map[string]any)
		got, _ := simulated.(map[string]any)
		if want == nil || got == nil {
			c.equal(path, recorded, simulated)
			return
		}
		c.reference(path+".ids", call.model, want["ids"], got["ids"])
		c.equal(path, without(want, "ids"), without(got, "ids"))
	case "get_external_id":
		translated := map[string]any{}
		want, _ := recorded.(map[string]any)
		for id, name := range want {
			translated[fmt.Sprint(c.id(call.model, number(id)))] = name
		}
		c.equal(path, translated, simulated)
	case "run":
		c.operations(path, call, recorded, simulated)
	case "search_count":
		c.count(path, call.model, recorded, simulated)
	default:
		c.equal(path, recorded, simulated)
	}
}

func without(object map[string]any, name string) map[string]any {
	rest := maps.Clone(object)
	delete(rest, name)
	return rest
}

// count compares a number of records by how it changes: what was there before
// the recordings is not simulated.
func (c *comparison) count(path, model string, recorded, simulated any) {
	want, _ := recorded.(float64)
	got, ok := simulated.(float64)
	if !ok {
		c.differ(path, "got %#v, recorded %#v", simulated, recorded)
		return
	}
	if ignoredReasons["search_count of "+model] == "" {
		c.equal(path, want, got)
		return
	}
	c.ignored.use("search_count of " + model)
	base, known := c.ignored.counts[model]
	if !known {
		c.ignored.counts[model] = got - want
		return
	}
	if got-want != base {
		c.differ(path, "%v more than at first, recorded %v more", got-c.ignored.counts[model]-want, 0)
	}
}

// operations compares the results of a server action's operations.
func (c *comparison) operations(path string, run call, recorded, simulated any) {
	context, _ := run.named["context"].(map[string]any)
	list, _ := context["gw_ops"].([]any)
	results := func(answer any) []any {
		object, _ := answer.(map[string]any)
		infos, _ := object["infos"].(map[string]any)
		found, _ := infos["results"].([]any)
		return found
	}
	want, got := results(recorded), results(simulated)
	if len(want) != len(got) || len(want) != len(list) {
		c.equal(path, recorded, simulated)
		return
	}
	for index := range want {
		operation, _ := list[index].(map[string]any)
		one := call{}
		one.model, _ = operation["model"].(string)
		one.method, _ = operation["do"].(string)
		c.result(fmt.Sprintf("%s[%d]", path, index), one, want[index], got[index])
	}
	c.equal(path+".type", recorded.(map[string]any)["type"], simulated.(map[string]any)["type"])
}

// rows compares records that were read, in their order.
func (c *comparison) rows(path, model string, recorded, simulated any) {
	want, okWant := recorded.([]any)
	got, okGot := simulated.([]any)
	if !okWant || !okGot || len(want) != len(got) {
		c.differ(path, "got %v, recorded %v", simulated, recorded)
		return
	}
	if model == "ir.model" {
		c.ignored.use("order of ir.model")
		want, got = by("model", want), by("model", got)
	}
	if c.loose && model == "calendar.attendee" {
		c.ignored.use("order of attendees")
		want, got = by("email", want), by("email", got)
	}
	if c.tied && model == "calendar.event" {
		c.ignored.use("order of events")
		got = c.matched(want, got)
	}
	for index := range want {
		row, _ := want[index].(map[string]any)
		other, _ := got[index].(map[string]any)
		c.row(fmt.Sprintf("%s[%d]", path, index), model, row, other)
	}
}

// matched puts records that were seen before in the places of their
// counterparts, and leaves the others in their order.
func (c *comparison) matched(recorded, simulated []any) []any {
	id := func(row any) int {
		object, _ := row.(map[string]any)
		return number(object["id"])
	}
	rest := slices.Clone(simulated)
	list := make([]any, len(recorded))
	for index, row := range recorded {
		known, bound := c.ids["calendar.event"][id(row)]
		at := slices.IndexFunc(rest, func(other any) bool { return bound && id(other) == known })
		if at >= 0 {
			list[index] = rest[at]
			rest = slices.Delete(rest, at, at+1)
		}
	}
	for index := range list {
		if list[index] == nil {
			list[index], rest = rest[0], rest[1:]
		}
	}
	return list
}

// set compares lists of ids in any order; ids that were not seen before can be
// counted only.
func (c *comparison) set(path, model string, recorded, simulated any) {
	want, _ := recorded.([]any)
	got, _ := simulated.([]any)
	if len(want) != len(got) {
		c.differ(path, "got %v, recorded %v", simulated, recorded)
	}
	for _, id := range want {
		if known, bound := c.ids[model][number(id)]; bound && !slices.Contains(got, any(float64(known))) {
			c.differ(path, "got %v, recorded %v without %v, which is %d here", simulated, recorded, id, known)
		}
	}
}

// by puts rows in the order of a field.
func by(name string, rows []any) []any {
	return slices.SortedStableFunc(slices.Values(rows), func(a, b any) int {
		left, _ := a.(map[string]any)
		right, _ := b.(map[string]any)
		return strings.Compare(fmt.Sprint(left[name]), fmt.Sprint(right[name]))
	})
}

// row compares the fields of one record.
func (c *comparison) row(path, model string, recorded, simulated map[string]any) {
	c.sameKeys(path, recorded, simulated)
	names := slices.Sorted(maps.Keys(recorded))
	for _, name := range names {
		value, there := simulated[name]
		if !there {
			continue
		}
		at, relation := path+"."+name, c.relations[model][name]
		if model == "ir.model.data" && name == "res_id" {
			relation, _ = recorded["model"].(string)
		}
		switch {
		case c.ignored.field(model, name):
		case name == "id" || name == "_id":
			c.reference(at, model, recorded[name], value)
		case c.loose && name == "attendee_ids":
			c.ignored.use("order of attendees")
			c.set(at, relation, recorded[name], value)
		case name == "_action":
			c.action(at, recorded[name], value)
		case name == "write_date" || name == "create_date":
			c.instant(at, recorded[name], value)
		case relation != "":
			c.reference(at, relation, recorded[name], value)
		default:
			c.equal(at, recorded[name], value)
		}
	}
}

// action compares the name and number of a webhook's action.
func (c *comparison) action(path string, recorded, simulated any) {
	want, got := actionText.FindStringSubmatch(fmt.Sprint(recorded)), actionText.FindStringSubmatch(fmt.Sprint(simulated))
	if want != nil && got != nil {
		if difference := c.pair("ir.actions.server", number(want[1]), number(got[1])); difference != "" {
			c.differ(path, "%s", difference)
		}
	}
	c.equal(path, recorded, simulated)
}

func (c *comparison) instant(path string, recorded, simulated any) {
	want, okWant := recorded.(string)
	got, okGot := simulated.(string)
	if !okWant || !okGot || !isInstant(want) || !isInstant(got) {
		c.equal(path, recorded, simulated)
		return
	}
	c.ignored.use("write_date, create_date")
	if difference := c.pairStamps(want, got); difference != "" {
		c.differ(path, "%s", difference)
	}
}

// reference compares an id, a list of ids, or an id with its name.
func (c *comparison) reference(path, model string, recorded, simulated any) {
	switch want := recorded.(type) {
	case float64:
		got, ok := simulated.(float64)
		if !ok {
			c.differ(path, "got %#v, recorded %v", simulated, recorded)
			return
		}
		c.ignored.use("ids")
		if difference := c.pair(model, int(want), int(got)); difference != "" {
			c.differ(path, "%s", difference)
		}
	case map[string]any:
		got, ok := simulated.(map[string]any)
		if !ok {
			c.differ(path, "got %v, recorded %v", simulated, recorded)
			return
		}
		c.row(path, model, want, got)
	case []any:
		got, ok := simulated.([]any)
		if !ok || len(got) != len(want) {
			c.differ(path, "got %v, recorded %v", simulated, recorded)
			return
		}
		for index := range want {
			c.reference(fmt.Sprintf("%s[%d]", path, index), model, want[index], got[index])
		}
	default:
		c.equal(path, recorded, simulated)
	}
}
