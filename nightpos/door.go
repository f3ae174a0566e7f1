package nightpos

import (
	"context"
	_ "embed" // for the code of the door
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// Door is the Python code of the server action that Registrar installs: a list
// of operations on the calendar models, run in one transaction with the access
// checks lifted, for one group that only the gateway's account is in. It runs in
// NightPOS's restricted interpreter: no imports, no names with two underscores,
// no functions of its own.
//
// The operations travel in the context key gw_ops, since `run` has no arguments,
// and each has its own "context":
//
//	read         ids, fields [, micro, maybe, owner]
//	                                              rows that exist
//	search_read  domain | by, fields [, micro, owner, limit, order]
//	                                              rows; by NAME means: whose NAME is
//	                                              among ids and of
//	exists       ids                              ids that exist
//	keys_of      ids | keys                       [id, key] of those made with a key
//	check        ids [, domain, stamps, keys]     true, "stale", "missing", "made"
//	create       vals (list) [, keys, lines]      ids, in order; what a key made
//	                                              before is not made again
//	write        ids, vals [, guard, lines]       true, "stale", "missing"
//	unlink       ids                              true
//	built_in_sync       ids                       rows: see BuiltInSync
//	stop_built_in_sync  ids                       ids of users it was stopped for
//	week_start                                    the first day of the account's
//	                                              week, "1" for Monday to "7"
//
// "maybe" names fields that are read where the model has them. "micro" names
// datetimes that are wanted with microseconds, which read() cuts off. "owner" names
// fields of the users in user_id, which must be among the fields: each row gets those
// that users have, false where it has no user. "guard" holds such values as they
// were read: a record that shows another one is not written. "of" adds the ids that earlier operations of the same call
// answered with, or those of the rows. Many-to-one fields come as bare ids. A
// failing operation undoes all before it. The context key gw_database says which
// database the call is meant for, by its database.uuid; another one carries
// nothing out.
//
// Any operation may name in "after" an earlier one that must have answered true;
// otherwise it answers "skipped". A check says whether records are still what
// they were: those that the domain matches, and no others, with the write_date in
// "stamps" by id, and nothing made yet with a key.
//
// "lines", for calendar.recurrence, are the values of events to be made in it,
// each on top of "common". The first of a new recurrence's events becomes its
// base, unless the values name one.
//
//go:embed door.py
var Door string

// The names by which an administrator recognises what the gateway installed.
const (
	namePrefix = "Outlook gateway: "
	doorName   = namePrefix + "door"
	groupName  = namePrefix + "account"
)

// operation is one entry of gw_ops.
type operation struct {
	Do      string            `json:"do"`
	Model   string            `json:"model"`
	IDs     []int64           `json:"ids,omitempty"`
	Fields  []string          `json:"fields,omitempty"`
	Micro   []string          `json:"micro,omitempty"`
	Maybe   []string          `json:"maybe,omitempty"`
	Owner   []string          `json:"owner,omitempty"`
	Domain  []any             `json:"domain,omitempty"`
	By      string            `json:"by,omitempty"`
	Of      []int             `json:"of,omitempty"`
	Limit   int               `json:"limit,omitempty"`
	Order   string            `json:"order,omitempty"`
	Vals    any               `json:"vals,omitempty"`
	Lines   []values          `json:"lines,omitempty"`
	Common  values            `json:"common,omitempty"`
	Stamps  map[string]string `json:"stamps,omitempty"`
	Keys    []string          `json:"keys,omitempty"`
	Guard   map[string]string `json:"guard,omitempty"`
	After   *int              `json:"after,omitempty"`
	Context map[string]any    `json:"context"`
}

// values are the fields of one record to create or write.
type values map[string]any

// quiet is the context of every operation. Without it NightPOS mails the
// attendees of each future event, writes chatter lines, lets its own Outlook
// sync refuse or push events, adds the organizer's address to the description
// (19), reads times in somebody's zone, and hides archived records.
func quiet() map[string]any {
	return map[string]any{
		"no_mail_to_attendees":     true,
		"dont_notify":              true,
		"mail_create_nolog":        true,
		"mail_create_nosubscribe":  true,
		"mail_notrack":             true,
		"tracking_disable":         true,
		"no_calendar_sync":         true,
		"skip_contact_description": true,
		"active_test":              false,
		"tz":                       "UTC",
	}
}

// run carries out operations in one call and one transaction, and answers with
// one result for each. A door that was removed and installed again is found again.
func (c *Client) run(ctx context.Context, label string, repeatable bool, operations []operation) ([]json.RawMessage, error) {
	results, err := c.runOnce(ctx, label, repeatable, operations)
	if errors.Is(err, errDoorGone) {
		results, err = c.runOnce(ctx, label, repeatable, operations)
	}
	return results, err
}

// errDoorGone says that the door is not there any more under the id that it had.
// Nothing was carried out.
var errDoorGone = fmt.Errorf("%w: the door is gone", ErrNotRegistered)

func (c *Client) runOnce(ctx context.Context, label string, repeatable bool, operations []operation) ([]json.RawMessage, error) {
	signed, err := c.signIn(ctx)
	if err != nil {
		return nil, err
	}
	action, err := c.doorID(ctx, signed)
	if err != nil {
		return nil, err
	}
	for index := range operations {
		operations[index].Context = quiet()
	}
	answer, err := c.call(ctx, "door."+label, request{
		model: "ir.actions.server", method: "run", arguments: []any{[]int64{action}},
		named: map[string]any{"context": c.addressed(operations)}, repeatable: repeatable, size: sizeOf(operations),
	})
	if err != nil {
		return nil, c.doorError(signed, err)
	}
	var opened struct {
		Infos struct {
			Results []json.RawMessage `json:"results"`
		} `json:"infos"`
	}
	if err := json.Unmarshal(answer, &opened); err != nil || len(opened.Infos.Results) != len(operations) {
		return nil, fmt.Errorf("%w: the door answered %d operations with something else", ErrNotRegistered, len(operations))
	}
	return opened.Infos.Results, nil
}

// sizeOf is how much operations make NightPOS do.
func sizeOf(operations []operation) int {
	size := len(operations)
	for _, one := range operations {
		size += len(one.IDs) + len(one.Lines)
		if list, many := one.Vals.([]values); many {
			size += len(list)
		}
	}
	return size
}

// addressed is the context of a call that carries operations to the database that
// they are meant for.
func (c *Client) addressed(operations []operation) map[string]any {
	named := map[string]any{"gw_ops": operations}
	if identity := c.identity.Load(); identity != nil && !asksIdentity(operations) {
		named["gw_database"] = *identity
	}
	return named
}

func asksIdentity(operations []operation) bool {
	return len(operations) == 1 && operations[0].Do == "identity"
}

// ErrOtherDatabase says that the database is another one than calls are meant for:
// a copy, or one that was restored from a copy.
var ErrOtherDatabase = errors.New("NightPOS: this is another database than before, perhaps a copy")

// Identity asks which database this is, by its database.uuid, which a copy that
// was made properly does not share.
func (c *Client) Identity(ctx context.Context) (string, error) {
	results, err := c.run(ctx, "identity", true, []operation{{Do: "identity"}})
	if errors.Is(err, ErrInvalid) {
		return "", fmt.Errorf("%w: the door is that of an older gateway: %w", ErrNotRegistered, err)
	}
	if err != nil {
		return "", err
	}
	var identity string
	if err := json.Unmarshal(results[0], &identity); err != nil {
		return "", fmt.Errorf("reading which database this is: %w", err)
	}
	return identity, nil
}

// MeantFor has every later call meant for one database: another one carries
// nothing out and answers ErrOtherDatabase.
func (c *Client) MeantFor(identity string) { c.identity.Store(&identity) }

// saysOtherDatabase reads what the code of the gateway's actions says. A text that
// only holds it says nothing: NightPOS quotes the whole code with some errors.
func saysOtherDatabase(err error) bool {
	var answered *CallError
	return errors.As(err, &answered) && answered.Name == "UserError" && answered.message == "gateway: another database"
}

// doorError tells the errors of the door itself from those of operations.
func (c *Client) doorError(signed *session, err error) error {
	var answered *CallError
	if !errors.As(err, &answered) {
		return err
	}
	switch {
	case errors.Is(err, ErrMissing) && strings.Contains(answered.message, "ir.actions.server("):
		// It was removed, or removed and installed again under another id.
		c.forget(signed)
		return fmt.Errorf("%w: %w", errDoorGone, err)
	case saysOtherDatabase(err):
		return &reconciler.RetryError{Cause: "nightpos_identity", Err: ErrOtherDatabase}
	case errors.Is(err, ErrAccess):
		// Behind the door all access checks are lifted, so this one is ours.
		return fmt.Errorf("%w: the door is closed to this account: %w", ErrNotRegistered, err)
	}
	return err
}

// doorID finds the door by its name, once for each sign-in.
func (c *Client) doorID(ctx context.Context, signed *session) (int64, error) {
	if signed.action != 0 {
		return signed.action, nil
	}
	found, err := c.actionNamed(ctx, "find_door", doorName)
	if err != nil {
		return 0, err
	}
	c.session.CompareAndSwap(signed, &session{uid: signed.uid, major: signed.major, action: found, caller: signed.caller})
	return found, nil
}

// actionNamed finds one of the gateway's server actions.
func (c *Client) actionNamed(ctx context.Context, label, name string) (int64, error) {
	answer, err := c.call(ctx, label, request{
		model: "ir.actions.server", method: "search", repeatable: true,
		arguments: []any{[]any{[]any{"name", "=", name}, []any{"state", "=", "code"}}},
		named:     map[string]any{"order": "id", "limit": 1},
	})
	if errors.Is(err, ErrAccess) {
		return 0, fmt.Errorf("%w: the server action %q cannot be looked for: %w", ErrNotRegistered, name, err)
	}
	if err != nil {
		return 0, fmt.Errorf("looking for the server action %q: %w", name, err)
	}
	var found []int64
	if err := json.Unmarshal(answer, &found); err != nil || len(found) == 0 {
		return 0, fmt.Errorf("%w: there is no server action %q", ErrNotRegistered, name)
	}
	return found[0], nil
}

// Check says whether NightPOS answers and the door is open to this account, at
// the price of one small call.
func (c *Client) Check(ctx context.Context) error {
	_, err := c.run(ctx, "check", true, []operation{{Do: "exists", Model: "calendar.event"}})
	return err
}
