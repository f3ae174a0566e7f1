package nightpos

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Finding is something in NightPOS that is not as Register leaves it.
type Finding struct {
	// Kind is what sort of record it is, Name what NightPOS calls it, and Wrong
	// what is the matter with it.
	Kind  Kind
	Name  string
	Wrong Wrong
}

// Kind is a sort of record that Register makes.
type Kind string

// The kinds.
const (
	KindGroup  Kind = "group"
	KindAction Kind = "action"
	KindMenu   Kind = "menu"
	KindRule   Kind = "rule"
)

// Kinds are all kinds.
func Kinds() []Kind { return []Kind{KindGroup, KindAction, KindMenu, KindRule} }

// Wrong is what can be the matter with a record.
type Wrong string

// What can be the matter. WrongOutside is a group without the gateway's account,
// WrongContacts one that lets it make no contacts, WrongOpen an action for everybody
// and WrongOthers one for other groups too; WrongMoved opens another address.
const (
	WrongMissing  Wrong = "missing"
	WrongOutside  Wrong = "outside"
	WrongContacts Wrong = "contacts"
	WrongOpen     Wrong = "open"
	WrongOthers   Wrong = "others"
	WrongEdited   Wrong = "edited"
	WrongVersion  Wrong = "version"
	WrongTwice    Wrong = "twice"
	WrongOff      Wrong = "off"
	WrongMoved    Wrong = "moved"
)

// Wrongs are everything that can be the matter.
func Wrongs() []Wrong {
	return []Wrong{
		WrongMissing, WrongOutside, WrongContacts, WrongOpen, WrongOthers, WrongEdited, WrongVersion, WrongTwice, WrongOff, WrongMoved,
	}
}

// Inspect looks at everything that Register installs and changes nothing. It
// returns what Register would mend. The client must be signed in as an
// administrator; ErrAccess says that it is not.
func (c *Client) Inspect(ctx context.Context, registration Registration) ([]Finding, error) {
	signed, err := c.signIn(ctx)
	if err != nil {
		return nil, err
	}
	r := &registrar{client: c, registration: registration, groups: "groups_id"}
	if signed.major >= 19 {
		r.groups, r.implies = "group_ids", contactGroup
	}
	failed := func(err error) ([]Finding, error) {
		return nil, fmt.Errorf("inspecting the registration in NightPOS: %w", err)
	}
	if err := r.lookUp(ctx); err != nil {
		return failed(err)
	}
	group, err := r.inspectGroup(ctx)
	if err != nil {
		return failed(err)
	}
	door, err := r.inspectAction(ctx, doorName, Door)
	if err != nil {
		return failed(err)
	}
	code, err := repairOf(registration, r.group)
	if err != nil {
		return failed(err)
	}
	repair, err := r.inspectAction(ctx, repairName, code)
	if err != nil {
		return failed(err)
	}
	menu, err := r.inspectMenu(ctx)
	if err != nil {
		return failed(err)
	}
	rules, err := r.inspectRules(ctx)
	if err != nil {
		return failed(err)
	}
	return slices.Concat(group, door, repair, menu, rules), nil
}

func (r *registrar) inspectGroup(ctx context.Context) ([]Finding, error) {
	var groups []struct {
		ID int64 `json:"id"`
	}
	if err := r.searchRead(ctx, "res.groups", []any{[]any{"name", "=", groupName}}, []string{"name"}, &groups); err != nil {
		return nil, err
	}
	if len(groups) == 0 {
		return []Finding{{KindGroup, groupName, WrongMissing}}, nil
	}
	r.group = groups[0].ID
	var users []namedRow
	domain := []any{[]any{"id", "=", r.registration.AccountID}, []any{r.groups, "in", []int64{r.group}}}
	if err := r.searchRead(ctx, "res.users", domain, []string{"name"}, &users); err != nil {
		return nil, err
	}
	if len(users) == 0 {
		return []Finding{{KindGroup, groupName, WrongOutside}}, nil
	}
	implied, err := r.implied(ctx)
	if err != nil || implied {
		return nil, err
	}
	return []Finding{{KindGroup, groupName, WrongContacts}}, nil
}

// implied says whether the group implies what this version calls for.
func (r *registrar) implied(ctx context.Context) (bool, error) {
	if r.implies == "" {
		return true, nil
	}
	var known []struct {
		ID int64 `json:"res_id"`
	}
	if err := r.searchRead(ctx, "ir.model.data", []any{[]any{"module", "=", "base"}, []any{"name", "=", r.implies}}, []string{"res_id"}, &known); err != nil || len(known) == 0 {
		return false, err
	}
	var groups []struct {
		Implied []int64 `json:"implied_ids"`
	}
	err := r.searchRead(ctx, "res.groups", []any{[]any{"id", "=", r.group}}, []string{"implied_ids"}, &groups)
	return err == nil && len(groups) > 0 && slices.Contains(groups[0].Implied, known[0].ID), err
}

func (r *registrar) inspectAction(ctx context.Context, name, code string) ([]Finding, error) {
	var actions []struct {
		ID      int64   `json:"id"`
		Code    text    `json:"code"`
		Groups  []int64 `json:"groups_id"`
		Groups9 []int64 `json:"group_ids"`
	}
	domain := []any{[]any{"name", "=", name}, []any{"state", "=", "code"}}
	if err := r.searchRead(ctx, "ir.actions.server", domain, []string{"code", r.groups}, &actions); err != nil {
		return nil, err
	}
	if len(actions) == 0 {
		return []Finding{{KindAction, name, WrongMissing}}, nil
	}
	var findings []Finding
	groups := append(actions[0].Groups, actions[0].Groups9...)
	switch {
	case len(groups) == 0:
		findings = append(findings, Finding{KindAction, name, WrongOpen})
	case !slices.Equal(groups, []int64{r.group}):
		findings = append(findings, Finding{KindAction, name, WrongOthers})
	}
	if strings.TrimSpace(string(actions[0].Code)) != strings.TrimSpace(code) {
		findings = append(findings, Finding{KindAction, name, WrongEdited})
	}
	return findings, nil
}

func (r *registrar) inspectRules(ctx context.Context) ([]Finding, error) {
	var rows []automationRow
	fields := []string{"name", "active", "model_id", "trigger", "trigger_field_ids", "filter_domain", "action_server_ids"}
	if err := r.searchRead(ctx, "base.automation", []any{[]any{"name", "=like", namePrefix + "%"}}, fields, &rows); err != nil {
		return nil, err
	}
	if err := r.adopt(ctx, rows); err != nil {
		return nil, err
	}
	wanted := map[string]rule{}
	for _, rule := range rules(r.registration.AccountID) {
		wanted[rule.name] = rule
	}
	found := map[string]bool{}
	var findings []Finding
	for _, row := range rows {
		name := string(row.Name)
		rule, known := wanted[name]
		switch {
		case !known:
			findings = append(findings, Finding{KindRule, name, WrongVersion})
			continue
		case found[rule.name]:
			findings = append(findings, Finding{KindRule, name, WrongTwice})
			continue
		}
		found[rule.name] = true
		if !row.Active {
			findings = append(findings, Finding{KindRule, name, WrongOff})
			continue
		}
		same, err := r.matches(ctx, row, rule)
		if err != nil {
			return nil, err
		}
		if !same {
			findings = append(findings, Finding{KindRule, name, WrongEdited})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if !found[name] {
			findings = append(findings, Finding{KindRule, name, WrongMissing})
		}
	}
	return findings, nil
}
