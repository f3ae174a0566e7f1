package nightpos_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	datetime      = "2006-01-02 15:04:05"
	microDatetime = "2006-01-02 15:04:05.000000"
)

// translator pairs what differs between the recording and the simulation, once
// it was seen: the ids of records, and the instants at which they were written.
type translator struct {
	relations map[string]map[string]string
	// ids are the recorded ids' counterparts, by model; taken the reverse.
	ids, taken map[string]map[int]int
	// stamps are the simulated instants' counterparts and written the reverse.
	// Two recorded transactions may share a second; two simulated ones never do.
	stamps, written map[string]string
	// overlapping says that transactions ran side by side, so that the order of
	// their beginnings means nothing.
	overlapping bool
}

func newTranslator(relations map[string]map[string]string) *translator {
	return &translator{
		relations: relations, ids: map[string]map[int]int{}, taken: map[string]map[int]int{},
		stamps: map[string]string{}, written: map[string]string{},
	}
}

// pair learns that two ids mean the same record, or says why they cannot.
func (t *translator) pair(model string, recorded, simulated int) string {
	if t.ids[model] == nil {
		t.ids[model], t.taken[model] = map[int]int{}, map[int]int{}
	}
	if known, bound := t.ids[model][recorded]; bound && known != simulated {
		return fmt.Sprintf("%s %d, recorded %d, which is %d here", model, simulated, recorded, known)
	}
	if known, bound := t.taken[model][simulated]; bound && known != recorded {
		return fmt.Sprintf("%s %d, recorded %d, but it is the recorded %d", model, simulated, recorded, known)
	}
	t.ids[model][recorded], t.taken[model][simulated] = simulated, recorded
	return ""
}

// id is the simulated record of a recorded id. One that was never seen keeps
// its id, unless another record has it.
func (t *translator) id(model string, recorded int) int {
	if known, bound := t.ids[model][recorded]; bound {
		return known
	}
	if _, used := t.taken[model][recorded]; used {
		return 900_000_000 + recorded
	}
	return recorded
}

// pairStamps learns that two instants are those of the same transaction.
func (t *translator) pairStamps(recorded, simulated string) string {
	if (len(recorded) > len(datetime)) != (len(simulated) > len(datetime)) {
		return fmt.Sprintf("instant %s, recorded %s", simulated, recorded)
	}
	if known, bound := t.stamps[simulated]; bound && known != recorded {
		return fmt.Sprintf("written at %s, which is %s in the recording, where this was written at %s", simulated, known, recorded)
	}
	for other, known := range t.stamps {
		if !t.overlapping && len(other) == len(simulated) && len(known) == len(recorded) && (other < simulated) != (known < recorded) && other != simulated && known != recorded {
			return fmt.Sprintf("written at %s, recorded %s: not in the order of %s, recorded %s", simulated, recorded, other, known)
		}
	}
	if len(recorded) > len(datetime) {
		if known, bound := t.written[recorded]; bound && known != simulated {
			return fmt.Sprintf("written at %s, recorded %s, which is %s here", simulated, recorded, known)
		}
		if difference := t.pairStamps(recorded[:len(datetime)], simulated[:len(datetime)]); difference != "" {
			return difference
		}
	}
	t.stamps[simulated], t.written[recorded] = recorded, simulated
	return ""
}

// stamp is the simulated instant of a recorded one.
func (t *translator) stamp(recorded string) string {
	if known, bound := t.written[recorded]; bound {
		return known
	}
	return recorded
}

// stampsIn puts the simulated instants in place of the recorded ones in what a
// domain compares with: an instant, a list of them, or something else.
func (t *translator) stampsIn(value any) any {
	switch given := value.(type) {
	case string:
		if isoText.MatchString(given) {
			return t.text(given)
		}
		return t.stamp(given)
	case []any:
		list := make([]any, len(given))
		for index, item := range given {
			list[index] = t.stampsIn(item)
		}
		return list
	}
	return value
}

// request turns a recorded request into the one to send.
func (t *translator) request(request map[string]any) map[string]any {
	call := callOf(request)
	if call.model == "" || call.named == nil && len(call.list) > 0 && request["params"].(map[string]any)["method"] == "execute" {
		return request
	}
	parameters := request["params"].(map[string]any)
	given := append([]any{}, parameters["args"].([]any)...)
	given[1] = float64(t.id("res.users", number(given[1])))
	given[5] = t.arguments(call)
	if len(given) > 6 {
		named := map[string]any{}
		for name, value := range call.named {
			named[name] = value
		}
		if context, ok := named["context"].(map[string]any); ok {
			named["context"] = t.context(context)
		}
		given[6] = named
	}
	return map[string]any{
		"jsonrpc": "2.0", "method": "call", "id": request["id"],
		"params": map[string]any{"service": "object", "method": "execute_kw", "args": given},
	}
}

func (t *translator) arguments(call call) []any {
	list := append([]any{}, call.list...)
	if len(list) == 0 {
		return list
	}
	switch call.method {
	case "create":
		list[0] = t.values(call.model, list[0])
	case "search", "search_read", "search_count":
		list[0] = t.domain(call.model, list[0])
	case "load", "find_or_create", "get_param", "has_group":
	default:
		list[0] = t.references(call.model, list[0])
		if call.method == "write" && len(list) > 1 {
			list[1] = t.values(call.model, list[1])
		}
	}
	return list
}

