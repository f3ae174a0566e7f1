package nightpos

import (
	"context"
	"fmt"
	"slices"
)

// Unregister takes everything out of NightPOS again that Register installed, of
// whatever version of the gateway, and returns what it removed, in words. The
// client must be signed in as an administrator; ErrAccess says that it is not.
// The gateway's account stays, and so does every event.
func (c *Client) Unregister(ctx context.Context) ([]string, error) {
	if _, err := c.signIn(ctx); err != nil {
		return nil, err
	}
	r := &registrar{client: c}
	steps := []struct {
		what string
		do   func(context.Context) error
	}{
		// The webhooks go first, so that none is sent to a gateway without a door.
		{"the automation rules", r.removeRules},
		{"the door and the repair", r.removeActions},
		{"the menu entry", r.removeMenu},
		{"the keys of created records", r.removeKeys},
		{"the group of the gateway's account", r.removeGroup},
	}
	for _, step := range steps {
		if err := step.do(ctx); err != nil {
			return r.changed, fmt.Errorf("removing from NightPOS, %s: %w", step.what, err)
		}
	}
	return r.changed, nil
}

type namedRow struct {
	ID   int64 `json:"id"`
	Name text  `json:"name"`
}

// named finds what carries one of the gateway's names.
func (r *registrar) named(ctx context.Context, model string) ([]namedRow, error) {
	var rows []namedRow
	err := r.searchRead(ctx, model, []any{[]any{"name", "=like", namePrefix + "%"}}, []string{"name"}, &rows)
	return rows, err
}

func (r *registrar) removeRules(ctx context.Context) error {
	var rows []automationRow
	domain := []any{[]any{"name", "=like", namePrefix + "%"}}
	if err := r.searchRead(ctx, "base.automation", domain, []string{"name", "action_server_ids"}, &rows); err != nil {
		return err
	}
	for _, row := range rows {
		if err := r.removeRule(ctx, row); err != nil {
			return err
		}
		r.note("removed the automation rule %q", row.Name)
	}
	return nil
}

// removeRule removes a rule with its actions, which NightPOS would leave behind.
func (r *registrar) removeRule(ctx context.Context, row automationRow) error {
	if err := r.unlink(ctx, "base.automation", row.ID); err != nil {
		return err
	}
	if len(row.Actions) == 0 {
		return nil
	}
	return r.unlink(ctx, "ir.actions.server", row.Actions...)
}

func (r *registrar) removeActions(ctx context.Context) error {
	rows, err := r.named(ctx, "ir.actions.server")
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := r.unlink(ctx, "ir.actions.server", row.ID); err != nil {
			return err
		}
		r.note("removed the server action %q", row.Name)
	}
	return nil
}

// keyModule is the namespace of the external ids that creates leave behind.
const keyModule = "__outlook_gateway__"

// keysAtOnce bounds how many external ids are removed in one call.
const keysAtOnce = 1000

func (r *registrar) removeKeys(ctx context.Context) error {
	var rows []namedRow
	if err := r.searchRead(ctx, "ir.model.data", []any{[]any{"module", "=", keyModule}}, []string{"name"}, &rows); err != nil {
		return err
	}
	for part := range slices.Chunk(rows, keysAtOnce) {
		ids := make([]int64, 0, len(part))
		for _, row := range part {
			ids = append(ids, row.ID)
		}
		if err := r.unlink(ctx, "ir.model.data", ids...); err != nil {
			return err
		}
	}
	if len(rows) > 0 {
		r.note("removed the keys of %d records; the records stay", len(rows))
	}
	return nil
}

func (r *registrar) removeGroup(ctx context.Context) error {
	rows, err := r.named(ctx, "res.groups")
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := r.unlink(ctx, "res.groups", row.ID); err != nil {
			return err
		}
		r.note("removed the group %q", row.Name)
	}
	return nil
}
