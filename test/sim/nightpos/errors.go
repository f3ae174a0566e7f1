package nightpos

import (
	"fmt"
	"slices"
	"strings"
)

// fault is a Python exception as the API shows it.
type fault struct {
	// name is the exception's full name.
	name    string
	message string
	// code is 100 for an expired session, else 200.
	code int
	// context goes with the error to the caller.
	context map[string]any
}

func (f *fault) Error() string { return f.name + ": " + f.message }

func newFault(name, format string, arguments ...any) *fault {
	return &fault{name: name, message: fmt.Sprintf(format, arguments...), code: 200}
}

func valueError(format string, arguments ...any) error {
	return newFault("builtins.ValueError", format, arguments...)
}

func userError(format string, arguments ...any) error {
	return newFault("odoo.exceptions.UserError", format, arguments...)
}

func validationError(format string, arguments ...any) error {
	return newFault("odoo.exceptions.ValidationError", format, arguments...)
}

func accessError(format string, arguments ...any) error {
	return newFault("odoo.exceptions.AccessError", format, arguments...)
}

func accessDenied() error { return newFault("odoo.exceptions.AccessDenied", "Access Denied") }

// missing is the error of writing to records that do not exist.
func missing(model string, ids []int, uid int) error {
	var list strings.Builder
	for index, id := range ids {
		if index > 0 {
			list.WriteString(", ")
		}
		fmt.Fprint(&list, id)
	}
	if len(ids) == 1 {
		list.WriteString(",")
	}
	return newFault("odoo.exceptions.MissingError", "Record does not exist or has been deleted.\n(Record: %s(%s), User: %d)", model, list.String(), uid)
}

// conflict makes a transaction start again, as a serialization failure does.
type conflict struct{}

func (conflict) Error() string { return "could not serialize access due to concurrent update" }

// titles are what people call the models.
var titles = map[string]string{
	"calendar.event": "Calendar Event", "calendar.attendee": "Calendar Attendee Information", "calendar.alarm": "Event Alarm",
	"calendar.event.type": "Event Meeting Type", "calendar.recurrence": "Event Recurrence Rule", "res.users": "User", "res.partner": "Contact", "res.groups": "Access Groups",
	"mail.message": "Message", "mail.mail": "Outgoing Mails", "res.users.settings": "User Settings",
	"base.automation": "Automation Rule", "ir.actions.server": "Server Action", "ir.config_parameter": "System Parameter",
	"ir.actions.act_url": "Action URL", "ir.ui.menu": "Menu", "res.lang": "Languages",
	"ir.model": "Models", "ir.model.fields": "Fields", "ir.model.data": "Model Data",
}

// restricted are the models that ordinary people may not use, by the operations
// refused, and the group that may.
var restricted = map[string]struct {
	operations []string
	group      string
}{
	"base.automation":     {[]string{"read", "write", "create", "unlink"}, "Administration/Settings"},
	"ir.actions.server":   {[]string{"write", "create", "unlink"}, "Administration/Settings"},
	"ir.actions.act_url":  {[]string{"write", "create", "unlink"}, "Administration/Settings"},
	"ir.ui.menu":          {[]string{"write", "create", "unlink"}, "Administration/Settings"},
	"ir.config_parameter": {[]string{"read", "write", "create", "unlink"}, "Administration/Settings"},
	"ir.model.data":       {[]string{"read", "write", "create", "unlink"}, "Administration/Access Rights"},
	"ir.model":            {[]string{"write", "create", "unlink"}, "Administration/Access Rights"},
	"ir.model.fields":     {[]string{"write", "create", "unlink"}, "Administration/Access Rights"},
	"res.groups":          {[]string{"write", "create", "unlink"}, "Administration/Access Rights"},
	"res.users":           {[]string{"write", "create", "unlink"}, "Administration/Access Rights"},
	"calendar.event.type": {nil, ""},
	// In 19 only, where new users are not in that group.
	"res.partner": {[]string{"write", "create", "unlink"}, "Contact/Creation"},
}

var verbs = map[string]string{"read": "access", "write": "modify", "create": "create", "unlink": "delete"}

// checkModelAccess is the access control list of a model.
func (t *transaction) checkModelAccess(model, operation string) error {
	rule := restricted[model]
	if t.sudo || t.administrator() || !slices.Contains(rule.operations, operation) {
		return nil
	}
	if model == "res.partner" && (!t.nineteen() || t.inGroup(t.get("res.users", t.uid), groupContacts)) {
		return nil
	}
	group := rule.group
	if t.nineteen() {
		group = strings.NewReplacer("Administration/Settings", "Role / Administrator", "Administration/Access Rights", "Access Rights").Replace(group)
	}
	return accessError("You are not allowed to %s '%s' (%s) records.\n\nThis operation is allowed for the following groups:\n\t- %s\n\nContact your administrator to request access if necessary.",
		verbs[operation], titles[model], model, group)
}
