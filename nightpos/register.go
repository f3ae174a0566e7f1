package nightpos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Registration is what NightPOS needs to know about the gateway.
type Registration struct {
	// PublicURL is where NightPOS reaches the gateway, without a slash at the end.
	PublicURL string
	// Token is the secret part of the webhooks' addresses.
	Token string
	// Known are other tokens that are ours: where the rules in NightPOS carry one
	// of them, it stays. Without them Token is what the rules get.
	Known []string
	// PageURL is the page that the menu entry under Calendar opens; empty for none.
	PageURL string
	// AccountID is the user id of the gateway's own account.
	AccountID int64
}

// rule is one automation rule with its webhook.
type rule struct {
	name, model, trigger, on string
	// triggers are the fields whose change fires; without them one save fires
	// up to five times.
	triggers []string
	// told are the fields in the payload: enough to find the lanes concerned.
	told   []string
	domain string
}

// eventTriggers are the fields that the gateway shows in Outlook, or that say
// whose event it is.
var eventTriggers = []string{
	"name", "start", "stop", "allday", "active", "location", "description", "privacy", "show_as", "partner_ids",
	"attendee_ids", "alarm_ids", "categ_ids", "videocall_location", "user_id", "recurrence_id", "follow_recurrence",
}

// recurrenceTriggers are the fields of a rule.
var recurrenceTriggers = []string{
	"rrule_type", "interval", "mon", "tue", "wed", "thu", "fri", "sat", "sun", "month_by", "day", "byday", "weekday",
	"end_type", "count", "until", "event_tz",
}

// rules leave out what the gateway itself wrote. Deletions are never left out:
// the last writer of a record is not who deletes it.
func rules(account int64) []rule {
	notOurs := fmt.Sprintf("[('write_uid','!=',%d)]", account)
	return []rule{
		{
			name: namePrefix + "event saved", model: "calendar.event", trigger: "on_create_or_write", on: triggerSave,
			triggers: eventTriggers, told: []string{"user_id", "partner_ids", "write_date"}, domain: notOurs,
		},
		{
			name: namePrefix + "event deleted", model: "calendar.event", trigger: "on_unlink", on: triggerUnlink,
			told: []string{"user_id", "partner_ids", "write_date"}, domain: "[]",
		},
		{
			// An answer does not touch the event. Rows that nobody answered yet
			// come with their event, which tells of itself.
			name: namePrefix + "invitation answered", model: "calendar.attendee", trigger: "on_create_or_write", on: triggerSave,
			triggers: []string{"state"}, told: []string{"event_id", "partner_id"},
			domain: fmt.Sprintf("[('write_uid','!=',%d),('state','!=','needsAction')]", account),
		},
		{
			// Somebody who is no longer invited is not among the event's people
			// any more.
			name: namePrefix + "invitation removed", model: "calendar.attendee", trigger: "on_unlink", on: triggerUnlink,
			told: []string{"event_id", "partner_id"}, domain: "[]",
		},
		{
			// A rule may change without any of its events.
			name: namePrefix + "recurrence saved", model: "calendar.recurrence", trigger: "on_create_or_write", on: triggerSave,
			triggers: recurrenceTriggers, told: []string{"base_event_id", "calendar_event_ids"}, domain: notOurs,
		},
		{
			// Its events stay and are not told.
			name: namePrefix + "recurrence deleted", model: "calendar.recurrence", trigger: "on_unlink", on: triggerUnlink,
			told: []string{"base_event_id", "calendar_event_ids"}, domain: "[]",
		},
	}
}

// webhookPath is where the gateway takes webhooks, before their secret part.
const webhookPath = "/webhooks/nightpos/"

func (r rule) address(registration Registration) string {
	return registration.PublicURL + webhookPath + url.PathEscape(registration.Token) + "?" + webhookTrigger + "=" + r.on
}

