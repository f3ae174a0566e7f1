package nightpos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"time"
)

// webhookPatience is how long NightPOS waits for the answer to a webhook, while
// its own user waits for NightPOS.
const webhookPatience = time.Second

// createRule makes an automation rule together with its actions.
func (t *transaction) createRule(given map[string]any) (int, error) {
	given = maps.Clone(given)
	lines := given["action_server_ids"]
	delete(given, "action_server_ids")
	values, err := t.assign("base.automation", given, nil)
	if err != nil {
		return 0, err
	}
	if _, there := given["active"]; !there {
		values["active"] = true
	}
	if err := t.checkRequired("base.automation", values); err != nil {
		return 0, err
	}
	made := t.insert("base.automation", values)
	list, _ := lines.([]any)
	for _, item := range list {
		command, ok := item.([]any)
		if !ok || len(command) != 3 || command[0] != 0 {
			return 0, valueError("Wrong value for base.automation.action_server_ids: %v", item)
		}
		action := maps.Clone(objectOf(command[2]))
		action["base_automation_id"], action["usage"] = made.id, "base_automation"
		if refused, err := t.refusedFields(action["webhook_field_ids"]); err != nil {
			return 0, err
		} else if len(refused) > 0 {
			return 0, t.refuseFields(textOf(action["name"]), refused)
		}
		if action["state"] == "webhook" && t.server.config.Version < 19 {
			// The given name is replaced.
			action["name"] = "Send Webhook Notification"
		}
		if _, err := t.create("ir.actions.server", action); err != nil {
			return 0, err
		}
	}
	return made.id, nil
}

// refusedFields are those chosen for a webhook that only a group may see.
func (t *transaction) refusedFields(chosen any) ([]string, error) {
	ids, err := t.commands("ir.model.fields", nil, chosen)
	if err != nil {
		return nil, err
	}
	var refused []string
	for _, id := range t.natural("ir.model.fields", ids) {
		found := t.get("ir.model.fields", id)
		if found != nil && t.server.schema[textOf(found.values["model"])][textOf(found.values["name"])].group != "" {
			refused = append(refused, textOf(found.values["field_description"]))
		}
	}
	return refused, nil
}

const restrictedFields = "Group-restricted fields cannot be included in webhook payloads, as it could allow any user to accidentally leak sensitive information. You will have to remove the following fields from the webhook payload"

func (t *transaction) refuseFields(action string, refused []string) error {
	if t.nineteen() {
		return validationError("Following child actions have warnings: %s", action)
	}
	return validationError(restrictedFields+" in the following actions:\n %s: %s", action, strings.Join(refused, ", "))
}

// actionWarning is what 19 tells the administrator about an action by itself.
func (t *transaction) actionWarning(action *record) any {
	ids, _ := intsOf(action.values["webhook_field_ids"])
	refused, err := t.refusedFields(plain(ids))
	if err != nil || len(refused) == 0 {
		return nil
	}
	return restrictedFields + ":\n- " + strings.Join(refused, "\n- ")
}

// written is one record and, for a write, what it was before.
type written struct {
	*record
	before map[string]any
}