// references translates an id or a list of ids.
func (t *translator) references(model string, value any) any {
	switch given := value.(type) {
	case float64:
		return float64(t.id(model, int(given)))
	case []any:
		list := make([]any, len(given))
		for index, item := range given {
			list[index] = t.references(model, item)
		}
		return list
	}
	return value
}

// values translates what a record is written with, or a list of such.
func (t *translator) values(model string, value any) any {
	switch given := value.(type) {
	case []any:
		list := make([]any, len(given))
		for index, item := range given {
			list[index] = t.values(model, item)
		}
		return list
	case map[string]any:
		values := map[string]any{}
		for name, item := range given {
			values[name] = item
			if relation := t.relations[model][name]; relation != "" {
				values[name] = t.commands(relation, item)
			}
		}
		return values
	}
	return value
}

// commands translates [[6, 0, ids], [4, id], [0, 0, values], …], bare ids, or
// one id.
func (t *translator) commands(model string, value any) any {
	list, many := value.([]any)
	if !many {
		return t.references(model, value)
	}
	translated := make([]any, len(list))
	for index, item := range list {
		command, ok := item.([]any)
		if !ok {
			translated[index] = t.references(model, item)
			continue
		}
		command = append([]any{}, command...)
		switch kind := number(command[0]); {
		case kind == 6:
			command[2] = t.references(model, command[2])
		case kind >= 1 && kind <= 4:
			command[1] = t.references(model, command[1])
		}
		if len(command) > 2 && number(command[0]) < 2 {
			command[2] = t.values(model, command[2])
		}
		translated[index] = command
	}
	return translated
}

func (t *translator) domain(model string, value any) any {
	list, _ := value.([]any)
	translated := make([]any, len(list))
	for index, item := range list {
		translated[index] = item
		leaf, ok := item.([]any)
		if !ok || len(leaf) != 3 {
			continue
		}
		name, _ := leaf[0].(string)
		switch relation := t.relations[model][name]; {
		case name == "id":
			relation = model
			fallthrough
		case relation != "":
			translated[index] = []any{name, leaf[1], t.references(relation, leaf[2])}
		case name == "write_date":
			translated[index] = []any{name, leaf[1], t.stampsIn(leaf[2])}
		}
	}
	return translated
}

// named translates the named arguments of a call.
func (t *translator) named(called call) map[string]any {
	translated := map[string]any{}
	for name, value := range called.named {
		switch name {
		case "ids":
			value = t.references(called.model, value)
		case "domain":
			if _, list := value.([]any); list {
				value = t.domain(called.model, value)
			}
		case "vals", "vals_list":
			value = t.values(called.model, value)
		case "context":
			if context, ok := value.(map[string]any); ok {
				value = t.context(context)
			}
		}
		translated[name] = value
	}
	return translated
}

// context translates the operations of a server action.
func (t *translator) context(context map[string]any) map[string]any {
	translated := map[string]any{}
	for name, value := range context {
		translated[name] = value
	}
	operations, _ := context["gw_ops"].([]any)
	if operations == nil {
		return translated
	}
	list := make([]any, len(operations))
	for index, item := range operations {
		operation := map[string]any{}
		for name, value := range item.(map[string]any) {
			operation[name] = value
		}
		model, _ := operation["model"].(string)
		if ids, given := operation["ids"]; given {
			operation["ids"] = t.references(model, ids)
		}
		if domain, given := operation["domain"]; given {
			operation["domain"] = t.domain(model, domain)
		}
		if values, given := operation["vals"]; given {
			operation["vals"] = t.values(model, values)
		}
		list[index] = operation
	}
	translated["gw_ops"] = list
	return translated
}

// Ids inside texts.
var (
	actionText = regexp.MustCompile(`\(#(\d+)\)`)
	recordText = regexp.MustCompile(`\b((?:calendar|base|ir|res)\.[a-z.]+)\((\d+),\)`)
	userText   = regexp.MustCompile(`\b(User: |id=)(\d+)`)
	isoText    = regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d`)
)

// text puts the simulated ids in place of the recorded ones.
func (t *translator) text(recorded string) string {
	recorded = actionText.ReplaceAllStringFunc(recorded, func(found string) string {
		return fmt.Sprintf("(#%d)", t.id("ir.actions.server", number(actionText.FindStringSubmatch(found)[1])))
	})
	recorded = recordText.ReplaceAllStringFunc(recorded, func(found string) string {
		parts := recordText.FindStringSubmatch(found)
		return fmt.Sprintf("%s(%d,)", parts[1], t.id(parts[1], number(parts[2])))
	})
	recorded = isoText.ReplaceAllStringFunc(recorded, func(found string) string {
		return strings.Replace(t.stamp(strings.Replace(found, "T", " ", 1)), " ", "T", 1)
	})
	return userText.ReplaceAllStringFunc(recorded, func(found string) string {
		parts := userText.FindStringSubmatch(found)
		return parts[1] + strconv.Itoa(t.id("res.users", number(parts[2])))
	})
}

func number(value any) int {
	switch given := value.(type) {
	case float64:
		return int(given)
	case string:
		whole, err := strconv.Atoi(strings.TrimSpace(given))
		if err != nil {
			return 0
		}
		return whole
	}
	return 0
}

// isInstant says that a text is a datetime with or without its fraction.
func isInstant(text string) bool {
	_, err := time.Parse(datetime, text)
	if err != nil {
		_, err = time.Parse(microDatetime, text)
	}
	return err == nil
}