// Register installs, or brings up to date, everything the gateway needs in
// NightPOS: the group of its account, the door, the automation rules, the repair,
// and the menu entry that leads people to the gateway's page. The
// client must be signed in as an administrator; ErrAccess says that it is not.
// Repeating it changes nothing. It returns what it changed, in words.
func (c *Client) Register(ctx context.Context, registration Registration) ([]string, error) {
	signed, err := c.signIn(ctx)
	if err != nil {
		return nil, err
	}
	r := &registrar{client: c, registration: registration, groups: "groups_id"}
	if signed.major >= 19 {
		r.groups, r.implies = "group_ids", contactGroup
	}
	steps := []struct {
		what string
		do   func(context.Context) error
	}{
		{"looking up models and fields", r.lookUp},
		{"the group of the gateway's account", r.ensureGroup},
		{"the door", r.ensureDoor},
		{"the automation rules", r.ensureRules},
		{"the repair", r.ensureRepair},
		{"the menu entry", r.ensureMenu},
	}
	for _, step := range steps {
		if err := step.do(ctx); err != nil {
			return r.changed, fmt.Errorf("registering in NightPOS, %s: %w", step.what, err)
		}
	}
	return r.changed, nil
}

// contactGroup may make contacts. From 19 on new users are not in it, and the
// gateway's account has to make one of whoever is invited and not known yet.
const contactGroup = "group_partner_manager"

// registrar is one run of Register.
type registrar struct {
	client       *Client
	registration Registration
	// groups is what the list of groups is called, which 19 changed.
	groups string
	// implies is the external id, in the module base, of a group that the group
	// of the gateway's account implies.
	implies string
	group   int64
	models  map[string]int64
	fields  map[string]map[string]int64
	changed []string
}

func (r *registrar) note(format string, arguments ...any) {
	r.changed = append(r.changed, fmt.Sprintf(format, arguments...))
}

func (r *registrar) searchRead(ctx context.Context, model string, domain []any, fields []string, into any) error {
	answer, err := r.client.call(ctx, "register", request{
		model: model, method: "search_read", repeatable: true, arguments: []any{domain, fields},
		named: map[string]any{"order": "id", "context": map[string]any{"active_test": false}},
	})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("reading %s: %w", model, err)
	}
	return nil
}

func (r *registrar) create(ctx context.Context, model string, vals values) (int64, error) {
	answer, err := r.client.call(ctx, "register", request{model: model, method: "create", arguments: []any{vals}})
	if err != nil {
		return 0, err
	}
	var id reference
	if err := json.Unmarshal(answer, &id); err != nil || id <= 0 {
		return 0, fmt.Errorf("creating %s: %w", model, ErrInvalid)
	}
	return int64(id), nil
}

func (r *registrar) write(ctx context.Context, model string, id int64, vals values) error {
	_, err := r.client.call(ctx, "register", request{
		model: model, method: "write", repeatable: true, arguments: []any{[]int64{id}, vals},
	})
	return err
}

func (r *registrar) unlink(ctx context.Context, model string, ids ...int64) error {
	_, err := r.client.call(ctx, "register", request{model: model, method: "unlink", arguments: []any{ids}})
	if errors.Is(err, ErrMissing) {
		return nil
	}
	return err
}

func (r *registrar) lookUp(ctx context.Context) error {
	wanted := []string{"calendar.event", "calendar.attendee", "calendar.recurrence"}
	var models []struct {
		ID    int64 `json:"id"`
		Model text  `json:"model"`
	}
	if err := r.searchRead(ctx, "ir.model", []any{[]any{"model", "in", wanted}}, []string{"model"}, &models); err != nil {
		return err
	}
	r.models, r.fields = map[string]int64{}, map[string]map[string]int64{}
	for _, model := range models {
		r.models[string(model.Model)] = model.ID
		var fields []struct {
			ID   int64 `json:"id"`
			Name text  `json:"name"`
		}
		if err := r.searchRead(ctx, "ir.model.fields", []any{[]any{"model_id", "=", model.ID}}, []string{"name"}, &fields); err != nil {
			return err
		}
		named := map[string]int64{}
		for _, field := range fields {
			named[string(field.Name)] = field.ID
		}
		r.fields[string(model.Model)] = named
	}
	for _, name := range wanted {
		if r.models[name] == 0 {
			return fmt.Errorf("NightPOS has no model %s: install its Calendar app: %w", name, ErrInvalid)
		}
	}
	return nil
}