// fire runs the rules that a change of records sets off. One change writes its
// records several times over, and at each pass a rule without trigger fields
// goes off for all of them; one with trigger fields goes off once.
func (t *transaction) fire(operation string, passes int, records ...written) error {
	if len(records) == 0 || !t.server.hasRules() {
		return nil
	}
	var rules []*record
	for _, rule := range t.all("base.automation") {
		model := t.get("ir.model", intOf(rule.values["model_id"]))
		if truth(rule.values["active"]) && model != nil && model.values["model"] == records[0].model && triggered(textOf(rule.values["trigger"]), operation) {
			rules = append(rules, rule)
		}
	}
	for pass := range passes {
		for _, rule := range rules {
			for _, one := range records {
				if triggers, _ := intsOf(rule.values["trigger_field_ids"]); len(triggers) > 0 && operation != "unlink" {
					if pass > 0 || operation == "write" && !t.anyChanged(one.record, one.before, triggers) {
						continue
					}
				}
				if err := t.runRule(rule, one.record); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func triggered(trigger, operation string) bool {
	switch trigger {
	case "on_create_or_write":
		return operation == "create" || operation == "write"
	case "on_unlink":
		return operation == "unlink"
	case "on_create":
		return operation == "create"
	case "on_write":
		return operation == "write"
	}
	return false
}

// anyChanged says whether one of the trigger fields shows something else.
func (t *transaction) anyChanged(r *record, before map[string]any, triggers []int) bool {
	for _, id := range triggers {
		defined := t.get("ir.model.fields", id)
		if defined == nil {
			continue
		}
		name := textOf(defined.values["name"])
		if t.server.schema[r.model][name].computed != nil {
			continue
		}
		if !reflect.DeepEqual(normal(before[name]), normal(r.values[name])) {
			return true
		}
	}
	return false
}

// normal makes nothing, false and empty alike.
func normal(value any) any {
	if !truth(value) {
		return nil
	}
	return value
}

func (t *transaction) runRule(rule, r *record) error {
	domain, err := t.ruleDomain(textOf(rule.values["filter_domain"]))
	if err != nil {
		return err
	}
	every := t.as(true, nil)
	test, err := every.compile(r.model, domain)
	if err != nil || !test(r) {
		return err
	}
	for _, action := range t.all("ir.actions.server") {
		if intOf(action.values["base_automation_id"]) == rule.id && action.values["state"] == "webhook" {
			one := post{textOf(action.values["webhook_url"]), every.payload(action, r)}
			if t.server.config.Version >= 19 {
				*t.posts = append(*t.posts, one)
				continue
			}
			t.server.post(one.address, one.body)
		}
	}
	return nil
}

// contextDomain is the one form of Python that is understood in a rule's domain
// besides a list of leaves.
var contextDomain = regexp.MustCompile(`^(.*) if model\.env\.context\.get\('([a-z_]+)'\) else (.*)$`)

func (t *transaction) ruleDomain(text string) ([]any, error) {
	text = strings.TrimSpace(text)
	if parts := contextDomain.FindStringSubmatch(text); parts != nil {
		text = parts[3]
		if truth(t.context[parts[2]]) {
			text = parts[1]
		}
	}
	if text == "" {
		return nil, nil
	}
	// A Python literal of this kind is JSON with other brackets and words.
	text = strings.NewReplacer("(", "[", ")", "]", "'", `"`, "True", "true", "False", "false", "None", "null").Replace(text)
	var domain []any
	if err := json.Unmarshal([]byte(text), &domain); err != nil {
		return nil, valueError("Invalid domain: %s", text)
	}
	list, _ := plain(domain).([]any)
	return list, nil
}

// payload is what a webhook sends.
func (t *transaction) payload(action, r *record) []byte { return []byte(dumps(t.body(action, r))) }

// body is that of a webhook, to be read without access checks.
func (t *transaction) body(action, r *record) map[string]any {
	body := map[string]any{"_action": fmt.Sprintf("%s(#%d)", textOf(action.values["name"]), action.id), "_id": r.id, "_model": r.model}
	fields, _ := intsOf(action.values["webhook_field_ids"])
	for _, id := range fields {
		defined := t.get("ir.model.fields", id)
		if defined == nil {
			continue
		}
		name := textOf(defined.values["name"])
		body["id"] = r.id
		body[name] = t.show(r, name, false)
		if made, fresh := t.fresh[r.id]; fresh && r.model == "calendar.recurrence" && name == "calendar_event_ids" {
			// As the call that made them knows them: in the order of their making.
			body[name] = made
		}
		if instant, ok := t.value(r, name).(time.Time); ok {
			body[name] = micro(instant)
		}
	}
	return body
}

// samplePayload shows the administrator a webhook's body, made of the record that
// comes first.
func (t *transaction) samplePayload(action *record) any {
	model := t.get("ir.model", intOf(action.values["model_id"]))
	if action.values["state"] != "webhook" || model == nil {
		return nil
	}
	every := t.as(true, map[string]any{"active_test": false})
	found, err := every.search(textOf(model.values["model"]), nil, "", 0, 1)
	if err != nil {
		return nil
	}
	body := map[string]any{}
	if len(found) > 0 {
		body = every.body(action, t.get(textOf(model.values["model"]), found[0]))
	}
	if t.nineteen() {
		content, err := json.MarshalIndent(body, "", "    ")
		if err != nil {
			return nil
		}
		return string(content)
	}
	delete(body, "_action")
	delete(body, "_id")
	body["_model"], body["_name"] = model.values["model"], action.values["name"]
	content, err := json.MarshalIndent(body, "", "    ")
	if err != nil {
		return nil
	}
	return string(content)
}

// post sends a webhook and waits for its answer, up to a point. What goes wrong
// is nobody's concern here, as in NightPOS: it is logged and lost.
func (s *Server) post(address string, body []byte) {
	var fate WebhookFate
	if s.config.Webhook != nil {
		fate = s.config.Webhook(address, body)
	}
	s.count("webhook")
	if fate.Drop {
		return
	}
	for range 1 + fate.Duplicates {
		if fate.Delay > 0 && !s.pause(fate.Delay) {
			return
		}
		s.send(address, body)
	}
}

func (s *Server) send(address string, body []byte) {
	target, err := url.Parse(address)
	if err != nil {
		return
	}
	user := target.User
	target.User = nil
	request, err := http.NewRequestWithContext(s.context, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		return
	}
	request.Header.Set("User-Agent", "python-requests/2.28.1")
	request.Header.Set("Accept-Encoding", "gzip, deflate")
	request.Header.Set("Accept", "*/*")
	request.Header.Set("Connection", "keep-alive")
	request.Header.Set("Content-Type", "application/json")
	if user != nil {
		password, _ := user.Password()
		request.SetBasicAuth(user.Username(), password)
	}
	answer, err := s.webhooks.Do(request)
	if err != nil {
		s.count("webhook lost")
		return
	}
	_ = answer.Body.Close()
	if answer.StatusCode >= http.StatusBadRequest {
		s.count("webhook lost")
	}
}

// WebhookFate is what a test has happen to a webhook. The zero value is the
// ordinary fate.
type WebhookFate struct {
	// Drop loses it without a trace.
	Drop bool
	// Delay comes before each sending, inside the transaction.
	Delay time.Duration
	// Duplicates are sent besides.
	Duplicates int
}

// hasRules spares transactions the search where there are no rules at all.
func (s *Server) hasRules() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.tables["base.automation"].records) > 0
}