// fieldIDs are the ids of the fields that this version has.
func (r *registrar) fieldIDs(model string, names []string) []int64 {
	ids := []int64{}
	for _, name := range names {
		if id := r.fields[model][name]; id != 0 {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (r *registrar) ensureGroup(ctx context.Context) error {
	var groups []struct {
		ID int64 `json:"id"`
	}
	if err := r.searchRead(ctx, "res.groups", []any{[]any{"name", "=", groupName}}, []string{"name"}, &groups); err != nil {
		return err
	}
	if len(groups) > 0 {
		r.group = groups[0].ID
	} else {
		id, err := r.create(ctx, "res.groups", values{"name": groupName})
		if err != nil {
			return err
		}
		r.group = id
		r.note("made the group %q", groupName)
	}
	if err := r.ensureImplied(ctx); err != nil {
		return err
	}
	var users []map[string]json.RawMessage
	domain := []any{[]any{"id", "=", r.registration.AccountID}}
	if err := r.searchRead(ctx, "res.users", domain, []string{r.groups}, &users); err != nil {
		return err
	}
	if len(users) == 0 {
		return fmt.Errorf("the gateway's account does not exist: %w", ErrMissing)
	}
	var member []int64
	if err := json.Unmarshal(users[0][r.groups], &member); err != nil {
		return fmt.Errorf("reading the groups of the gateway's account: %w", err)
	}
	if slices.Contains(member, r.group) {
		return nil
	}
	r.note("put the gateway's account into that group")
	return r.write(ctx, "res.users", r.registration.AccountID, values{r.groups: []any{[]any{4, r.group}}})
}

// ensureImplied has the group imply the one that this version calls for.
func (r *registrar) ensureImplied(ctx context.Context) error {
	if r.implies == "" {
		return nil
	}
	var known []struct {
		ID int64 `json:"res_id"`
	}
	if err := r.searchRead(ctx, "ir.model.data", []any{[]any{"module", "=", "base"}, []any{"name", "=", r.implies}}, []string{"res_id"}, &known); err != nil {
		return err
	}
	if len(known) == 0 {
		return fmt.Errorf("NightPOS has no group base.%s: %w", r.implies, ErrMissing)
	}
	var groups []struct {
		Implied []int64 `json:"implied_ids"`
	}
	if err := r.searchRead(ctx, "res.groups", []any{[]any{"id", "=", r.group}}, []string{"implied_ids"}, &groups); err != nil {
		return err
	}
	if len(groups) > 0 && slices.Contains(groups[0].Implied, known[0].ID) {
		return nil
	}
	r.note("let the gateway's account make contacts")
	return r.write(ctx, "res.groups", r.group, values{"implied_ids": []any{[]any{4, known[0].ID}}})
}

func (r *registrar) ensureDoor(ctx context.Context) error {
	return r.ensureAction(ctx, doorName, Door)
}

func (r *registrar) ensureRepair(ctx context.Context) error {
	code, err := repairOf(r.registration, r.group)
	if err != nil {
		return err
	}
	return r.ensureAction(ctx, repairName, code)
}

// ensureAction has a server action of this name and code, for the gateway's group
// alone.
func (r *registrar) ensureAction(ctx context.Context, name, code string) error {
	var actions []struct {
		ID      int64   `json:"id"`
		Code    text    `json:"code"`
		Groups  []int64 `json:"groups_id"`
		Groups9 []int64 `json:"group_ids"`
	}
	domain := []any{[]any{"name", "=", name}, []any{"state", "=", "code"}}
	if err := r.searchRead(ctx, "ir.actions.server", domain, []string{"code", r.groups}, &actions); err != nil {
		return err
	}
	vals := values{
		"name": name, "model_id": r.models["calendar.event"], "state": "code", "code": code,
		r.groups: []any{[]any{6, 0, []int64{r.group}}},
	}
	if len(actions) == 0 {
		r.note("made the server action %q", name)
		_, err := r.create(ctx, "ir.actions.server", vals)
		return err
	}
	first := actions[0]
	groups := append(first.Groups, first.Groups9...)
	if strings.TrimSpace(string(first.Code)) == strings.TrimSpace(code) && slices.Equal(groups, []int64{r.group}) {
		return nil
	}
	r.note("brought the server action %q up to date", name)
	return r.write(ctx, "ir.actions.server", first.ID, vals)
}

// automationRow is an automation rule as it stands.
type automationRow struct {
	ID       int64     `json:"id"`
	Name     text      `json:"name"`
	Active   bool      `json:"active"`
	Model    reference `json:"model_id"`
	Trigger  text      `json:"trigger"`
	Triggers []int64   `json:"trigger_field_ids"`
	Domain   text      `json:"filter_domain"`
	Actions  []int64   `json:"action_server_ids"`
}

type webhookRow struct {
	ID     int64   `json:"id"`
	URL    text    `json:"webhook_url"`
	Fields []int64 `json:"webhook_field_ids"`
}

func (r *registrar) ensureRules(ctx context.Context) error {
	var rows []automationRow
	fields := []string{"name", "active", "model_id", "trigger", "trigger_field_ids", "filter_domain", "action_server_ids"}
	domain := []any{[]any{"name", "=like", namePrefix + "%"}}
	if err := r.searchRead(ctx, "base.automation", domain, fields, &rows); err != nil {
		return err
	}
	if err := r.adopt(ctx, rows); err != nil {
		return err
	}
	wanted := map[string]rule{}
	for _, rule := range rules(r.registration.AccountID) {
		wanted[rule.name] = rule
	}
	for _, row := range rows {
		rule, known := wanted[string(row.Name)]
		if known {
			same, err := r.matches(ctx, row, rule)
			if err != nil {
				return err
			}
			if same {
				delete(wanted, rule.name)
				continue
			}
		}
		// Rules that differ are made anew: a half-changed one would tell half.
		r.note("removed the outdated rule %q", row.Name)
		if err := r.removeRule(ctx, row); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		r.note("made the automation rule %q", name)
		if _, err := r.create(ctx, "base.automation", r.ruleValues(wanted[name])); err != nil {
			return err
		}
	}
	return nil
}

// adopt goes on with the token that the rules carry, if it is one of ours.
func (r *registrar) adopt(ctx context.Context, rows []automationRow) error {
	if len(r.registration.Known) == 0 {
		return nil
	}
	var ids []int64
	for _, row := range rows {
		ids = append(ids, row.Actions...)
	}
	if len(ids) == 0 {
		return nil
	}
	var actions []webhookRow
	if err := r.searchRead(ctx, "ir.actions.server", []any{[]any{"id", "in", ids}}, []string{"webhook_url"}, &actions); err != nil {
		return err
	}
	for _, action := range actions {
		rest, _ := strings.CutPrefix(string(action.URL), r.registration.PublicURL+webhookPath)
		token, _, _ := strings.Cut(rest, "?")
		if slices.Contains(r.registration.Known, token) {
			r.registration.Token = token
			return nil
		}
	}
	return nil
}

func (r *registrar) ruleValues(rule rule) values {
	model := r.models[rule.model]
	vals := values{
		"name": rule.name, "model_id": model, "trigger": rule.trigger, "filter_domain": rule.domain, "active": true,
		"action_server_ids": []any{[]any{0, 0, values{
			"name": rule.name, "model_id": model, "state": "webhook", "webhook_url": rule.address(r.registration),
			"webhook_field_ids": []any{[]any{6, 0, r.fieldIDs(rule.model, rule.told)}},
		}}},
	}
	if len(rule.triggers) > 0 {
		vals["trigger_field_ids"] = []any{[]any{6, 0, r.fieldIDs(rule.model, rule.triggers)}}
	}
	return vals
}

// matches says whether a rule stands as it should.
func (r *registrar) matches(ctx context.Context, row automationRow, rule rule) (bool, error) {
	slices.Sort(row.Triggers)
	if !row.Active || int64(row.Model) != r.models[rule.model] || string(row.Trigger) != rule.trigger ||
		string(row.Domain) != rule.domain || len(row.Actions) != 1 ||
		!slices.Equal(row.Triggers, r.fieldIDs(rule.model, rule.triggers)) {
		return false, nil
	}
	var actions []webhookRow
	domain := []any{[]any{"id", "in", row.Actions}}
	if err := r.searchRead(ctx, "ir.actions.server", domain, []string{"webhook_url", "webhook_field_ids"}, &actions); err != nil {
		return false, err
	}
	if len(actions) != 1 {
		return false, nil
	}
	slices.Sort(actions[0].Fields)
	return string(actions[0].URL) == rule.address(r.registration) &&
		slices.Equal(actions[0].Fields, r.fieldIDs(rule.model, rule.told)), nil
}
